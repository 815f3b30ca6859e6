//! Saved evidence: the file format in which evidence is kept, so that it can be decided again.
//!
//! ```text
//! line    the lines of a file       build   lines as evidence
//! write   evidence as lines         read    a file: bounded, whole or not at all
//! ```
//!
//! The digest in the last line finds damage. It does not find forgery: whoever can change the file
//! can compute it.

use std::fmt;
use std::fs::File;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::artefact::Artefact;
use crate::evidence::{CiRun, Evidence, Tool};
use crate::finding::Cause;
use crate::policy::Document;
use crate::text;
use crate::verdict::Verdict;

mod build;
mod line;
mod read;
mod write;

pub(crate) use line::SCHEMA;
pub(crate) use write::write;

/// What a file of evidence holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub evidence: Evidence,
    /// The files that the policy was read from; the policy file comes first.
    pub documents: Vec<Document>,
    pub decided: Decided,
    /// Whether the ages of findings were known from an earlier run.
    pub has_ages: bool,
    /// The SHA-256 of the file's bytes, in hexadecimal digits.
    pub sha256: String,
}

/// What was decided when the evidence was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub verdict: Verdict,
    pub exit_code: u8,
    /// A verdict that the gates could not improve.
    pub at_least: Option<Verdict>,
    pub now: DateTime<Utc>,
    pub environment: Option<String>,
    /// What had changed since an earlier run, in a sentence.
    pub changes: Option<String>,
    pub warn_exit_code: Option<u8>,
    /// The override that the pipeline asked for.
    pub break_glass: Option<String>,
    /// The artefacts that the run was about.
    pub subjects: Vec<Artefact>,
    pub run: CiRun,
    pub tool: Tool,
}

/// Why a file is not evidence that can be decided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unreadable(String),
    NotEvidence,
    Newer { version: u32 },
    Damaged { line: u64, why: String },
}

impl Fault {
    fn damaged(line: u64, why: impl Into<String>) -> Self {
        Self::Damaged { line, why: why.into() }
    }

    /// Damage makes a run inconclusive; everything else is a mistake of the caller.
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::Damaged { .. } => Verdict::of(Cause::Incomplete),
            Self::Unreadable(_) | Self::NotEvidence | Self::Newer { .. } => Verdict::Invalid,
        }
    }
}

/// Follows the name of the file.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::NotEvidence => f.write_str(
                "line 1: this is not evidence that `run --save-evidence` wrote; its first line is \
                 another one",
            ),
            Self::Newer { version } => write!(
                f,
                "line 1: this has version {version} of the format, and this program reads version \
                 {}; use a newer compliance-gate",
                line::VERSION
            ),
            Self::Damaged { line, why } => write!(f, "line {line}: {why}; the file is damaged"),
        }
    }
}

/// Reads a file of evidence as it was decided.
///
/// # Errors
/// Why it cannot be decided.
pub(crate) fn read(path: &Path) -> Result<Saved, Fault> {
    read_with_days(path).map(|mut saved| {
        saved.forget_unused_days();
        saved
    })
}

/// Reads a file of evidence with the time at which each finding was first seen, for the next run.
///
/// # Errors
/// As for `read`.
pub(crate) fn read_with_days(path: &Path) -> Result<Saved, Fault> {
    let unreadable = |error: std::io::Error| Fault::Unreadable(text::reason(&error));
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::Unreadable("it is not a regular file".to_owned()));
    }
    read::read(File::open(path).map_err(unreadable)?)
}

/// Reads the bytes of a file of evidence as it was decided.
#[cfg(test)]
pub(crate) fn read_bytes(bytes: &[u8]) -> Result<Saved, Fault> {
    read::read(bytes).map(|mut saved| {
        saved.forget_unused_days();
        saved
    })
}

impl Saved {
    /// Leaves the findings as they were decided. The time at which each was first seen is always
    /// saved, for the next run, but it is an age only if it was carried from an earlier run.
    pub(crate) fn forget_unused_days(&mut self) {
        if self.has_ages {
            return;
        }
        let parts = self.evidence.outcomes.iter_mut().flat_map(|outcome| &mut outcome.parts);
        for finding in parts.flat_map(|part| part.findings.listed_mut()) {
            finding.first_seen = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_lines() {
        let schema = schemars::schema_for!(line::Line<'_>);
        text::published::check_format(
            "evidence.schema.json",
            schema,
            line::SCHEMA,
            "compliance-gate evidence, a line",
        );
    }
}
