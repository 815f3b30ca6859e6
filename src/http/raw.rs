//! An answer as it arrives: its bytes, its status, and the headers that matter.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{self, HeaderName};
use serde::Deserialize;

use super::Http;
use crate::text;

/// Bytes of one answer, after decompression. The largest known is a resource view of "tens of
/// MB" (opencomply fact sheet §5).
const MOST_BYTES: usize = 256 << 20;

/// The longest announced length for which memory is reserved before the bytes arrive.
const MOST_ANNOUNCED: usize = 8 << 20;

/// A complete answer, its body masked.
pub(super) struct Raw {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub html: bool,
    pub location: Option<String>,
    /// How long the platform asked to wait.
    pub pause: Option<Duration>,
    pub simulated: bool,
}

impl Raw {
    /// Whether a page with status 2xx is the error page of a gateway with a passing fault: BigID's sends
    /// `502 Bad Gateway` with status 200 (bigid fact sheet §A5).
    pub fn is_gateway_page(&self) -> bool {
        let head = self.body.get(..self.body.len().min(1024)).unwrap_or_default();
        self.html
            && ["500", "502", "503", "504"].iter().any(|status| {
                memchr::memmem::find(head, format!("<title>{status} ").as_bytes()).is_some()
            })
    }

    /// The status, and the platform's message from the known shapes: `errors[]`, `message`,
    /// `error`, `details[]`, else the first characters of the body.
    pub fn status_and_message(&self) -> String {
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
        struct Body {
            errors: Option<Vec<Message>>,
            #[serde(alias = "errorMessage")]
            message: Option<Message>,
            error: Option<Message>,
            details: Option<Vec<Message>>,
        }
        let status = self.status.as_u16();
        if self.html {
            return format!("{status} with an HTML page");
        }
        let message = serde_json::from_slice::<Body>(&self.body)
            .ok()
            .and_then(|body| {
                let errors =
                    body.errors.into_iter().flatten().chain(body.message).chain(body.error);
                errors.chain(body.details.into_iter().flatten()).next()
            })
            .and_then(|message| match message {
                Message::Text(text) => Some(text),
                Message::Item { message, detail, reason, title } => {
                    message.or(detail).or(reason).or(title)
                }
            })
            .unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        match text::one_line(&message, 200) {
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
    pub fn received(what: String) -> Self {
        Self { received: true, pause: None, what }
    }
}

pub(super) async fn exchange(
    request: reqwest::RequestBuilder,
    http: &Http,
) -> Result<Raw, FailedTry> {
    let failed = |error: reqwest::Error| FailedTry {
        received: !error.is_connect(),
        pause: None,
        what: format!("failed: {}", innermost(&error)),
    };
    let mut response = request.send().await.map_err(failed)?;
    // A body of the announced length needs no larger buffer. The announcement is not trusted beyond
    // a few megabytes.
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Vec::with_capacity(announced.unwrap_or(0).min(MOST_ANNOUNCED));
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(FailedTry::received(format!("sent more than {} MiB", MOST_BYTES >> 20)));
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
    // Some platforms send it with every answer; only with a refusal does it ask for a pause.
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

/// Reads `x-ratelimit-reset`: seconds since 1970, or, where the number is too small for that, a
/// number of seconds to wait.
fn reset(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let number: u64 = value.trim().parse().ok()?;
    if number < 1_000_000_000 {
        return Some(Duration::from_secs(number));
    }
    let until = DateTime::from_timestamp(i64::try_from(number).ok()?, 0)?;
    // A moment in the past comes from a clock that differs; the usual pause applies then.
    (until - now).to_std().ok()
}

/// The innermost cause of an error, which is the informative one.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
