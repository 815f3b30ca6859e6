//! Markdown, for a comment on a pull request and for a job's summary.
//!
//! Verdict, gates, what is missing and what to fix first are on one screen; the rest is folded
//! away. Hosts refuse what is too long, all of it, so the least of it is left out and counted.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::view::{self, AcceptanceView, Contact, Entry, GateView, RuleToFix, View, Weight};
use super::{Format, TOOL, digest};
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
    next_steps(view, &mut page);
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
    page.blank();
    page.line(&marker(view));
    if let Some(changes) = view.changes {
        page.blank();
        page.line(&prose(changes, 600));
    }
    if view.is_simulated() {
        page.blank();
        page.line(&format!("> **Simulated**: {}", digest::SIMULATED));
    }
}

/// What readers do not see, and what a script finds the comment of the same policy and environment
/// by.
fn marker(view: &View<'_>) -> String {
    let digest = text::hexadecimal(&Sha256::digest(view.scope())[..8]);
    format!("<!-- {TOOL}:{digest} -->")
}

/// A row for each gate, worst first.
fn gates(view: &View<'_>, page: &mut Page) {
    page.blank();
    page.line("| | Gate | Result | Observed |\n|---|---|---|---|");
    page.rows(&view.gates, gate, |left_out| format!("| | {} | | |", more(left_out, "gate")));
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
    page.fold(&format!("Accepted ({})", view.acceptances.len()), |page| {
        page.line("| | What | Effect | Until | Owner | Reason |\n|---|---|---|---|---|---|");
        page.rows(&view.acceptances, row, |left_out| {
            format!("| {} | | | | | |", more(left_out, "acceptance"))
        });
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
    page.rows(problems.iter().take(50), row, |left_out| format!("- {}", more(left_out, "problem")));
    if problems.len() > 50 {
        page.line(&format!("- {}", more(problems.len() - 50, "problem")));
    }
}

/// What stops the pipeline, else what warns: by rule, the worst first.
fn to_fix(view: &View<'_>, page: &mut Page) {
    let Some(to_fix) = view.to_fix() else { return };
    page.heading(to_fix.title());
    page.rows(to_fix.rules.iter().take(RULES), rule_to_fix, |left_out| {
        format!("- {}", more(left_out, "rule"))
    });
    if to_fix.rules.len() > RULES {
        let words = more(to_fix.rules.len() - RULES, "rule");
        page.line(&format!("- {words}, folded away below"));
    }
}

/// What a reader does now: fix, ask, look closer, accept.
fn next_steps(view: &View<'_>, page: &mut Page) {
    let Some(next) = view.next_steps() else { return };
    page.heading("What now");
    let fix = std::iter::once(digest::fix(&next, view)).chain(next.after_fix.clone());
    let fix = (next.findings > 0).then(|| fix.collect::<Vec<_>>().join(" "));
    let owners = next.owners.iter().map(|(owner, count)| {
        format!("{} ({})", prose(owner, 120), text::count(*count as u64, "finding"))
    });
    let owners = text::listed(owners, ", ", 8);
    let owners = (!owners.is_empty()).then(|| format!("Ask who owns it: {owners}."));
    let closer = next.commands.as_ref().map(|advice| {
        let explain = code(&advice.explain(), 900);
        let accept = code(&advice.accept("EVIDENCE"), 900);
        match next.findings {
            0 => format!("Why this gate: {explain}."),
            _ => format!("Why this gate: {explain}. To propose an acceptance: {accept}."),
        }
    });
    let steps = fix.into_iter().chain(owners).chain(next.gates.iter().map(contact)).chain(closer);
    let row = |(at, step): (usize, String)| format!("{}. {step}", at + 1);
    page.rows(steps.enumerate(), row, |left_out| format!("- {}", more(left_out, "step")));
}

fn contact(contact: &Contact) -> String {
    let Contact { owner, gates, places, links } = contact;
    let gates = text::listed(gates.iter().map(|gate| code(gate, 80)), ", ", 8);
    let links: String = links.iter().map(|address| link(address, "about it")).collect();
    let whom = match owner {
        Some(owner) => prose(owner, 120),
        None => "the owner of the policy".to_owned(),
    };
    format!("Think it is wrong? Ask {whom} about {gates} ({}).{links}", code(places, 400))
}

/// A space and a link, if a browser may open the address.
fn link(address: &str, title: &str) -> String {
    let address = text::line(address, 1_000);
    match digest::is_web_address(&address) {
        true => format!(" [{title}](<{address}>)"),
        false => String::new(),
    }
}

fn rule_to_fix(rule: &RuleToFix<'_, '_>) -> String {
    let severity = rule.first.subject.severity.word();
    let failed = text::count(rule.entries.len() as u64, "resource");
    let mut lines = vec![format!("- **{severity}** {}: {failed}", title(rule.first))];
    for entry in rule.entries.iter().take(RESOURCES) {
        let reason = view::reason(entry.finding).map(|reason| prose(&reason, 160));
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let resource = code(&digest::resource(entry.finding), 700);
        let owner =
            entry.owner.map_or_else(String::new, |owner| format!(", {}", prose(owner, 120)));
        let page = view::link(entry.finding).map_or_else(String::new, |page| link(&page, "open"));
        lines.push(format!("  - {resource}{owner}{page}{reason}"));
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
    let row = |warning: &String| format!("- {}", prose(warning, 600));
    page.rows(&view.decision.warnings, row, |left_out| format!("- {}", more(left_out, "warning")));
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
        page.rows(rows, |row| row, |left_out| format!("- {}", more(left_out, "line")));
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
        let page = view::link(finding).map_or_else(String::new, |page| link(&page, "open"));
        let gates = code(&view.responsible_gates(entry), 160);
        format!(
            "| {} | {} | {resource}{page} | {gates} |",
            finding.subject.severity,
            title(finding)
        )
    };
    page.fold(&format!("All findings over a limit ({})", text::thousands(number as u64)), |page| {
        page.line("| Severity | Rule | Resource | Gate |\n|---|---|---|---|");
        page.rows(beyond, row, |left_out| {
            format!("| | {}; `--json FILE` lists all | | |", more(left_out, "finding"))
        });
    });
}

fn more(number: usize, noun: &str) -> String {
    format!("and {}", text::count(number as u64, &format!("more {noun}")))
}
