//! From sound jobs to a part of the evidence: counts, and the findings where there are any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::api::{self, Step};
use super::assess::{Sound, only_stop};
use super::resources::{Reader, Seen};
use super::rules::Rules;
use super::trust;
use super::worker::Worker;
use crate::evidence::{Cell, Tally};
use crate::finding::{Cause, Control, Severity, Subject, Trouble};
use crate::selection::{Field, Selection};

/// What counts per control can tell apart.
const BY_CONTROL: [Field; 4] = [Field::Framework, Field::Control, Field::Rule, Field::Severity];

/// What the view of all resources can tell apart.
const BY_RESOURCE: [Field; 6] = [
    Field::Framework,
    Field::Control,
    Field::Rule,
    Field::Severity,
    Field::ResourceType,
    Field::Account,
];

/// What a policy asks for beyond the counts per control.
#[derive(Debug, Default, PartialEq, Eq)]
struct Demanded {
    /// Passes by resource type or account.
    finer: bool,
    /// Passes of resources that match a pattern, for which there are too many cells: counted
    /// while reading.
    exact: BTreeSet<Selection>,
}

impl Worker<'_> {
    /// Fills the part from a run that can be relied on.
    pub async fn report(&mut self, run: Vec<Sound>) -> Step<()> {
        self.part.as_of = self.as_of();
        for job in &run {
            self.part.evaluated = self.part.evaluated.saturating_add(job.figures.evaluated());
        }
        self.note_gaps(&run);
        let rules = self.rules(&run).await?;
        self.part.tallies = match counts_by_control(&run) {
            Some(counts) => vec![tally_by_control(&counts, &rules)],
            None => self.coarse_tallies(&run),
        };
        self.findings(&run, &rules).await
    }

    fn note_gaps(&mut self, run: &[Sound]) {
        for job in run {
            let (id, figures) = (job.job, &job.figures);
            if job.is_empty() {
                let help = "check that the integrations are discovered and that the framework has \
                            controls for them";
                let what = format!("job {id} evaluated nothing");
                self.part.troubles.push(self.trouble(Cause::Empty, what).help(help));
            }
            if figures.unexplained > 0 {
                self.part.notes.push(format!(
                    "{} of the {} alarms of job {id} have a severity that the platform does not \
                     name; they count as `unknown`, which every severity selector matches",
                    figures.unexplained, figures.failed
                ));
            }
            if let Err(why) = &job.counts {
                self.part.notes.push(format!(
                    "the counts by control could not be had ({why}); passes are known for the \
                     framework as a whole only"
                ));
            }
        }
    }

    /// The rules, with words for those that failed.
    async fn rules(&mut self, run: &[Sound]) -> Step<Rules> {
        let counts = run.iter().filter_map(|job| job.counts.as_ref().ok()).flatten();
        let failing: BTreeSet<_> =
            counts.filter(|count| count.failed > 0).map(|count| count.control.clone()).collect();
        let words = self.words(&failing).await?;
        Ok(Rules::new(&self.scope.framework, words))
    }

    /// What is known without counts per control: passes of the framework, failures by severity.
    fn coarse_tallies(&self, run: &[Sound]) -> Vec<Tally> {
        let controls: Arc<[Control]> =
            [Control { framework: self.scope.framework.as_str().into(), id: "".into() }].into();
        let cell = |severity, passed, failed| Cell {
            subject: Subject {
                severity,
                rule: None,
                controls: Arc::clone(&controls),
                resource_type: None,
                account: None,
                region: None,
            },
            passed,
            failed,
        };
        let (mut passed, mut failed) = (0_u64, 0_u64);
        let mut by_severity = BTreeMap::new();
        for job in run {
            passed = passed.saturating_add(job.figures.passed);
            failed = failed.saturating_add(job.figures.failed);
            for (severity, count) in job.figures.by_severity() {
                trust::add(&mut by_severity, severity, count);
            }
        }
        let cells = by_severity.into_iter().map(|(severity, failed)| cell(severity, 0, failed));
        vec![
            Tally {
                split: [Field::Framework].into(),
                cells: vec![cell(Severity::Unknown, passed, failed)],
                ..Tally::default()
            },
            Tally {
                split: [Field::Framework, Field::Severity].into(),
                cells: cells.collect(),
                failures_only: true,
                ..Tally::default()
            },
        ]
    }

    /// Every failed check, and passes where the policy asks for more than counts per control.
    async fn findings(&mut self, run: &[Sound], rules: &Rules) -> Step<()> {
        let demanded = self.demanded();
        let passes_wanted = demanded.finer || !demanded.exact.is_empty();
        let mut reader = Reader::new(
            &self.scope.integrations,
            rules,
            demanded.exact.into_iter().collect(),
            passes_wanted,
        );
        let mut passes_agree = true;
        for job in run {
            let needed = job.figures.failed > 0 || (passes_wanted && !job.is_empty());
            if !needed {
                continue;
            }
            let seen = match self.seen(job, &mut reader).await? {
                Ok(seen) => seen,
                Err(missing) => {
                    self.part.findings_missing = Some(missing);
                    return Ok(());
                }
            };
            passes_agree &= seen.passed == job.figures.passed;
        }
        let read = reader.finish();
        self.part.findings = read.findings;
        if !passes_wanted {
            return Ok(());
        }
        if !passes_agree {
            self.part.notes.push(
                "the passed checks in the resource view do not recount to the status of the job; \
                 passes by resource type, account or resource are not known"
                    .to_owned(),
            );
            return Ok(());
        }
        self.part.tallies.push(Tally {
            split: BY_RESOURCE.into(),
            cells: read.cells,
            ..Tally::default()
        });
        self.part.tallies.extend(read.exact.into_iter().map(|exact| Tally {
            of: exact.selection,
            cells: vec![Cell {
                subject: rules.nothing(),
                passed: exact.passed,
                failed: exact.failed,
            }],
            ..Tally::default()
        }));
        Ok(())
    }

    /// Reads one job's resources, and says why its findings are not all there, if so.
    async fn seen(&self, job: &Sound, reader: &mut Reader<'_>) -> Step<Result<Seen, Trouble>> {
        let id = job.job;
        let answer = match api::resource_view(&self.run.http, id).await {
            Ok(answer) => answer,
            Err(error) => {
                only_stop(&error)?;
                let api_trouble = api::trouble(&error);
                // Refused with the job done: this one document is missing (fact sheet §5).
                let cause = match api_trouble.cause {
                    Cause::Protocol => Cause::Incomplete,
                    cause => cause,
                };
                let what = format!("the findings of job {id} are missing: {}", api_trouble.message);
                return Ok(Err(self.trouble(cause, what).help(
                    "the counts stand, and gates that need only those are decided; for the rest \
                     run the gate again",
                )));
            }
        };
        let seen = match reader.read(&answer) {
            Ok(seen) => seen,
            Err(what) => {
                let what = format!("the findings of job {id} cannot be read: {what}");
                return Ok(Err(self.trouble(Cause::Protocol, what)));
            }
        };
        if let Some(integration) = &seen.foreign {
            let what = format!(
                "the findings of job {id} are also of integration {integration}, which was not \
                 asked for"
            );
            return Ok(Err(self.trouble(Cause::Contradictory, what)));
        }
        if let Err(what) = job.figures.agree(&seen.failed) {
            let what = format!("the findings of job {id} do not recount: {what}");
            return Ok(Err(self
                .trouble(Cause::Contradictory, what)
                .help("run the gate again; if it stays, the platform's report is broken")));
        }
        Ok(Ok(seen))
    }

    /// What the policy's gates on this framework need to know about passes.
    fn demanded(&self) -> Demanded {
        let mut demanded = Demanded::default();
        let known = BTreeSet::from(BY_CONTROL);
        let demands = self.run.wanted.demands.iter();
        for demand in
            demands.filter(|demand| demand.selection.takes_framework(&self.scope.framework))
        {
            let fields = demand.selection.fields();
            if fields.contains(&Field::Resource) {
                demanded.exact.insert(demand.selection.clone());
            } else if !fields.is_subset(&known) {
                demanded.finer = true;
            }
        }
        demanded
    }
}

/// Passed and failed checks per control and severity.
type Counts<'a> = BTreeMap<(&'a str, Severity), (u64, u64)>;

/// The counts per control, summed over the jobs, if all of them have any.
fn counts_by_control(run: &[Sound]) -> Option<Counts<'_>> {
    let mut sums = Counts::new();
    for job in run {
        for count in job.counts.as_ref().ok()? {
            let sum = sums.entry((&*count.control, count.severity)).or_default();
            sum.0 = sum.0.saturating_add(count.passed);
            sum.1 = sum.1.saturating_add(count.failed);
        }
    }
    Some(sums)
}

fn tally_by_control(counts: &Counts<'_>, rules: &Rules) -> Tally {
    let cell = |(&(control, severity), &(passed, failed)): (&(&str, Severity), &(u64, u64))| Cell {
        subject: rules.subject(control, severity, None, None),
        passed,
        failed,
    };
    Tally { split: BY_CONTROL.into(), cells: counts.iter().map(cell).collect(), ..Tally::default() }
}
