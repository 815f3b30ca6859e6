//! The report of a job: per control, per resource, and as a score (docs/platforms/opencomply.md,
//! reports).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::hostile::Hostility;
use crate::ids::uuid;
use crate::reply::{self, Answer, Refusal, nullable};

use super::course::{Report, Snapshot, State as JobState};
use super::findings::{Count, Finding, Results};
use super::jobs::Job;
use super::request::{Pairs, values};
use super::settings::Service;
use super::{Platform, Shared};

impl Platform {
    fn reported(&self, id: &str) -> Result<(Job, Snapshot), Refusal> {
        let unknown =
            || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed to get compliance job");
        let id: u64 = id.parse().map_err(|_| unknown())?;
        let now = self.clock.now();
        let (job, snapshot) = self.job(id, now).ok_or_else(unknown)?;
        if self.is_down(Service::Search) || self.any_deleted(&job.integrations, now) {
            return Err(unknown());
        }
        match snapshot.state {
            JobState::Timeout => Err(Refusal::bad_request("job has been timed out")),
            JobState::Created | JobState::RunnersInProgress | JobState::SummarizerInProgress => {
                Err(Refusal::bad_request("job is in progress"))
            }
            _ => Ok((job, snapshot)),
        }
    }

    fn job_summary(&self, job: &Job, results: &Results<'_>) -> Value {
        let ids: BTreeSet<&str> = results.iter().map(|each| each.integration.id.as_str()).collect();
        json!({
            "job_id": job.id,
            "auditable": job.with_incidents,
            "framework_id": job.framework,
            "job_started_at": self.clock.stamp(job.created + i64::from(job.course.pace.created)),
            "integration_ids": nullable(ids.into_iter().collect()),
        })
    }
}

/// Keys are absent when their count is zero (docs/platforms/opencomply.md, report by control).
fn summary_of(counts: impl Iterator<Item = Count>) -> Value {
    let (alarms, oks) =
        counts.fold((0, 0), |(alarms, oks), count| (alarms + count.alarms, oks + count.oks));
    let mut summary = Map::new();
    if alarms > 0 {
        summary.insert("alarm".to_owned(), json!(alarms));
    }
    if oks > 0 {
        summary.insert("ok".to_owned(), json!(oks));
    }
    Value::Object(summary)
}

/// `GET …/job-report/{id}/details/by-control` (docs/platforms/opencomply.md, report by control):
/// without a report it is 200 `null`.
pub(crate) async fn by_control(
    State(platform): Shared,
    Path(id): Path<String>,
    Query(pairs): Pairs,
) -> Answer {
    let (job, snapshot) = platform.reported(&id)?;
    let Some(results) = platform.report(&job, &snapshot) else {
        return Ok(reply::json(&Value::Null));
    };
    let wanted = values(&pairs, "controls");
    let counts = results.by_control();
    let controls: Map<String, Value> = counts
        .iter()
        .filter(|(id, _)| wanted.is_empty() || wanted.contains(id))
        .map(|(id, (control, count))| {
            let severity = control.severity_word(&results.plan.framework, job.with_incidents);
            let entry = json!({"severity": severity, "alarms": count.alarms, "oks": count.oks});
            ((*id).to_owned(), entry)
        })
        .collect();
    let failed = counts.values().filter(|(_, count)| count.alarms > 0).count();
    Ok(reply::json(&json!({
        "es_id": uuid(&format!("by-control of {}", job.id)),
        "es_index": "compliance_job_report_control_summary",
        "controls": if controls.is_empty() { Value::Null } else { Value::Object(controls) },
        "control_score": {"total_controls": counts.len(), "failed_controls": failed},
        "compliance_summary": summary_of(counts.values().map(|(_, count)| *count)),
        "job_summary": platform.job_summary(&job, &results),
    })))
}

