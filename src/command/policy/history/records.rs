//! Records as `run --record` writes them, as far as the history of a policy needs them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::text;

/// The most bytes of a line; what `run` writes is shorter.
const MOST_BYTES_OF_LINE: u64 = 64 << 10;

/// The most lines that are read.
const MOST_LINES: u64 = 1_000_000;

/// A decision.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub decided_at: String,
    #[serde(default)]
    pub repository: Option<String>,
    #[serde(default)]
    pub org_policy_sha256: Option<String>,
    pub purpose: String,
    #[serde(default)]
    pub gates: Vec<Gate>,
    #[serde(default)]
    pub accepted: Vec<Accepted>,
    #[serde(default, rename = "override")]
    pub overridden: Option<Overridden>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Gate {
    pub id: String,
    pub state: String,
    #[serde(default)]
    pub observed: Option<Observed>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Observed {
    pub failed: u64,
    #[serde(default)]
    pub passed: Option<u64>,
    #[serde(default)]
    pub known: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub id: String,
    pub kind: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Overridden {
    pub reason: String,
}

/// The records of a file, and how many of its lines are none.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub records: Vec<Record>,
    pub unreadable: u64,
}

impl Records {
    /// # Errors
    /// A sentence, if the file cannot be read or has no record.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let failed = |why: String| format!("failed to read {}: {why}", path.display());
        let refused = |error: std::io::Error| failed(text::reason(&error));
        let file = File::open(path).map_err(refused)?;
        if !file.metadata().map_err(refused)?.is_file() {
            return Err(failed("it is not a regular file".to_owned()));
        }
        let mut lines = BufReader::new(file);
        let mut read = Self::default();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let most = &mut (&mut lines).take(MOST_BYTES_OF_LINE);
            if most.read_until(b'\n', &mut line).map_err(refused)? == 0 {
                break;
            }
            number += 1;
            if number > MOST_LINES {
                return Err(failed(format!("it has more than {MOST_LINES} lines")));
            }
            match serde_json::from_slice::<Record>(&line) {
                // What was only tried is no decision.
                Ok(record) if record.purpose != "gate" => {}
                Ok(record) => read.records.push(record),
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => read.unreadable += 1,
            }
        }
        if read.records.is_empty() {
            return Err(failed(
                "it has no record; `compliance-gate run --record PATH` writes them".to_owned(),
            ));
        }
        read.records.sort_by(|a, b| a.decided_at.cmp(&b.decided_at));
        Ok(read)
    }

    /// The day of the first one.
    pub(super) fn since(&self) -> &str {
        let first = self.records.first().map_or("", |record| &record.decided_at);
        first.get(..10).unwrap_or(first)
    }

    /// The newest record of each repository.
    pub(super) fn newest(&self) -> BTreeMap<&str, &Record> {
        let named = self.records.iter().filter_map(|record| {
            let repository = record.repository.as_deref()?;
            Some((repository, record))
        });
        named.collect()
    }
}
