//! Frameworks and controls: the lists of the compliance service (docs/platforms/opencomply.md,
//! controls and lists).

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use regex_lite::RegexBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{self, Answer, Refusal, nullable};

use super::course::{Snapshot, State as JobState};
use super::estate::{Control, Plan};
use super::findings::Count;
use super::jobs::Job;
use super::request::{Binder, Pairs, bind, page, values};
use super::{Platform, Shared};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    framework_ids: Option<Vec<String>>,
    title_regex: Option<String>,
    root: Option<bool>,
    integration_types: Option<Vec<String>>,
    sort_by: Option<String>,
    cursor: Option<i64>,
    per_page: Option<i64>,
}

/// `POST /main/compliance/api/v1/frameworks`.
pub(crate) async fn frameworks(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let filter: Filter = bind(Binder::Compliance, &headers, &body)?;
    let title = filter
        .title_regex
        .map(|text| RegexBuilder::new(&text).case_insensitive(true).build())
        .transpose()
        .map_err(|_| Refusal::internal())?;
    let ids = filter.framework_ids.unwrap_or_default();
    let types = filter.integration_types.unwrap_or_default();
    let fits = |plan: &&Plan| {
        // With ids the other filters are ignored.
        if !ids.is_empty() {
            return ids.contains(&plan.id);
        }
        let of_type = |wanted: &String| plan.framework.integration_types.contains(wanted);
        plan.framework.root == filter.root.unwrap_or(true)
            && title.as_ref().is_none_or(|re| re.is_match(&plan.framework.title))
            && (types.is_empty() || types.iter().any(of_type))
    };
    let mut found: Vec<&Plan> = platform.estate.plans.values().filter(fits).collect();
    if filter.sort_by.as_deref() == Some("title") {
        found.sort_by(|a, b| a.framework.title.cmp(&b.framework.title));
    }
    let total = found.len();
    let items = page(found, filter.cursor, filter.per_page)
        .into_iter()
        .map(|plan| platform.framework_item(plan))
        .collect();
    Ok(reply::json(&json!({ "items": reply::items(items, total), "total_count": total })))
}

/// Counts by severity, as the platform's summaries have them.
#[derive(Default)]
struct Severities(BTreeMap<&'static str, Count>);

impl Severities {
    fn of<'a>(controls: impl Iterator<Item = (&'a Control, Count)>) -> Self {
        let mut all = Self::default();
        for (control, count) in controls {
            for key in [control.severity.unwrap_or("none"), "total"] {
                let sum = all.0.entry(key).or_default();
                sum.alarms += count.alarms;
                sum.oks += count.oks;
            }
        }
        all
    }

    fn json(&self, show: impl Fn(Count) -> Value) -> Value {
        ["total", "critical", "high", "medium", "low", "none"]
            .into_iter()
            .map(|key| (key.to_owned(), show(self.0.get(key).copied().unwrap_or_default())))
            .collect()
    }
}

impl Platform {
    fn framework_item(&self, plan: &Plan) -> Value {
        let last = self.last_success(plan);
        let results: Vec<(&Control, Count)> = match &last {
            Some((job, snapshot)) => self
                .report(job, snapshot)
                .map(|results| results.by_control().into_values().collect())
                .unwrap_or_default(),
            None => Vec::new(),
        };
        let whole = |count: Count| json!({"total": count.alarms + count.oks, "passed": count.oks, "failed": count.alarms});
        let by_control = Severities::of(results.iter().map(|(control, count)| {
            let failed = usize::from(count.alarms > 0);
            (*control, Count { alarms: failed, oks: 1 - failed })
        }));
        let by_result = Severities::of(results.iter().copied());
        let total = by_result.0.get("total").copied().unwrap_or_default();
        let checks = total.alarms + total.oks;
        let score = if checks == 0 { 0.0 } else { total.oks as f64 / checks as f64 };
        let assigned = self.estate.integrations.iter().filter(|each| plan.allows(each)).count();
        json!({
            "framework_id": plan.id,
            "framework_title": self.hostility.text(plan.framework.title.as_str()),
            "compliance_score": score,
            "plugins": if plan.framework.hides_types {
                Value::Null
            } else if plan.framework.allows_no_type {
                json!([])
            } else {
                json!(nullable(plan.framework.integration_types.clone()))
            },
            "number_of_controls": plan.controls.len() + plan.framework.manual_controls,
            "severity_summary_by_control": by_control.json(whole),
            "severity_summary_by_resource": by_result.json(whole),
            "severity_summary_by_incidents": by_result.json(|count| json!(count.alarms)),
            "compliance_results_summary": {
                "total_count": checks, "passed": total.oks, "failed": total.alarms,
            },
            "no_of_total_assignments": assigned,
            "issues_count": total.alarms,
            "is_baseline": plan.id.starts_with("baseline"),
            "enabled": true,
            "last_evaluated_at": last
                .map(|(job, snapshot)| self.clock.stamp(job.created + snapshot.updated)),
        })
    }

