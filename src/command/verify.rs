//! `compliance-gate verify`: recomputes a recorded decision, and every digest, from its evidence.

use std::path::Path;

use serde_json::Value;

use crate::cli::VerifyArguments;
use crate::command::compare::Recorded;
use crate::command::{Context, Usage, evaluate, print};
use crate::finding::Cause;
use crate::pipeline;
use crate::report::{self, EvidenceFile, Facts};
use crate::saved::Decided;
use crate::text;
use crate::verdict::Verdict;
use crate::workspace;

/// The longest file of records that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Differences that are named.
const NAMED: usize = 20;

pub(super) fn verify(arguments: &VerifyArguments, context: &Context) -> Result<u8, Usage> {
    let records = read(&arguments.record)?;
    let recorded = match evaluate::load(&arguments.evidence, context) {
        Ok(saved) => Recorded::of(saved)?,
        Err(code) => return Ok(code),
    };
    let expected = expected(&recorded)?;
    let progress = context.progress();
    let refused = |sentence: &str| {
        progress.error(sentence);
        Ok(Verdict::of(Cause::Incomplete).exit_code())
    };
    match check(&records, &recorded.sha256, &expected) {
        Ok(()) => {}
        Err(Refusal::NoRecord) => {
            return refused(&format!(
                "{} has no record of the evidence {} (SHA-256 {})",
                arguments.record.display(),
                arguments.evidence.display(),
                recorded.sha256
            ));
        }
        Err(Refusal::Differs(differences)) => {
            for difference in differences.iter().take(NAMED) {
                progress.error(difference);
            }
            if let Some(more) = differences.len().checked_sub(NAMED).filter(|more| *more > 0) {
                progress.error(&text::count(more as u64, "more difference"));
            }
            return refused("the record is not what follows from the evidence");
        }
    }
    print(&format!(
        "Verified: {} on {}, policy {}, evidence {}.\n",
        recorded.decided.verdict,
        recorded.decided.now.format("%Y-%m-%d %H:%M:%S UTC"),
        recorded.config.documents.first().map_or("", |document| &document.sha256),
        recorded.sha256
    ))?;
    Ok(Verdict::Passed.exit_code())
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |why: &str| format!("{} cannot be read: {why}", path.display());
    let bytes = workspace::read(path, MOST_BYTES).map_err(|error| failed(&text::reason(&error)))?;
    String::from_utf8(bytes).map_err(|_| failed("it is not text in UTF-8"))
}

/// Why records are not those of some evidence.
#[derive(Debug)]
pub(super) enum Refusal {
    /// None is about it.
    NoRecord,
    /// One says something else: each difference.
    Differs(Vec<String>),
}

/// Compares every record that is about evidence with this digest with what follows from it.
///
/// # Errors
/// If there is no such record, or if one differs.
pub(super) fn check(records: &str, sha256: &str, expected: &str) -> Result<(), Refusal> {
    let mut lines = records.split_inclusive('\n').filter(|line| is_about(line, sha256)).peekable();
    if lines.peek().is_none() {
        return Err(Refusal::NoRecord);
    }
    let differing = lines.map(|line| differences(line, expected)).find(|found| !found.is_empty());
    differing.map_or(Ok(()), |differences| Err(Refusal::Differs(differences)))
}

/// Whether a record is of evidence with this digest.
fn is_about(line: &str, sha256: &str) -> bool {
    let record: Option<Value> = serde_json::from_str(line).ok();
    record.is_some_and(|record| record["evidence"]["digest"]["sha256"] == sha256)
}

/// The record as it follows from the evidence.
pub(super) fn expected(recorded: &Recorded) -> Result<String, String> {
    let Decided { now, warn_exit_code, changes, run, break_glass, tool, .. } = &recorded.decided;
    let mut decision = recorded.decision();
    if let Some(asked) = break_glass {
        decision.break_glass(asked, &recorded.config.overridable(), *now);
    }
    let facts = Facts {
        evidence_file: EvidenceFile::Given(&recorded.sha256),
        changes: changes.as_deref(),
        warn_exit_code: *warn_exit_code,
        break_glass: break_glass.as_deref(),
        tool: Some(tool),
        ..pipeline::facts(&recorded.config, &recorded.collected, run, *now)
    };
    report::record_line(&facts.report(&decision)).map_err(|error| text::reason(&error))
}

/// What a record says and what follows from the evidence, where the two differ.
fn differences(line: &str, expected: &str) -> Vec<String> {
    if line.strip_suffix('\n').unwrap_or(line) == expected.trim_end_matches('\n') {
        return Vec::new();
    }
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut differences = Vec::new();
    compare("", &read(line), &read(expected), &mut differences);
    if differences.is_empty() {
        differences.push("the record is written in another form".to_owned());
    }
    differences
}

fn compare(place: &str, said: &Value, found: &Value, differences: &mut Vec<String>) {
    let below =
        |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match (said, found) {
        (said, found) if said == found => {}
        (Value::Object(said), Value::Object(found)) => {
            for key in said.keys().chain(found.keys().filter(|key| !said.contains_key(*key))) {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(key).cloned().unwrap_or_default()
                };
                compare(&below(key), &of(said), &of(found), differences);
            }
        }
        (Value::Array(said), Value::Array(found)) if said.len() == found.len() => {
            for (at, (said, found)) in said.iter().zip(found).enumerate() {
                compare(&format!("{place}[{at}]"), said, found, differences);
            }
        }
        (said, found) => differences.push(text::one_line(
            &format!("{place}: the record has {said}, and the evidence gives {found}"),
            400,
        )),
    }
}
