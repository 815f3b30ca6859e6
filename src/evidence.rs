//! What was collected: one outcome a source, and what is needed to trust it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::finding::{Finding, Problem, Severity, Subject};
use crate::selection::{Field, Selection};

/// How far a platform's clock may be ahead of ours: no more than times without a zone can be.
pub const MOST_AHEAD: TimeDelta = TimeDelta::hours(14);

/// All that one source had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name in the policy: `opencomply`, `opencomply/eu`.
    pub source: String,
    /// Scheme, host and port that answered.
    pub origin: String,
    /// Whether the embedded simulator answered instead of a platform.
    pub simulated: bool,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Independent pieces of evidence: a framework each on OpenComply, else one.
    pub parts: Vec<Part>,
    /// What is missing of this source as a whole. What its parts found still counts against it.
    pub problems: Vec<Problem>,
    /// What a reader should know and no gate depends on.
    pub notes: Vec<String>,
}

/// A piece of evidence that stands or falls as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The framework, where the platform evaluates one at a time.
    pub framework: Option<String>,
    /// Why this part cannot be relied on. Empty: it can.
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
    /// The platform's jobs behind it.
    pub jobs: Vec<Job>,
    /// Checks within the scope, whatever their result.
    pub evaluated: u64,
    /// The span of time that was asked for, where the platform reports what happened rather than
    /// what was checked. That it answered for all of it is the proof; an empty window is a pass.
    pub window: Option<Window>,
    /// When the platform evaluated it; `None` where the platform does not say.
    pub as_of: Option<DateTime<Utc>>,
    /// Every failed check, if `findings_missing` is `None`.
    pub findings: Vec<Finding>,
    /// Why the findings are not all there, although the counts stand.
    pub findings_missing: Option<Problem>,
    /// Counts. Findings, where they are all there, come before them.
    pub tallies: Vec<Tally>,
}

/// A span of time, from its first instant to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We started it, and may cancel it.
    Started,
    /// Somebody else's unfinished job that evaluates the same.
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

/// Counts of the checks within a selection, as fine as the platform gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What was counted. The default selection: everything in the part.
    pub of: Selection,
    /// The fields by which the cells are told apart. No other field of a cell is filled.
    pub split: BTreeSet<Field>,
    pub cells: Vec<Cell>,
    /// Whether passes are not known this finely: `passed` is zero in every cell and means nothing.
    pub failures_only: bool,
}

/// Checks of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub subject: Subject,
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// Checks passed and failed within `selection`, if this tally can tell: it counted exactly
    /// that, or everything by all fields that the selection asks for.
    pub fn count(&self, selection: &Selection) -> Option<Count> {
        let exact = self.of == *selection;
        let fine_enough =
            self.of == Selection::default() && selection.fields().is_subset(&self.split);
        (exact || fine_enough).then(|| {
            self.cells.iter().filter(|cell| exact || selection.takes(&cell.subject)).fold(
                Count::default(),
                |sum, cell| Count {
                    passed: sum.passed.saturating_add(cell.passed),
                    failed: sum.failed.saturating_add(cell.failed),
                },
            )
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

impl Part {
    /// Counts within `selection`, from the first tally that can tell.
    pub fn count(&self, selection: &Selection) -> Option<Count> {
        let whole = self.tallies.iter().filter(|tally| !tally.failures_only);
        whole.into_iter().find_map(|tally| tally.count(selection))
    }

    /// Failed checks within `selection`, also from a tally that knows no passes.
    pub fn failed(&self, selection: &Selection) -> Option<u64> {
        self.tallies.iter().find_map(|tally| tally.count(selection)).map(|count| count.failed)
    }

    /// Failed checks by severity, worst first, for people; zeros are left out.
    pub fn failed_by_severity(&self) -> Vec<(Severity, u64)> {
        let count = |severity: Severity| {
            if self.findings_missing.is_none() {
                return self.findings.iter().filter(|f| f.subject.severity == severity).count()
                    as u64;
            }
            let by_severity = self.tallies.iter().find(|tally| {
                tally.of == Selection::default() && tally.split.contains(&Field::Severity)
            });
            by_severity
                .into_iter()
                .flat_map(|tally| &tally.cells)
                .filter(|cell| cell.subject.severity == severity)
                .map(|cell| cell.failed)
                .sum()
        };
        std::iter::once(Severity::Unknown)
            .chain(Severity::NAMED)
            .map(|severity| (severity, count(severity)))
            .filter(|(_, failed)| *failed > 0)
            .collect()
    }
}
