//! One HTTP client for all sources: authentication, timeouts, the one retry loop, size caps, and
//! nothing that could carry a token to a place it is not meant for.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use tokio::time::Instant;
use url::Url;

use crate::finding::{Cause, Trouble};
use crate::progress::Progress;
use crate::secret::Secret;
use crate::stop::{self, Reason, Stop};
use crate::text;

/// Tries of a request that may be repeated. With the pauses between them a platform has about
/// fifteen seconds to come back, plus what it asks for with `Retry-After`.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Statuses that a platform gives while it cannot answer just now.
const PASSING: [StatusCode; 5] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Bytes of one answer, after decompression. The largest known is a resource view of "tens of
/// MB" (opencomply fact sheet §5).
const MOST_BYTES: usize = 256 << 20;

const MOST_REDIRECTS: usize = 5;

/// How long one request may take, and what is still tried, once everything has to stop.
const LAST_WORD: Duration = Duration::from_secs(5);

/// How the token travels.
#[derive(Clone, Debug)]
pub enum Auth {
    /// No token in a header: for a service that takes it in the body.
    None,
    /// `Authorization: Bearer <token>`
    Bearer(Secret),
    /// A header of its own, the token alone.
    Header(HeaderName, Secret),
    /// `Authorization: Basic <user:password, encoded>`: what stands behind `Basic`, and the
    /// password or token in it.
    Basic(Secret, Secret),
}

impl Auth {
    /// An account and its password, or its token.
    ///
    /// # Errors
    /// A sentence, if the account's name cannot be sent so.
    pub fn basic(user: &str, password: Secret) -> Result<Self, String> {
        if user.contains(|c: char| c == ':' || c.is_control()) {
            return Err("the account's name has a `:` or a control character in it".to_owned());
        }
        let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
        Secret::new(pair)
            .map(|pair| Self::Basic(pair, password))
            .ok_or_else(|| "the token cannot be sent as a header".to_owned())
    }

