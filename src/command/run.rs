//! `compliance-gate run`: collect, decide, deliver.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::artefact::{self, Artefact};
use crate::cli::{GateArguments, ProofArguments, RunArguments};
use crate::command::policies::Policies;
use crate::command::previous::Previous;
use crate::command::{Context, Usage, listen};
use crate::compare::Side;
use crate::config::Config;
use crate::evaluate::BREAK_GLASS;
use crate::host::Ci;
use crate::pipeline::{self, Collected, Uses};
use crate::progress::{Progress, Verbosity};
use crate::report::attestation;
use crate::report::{self, EvidenceFile, Facts, Format, Sinks};
use crate::saved::Fault;
use crate::secret::Variables;
use crate::stop::Signal;

pub(super) async fn run(arguments: RunArguments, context: &Context) -> Result<u8, Usage> {
    let RunArguments { gate, save_evidence, previous } = arguments;
    let ci = Ci::new(gate.ci, &context.variables);
    let uses_stdout = uses_stdout(&gate) || save_evidence.as_deref() == Some(Path::new("-"));
    match begin(&gate, save_evidence, previous.as_deref(), &context.variables) {
        Ok(Begun { config, previous: Ok(previous), sinks, signal }) => {
            let evidence_file = match sinks.has(&report::EVIDENCE) {
                true => EvidenceFile::Saved,
                false => EvidenceFile::None,
            };
            let delivery = Delivery {
                sinks,
                ci,
                evidence_file,
                evidence_path: None,
                warn_exit_code: gate.warn_exit_code,
                break_glass: break_glass(context),
                progress: &context.progress(),
            };
            Ok(collected(&config, previous.as_ref(), context, signal, delivery).await)
        }
        Ok(Begun { previous: Err(fault), .. }) => {
            let path = previous.unwrap_or_default();
            let sentence = format!("--previous {} {fault}", path.display());
            context.progress().error(&sentence);
            refuse(Usage::from(sentence), ci, uses_stdout, context);
            Ok(fault.verdict().exit_code())
        }
        Err(usage) => Err(refuse(usage, ci, uses_stdout, context)),
    }
}

/// What is there before anything is asked.
struct Begun {
    config: Config,
    /// The earlier run, if one is given, or why it cannot be read.
    previous: Result<Option<Previous>, Fault>,
    sinks: Sinks,
    signal: watch::Receiver<Option<Signal>>,
}

/// The whole run, from a valid configuration to written reports. Returns the exit code.
pub(super) async fn collected(
    config: &Config,
    previous: Option<&Previous>,
    context: &Context,
    signal: watch::Receiver<Option<Signal>>,
    delivery: Delivery<'_>,
) -> u8 {
    let uses = Uses {
        saved: delivery.evidence_file == EvidenceFile::Saved,
        listed: delivery.sinks.list_findings()
            || previous.is_some()
            || delivery.progress.verbosity() == Verbosity::Verbose,
    };
    let sources = previous.map(Previous::sources).unwrap_or_default();
    let (variables, progress) = (&context.variables, delivery.progress);
    let mut collected =
        pipeline::collect(config, variables, progress, signal, uses, &sources).await;
    let now = collected.now();
    if let Some(previous) = previous {
        previous.carry(&mut collected.evidence, now);
    }
    gate(config, &collected, previous, now, delivery)
}

/// The override that the pipeline asks for.
pub(super) fn break_glass(context: &Context) -> Option<&str> {
    let asked = context.variables.get(BREAK_GLASS).map(String::as_str);
    asked.filter(|asked| !asked.trim().is_empty())
}

/// Where the result of a gate goes, and what it exits with.
pub(super) struct Delivery<'a> {
    pub sinks: Sinks,
    pub ci: Ci<'a>,
    pub evidence_file: EvidenceFile<'a>,
    /// Where the evidence is, if it was given.
    pub evidence_path: Option<&'a Path>,
    pub warn_exit_code: Option<u8>,
    /// The override that the pipeline asks for.
    pub break_glass: Option<&'a str>,
    pub progress: &'a Rc<Progress>,
}

