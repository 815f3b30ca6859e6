//! What an acceptance covers, until when, and by whom.

use std::collections::BTreeSet;

use crate::acceptance::{Forgives, Grounds, Validity};
use crate::evaluate::{Ruling, Usage};
use crate::text;

/// An acceptance with its owner, its last day and its reason.
pub(in crate::report) fn grounds(grounds: &Grounds) -> String {
    let Grounds { id, owner, expires, reason, .. } = grounds;
    text::one_line(&format!("`{id}` ({owner}, until {expires}): {reason}"), 500)
}

/// How many findings of a gate are accepted, and by which entries, if any are.
pub(in crate::report) fn accepted(ruling: &Ruling<'_>) -> Option<String> {
    let mut by_entry: Vec<(&Grounds, u64)> = Vec::new();
    for (_, entry) in &ruling.accepted {
        match by_entry.iter_mut().find(|(grounds, _)| grounds.id == entry.grounds.id) {
            Some((_, count)) => *count += 1,
            None => by_entry.push((&entry.grounds, 1)),
        }
    }
    by_entry.sort_by_key(|(grounds, count)| (std::cmp::Reverse(*count), &grounds.id));
    let entries = by_entry.iter().map(|(grounds, count)| {
        let Grounds { id, owner, expires, .. } = grounds;
        format!("{} by `{id}` ({owner}, until {expires})", text::thousands(*count))
    });
    (!by_entry.is_empty()).then(|| {
        let all = text::count(ruling.accepted.len() as u64, ruling.noun());
        text::one_line(&format!("{all} accepted: {}", text::listed(entries, ", ", 5)), 600)
    })
}

/// What is new since a baseline, known by it, and gone, where one applies.
pub(in crate::report) fn since_baseline(ruling: &Ruling<'_>) -> Option<String> {
    let (new, known) = (ruling.findings.len() as u64, ruling.known.len() as u64);
    let applies = known > 0 || ruling.fixed.is_some();
    let fixed = ruling.fixed.map_or_else(
        || "how many are fixed is not known".to_owned(),
        |fixed| format!("{} fixed", text::thousands(fixed)),
    );
    let (new, known) = (text::thousands(new), text::thousands(known));
    let entries: BTreeSet<_> = ruling.known.iter().map(|(_, by)| by.grounds.id.as_str()).collect();
    let named = entries.into_iter().filter_map(|id| {
        let (_, by) = ruling.known.iter().find(|(_, by)| by.grounds.id == id)?;
        let Grounds { owner, expires, .. } = &by.grounds;
        Some(format!("`{id}` ({owner}, until {expires})"))
    });
    let by = match text::listed(named, ", ", 5) {
        by if by.is_empty() => by,
        by => format!("; known by {by}"),
    };
    let words = format!("since the baseline: {new} new, {known} known, {fixed}{by}");
    applies.then(|| text::one_line(&words, 600))
}

/// What an acceptance is about.
pub(in crate::report) fn forgiven(forgives: &Forgives) -> String {
    let words = match forgives {
        Forgives::Match(matching) => {
            let severity = matching.worst.map(|worst| format!("severity up to {worst}"));
            let unknown = matching.unknown.then(|| "or unknown".to_owned());
            let most = matching
                .max_findings
                .map(|most| format!("at most {} at a gate", text::count(most, "finding")));
            let sources = (!matching.sources.is_empty())
                .then(|| format!("in {}", matching.sources.join(", ")));
            let selection = matching.selection.to_string();
            let severity = [severity, unknown].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let severity = Some(severity).filter(|severity| !severity.is_empty());
            let all = [Some(selection), severity, sources, most];
            all.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Forgives::Baseline(known) => format!("findings of {}", known.path),
        Forgives::Cause(excuse) => {
            let age = excuse.up_to.map_or_else(String::new, |age| {
                format!(" up to {}", humantime::format_duration(age))
            });
            format!("{}{age} in {}", excuse.cause.word(), excuse.sources.join(", "))
        }
        Forgives::GateOff(gate) => format!("gate {gate} is off"),
        Forgives::Upstream(upstream) => upstream.word(),
    };
    text::one_line(&words, 400)
}

/// What an acceptance does.
pub(in crate::report) fn effect(usage: &Usage<'_>) -> String {
    let findings = text::count(usage.covers, "finding");
    match (usage.standing, &usage.entry.forgives) {
        (Validity::NotYet, _) => "not in force yet".to_owned(),
        (_, Forgives::Baseline(known)) if !known.applies => "of another environment".to_owned(),
        (Validity::Lapsed, forgives) if forgives.is_of_findings() => {
            format!("covers nothing; covered {findings}")
        }
        (Validity::Lapsed, _) => "covers nothing".to_owned(),
        (Validity::InForce, forgives) if forgives.is_of_findings() => format!("covers {findings}"),
        (Validity::InForce, _) if usage.gates.is_empty() => "not needed".to_owned(),
        (Validity::InForce, _) => {
            text::one_line(&format!("used by {}", text::listed(&usage.gates, ", ", 5)), 300)
        }
    }
}

/// Until when an acceptance holds, or since when it does not.
pub(in crate::report) fn term(grounds: &Grounds, standing: Validity) -> String {
    let Grounds { from, expires, .. } = grounds;
    match (standing, from) {
        (Validity::Lapsed, _) => format!("lapsed on {expires}"),
        (Validity::NotYet, Some(from)) => format!("from {from} until {expires}"),
        _ => format!("until {expires}"),
    }
}
