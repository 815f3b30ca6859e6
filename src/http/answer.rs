//! A successful answer, and how its body is read.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::error::Category;

use super::{Failure, HttpError};

/// A complete answer with a status below 300, or with one that the call accepts.
#[derive(Debug)]
pub struct Answer {
    pub(super) source: String,
    pub(super) endpoint: String,
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) html: bool,
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
        // One check of the whole body is faster than one for each string.
        let read = match std::str::from_utf8(&self.body) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(&self.body),
        };
        read.map_err(|error| {
            // The path is found in a second pass, since tracking it would slow every answer down.
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
