//! The table of report formats, and where reports go.
//!
//! A new format is a file below `report/` and a row in the table below. No format has a say in
//! the verdict.

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use crate::evaluate::Decision;
use crate::evidence::Outcome;

/// All that a report can tell.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    pub decision: &'a Decision<'a>,
    /// What was collected, by source name.
    pub outcomes: &'a [Outcome],
    /// The policy file, as the caller named it.
    pub policy: &'a str,
    pub environment: Option<&'a str>,
    pub started: DateTime<Utc>,
    pub finished: DateTime<Utc>,
}

/// A report format.
#[derive(Debug)]
pub struct Format {
    /// The flag `--<name>`, the key below `reports:` with `_` for `-`.
    pub name: &'static str,
    pub render: fn(&Report<'_>, &mut dyn Write) -> io::Result<()>,
}

/// The table of formats.
pub const FORMATS: &[Format] = &[];

impl Format {
    /// The key below `reports:` in a configuration.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}
