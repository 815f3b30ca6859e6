//! The report for people: the answer, why, and what to do next, on one screen where possible.
//!
//! Colours only repeat what the words and signs say. Every line begins with our own words or is
//! disarmed, so that nothing a platform sent can begin a line that a CI host obeys.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};

use super::view::{self, AcceptanceView, Contact, GateView, NextSteps, RuleToFix, View, Weight};
use super::{EVIDENCE, Format, digest};
use crate::evaluate::{Ruling, State};
use crate::evidence::Outcome;
use crate::finding::Severity;
use crate::policy::Mode;
use crate::text;
use crate::verdict::Verdict;

mod screen;

use screen::{Screen, width};

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const PLAIN: Style = Style::new();

/// Rules to fix that are shown, and resources of each.
const RULES: usize = 3;
const RESOURCES: usize = 2;
/// The same with `-v`.
const MORE_RULES: usize = 20;
const MORE_RESOURCES: usize = 5;

/// Problems that are shown.
const PROBLEMS: usize = 10;

/// Gates named in the last line.
const NAMED: usize = 2;

/// Where the columns of gates begin.
const GATE: usize = 4;
/// The least that the last column of gates needs.
const PLACE: usize = 16;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// One line.
    Line,
    /// A screen.
    #[default]
    Screen,
    /// Also what no one has to act on.
    Full,
}

/// How the report is laid out, and what it can point to.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalStyle<'a> {
    /// The width of the terminal; `None` where lines need not be wrapped.
    pub columns: Option<usize>,
    pub detail: Detail,
    /// The reports that were written.
    pub reports: &'a [(&'static Format, PathBuf)],
}

/// Writes the view. Styles are escape sequences; the caller strips them where they would not
/// be understood.
///
/// # Errors
/// What the writer reports.
pub fn render(view: &View<'_>, look: TerminalStyle<'_>, out: &mut dyn Write) -> io::Result<()> {
    result(view, look, out)?;
    evidence(view, look, out)?;
    last_line(view, look, out)
}

/// The first part: the result, and what to do.
///
/// # Errors
/// What the writer reports.
pub fn result(view: &View<'_>, look: TerminalStyle<'_>, out: &mut dyn Write) -> io::Result<()> {
    if look.detail == Detail::Line {
        return Ok(());
    }
    let screen = &mut Screen::new(out, look.columns);
    headline(view, screen)?;
    gates(view, look.detail, screen)?;
    missing(view, screen)?;
    acceptances(view, screen)?;
    warnings(view, screen)?;
    to_fix(view, look.detail, screen)?;
    next_steps(view, look, screen)
}

/// The answer, and what it is about.
fn headline(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let (sign, style) = sign(view);
    screen.item(0, 2, style, &format!("{sign} {}", digest::headline(view)), "")?;
    let environment = view.environment.map(|name| text::one_line(name, 80));
    let policy = text::one_line(view.policy, 200);
    let about: Vec<_> = environment.into_iter().chain([policy]).collect();
    let about = about.join(" · ");
    match view.is_simulated() {
        true => screen.item(2, 2, YELLOW, "SIMULATED", &format!("(no real systems) · {about}"))?,
        false => screen.text(2, FAINT, &about)?,
    }
    screen.text(2, PLAIN, view.changes.unwrap_or_default())
}

fn sign(view: &View<'_>) -> (&'static str, Style) {
    match view.decision.verdict {
        Verdict::Passed => ("✓", GREEN.bold()),
        Verdict::Warned => ("✓", YELLOW),
        _ if view.decision.exit_code() == 0 => ("!", YELLOW),
        Verdict::Inconclusive => ("?", RED),
        _ => ("✗", RED),
    }
}

/// A row for each gate that needs a look, and one line for those that hold.
fn gates(view: &View<'_>, detail: Detail, screen: &mut Screen<'_>) -> io::Result<()> {
    let cause_is_known =
        matches!(view.decision.verdict, Verdict::Invalid | Verdict::Denied | Verdict::Unreachable);
    let is_judged = |gate: &&GateView<'_>| {
        !(cause_is_known && gate.weight == Weight::Blocks && gate.ruling.state == State::Undecided)
    };
    let is_quiet = |gate: &&GateView<'_>| gate.weight == Weight::Within && gate.notes.is_empty();
    let (judged, not_judged): (Vec<_>, Vec<_>) = view.gates.iter().partition(is_judged);
    let (quiet, rows): (Vec<_>, Vec<_>) =
        judged.into_iter().partition(|gate| detail < Detail::Full && is_quiet(gate));
    screen.blank()?;
    let columns = Columns::of(&rows);
    rows.iter().try_for_each(|gate| self::gate(gate, &columns, detail, screen))?;
    let names = |gates: &[&GateView<'_>]| {
        let ids = gates.iter().map(|gate| text::one_line(&gate.ruling.gate.id, 80));
        text::listed(ids, ", ", 12)
    };
    if !not_judged.is_empty() {
        let count = text::count(not_judged.len() as u64, "gate");
        let lead = format!("? {count} could not be judged:");
        screen.item(2, GATE, RED, &lead, &names(&not_judged))?;
    }
    let count = quiet.len();
    let more = if rows.is_empty() && not_judged.is_empty() { "" } else { "more " };
    match &quiet[..] {
        [] => Ok(()),
        [_] => screen.item(2, GATE, GREEN, &format!("✓ 1 {more}holds:"), &names(&quiet)),
        _ => screen.item(2, GATE, GREEN, &format!("✓ {count} {more}hold:"), &names(&quiet)),
    }
}

