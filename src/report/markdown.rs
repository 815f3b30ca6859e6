//! Markdown, for a comment on a pull request and for a job's summary.
//!
//! Verdict, gates, what is missing and what to fix first are on one screen; the rest is folded
//! away. Hosts refuse what is too long, all of it, so the least of it is left out and counted.

use std::io::{self, Write};

use super::Format;
use super::digest;
use super::view::{self, AcceptanceView, Entry, GateView, RuleToFix, View, Weight};
use crate::evaluate::State;
use crate::text;
use crate::verdict::Verdict;

mod escape;
mod page;

use escape::code;
pub(crate) use escape::prose;
use page::Page;

pub const FORMAT: Format = Format { name: "markdown", title: "Markdown", extension: "md", render };

/// GitHub accepts 65,536 characters in a comment. A byte is at most one.
const MOST_BYTES: usize = 60_000;

/// Rules shown unfolded, and resources of each.
const RULES: usize = 10;
const RESOURCES: usize = 3;

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(within(view, MOST_BYTES).as_bytes())
}

/// The report in at most so many bytes, if a headline fits.
pub fn within(view: &View<'_>, most: usize) -> String {
    let mut page = Page::new(most);
    headline(view, &mut page);
    gates(view, &mut page);
    missing(view, &mut page);
    to_fix(view, &mut page);
    acceptances(view, &mut page);
    warnings(view, &mut page);
    evidence(view, &mut page);
    over_limit(view, &mut page);
    page.finished()
}

/// Of a run that could not begin: why, in the words of the error.
pub fn refused(error: &str) -> String {
    let error = escape::entities(&text::shorten(&text::clean(error, "\n"), 20_000));
    format!(
        "### {} Invalid: nothing was started\n\n<pre>\n{error}\n</pre>\n",
        sign(Verdict::Invalid)
    )
}

const fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✅",
        Verdict::Warned => "⚠️",
        Verdict::Blocked | Verdict::Invalid => "❌",
        Verdict::Unreachable | Verdict::Inconclusive | Verdict::Denied => "❓",
        Verdict::Interrupted | Verdict::Terminated | Verdict::HungUp | Verdict::Quit => "⏹️",
    }
}

fn headline(view: &View<'_>, page: &mut Page) {
    let decision = view.decision;
    page.line(&format!("### {} {}", sign(decision.verdict), digest::headline(view)));
    page.blank();
    let environment = view
        .environment
        .map_or_else(String::new, |environment| format!(", environment {}", code(environment, 80)));
    let policy = code(view.policy, 200);
    page.line(&format!("Policy {policy}{environment}. Exit code {}.", view.exit_code));
    if view.is_simulated() {
        page.blank();
        page.line(&format!("> **Simulated**: {}", digest::SIMULATED));
    }
}

/// A row for each gate, worst first.
fn gates(view: &View<'_>, page: &mut Page) {
    page.blank();
    page.line("| | Gate | Result | Observed |\n|---|---|---|---|");
    page.rows(view.gates.iter().map(gate), |left_out| {
        format!("| | {} | | |", more(left_out, "gate"))
    });
}

fn gate(gate: &GateView<'_>) -> String {
    let state = gate.ruling.state;
    let sign = match (state, gate.weight) {
        (State::Held, _) => "✅",
        (State::Undecided, _) => "❓",
        (State::Breached, Weight::Blocks) => "❌",
        (State::Breached, _) => "⚠️",
    };
    let standing = match gate.weight {
        Weight::Blocks => format!("**{}**", gate.standing),
        Weight::Warns | Weight::Within => gate.standing.to_owned(),
    };
    let scope = Some(&gate.scope).filter(|_| state != State::Held);
    let lines = std::iter::once(&gate.limits).chain(scope).chain(&gate.notes);
    let observed: Vec<_> =
        lines.filter(|line| !line.is_empty()).map(|line| prose(line, 600)).collect();
    let id = code(&gate.ruling.gate.id, 80);
    format!("| {sign} | {id} | {standing} | {} |", observed.join("<br>"))
}

/// What the policy accepts, by whom, why and until when.
fn acceptances(view: &View<'_>, page: &mut Page) {
    if view.acceptances.is_empty() {
        return;
    }
    page.heading("Accepted");
    page.line("| | What | Effect | Until | Owner | Reason |\n|---|---|---|---|---|---|");
    let row = |one: &AcceptanceView<'_>| {
        let reason = [&one.reason, &one.stated].into_iter().filter(|text| !text.is_empty());
        let reason: Vec<_> = reason.map(|text| prose(text, 500)).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            code(&one.id, 120),
            prose(&one.forgives, 300),
            prose(&one.effect, 300),
            prose(&one.term, 80),
            prose(&one.owner, 200),
            reason.join("<br>")
        )
    };
    page.rows(view.acceptances.iter().map(row), |left_out| {
        format!("| {} | | | | | |", more(left_out, "acceptance"))
    });
}

