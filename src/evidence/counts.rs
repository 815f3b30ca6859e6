//! Counts of what is not listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Severity, Subject};
use crate::selection::{Field, Selection};

/// Counts of checks: a table, and single answers to what no table can answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub table: Option<Table>,
    pub answers: Vec<SelectionCount>,
}

/// Counts of everything in a part, split by fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The fields by which rows differ. No other field of a row's subject is filled.
    pub by: BTreeSet<Field>,
    pub rows: Vec<SubjectCount>,
}

/// Checks of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectCount {
    pub subject: Subject,
    pub count: Count,
}

/// The count of exactly one selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionCount {
    pub selection: Selection,
    pub count: Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// `None` where only failures were counted.
    pub passed: Option<u64>,
    pub failed: u64,
}

impl Count {
    pub const ZERO: Self = Self { passed: Some(0), failed: 0 };

    /// A count of failures, where passes are not known.
    pub const fn of_failures(failed: u64) -> Self {
        Self { passed: None, failed }
    }

    /// The sum. Counts that could overflow are refused where they are read.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let passed = self.passed.zip(other.passed).map(|(a, b)| a + b);
        Self { passed, failed: self.failed + other.failed }
    }

    /// Checks with either result, if passes are known.
    pub fn evaluated(self) -> Option<u64> {
        self.passed.map(|passed| passed + self.failed)
    }
}

impl Counts {
    /// Adds the count of exactly one selection.
    pub fn answer(&mut self, selection: Selection, count: Count) {
        self.answers.push(SelectionCount { selection, count });
    }

    /// The count within a selection, if it is known: its own answer, else a sum over the table,
    /// if that is split by every field that the selection uses.
    pub fn of(&self, selection: &Selection) -> Option<Count> {
        let answer = self.answers.iter().find(|answer| answer.selection == *selection);
        answer.map(|answer| answer.count).or_else(|| {
            let fine = |table: &&Table| selection.fields().is_subset(&table.by);
            let rows = self.table.as_ref().filter(fine)?.rows.iter();
            // A failed check may match by what it does not state; a passed one never does.
            let counts = rows.filter_map(|row| match selection.matches(&row.subject) {
                true => Some(row.count),
                false if selection.may_match(&row.subject) => {
                    Some(Count { passed: row.count.passed.map(|_| 0), ..row.count })
                }
                false => None,
            });
            Some(counts.fold(Count::ZERO, Count::plus))
        })
    }
}

impl Table {
    /// A table of failures by severity, and nothing else.
    pub fn of_failures(by_severity: &BTreeMap<Severity, u64>) -> Self {
        let row = |(severity, failed): (&Severity, &u64)| SubjectCount {
            subject: Subject::new(*severity),
            count: Count::of_failures(*failed),
        };
        Self { by: [Field::Severity].into(), rows: by_severity.iter().map(row).collect() }
    }
}
