//! An answer as it arrives: its bytes, its status, and the headers that matter.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{self, HeaderName};
use serde::Deserialize;

use super::body::{Arriving, Body, BodyText, Streaming, TooLarge};
use super::{Failure, Http, SetupFault, date};
use crate::json::{self, JsonError};
use crate::secret::Mask;
use crate::text;

/// Reads a body as JSON while it arrives, on a thread of its own.
pub(super) type BodyReader<T> = Box<dyn FnOnce(BodyText) -> Result<T, JsonError> + Send>;

/// A complete answer.
pub(super) struct Raw<T> {
    pub status: StatusCode,
    /// Empty where it was read while it arrived.
    pub body: Body,
    /// What was read while it arrived.
    pub read: Option<Result<T, JsonError>>,
    pub html: bool,
    pub location: Option<String>,
    /// How long the platform asked to wait.
    pub pause: Option<Duration>,
    /// How far the platform's clock is ahead of ours.
    pub clock_offset: Option<TimeDelta>,
    pub simulated: bool,
}

impl<T> Raw<T> {
    /// Whether a page with status 2xx is the error page of a gateway with a passing fault: BigID's sends
    /// `502 Bad Gateway` with status 200 (docs/platforms/bigid.md#errors-and-limits).
    pub(super) fn is_gateway_page(&self) -> bool {
        let head = self.body.as_bytes().get(..self.body.len().min(1024)).unwrap_or_default();
        self.html
            && ["500", "502", "503", "504"].iter().any(|status| {
                memchr::memmem::find(head, format!("<title>{status} ").as_bytes()).is_some()
            })
    }

    /// Whether the body of a success is no JSON document, or only its beginning. A gateway may do
    /// this once, when it restarts. Long bodies are only checked at their ends.
    pub(super) fn is_broken(&self) -> bool {
        const MOST_PARSED: usize = 64 << 10;
        if let Some(read) = &self.read {
            return read.as_ref().is_err_and(JsonError::is_broken);
        }
        let text = self.body.trim_ascii();
        self.html
            || (text.is_empty() && self.status == StatusCode::OK)
            || match text.len() {
                ..=MOST_PARSED => json::is_cut(text) && !text.is_empty(),
                _ => {
                    let ends = (text.as_bytes().first(), text.as_bytes().last());
                    matches!(ends, (Some(b'{'), end) if end != Some(&b'}'))
                        || matches!(ends, (Some(b'['), end) if end != Some(&b']'))
                }
            }
    }

    /// Whether the server says that it expects https.
    pub(super) fn expects_https(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
            && [&b"to an HTTPS server"[..], b"to HTTPS port", b"TLS-enabled server port"]
                .iter()
                .any(|words| memchr::memmem::find(self.body.as_bytes(), words).is_some())
    }

    /// The status, and the platform's message from the known shapes: `errors[]`, `message`,
    /// `error`, `details[]`, else the first characters of the body.
    pub(super) fn status_and_message(&self) -> String {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Message {
            Text(String),
            Item {
                message: Option<String>,
                detail: Option<String>,
                reason: Option<String>,
                title: Option<String>,
            },
        }
        #[derive(Deserialize)]
        struct ErrorBody {
            errors: Option<Vec<Message>>,
            #[serde(alias = "errorMessage")]
            message: Option<Message>,
            error: Option<Message>,
            details: Option<Vec<Message>>,
        }
        /// Characters of a body that is no known shape, before it is cleaned and cut.
        const MOST_SHOWN: usize = 4000;
        let status = self.status.as_u16();
        if self.html {
            return format!("{status} with an HTML page");
        }
        let message = json::from_str::<ErrorBody>(&self.body)
            .ok()
            .and_then(|said| {
                let errors =
                    said.errors.into_iter().flatten().chain(said.message).chain(said.error);
                errors.chain(said.details.into_iter().flatten()).next()
            })
            .and_then(|message| match message {
                Message::Text(text) => Some(text),
                Message::Item { message, detail, reason, title } => {
                    message.or(detail).or(reason).or(title)
                }
            })
            .unwrap_or_else(|| self.body.chars().take(MOST_SHOWN).collect());
        // Before it is cut: half a token would not be recognised.
        match text::one_line(&Mask::for_errors().apply(&message), 200) {
            message if message.is_empty() => status.to_string(),
            message => format!("{status}: {message}"),
        }
    }
}

