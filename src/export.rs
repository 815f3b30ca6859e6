//! Open cases to tickets: each of them once, whatever happens on the way (fact sheet BigID §C).
//!
//! ```text
//! plan → ledger? → ticket of the platform's own? → search, compared exactly → intent to the ledger
//!      → create → ticket to the ledger → read back → (status of the case, read back) → ledger
//! ```
//!
//! Neither system has a key that is unique, and the search of one of them lags behind. So three
//! things together keep a case from having two tickets: a line in the ledger *before* a ticket is
//! asked for, a search for a mark that only this case has, and never asking twice where the
//! answer was lost: the search decides, and until it can, the case is left alone.
//!
//! ```text
//! export.rs      the contract: cases, targets, rules      ledger.rs     what was done, on disk
//! job.rs         what it works with, what became of it    writeback.rs  what BigID is told of it
//! run.rs         the march from case to ticket            wording.rs    what stands in a ticket
//! jira/, servicenow/   the targets
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::finding::{Cause, Fingerprint, Problem, Severity};
use crate::selection::Pattern;
use crate::sources::Later;
use crate::sources::bigid::{Case, Changed};

pub mod jira;
mod job;
mod ledger;
mod run;
pub mod servicenow;
mod wording;
mod writeback;

pub use job::{Action, Job, Mode, Outcome, Row};
pub use ledger::{Busy, Ledger};
pub use run::export;

/// Which cases are exported, and how carefully.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The source that has the cases.
    pub source: String,
    /// Only cases of these severities; an unknown one always counts.
    pub severity: Option<BTreeSet<Severity>>,
    /// Only cases of these policies.
    pub policy: Option<Vec<Pattern>>,
    /// Only cases with these statuses, in the platform's words; else all that are open.
    pub status: Option<Vec<Pattern>>,
    /// The most tickets that one run asks for.
    pub max_creates: u64,
    /// Where it is written down what was done.
    pub ledger: PathBuf,
    /// The status that a case with a verified fix is given.
    pub resolve_as: ResolveAs,
}

impl Rules {
    /// Whether a case should have a ticket.
    pub fn select(&self, case: &Case) -> bool {
        let meets = |patterns: &Option<Vec<Pattern>>, word: &str, otherwise: bool| {
            patterns
                .as_ref()
                .map_or(otherwise, |patterns| patterns.iter().any(|each| each.matches(word)))
        };
        let severe = self.severity.as_ref().is_none_or(|severities| {
            case.severity == Severity::Unknown || severities.contains(&case.severity)
        });
        severe
            && meets(&self.policy, &case.policy, true)
            && meets(&self.status, &case.status, case.open)
    }
}

/// The platform's words for a case that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ResolveAs {
    #[default]
    Resolved,
    Remediated,
    Closed,
}

impl ResolveAs {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Remediated => "remediated",
            Self::Closed => "closed",
        }
    }
}

/// Where the cases are.
pub trait Cases {
    /// All of them, whatever their status.
    fn all(&self) -> Later<'_, Result<Vec<Case>, Problem>>;

    /// One of them as it is now; `None` if there is none with this id.
    fn one<'a>(&'a self, id: &'a str) -> Later<'a, Result<Option<Case>, Problem>>;

    /// Sets the status of one of them.
    fn set_status<'a>(
        &'a self,
        id: &'a str,
        status: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), Problem>>;

    /// Whether the user lets many of them be changed with one request.
    fn allows_bulk(&self) -> bool;

    /// Sets the status of all cases of a policy, which must be exactly the planned ones. Where it
    /// refuses to, with the cause `Invalid`, nothing was sent.
    fn set_status_of_policy<'a>(
        &'a self,
        policy: &'a str,
        planned: &'a BTreeSet<String>,
        status: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<Changed, Problem>>;
}

/// What a case is known by, in the ledger and in its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `bigid:<id>`: the id of the case's finding.
    pub case: String,
    /// `gate-` and 16 hex digits of the finding's fingerprint: a word for systems whose labels
    /// take no others.
    pub label: String,
}

