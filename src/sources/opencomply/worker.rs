//! One framework, from the run that evaluates it to a part of the evidence.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::api::{Halt, Step};
use super::assess::{Assessed, Lost, Sound};
use super::past::Member;
use super::preflight::Plan;
use super::scope::Scope;
use super::settings::{RunMode, Settings};
use super::share::Way;
use super::wire::{self, Status};
use crate::evidence::{Job, Part, Role};
use crate::finding::{Cause, Problem};
use crate::sources::Session;
use crate::stop::Reason;

/// Runs of others that are tried before giving up: somebody ends them all the time.
const ROUNDS: u32 = 4;

pub(super) struct Worker<'a> {
    pub session: &'a Session,
    pub settings: &'a Settings,
    pub plan: &'a Plan,
    pub scope: &'a Scope,
    /// Source and framework, to begin a sentence with.
    pub place: String,
    /// The platform's ids of the integrations.
    pub wanted: BTreeSet<String>,
    pub part: Part,
    /// The jobs that are relied on at present.
    pub attempt: Attempt,
    /// Jobs that we started and have not seen in a final state.
    pub unfinished: BTreeSet<u64>,
    /// Requests to start that were lost on the way.
    pub lost_starts: u32,
    /// What was last seen, to end a sentence with.
    pub seen: String,
}

/// Jobs that together make up a run.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub role: Option<Role>,
    pub jobs: Vec<Watched>,
    /// Whether the platform has yet to say that the jobs are over what was asked for.
    pub unconfirmed: bool,
}

#[derive(Debug)]
pub(super) struct Watched {
    pub member: Member,
    /// The last one seen.
    pub status: Option<Status>,
    pub since: Instant,
    /// Looks in a row at which the platform could not tell its state.
    pub strikes: u32,
    /// Whether it was looked at again because it ended without any result.
    pub confirmed: bool,
    /// Whether it needs no other look.
    pub settled: bool,
    /// Whether it was said that it may hang.
    pub hint_given: bool,
}

impl Attempt {
    pub fn new(role: Role, members: Vec<Member>) -> Self {
        let watched = |member| Watched {
            member,
            status: None,
            since: Instant::now(),
            strikes: 0,
            confirmed: false,
            settled: false,
            hint_given: false,
        };
        let jobs = members.into_iter().map(watched).collect();
        Self { role: Some(role), jobs, unconfirmed: false }
    }

    fn newest(&self) -> u64 {
        self.jobs.iter().map(|job| job.member.job).max().unwrap_or_default()
    }
}

/// What a worker leaves behind.
pub(super) struct Done {
    pub part: Part,
    /// Jobs that we started and nobody has seen end.
    pub unfinished: BTreeSet<u64>,
}

impl<'a> Worker<'a> {
    pub fn new(
        session: &'a Session,
        settings: &'a Settings,
        plan: &'a Plan,
        scope: &'a Scope,
    ) -> Self {
        Self {
            session,
            settings,
            plan,
            scope,
            place: format!("{}: framework `{}`", session.name, scope.framework),
            wanted: scope.ids(),
            part: Part { framework: Some(scope.framework.clone()), ..Part::default() },
            attempt: Attempt::default(),
            unfinished: BTreeSet::new(),
            lost_starts: 0,
            seen: String::new(),
        }
    }

    /// Collects the evidence. Whatever goes wrong is in the part.
    pub async fn collect(mut self) -> Done {
        if self.scope.doubts.is_empty() {
            let collected = self.evidence().await;
            self.part.jobs = self.jobs();
            if let Err(halt) = collected {
                self.give_up(halt);
            }
        } else {
            // Nothing that a run could bring would be relied on.
            self.part.problems = self.scope.doubts.clone();
            self.part.notes.push("no run was started, since it would be inconclusive".to_owned());
        }
        Done { part: self.part, unfinished: self.unfinished }
    }

    async fn evidence(&mut self) -> Step<()> {
        let sound = match self.settings.run {
            RunMode::Always => self.fresh(None).await?,
            RunMode::Stale { max_age } => self.fresh(Some(max_age)).await?,
            RunMode::Never { max_age } => self.existing(max_age).await?,
        };
        self.report(sound).await
    }

