//! The evidence itself as a file: what `evaluate`, `compare` and the others read.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{Format, Report, View, facts};
use crate::evidence::Tool;
use crate::saved::{self, Decided};
use crate::text;

/// Not one of the formats for readers: only `run` can write it.
pub const EVIDENCE: Format =
    Format { name: "save-evidence", title: "evidence", extension: "jsonl", render };

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(view, out)
}

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let decided = Decided {
        verdict: report.decision.verdict,
        exit_code: report.exit_code,
        at_least: report.at_least,
        now: report.now,
        environment: report.environment.map(str::to_owned),
        changes: report.changes.map(str::to_owned),
        warn_exit_code: report.warn_exit_code,
        break_glass: report.break_glass.map(|asked| text::one_line(asked, 400)),
        subjects: report.subjects.to_vec(),
        run: report.run.clone(),
        tool: Tool {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: facts::own_sha256().map(str::to_owned),
        },
    };
    saved::write(report.evidence, report.documents, &decided, out)
}

/// The SHA-256 of the file, in hexadecimal digits.
pub(super) fn sha256(report: &Report<'_>) -> Option<String> {
    let mut hashed = Hashed::default();
    write(report, &mut hashed).ok()?;
    Some(hashed.hexadecimal())
}

/// Keeps only the digest of what is written.
#[derive(Default)]
pub(super) struct Hashed(Sha256);

impl Hashed {
    pub(super) fn hexadecimal(self) -> String {
        text::hexadecimal(&self.0.finalize())
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
