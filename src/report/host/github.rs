//! GitHub Actions: workflow commands, the step summary, the step's outputs.
//!
//! Never `add-mask`: a token that is registered for masking has been printed first.

use std::hash::{BuildHasher, RandomState};

use super::{append, issues, size};
use crate::ci::Ci;
use crate::report::outputs::Outputs;
use crate::report::{Report, TOOL};
use crate::text;

/// GitHub drops a step's summary of more than 1 MiB, all of it. Steps of a composite action share
/// one, so some room is left for others.
const MOST_BYTES_OF_SUMMARY: usize = 900 * 1024;
/// Less than this holds no headline and no table.
const LEAST_BYTES_OF_SUMMARY: usize = 2 * 1024;

pub fn fold(title: &str) -> (String, String) {
    (format!("::group::{title}\n"), "::endgroup::\n".to_owned())
}

/// A command for each gate that does not hold.
pub fn annotations(report: &Report<'_>) -> String {
    let file = text::one_line(report.policy, 1000);
    let command = |issue: issues::Issue| {
        let kind = if issue.blocks { "error" } else { "warning" };
        format!(
            "::{kind} file={},line={},title={}::{}\n",
            property(&file),
            issue.line,
            property(&format!("{TOOL}: {}", issue.title)),
            data(&issue.message)
        )
    };
    issues::of(report).into_iter().map(command).collect()
}

pub fn refused(error: &str) -> String {
    let title = property(&format!("{TOOL}: nothing was started"));
    let error = text::clean(error, "\n");
    format!("::error title={title}::{}\n", data(&text::shorten(&error, 4_000)))
}

/// Leaves outputs and summary; a sentence for each that could not be left.
pub fn publish(ci: &Ci, outputs: &Outputs, summary: impl FnOnce(usize) -> String) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(path) = &ci.outputs {
        let written = append(path, &assignments(outputs));
        notes.extend(
            written.err().map(|error| format!("failed to set the step's outputs: {error}")),
        );
    }
    if let Some(path) = &ci.summary {
        let room = MOST_BYTES_OF_SUMMARY.saturating_sub(size(path)).saturating_sub(1);
        let text = if room < LEAST_BYTES_OF_SUMMARY { None } else { Some(summary(room)) };
        let written = match text.filter(|text| text.len() <= room) {
            Some(text) => append(path, &text).map_err(|error| error.to_string()),
            None => Err("earlier steps filled it up to the size that GitHub takes".to_owned()),
        };
        notes.extend(written.err().map(|why| format!("failed to write the step summary: {why}")));
    }
    notes
}

/// `name<<delimiter`, the value, the delimiter: nobody who writes a value can guess how it ends.
fn assignments(outputs: &Outputs) -> String {
    let assignment = |(name, value): &(String, String)| {
        let end = delimiter();
        format!("{name}<<{end}\n{value}\n{end}\n")
    };
    outputs.iter().map(assignment).collect()
}

/// 128 bits that the operating system's random numbers key.
fn delimiter() -> String {
    let random = RandomState::new();
    format!("compliance_gate_{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
