//! The state of a job and of its runners (docs/platforms/opencomply.md, job status).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::clock::NEVER;
use crate::ids::uuid;
use crate::reply::{self, Answer, Refusal, nullable};

use super::course::{Report, Snapshot, State as JobState};
use super::findings::Results;
use super::jobs::{Job, Runner};
use super::settings::Service;
use super::{Platform, Shared};

/// `GET /main/schedule/api/v3/job/compliance/{id}`.
pub(crate) async fn status(State(platform): Shared, Path(id): Path<String>) -> Answer {
    platform.require_compliance()?;
    let id: u64 = id.parse().map_err(|_| Refusal::bad_request("invalid job id"))?;
    let now = platform.clock.now();
    let Some((job, snapshot)) = platform.job(id, now) else {
        // The handler reads the framework of an empty row, and only without frameworks survives
        // (docs/platforms/opencomply.md, errors of the status).
        return if platform.estate.plans.is_empty() {
            Ok(reply::json(&no_job()))
        } else {
            Err(Refusal::internal())
        };
    };
    platform.require_integration_service()?;
    if platform.any_deleted(&job.integrations, now) {
        return Err(Refusal::bad_request("failed to get integration"));
    }
    if platform.is_down(Service::Search) {
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed to get job report"));
    }
    let mut fields = platform.fields(&job, &snapshot, now);
    fields.insert("job_id".to_owned(), json!(job.id));
    fields.insert("incidents".to_owned(), platform.incidents(&job, &snapshot));
    Ok(reply::json(&fields))
}

fn no_job() -> Value {
    json!({
        "job_id": 0, "summary_job_id": null, "with_incidents": false, "frameworks": null,
        "job_status": "", "job_type": "compliance", "start_time": NEVER, "last_updated_at": NEVER,
        "end_time": null, "step_failed": "", "failure_message": "", "integrations": null,
        "created_by": "", "trigger_type": "", "runners_status": runner_counts(&[]),
        "incidents": incidents(0, 0, &BTreeMap::new()), "data_sinking_time": 0,
        "created_at": NEVER, "updated_at": NEVER,
    })
}

fn incidents(ok: i64, alarm: i64, breakdown: &BTreeMap<&str, i64>) -> Value {
    let count = |severity| breakdown.get(severity).copied().unwrap_or_default();
    json!({
        "summary": {"ok": ok, "alarm": alarm},
        "alarms_breakdown": {
            "critical": count("critical"),
            "high": count("high"),
            "medium": count("medium"),
            "low": count("low"),
            "none": count("none"),
        },
    })
}

/// All zero for no runners.
fn runner_counts(runners: &[Runner]) -> Value {
    let count = |state| runners.iter().filter(|each| **each == state).count();
    let begun = runners.len() - count(Runner::Created) - count(Runner::Queued);
    json!({
        "runners_created": count(Runner::Created),
        "runners_queued": count(Runner::Queued),
        "runners_running": count(Runner::Running),
        "runners_failed": count(Runner::Failed),
        "runners_succeeded": count(Runner::Succeeded),
        "runners_timed_out": count(Runner::TimedOut),
        "total_count": runners.len(),
        "aggregate_queued_time_of_all_runners": 2 * begun,
        "aggregate_compute_time_of_all_runners": 3 * begun,
    })
}

/// `GET /main/schedule/api/v3/jobs/compliance/{id}/runners` (docs/platforms/opencomply.md,
/// runners).
pub(crate) async fn runners(State(platform): Shared, Path(id): Path<String>) -> Answer {
    platform.require_compliance()?;
    let id: u64 = id.parse().map_err(|_| Refusal::bad_request("invalid job id"))?;
    let now = platform.clock.now();
    let rows = match platform.job(id, now) {
        Some((job, snapshot)) => platform.runner_rows(&job, &snapshot, now),
        None => Vec::new(),
    };
    Ok(reply::json(&nullable(rows)))
}

