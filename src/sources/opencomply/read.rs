//! From a run that can be relied on to a part of the evidence: counts, and the findings where there
//! are any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::api::{self, Halt, Step};
use super::examine::{Sound, SoundJob};
use super::framework::Task;
use super::journal::{FOR_ROWS, Journal, patiently};
use super::judge::ExpectedJob;
use super::judge::counts::{ControlCount, of_another};
use crate::evidence::{Count, Findings, Part, Role, SubjectCount, Table, Unevaluated};
use crate::finding::{Cause, Problem, Severity};
use crate::http::Failure;
use crate::poll;
use crate::selection::{Field, Selection};
use crate::stop::Reason;
use crate::text;

mod resources;
mod rules;
mod view;

use resources::{RunRows, ViewReader, ViewTotals};
use rules::Rules;

/// What counts per control are split by.
const BY_CONTROL: [Field; 4] = [Field::Framework, Field::Control, Field::Rule, Field::Severity];

/// What the view of all resources is split by.
const BY_RESOURCE: [Field; 6] = [
    Field::Framework,
    Field::Control,
    Field::Rule,
    Field::Severity,
    Field::ResourceType,
    Field::Account,
];

/// Undocumented words for a severity that are named.
const NAMED: usize = 5;

/// The span of the random moment at which the view of a shared run is read.
const LONGEST_SPAN: Duration = Duration::from_secs(10);

/// Fills the part.
pub(super) async fn read(
    task: &Task<'_>,
    journal: &mut Journal,
    part: &mut Part,
    mut run: Sound,
) -> Step<()> {
    part.as_of = run.ended.as_of();
    part.notes.extend(run.attribution.notes.iter().cloned());
    part.notes.extend(unknown_severities(&run));
    part.problems.extend(nothing_evaluated(task, &run));
    part.unevaluated = accounts_without_results(task, &run);
    let failing = failing(&run);
    if let Some(why) = run.controls.learn_titles(task, &failing).await {
        part.notes.push(format!(
            "the titles of some controls are not known ({why}); their ids are shown instead"
        ));
    }
    let mut rules = Rules::new(&task.scope.framework, std::mem::take(&mut run.controls));
    let table = by_control(&run, &mut rules);
    let evaluated = table.rows.iter().filter_map(|row| row.count.evaluated()).sum();
    part.set_looked_at(evaluated);
    part.counts.table = Some(table);
    findings(task, journal, part, &run, rules).await
}

/// The alarms of which the severity is unknown, a sentence per job.
fn unknown_severities(run: &Sound) -> impl Iterator<Item = String> {
    run.jobs.iter().filter_map(|job| {
        let unknown =
            |count: &&ControlCount| count.severity == Severity::Unknown && count.failed > 0;
        let unknown = || job.counts.controls.iter().filter(unknown);
        let failed: u64 = unknown().map(|count| count.failed).sum();
        (failed > 0).then(|| {
            format!(
                "{failed} of the {} alarms of job {} have a severity that {}; they count as \
                 `unknown`, which every severity selector matches",
                job.figures.failed,
                job.job,
                undocumented(unknown())
            )
        })
    })
}

/// The platform's own words for a severity, as the end of a sentence.
fn undocumented<'a>(counts: impl Iterator<Item = &'a ControlCount>) -> String {
    let words = counts.map(|count| count.unknown_word.trim()).filter(|word| !word.is_empty());
    let words: BTreeSet<_> = words.map(|word| format!("`{}`", text::one_line(word, 40))).collect();
    if words.is_empty() {
        return "the platform does not name".to_owned();
    }
    format!("no policy can name: {}", text::listed(words, ", ", NAMED))
}

fn nothing_evaluated(task: &Task<'_>, run: &Sound) -> Vec<Problem> {
    let own = |job: &SoundJob| {
        let counts = job.counts.controls.iter().filter(|count| count.passed + count.failed > 0);
        counts.flat_map(|count| run.attribution.targets(&count.control, count.severity)).count()
    };
    let empty = run.jobs.iter().filter(|job| own(job) == 0);
    empty
        .map(|job| {
            let help = "check that the integrations are discovered and that the framework has \
                        controls for them";
            let what = format!("job {} evaluated nothing", job.job);
            task.problem(Cause::Empty, what).help(help)
        })
        .collect()
}

/// The wanted accounts for which the run has no result at all. Nothing else shows that an account
/// was not evaluated (docs/platforms/opencomply.md#accounts-without-results).
fn accounts_without_results(task: &Task<'_>, run: &Sound) -> Vec<Unevaluated> {
    let seen: BTreeSet<_> = run.jobs.iter().flat_map(|job| &job.counts.integrations).collect();
    let all = task.scope.integrations.iter();
    let missing = all.filter(|(id, _)| !seen.contains(id));
    let account = missing.map(|(id, integration)| resources::account(id, Some(integration)));
    account.map(|account| Unevaluated { account, why: None }).collect()
}

