//! Whether a job's result can be relied on. Pure: facts in, sound or problems out.
//!
//! `SUCCEEDED` alone proves little (docs/platforms/opencomply.md#job-states), so every figure that
//! could betray a gap is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::wire::{Runner, RunnerCounts, Status};
use crate::finding::{Cause, Problem};
use crate::text;

pub(super) mod controls;
pub(super) mod counts;
mod figures;

use figures::figures;
pub(super) use figures::{Figures, known_figures};

/// Seconds after which the platform stops waiting for results to be stored
/// (docs/platforms/opencomply.md#lost-results).
const SINKING_LIMIT: i64 = 600;

/// Controls that are named when they could not be evaluated.
const NAMED: usize = 10;

/// What a job must be the result of.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedJob<'a> {
    /// Source and framework, to begin a sentence with.
    pub place: &'a str,
    pub job: u64,
    pub framework: &'a str,
    /// The platform's ids of the job's integrations.
    pub integrations: &'a BTreeSet<String>,
}

impl ExpectedJob<'_> {
    pub(super) fn problem(&self, cause: Cause, what: impl fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: job {} {what}", self.place, self.job))
    }
}

/// How a run was lost: nothing that is wrong with compliance, and another run may do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// A later run deleted this job's runners.
    Superseded(u64),
    /// The user who started this job, which we had joined, cancelled it.
    Cancelled(u64),
    /// This job, which we had joined, does not move any more; its state.
    StandsStill(u64, String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superseded(job) => {
                write!(f, "job {job} lost its runners to a later run of the same framework")
            }
            Self::Cancelled(job) => write!(f, "job {job} was cancelled by the user who started it"),
            Self::StandsStill(job, state) => {
                write!(f, "job {job} is {} and does not move", text::one_line(state, 40))
            }
        }
    }
}

/// The judgement on a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Sound(Figures),
    Superseded(u64),
    Unsound { problems: Vec<Problem>, runners_to_blame: bool },
}

impl Judgement {
    pub(super) fn lost(&self) -> Option<Lost> {
        match self {
            Self::Superseded(job) => Some(Lost::Superseded(*job)),
            Self::Sound(_) | Self::Unsound { .. } => None,
        }
    }
}

/// Whether another run deleted the job's runners: without any it is in its last steps, or has
/// succeeded (docs/platforms/opencomply.md#runs-that-interfere).
pub(super) fn is_superseded(status: &Status) -> bool {
    const LAST_STEPS: [&str; 3] = ["SINK_IN_PROGRESS", "SUMMARIZER_IN_PROGRESS", "SUCCEEDED"];
    let runners = status.runners_status.as_ref().and_then(|runners| runners.total_count);
    status.with_incidents == Some(true)
        && runners == Some(0)
        && LAST_STEPS.contains(&&*status.state())
}

/// Whether a job succeeded with runners and without any result: its report may not be written yet.
pub(super) fn looks_empty(status: &Status) -> bool {
    let summary = status.incidents.as_ref().and_then(|incidents| incidents.summary.as_ref());
    let empty =
        summary.is_none_or(|counts| counts.ok.unwrap_or(0) == 0 && counts.alarm.unwrap_or(0) == 0);
    status.state() == "SUCCEEDED" && empty && !is_superseded(status)
}

/// Judges a job in a final state.
pub(super) fn judge(expected: ExpectedJob<'_>, status: &Status) -> Judgement {
    if status.state() != "SUCCEEDED" {
        return Judgement::Unsound {
            problems: vec![did_not_succeed(expected, status)],
            runners_to_blame: false,
        };
    }
    if is_superseded(status) {
        return Judgement::Superseded(expected.job);
    }
    let mut problems = Vec::new();
    if status.with_incidents != Some(true) {
        problems.push(
            expected
                .problem(
                    Cause::Incomplete,
                    "ran without incidents; controls that could not be evaluated do not show in \
                     such a run",
                )
                .help("rely on runs with incidents, which is what this gate starts"),
        );
    }
    let runners = status.runners_status.clone().unwrap_or_default();
    let blame = judge_runners(expected, &runners, status);
    let runners_to_blame = blame.is_some();
    problems.extend(blame);
    problems.extend(lost_results(expected, status));
    problems.extend(is_of_another(expected, status));
    match figures(expected, status) {
        Ok(figures) if problems.is_empty() => Judgement::Sound(figures),
        Ok(_) => Judgement::Unsound { problems, runners_to_blame },
        Err(problem) => {
            problems.push(problem);
            Judgement::Unsound { problems, runners_to_blame }
        }
    }
}

/// The problem of a job that succeeded and has no report.
pub(super) fn report_missing(expected: ExpectedJob<'_>, figures: &Figures) -> Problem {
    match figures.evaluated() {
        0 => expected.problem(Cause::Incomplete, "SUCCEEDED, but there is no report of it").help(
            "run the gate again; if this keeps happening, look at the summarizer on the platform",
        ),
        checks => expected.problem(
            Cause::Contradictory,
            format_args!("has no report, although its status counts {checks} checks"),
        ),
    }
}

