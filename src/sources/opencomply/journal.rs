//! What happened so far while a framework is evaluated, and how long an absent platform is waited
//! for.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::api::{self, Step};
use super::framework::{Run, Task};
use super::wire::{self, Status};
use crate::evidence::Job;
use crate::finding::{Cause, Problem};
use crate::http::HttpError;
use crate::poll;
use crate::stop::Reason;

/// What happened so far. All of it is reported, whatever the end.
#[derive(Default)]
pub(super) struct Journal {
    pub notes: Vec<String>,
    /// Jobs that this gate started and has not seen in a final state.
    pub unfinished: BTreeSet<u64>,
    /// The jobs that are relied on at present.
    pub jobs: Vec<Job>,
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
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Shows the present state of this framework, and remembers it.
    pub(super) fn progress(&mut self, task: &Task<'_>, state: &str, detail: &str) {
        let source = format!("{} {}", task.session.name, task.scope.framework);
        task.session.progress.status(&source, state, detail);
        self.seen = match detail {
            "" => state.to_owned(),
            _ => format!("{state}, {detail}"),
        };
    }

    /// Records what is known of the jobs that are relied on.
    pub(super) fn saw(&mut self, run: &Run, statuses: &[Option<&Status>]) {
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
    pub(super) fn forget_jobs(&mut self) {
        self.jobs.clear();
    }

    /// The platform has not answered a request that began at this moment.
    pub(super) fn unanswered(&mut self, task: &Task<'_>, began: Instant, what: &str) {
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

    pub(super) fn answered(&mut self) {
        self.outage = None;
    }
}

/// `2m 5s`.
fn age(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// The problem of a framework that had to stop.
pub(super) fn stopped(task: &Task<'_>, journal: &Journal, reason: Reason) -> Problem {
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
            let what = format!("the deadline passed before its evidence was complete{seen}{hint}");
            task.problem(Cause::Deadline, what)
                .help("raise `deadline`, or find out on the platform what the job waits for")
        }
        (Reason::Interrupt(_), _) => task.problem(
            Cause::Interrupted,
            format_args!("interrupted before its evidence was complete{seen}"),
        ),
    }
}

/// How long an answer is waited for without which a run cannot be relied on. An endpoint that fails
/// for longer is not away for a moment.
pub(super) const FOR_PROOF: Duration = Duration::from_secs(10 * 60);

/// How long rows are waited for, where counts may be enough.
pub(super) const FOR_ROWS: Duration = Duration::from_secs(2 * 60);

/// Repeats a request that only reads while what went wrong passes by itself, until the deadline, and
/// at most this long.
///
/// # Errors
/// The reason to stop. The inner error: the first that does not pass by itself, or the last one.
pub(super) async fn patiently<T>(
    task: &Task<'_>,
    journal: &mut Journal,
    most: Duration,
    ask: impl AsyncFn() -> Result<T, HttpError>,
) -> Step<Result<T, HttpError>> {
    let first = Instant::now();
    loop {
        let began = Instant::now();
        match ask().await {
            Err(error) if api::passes(&error) && first.elapsed() < most => {
                journal.unanswered(task, began, &error.to_string());
            }
            other => {
                journal.answered();
                return api::unless_stopped(other);
            }
        }
        poll::pause(&task.session.stop, task.settings.interval).await?;
    }
}
