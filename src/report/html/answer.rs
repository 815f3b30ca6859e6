//! The answer, what to do now, whom to ask, and what it was decided on.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::escape::{code, escaped, link, prose};
use crate::policy::Whose;
use crate::report::facts::Purpose;
use crate::report::view::{Contact, NextSteps, View, Weight};
use crate::report::{Report, digest};
use crate::text;
use crate::verdict::Verdict;

/// Problems whose help is among the first steps.
const PROBLEMS: usize = 3;

/// So much of a digest is shown where it only has to be recognised.
const SHORT: usize = 12;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (sign, class) = standing(view);
    let headline = prose(&digest::headline(view), 500);
    writeln!(
        out,
        "<header class=\"{class}\">\n<h1><span aria-hidden=\"true\">{sign}</span> {headline}</h1>"
    )?;
    for sentence in marks(view) {
        writeln!(out, "<p class=\"mark\">{sentence}</p>")?;
    }
    if let Some(lead) = lead(view) {
        writeln!(out, "<p>{lead}</p>")?;
    }
    if let Some(changes) = view.changes {
        writeln!(out, "<p>{}</p>", prose(changes, 600))?;
    }
    let steps = steps(view);
    if !steps.is_empty() {
        writeln!(out, "<h2>What now</h2>\n<ol>")?;
        steps.iter().try_for_each(|step| writeln!(out, "<li>{step}</li>"))?;
        writeln!(out, "</ol>")?;
    }
    facts(view, out)?;
    writeln!(out, "</header>")
}

fn standing(view: &View<'_>) -> (&'static str, &'static str) {
    match view.decision.verdict {
        Verdict::Passed => ("✓", "good"),
        Verdict::Warned => ("✓", "warn"),
        _ if view.decision.exit_code() == 0 => ("!", "warn"),
        Verdict::Inconclusive => ("?", "bad"),
        _ => ("✗", "bad"),
    }
}

/// What keeps a reader from taking the page for what it is not.
fn marks(report: &Report<'_>) -> Vec<String> {
    let purpose = match report.purpose {
        Purpose::Gate => None,
        Purpose::WhatIf => Some(
            "<b>What if</b>: saved evidence, decided by another policy or on another day. No \
             pipeline acts on it."
                .to_owned(),
        ),
        Purpose::Replay => Some(
            "<b>Replay</b>: saved evidence, decided once more as it was. No pipeline acts on it."
                .to_owned(),
        ),
    };
    let simulated =
        report.is_simulated().then(|| format!("<b>Simulated</b>: {}", digest::SIMULATED));
    purpose.into_iter().chain(simulated).collect()
}

/// How many findings stop the pipeline, of how many.
fn lead(view: &View<'_>) -> Option<String> {
    let all = view.entries.len() as u64;
    let blocking = view.entries.iter().filter(|entry| entry.weight == Some(Weight::Blocks));
    let blocking = blocking.count() as u64;
    let warns = view.gates.iter().filter(|gate| gate.weight == Weight::Warns).count() as u64;
    let findings = match (all, blocking) {
        (0, _) => return None,
        (_, 0) => format!("{}, and none of them blocks.", text::count(all, "finding")),
        (_, 1) => format!("1 of {} blocks.", text::count(all, "finding")),
        _ => format!("{} of {} block.", text::thousands(blocking), text::count(all, "finding")),
    };
    let warns = match (warns, blocking) {
        (0, _) => String::new(),
        (1, 0) => " 1 gate warns.".to_owned(),
        (1, _) => " 1 more gate only warns.".to_owned(),
        (_, 0) => format!(" {warns} gates warn."),
        _ => format!(" {warns} more gates only warn."),
    };
    Some(findings + &warns)
}

