//! What was looked at, what is missing of it, and all that the decision rests on.

use std::io::{self, Write};

use super::answer;
use super::escape::{code, escaped, prose};
use crate::policy::Whose;
use crate::report::view::{self, View};
use crate::report::{TOOL, digest};
use crate::text;

/// What could not be established, and what to do next.
pub(super) fn missing(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"missing\">\n<h2>What is missing</h2>\n<ul>")?;
    for problem in &view.problems {
        let (cause, message) = (problem.cause.word(), prose(&problem.message, 600));
        let next = prose(&digest::next(problem), 500);
        writeln!(out, "<li><b>{cause}</b>: {message}\n<p>Next: {next}</p></li>")?;
    }
    writeln!(out, "</ul>\n</section>")
}

pub(super) fn warnings(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.decision.warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"warnings\">\n<h2>Warnings</h2>\n<ul>")?;
    for warning in &view.decision.warnings {
        writeln!(out, "<li>{}</li>", prose(warning, 600))?;
    }
    writeln!(out, "</ul>\n</section>")
}

/// Each source: what it delivered, of when, and what was left out of it.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.evidence.outcomes.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"evidence\">\n<h2>Evidence</h2>\n<ul>")?;
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
        for filter in &outcome.filters {
            writeln!(out, "<li>limited by {}</li>", prose(&filter.to_string(), 400))?;
        }
        writeln!(out, "</ul></li>")?;
    }
    writeln!(out, "</ul>\n</section>")
}

/// All that is needed to find or repeat the decision.
pub(super) fn basis(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for document in view.documents {
        let name = match document.whose {
            Whose::Repository => "Policy file",
            Whose::Organisation => "Organisation's file",
        };
        let digest = code(&document.sha256, 64);
        rows.push((name, format!("{}, SHA-256 {digest}", code(&document.path, 300))));
    }
    if let Some(sha256) = view.evidence_sha256() {
        rows.push(("Saved evidence", format!("SHA-256 {}", code(&sha256, 64))));
    }
    for subject in view.subjects {
        rows.push(("Artefact", code(&format!("{}@sha256:{}", subject.name, subject.sha256), 600)));
    }
    let run = view.run;
    let stated =
        [("Repository", &run.repository), ("Commit", &run.commit), ("Started by", &run.actor)];
    let stated = stated.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    rows.extend(stated.map(|(name, value)| (name, code(value, 200))));
    rows.extend(answer::run(view).map(|run| ("Pipeline run", run)));
    let (from, to) = (digest::time(view.evidence.started), digest::time(view.evidence.finished));
    rows.push(("Evidence read", format!("from {from} to {to}")));
    rows.push(("Decided", digest::time(view.now)));
    rows.push(("By", format!("{TOOL} {}", env!("CARGO_PKG_VERSION"))));
    writeln!(out, "<section id=\"basis\">\n<h2>Decided on</h2>\n<dl>")?;
    for (name, value) in rows {
        writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(out, "</dl>\n</section>")
}