    /// The result of a run that is joined or started, or of one that ended lately enough.
    async fn fresh(&mut self, max_age: Option<Duration>) -> Step<Vec<Sound>> {
        let mut newer = None;
        let mut superseded = false;
        let mut last = None;
        for _ in 0..ROUNDS {
            let attempt = match newer.take() {
                Some(attempt) => attempt,
                None => match self.way(max_age).await? {
                    Way::Reuse(sound) => return Ok(sound),
                    Way::RelyOn(attempt) => attempt,
                },
            };
            let newest = attempt.newest();
            self.watch(attempt).await?;
            let lost = match self.assess().await? {
                Assessed::Sound(sound) => return Ok(sound),
                Assessed::Unsound(problems) => return Err(Halt::Troubles(problems)),
                Assessed::Lost(lost) => lost,
            };
            self.part.notes.push(format!("{lost}; its result is not used"));
            newer = self.newer_than(newest).await?;
            // Once more, but not for ever: somebody else may be doing the same.
            let again = matches!(lost, Lost::Superseded(_)) && newer.is_none();
            last = Some(lost);
            if again && std::mem::replace(&mut superseded, true) {
                break;
            }
        }
        Err(self.no_end(last.as_ref()).into())
    }

    /// Runs of this framework do not get to their end.
    pub fn no_end(&self, lost: Option<&Lost>) -> Problem {
        let lost = lost.map_or_else(String::new, |lost| format!(": {lost}"));
        self.problem(
            Cause::Incomplete,
            format_args!("its runs are ended by others before they are done{lost}"),
        )
        .help(
            "let the pipelines that gate on this framework use the same integrations, so that \
             they can share a run, or rely on scheduled runs with `run: {when: never}`",
        )
    }

    pub fn problem(&self, cause: Cause, what: impl std::fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.place))
    }

    /// Shows where this framework stands, and remembers it.
    pub fn progress(&mut self, state: &str, detail: &str) {
        let source = format!("{} {}", self.session.name, self.scope.framework);
        self.session.progress.status(&source, state, detail);
        self.seen = match detail {
            "" => state.to_owned(),
            _ => format!("{state}, {detail}"),
        };
    }

    fn give_up(&mut self, halt: Halt) {
        let reason = match halt {
            Halt::Troubles(problems) => return self.part.problems.extend(problems),
            Halt::Stopped(reason) => reason,
        };
        let seen = match &*self.seen {
            "" => String::new(),
            seen => format!("; last seen: {seen}"),
        };
        let hangs = self.attempt.jobs.iter().any(|job| job.hint_given);
        self.part.problems.push(match reason {
            Reason::Deadline => {
                let hint = if hangs { format!("; {}", super::watch::HANGS) } else { String::new() };
                self.problem(
                    Cause::Deadline,
                    format_args!(
                        "the deadline passed before its evidence was complete{seen}{hint}"
                    ),
                )
                .help("raise `deadline`, or find out on the platform what the job waits for")
            }
            Reason::Interrupt(_) => self.problem(
                Cause::Interrupted,
                format_args!("interrupted before its evidence was complete{seen}"),
            ),
        });
    }

    /// The jobs behind the part, for the reports.
    fn jobs(&self) -> Vec<Job> {
        let Some(role) = self.attempt.role else { return Vec::new() };
        let job = |watched: &Watched| {
            let status = watched.status.as_ref();
            Job {
                id: watched.member.job.to_string(),
                state: status.map(Status::state).unwrap_or_default().to_owned(),
                role,
                ended_at: status.and_then(Status::ended_at),
            }
        };
        self.attempt.jobs.iter().map(job).collect()
    }

    /// The oldest end of the jobs, if all tell theirs.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        let end = |job: &Watched| job.status.as_ref().and_then(Status::ended_at);
        let ends: Option<Vec<_>> = self.attempt.jobs.iter().map(end).collect();
        ends?.into_iter().min()
    }

    /// Takes note of a job's state.
    pub fn saw(&mut self, job: u64, status: Status) {
        if wire::is_final(status.state()) {
            self.unfinished.remove(&job);
        }
        if let Some(watched) = self.attempt.jobs.iter_mut().find(|one| one.member.job == job) {
            watched.status = Some(status);
        }
    }
}
