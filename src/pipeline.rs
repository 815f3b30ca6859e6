//! The product on one screen: collect, decide, deliver.
//!
//! `run` is all three. `doctor` stops after the preflight.

use std::collections::BTreeMap;
use std::mem::replace;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::artefact::Artefact;
use crate::config::Config;
use crate::evaluate::{self, Decision};
use crate::evidence::{CiRun, Evidence, Outcome};
use crate::finding::{Cause, Problem};
use crate::host::Ci;
use crate::progress::{Progress, Verbosity};
use crate::report::terminal::{Detail, TerminalStyle};
use crate::report::{self, EvidenceFile, Facts, Purpose, Sinks};
use crate::saved::Decided;
use crate::secret::Variables;
use crate::setup::{self, OpenSource, OpenSources, SetupErrors};
use crate::sources::{PreviousRun, Ready};
use crate::stop::{Reason, Signal};
use crate::verdict::Verdict;

/// Evidence, and a verdict that the gates cannot improve: that of an interrupt, or of a
/// set-up that could not work.
pub(crate) struct Collected {
    pub evidence: Evidence,
    pub at_least: Option<Verdict>,
    /// How far the clock of a platform is ahead of ours.
    pub ahead: TimeDelta,
    /// The artefacts that the decision is about, sorted.
    pub artefacts: Vec<Artefact>,
}

impl Collected {
    /// Evidence that is decided by our clock.
    pub(crate) const fn of_saved(evidence: Evidence, at_least: Option<Verdict>) -> Self {
        Self { evidence, at_least, ahead: TimeDelta::zero(), artefacts: Vec::new() }
    }

    /// Evidence as it was decided.
    pub(crate) fn recorded(evidence: Evidence, decided: &Decided) -> Self {
        let artefacts = decided.subjects.clone();
        Self { artefacts, ..Self::of_saved(evidence, decided.at_least) }
    }

    /// The time of the decision: the later of our clock and those of the platforms, so that a clock
    /// that is behind keeps nothing in force.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.evidence.finished + self.ahead
    }
}

/// What a source found before anything was started.
pub(crate) type Preflight<'a> = Result<Ready<'a>, Vec<Problem>>;

/// What is done with the evidence, beside deciding it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    /// It is saved, and other policies will decide it.
    pub saved: bool,
    /// Every finding may be shown.
    pub listed: bool,
}

/// Asks every source. One that fails does not hide the others. More is asked for where that is of use.
/// `previous` is what an earlier run is to each source.
pub(crate) async fn collect(
    config: &Config,
    variables: &Variables,
    progress: &Rc<Progress>,
    signal: watch::Receiver<Option<Signal>>,
    uses: Uses,
    previous: &BTreeMap<String, PreviousRun>,
) -> Collected {
    let started = Utc::now();
    let (mut outcomes, at_least, ahead) = match setup::open(config, variables, progress, signal) {
        Ok(mut open) => {
            for source in &mut open.sources {
                source.session.wanted.split |= uses.saved;
                if uses.saved || uses.listed {
                    source.session.wanted.need_all_rows();
                }
                source.session.previous = previous.get(&source.session.name).cloned();
            }
            let mut outcomes = progress.watched(setup::deadline(config), ask(&open)).await;
            outcomes.extend(open.unopened.iter().map(|error| unopened(config, error)));
            outcomes.sort_by(|a, b| a.source.cmp(&b.source));
            let clocks = open.sources.iter().filter_map(|s| s.session.http.clock_offset());
            let ahead = clocks.chain([TimeDelta::zero()]).max().unwrap_or_default();
            (outcomes, open.stop.reason().and_then(interrupt), ahead)
        }
        Err(errors) => (not_set_up(config, &errors), Some(Verdict::Invalid), TimeDelta::zero()),
    };
    for (outcome, source) in outcomes.iter_mut().zip(config.sources.values()) {
        outcome.filters = source.filters();
    }
    progress.clear();
    let evidence = Evidence { started, finished: Utc::now(), outcomes };
    Collected { evidence, at_least, ahead, artefacts: config.artefacts.clone() }
}

/// Decides every policy by itself, at one moment; the worse verdict counts. Pure.
pub(crate) fn decide<'a>(
    config: &'a Config,
    collected: &'a Collected,
    now: DateTime<Utc>,
) -> Decision<'a> {
    let policies: Vec<_> = config.policies().collect();
    let evidence = &collected.evidence;
    let mut decision = evaluate::decide_all(&policies, evidence, collected.at_least, now);
    decision.require_evaluated(&collected.artefacts, evidence);
    decision
}

/// What is known of every decision: a gate's, with nothing else asked for.
pub(crate) fn facts<'a>(
    config: &'a Config,
    collected: &'a Collected,
    run: &'a CiRun,
    now: DateTime<Utc>,
) -> Facts<'a> {
    Facts {
        evidence: &collected.evidence,
        policy: &config.path,
        documents: &config.documents,
        organisation: config.organisation.as_ref(),
        environment: config.environment.as_deref(),
        purpose: Purpose::Gate,
        now,
        run,
        evidence_file: EvidenceFile::None,
        evidence_path: None,
        subjects: &collected.artefacts,
        at_least: collected.at_least,
        changes: None,
        warn_exit_code: None,
        break_glass: None,
        tool: None,
    }
}

