//! Tokens and their exchange (docs/platforms/bigid.md, tokens).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Platform;
use super::settings::{Scheme, Settings};
use crate::reply;

pub(crate) struct Tokens {
    scheme: Scheme,
    revoked: Vec<String>,
    lease: Option<u32>,
    denies_with_200: bool,
    /// The tokens that were given in exchange, each with the requests it was used for.
    leased: Mutex<BTreeMap<String, u32>>,
}

impl Tokens {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            scheme: settings.scheme,
            revoked: settings.revoked_tokens.clone(),
            lease: settings.lease_requests,
            denies_with_200: settings.denies_with_200,
            leased: Mutex::default(),
        }
    }

    /// The refusal of a request without a valid token.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let token = given(headers, self.scheme).filter(|token| !is_user_token(token));
        if token.is_some_and(|token| self.is_valid(&token)) {
            return None;
        }
        Some(if self.denies_with_200 {
            reply::json(
                &json!({ "success": false, "message": "Authentication failed, log in again" }),
            )
        } else {
            unauthorized()
        })
    }

    fn is_valid(&self, token: &str) -> bool {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = leased.get_mut(token) {
            *used += 1;
            return self.lease.is_none_or(|lease| *used <= lease);
        }
        !self.revoked.iter().any(|revoked| revoked == token)
    }

    /// Exchanges a user's token.
    fn exchange(&self, token: &str) -> Option<String> {
        let good = is_user_token(token) && !self.revoked.iter().any(|revoked| revoked == token);
        good.then(|| {
            let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
            let token = format!("leased.{}.token", leased.len());
            leased.insert(token.clone(), 0);
            token
        })
    }
}

/// `GET /refresh-access-token`
pub(crate) async fn refresh(State(platform): State<Arc<Platform>>, headers: HeaderMap) -> Response {
    let exchanged = match platform.tokens.scheme {
        Scheme::Any => given(&headers, Scheme::Any),
        Scheme::Raw | Scheme::Bearer => given(&headers, Scheme::Raw),
    };
    match exchanged.and_then(|token| platform.tokens.exchange(&token)) {
        Some(token) => reply::json(&json!({ "success": true, "systemToken": token })),
        None => unauthorized(),
    }
}

/// Plain text, as the vendor's page has it (docs/platforms/bigid.md, errors and limits).
fn unauthorized() -> Response {
    reply::typed(StatusCode::UNAUTHORIZED, "text/plain", "Unauthorized")
}

/// The token, if it was sent as the scheme requires. A raw token has no space in it, so `Bearer x`
/// is not one.
fn given(headers: &HeaderMap, scheme: Scheme) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = match (scheme, value.strip_prefix("Bearer ")) {
        (Scheme::Raw, None) => value,
        (Scheme::Bearer, Some(token)) => token,
        (Scheme::Any, token) => token.unwrap_or(value),
        (Scheme::Raw, Some(_)) | (Scheme::Bearer, None) => return None,
    };
    (!token.is_empty()).then(|| token.to_owned())
}

/// Whether the token can only be exchanged.
fn is_user_token(token: &str) -> bool {
    let claims = |token: &str| -> Option<Value> {
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    };
    token.starts_with("user")
        || claims(token).is_some_and(|claims| claims["type"] == "refresh-token")
}