/// The widths of the columns of gates.
struct Columns {
    id: usize,
    found: usize,
    allowed: usize,
}

impl Columns {
    fn of(gates: &[&GateView<'_>]) -> Self {
        let widest = |of: &dyn Fn(&GateView<'_>) -> usize| {
            gates.iter().map(|gate| of(gate)).max().unwrap_or_default()
        };
        Self {
            id: widest(&|gate| width(&id(gate))),
            found: widest(&|gate| width(&gate.found)),
            allowed: widest(&|gate| width(&gate.allowed)),
        }
    }

    /// Where the last column begins.
    const fn place(&self) -> usize {
        GATE + self.id + 2 + self.found + 2 + self.allowed + 2
    }
}

fn id(gate: &GateView<'_>) -> String {
    text::one_line(&gate.ruling.gate.id, 80)
}

fn place(gate: &GateView<'_>) -> String {
    let remarks = [gate.over.as_str(), gate.remark];
    match remarks.into_iter().filter(|remark| !remark.is_empty()).collect::<Vec<_>>() {
        remarks if remarks.is_empty() => gate.place.clone(),
        remarks => format!("{} ({})", gate.place, remarks.join("; ")),
    }
}

/// What was found, what is allowed, and where: in columns where they fit.
fn gate(
    gate: &GateView<'_>,
    columns: &Columns,
    detail: Detail,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let (sign, style) = match (gate.ruling.state, gate.weight) {
        (State::Held, _) => ("✓", GREEN),
        (State::Undecided, Weight::Blocks) => ("?", RED),
        (State::Undecided, _) => ("?", YELLOW),
        (State::Breached, Weight::Blocks) => ("✗", RED),
        (State::Breached, _) => ("!", YELLOW),
    };
    let (id, place) = (id(gate), place(gate));
    let GateView { found, allowed, .. } = gate;
    if screen.has(columns.place() + PLACE) {
        let pad = |text: &str, columns: usize| format!("{text}{:1$}", "", columns - width(text));
        let lead = format!("{sign} {}", pad(&id, columns.id));
        let cells = format!("{}  {}", pad(found, columns.found), pad(allowed, columns.allowed));
        screen.row(2, style, &lead, &cells, &place)?;
    } else {
        screen.item(2, GATE + 2, style, &format!("{sign} {id}"), "")?;
        let cells = [found, allowed, &place].into_iter().filter(|cell| !cell.is_empty());
        let cells: Vec<_> = cells.map(String::as_str).collect();
        screen.text(GATE + 2, PLAIN, &cells.join(" · "))?;
    }
    let red = gate.ruling.state != State::Held;
    if let Some(description) = gate.description.as_ref().filter(|_| red) {
        screen.text(GATE + 2, PLAIN, description)?;
    }
    if (gate.says_more() || detail == Detail::Full) && !gate.limits.is_empty() {
        screen.text(GATE + 2, PLAIN, &gate.limits)?;
    }
    if detail == Detail::Full {
        screen.text(GATE + 2, PLAIN, &gate.scope)?;
    }
    let note = |note: &String| screen.item(GATE + 2, GATE + 4, YELLOW, "note:", note);
    gate.notes.iter().try_for_each(note)
}

/// What the policy accepts: everything that changed the decision, or did until it lapsed.
fn acceptances(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    if !view.acceptances.is_empty() {
        screen.heading(BOLD, "Accepted")?;
    }
    view.acceptances.iter().try_for_each(|one| {
        let AcceptanceView { id, effect, term, owner, reason, stated, .. } = one;
        let stated = if stated.is_empty() { String::new() } else { format!(" ({stated})") };
        let text = format!("{effect}; {term}; {owner}: {reason}{stated}");
        screen.item(2, GATE, BOLD, id, &text)
    })
}

/// The findings to fix first: what stops the pipeline, else what warns.
fn to_fix(view: &View<'_>, detail: Detail, screen: &mut Screen<'_>) -> io::Result<()> {
    let Some(to_fix) = view.to_fix() else { return Ok(()) };
    let (rules, resources) = match detail {
        Detail::Full => (MORE_RULES, MORE_RESOURCES),
        _ => (RULES, RESOURCES),
    };
    let findings: usize = to_fix.rules.iter().map(|rule| rule.entries.len()).sum();
    let findings = text::count(findings as u64, "finding");
    let about = match to_fix.rules.len() {
        all if all > rules => {
            format!("{findings}; {rules} of {} rules shown", text::thousands(all as u64))
        }
        all => format!("{findings} of {}", text::count(all as u64, "rule")),
    };
    screen.heading(BOLD, &format!("{} ({about})", to_fix.title()))?;
    let shown = to_fix.rules.iter().take(rules);
    shown.into_iter().try_for_each(|rule| rule_to_fix(view, rule, resources, detail, screen))
}

fn rule_to_fix(
    view: &View<'_>,
    rule: &RuleToFix<'_, '_>,
    resources: usize,
    detail: Detail,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let severity = rule.first.subject.severity;
    let style = if severity >= Severity::High { RED } else { YELLOW };
    let gates = rule.entries.first().map(|entry| view.responsible_gates(entry));
    let gates = gates.unwrap_or_default();
    let title = digest::rule(rule.first);
    let count = text::thousands(rule.entries.len() as u64);
    screen.item(2, GATE + 2, style, severity.word(), &format!("{title}: {count}, {gates}"))?;
    for entry in rule.entries.iter().take(resources) {
        let mut line = digest::resource(entry.finding);
        for (word, who) in
            [("assigned to", entry.finding.assignee.as_deref()), ("ask", entry.owner)]
        {
            if let Some(who) = who {
                line += &format!(" · {word} {}", text::one_line(who, 120));
            }
        }
        let why = view::reason(entry.finding).filter(|_| detail == Detail::Full);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        screen.item(GATE + 2, GATE + 4, PLAIN, "", &format!("{line}{why}"))?;
        if let Some(link) = view::link(entry.finding) {
            screen.text(GATE + 2, PLAIN, &link)?;
        }
    }
    if rule.entries.len() > resources {
        let more = text::thousands((rule.entries.len() - resources) as u64);
        screen.text(GATE + 2, PLAIN, &format!("and {more} more"))?;
    }
    match rule.help().filter(|_| detail == Detail::Full) {
        Some(help) => screen.item(GATE + 2, GATE + 4, BOLD, "how:", &text::one_line(help, 240)),
        None => Ok(()),
    }
}

/// What could not be established, and what to do next.
fn missing(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let problems = &view.problems;
    if problems.is_empty() {
        return Ok(());
    }
    screen.heading(BOLD, "What is missing")?;
    for problem in problems.iter().take(PROBLEMS) {
        let message = text::one_line(&problem.message, 600);
        screen.item(2, GATE + 2, RED, &format!("{}:", problem.cause.word()), &message)?;
        screen.item(GATE + 2, GATE + 4, BOLD, "next:", &digest::next(problem))?;
    }
    if problems.len() > PROBLEMS {
        let more = text::count((problems.len() - PROBLEMS) as u64, "more problem");
        screen.item(2, GATE, BOLD, "and", &format!("{more}; `--json FILE` lists all."))?;
    }
    Ok(())
}

fn warnings(view: &View<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let lines = &view.decision.warnings;
    if !lines.is_empty() {
        screen.heading(BOLD, "Warnings")?;
    }
    let line = |line: &String| screen.item(2, GATE, YELLOW, "!", &text::one_line(line, 600));
    lines.iter().try_for_each(line)
}

/// What a reader does now: fix, ask, look closer, accept.
fn next_steps(view: &View<'_>, look: TerminalStyle<'_>, screen: &mut Screen<'_>) -> io::Result<()> {
    let Some(next) = view.next_steps() else { return Ok(()) };
    screen.heading(BOLD, "What now")?;
    let mut steps = Vec::new();
    if next.findings > 0 {
        let fix = digest::fix(&next, view);
        steps
            .push(std::iter::once(fix).chain(next.after_fix.clone()).collect::<Vec<_>>().join(" "));
    }
    steps.extend(asked(&next));
    let report = look.reports.iter().find(|(format, _)| format.name == "html");
    let everything = match report {
        Some((_, path)) => format!("Everything: {}. ", path.display()),
        None => "Everything: add `--html FILE`. ".to_owned(),
    };
    let explain = next.commands.as_ref().map(|advice| format!("Why: `{}`.", advice.explain()));
    steps.push(text::one_line(&(everything + &explain.unwrap_or_default()), 600));
    if let Some(advice) = next.commands.filter(|_| next.findings > 0) {
        let evidence = look.reports.iter().find(|(format, _)| format.name == EVIDENCE.name);
        let evidence = evidence.map(|(_, path)| path.as_path()).or(view.evidence_path);
        let (file, from) = match evidence {
            Some(path) => (path.display().to_string(), ""),
            None => ("EVIDENCE".to_owned(), " (of `--save-evidence EVIDENCE`)"),
        };
        steps.push(format!("Accept: `{}`{from}.", advice.accept(&file)));
    }
    for (at, step) in steps.iter().enumerate() {
        screen.item(2, GATE + 1, BOLD, &format!("{}.", at + 1), step)?;
    }
    Ok(())
}

/// Whom to ask: the owners of what was found, then the owners of the gates.
fn asked(next: &NextSteps) -> Vec<String> {
    let owners = next
        .owners
        .iter()
        .map(|(owner, count)| format!("{owner} ({})", text::count(*count as u64, "finding")));
    let owners = text::listed(owners, ", ", 5);
    let owners = (!owners.is_empty()).then(|| format!("Ask who owns it: {owners}."));
    owners.into_iter().chain(next.gates.iter().take(3).map(contact)).collect()
}

fn contact(contact: &Contact) -> String {
    let Contact { owner, gates, places, links } = contact;
    let links: String = links.iter().take(3).map(|link| format!(" {link}")).collect();
    match owner {
        Some(owner) => {
            let gates = text::listed(gates, ", ", 4);
            format!("Ask {owner} about {gates} ({places}).{links}")
        }
        None => format!("Ask the owner of the policy: {places}.{links}"),
    }
}

/// What was looked at: each source that is in doubt, or all of them.
pub fn evidence(view: &View<'_>, look: TerminalStyle<'_>, out: &mut dyn Write) -> io::Result<()> {
    let all = look.detail == Detail::Full;
    let shown = view.evidence.outcomes.iter().filter(|outcome| all || in_doubt(outcome));
    let mut shown = shown.filter(|_| look.detail > Detail::Line).peekable();
    if shown.peek().is_none() {
        return Ok(());
    }
    let screen = &mut Screen::new(out, look.columns);
    screen.heading(BOLD, "Evidence")?;
    shown.try_for_each(|outcome| source(outcome, view.now, screen))
}

fn in_doubt(outcome: &Outcome) -> bool {
    !outcome.problems.is_empty() || outcome.parts.iter().any(|part| !part.problems.is_empty())
}

fn source(outcome: &Outcome, now: DateTime<Utc>, screen: &mut Screen<'_>) -> io::Result<()> {
    let simulated = if outcome.simulated { " (SIMULATED)" } else { "" };
    let origin = text::one_line(&outcome.origin, 120);
    let requests = text::count(outcome.requests, "request");
    let name = text::one_line(&outcome.source, 80);
    let about = format!("{origin}, {requests}");
    screen.item(2, GATE, BOLD, &format!("{name}{simulated}"), &about)?;
    let line = |line: String| screen.item(GATE + 2, GATE + 4, PLAIN, "-", &line);
    view::evidence_lines(outcome, now).try_for_each(line)
}

/// The last line: the verdict once more, where people look first.
pub fn last_line(view: &View<'_>, look: TerminalStyle<'_>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(out, look.columns);
    let decision = view.decision;
    if look.detail == Detail::Line {
        let (sign, style) = sign(view);
        let lead = format!("{sign} {}{}.", digest::headline(view), named(view));
        return screen.item(0, 2, style, &lead, &format!("Exit code {}.", view.exit_code));
    }
    let observed = match decision.mode {
        Mode::Observe => ", observed only",
        Mode::Enforce => "",
    };
    screen.blank()?;
    let by = named(view);
    let words = format!("{}{by}{observed}. Exit code {}.", decision.verdict, view.exit_code);
    screen.item(0, 2, BOLD, "Verdict:", &words)
}

/// The gates that stop the pipeline, or where none does, those that warn.
fn named(view: &View<'_>) -> String {
    let decision = view.decision;
    let warns = decision.verdict.is_pass();
    let names = |ruling: &&Ruling<'_>| {
        ruling.state != State::Held && (warns || (ruling.blocks() && ruling.mode == decision.mode))
    };
    let named: Vec<_> = decision.rulings.iter().filter(names).collect();
    let ids = named.iter().map(|ruling| text::one_line(&ruling.gate.id, 80));
    match text::listed(ids, ", ", NAMED) {
        ids if ids.is_empty() => ids,
        ids => format!(" ({ids})"),
    }
}
