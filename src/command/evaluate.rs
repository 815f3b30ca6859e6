//! `compliance-gate evaluate`: load, decide, deliver.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cli::{ConfigArguments, EvaluateArguments, GateArguments};
use crate::command::policies::Policies;
use crate::command::{Context, Usage, print, run};
use crate::config::{Config, Written};
use crate::evidence::Evidence;
use crate::finding::{Cause, Problem};
use crate::host::{Choice, Ci, Host};
use crate::pipeline::{self, Collected};
use crate::policy::Whose;
use crate::report::{EvidenceFile, Facts, Purpose, Sinks};
use crate::saved::{self, Decided, Saved};
use crate::verdict::Verdict;

mod table;
#[cfg(test)]
mod vectors;

/// Reports that a pipeline acts on: none is made of a decision that is not a gate's.
const ACTED_ON: [&str; 1] = ["dotenv"];

/// How far ahead of our clock evidence may end.
const MOST_AHEAD: TimeDelta = TimeDelta::minutes(5);

pub(super) fn evaluate(arguments: EvaluateArguments, context: &Context) -> Result<u8, Usage> {
    let EvaluateArguments { evidence, at, as_recorded, evidence_sha256, gate } = arguments;
    match (evidence.as_slice(), evidence_sha256) {
        ([path], Some(sha256)) => as_gate(path, &sha256, &gate, context),
        (_, Some(_)) => Err("`--evidence-sha256` takes one file of evidence".to_owned().into()),
        ([path], None) => {
            refuse_what_is_acted_on(&gate)?;
            let saved = match load(path, context) {
                Ok(saved) => saved,
                Err(code) => return Ok(code),
            };
            match as_recorded {
                true => replay(path, saved, &gate, context),
                false => what_if(path, saved, at, &gate, context),
            }
        }
        (paths, None) => table::table(paths, at, as_recorded, &gate, context),
    }
}

/// Decides saved evidence by the policy as it is now. Nothing acts on it.
fn what_if(
    path: &Path,
    saved: Saved,
    at: Option<DateTime<Utc>>,
    arguments: &GateArguments,
    context: &Context,
) -> Result<u8, Usage> {
    let now = at.unwrap_or_else(Utc::now);
    let policies = policies_for(&saved, &arguments.config, context)?;
    let config = policies.resolve(environment_for(&saved, &arguments.config))?;
    let collected = collected(&config, saved.evidence, &saved.decided, path, now)?;
    let facts = Facts {
        purpose: Purpose::WhatIf,
        evidence_file: EvidenceFile::Given(&saved.sha256),
        evidence_path: Some(path),
        warn_exit_code: arguments.warn_exit_code,
        ..pipeline::facts(&config, &collected, &saved.decided.run, now)
    };
    let decision = pipeline::decide(&config, &collected, now);
    let inputs: Vec<_> = policies.inputs().chain([("evidence", path)]).collect();
    let sinks = sinks(arguments, &inputs)?;
    Ok(pipeline::deliver(&facts, decision, sinks, no_host(context), &context.progress()))
}

/// Decides saved evidence as it was decided, from nothing but the file.
fn replay(
    path: &Path,
    saved: Saved,
    arguments: &GateArguments,
    context: &Context,
) -> Result<u8, Usage> {
    let config = recorded_policy(&saved)?;
    let Saved { evidence, decided, sha256, .. } = saved;
    let collected = Collected::recorded(evidence, &decided);
    let facts = Facts {
        purpose: Purpose::Replay,
        evidence_file: EvidenceFile::Given(&sha256),
        evidence_path: Some(path),
        changes: decided.changes.as_deref(),
        warn_exit_code: decided.warn_exit_code,
        break_glass: decided.break_glass.as_deref(),
        tool: Some(&decided.tool),
        ..pipeline::facts(&config, &collected, &decided.run, decided.now)
    };
    let mut decision = pipeline::decide(&config, &collected, decided.now);
    if let Some(asked) = &decided.break_glass {
        decision.break_glass(asked, &config.overridable(), decided.now);
    }
    let sinks = sinks(arguments, &[("evidence", path)])?;
    Ok(pipeline::deliver(&facts, decision, sinks, no_host(context), &context.progress()))
}

