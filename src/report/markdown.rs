//! Markdown, for a comment on a pull request and for a job's summary.
//!
//! Verdict, gates, what is missing and what to fix first are on one screen; the rest is folded
//! away. Hosts refuse what is too long, all of it, so the least of it is left out and counted.

use std::io::{self, Write};

use super::digest;
use super::findings::{Entry, Findings, Weight};
use super::{Format, Report};
use crate::evaluate::{Ruling, State};
use crate::text;
use crate::verdict::Verdict;

mod escape;
mod page;

use escape::{code, prose};
use page::Page;

pub const FORMAT: Format = Format { name: "markdown", title: "Markdown", extension: "md", render };

/// GitHub takes 65,536 characters in a comment. A byte is at most one.
const MOST_BYTES: usize = 60_000;

/// Rules shown unfolded, and resources of each.
const RULES: usize = 10;
const RESOURCES: usize = 3;

fn render(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(within(report, MOST_BYTES).as_bytes())
}

/// The report in at most so many bytes, if there is room for a headline at all.
pub fn within(report: &Report<'_>, most: usize) -> String {
    let findings = Findings::of(report).by_weight();
    let mut page = Page::new(most);
    headline(report, &mut page);
    gates(report, &mut page);
    missing(report, &mut page);
    fix_first(report, &findings, &mut page);
    warnings(report, &mut page);
    evidence(report, &mut page);
    all_beyond(&findings, &mut page);
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

fn headline(report: &Report<'_>, page: &mut Page) {
    let decision = report.decision;
    page.line(&format!("### {} {}", sign(decision.verdict), digest::headline(decision)));
    page.blank();
    let environment = report
        .environment
        .map_or_else(String::new, |environment| format!(", environment {}", code(environment, 80)));
    let policy = code(report.policy, 200);
    page.line(&format!("Policy {policy}{environment}. Exit code {}.", report.exit_code));
    if report.evidence.outcomes.iter().any(|outcome| outcome.simulated) {
        page.blank();
        page.line(
            "> **Simulated**: this evidence comes from the embedded simulator. It says nothing \
             about real systems.",
        );
    }
}

/// A row for each gate, worst first.
fn gates(report: &Report<'_>, page: &mut Page) {
    let mode = report.decision.mode;
    let mut rulings: Vec<_> = report.decision.rulings.iter().collect();
    rulings.sort_by_key(|ruling| std::cmp::Reverse(Weight::of(ruling, mode)));
    page.blank();
    page.line("| | Gate | Result | Observed |\n|---|---|---|---|");
    page.rows(rulings.iter().map(|ruling| gate(report, ruling)), |left_out| {
        format!("| | {} | | |", more(left_out, "gate"))
    });
}

fn gate(report: &Report<'_>, ruling: &Ruling<'_>) -> String {
    let mode = report.decision.mode;
    let sign = match (ruling.state, Weight::of(ruling, mode)) {
        (State::Held, _) => "✅",
        (State::Undecided, _) => "❓",
        (State::Breached, Weight::Blocks) => "❌",
        (State::Breached, _) => "⚠️",
    };
    let standing = digest::standing(ruling, mode);
    let standing = match Weight::of(ruling, mode) {
        Weight::Blocks => format!("**{standing}**"),
        Weight::Warns | Weight::Within => standing.to_owned(),
    };
    let mut observed: Vec<_> = [digest::limits(ruling), digest::scope(ruling)]
        .into_iter()
        .filter(|words| !words.is_empty())
        .map(|words| prose(&words, 600))
        .collect();
    if ruling.state == State::Held {
        observed.truncate(1);
    }
    if let Some(exception) = ruling.forgiven {
        let reason = prose(&exception.reason, 300);
        observed.push(format!("let through until {}: {reason}", exception.expires));
    }
    if ruling.state == State::Breached && ruling.only_counted {
        observed.push(prose(&digest::only_counted(report, ruling), 600));
    }
    let id = code(&ruling.gate.id, 80);
    format!("| {sign} | {id} | {standing} | {} |", observed.join("<br>"))
}

/// What could not be established, and what to do next.
fn missing(report: &Report<'_>, page: &mut Page) {
    let problems = digest::problems(report);
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
fn fix_first(report: &Report<'_>, findings: &Findings<'_>, page: &mut Page) {
    let beyond: Vec<_> =
        findings.entries.iter().filter(|entry| findings.is_beyond(entry)).collect();
    let Some(first) = beyond.first() else { return };
    let worst: Vec<_> =
        beyond.iter().copied().filter(|entry| entry.weight == first.weight).collect();
    page.heading(match first.weight {
        Some(Weight::Blocks) => "Fix first",
        _ => "Worth fixing",
    });
    let same_rule = |a: &&Entry<'_>, b: &&Entry<'_>| {
        let severity = |entry: &Entry<'_>| entry.finding.subject.severity;
        (severity(a), a.finding.rule_id(), a.source) == (severity(b), b.finding.rule_id(), b.source)
    };
    let rules: Vec<_> = worst.chunk_by(same_rule).collect();
    page.rows(rules.iter().take(RULES).filter_map(|rule| rule_to_fix(rule)), |left_out| {
        format!("- {}", more(left_out, "rule"))
    });
    if rules.len() > RULES {
        let words = more(rules.len() - RULES, "rule");
        page.line(&format!("- {words}, folded away below"));
    }
    for sentence in digest::after_fix(report) {
        page.blank();
        page.line(sentence);
    }
}

fn rule_to_fix(rule: &[&Entry<'_>]) -> Option<String> {
    let finding = rule.first()?.finding;
    let severity = finding.subject.severity.word();
    let failed = text::count(rule.len() as u64, "resource");
    let mut lines = vec![format!("- **{severity}** {}: {failed}", title(finding))];
    for entry in rule.iter().take(RESOURCES) {
        let reason = entry.finding.reason.as_deref().map(|reason| prose(reason, 160));
        let reason = reason.filter(|reason| !reason.is_empty());
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        lines.push(format!("  - {}{reason}", code(&digest::resource(entry.finding), 700)));
    }
    if rule.len() > RESOURCES {
        lines.push(format!("  - and {} more", text::thousands((rule.len() - RESOURCES) as u64)));
    }
    let help = finding.subject.rule.as_ref().and_then(|rule| rule.help.as_deref());
    let help = help.map(|help| prose(help, 240)).filter(|help| !help.is_empty());
    lines.extend(help.map(|help| format!("  - how: {help}")));
    Some(lines.join("\n"))
}

/// A rule's title and id.
fn title(finding: &crate::finding::Finding) -> String {
    let (title, id) = (finding.title(), finding.rule_id());
    match title == id {
        true => code(id, 200),
        false => format!("{} ({})", prose(title, 120), code(id, 120)),
    }
}

fn warnings(report: &Report<'_>, page: &mut Page) {
    if report.decision.warnings.is_empty() {
        return;
    }
    page.heading("Warnings");
    let warnings = report.decision.warnings.iter();
    page.rows(warnings.map(|warning| format!("- {}", prose(warning, 600))), |left_out| {
        format!("- {}", more(left_out, "warning"))
    });
}

/// What was looked at.
fn evidence(report: &Report<'_>, page: &mut Page) {
    if report.evidence.outcomes.is_empty() {
        return;
    }
    let rows = report.evidence.outcomes.iter().flat_map(|outcome| {
        let requests = text::count(outcome.requests, "request");
        let simulated = if outcome.simulated { ", simulated" } else { "" };
        let (name, origin) = (code(&outcome.source, 80), code(&outcome.origin, 120));
        let head = format!("- {name}: {origin}, {requests}{simulated}");
        let parts = outcome.parts.iter().map(digest::part);
        let notes = outcome.notes.iter().chain(outcome.parts.iter().flat_map(|part| &part.notes));
        let lines = parts.chain(notes.cloned());
        std::iter::once(head).chain(lines.map(|line| format!("  - {}", prose(&line, 600))))
    });
    page.fold("Evidence", |page| {
        page.rows(rows, |left_out| format!("- {}", more(left_out, "line")));
    });
}

/// Every finding beyond a limit, as far as there is room.
fn all_beyond(findings: &Findings<'_>, page: &mut Page) {
    let beyond = findings.entries.iter().filter(|entry| findings.is_beyond(entry));
    let number = beyond.clone().count();
    if number == 0 {
        return;
    }
    let row = |entry: &Entry<'_>| {
        let finding = entry.finding;
        let resource = code(&digest::resource(finding), 300);
        let gates = code(&findings.minding(entry), 160);
        format!("| {} | {} | {resource} | {gates} |", finding.subject.severity, title(finding))
    };
    page.fold(
        &format!("All findings beyond a limit ({})", text::thousands(number as u64)),
        |page| {
            page.line("| Severity | Rule | Resource | Gate |\n|---|---|---|---|");
            page.rows(beyond.map(row), |left_out| {
                format!("| | {}; `--json FILE` lists all | | |", more(left_out, "finding"))
            });
        },
    );
}

fn more(number: usize, noun: &str) -> String {
    format!("and {}", text::count(number as u64, &format!("more {noun}")))
}
