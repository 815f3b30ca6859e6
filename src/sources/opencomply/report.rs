//! From sound jobs to a part of the evidence: counts, and the findings where there are any.

use std::collections::{BTreeMap, BTreeSet};

use super::api::{self, Step};
use super::assess::{Sound, only_stop};
use super::counts::{self, ControlCount};
use super::resources::{Reader, Seen};
use super::rules::Rules;
use super::trust::Expected;
use super::worker::Worker;
use crate::evidence::{Count, Findings, SubjectCount, Table};
use crate::finding::{Cause, Problem, Severity};
use crate::http::Failure;
use crate::selection::{Field, Selection};
use crate::stop::Reason;
use crate::text;

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

/// Words for a severity that are told.
const MADE_UP: usize = 5;

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
        let evaluated = run.iter().map(|job| job.figures.evaluated());
        self.part.set_looked_at(evaluated.fold(0, u64::saturating_add));
        self.note_gaps(&run);
        let rules = self.rules(&run).await?;
        self.part.counts.table = Some(by_control(&run, &rules));
        self.findings(&run, &rules).await
    }

    fn note_gaps(&mut self, run: &[Sound]) {
        for job in run {
            let (id, figures) = (job.job, &job.figures);
            if job.is_empty() {
                let help = "check that the integrations are discovered and that the framework has \
                            controls for them";
                let what = format!("job {id} evaluated nothing");
                self.part.problems.push(self.problem(Cause::Empty, what).help(help));
            }
            let unknown = || job.counts.iter().filter(|count| count.severity == Severity::Unknown);
            let failed = unknown().fold(0_u64, |sum, count| sum.saturating_add(count.failed));
            if failed > 0 {
                self.part.notes.push(format!(
                    "{failed} of the {} alarms of job {id} have a severity that {}; they count as \
                     `unknown`, which every severity selector matches",
                    figures.failed,
                    not_known(unknown().filter(|count| count.failed > 0))
                ));
            }
        }
    }

    /// The rules, with words for those that failed.
    async fn rules(&mut self, run: &[Sound]) -> Step<Rules> {
        let counts = run.iter().flat_map(|job| &job.counts);
        let failing: BTreeSet<_> =
            counts.filter(|count| count.failed > 0).map(|count| count.control.clone()).collect();
        let words = self.words(&failing).await?;
        Ok(Rules::new(&self.scope.framework, words))
    }

    /// Every failed check, and passes where the policy asks for more than counts per control.
    async fn findings(&mut self, run: &[Sound], rules: &Rules) -> Step<()> {
        let demanded = self.demanded();
        let passes_wanted = demanded.finer || !demanded.exact.is_empty();
        let mut reader =
            Reader::new(&self.scope.integrations, rules, demanded.exact, passes_wanted);
        let mut passes_agree = true;
        for job in run {
            let needed = job.figures.failed > 0 || (passes_wanted && !job.is_empty());
            if !needed {
                continue;
            }
            let seen = match self.seen(job, &mut reader).await? {
                Ok(seen) => seen,
                Err(missing) => {
                    self.part.findings = Findings::counted(missing);
                    return Ok(());
                }
            };
            passes_agree &= seen.passed == job.figures.passed;
        }
        let read = reader.finish();
        self.part.findings = Findings::Listed(read.findings);
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
        // Finer than the table by control, and it adds up to the same.
        self.part.counts.table = Some(Table { by: BY_RESOURCE.into(), rows: read.rows });
        self.part.counts.answers.extend(read.answers);
        Ok(())
    }

    /// Reads one job's resources, and says why its findings are not all there, if so.
    async fn seen(&self, job: &Sound, reader: &mut Reader<'_>) -> Step<Result<Seen, Problem>> {
        let id = job.job;
        let answer = match api::resource_view(&self.session.http, id).await {
            Ok(answer) => answer,
            Err(error) => {
                // At the deadline the counts are complete, and may be all that the gates need.
                if !matches!(error.failure, Failure::Stopped(Reason::Deadline)) {
                    only_stop(&error)?;
                }
                let api_problem = api::problem(&error);
                // Refused with the job done: this one document is missing (fact sheet §5).
                let cause = match api_problem.cause {
                    Cause::Protocol => Cause::Incomplete,
                    cause => cause,
                };
                let what = format!("the findings of job {id} are missing: {}", api_problem.message);
                return Ok(Err(self.problem(cause, what).help(
                    "the counts stand, and gates that need only those are decided; for the rest \
                     run the gate again",
                )));
            }
        };
        let seen = match reader.read(&answer) {
            Ok(seen) => seen,
            Err(what) => {
                let what = format!("the findings of job {id} cannot be read: {what}");
                return Ok(Err(self.problem(Cause::Protocol, what)));
            }
        };
        let expected = Expected {
            place: &self.place,
            job: id,
            framework: &self.scope.framework,
            integrations: &self.wanted,
        };
        let other = seen.about.as_ref().and_then(|about| counts::of_another(expected, about));
        if let Some(other) = other {
            let what = format!("the view of the resources of job {id} {other}");
            return Ok(Err(self.problem(Cause::Contradictory, what)));
        }
        if let Some(integration) = &seen.foreign {
            let what = format!(
                "the findings of job {id} are also of integration {integration}, which was not \
                 asked for"
            );
            return Ok(Err(self.problem(Cause::Contradictory, what)));
        }
        if let Err(what) = job.figures.agree(&seen.failed) {
            let what = format!("the findings of job {id} do not recount: {what}");
            return Ok(Err(self
                .problem(Cause::Contradictory, what)
                .help("run the gate again; if it stays, the platform's report is broken")));
        }
        Ok(Ok(seen))
    }

    /// What the policy's gates on this framework need to know about passes.
    fn demanded(&self) -> Demanded {
        let mut demanded = Demanded::default();
        let known = BTreeSet::from(BY_CONTROL);
        let demands = self.session.wanted.demands.iter();
        for demand in
            demands.filter(|demand| demand.selection.matches_framework(&self.scope.framework))
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

/// The words that the platform has made up for a severity, as the end of a sentence.
fn not_known<'a>(counts: impl Iterator<Item = &'a ControlCount>) -> String {
    let words = counts.map(|count| count.unknown_word.trim()).filter(|word| !word.is_empty());
    let words: BTreeSet<_> = words.map(|word| format!("`{}`", text::one_line(word, 40))).collect();
    if words.is_empty() {
        return "the platform does not name".to_owned();
    }
    let named: Vec<_> = words.into_iter().take(MADE_UP).collect();
    format!("no policy can name: {}", named.join(", "))
}

/// Passed and failed checks per control and severity, summed over the jobs.
fn by_control(run: &[Sound], rules: &Rules) -> Table {
    let mut sums: BTreeMap<(&str, Severity), Count> = BTreeMap::new();
    for job in run.iter().flat_map(|job| &job.counts) {
        let count = Count { passed: Some(job.passed), failed: job.failed };
        let sum = sums.entry((&*job.control, job.severity)).or_insert(Count::ZERO);
        *sum = sum.plus(count);
    }
    let row = |((control, severity), count)| SubjectCount {
        subject: rules.subject(control, severity, None, None),
        count,
    };
    Table { by: BY_CONTROL.into(), rows: sums.into_iter().map(row).collect() }
}
