//! What the policy needs from a source.

use super::Selection;
use crate::finding::Subject;

/// What the policy needs from one source, so that nothing more is downloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub demands: Vec<Demand>,
    /// What gates leave out of scope, by what passed checks have too. Whether it matches anything is
    /// worth a warning and no request: it is counted where passed checks are read anyway.
    pub exclusions: Vec<Demand>,
    /// Whether passed checks are counted by every field that they have: a gate has `each`, or the
    /// evidence is saved and other policies will decide it.
    pub split: bool,
    /// What the gates select that ask for some accounts, or for each by itself.
    pub by_account: Vec<Selection>,
    /// Which failed checks are needed one by one.
    pub rows: Rows,
}

/// Failed checks that are needed one by one, and not only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// All: a report lists them, or something may be forgiven.
    #[default]
    All,
    /// Those that a gate selects.
    Of(Vec<Selection>),
}

impl Rows {
    /// Whether one of the failed checks of a subject may be among them.
    pub fn may_include(&self, subject: &Subject) -> bool {
        match self {
            Self::All => true,
            Self::Of(selections) => selections.iter().any(|one| one.may_match(subject)),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(mut ours), Self::Of(theirs)) => {
                ours.extend(theirs);
                Self::Of(ours)
            }
            _ => Self::All,
        }
    }
}

impl Wanted {
    /// Asks for every failed check: something lists them.
    pub fn need_all_rows(&mut self) {
        self.rows = Rows::All;
    }

    /// What both need.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for demand in other.demands {
            if !self.demands.contains(&demand) {
                self.demands.push(demand);
            }
        }
        for exclusion in other.exclusions {
            if !self.exclusions.contains(&exclusion) {
                self.exclusions.push(exclusion);
            }
        }
        self.split |= other.split;
        self.by_account.extend(other.by_account);
        self.rows = self.rows.and(other.rows);
        self
    }
}

/// What one gate needs to know about checks that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The gate's selection, less the fields that passes do not have.
    pub selection: Selection,
    pub need: Need,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// That the selection matches any check at all, passed or failed.
    Existence,
    /// How many checks passed.
    Passes,
}
