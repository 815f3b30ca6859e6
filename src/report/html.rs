//! One self-contained page: no network, no framework, for phones, desktops and paper.
//!
//! A content security policy allows only the one style and the one script below, by their
//! hashes; the browser loads nothing. Text from outside is escaped as well.

use std::io::{self, Write};

use base64::Engine;
use sha2::{Digest, Sha256};

use super::digest;
use super::view::{self, Entry, GateView, RuleToFix, View, Weight};
use super::{Format, TOOL};
use crate::evaluate::State;
use crate::finding::Finding;
use crate::text;
use crate::verdict::Verdict;

mod charts;

pub(super) const FORMAT: Format = Format { name: "html", title: "HTML", extension: "html", render };

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/sort.js");

/// More rows than a browser sorts at once.
const MOST_FINDINGS: usize = 5_000;
/// Rules to fix first, and resources of each.
const RULES: usize = 10;
const RESOURCES: usize = 3;

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    head(view, out)?;
    banner(view, out)?;
    writeln!(out, "<main>")?;
    gates(view, out)?;
    missing(view, out)?;
    to_fix(view, out)?;
    acceptances(view, out)?;
    warnings(view, out)?;
    charts::by_severity(view, out)?;
    table(view, out)?;
    evidence(view, out)?;
    writeln!(out, "</main>\n<footer>{}</footer>", footer(view))?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

/// Text on one line, escaped for elements and for attributes in double quotes.
fn escaped(text: &str, most: usize) -> String {
    let line = text::one_line(text, most);
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// The same for sentences: text between backticks is shown as code.
fn prose(text: &str, most: usize) -> String {
    let mut out = String::new();
    let escaped = escaped(text, most);
    let pieces: Vec<_> = escaped.split('`').collect();
    for (at, piece) in pieces.iter().enumerate() {
        match at {
            0 => {}
            // A backtick without its second one is a backtick.
            _ if at % 2 == 1 && at + 1 == pieces.len() => out.push('`'),
            _ if at % 2 == 1 => out.push_str("<code>"),
            _ => out.push_str("</code>"),
        }
        out.push_str(piece);
    }
    out
}

fn head(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let title = escaped(&digest::headline(view), 500);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{TOOL}: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    )
}

/// As a content security policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

fn banner(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let decision = view.decision;
    let class = match decision.verdict {
        Verdict::Passed => "good",
        Verdict::Warned => "warn",
        _ if decision.exit_code() == 0 => "warn",
        _ => "bad",
    };
    let headline = escaped(&digest::headline(view), 500);
    let environment = view.environment.map_or_else(String::new, |environment| {
        format!(", environment <b>{}</b>", escaped(environment, 80))
    });
    writeln!(
        out,
        "<header class=\"{class}\">\n<h1>{headline}</h1>\n<p>Policy <code>{}</code>{environment}. \
         Exit code <b>{}</b>. {}</p>",
        escaped(view.policy, 200),
        view.exit_code,
        digest::time(view.evidence.finished)
    )?;
    if view.is_simulated() {
        writeln!(out, "<p><b>Simulated</b>: {}</p>", digest::SIMULATED)?;
    }
    writeln!(out, "</header>")
}

/// What the policy accepts, by whom, why and until when.
fn acceptances(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.acceptances.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section>\n<h2>Accepted</h2>\n<table>\n<thead><tr><th>Acceptance</th><th>What</th>\
         <th>Effect</th><th>Until</th><th>Owner</th><th>Reason</th></tr></thead>\n<tbody>"
    )?;
    for one in &view.acceptances {
        let stated = match one.stated.is_empty() {
            true => String::new(),
            false => format!(" ({})", escaped(&one.stated, 400)),
        };
        writeln!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}{stated}</td></tr>",
            escaped(&one.id, 120),
            escaped(&one.forgives, 300),
            escaped(&one.effect, 300),
            escaped(&one.term, 80),
            escaped(&one.owner, 200),
            escaped(&one.reason, 500),
        )?;
    }
    writeln!(out, "</tbody>\n</table>\n</section>")
}

/// A card for each gate, worst first.
fn gates(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>Gates</h2>\n<ul class=\"gates\">")?;
    view.gates.iter().try_for_each(|gate| self::gate(gate, out))?;
    writeln!(out, "</ul>\n</section>")
}

fn gate(gate: &GateView<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (sign, class) = match (gate.ruling.state, gate.weight) {
        (State::Held, _) => ("✓", "good"),
        (State::Undecided, Weight::Blocks) => ("?", "bad"),
        (State::Undecided, _) => ("?", "warn"),
        (State::Breached, Weight::Blocks) => ("✗", "bad"),
        (State::Breached, _) => ("!", "warn"),
    };
    let id = escaped(&gate.ruling.gate.id, 80);
    writeln!(
        out,
        "<li class=\"{class}\"><h3><span aria-hidden=\"true\">{sign}</span> {id} \
         <em>{}</em></h3>",
        gate.standing
    )?;
    for line in [&gate.limits, &gate.scope].into_iter().filter(|line| !line.is_empty()) {
        writeln!(out, "<p>{}</p>", prose(line, 600))?;
    }
    charts::against_limit(gate.ruling, out)?;
    gate.notes.iter().try_for_each(|note| writeln!(out, "<p>{}</p>", prose(note, 600)))?;
    writeln!(out, "</li>")
}

