//! One request: the one retry loop, and which redirects are followed.

use std::time::Duration;

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::de::IgnoredAny;
use tokio::time::Instant;
use url::Url;

use super::body::BodyText;
use super::raw::{BodyReader, Broken, FailedTry, Raw, exchange};
use super::{Answer, Failure, Http, HttpError, SetupFault};
use crate::json::JsonError;
use crate::stop::{self, Reason};

/// Tries of a request that may be repeated. The pauses between them give a platform about fifteen
/// seconds to recover, and longer where it sends `Retry-After`.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Statuses of a platform, or of a gateway in front of it, that cannot answer at the moment. Those
/// from 520 on are of Cloudflare and of load balancers that imitate it.
const TRANSIENT: [u16; 14] = [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 530];

const MOST_REDIRECTS: usize = 5;

/// When a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// After every transient failure.
    Always,
    /// Only where the platform certainly did not receive it.
    UnlessReceived,
    /// Never. It is sent after the deadline or an interrupt, within the time that is left then.
    DuringShutdown,
}

/// What to do after a try.
enum AfterTry<T> {
    Return(Raw<T>),
    Redirect(Raw<T>),
    /// Try once more with a new lease.
    RenewLease,
    Retry(FailedTry),
    /// Read once more what arrived incomplete.
    Reread(String),
    Fail(Failure),
}

/// A complete answer, with what was read of it while it arrived.
struct Sent<T> {
    answer: Answer,
    read: Option<Result<T, JsonError>>,
}

/// One request, not sent yet.
pub struct Call<'a> {
    http: &'a Http,
    method: Method,
    url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) content_type: &'static str,
    repeat: Repeat,
    accepted: &'static [u16],
}

impl<'a> Call<'a> {
    pub(super) fn new(http: &'a Http, method: Method, url: Url) -> Self {
        let content_type = "application/json";
        let (repeat, accepted) = (Repeat::Always, &[][..]);
        Self { http, method, url, body: None, content_type, repeat, accepted }
    }

    /// For requests that change something: repeated only where the platform certainly did not
    /// receive them.
    pub(super) fn unless_received(mut self) -> Self {
        self.repeat = Repeat::UnlessReceived;
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

    /// Returns answers with these statuses instead of an error.
    #[must_use]
    pub fn accepting(mut self, statuses: &'static [u16]) -> Self {
        self.accepted = statuses;
        self
    }

    /// One try in the time that is reserved for cleaning up, also after the deadline or an
    /// interrupt.
    #[must_use]
    pub fn during_shutdown(mut self) -> Self {
        self.repeat = Repeat::DuringShutdown;
        self
    }

    /// Sends the request, and repeats it while that may help.
    ///
    /// # Errors
    /// If no complete answer arrived with a status below 300 or with one that is accepted.
    pub async fn send(self) -> Result<Answer, HttpError> {
        Ok(self.exchange::<()>(|| None).await?.answer)
    }

    /// As `send`, with a reader of the body, which is JSON, on a thread of its own while it arrives:
    /// for answers that are too large to be held. Each try has a new reader.
    ///
    /// # Errors
    /// As `send`, and if the body is not what the reader expects.
    pub(crate) async fn send_to<T, R>(self, reader: impl Fn() -> R) -> Result<T, HttpError>
    where
        T: Send + 'static,
        R: FnOnce(BodyText) -> Result<T, JsonError> + Send + 'static,
    {
        let Sent { answer, read } = self.exchange(|| Some(Box::new(reader()))).await?;
        match read {
            Some(Ok(read)) => Ok(read),
            Some(Err(error)) => {
                Err(answer.failed(Failure::Protocol(format!("the answer is {error}"))))
            }
            // It was empty, or a page.
            None => Err(answer.json::<IgnoredAny>().err().unwrap_or_else(|| {
                answer.failed(Failure::Protocol("the answer is not as promised".to_owned()))
            })),
        }
    }

    async fn exchange<T: Send + 'static>(
        self,
        reader: impl Fn() -> Option<BodyReader<T>>,
    ) -> Result<Sent<T>, HttpError> {
        let endpoint = format!("{} {}", self.method, self.url.path());
        // What a command is answered says nothing about `url`: it is about what was to be changed.
        let is_unproven = || self.repeat == Repeat::Always && !self.http.answered.get();
        let unproven_url = || is_unproven().then(|| self.http.base.as_str());
        let fail =
            |failure| self.http.error(endpoint.clone(), failure).before_any_answer(unproven_url());
        let mut url = self.url.clone();
        let (mut tries, mut redirects, mut may_renew) = (1, 0, self.http.renewal.is_some());
        let mut may_reread = self.repeat == Repeat::Always;
        loop {
            let authorization = self.http.authorization().await?;
            let tried = self.attempt(&url, authorization, reader()).await;
            let next = match tried.map_err(|reason| fail(Failure::Stopped(reason)))? {
                Ok(raw) => self.next(raw, may_renew, may_reread),
                Err(Broken::Try(failed)) => AfterTry::Retry(failed),
                Err(Broken::Final(failure)) => AfterTry::Fail(failure),
            };
            match next {
                AfterTry::Return(Raw { status, body, html, read, .. }) => {
                    let source = self.http.source.clone();
                    let unproven_url = unproven_url().map(str::to_owned);
                    if status.is_success() && !html {
                        self.http.answered.set(true);
                    }
                    let answer = Answer { source, endpoint, status, body, html, unproven_url };
                    return Ok(Sent { answer, read });
                }
                AfterTry::Redirect(raw) => {
                    redirects += 1;
                    url = self.redirected(&url, &raw, redirects).map_err(&fail)?;
                }
                AfterTry::RenewLease => {
                    may_renew = !self.http.forget_lease();
                }
                AfterTry::Reread(what) => {
                    may_reread = false;
                    self.http.trace(&endpoint, &what);
                    let slept = self.http.stop.sleep(stop::jittered(FIRST_PAUSE)).await;
                    slept.map_err(|reason| fail(Failure::Stopped(reason)))?;
                }
                AfterTry::Retry(failed) => {
                    self.http.trace(&endpoint, &failed.what);
                    if tries > 1 {
                        // A run that waits is not silent.
                        let tries = format!("{}, {tries} of {TRIES} tries", failed.what);
                        self.http.progress.status(&self.http.source, "no answer yet", &tries);
                    }
                    self.wait(failed, tries).await.map_err(&fail)?;
                    tries += 1;
                }
                AfterTry::Fail(failure) => return Err(fail(failure)),
            }
        }
    }

