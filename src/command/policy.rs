//! `compliance-gate policy`: what can be said of a policy offline.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::cli::ConfigArguments;
use crate::command::{Usage, print, read};
use crate::text;
use crate::verdict::Verdict;

/// The JSON Schema of the policy file, drift-tested against the types that read it.
const SCHEMA: &str = include_str!("../../schemas/policy.schema.json");

/// A policy to begin with.
const STARTER: &str = include_str!("../../fixtures/policies/starter.yaml");

/// Checks one environment, or the base and each environment.
pub(crate) fn check(arguments: ConfigArguments) -> Result<u8, Usage> {
    let configs = read(&arguments)?.check(arguments.environment.as_deref())?;
    let has_several = configs.len() > 1;
    let mut said = String::new();
    let mut notes = BTreeSet::new();
    for config in configs {
        let gates = config.policy.gates.len();
        // A base may only be there to be changed.
        if has_several && gates == 0 && config.environment.is_none() {
            continue;
        }
        let name = match &config.environment {
            Some(name) => format!(" in {name}"),
            None if has_several => " without an environment".to_owned(),
            None => String::new(),
        };
        said.push_str(&format!(
            "{}: valid{name}: {} over {}\n",
            config.path,
            text::count(gates as u64, "gate"),
            text::count(config.sources.len() as u64, "source")
        ));
        notes.extend(
            config.notes.into_iter().map(|note| format!("note: {}: {note}\n", config.path)),
        );
        if gates == 0 {
            notes.insert(format!("note: {}: no gate{name}, so `run` refuses it\n", config.path));
        }
    }
    said.extend(notes);
    print(&said)?;
    Ok(Verdict::Passed.exit_code())
}

pub(crate) fn schema() -> Result<u8, Usage> {
    print(SCHEMA)?;
    Ok(Verdict::Passed.exit_code())
}

/// Writes a starter policy, and never over an existing file.
pub(crate) fn init(path: &Path) -> Result<u8, Usage> {
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