    /// What must not come back in any text.
    fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(secret) | Self::Header(_, secret) => vec![secret.clone()],
            Self::Basic(pair, password) => vec![pair.clone(), password.clone()],
        }
    }

    fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, String> {
        let (name, value) = match self {
            Self::None => return Ok(None),
            Self::Bearer(secret) => (header::AUTHORIZATION, format!("Bearer {}", secret.expose())),
            Self::Header(name, secret) => (name.clone(), secret.expose().to_owned()),
            Self::Basic(pair, _) => (header::AUTHORIZATION, format!("Basic {}", pair.expose())),
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| "the token cannot be sent as a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// A token that was had in exchange for another one, and until when it is good.
#[derive(Clone, Debug)]
pub struct Lease {
    pub auth: Auth,
    pub until: Option<Instant>,
}

/// Exchanges the pipeline's token for a new lease. Asked before the first request, shortly before
/// a lease ends, and once after a 401.
pub type Renewal = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Lease, HttpError>>>>>;

/// A lease is renewed this long before it ends, so that none ends on the way.
const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// What is common to all requests of one source.
pub struct Http {
    client: reqwest::Client,
    source: String,
    base: Url,
    lease: RefCell<Option<Lease>>,
    renewal: Option<Renewal>,
    /// Every token that was ever sent: none of them may come back in a text.
    secrets: RefCell<Vec<Secret>>,
    timeout: Duration,
    stop: Stop,
    progress: Rc<Progress>,
    requests: Cell<u64>,
    simulated: Cell<bool>,
}

/// What a source is shown.
pub enum Credentials {
    /// The pipeline's token as it is.
    Fixed(Auth),
    /// A lease that the pipeline's token is exchanged for.
    Leased(Renewal),
}

/// What is needed to speak to one source.
pub struct Setup<'a> {
    /// The source's name in the policy, for messages.
    pub source: &'a str,
    pub base: &'a Url,
    pub credentials: Credentials,
    /// Headers that every request carries besides.
    pub headers: HeaderMap,
    /// The longest a single request may take, from the first byte sent to the last received.
    pub timeout: Duration,
    /// A PEM file with certificate authorities to trust besides the system's.
    pub ca_file: Option<&'a Path>,
}

impl Http {
    /// # Errors
    /// A sentence, if the CA file or the token cannot be used.
    pub fn new(setup: Setup<'_>, stop: Stop, progress: Rc<Progress>) -> Result<Self, String> {
        // Fails only if it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (lease, renewal) = match setup.credentials {
            Credentials::Fixed(auth) => (Some(Lease { auth, until: None }), None),
            Credentials::Leased(renewal) => (None, Some(renewal)),
        };
        let mut secrets = Vec::new();
        if let Some(Lease { auth, .. }) = &lease {
            auth.header()?;
            secrets.extend(auth.secrets());
        }
        let mut headers = setup.headers;
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("compliance-gate/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(setup.timeout)
            .redirect(redirect::Policy::none());
        if is_loopback(setup.base) {
            builder = builder.no_proxy();
        }
        if let Some(path) = setup.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| format!("failed to read ca_file {}: {error}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| format!("ca_file {} holds no PEM certificate", path.display()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder
            .build()
            .map_err(|error| format!("failed to set up TLS: {}", innermost(&error)))?;
        Ok(Self {
            client,
            source: setup.source.to_owned(),
            base: setup.base.clone(),
            lease: RefCell::new(lease),
            renewal,
            secrets: RefCell::new(secrets),
            timeout: setup.timeout,
            stop,
            progress,
            requests: Cell::new(0),
            simulated: Cell::new(false),
        })
    }

    /// Requests sent so far, retries included.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Whether an answer said that it came from the embedded simulator.
    pub fn simulated(&self) -> bool {
        self.simulated.get()
    }

    /// The source's name in the policy.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// A GET below the base URL. Each `{}` in the path stands for one argument, which may hold
    /// anything: it is escaped.
    pub fn get(&self, path: &str, arguments: &[&str]) -> Call<'_> {
        Call::new(self, Method::GET, self.url(path, arguments))
    }

    /// A POST with a JSON body that only reads, so that it may be repeated.
    pub fn query(&self, path: &str, arguments: &[&str], body: &impl Serialize) -> Call<'_> {
        let mut call = Call::new(self, Method::POST, self.url(path, arguments));
        call.body = serde_json::to_vec(body).ok();
        call
    }

    /// A POST with a JSON body that changes something: sent once, and again only where it is
    /// certain that the platform did not see it.
    pub fn command(&self, path: &str, arguments: &[&str], body: &impl Serialize) -> Call<'_> {
        let mut call = self.query(path, arguments, body);
        call.patience = Patience::OnlyIfUnseen;
        call
    }

    /// A PATCH with a JSON body: sent as `command` is, since it changes something.
    pub fn patch(&self, path: &str, arguments: &[&str], body: &impl Serialize) -> Call<'_> {
        Call { method: Method::PATCH, ..self.command(path, arguments, body) }
    }

    /// A GET of a link that the platform gave.
    ///
    /// # Errors
    /// If the link is not a URL, or leads to another origin: the token is not sent there.
    pub fn follow(&self, link: &str) -> Result<Call<'_>, HttpError> {
        let url = self.base.join(link).ok().filter(|url| url.origin() == self.base.origin());
        url.map(|url| Call::new(self, Method::GET, url)).ok_or_else(|| HttpError {
            source: self.source.clone(),
            endpoint: "the next page".to_owned(),
            failure: Failure::Protocol(format!(
                "its link leads to another origin ({}); it was not followed",
                text::one_line(link, 200)
            )),
        })
    }

    /// A POST of a form that only reads: how tokens are exchanged.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Call<'_> {
        let mut call = Call::new(self, Method::POST, self.url(path, &[]));
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        call.body = Some(form.into_bytes());
        call.content_type = "application/x-www-form-urlencoded";
        call
    }

    /// Keeps a token out of every text that comes back, besides those that are sent as headers.
    pub fn keep_secret(&self, secret: &Secret) {
        self.secrets.borrow_mut().push(secret.clone());
    }

    /// Drops a lease that the platform no longer takes, so that the next request brings a new one.
    /// Returns whether there can be one. For platforms that refuse a token with status 200.
    pub fn forget_lease(&self) -> bool {
        if self.renewal.is_some() {
            *self.lease.borrow_mut() = None;
        }
        self.renewal.is_some()
    }

    /// The header of a lease that is still good; a new one where there is none.
    async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, HttpError> {
        let soon = Instant::now() + LEASE_MARGIN;
        let good = |lease: &Lease| lease.until.is_none_or(|until| until > soon);
        if let Some(renewal) = &self.renewal
            && !self.lease.borrow().as_ref().is_some_and(good)
        {
            let lease = renewal().await?;
            self.secrets.borrow_mut().extend(lease.auth.secrets());
            *self.lease.borrow_mut() = Some(lease);
        }
        let lease = self.lease.borrow();
        lease.as_ref().map_or(Ok(None), |lease| {
            lease.auth.header().map_err(|message| HttpError {
                source: self.source.clone(),
                endpoint: "the exchange of the token".to_owned(),
                failure: Failure::Protocol(message),
            })
        })
    }

    /// The body without the tokens. What went wrong is told without any of them; in an answer that
    /// is evidence, a token is looked for only where it cannot be mistaken for a word.
    fn redact(&self, status: StatusCode, body: Vec<u8>) -> Vec<u8> {
        self.secrets
            .borrow()
            .iter()
            .filter(|secret| !status.is_success() || secret.is_unmistakable())
            .fold(body, |body, secret| secret.redact(body))
    }

    fn url(&self, path: &str, arguments: &[&str]) -> Url {
        let mut url = self.base.clone();
        let mut arguments = arguments.iter();
        // Refused only by URLs that cannot be a base, which the settings do not let in.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            segments.extend(path.split('/').map(|segment| match segment {
                "{}" => arguments.next().copied().unwrap_or_default(),
                _ => segment,
            }));
        }
        url
    }
}

