//! Which request tells what a gate needs to know of passed checks.

use std::collections::BTreeSet;

use super::query::{Filter, Query};
use super::words::SEVERITIES;
use crate::finding::Severity;
use crate::selection::{Demand, Field, Need, Pattern, Selection};

/// How a selection can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By totals: of this query, and of these severities if there are some.
    Totals(Query, Option<BTreeSet<Severity>>),
    /// Not at all: the settings' filters leave out all that it selects.
    Nothing,
    /// Only by reading rows.
    Rows,
}

/// How to count the checks of `selection` within the settings' scope and severities.
pub fn way(selection: &Selection, scope: &Query, limit: Option<&BTreeSet<Severity>>) -> Way {
    let mut query = scope.clone();
    for (field, patterns) in &selection.words {
        let filter = match field {
            Field::Framework => Filter::SystemCompliance,
            Field::ResourceType => Filter::ResourceTypes,
            _ => return Way::Rows,
        };
        let Some(words) = literals(patterns) else { return Way::Rows };
        // The platform takes one list a filter, so that two cannot be AND-ed unless the one is
        // within the other.
        if query.values(filter).is_some_and(|limit| !words.is_subset(limit)) {
            return Way::Rows;
        }
        query = query.with(filter, words);
    }
    let known = |severity: &Severity| SEVERITIES.contains(severity);
    match (&selection.severity, limit) {
        (None, limit) => Way::Totals(query, limit.cloned()),
        (Some(wanted), limit) => {
            let within = |severity: &Severity| limit.is_none_or(|limit| limit.contains(severity));
            let asked: BTreeSet<_> = wanted.iter().copied().filter(known).filter(within).collect();
            match asked.is_empty() {
                true => Way::Nothing,
                false => Way::Totals(query, Some(asked)),
            }
        }
    }
}

/// The words, if the platform can compare them as we do.
fn literals(patterns: &[Pattern]) -> Option<BTreeSet<String>> {
    patterns
        .iter()
        .map(|pattern| pattern.literal().filter(|word| !word.is_empty() && !word.contains(',')))
        .map(|word| word.map(str::to_owned))
        .collect()
}

/// The demands without those that ask for the same. Who needs passes learns existence, too.
pub fn distinct(demands: &[Demand], passes_known: bool) -> Vec<Demand> {
    let mut kept: Vec<Demand> = Vec::new();
    let worth_asking = |demand: &&Demand| match demand.need {
        Need::Passes => passes_known,
        Need::Existence => demand.selection.fields().iter().any(|field| field.is_identity()),
    };
    for demand in demands.iter().filter(worth_asking) {
        match kept.iter_mut().find(|other| other.selection == demand.selection) {
            Some(other) => other.need = other.need.max(demand.need),
            None => kept.push(demand.clone()),
        }
    }
    kept
}