/// What a reader does now: fix, ask, look closer, accept.
fn steps(view: &View<'_>) -> Vec<String> {
    let Some(next) = view.next_steps() else { return Vec::new() };
    let red = view.gates.iter().filter(|gate| gate.weight == Weight::Blocks);
    let problems: BTreeSet<_> =
        red.flat_map(|gate| &gate.ruling.problems).map(digest::next).collect();
    let problems = problems.iter().take(PROBLEMS);
    let problems = problems.map(|next| format!("{}.", prose(&digest::capital(next), 500)));
    let fix = (next.findings > 0).then(|| {
        let fix = std::iter::once(digest::fix(&next, view)).chain(next.after_fix.clone());
        escaped(&fix.collect::<Vec<_>>().join(" "), 600)
    });
    let mut steps: Vec<_> = match view.decision.verdict {
        Verdict::Blocked => fix.into_iter().chain(problems).collect(),
        _ => problems.chain(fix).collect(),
    };
    steps.extend(owners(&next));
    steps.extend(next.gates.iter().map(contact));
    if let Some(advice) = &next.commands {
        let accept = match next.findings {
            0 => String::new(),
            _ => format!(
                " To propose an acceptance: <code>{}</code>, with the evidence that \
                 <code>--save-evidence EVIDENCE</code> saves.",
                escaped(&advice.accept("EVIDENCE"), 900)
            ),
        };
        let explain = escaped(&advice.explain(), 900);
        steps.push(format!("Why this gate: <code>{explain}</code>.{accept}"));
    }
    steps
}

/// The owners of what was found.
fn owners(next: &NextSteps) -> Option<String> {
    let owners = next.owners.iter().map(|(owner, count)| {
        format!("<b>{}</b> ({})", escaped(owner, 120), text::count(*count as u64, "finding"))
    });
    let owners = text::listed(owners, ", ", 8);
    (!owners.is_empty()).then(|| format!("Ask who owns it: {owners}."))
}

fn contact(contact: &Contact) -> String {
    let Contact { owner, gates, places, links } = contact;
    let gates = gates.iter().map(|gate| format!("<b>{}</b>", escaped(gate, 80)));
    let gates = text::listed(gates, ", ", 8);
    let places = code(places, 400);
    let links: String =
        links.iter().map(|address| format!(" {}", link(address, address))).collect();
    match owner {
        Some(owner) => {
            let owner = escaped(owner, 120);
            format!("Think it is wrong? Ask <b>{owner}</b> about {gates} ({places}).{links}")
        }
        None => format!(
            "Think it is wrong? Ask the owner of the policy about {gates} ({places}).{links}"
        ),
    }
}

/// What it was decided on, in a few words; the whole of it is at the end of the page.
fn facts(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(environment) = view.environment {
        facts.push(("Environment", format!("<b>{}</b>", escaped(environment, 80))));
    }
    let file = |whose| {
        let path = code(view.policy_file(whose), 200);
        let digest = view.sha256(whose).map(short);
        format!("{path}{}", digest.unwrap_or_default())
    };
    facts.push(("Policy", file(Whose::Repository)));
    if view.organisation.is_some() {
        facts.push(("Organisation's policy", file(Whose::Organisation)));
    }
    if let Some(commit) = &view.run.commit {
        let commit: String = commit.chars().take(SHORT).collect();
        facts.push(("Commit", code(&commit, SHORT)));
    }
    facts.extend(run(view).map(|run| ("Pipeline run", run)));
    facts.push(("Decided", time(view)));
    facts.push(("Exit code", format!("<b>{}</b>", view.exit_code)));
    writeln!(out, "<dl class=\"facts\">")?;
    for (name, value) in facts {
        writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(out, "</dl>")
}

fn short(sha256: &str) -> String {
    let digits: String = sha256.chars().take(SHORT).collect();
    format!(" <small>sha256:{}…</small>", escaped(&digits, SHORT))
}

/// The pipeline's run, as a link where its host gives one.
pub(super) fn run(report: &Report<'_>) -> Option<String> {
    let run = report.run;
    let name = run.id.as_deref().or(run.url.as_deref())?;
    Some(match run.url.as_deref() {
        Some(url) => link(url, name),
        None => escaped(name, 200),
    })
}

pub(super) fn time(report: &Report<'_>) -> String {
    report.now.format("%-d %B %Y, %H:%M UTC").to_string()
}
