//! Creates tickets for open cases of BigID, one ticket per case.
//!
//! ```text
//! ledger → ticket that BigID created → search, compared exactly → intent to the ledger → create
//!        → ticket to the ledger → read back → (status of the case, read back) → ledger
//! ```
//!
//! Neither ticket system has a unique key, and Jira's search lags behind. Three things together
//! keep a case from getting two tickets: a line in the ledger *before* a ticket is requested, a
//! search for a mark that only this case has, and no repeated request where the answer was lost.
//! After a lost answer the search decides; until it can, the case is left alone.
//!
//! The ledger is a file that a pull request can change. Its lines save requests and prevent second
//! tickets. Nothing is written to BigID because of a line alone: the ticket must carry the mark of
//! the case.
//!
//! | module | its job |
//! |---|---|
//! | `job` | what an export works with, and its outcome |
//! | `cases` | reading and changing cases of BigID |
//! | `exporter` | finds or creates the ticket of each case |
//! | `search` | looks for a ticket in a search that may lag behind |
//! | `ledger` | the record of what was done, on disk |
//! | `writeback` | changes the status of exported cases in BigID |
//! | `content` | the texts of a ticket |
//! | [`jira`], [`servicenow`] | the ticket systems |
//!
//! What is known of the APIs is in `docs/platforms/jira.md`, `docs/platforms/servicenow.md` and
//! `docs/platforms/bigid.md`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::finding::{Cause, Fingerprint, Problem, Severity};
use crate::http::{Failure, HttpError};
use crate::selection::Pattern;
use crate::sources::bigid::Case;

mod cases;
mod content;
mod exporter;
pub(crate) mod jira;
mod job;
mod ledger;
mod search;
pub(crate) mod servicenow;
mod writeback;

pub(crate) use cases::Cases;
pub(crate) use exporter::export;
pub(crate) use job::{Action, CaseRow, Job, Mode, Outcome};
pub(crate) use ledger::{Ledger, LedgerError};

/// Which cases are exported, and within which limits.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The source that has the cases.
    pub source: String,
    /// Only cases of these severities; a case of unknown severity is always included.
    pub severity: Option<BTreeSet<Severity>>,
    /// Only cases of these policies.
    pub policy: Option<Vec<Pattern>>,
    /// Only cases with these statuses, in the platform's vocabulary. Default: all open cases.
    pub status: Option<Vec<Pattern>>,
    /// The maximum number of tickets that one run requests.
    pub max_creates: u64,
    /// The file that records what was done.
    pub ledger: PathBuf,
    /// The status for a case with a verified fix.
    pub resolve_as: ResolveAs,
}

impl Rules {
    /// Whether a case should have a ticket.
    pub(crate) fn select(&self, case: &Case) -> bool {
        let matches_any = |patterns: &Option<Vec<Pattern>>, word: &str, default: bool| {
            patterns
                .as_ref()
                .map_or(default, |patterns| patterns.iter().any(|each| each.matches(word)))
        };
        let severity_selected = self.severity.as_ref().is_none_or(|severities| {
            case.severity == Severity::Unknown || severities.contains(&case.severity)
        });
        severity_selected
            && matches_any(&self.policy, &case.policy, true)
            && matches_any(&self.status, &case.status, case.open)
    }
}

/// The platform's words for a finished case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResolveAs {
    #[default]
    Resolved,
    Remediated,
    Closed,
}

impl ResolveAs {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Remediated => "remediated",
            Self::Closed => "closed",
        }
    }
}

/// What identifies a case in the ledger and in its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// `bigid:<id>`: the id of the case's finding.
    pub(crate) case: String,
    /// `gate-` and 16 hex digits of the finding's fingerprint, for systems whose labels allow no
    /// other characters.
    pub(crate) label: String,
}

impl Mark {
    const PREFIX: &str = "bigid:";