/// Decides saved evidence as `run` would have decided it: for evidence that one job collects for
/// many pipelines, each of which is given its digest.
fn as_gate(
    path: &Path,
    sha256: &str,
    arguments: &GateArguments,
    context: &Context,
) -> Result<u8, Usage> {
    let ci = Ci::new(arguments.ci, &context.variables);
    let begun = begin_gate(path, sha256, arguments, context);
    let refused = |usage| run::refuse(usage, ci, run::uses_stdout(arguments), context);
    let (config, collected, sinks, now) = match begun.map_err(refused)? {
        Ok(begun) => begun,
        Err(code) => return Ok(code),
    };
    let delivery = run::Delivery {
        sinks,
        ci,
        evidence_file: EvidenceFile::Given(&sha256.trim().to_ascii_lowercase()),
        evidence_path: Some(path),
        warn_exit_code: arguments.warn_exit_code,
        break_glass: run::break_glass(context),
        progress: &context.progress(),
    };
    Ok(run::gate(&config, &collected, None, now, delivery))
}

/// Everything that a gate needs, or the exit code where the evidence cannot be decided.
type Begun = Result<(Config, Collected, Sinks, DateTime<Utc>), u8>;

fn begin_gate(
    path: &Path,
    sha256: &str,
    arguments: &GateArguments,
    context: &Context,
) -> Result<Begun, Usage> {
    let policies = Policies::read(&arguments.config, &context.variables)?;
    let config = policies.resolve(arguments.config.environment.as_deref())?;
    let config = config.about(run::subjects(&arguments.proof)?)?;
    if config.policies().any(|policy| policy.evidence.max_age.is_none()) {
        let why = "evidence that is not collected now is only relied on if the policy says how old \
                   it may be; set `evidence.max_age`";
        return Err(why.to_owned().into());
    }
    let targets = run::targets(arguments, &config.reports);
    let inputs: Vec<_> = policies.inputs().chain([("evidence", path)]).collect();
    let sinks = run::open_all(&targets, &inputs, &arguments.proof)?;
    let saved = match load(path, context) {
        Ok(saved) => saved,
        Err(code) => return Ok(Err(code)),
    };
    if !saved.sha256.eq_ignore_ascii_case(sha256.trim()) {
        context.progress().error(&format!(
            "{} has SHA-256 {}, and {} was promised; nothing is decided from it",
            path.display(),
            saved.sha256,
            sha256
        ));
        return Ok(Err(Verdict::of(Cause::Incomplete).exit_code()));
    }
    let now = Utc::now();
    let ahead = saved.evidence.finished - now;
    let mut collected = collected(&config, saved.evidence, &saved.decided, path, now)?;
    if ahead > MOST_AHEAD {
        for outcome in &mut collected.evidence.outcomes {
            let message = format!(
                "{}: the evidence ends at {}, which is in the future",
                outcome.source, collected.evidence.finished
            );
            let help = "check the clock of this machine and of the one that collected it";
            outcome.problems.push(Problem::new(Cause::Contradictory, message).help(help));
        }
    }
    Ok(Ok((config, collected, sinks, now)))
}

/// The evidence as the policy would have asked for it.
///
/// # Errors
/// If it is of another environment, or of another platform.
pub(super) fn collected(
    config: &Config,
    mut evidence: Evidence,
    decided: &Decided,
    path: &Path,
    now: DateTime<Utc>,
) -> Result<Collected, String> {
    check_same(config, decided, &evidence, path)?;
    let artefacts = match config.artefacts.is_empty() {
        true => decided.subjects.clone(),
        false => config.artefacts.clone(),
    };
    evidence.outcomes.retain_mut(|outcome| match config.sources.get(&outcome.source) {
        Some(source) => {
            let named = source.of_artefacts(&artefacts).filter(|_| !artefacts.is_empty());
            let filters = named.as_ref().map_or_else(|| source.filters(), |named| named.filters());
            outcome.narrow(&filters, now);
            true
        }
        None => false,
    });
    // What an interrupt cut short is in the evidence; nothing interrupts this command.
    let at_least = decided.at_least.filter(|verdict| *verdict == Verdict::Invalid);
    Ok(Collected { artefacts, ..Collected::of_saved(evidence, at_least) })
}