/// Whether a URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

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

/// One request, not sent yet.
pub struct Call<'a> {
    http: &'a Http,
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    content_type: &'static str,
    patience: Patience,
    accepted: &'static [u16],
}

impl<'a> Call<'a> {
    fn new(http: &'a Http, method: Method, url: Url) -> Self {
        let content_type = "application/json";
        let (patience, accepted) = (Patience::Repeat, &[][..]);
        Self { http, method, url, body: None, content_type, patience, accepted }
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
        let mut url = self.url.clone();
        let mut tries = 0;
        let mut redirects = 0;
        let fail = |failure| HttpError {
            source: self.http.source.clone(),
            endpoint: endpoint.clone(),
            failure,
        };
        let mut renewed = false;
        loop {
            tries += 1;
            let authorization = self.http.authorization().await?;
            let outcome = match self.attempt(&url, authorization).await {
                Ok(outcome) => outcome,
                Err(reason) => return Err(fail(Failure::Stopped(reason))),
            };
            let lost = match outcome {
                Ok(raw) if raw.status.is_success() && is_gateway_page(&raw) => Lost::seen(format!(
                    "answered {} with a gateway's error page",
                    raw.status.as_u16()
                )),
                Ok(raw)
                    if raw.status.is_success() || self.accepted.contains(&raw.status.as_u16()) =>
                {
                    return Ok(Answer {
                        source: self.http.source.clone(),
                        endpoint,
                        status: raw.status,
                        body: raw.body,
                        html: raw.html,
                    });
                }
                Ok(raw) if raw.status.is_redirection() => {
                    redirects += 1;
                    url = self.redirected(&url, &raw, redirects).map_err(&fail)?;
                    tries -= 1;
                    continue;
                }
                Ok(raw)
                    if raw.status == StatusCode::UNAUTHORIZED
                        && self.http.renewal.is_some()
                        && !std::mem::replace(&mut renewed, true) =>
                {
                    *self.http.lease.borrow_mut() = None;
                    tries -= 1;
                    continue;
                }
                Ok(raw) if PASSING.contains(&raw.status) => Lost {
                    seen: raw.status != StatusCode::TOO_MANY_REQUESTS,
                    pause: raw.pause,
                    what: format!("answered {}", said_with_status(&raw)),
                },
                Ok(raw) => {
                    let said = said_with_status(&raw);
                    return Err(fail(match raw.status {
                        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Denied(said),
                        status => Failure::Refused { status: status.as_u16(), said },
                    }));
                }
                Err(lost) => lost,
            };
            let again = match self.patience {
                Patience::Repeat => true,
                Patience::OnlyIfUnseen => !lost.seen,
                Patience::LastWord => false,
            };
            let pause = lost.pause.unwrap_or_else(|| {
                stop::jittered((FIRST_PAUSE * 2_u32.pow(tries - 1)).min(LONGEST_PAUSE))
            });
            let in_time = pause < self.http.stop.remaining();
            self.http.progress.trace(&format!("{}: {endpoint} {}", self.http.source, lost.what));
            if !again || tries >= TRIES || !in_time {
                let what = match (in_time, lost.pause) {
                    (false, Some(pause)) => format!(
                        "{} and asked to wait {}, which is past the deadline",
                        lost.what,
                        humantime::format_duration(pause)
                    ),
                    _ => lost.what,
                };
                return Err(fail(match self.patience {
                    Patience::OnlyIfUnseen if lost.seen => Failure::Lost(what),
                    _ => Failure::Unreachable { tries, what },
                }));
            }
            if let Err(reason) = self.http.stop.sleep(pause).await {
                return Err(fail(match reason {
                    Reason::Deadline => Failure::Unreachable { tries, what: lost.what },
                    Reason::Interrupt(_) => Failure::Stopped(reason),
                }));
            }
        }
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
        let target = raw.location.as_deref().and_then(|location| from.join(location).ok());
        let shown = target
            .as_ref()
            .map_or_else(|| "nowhere".to_owned(), |url| url.origin().ascii_serialization());
        target
            .filter(|url| {
                self.method == Method::GET
                    && url.origin() == self.http.base.origin()
                    && redirects <= MOST_REDIRECTS
            })
            .ok_or_else(|| {
                Failure::Protocol(format!(
                    "it answered {} with a redirect to {shown}, which was not followed; \
                     the token goes only to {}",
                    raw.status.as_u16(),
                    self.http.origin()
                ))
            })
    }
}