    /// What to do after this answer.
    fn next<T>(&self, raw: Raw<T>, may_renew: bool, may_reread: bool) -> AfterTry<T> {
        match raw.status {
            status if status.is_success() && raw.is_gateway_page() => {
                AfterTry::Retry(FailedTry::received(format!(
                    "answered {} with a gateway's error page",
                    status.as_u16()
                )))
            }
            status if status.is_success() && may_reread && raw.is_broken() => {
                AfterTry::Reread(format!(
                    "answered {} with {}; it is read once more",
                    status.as_u16(),
                    if raw.html { "an HTML page" } else { "an incomplete body" }
                ))
            }
            status if status.is_success() || self.accepted.contains(&status.as_u16()) => {
                AfterTry::Return(raw)
            }
            status if status.is_redirection() => AfterTry::Redirect(raw),
            StatusCode::UNAUTHORIZED if may_renew => AfterTry::RenewLease,
            status if TRANSIENT.contains(&status.as_u16()) => AfterTry::Retry(FailedTry {
                received: status != StatusCode::TOO_MANY_REQUESTS,
                pause: raw.pause,
                what: format!("answered {}", raw.status_and_message()),
            }),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => AfterTry::Fail(Failure::Setup(Box::new(
                SetupFault::proxy_login(&self.url, self.http.proxy.as_deref()),
            ))),
            _ if raw.expects_https() => {
                AfterTry::Fail(Failure::Setup(Box::new(SetupFault::needs_https(&self.url))))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                AfterTry::Fail(Failure::Denied(raw.status_and_message()))
            }
            status => AfterTry::Fail(Failure::Refused {
                status: status.as_u16(),
                said: raw.status_and_message(),
            }),
        }
    }

