//! Why a request brought no usable answer.
//!
//! A failure's text continues a sentence that begins with the source and the endpoint:
//! `bigid: GET /api/v1/x` + `answered 503`.

use std::fmt;

use crate::finding::{Cause, Problem};
use crate::stop::Reason;

/// Why a request brought no usable answer.
#[derive(Clone, Debug)]
pub struct HttpError {
    pub(super) source: String,
    pub(super) endpoint: String,
    pub failure: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 401 or 403.
    Denied(String),
    /// Another status of 400 and above that a retry would not change.
    Refused { status: u16, said: String },
    /// No usable answer after all tries.
    Unreachable { tries: u32, what: String },
    /// A command that the platform may or may not have carried out.
    Unconfirmed(String),
    /// An answer that is not what the API promises.
    Protocol(String),
    /// The deadline or an interrupt came first.
    Stopped(Reason),
}

impl HttpError {
    /// As a reason why evidence cannot be relied on.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.cause(), self.to_string());
        match &self.failure {
            Failure::Denied(_) => problem.help(
                "check that the token is the right one for this url, is not expired or revoked, \
                 and that its role is sufficient",
            ),
            Failure::Unreachable { .. } | Failure::Unconfirmed(_) => {
                problem.help("check that the platform is up and reachable from this machine")
            }
            Failure::Protocol(_) => {
                problem.help("check `url`; `-v` shows every request and its status")
            }
            Failure::Refused { .. } | Failure::Stopped(_) => problem,
        }
    }

    fn cause(&self) -> Cause {
        match self.failure {
            Failure::Denied(_) => Cause::Denied,
            Failure::Unreachable { .. } | Failure::Unconfirmed(_) => Cause::Unreachable,
            Failure::Refused { .. } | Failure::Protocol(_) => Cause::Protocol,
            Failure::Stopped(Reason::Deadline) => Cause::Deadline,
            Failure::Stopped(Reason::Interrupt(_)) => Cause::Interrupted,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, endpoint, failure } = self;
        match failure {
            Failure::Denied(said) | Failure::Refused { said, .. } => {
                write!(f, "{source}: {endpoint} answered {said}")
            }
            Failure::Unreachable { tries: 1, what } | Failure::Unconfirmed(what) => {
                write!(f, "{source}: {endpoint} {what}")
            }
            Failure::Unreachable { tries, what } => {
                write!(f, "{source}: {endpoint} {what} (after {tries} tries)")
            }
            Failure::Protocol(message) => write!(f, "{source}: {endpoint}: {message}"),
            Failure::Stopped(Reason::Deadline) => {
                write!(f, "{source}: the deadline passed while waiting for {endpoint}")
            }
            Failure::Stopped(Reason::Interrupt(_)) => {
                write!(f, "{source}: interrupted while waiting for {endpoint}")
            }
        }
    }
}

impl std::error::Error for HttpError {}
