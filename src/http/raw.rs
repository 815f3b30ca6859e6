//! An answer as it arrives: its bytes, and what its status and headers ask for.

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

/// An answer as it arrived, its body whole and without the token.
pub struct Raw {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub html: bool,
    pub location: Option<String>,
    /// How long the platform asked to wait.
    pub pause: Option<Duration>,
    pub simulated: bool,
}

impl Raw {
    /// Whether a page with a good status is the error page of a gateway that will pass: BigID's gives
    /// `502 Bad Gateway` with status 200 (bigid fact sheet §A5).
    pub fn is_gateway_page(&self) -> bool {
        let head = self.body.get(..self.body.len().min(1024)).unwrap_or_default();
        self.html
            && ["500", "502", "503", "504"].iter().any(|status| {
                memchr::memmem::find(head, format!("<title>{status} ").as_bytes()).is_some()
            })
    }

    /// The status, and what the platform said of it in the shapes that are known: `errors[]`,
    /// `message`, `error`, `details[]`, else the first characters.
    pub fn said_with_status(&self) -> String {
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
        let status = self.status.as_u16();
        if self.html {
            return format!("{status} with an HTML page");
        }
        let words = serde_json::from_slice::<Said>(&self.body)
            .ok()
            .and_then(|said| {
                let errors =
                    said.errors.into_iter().flatten().chain(said.message).chain(said.error);
                errors.chain(said.details.into_iter().flatten()).next()
            })
            .and_then(|words| match words {
                Words::Text(text) => Some(text),
                Words::Item { message, detail, reason, title } => {
                    message.or(detail).or(reason).or(title)
                }
            })
            .unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        match text::one_line(&words, 200) {
            words if words.is_empty() => status.to_string(),
            words => format!("{status}: {words}"),
        }
    }
}

/// When a limit of requests is lifted: seconds since 1970.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A try that may be worth another.
pub struct Lost {
    /// Whether the platform may have acted on the request.
    pub seen: bool,
    /// How long the platform asked to wait.
    pub pause: Option<Duration>,
    /// What happened, to follow the endpoint's name.
    pub what: String,
}

impl Lost {
    pub fn seen(what: String) -> Self {
        Self { seen: true, pause: None, what }
    }
}

pub async fn exchange(request: reqwest::RequestBuilder, http: &Http) -> Result<Raw, Lost> {
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

/// The cause at the bottom of an error, which is the one that tells something.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
