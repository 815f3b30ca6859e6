//! `compliance-gate evaluate`: load, decide, deliver.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::cli::EvaluateArguments;
use crate::command::{Context, Usage, read, run};
use crate::config::{self, Config};
use crate::evidence::Evidence;
use crate::host::{Choice, Ci, Host};
use crate::pipeline::{self, Collected};
use crate::report::{Facts, Purpose};
use crate::saved::{self, Saved};
use crate::verdict::Verdict;

/// Reports that a pipeline acts on: none is made of a decision that is not a gate's.
const ACTED_ON: [&str; 1] = ["dotenv"];

pub(super) fn evaluate(arguments: EvaluateArguments, context: &Context) -> Result<u8, Usage> {
    refuse_what_is_acted_on(&arguments)?;
    let now = Utc::now();
    let saved = match load(&arguments.evidence, context) {
        Ok(saved) => saved,
        Err(code) => return Ok(code),
    };
    let policy = config::find(arguments.config.config.as_deref())?;
    let environment = arguments.config.environment.as_deref();
    let config =
        read(&arguments.config)?.resolve(environment.or(saved.decided.environment.as_deref()))?;
    check_belongs(&config, &saved, &arguments.evidence)?;
    let sinks = run::open(&run::targets(&arguments.reports.paths, &Default::default()), &policy)?;
    Ok(what_if(&config, saved, sinks, context, now, arguments.warn_exit_code))
}

/// Decides saved evidence, and delivers to nobody but the reader.
fn what_if(
    config: &Config,
    saved: Saved,
    sinks: crate::report::Sinks,
    context: &Context,
    now: DateTime<Utc>,
    warn_exit_code: Option<u8>,
) -> u8 {
    let progress = context.progress();
    let ci = Ci::new(Choice::Is(&Host::NONE), &context.variables);
    let decided = saved.decided;
    let collected = collected(config, saved.evidence, decided.at_least);
    let decision = pipeline::decide(&config.policy, &collected, now);
    let facts = Facts {
        evidence: &collected.evidence,
        policy: &config.path,
        documents: &config.documents,
        environment: config.environment.as_deref(),
        purpose: Purpose::WhatIf,
        now,
        run: &decided.run,
        at_least: collected.at_least,
        warn_exit_code,
    };
    pipeline::deliver(&facts, decision, sinks, ci, &progress)
}

/// Saved evidence as far as the policy asks for it.
pub(super) fn collected(
    config: &Config,
    mut evidence: Evidence,
    at_least: Option<Verdict>,
) -> Collected {
    evidence.outcomes.retain(|outcome| config.sources.contains_key(&outcome.source));
    Collected { evidence, at_least }
}

/// Reads evidence; else prints why not, and returns the exit code.
pub(super) fn load(path: &Path, context: &Context) -> Result<Saved, u8> {
    saved::read(path).map_err(|fault| {
        context.progress().error(&format!("{} {fault}", path.display()));
        fault.verdict().exit_code()
    })
}

fn refuse_what_is_acted_on(arguments: &EvaluateArguments) -> Result<(), String> {
    let paths = &arguments.reports.paths;
    match paths.iter().find(|(name, _)| ACTED_ON.contains(name)) {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "`--{name}` is for what a pipeline acts on, and this is a what-if; leave it out, or \
             decide as a gate with `--evidence-sha256`"
        )),
    }
}

/// Whether the evidence is of the environment and of the platforms that the policy means.
///
/// # Errors
/// A sentence that names the first difference.
pub(super) fn check_belongs(config: &Config, saved: &Saved, path: &Path) -> Result<(), String> {
    let path = path.display();
    let (asked, given) = (&config.environment, &saved.decided.environment);
    if let Some(given) = given.as_ref().filter(|given| asked.as_ref() != Some(given)) {
        let asked = asked.as_deref().unwrap_or("none");
        return Err(format!(
            "{path} is evidence of environment `{given}`, and `{asked}` was asked for"
        ));
    }
    for (name, source) in &config.sources {
        let origin = source.connection().url.origin().ascii_serialization();
        let outcome = saved.evidence.outcomes.iter().find(|outcome| outcome.source == *name);
        if let Some(outcome) = outcome.filter(|outcome| outcome.origin != origin) {
            return Err(format!(
                "{path} is evidence of {name} at {}, and the policy asks {origin}",
                outcome.origin
            ));
        }
    }
    Ok(())
}