    /// The mark of the case with this id.
    pub(crate) fn of(id: &str) -> Self {
        let fingerprint = Fingerprint::of(&["bigid", id]).to_string();
        let digits: String = fingerprint.chars().take(16).collect();
        Self { case: format!("{}{id}", Self::PREFIX), label: format!("gate-{digits}") }
    }

    /// The id of the case that has this name in the ledger.
    fn case_id(name: &str) -> Option<&str> {
        name.strip_prefix(Self::PREFIX)
    }
}

/// A ticket in the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// The system's internal id.
    pub(crate) id: String,
    /// The number that people use: `SEC-7`, `INC0010001`.
    pub(crate) key: String,
    /// Its web page.
    pub(crate) url: String,
}

/// A ticket as the target shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TicketState {
    pub(crate) ticket: Ticket,
    /// Whether it carries the mark of its case.
    pub(crate) marked: bool,
    /// Whether the work on it has ended.
    pub(crate) closed: bool,
    /// Fields that differ from what was sent, one sentence per entry.
    pub(crate) differences: Vec<String>,
}

/// The content of a ticket to create.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) fields: serde_json::Map<String, serde_json::Value>,
    /// What could not be filled in, one sentence per entry.
    pub(crate) notes: Vec<String>,
}

/// The result of one request for a ticket.
#[derive(Debug)]
pub(crate) enum Creation {
    /// The ticket exists; with a note for each field that was left out to get it.
    Created(Ticket, Vec<String>),
    /// The target refused: there is no ticket.
    Refused(Problem),
    /// The request never reached the target: there is no ticket.
    Unsent(Problem),
    /// The answer was lost: whether there is a ticket is unknown.
    Lost(Problem),
}

/// A ticket system.
pub(crate) trait Target {
    /// The product's name in messages.
    fn title(&self) -> &'static str;

    /// System, instance and project or table. Ledger lines of other locations are ignored.
    fn location(&self) -> String;

    /// Whether it runs on another machine.
    fn is_remote(&self) -> bool;

    /// How long after a lost answer a search that finds nothing proves nothing.
    fn settle(&self) -> Duration;

    /// All tickets with this mark, oldest first. `recent` are tickets that the search may not show
    /// yet.
    ///
    /// # Errors
    /// If the search failed, or its answer cannot be relied on.
    async fn find(&self, mark: &Mark, recent: &[Ticket]) -> Result<Vec<TicketState>, Problem>;

    /// The content of a case's ticket. References that cannot be looked up are left out.
    async fn draft(&self, case: &Case, mark: &Mark) -> Draft;

    /// Requests a ticket, once.
    async fn create(&self, draft: &Draft) -> Creation;

    /// A ticket as it is now, compared with the draft it was created from; `None` if it does not
    /// exist.
    ///
    /// # Errors
    /// If it could not be read.
    async fn read(
        &self,
        ticket: &Ticket,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<Option<TicketState>, Problem>;
}

/// What a failed create request means: whether there can be a ticket now.
fn failed_creation(error: &HttpError) -> Creation {
    let problem = error.problem();
    match &error.failure {
        Failure::Denied(_) => Creation::Refused(problem),
        // After 408 the target may have received the whole request.
        Failure::Refused { status, .. } if (400..500).contains(status) && *status != 408 => {
            Creation::Refused(Problem { cause: Cause::Invalid, ..problem })
        }
        Failure::Unreachable { .. } | Failure::Setup(_) | Failure::Stopped(_) => {
            Creation::Unsent(problem)
        }
        Failure::Refused { .. } | Failure::Unconfirmed(_) | Failure::Protocol(_) => {
            Creation::Lost(problem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_never_changes() {
        // Another mark would create a second ticket for every exported case.
        let mark = Mark::of("66f1a2b3c4d5e6f708192a3b");
        assert_eq!(mark.case, "bigid:66f1a2b3c4d5e6f708192a3b");
        assert_eq!(mark.label, "gate-812f499cad0f85e0");
        assert_eq!(Mark::case_id(&mark.case), Some("66f1a2b3c4d5e6f708192a3b"));
    }
}
