//! What keeps evidence from being complete, and what helps.

use std::collections::BTreeSet;

use crate::finding::{Cause, Problem};
use crate::report::Report;
use crate::text;
use crate::verdict::Verdict;

/// Every problem of the run once, those that gates have first.
pub(in crate::report) fn problems<'a>(report: &Report<'a>) -> Vec<&'a Problem> {
    let collected = report.evidence.outcomes.iter().flat_map(|outcome| {
        let parts = outcome.parts.iter();
        outcome.problems.iter().chain(parts.flat_map(|part| &part.problems))
    });
    let ruled = report.decision.rulings.iter().flat_map(|ruling| &ruling.problems);
    let mut seen = BTreeSet::new();
    ruled
        .chain(collected)
        .filter(|problem| seen.insert((problem.cause, &*problem.message)))
        .collect()
}

/// Everything that keeps the listed findings from being all there are.
pub(in crate::report) fn gaps<'a>(report: &Report<'a>) -> Vec<&'a Problem> {
    let parts = report.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    let missing = parts.filter_map(|part| part.findings.why_incomplete());
    problems(report).into_iter().chain(missing).collect()
}

/// Whether the listed findings are all there are. A host that closes what is not in the latest
/// list must be given no other.
pub(in crate::report) fn is_whole(report: &Report<'_>) -> bool {
    let interrupted = matches!(report.decision.verdict, Verdict::Interrupted | Verdict::Terminated);
    gaps(report).is_empty() && !interrupted
}

/// What to do next about a problem: its own help, or that of its cause.
pub(in crate::report) fn next(problem: &Problem) -> String {
    text::one_line(problem.help.as_deref().unwrap_or(remedy(problem.cause)), 500)
}

/// What usually helps.
pub(in crate::report) fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::Invalid => "correct the configuration; `compliance-gate doctor` checks it online",
        Cause::Setup => "correct the set-up of this machine, or `url`",
        Cause::Denied | Cause::Unreachable | Cause::Protocol => {
            "`compliance-gate doctor` checks address, token and role, and starts nothing"
        }
        Cause::Deadline => "run it again; if that is never enough, raise `deadline`",
        Cause::Interrupted => "run it again: nothing was decided",
        Cause::JobFailed => "look at the job on the platform, then run it again",
        Cause::Incomplete | Cause::Contradictory => {
            "run it again; if it persists, look on the platform at what is named here"
        }
        Cause::Stale => "have the platform evaluate again, or raise `max_age`",
        Cause::Empty => "check that the scope is right",
    }
}

/// What a cause means, for any source.
pub(in crate::report) fn explained(cause: Cause) -> &'static str {
    match cause {
        Cause::Invalid => "The configuration asks for something that is not there.",
        Cause::Setup => "A certificate, a proxy, a host name or a `url` is wrong on this side.",
        Cause::Denied => "A platform refused the token, or its role is too low.",
        Cause::Unreachable => "A platform could not be reached, also after retries.",
        Cause::Deadline => "The deadline passed before the evidence was complete.",
        Cause::Interrupted => "The run was interrupted before the evidence was complete.",
        Cause::Protocol => "An answer is not what the platform's API promises.",
        Cause::JobFailed => "The platform's own job failed, timed out or was cancelled.",
        Cause::Incomplete => "Part of the evidence is missing.",
        Cause::Contradictory => "Two figures that must agree do not.",
        Cause::Stale => "The evidence is older than the policy allows.",
        Cause::Empty => "Nothing was evaluated.",
    }
}
