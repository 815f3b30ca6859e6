//! Evidence: what each source delivered, and what is needed to trust it.
//!
//! It is an owned value. The decision is made from it and from the policy, and from nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::finding::{Account, Finding, Fingerprint, Problem, Severity, UrgencyKey};
use crate::selection::Field;
use crate::text;

mod counts;
mod narrow;
mod proof;

pub use counts::{Count, Counts, SelectionCount, SubjectCount, Table};
pub use proof::{Proof, Unit, Window};

/// How far a platform's clock may be ahead of ours: no more than times without a zone can be.
pub const MOST_AHEAD: TimeDelta = TimeDelta::hours(14);

/// What all sources of a run delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When the collection began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// One for each source, in the order of the policy.
    pub outcomes: Vec<Outcome>,
}

/// The run of a pipeline, as its CI host names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiRun {
    /// The word for the host after `--ci`.
    pub host: String,
    /// The page of the run, or what else the host calls it.
    pub url: Option<String>,
    pub id: Option<String>,
    /// `group/name`.
    pub repository: Option<String>,
    /// The commit that the job works on.
    pub commit: Option<String>,
    /// Who or what started it.
    pub actor: Option<String>,
}

/// The program that decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    pub version: String,
    /// Of its own file, in hexadecimal digits.
    pub sha256: Option<String>,
}

/// What one source delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name in the policy: `opencomply`, `opencomply/eu`.
    pub source: String,
    /// Scheme, host and port that answered.
    pub origin: String,
    /// Whether the embedded simulator answered instead of a platform.
    pub simulated: bool,
    /// The settings that choose what was asked for.
    pub filters: Vec<Filter>,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Independent pieces of evidence, each with its own proof.
    pub parts: Vec<Part>,
    /// What is missing of this source as a whole. What its parts found still counts.
    pub problems: Vec<Problem>,
    /// What a reader should know and no gate depends on.
    pub notes: Vec<String>,
    /// What a reader of any gate on it must know, also where the gate holds: what does not count.
    pub remarks: Vec<String>,
    /// What a reader must know after a fix, in a sentence: when the platform will see it.
    pub after_fix: Option<Cow<'static, str>>,
    /// How to have newer evidence, where there is a way.
    pub renew: Option<Cow<'static, str>>,
}

impl Outcome {
    /// The outcome of a source that was not asked.
    pub fn of_failure(source: String, origin: String, problem: Problem) -> Self {
        Self {
            source,
            origin,
            simulated: false,
            filters: Vec::new(),
            requests: 0,
            parts: Vec::new(),
            problems: vec![problem],
            notes: Vec::new(),
            remarks: Vec::new(),
            after_fix: None,
            renew: None,
        }
    }
}

/// A setting of a source that chooses a part of what its platform has, or changes what it reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// Its key below the source, such as `filters.severities`.
    pub key: String,
    /// The field by which evidence can be divided as the platform would have done.
    pub field: Option<Field>,
    pub words: BTreeSet<String>,
}

impl Filter {
    /// A filter by the words of a field.
    pub fn of<T: Into<String>>(
        key: &str,
        field: Field,
        words: impl IntoIterator<Item = T>,
    ) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { key: key.to_owned(), field: Some(field), words }
    }

    /// A setting that evidence cannot be divided by.
    pub fn setting<T: Into<String>>(key: &str, words: impl IntoIterator<Item = T>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { key: key.to_owned(), field: None, words }
    }

    fn listed(&self) -> String {
        text::one_line(&text::listed(&self.words, ", ", 12), 300)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.key, self.listed())
    }
}

/// A piece of evidence that can be relied on as a whole, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The framework, where the platform evaluates one at a time.
    pub framework: Option<String>,
    /// The SHA-256 of the image that it is about, in hexadecimal digits, where it is of one.
    pub image: Option<String>,
    /// What is counted.
    pub unit: Unit,
    /// Why this part cannot be relied on. Empty: it can.
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
    /// The platform's jobs behind it.
    pub jobs: Vec<Job>,
    /// Accounts in scope that the platform does not evaluate.
    pub unevaluated: Vec<Unevaluated>,
    pub proof: Proof,
    /// When the platform evaluated it; `None` where the platform does not say.
    pub as_of: Option<DateTime<Utc>>,
    /// When it was read, where the platform states no time by itself: then its age is that of the
    /// reading.
    pub read_at: Option<DateTime<Utc>>,
    /// What earlier runs had found of just before the window.
    pub before: Option<Before>,
    pub findings: Findings,
    /// Counts that the findings do not give: passes, and failures that are not listed.
    pub counts: Counts,
}

/// What earlier runs had found of just before a window: the next run needs it to see what arrived late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    pub from: DateTime<Utc>,
    pub known: BTreeSet<Fingerprint>,
}

/// The failed checks of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Findings {
    /// Every one of them.
    Listed(Vec<Finding>),
    /// Not every one, perhaps none. Gates rely on counts instead.
    Incomplete { listed: Vec<Finding>, why: Problem },
}

impl Default for Findings {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Findings {
    /// None is listed, for this reason.
    pub const fn counted(why: Problem) -> Self {
        Self::Incomplete { listed: Vec::new(), why }
    }

    /// Those that are known one by one.
    pub fn listed(&self) -> &[Finding] {
        match self {
            Self::Listed(listed) | Self::Incomplete { listed, .. } => listed,
        }
    }

