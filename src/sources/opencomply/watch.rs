//! Watches the jobs of a run until each of them has ended, or it is clear that nothing comes of
//! them.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::acquire::past::stands_still;
use super::api::{self, Halt, Step};
use super::framework::{EndedRun, Run, Task};
use super::journal::Journal;
use super::judge::{self, Lost};
use super::wire::{self, Status};
use crate::evidence::Role;
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};
use crate::poll;

/// A job that no work was found for after this long probably never gets any.
const SUSPICIOUS: Duration = Duration::from_secs(5 * 60);

/// Why a job stays CREATED (docs/platforms/opencomply.md#timing).
const HANGS: &str = "no control of this framework applies to these integrations, or the \
                     platform's scheduler has a backlog";

/// Unusable answers in a row after which watching ends.
const MOST_UNUSABLE: u32 = 3;

/// How watching ended.
pub(super) enum Watched {
    Ended(EndedRun),
    Lost(Lost),
}

/// A job that is being watched.
#[derive(Default)]
struct WatchedJob {
    /// The last status seen.
    status: Option<Status>,
    /// Answers in a row that could not be used.
    unusable: u32,
    /// Whether it was looked at again because it ended without any result.
    confirmed: bool,
    /// Whether it needs no other look.
    settled: bool,
}

impl WatchedJob {
    /// Takes in a status.
    fn saw(&mut self, status: Status) {
        let is_final = wire::is_final(&status.state());
        // The report is in a search index, which shows what was written a moment later: an end
        // without any result is looked at once more.
        let may_fill_up = is_final && !self.confirmed && judge::looks_empty(&status);
        self.settled = is_final && !may_fill_up;
        self.confirmed = is_final;
        self.unusable = 0;
        self.status = Some(status);
    }
}

/// Looks at the jobs until each of them has ended.
pub(super) async fn watch(task: &Task<'_>, journal: &mut Journal, run: Run) -> Step<Watched> {
    let mut looks: Vec<WatchedJob> = run.jobs.iter().map(|_| WatchedJob::default()).collect();
    let waiting = poll::Watch::new(task.settings.interval);
    loop {
        look_at_all(task, journal, &run, &mut looks).await?;
        let statuses: Vec<_> = looks.iter().map(|look| look.status.as_ref()).collect();
        journal.saw(&run, &statuses);
        if let Some(lost) = lost(task, &run, &statuses) {
            return Ok(Watched::Lost(lost));
        }
        if looks.iter().all(|look| look.settled) {
            let statuses = looks.into_iter().filter_map(|look| look.status).collect();
            return Ok(Watched::Ended(EndedRun { run, statuses }));
        }
        hint(task, journal, &run, &statuses, waiting.elapsed());
        waiting.pause(&task.session.stop).await?;
    }
}

/// Looks once at each job that has not ended, all in one round.
async fn look_at_all(
    task: &Task<'_>,
    journal: &mut Journal,
    run: &Run,
    looks: &mut [WatchedJob],
) -> Step<()> {
    let began = Instant::now();
    let http = &task.session.http;
    let answers = run.jobs.iter().zip(&*looks).map(|(member, look)| async move {
        if look.settled { None } else { Some(api::status(http, member.job).await) }
    });
    let answers = join_all(answers).await;
    let mut unanswered = None;
    for ((member, look), answer) in run.jobs.iter().zip(&mut *looks).zip(answers) {
        match answer {
            None => {}
            Some(Ok(status)) => {
                let status = of_job(task, member.job, status)?;
                look.saw(status);
            }
            Some(Err(error)) if api::passes(&error) => unanswered = Some(error),
            Some(Err(error)) => {
                look.unusable += 1;
                let unusable = matches!(error.failure, Failure::Protocol(_))
                    || api::integration_is_gone(&error);
                match unusable && look.unusable < MOST_UNUSABLE {
                    true => {}
                    false => return Err(refused(task, member.job, error)),
                }
            }
        }
    }
    match unanswered {
        // What was shown before is remembered as the last state seen.
        Some(error) => journal.unanswered(task, began, &error.to_string()),
        None => {
            journal.answered();
            let states = states(looks);
            let state = format!("{} {states}", run.label());
            journal.progress(task, state.trim_end(), &runners_done(looks));
        }
    }
    Ok(())
}