impl Mark {
    const PREFIX: &str = "bigid:";

    /// The mark of the case with this id.
    pub fn of(id: &str) -> Self {
        let fingerprint = Fingerprint::of(&["bigid", id]).to_string();
        let digits: String = fingerprint.chars().take(16).collect();
        Self { case: format!("{}{id}", Self::PREFIX), label: format!("gate-{digits}") }
    }

    /// The id of the case that the ledger knows by this name.
    fn id(case: &str) -> Option<&str> {
        case.strip_prefix(Self::PREFIX)
    }
}

/// A ticket in the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// What the system goes by.
    pub id: String,
    /// What people call it: `SEC-7`, `INC0010001`.
    pub key: String,
    /// Where people see it.
    pub url: String,
}

/// A ticket as the target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub ticket: Ticket,
    /// Whether it carries the mark of its case.
    pub marked: bool,
    /// Whether nobody works on it any more.
    pub closed: bool,
    /// What it should hold and does not, a sentence each.
    pub differences: Vec<String>,
}

/// A ticket to ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// What could not be filled in, a sentence each.
    pub notes: Vec<String>,
}

/// What became of asking for a ticket.
#[derive(Debug)]
pub enum Creation {
    /// It is there; with what was left out to get it.
    Created(Ticket, Vec<String>),
    /// The target said no: there is no ticket.
    Refused(Problem),
    /// The target was never asked: there is no ticket.
    Unsent(Problem),
    /// Nobody knows.
    Lost(Problem),
}

/// A system that keeps tickets.
pub trait Target {
    /// The product's name, for people.
    fn title(&self) -> &'static str;

    /// Which system, which instance, and where in it: what stands in the ledger.
    fn place(&self) -> String;

    /// Whether it is on another machine than this one.
    fn is_real(&self) -> bool;

    /// How old a lost question must be before a search that finds nothing is believed.
    fn settle(&self) -> std::time::Duration;

    /// All tickets with this mark, oldest first. `recent` are tickets that the search may not show yet.
    fn find<'a>(
        &'a self,
        mark: &'a Mark,
        recent: &'a [Ticket],
    ) -> Later<'a, Result<Vec<Seen>, Problem>>;

    /// What a case's ticket should hold. What cannot be looked up is left out.
    fn draft<'a>(&'a self, case: &'a Case, mark: &'a Mark) -> Later<'a, Draft>;

    /// Asks for a ticket, once.
    fn create<'a>(&'a self, draft: &'a Draft) -> Later<'a, Creation>;

    /// A ticket as it is now, compared with what it was made of; `None` if there is none.
    fn read<'a>(
        &'a self,
        ticket: &'a Ticket,
        mark: &'a Mark,
        draft: Option<&'a Draft>,
    ) -> Later<'a, Result<Option<Seen>, Problem>>;
}

/// What became of a question that brought no usable answer: whether there can be a ticket now.
fn unanswered(error: &crate::http::HttpError) -> Creation {
    use crate::http::Failure;
    let problem = error.problem();
    match &error.failure {
        Failure::Denied(_) => Creation::Refused(problem),
        // 408: the target gave up waiting for something that it may have had.
        Failure::Refused { status, .. } if (400..500).contains(status) && *status != 408 => {
            Creation::Refused(Problem { cause: Cause::Invalid, ..problem })
        }
        Failure::Unreachable { .. } | Failure::Stopped(_) => Creation::Unsent(problem),
        Failure::Refused { .. } | Failure::Unconfirmed(_) | Failure::Protocol(_) => {
            Creation::Lost(problem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_tomorrow() {
        // Changing it would make a second ticket for every case there is.
        let mark = Mark::of("66f1a2b3c4d5e6f708192a3b");
        assert_eq!(mark.case, "bigid:66f1a2b3c4d5e6f708192a3b");
        assert_eq!(mark.label, "gate-812f499cad0f85e0");
        assert_eq!(Mark::id(&mark.case), Some("66f1a2b3c4d5e6f708192a3b"));
    }
}
