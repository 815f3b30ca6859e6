//! ServiceNow's Table API (docs/platforms/servicenow.md, Table API).

mod query;
mod records;
pub(crate) mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query as Pairs, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use crate::reply;

use query::Query;
use records::{Records, View};
pub(crate) use settings::Settings;

/// Rows in an answer by default.
const LIMIT: usize = 10_000;

struct Platform {
    settings: Settings,
    records: Mutex<Records>,
}

/// The routes of the platform.
pub(crate) fn router(settings: Settings) -> Router {
    let records = Mutex::new(Records::new(&settings));
    let platform = Arc::new(Platform { settings, records });
    let tables = Router::new()
        .route("/table/{table}", get(list).post(create))
        .route("/table/{table}/{id}", get(one).patch(update).put(update).delete(remove))
        .fallback(async || {
            Refusal::new(StatusCode::BAD_REQUEST, "Requested URI does not exist", "")
        })
        .layer(from_fn_with_state(Arc::clone(&platform), authenticate));
    Router::new().nest("/api/now", tables.clone()).nest("/api/now/v2", tables).with_state(platform)
}

/// `{"error": {"message": …, "detail": …}, "status": "failure"}`.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, message: &str, detail: &str) -> Self {
        Self { status, message: message.to_owned(), detail: detail.to_owned() }
    }

    fn no_record() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "No Record found",
            "Record doesn't exist or ACL restricts it",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"message": self.message, "detail": self.detail});
        reply::json_with(self.status, &json!({"error": error, "status": "failure"}))
    }
}

type Answer = Result<Response, Refusal>;

async fn authenticate(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| match header.split_once(' ')? {
        ("Bearer", token) => Some(token.to_owned()),
        ("Basic", pair) => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
            Some(pair.split_once(':')?.1.to_owned())
        }
        _ => None,
    });
    let valid =
        |token: &String| !token.is_empty() && !platform.settings.revoked_tokens.contains(token);
    match token.filter(valid) {
        Some(_) => next.run(request).await,
        None => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "User Not Authenticated",
            "Required to provide Auth information",
        )
        .into_response(),
    }
}

type Parameters = Pairs<Vec<(String, String)>>;

fn parameter<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

async fn list(
    State(platform): State<Arc<Platform>>,
    Path(table): Path<String>,
    Pairs(pairs): Parameters,
) -> Answer {
    let records = platform.records();
    let rows = records.table(&table).ok_or_else(|| no_table(&table))?;
    let number = |name: &str| parameter(&pairs, name).and_then(|text| text.parse::<usize>().ok());
    let query = Query::parse(parameter(&pairs, "sysparm_query").unwrap_or_default());
    let known = |field: &str| platform.settings.knows(&table, field);
    let found = query.run(rows, known, platform.settings.invalid_query_returns_no_rows);
    if found.is_empty() && platform.settings.not_found_on_empty {
        return Err(Refusal::no_record());
    }
    let view = View::of(&pairs);
    let page: Vec<_> = found
        .iter()
        .skip(number("sysparm_offset").unwrap_or(0))
        .take(number("sysparm_limit").unwrap_or(LIMIT))
        .map(|row| view.show(row))
        .collect();
    let mut response = reply::json(&json!({"result": page}));
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-total-count"), HeaderValue::from(found.len()));
    Ok(response)
}

async fn one(
    State(platform): State<Arc<Platform>>,
    Path((table, id)): Path<(String, String)>,
    Pairs(pairs): Parameters,
) -> Answer {
    let records = platform.records();
    let rows = records.table(&table).ok_or_else(|| no_table(&table))?;
    let row =
        rows.iter().find(|row| row.get("sys_id") == Some(&id)).ok_or_else(Refusal::no_record)?;
    Ok(reply::json(&json!({"result": View::of(&pairs).show(row)})))
}

async fn create(
    State(platform): State<Arc<Platform>>,
    Path(table): Path<String>,
    Pairs(pairs): Parameters,
    body: Bytes,
) -> Answer {
    let settings = &platform.settings;
    let fields = fields(&body)?;
    let empty = |field: &&String| {
        fields.get(*field).is_none_or(|value| value.as_str().unwrap_or_default().is_empty())
    };
    if let Some(field) = settings.mandatory.iter().find(empty) {
        let detail = format!("Data Policy Exception: the following fields are mandatory: {field}");
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Operation Failed", &detail));
    }
    let mut records = platform.records();
    let row = records.add(&table, &fields, settings).ok_or_else(|| no_table(&table))?;
    let id = row.get("sys_id").cloned().unwrap_or_default();
    let result = json!({"result": View::of(&pairs).show(&row)});
    let mut response = reply::json_with(StatusCode::CREATED, &result);
    if let Ok(location) = HeaderValue::from_str(&format!("/api/now/table/{table}/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn update(
    State(platform): State<Arc<Platform>>,
    Path((table, id)): Path<(String, String)>,
    Pairs(pairs): Parameters,
    body: Bytes,
) -> Answer {
    let fields = fields(&body)?;
    let mut records = platform.records();
    let row =
        records.change(&table, &id, &fields, &platform.settings).ok_or_else(Refusal::no_record)?;
    Ok(reply::json(&json!({"result": View::of(&pairs).show(&row)})))
}

async fn remove(
    State(platform): State<Arc<Platform>>,
    Path((table, id)): Path<(String, String)>,
) -> Answer {
    match platform.records().remove(&table, &id) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Refusal::no_record()),
    }
}

fn fields(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|_| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "Exception while reading request",
            "not a JSON object",
        )
    })
}

fn no_table(table: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, &format!("Invalid table {table}"), "")
}

impl Platform {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
