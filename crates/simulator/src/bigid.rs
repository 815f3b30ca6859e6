//! BigID Data Posture: `/api/v1/actionable-insights/…` (docs/platforms/bigid.md, cases).
//!
//! Cases are kept in memory, so that a change of status lasts.

mod auth;
mod cases;
mod query;
pub(crate) mod settings;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, patch};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::hostile::Hostility;
use crate::reply;

use auth::Tokens;
use cases::{Estate, STATUSES};
use query::Listing;
use settings::Patch;
pub(crate) use settings::Settings;

struct Platform {
    settings: Settings,
    tokens: Tokens,
    estate: Mutex<Estate>,
    clock: Clock,
    /// Answers of `all-cases` so far.
    answers: AtomicU32,
    /// Cases inserted between pages so far.
    inserted: AtomicU32,
    /// Cases exchanged between pages so far.
    swapped: AtomicU32,
}

/// The routes of the platform.
pub(crate) fn router(settings: Settings, clock: &Clock, hostile: bool) -> Router {
    let platform = Arc::new(Platform {
        tokens: Tokens::new(&settings),
        estate: Mutex::new(Estate::new(&settings, Hostility(hostile))),
        clock: clock.clone(),
        settings,
        answers: AtomicU32::new(0),
        inserted: AtomicU32::new(0),
        swapped: AtomicU32::new(0),
    });
    let cases = Router::new()
        .route("/all-cases", get(all_cases))
        .route("/cases-by-severity", get(by_severity))
        .route("/case-status/{id}", patch(one))
        // `cases:{actionType}` (docs/platforms/bigid.md, changing cases).
        .route("/{action}", patch(bulk))
        .layer(from_fn_with_state(Arc::clone(&platform), authenticate));
    Router::new()
        .route("/api/v1/refresh-access-token", get(auth::refresh))
        .nest("/api/v1/actionable-insights", cases)
        .with_state(platform)
}

