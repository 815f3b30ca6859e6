//! Who calls, and what the caller may do (docs/platforms/opencomply.md, tokens and roles).

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::clock::NEVER;
use crate::reply::{self, Refusal};

use super::settings::{Role, Service};
use super::{Platform, Shared};

/// nginx asks the auth service about every request; a refusal is nginx's own page
/// (docs/platforms/opencomply.md, errors).
pub(crate) async fn authenticate(
    State(platform): Shared,
    mut request: Request,
    next: Next,
) -> Response {
    if platform.is_down(Service::Auth) {
        return reply::nginx(StatusCode::INTERNAL_SERVER_ERROR);
    }
    match role(&platform, request.headers()) {
        Role::Revoked => reply::nginx(StatusCode::UNAUTHORIZED),
        role => {
            request.extensions_mut().insert(role);
            next.run(request).await
        }
    }
}

fn role(platform: &Platform, headers: &HeaderMap) -> Role {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .filter(|token| !token.trim().is_empty())
        .map_or(Role::Revoked, |token| {
            let settings = &platform.settings;
            settings.tokens.get(token).copied().unwrap_or(settings.default_role)
        })
}

/// Routes for admins.
pub(crate) fn admin(routes: Router<Arc<Platform>>) -> Router<Arc<Platform>> {
    routes.route_layer(from_fn(|role, request, next| require(Role::Admin, role, request, next)))
}

/// Routes for every known user.
pub(crate) fn viewer(routes: Router<Arc<Platform>>) -> Router<Arc<Platform>> {
    routes.route_layer(from_fn(|role, request, next| require(Role::Viewer, role, request, next)))
}

async fn require(
    least: Role,
    Extension(role): Extension<Role>,
    request: Request,
    next: Next,
) -> Response {
    if role >= least {
        return next.run(request).await;
    }
    Refusal::new(StatusCode::NOT_ACCEPTABLE, "missing required permission").into_response()
}

/// `GET /main/auth/api/v1/me`.
pub(crate) async fn me(State(platform): Shared, Extension(role): Extension<Role>) -> Response {
    let word = match role {
        Role::Admin => "admin",
        Role::Editor => "editor",
        Role::Viewer | Role::Revoked => "viewer",
    };
    reply::json(&json!({
        "id": 7,
        "username": platform.hostility.text("ci"),
        "email": "ci@example.com",
        "email_verified": true,
        "last_activity": null,
        "created_at": platform.clock.stamp(-90 * 24 * 3_600_000),
        "blocked": false,
        "color_blind_mode": null,
        "role": word,
        "memberSince": platform.clock.stamp(-90 * 24 * 3_600_000),
        "lastLogin": NEVER,
        "connector_id": "local",
    }))
}
