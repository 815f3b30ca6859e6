//! The result of an export, as text for people.

use std::fmt::Write;
use std::path::Path;

use crate::command::list::aligned;
use crate::export::{Action, CaseRow, Mode, Outcome};
use crate::sources::Table;
use crate::sources::bigid::Case;
use crate::text;

/// The statuses that an export writes.
const WRITTEN: [&str; 4] = ["acknowledged", "resolved", "remediated", "closed"];

/// A table of cases, their notes, and the counts.
pub(super) fn text(outcome: &Outcome, mode: Mode, title: &str, ledger: &Path) -> String {
    let mut out = String::new();
    if !outcome.rows.is_empty() {
        let header = vec!["CASE", "SEVERITY", "ACTION", "TICKET", "BIGID", "LABEL"];
        let rows = outcome.rows.iter().map(cells).collect();
        out.push_str(&aligned(&Table { header, rows }));
    }
    for row in outcome.rows.iter().filter(|row| !row.notes.is_empty()) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "\n{}", name(&row.case));
        for note in &row.notes {
            let _ = writeln!(out, "    {}", text::one_line(note, 500));
        }
    }
    let _ = writeln!(out, "\n{title}: {}", counts(outcome));
    let _ = match mode.apply {
        true => {
            let ledger = text::one_line(&ledger.display().to_string(), 200);
            writeln!(out, "Ledger: {ledger}; keep it for the next run.")
        }
        false => writeln!(out, "Dry run: nothing was written; {}.", plan(outcome)),
    };
    out
}

fn plan(outcome: &Outcome) -> String {
    match outcome.rows.iter().filter(|row| row.action == Action::Planned).count() {
        0 => "there is nothing to create".to_owned(),
        planned => format!("`--apply` creates {}", text::count(planned as u64, "ticket")),
    }
}

fn name(case: &Case) -> String {
    text::one_line(case.alias.as_deref().unwrap_or(&case.id), 40)
}

fn cells(row: &CaseRow) -> Vec<String> {
    let ticket = match &row.action {
        Action::Linked(url) => url.clone().unwrap_or_else(|| "(no link)".to_owned()),
        action => action.ticket().map_or_else(|| "-".to_owned(), |ticket| ticket.key.clone()),
    };
    vec![
        name(&row.case),
        row.case.severity.word().to_owned(),
        row.action.word().to_owned(),
        ticket,
        row.wrote.clone().unwrap_or_else(|| row.case.status.clone()),
        text::one_line(&row.case.label, 60),
    ]
}

/// `3 created, 1 has a ticket, 2 next run; 4 cases left out by status or `export``.
fn counts(outcome: &Outcome) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in &outcome.rows {
        let word = row.action.word();
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let mut parts: Vec<_> =
        counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    for status in WRITTEN {
        let wrote = outcome.rows.iter().filter(|row| row.wrote.as_deref() == Some(status)).count();
        if wrote > 0 {
            parts.push(format!("{wrote} set to {status} in BigID"));
        }
    }
    if parts.is_empty() {
        parts.push("no case is selected".to_owned());
    }
    let left_out = text::count(outcome.left_out, "case");
    format!("{}; {left_out} left out by status or `export`", parts.join(", "))
}