async fn authenticate(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    match platform.tokens.refusal(request.headers()) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

/// What the vendor's page shows for a bad request (docs/platforms/bigid.md, errors and limits).
fn refused(status: StatusCode, error: impl Into<String>) -> Response {
    reply::json_with(status, &json!({ "error": error.into() }))
}

type Pairs = Query<Vec<(String, String)>>;

/// `GET /actionable-insights/all-cases` (docs/platforms/bigid.md, listing cases).
async fn all_cases(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Response {
    if let Some(failure) = platform.failure() {
        return failure;
    }
    let settings = &platform.settings;
    let asked = match Listing::new(&pairs, settings) {
        Ok(asked) => asked,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error),
    };
    let mut estate = platform.estate();
    if asked.from > 0 && platform.inserted.load(Ordering::Relaxed) < settings.inserts {
        estate.insert(u64::from(platform.inserted.fetch_add(1, Ordering::Relaxed)));
    }
    if asked.from > 0 && platform.swapped.load(Ordering::Relaxed) < settings.swaps {
        estate.swap(u64::from(platform.swapped.fetch_add(1, Ordering::Relaxed)));
    }
    let answers = platform.answers.load(Ordering::Relaxed);
    let is_empty = settings.empty_after.is_some_and(|after| answers > after);
    let found: Vec<_> = estate.cases().filter(|case| !is_empty && asked.takes(case)).collect();
    let total = (found.len() as u64).saturating_add_signed(settings.total_offset);
    let page: Vec<Value> = found
        .iter()
        .skip(asked.from)
        .take(asked.limit)
        .map(|case| asked.project(estate.render(case, &platform.clock, settings)))
        .collect();
    let mut data = json!({ "cases": page });
    if asked.total && !settings.omit_total {
        data["totalCount"] = total.into();
    }
    reply::json(&json!({ "status": "success", "statusCode": 200, "message": null, "data": data }))
}

/// `GET /actionable-insights/cases-by-severity` (docs/platforms/bigid.md, totals).
async fn by_severity(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Response {
    let settings = &platform.settings;
    if settings.without_severities {
        return refused(StatusCode::NOT_FOUND, "not found");
    }
    let status = pairs.iter().find(|(key, _)| key == "caseStatus").map(|(_, value)| value.as_str());
    let estate = platform.estate();
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for case in estate.cases().filter(|case| status.is_none() || case.field("caseStatus") == status)
    {
        *counts.entry(case.field("severityLevel").unwrap_or("none")).or_default() += 1;
    }
    let rows: Vec<Value> = counts
        .iter()
        .map(|(severity, count)| {
            let value = count.saturating_add_signed(settings.severities_offset);
            json!({ "value": value, "severityLevel": severity })
        })
        .collect();
    reply::json(&json!(rows))
}

/// `PATCH /actionable-insights/case-status/{caseId}` (docs/platforms/bigid.md, changing cases).
async fn one(
    State(platform): State<Arc<Platform>>,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(status) = body["caseStatus"].as_str().filter(|word| STATUSES.contains(word)) else {
        return refused(StatusCode::BAD_REQUEST, "caseStatus is invalid");
    };
    let server_error = || {
        let body = json!({ "status": "error", "message": "Server error", "errors": [{}] });
        reply::json_with(StatusCode::INTERNAL_SERVER_ERROR, &body)
    };
    if platform.settings.patch == Patch::Fails {
        return server_error();
    }
    if !platform.estate().set(&id, status, platform.clock.now()) {
        return refused(StatusCode::NOT_FOUND, format!("Case {id} was not found"));
    }
    match platform.settings.patch {
        Patch::AppliesAndFails => server_error(),
        _ => reply::json(&json!({ "status": "success", "statusCode": 200, "message": null })),
    }
}

/// `PATCH /actionable-insights/cases:{actionType}` (docs/platforms/bigid.md, changing cases). The
/// value of `actionType` and the key of the ids in the answer are not public.
async fn bulk(
    State(platform): State<Arc<Platform>>,
    Path(action): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let change = &body["additionalProperties"];
    let known = action.strip_prefix("cases:") == Some(platform.settings.bulk_action.as_str())
        && body["subType"] == "updateCases"
        && change["field"] == "caseStatus";
    if !known {
        return refused(StatusCode::NOT_FOUND, "no such action");
    }
    let Some(status) = change["newValue"].as_str().filter(|word| STATUSES.contains(word)) else {
        return refused(StatusCode::BAD_REQUEST, "newValue is invalid");
    };
    let everything = change["allCases"] == true;
    let filters = change["casesFilters"].as_array().cloned().unwrap_or_default();
    if filters.is_empty() && !everything {
        return refused(StatusCode::BAD_REQUEST, "casesFilters is empty");
    }
    let mut estate = platform.estate();
    let mut ids: Vec<String> = estate
        .cases()
        .filter(|case| everything || filters.iter().all(|filter| case.is_in(filter)))
        .map(|case| case.id.clone())
        .collect();
    ids.truncate(ids.len().saturating_sub(platform.settings.bulk_loses));
    for id in &ids {
        estate.set(id, status, platform.clock.now());
    }
    reply::json(&json!({ "status": "success", "statusCode": 200, "data": { "caseIds": ids } }))
}

impl Platform {
    fn estate(&self) -> MutexGuard<'_, Estate> {
        self.estate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failures that the first requests get instead of cases (docs/platforms/bigid.md, errors
    /// and limits).
    fn failure(&self) -> Option<Response> {
        let answers = self.answers.fetch_add(1, Ordering::Relaxed);
        let settings = &self.settings;
        if answers < settings.throttled {
            return Some(reply::typed(StatusCode::TOO_MANY_REQUESTS, "text/plain", "slow down"));
        }
        if answers < settings.throttled.saturating_add(settings.gateway_pages) {
            let mut page = reply::nginx(StatusCode::BAD_GATEWAY);
            *page.status_mut() = StatusCode::OK;
            return Some(page);
        }
        settings
            .failure
            .as_ref()
            .map(|message| reply::json(&json!({ "success": false, "message": message })))
    }
}
