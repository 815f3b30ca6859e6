//! `POST …/compliance/framework/{id}/run` (docs/platforms/opencomply.md, starting a run).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{self, Answer, Refusal, nullable};

use super::estate::Plan;
use super::integrations::Selector;
use super::jobs::{Job, JobSpec};
use super::request::{Binder, bind};
use super::settings::Service;
use super::{Platform, Shared};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    with_incidents: Option<bool>,
    integration_info: Option<Vec<Selector>>,
}

/// Starts the run: one job for every ten integrations, or none.
pub(crate) async fn run(
    State(platform): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    platform.require_compliance()?;
    let request: Request = bind(Binder::Scheduler, &headers, &body)?;
    let with_incidents = request.with_incidents.unwrap_or(true);
    // Lower-cased, although frameworks are stored as written; the 404 of the source is unreachable.
    let plan = platform.estate.plan(&id.to_lowercase()).ok_or_else(Refusal::internal)?;
    let now = platform.clock.now();
    if platform.is_down(Service::Integration) {
        return Err(Refusal::bad_request("failed to get integration"));
    }
    let selectors = request.integration_info.unwrap_or_default();
    let matched = platform.matched(&selectors, "failed to get source", now)?;
    platform.require_types(plan, &matched)?;
    if matched.is_empty() {
        platform.jobs().start_nothing(plan, now);
    }

    let jobs = platform.start(plan, &matched, with_incidents, now);
    let infos = |job: &Job| {
        let shown = !platform.settings.silent_start;
        shown.then(|| platform.infos(&job.integrations, now))
    };
    let item = |job: &Job| -> Value {
        json!({
            "job_id": job.id,
            "with_incident": with_incidents,
            "benchmark_id": job.framework,
            "integration_info": infos(job),
        })
    };
    Ok(reply::json(&json!({ "jobs": nullable(jobs.iter().map(item).collect()) })))
}

impl Platform {
    /// One integration of another type fails the whole run (docs/platforms/opencomply.md, errors of
    /// a start).
    fn require_types(&self, plan: &Plan, matched: &[usize]) -> Result<(), Refusal> {
        let each = matched.iter().map(|at| &self.estate.integrations[*at]);
        match each.into_iter().find(|each| !plan.allows(each)) {
            None => Ok(()),
            Some(other) => Err(Refusal::bad_request(format!(
                "invalid integration type for this framework. IntegrationID: {}, IntegrationType: {}, ProviderID: {}, Allowed types: [{}]",
                other.id,
                other.of.integration_type,
                other.of.provider_id,
                if plan.framework.allows_no_type {
                    String::new()
                } else {
                    plan.framework.integration_types.join(" ")
                },
            ))),
        }
    }

    fn start(&self, plan: &Plan, matched: &[usize], with_incidents: bool, now: i64) -> Vec<Job> {
        let mut jobs = self.jobs();
        let spec = JobSpec {
            estate: &self.estate,
            plan,
            with_incidents,
            created: now,
            created_by: "local|ci@example.com",
            trigger_type: "manual",
            course: &Arc::new(self.settings.job.clone()),
        };
        let started = jobs.start(&spec, matched);
        let rival = self.settings.rival.as_ref();
        if let Some(rival) = rival.filter(|_| !started.is_empty() && jobs.take_rival()) {
            let theirs = self.estate.find_all(&rival.integrations).unwrap_or_default();
            let spec = JobSpec {
                with_incidents: true,
                created: now + i64::from(rival.after),
                created_by: &rival.created_by,
                course: &Arc::new(rival.job.clone()),
                ..spec
            };
            jobs.start(&spec, if theirs.is_empty() { matched } else { &theirs });
        }
        started
    }
}
