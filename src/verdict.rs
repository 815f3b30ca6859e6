//! The verdict and the exit codes: the one place that maps causes to codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::Cause;
use crate::stop::Signal;

/// The result of a run. Ordered: where several apply, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every gate holds.
    Passed,
    /// Every blocking gate holds; a warning gate does not, or could not be decided.
    Warned,
    /// A platform stayed unreachable after retries.
    Unreachable,
    /// Evidence is missing, partial, stale or contradictory.
    Inconclusive,
    /// A platform refused the token, or its role is too low.
    Denied,
    /// A blocking gate is breached on valid evidence.
    Blocked,
    /// Usage, configuration or policy is invalid, also where only the platform shows it.
    Invalid,
    /// Ctrl-C.
    Interrupted,
    /// The CI host ended the job.
    Terminated,
    /// The terminal or the connection is gone.
    HungUp,
    /// Ctrl-\.
    Quit,
}

impl Verdict {
    /// All verdicts, best first.
    pub const ALL: [Self; 11] = [
        Self::Passed,
        Self::Warned,
        Self::Unreachable,
        Self::Inconclusive,
        Self::Denied,
        Self::Blocked,
        Self::Invalid,
        Self::Interrupted,
        Self::Terminated,
        Self::HungUp,
        Self::Quit,
    ];

    /// The exit code. A pass with warnings is a pass, unless the caller asks otherwise.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed | Self::Warned => 0,
            Self::Blocked => 1,
            Self::Invalid => 2,
            Self::Inconclusive => 3,
            Self::Denied => 4,
            Self::Unreachable => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::HungUp => 129,
            Self::Quit => 131,
        }
    }

    /// One word for reports and outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Unreachable => "unreachable",
            Self::Inconclusive => "inconclusive",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
            Self::Invalid => "invalid",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::HungUp => "hung-up",
            Self::Quit => "quit",
        }
    }

    /// What it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "every gate holds",
            Self::Warned => "every blocking gate holds, with warnings",
            Self::Unreachable => "a platform stayed unreachable after retries",
            Self::Inconclusive => {
                "compliance could not be established: evidence is missing, \
                                   partial, stale or contradictory"
            }
            Self::Denied => "a platform denied access",
            Self::Blocked => "a blocking gate is breached on valid evidence",
            Self::Invalid => "usage, configuration or policy is invalid",
            Self::Interrupted => "interrupted",
            Self::Terminated => "ended by the CI host",
            Self::HungUp => "ended because the terminal is gone",
            Self::Quit => "ended by Ctrl-\\",
        }
    }

    /// What a missing piece of evidence makes of a blocking gate.
    pub const fn of(cause: Cause) -> Self {
        match cause {
            Cause::Invalid | Cause::Setup => Self::Invalid,
            Cause::Denied => Self::Denied,
            Cause::Unreachable => Self::Unreachable,
            Cause::Deadline
            | Cause::Interrupted
            | Cause::Protocol
            | Cause::JobFailed
            | Cause::Incomplete
            | Cause::Contradictory
            | Cause::Stale
            | Cause::Empty => Self::Inconclusive,
        }
    }

    /// Whether the pipeline may go on.
    pub const fn is_pass(self) -> bool {
        matches!(self, Self::Passed | Self::Warned)
    }
}

impl From<Signal> for Verdict {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
            Signal::HangUp => Self::HungUp,
            Signal::Quit => Self::Quit,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
