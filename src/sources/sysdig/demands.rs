//! Counts what gates need besides failures while rows are read.

use crate::evidence::{Count, SelectionCount};
use crate::finding::Subject;
use crate::selection::{Demand, Need};

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
    pub(super) fn matches(&self, subject: &Subject, id: Option<&str>, name: Option<&str>) -> bool {
        let selection = &self.demand.selection;
        selection.matches(subject)
            && selection.matches_resource(id, name)
            && !selection.excludes_check(subject, [id, name], None)
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
