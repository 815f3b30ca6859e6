//! One request: the one retry loop, and where a redirect may lead.

use std::time::Duration;

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::raw::{Lost, Raw, exchange};
use super::{Answer, Failure, Http, HttpError};
use crate::stop::{self, Reason};

/// Tries of a request that may be repeated. With the pauses between them a platform has about
/// fifteen seconds to come back, plus what it asks for with `Retry-After`.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Statuses that a platform gives while it cannot answer just now.
const PASSING: [StatusCode; 6] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

const MOST_REDIRECTS: usize = 5;

/// How long one request may take, and what is still tried, once everything has to stop.
const LAST_WORD: Duration = Duration::from_secs(5);

/// When a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// After every passing failure.
    Repeat,
    /// Only where the platform cannot have acted on it.
    OnlyIfUnseen,
    /// Never, and within `LAST_WORD`, also after the stop signal.
    LastWord,
}

/// What follows from a try.
enum Next {
    Done(Raw),
    Elsewhere(Raw),
    /// A new lease is worth one more try.
    Renewed,
    Again(Lost),
    Refused(Failure),
}

/// One request, not sent yet.
pub struct Call<'a> {
    http: &'a Http,
    method: Method,
    url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) content_type: &'static str,
    patience: Patience,
    accepted: &'static [u16],
}

impl<'a> Call<'a> {
    pub(super) fn new(http: &'a Http, method: Method, url: Url) -> Self {
        let content_type = "application/json";
        let (patience, accepted) = (Patience::Repeat, &[][..]);
        Self { http, method, url, body: None, content_type, patience, accepted }
    }

    /// Something that changes the platform: sent again only where it is certain not to have been
    /// seen.
    pub(super) fn only_if_unseen(mut self) -> Self {
        self.patience = Patience::OnlyIfUnseen;
        self
    }

    pub(super) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Adds a query parameter, escaped.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Gives these statuses back as answers, to be read: what a platform refuses may matter.
    #[must_use]
    pub fn accepting(mut self, statuses: &'static [u16]) -> Self {
        self.accepted = statuses;
        self
    }

    /// One try of five seconds that the stop signal does not cut short: for cleaning up.
    #[must_use]
    pub fn last_word(mut self) -> Self {
        self.patience = Patience::LastWord;
        self
    }

    /// Sends the request, and again while that may help.
    ///
    /// # Errors
    /// If no answer with a status below 300, or one that is accepted, arrived whole.
    pub async fn send(self) -> Result<Answer, HttpError> {
        let endpoint = format!("{} {}", self.method, self.url.path());
        let fail = |failure| HttpError {
            source: self.http.source.clone(),
            endpoint: endpoint.clone(),
            failure,
        };
        let mut url = self.url.clone();
        let (mut tries, mut redirects, mut may_renew) = (1, 0, self.http.renewal.is_some());
        loop {
            let authorization = self.http.authorization().await?;
            let tried = self.attempt(&url, authorization).await;
            let next = match tried.map_err(|reason| fail(Failure::Stopped(reason)))? {
                Ok(raw) => self.next(raw, may_renew),
                Err(lost) => Next::Again(lost),
            };
            match next {
                Next::Done(Raw { status, body, html, .. }) => {
                    let source = self.http.source.clone();
                    return Ok(Answer { source, endpoint, status, body, html });
                }
                Next::Elsewhere(raw) => {
                    redirects += 1;
                    url = self.redirected(&url, &raw, redirects).map_err(&fail)?;
                }
                Next::Renewed => {
                    may_renew = !self.http.forget_lease();
                }
                Next::Again(lost) => {
                    self.http
                        .progress
                        .trace(&format!("{}: {endpoint} {}", self.http.source, lost.what));
                    self.wait(lost, tries).await.map_err(&fail)?;
                    tries += 1;
                }
                Next::Refused(failure) => return Err(fail(failure)),
            }
        }
    }

