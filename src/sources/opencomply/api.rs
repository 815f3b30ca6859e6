//! The calls of the platform, one function each, and what its refusals mean.
//!
//! Its lists are not for the reader of pages that the other systems share. Frameworks and integrations come in one
//! answer, whose total is compared. The history moves all the time, since its order is that of the
//! last change; nothing relies on all of it, and it is read only until a run is found.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::wire::{
    ByControl, Cancelled, ControlItem, FrameworkItem, HistoryItem, IntegrationItem, Listed, Me,
    Nested, Page, Runner, Started, Status,
};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, BodyText, Failure, Http, HttpError};
use crate::json::JsonError;
use crate::stop::Reason;

/// Jobs on one page of a framework's history.
const PER_PAGE: u32 = 100;

const STATUS: &str = "main/schedule/api/v3/job/compliance/{}";

/// Why a step brought nothing.
#[derive(Debug)]
pub(super) enum Halt {
    /// Everything has to stop.
    Stopped(Reason),
    /// The evidence cannot be relied on.
    Problems(Vec<Problem>),
}

pub(super) type Step<T> = Result<T, Halt>;

impl From<Reason> for Halt {
    fn from(reason: Reason) -> Self {
        Self::Stopped(reason)
    }
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

impl From<HttpError> for Halt {
    fn from(error: HttpError) -> Self {
        match error.failure {
            Failure::Stopped(reason) => Self::Stopped(reason),
            _ => Self::Problems(vec![problem(&error)]),
        }
    }
}

/// Whether what went wrong passes by itself: the platform, or one of the services that it asks for
/// every answer, is away for the moment (docs/platforms/opencomply.md#errors).
pub(super) fn passes(error: &HttpError) -> bool {
    match &error.failure {
        Failure::Unreachable { .. } => true,
        Failure::Refused { status: 400, said } => said.contains("do request: "),
        _ => false,
    }
}

/// Whether a job cannot be read any more, because one of its integrations was deleted
/// (docs/platforms/opencomply.md#errors-of-the-status).
pub(super) fn integration_is_gone(error: &HttpError) -> bool {
    matches!(&error.failure, Failure::Refused { status: 400, said }
        if said.ends_with("failed to get integration"))
}

/// The answer or its error, unless everything has to stop.
pub(super) fn unless_stopped<T>(answer: Result<T, HttpError>) -> Step<Result<T, HttpError>> {
    match answer {
        Err(HttpError { failure: Failure::Stopped(reason), .. }) => Err(Halt::Stopped(reason)),
        other => Ok(other),
    }
}

/// What a refusal means here (docs/platforms/opencomply.md#errors).
pub(super) fn problem(error: &HttpError) -> Problem {
    let Problem { cause, message, help } = error.problem();
    match &error.failure {
        Failure::Refused { status: 406, .. } => Problem::new(Cause::Denied, message).help(
            "the role of the token is too low: starting runs needs `admin`, reading needs \
             `viewer`; a key has the role of the user who created it, and a change of role takes \
             effect within five minutes",
        ),
        Failure::Refused { status: 400, said } if said.contains("compliance service is not") => {
            Problem::new(Cause::Invalid, message)
                .help("enable compliance on the platform (COMPLIANCE_ENABLED), or check `url`")
        }
        Failure::Refused { .. } if passes(error) => Problem::new(Cause::Unreachable, message)
            .help("check that all services of the platform are up"),
        // Known only to the platform where it does not list the types of a framework.
        Failure::Refused { status: 400, said } if said.contains("invalid integration type") => {
            Problem::new(Cause::Invalid, message).help(
                "take the integrations of other types out of `integrations`, or list those that \
                 this framework allows",
            )
        }
        Failure::Denied(said) if said.starts_with("401") => Problem::new(cause, message).help(
            "the platform does not know this token (`OPENCOMPLY_API_KEY`, or what `token_env` \
             names), or the user who created it is disabled; keys do not expire",
        ),
        Failure::Protocol(said) if said.contains("HTML") => Problem::new(cause, message).help(
            "check `url`; the platform's web page also answers where its chart was installed \
             without compliance (`opensecurity.compliance: true`)",
        ),
        _ => Problem { cause, message, help },
    }
}

pub(super) async fn me(http: &Http) -> Result<Me, HttpError> {
    http.get("main/auth/api/v1/me", &[]).send().await?.json()
}

/// The frameworks with these ids; all root frameworks if there are none.
pub(super) async fn frameworks(
    http: &Http,
    ids: &[String],
) -> Result<Vec<FrameworkItem>, HttpError> {
    // `framework_ids` also finds frameworks that are not roots, which the list leaves out.
    let body = if ids.is_empty() { json!({}) } else { json!({"framework_ids": ids}) };
    let answer = http.query("main/compliance/api/v1/frameworks", &[], &body).send().await?;
    Ok(page(&answer)?.items)
}

pub(super) async fn integrations(http: &Http) -> Result<Page<IntegrationItem>, HttpError> {
    page(&http.get("main/integration/api/v1/integrations", &[]).send().await?)
}

fn page<T: DeserializeOwned>(answer: &Answer) -> Result<Page<T>, HttpError> {
    let list: Listed<T> = answer.json()?;
    list.page().map_err(|why| answer.failed(Failure::Protocol(why)))
}

/// A page, from 1, of a framework's jobs with incidents, the latest change first.
///
/// Never with an integration filter: one that matches nothing is taken as none
/// (docs/platforms/opencomply.md#history).
pub(super) async fn history(
    http: &Http,
    framework: &str,
    cursor: u32,
) -> Result<Page<HistoryItem>, HttpError> {
    let body = json!({"with_incidents": true, "cursor": cursor, "per_page": PER_PAGE});
    let path = "main/schedule/api/v3/benchmark/{}/run-history";
    page(&http.query(path, &[framework], &body).send().await?)
}

/// Starts a run of a framework over exactly these integrations. Sent once: it deletes the runners
/// of the framework's latest job (docs/platforms/opencomply.md#runs-that-interfere).
pub(super) async fn start(
    http: &Http,
    framework: &str,
    integrations: &BTreeSet<String>,
) -> Result<Started, HttpError> {
    let integrations: Vec<_> =
        integrations.iter().map(|id| json!({"integration_id": id})).collect();
    let call = if framework.to_lowercase() == framework {
        let body = json!({"with_incidents": true, "integration_info": integrations});
        http.command("main/schedule/api/v3/compliance/framework/{}/run", &[framework], &body)
    } else {
        // The path would be lower-cased, and the framework not found. This call always runs with
        // incidents, whatever its answer says (docs/platforms/opencomply.md#starting-a-run).
        let body = json!({"benchmark_ids": [framework], "integration_info": integrations});
        http.command("main/schedule/api/v3/compliance/run", &[], &body)
    };
    call.send().await?.json()
}

pub(super) async fn status(http: &Http, job: u64) -> Result<Status, HttpError> {
    http.get(STATUS, &[&job.to_string()]).send().await?.json()
}

/// The status of a job, also after the deadline or an interrupt.
pub(super) async fn last_status(http: &Http, job: u64) -> Result<Status, HttpError> {
    http.get(STATUS, &[&job.to_string()]).during_shutdown().send().await?.json()
}

/// The runners of a job; none also where a later run deleted them.
pub(super) async fn runners(http: &Http, job: u64) -> Result<Vec<Runner>, HttpError> {
    let path = "main/schedule/api/v3/jobs/compliance/{}/runners";
    let answer = http.get(path, &[&job.to_string()]).send().await?;
    Ok(answer.json::<Option<_>>()?.unwrap_or_default())
}

/// Counts per control; `None` where there is no report.
pub(super) async fn by_control(http: &Http, job: u64) -> Result<Option<ByControl>, HttpError> {
    let path = "main/compliance/api/v3/job-report/{}/details/by-control";
    http.get(path, &[&job.to_string()]).send().await?.json()
}

/// Every resource of a job, read while it arrives: it may be tens of megabytes.
pub(super) async fn resource_view<T, R>(
    http: &Http,
    job: u64,
    reader: impl Fn() -> R,
) -> Result<T, HttpError>
where
    T: Send + 'static,
    R: FnOnce(BodyText) -> Result<T, JsonError> + Send + 'static,
{
    let path = "main/compliance/api/v3/quick/scan/{}";
    http.get(path, &[&job.to_string()]).parameter("view", "resource").send_to(reader).await
}

/// The controls that belong to a framework now. Any role will do.
pub(super) async fn nested(http: &Http, framework: &str) -> Result<Nested, HttpError> {
    http.get("main/compliance/api/v3/benchmarks/{}/nested", &[framework]).send().await?.json()
}

/// What several controls are. Needs the role `admin`.
pub(super) async fn controls(http: &Http, ids: &[&str]) -> Result<Vec<ControlItem>, HttpError> {
    let call = http.get("main/compliance/api/v1/benchmarks/controls", &[]);
    let call = ids.iter().fold(call, |call, id| call.parameter("control_id", id));
    Ok(call.send().await?.json::<Option<_>>()?.unwrap_or_default())
}

/// What one control is. Any role will do.
pub(super) async fn control(http: &Http, id: &str) -> Result<ControlItem, HttpError> {
    http.get("main/compliance/api/v1/benchmarks/controls/{}", &[id]).send().await?.json()
}

/// Cancels jobs by their ids, also after the deadline or an interrupt.
///
/// This call rather than `cancel/byid`, whose answer does not state explicitly whether a job was
/// cancelled (docs/platforms/opencomply.md#cancelling).
pub(super) async fn cancel(http: &Http, jobs: &[u64]) -> Result<Vec<Cancelled>, HttpError> {
    let ids: Vec<_> = jobs.iter().map(u64::to_string).collect();
    let body = json!({"job_type": "compliance", "selector": "job_id", "job_id": ids});
    let call = http.command("main/schedule/api/v3/jobs/cancel", &[], &body).during_shutdown();
    Ok(call.send().await?.json::<Option<_>>()?.unwrap_or_default())
}
