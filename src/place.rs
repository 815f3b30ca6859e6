//! Where something is written.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Whose policy it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    #[default]
    Repository,
    Organisation,
}

impl Whose {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Organisation => "organisation",
        }
    }
}

/// A file, from the root of its repository, with line and column, both from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u64,
    pub column: u64,
}

/// `security/accept.yaml:12`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
