//! Counts of checks: a table by subject, and exact counts for selections that a table cannot answer.

use std::collections::{BTreeSet, HashMap};

use super::findings::Findings;
use super::query::RecordFault;
use super::shared::{Key, Shared};
use super::wire::CheckRow;
use crate::evidence::{Count, Counts, SelectionCount, SubjectCount, Table};
use crate::finding::{Facets, Severity};
use crate::selection::{Demand, Field, Need, Selection};

/// The answer for a selection of which only the existence matters, where the filters of the settings
/// leave out some checks. It proves that the selection is not a typo. None of it counts as passed,
/// so it never raises a pass rate.
pub(super) fn beyond_filters(selection: &Selection, any: u64) -> SelectionCount {
    answer(selection, 0, any)
}

pub(super) fn answer(selection: &Selection, passed: u64, failed: u64) -> SelectionCount {
    SelectionCount { selection: selection.clone(), count: Count { passed: Some(passed), failed } }
}

/// Counts checks while they are read, and keeps none of them.
pub struct Counter<'a> {
    /// The severities of the settings. Passed checks of others are not counted.
    severities: Option<&'a BTreeSet<Severity>>,
    exact: Vec<Exact<'a>>,
    /// Whether one of them selects by further texts of a check.
    by_facets: bool,
    rows: HashMap<Key, Passed>,
    failed: HashMap<Key, u64>,
}

struct Exact<'a> {
    demand: &'a Demand,
    passed: u64,
    /// Checks that match, also those that the filters of the settings leave out.
    any: u64,
}

struct Passed {
    passed: u64,
    /// The exact demands that select this subject.
    exact: Box<[usize]>,
}

