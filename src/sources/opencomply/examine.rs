//! Asks for all that proves or disproves a run that has ended, and has it judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::api::{self, Halt, Step};
use super::controls::Controls;
use super::framework::{EndedRun, Task};
use super::journal::{FOR_PROOF, Journal, patiently};
use super::judge::controls::{Attribution, Evaluated, attribute};
use super::judge::counts::{JobCounts, recount};
use super::judge::{self, ExpectedJob, Figures, Judgement, Lost};
use super::watch::integration_gone;
use super::wire::{Runner, Status};
use crate::evidence::{Findings, Part, Role, Table};
use crate::finding::{Cause, Problem, Severity};
use crate::http::HttpError;

/// A run that can be relied on.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    pub ended: EndedRun,
    /// In the order of the run's jobs.
    pub jobs: Vec<SoundJob>,
    /// Which control each count is for.
    pub attribution: Arc<Attribution>,
    /// What is known of the controls.
    pub controls: Controls,
}

#[derive(Clone, Debug)]
pub(super) struct SoundJob {
    pub job: u64,
    /// The integrations that the job is for.
    pub integrations: BTreeSet<String>,
    pub figures: Figures,
    pub counts: JobCounts,
    /// Its runners, by its status.
    pub runners: u64,
}

impl Sound {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.iter().any(|job| job.figures.evaluated() == 0)
    }
}

/// A run that cannot be relied on: why, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Rejected {
    pub problems: Vec<Problem>,
    as_of: Option<DateTime<Utc>>,
    evaluated: u64,
    failed: BTreeMap<Severity, u64>,
}

impl Rejected {
    pub(super) fn of(problem: Problem) -> Self {
        Self { problems: vec![problem], as_of: None, evaluated: 0, failed: BTreeMap::new() }
    }

    /// Adds what a status counts, as far as it can be read.
    fn knows(&mut self, status: &Status) {
        let Some(figures) = judge::known_figures(status) else { return };
        self.evaluated += figures.evaluated();
        for (severity, failed) in figures.by_severity() {
            *self.failed.entry(severity).or_default() += failed;
        }
    }

    /// Shows what is known, beside the reasons why nothing is decided by it.
    pub(super) fn into_part(self, part: &mut Part) -> Step<()> {
        part.as_of = self.as_of;
        part.set_looked_at(self.evaluated);
        if let Some(problem) = self.problems.first() {
            part.findings = Findings::counted(problem.clone());
        }
        part.counts.table = Some(Table::of_failures(&self.failed));
        Err(Halt::Problems(self.problems))
    }
}

pub(super) enum Examined {
    Sound(Box<Sound>),
    Rejected(Rejected),
    /// Another run may do better.
    Lost(Lost),
}

