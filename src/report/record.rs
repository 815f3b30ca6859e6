//! Records: one line a decision, appended to a file that pipelines collect and query.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::View;
use super::attestation::predicate::{self, Predicate};
use crate::policy::Whose;
use crate::text;

/// The most bytes of a line, its line break included.
const MOST_BYTES: usize = 16 << 10;

/// The decision, after columns that queries filter and group by.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Line<'a> {
    /// As `decidedAt`.
    decided_at: String,
    /// As `exitCode`.
    exit_code: u8,
    repository: Option<String>,
    run_url: Option<String>,
    policy_sha256: Option<String>,
    org_policy_sha256: Option<String>,
    #[serde(flatten)]
    decision: Predicate<'a>,
}

/// A file of records that can be appended to.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    file: File,
}

impl Record {
    /// Opens a file of records, or makes one.
    ///
    /// # Errors
    /// A sentence, if nothing can be appended to it.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let failed =
            |why: &str| format!("failed to open the record (`--record {}`): {why}", path.display());
        let refused = |error: io::Error| failed(&text::reason(&error));
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            std::fs::create_dir_all(parent).map_err(refused)?;
        }
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(failed("that is not a plain file"));
            }
            _ => {}
        }
        let open = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = open.map_err(refused)?;
        match holds_records(&mut file).map_err(refused)? {
            true => Ok(Self { path: path.to_owned(), file }),
            false => Err(failed(
                "a file is there that has no records of compliance-gate; name another place",
            )),
        }
    }

    /// Appends the decision.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn append(&mut self, view: &View<'_>) -> Result<(), String> {
        let appended = line(view).and_then(|line| {
            let mut bytes = if ends_within_a_line(&mut self.file)? { vec![b'\n'] } else { vec![] };
            bytes.extend(line);
            // One write, so that lines of jobs that share the file do not mix.
            self.file.write_all(&bytes)?;
            self.file.sync_all()
        });
        appended.map_err(|error| {
            let why = text::reason(&error);
            format!("failed to write the record (`--record {}`): {why}", self.path.display())
        })
    }
}

/// Whether a file is empty or begins with a record.
fn holds_records(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(4096).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    Ok(head.trim().is_empty() || (head.starts_with('{') && head.contains(predicate::SCHEMA)))
}

/// Whether the last line was cut, so that the next one must not be appended to it.
fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}

/// The record of a decision, with its line break.
///
/// # Errors
/// If it is too long, whatever is cut from it.
pub fn record_line(view: &View<'_>) -> io::Result<String> {
    String::from_utf8(line(view)?).map_err(io::Error::other)
}

/// The line, cut to the most bytes.
fn line(view: &View<'_>) -> io::Result<Vec<u8>> {
    let decision = predicate::of(view);
    let mut line = Line {
        decided_at: decision.decided_at.clone(),
        exit_code: decision.exit_code,
        repository: decision.run.repository.clone(),
        run_url: decision.run.url.clone(),
        policy_sha256: view.sha256(Whose::Repository).map(str::to_owned),
        org_policy_sha256: view.sha256(Whose::Organisation).map(str::to_owned),
        decision,
    };
    let mut bytes = written(&line)?;
    for cut in CUTS {
        for most in [64, 32, 16, 8, 4, 2, 1, 0] {
            if bytes.len() <= MOST_BYTES {
                return Ok(bytes);
            }
            cut(&mut line.decision, most);
            bytes = written(&line)?;
        }
    }
    match bytes.len() {
        0..=MOST_BYTES => Ok(bytes),
        _ => Err(io::Error::other("the record would be longer than 16 KiB")),
    }
}

fn written(line: &Line<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Leaves this many entries of a list, and counts the others.
type Cut = fn(&mut Predicate<'_>, usize);

/// What is cut from a line that is too long, in this order. Digests are never cut.
const CUTS: [Cut; 4] = [
    |decision, most| {
        for gate in &mut decision.gates {
            cut(&mut gate.groups, &mut gate.groups_omitted, most);
        }
    },
    |decision, most| {
        let before = decision.gates.len();
        let mut held = 0;
        decision.gates.retain(|gate| {
            held += usize::from(gate.is_held());
            !gate.is_held() || held <= most
        });
        decision.gates_omitted += (before - decision.gates.len()) as u64;
    },
    |decision, most| cut(&mut decision.accepted, &mut decision.accepted_omitted, most),
    |decision, most| cut(&mut decision.gates, &mut decision.gates_omitted, most),
];

fn cut<T>(list: &mut Vec<T>, omitted: &mut u64, most: usize) {
    *omitted += list.len().saturating_sub(most) as u64;
    list.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_a_line() {
        let schema = schemars::schema_for!(Line<'_>);
        text::published::check_format(
            "record.schema.json",
            schema,
            "urn:compliance-gate:record:1",
            "compliance-gate record, a line",
        );
    }
}
