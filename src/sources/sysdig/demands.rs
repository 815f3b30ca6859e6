//! Counts what gates need besides failures while rows are read.

use std::collections::BTreeMap;

use crate::evidence::{Count, SelectionCount, SubjectCount, Table};
use crate::finding::{Facets, Subject};
use crate::selection::{Demand, Field, Need, Wanted};

/// What one gate needs to know, and the count so far.
pub(super) struct Counted<'a> {
    demand: &'a Demand,
    passed: u64,
    failed: u64,
}

impl<'a> Counted<'a> {
    pub(super) fn all(demands: &'a [Demand]) -> Vec<Self> {
        demands.iter().map(|demand| Self { demand, passed: 0, failed: 0 }).collect()
    }

    pub(super) fn demand(&self) -> &'a Demand {
        self.demand
    }

    pub(super) fn needs_passes(&self) -> bool {
        self.demand.need == Need::Passes
    }

    /// Whether it only needs to know that something exists, and nothing was found so far.
    pub(super) fn is_open(&self) -> bool {
        self.demand.need == Need::Existence && self.passed == 0 && self.failed == 0
    }

    /// Whether it is about this check.
    pub(super) fn matches(
        &self,
        subject: &Subject,
        [id, name]: [Option<&str>; 2],
        facets: &Facets,
    ) -> bool {
        let selection = &self.demand.selection;
        selection.matches(subject)
            && selection.matches_resource(id, name)
            && selection.matches_facets(facets)
            && !selection.excludes_facets(subject, [id, name], facets)
    }

    pub(super) fn add(&mut self, passed: bool) {
        match passed {
            true => self.passed += 1,
            false => self.failed += 1,
        }
    }

    /// The count, of exactly what the gate selects.
    pub(super) fn answer(&self) -> SelectionCount {
        let count = Count { passed: Some(self.passed), failed: self.failed };
        SelectionCount { selection: self.demand.selection.clone(), count }
    }
}

/// Checks by everything that they have in common, where that is wanted.
#[derive(Default)]
pub(super) struct Tally(Option<BTreeMap<Subject, Count>>);

impl Tally {
    pub(super) fn new(wanted: &Wanted) -> Self {
        Self(wanted.split.then(BTreeMap::new))
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn add(&mut self, subject: &Subject, passed: bool) {
        let Some(counts) = &mut self.0 else { return };
        let one = match passed {
            true => Count { passed: Some(1), failed: 0 },
            false => Count { passed: Some(0), failed: 1 },
        };
        match counts.get_mut(subject) {
            Some(count) => *count = count.plus(one),
            None => _ = counts.insert(subject.clone(), one),
        }
    }

    pub(super) fn table(self) -> Option<Table> {
        let row = |(subject, count)| SubjectCount { subject, count };
        let rows = self.0?.into_iter().map(row).collect();
        Some(Table { by: Field::OF_SUBJECT.into(), rows })
    }
}
