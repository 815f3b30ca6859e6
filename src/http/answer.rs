//! A successful answer, and how its body is read.

use reqwest::StatusCode;
use serde::Deserialize;

use super::body::Body;
use super::{Failure, HttpError};
use crate::json;

/// The beginning of the message about an HTML page.
pub(super) const HTML_PAGE: &str = "the answer is an HTML page where JSON was expected";

/// A complete answer with a status below 300, or with one that the call accepts.
#[derive(Debug)]
pub struct Answer {
    pub(super) source: String,
    pub(super) endpoint: String,
    pub(super) status: StatusCode,
    pub(super) body: Body,
    pub(super) html: bool,
    /// The base URL, where no earlier request was answered as an API does.
    pub(super) unproven_url: Option<String>,
}

impl Answer {
    /// Whether the status is 204 and the body is empty.
    pub fn is_no_content(&self) -> bool {
        self.status == StatusCode::NO_CONTENT && self.is_empty()
    }

    /// The status, below 300.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    /// An error for this answer, whose status reports success.
    pub fn failed(&self, failure: Failure) -> HttpError {
        HttpError::new(self.source.clone(), self.endpoint.clone(), failure)
            .before_any_answer(self.unproven_url.as_deref())
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
            return Err(protocol(format!(
                "{HTML_PAGE}; a wrong base URL, a login page or a proxy in between sends one"
            )));
        }
        json::from_str(&self.body).map_err(|error| protocol(format!("the answer is {error}")))
    }
}
