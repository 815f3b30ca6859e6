//! What an export works with, and what became of it.

use super::{Cases, Rules, Target, Ticket};
use crate::finding::Problem;
use crate::progress::Progress;
use crate::sources::bigid::Case;
use crate::stop::Stop;

/// What may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Tickets are made, and the rest is done too; else all of it is only planned.
    pub apply: bool,
    /// Exported cases are acknowledged.
    pub acknowledge: bool,
    /// Exported cases whose fix is verified are resolved.
    pub resolve: bool,
}

/// What an export works with.
pub struct Job<'a> {
    pub cases: &'a dyn Cases,
    pub target: &'a dyn Target,
    pub rules: &'a Rules,
    pub mode: Mode,
    /// The run of the pipeline, for whoever audits it.
    pub run: &'a str,
    pub stop: &'a Stop,
    pub progress: &'a Progress,
}

/// What became of the cases.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Worst first.
    pub rows: Vec<Row>,
    /// Cases that the rules leave out.
    pub left_out: u64,
    /// Why not everything was done.
    pub problems: Vec<Problem>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: Case,
    pub action: Action,
    pub notes: Vec<String>,
    /// The status that BigID was told.
    pub wrote: Option<String>,
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// BigID has a ticket for it that it made itself.
    Linked(Option<String>),
    /// The ledger knows its ticket.
    Known(Ticket),
    /// The target has its ticket.
    Found(Ticket),
    /// It has none. A dry run asks for none.
    Planned,
    Created(Ticket),
    /// As many were asked for as one run may ask for.
    OverCap,
    /// Whether it has a ticket could not be told.
    Undecided,
    /// The target said no.
    Refused,
    /// The run ended before.
    NotReached,
}

impl Action {
    pub const fn word(&self) -> &'static str {
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
    pub const fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Known(ticket) | Self::Found(ticket) | Self::Created(ticket) => Some(ticket),
            _ => None,
        }
    }
}
