//! GitHub Actions: workflow commands, the step summary, the step's outputs.
//!
//! Never `add-mask`: it would print the token in order to mask it.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use super::{Host, Published, RunVariables, Summary, append, is_true, value};
use crate::report::TOOL;
use crate::report::issues::Issue;
use crate::report::outputs::Outputs;
use crate::secret::Variables;

pub(super) const HOST: Host = Host {
    name: "github",
    detect: |variables| is_true(variables, "GITHUB_ACTIONS"),
    run: |variables| {
        let server = value(variables, "GITHUB_SERVER_URL")?;
        let repository = value(variables, "GITHUB_REPOSITORY")?;
        let id = value(variables, "GITHUB_RUN_ID")?;
        Some(format!("{server}/{repository}/actions/runs/{id}"))
    },
    commit: |variables| value(variables, "GITHUB_SHA"),
    names: RunVariables {
        id: "GITHUB_RUN_ID",
        repository: |variables| value(variables, "GITHUB_REPOSITORY"),
        actor: "GITHUB_ACTOR",
    },
    fold: Some(|title, _| (format!("::group::{title}\n"), "::endgroup::\n".to_owned())),
    annotate: Some(annotate),
    publish: Some(publish),
};

/// GitHub drops a step's summary of more than 1 MiB, all of it. The steps of a composite action
/// share one, so this leaves something for others.
const MOST_BYTES_OF_SUMMARY: usize = 900 * 1024;
/// A headline and a table need this much.
const LEAST_BYTES_OF_SUMMARY: usize = 2 * 1024;

fn annotate(issue: &Issue) -> String {
    let kind = if issue.blocks { "error" } else { "warning" };
    let place = issue
        .place
        .as_ref()
        .map(|place| format!("file={},line={},", property(&place.file), place.line));
    let title = property(&format!("{TOOL}: {}", issue.title));
    let place = place.unwrap_or_default();
    format!("::{kind} {place}title={title}::{}\n", data(&issue.message))
}

fn publish(variables: &Variables, outputs: &Outputs, summary: Summary<'_>) -> Published {
    let mut notes = Vec::new();
    if let Some(path) = value(variables, "GITHUB_OUTPUT") {
        let written = append(Path::new(&path), &assignments(outputs));
        notes.extend(
            written.err().map(|error| format!("failed to set the step's outputs: {error}")),
        );
    }
    if let Some(path) = value(variables, "GITHUB_STEP_SUMMARY").map(PathBuf::from) {
        let left = MOST_BYTES_OF_SUMMARY.saturating_sub(size(&path)).saturating_sub(1);
        let text = if left < LEAST_BYTES_OF_SUMMARY { None } else { Some(summary(left)) };
        let written = match text.filter(|text| text.len() <= left) {
            Some(text) => append(&path, &text).map_err(|error| error.to_string()),
            None => Err("earlier steps filled it up to the size that GitHub takes".to_owned()),
        };
        notes.extend(written.err().map(|why| format!("failed to write the step summary: {why}")));
    }
    Published { log: String::new(), notes }
}

/// How many bytes a file has; none if it does not exist yet.
fn size(path: &Path) -> usize {
    path.metadata().map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX))
}

/// `name<<delimiter`, the value, the delimiter, which the author of a value cannot guess.
fn assignments(outputs: &Outputs) -> String {
    let assignment = |(name, value): &(String, String)| {
        let end = delimiter();
        format!("{name}<<{end}\n{value}\n{end}\n")
    };
    outputs.iter().map(assignment).collect()
}

/// 128 bits from a hash whose keys are random.
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
