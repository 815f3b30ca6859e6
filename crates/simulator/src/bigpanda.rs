//! BigPanda: `GET /resources/v2.0/audit/logs` and the list of maintenance plans
//! (docs/platforms/bigpanda.md, audit log).
//!
//! Entries are made once, from the changes of the scenario; how they are sent depends on its
//! settings, since it is undocumented (docs/platforms/bigpanda.md, envelope and paging).

mod log;
mod objects;
pub(crate) mod settings;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::hostile::Hostility;
use crate::reply;

use log::Entry;
use settings::Envelope;
pub(crate) use settings::Settings;

/// `per_page`, if none is asked for (docs/platforms/bigpanda.md, request).
const PAGE: usize = 100;

struct Platform {
    settings: Settings,
    clock: Clock,
    /// Newest first.
    entries: Vec<Entry>,
    /// When the latest requests came in, on the clock.
    requests: Mutex<VecDeque<i64>>,
    hostility: Hostility,
}

type Pairs = Query<Vec<(String, String)>>;

/// The routes of the platform.
pub(crate) fn router(settings: Settings, clock: &Clock, hostile: bool) -> Router {
    let hostility = Hostility(hostile);
    let platform = Arc::new(Platform {
        entries: log::entries(&settings, clock, hostility),
        settings,
        clock: clock.clone(),
        requests: Mutex::default(),
        hostility,
    });
    let routes = Router::new()
        .route("/audit/logs", get(logs))
        // The address as the documentation prints it (docs/platforms/bigpanda.md, request).
        .route("/audit/logs/", get(answered_logs))
        .route("/ordered-maintenance-plans", get(plans))
        .fallback(async || {
            reply::json_with(StatusCode::NOT_FOUND, &json!({"message": "Not Found"}))
        })
        .layer(from_fn_with_state(Arc::clone(&platform), authenticate));
    Router::new().nest("/resources/v2.0", routes).with_state(platform)
}

/// Who may call, and how often (docs/platforms/bigpanda.md, request and errors).
async fn authenticate(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    if platform.is_too_often() {
        return refused(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", "slow down");
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|value| value.strip_prefix("Bearer "));
    let revoked = |key: &&str| platform.settings.revoked_keys.iter().any(|each| each == key);
    match key.map(str::trim).filter(|key| !key.is_empty() && !revoked(key)) {
        Some(_) => next.run(request).await,
        None => reply::nginx(StatusCode::UNAUTHORIZED),
    }
}

/// A refusal in the shape of the vendor's other audit log (docs/platforms/bigpanda.md, errors).
fn refused(status: StatusCode, error: &str, message: &str) -> Response {
    let body = json!({"statusCode": status.as_u16(), "error": error, "message": message});
    reply::json_with(status, &body)
}

async fn logs(state: State<Arc<Platform>>, uri: Uri, pairs: Pairs) -> Response {
    if !state.settings.redirect {
        return answered_logs(state, pairs).await;
    }
    // Nested routes do not see the prefix.
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let target = format!("/resources/v2.0/audit/logs/{query}");
    let mut response = Response::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(target) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(LOCATION, target);
    }
    response
}

async fn answered_logs(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Response {
    if platform.settings.forbidden {
        let message = "Forbidden - the role lacks a permission";
        return refused(StatusCode::FORBIDDEN, "Forbidden", message);
    }
    let Some(asked) = Listing::of(&pairs) else {
        let errors = json!({"status": 400, "errors": ["A parameter is missing or malformed."]});
        return reply::json_with(StatusCode::BAD_REQUEST, &errors);
    };
    if let Some(path) = &platform.settings.answer {
        return match (asked.page, std::fs::read(path)) {
            (1, Ok(bytes)) => reply::typed(StatusCode::OK, "application/json", bytes),
            (1, Err(_)) => reply::nginx(StatusCode::INTERNAL_SERVER_ERROR),
            _ => reply::json(&json!([])),
        };
    }
    platform.logs(&asked)
}

/// What a query asks for.
struct Listing<'a> {
    page: usize,
    per_page: usize,
    start: i64,
    end: i64,
    types: Option<Vec<&'a str>>,
    actions: Option<Vec<&'a str>>,
    status: Option<&'a str>,
}

