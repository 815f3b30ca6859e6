//! Saved evidence, and what is made of it later.

mod compare;
mod forecast;
mod previous;
mod replay;
mod saved;
mod verify;
mod what_if;

use crate::common::{Ended, Folder, Platform, opencomply};

/// Evidence of OpenComply as it is saved, with the policy that it was collected for.
pub struct Kept {
    pub folder: Folder,
    pub platform: Platform,
}

const GATES: &str = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}
  - {id: pass-rate, source: opencomply, min_pass_rate: \"70%\"}
";

impl Kept {
    /// A run over a scenario, saved as `evidence.jsonl`.
    pub fn of(scenario: &str) -> Self {
        let platform = Platform::start(scenario);
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
        folder.run(&["run", "--save-evidence", "evidence.jsonl", "--json", "run.json"]);
        Self { folder, platform }
    }

    /// `evaluate` with further arguments.
    pub fn evaluate(&self, arguments: &[&str]) -> Ended {
        self.folder.run(&[&["evaluate", "evidence.jsonl"], arguments].concat())
    }
}

/// Lines of evidence with a last line that fits them. What was in the way of a change is the digest,
/// which anyone can compute.
pub fn closed(lines: impl Iterator<Item = String>) -> String {
    use sha2::{Digest, Sha256};
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("{\"end\"")).collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}{{\"end\":{{\"lines\":{},\"sha256\":\"{sha256}\"}}}}\n", lines.len())
}
