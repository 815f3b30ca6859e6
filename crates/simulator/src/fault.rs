//! Faults that the platforms and the proxies in front of them produce themselves.
//!
//! Faults of the transport (resets, stalls, foreign redirects) are not part of the simulator.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::to_bytes;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::reply;

/// The largest answer that is read in order to cut it.
const LARGEST: usize = 256 * 1024 * 1024;

/// One fault: which requests it affects, and the answer that they get.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// A path without its query. With `*` (anything, also `/`) it is matched whole, without it as a
    /// prefix.
    pub path: String,
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// How many requests it affects; `null` is every one.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// How many matching requests are answered normally first.
    #[serde(default)]
    pub skip: u32,
    /// What the answer looks like.
    #[serde(default)]
    pub kind: Kind,
    /// The status of `html`, `json` and `empty`: 400 to 599.
    #[serde(default = "unavailable")]
    pub status: u16,
    /// Seconds in `Retry-After`; the header is absent without it.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// The request takes effect and only its answer is lost, like a run that ends in 504
    /// (docs/platforms/opencomply.md, errors of a start).
    #[serde(default)]
    pub applied: bool,
}

/// What a faulty answer looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// An error page of the proxy.
    #[default]
    Html,
    /// An error message of the service.
    Json,
    /// A status without a body.
    Empty,
    /// 200, and the first half of the true answer as its whole body.
    Truncated,
    /// 200, and JSON that is not an object.
    WrongType,
    /// 200, and the message of an error.
    #[serde(rename = "message-200")]
    Message200,
    /// 200, and the web UI's page.
    #[serde(rename = "html-200")]
    Html200,
}

fn once() -> Option<u32> {
    Some(1)
}

fn unavailable() -> u16 {
    503
}

impl Fault {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(400..600).contains(&self.status) {
            return Err(format!(
                "fault on {:?}: status {} is not an error (400 to 599)",
                self.path, self.status
            ));
        }
        Ok(())
    }

    /// Whether the request is carried out before its answer is replaced.
    pub(crate) fn applies(&self) -> bool {
        self.applied || self.kind == Kind::Truncated
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && matches_path(&self.path, path)
    }

    /// The faulty answer; `answer` is the true one, if the request was carried out.
    pub(crate) async fn answer(&self, answer: Option<Response>) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = match self.kind {
            Kind::Html => reply::nginx(status),
            Kind::Json => reply::json_with(
                status,
                &json!({ "message": status.canonical_reason().unwrap_or("Error") }),
            ),
            Kind::Empty => {
                let mut response = Response::default();
                *response.status_mut() = status;
                response
            }
            Kind::Truncated => halved(answer.unwrap_or_default()).await,
            Kind::WrongType => reply::json(&json!([42])),
            Kind::Message200 => reply::json(&json!({ "message": "error" })),
            Kind::Html200 => reply::web_ui(),
        };
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

async fn halved(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let whole = to_bytes(body, LARGEST).await.unwrap_or_default();
    let mut response = Response::new(whole.slice(..whole.len() / 2).into());
    *response.status_mut() = parts.status;
    if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
}

fn matches_path(pattern: &str, path: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return path.starts_with(pattern);
    };
    let Some(mut rest) = path.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The faults of a scenario, with how often each has been met.
pub(crate) struct Faults(Vec<(Fault, AtomicU32)>);

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self(faults.into_iter().map(|fault| (fault, AtomicU32::new(0))).collect())
    }

    /// The fault that affects this request. Every fault that matches counts the request.
    pub(crate) fn due(&self, method: &Method, path: &str) -> Option<&Fault> {
        let mut found = None;
        for (fault, met) in &self.0 {
            if !fault.matches(method, path) {
                continue;
            }
            let before = met.fetch_add(1, Ordering::Relaxed);
            let due =
                before >= fault.skip && fault.times.is_none_or(|times| before - fault.skip < times);
            if due {
                found = found.or(Some(fault));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_star_is_matched_whole_and_one_without_as_a_prefix() {
        assert!(matches_path("/v1", "/v1/cspm/checks"));
        assert!(matches_path("/main/*/runners", "/main/schedule/7/runners"));
        assert!(matches_path("/a*b*c", "/a1b2b3c"));
        assert!(!matches_path("/main/*/runners", "/main/schedule/7/runners/1"));
        assert!(!matches_path("*/run", "/main/run-history"));
    }

    #[test]
    fn a_fault_skips_requests_and_then_affects_as_many_as_it_states() {
        let fault: Fault =
            serde_json::from_value(json!({"path": "/v1", "skip": 1, "times": 2})).unwrap();
        let faults = Faults::new(vec![fault]);
        let met: Vec<bool> =
            (0..5).map(|_| faults.due(&Method::GET, "/v1/cspm/checks").is_some()).collect();
        assert_eq!(met, [false, true, true, false, false]);
    }
}
