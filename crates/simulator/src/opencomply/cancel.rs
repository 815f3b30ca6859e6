//! The two ways to cancel a job, which disagree (OC §4).

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{self, Answer, Refusal, nullable};

use super::course::{QUEUED_BY, Standing, State as JobState};
use super::jobs::Job;
use super::request::{Binder, Pairs, bind, values};
use super::{Platform, Shared};

const FINISHED: &str = "job is already finished";
const IN_PROGRESS: &str = "job is already in progress, unable to cancel";

/// `PUT …/jobs/cancel/byid`: success is an empty body, also for a job that never was (OC §4.1).
pub(crate) async fn by_id(State(platform): Shared, Query(pairs): Pairs) -> Answer {
    let first = |name| values(&pairs, name).first().copied().unwrap_or_default();
    let id: u64 = first("job_id").parse().map_err(|_| Refusal::bad_request("invalid job id"))?;
    require_type(first("job_type"))?;
    Ok(match platform.cancel(id, true) {
        Ok(()) | Err(Refused::Unknown) => Response::default(),
        Err(Refused::Because(reason)) => reply::json(&json!({ "message": reason })),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    job_type: Option<String>,
    selector: Option<String>,
    job_id: Option<Vec<String>>,
    status: Option<Vec<String>>,
}

/// `POST …/jobs/cancel`: says of each job whether it was cancelled (OC §4.2).
pub(crate) async fn by_selector(
    State(platform): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let request: Request = bind(Binder::Scheduler, &headers, &body)?;
    require_type(request.job_type.as_deref().unwrap_or_default())?;
    let ids = match request.selector.as_deref().unwrap_or_default().to_lowercase().as_str() {
        "job_id" => request.job_id.unwrap_or_default(),
        "status" => platform.ids_in(&request.status.unwrap_or_default()),
        // The handler panics over what a filter does not match (OC §4.2).
        "integration_info" => return Err(Refusal::internal()),
        _ => {
            return Err(Refusal::bad_request(
                "invalid selector. valid values: job_id, integration, status",
            ));
        }
    };
    let mut outcomes: Vec<Value> = Vec::new();
    for id in ids {
        let number: u64 = id.parse().map_err(|_| Refusal::bad_request("invalid job id"))?;
        let reason = match platform.cancel(number, false) {
            Ok(()) => "",
            Err(Refused::Because(reason)) => reason,
            Err(Refused::Unknown) => continue,
        };
        outcomes.push(json!({
            "job_id": id,
            "job_type": "compliance",
            "canceled": reason.is_empty(),
            "reason": reason,
        }));
    }
    Ok(reply::json(&nullable(outcomes)))
}

fn require_type(word: &str) -> Result<(), Refusal> {
    match word.to_lowercase().as_str() {
        "compliance" | "discovery" => Ok(()),
        _ => Err(Refusal::bad_request("invalid job type")),
    }
}

enum Refused {
    Unknown,
    Because(&'static str),
}

impl Platform {
    fn cancel(&self, id: u64, spare_running: bool) -> Result<(), Refused> {
        let now = self.clock.now();
        let mut jobs = self.jobs();
        let job = jobs.find(id, now).ok_or(Refused::Unknown)?;
        if let Some(reason) = refusal(job, &jobs.standing(job, now), spare_running) {
            return Err(Refused::Because(reason));
        }
        if let Some(job) = jobs.find_mut(id, now) {
            job.canceled = Some(now);
        }
        Ok(())
    }

    /// Everybody's jobs in these states; only two states are understood (OC §4.2).
    fn ids_in(&self, words: &[String]) -> Vec<String> {
        let now = self.clock.now();
        let jobs = self.jobs();
        let selected = |job: &&Job| {
            let state = jobs.standing(job, now).state;
            matches!(state, JobState::Created | JobState::RunnersInProgress)
                && words.iter().any(|word| word.eq_ignore_ascii_case(state.word()))
        };
        jobs.existing(now).filter(selected).map(|job| job.id.to_string()).collect()
    }
}

/// Why a job that stands so is not cancelled.
fn refusal(job: &Job, standing: &Standing, spare_running: bool) -> Option<&'static str> {
    match standing.state {
        state if state.is_final() => Some(FINISHED),
        JobState::SinkInProgress | JobState::SummarizerInProgress => Some(IN_PROGRESS),
        JobState::RunnersInProgress if spare_running && all_running(job, standing) => {
            Some(IN_PROGRESS)
        }
        _ => None,
    }
}

/// No runner waits any more.
fn all_running(job: &Job, standing: &Standing) -> bool {
    job.with_incidents && standing.progress > 1.0 - QUEUED_BY / 10.0
}
