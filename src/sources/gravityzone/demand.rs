//! Which requests count the checks of a selection.

use std::collections::BTreeSet;

use super::query::{Filter, Query};
use super::words::SEVERITIES;
use crate::finding::Severity;
use crate::selection::{Demand, Field, Need, Pattern, Selection};

/// How a selection is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// By totals of this query, for these severities if there are any.
    Totals(Query, Option<BTreeSet<Severity>>),
    /// Not at all: the filters of the settings leave out everything that it selects.
    Nothing,
    /// Only by reading rows.
    Rows,
}

/// How to count the checks of `selection` within the scope and the severities of the settings.
pub(super) fn method(
    selection: &Selection,
    scope: &Query,
    limit: Option<&BTreeSet<Severity>>,
) -> Method {
    if !selection.except.is_empty() {
        return Method::Rows;
    }
    // Of two filters each would have to be proven by itself.
    if selection.words.len() > 1 {
        return Method::Rows;
    }
    let mut query = scope.clone();
    for (field, patterns) in &selection.words {
        let filter = match field {
            Field::Framework => Filter::SystemCompliance,
            Field::ResourceType => Filter::ResourceTypes,
            _ => return Method::Rows,
        };
        let Some(words) = literals(patterns) else { return Method::Rows };
        // The platform takes one list per filter, so two lists cannot be intersected unless one of
        // them contains the other.
        if query.values(filter).is_some_and(|limit| !words.is_subset(limit)) {
            return Method::Rows;
        }
        query = query.with(filter, words);
    }
    let known = |severity: &Severity| SEVERITIES.contains(severity);
    match (&selection.severity, limit) {
        (None, limit) => Method::Totals(query, limit.cloned()),
        (Some(wanted), limit) => {
            let within = |severity: &Severity| limit.is_none_or(|limit| limit.contains(severity));
            let asked: BTreeSet<_> = wanted.iter().copied().filter(known).filter(within).collect();
            match asked.is_empty() {
                true => Method::Nothing,
                false => Method::Totals(query, Some(asked)),
            }
        }
    }
}

/// The words, if the platform compares them as a selector does.
fn literals(patterns: &[Pattern]) -> Option<BTreeSet<String>> {
    patterns
        .iter()
        .map(|pattern| pattern.literal().filter(|word| !word.is_empty() && !word.contains(',')))
        .map(|word| word.map(str::to_owned))
        .collect()
}

/// The demands, one for each selection. A count of passed checks shows existence, too.
pub(super) fn distinct(demands: &[Demand], passes_known: bool) -> Vec<Demand> {
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
    fn literals_that_the_platform_can_filter_by_are_counted_by_totals() {
        let all = Query::default();
        let nist = scope(Filter::SystemCompliance, &["nist"]);
        let cases = [
            (Selection::default(), Method::Totals(all.clone(), None)),
            (words(Field::Framework, &["nist"]), Method::Totals(nist, None)),
            (
                words(Field::ResourceType, &["a", "b"]),
                Method::Totals(scope(Filter::ResourceTypes, &["a", "b"]), None),
            ),
            (
                severe(&[Severity::High, Severity::Unknown]),
                Method::Totals(all.clone(), Some([Severity::High].into())),
            ),
            (words(Field::Framework, &["nist*"]), Method::Rows),
            (words(Field::Framework, &["nist", "so?"]), Method::Rows),
            (words(Field::ResourceType, &["a,b"]), Method::Rows),
            (words(Field::ResourceType, &[""]), Method::Rows),
            (words(Field::Rule, &["cloud_scan/x"]), Method::Rows),
            (words(Field::Control, &["nist/CM-7"]), Method::Rows),
            (words(Field::Account, &["prod"]), Method::Rows),
            (words(Field::Region, &["eu-west-3"]), Method::Rows),
            (words(Field::Resource, &["i-1"]), Method::Rows),
            (
                Selection {
                    words: [words(Field::Framework, &["nist"]), words(Field::ResourceType, &["a"])]
                        .into_iter()
                        .flat_map(|one| one.words)
                        .collect(),
                    ..Selection::default()
                },
                Method::Rows,
            ),
        ];
        for (selection, expected) in cases {
            assert_eq!(method(&selection, &all, None), expected, "{selection}");
        }
    }

    #[test]
    fn settings_and_selection_are_intersected_or_counted_by_rows() {
        let limit = BTreeSet::from([Severity::High, Severity::Critical]);
        let all = Query::default();
        let cases = [
            (Selection::default(), Method::Totals(all.clone(), Some(limit.clone()))),
            (
                severe(&[Severity::High, Severity::Low]),
                Method::Totals(all.clone(), Some([Severity::High].into())),
            ),
            (severe(&[Severity::Low]), Method::Nothing),
        ];
        for (selection, expected) in cases {
            assert_eq!(method(&selection, &all, Some(&limit)), expected, "{selection}");
        }
        let both = scope(Filter::SystemCompliance, &["nist", "soc-2"]);
        let one = scope(Filter::SystemCompliance, &["nist"]);
        assert_eq!(
            method(&words(Field::Framework, &["nist"]), &both, None),
            Method::Totals(one, None)
        );
        assert_eq!(method(&words(Field::Framework, &["iso"]), &both, None), Method::Rows);
    }

    #[test]
    fn demands_for_one_selection_are_merged() {
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
