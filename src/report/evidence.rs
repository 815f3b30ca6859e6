//! The evidence itself as a file: what `evaluate`, `compare` and the others read.

use std::io::{self, Write};

use super::{Format, View};
use crate::saved::{self, Decided};
use crate::text;

/// Not one of the formats for readers: only `run` can write it.
pub const EVIDENCE: Format =
    Format { name: "save-evidence", title: "evidence", extension: "jsonl", render };

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let decided = Decided {
        verdict: view.decision.verdict,
        exit_code: view.exit_code,
        at_least: view.at_least,
        now: view.now,
        environment: view.environment.map(str::to_owned),
        changes: view.changes.map(str::to_owned),
        warn_exit_code: view.warn_exit_code,
        break_glass: view.break_glass.map(|asked| text::one_line(asked, 400)),
        run: view.run.clone(),
    };
    saved::write(view.evidence, view.documents, &decided, out)
}
