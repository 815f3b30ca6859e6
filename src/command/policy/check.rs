//! `compliance-gate policy check`.

use std::collections::BTreeSet;

use crate::cli::ConfigArguments;
use crate::command::{Usage, print, read};
use crate::text;
use crate::verdict::Verdict;

/// Checks one environment, or the base and each environment.
pub(super) fn check(arguments: ConfigArguments) -> Result<u8, Usage> {
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
