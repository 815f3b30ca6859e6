//! Jira Cloud: issues, and a search that lags behind them (docs/platforms/jira.md, API).
//!
//! The same under `/rest/api/2` and `/rest/api/3`; only descriptions differ.

mod issues;
mod jql;
pub(crate) mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::reply;

use issues::{Issue, Issues};
pub(crate) use settings::Settings;

/// Issues in a page by default, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 5000;

/// The most ids that a search reconciles, and issues in a bulk.
const MOST_RECONCILED: usize = 50;
const LARGEST_BULK: usize = 50;

struct Platform {
    settings: Settings,
    clock: Clock,
    issues: Mutex<Issues>,
}

/// A platform at one version of its API.
#[derive(Clone)]
struct Api {
    platform: Arc<Platform>,
    /// Whether descriptions are documents: version 3.
    documents: bool,
}

/// The routes of the platform.
pub(crate) fn router(settings: Settings, clock: &Clock) -> Router {
    let platform = Arc::new(Platform {
        issues: Mutex::new(Issues::new(&settings)),
        settings,
        clock: clock.clone(),
    });
    let api = |documents| {
        let api = Api { platform: Arc::clone(&platform), documents };
        Router::new()
            .route("/serverInfo", get(server_info))
            .route("/field", get(fields))
            .route("/user/assignable/search", get(users))
            .route("/issue", post(create))
            .route("/issue/bulk", post(bulk))
            .route("/issue/{key}", get(one).delete(remove))
            .route("/issue/{key}/transitions", get(transitions).post(transition))
            .route("/search/jql", get(search_by_url).post(search))
            .route("/search", get(async || gone()).post(async || gone()))
            .fallback(async || Refusal::words(StatusCode::NOT_FOUND, "no such resource"))
            .layer(from_fn_with_state(api.clone(), authenticate))
            .with_state(api)
    };
    Router::new().nest("/rest/api/2", api(false)).nest("/rest/api/3", api(true))
}

/// `{"errorMessages": […], "errors": {"field": "…"}}`.
#[derive(Clone, Debug)]
struct Refusal {
    status: StatusCode,
    words: Vec<String>,
    fields: Map<String, Value>,
}

impl Refusal {
    fn words(status: StatusCode, words: &str) -> Self {
        Self { status, words: vec![words.to_owned()], fields: Map::new() }
    }

    fn field(name: &str, words: &str) -> Self {
        let fields = Map::from_iter([(name.to_owned(), words.into())]);
        Self { status: StatusCode::BAD_REQUEST, words: Vec::new(), fields }
    }

    fn body(&self) -> Value {
        json!({"errorMessages": self.words, "errors": self.fields})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        reply::json_with(self.status, &self.body())
    }
}

type Answer = Result<Response, Refusal>;

fn no_issue() -> Refusal {
    Refusal::words(StatusCode::NOT_FOUND, "there is no such issue, or you may not see it")
}

/// The search that was removed in 2025.
fn gone() -> Refusal {
    Refusal::words(StatusCode::GONE, "this search was removed; use search/jql")
}

fn body(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|_| Refusal::words(StatusCode::BAD_REQUEST, "the body is not JSON"))
}

async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let token = token(request.headers());
    let revoked = |token: &String| api.platform.settings.revoked_tokens.contains(token);
    match token.filter(|token| !revoked(token)) {
        Some(_) => next.run(request).await,
        None => Refusal::words(StatusCode::UNAUTHORIZED, "the token is missing or not valid")
            .into_response(),
    }
}

/// The token of `Bearer`, or the password of `Basic`.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = match value.split_once(' ')? {
        ("Bearer", token) => token.to_owned(),
        ("Basic", pair) => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
            pair.split_once(':')?.1.to_owned()
        }
        _ => return None,
    };
    (!token.trim().is_empty()).then_some(token)
}

async fn server_info() -> Response {
    reply::json(&json!({
        "baseUrl": "http://127.0.0.1",
        "version": "1001.0.0-SNAPSHOT",
        "versionNumbers": [1001, 0, 0],
        "deploymentType": "Cloud",
        "serverTitle": "simulated",
    }))
}

/// What clients ask for to know the names of fields (docs/platforms/jira.md, public clients).
async fn fields() -> Response {
    let field =
        |id: &str| json!({"id": id, "key": id, "name": id, "custom": false, "clauseNames": [id]});
    let ids = ["summary", "description", "labels", "priority", "assignee", "status", "project"];
    reply::json(&ids.map(field))
}

type Pairs = Query<Vec<(String, String)>>;

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

async fn users(State(api): State<Api>, Query(pairs): Pairs) -> Response {
    let query = value(&pairs, "query").unwrap_or_default().to_lowercase();
    let users = &api.platform.settings.users;
    let found = users.iter().filter(|user| user.email.to_lowercase().starts_with(&query));
    let found: Vec<_> = found
        .map(|user| {
            let mail = if user.hidden { "" } else { user.email.as_str() };
            json!({
                "accountId": user.account_id,
                "emailAddress": mail,
                "displayName": "A person",
                "active": true,
            })
        })
        .collect();
    reply::json(&found)
}

async fn create(State(api): State<Api>, bytes: axum::body::Bytes) -> Answer {
    let body = body(&bytes)?;
    let made = api.create(&body)?;
    Ok(reply::json_with(StatusCode::CREATED, &made))
}

