//! `compliance-gate run`: collect, decide, deliver.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::cli::RunArguments;
use crate::command::{Context, Usage, listen, load};
use crate::config::{self, Config};
use crate::host::Ci;
use crate::pipeline;
use crate::report::{self, Facts, Format, Purpose, Sinks};
use crate::stop::Signal;

pub(super) async fn run(arguments: RunArguments, context: &Context) -> Result<u8, Usage> {
    let ci = Ci::new(arguments.ci, &context.variables);
    let warn_exit_code = arguments.warn_exit_code;
    // A report on stdout has it to itself.
    let paths = arguments.reports.paths.iter().map(|(_, path)| path);
    let uses_stdout = paths.chain(&arguments.save_evidence).any(|path| path == Path::new("-"));
    let mut plain: Box<dyn Write> = match uses_stdout {
        true => Box::new(stderr()),
        false => Box::new(stdout()),
    };
    match begin(arguments) {
        Ok((config, sinks, signal)) => {
            Ok(gate(&config, sinks, context, ci, signal, warn_exit_code).await)
        }
        Err(usage) => {
            let usage = usage.masked();
            let progress = context.progress();
            let notes = ci.refuse(&usage.to_string(), &mut plain);
            notes.iter().for_each(|note| progress.note(note));
            Err(usage)
        }
    }
}

/// The whole run, from a valid configuration to written reports. Returns the exit code.
pub(super) async fn gate(
    config: &Config,
    sinks: Sinks,
    context: &Context,
    ci: Ci<'_>,
    signal: watch::Receiver<Option<Signal>>,
    warn_exit_code: Option<u8>,
) -> u8 {
    let progress = context.progress();
    let collected = pipeline::collect(config, &context.variables, &progress, signal).await;
    let now = collected.evidence.finished;
    let decision = pipeline::decide(&config.policy, &collected, now);
    let facts = Facts {
        evidence: &collected.evidence,
        policy: &config.path,
        documents: &config.documents,
        environment: config.environment.as_deref(),
        purpose: Purpose::Gate,
        now,
        run: &ci.facts(),
        at_least: collected.at_least,
        warn_exit_code,
    };
    pipeline::deliver(&facts, decision, sinks, ci, &progress)
}

/// Everything that can be found wrong before anything is asked.
fn begin(
    arguments: RunArguments,
) -> Result<(Config, Sinks, watch::Receiver<Option<Signal>>), Usage> {
    let policy = config::find(arguments.config.config.as_deref())?;
    let config = load(&arguments.config)?;
    let mut targets = targets(&arguments.reports.paths, &config.reports);
    targets.extend(arguments.save_evidence.map(|path| (&report::EVIDENCE, path)));
    let sinks = open(&targets, &policy)?;
    Ok((config, sinks, listen()?))
}

/// Opens the places of reports, none of which may be that of the policy.
pub(super) fn open(targets: &[(&'static Format, PathBuf)], policy: &Path) -> Result<Sinks, String> {
    let policy = policy.canonicalize().ok();
    let is_policy = |path: &Path| policy.is_some() && path.canonicalize().ok() == policy;
    match targets.iter().find(|(_, path)| is_policy(path)) {
        None => Sinks::open(targets),
        Some((format, path)) => Err(format!(
            "the {} report would replace the policy {}; give it a place of its own",
            format.title,
            path.display()
        )),
    }
}

/// Where reports go: a flag wins over the configuration.
pub(super) fn targets(
    flags: &[(&str, PathBuf)],
    keys: &BTreeMap<String, PathBuf>,
) -> Vec<(&'static Format, PathBuf)> {
    let path = |format: &Format| {
        let flag = flags.iter().find(|(name, _)| *name == format.name);
        flag.map(|(_, path)| path).or(keys.get(format.name))
    };
    report::FORMATS
        .iter()
        .filter_map(|format| path(format).map(|path| (format, path.clone())))
        .collect()
}