/// Writes the reports, prints the result, and hands it to the CI host. Returns the exit code. What
/// cannot be written turns a pass into an inconclusive run; all reports are then written again, so
/// that none shows another verdict than the final one.
pub(crate) fn deliver(
    facts: &Facts<'_>,
    mut decision: Decision<'_>,
    mut sinks: Sinks,
    ci: Ci<'_>,
    progress: &Progress,
) -> u8 {
    let mut output = sinks.output();
    let mut places = sinks.places();
    let detail = match progress.verbosity() {
        Verbosity::Quiet => Detail::Line,
        Verbosity::Normal => Detail::Screen,
        Verbosity::Verbose => Detail::Full,
    };
    let (mut printed, mut recorded) = (false, false);
    loop {
        // What a report shows is selected once, and again only if the decision changes.
        let report = facts.report(&decision);
        let mut failures = sinks.write(&report);
        if failures.is_empty() && !replace(&mut printed, true) {
            let look = TerminalStyle { columns: output.columns, detail, reports: &places };
            let printed = ci.print(&report, look, &mut output.people, &mut output.plain);
            let failed = report::unless_reader_left(printed).err();
            failures.extend(failed.map(|error| format!("failed to print the result: {error}")));
        }
        // The record comes last, since a line that was appended cannot be taken back.
        if failures.is_empty() && !replace(&mut recorded, true) {
            failures.extend(sinks.append_record(&report).err());
        }
        if failures.is_empty() {
            places.retain(|(_, path)| path.is_file());
            let why_not = sinks.why_no_result(&report);
            let notes = why_not.into_iter().chain(ci.publish(&report, &places, &mut output.plain));
            notes.for_each(|note| progress.note(&note));
            return report.exit_code;
        }
        drop(report);
        failures.iter().for_each(|sentence| progress.error(sentence));
        decision.report_failed(&failures);
    }
}

/// Checks online all that can be checked without starting anything, in the order of `sources`.
pub(crate) async fn preflight(open: &OpenSources) -> Vec<Preflight<'_>> {
    join_all(open.sources.iter().map(|asked| asked.source.preflight(&asked.session))).await
}

/// Reads each source as soon as its own preflight has passed. Where a needed source finds the
/// configuration itself invalid, nothing is started anywhere, and what the others read is not used,
/// so that the result does not depend on which was faster.
async fn ask(open: &OpenSources) -> Vec<Outcome> {
    let asked = join_all(open.sources.iter().map(|source| ask_one(open, source))).await;
    let mut pairs = open.sources.iter().zip(&asked);
    let invalid = pairs
        .find(|(source, asked)| asked.as_ref().is_err_and(|problems| is_invalid(source, problems)));
    let invalid = invalid.map(|(source, _)| source.session.name.as_str());
    let outcomes = open.sources.iter().zip(asked).map(|(source, asked)| {
        let problems = match asked {
            Err(problems) => problems,
            Ok(Some(outcome)) if invalid.is_none() => return outcome,
            Ok(_) => {
                let name = invalid.unwrap_or("another source");
                let message =
                    format!("not evaluated, since the configuration of {name} is invalid");
                vec![Problem::new(Cause::Incomplete, message)]
            }
        };
        source.session.outcome(Vec::new(), problems, Vec::new())
    });
    outcomes.collect()
}

/// The evidence of one source, or why its preflight failed. `None`: reading ended early, since the
/// configuration of another source is invalid. Nothing was started before that, so that reading can
/// be dropped.
async fn ask_one(open: &OpenSources, source: &OpenSource) -> Result<Option<Outcome>, Vec<Problem>> {
    let asked = read(open, source).await;
    source.session.progress.done(&source.session.name);
    asked
}

async fn read(open: &OpenSources, source: &OpenSource) -> Result<Option<Outcome>, Vec<Problem>> {
    let preflight = source.source.preflight(&source.session).await;
    let refused = preflight.as_ref().is_err_and(|problems| is_invalid(source, problems));
    open.preflights.ended(refused);
    let ready = preflight?;
    tokio::select! {
        biased;
        () = open.preflights.refused() => Ok(None),
        outcome = ready.collect() => {
            let renew = source.source.system().renew.map(Into::into);
            Ok(Some(Outcome { renew, ..outcome }))
        }
    }
}

/// Whether these problems of a source make the whole run invalid.
fn is_invalid(source: &OpenSource, problems: &[Problem]) -> bool {
    let is_invalid = |problem: &Problem| matches!(problem.cause, Cause::Invalid | Cause::Setup);
    source.needed && problems.iter().any(is_invalid)
}

fn interrupt(reason: Reason) -> Option<Verdict> {
    match reason {
        Reason::Interrupt(signal) => Some(Verdict::from(signal)),
        Reason::Deadline => None,
    }
}

/// The outcomes of a run that could not begin: nothing was sent.
fn not_set_up(config: &Config, SetupErrors(errors): &SetupErrors) -> Vec<Outcome> {
    let outcome = |name: &String| match errors.iter().find(|(source, _)| source == name) {
        Some(error) => unopened(config, error),
        None => {
            let message = format!("{name}: not asked, since another source is not set up");
            failed(config, name, Problem::new(Cause::Incomplete, message))
        }
    };
    config.sources.keys().map(outcome).collect()
}

/// The outcome of a source that is not set up.
fn unopened(config: &Config, (name, sentence): &(String, String)) -> Outcome {
    failed(config, name, Problem::new(Cause::Invalid, format!("{name}: {sentence}")))
}

fn failed(config: &Config, name: &str, problem: Problem) -> Outcome {
    let source = config.sources.get(name);
    let origin = source.map(|source| source.connection().url.origin().ascii_serialization());
    Outcome::of_failure(name.to_owned(), origin.unwrap_or_default(), problem)
}
