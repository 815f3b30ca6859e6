//! Starting a run: once, and what to do when its answer is lost on the way.

use std::collections::BTreeSet;

use chrono::Utc;

use super::api::{self, Halt, Step};
use super::history::History;
use super::past::{Member, PastRun};
use super::wire::{Started, StartedJob};
use super::worker::{Attempt, Worker};
use crate::evidence::Role;
use crate::finding::{Cause, Problem};
use crate::http::Failure;
use crate::poll;
use crate::text;

/// Looks at the history for a run whose answer was lost.
const LOOKS: u32 = 3;

/// Requests to start that may be lost before giving up.
const SENDS: u32 = 2;

impl Worker<'_> {
    /// Starts a run. `newest` is the framework's highest job id before.
    ///
    /// `None`: look at the history anew. The request was lost and has left no trace, so that it may
    /// be sent again, an informed second try and not a blind one; or our run gave way to another.
    pub async fn start(&mut self, newest: u64) -> Step<Option<Attempt>> {
        self.progress("starting a run", "");
        let lost = match api::start(&self.session.http, &self.scope.framework, &self.wanted).await {
            Ok(answer) => {
                let attempt = self.accept(answer)?;
                let stays = !self.gives_way(newest, &attempt).await?;
                return Ok(stays.then_some(attempt));
            }
            // An answer that cannot be read says no more than none.
            Err(error)
                if matches!(error.failure, Failure::Unconfirmed(_) | Failure::Protocol(_)) =>
            {
                error
            }
            Err(error) => return Err(error.into()),
        };
        self.lost_starts += 1;
        if self.session.stop.reason().is_some() {
            self.part.notes.push(
                "the request to start a run was not answered before everything had to stop; a run \
                 may be under way on the platform"
                    .to_owned(),
            );
        }
        self.progress("looking for the run", "the answer to its start was lost");
        if let Some(attempt) = self.lost_run(newest).await? {
            return Ok(Some(attempt));
        }
        if self.lost_starts >= SENDS || matches!(lost.failure, Failure::Protocol(_)) {
            return Err(api::problem(&lost).into());
        }
        Ok(None)
    }

    /// Gives way to somebody who looked at the same moment as we did and started just before us.
    ///
    /// The platform has no lock (fact sheet §2.2), and two runs side by side overwrite each
    /// other's results. Job ids are an order that all see alike: the lowest stays, and whoever is
    /// behind it cancels, which costs nothing as long as nothing has run, and shares that one.
    async fn gives_way(&mut self, newest: u64, attempt: &Attempt) -> Step<bool> {
        let ours: Vec<_> = attempt.jobs.iter().map(|job| job.member.job).collect();
        let oldest = ours.iter().copied().min().unwrap_or_default();
        let history = match self.history().await {
            Ok(history) => history,
            Err(Halt::Stopped(reason)) => return Err(reason.into()),
            // The run is under way all the same, and watching it will tell what is wrong.
            Err(Halt::Troubles(_)) => return Ok(false),
        };
        let Some(rival) = history.rival(newest, oldest, Utc::now()) else { return Ok(false) };
        let Ok(answers) = api::cancel(&self.session.http, &ours).await else {
            // Cancelled or not: the history will tell.
            return Ok(true);
        };
        let cancelled = answers.iter().filter(|answer| answer.canceled == Some(true));
        let cancelled: Vec<_> = cancelled.filter_map(|answer| answer.job_id).collect();
        for id in &cancelled {
            self.unfinished.remove(&id.0);
        }
        if !cancelled.is_empty() {
            self.part.notes.push(format!(
                "{} gave way to job {}, which was started at the same moment",
                attempt.label(),
                rival.id
            ));
        }
        Ok(!cancelled.is_empty())
    }

    /// The jobs of the answer, if they cover what was asked for.
    fn accept(&mut self, answer: Started) -> Result<Attempt, Problem> {
        let jobs = answer.jobs.unwrap_or_default();
        self.unfinished.extend(jobs.iter().filter_map(|job| job.job_id).map(|id| id.0));
        if jobs.is_empty() {
            return Err(self
                .problem(
                    Cause::Invalid,
                    "the platform started nothing: none of these integrations matched",
                )
                .help("check `integrations` against `compliance-gate list integrations`"));
        }
        let mut members = self.members(jobs)?;
        // One job that does not say what it is over can only be over all that was asked for; its
        // status has to confirm that.
        let unnamed = |member: &Member| member.integrations.is_empty();
        if let [only] = &mut *members
            && unnamed(only)
        {
            only.integrations.clone_from(&self.wanted);
            return Ok(Attempt { unconfirmed: true, ..Attempt::new(Role::Started, members) });
        }
        let covered: BTreeSet<_> =
            members.iter().flat_map(|member| member.integrations.iter().cloned()).collect();
        self.check_coverage(&covered, "the platform started a run")?;
        Ok(Attempt::new(Role::Started, members))
    }

    fn members(&self, jobs: Vec<StartedJob>) -> Result<Vec<Member>, Problem> {
        let mut members: Vec<Member> = Vec::new();
        for job in jobs {
            let Some(id) = job.job_id.map(|id| id.0).filter(|id| *id > 0) else {
                return Err(self.problem(Cause::Protocol, "a started job has no `job_id`"));
            };
            let framework = job.benchmark_id.as_deref().unwrap_or(&self.scope.framework);
            if !framework.eq_ignore_ascii_case(&self.scope.framework) {
                return Err(self.problem(
                    Cause::Contradictory,
                    format_args!(
                        "the platform started job {id} for framework `{}` instead",
                        text::one_line(framework, 100)
                    ),
                ));
            }
            let integrations = job.integration_info.unwrap_or_default();
            let integrations = integrations.into_iter().filter_map(|one| one.integration_id);
            match members.iter_mut().find(|member| member.job == id) {
                Some(member) => member.integrations.extend(integrations),
                None => members.push(Member { job: id, integrations: integrations.collect() }),
            }
        }
        Ok(members)
    }

    fn check_coverage(&self, covered: &BTreeSet<String>, what: &str) -> Result<(), Problem> {
        let named = |ids: BTreeSet<&String>| {
            let labels: Vec<_> = ids.into_iter().map(|id| self.scope.label(id)).collect();
            text::one_line(&labels.join(", "), 600)
        };
        let missing: BTreeSet<_> = self.wanted.difference(covered).collect();
        if !missing.is_empty() {
            return Err(self
                .problem(Cause::Incomplete, format_args!("{what} without {}", named(missing)))
                .help(
                    "run the gate again; if it stays, look at those integrations on the platform",
                ));
        }
        let extra: BTreeSet<_> = covered.difference(&self.wanted).collect();
        if !extra.is_empty() {
            return Err(self.problem(
                Cause::Contradictory,
                format_args!("{what} also over {}, which was not asked for", named(extra)),
            ));
        }
        Ok(())
    }

    /// Looks for the run that a lost request may have started.
    async fn lost_run(&mut self, newest: u64) -> Step<Option<Attempt>> {
        let mut history = History::default();
        for _ in 0..LOOKS {
            poll::pause(&self.session.stop, self.settings.interval).await?;
            history = self.history().await?;
            let runs = history.runs(&self.wanted);
            let new: Vec<_> = runs.into_iter().filter(|run| run.is_after(newest)).collect();
            if let Some(run) = new.first() {
                // Of several equal ones nobody can tell which is ours, and none may be cancelled.
                let role = if new.len() == 1 { self.role_in(run).await? } else { Role::Joined };
                let attempt = Attempt::new(role, run.members());
                self.part.notes.push(format!(
                    "{} was found in the history after the answer to its start was lost",
                    attempt.label()
                ));
                return Ok(Some(attempt));
            }
        }
        // A run of several jobs may have been cut short (fact sheet §2.2).
        let covered = history.covered_after(newest, &self.wanted);
        if !covered.is_empty() {
            let what = "the answer to the start was lost, and the platform started a run";
            self.check_coverage(&covered, what)?;
        }
        Ok(None)
    }

    /// Whether we started a run, or somebody else did.
    async fn role_in(&mut self, run: &PastRun) -> Step<Role> {
        for member in run.members() {
            let status = api::status(&self.session.http, member.job).await?;
            let creator = status.created_by.unwrap_or_default();
            if !is_us(&creator, self.plan.me.username.as_deref(), self.plan.me.email.as_deref()) {
                return Ok(Role::Joined);
            }
        }
        self.unfinished.extend(run.jobs.iter().filter(|job| !job.is_over()).map(|job| job.id));
        Ok(Role::Started)
    }
}

/// Whether a job's creator, such as `local|a@b.c`, is the user of the token.
fn is_us(creator: &str, username: Option<&str>, email: Option<&str>) -> bool {
    let bare = creator.split_once('|').map_or(creator, |(_, bare)| bare);
    [username, email]
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .any(|name| name.eq_ignore_ascii_case(creator) || name.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_is_us_by_email_or_username() {
        for (creator, expected) in [
            ("local|ci@example.com", true),
            ("LOCAL|CI@example.com", true),
            ("ci@example.com", true),
            ("local|ci-user", true),
            ("local|other@example.com", false),
            ("scheduler", false),
            ("", false),
        ] {
            let us = is_us(creator, Some("ci-user"), Some("ci@example.com"));
            assert_eq!(us, expected, "{creator}");
        }
        assert!(!is_us("", Some(""), None));
    }
}