    /// Waits until the next try.
    ///
    /// # Errors
    /// If there is no further try.
    async fn wait(&self, failed: FailedTry, tries: u32) -> Result<(), Failure> {
        let again = match self.repeat {
            Repeat::Always => true,
            Repeat::UnlessReceived => !failed.received,
            Repeat::DuringShutdown => false,
        };
        let pause = failed.pause.unwrap_or_else(|| {
            stop::jittered((FIRST_PAUSE * 2_u32.pow(tries - 1)).min(LONGEST_PAUSE))
        });
        let in_time = pause < self.http.stop.remaining();
        if again && tries < TRIES && in_time {
            return self.http.stop.sleep(pause).await.map_err(|reason| match reason {
                Reason::Deadline => Failure::Unreachable { tries, what: failed.what },
                Reason::Interrupt(_) => Failure::Stopped(reason),
            });
        }
        let what = match (in_time, failed.pause) {
            (false, Some(pause)) => format!(
                "{} and asked to wait {}, which is past the deadline",
                failed.what,
                humantime::format_duration(pause)
            ),
            _ => failed.what,
        };
        Err(match self.repeat {
            Repeat::UnlessReceived if failed.received => Failure::Unconfirmed(what),
            _ => Failure::Unreachable { tries, what },
        })
    }

    /// One try. The outer error: the deadline or an interrupt came first.
    async fn attempt<T: Send + 'static>(
        &self,
        url: &Url,
        authorization: Option<(HeaderName, HeaderValue)>,
        reader: Option<BodyReader<T>>,
    ) -> Result<Result<Raw<T>, Broken>, Reason> {
        let http = self.http;
        // Held until the answer is there. The semaphore is never closed.
        let mut _place = None;
        if self.repeat != Repeat::DuringShutdown {
            _place = http.stop.race(http.pace.places.acquire()).await?.ok();
            let wait = http.pace.turn(Instant::now());
            if !wait.is_zero() {
                http.stop.sleep(wait).await?;
            }
        }
        http.requests.set(http.requests.get() + 1);
        let mut request = http.client.request(self.method.clone(), url.clone());
        if let Some((name, value)) = authorization {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            request = request.header(header::CONTENT_TYPE, self.content_type).body(body.clone());
        }
        let exchange = exchange(request, http, reader);
        let limited = |limit: Duration| async move {
            tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
                Err(Broken::Try(FailedTry::received(format!(
                    "sent no complete answer within {}",
                    humantime::format_duration(limit)
                ))))
            })
        };
        let outcome = match self.repeat {
            Repeat::Always => http.stop.race(limited(http.timeout)).await?,
            // The answer names what has to be cancelled, so it is awaited for a few seconds more.
            Repeat::UnlessReceived => {
                if let Some(reason) = http.stop.reason() {
                    return Err(reason);
                }
                let answer = limited(http.timeout);
                tokio::pin!(answer);
                match http.stop.race(&mut answer).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        let limit = http.stop.time_to_clean_up();
                        tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
                            Err(Broken::Try(FailedTry::received(
                                "sent no answer before the run had to stop".to_owned(),
                            )))
                        })
                    }
                }
            }
            Repeat::DuringShutdown => limited(http.stop.time_to_clean_up().min(http.timeout)).await,
        };
        if let Ok(raw) = &outcome {
            http.simulated.set(http.simulated.get() || raw.simulated);
            http.clock_offset.set(raw.clock_offset.or(http.clock_offset.get()));
            http.trace(&format!("{} {url}", self.method), &raw.status.as_u16().to_string());
        }
        Ok(outcome)
    }

    /// The target of a redirect that may be followed: of a GET, and within its origin.
    fn redirected<T>(&self, from: &Url, raw: &Raw<T>, redirects: usize) -> Result<Url, Failure> {
        let status = raw.status.as_u16();
        let target = raw.location.as_deref().and_then(|location| from.join(location).ok());
        let Some(target) = target else {
            return Err(Failure::Protocol(format!(
                "it answered {status}, a redirect without a usable location"
            )));
        };
        let origin = self.http.origin();
        let refused = if target.origin() != self.http.base.origin() {
            let elsewhere = target.origin().ascii_serialization();
            format!(
                "a redirect to {elsewhere}, which was not followed; the token goes only to {origin}"
            )
        } else if self.method != Method::GET {
            "a redirect, which is only followed for a GET".to_owned()
        } else if redirects > MOST_REDIRECTS {
            format!("{redirects} redirects in a row")
        } else {
            return Ok(target);
        };
        Err(Failure::Protocol(format!("it answered {status} with {refused}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_statuses_are_retried() {
        let retried: Vec<_> = (100..600).filter(|status| TRANSIENT.contains(status)).collect();
        let expected = [408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 530];
        assert_eq!(retried, expected);
    }
}