/// 201 also if some of them failed, and only the position identifies them.
async fn bulk(State(api): State<Api>, bytes: axum::body::Bytes) -> Answer {
    let body = body(&bytes)?;
    let updates = body["issueUpdates"].as_array().cloned().unwrap_or_default();
    if updates.is_empty() || updates.len() > LARGEST_BULK {
        let words = format!("issueUpdates must hold 1 to {LARGEST_BULK} issues");
        return Err(Refusal::words(StatusCode::BAD_REQUEST, &words));
    }
    let (mut made, mut errors) = (Vec::new(), Vec::new());
    for (at, update) in updates.iter().enumerate() {
        let refused = api.platform.settings.refused_in_bulk.contains(&at);
        let outcome = match refused {
            true => Err(Refusal::field("summary", "this one is refused")),
            false => api.create(update),
        };
        match outcome {
            Ok(issue) => made.push(issue),
            Err(refusal) => errors.push(json!({
                "status": refusal.status.as_u16(),
                "elementErrors": refusal.body(),
                "failedElementNumber": at,
            })),
        }
    }
    let status = if made.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::CREATED };
    Ok(reply::json_with(status, &json!({"issues": made, "errors": errors})))
}

async fn one(State(api): State<Api>, Path(key): Path<String>, Query(pairs): Pairs) -> Answer {
    let issues = api.issues();
    let issue = issues.get(&key).ok_or_else(no_issue)?;
    let wanted =
        value(&pairs, "fields").map(|fields| fields.split(',').map(str::to_owned).collect());
    Ok(reply::json(&issue.shown(wanted.unwrap_or_else(|| vec!["*all".to_owned()]).as_slice())))
}

async fn remove(State(api): State<Api>, Path(key): Path<String>) -> Answer {
    match api.issues().remove(&key) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(no_issue()),
    }
}

async fn transitions(State(api): State<Api>, Path(key): Path<String>) -> Answer {
    api.issues().get(&key).ok_or_else(no_issue)?;
    let done = json!({"id": "31", "name": "Done", "to": {"name": "Done"}});
    let open = json!({"id": "11", "name": "To Do", "to": {"name": "To Do"}});
    Ok(reply::json(&json!({"transitions": [open, done]})))
}

async fn transition(
    State(api): State<Api>,
    Path(key): Path<String>,
    bytes: axum::body::Bytes,
) -> Answer {
    // Clients send the id as a text or as a number.
    let id = body(&bytes)?["transition"]["id"].to_string();
    let done = match id.trim_matches('"') {
        "31" => true,
        "11" => false,
        _ => return Err(Refusal::words(StatusCode::BAD_REQUEST, "there is no such transition")),
    };
    api.issues().get_mut(&key).ok_or_else(no_issue)?.done = done;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn search_by_url(State(api): State<Api>, Query(pairs): Pairs) -> Answer {
    let all = |name: &str| -> Vec<Value> {
        let values = pairs.iter().filter(|(key, _)| key == name);
        values.flat_map(|(_, value)| value.split(',')).map(Value::from).collect()
    };
    let mut query = json!({"fields": all("fields"), "reconcileIssues": all("reconcileIssues")});
    for name in ["jql", "maxResults", "nextPageToken"] {
        query[name] = value(&pairs, name).into();
    }
    api.search(&query)
}

async fn search(State(api): State<Api>, bytes: axum::body::Bytes) -> Answer {
    api.search(&body(&bytes)?)
}

impl Api {
    fn issues(&self) -> MutexGuard<'_, Issues> {
        self.platform.issues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, update: &Value) -> Result<Value, Refusal> {
        let settings = &self.platform.settings;
        let fields = update["fields"].as_object().cloned().unwrap_or_default();
        issues::check(&fields, settings, self.documents)?;
        let now = self.platform.clock.now();
        let mut issues = self.issues();
        let issue = issues.add(fields, now, settings);
        Ok(json!({"id": issue.id.to_string(), "key": issue.key, "self": issue.link()}))
    }

    fn search(&self, query: &Value) -> Answer {
        let bad = |words: &str| Refusal::words(StatusCode::BAD_REQUEST, words);
        let jql = jql::parse(query["jql"].as_str().unwrap_or_default()).map_err(|e| bad(&e))?;
        let listed = |name: &str| query[name].as_array().cloned().unwrap_or_default();
        let number = |value: &Value| {
            value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
        };
        let reconciled: Vec<u64> = listed("reconcileIssues").iter().filter_map(number).collect();
        if reconciled.len() > MOST_RECONCILED {
            return Err(bad("reconcileIssues takes at most 50 ids"));
        }
        let token = query["nextPageToken"].as_str();
        let from =
            token.map_or(Ok(0), str::parse).map_err(|_| bad("nextPageToken is not valid"))?;
        let limit = number(&query["maxResults"]).and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(PAGE).min(LARGEST_PAGE);
        let lag = i64::try_from(self.platform.settings.index_lag_ms).unwrap_or(i64::MAX);
        let indexed_until = self.platform.clock.now().saturating_sub(lag);
        let shown =
            |issue: &&Issue| issue.created <= indexed_until || reconciled.contains(&issue.id);
        let issues = self.issues();
        let mut found: Vec<_> = issues.iter().filter(shown).filter(|i| jql.matches(i)).collect();
        found.sort_by_key(|issue| std::cmp::Reverse(issue.id));
        let wanted: Vec<_> =
            listed("fields").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let page: Vec<_> =
            found.iter().skip(from).take(limit).map(|issue| issue.shown(&wanted)).collect();
        let next = from + page.len();
        let is_last = next >= found.len();
        if self.platform.settings.search_is_stuck {
            return Ok(reply::json(&json!({"issues": [], "isLast": false})));
        }
        let mut answer = json!({"issues": page, "isLast": is_last});
        if !is_last {
            answer["nextPageToken"] = next.to_string().into();
        }
        Ok(reply::json(&answer))
    }
}
