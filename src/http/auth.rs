//! How a token is sent, and what it is exchanged for.

use std::pin::Pin;
use std::rc::Rc;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::header::{self, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::HttpError;
use crate::secret::Secret;

/// How the token is sent.
#[derive(Clone, Debug)]
pub enum Auth {
    /// No token in a header: for a service that takes it in the body.
    None,
    /// `Authorization: Bearer <token>`
    Bearer(Secret),
    /// A separate header with the token alone.
    Header(HeaderName, Secret),
    /// `Authorization: Basic <user:password, encoded>`: the encoded pair.
    Basic(Secret),
}

impl Auth {
    /// An account and its password, or its token.
    ///
    /// # Errors
    /// A sentence, if the account's name cannot be part of such a pair.
    pub fn basic(user: &str, password: Secret) -> Result<Self, String> {
        if user.contains(|c: char| c == ':' || c.is_control()) {
            return Err("the account's name has a `:` or a control character in it".to_owned());
        }
        let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
        Secret::new(pair)
            .map(Self::Basic)
            .ok_or_else(|| "the token cannot be sent as a header".to_owned())
    }

    pub(super) fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, String> {
        let (name, value) = match self {
            Self::None => return Ok(None),
            Self::Bearer(secret) => (header::AUTHORIZATION, format!("Bearer {}", secret.expose())),
            Self::Header(name, secret) => (name.clone(), secret.expose().to_owned()),
            Self::Basic(pair) => (header::AUTHORIZATION, format!("Basic {}", pair.expose())),
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| "the token cannot be sent as a header".to_owned())?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// A token that was obtained in exchange for another one, and until when it is valid.
#[derive(Clone, Debug)]
pub struct Lease {
    pub auth: Auth,
    pub until: Option<Instant>,
}

/// Exchanges the pipeline's token for a new lease: before the first request, shortly before a
/// lease expires, and once after a 401.
pub type Renewal = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Lease, HttpError>>>>>;

/// How requests to a source are authenticated.
pub enum Credentials {
    /// The pipeline's token as it is.
    Fixed(Auth),
    /// A lease, for which the pipeline's token is exchanged.
    Leased(Renewal),
}