/// The controls that failed.
fn failing(run: &Sound) -> BTreeSet<String> {
    let counts = run.jobs.iter().flat_map(|job| &job.counts.controls);
    let failed = counts.filter(|count| count.failed > 0);
    let targets = failed.flat_map(|count| run.attribution.targets(&count.control, count.severity));
    targets.map(|(id, _)| id.to_owned()).collect()
}

/// Passed and failed checks per control and severity, summed over the jobs.
fn by_control(run: &Sound, rules: &mut Rules) -> Table {
    let mut sums: BTreeMap<(&str, Severity), Count> = BTreeMap::new();
    for job in run.jobs.iter().flat_map(|job| &job.counts.controls) {
        let count = Count { passed: Some(job.passed), failed: job.failed };
        for target in run.attribution.targets(&job.control, job.severity) {
            let sum = sums.entry(target).or_insert(Count::ZERO);
            *sum = sum.plus(count);
        }
    }
    let mut row = |((control, severity), count)| SubjectCount {
        subject: rules.subject(control, severity, None, None),
        count,
    };
    Table { by: BY_CONTROL.into(), rows: sums.into_iter().map(&mut row).collect() }
}

/// What a policy asks for beyond the counts per control.
#[derive(Debug, Default, PartialEq, Eq)]
struct Demanded {
    /// Passes by resource type or account.
    finer: bool,
    /// Passes of resources that match a pattern. There are too many resources for a table of them,
    /// so these are counted while reading.
    exact: BTreeSet<Selection>,
}

