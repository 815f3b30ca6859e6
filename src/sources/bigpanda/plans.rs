//! The maintenance plans in force now. The log does not tell of every change (fact sheet §B1), so
//! what is silenced is looked up besides (§B5).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::details;
use super::event::Traits;
use super::kind::{Action, Kind};
use super::object::{Fields, moment};
use super::settings::Settings;
use super::walk::{Broken, List, PER_PAGE, Pace};
use super::weigh;
use super::wire;
use crate::evidence::Window;
use crate::finding::{Finding, Fingerprint};
use crate::sources::Session;
use crate::text;

/// A plan of the list.
pub struct Plan {
    id: String,
    name: Option<String>,
    created_at: Option<DateTime<Utc>>,
    start: Option<i64>,
    end: Option<i64>,
    in_force: bool,
}

/// The plans in force now.
///
/// # Errors
/// If the list cannot be read, or not by this token.
pub async fn in_force(
    session: &Session,
    pace: &Pace,
    now: DateTime<Utc>,
) -> Result<Vec<Plan>, Broken> {
    let list = List {
        session,
        pace,
        title: "GET /resources/v2.0/ordered-maintenance-plans",
        is_row: |fields| fields.has("id") && fields.has("maintenance_key"),
        aside: true,
    };
    let request = |page: u64| {
        session
            .http
            .get("resources/v2.0/ordered-maintenance-plans", &[])
            .parameter("status", "running")
            .parameter("page", &page.to_string())
            .parameter("per_page", &PER_PAGE.to_string())
    };
    let mut plans = list.rows(request, |row| Plan::read(&row, now)).await?;
    // A filter that the platform ignores brings plans that are over.
    plans.retain(|plan| plan.in_force);
    Ok(plans)
}

impl Plan {
    fn read(row: &Value, now: DateTime<Utc>) -> Result<Self, String> {
        let fields = Fields::of(row)
            .ok_or_else(|| format!("is {} where a plan was expected", wire::kind(row)))?;
        let id = fields.text("id").ok_or("has no `id`: no maintenance plan")?;
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

    /// As a finding: in force, or even created in the window without an entry of the log. `logged`
    /// has the plans that the log speaks of, and whether only expected actors changed them.
    pub fn finding(
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
            (true, Some(_)) => {
                "; created within the window, and the audit log does not tell by whom"
            }
            (true, None) => {
                "; nobody tells when it was created, and the audit log has no entry of it"
            }
            (false, _) => "",
        };
        let subject = weigh::subject(severity, Kind::MaintenancePlan, rule);
        let fingerprint =
            Fingerprint::of(&["bigpanda", "maintenance-plans", &self.id, action.word()]);
        Some(Finding {
            resource_id: Some(text::shorten(&self.id, 300).into()),
            resource_name: name,
            reason: Some(
                format!("Maintenance plan '{shown}' in force now, from {from} to {to}{found}")
                    .into(),
            ),
            created_at: self.created_at,
            ..Finding::new(subject, fingerprint)
        })
    }
}
