//! OpenComply with its nginx: the scheduler, compliance, integration and auth services.
//!
//! The routing table is at the end of this file; each handler is in the module of its subject.

mod auth;
mod cancel;
mod controls;
pub(crate) mod course;
mod estate;
mod findings;
mod frameworks;
mod history;
mod integrations;
mod jobs;
mod reports;
mod request;
mod results;
mod run;
pub(crate) mod settings;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::gzip;
use crate::hostile::Hostility;
use crate::reply::{self, Refusal};

use auth::{admin, authenticate, viewer};
use estate::Estate;
use jobs::Jobs;
pub(crate) use settings::Settings;
use settings::{Outage, Service};

/// One simulated installation.
struct Platform {
    settings: Settings,
    clock: Clock,
    hostility: Hostility,
    estate: Estate,
    jobs: Mutex<Jobs>,
}

impl Platform {
    fn new(settings: Settings, clock: Clock, hostile: bool) -> Self {
        let estate = Estate::new(&settings);
        let jobs = Jobs::with_history(&settings, &estate);
        Self { settings, clock, hostility: Hostility(hostile), estate, jobs: Mutex::new(jobs) }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every compliance endpoint of the scheduler begins with this check
    /// (docs/platforms/opencomply.md, errors).
    fn require_compliance(&self) -> Result<(), Refusal> {
        match self.settings.compliance {
            settings::Compliance::Enabled => Ok(()),
            _ => Err(Refusal::bad_request("compliance service is not enabled")),
        }
    }
}

impl Platform {
    /// Whether a service is down now.
    fn is_down(&self, service: Service) -> bool {
        let now = self.clock.now();
        let down = |outage: &Outage| (outage.after..outage.after + outage.lasts).contains(&now);
        self.settings.outages.iter().any(|outage| outage.service == service && down(outage))
    }

    /// The scheduler passes on the error of its connection to the integration service.
    fn require_integration_service(&self) -> Result<(), Refusal> {
        match self.is_down(Service::Integration) {
            false => Ok(()),
            true => Err(Refusal::bad_request(
                "do request: Get \"http://integration-service/api/v1/integrations\": dial tcp \
                 10.96.0.17:80: connect: connection refused",
            )),
        }
    }
}

type Shared = axum::extract::State<Arc<Platform>>;

/// The routes of the installation (docs/platforms/opencomply.md, routing and tokens and roles).
pub(crate) fn router(settings: Settings, clock: &Clock, hostile: bool) -> Router {
    let routed = settings.compliance != settings::Compliance::NotRouted;
    let platform = Arc::new(Platform::new(settings, clock.clone(), hostile));
    let mut services = vec![
        ("/main/schedule", behind(Service::Scheduler, scheduler(), &platform)),
        ("/main/integration", behind(Service::Integration, integration(), &platform)),
        ("/main/auth", viewer(Router::new().route("/api/v1/me", get(auth::me)))),
    ];
    if routed {
        services.push(("/main/compliance", compliance()));
    }
    services
        .into_iter()
        .fold(Router::new(), |router, (prefix, service)| {
            router.nest(prefix, echo(service, &platform))
        })
        .with_state(platform)
}

/// What echo and the nginx before it add to every service (docs/platforms/opencomply.md, errors).
fn echo(service: Router<Arc<Platform>>, platform: &Arc<Platform>) -> Router<Arc<Platform>> {
    service
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(from_fn(compressed))
        .layer(from_fn_with_state(Arc::clone(platform), authenticate))
}

/// echo compresses for a client whose header is exactly `gzip`, and no answer of status 500
/// (docs/platforms/opencomply.md, routing).
async fn compressed(request: Request, next: Next) -> Response {
    let wanted = request.headers().get(ACCEPT_ENCODING).is_some_and(|value| value == "gzip");
    let response = next.run(request).await;
    if !wanted || response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return reply::nginx(StatusCode::BAD_GATEWAY);
    };
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, Body::from(gzip::wrapped(&bytes)))
}

/// nginx answers 502 for a service that is down.
fn behind(
    service: Service,
    routes: Router<Arc<Platform>>,
    platform: &Arc<Platform>,
) -> Router<Arc<Platform>> {
    let platform = Arc::clone(platform);
    routes.layer(from_fn(move |request, next: Next| {
        let is_down = platform.is_down(service);
        async move {
            match is_down {
                true => reply::nginx(StatusCode::BAD_GATEWAY),
                false => next.run(request).await,
            }
        }
    }))
}

fn scheduler() -> Router<Arc<Platform>> {
    let admins = Router::new()
        .route("/api/v3/compliance/framework/{id}/run", post(run::run))
        .route("/api/v3/jobs/cancel", post(cancel::cancel));
    let viewers = Router::new()
        .route("/api/v3/job/compliance/{id}", get(status::status))
        .route("/api/v3/jobs/compliance/{id}/runners", get(status::runners))
        .route("/api/v3/benchmark/{id}/run-history", post(history::run_history));
    admin(admins).merge(viewer(viewers))
}

fn compliance() -> Router<Arc<Platform>> {
    let admins = Router::new().route("/api/v1/benchmarks/controls", get(frameworks::controls));
    let viewers = Router::new()
        .route("/api/v1/frameworks", post(frameworks::frameworks))
        .route("/api/v1/benchmarks/controls/{id}", get(frameworks::control))
        .route("/api/v1/compliance_result", post(results::list))
        .route("/api/v3/benchmarks/{id}/nested", get(frameworks::nested))
        .route("/api/v3/quick/scan/{id}", get(reports::scan))
        .route("/api/v3/job-report/{id}/details/by-control", get(reports::by_control));
    admin(admins).merge(viewer(viewers))
}

fn integration() -> Router<Arc<Platform>> {
    viewer(Router::new().route("/api/v1/integrations", get(integrations::all)))
}
