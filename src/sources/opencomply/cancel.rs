//! The last word: jobs that we started and leave unfinished are cancelled. Nobody else's ever are.

use std::collections::BTreeSet;

use super::api;
use super::wire::Cancelled;
use crate::http::Http;
use crate::text;

/// Cancels the jobs, in one request of five seconds. The value: what became of each, for people.
pub(super) async fn cancel(http: &Http, jobs: &BTreeSet<u64>) -> Vec<String> {
    if jobs.is_empty() {
        return Vec::new();
    }
    let ids: Vec<_> = jobs.iter().copied().collect();
    match api::cancel(http, &ids).await {
        Ok(answers) => ids.into_iter().map(|job| told(job, &answers)).collect(),
        Err(error) => ids
            .into_iter()
            .map(|job| format!("job {job} could not be cancelled and goes on: {error}"))
            .collect(),
    }
}

fn told(job: u64, answers: &[Cancelled]) -> String {
    let answer = answers.iter().find(|answer| answer.job_id.is_some_and(|id| id.0 == job));
    let reason = answer.and_then(|answer| answer.reason.as_deref()).unwrap_or_default().trim();
    match (answer.and_then(|answer| answer.canceled), reason) {
        (Some(true), _) => format!("job {job}, which this gate had started, was cancelled"),
        (Some(false), "") => format!("job {job} was not cancelled; the platform does not say why"),
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
    fn what_became_of_each_job_is_told() {
        let answers: Vec<Cancelled> = serde_json::from_str(
            r#"[{"job_id":"1","canceled":true,"reason":""},
                {"job_id":2,"canceled":false,"reason":"job is already finished"},
                {"job_id":"3","canceled":false,"reason":null}]"#,
        )
        .unwrap();
        assert!(told(1, &answers).ends_with("was cancelled"));
        assert_eq!(told(2, &answers), "job 2 was not cancelled: job is already finished");
        assert!(told(3, &answers).contains("does not say why"));
        assert!(told(4, &answers).contains("does not say whether"));
    }
}
