//! The text of each case, and whether it is red.

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, TestCaseStatus};

use crate::acceptance::Acceptance;
use crate::evaluate::State;
use crate::evidence::{Outcome, Part};
use crate::finding::{Finding, Problem};
use crate::policy::Whose;
use crate::report::Report;
use crate::report::digest;
use crate::report::view::{Entry, GateView, Rule, View, Weight};
use crate::text;

/// Resources listed in one case.
const MOST_RESOURCES: usize = 50;
/// Rules listed in a gate's case.
const MOST_RULES: usize = 20;

/// A gate: red if it stops the pipeline.
pub(super) fn gate(report: &Report<'_>, gate: &GateView<'_>) -> TestCaseStatus {
    let ruling = gate.ruling;
    let (kind, message) = match ruling.state {
        State::Held => return TestCaseStatus::success(),
        State::Breached => (NonSuccessKind::Failure, gate.limits.clone()),
        State::Undecided => (NonSuccessKind::Error, causes(&ruling.problems)),
    };
    let place = match ruling.gate.whose() {
        Whose::Repository => {
            format!("at {}:{}", text::one_line(report.policy, 1000), ruling.gate.place.line)
        }
        Whose::Organisation => {
            format!("in the policy of the organisation, line {}", ruling.gate.place.line)
        }
    };
    let mut lines = vec![gate.standing.to_owned(), gate.limits.clone(), gate.scope.clone(), place];
    lines.extend(gate.notes.iter().cloned());
    lines.extend(ruling.problems.iter().map(in_words));
    lines.extend(digest::worst_rules(ruling, MOST_RULES));
    status(gate.weight, kind, ruling.state.word(), &message, &lines)
}

/// The evidence of a source, a case for each piece.
pub(super) fn evidence(report: &Report<'_>, outcome: &Outcome) -> Vec<(String, TestCaseStatus)> {
    let usual = "evidence".to_owned();
    let part = |part: &Part| {
        let name = part.framework.as_ref().map(|framework| format!("evidence of {framework}"));
        (name.unwrap_or_else(|| usual.clone()), piece(report, &part.problems))
    };
    let whole = (outcome.parts.is_empty() || !outcome.problems.is_empty())
        .then(|| (usual.clone(), piece(report, &outcome.problems)));
    whole.into_iter().chain(outcome.parts.iter().map(part)).collect()
}

/// A piece of evidence: red if what is wrong with it stops the pipeline.
fn piece(report: &Report<'_>, problems: &[Problem]) -> TestCaseStatus {
    let Some(weight) = problems.iter().map(|problem| weight_of(report, problem)).max() else {
        return TestCaseStatus::success();
    };
    let lines: Vec<_> = problems.iter().map(in_words).collect();
    status(weight, NonSuccessKind::Error, "inconclusive", &causes(problems), &lines)
}

/// What a problem with the evidence means for the pipeline.
fn weight_of(report: &Report<'_>, problem: &Problem) -> Weight {
    let decision = report.decision;
    let concerned = decision.rulings.iter().filter(|ruling| ruling.problems.contains(problem));
    concerned.map(|ruling| Weight::of(ruling)).max().unwrap_or(Weight::Warns)
}

/// A rule that failed somewhere: red if a breached blocking gate counts it.
pub(super) fn rule(view: &View<'_>, rule: &Rule<'_>) -> TestCaseStatus {
    let mut findings = view.findings_of(rule);
    let number = findings.len();
    let (Some(weight @ (Weight::Warns | Weight::Blocks)), Some(worst)) =
        (rule.weight, view.findings_of(rule).next())
    else {
        return accepted(view, rule);
    };
    let severity = rule.first.subject.severity;
    let failed = text::count(number as u64, "resource");
    let message = format!("{failed}; counted by {}", view.responsible_gates(worst));
    let with_severity = format!("{severity}: {message}");
    let help = rule.first.subject.rule.as_ref().and_then(|rule| rule.help.as_deref());
    let mut lines = vec![with_severity.clone()];
    lines.extend(help.map(|help| format!("how: {}", text::one_line(help, 500))));
    lines.extend(findings.by_ref().take(MOST_RESOURCES).map(|entry| resource(entry.finding)));
    if number > MOST_RESOURCES {
        lines.push(format!("and {} more", text::thousands((number - MOST_RESOURCES) as u64)));
    }
    // Readers show `type: message`, and a skipped case has no type.
    let message = if weight == Weight::Blocks { message } else { with_severity };
    status(weight, NonSuccessKind::Failure, severity.word(), &message, &lines)
}

/// A rule that no gate counts over its limit: skipped if its findings are accepted.
fn accepted(view: &View<'_>, rule: &Rule<'_>) -> TestCaseStatus {
    let findings = || view.findings_of(rule).filter_map(|entry| Some((entry, entry.accepted?)));
    let Some((_, entry)) = findings().next() else { return TestCaseStatus::success() };
    let resources = text::count(findings().count() as u64, "resource");
    let message = format!("{resources} accepted, by {}", digest::grounds(&entry.grounds));
    let line = |(entry, by): (&Entry<'_>, &Acceptance)| {
        format!(
            "{}; accepted by `{}`",
            resource(entry.finding),
            text::one_line(&by.grounds.id, 120)
        )
    };
    let lines: Vec<_> = findings().take(MOST_RESOURCES).map(line).collect();
    status(Weight::Warns, NonSuccessKind::Failure, "accepted", &message, &lines)
}

fn resource(finding: &Finding) -> String {
    let reason = finding.reason.as_deref();
    let reason =
        reason.map_or_else(String::new, |reason| format!(": {}", text::one_line(reason, 200)));
    format!("- {}{reason}", digest::resource(finding))
}

/// The entry for all cases that did not fit.
pub(super) fn left_out(cases: u64, red: bool) -> TestCaseStatus {
    let words = format!(
        "{} left out, to keep this file within what CI hosts accept. The gates counted \
         everything, and `--json FILE` lists everything.",
        text::count(cases, "test case")
    );
    let weight = if red { Weight::Blocks } else { Weight::Warns };
    status(weight, NonSuccessKind::Failure, "left-out", &words, std::slice::from_ref(&words))
}

/// Red if it stops the pipeline, else skipped, which hosts show without failing anything.
fn status(
    weight: Weight,
    kind: NonSuccessKind,
    ty: &str,
    message: &str,
    lines: &[String],
) -> TestCaseStatus {
    let mut status = match weight {
        Weight::Blocks => TestCaseStatus::non_success(kind),
        Weight::Warns | Weight::Within => TestCaseStatus::skipped(),
    };
    if weight == Weight::Blocks {
        // Windy Road's schema has no `type` on `<skipped>`, and demands it here.
        status.set_type(ty);
    }
    let lines: Vec<_> = lines.iter().filter(|line| !line.is_empty()).map(String::as_str).collect();
    status.set_message(message);
    status.set_description(text::disarmed(&lines.join("\n")));
    status
}

fn causes<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let words: BTreeSet<_> = problems.into_iter().map(|problem| problem.cause.word()).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn in_words(problem: &Problem) -> String {
    let message = text::one_line(&problem.message, 1000);
    format!("{}: {message}\nnext: {}", problem.cause.word(), digest::next(problem))
}
