//! What a policy forgives: findings, a cause, a gate. Each entry has an owner, a reason and a last
//! day, and one function says whether it is in force.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::baseline::Baseline;
use crate::finding::{Cause, Finding, Severity, WaiverKind};
use crate::place::{Place, Whose};
use crate::selection::{Field, Selection};

mod terms;

pub use terms::{Conditions, Required, Terms};

/// An entry that lapses within so many days needs a person.
pub const SOON: i64 = 14;

/// An entry of `accept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Whose policy it is written in. That of an organisation may take entries of the repository.
    pub whose: Whose,
    pub grounds: Grounds,
    /// The gates that it is for, by id; empty: all.
    pub gates: Vec<String>,
    pub forgives: Forgives,
}

/// Who accepts, why, and from when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    pub id: String,
    pub reason: String,
    pub owner: String,
    /// A claim of the file: nothing proves it.
    pub approved_by: Option<String>,
    pub ticket: Option<String>,
    /// The first day (UTC) on which it holds, if not any.
    pub from: Option<NaiveDate>,
    /// The last whole day (UTC) on which it holds.
    pub expires: NaiveDate,
    pub place: Place,
}

/// What is forgiven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgives {
    /// Findings that match.
    Match(Match),
    /// Findings that a file has.
    Baseline(KnownFindings),
    /// A cause that makes evidence of some sources inconclusive.
    Cause(Excuse),
    /// A gate, by id: it cannot block.
    GateOff(String),
    /// What was accepted on a platform.
    Upstream(Upstream),
}

/// Findings that were there when a baseline was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFindings {
    /// As the policy names the file.
    pub path: String,
    /// Where it is.
    pub file: PathBuf,
    /// `None` where the file is missing, which only the command that writes it allows.
    pub baseline: Option<Arc<Baseline>>,
    /// Whether it is of the environment that is decided.
    pub applies: bool,
}

/// Which findings are covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Names of sources; empty: all.
    pub sources: Vec<String>,
    /// All selectors but the severity. Letters count as they are written.
    pub selection: Selection,
    /// The worst severity that is covered.
    pub worst: Option<Severity>,
    /// Whether findings of unknown severity are covered.
    pub unknown: bool,
    /// The most findings of one gate that are covered.
    pub max_findings: Option<u64>,
}

/// A cause that is forgiven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    pub cause: Cause,
    /// Names of sources.
    pub sources: Vec<String>,
    /// The greatest age of stale evidence that is forgiven.
    pub up_to: Option<Duration>,
}

/// What counts of what a platform itself accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upstream {
    /// Findings that are accepted there, in this way.
    Waiver(WaiverKind),
    /// Severities that were changed there, on this system.
    Severity(&'static str),
}

/// Where a day lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    NotYet,
    InForce,
    Lapsed,
}

impl Grounds {
    /// Whether its last day is near.
    pub fn lapses_soon(&self, today: NaiveDate) -> bool {
        (self.expires - today).num_days() <= SOON
    }

    /// Whether it holds on a day.
    pub fn in_force(&self, today: NaiveDate) -> bool {
        self.standing(today) == Validity::InForce
    }

    pub fn standing(&self, today: NaiveDate) -> Validity {
        match today {
            today if today > self.expires => Validity::Lapsed,
            today if self.from.is_some_and(|from| today < from) => Validity::NotYet,
            _ => Validity::InForce,
        }
    }

    /// How long it lives, in days. Without a first day, as long as it still will.
    pub fn life(&self, today: NaiveDate) -> i64 {
        (self.expires - self.from.unwrap_or(today)).num_days()
    }
}

impl Acceptance {
    /// Whether it is the same entry, in the policy that has it or in one that takes it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.whose == other.whose && self.grounds.id == other.grounds.id
    }

    /// Whether it is for a gate.
    pub fn is_for(&self, gate: &str) -> bool {
        self.gates.is_empty() || self.gates.iter().any(|id| id == gate)
    }
}

impl Forgives {
    /// The key in a policy.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Baseline(_) => "baseline",
            Self::Cause(_) => "cause",
            Self::GateOff(_) => "gate_off",
            Self::Upstream(_) => "upstream",
        }
    }

    pub const fn is_baseline(&self) -> bool {
        matches!(self, Self::Baseline(_))
    }

    /// Whether it forgives findings, so that one which covers none is of no use.
    pub const fn is_of_findings(&self) -> bool {
        match self {
            Self::Match(_) | Self::Upstream(_) => true,
            Self::Baseline(known) => known.applies,
            Self::Cause(_) | Self::GateOff(_) => false,
        }
    }
}

impl Match {
    /// Whether it names single findings: a rule or control and a resource without wildcards, and the
    /// worst severity. Anything else needs `max_findings`.
    pub fn is_narrow(&self) -> bool {
        let words = |field: Field| self.selection.words.get(&field);
        let literal = |field: Field| {
            words(field).is_some_and(|words| words.iter().all(|word| word.literal().is_some()))
        };
        (literal(Field::Rule) || literal(Field::Control))
            && literal(Field::Resource)
            && self.worst.is_some()
    }

    /// Whether it covers a finding of this severity. What a finding does not state is covered only
    /// where the word `unknown` is written.
    pub fn covers(&self, finding: &Finding, severity: Severity) -> bool {
        let of_source =
            self.sources.is_empty() || self.sources.iter().any(|s| **s == *finding.source);
        of_source && self.covers_severity(severity) && self.selection.states(finding)
    }

    fn covers_severity(&self, severity: Severity) -> bool {
        match severity {
            Severity::Unknown => self.unknown,
            severity => self.worst.is_none_or(|worst| severity <= worst),
        }
    }
}

impl Excuse {
    /// Whether it forgives a cause in a source whose evidence is of a time.
    pub fn covers(
        &self,
        cause: Cause,
        source: &str,
        as_of: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> bool {
        // Evidence of an unknown time, or of a time to come, has no age.
        let is_young = |most: Duration| {
            as_of.and_then(|as_of| (now - as_of).to_std().ok()).is_some_and(|age| age <= most)
        };
        self.cause == cause
            && self.sources.iter().any(|name| name == source)
            && self.up_to.is_none_or(is_young)
    }
}

impl Upstream {
    /// Every word of a policy.
    pub fn all() -> impl Iterator<Item = Self> {
        let severities = ["gravityzone", "sysdig"].map(Self::Severity);
        WaiverKind::ALL.into_iter().map(Self::Waiver).chain(severities)
    }

    pub fn word(self) -> String {
        match self {
            Self::Waiver(kind) => kind.word().to_owned(),
            Self::Severity(system) => format!("{system}.severity"),
        }
    }

    /// Why it covers nothing, whatever was changed on its platform.
    pub fn never(self) -> Option<&'static str> {
        let reason = "covers nothing today: no answer of Sysdig says that a severity was changed";
        (self == Self::Severity("sysdig")).then_some(reason)
    }

    /// The system that it is about.
    pub fn system(self) -> &'static str {
        match self {
            Self::Waiver(kind) => kind.word().split('.').next().unwrap_or_default(),
            Self::Severity(system) => system,
        }
    }
}
