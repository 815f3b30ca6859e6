//! One framework, from its scope to a part of the evidence: acquire → watch → examine → read.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::acquire::{Acquired, Acquirer};
use super::api::{Halt, Step};
use super::examine::{self, Examined, Rejected, Sound};
use super::judge::Lost;
use super::scope::Scope;
use super::settings::{RunMode, Settings};
use super::watch::{self, Watched};
use super::wire::{self, Me, Status};
use super::{api, read};
use crate::evidence::{Job, Part, Role};
use crate::finding::{Cause, Problem};
use crate::sources::Session;
use crate::stop::Reason;

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
    pub fn new(
        session: &'a Session,
        settings: &'a Settings,
        me: &'a Me,
        scope: &'a Scope,
    ) -> Self {
        let place = format!("{}: framework `{}`", session.name, scope.framework);
        Self { session, settings, me, scope, place, wanted: scope.ids() }
    }

    pub fn problem(&self, cause: Cause, what: impl std::fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.place))
    }

    /// The time by the platform's clock, as far as it is known.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now()
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
    pub fn new(role: Role, jobs: Vec<Member>) -> Self {
        Self { role, jobs, unconfirmed: false }
    }

    pub fn newest(&self) -> u64 {
        self.jobs.iter().map(|member| member.job).max().unwrap_or_default()
    }

    /// `job 136`, `jobs 136, 137`.
    pub fn label(&self) -> String {
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
    pub fn jobs(&self) -> impl Iterator<Item = (&Member, &Status)> {
        self.run.jobs.iter().zip(&self.statuses)
    }

    /// The oldest end of the jobs, if all have one.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        let ends: Option<Vec<_>> = self.statuses.iter().map(Status::ended_at).collect();
        ends?.into_iter().min()
    }
}

/// What happened so far. All of it is reported, whatever the end.
#[derive(Default)]
pub(super) struct Journal {
    pub notes: Vec<String>,
    /// Jobs that this gate started and has not seen in a final state.
    pub unfinished: BTreeSet<u64>,
    /// The jobs that are relied on at present.
    jobs: Vec<Job>,
    /// What was last seen, to end a sentence with.
    seen: String,
    /// What a job that does not move probably waits for.
    pub hint: Option<&'static str>,
    outage: Option<Outage>,
}

/// A time in which the platform does not answer.
struct Outage {
    since: DateTime<Utc>,
    began: Instant,
    what: String,
}

impl Journal {
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Shows the present state of this framework, and remembers it.
    pub fn progress(&mut self, task: &Task<'_>, state: &str, detail: &str) {
        let source = format!("{} {}", task.session.name, task.scope.framework);
        task.session.progress.status(&source, state, detail);
        self.seen = match detail {
            "" => state.to_owned(),
            _ => format!("{state}, {detail}"),
        };
    }

    /// Records what is known of the jobs that are relied on.
    pub fn saw(&mut self, run: &Run, statuses: &[Option<&Status>]) {
        self.jobs.clear();
        for (member, status) in run.jobs.iter().zip(statuses) {
            let state = status.map(|status| status.state()).unwrap_or_default();
            if wire::is_final(&state) {
                self.unfinished.remove(&member.job);
            }
            self.jobs.push(Job {
                id: member.job.to_string(),
                ended_at: status.and_then(|status| status.ended_at()),
                state,
                role: run.role,
            });
        }
    }

    /// No job is relied on.
    pub fn forget_jobs(&mut self) {
        self.jobs.clear();
    }

    /// The platform has not answered a request that began at this moment.
    pub fn unanswered(&mut self, task: &Task<'_>, began: Instant, what: &str) {
        let outage = self.outage.get_or_insert_with(|| {
            let since = Utc::now() - began.elapsed();
            Outage { since, began, what: String::new() }
        });
        what.clone_into(&mut outage.what);
        let state = format!("no answer since {}", outage.since.format("%H:%M:%S UTC"));
        let detail = format!("for {}: {what}", age(outage.began));
        let source = format!("{} {}", task.session.name, task.scope.framework);
        task.session.progress.status(&source, &state, &detail);
    }

    pub fn answered(&mut self) {
        self.outage = None;
    }
}

/// `2m 5s`.
fn age(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
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
            Err(Halt::Stopped(reason)) => part.problems.push(stopped(task, &journal, reason)),
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
            Found::Sound(sound) => return read::read(task, journal, part, *sound).await,
            Found::Rejected(rejected) => return rejected.into_part(part),
            Found::Lost(lost) => lost,
        };
        journal.note(format!("{lost}; its result is not used"));
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
pub(super) enum Found {
    Sound(Box<Sound>),
    Rejected(Rejected),
    /// Another one may do better.
    Lost(Lost),
}

impl From<Examined> for Found {
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
) -> Step<Found> {
    match watch::watch(task, journal, run).await? {
        Watched::Ended(ended) => Ok(examine::examine(task, journal, ended).await?.into()),
        Watched::Lost(lost) => Ok(Found::Lost(lost)),
    }
}

async fn rely_on(
    task: &Task<'_>,
    journal: &mut Journal,
    part: &mut Part,
    found: Found,
) -> Step<()> {
    match found {
        Found::Sound(sound) => read::read(task, journal, part, *sound).await,
        Found::Rejected(rejected) => rejected.into_part(part),
        Found::Lost(lost) => Err(runs_end_early(task, Some(&lost)).into()),
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

fn stopped(task: &Task<'_>, journal: &Journal, reason: Reason) -> Problem {
    let seen = match &*journal.seen {
        "" => String::new(),
        seen => format!("; last seen: {seen}"),
    };
    match (reason, &journal.outage) {
        (Reason::Deadline, Some(outage)) => {
            let since = outage.since.format("%H:%M:%S UTC");
            let what = format!(
                "the platform did not answer from {since} to the deadline, for {}: {}{seen}",
                age(outage.began),
                outage.what
            );
            task.problem(Cause::Unreachable, what)
                .help("check that the platform is up and reachable from this machine")
        }
        (Reason::Deadline, None) => {
            let hint = journal.hint.map_or_else(String::new, |hint| format!("; {hint}"));
            let what =
                format!("the deadline passed before its evidence was complete{seen}{hint}");
            task.problem(Cause::Deadline, what)
                .help("raise `deadline`, or find out on the platform what the job waits for")
        }
        (Reason::Interrupt(_), _) => task.problem(
            Cause::Interrupted,
            format_args!("interrupted before its evidence was complete{seen}"),
        ),
    }
}

/// Repeats a request that only reads while what went wrong passes by itself, until the deadline.
///
/// # Errors
/// The first error that does not pass by itself, or the reason to stop.
pub(super) async fn patiently<T>(
    task: &Task<'_>,
    journal: &mut Journal,
    ask: impl AsyncFn() -> Result<T, crate::http::HttpError>,
) -> Step<Result<T, crate::http::HttpError>> {
    loop {
        let began = Instant::now();
        match ask().await {
            Err(error) if api::passes(&error) => {
                journal.unanswered(task, began, &error.to_string());
            }
            other => {
                journal.answered();
                return api::unless_stopped(other);
            }
        }
        crate::poll::pause(&task.session.stop, task.settings.interval).await?;
    }
}