/// What could not be established, and what to do next.
fn missing(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let problems = &view.problems;
    if problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>What is missing</h2>\n<ul>")?;
    for problem in problems {
        let (cause, message) = (problem.cause.word(), prose(&problem.message, 600));
        let next = prose(&digest::next(problem), 500);
        writeln!(out, "<li><b>{cause}</b>: {message}\n<p>Next: {next}</p></li>")?;
    }
    writeln!(out, "</ul>\n</section>")
}

/// What stops the pipeline, else what warns: by rule, the worst first.
fn to_fix(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(to_fix) = view.to_fix() else { return Ok(()) };
    writeln!(out, "<section>\n<h2>{}</h2>\n<ul>", to_fix.title())?;
    to_fix.rules.iter().take(RULES).try_for_each(|rule| rule_to_fix(rule, out))?;
    let more = to_fix.rules.len().saturating_sub(RULES);
    if more > 0 {
        writeln!(out, "<li>and {}</li>", text::count(more as u64, "more rule"))?;
    }
    writeln!(out, "</ul>")?;
    for sentence in digest::after_fix(view) {
        writeln!(out, "<p>{sentence}</p>")?;
    }
    writeln!(out, "</section>")
}

fn rule_to_fix(rule: &RuleToFix<'_, '_>, out: &mut dyn Write) -> io::Result<()> {
    let failed = text::count(rule.entries.len() as u64, "resource");
    writeln!(out, "<li>{} {}: {failed}\n<ul>", severity(rule.first), title(rule.first))?;
    for entry in rule.entries.iter().take(RESOURCES) {
        let reason = view::reason(entry.finding);
        let reason = reason.map_or_else(String::new, |reason| format!(": {}", prose(&reason, 160)));
        let resource = escaped(&digest::resource(entry.finding), 700);
        writeln!(out, "<li><code>{resource}</code>{reason}</li>")?;
    }
    if rule.entries.len() > RESOURCES {
        let more = text::thousands((rule.entries.len() - RESOURCES) as u64);
        writeln!(out, "<li>and {more} more</li>")?;
    }
    if let Some(help) = rule.help() {
        writeln!(out, "<li>how: {}</li>", prose(help, 240))?;
    }
    writeln!(out, "</ul></li>")
}

/// The word, coloured, and never only by colour.
fn severity(finding: &Finding) -> String {
    let word = finding.subject.severity.word();
    format!("<b class=\"severity {word}\">{word}</b>")
}

fn title(finding: &Finding) -> String {
    let (title, id) = (finding.title(), finding.rule_id());
    match title == id {
        true => format!("<code>{}</code>", escaped(id, 200)),
        false => format!("{} <code>{}</code>", escaped(title, 120), escaped(id, 120)),
    }
}

fn warnings(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.decision.warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Warnings</h2>\n<ul>")?;
    for warning in &view.decision.warnings {
        writeln!(out, "<li>{}</li>", prose(warning, 600))?;
    }
    writeln!(out, "</ul>\n</section>")
}

/// Every finding, what stops the pipeline first; sorted by a click on a column.
fn table(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let all = view.entries.len();
    if all == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "<section>\n<h2>Findings <small>{}</small></h2>\n<table>\n<thead><tr>",
        text::thousands(all as u64)
    )?;
    for column in ["Severity", "Rule", "Resource", "Gates"] {
        writeln!(out, "<th scope=\"col\"><button type=\"button\">{column}</button></th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    view.by_weight().take(MOST_FINDINGS).try_for_each(|entry| row(view, entry, out))?;
    writeln!(out, "</tbody>\n</table>")?;
    if all > MOST_FINDINGS {
        let left_out = text::count((all - MOST_FINDINGS) as u64, "more finding");
        writeln!(out, "<p>and {left_out}; the JSON report (--json FILE) lists all.</p>")?;
    }
    writeln!(out, "</section>")
}

fn row(view: &View<'_>, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<()> {
    let finding = entry.finding;
    let gates = escaped(&view.responsible_gates(entry), 200);
    let gates = match entry.weight {
        None => "none counts it".to_owned(),
        Some(Weight::Within) => format!("{gates}: within"),
        Some(Weight::Warns) => format!("{gates}: warns"),
        Some(Weight::Blocks) => format!("<b>{gates}: blocks</b>"),
    };
    // The rank of the severity, by which the script sorts.
    let rank = finding.subject.severity as u8;
    writeln!(
        out,
        "<tr><td data-rank=\"{rank}\" data-of=\"Severity\">{}</td><td data-of=\"Rule\">{}</td>\
         <td data-of=\"Resource\"><code>{}</code></td><td data-of=\"Gates\">{gates}</td></tr>",
        severity(finding),
        title(finding),
        escaped(&digest::resource(finding), 700),
    )
}

/// What was looked at.
fn evidence(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.evidence.outcomes.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Evidence</h2>\n<ul>")?;
    for outcome in &view.evidence.outcomes {
        let simulated = if outcome.simulated { " (simulated)" } else { "" };
        writeln!(
            out,
            "<li><b>{}</b>{simulated}: {}, {}\n<ul>",
            escaped(&outcome.source, 80),
            escaped(&outcome.origin, 120),
            text::count(outcome.requests, "request")
        )?;
        for line in view::evidence_lines(outcome, view.now) {
            writeln!(out, "<li>{}</li>", prose(&line, 600))?;
        }
        writeln!(out, "</ul></li>")?;
    }
    writeln!(out, "</ul>\n</section>")
}

fn footer(view: &View<'_>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (started, finished) =
        (digest::time(view.evidence.started), digest::time(view.evidence.finished));
    format!("{TOOL} {version}, from {started} to {finished}")
}
