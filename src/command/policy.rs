//! `compliance-gate policy`: what can be said of a policy offline.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::cli::ConfigArguments;
use crate::command::{Usage, print, read};
use crate::config::Config;
use crate::text;
use crate::verdict::Verdict;

/// The JSON Schema of the policy file, drift-tested against the types that read it.
const SCHEMA: &str = include_str!("../../schemas/policy.schema.json");

/// A policy to begin with.
const STARTER: &str = include_str!("../../fixtures/policies/starter.yaml");

/// Checks one environment, or the policy by itself and in each environment.
pub fn check(arguments: ConfigArguments) -> Result<u8, Usage> {
    let written = read(&arguments)?;
    let mut said = String::new();
    let mut tell = |config: Config| {
        let name = config.environment.as_deref().map_or_else(String::new, |e| format!(" in {e}"));
        said.push_str(&format!(
            "{}: valid{name}: {} over {}\n",
            config.path,
            text::count(config.policy.gates.len() as u64, "gate"),
            text::count(config.sources.len() as u64, "source")
        ));
    };
    if let Some(environment) = &arguments.environment {
        tell(written.resolve(Some(environment))?);
    } else {
        if written.stands_alone() {
            tell(written.resolve(None)?);
        }
        for environment in written.environments() {
            tell(written.resolve(Some(environment))?);
        }
    }
    print(&said)?;
    Ok(Verdict::Passed.exit_code())
}

pub fn schema() -> Result<u8, Usage> {
    print(SCHEMA)?;
    Ok(Verdict::Passed.exit_code())
}

/// Writes a starter policy, and never over an existing file.
pub fn init(path: &Path) -> Result<u8, Usage> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()))
        .map_err(|error| format!("failed to write {}: {error}", path.display()))?;
    print(&format!(
        "Wrote {}. Put in your platform's url, frameworks and integrations (`compliance-gate list \
         frameworks` shows them), then try `compliance-gate doctor`.\n",
        path.display()
    ))?;
    Ok(Verdict::Passed.exit_code())
}
