//! `compliance-gate run`: collect, decide, report.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};

use anstream::AutoStream;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::cli::RunArguments;
use crate::command::{Context, Usage, listen, load};
use crate::config::{self, Config};
use crate::evaluate::{self, Decision};
use crate::evidence::Outcome;
use crate::finding::{Cause, Problem};
use crate::gate::{Gate, NotSetUp};
use crate::host::Ci;
use crate::policy::Mode;
use crate::progress::Progress;
use crate::report::{self, Format, Report, Sinks};
use crate::stop::{Reason, Signal};
use crate::verdict::Verdict;

pub async fn run(arguments: RunArguments, context: &Context) -> Result<u8, Usage> {
    let ci = Ci::new(arguments.ci, &context.variables);
    let warn_exit_code = arguments.warn_exit_code;
    // A report on stdout has it to itself.
    let is_stdout = |(_, path): &(&str, PathBuf)| path == Path::new("-");
    let mut plain: Box<dyn Write> = match arguments.reports.paths.iter().any(is_stdout) {
        true => Box::new(stderr()),
        false => Box::new(stdout()),
    };
    match begin(arguments) {
        Ok((config, sinks, signal)) => {
            Ok(gate(&config, sinks, context, ci, signal, warn_exit_code).await)
        }
        Err(usage) => {
            let progress = context.progress();
            let notes = ci.refuse(&usage.to_string(), &mut plain);
            notes.iter().for_each(|note| progress.note(note));
            Err(usage)
        }
    }
}

/// Everything that can be found wrong before anything is asked.
fn begin(
    arguments: RunArguments,
) -> Result<(Config, Sinks, watch::Receiver<Option<Signal>>), Usage> {
    let flags = arguments.reports.paths;
    let policy = config::find(arguments.config.config.as_deref());
    // Opening them takes yesterday's reports away, also where the configuration is no good today.
    drop(open(&targets(&flags, &BTreeMap::new()), policy.as_deref().ok())?);
    let policy = policy?;
    drop(open(&targets(&[], &config::reports(&policy)), Some(&policy)));
    let config = load(&arguments.config)?;
    let sinks = open(&targets(&flags, &config.reports), Some(&policy))?;
    Ok((config, sinks, listen()?))
}

/// Opens the places of reports, none of which may be that of the policy.
fn open(targets: &[(&'static Format, PathBuf)], policy: Option<&Path>) -> Result<Sinks, String> {
    let policy = policy.and_then(|path| path.canonicalize().ok());
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

/// The whole run, from a valid configuration to written reports. Returns the exit code.
pub async fn gate(
    config: &Config,
    mut sinks: Sinks,
    context: &Context,
    ci: Ci<'_>,
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
    let mut decision = evaluate::decide(&config.policy, &outcomes, at_least, finished);
    let told = Told { config, outcomes: &outcomes, started, finished, warn_exit_code };
    // A report on stdout has it to itself.
    let (mut people, mut plain): (Box<dyn Write>, Box<dyn Write>) = if sinks.use_stdout() {
        (Box::new(AutoStream::auto(stderr())), Box::new(stderr()))
    } else {
        (Box::new(AutoStream::auto(stdout())), Box::new(stdout()))
    };
    let places = sinks.places();
    write(&mut sinks, &told, &mut decision, &progress);
    let report = told.report(&decision);
    let printed = ci.print(&report, &mut people, &mut plain).and_then(|()| people.flush());
    if let Err(error) = printed {
        let sentence = format!("failed to print the result: {error}");
        progress.error(&sentence);
        decision.untold(&[sentence]);
        write(&mut sinks, &told, &mut decision, &progress);
    }
    let report = told.report(&decision);
    for note in ci.publish(&report, &places, &mut plain) {
        progress.note(&note);
    }
    report.exit_code
}

/// Writes the reports, so that none says more than holds in the end.
fn write(sinks: &mut Sinks, told: &Told<'_>, decision: &mut Decision<'_>, progress: &Progress) {
    loop {
        let failures = sinks.write(&told.report(decision));
        if failures.is_empty() {
            return;
        }
        failures.iter().for_each(|sentence| progress.error(sentence));
        decision.untold(&failures);
    }
}

/// What a report tells besides the decision.
struct Told<'a> {
    config: &'a Config,
    outcomes: &'a [Outcome],
    started: DateTime<Utc>,
    finished: DateTime<Utc>,
    warn_exit_code: Option<u8>,
}

impl Told<'_> {
    fn report<'r>(&'r self, decision: &'r Decision<'_>) -> Report<'r> {
        let warned = decision.verdict == Verdict::Warned && decision.mode == Mode::Enforce;
        Report {
            decision,
            outcomes: self.outcomes,
            policy: &self.config.path,
            environment: self.config.environment.as_deref(),
            exit_code: self.warn_exit_code.filter(|_| warned).unwrap_or(decision.exit_code()),
            started: self.started,
            finished: self.finished,
        }
    }
}

/// Where reports go: a flag wins over the configuration.
fn targets(
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

/// Outcomes of a run that could not begin: nothing was sent.
fn not_asked(config: &Config, wrong: &[(String, String)]) -> Vec<Outcome> {
    let outcome = |(name, source): (&String, &std::rc::Rc<dyn crate::sources::Source>)| {
        let own = wrong.iter().find(|(source, _)| source == name);
        let problem = match own {
            Some((_, sentence)) => Problem::new(Cause::Invalid, format!("{name}: {sentence}")),
            None => Problem::new(
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
            problems: vec![problem],
            notes: Vec::new(),
        }
    };
    config.sources.iter().map(outcome).collect()
}
