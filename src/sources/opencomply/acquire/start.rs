//! Starting a run: once, and what to do when its answer is lost on the way.

use std::collections::BTreeSet;

use super::Acquirer;
use super::history::History;
use super::past::PastRun;
use crate::evidence::Role;
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};
use crate::poll;
use crate::sources::opencomply::api::{self, Halt, Step};
use crate::sources::opencomply::cancel;
use crate::sources::opencomply::framework::{Member, Run, Task};
use crate::sources::opencomply::journal::Journal;
use crate::sources::opencomply::wire::{Started, StartedJob};
use crate::text;

/// Looks at the history for a run whose answer was lost.
const LOOKS: u32 = 3;

/// Requests to start that may be lost before giving up.
const SENDS: u32 = 2;

impl Acquirer<'_> {
    /// Starts a run. `newest` is the framework's highest job id before.
    ///
    /// `None`: look at the history anew. The request was lost and has left no trace, so that it may
    /// be sent again, an informed second try and not a blind one; or our run gave way to another.
    pub(super) async fn start(&mut self, journal: &mut Journal, newest: u64) -> Step<Option<Run>> {
        let task = self.task;
        // A run call that matches nothing starts nothing, and still deletes the newest run's
        // runners (docs/platforms/opencomply.md#runs-that-interfere).
        if task.wanted.is_empty() {
            return Err(started_nothing(task).into());
        }
        journal.progress(task, "starting a run", "");
        self.patient = true;
        let http = &task.session.http;
        let lost = match api::start(http, &task.scope.framework, &task.wanted).await {
            Ok(answer) => {
                let jobs = answer.jobs.iter().flatten().filter_map(|job| job.job_id);
                journal.unfinished.extend(jobs.map(|id| id.0));
                let run = accept(task, answer)?;
                let stays = !self.gives_way(journal, newest, &run).await?;
                return Ok(stays.then_some(run));
            }
            Err(error) if may_be_carried_out(&error) => error,
            Err(error) => return Err(error.into()),
        };
        self.lost_starts += 1;
        if task.session.stop.reason().is_some() {
            journal.note(
                "the request to start a run was not answered before everything had to stop; a run \
                 may be under way on the platform"
                    .to_owned(),
            );
        }
        journal.progress(task, "looking for the run", "the answer to its start was lost");
        if let Some(run) = self.lost_run(journal, newest).await? {
            return Ok(Some(run));
        }
        if self.lost_starts >= SENDS || !matches!(lost.failure, Failure::Unconfirmed(_)) {
            return Err(api::problem(&lost).into());
        }
        Ok(None)
    }

    /// Gives way to another user who looked at the same moment as we did and started just before
    /// us.
    ///
    /// The platform has no lock (docs/platforms/opencomply.md#errors-of-a-start), and two runs side
    /// by side overwrite each other's results. Job ids are an order that all see alike: the lowest
    /// stays, and the gate behind it cancels, which costs nothing as long as nothing has run, and
    /// shares that one.
    async fn gives_way(&mut self, journal: &mut Journal, newest: u64, run: &Run) -> Step<bool> {
        let task = self.task;
        let http = &task.session.http;
        let ours: Vec<_> = run.jobs.iter().map(|member| member.job).collect();
        let oldest = ours.iter().copied().min().unwrap_or_default();
        let history = match self.history(journal).await {
            Ok(history) => history,
            Err(Halt::Stopped(reason)) => return Err(reason.into()),
            // The run is under way all the same, and watching it will show what is wrong.
            Err(Halt::Problems(_)) => return Ok(false),
        };
        let Some(rival) = history.rival(newest, oldest, task.now()) else { return Ok(false) };
        for job in &ours {
            if cancel::unstarted(http, *job).await.is_err() {
                return Ok(false);
            }
        }
        let Ok(answers) = api::cancel(http, &ours).await else {
            // The history will show whether it was cancelled.
            return Ok(true);
        };
        let cancelled = answers.iter().filter(|answer| answer.canceled == Some(true));
        let cancelled: Vec<_> = cancelled.filter_map(|answer| answer.job_id).collect();
        for id in &cancelled {
            journal.unfinished.remove(&id.0);
        }
        if !cancelled.is_empty() {
            journal.note(format!(
                "{} gave way to job {}, which was started at the same moment",
                run.label(),
                rival.id
            ));
        }
        Ok(!cancelled.is_empty())
    }

    /// Looks for the run that a lost request may have started.
    async fn lost_run(&mut self, journal: &mut Journal, newest: u64) -> Step<Option<Run>> {
        let task = self.task;
        let mut history = History::default();
        for _ in 0..LOOKS {
            poll::pause(&task.session.stop, task.settings.interval).await?;
            history = self.history(journal).await?;
            let runs = history.runs(&task.wanted);
            let new: Vec<_> = runs.into_iter().filter(|run| run.is_after(newest)).collect();
            if let Some(past) = new.first() {
                // Of several equal ones it is not known which is ours, and none may be cancelled.
                let role =
                    if new.len() == 1 { self.role_in(journal, past).await? } else { Role::Joined };
                let run = Run::new(role, past.members());
                journal.note(format!(
                    "{} was found in the history after the answer to its start was lost",
                    run.label()
                ));
                return Ok(Some(run));
            }
        }
        // A run of several jobs may have been cut short (docs/platforms/opencomply.md#errors-of-a-start).
        let covered = history.covered_after(newest, &task.wanted);
        if !covered.is_empty() {
            let what = "the answer to the start was lost, and the platform started a run";
            check_coverage(task, &covered, what)?;
        }
        Ok(None)
    }

    /// Whether we started a run, or another user did.
    async fn role_in(&self, journal: &mut Journal, past: &PastRun) -> Step<Role> {
        let task = self.task;
        for member in past.members() {
            let status = api::status(&task.session.http, member.job).await?;
            let creator = status.created_by.unwrap_or_default();
            if !is_us(&creator, task.me.username.as_deref(), task.me.email.as_deref()) {
                return Ok(Role::Joined);
            }
        }
        journal.unfinished.extend(past.jobs.iter().filter(|job| !job.is_over()).map(|job| job.id));
        Ok(Role::Started)
    }
}

