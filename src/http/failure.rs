//! Why a request brought no usable answer.
//!
//! A failure's text continues a sentence that begins with the source and the endpoint:
//! `bigid: GET /api/v1/x` + `answered 503`.

use std::fmt;

use super::SetupFault;
use crate::finding::{Cause, Problem};
use crate::secret::Mask;
use crate::stop::Reason;

/// Why a request brought no usable answer. No text in it holds a token.
#[derive(Clone, Debug)]
pub struct HttpError {
    source: String,
    endpoint: String,
    pub failure: Failure,
    /// The proxy that the request went through.
    proxy: Option<Box<str>>,
    /// The base URL, where no request below it was ever answered as an API does.
    unproven_url: Option<Box<str>>,
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
    /// A certificate, a proxy, a name or a scheme that is wrong on this side.
    Setup(Box<SetupFault>),
    /// The deadline or an interrupt came first.
    Stopped(Reason),
}

impl Failure {
    fn masked(self) -> Self {
        let mask = Mask::for_errors();
        let masked = |text: String| mask.apply(&text).into_owned();
        match self {
            Self::Denied(said) => Self::Denied(masked(said)),
            Self::Refused { status, said } => Self::Refused { status, said: masked(said) },
            Self::Unreachable { tries, what } => Self::Unreachable { tries, what: masked(what) },
            Self::Unconfirmed(what) => Self::Unconfirmed(masked(what)),
            Self::Protocol(message) => Self::Protocol(masked(message)),
            Self::Setup(fault) => {
                let SetupFault { what, help } = *fault;
                Self::Setup(Box::new(SetupFault { what: masked(what), help: masked(help) }))
            }
            Self::Stopped(reason) => Self::Stopped(reason),
        }
    }
}

impl HttpError {
    pub(super) fn new(source: String, endpoint: String, failure: Failure) -> Self {
        let endpoint = Mask::for_errors().apply(&endpoint).into_owned();
        Self { source, endpoint, failure: failure.masked(), proxy: None, unproven_url: None }
    }

    pub(super) fn through(mut self, proxy: Option<&str>) -> Self {
        self.proxy = proxy.map(Box::from);
        self
    }

    pub(super) fn before_any_answer(mut self, url: Option<&str>) -> Self {
        self.unproven_url = url.map(Box::from);
        self
    }

    /// As a reason why evidence cannot be relied on.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.cause(), self.to_string());
        match &self.failure {
            Failure::Denied(_) => problem.help(
                "check that the token is the right one for this url, is not expired or revoked, \
                 and that its role is sufficient",
            ),
            Failure::Unreachable { .. } | Failure::Unconfirmed(_) => {
                problem.help(match self.proxy {
                    None => "check that the platform is up and reachable from this machine",
                    Some(_) => "check that the platform is up and that the proxy may reach it",
                })
            }
            Failure::Setup(fault) => problem.help(fault.help.clone()),
            Failure::Refused { .. } | Failure::Protocol(_) => match &self.wrong_url() {
                Some(url) => {
                    let base = likely_base(url, &self.endpoint);
                    let base = base.map_or_else(String::new, |base| format!("; try `{base}`"));
                    problem.help(format!(
                        "correct `url`, now {url}: it is the base address of the platform's API, \
                         without the path of an endpoint, and not the address of its web pages{base}"
                    ))
                }
                None if matches!(self.failure, Failure::Protocol(_)) => {
                    problem.help("check `url`; `-v` shows every request and its status")
                }
                None => problem,
            },
            Failure::Stopped(_) => problem,
        }
    }

    fn cause(&self) -> Cause {
        match self.failure {
            Failure::Denied(_) => Cause::Denied,
            Failure::Unreachable { .. } | Failure::Unconfirmed(_) => Cause::Unreachable,
            Failure::Setup(_) => Cause::Setup,
            Failure::Refused { .. } | Failure::Protocol(_) if self.wrong_url().is_some() => {
                Cause::Setup
            }
            Failure::Refused { .. } | Failure::Protocol(_) => Cause::Protocol,
            Failure::Stopped(Reason::Deadline) => Cause::Deadline,
            Failure::Stopped(Reason::Interrupt(_)) => Cause::Interrupted,
        }
    }

    /// The base URL, if it is the likely cause: nothing below it was ever answered as an API does,
    /// and this answer says that there is nothing at this path, or is a web page.
    fn wrong_url(&self) -> Option<&str> {
        let url = self.unproven_url.as_deref();
        match &self.failure {
            Failure::Refused { status: 404 | 405 | 410, .. } => url,
            Failure::Protocol(message) if message.contains(super::answer::HTML_PAGE) => url,
            _ => None,
        }
    }
}

/// The part of a `url` before what begins like the path that was asked for below it: the path of an
/// endpoint was pasted.
fn likely_base<'u>(url: &'u str, endpoint: &str) -> Option<&'u str> {
    let path = &endpoint[endpoint.find('/')?..];
    let origin = url.find("://").and_then(|at| Some(at + 3 + url[at + 3..].find('/')?))?;
    let below = path.strip_prefix(url[origin..].trim_end_matches('/'))?;
    let first =
        below.trim_start_matches('/').split('/').next().filter(|first| !first.is_empty())?;
    let pasted = url[origin..].find(&format!("/{first}/"))?;
    Some(&url[..origin + pasted])
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, endpoint, failure, proxy, .. } = self;
        write!(f, "{source}: {endpoint}")?;
        match failure {
            Failure::Denied(said) | Failure::Refused { said, .. } => write!(f, " answered {said}")?,
            Failure::Unreachable { tries: 1, what } | Failure::Unconfirmed(what) => {
                write!(f, " {what}")?;
            }
            Failure::Unreachable { tries, what } => write!(f, " {what} (after {tries} tries)")?,
            Failure::Protocol(message) => return write!(f, ": {message}"),
            Failure::Setup(fault) => write!(f, " {}", fault.what)?,
            Failure::Stopped(Reason::Deadline) => {
                return write!(f, ": the deadline passed while waiting for the answer");
            }
            Failure::Stopped(Reason::Interrupt(_)) => {
                return write!(f, ": interrupted while waiting for the answer");
            }
        }
        proxy.as_ref().map_or(Ok(()), |proxy| write!(f, ", through the proxy {proxy}"))
    }
}

impl std::error::Error for HttpError {}

#[cfg(test)]
mod tests {
    use super::likely_base;

    #[test]
    fn what_was_pasted_is_cut_off() {
        for (url, endpoint, base) in [
            (
                "https://a.example/main/schedule/api/v3",
                "GET /main/schedule/api/v3/main/auth/me",
                "https://a.example",
            ),
            (
                "https://a.example/v1/cspm/checks/",
                "GET /v1/cspm/checks/cspm/rules",
                "https://a.example/v1",
            ),
            ("https://a.example/", "GET /main/auth/me", ""),
            ("https://a.example/console", "GET /console/main/auth/me", ""),
            ("https://a.example", "POST /x", ""),
        ] {
            assert_eq!(likely_base(url, endpoint).unwrap_or_default(), base, "{url}");
        }
    }
}
