//! `compliance-gate run`: collect, decide, report.

use std::io::Write;
use std::path::{Path, PathBuf};

use anstream::AutoStream;
use chrono::Utc;
use tokio::sync::watch;

use crate::cli::RunArguments;
use crate::command::{Context, Usage, listen, load};
use crate::config::Config;
use crate::evaluate;
use crate::evidence::Outcome;
use crate::finding::{Cause, Trouble};
use crate::gate::{Gate, NotSetUp};
use crate::policy::Mode;
use crate::report::{self, Format, Report, Sinks, terminal};
use crate::stop::{Reason, Signal};
use crate::verdict::Verdict;

pub async fn run(arguments: RunArguments, context: &Context) -> Result<u8, Usage> {
    let flags = arguments.reports.paths;
    // Opening them takes yesterday's reports away, also where the configuration is no good today.
    drop(Sinks::open(&targets(&flags, None))?);
    let config = load(&arguments.config)?;
    let sinks = Sinks::open(&targets(&flags, Some(&config)))?;
    let signal = listen()?;
    Ok(gate(&config, sinks, context, signal, arguments.warn_exit_code).await)
}

/// The whole run, from a valid configuration to written reports. Returns the exit code.
pub async fn gate(
    config: &Config,
    sinks: Sinks,
    context: &Context,
    signal: watch::Receiver<Option<Signal>>,
    warn_exit_code: Option<u8>,
) -> u8 {
    let started = Utc::now();
    let progress = context.progress();
    let (outcomes, at_least) = match Gate::open(config, &context.variables, &progress, signal) {
        Ok(gate) => {
            let outcomes = gate.collect().await;
            let interrupt = match gate.stop().reason() {
                Some(Reason::Interrupt(signal)) => Some(Verdict::from(signal)),
                _ => None,
            };
            (outcomes, interrupt)
        }
        Err(NotSetUp(wrong)) => (not_asked(config, &wrong), Some(Verdict::Invalid)),
    };
    progress.clear();
    let finished = Utc::now();
    let decision = evaluate::decide(&config.policy, &outcomes, at_least, finished);
    let enforced = config.policy.mode == Mode::Enforce;
    let report = Report {
        decision: &decision,
        outcomes: &outcomes,
        policy: &config.path,
        environment: config.environment.as_deref(),
        exit_code: warn_exit_code
            .filter(|_| decision.verdict == Verdict::Warned && enforced)
            .unwrap_or(decision.exit_code()),
        started,
        finished,
    };
    let unwritten = tell(&report, sinks);
    for sentence in &unwritten {
        progress.error(sentence);
    }
    if !unwritten.is_empty() && decision.verdict.is_pass() && enforced {
        return Verdict::Inconclusive.exit_code();
    }
    report.exit_code
}

/// Prints the result and writes the reports; returns a sentence for each that failed.
fn tell(report: &Report<'_>, sinks: Sinks) -> Vec<String> {
    // A report on stdout has it to itself.
    let mut people: Box<dyn Write> = if sinks.use_stdout() {
        Box::new(AutoStream::auto(std::io::stderr()))
    } else {
        Box::new(AutoStream::auto(std::io::stdout()))
    };
    let told = terminal::render(report, &mut people).and_then(|()| people.flush());
    let mut unwritten = sinks.write(report);
    unwritten.extend(told.err().map(|error| format!("failed to print the result: {error}")));
    unwritten
}

/// Where reports go: a flag wins over the configuration.
fn targets(flags: &[(&str, PathBuf)], config: Option<&Config>) -> Vec<(&'static Format, PathBuf)> {
    let path = |format: &Format| -> Option<&Path> {
        let flag = flags.iter().find(|(name, _)| *name == format.name);
        let key = config.and_then(|config| config.reports.get(format.name));
        flag.map(|(_, path)| path.as_path()).or(key.map(PathBuf::as_path))
    };
    report::FORMATS
        .iter()
        .filter_map(|format| path(format).map(|path| (format, path.to_owned())))
        .collect()
}

/// Outcomes of a run that could not begin: nothing was sent.
fn not_asked(config: &Config, wrong: &[(String, String)]) -> Vec<Outcome> {
    let outcome = |(name, source): (&String, &std::rc::Rc<dyn crate::sources::Source>)| {
        let own = wrong.iter().find(|(source, _)| source == name);
        let trouble = match own {
            Some((_, sentence)) => Trouble::new(Cause::Invalid, format!("{name}: {sentence}")),
            None => Trouble::new(
                Cause::Incomplete,
                format!("{name}: not asked, since another source is not set up"),
            ),
        };
        Outcome {
            source: name.clone(),
            origin: source.connection().url.origin().ascii_serialization(),
            simulated: false,
            requests: 0,
            parts: Vec::new(),
            troubles: vec![trouble],
            notes: Vec::new(),
        }
    };
    config.sources.iter().map(outcome).collect()
}
