//! The report for people: what came out, why, and what to do next, on one screen where it can be.
//!
//! Colours only repeat what the words and signs say. Every line begins with our own words or is
//! disarmed, so that nothing a platform sent can begin a line that a CI host obeys.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::Report;
use super::digest;
use super::findings::{Entry, Findings, Weight};
use crate::evaluate::{Ruling, State};
use crate::evidence::Outcome;
use crate::policy::Mode;
use crate::text;
use crate::verdict::Verdict;

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const PLAIN: Style = Style::new();

/// Findings shown in all, and of one rule.
const SHOWN: usize = 10;
const SHOWN_OF_RULE: usize = 3;

/// Gates named in the last line.
const NAMED: usize = 3;

/// Writes the report. Styles are escape sequences; the caller strips them where they would not
/// be understood.
///
/// # Errors
/// What the writer says.
pub fn render(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    result(report, out)?;
    evidence(report, out)?;
    last_line(report, out)
}

/// The first part: what came out, and what to do.
pub fn result(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen { out };
    let findings = Findings::of(report);
    headline(report, &mut screen)?;
    gates(report, &mut screen)?;
    to_fix(report, &findings, &mut screen)?;
    missing(report, &mut screen)?;
    list("Warnings", &report.decision.warnings, &mut screen)
}

fn headline(report: &Report<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let verdict = report.decision.verdict;
    let style = match verdict {
        Verdict::Passed => GREEN.bold(),
        Verdict::Warned => YELLOW,
        _ if report.decision.exit_code() == 0 => YELLOW,
        _ => RED,
    };
    screen.item(0, style, &digest::headline(report.decision), "")?;
    let policy = text::one_line(report.policy, 200);
    let environment = report.environment.map_or_else(String::new, |environment| {
        format!(", environment {}", text::one_line(environment, 80))
    });
    screen.item(0, PLAIN, "Policy", &format!("{policy}{environment}"))?;
    if report.evidence.outcomes.iter().any(|outcome| outcome.simulated) {
        let words = "this evidence comes from the embedded simulator. It says nothing about real \
                     systems.";
        screen.item(0, YELLOW, "SIMULATED:", words)?;
    }
    Ok(())
}

/// A paragraph for each gate, worst first: observed, limit, by how much.
fn gates(report: &Report<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let mode = report.decision.mode;
    let mut rulings: Vec<_> = report.decision.rulings.iter().collect();
    rulings.sort_by_key(|ruling| std::cmp::Reverse(Weight::of(ruling, mode)));
    screen.heading("Gates")?;
    for ruling in rulings {
        gate(ruling, mode, screen)?;
    }
    Ok(())
}

fn gate(ruling: &Ruling<'_>, mode: Mode, screen: &mut Screen<'_>) -> io::Result<()> {
    let (sign, style) = match (ruling.state, Weight::of(ruling, mode)) {
        (State::Held, _) => ("✓", GREEN),
        (State::Undecided, Weight::Blocks) => ("?", RED),
        (State::Undecided, _) => ("?", YELLOW),
        (State::Breached, Weight::Blocks) => ("✗", RED),
        (State::Breached, _) => ("!", YELLOW),
    };
    let id = text::one_line(&ruling.gate.id, 80);
    let limits = digest::limits(ruling);
    let standing = digest::standing(ruling, mode);
    if ruling.state == State::Held {
        return screen.item(2, style, &format!("{sign} {id}"), &format!("{standing}: {limits}"));
    }
    screen.item(2, style, &format!("{sign} {id}"), standing)?;
    screen.item(6, PLAIN, "", &limits)?;
    screen.item(6, PLAIN, "", &digest::scope(ruling))?;
    if let Some(exception) = ruling.forgiven {
        let reason = text::one_line(&exception.reason, 300);
        let words = format!("until {}: {reason}", exception.expires);
        screen.item(6, YELLOW, "evidence.fail_open", &words)?;
    }
    Ok(())
}