/// When a rate limit ends: seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A try that failed, and that another try may repair.
pub(super) struct FailedTry {
    /// Whether the platform may have received the request.
    pub received: bool,
    /// How long the platform asked to wait.
    pub pause: Option<Duration>,
    /// What happened, to follow the endpoint's name.
    pub what: String,
}

impl FailedTry {
    pub(super) fn received(what: String) -> Self {
        Self { received: true, pause: None, what }
    }
}

/// Why a try brought no answer.
pub(super) enum Broken {
    /// Another try may help.
    Try(FailedTry),
    /// Another try would not help.
    Final(Failure),
}

/// Sends a request. The body of a success is given to the reader, if there is one; any other is held.
pub(super) async fn exchange<T: Send + 'static>(
    request: reqwest::RequestBuilder,
    http: &Http,
    reader: Option<BodyReader<T>>,
) -> Result<Raw<T>, Broken> {
    let proxy = http.proxy.as_deref();
    let broken = |error: reqwest::Error| match SetupFault::of(&error, &http.base, proxy) {
        Some(fault) => Broken::Final(Failure::Setup(Box::new(fault))),
        None => Broken::Try(FailedTry {
            received: !error.is_connect(),
            pause: None,
            what: format!("failed: {}", innermost(&error)),
        }),
    };
    let mut response = request.send().await.map_err(broken)?;
    let now = Utc::now();
    let header = |response: &reqwest::Response, name: HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let is_page = header(&response, header::CONTENT_TYPE)
        .is_some_and(|content_type| content_type.starts_with("text/html"));
    let mut chunk = response.chunk().await.map_err(broken)?;
    let is_markup = |chunk: &[u8]| chunk.trim_ascii_start().starts_with(b"<");
    let is_json = !is_page && chunk.as_ref().is_some_and(|chunk| !is_markup(chunk));
    let reader = reader.filter(|_| response.status().is_success() && is_json);
    let mut body = Arriving::of_length(response.content_length().filter(|_| reader.is_none()));
    let read = match reader {
        Some(reader) => {
            let (mut streaming, text) = Streaming::new();
            let reading = tokio::task::spawn_blocking(move || reader(text));
            while let Some(bytes) = chunk
                && streaming.push(&bytes).await?
            {
                chunk = response.chunk().await.map_err(broken)?;
            }
            streaming.finish().await;
            let lost = |_| Broken::Final(Failure::Protocol("it could not be read".to_owned()));
            Some(reading.await.map_err(lost)?)
        }
        None => {
            while let Some(bytes) = chunk {
                body.push(&bytes)?;
                chunk = response.chunk().await.map_err(broken)?;
            }
            None
        }
    };
    let body = body.finish();
    let asked = header(&response, header::RETRY_AFTER).and_then(|at| date::retry_after(&at, now));
    // Some platforms send it with every answer; only with a refusal does it ask for a pause.
    let limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let reset = header(&response, RATE_LIMIT_RESET)
        .filter(|_| limited)
        .and_then(|at| date::rate_limit_reset(&at, now));
    let age = header(&response, header::AGE);
    Ok(Raw {
        status: response.status(),
        html: is_page || body.trim_ascii_start().starts_with('<'),
        location: header(&response, header::LOCATION),
        pause: asked.or(reset),
        clock_offset: header(&response, header::DATE)
            .and_then(|date| date::clock_offset(&date, age.as_deref(), now)),
        simulated: response.headers().contains_key("x-simulated-by"),
        body,
        read,
    })
}

impl From<TooLarge> for Broken {
    fn from(too_large: TooLarge) -> Self {
        match too_large {
            TooLarge::Alone | TooLarge::Streamed => {
                Self::Final(Failure::Protocol(too_large.what()))
            }
            TooLarge::Together => {
                Self::Try(FailedTry::received(format!("was given up: {}", too_large.what())))
            }
        }
    }
}

/// The innermost cause of an error, which is the informative one.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
