//! Sysdig Secure, as IBM Cloud sells it (docs/platforms/sysdig.md, access): compliance, images,
//! events, and IAM's exchange of keys.

mod access;
mod estate;
mod events;
mod filter;
mod images;
mod posture;
pub(crate) mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use crate::clock::Clock;
use crate::hostile::Hostility;
use crate::reply;

pub(crate) use settings::Settings;

struct Platform {
    settings: Settings,
    clock: Clock,
    hostility: Hostility,
    /// Tokens of IAM given so far.
    leases: AtomicU64,
    /// Requests made with such a token.
    leased: AtomicU64,
    window: access::Window,
    /// Answers about requirements so far.
    listed: AtomicU64,
}

/// The routes of the platform.
pub(crate) fn router(settings: Settings, clock: &Clock, hostile: bool) -> Router {
    let platform = Arc::new(Platform {
        settings,
        clock: clock.clone(),
        hostility: Hostility(hostile),
        leases: AtomicU64::new(0),
        leased: AtomicU64::new(0),
        window: access::Window::default(),
        listed: AtomicU64::new(0),
    });
    let images = "/api/scanning/v1/images";
    Router::new()
        .route("/api/cspm/v1/compliance/views", get(posture::views))
        .route("/api/cspm/v1/compliance/requirements", get(posture::requirements))
        .route("/api/cspm/v1/cloud/resources", get(posture::cloud))
        .route("/api/cspm/v1/kube/resources", get(posture::kube))
        .route("/api/cspm/v1/clusteranalysis/resources", get(posture::cluster))
        .route("/api/cspm/v1/policy/controls/search", get(posture::catalogue))
        .route("/api/cspm/v1/inventory/resources", get(posture::inventory))
        .route("/api/cloudauth/v1/accounts", get(posture::accounts))
        .route("/api/scanning/v1/anchore/images", get(images::by_tag))
        .route("/api/scanning/v1/results", get(images::results))
        .route("/api/scanning/v1/system/feeds", get(images::feeds))
        .route(&format!("{images}/{{image}}/policyEvaluation"), get(images::evaluation))
        .route(&format!("{images}/by_id/{{image}}/policyEvaluation"), get(images::evaluation))
        .route("/api/scanning/v1/vulnexceptions/{list}", get(images::exception_list))
        .route(&format!("{images}/{{image}}/vulnexceptions"), get(images::exceptions))
        .route(&format!("{images}/by_id/{{image}}/vulnexceptions"), get(images::exceptions))
        .route(&format!("{images}/{{image}}/vulnSummary"), get(images::summary))
        .route(&format!("{images}/by_id/{{image}}/vulnSummaryDirect"), get(images::summary))
        .route(&format!("{images}/{{image}}/vuln/{{kind}}"), get(images::vulnerabilities))
        .route(
            &format!("{images}/by_id/{{image}}/vulnDirect/{{kind}}"),
            get(images::vulnerabilities),
        )
        .route("/api/v1/secureEvents", get(events::feed))
        .route("/api/v1/secureEvents/status", get(async || reply::json(&json!({}))))
        .route("/api/v1/secureEvents/hasEvents", get(events::any))
        .route("/api/agents/connected", get(events::agents))
        .route("/api/v1/secureEvents/count", get(events::count))
        .route("/api/v1/secureEvents/{id}", get(events::one))
        .layer(from_fn_with_state(Arc::clone(&platform), access::authenticate))
        .route("/identity/token", post(access::exchange))
        .with_state(platform)
}

/// A refusal in the platform's form: JSON, though it may say that it is plain text
/// (docs/platforms/sysdig.md, errors and limits).
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"message": self.message, "referenceId": "0000000000000000"});
        match self.status {
            StatusCode::UNAUTHORIZED => reply::typed(self.status, "text/plain", body.to_string()),
            status => reply::json_with(status, &body),
        }
    }
}

type Answer = Result<Response, Refusal>;

/// The value of a query parameter.
fn parameter<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