/// Judges the jobs of a run, all of which have ended.
///
/// # Errors
/// Only what ends everything: whatever is wrong with the run is part of the judgement.
pub(super) async fn examine(
    task: &Task<'_>,
    journal: &mut Journal,
    ended: EndedRun,
) -> Step<Examined> {
    let judged: Vec<_> = ended
        .jobs()
        .map(|(member, status)| {
            let expected = ExpectedJob {
                place: &task.place,
                job: member.job,
                framework: &task.scope.framework,
                integrations: &member.integrations,
            };
            (expected, judge::judge(expected, status))
        })
        .collect();
    if let Some(lost) = judged.iter().find_map(|(_, judgement)| judgement.lost()) {
        return Ok(Examined::Lost(lost));
    }
    // A job that others started and cancelled says nothing; another run may do better.
    if ended.run.role == Role::Joined
        && let Some((member, _)) = ended.jobs().find(|(_, status)| status.state() == "CANCELED")
    {
        return Ok(Examined::Lost(Lost::Cancelled(member.job)));
    }
    let mut problems: Vec<_> = unconfirmed(task, &ended).collect();
    let mut jobs = Vec::new();
    let mut runners = Vec::new();
    for (expected, judgement) in judged {
        match judgement {
            Judgement::Sound(figures) => match facts(task, journal, expected, &figures).await? {
                Ok((counts, rows)) => {
                    runners.push(rows);
                    jobs.push(SoundJob {
                        job: expected.job,
                        integrations: expected.integrations.clone(),
                        runners: figures.runners,
                        figures,
                        counts,
                    });
                }
                Err(problem) => problems.push(problem),
            },
            Judgement::Unsound { problems: mut found, runners_to_blame } => {
                if runners_to_blame && let Some(problem) = found.first_mut() {
                    name_runners(task, expected.job, problem).await?;
                }
                problems.extend(found);
            }
            Judgement::Superseded(_) => {}
        }
    }
    let mut controls = Controls::default();
    let mut attribution = Attribution::default();
    if problems.is_empty() {
        match attributed(task, journal, &jobs, &runners, &mut controls).await? {
            Ok(found) => attribution = found,
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        let attribution = Arc::new(attribution);
        return Ok(Examined::Sound(Box::new(Sound { ended, jobs, attribution, controls })));
    }
    let as_of = ended.as_of();
    let mut rejected = Rejected { problems, as_of, evaluated: 0, failed: BTreeMap::new() };
    ended.statuses.iter().for_each(|status| rejected.knows(status));
    Ok(Examined::Rejected(rejected))
}

/// The jobs of which neither the answer that started them nor their status says what they are over.
fn unconfirmed(task: &Task<'_>, ended: &EndedRun) -> impl Iterator<Item = Problem> {
    let silent = ended.jobs().filter(|(_, status)| status.integrations.is_none());
    silent.filter(|_| ended.run.unconfirmed).map(|(member, _)| {
        let what = format!("job {} does not say what it evaluated", member.job);
        task.problem(Cause::Incomplete, what)
    })
}

/// What else the platform says of a job that looks sound: counts per control that agree with its
/// status, and its runners, as long as there are any.
async fn facts(
    task: &Task<'_>,
    journal: &mut Journal,
    expected: ExpectedJob<'_>,
    figures: &Figures,
) -> Step<Result<(JobCounts, Vec<Runner>), Problem>> {
    let http = &task.session.http;
    let job = expected.job;
    let report = match of_job(task, journal, job, async || api::by_control(http, job).await).await?
    {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(Err(judge::report_missing(expected, figures))),
        // Every job that succeeded has this report, and who may read its status may read it
        // (docs/platforms/opencomply.md#report-by-control): without it nothing recounts.
        Err(problem) => return Ok(Err(problem)),
    };
    let counts = match recount(expected, figures, report) {
        Ok(counts) => counts,
        Err(problem) => return Ok(Err(problem)),
    };
    let runners = of_job(task, journal, job, async || api::runners(http, job).await).await?;
    Ok(runners.map(|runners| (counts, runners)))
}

/// Asks about a job until the platform answers. If an integration of the job was deleted it never
/// will, which only the status shows (docs/platforms/opencomply.md#errors-of-the-status).
async fn of_job<T>(
    task: &Task<'_>,
    journal: &mut Journal,
    job: u64,
    ask: impl AsyncFn() -> Result<T, HttpError>,
) -> Step<Result<T, Problem>> {
    let asked = async || {
        let answer = ask().await;
        match &answer {
            Err(error) if api::passes(error) => match api::status(&task.session.http, job).await {
                Err(gone) if api::integration_is_gone(&gone) => Err(gone),
                _ => answer,
            },
            _ => answer,
        }
    };
    Ok(patiently(task, journal, FOR_PROOF, asked).await?.map_err(|error| {
        match api::integration_is_gone(&error) {
            true => integration_gone(task, job),
            false => api::problem(&error),
        }
    }))
}

/// Which controls of the framework the counts are for.
async fn attributed(
    task: &Task<'_>,
    journal: &mut Journal,
    jobs: &[SoundJob],
    runners: &[Vec<Runner>],
    controls: &mut Controls,
) -> Step<Result<Attribution, Vec<Problem>>> {
    let http = &task.session.http;
    let framework = &task.scope.framework;
    let ask = async || api::nested(http, framework).await;
    let members = match patiently(task, journal, FOR_PROOF, ask).await? {
        Ok(nested) => nested.control_ids(),
        Err(error) => return Ok(Err(vec![api::problem(&error)])),
    };
    let evaluated = Evaluated::of(jobs, runners);
    let silent = evaluated.silent(&members);
    controls.learn(task, journal, &silent).await?;
    let types: BTreeSet<_> =
        task.scope.integrations.values().map(|one| one.kind.as_str()).collect();
    // Policies of the others matter only where a control may share one of them.
    if silent.iter().any(|id| !controls.is_manual(id)) {
        controls.learn(task, journal, evaluated.ids()).await?;
    }
    Ok(attribute(&task.place, &members, &evaluated, controls, &types))
}

/// Adds the controls that were not evaluated to the sentence.
async fn name_runners(task: &Task<'_>, job: u64, problem: &mut Problem) -> Step<()> {
    let runners = api::unless_stopped(api::runners(&task.session.http, job).await)?;
    if let Some(names) = runners.ok().and_then(|runners| judge::not_evaluated(&runners)) {
        problem.message += &format!("; {names}");
    }
    Ok(())
}