/// A result that the platform's index refuses is dropped without a message. The only trace is that
/// the platform waits in vain for it to be stored (docs/platforms/opencomply.md#lost-results).
fn lost_results(expected: ExpectedJob<'_>, status: &Status) -> Option<Problem> {
    let waited = status.data_sinking_time?;
    (waited >= SINKING_LIMIT).then(|| {
        expected
            .problem(
                Cause::Incomplete,
                format_args!(
                    "SUCCEEDED without all of its results: the platform waited {waited} s for them \
                     to be stored, and went on without"
                ),
            )
            .help(
                "look for errors of the es-sink service on the platform; results that its index \
                 refuses are dropped",
            )
    })
}

fn did_not_succeed(expected: ExpectedJob<'_>, status: &Status) -> Problem {
    let mut what = format!("ended as {}", status.state());
    if let Some(step) = status.step_failed.as_deref().filter(|step| !step.is_empty()) {
        what += &format!(" at step {step}");
    }
    if let Some(message) = status.failure_message.as_deref().filter(|words| !words.is_empty()) {
        what += &format!(": {}", text::one_line(message, 400));
    }
    expected
        .problem(Cause::JobFailed, what)
        .help("look at the job on the platform; when its cause is fixed, run the gate again")
}

/// Every runner must have succeeded: one that failed or timed out leaves its old results in the
/// report (docs/platforms/opencomply.md#what-counts-mean), and time-outs are mentioned nowhere else
/// (docs/platforms/opencomply.md#job-states).
fn judge_runners(
    expected: ExpectedJob<'_>,
    runners: &RunnerCounts,
    status: &Status,
) -> Option<Problem> {
    let message = status.failure_message.as_deref().unwrap_or_default().trim();
    let (Some(total), Some(succeeded), Some(failed), Some(timed_out)) = (
        runners.total_count,
        runners.runners_succeeded,
        runners.runners_failed,
        runners.runners_timed_out,
    ) else {
        return Some(expected.problem(
            Cause::Protocol,
            "has no runner counts, without which it is not known whether all was evaluated",
        ));
    };
    if [total, succeeded, failed, timed_out].into_iter().any(|count| count < 0) {
        return Some(expected.problem(Cause::Protocol, "has a negative runner count"));
    }
    if total > 1 << 40 {
        return Some(expected.problem(Cause::Protocol, "has an implausible runner count"));
    }
    let Some(ended) = [failed, timed_out].into_iter().try_fold(succeeded, i64::checked_add) else {
        return Some(expected.problem(Cause::Protocol, "has an implausible runner count"));
    };
    if ended > total {
        return Some(expected.problem(
            Cause::Contradictory,
            format_args!("counts {ended} runners that ended, of {total}"),
        ));
    }
    if succeeded == total {
        return (!message.is_empty()).then(|| {
            let message = text::one_line(message, 400);
            expected.problem(
                Cause::Incomplete,
                format_args!("SUCCEEDED, but with a failure message: {message}"),
            )
        });
    }
    let counts = [
        (failed, "failed"),
        (timed_out, "timed out"),
        (total - ended, "were cancelled or never ran"),
    ];
    let shares: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut what = format!("SUCCEEDED, but of its {total} runners {}", shares.join(", "));
    if !message.is_empty() {
        what += &format!(" ({})", text::one_line(message, 400));
    }
    Some(expected.problem(Cause::Incomplete, what).help(
        "for controls that were not evaluated the platform shows old results, or none; fix what \
         made the runners fail and run the gate again",
    ))
}

fn is_of_another(expected: ExpectedJob<'_>, status: &Status) -> Option<Problem> {
    // Null for frameworks that are not roots (docs/platforms/opencomply.md#job-status).
    let named = status.frameworks.iter().flatten().find_map(|name| name.framework_id.as_deref());
    if let Some(other) = named.filter(|name| !name.eq_ignore_ascii_case(expected.framework)) {
        return Some(expected.problem(
            Cause::Contradictory,
            format_args!("is of framework `{}`", text::one_line(other, 100)),
        ));
    }
    let given: BTreeSet<String> =
        status.integrations.as_ref()?.iter().filter_map(|one| one.integration_id.clone()).collect();
    (given != *expected.integrations).then(|| {
        expected.problem(
            Cause::Contradictory,
            format_args!(
                "evaluated {} where it should have evaluated {}",
                joined(&given),
                joined(expected.integrations)
            ),
        )
    })
}

fn joined(ids: &BTreeSet<String>) -> String {
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    text::one_line(&format!("the integrations [{}]", ids.join(", ")), 500)
}

/// The controls whose runners did not succeed, as the end of a sentence.
pub(super) fn not_evaluated(runners: &[Runner]) -> Option<String> {
    let mut controls = BTreeMap::new();
    for runner in runners {
        let status = runner.status.as_deref().unwrap_or("in a state not named");
        if status != "SUCCEEDED" {
            let message = runner.failure_message.as_deref().unwrap_or_default().trim();
            let control = runner.control_id.as_deref().unwrap_or("(control not named)");
            controls.entry(control).or_insert((status, message));
        }
    }
    if controls.is_empty() {
        return None;
    }
    let shown = controls.iter().map(|(control, (status, message))| match *message {
        "" => format!("{control} ({status})"),
        message => format!("{control} ({status}: {})", text::one_line(message, 120)),
    });
    Some(format!("not evaluated: {}", text::listed(shown, ", ", NAMED)))
}

#[cfg(test)]
mod tests;
