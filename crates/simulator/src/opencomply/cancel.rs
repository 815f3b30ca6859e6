//! `POST …/jobs/cancel` (docs/platforms/opencomply.md, cancelling).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{self, Answer, Refusal, nullable};

use super::course::State as JobState;
use super::jobs::Job;
use super::request::{Binder, bind};
use super::{Platform, Shared};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    job_type: Option<String>,
    selector: Option<String>,
    job_id: Option<Vec<String>>,
    status: Option<Vec<String>>,
}

/// States for each job whether it was cancelled. A job that does not exist counts as cancelled.
pub(crate) async fn cancel(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let request: Request = bind(Binder::Scheduler, &headers, &body)?;
    match request.job_type.as_deref().unwrap_or_default().to_lowercase().as_str() {
        "compliance" | "discovery" => {}
        _ => return Err(Refusal::bad_request("invalid job type")),
    }
    let ids = match request.selector.as_deref().unwrap_or_default().to_lowercase().as_str() {
        "job_id" => request.job_id.unwrap_or_default(),
        "status" => platform.ids_in(&request.status.unwrap_or_default()),
        // The handler panics where a filter matches nothing.
        "integration_info" => return Err(Refusal::internal()),
        _ => {
            return Err(Refusal::bad_request(
                "invalid selector. valid values: job_id, integration, status",
            ));
        }
    };
    let outcome = |id: &String| -> Value {
        let reason = id.parse().map_or("invalid job id", |id| platform.cancel(id));
        json!({
            "job_id": id,
            "job_type": "compliance",
            "canceled": reason.is_empty(),
            "reason": reason,
        })
    };
    Ok(reply::json(&nullable(ids.iter().map(outcome).collect())))
}

impl Platform {
    /// Cancels a job, or gives the reason why it cannot be cancelled.
    fn cancel(&self, id: u64) -> &'static str {
        let now = self.clock.now();
        let mut jobs = self.jobs();
        let snapshot = jobs.find(id, now).map(|job| jobs.snapshot(job, now));
        match snapshot.map(|snapshot| snapshot.state) {
            Some(state) if state.is_final() => "job is already finished",
            Some(JobState::SinkInProgress | JobState::SummarizerInProgress) => {
                "job is already in progress, unable to cancel"
            }
            state => {
                let queued = state == Some(JobState::RunnersInProgress);
                jobs.cancel(id, now, queued && self.settings.hanging_worker);
                ""
            }
        }
    }

    /// Every user's jobs in these states; the platform understands two states only.
    fn ids_in(&self, words: &[String]) -> Vec<String> {
        let now = self.clock.now();
        let jobs = self.jobs();
        let selected = |job: &&Job| {
            let state = jobs.snapshot(job, now).state;
            matches!(state, JobState::Created | JobState::RunnersInProgress)
                && words.iter().any(|word| word.eq_ignore_ascii_case(state.word()))
        };
        jobs.existing(now).filter(selected).map(|job| job.id.to_string()).collect()
    }
}
