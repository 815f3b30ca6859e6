//! The kind of the pipeline's token, and its exchange (docs/platforms/bigid.md#tokens).

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use reqwest::header::{self, HeaderMap};
use serde::Deserialize;
use tokio::time::Instant;

use super::{SYSTEM, Settings};
use crate::finding::{Cause, Problem};
use crate::http::{Auth, Credentials, Failure, Http, HttpError, Lease, Renewal, Setup};
use crate::progress::Progress;
use crate::secret::{Secret, Token};
use crate::stop::Stop;
use crate::text;

/// How long public clients keep a system token (docs/platforms/bigid.md#tokens).
const LEASE: Duration = Duration::from_secs(3600);

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdTokenKind"))]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Created in BigID's access management; exchanged for a system token first.
    User,
    /// The result of that exchange: sent as it is.
    System,
    /// From a login, valid for a day: sent as it is.
    Session,
}

impl Kind {
    const WORDS: [(&'static str, Self); 3] =
        [("user", Self::User), ("system", Self::System), ("session", Self::Session)];
}

/// How the token is sent in the `Authorization` header. The vendor's tutorial shows a bearer token;
/// every public client sends it raw (docs/platforms/bigid.md#tokens).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdAuthScheme"))]
#[serde(rename_all = "lowercase")]
pub(super) enum Scheme {
    /// The token alone.
    #[default]
    Raw,
    /// `Bearer <token>`
    Bearer,
}

impl Scheme {
    fn auth(self, secret: Secret) -> Auth {
        match self {
            Self::Raw => Auth::Header(header::AUTHORIZATION, secret),
            Self::Bearer => Auth::Bearer(secret),
        }
    }
}

/// What is sent to the platform for the pipeline's token.
///
/// # Errors
/// A sentence, if the variable for the kind has another value, or TLS cannot be set up.
pub(super) fn credentials(
    settings: &Settings,
    token: Token,
    stop: &Stop,
    progress: &Rc<Progress>,
) -> Result<Credentials, String> {
    let scheme = settings.auth_scheme;
    if kind(settings.token_kind, &token)? != Kind::User {
        return Ok(Credentials::Fixed(scheme.auth(token.secret)));
    }
    let setup = Setup {
        source: SYSTEM.name,
        base: &settings.connection.url,
        // Raw whatever the scheme: all sources show the exchange so.
        credentials: Credentials::Fixed(Scheme::Raw.auth(token.secret)),
        headers: HeaderMap::new(),
        timeout: settings.connection.request_timeout,
        spacing: Duration::ZERO,
        tls: &settings.connection.tls,
    };
    let http = Rc::new(Http::new(setup, stop.clone(), Rc::clone(progress))?);
    let renewal: Renewal = Rc::new(move || {
        let http = Rc::clone(&http);
        Box::pin(async move { exchange(&http, scheme).await }) as Pin<Box<_>>
    });
    Ok(Credentials::Leased(renewal))
}

/// The variable of the kind decides; then the settings; then the token itself.
fn kind(set: Option<Kind>, token: &Token) -> Result<Kind, String> {
    if let Some(word) = &token.kind {
        let known = Kind::WORDS.into_iter().find(|(name, _)| name == word);
        return known.map(|(_, kind)| kind).ok_or_else(|| {
            format!(
                "{}_KIND is `{}`; a token of BigID is `user`, `system` or `session`",
                token.variable,
                text::one_line(word, 40)
            )
        });
    }
    let is_refresh = || claimed_type(token.secret.expose()).as_deref() == Some("refresh-token");
    Ok(set.unwrap_or_else(|| if is_refresh() { Kind::User } else { Kind::System }))
}

/// The `type` in the payload of a JSON web token: `access-token`, or `refresh-token` for one that
/// has to be exchanged.
fn claimed_type(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let payload = token.split('.').nth(1)?;
    let payload = GeneralPurpose::new(&base64::alphabet::URL_SAFE, config).decode(payload).ok()?;
    serde_json::from_slice::<Payload>(&payload).ok()?.kind
}

#[derive(Deserialize)]
struct Exchanged {
    #[serde(default)]
    success: Option<bool>,
    #[serde(default, rename = "systemToken")]
    system_token: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

async fn exchange(http: &Http, scheme: Scheme) -> Result<Lease, HttpError> {
    let answer = http.get("refresh-access-token", &[]).send().await?;
    let Exchanged { success, system_token, message } = answer.json()?;
    if success == Some(false) {
        let said = text::one_line(message.as_deref().unwrap_or("no reason given"), 200);
        return Err(answer.failed(Failure::Denied(format!("200 with `success: false`: {said}"))));
    }
    let secret = system_token.and_then(Secret::new).ok_or_else(|| {
        let message = "the answer holds no usable `systemToken`".to_owned();
        answer.failed(Failure::Protocol(message))
    })?;
    Ok(Lease { auth: scheme.auth(secret), until: Some(Instant::now() + LEASE) })
}

/// A refusal, with its most frequent causes as help.
pub(super) fn advised(problem: Problem, settings: &Settings) -> Problem {
    if problem.cause != Cause::Denied {
        return problem;
    }
    let other = match settings.auth_scheme {
        Scheme::Raw => "bearer",
        Scheme::Bearer => "raw",
    };
    let variable = settings.connection.token_variables.first().map_or(SYSTEM.name, |name| name);
    problem.help(format!(
        "check that the token is not expired or revoked (a session is valid for 24 hours) and may \
         read Data Posture cases; set {variable}_KIND to `user`, `system` or `session`, since a \
         user token must be exchanged first; if your tenant requires it, set `auth_scheme: {other}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token with this payload and an invalid signature.
    fn jwt(payload: &str) -> String {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2lnbmVk", encode(r#"{"alg":"HS256"}"#), encode(payload))
    }

    fn token(text: &str, kind: Option<&str>) -> Token {
        Token {
            variable: "BIGID_TOKEN".to_owned(),
            secret: Secret::new(text.to_owned()).unwrap(),
            kind: kind.map(str::to_owned),
        }
    }

    #[test]
    fn the_kind_comes_from_the_variable_the_settings_or_the_token() {
        let refresh = jwt(r#"{"type":"refresh-token"}"#);
        let access = jwt(r#"{"type":"access-token"}"#);
        for (set, text, variable, expected) in [
            (None, "SAMPLE", None, Kind::System),
            (None, "a.b.c", None, Kind::System),
            (None, "a.%%.c", None, Kind::System),
            (None, access.as_str(), None, Kind::System),
            (None, refresh.as_str(), None, Kind::User),
            (Some(Kind::Session), refresh.as_str(), None, Kind::Session),
            (Some(Kind::User), "SAMPLE", None, Kind::User),
            (Some(Kind::User), "SAMPLE", Some("session"), Kind::Session),
            (None, "SAMPLE", Some("user"), Kind::User),
        ] {
            assert_eq!(kind(set, &token(text, variable)), Ok(expected), "{set:?} {variable:?}");
        }
        let error = kind(None, &token("SAMPLE", Some("api"))).unwrap_err();
        assert!(error.starts_with("BIGID_TOKEN_KIND is `api`"), "{error}");
    }
}
