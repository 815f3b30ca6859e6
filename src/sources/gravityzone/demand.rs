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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(field: Field, words: &[&str]) -> Selection {
        let patterns = words.iter().copied().map(Pattern::new).collect();
        Selection { words: [(field, patterns)].into(), ..Selection::default() }
    }

    fn severe(severities: &[Severity]) -> Selection {
        Selection { severity: Some(severities.iter().copied().collect()), ..Selection::default() }
    }

    fn scope(filter: Filter, values: &[&str]) -> Query {
        Query::default().with(filter, values.iter().map(|value| (*value).to_owned()))
    }

    #[test]
    fn literals_that_the_platform_can_filter_by_are_totals() {
        let all = Query::default();
        let nist = scope(Filter::SystemCompliance, &["nist"]);
        let cases = [
            (Selection::default(), Way::Totals(all.clone(), None)),
            (words(Field::Framework, &["nist"]), Way::Totals(nist, None)),
            (
                words(Field::ResourceType, &["a", "b"]),
                Way::Totals(scope(Filter::ResourceTypes, &["a", "b"]), None),
            ),
            (
                severe(&[Severity::High, Severity::Unknown]),
                Way::Totals(all.clone(), Some([Severity::High].into())),
            ),
            (words(Field::Framework, &["nist*"]), Way::Rows),
            (words(Field::Framework, &["nist", "so?"]), Way::Rows),
            (words(Field::ResourceType, &["a,b"]), Way::Rows),
            (words(Field::ResourceType, &[""]), Way::Rows),
            (words(Field::Rule, &["cloud_scan/x"]), Way::Rows),
            (words(Field::Control, &["nist/CM-7"]), Way::Rows),
            (words(Field::Account, &["prod"]), Way::Rows),
            (words(Field::Region, &["eu-west-3"]), Way::Rows),
            (words(Field::Resource, &["i-1"]), Way::Rows),
        ];
        for (selection, expected) in cases {
            assert_eq!(way(&selection, &all, None), expected, "{selection}");
        }
    }

    #[test]
    fn settings_and_selection_are_intersected_or_left_to_rows() {
        let limit = BTreeSet::from([Severity::High, Severity::Critical]);
        let all = Query::default();
        let cases = [
            (Selection::default(), Way::Totals(all.clone(), Some(limit.clone()))),
            (
                severe(&[Severity::High, Severity::Low]),
                Way::Totals(all.clone(), Some([Severity::High].into())),
            ),
            (severe(&[Severity::Low]), Way::Nothing),
        ];
        for (selection, expected) in cases {
            assert_eq!(way(&selection, &all, Some(&limit)), expected, "{selection}");
        }
        let both = scope(Filter::SystemCompliance, &["nist", "soc-2"]);
        let one = scope(Filter::SystemCompliance, &["nist"]);
        assert_eq!(way(&words(Field::Framework, &["nist"]), &both, None), Way::Totals(one, None));
        assert_eq!(way(&words(Field::Framework, &["iso"]), &both, None), Way::Rows);
    }

    #[test]
    fn demands_for_the_same_are_asked_once() {
        let rule = words(Field::Rule, &["x"]);
        let demand = |selection: &Selection, need| Demand { selection: selection.clone(), need };
        let all = Selection::default();
        let asked = [
            demand(&rule, Need::Existence),
            demand(&all, Need::Existence),
            demand(&rule, Need::Passes),
            demand(&all, Need::Passes),
        ];
        let kept = distinct(&asked, true);
        assert_eq!(kept, [demand(&rule, Need::Passes), demand(&all, Need::Passes)]);
        assert_eq!(distinct(&asked, false), [demand(&rule, Need::Existence)]);
    }
}