/// An answer as it arrived, its body whole and without the token.
struct Raw {
    status: StatusCode,
    body: Vec<u8>,
    html: bool,
    location: Option<String>,
    pause: Option<Duration>,
    simulated: bool,
}

/// When a limit of requests is lifted: seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A try that may be worth another.
struct Lost {
    /// Whether the platform may have acted on the request.
    seen: bool,
    /// How long the platform asked to wait.
    pause: Option<Duration>,
    /// What happened, to follow the endpoint's name.
    what: String,
}

impl Lost {
    fn seen(what: String) -> Self {
        Self { seen: true, pause: None, what }
    }
}

async fn exchange(request: reqwest::RequestBuilder, http: &Http) -> Result<Raw, Lost> {
    let lost = |error: reqwest::Error| Lost {
        seen: !error.is_connect(),
        pause: None,
        what: format!("failed: {}", innermost(&error)),
    };
    let mut response = request.send().await.map_err(lost)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(Lost::seen(format!("sent more than {} MiB", MOST_BYTES >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    let text = |name: HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let looks_like_html = body.trim_ascii_start().first() == Some(&b'<');
    let now = Utc::now();
    let asked = text(header::RETRY_AFTER).and_then(|value| pause(&value, now));
    // Sent with every answer, it asks for a pause only together with a refusal.
    let limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let reset = text(RATE_LIMIT_RESET).filter(|_| limited).and_then(|at| reset(&at, now));
    Ok(Raw {
        status: response.status(),
        html: content_type.starts_with("text/html") || looks_like_html,
        body: http.redact(response.status(), body),
        location: text(header::LOCATION),
        pause: asked.or(reset),
        simulated: response.headers().contains_key("x-simulated-by"),
    })
}

/// Reads `Retry-After`: seconds, or a date.
fn pause(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some((until.to_utc() - now).to_std().unwrap_or_default())
}

/// Whether a page with a good status is the error page of a gateway that will pass: BigID's gives
/// `502 Bad Gateway` with status 200 (bigid fact sheet §A5).
fn is_gateway_page(raw: &Raw) -> bool {
    let head = raw.body.get(..raw.body.len().min(1024)).unwrap_or_default();
    raw.html
        && ["500", "502", "503", "504"].iter().any(|status| {
            memchr::memmem::find(head, format!("<title>{status} ").as_bytes()).is_some()
        })
}

/// Reads `x-ratelimit-reset`: a moment, or, where the number is too small for one, seconds.
fn reset(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let number: u64 = value.trim().parse().ok()?;
    if number < 1_000_000_000 {
        return Some(Duration::from_secs(number));
    }
    let until = DateTime::from_timestamp(i64::try_from(number).ok()?, 0)?;
    // A moment that has passed is of another clock: the usual pause is better than none.
    (until - now).to_std().ok()
}

/// The status, and what the platform said of it in the shapes that are known: `errors[]`,
/// `message`, `error`, `details[]`, else the first characters.
fn said_with_status(raw: &Raw) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        Text(String),
        Item {
            message: Option<String>,
            detail: Option<String>,
            reason: Option<String>,
            title: Option<String>,
        },
    }
    #[derive(Deserialize)]
    struct Said {
        errors: Option<Vec<Words>>,
        #[serde(alias = "errorMessage")]
        message: Option<Words>,
        error: Option<Words>,
        details: Option<Vec<Words>>,
    }
    let status = raw.status.as_u16();
    if raw.html {
        return format!("{status} with an HTML page");
    }
    let words = serde_json::from_slice::<Said>(&raw.body)
        .ok()
        .and_then(|said| {
            let errors = said.errors.into_iter().flatten().chain(said.message).chain(said.error);
            errors.chain(said.details.into_iter().flatten()).next()
        })
        .and_then(|words| match words {
            Words::Text(text) => Some(text),
            Words::Item { message, detail, reason, title } => {
                message.or(detail).or(reason).or(title)
            }
        })
        .unwrap_or_else(|| String::from_utf8_lossy(&raw.body).into_owned());
    match text::one_line(&words, 200) {
        words if words.is_empty() => status.to_string(),
        words => format!("{status}: {words}"),
    }
}

/// The cause at the bottom of an error, which is the one that tells something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A whole answer with a status below 300, or one that is accepted.
#[derive(Debug)]
pub struct Answer {
    source: String,
    endpoint: String,
    status: StatusCode,
    body: Vec<u8>,
    html: bool,
}

impl Answer {
    /// Whether the platform said that there is nothing: 204, and no body.
    pub fn says_nothing(&self) -> bool {
        self.status == StatusCode::NO_CONTENT && self.is_empty()
    }

    /// The status, below 300.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the body holds nothing.
    pub fn is_empty(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    /// The error that this answer is, although its status is a good one.
    pub fn failed(&self, failure: Failure) -> HttpError {
        HttpError { source: self.source.clone(), endpoint: self.endpoint.clone(), failure }
    }

    /// The body as the type that the API promises. Borrows from the answer where the type does.
    ///
    /// # Errors
    /// If it is not JSON, or not of that type; the error names the field.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, HttpError> {
        let protocol = |message: String| self.failed(Failure::Protocol(message));
        if self.is_empty() {
            return Err(protocol("the answer is empty where JSON was expected".to_owned()));
        }
        if self.html {
            return Err(protocol(
                "the answer is an HTML page where JSON was expected; this is what a wrong base \
                 URL, a login page or a proxy in between gives"
                    .to_owned(),
            ));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            // Only now is it worth knowing where: the path costs time on every good answer.
            let deserializer = &mut serde_json::Deserializer::from_slice(&self.body);
            let path = serde_path_to_error::deserialize::<_, T>(deserializer)
                .err()
                .map(|error| error.path().to_string())
                .filter(|path| path != ".");
            let what = match error.classify() {
                Category::Eof => "JSON that ends too early",
                Category::Syntax => "not JSON",
                Category::Data | Category::Io => "not as promised",
            };
            let field = path.map_or_else(String::new, |path| format!(" at field `{path}`"));
            protocol(format!("the answer is {what}{field}: {error}"))
        })
    }
}

