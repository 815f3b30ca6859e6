//! The answer of a run in a sentence, and what to do next.

use std::collections::BTreeSet;

use super::{capital, problems};
use crate::evaluate::{Decision, Ruling, State};
use crate::evidence::Outcome;
use crate::finding::Cause;
use crate::policy::Mode;
use crate::report::Report;
use crate::report::view::{NextSteps, View};
use crate::text;
use crate::verdict::Verdict;

/// What to fix.
pub(in crate::report) fn fix(next: &NextSteps, view: &View<'_>) -> String {
    let blocks = view.to_fix().is_some_and(|to_fix| to_fix.blocks);
    let verb = match (blocks, next.findings) {
        (true, 1) => "blocks",
        (true, _) => "block",
        (false, 1) => "is over a limit",
        (false, _) => "are over a limit",
    };
    let findings = text::count(next.findings as u64, "finding");
    format!("Fix the {findings} that {verb}, worst first.")
}

/// What a reader must know after a fix, once for each kind of platform.
pub(in crate::report) fn after_fix<'a>(report: &Report<'a>) -> BTreeSet<&'a str> {
    let breached = |ruling: &&Ruling<'_>| ruling.state == State::Breached;
    let gates: Vec<_> = report.decision.rulings.iter().filter(breached).collect();
    let used = |outcome: &&Outcome| gates.iter().any(|ruling| ruling.gate.uses(&outcome.source));
    let outcomes = report.evidence.outcomes.iter().filter(used);
    outcomes.filter_map(|outcome| outcome.after_fix.as_deref()).collect()
}

/// The answer in a sentence, and in mode observe what it would have been.
pub(in crate::report) fn headline(report: &Report<'_>) -> String {
    let decision = report.decision;
    let answer = answer(report);
    let headline = match decision.mode {
        _ if decision.overridden.is_some() => {
            let by = overridden(decision).unwrap_or_default();
            format!("{by}; would be: {answer}")
        }
        Mode::Observe if !decision.verdict.is_pass() && decision.exit_code() == 0 => {
            format!("Observed only, would be: {answer}")
        }
        Mode::Observe => format!("{answer} (observed only)"),
        Mode::Enforce => answer,
    };
    format!("{}{headline}", report.purpose.mark())
}

/// That the pipeline overrides the verdict, until when and why.
fn overridden(decision: &Decision<'_>) -> Option<String> {
    let by = decision.overridden.as_ref()?;
    let until = by.until.format("%Y-%m-%d %H:%M UTC");
    let reported = match by.is_reported {
        true => "",
        false => ", without effect, since a report could not be written",
    };
    Some(format!("Overridden by break-glass until {until} ({}){reported}", by.reason))
}

fn answer(report: &Report<'_>) -> String {
    let decision = report.decision;
    let gates = text::count(decision.rulings.len() as u64, "gate");
    let of = |count: usize| format!("{} of {gates}", text::thousands(count as u64));
    // Beside a policy that blocks, one that only observes does not.
    let (blocking, observed): (Vec<_>, Vec<_>) = decision
        .rulings
        .iter()
        .filter(|ruling| ruling.blocks())
        .partition(|ruling| ruling.mode == decision.mode);
    let (breached, undecided): (Vec<_>, Vec<_>) =
        blocking.into_iter().partition(|ruling| ruling.state == State::Breached);
    match decision.verdict {
        Verdict::Passed if decision.rulings.len() == 1 => "Passed: the gate holds".to_owned(),
        Verdict::Passed => format!("Passed: all {gates} hold"),
        Verdict::Warned => {
            let red = decision.rulings.iter().filter(|ruling| ruling.state != State::Held).count();
            let warnings = text::count((red + decision.warnings.len()) as u64, "warning");
            let held = decision.rulings.len() - red;
            format!("Passed with {warnings}: {} {}", of(held), verb(held, "holds", "hold"))
        }
        Verdict::Blocked => {
            let more = match undecided.len() {
                0 => String::new(),
                more => format!("; {} could not be judged", text::thousands(more as u64)),
            };
            let observed = match observed.len() {
                _ if decision.mode == Mode::Observe => String::new(),
                0 => String::new(),
                1 => "; 1 more is only observed".to_owned(),
                more => format!("; {} more are only observed", text::thousands(more as u64)),
            };
            format!("Deploy blocked by {}{more}{observed}", of(breached.len()))
        }
        Verdict::Inconclusive if undecided.is_empty() => {
            "Not decided: nothing blocks, but a report could not be written".to_owned()
        }
        Verdict::Inconclusive => format!("Not decided: {}", cause(report, "")),
        Verdict::Invalid => format!("Could not run: {}", cause(report, "")),
        Verdict::Denied => format!("Access denied by {}", cause(report, ": ")),
        Verdict::Unreachable => format!("Unreachable: {}", cause(report, "")),
        Verdict::Interrupted => {
            "Interrupted: the run was stopped before it could decide".to_owned()
        }
        Verdict::Terminated => {
            "Terminated: the CI host ended the run before it could decide".to_owned()
        }
        verdict => format!("{}: {}", capital(verdict.word()), verdict.meaning()),
    }
}

/// The first problem that makes the verdict what it is, in the platform's or our words.
fn cause(report: &Report<'_>, after_name: &str) -> String {
    let verdict = report.decision.verdict;
    let problems = problems(report);
    let first = problems.iter().find(|problem| Verdict::of(problem.cause) == verdict);
    let Some(problem) = first.or(problems.first()) else {
        let warning = report.decision.warnings.last().map(String::as_str);
        return text::one_line(warning.unwrap_or(verdict.meaning()), 200);
    };
    // The name of a source before the first colon is repeated only where the sentence needs it.
    let message = &problem.message;
    let named = report.evidence.outcomes.iter().find_map(|outcome| {
        let rest = message.strip_prefix(outcome.source.as_str())?.strip_prefix(": ")?;
        Some((outcome.source.as_str(), rest))
    });
    match named {
        Some((source, rest)) if !after_name.is_empty() => {
            text::one_line(&format!("{source}{after_name}{rest}"), 200)
        }
        Some((_, rest)) if problem.cause == Cause::Invalid => text::one_line(rest, 200),
        _ => text::one_line(message, 200),
    }
}

const fn verb(count: usize, one: &'static str, several: &'static str) -> &'static str {
    if count == 1 { one } else { several }
}