/// What the policy's gates on this framework need to know about passes.
fn demanded(task: &Task<'_>) -> Demanded {
    let wanted = &task.session.wanted;
    let mut demanded = Demanded { finer: wanted.split, ..Demanded::default() };
    let known = BTreeSet::from(BY_CONTROL);
    let demands = wanted.demands.iter();
    for demand in demands.filter(|demand| demand.selection.matches_framework(&task.scope.framework))
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

/// Every failed check, and passes where the policy asks for more than counts per control. They are
/// read only where something needs them: the view of all resources is by far the largest answer.
async fn findings(
    task: &Task<'_>,
    journal: &mut Journal,
    part: &mut Part,
    run: &Sound,
    rules: Rules,
) -> Step<()> {
    let demanded = demanded(task);
    // Counts per control cannot be divided by integrations.
    let covers_more = run.jobs.iter().any(|job| !job.integrations.is_subset(&task.wanted));
    let passes_wanted = covers_more || demanded.finer || !demanded.exact.is_empty();
    if !passes_wanted && let Some(why) = rows_not_needed(task, part) {
        part.findings = Findings::counted(why);
        return Ok(());
    }
    let accounts = task.scope.integrations.iter();
    let accounts =
        accounts.map(|(id, known)| (id.clone(), Arc::new(resources::account(id, Some(known)))));
    let reader = ViewReader {
        accounts: Arc::new(accounts.collect()),
        of_job: BTreeSet::new(),
        rules,
        attribution: Arc::clone(&run.attribution),
        selections: demanded.exact.into_iter().collect(),
        passes_wanted,
        failed: 0,
    };
    let mut read = RunRows::default();
    let mut passes_agree = true;
    for job in &run.jobs {
        let figures = &job.figures;
        let needed = figures.failed > 0 || (passes_wanted && figures.evaluated() > 0);
        if !needed {
            continue;
        }
        let of_job = job.integrations.clone();
        let reader = ViewReader { of_job, failed: figures.failed, ..reader.clone() };
        let seen = match seen(task, journal, run.ended.run.role, job, &reader).await? {
            Ok((seen, rows)) => {
                read.add(rows);
                seen
            }
            Err(missing) if covers_more => {
                *part = Part { problems: vec![missing], ..undivided(part) };
                return Ok(());
            }
            Err(missing) => {
                part.findings = Findings::counted(missing);
                return Ok(());
            }
        };
        passes_agree &= seen.passed == figures.passed;
    }
    if covers_more && !passes_agree {
        let what = "the passed checks in the resource view do not recount to the status of the job";
        *part =
            Part { problems: vec![task.problem(Cause::Contradictory, what)], ..undivided(part) };
        return Ok(());
    }
    part.findings = Findings::Listed(read.findings);
    if !passes_wanted {
        return Ok(());
    }
    if !passes_agree {
        part.notes.push(
            "the passed checks in the resource view do not recount to the status of the job; \
             passes by resource type, account or resource are not known"
                .to_owned(),
        );
        return Ok(());
    }
    // Finer than the table by control, and it adds up to the same.
    let evaluated = read.rows.iter().filter_map(|row| row.count.evaluated()).sum();
    part.set_looked_at(evaluated);
    if covers_more && evaluated == 0 && part.problems.is_empty() {
        let label = run.ended.run.label();
        let what = format!("{label} evaluated nothing in these integrations");
        part.problems.push(task.problem(Cause::Empty, what));
    }
    part.counts.table = Some(Table { by: BY_RESOURCE.into(), rows: read.rows });
    part.counts.answers.extend(read.answers);
    Ok(())
}

/// Why failed checks are only counted, if no gate selects one of them and no report lists them.
fn rows_not_needed(task: &Task<'_>, part: &Part) -> Option<Problem> {
    let rows = part.counts.table.iter().flat_map(|table| &table.rows);
    let failing: Vec<_> = rows.filter(|row| row.count.failed > 0).collect();
    let wanted = &task.session.wanted.rows;
    let needed = failing.iter().any(|row| wanted.may_include(&row.subject));
    let failed: u64 = failing.iter().map(|row| row.count.failed).sum();
    (!needed && failed > 0).then(|| {
        let checks = text::count(failed, "failed check");
        let what = format!("{checks} not read one by one: no gate and no report needs them");
        task.problem(Cause::Incomplete, what)
    })
}

/// The part without counts, which are also those of other integrations.
fn undivided(part: &mut Part) -> Part {
    let Part { framework, notes, as_of, .. } = std::mem::take(part);
    Part { framework, notes, as_of, ..Part::default() }
}

/// Reads one job's resources. The inner error: why its findings are not all there.
async fn seen(
    task: &Task<'_>,
    journal: &mut Journal,
    role: Role,
    job: &SoundJob,
    reader: &ViewReader,
) -> Step<Result<(ViewTotals, RunRows), Problem>> {
    let id = job.job;
    // Gates that watched one job see its end at the same instant. A few of them that read its view
    // at once take more memory than the platform has (docs/platforms/opencomply.md#sizes).
    if role == Role::Joined {
        let span = task.settings.interval.min(LONGEST_SPAN);
        let _ = poll::random_pause(&task.session.stop, span).await;
    }
    let new_reader = || {
        let reader = reader.clone();
        move |text| reader.read(text)
    };
    let ask = async || api::resource_view(&task.session.http, id, new_reader).await;
    let (seen, rows) = match patiently(task, journal, FOR_ROWS, ask).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) if matches!(error.failure, Failure::Protocol(_)) => {
            let what = format!("the findings of job {id} cannot be read: {error}");
            return Ok(Err(task.problem(Cause::Protocol, what)));
        }
        Ok(Err(error)) => return Ok(Err(findings_missing(task, id, api::problem(&error)))),
        // At the deadline the counts are complete, and may be all that the gates need.
        Err(Halt::Stopped(Reason::Deadline)) => {
            let what = "the deadline passed while waiting for them";
            return Ok(Err(findings_missing(task, id, Problem::new(Cause::Deadline, what))));
        }
        Err(halt) => return Err(halt),
    };
    let expected = ExpectedJob {
        place: &task.place,
        job: id,
        framework: &task.scope.framework,
        integrations: &job.integrations,
    };
    let other = seen.about.as_ref().and_then(|about| of_another(expected, about));
    if let Some(other) = other {
        let what = format!("the view of the resources of job {id} {other}");
        return Ok(Err(task.problem(Cause::Contradictory, what)));
    }
    if let Some(integration) = &seen.foreign {
        let what = format!(
            "the findings of job {id} are also of integration {}, which is not one of the job's",
            text::one_line(integration, 100)
        );
        return Ok(Err(task.problem(Cause::Contradictory, what)));
    }
    if let Err(what) = job.figures.agree(&seen.failed) {
        let what = format!("the findings of job {id} do not recount: {what}");
        return Ok(Err(task.problem(Cause::Contradictory, what).help(
            "run the gate again; if this keeps happening, the platform's report is broken",
        )));
    }
    Ok(Ok((seen, rows)))
}

fn findings_missing(task: &Task<'_>, job: u64, problem: Problem) -> Problem {
    // Refused with the job done: this one document is missing (docs/platforms/opencomply.md#reports).
    let cause = match problem.cause {
        Cause::Protocol => Cause::Incomplete,
        cause => cause,
    };
    let what = format!("the findings of job {job} are missing: {}", problem.message);
    task.problem(cause, what)
        .help("gates that need only counts are decided by those; for the others run the gate again")
}
