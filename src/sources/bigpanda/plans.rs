//! The maintenance plans in force now. The log does not have every change
//! (docs/platforms/bigpanda.md#request), so the list of plans is read too
//! (docs/platforms/bigpanda.md#maintenance-plans).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::details;
use super::event::Traits;
use super::kind::{Action, Kind};
use super::object::{Fields, moment};
use super::settings::Settings;
use super::walk::{List, PER_PAGE};
use super::weigh;
use super::wire;
use crate::evidence::Window;
use crate::finding::{Cause, Finding, Fingerprint, Identity, Problem};
use crate::http::Call;
use crate::sources::Session;
use crate::text;

const TITLE: &str = "GET /resources/v2.0/ordered-maintenance-plans";

/// Whether this token may read the plans.
pub(super) enum Access {
    Granted,
    /// It lacks the permission, which is no fault of the platform.
    Denied(Problem),
    /// The plans are unknown.
    Failed(Problem),
    /// The settings leave the plans out.
    NotWanted,
}

/// A plan of the list.
pub(super) struct Plan {
    id: String,
    name: Option<String>,
    created_at: Option<DateTime<Utc>>,
    start: Option<i64>,
    end: Option<i64>,
    in_force: bool,
}

fn list(session: &Session) -> List<'_> {
    let is_row = |fields: Fields<'_>| fields.has("id") && fields.has("maintenance_key");
    List { session, title: TITLE, is_row, supplementary: true }
}

fn request(session: &Session, page: u64, per_page: u64) -> Call<'_> {
    session
        .http
        .get("resources/v2.0/ordered-maintenance-plans", &[])
        .parameter("status", "running")
        .parameter("page", &page.to_string())
        .parameter("per_page", &per_page.to_string())
}

/// Tries whether the plans can be read.
pub(super) async fn access(session: &Session) -> Access {
    match list(session).look(request(session, 1, 1)).await {
        Ok(_) => Access::Granted,
        Err(problem) if problem.cause == Cause::Denied => Access::Denied(advised(problem)),
        Err(problem) => Access::Failed(advised(problem)),
    }
}

/// The plans in force now.
///
/// # Errors
/// If the list cannot be read, or not with this token.
pub(super) async fn in_force(session: &Session, now: DateTime<Utc>) -> Result<Vec<Plan>, Problem> {
    let mut plans = list(session)
        .rows(|page| request(session, page, PER_PAGE), |row| Plan::read(&row, now), 0)
        .await
        .map_err(advised)?;
    // A platform that ignores the filter sends plans that are over.
    plans.retain(|plan| plan.in_force);
    Ok(plans)
}

fn advised(problem: Problem) -> Problem {
    problem.help(
        "give the role of the key read access to maintenance plans, or set `active_plans: off` if \
         the audit log alone is enough",
    )
}

impl Plan {
    fn read(row: &Value, now: DateTime<Utc>) -> Result<Self, String> {
        let fields = Fields::of(row)
            .ok_or_else(|| format!("is {} where a plan was expected", wire::kind(row)))?;
        let id = fields.text("id").ok_or("has no `id`, so it is not a maintenance plan")?;
        let (start, end) = (fields.seconds("start"), fields.seconds("end"));
        let within = start.is_none_or(|start| start <= now.timestamp())
            && end.is_none_or(|end| end >= now.timestamp());
        let in_force = match fields.text("status").map(str::to_lowercase).as_deref() {
            Some("running") => true,
            Some("planned" | "done") => false,
            _ => within,
        };
        Ok(Self {
            id: id.to_owned(),
            name: fields.text("name").map(str::to_owned),
            created_at: fields.get("created_at").and_then(moment),
            start,
            end,
            in_force,
        })
    }

    /// As a finding: in force, or created in the window without an entry of the log. `logged` has
    /// the plans with entries in the log, and whether only expected actors changed them.
    pub(super) fn finding(
        &self,
        settings: &Settings,
        window: Window,
        logged: &BTreeMap<String, bool>,
    ) -> Option<Finding> {
        let logged = logged.get(&self.id).copied();
        let unlogged = logged.is_none() && self.created_at.is_none_or(|at| at >= window.from);
        if logged == Some(true) {
            return None;
        }
        let action = if unlogged { Action::Create } else { Action::Active };
        let traits = Traits { now: true, ..Traits::default() };
        let severity = settings.risk.of(Kind::MaintenancePlan, action, &traits);
        let rule = weigh::rule(Kind::MaintenancePlan, action);
        let name = self.name.as_deref().map(|name| text::shorten(name, 300).into());
        let shown = text::one_line(self.name.as_deref().unwrap_or(&self.id), 80);
        let (from, to) = (details::date(self.start), details::date(self.end));
        let found = match (unlogged, self.created_at) {
            (true, Some(_)) => "; created within the window, and the audit log has no entry of it",
            (true, None) => {
                "; when it was created is unknown, and the audit log has no entry of it"
            }
            (false, _) => "",
        };
        let subject = weigh::subject(severity, Kind::MaintenancePlan, rule);
        let own = Fingerprint::of(&["maintenance-plans", &self.id, action.word()]);
        Some(Finding {
            resource_id: Some(text::shorten(&self.id, 300).into()),
            resource_name: name,
            reason: Some(
                format!("Maintenance plan '{shown}' in force now, from {from} to {to}{found}")
                    .into(),
            ),
            created_at: self.created_at,
            ..Finding::new(subject, Identity::Event(own))
        })
    }
}
