//! What becomes of jobs that this gate started and leaves unfinished. Jobs of others are never
//! cancelled.

use std::time::Duration;

use futures_util::future::join_all;

use super::api;
use super::settings::Cancel;
use super::wire::Cancelled;
use crate::http::Http;
use crate::text;

/// How long the look before a cancellation may take. With the cancellation it must fit into the
/// time that is reserved for cleaning up.
const LOOK: Duration = Duration::from_secs(2);

/// Cancels the jobs that can be cancelled without harm. The value: what became of each, for people.
///
/// Once a job's runners are queued, cancelling it can hang a worker of the platform for ever
/// (docs/platforms/opencomply.md#cancelling). So it is left, and the next gate joins it.
pub(super) async fn clean_up(http: &Http, policy: Cancel, jobs: &[u64]) -> Vec<String> {
    let looks = jobs.iter().map(|job| async move {
        match policy {
            Cancel::Always => Ok(*job),
            Cancel::Created => match unstarted(http, *job).await {
                Ok(()) => Ok(*job),
                Err(why) => Err(goes_on(*job, &why)),
            },
        }
    });
    let mut notes = Vec::new();
    let mut harmless = Vec::new();
    for look in join_all(looks).await {
        match look {
            Ok(job) => harmless.push(job),
            Err(note) => notes.push(note),
        }
    }
    notes.extend(cancel(http, &harmless).await);
    notes
}

/// `job 136, which this gate started, goes on`, and why.
pub(super) fn goes_on(job: u64, why: &str) -> String {
    format!("job {job}, which this gate started, goes on{why}; the next gate joins it")
}

/// Whether a job has no runners yet, by a fresh look.
///
/// # Errors
/// Why it is not known to have none, as the end of a sentence.
pub(super) async fn unstarted(http: &Http, job: u64) -> Result<(), String> {
    match tokio::time::timeout(LOOK, api::last_status(http, job)).await {
        Ok(Ok(status)) if status.state() == "CREATED" && !status.has_runners() => Ok(()),
        Ok(Ok(status)) => Err(format!(
            ": it is {}, and cancelling it now could hang a worker of the platform",
            text::one_line(&status.state(), 40)
        )),
        Ok(Err(error)) => Err(format!(": its state is not known ({error})")),
        Err(_) => Err(": its state is not known (no answer in time)".to_owned()),
    }
}

async fn cancel(http: &Http, jobs: &[u64]) -> Vec<String> {
    if jobs.is_empty() {
        return Vec::new();
    }
    match api::cancel(http, jobs).await {
        Ok(answers) => jobs.iter().map(|job| outcome(*job, &answers)).collect(),
        Err(error) => jobs
            .iter()
            .map(|job| goes_on(*job, &format!(": it could not be cancelled ({error})")))
            .collect(),
    }
}

fn outcome(job: u64, answers: &[Cancelled]) -> String {
    let answer = answers.iter().find(|answer| answer.job_id.is_some_and(|id| id.0 == job));
    let reason = answer.and_then(|answer| answer.reason.as_deref()).unwrap_or_default().trim();
    match (answer.and_then(|answer| answer.canceled), reason) {
        (Some(true), _) => format!("job {job}, which this gate had started, was cancelled"),
        (Some(false), "") => format!("job {job} was not cancelled; the platform gives no reason"),
        (Some(false), reason) => {
            format!("job {job} was not cancelled: {}", text::one_line(reason, 200))
        }
        (None, _) => format!("the platform does not say whether it cancelled job {job}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_of_each_cancellation_is_reported() {
        let answers: Vec<Cancelled> = serde_json::from_str(
            r#"[{"job_id":"1","canceled":true,"reason":""},
                {"job_id":2,"canceled":false,"reason":"job is already finished"},
                {"job_id":"3","canceled":false,"reason":null}]"#,
        )
        .unwrap();
        assert!(outcome(1, &answers).ends_with("was cancelled"));
        assert_eq!(outcome(2, &answers), "job 2 was not cancelled: job is already finished");
        assert!(outcome(3, &answers).contains("gives no reason"));
        assert!(outcome(4, &answers).contains("does not say whether"));
    }
}
