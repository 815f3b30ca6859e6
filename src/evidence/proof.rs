//! What is counted, and what shows that a platform looked.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A rule, checked on one resource.
    #[default]
    Check,
    /// A case that a platform keeps until it is closed.
    Case,
    /// A change made to a platform.
    Change,
    /// Something that happened at run time.
    Event,
    Vulnerability,
}

impl Unit {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Case => "case",
            Self::Change => "change",
            Self::Event => "event",
            Self::Vulnerability => "vulnerability",
        }
    }

    /// The noun for what a gate counts against its limit.
    pub const fn failed(self) -> &'static str {
        match self {
            Self::Check => "failed check",
            Self::Case => "open case",
            Self::Change => "change",
            Self::Event => "event",
            Self::Vulnerability => "vulnerability",
        }
    }
}

/// What shows that a platform looked, although it may have found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// This many checks were evaluated, with any result. Zero proves nothing.
    Checks { evaluated: u64 },
    /// The platform answered in full for a list that may be empty, with this many entries.
    Answered {
        entries: u64,
        /// The span of time that was asked for, where the list is of what happened in one.
        window: Option<Window>,
    },
}

impl Default for Proof {
    fn default() -> Self {
        Self::Checks { evaluated: 0 }
    }
}

impl Proof {
    /// Checks or entries that were looked at.
    pub const fn looked_at(self) -> u64 {
        match self {
            Self::Checks { evaluated } => evaluated,
            Self::Answered { entries, .. } => entries,
        }
    }

    /// The span of time that was asked for.
    pub const fn window(self) -> Option<Window> {
        match self {
            Self::Checks { .. } => None,
            Self::Answered { window, .. } => window,
        }
    }

    /// Whether an empty answer is a valid one.
    pub const fn may_be_empty(self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}

/// A span of time, from its first instant to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}