/// `GET …/quick/scan/{id}?view=…` (docs/platforms/opencomply.md, resource view). It is not paged.
pub(crate) async fn scan(
    State(platform): Shared,
    Path(id): Path<String>,
    Query(pairs): Pairs,
) -> Answer {
    let (job, snapshot) = platform.reported(&id)?;
    let (by_control, by_resource) = match values(&pairs, "view").first().copied() {
        None | Some("control") => (true, false),
        Some("resource") => (false, true),
        Some("both") => (true, true),
        Some(_) => return Err(Refusal::bad_request("view is not valid")),
    };
    let missing = || Refusal::bad_request("summary not found");
    let results = platform.report(&job, &snapshot).ok_or_else(missing)?;
    if by_control && job.course.report == Report::WithoutControlView {
        return Err(missing());
    }
    let wanted = values(&pairs, "controls");
    let view = View {
        results: &results,
        with_incidents: job.with_incidents,
        hostility: platform.hostility,
    };
    let mut about = platform.job_summary(&job, &results);
    if job.course.report == Report::ViewsOfAnother {
        about["job_id"] = json!(job.id - 1);
    }
    Ok(reply::json(&Scan {
        controls: by_control.then(|| view.controls(&wanted)),
        integrations: by_resource.then(|| view.integrations()),
        audit_summary: summary_of(results.by_control().into_values().map(|(_, count)| count)),
        job_summary: about,
    }))
}

#[derive(Serialize)]
struct Scan<'a> {
    controls: Option<BTreeMap<&'a str, ControlView<'a>>>,
    integrations: Option<BTreeMap<&'a str, IntegrationView<'a>>>,
    audit_summary: Value,
    job_summary: Value,
}

#[derive(Serialize)]
struct ControlView<'a> {
    severity: &'a str,
    control_summary: BTreeMap<&'static str, usize>,
    results: BTreeMap<&'static str, Vec<ResourceRow<'a>>>,
}

#[derive(Serialize)]
struct ResourceRow<'a> {
    resource_id: Cow<'static, str>,
    resource_type: &'a str,
    reason: Cow<'static, str>,
}

#[derive(Default, Serialize)]
struct IntegrationView<'a> {
    resource_types: BTreeMap<&'a str, TypeView<'a>>,
}

#[derive(Default, Serialize)]
struct TypeView<'a> {
    resources: BTreeMap<Cow<'static, str>, ResourceView<'a>>,
}

#[derive(Default, Serialize)]
struct ResourceView<'a> {
    resource_name: Cow<'static, str>,
    control_summary: BTreeMap<&'static str, usize>,
    results: BTreeMap<&'static str, Vec<ControlRow<'a>>>,
}

#[derive(Serialize)]
struct ControlRow<'a> {
    severity: &'a str,
    control_id: &'a str,
    reason: Cow<'static, str>,
}

/// The results by control and by resource.
struct View<'a> {
    results: &'a Results<'a>,
    with_incidents: bool,
    hostility: Hostility,
}

impl<'a> View<'a> {
    fn severity(&self, finding: &Finding<'a>) -> &'a str {
        let framework = &self.results.plan.framework;
        finding.control.severity_word(framework, self.with_incidents)
    }

    fn controls(&self, wanted: &[&str]) -> BTreeMap<&'a str, ControlView<'a>> {
        let mut views: BTreeMap<&str, ControlView<'_>> = BTreeMap::new();
        for finding in self.results.iter() {
            let id = finding.control.id.as_str();
            if !wanted.is_empty() && !wanted.contains(&id) {
                continue;
            }
            let view = views.entry(id).or_insert_with(|| ControlView {
                severity: self.severity(&finding),
                control_summary: BTreeMap::new(),
                results: BTreeMap::new(),
            });
            *view.control_summary.entry(status(&finding)).or_default() += 1;
            view.results.entry(status(&finding)).or_default().push(ResourceRow {
                resource_id: self.hostility.text(finding.resource_id()),
                resource_type: &finding.control.template.resource_type.name,
                reason: self.hostility.text(finding.reason()),
            });
        }
        views
    }

    fn integrations(&self) -> BTreeMap<&'a str, IntegrationView<'a>> {
        let mut views: BTreeMap<&str, IntegrationView<'_>> = BTreeMap::new();
        for finding in self.results.iter() {
            let view = views
                .entry(&finding.integration.id)
                .or_default()
                .resource_types
                .entry(&finding.control.template.resource_type.name)
                .or_default()
                .resources
                .entry(self.hostility.text(finding.resource_id()))
                .or_insert_with(|| ResourceView {
                    resource_name: self.hostility.text(finding.resource_name()),
                    ..ResourceView::default()
                });
            *view.control_summary.entry(status(&finding)).or_default() += 1;
            view.results.entry(status(&finding)).or_default().push(ControlRow {
                severity: self.severity(&finding),
                control_id: &finding.control.id,
                reason: self.hostility.text(finding.reason()),
            });
        }
        views
    }
}

/// The only two statuses that a report keeps (docs/platforms/opencomply.md, resource view).
fn status(finding: &Finding<'_>) -> &'static str {
    if finding.failed { "alarm" } else { "ok" }
}
