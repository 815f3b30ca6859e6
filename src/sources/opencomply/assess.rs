//! Whether the run that is relied on can be relied on, with all that has to be asked for that.

use super::api::{self, Halt, Step};
use super::counts::{self, ControlCount};
use super::trust::{self, Expected, Figures, Judged};
use super::wire::Status;
use super::worker::{Watched, Worker};
use crate::evidence::Role;
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};

/// A job whose result can be relied on.
#[derive(Debug)]
pub(super) struct Sound {
    pub job: u64,
    pub figures: Figures,
    pub counts: Vec<ControlCount>,
}

impl Sound {
    pub fn is_empty(&self) -> bool {
        self.figures.evaluated() == 0
    }
}

pub(super) enum Assessed {
    /// Every job of the run, in the order of the attempt.
    Sound(Vec<Sound>),
    /// Somebody else ended it before it was done; another one may do better.
    Lost(Lost),
    Unsound(Vec<Problem>),
}

/// How a run got lost.
pub(super) enum Lost {
    /// A later run deleted this job's runners.
    Superseded(u64),
    /// Who started this job, which we had joined, cancelled it.
    Cancelled(u64),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Superseded(job) => {
                write!(f, "job {job} lost its runners to a later run of the same framework")
            }
            Self::Cancelled(job) => write!(f, "job {job} was cancelled by who had started it"),
        }
    }
}

impl Worker<'_> {
    /// Judges the jobs of the attempt, all of which have ended.
    ///
    /// # Errors
    /// Only the stop signal: what else goes wrong is part of the judgement.
    pub async fn assess(&self) -> Step<Assessed> {
        let mut sound = Vec::new();
        let mut problems = Vec::new();
        let unseen = Status::default();
        let judged: Vec<_> = self
            .attempt
            .jobs
            .iter()
            .map(|watched| {
                let expected = Expected {
                    place: &self.place,
                    job: watched.member.job,
                    framework: &self.scope.framework,
                    integrations: &watched.member.integrations,
                };
                let status = watched.status.as_ref().unwrap_or(&unseen);
                (expected, trust::judge(expected, status))
            })
            .collect();
        problems.extend(self.unconfirmed());
        let superseded = judged.iter().find(|(_, judged)| *judged == Judged::Superseded);
        if let Some((expected, _)) = superseded {
            return Ok(Assessed::Lost(Lost::Superseded(expected.job)));
        }
        let cancelled =
            |job: &&Watched| job.status.as_ref().is_some_and(|status| status.state() == "CANCELED");
        let joined = self.attempt.role == Some(Role::Joined);
        if let Some(job) = self.attempt.jobs.iter().find(cancelled).filter(|_| joined) {
            return Ok(Assessed::Lost(Lost::Cancelled(job.member.job)));
        }
        for (expected, judged) in judged {
            match judged {
                Judged::Sound(figures) => match self.proven(expected, figures).await? {
                    Ok(proven) => sound.push(proven),
                    Err(problem) => problems.push(problem),
                },
                Judged::Unsound { problems: mut found, runners_to_blame } => {
                    if runners_to_blame && let Some(problem) = found.first_mut() {
                        self.name_runners(expected.job, problem).await?;
                    }
                    problems.extend(found);
                }
                Judged::Superseded => {}
            }
        }
        Ok(if problems.is_empty() { Assessed::Sound(sound) } else { Assessed::Unsound(problems) })
    }

    /// The jobs of which nobody has said what they are over: neither the answer that started them
    /// nor their status.
    fn unconfirmed(&self) -> impl Iterator<Item = Problem> {
        let silent =
            |job: &&Watched| job.status.as_ref().is_none_or(|status| status.integrations.is_none());
        let jobs = self.attempt.jobs.iter().filter(|_| self.attempt.unconfirmed).filter(silent);
        jobs.map(|job| {
            let what = format!("job {} does not say what it evaluated", job.member.job);
            self.problem(Cause::Incomplete, what)
        })
    }

    /// Adds the controls that were not evaluated to the sentence.
    async fn name_runners(&self, job: u64, problem: &mut Problem) -> Step<()> {
        let runners = match api::runners(&self.session.http, job).await {
            Err(error) => return only_stop(&error),
            Ok(runners) => runners,
        };
        if let Some(names) = trust::not_evaluated(&runners) {
            problem.message += &format!("; {names}");
        }
        Ok(())
    }

    /// Whether the report of a job that did not wait for all its results still agrees with what
    /// this job itself stored. What came too late is only in the findings listing; what an earlier
    /// job left behind is only in the report (fact sheet §3.2, §5.6).
    async fn all_stored(&self, expected: Expected<'_>, failed: u64) -> Step<Result<(), Problem>> {
        let stored = match api::stored_failures(&self.session.http, expected.job).await {
            Ok(stored) => stored,
            Err(error) => {
                only_stop(&error)?;
                return Ok(Err(api::problem(&error)));
            }
        };
        if stored.map(u64::try_from) == Some(Ok(failed)) {
            return Ok(Ok(()));
        }
        let stored = stored.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
        Ok(Err(expected
            .problem(
                Cause::Contradictory,
                format_args!(
                    "SUCCEEDED without waiting for all its results to be stored: the findings \
                     listing has {stored} failed results of this job where its status counts {failed}"
                ),
            )
            .help("run the gate again when the platform's search index is less busy")))
    }

    /// A job that looks sound, checked against what else the platform says of it.
    async fn proven(
        &self,
        expected: Expected<'_>,
        figures: Figures,
    ) -> Step<Result<Sound, Problem>> {
        let job = expected.job;
        if figures.sank_too_long
            && let Err(problem) = self.all_stored(expected, figures.failed).await?
        {
            return Ok(Err(problem));
        }
        let counts = match api::by_control(&self.session.http, job).await {
            Ok(Some(report)) => counts::recount(expected, &figures, report),
            Ok(None) if figures.evaluated() == 0 => Err(missing(expected)),
            Ok(None) => Err(expected.problem(
                Cause::Contradictory,
                format_args!(
                    "has no report, although its status counts {} checks",
                    figures.evaluated()
                ),
            )),
            Err(error) => {
                only_stop(&error)?;
                // Every job that succeeded has this report, and whoever may read its status may
                // read it (fact sheet §5.1): without it nothing recounts.
                Err(api::problem(&error))
            }
        };
        Ok(counts.map(|counts| Sound { job, figures, counts }))
    }
}

fn missing(expected: Expected<'_>) -> Problem {
    expected
        .problem(Cause::Incomplete, "SUCCEEDED, but there is no report of it")
        .help("run the gate again; if it stays, look at the summarizer on the platform")
}

/// The stop signal is passed on; every other error is the caller's to judge.
pub(super) fn only_stop(error: &HttpError) -> Step<()> {
    match error.failure {
        Failure::Stopped(reason) => Err(Halt::Stopped(reason)),
        _ => Ok(()),
    }
}
