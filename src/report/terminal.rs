//! The report for people: the result, why, and what to do next, on one screen where possible.
//!
//! Colours only repeat what the words and signs say. Every line begins with our own words or is
//! disarmed, so that nothing a platform sent can begin a line that a CI host obeys.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};

use super::digest;
use super::view::{self, AcceptanceView, GateView, RuleToFix, View, Weight};
use crate::evaluate::{Ruling, State};
use crate::evidence::Outcome;
use crate::finding::Severity;
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

/// Writes the view. Styles are escape sequences; the caller strips them where they would not
/// be understood.
///
/// # Errors
/// What the writer reports.
pub fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    result(view, out)?;
    evidence(view, out)?;
    last_line(view, out)
}

/// The first part: the result, and what to do.
///
/// # Errors
/// What the writer reports.
pub fn result(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen { out };
    headline(view, &mut screen)?;
    screen.heading("Gates")?;
    view.gates.iter().try_for_each(|gate| self::gate(gate, &mut screen))?;
    to_fix(view, &mut screen)?;
    missing(view, &mut screen)?;
    acceptances(view, &mut screen)?;
    list("Warnings", &view.decision.warnings, &mut screen)
}

/// What the policy accepts: everything that changed the decision, or did until it lapsed.
fn acceptances(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    if !view.acceptances.is_empty() {
        screen.heading("Accepted")?;
    }
    view.acceptances.iter().try_for_each(|one| {
        let AcceptanceView { id, effect, term, owner, reason, stated, .. } = one;
        let stated = if stated.is_empty() { String::new() } else { format!(" ({stated})") };
        screen.item(2, BOLD, id, &format!("{effect}; {term}; {owner}: {reason}{stated}"))
    })
}

fn headline(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let verdict = view.decision.verdict;
    let style = match verdict {
        Verdict::Passed => GREEN.bold(),
        Verdict::Warned => YELLOW,
        _ if view.decision.exit_code() == 0 => YELLOW,
        _ => RED,
    };
    screen.item(0, style, &digest::headline(view), "")?;
    let policy = text::one_line(view.policy, 200);
    let environment = view.environment.map_or_else(String::new, |environment| {
        format!(", environment {}", text::one_line(environment, 80))
    });
    screen.item(0, PLAIN, "Policy", &format!("{policy}{environment}"))?;
    screen.item(0, PLAIN, "", view.changes.unwrap_or_default())?;
    if view.evidence.outcomes.iter().any(|outcome| outcome.simulated) {
        let words = "this evidence comes from the embedded simulator. It says nothing about real \
                     systems.";
        screen.item(0, YELLOW, "SIMULATED:", words)?;
    }
    Ok(())
}

/// A paragraph for each gate: observed, limit, by how much.
fn gate(gate: &GateView<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let (sign, style) = match (gate.ruling.state, gate.weight) {
        (State::Held, _) => ("✓", GREEN),
        (State::Undecided, Weight::Blocks) => ("?", RED),
        (State::Undecided, _) => ("?", YELLOW),
        (State::Breached, Weight::Blocks) => ("✗", RED),
        (State::Breached, _) => ("!", YELLOW),
    };
    let lead = format!("{sign} {}", text::one_line(&gate.ruling.gate.id, 80));
    let GateView { standing, limits, scope, notes, .. } = gate;
    if gate.ruling.state == State::Held {
        screen.item(2, style, &lead, &format!("{standing}: {limits}"))?;
    } else {
        screen.item(2, style, &lead, standing)?;
        screen.item(6, PLAIN, "", limits)?;
        screen.item(6, PLAIN, "", scope)?;
    }
    notes.iter().try_for_each(|note| screen.item(6, YELLOW, "note:", note))
}

/// The findings to fix first: what stops the pipeline, else what warns.
fn to_fix(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let Some(to_fix) = view.to_fix() else { return Ok(()) };
    screen.heading(to_fix.title())?;
    let (mut shown, mut rules_shown) = (0, 0);
    for rule in &to_fix.rules {
        if shown == SHOWN {
            break;
        }
        let resources = rule.entries.len().min(SHOWN_OF_RULE).min(SHOWN - shown);
        rule_to_fix(rule, resources, screen)?;
        shown += resources;
        rules_shown += 1;
    }
    let rest = to_fix.rules.get(rules_shown..).unwrap_or_default();
    if !rest.is_empty() {
        let findings: usize = rest.iter().map(|rule| rule.entries.len()).sum();
        let rules = text::count(rest.len() as u64, "rule");
        let words = format!("{} of {rules}", text::count(findings as u64, "more finding"));
        screen.item(2, BOLD, "and", &format!("{words}; `--json FILE` lists all."))?;
    }
    for sentence in digest::after_fix(view) {
        screen.item(2, BOLD, "Note", sentence)?;
    }
    Ok(())
}

fn rule_to_fix(
    rule: &RuleToFix<'_, '_>,
    resources: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let severity = rule.first.subject.severity;
    let failed = text::count(rule.entries.len() as u64, "resource");
    let style = if severity >= Severity::High { RED } else { YELLOW };
    screen.item(2, style, severity.word(), &format!("{}: {failed}", digest::rule(rule.first)))?;
    if let Some(reason) = &rule.reason {
        screen.item(6, BOLD, "why:", reason)?;
    }
    for entry in rule.entries.iter().take(resources) {
        let reason = view::reason(entry.finding).filter(|_| rule.reason.is_none());
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        screen.item(6, PLAIN, "-", &format!("{}{reason}", digest::resource(entry.finding)))?;
    }
    if rule.entries.len() > resources {
        let more = text::thousands((rule.entries.len() - resources) as u64);
        screen.item(6, PLAIN, "-", &format!("and {more} more"))?;
    }
    match rule.help() {
        Some(help) => screen.item(6, BOLD, "how:", &text::one_line(help, 240)),
        None => Ok(()),
    }
}

/// What could not be established, and what to do next.
fn missing(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let problems = &view.problems;
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
pub fn evidence(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.evidence.outcomes.is_empty() {
        return Ok(());
    }
    let screen = &mut Screen { out };
    screen.heading("Evidence")?;
    for outcome in &view.evidence.outcomes {
        source(outcome, view.now, screen)?;
    }
    Ok(())
}

fn source(outcome: &Outcome, now: DateTime<Utc>, screen: &mut Screen<'_>) -> io::Result<()> {
    let simulated = if outcome.simulated { " (SIMULATED)" } else { "" };
    let origin = text::one_line(&outcome.origin, 120);
    let requests = text::count(outcome.requests, "request");
    let name = text::one_line(&outcome.source, 80);
    screen.item(2, BOLD, &format!("{name}{simulated}"), &format!("{origin}, {requests}"))?;
    view::evidence_lines(outcome, now).try_for_each(|line| screen.item(6, PLAIN, "-", &line))
}

/// The last line: the verdict once more, where people look first.
pub fn last_line(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen { out };
    let decision = view.decision;
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
    let words = format!("{}{by}{observed}. Exit code {}.", decision.verdict, view.exit_code);
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