/// The findings to fix first: what stops the pipeline, else what warns.
fn to_fix(report: &Report<'_>, all: &Findings<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let mode = report.decision.mode;
    let breached: Vec<_> =
        report.decision.rulings.iter().filter(|ruling| ruling.state == State::Breached).collect();
    let Some(weight) = breached.iter().map(|ruling| Weight::of(ruling, mode)).max() else {
        return Ok(());
    };
    screen.heading(if weight == Weight::Blocks { "Fix first" } else { "Worth fixing" })?;
    let counts = |entry: &&Entry<'_>| {
        all.gates(entry)
            .any(|gate| gate.state == State::Breached && Weight::of(gate, mode) == weight)
    };
    let findings: Vec<_> = all.entries.iter().filter(counts).collect();
    by_rule(&findings, screen)?;
    for ruling in breached.iter().filter(|ruling| ruling.only_counted) {
        let id = text::one_line(&ruling.gate.id, 80);
        let words = digest::only_counted(report, ruling);
        screen.item(2, BOLD, "Note", &format!("{id}: {words}"))?;
    }
    for sentence in digest::after_fix(report) {
        screen.item(2, BOLD, "Note", sentence)?;
    }
    Ok(())
}

fn by_rule(findings: &[&Entry<'_>], screen: &mut Screen<'_>) -> io::Result<()> {
    let same_rule = |a: &&Entry<'_>, b: &&Entry<'_>| {
        let key = |entry: &Entry<'_>| entry.finding.subject.severity;
        (key(a), a.finding.rule_id(), a.source) == (key(b), b.finding.rule_id(), b.source)
    };
    let (mut shown, mut rules_shown) = (0, 0);
    for rule in findings.chunk_by(same_rule) {
        if shown == SHOWN {
            break;
        }
        let resources = rule.len().min(SHOWN_OF_RULE).min(SHOWN - shown);
        rule_with_resources(rule, resources, screen)?;
        shown += resources;
        rules_shown += rule.len();
    }
    let rest = findings.get(rules_shown..).unwrap_or_default();
    if !rest.is_empty() {
        let rules = text::count(rest.chunk_by(same_rule).count() as u64, "rule");
        let words = format!("{} of {rules}", text::count(rest.len() as u64, "more finding"));
        screen.item(2, BOLD, "and", &format!("{words}; `--json FILE` lists all."))?;
    }
    Ok(())
}

fn rule_with_resources(
    rule: &[&Entry<'_>],
    resources: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let Some(first) = rule.first() else { return Ok(()) };
    let finding = first.finding;
    let severity = finding.subject.severity;
    let failed = text::count(rule.len() as u64, "resource");
    let style = if severity >= crate::finding::Severity::High { RED } else { YELLOW };
    screen.item(2, style, severity.word(), &format!("{}: {failed}", digest::rule(finding)))?;
    // Mostly all resources fail for one reason, which need not be told for each.
    let reason =
        |entry: &Entry<'_>| entry.finding.reason.as_deref().map(|text| text::one_line(text, 160));
    let first = reason(first);
    let common = rule.iter().all(|entry| reason(entry) == first);
    if let (true, Some(reason)) = (common, &first) {
        screen.item(6, BOLD, "why:", reason)?;
    }
    for entry in rule.iter().take(resources) {
        let reason = reason(entry).filter(|_| !common);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        screen.item(6, PLAIN, "-", &format!("{}{reason}", digest::resource(entry.finding)))?;
    }
    if rule.len() > resources {
        let more = text::thousands((rule.len() - resources) as u64);
        screen.item(6, PLAIN, "-", &format!("and {more} more"))?;
    }
    let help = finding.subject.rule.as_ref().and_then(|rule| rule.help.as_deref());
    if let Some(help) = help {
        screen.item(6, BOLD, "how:", &text::one_line(help, 240))?;
    }
    Ok(())
}

/// What could not be established, and what to do next.
fn missing(report: &Report<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let problems = digest::problems(report);
    if problems.is_empty() {
        return Ok(());
    }
    screen.heading("What is missing")?;
    for problem in problems.iter().take(SHOWN) {
        let message = text::one_line(&problem.message, 600);
        screen.item(2, RED, &format!("{}:", problem.cause.word()), &message)?;
        screen.item(6, BOLD, "next:", &digest::next(problem))?;
    }
    if problems.len() > SHOWN {
        let more = text::count((problems.len() - SHOWN) as u64, "more problem");
        screen.item(2, BOLD, "and", &format!("{more}; `--json FILE` lists all."))?;
    }
    Ok(())
}

fn list(title: &str, lines: &[String], screen: &mut Screen<'_>) -> io::Result<()> {
    if !lines.is_empty() {
        screen.heading(title)?;
    }
    lines.iter().try_for_each(|line| screen.item(2, YELLOW, "!", &text::one_line(line, 600)))
}

/// What was looked at: a paragraph for each source.
pub fn evidence(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.evidence.outcomes.is_empty() {
        return Ok(());
    }
    let screen = &mut Screen { out };
    screen.heading("Evidence")?;
    for outcome in &report.evidence.outcomes {
        source(outcome, screen)?;
    }
    Ok(())
}

fn source(outcome: &Outcome, screen: &mut Screen<'_>) -> io::Result<()> {
    let simulated = if outcome.simulated { " (SIMULATED)" } else { "" };
    let origin = text::one_line(&outcome.origin, 120);
    let requests = text::count(outcome.requests, "request");
    let name = text::one_line(&outcome.source, 80);
    screen.item(2, BOLD, &format!("{name}{simulated}"), &format!("{origin}, {requests}"))?;
    for part in &outcome.parts {
        screen.item(6, PLAIN, "-", &digest::part(part))?;
    }
    let notes = outcome.parts.iter().flat_map(|part| &part.notes);
    outcome
        .notes
        .iter()
        .chain(notes)
        .try_for_each(|note| screen.item(6, PLAIN, "note:", &text::one_line(note, 400)))
}

/// The last line: the verdict once more, where people look first.
pub fn last_line(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen { out };
    let decision = report.decision;
    let observed = match decision.mode {
        Mode::Observe => ", observed only",
        Mode::Enforce => "",
    };
    writeln!(screen.out)?;
    // Those that stop the pipeline, or where none does, those that warn.
    let warns = decision.verdict.is_pass();
    let names = |ruling: &&Ruling<'_>| ruling.state != State::Held && (warns || ruling.blocks());
    let named: Vec<_> = decision.rulings.iter().filter(names).collect();
    let ids = named.iter().take(NAMED).map(|ruling| text::one_line(&ruling.gate.id, 80));
    let ids: Vec<_> = ids.collect();
    let by = match named.len().saturating_sub(NAMED) {
        0 if ids.is_empty() => String::new(),
        0 => format!(" ({})", ids.join(", ")),
        more => format!(" ({} and {more} more)", ids.join(", ")),
    };
    let words = format!("{}{by}{observed}. Exit code {}.", decision.verdict, report.exit_code);
    screen.item(0, BOLD, "Verdict:", &words)
}

/// Lines for people. None is wrapped: terminals and CI hosts do that themselves, and a sentence on
/// one line can be searched for and copied.
struct Screen<'a> {
    out: &'a mut dyn Write,
}

impl Screen<'_> {
    fn heading(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out)?;
        self.item(0, BOLD, title, "")
    }

    /// A line: a styled lead, then text.
    fn item(&mut self, indent: usize, style: Style, lead: &str, text: &str) -> io::Result<()> {
        match (lead, text) {
            ("", "") => Ok(()),
            ("", text) => writeln!(self.out, "{:indent$}{}", "", text::disarmed(text)),
            (lead, "") => writeln!(self.out, "{:indent$}{style}{lead}{style:#}", ""),
            (lead, text) => writeln!(self.out, "{:indent$}{style}{lead}{style:#} {text}", ""),
        }
    }
}
