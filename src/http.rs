//! One HTTP client for all sources: authentication, timeouts, the one retry loop, size caps. It
//! sends a token only to the origin that the token belongs to.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, redirect};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use crate::progress::Progress;
use crate::stop::Stop;
use crate::text;

mod answer;
mod auth;
mod body;
mod call;
mod date;
mod failure;
mod pace;
mod proxy;
mod raw;
mod setup_fault;
mod tls;

pub use answer::Answer;
pub use auth::{Auth, Credentials, Lease, Renewal};
pub(crate) use body::BodyText;
pub use call::Call;
pub use failure::{Failure, HttpError};
pub use setup_fault::SetupFault;
pub use tls::Tls;

use pace::Pace;

/// A lease is renewed this long before it expires, so that none expires in transit.
const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// What is common to all requests of one source.
pub struct Http {
    client: reqwest::Client,
    source: String,
    base: Url,
    lease: RefCell<Option<Lease>>,
    renewal: Option<Renewal>,
    /// The proxy in between, for messages.
    proxy: Option<String>,
    timeout: Duration,
    pace: Pace,
    stop: Stop,
    progress: Rc<Progress>,
    requests: Cell<u64>,
    simulated: Cell<bool>,
    /// Whether an answer was what an API sends: JSON, with a status of success.
    answered: Cell<bool>,
    clock_offset: Cell<Option<TimeDelta>>,
}

/// What a client for one source needs.
pub struct Setup<'a> {
    /// The source's name in the policy, for messages.
    pub source: &'a str,
    pub base: &'a Url,
    pub credentials: Credentials,
    /// Further headers of every request.
    pub headers: HeaderMap,
    /// The longest a single request may take, from the first byte sent to the last received.
    pub timeout: Duration,
    /// The shortest time between the starts of two requests.
    pub spacing: Duration,
    pub tls: &'a Tls,
}

impl Http {
    /// # Errors
    /// A sentence, if the token, a PEM file or the proxy cannot be used.
    pub fn new(setup: Setup<'_>, stop: Stop, progress: Rc<Progress>) -> Result<Self, String> {
        let (lease, renewal) = match setup.credentials {
            Credentials::Fixed(auth) => (Some(Lease { auth, until: None }), None),
            Credentials::Leased(renewal) => (None, Some(renewal)),
        };
        if let Some(Lease { auth, .. }) = &lease {
            auth.header()?;
        }
        let proxy = if is_loopback(setup.base) { None } else { proxy::for_url(setup.base)? };
        // Plain http needs no certificates, and some images have none.
        let uses_tls = setup.base.scheme() == "https" || proxy.as_ref().is_some_and(|p| p.is_https);
        let tls = if uses_tls { tls::for_https(setup.tls)? } else { tls::for_http()? };
        let mut headers = setup.headers;
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("compliance-gate/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(setup.timeout)
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(tls);
        if proxy.is_none() {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| format!("failed to set up the client: {}", raw::innermost(&error)))?;
        Ok(Self {
            client,
            source: setup.source.to_owned(),
            base: setup.base.clone(),
            lease: RefCell::new(lease),
            renewal,
            proxy: proxy.map(|proxy| proxy.origin),
            timeout: setup.timeout,
            pace: Pace::new(setup.spacing),
            stop,
            progress,
            requests: Cell::new(0),
            simulated: Cell::new(false),
            answered: Cell::new(false),
            clock_offset: Cell::new(None),
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

    /// How far the platform's clock is ahead of ours, by the `Date` of its latest answer; accurate
    /// to about a second. `None` before the first answer with one.
    pub fn clock_offset(&self) -> Option<TimeDelta> {
        self.clock_offset.get()
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

    /// A POST with a JSON body that changes something: repeated only where the platform certainly
    /// did not receive it.
    pub fn command(&self, path: &str, arguments: &[&str], body: &impl Serialize) -> Call<'_> {
        self.query(path, arguments, body).unless_received()
    }

    /// A PATCH with a JSON body: repeated under the same condition as `command`.
    pub fn patch(&self, path: &str, arguments: &[&str], body: &impl Serialize) -> Call<'_> {
        self.command(path, arguments, body).method(Method::PATCH)
    }

    /// A GET of a link from an answer.
    ///
    /// # Errors
    /// If the link is not a URL, or leads to another origin: the token is not sent there.
    pub fn follow(&self, link: &str) -> Result<Call<'_>, HttpError> {
        let url = self.base.join(link).ok().filter(|url| url.origin() == self.base.origin());
        url.map(|url| Call::new(self, Method::GET, url)).ok_or_else(|| {
            let link = text::one_line(link, 200);
            let failure = Failure::Protocol(format!(
                "the link leads to another origin ({link}); it was not followed"
            ));
            self.error("the next page".to_owned(), failure)
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

    /// Drops a lease that the platform no longer accepts, so that the next request renews it.
    /// Returns whether leases can be renewed. For platforms that refuse a token with status 200.
    pub fn forget_lease(&self) -> bool {
        if self.renewal.is_some() {
            *self.lease.borrow_mut() = None;
        }
        self.renewal.is_some()
    }

    /// The header with a valid lease; renews the lease first where it is missing or expires soon.
    async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, HttpError> {
        let soon = Instant::now() + LEASE_MARGIN;
        let is_valid = |lease: &Lease| lease.until.is_none_or(|until| until > soon);
        if let Some(renewal) = &self.renewal
            && !self.lease.borrow().as_ref().is_some_and(is_valid)
        {
            let lease = renewal().await?;
            *self.lease.borrow_mut() = Some(lease);
        }
        let lease = self.lease.borrow();
        lease.as_ref().map_or(Ok(None), |lease| {
            lease.auth.header().map_err(|message| {
                self.error("the exchange of the token".to_owned(), Failure::Protocol(message))
            })
        })
    }

    /// Prints what happened to a request, with `-v`.
    fn trace(&self, request: &str, what: &str) {
        self.progress.trace(&format!("{}: {request} {what}", self.source));
    }

    /// An error of this source.
    fn error(&self, endpoint: String, failure: Failure) -> HttpError {
        HttpError::new(self.source.clone(), endpoint, failure).through(self.proxy.as_deref())
    }

    /// The address that [`Http::get`] asks.
    pub fn url(&self, path: &str, arguments: &[&str]) -> Url {
        let mut url = self.base.clone();
        let mut arguments = arguments.iter();
        // Fails only for URLs that cannot be a base, which the settings refuse.
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