    fn last_success(&self, plan: &Plan) -> Option<(Job, Snapshot)> {
        let now = self.clock.now();
        let jobs = self.jobs();
        jobs.existing(now)
            .rev()
            .filter(|job| job.framework == plan.id)
            .map(|job| (job.clone(), jobs.snapshot(job, now)))
            .find(|(_, snapshot)| snapshot.state == JobState::Succeeded)
    }

    /// Controls by id, each once.
    fn all_controls(&self) -> BTreeMap<&str, (&Plan, &Control)> {
        let mut all = BTreeMap::new();
        for plan in self.estate.plans.values() {
            for control in &plan.controls {
                all.entry(control.id.as_str()).or_insert((plan, control));
            }
        }
        all
    }

    fn control(&self, plan: &Plan, control: &Control) -> Value {
        let title = self.hostility.title(control.template.title);
        json!({
            "id": control.id,
            "title": title,
            "description": self.hostility.text(format!("{}, in every account.", control.template.title)),
            "severity": control.severity_word(&plan.framework, true),
            "tags": {"platform_score_service_name": [control.template.resource_type.name]},
            "integrationType": [control.template.resource_type.integration_type],
            "cliRemediation": "",
            "manualRemediation": self.hostility.text("Change the setting on every resource that is listed."),
            "guardrailRemediation": "",
            "programmaticRemediation": "",
            "documentURI": format!("https://docs.example.com/controls/{}", control.id),
            "enabled": true,
            "policy": {"id": control.policy},
        })
    }
}

/// `GET /main/compliance/api/v3/benchmarks/{id}/nested` (role viewer): the controls that belong to
/// the framework now.
pub(crate) async fn nested(State(platform): Shared, Path(id): Path<String>) -> Answer {
    let plan = platform.estate.plan(&id).ok_or_else(Refusal::internal)?;
    let now = platform.clock.now();
    let parts = plan.controls.iter().filter(|control| control.is_part(now));
    let created = platform.clock.stamp(-90 * 24 * 3_600_000);
    Ok(reply::json(&json!({
        "id": plan.id,
        "title": platform.hostility.text(plan.framework.title.as_str()),
        "referenceCode": plan.id.to_uppercase(),
        "description": "", "logoURI": "", "category": "", "documentURI": "",
        "autoAssign": false,
        "tracksDriftEvents": false,
        "tags": null,
        "integrationTypes": nullable(plan.framework.integration_types.clone()),
        "children": null,
        "controls": nullable(parts.map(|control| &control.id).collect()),
        "createdAt": created,
        "updatedAt": created,
    })))
}

/// `GET /main/compliance/api/v1/benchmarks/controls` (role admin; docs/platforms/opencomply.md,
/// controls).
pub(crate) async fn controls(State(platform): Shared, Query(pairs): Pairs) -> Response {
    let ids = values(&pairs, "control_id");
    let all = platform.all_controls();
    let found = all.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let items = found.map(|(_, (plan, control))| platform.control(plan, control));
    reply::json(&nullable(items.collect()))
}

/// `GET /main/compliance/api/v1/benchmarks/controls/{id}` (role viewer;
/// docs/platforms/opencomply.md, controls).
pub(crate) async fn control(State(platform): Shared, Path(id): Path<String>) -> Answer {
    let all = platform.all_controls();
    let (plan, control) = all
        .get(id.as_str())
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "control not found"))?;
    Ok(reply::json(&platform.control(plan, control)))
}
