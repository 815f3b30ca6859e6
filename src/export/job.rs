//! What an export works with, and its outcome.

use super::{Cases, Rules, Ticket};
use crate::finding::Problem;
use crate::progress::Progress;
use crate::sources::bigid::Case;
use crate::stop::Stop;

/// What may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// Create tickets and write to BigID; otherwise everything is only planned.
    pub(crate) apply: bool,
    /// Acknowledge exported cases.
    pub(crate) acknowledge: bool,
    /// Resolve exported cases with a verified fix.
    pub(crate) resolve: bool,
}

/// What an export works with.
pub(crate) struct Job<'a, T> {
    pub(crate) cases: Cases<'a>,
    pub(crate) target: T,
    pub(crate) rules: &'a Rules,
    pub(crate) mode: Mode,
    /// The pipeline run, for BigID's audit log.
    pub(crate) run: &'a str,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
}

/// The result of an export.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Worst case first.
    pub(crate) rows: Vec<CaseRow>,
    /// The number of cases that the rules leave out.
    pub(crate) left_out: u64,
    /// Why not everything was done.
    pub(crate) problems: Vec<Problem>,
}

/// The result for one case.
#[derive(Clone, Debug)]
pub(crate) struct CaseRow {
    pub(crate) case: Case,
    pub(crate) action: Action,
    pub(crate) notes: Vec<String>,
    /// The status that was written to BigID.
    pub(crate) wrote: Option<String>,
}

impl CaseRow {
    pub(super) const fn new(case: Case, action: Action) -> Self {
        Self { case, action, notes: Vec::new(), wrote: None }
    }
}

/// What was done for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// BigID itself created a ticket for it; with the link, if there is one.
    Linked(Option<String>),
    /// The ledger has its ticket.
    Known(Ticket),
    /// The target has its ticket.
    Found(Ticket),
    /// It has no ticket; a dry run creates none.
    Planned,
    Created(Ticket),
    /// The run has requested as many tickets as it may.
    OverCap,
    /// Whether it has a ticket could not be determined.
    Undecided,
    /// The target refused the ticket.
    Refused,
    /// The run ended before this case.
    NotReached,
}

impl Action {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Linked(_) => "linked in BigID",
            Self::Known(_) => "has a ticket",
            Self::Found(_) => "found",
            Self::Planned => "create",
            Self::Created(_) => "created",
            Self::OverCap => "next run",
            Self::Undecided => "undecided",
            Self::Refused => "refused",
            Self::NotReached => "not reached",
        }
    }

    /// The ticket that the export knows.
    pub(crate) const fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Known(ticket) | Self::Found(ticket) | Self::Created(ticket) => Some(ticket),
            _ => None,
        }
    }
}
