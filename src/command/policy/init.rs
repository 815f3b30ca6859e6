//! `compliance-gate policy init`: a policy to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::command::{Usage, print};
use crate::text;
use crate::verdict::Verdict;

/// A policy to begin with.
const STARTER: &str = include_str!("../../../fixtures/policies/starter.yaml");

/// Writes a starter policy, and never over an existing file.
pub(super) fn init(path: &Path) -> Result<u8, Usage> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()))
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => format!(
                "{} exists already and is left as it is; name another file, as in \
                 `compliance-gate policy init other.yaml`",
                path.display()
            ),
            _ => format!("failed to write {}: {}", path.display(), text::reason(&error)),
        })?;
    print(&format!(
        "Wrote {}. Put in your platform's url, frameworks and integrations (`compliance-gate list \
         frameworks` shows them), then try `compliance-gate doctor`.\n",
        path.display()
    ))?;
    Ok(Verdict::Passed.exit_code())
}
