//! One framework, from its scope to a part of the evidence: acquire → watch → examine → read.

use std::collections::BTreeSet;

use super::acquire::{Acquired, Acquirer};
use super::api::{Halt, Step};
use super::examine::{self, Examined, Rejected, Sound};
use super::journal::Journal;
use super::judge::Lost;
use super::scope::Scope;
use super::settings::{RunMode, Settings};
use super::watch::{self, Watched};
use super::wire::{Me, Status};
use super::{journal, read};
use crate::evidence::{Part, Role};
use crate::finding::{Cause, Problem};
use crate::sources::Session;
use chrono::{DateTime, TimeDelta, Utc};

/// Runs that are tried before giving up, because other users may keep ending them.
const ROUNDS: u32 = 4;

/// What is asked of the platform for one framework. It does not change.
pub(super) struct Task<'a> {
    pub session: &'a Session,
    pub settings: &'a Settings,
    /// The user of the token.
    pub me: &'a Me,
    pub scope: &'a Scope,
    /// Source and framework, to begin a sentence with.
    pub place: String,
    /// The platform's ids of the integrations.
    pub wanted: BTreeSet<String>,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        session: &'a Session,
        settings: &'a Settings,
        me: &'a Me,
        scope: &'a Scope,
    ) -> Self {
        let place = format!("{}: framework `{}`", session.name, scope.framework);
        Self { session, settings, me, scope, place, wanted: scope.ids() }
    }

    pub(super) fn problem(&self, cause: Cause, what: impl std::fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.place))
    }

    /// The time by the platform's clock, where it is known to differ from ours.
    pub(super) fn now(&self) -> DateTime<Utc> {
        // The platform states whole seconds.
        let differs = |ahead: &TimeDelta| ahead.abs() > TimeDelta::seconds(2);
        let ahead = self.session.http.clock_offset().filter(differs).unwrap_or_default();
        Utc::now() + ahead
    }
}

/// Jobs that together make up a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub role: Role,
    /// By id; never empty.
    pub jobs: Vec<Member>,
    /// Whether the platform has not said yet what the jobs evaluate.
    pub unconfirmed: bool,
}

/// A job of a run, and the integrations it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub job: u64,
    pub integrations: BTreeSet<String>,
}

impl Run {
    pub(super) fn new(role: Role, jobs: Vec<Member>) -> Self {
        Self { role, jobs, unconfirmed: false }
    }

    pub(super) fn newest(&self) -> u64 {
        self.jobs.iter().map(|member| member.job).max().unwrap_or_default()
    }

    /// `job 136`, `jobs 136, 137`.
    pub(super) fn label(&self) -> String {
        let ids: Vec<_> = self.jobs.iter().map(|member| member.job.to_string()).collect();
        let plural = if ids.len() == 1 { "" } else { "s" };
        format!("job{plural} {}", ids.join(", "))
    }
}

/// A run, and the last status seen of each of its jobs.
#[derive(Clone, Debug)]
pub(super) struct EndedRun {
    pub run: Run,
    /// In the order of the run's jobs.
    pub statuses: Vec<Status>,
}

impl EndedRun {
    pub(super) fn jobs(&self) -> impl Iterator<Item = (&Member, &Status)> {
        self.run.jobs.iter().zip(&self.statuses)
    }

    /// The oldest end of the jobs, if all have one.
    pub(super) fn as_of(&self) -> Option<DateTime<Utc>> {
        let ends: Option<Vec<_>> = self.statuses.iter().map(Status::ended_at).collect();
        ends?.into_iter().min()
    }
}

/// What remains when a framework is done.
pub(super) struct Done {
    pub part: Part,
    /// Jobs that this gate started and did not see end.
    pub unfinished: BTreeSet<u64>,
}

