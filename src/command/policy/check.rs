//! `compliance-gate policy check`.

use std::collections::BTreeSet;

use super::history;
use crate::cli::CheckArguments;
use crate::command::policies::Policies;
use crate::command::{Context, Usage, print};
use crate::config::{Config, Written};
use crate::text;
use crate::verdict::Verdict;

/// Checks one environment, or the base and each environment, of every policy that is named. That of an
/// organisation can be checked alone.
pub(super) fn check(arguments: &CheckArguments, context: &Context) -> Result<u8, Usage> {
    let CheckArguments { history, config: arguments } = arguments;
    let policies = match (&arguments.config, &arguments.org_policy) {
        (None, Some(_)) => Policies::organisation_alone(arguments, &context.variables)?,
        _ => Policies::read(arguments, &context.variables)?,
    };
    let mut said = String::new();
    let mut notes = BTreeSet::new();
    let (own, organisation) = (policies.own.as_ref(), policies.organisation.as_ref());
    let mut decided = Vec::new();
    let files = [(own, organisation), (organisation, own)];
    for (written, other) in files.into_iter().filter_map(|(one, other)| Some((one?, other))) {
        let configs = written.check(arguments.environment.as_deref(), other)?;
        describe(&configs, other.is_none(), &mut said, &mut notes);
        decided = configs;
    }
    match (own, organisation) {
        (Some(_), Some(_)) => {
            decided = together(&policies, arguments.environment.as_deref())?;
            let all = decided.iter().flat_map(|config| {
                let path = &config.path;
                config.notes.iter().map(move |note| format!("note: {path}: {note}\n"))
            });
            notes.extend(all);
        }
        (None, Some(_)) => {
            decided = decided.into_iter().map(Config::into_organisation).collect();
        }
        _ => {}
    }
    said.extend(notes);
    if let Some(path) = history {
        for note in history::notes(path, &decided)? {
            said.push_str(&format!("history: {note}\n"));
        }
    }
    print(&said)?;
    Ok(Verdict::Passed.exit_code())
}

/// Both policies as they are decided together, in the environments that both have.
fn together(policies: &Policies, environment: Option<&str>) -> Result<Vec<Config>, Usage> {
    let written = policies.own.iter().chain(&policies.organisation);
    let named: BTreeSet<_> = written.flat_map(Written::environments).collect();
    let mut environments: Vec<_> = environment.map(Some).into_iter().collect();
    if environments.is_empty() {
        environments = [None].into_iter().chain(named.into_iter().map(Some)).collect();
    }
    let mut configs = Vec::new();
    for one in &environments {
        match policies.resolve(*one) {
            Ok(config) => configs.push(config),
            // One of the files may lack an environment of the other.
            Err(_) if environments.len() > 1 => {}
            Err(usage) => return Err(usage),
        }
    }
    Ok(configs)
}

/// Describes the environments of one file.
fn describe(
    configs: &[Config],
    needs_gates: bool,
    said: &mut String,
    notes: &mut BTreeSet<String>,
) {
    let has_several = configs.len() > 1;
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
        let path = &config.path;
        notes.extend(config.notes.iter().map(|note| format!("note: {path}: {note}\n")));
        if gates == 0 && needs_gates {
            notes.insert(format!("note: {}: no gate{name}, so `run` refuses it\n", config.path));
        }
    }
}