/// Whether the platform may have carried out a command in spite of this failure: an answer that
/// cannot be read says no more than none, and neither does a status that a gateway made up.
fn may_be_carried_out(error: &HttpError) -> bool {
    match &error.failure {
        Failure::Unconfirmed(_) | Failure::Protocol(_) => true,
        Failure::Refused { status, .. } => *status >= 500,
        _ => false,
    }
}

fn started_nothing(task: &Task<'_>) -> Problem {
    task.problem(Cause::Invalid, "the platform started nothing: none of these integrations matched")
        .help("check `integrations` against `compliance-gate list integrations`")
}

/// The jobs of the answer, if they cover what was asked for.
fn accept(task: &Task<'_>, answer: Started) -> Result<Run, Problem> {
    let jobs = answer.jobs.unwrap_or_default();
    if jobs.is_empty() {
        return Err(started_nothing(task));
    }
    let mut members = members(task, jobs)?;
    // One job that does not say what it is over can only be over all that was asked for; its
    // status has to confirm that.
    let unnamed = |member: &Member| member.integrations.is_empty();
    if let [only] = &mut *members
        && unnamed(only)
    {
        only.integrations.clone_from(&task.wanted);
        return Ok(Run { unconfirmed: true, ..Run::new(Role::Started, members) });
    }
    let covered: BTreeSet<_> =
        members.iter().flat_map(|member| member.integrations.iter().cloned()).collect();
    check_coverage(task, &covered, "the platform started a run")?;
    Ok(Run::new(Role::Started, members))
}

fn members(task: &Task<'_>, jobs: Vec<StartedJob>) -> Result<Vec<Member>, Problem> {
    let mut members: Vec<Member> = Vec::new();
    for job in jobs {
        let Some(id) = job.job_id.map(|id| id.0).filter(|id| *id > 0) else {
            return Err(task.problem(Cause::Protocol, "a started job has no `job_id`"));
        };
        let framework = job.benchmark_id.as_deref().unwrap_or(&task.scope.framework);
        if !framework.eq_ignore_ascii_case(&task.scope.framework) {
            return Err(task.problem(
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

fn check_coverage(task: &Task<'_>, covered: &BTreeSet<String>, what: &str) -> Result<(), Problem> {
    let named = |ids: BTreeSet<&String>| {
        let labels: Vec<_> = ids.into_iter().map(|id| task.scope.label(id)).collect();
        text::one_line(&labels.join(", "), 600)
    };
    let missing: BTreeSet<_> = task.wanted.difference(covered).collect();
    if !missing.is_empty() {
        return Err(task
            .problem(Cause::Incomplete, format_args!("{what} without {}", named(missing)))
            .help(
                "run the gate again; if this keeps happening, look at those integrations on the \
                 platform",
            ));
    }
    let extra: BTreeSet<_> = covered.difference(&task.wanted).collect();
    if !extra.is_empty() {
        return Err(task.problem(
            Cause::Contradictory,
            format_args!("{what} also over {}, which was not asked for", named(extra)),
        ));
    }
    Ok(())
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