/// Collects the evidence of one framework. Whatever goes wrong is in the part.
pub(super) async fn collect(task: &Task<'_>) -> Done {
    let framework = Some(task.scope.framework.clone());
    let mut part = Part { framework, ..Part::default() };
    let mut journal = Journal::default();
    if task.scope.doubts.is_empty() {
        let collected = evidence(task, &mut journal, &mut part).await;
        part.jobs = std::mem::take(&mut journal.jobs);
        match collected {
            Ok(()) => {}
            Err(Halt::Problems(problems)) => part.problems.extend(problems),
            Err(Halt::Stopped(reason)) => {
                part.problems.push(journal::stopped(task, &journal, reason));
            }
        }
    } else {
        // A run would be inconclusive for the same reason.
        part.problems.clone_from(&task.scope.doubts);
        journal.note("no run was started, since it would be inconclusive".to_owned());
    }
    let notes = std::mem::take(&mut part.notes);
    part.notes = journal.notes.into_iter().chain(notes).collect();
    Done { part, unfinished: journal.unfinished }
}

async fn evidence(task: &Task<'_>, journal: &mut Journal, part: &mut Part) -> Step<()> {
    let mut acquirer = Acquirer::new(task);
    if let RunMode::Never { max_age } = task.settings.run {
        let found = acquirer.existing(journal, max_age).await?;
        return rely_on(task, journal, part, found).await;
    }
    let mut superseded = false;
    let mut last = None;
    for _ in 0..ROUNDS {
        let run = match acquirer.next(journal).await? {
            Acquired::Sound(sound) => return read::read(task, journal, part, *sound).await,
            Acquired::Run(run) => run,
        };
        let newest = run.newest();
        let started = run.role == Role::Started;
        let lost = match watch_and_examine(task, journal, run).await? {
            RunOutcome::Sound(sound) => return read::read(task, journal, part, *sound).await,
            RunOutcome::Rejected(rejected) => return rejected.into_part(part),
            RunOutcome::Lost(lost) => lost,
        };
        journal.note(format!("{lost}; its result is not used"));
        if matches!(lost, Lost::Superseded(_)) {
            // It ends by itself, and cancelling it would change nothing.
            journal.unfinished.clear();
        }
        // A run of ours that was superseded is started once more, but not for ever: the other user
        // may be doing the same.
        let newer = acquirer.lost(journal, &lost, newest).await?;
        let again = started && !newer && matches!(lost, Lost::Superseded(_));
        last = Some(lost);
        if again && std::mem::replace(&mut superseded, true) {
            break;
        }
    }
    Err(runs_end_early(task, last.as_ref()).into())
}

/// How a run came out.
pub(super) enum RunOutcome {
    Sound(Box<Sound>),
    Rejected(Rejected),
    /// Another one may do better.
    Lost(Lost),
}

impl From<Examined> for RunOutcome {
    fn from(examined: Examined) -> Self {
        match examined {
            Examined::Sound(sound) => Self::Sound(sound),
            Examined::Rejected(rejected) => Self::Rejected(rejected),
            Examined::Lost(lost) => Self::Lost(lost),
        }
    }
}

pub(super) async fn watch_and_examine(
    task: &Task<'_>,
    journal: &mut Journal,
    run: Run,
) -> Step<RunOutcome> {
    match watch::watch(task, journal, run).await? {
        Watched::Ended(ended) => Ok(examine::examine(task, journal, ended).await?.into()),
        Watched::Lost(lost) => Ok(RunOutcome::Lost(lost)),
    }
}

async fn rely_on(
    task: &Task<'_>,
    journal: &mut Journal,
    part: &mut Part,
    found: RunOutcome,
) -> Step<()> {
    match found {
        RunOutcome::Sound(sound) => read::read(task, journal, part, *sound).await,
        RunOutcome::Rejected(rejected) => rejected.into_part(part),
        RunOutcome::Lost(lost) => Err(runs_end_early(task, Some(&lost)).into()),
    }
}

/// The problem that runs of this framework do not get to their end.
fn runs_end_early(task: &Task<'_>, lost: Option<&Lost>) -> Problem {
    let lost = lost.map_or_else(String::new, |lost| format!(": {lost}"));
    task.problem(
        Cause::Incomplete,
        format_args!("other users keep ending its runs before they are done{lost}"),
    )
    .help(
        "let the pipelines that gate on this framework use the same integrations, so that they \
         can share a run, or rely on scheduled runs with `run: {when: never}`",
    )
}