/// What could not be established, and what to do next.
fn missing(view: &View<'_>, page: &mut Page) {
    let problems = &view.problems;
    if problems.is_empty() {
        return;
    }
    page.heading("What is missing");
    let row = |problem: &&crate::finding::Problem| {
        let message = prose(&problem.message, 600);
        let next = prose(&digest::next(problem), 500);
        format!("- **{}**: {message}\n  - next: {next}", problem.cause.word())
    };
    page.rows(problems.iter().take(50).map(row), |left_out| {
        format!("- {}", more(left_out, "problem"))
    });
    if problems.len() > 50 {
        page.line(&format!("- {}", more(problems.len() - 50, "problem")));
    }
}

/// What stops the pipeline, else what warns: by rule, the worst first.
fn to_fix(view: &View<'_>, page: &mut Page) {
    let Some(to_fix) = view.to_fix() else { return };
    page.heading(to_fix.title());
    page.rows(to_fix.rules.iter().take(RULES).map(rule_to_fix), |left_out| {
        format!("- {}", more(left_out, "rule"))
    });
    if to_fix.rules.len() > RULES {
        let words = more(to_fix.rules.len() - RULES, "rule");
        page.line(&format!("- {words}, folded away below"));
    }
    for sentence in digest::after_fix(view) {
        page.blank();
        page.line(sentence);
    }
}

fn rule_to_fix(rule: &RuleToFix<'_, '_>) -> String {
    let severity = rule.first.subject.severity.word();
    let failed = text::count(rule.entries.len() as u64, "resource");
    let mut lines = vec![format!("- **{severity}** {}: {failed}", title(rule.first))];
    for entry in rule.entries.iter().take(RESOURCES) {
        let reason = view::reason(entry.finding).map(|reason| prose(&reason, 160));
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        lines.push(format!("  - {}{reason}", code(&digest::resource(entry.finding), 700)));
    }
    if rule.entries.len() > RESOURCES {
        let more = text::thousands((rule.entries.len() - RESOURCES) as u64);
        lines.push(format!("  - and {more} more"));
    }
    let help = rule.help().map(|help| prose(help, 240)).filter(|help| !help.is_empty());
    lines.extend(help.map(|help| format!("  - how: {help}")));
    lines.join("\n")
}

/// A rule's title and id.
fn title(finding: &crate::finding::Finding) -> String {
    let (title, id) = (finding.title(), finding.rule_id());
    match title == id {
        true => code(id, 200),
        false => format!("{} ({})", prose(title, 120), code(id, 120)),
    }
}

fn warnings(view: &View<'_>, page: &mut Page) {
    if view.decision.warnings.is_empty() {
        return;
    }
    page.heading("Warnings");
    let warnings = view.decision.warnings.iter();
    page.rows(warnings.map(|warning| format!("- {}", prose(warning, 600))), |left_out| {
        format!("- {}", more(left_out, "warning"))
    });
}

/// What was looked at.
fn evidence(view: &View<'_>, page: &mut Page) {
    if view.evidence.outcomes.is_empty() {
        return;
    }
    let rows = view.evidence.outcomes.iter().flat_map(|outcome| {
        let requests = text::count(outcome.requests, "request");
        let simulated = if outcome.simulated { ", simulated" } else { "" };
        let (name, origin) = (code(&outcome.source, 80), code(&outcome.origin, 120));
        let head = format!("- {name}: {origin}, {requests}{simulated}");
        let lines = view::evidence_lines(outcome, view.now);
        std::iter::once(head).chain(lines.map(|line| format!("  - {}", prose(&line, 600))))
    });
    page.fold("Evidence", |page| {
        page.rows(rows, |left_out| format!("- {}", more(left_out, "line")));
    });
}

/// Every finding over a limit, as far as they fit.
fn over_limit(view: &View<'_>, page: &mut Page) {
    let beyond = view.over_limit();
    let number = beyond.clone().count();
    if number == 0 {
        return;
    }
    let row = |entry: &Entry<'_>| {
        let finding = entry.finding;
        let resource = code(&digest::resource(finding), 300);
        let gates = code(&view.responsible_gates(entry), 160);
        format!("| {} | {} | {resource} | {gates} |", finding.subject.severity, title(finding))
    };
    page.fold(&format!("All findings over a limit ({})", text::thousands(number as u64)), |page| {
        page.line("| Severity | Rule | Resource | Gate |\n|---|---|---|---|");
        page.rows(beyond.map(row), |left_out| {
            format!("| | {}; `--json FILE` lists all | | |", more(left_out, "finding"))
        });
    });
}

fn more(number: usize, noun: &str) -> String {
    format!("and {}", text::count(number as u64, &format!("more {noun}")))
}