/// Decides and delivers as a gate. Returns the exit code.
pub(super) fn gate(
    config: &Config,
    collected: &Collected,
    previous: Option<&Previous>,
    now: DateTime<Utc>,
    delivery: Delivery<'_>,
) -> u8 {
    let Delivery { sinks, ci, evidence_file, evidence_path, warn_exit_code, break_glass, progress } =
        delivery;
    let mut decision = pipeline::decide(config, collected, now);
    if let Some(asked) = break_glass {
        decision.break_glass(asked, &config.overridable(), now);
    }
    let side = Side {
        evidence: &collected.evidence,
        at_least: collected.at_least,
        artefacts: &collected.artefacts,
        decision: &decision,
        now,
    };
    let changes = previous.map(|previous| previous.changes(side));
    let run = ci.facts();
    let facts = Facts {
        evidence_file,
        evidence_path,
        changes: changes.as_deref(),
        warn_exit_code,
        break_glass,
        ..pipeline::facts(config, collected, &run, now)
    };
    pipeline::deliver(&facts, decision, sinks, ci, progress)
}

/// Reports to the CI host that a gate could not start.
pub(super) fn refuse(usage: Usage, ci: Ci<'_>, uses_stdout: bool, context: &Context) -> Usage {
    let usage = usage.masked();
    let mut plain: Box<dyn Write> = match uses_stdout {
        true => Box::new(stderr()),
        false => Box::new(stdout()),
    };
    let progress = context.progress();
    let notes = ci.refuse(&usage.to_string(), &mut plain);
    notes.iter().for_each(|note| progress.note(note));
    usage
}

/// Whether a report has stdout to itself.
pub(super) fn uses_stdout(arguments: &GateArguments) -> bool {
    arguments.reports.paths.iter().any(|(_, path)| path == Path::new("-"))
}

/// Everything that can be found wrong before anything is asked.
fn begin(
    arguments: &GateArguments,
    save_evidence: Option<PathBuf>,
    previous: Option<&Path>,
    variables: &Variables,
) -> Result<Begun, Usage> {
    let policies = Policies::read(&arguments.config, variables)?;
    let config = policies.resolve(arguments.config.environment.as_deref())?;
    let config = config.about(subjects(&arguments.proof)?)?;
    let mut targets = targets(arguments, &config.reports);
    targets.extend(save_evidence.map(|path| (&report::EVIDENCE, path)));
    let inputs = previous.map(|path| ("earlier evidence", path));
    let inputs: Vec<_> = inputs.into_iter().chain(policies.inputs()).collect();
    let sinks = open_all(&targets, &inputs, &arguments.proof)?;
    let previous = previous.map(|path| Previous::read(path, &config)).transpose()?.transpose();
    Ok(Begun { config, previous, sinks, signal: listen()? })
}

/// The artefacts that the caller names.
pub(super) fn subjects(arguments: &ProofArguments) -> Result<Vec<Artefact>, String> {
    artefact::all(&arguments.subject, arguments.subject_file.as_deref())
}

/// Opens the places of reports, and the file of records.
pub(super) fn open_all(
    targets: &[(&'static Format, PathBuf)],
    inputs: &[(&str, &Path)],
    proof: &ProofArguments,
) -> Result<Sinks, String> {
    let sinks = open(targets, inputs)?;
    match &proof.record {
        Some(path) => sinks.with_record(path),
        None => Ok(sinks),
    }
}

/// Opens the places of reports, none of which may be that of a file that is read.
pub(super) fn open(
    targets: &[(&'static Format, PathBuf)],
    inputs: &[(&str, &Path)],
) -> Result<Sinks, String> {
    let real = |path: &Path| path.canonicalize().ok();
    for (what, input) in inputs {
        let is_input = |path: &Path| real(path).is_some_and(|path| real(input) == Some(path));
        if let Some((format, path)) = targets.iter().find(|(_, path)| is_input(path)) {
            return Err(format!(
                "the {} report would replace the {what} {}; give it a place of its own",
                format.title,
                path.display()
            ));
        }
    }
    Sinks::open(targets)
}

/// Where reports go: a flag wins over the configuration.
pub(super) fn targets(
    arguments: &GateArguments,
    keys: &BTreeMap<String, PathBuf>,
) -> Vec<(&'static Format, PathBuf)> {
    let path = |format: &Format| {
        let flag = arguments.reports.paths.iter().find(|(name, _)| *name == format.name);
        flag.map(|(_, path)| path).or(keys.get(format.name))
    };
    let reports =
        report::FORMATS.iter().filter_map(|format| path(format).map(|path| (format, path.clone())));
    let attestation = arguments.proof.attestation.as_deref().map(attestation::targets);
    reports.chain(attestation.into_iter().flatten()).collect()
}