/// Why a request brought no usable answer.
#[derive(Clone, Debug)]
pub struct HttpError {
    source: String,
    endpoint: String,
    pub failure: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 401 or 403.
    Denied(String),
    /// Another status of 400 and above that will not pass by itself.
    Refused { status: u16, said: String },
    /// No usable answer after all tries.
    Unreachable { tries: u32, what: String },
    /// A command that the platform may or may not have acted on.
    Lost(String),
    /// An answer that is not what the API promises.
    Protocol(String),
    /// Everything has to stop.
    Stopped(Reason),
}

impl HttpError {
    /// As a reason why evidence cannot be relied on.
    pub fn trouble(&self) -> Trouble {
        let trouble = Trouble::new(self.cause(), self.to_string());
        match &self.failure {
            Failure::Denied(_) => trouble.help(
                "check that the token is the right one for this url, is not expired or revoked, \
                 and that its role is sufficient",
            ),
            Failure::Unreachable { .. } | Failure::Lost(_) => {
                trouble.help("check that the platform is up and reachable from this machine")
            }
            Failure::Protocol(_) => {
                trouble.help("check `url`; `-v` shows every request and its status")
            }
            Failure::Refused { .. } | Failure::Stopped(_) => trouble,
        }
    }

    fn cause(&self) -> Cause {
        match self.failure {
            Failure::Denied(_) => Cause::Denied,
            Failure::Unreachable { .. } | Failure::Lost(_) => Cause::Unreachable,
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
            Failure::Unreachable { tries: 1, what } | Failure::Lost(what) => {
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
