//! IBM Cloud IAM: exchanges an API key for an access token (docs/platforms/sysdig.md#access).

use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::http::{Auth, Credentials, Failure, Http, HttpError, Lease, Renewal, Setup, Tls};
use crate::json::Whole;
use crate::progress::Progress;
use crate::secret::Secret;
use crate::stop::Stop;

const GRANT: &str = "urn:ibm:params:oauth:grant-type:apikey";

/// Where keys are exchanged, and how.
pub(super) struct Exchange {
    pub(super) url: Url,
    pub(super) timeout: Duration,
    pub(super) tls: Tls,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    /// Seconds from now.
    expires_in: Option<Whole>,
    /// Seconds since 1970.
    expiration: Option<Whole>,
}

impl Exchange {
    /// # Errors
    /// A sentence, if the client for it cannot be set up.
    pub(super) fn credentials(
        self,
        key: Secret,
        stop: &Stop,
        progress: &Rc<Progress>,
    ) -> Result<Credentials, String> {
        let setup = Setup {
            source: "sysdig: IBM Cloud IAM",
            base: &self.url,
            credentials: Credentials::Fixed(Auth::None),
            headers: HeaderMap::new(),
            timeout: self.timeout,
            spacing: Duration::ZERO,
            tls: &self.tls,
        };
        let http = Rc::new(Http::new(setup, stop.clone(), Rc::clone(progress))?);
        let renewal: Renewal = Rc::new(move || {
            let (http, key) = (Rc::clone(&http), key.clone());
            Box::pin(async move { exchange(&http, &key).await })
        });
        Ok(Credentials::Leased(renewal))
    }
}

async fn exchange(http: &Http, key: &Secret) -> Result<Lease, HttpError> {
    let fields = [("grant_type", GRANT), ("apikey", key.expose())];
    let answer = http.form("identity/token", &fields).send().await.map_err(refused)?;
    let granted: Granted = answer.json()?;
    let token = granted.access_token.as_deref().and_then(|token| {
        // Some answers have the type of the token before it.
        Secret::new(token.strip_prefix("Bearer ").unwrap_or(token).to_owned())
    });
    let token = token.ok_or_else(|| {
        answer.failed(Failure::Protocol(
            "the answer has no `access_token` that can be sent in a header".to_owned(),
        ))
    })?;
    let until = lifetime(&granted, Utc::now()).map(|lifetime| Instant::now() + lifetime);
    Ok(Lease { auth: Auth::Bearer(token), until })
}

/// How long a token is valid: the shorter of the two figures. An expiration in the past means that
/// the clocks differ, and is ignored.
fn lifetime(granted: &Granted, now: DateTime<Utc>) -> Option<Duration> {
    let stated = granted.expires_in.map(|seconds| Duration::from_secs(seconds.0));
    let until = granted.expiration.and_then(|at| {
        let at = DateTime::from_timestamp(i64::try_from(at.0).ok()?, 0)?;
        (at - now).to_std().ok()
    });
    stated.into_iter().chain(until).min().map(|lifetime| lifetime.min(LONGEST))
}

/// No token of IAM is valid for longer than a day. A bound also keeps `Instant` from overflowing.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// IAM answers an unknown key with 400.
fn refused(mut error: HttpError) -> HttpError {
    if let Failure::Refused { status: 400, said } = &error.failure {
        error.failure = Failure::Denied(said.clone());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_lifetime_counts() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let cases = [
            (Some(3600), Some(1_700_003_600), Some(3600)),
            (Some(3600), Some(1_700_000_600), Some(600)),
            (Some(3600), Some(1_600_000_000), Some(3600)),
            (None, Some(1_700_000_600), Some(600)),
            (Some(u64::MAX), Some(u64::MAX), Some(24 * 3600)),
            (None, None, None),
        ];
        for (expires_in, expiration, expected) in cases {
            let granted = Granted {
                access_token: None,
                expires_in: expires_in.map(Whole),
                expiration: expiration.map(Whole),
            };
            assert_eq!(lifetime(&granted, now), expected.map(Duration::from_secs));
        }
    }
}