impl<'a> Listing<'a> {
    fn of(pairs: &'a [(String, String)]) -> Option<Self> {
        let given = |name: &str| {
            pairs.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
        };
        let number = |name: &str, otherwise: i64| {
            given(name).map_or(Some(otherwise), |value| value.parse().ok())
        };
        let words = |name: &str| given(name).map(|value| value.split(',').collect());
        Some(Self {
            page: usize::try_from(number("page", 1)?).ok().filter(|page| *page > 0)?,
            per_page: usize::try_from(number("per_page", PAGE as i64)?).ok().filter(|n| *n > 0)?,
            start: number("start", i64::MIN)?,
            end: number("end", i64::MAX)?,
            types: words("resource_type"),
            actions: words("action_type"),
            status: given("status"),
        })
    }
}

impl Platform {
    /// Whether this request is one too many within a second.
    fn is_too_often(&self) -> bool {
        let most = self.settings.requests_per_second;
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        while requests.front().is_some_and(|at| now - at >= 1000) {
            requests.pop_front();
        }
        requests.push_back(now);
        most > 0 && requests.len() > most
    }

    fn logs(&self, asked: &Listing<'_>) -> Response {
        let within = |words: &Option<Vec<&str>>, word: Option<&str>| {
            words.as_ref().is_none_or(|words| word.is_some_and(|word| words.contains(&word)))
        };
        let rows = self.entries.iter().filter(|entry| {
            (self.settings.ignore_window || (asked.start..=asked.end).contains(&entry.at))
                && within(&asked.types, Some(&entry.resource_type))
                && within(&asked.actions, entry.action.as_deref())
        });
        self.page(rows.map(|entry| entry.sent.clone()).collect(), asked)
    }

    /// One page of rows, as the scenario has it.
    fn page(&self, rows: Vec<Value>, asked: &Listing<'_>) -> Response {
        let settings = &self.settings;
        let size = asked.per_page.min(settings.per_page_cap.unwrap_or(usize::MAX));
        let number = if settings.ignore_page { 1 } else { asked.page };
        // What is written meanwhile moves rows to the next page.
        let shift = if settings.growing { number - 1 } else { 0 };
        let from = (number - 1).saturating_mul(size).saturating_sub(shift);
        let total = rows.len().saturating_add_signed(settings.total_offset);
        let page: Vec<Value> = rows.into_iter().skip(from).take(size).collect();
        if page.is_empty() && settings.no_content {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        match settings.envelope {
            Envelope::Array => reply::json(&page),
            Envelope::Object if settings.total => {
                reply::json(&json!({ &settings.list: page, "total": total }))
            }
            Envelope::Object => reply::json(&json!({ &settings.list: page })),
            Envelope::Single => match page.as_slice() {
                [only] => reply::json(only),
                _ => reply::json(&page),
            },
        }
    }
}

/// `GET /ordered-maintenance-plans` (docs/platforms/bigpanda.md, maintenance plans): 204 where
/// there is none.
async fn plans(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Response {
    let settings = &platform.settings;
    if settings.plans_forbidden {
        return refused(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Forbidden - the role lacks a permission",
        );
    }
    let status = Listing::of(&pairs).and_then(|asked| asked.status);
    let plans: Vec<Value> = settings
        .plans
        .iter()
        .filter(|plan| status.is_none_or(|status| status == plan.status))
        .map(|plan| plan.sent(platform.clock.at(0).timestamp(), platform.hostility))
        .collect();
    if plans.is_empty() {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let total = plans.len();
    reply::json(&json!({"items": plans, "total": total}))
}
