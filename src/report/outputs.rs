//! Values for later steps of a pipeline, each on one line.

use std::path::PathBuf;

use super::{Format, View, digest};
use crate::verdict::Verdict;

/// Tekton and GitLab limit these to kilobytes; gates beyond this are not named.
const MOST_BYTES_OF_GATES: usize = 2_000;

/// Names with words joined by `-`, and values.
pub type Outputs = Vec<(String, String)>;

/// Of a report.
pub fn of(view: &View<'_>) -> Outputs {
    let verdict = view.decision.verdict;
    outputs(verdict, view.exit_code, blocked_gates(view), digest::is_whole(view))
}

/// Of a run that could not start.
pub fn refused() -> Outputs {
    outputs(Verdict::Invalid, Verdict::Invalid.exit_code(), String::new(), false)
}

/// The paths of the reports that were written, by format.
pub fn places(written: &[(&'static Format, PathBuf)]) -> Outputs {
    let written = written.iter();
    written.map(|(format, path)| (format.name.to_owned(), path.display().to_string())).collect()
}

fn outputs(verdict: Verdict, exit_code: u8, blocked_gates: String, complete: bool) -> Outputs {
    [
        ("verdict", verdict.word().to_owned()),
        ("exit-code", exit_code.to_string()),
        ("blocked-gates", blocked_gates),
        ("evidence-complete", complete.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The ids of the gates that stop the pipeline. Scripts paste this into shell code, and the author of
/// a pull request can choose the ids, so other characters become `_`.
fn blocked_gates(view: &View<'_>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._/-".contains(c) { c } else { '_' };
    let mut out = String::new();
    for ruling in view.decision.rulings.iter().filter(|ruling| ruling.blocks()) {
        let id: String = ruling.gate.id.chars().take(80).map(plain).collect();
        if out.len() + id.len() > MOST_BYTES_OF_GATES {
            out.push_str(",...");
            break;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&id);
    }
    out
}
