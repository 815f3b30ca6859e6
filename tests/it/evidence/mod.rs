//! Saved evidence, and what is made of it later.

mod replay;
mod saved;

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