impl Platform {
    /// A job that exists now, and its snapshot.
    pub(crate) fn job(&self, id: u64, now: i64) -> Option<(Job, Snapshot)> {
        let jobs = self.jobs();
        let job = jobs.find(id, now)?;
        Some((job.clone(), jobs.snapshot(job, now)))
    }

    /// The fields that the status shares with the listing of jobs (docs/platforms/opencomply.md,
    /// job status and history).
    pub(crate) fn fields(&self, job: &Job, snapshot: &Snapshot, now: i64) -> Map<String, Value> {
        let created = self.clock.stamp(job.created);
        let updated = self.clock.stamp(job.created + snapshot.updated);
        let ended = matches!(snapshot.state, JobState::Succeeded | JobState::Failed);
        let summarized = job.with_incidents
            && matches!(
                snapshot.state,
                JobState::SummarizerInProgress | JobState::Succeeded | JobState::Failed
            );
        let sinking = job.course.data_sinking_time.unwrap_or(snapshot.sink / 1000);
        let fields = json!({
            "summary_job_id": summarized.then_some(job.id + 1000),
            "with_incidents": job.with_incidents,
            "frameworks": self.framework_of(job),
            "job_status": job.state_word(snapshot),
            "job_type": "compliance",
            "start_time": created,
            "last_updated_at": updated,
            "end_time": ended.then_some(&updated),
            "step_failed": step_failed(job, snapshot),
            "failure_message": self.hostility.text_if_any(&self.failure_message(job, snapshot)),
            "integrations": self.infos(&job.integrations, now),
            "created_by": self.hostility.text(job.created_by.as_str()),
            "trigger_type": job.trigger_type,
            "runners_status": runner_counts(&self.runner_states(job, snapshot)),
            "data_sinking_time": sinking,
            "created_at": created,
            "updated_at": updated,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    /// Null for a framework that is not a root.
    fn framework_of(&self, job: &Job) -> Option<Value> {
        let plan = self.estate.plan(&job.framework)?;
        plan.framework.root.then(|| {
            let name = self.hostility.text(plan.framework.title.as_str());
            json!([{"framework_id": plan.id, "framework_name": name}])
        })
    }

    /// Only failed runners and failed summarizers leave a message (docs/platforms/opencomply.md,
    /// job states).
    fn failure_message(&self, job: &Job, snapshot: &Snapshot) -> String {
        match snapshot.state {
            JobState::Failed => job.course.failure.0.clone(),
            JobState::Timeout => "Job timed out".to_owned(),
            JobState::Succeeded if !snapshot.wiped => self.failed_runners(job, snapshot),
            _ => String::new(),
        }
    }

    fn failed_runners(&self, job: &Job, snapshot: &Snapshot) -> String {
        let Some(plan) = self.estate.plan(&job.framework) else {
            return String::new();
        };
        let units = job.units(plan, &self.estate);
        let states = self.runner_states(job, snapshot);
        let failed: Vec<String> = units
            .iter()
            .zip(&states)
            .filter(|(_, state)| **state == Runner::Failed)
            .map(|((control, _), _)| {
                format!("controls[{}]: {}", plan.controls[*control].id, job.course.runner_error.0)
            })
            .collect();
        if failed.is_empty() {
            return String::new();
        }
        format!("{} runners failed: [{}]", failed.len(), failed.join(", "))
    }

    /// None before the runners are made, for a quick job, and once another run deleted them
    /// (docs/platforms/opencomply.md, job status and runs that interfere).
    fn runner_states(&self, job: &Job, snapshot: &Snapshot) -> Vec<Runner> {
        let none = !job.with_incidents || snapshot.wiped || snapshot.state == JobState::Created;
        match self.estate.plan(&job.framework) {
            Some(plan) if !none => {
                let count = job.units(plan, &self.estate).len();
                (0..count).map(|at| job.runner(at, count, snapshot)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn runner_rows(&self, job: &Job, snapshot: &Snapshot, now: i64) -> Vec<Value> {
        let superseded = self.jobs().superseded(job).is_some_and(|at| at <= now);
        let Some(plan) = self.estate.plan(&job.framework).filter(|_| !superseded) else {
            return Vec::new();
        };
        let mut states = self.runner_states(job, snapshot);
        taken_up(job, &mut states, now);
        let units = job.units(plan, &self.estate);
        let updated = self.clock.stamp(job.created + snapshot.updated);
        let since = |reached: bool| if reached { updated.as_str() } else { NEVER };
        units
            .iter()
            .zip(states)
            .enumerate()
            .map(|(at, ((control, integration), state))| {
                let failure = match state {
                    Runner::Failed => job.course.runner_error.0.as_str(),
                    _ => "",
                };
                let begun = !matches!(state, Runner::Created | Runner::Queued);
                json!({
                    "runner_id": format!("{}", job.id * 1000 + at as u64),
                    "compliance_job_id": job.id.to_string(),
                    "control_id": plan.controls[*control].id,
                    "integration_id": self.estate.integrations[*integration].id,
                    "worker_pod_name": if begun { worker(job.id, at) } else { String::new() },
                    "queued_at": since(state != Runner::Created),
                    "executed_at": since(begun),
                    "completed_at": since(begun && state != Runner::Running),
                    "status": state.word(),
                    "failure_message": self.hostility.text_if_any(failure),
                    "trigger_type": job.trigger_type,
                })
            })
            .collect()
    }

    /// Zeros until there is a report. The offsets are a scenario's contradictions.
    fn incidents(&self, job: &Job, snapshot: &Snapshot) -> Value {
        let mut breakdown: BTreeMap<&str, i64> = BTreeMap::new();
        let (mut ok, mut alarm) = (0, 0);
        if let Some(results) = self.report(job, snapshot) {
            for (control, count) in results.by_control().into_values() {
                let severity = control.severity_word(&results.plan.framework, job.with_incidents);
                *breakdown.entry(severity).or_default() += signed(count.alarms);
                alarm += signed(count.alarms);
                ok += signed(count.oks);
            }
            for (severity, offset) in &job.course.breakdown_offset {
                *breakdown.entry(severity).or_default() += offset;
            }
            ok += job.course.summary_offset.get("ok").copied().unwrap_or_default();
            alarm += job.course.summary_offset.get("alarm").copied().unwrap_or_default();
        }
        incidents(ok, alarm, &breakdown)
    }

    /// What the job's report says, once it is written.
    pub(crate) fn report(&self, job: &Job, snapshot: &Snapshot) -> Option<Results<'_>> {
        let plan = self.estate.plan(&job.framework)?;
        let written = snapshot.reported && job.course.report != Report::Missing;
        written.then(|| Results::of(&self.estate, plan, job, snapshot.progress))
    }
}

/// Runners of a cancelled job that a worker held are taken up all the same, and stay so; the counts of
/// the job do not change any more (docs/platforms/opencomply.md, cancelling).
fn taken_up(job: &Job, states: &mut [Runner], now: i64) {
    /// How long a worker takes to begin, in milliseconds, and how many runners it holds.
    const BEGINS_AFTER: i64 = 500;
    const HELD: usize = 2;
    if job.canceled.is_some_and(|at| now >= at + BEGINS_AFTER) {
        let held = states.iter_mut().filter(|state| **state == Runner::Canceled);
        held.take(HELD).for_each(|state| *state = Runner::Running);
    }
}

fn worker(job: u64, at: usize) -> String {
    format!("compliance-report-job-{}", &uuid(&format!("{job}/{at}"))[..8])
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The state in which a failed job failed.
fn step_failed(job: &Job, snapshot: &Snapshot) -> &'static str {
    match (snapshot.state, job.with_incidents) {
        (JobState::Failed, true) => JobState::SummarizerInProgress.word(),
        (JobState::Failed, false) => JobState::InProgress.word(),
        _ => "",
    }
}