    pub const fn listed_mut(&mut self) -> &mut Vec<Finding> {
        match self {
            Self::Listed(listed) | Self::Incomplete { listed, .. } => listed,
        }
    }

    pub fn push(&mut self, finding: Finding) {
        match self {
            Self::Listed(listed) | Self::Incomplete { listed, .. } => listed.push(finding),
        }
    }

    /// Adds those that a source collected; a list that was empty is theirs, without a copy.
    pub fn extend(&mut self, mut more: Vec<Finding>) {
        match self {
            Self::Listed(listed) | Self::Incomplete { listed, .. } if listed.is_empty() => {
                *listed = more;
            }
            Self::Listed(listed) | Self::Incomplete { listed, .. } => listed.append(&mut more),
        }
    }

    /// Puts them in the order of every report, once: what selects some of them keeps it.
    pub fn sort(&mut self) {
        let listed = self.listed_mut();
        if listed.is_sorted_by(|a, b| Finding::by_urgency(a, b).is_le()) {
            return;
        }
        // The places are sorted rather than the findings, which are large, and then followed. What
        // decides most comparisons is beside each place.
        let mut keys: Vec<_> = listed.iter().map(UrgencyKey::of).zip(0_usize..).collect();
        keys.sort_unstable_by(|(a, at), (b, other)| {
            let rest = || Finding::by_urgency(&listed[*at], &listed[*other]);
            a.cmp(b).then_with(rest).then(at.cmp(other))
        });
        let mut from: Vec<usize> = keys.into_iter().map(|(_, place)| place).collect();
        for start in 0..from.len() {
            let mut at = start;
            while from[at] != start {
                let next = std::mem::replace(&mut from[at], at);
                listed.swap(at, next);
                at = next;
            }
            from[at] = at;
        }
    }

    /// Why not all are listed, if they are not.
    pub const fn why_incomplete(&self) -> Option<&Problem> {
        match self {
            Self::Listed(_) => None,
            Self::Incomplete { why, .. } => Some(why),
        }
    }
}

/// An account that is not evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unevaluated {
    pub account: Account,
    /// What the platform says of it, as the end of a sentence; `None`: nothing, but there is no
    /// result at all, passed or failed.
    pub why: Option<Box<str>>,
}

/// A job of the platform, for the reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    /// The platform's own word for its state.
    pub state: String,
    pub role: Role,
    pub ended_at: Option<DateTime<Utc>>,
}

/// How we came to rely on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We started it, and may cancel it.
    Started,
    /// An unfinished job of another pipeline that evaluates the same.
    Joined,
    /// A finished job that is recent enough.
    Reused,
}

impl Role {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Joined => "joined",
            Self::Reused => "reused",
        }
    }
}

impl Part {
    /// A part whose proof is the number of checks evaluated.
    pub fn of_checks(evaluated: u64) -> Self {
        Self { proof: Proof::Checks { evaluated }, ..Self::default() }
    }

    /// A part that lists what happened in a window, before its entries are read.
    pub fn of_window(unit: Unit, window: Window) -> Self {
        Self {
            unit,
            proof: Proof::Answered { entries: 0, window: Some(window) },
            as_of: Some(window.to),
            ..Self::default()
        }
    }

    /// The time that its age counts from: the platform's, else that of the reading.
    pub fn aged_from(&self) -> Option<DateTime<Utc>> {
        self.as_of.or(self.read_at)
    }

    /// Checks or entries that were looked at.
    pub const fn looked_at(&self) -> u64 {
        self.proof.looked_at()
    }

    /// Records how many checks or entries were looked at.
    pub fn set_looked_at(&mut self, count: u64) {
        match &mut self.proof {
            Proof::Checks { evaluated: counted } | Proof::Answered { entries: counted, .. } => {
                *counted = count;
            }
        }
    }

    /// Failed checks by severity, worst first; zeros are left out.
    pub fn failed_by_severity(&self) -> Vec<(Severity, u64)> {
        let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
        match &self.findings {
            Findings::Listed(findings) => {
                for finding in findings {
                    *counts.entry(finding.subject.severity).or_default() += 1;
                }
            }
            Findings::Incomplete { .. } => {
                let table =
                    self.counts.table.iter().filter(|table| table.by.contains(&Field::Severity));
                for row in table.flat_map(|table| &table.rows) {
                    *counts.entry(row.subject.severity).or_default() += row.count.failed;
                }
            }
        }
        counts.into_iter().rev().filter(|(_, failed)| *failed > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::finding::{Identity, Subject};

    fn finding((number, severity): (usize, bool)) -> Finding {
        let severity = if severity { Severity::High } else { Severity::Low };
        let mut finding = Finding::new(Subject::new(severity), Identity::Check);
        finding.resource_id = Some(format!("resource-{}", number % 40).into());
        finding.reason = Some(number.to_string().into());
        finding
    }

    proptest! {
        #[test]
        fn findings_are_in_one_order_however_they_arrived(
            given in prop::collection::vec((0..100_usize, any::<bool>()), 0..80),
        ) {
            let mut expected: Vec<_> = given.into_iter().map(finding).collect();
            let mut findings = Findings::Listed(expected.clone());
            findings.sort();
            expected.sort_by(Finding::by_urgency);
            prop_assert_eq!(findings, Findings::Listed(expected));
        }
    }
}
