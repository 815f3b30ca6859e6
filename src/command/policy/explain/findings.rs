//! What a gate counts in evidence, and why each finding counts or does not.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::acceptance::Grounds;
use crate::evaluate::Ruling;
use crate::evidence::Evidence;
use crate::finding::Finding;
use crate::report;
use crate::selection::{Field, Selection};
use crate::text;

/// Findings that are listed with their reason, of a gate that was asked for.
pub(super) const MOST_OF_ONE: usize = 50;

/// Findings that are listed with their reason, where all gates are explained.
pub(super) const MOST_OF_EACH: usize = 5;

/// What a gate makes of evidence.
pub(super) fn of(
    ruling: &Ruling<'_>,
    evidence: &Evidence,
    now: DateTime<Utc>,
    most: usize,
) -> String {
    let limits = report::limits(ruling);
    let colon = if limits.is_empty() { "" } else { ": " };
    let standing = report::standing(ruling);
    let mut said = format!("  On this evidence: {standing}{colon}{limits}\n");
    for problem in &ruling.problems {
        let _ = writeln!(
            said,
            "    {}: {}",
            problem.cause.word(),
            text::one_line(&problem.message, 600)
        );
    }
    counted(ruling, most, &mut said);
    accepted(ruling, most, &mut said);
    left_out(ruling, evidence, now, &mut said);
    for note in &ruling.notes {
        let _ = writeln!(said, "    Note: {}", text::one_line(note, 400));
    }
    said
}

/// The findings that it counts, each with its reason.
fn counted(ruling: &Ruling<'_>, most: usize, said: &mut String) {
    if ruling.only_counted {
        said.push_str("    Its failures were only counted by the platform, not listed.\n");
    }
    for finding in ruling.findings.iter().take(most) {
        let _ = writeln!(
            said,
            "    counts: {}: {}",
            shown(finding),
            because(&ruling.gate.selection, finding)
        );
    }
    let more = ruling.findings.len().saturating_sub(most);
    if more > 0 {
        let more = text::count(more as u64, "more finding");
        let _ = writeln!(said, "    counts: {more}; `-v` lists all");
    }
}

/// Why a finding counts.
fn because(selection: &Selection, finding: &Finding) -> String {
    let fields = selection.without_except().fields();
    let unstated = selection.unstated(finding);
    let matching: Vec<_> = fields.difference(&unstated).map(|field| field.word()).collect();
    let matching = match matching.as_slice() {
        [] if fields.is_empty() => "the gate counts everything".to_owned(),
        [] => String::new(),
        matching => format!("it matches by {}", matching.join(", ")),
    };
    let unstated: Vec<_> = unstated.iter().map(|field| field.word()).collect();
    let unstated = match unstated.as_slice() {
        [] => String::new(),
        unstated => format!("the platform does not state {}", unstated.join(", ")),
    };
    let reasons: Vec<_> =
        [matching, unstated].into_iter().filter(|reason| !reason.is_empty()).collect();
    reasons.join("; ")
}

/// Findings that match and are accepted, or that were until an acceptance lapsed.
fn accepted(ruling: &Ruling<'_>, most: usize, said: &mut String) {
    let known = ruling.known.iter().map(|entry| (entry, "known"));
    let entries = ruling.accepted.iter().map(|entry| (entry, "accepted")).chain(known);
    let formerly = ruling.formerly.iter().map(|entry| (entry, "counts again"));
    let all: Vec<_> = entries.chain(formerly).collect();
    for ((finding, acceptance), word) in all.iter().take(most) {
        let Grounds { id, owner, expires, .. } = &acceptance.grounds;
        let by = match *word {
            "accepted" | "known" => format!("by `{id}` of {owner}, until {expires}"),
            _ => format!("`{id}` of {owner} lapsed on {expires}"),
        };
        let _ = writeln!(said, "    {word}: {}: {}", shown(finding), text::one_line(&by, 300));
    }
    let more = all.len().saturating_sub(most);
    if more > 0 {
        let more = text::count(more as u64, "more finding");
        let _ = writeln!(said, "    accepted: {more}; `-v` lists all");
    }
}

/// How many findings of its sources it does not count: by the first selector that leaves them out,
/// and what is out of scope.
fn left_out(ruling: &Ruling<'_>, evidence: &Evidence, now: DateTime<Utc>, said: &mut String) {
    let gate = ruling.gate;
    let whole = gate.selection.without_except();
    let outcomes = evidence.outcomes.iter().filter(|outcome| gate.uses(&outcome.source));
    let parts = outcomes.flat_map(|outcome| &outcome.parts);
    let mut by_field: BTreeMap<Field, u64> = BTreeMap::new();
    for finding in parts.flat_map(|part| part.findings.listed()) {
        let leaves_out = |field: &Field| {
            let alone = whole.only(|other| other == *field);
            !alone.matches_finding(finding, now)
        };
        if let Some(field) = whole.fields().into_iter().find(leaves_out) {
            *by_field.entry(field).or_default() += 1;
        }
    }
    for (field, count) in by_field {
        let count = text::count(count, "finding");
        let _ = writeln!(said, "    does not count: {count} by `{field}`");
    }
    for (account, count) in &ruling.out_of_scope {
        let count = text::count(*count, "finding");
        let account = text::one_line(account, 120);
        let _ = writeln!(said, "    out of scope by `except`: {count} of account {account}");
    }
}

/// Severity, rule and resource.
fn shown(finding: &Finding) -> String {
    let severity = finding.subject.severity;
    format!("{severity} {}, {}", report::rule(finding), report::resource(finding))
}
