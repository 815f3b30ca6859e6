//! Who may ask (docs/platforms/sysdig.md, access), and how often (docs/platforms/sysdig.md, errors
//! and limits).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Platform, Refusal};
use crate::reply;

/// What every token of IAM begins with here.
const LEASE: &str = "iam-";

/// The span of time under way: when it began, in milliseconds, and its requests so far.
#[derive(Default)]
pub(super) struct Window(Mutex<(i64, u64)>);

pub(super) async fn authenticate(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = platform.admit(request.headers()) {
        return refusal.into_response();
    }
    let (limit, used, reset) = platform.count();
    let mut response = match used > limit {
        true => Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").into_response(),
        false => next.run(request).await,
    };
    for (name, number) in [
        ("x-ratelimit-limit", limit),
        ("x-ratelimit-remaining", limit.saturating_sub(used)),
        ("x-ratelimit-reset", u64::try_from(reset).unwrap_or_default()),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(number));
    }
    response
}

/// `POST /identity/token`: an API key for a token.
pub(super) async fn exchange(State(platform): State<Arc<Platform>>, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| super::parameter(&pairs, name).unwrap_or_default();
    let refuse = |code: &str, message: &str| {
        let body = json!({
            "errorCode": code,
            "errorMessage": message,
            "context": {"requestId": "simulated"},
        });
        reply::json_with(StatusCode::BAD_REQUEST, &body)
    };
    if field("grant_type") != "urn:ibm:params:oauth:grant-type:apikey" {
        return refuse("BXNIM0109E", "Property missing or empty: grant_type");
    }
    let key = field("apikey");
    if key.is_empty() || platform.settings.access.revoked.iter().any(|revoked| revoked == key) {
        return refuse("BXNIM0415E", "Provided API key could not be found.");
    }
    let number = platform.leases.fetch_add(1, Ordering::Relaxed) + 1;
    let seconds = platform.settings.access.lease_seconds;
    let expiration = platform.seconds(0) + seconds;
    platform.leased.store(0, Ordering::Relaxed);
    reply::json(&json!({
        "access_token": format!("{LEASE}{number}-{expiration}"),
        "refresh_token": "not_supported",
        "token_type": "Bearer",
        "expires_in": seconds,
        "expiration": expiration,
        "scope": "ibm openid",
    }))
}

impl Platform {
    /// Seconds since 1970, so many minutes ago.
    pub(super) fn seconds(&self, minutes_ago: i64) -> i64 {
        self.clock.at(self.clock.now()).timestamp() - 60 * minutes_ago
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = given.and_then(|given| given.strip_prefix("Bearer ")) else {
            return refuse("no credentials in request");
        };
        let access = &self.settings.access;
        if access.revoked.iter().any(|revoked| revoked == token) {
            return refuse("cannot verify credentials");
        }
        let Some(lease) = token.strip_prefix(LEASE) else { return Ok(()) };
        let expiration = lease.rsplit('-').next().and_then(|text| text.parse::<i64>().ok());
        let used = self.leased.fetch_add(1, Ordering::Relaxed);
        let is_used_up = access.lease_requests.is_some_and(|most| used >= most);
        if is_used_up || expiration.is_none_or(|expiration| expiration <= self.seconds(0)) {
            return refuse("cannot verify credentials");
        }
        match headers.contains_key("IBMInstanceID") {
            true => Ok(()),
            false => Err(Refusal::new(StatusCode::FORBIDDEN, "the instance is not named")),
        }
    }

    /// Counts a request: the limit, the requests of this span, and when the next one begins.
    fn count(&self) -> (u64, u64, i64) {
        let (limit, span) = match self.settings.access.rate_limit {
            Some(limit) => (limit.requests, limit.seconds),
            None => (u64::MAX, 60),
        };
        let now = self.clock.now();
        let mut window = self.window.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= window.0 + 1000 * span || window.1 == 0 {
            *window = (now, 0);
        }
        window.1 += 1;
        let left = (window.0 + 1000 * span - now + 999) / 1000;
        (limit, window.1, self.seconds(0) + left)
    }
}