impl<'a> Counter<'a> {
    /// `failed`: failed checks, which were counted before. `filtered`: whether the settings leave
    /// out checks by severity or status, so that more exist than are counted.
    pub fn new(
        demands: &[&'a Demand],
        severities: Option<&'a BTreeSet<Severity>>,
        filtered: bool,
        failed: HashMap<Key, u64>,
    ) -> Self {
        let is_facet = |field: &Field| Field::FACETS.contains(field);
        let needs_own = |demand: &&Demand| {
            let fields = demand.selection.fields();
            fields.contains(&Field::Resource)
                || fields.iter().any(is_facet)
                || (filtered && demand.need == Need::Existence)
        };
        let exact = |demand| Exact { demand, passed: 0, any: 0 };
        let exact: Vec<_> = demands.iter().copied().filter(needs_own).map(exact).collect();
        let by_facets = |one: &Exact<'_>| one.demand.selection.fields().iter().any(is_facet);
        Self {
            severities,
            by_facets: exact.iter().any(by_facets),
            exact,
            rows: HashMap::new(),
            failed,
        }
    }

    /// Counts a check.
    ///
    /// # Errors
    /// If its controls cannot be read.
    pub fn add(&mut self, shared: &mut Shared, row: &CheckRow<'_>) -> Result<(), RecordFault> {
        let key = shared.key(row)?;
        let counts =
            row.passed && self.severities.is_none_or(|asked| asked.contains(&row.severity));
        let exact = &mut self.exact;
        let passed = self.rows.entry(key).or_insert_with(|| {
            let subject = shared.subject(key);
            let selects = |(at, one): (usize, &Exact<'_>)| {
                one.demand.selection.matches(&subject).then_some(at)
            };
            Passed { passed: 0, exact: exact.iter().enumerate().filter_map(selects).collect() }
        });
        passed.passed += u64::from(counts);
        let facets = match self.by_facets {
            true => shared.facets(key, row),
            false => Facets::default(),
        };
        for at in &passed.exact {
            let Some(exact) = exact.get_mut(*at) else { continue };
            let selection = &exact.demand.selection;
            let resource = [row.resource_id, row.resource_name];
            let is_excluded = || {
                let subject = shared.subject(key);
                selection.excludes_facets(&subject, resource, &facets)
            };
            if selection.matches_resource(row.resource_id, row.resource_name)
                && selection.matches_facets(&facets)
                && (selection.except.is_empty() || !is_excluded())
            {
                exact.passed += u64::from(counts);
                exact.any += 1;
            }
        }
        Ok(())
    }

    /// Adds the answers, and the table of what was counted.
    pub fn finish(self, shared: &Shared, findings: &Findings, counts: &mut Counts) {
        counts.answers.extend(self.exact.into_iter().map(|Exact { demand, passed, any }| {
            let selection = &demand.selection;
            match demand.need {
                Need::Passes => answer(selection, passed, findings.within(selection)),
                Need::Existence => beyond_filters(selection, any),
            }
        }));
        let mut sums: HashMap<Key, (u64, u64)> =
            self.failed.into_iter().map(|(key, failed)| (key, (0, failed))).collect();
        for (key, Passed { passed, .. }) in self.rows {
            if passed > 0 {
                sums.entry(key).or_default().0 = passed;
            }
        }
        let row = |(key, (passed, failed))| SubjectCount {
            subject: shared.subject(key),
            count: Count { passed: Some(passed), failed },
        };
        let mut rows: Vec<_> = sums.into_iter().map(row).collect();
        rows.sort_by(|a, b| a.subject.cmp(&b.subject));
        counts.table = Some(Table { by: Field::OF_SUBJECT.into(), rows });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire::tests::{check_with, read};
    use super::*;
    use crate::selection::Pattern;

    fn words(field: Field, word: &str) -> Selection {
        Selection { words: [(field, vec![Pattern::new(word)])].into(), ..Selection::default() }
    }

    fn critical() -> Selection {
        Selection { severity: Some([Severity::Critical].into()), ..Selection::default() }
    }

    /// Counts passes of these severities, and asks the counts.
    fn counted(
        severities: &[&str],
        demand: &Demand,
        limit: Option<&BTreeSet<Severity>>,
        selection: &Selection,
    ) -> (u64, u64) {
        let mut shared = Shared::default();
        let mut counter = Counter::new(&[demand], limit, limit.is_some(), HashMap::new());
        for (number, severity) in severities.iter().enumerate() {
            let mut record =
                check_with(&number.to_string(), "/attributes/severity", json!(severity));
            record["attributes"]["result"] = "pass".into();
            read(&record, |row| counter.add(&mut shared, &row)).unwrap().unwrap();
        }
        let mut counts = Counts::default();
        counter.finish(&shared, &Findings::default(), &mut counts);
        let count = counts.of(selection).unwrap();
        (count.passed.unwrap(), count.failed)
    }

    #[test]
    fn passes_of_an_unknown_severity_lift_no_rate_of_a_severity() {
        let demand = Demand { selection: critical(), need: Need::Passes };
        let severities = ["critical", "severe", "low"];
        assert_eq!(counted(&severities, &demand, None, &critical()), (1, 0));
        assert_eq!(counted(&severities, &demand, None, &Selection::default()), (3, 0));
    }

    #[test]
    fn passes_outside_the_settings_severities_are_not_counted() {
        let limit = BTreeSet::from([Severity::High]);
        let resource = words(Field::Resource, "arn:*");
        let demand = Demand { selection: resource.clone(), need: Need::Passes };
        let severities = ["high", "low", "severe"];
        for selection in [resource, Selection::default()] {
            assert_eq!(counted(&severities, &demand, Some(&limit), &selection), (1, 0));
        }
    }

    #[test]
    fn what_only_has_to_exist_never_counts_as_passed_under_filters() {
        let limit = BTreeSet::from([Severity::High]);
        let rule = words(Field::Rule, "cloud_scan/*");
        let demand = Demand { selection: rule.clone(), need: Need::Existence };
        assert_eq!(counted(&["high", "low"], &demand, Some(&limit), &rule), (0, 2));
    }
}
