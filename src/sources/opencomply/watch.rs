//! Watching the jobs of a run until each of them is in a final state.

use std::time::Duration;

use super::api::{self, Halt, Step};
use super::wire::{self, Status};
use super::worker::{Attempt, Watched, Worker};
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};
use crate::poll;

/// A job that nobody has found work for after this long probably never gets any.
const SUSPICIOUS: Duration = Duration::from_secs(5 * 60);

/// Why a job stays CREATED (fact sheet §10.5).
pub(super) const HANGS: &str = "no control of this framework applies to these integrations, or \
                                the platform's scheduler has a backlog";

/// Looks in a row that may fail because an integration could not be read: its service may have
/// been away for a moment.
const STRIKES: u32 = 3;

impl Attempt {
    /// `job 136`, `jobs 136, 137`.
    pub fn label(&self) -> String {
        let ids: Vec<_> = self.jobs.iter().map(|job| job.member.job.to_string()).collect();
        let plural = if ids.len() == 1 { "" } else { "s" };
        format!("job{plural} {}", ids.join(", "))
    }

    /// The states of the jobs, each word once.
    fn states(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for job in &self.jobs {
            let word = job.status.as_ref().map_or("", Status::state);
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" and ")
    }

    /// `12 of 41 runners done`, or nothing as long as there are none.
    fn runners_done(&self) -> String {
        let (mut done, mut total) = (0_i64, 0_i64);
        let counts =
            self.jobs.iter().filter_map(|job| job.status.as_ref()?.runners_status.as_ref());
        for counts in counts {
            let ended = [counts.runners_succeeded, counts.runners_failed, counts.runners_timed_out];
            for number in ended.into_iter().flatten() {
                done = done.saturating_add(number);
            }
            total = total.saturating_add(counts.total_count.unwrap_or(0));
        }
        if total > 0 { format!("{done} of {total} runners done") } else { String::new() }
    }
}

impl Watched {
    /// Whether the platform may still add to a job that has just ended. Its report is in a search
    /// index, which shows what was written a moment later: an end without any result is looked at
    /// once more.
    fn may_fill_up(&self, status: &Status) -> bool {
        let summary = status.incidents.as_ref().and_then(|incidents| incidents.summary.as_ref());
        let runners = status.runners_status.as_ref().and_then(|runners| runners.total_count);
        let empty = summary.is_none_or(|counts| {
            counts.ok.or(Some(0)) == Some(0) && counts.alarm.or(Some(0)) == Some(0)
        });
        status.state() == "SUCCEEDED" && empty && runners != Some(0) && !self.confirmed
    }

    fn hangs(&self) -> bool {
        self.since.elapsed() >= SUSPICIOUS
            && self.status.as_ref().is_some_and(|status| status.state() == "CREATED")
    }
}

impl Worker<'_> {
    /// Looks at the jobs until each of them has ended.
    pub async fn watch(&mut self, attempt: Attempt) -> Step<()> {
        self.attempt = attempt;
        let (session, interval) = (self.session, self.settings.interval);
        poll::until(&session.stop, interval, async || {
            for index in 0..self.attempt.jobs.len() {
                self.look_at(index).await?;
            }
            let (label, states) = (self.attempt.label(), self.attempt.states());
            let standing = format!("{label} {states}");
            self.progress(standing.trim_end(), &self.attempt.runners_done());
            Ok::<_, Halt>(self.attempt.jobs.iter().all(|job| job.settled).then_some(()))
        })
        .await
    }

    async fn look_at(&mut self, index: usize) -> Step<()> {
        let Some(watched) = self.attempt.jobs.get_mut(index).filter(|job| !job.settled) else {
            return Ok(());
        };
        let job = watched.member.job;
        let status = match api::status(&self.session.http, job).await {
            Ok(status) => status,
            Err(error) => {
                watched.strikes += 1;
                // The platform asks another service for each integration, and whatever that says
                // becomes a 400 here (fact sheet §3.4): a moment's absence, or one that was deleted.
                let may_pass = matches!(&error.failure, Failure::Refused { status: 400, said }
                    if !said.contains("compliance service is not"));
                return match (may_pass, watched.strikes) {
                    (true, ..STRIKES) => Ok(()),
                    (true, _) => Err(self.integration_gone(job, &error).into()),
                    (false, _) => Err(error.into()),
                };
            }
        };
        watched.strikes = 0;
        watched.settled = wire::is_final(status.state()) && !watched.may_fill_up(&status);
        watched.confirmed = wire::is_final(status.state());
        match status.job_id.map(|id| id.0) {
            Some(id) if id == job => self.saw(job, status),
            Some(0) | None => {
                return Err(self
                    .problem(
                        Cause::Incomplete,
                        format_args!("the platform does not know job {job} any more"),
                    )
                    .help("run the gate again; somebody may have reset the platform")
                    .into());
            }
            Some(other) => {
                let what =
                    format!("the platform was asked for job {job} and answered with {other}");
                return Err(self.problem(Cause::Protocol, what).into());
            }
        }
        self.hint_at(index);
        Ok(())
    }

    fn integration_gone(&self, job: u64, error: &HttpError) -> Problem {
        self.problem(
            Cause::Incomplete,
            format_args!(
                "the platform cannot tell the state of job {job}, since it fails to get one of its \
                 integrations: {error}"
            ),
        )
        .help(
            "if an integration was deleted during the run, correct `integrations`; then run the \
             gate again",
        )
    }

    /// Says once that a job probably hangs.
    fn hint_at(&mut self, index: usize) {
        let hanging = |watched: &&mut Watched| watched.hangs() && !watched.hint_given;
        if let Some(watched) = self.attempt.jobs.get_mut(index).filter(hanging) {
            watched.hint_given = true;
            let note = format!("job {} has been CREATED for long: {HANGS}", watched.member.job);
            self.session.progress.note(&format!("{}: {note}", self.place));
            self.part.notes.push(note);
        }
    }
}
