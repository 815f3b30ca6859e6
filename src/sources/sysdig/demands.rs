//! What gates need to know besides failures, counted while rows go by.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Cell, Tally};
use crate::finding::{Severity, Subject};
use crate::selection::{Demand, Field, Need, Selection};

/// What one gate needs to know, and the count so far.
pub struct Counted<'a> {
    demand: &'a Demand,
    passed: u64,
    failed: u64,
}

impl<'a> Counted<'a> {
    pub fn all(demands: &'a [Demand]) -> Vec<Self> {
        demands.iter().map(|demand| Self { demand, passed: 0, failed: 0 }).collect()
    }

    pub fn demand(&self) -> &'a Demand {
        self.demand
    }

    pub fn needs_passes(&self) -> bool {
        self.demand.need == Need::Passes
    }

    /// Whether it only needs to know that there is something, and does not yet.
    pub fn is_open(&self) -> bool {
        self.demand.need == Need::Existence && self.passed == 0 && self.failed == 0
    }

    /// Whether it speaks of this check.
    pub fn means(&self, subject: &Subject, id: Option<&str>, name: Option<&str>) -> bool {
        let selection = &self.demand.selection;
        selection.takes(subject) && selection.takes_resource(id, name)
    }

    pub fn add(&mut self, passed: bool) {
        match passed {
            true => self.passed += 1,
            false => self.failed += 1,
        }
    }

    /// The count, of exactly what the gate selects.
    pub fn tally(&self) -> Tally {
        Tally {
            of: self.demand.selection.clone(),
            split: BTreeSet::new(),
            cells: vec![cell(Severity::None, self.passed, self.failed)],
            failures_only: false,
        }
    }
}

/// Failures by severity, and nothing else.
pub fn by_severity(counts: &BTreeMap<Severity, u64>) -> Tally {
    Tally {
        of: Selection::default(),
        split: BTreeSet::from([Field::Severity]),
        cells: counts.iter().map(|(severity, failed)| cell(*severity, 0, *failed)).collect(),
        failures_only: true,
    }
}

fn cell(severity: Severity, passed: u64, failed: u64) -> Cell {
    let subject = Subject {
        severity,
        rule: None,
        controls: [].into(),
        resource_type: None,
        account: None,
        region: None,
    };
    Cell { subject, passed, failed }
}