fn refused(task: &Task<'_>, job: u64, error: HttpError) -> Halt {
    match api::integration_is_gone(&error) {
        true => integration_gone(task, job).into(),
        false => error.into(),
    }
}

/// The status, if it is of this job.
fn of_job(task: &Task<'_>, job: u64, status: Status) -> Result<Status, Problem> {
    match status.job_id.map(|id| id.0) {
        Some(id) if id == job => Ok(status),
        Some(0) | None => Err(task
            .problem(
                Cause::Incomplete,
                format_args!("the platform does not know job {job} any more"),
            )
            .help("run the gate again; the platform may have been reset")),
        Some(other) => {
            let what = format!("the platform was asked for job {job} and answered with {other}");
            Err(task.problem(Cause::Protocol, what))
        }
    }
}

/// The problem of a job that covers an integration that was deleted.
pub(super) fn integration_gone(task: &Task<'_>, job: u64) -> Problem {
    task.problem(
        Cause::Incomplete,
        format_args!(
            "the platform cannot state the progress of job {job}: one of its integrations was \
             deleted"
        ),
    )
    .help("correct `integrations`, then run the gate again")
}

/// Whether nothing comes of the run any more.
fn lost(task: &Task<'_>, run: &Run, statuses: &[Option<&Status>]) -> Option<Lost> {
    let now = task.now();
    let jobs =
        || run.jobs.iter().zip(statuses).filter_map(|(job, status)| Some((job.job, (*status)?)));
    // One member without runners is enough: the run as a whole is not sound any more.
    let superseded = jobs().find(|(_, status)| judge::is_superseded(status));
    if let Some((job, _)) = superseded {
        return Some(Lost::Superseded(job));
    }
    if run.role != Role::Joined {
        return None;
    }
    let still = jobs().find(|(_, status)| stands_still(status, now));
    still.map(|(job, status)| Lost::StandsStill(job, status.state()))
}

/// The states of the jobs, each word once.
fn states(looks: &[WatchedJob]) -> String {
    let mut words: Vec<String> = Vec::new();
    for status in looks.iter().filter_map(|look| look.status.as_ref()) {
        let word = status.state();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" and ")
}

/// `12 of 41 runners done`, or nothing as long as there are none.
fn runners_done(looks: &[WatchedJob]) -> String {
    let counts = looks.iter().filter_map(|look| look.status.as_ref()?.runners_status.as_ref());
    let (mut done, mut total) = (0_i128, 0_i128);
    for counts in counts {
        let ended = [counts.runners_succeeded, counts.runners_failed, counts.runners_timed_out];
        done += ended.into_iter().flatten().map(i128::from).sum::<i128>();
        total += i128::from(counts.total_count.unwrap_or(0));
    }
    if total > 0 { format!("{done} of {total} runners done") } else { String::new() }
}

/// Says once that a job probably hangs.
fn hint(
    task: &Task<'_>,
    journal: &mut Journal,
    run: &Run,
    statuses: &[Option<&Status>],
    waited: Duration,
) {
    if journal.hint.is_some() || waited < SUSPICIOUS {
        return;
    }
    let created = |status: &&Status| status.state() == "CREATED";
    let mut jobs = run.jobs.iter().zip(statuses);
    if let Some((member, _)) = jobs.find(|(_, status)| status.as_ref().is_some_and(created)) {
        journal.hint = Some(HANGS);
        let note = format!("job {} has been CREATED for long: {HANGS}", member.job);
        task.session.progress.note(&format!("{}: {note}", task.place));
        journal.note(note);
    }
}