    /// What an answer asks for.
    fn next(&self, raw: Raw, may_renew: bool) -> Next {
        match raw.status {
            status if status.is_success() && raw.is_gateway_page() => Next::Again(Lost::seen(
                format!("answered {} with a gateway's error page", status.as_u16()),
            )),
            status if status.is_success() || self.accepted.contains(&status.as_u16()) => {
                Next::Done(raw)
            }
            status if status.is_redirection() => Next::Elsewhere(raw),
            StatusCode::UNAUTHORIZED if may_renew => Next::Renewed,
            status if PASSING.contains(&status) => Next::Again(Lost {
                seen: status != StatusCode::TOO_MANY_REQUESTS,
                pause: raw.pause,
                what: format!("answered {}", raw.said_with_status()),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Next::Refused(Failure::Denied(raw.said_with_status()))
            }
            status => Next::Refused(Failure::Refused {
                status: status.as_u16(),
                said: raw.said_with_status(),
            }),
        }
    }

    /// Waits until the next try may help.
    ///
    /// # Errors
    /// If there is to be none.
    async fn wait(&self, lost: Lost, tries: u32) -> Result<(), Failure> {
        let again = match self.patience {
            Patience::Repeat => true,
            Patience::OnlyIfUnseen => !lost.seen,
            Patience::LastWord => false,
        };
        let pause = lost.pause.unwrap_or_else(|| {
            stop::jittered((FIRST_PAUSE * 2_u32.pow(tries - 1)).min(LONGEST_PAUSE))
        });
        let in_time = pause < self.http.stop.remaining();
        if again && tries < TRIES && in_time {
            return self.http.stop.sleep(pause).await.map_err(|reason| match reason {
                Reason::Deadline => Failure::Unreachable { tries, what: lost.what },
                Reason::Interrupt(_) => Failure::Stopped(reason),
            });
        }
        let what = match (in_time, lost.pause) {
            (false, Some(pause)) => format!(
                "{} and asked to wait {}, which is past the deadline",
                lost.what,
                humantime::format_duration(pause)
            ),
            _ => lost.what,
        };
        Err(match self.patience {
            Patience::OnlyIfUnseen if lost.seen => Failure::Lost(what),
            _ => Failure::Unreachable { tries, what },
        })
    }

    /// One request. The outer error: everything has to stop.
    async fn attempt(
        &self,
        url: &Url,
        authorization: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Result<Raw, Lost>, Reason> {
        let http = self.http;
        http.requests.set(http.requests.get() + 1);
        let mut request = http.client.request(self.method.clone(), url.clone());
        if let Some((name, value)) = authorization {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            request = request.header(header::CONTENT_TYPE, self.content_type).body(body.clone());
        }
        let exchange = exchange(request, http);
        let limited = |limit: Duration| async move {
            tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
                Err(Lost::seen(format!(
                    "gave no whole answer within {}",
                    humantime::format_duration(limit)
                )))
            })
        };
        let outcome = match self.patience {
            Patience::Repeat => http.stop.race(limited(http.timeout)).await?,
            // Its answer says what has to be cancelled: worth a few seconds more than the stop.
            Patience::OnlyIfUnseen => {
                if let Some(reason) = http.stop.reason() {
                    return Err(reason);
                }
                let answer = limited(http.timeout);
                tokio::pin!(answer);
                match http.stop.race(&mut answer).await {
                    Ok(outcome) => outcome,
                    Err(_) => tokio::time::timeout(LAST_WORD, answer).await.unwrap_or_else(|_| {
                        Err(Lost::seen("gave no answer before everything had to stop".to_owned()))
                    }),
                }
            }
            Patience::LastWord => limited(LAST_WORD.min(http.timeout)).await,
        };
        if let Ok(raw) = &outcome {
            http.simulated.set(http.simulated.get() || raw.simulated);
            let status = raw.status.as_u16();
            http.progress.trace(&format!("{}: {} {url} {status}", http.source, self.method));
        }
        Ok(outcome)
    }

    /// Where a redirect leads, if it may be followed: a GET that stays on its origin.
    fn redirected(&self, from: &Url, raw: &Raw, redirects: usize) -> Result<Url, Failure> {
        let status = raw.status.as_u16();
        let target = raw.location.as_deref().and_then(|location| from.join(location).ok());
        let Some(target) = target else {
            return Err(Failure::Protocol(format!(
                "it answered {status}, a redirect that leads nowhere"
            )));
        };
        let origin = self.http.origin();
        let refused = if target.origin() != self.http.base.origin() {
            let elsewhere = target.origin().ascii_serialization();
            format!(
                "a redirect to {elsewhere}, which was not followed; the token goes only to {origin}"
            )
        } else if self.method != Method::GET {
            "a redirect, which only a GET may follow".to_owned()
        } else if redirects > MOST_REDIRECTS {
            format!("a redirect for the {redirects}th time in a row, which goes in a circle")
        } else {
            return Ok(target);
        };
        Err(Failure::Protocol(format!("it answered {status} with {refused}")))
    }
}