/// # Errors
/// If the evidence is of another environment, or of another platform, than the policy asks.
pub(super) fn check_same(
    config: &Config,
    decided: &Decided,
    evidence: &Evidence,
    path: &Path,
) -> Result<(), String> {
    let (asked, given) = (config.environment.as_deref(), decided.environment.as_deref());
    if let Some(given) = given.filter(|given| asked != Some(given)) {
        return Err(format!(
            "this is evidence of environment `{given}`, and `{}` was asked for",
            asked.unwrap_or("none")
        ));
    }
    for (name, source) in &config.sources {
        let origin = source.connection().url.origin().ascii_serialization();
        let outcome = evidence.outcomes.iter().find(|outcome| outcome.source == *name);
        if let Some(outcome) = outcome.filter(|outcome| outcome.origin != origin) {
            return Err(format!(
                "{} is evidence of {name} at {}, and the policy asks {origin}",
                path.display(),
                outcome.origin
            ));
        }
    }
    Ok(())
}

/// The policies as they are now, for the repository that the evidence is of. Where the repository has
/// none here, that of its organisation takes settings from the one that was recorded.
///
/// # Errors
/// What is wrong with the files.
pub(super) fn policies_for(
    saved: &Saved,
    arguments: &ConfigArguments,
    context: &Context,
) -> Result<Policies, Usage> {
    let policies = Policies::read(arguments, &context.variables)?;
    let is_recorded = saved.documents.iter().any(|one| one.whose == Whose::Repository);
    let recorded = (policies.own.is_none() && is_recorded)
        .then(|| Written::recorded(&saved.documents, Whose::Repository))
        .transpose()?;
    let policies = Policies { recorded, ..policies };
    Ok(match &saved.decided.run.repository {
        Some(repository) => Policies {
            organisation: policies.organisation.map(|one| one.of_repository(Some(repository))),
            ..policies
        },
        None => policies,
    })
}

/// The environment that is asked for, else that of the evidence.
pub(super) fn environment_for<'a>(
    saved: &'a Saved,
    arguments: &'a ConfigArguments,
) -> Option<&'a str> {
    arguments.environment.as_deref().or(saved.decided.environment.as_deref())
}

/// The policy that the evidence was decided by, read again from the evidence.
///
/// # Errors
/// If it is no longer a valid policy, or if the evidence has none.
pub(super) fn recorded_policy(saved: &Saved) -> Result<Config, Usage> {
    let read = |whose: Whose| {
        let is_given = saved.documents.iter().any(|document| document.whose == whose);
        is_given.then(|| Written::recorded(&saved.documents, whose)).transpose()
    };
    let (own, organisation) = (read(Whose::Repository)?, read(Whose::Organisation)?);
    let repository = saved.decided.run.repository.as_deref();
    let organisation = organisation.map(|one| one.of_repository(repository));
    let policies = Policies { own, organisation, recorded: None, paths: Vec::new() };
    policies.resolve(saved.decided.environment.as_deref())
}

/// Reads evidence; else prints why not, and returns the exit code.
pub(super) fn load(path: &Path, context: &Context) -> Result<Saved, u8> {
    saved::read(path).map_err(|fault| {
        context.progress().error(&format!("{} {fault}", path.display()));
        fault.verdict().exit_code()
    })
}

/// The reports that flags ask for; those of the policy file are the gate's own.
fn sinks(arguments: &GateArguments, inputs: &[(&str, &Path)]) -> Result<Sinks, String> {
    run::open(&run::targets(arguments, &Default::default()), inputs)
}

fn no_host(context: &Context) -> Ci<'_> {
    Ci::new(Choice::Is(&Host::NONE), &context.variables)
}

fn refuse_what_is_acted_on(arguments: &GateArguments) -> Result<(), String> {
    let reports = arguments.reports.paths.iter().map(|(name, _)| *name);
    let proof = &arguments.proof;
    let proof = [("record", &proof.record), ("attestation", &proof.attestation)];
    let proof = proof.into_iter().filter_map(|(name, path)| path.as_ref().map(|_| name));
    let acted_on = reports.filter(|name| ACTED_ON.contains(name)).chain(proof).next();
    match acted_on {
        None => Ok(()),
        Some(name) => Err(format!(
            "`--{name}` is for what a pipeline or a cluster acts on, and this is a what-if; leave it \
             out, or decide as a gate with `--evidence-sha256`"
        )),
    }
}

/// Prints the rows.
fn show(text: &str) -> Result<u8, Usage> {
    print(text)?;
    Ok(Verdict::Passed.exit_code())
}
