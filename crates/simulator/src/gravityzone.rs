//! GravityZone Cloud Security: `GET /v1/cspm/checks` (docs/platforms/gravityzone.md, checks).
//!
//! Rows are rendered from a generator as they are asked for; nothing is kept.

mod checks;
mod cursor;
mod filter;
mod render;
mod rules;
pub(crate) mod settings;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::hostile::Hostility;
use crate::reply;

use checks::Generator;
use cursor::Cursor;
use filter::Filter;
use render::{Record, Renderer};
pub(crate) use settings::Settings;

/// `page_limit`: its default and its range.
const PAGE: u64 = 500;
const LARGEST_PAGE: u64 = 1000;

struct Platform {
    settings: Settings,
    generator: Generator,
    clock: Clock,
    hostility: Hostility,
}

/// The routes of the platform.
pub(crate) fn router(settings: Settings, clock: &Clock, hostile: bool) -> Router {
    let platform = Arc::new(Platform {
        generator: Generator::new(&settings),
        settings,
        clock: clock.clone(),
        hostility: Hostility(hostile),
    });
    Router::new()
        .nest(
            "/v1/cspm",
            Router::new()
                .route("/checks", get(list))
                .route("/checks/{id}", get(one))
                .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "no such resource"))
                .layer(from_fn_with_state(Arc::clone(&platform), authenticate)),
        )
        .with_state(platform)
}

/// A refusal in JSON:API's shape. No error body is published, so this is a guess
/// (docs/platforms/gravityzone.md, access and errors).
struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({
            "status": self.status.as_str(),
            "title": self.status.canonical_reason(),
            "detail": self.detail,
        });
        reply::json_with(self.status, &json!({ "errors": [error] }))
    }
}

async fn authenticate(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    let key = platform.key(request.headers());
    let revoked = |key: &&str| !platform.settings.revoked_keys.iter().any(|each| each == key);
    match key.filter(revoked) {
        Some(_) => next.run(request).await,
        None => Refusal::new(StatusCode::UNAUTHORIZED, "the API key is missing or not valid")
            .into_response(),
    }
}

type Pairs = Query<Vec<(String, String)>>;

/// `GET /v1/cspm/checks`.
async fn list(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    Query(pairs): Pairs,
) -> Result<Response, Refusal> {
    let limit = page_limit(&pairs)?;
    let cursor = platform.cursor(pairs)?;
    let filter = Filter::new(&cursor.query)?;
    let found = platform.generator.find(&filter, cursor.elapsed, limit);
    Ok(platform.page(&base(&headers), &cursor, limit, &found))
}

/// `GET /v1/cspm/checks/{id}`: no links, no meta.
async fn one(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let check = platform
        .generator
        .by_id(&id)
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no check {id}")))?;
    let base = base(&headers);
    let data = platform.renderer(&base).row(&check);
    Ok(reply::json(&json!({ "data": data })))
}

fn page_limit(pairs: &[(String, String)]) -> Result<u64, Refusal> {
    let Some((_, text)) = pairs.iter().find(|(name, _)| name == "page_limit") else {
        return Ok(PAGE);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
        .ok_or_else(|| Refusal::bad_request(format!("page_limit must be 1 to {LARGEST_PAGE}")))
}

/// Links are absolute, from the name by which the client called.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    format!("http://{}/v1", host.unwrap_or("127.0.0.1"))
}

impl Platform {
    fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let key = headers.get(&self.settings.auth_header)?.to_str().ok()?;
        let key = match self.settings.auth_header == AUTHORIZATION.as_str() {
            true => key.strip_prefix("Bearer ")?,
            false => key,
        };
        (!key.trim().is_empty()).then_some(key)
    }

    /// Where to go on. Beside other parameters a cursor is ignored, and page 1 is given again.
    fn cursor(&self, mut pairs: Vec<(String, String)>) -> Result<Cursor, Refusal> {
        let cursor = pairs.iter().position(|(name, _)| name == "page_cursor");
        let cursor = cursor.map(|at| pairs.swap_remove(at).1);
        pairs.retain(|(name, _)| name != "page_limit" && name != "page_cursor");
        match cursor.filter(|_| pairs.is_empty()) {
            Some(text) => Cursor::decode(&text)
                .ok_or_else(|| Refusal::bad_request("page_cursor is not valid")),
            None => Ok(Cursor {
                total: 0,
                elapsed: 0,
                no_later_than: self.clock.naive_now(),
                next_begin_uid: String::new(),
                query: pairs,
            }),
        }
    }

    fn renderer<'a>(&'a self, base: &'a str) -> Renderer<'a> {
        Renderer { base, clock: &self.clock, hostility: self.hostility, settings: &self.settings }
    }

    fn page(&self, base: &str, cursor: &Cursor, limit: u64, found: &checks::Found<'_>) -> Response {
        let settings = &self.settings;
        let renderer = self.renderer(base);
        let row = |check| Record::Row(Box::new(renderer.row(check)));
        let mut data: Vec<Record<'_>> = found.page.iter().map(row).collect();
        if settings.placeholder {
            data.push(Record::Placeholder { dots: "..." });
        }
        let elapsed = cursor.elapsed + found.page.len() as u64;
        let next = found.next.as_ref().map(|next| {
            let next = match settings.repeat_cursor && cursor.elapsed > 0 {
                true => cursor.clone(),
                false => Cursor {
                    total: found.total,
                    elapsed,
                    next_begin_uid: next.id(),
                    // The set of checks stays that of the first page.
                    ..cursor.clone()
                },
            };
            let origin = settings.foreign_next.as_deref().map(|origin| format!("{origin}/v1"));
            link(
                origin.as_deref().unwrap_or(base),
                [("page_cursor", next.encode()), ("page_limit", limit.to_string())],
            )
        });
        let own = cursor.query.iter().map(|(name, value)| (name.as_str(), value.clone()));
        reply::json(&Page {
            data,
            links: json!({
                "self": link(base, own.chain([("page_limit", limit.to_string())])),
                "next": next,
            }),
            meta: json!({
                "total": shifted(found.total, settings.total_offset),
                "elapsed": shifted(elapsed, settings.elapsed_offset),
            }),
        })
    }
}

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<Record<'a>>,
    links: Value,
    meta: Value,
}

fn link<'a>(base: &str, pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let query: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", form(name), form(&value))).collect();
    format!("{base}/cspm/checks?{}", query.join("&"))
}

/// Encodes as forms do: a space is a `+`, as in the documentation's links.
fn form(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn shifted(count: u64, offset: i64) -> u64 {
    count.saturating_add_signed(offset)
}
