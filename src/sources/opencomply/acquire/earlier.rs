//! Relying on a run that has ended before: the newest one that says anything about compliance.
//!
//! A run that was cancelled, that lost its runners to a later one, or that covered an integration
//! that was deleted says nothing, and an older one may serve instead. Any other run that cannot be
//! relied on is what the platform knows last: to use an older success instead of a failure would be
//! to choose the evidence. A run over more integrations is used only where it is sound, since what
//! is wrong with it may be wrong with the others.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Acquirer;
use super::history::History;
use super::past::PastRun;
use crate::evidence::{MOST_AHEAD, Role};
use crate::finding::{Cause, Problem};
use crate::http::Failure;
use crate::sources::opencomply::api::{self, Halt, Step};
use crate::sources::opencomply::examine::{self, Examined, Rejected, Sound};
use crate::sources::opencomply::framework::{EndedRun, Run, RunOutcome, Task, watch_and_examine};
use crate::sources::opencomply::journal::{FOR_PROOF, Journal, patiently};
use crate::text;

/// Runs that say nothing and are skipped, newest first.
const MOST_SKIPPED: usize = 20;

/// Of those, so many are named.
const NAMED: usize = 5;

const START_ONE: &str =
    "start a run on the platform, or let the gate do it with `run: {when: always}`";

/// What there is from before.
pub(super) enum Earlier {
    Sound(Box<Sound>),
    /// The newest run that says anything cannot be relied on.
    Unfit {
        newest: u64,
        rejected: Rejected,
    },
    /// There is no run that says anything; why those that were looked at do not.
    None(Vec<String>),
}

/// What one run says.
enum RunFitness {
    Sound(Box<Sound>),
    Unfit(Rejected),
    Nothing(String),
}

impl Acquirer<'_> {
    /// The result of a run that others started; nothing is started here.
    pub(crate) async fn existing(
        &mut self,
        journal: &mut Journal,
        max_age: Option<Duration>,
    ) -> Step<RunOutcome> {
        let mut history = self.history(journal).await?;
        let still = self.still(&history).await?;
        let under_way = history.under_way(&self.task.wanted, &still).into_iter().next();
        let earlier = self.earlier(journal, &mut history, max_age).await?;
        let newest = match &earlier {
            Earlier::Sound(sound) => return Ok(RunOutcome::Sound(sound.clone())),
            Earlier::Unfit { newest, .. } => *newest,
            Earlier::None(_) => 0,
        };
        if let Some(past) = under_way.filter(|past| past.is_after(newest))
            && let Some(run) = self.join(journal, &past).await?
        {
            return watch_and_examine(self.task, journal, run).await;
        }
        match earlier {
            Earlier::Sound(sound) => Ok(RunOutcome::Sound(sound)),
            Earlier::Unfit { newest, rejected } => {
                journal.note(format!(
                    "job {newest} is of the newest run over these integrations; no older one is \
                     used in its place"
                ));
                Ok(RunOutcome::Rejected(rejected))
            }
            Earlier::None(skipped) => {
                journal.forget_jobs();
                Err(none_to_rely_on(self.task, &history, &skipped).into())
            }
        }
    }

    /// The newest finished run that says anything, as far back as the history goes.
    pub(super) async fn earlier(
        &mut self,
        journal: &mut Journal,
        history: &mut History,
        max_age: Option<Duration>,
    ) -> Step<Earlier> {
        let mut skipped = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let finished = history.finished(&self.task.wanted).into_iter();
            for past in finished.filter(|past| !seen.contains(&past.newest())).collect::<Vec<_>>() {
                let newest = past.newest();
                seen.insert(newest);
                match said(self.task, journal, &past, max_age).await? {
                    RunFitness::Sound(sound) => {
                        let label = sound.ended.run.label();
                        journal.progress(
                            self.task,
                            &format!("relies on {label}"),
                            "which had ended before",
                        );
                        for why in skipped {
                            journal.note(format!("not used: {why}"));
                        }
                        return Ok(Earlier::Sound(sound));
                    }
                    RunFitness::Unfit(rejected) => return Ok(Earlier::Unfit { newest, rejected }),
                    RunFitness::Nothing(why) => skipped.push(why),
                }
                if skipped.len() == MOST_SKIPPED {
                    return Ok(Earlier::None(skipped));
                }
            }
            if !self.read_on(journal, history, max_age).await? {
                return Ok(Earlier::None(skipped));
            }
        }
    }
}

async fn said(
    task: &Task<'_>,
    journal: &mut Journal,
    past: &PastRun,
    max_age: Option<Duration>,
) -> Step<RunFitness> {
    let run = Run::new(Role::Reused, past.members());
    let covers_more = run.jobs.iter().any(|member| !member.integrations.is_subset(&task.wanted));
    let label = run.label();
    let said = said_of_run(task, journal, past, run, max_age).await?;
    Ok(match said {
        RunFitness::Unfit(rejected) if covers_more => {
            let why = rejected.problems.first().map_or("", |problem| &*problem.message);
            let why = text::one_line(why.trim_start_matches(&*task.place), 300);
            RunFitness::Nothing(format!("{label}, over more integrations{why}"))
        }
        other => other,
    })
}

async fn said_of_run(
    task: &Task<'_>,
    journal: &mut Journal,
    past: &PastRun,
    run: Run,
    max_age: Option<Duration>,
) -> Step<RunFitness> {
    let label = run.label();
    // With a job in it that failed by itself, a run says more than nothing.
    let failed = past.jobs.iter().any(|job| !["CANCELED", "SUCCEEDED"].contains(&&*job.state));
    if !failed && past.jobs.iter().any(|job| job.state == "CANCELED") {
        return Ok(RunFitness::Nothing(format!("{label} was cancelled")));
    }
    let touched = past.jobs.iter().filter_map(|job| job.updated_at).min();
    if let Some(why) = touched.and_then(|ended| too_old(task.now(), ended, max_age)) {
        return Ok(unfit(task, &label, &why));
    }
    let ended = match statuses(task, journal, run).await? {
        Ok(ended) => ended,
        Err(said) => return Ok(said),
    };
    journal.saw(&ended.run, &ended.statuses.iter().map(Some).collect::<Vec<_>>());
    // Without an end it might be of any age.
    let age = match (ended.as_of(), max_age) {
        (None, Some(_)) => Some("does not say when it ended".to_owned()),
        (end, _) => end.and_then(|end| too_old(task.now(), end, max_age)),
    };
    if let Some(why) = age {
        return Ok(unfit(task, &label, &why));
    }
    Ok(match examine::examine(task, journal, ended).await? {
        Examined::Sound(sound) => RunFitness::Sound(sound),
        Examined::Lost(lost) if failed => {
            unfit(task, &label, &format!("did not all succeed, and {lost}"))
        }
        Examined::Lost(lost) => RunFitness::Nothing(lost.to_string()),
        Examined::Rejected(rejected) => RunFitness::Unfit(rejected),
    })
}

/// Looks up the jobs of a run, and says why one of them cannot be.
async fn statuses(
    task: &Task<'_>,
    journal: &mut Journal,
    run: Run,
) -> Step<Result<EndedRun, RunFitness>> {
    let mut statuses = Vec::new();
    for member in &run.jobs {
        let job = member.job;
        let ask = async || api::status(&task.session.http, job).await;
        match patiently(task, journal, FOR_PROOF, ask).await? {
            Ok(status) if status.job_id.is_some_and(|id| id.0 == job) => statuses.push(status),
            Ok(_) => {
                return Ok(Err(unfit(task, &format!("job {job}"), "is not known any more")));
            }
            // The history drops deleted integrations, so that it was not over those wanted.
            Err(error) if api::integration_is_gone(&error) => {
                let why = format!("job {job} also covered an integration that was deleted");
                return Ok(Err(RunFitness::Nothing(why)));
            }
            Err(error) => match error.failure {
                Failure::Refused { .. } | Failure::Protocol(_) => {
                    return Ok(Err(RunFitness::Unfit(Rejected::of(api::problem(&error)))));
                }
                _ => return Err(Halt::from(error)),
            },
        }
    }
    Ok(Ok(EndedRun { run, statuses }))
}

fn unfit(task: &Task<'_>, label: &str, why: &str) -> RunFitness {
    let problem = task.problem(Cause::Incomplete, format!("{label} {why}")).help(START_ONE);
    RunFitness::Unfit(Rejected::of(problem))
}

fn none_to_rely_on(task: &Task<'_>, history: &History, skipped: &[String]) -> Problem {
    let looked_at = match skipped {
        [] => format!("{} none", history.shows()),
        skipped => text::listed(skipped, "; ", NAMED),
    };
    task.problem(
        Cause::Incomplete,
        format_args!(
            "there is no run over these integrations to rely on, and `run: {{when: never}}` starts \
             none: {looked_at}"
        ),
    )
    .help(START_ONE)
}

fn too_old(now: DateTime<Utc>, ended: DateTime<Utc>, max_age: Option<Duration>) -> Option<String> {
    let max_age = max_age?;
    let age = now - ended;
    if age < -MOST_AHEAD {
        return Some(format!("is dated in the future ({ended})"));
    }
    // A little ahead is as fresh as can be.
    let age = age.to_std().unwrap_or_default();
    if age <= max_age {
        return None;
    }
    Some(format!(
        "ended {} ago, which is more than the run.max_age of {}",
        humantime::format_duration(Duration::from_secs(age.as_secs())),
        humantime::format_duration(max_age)
    ))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_run_dated_in_the_future_is_not_fresh() {
        let hour = Some(Duration::from_secs(3600));
        for (hours_ago, max_age, usable) in [
            (0, hour, true),
            (2, hour, false),
            (2, None, true),
            (-13, hour, true),
            (-15, hour, false),
            (-15, None, true),
        ] {
            let now = Utc::now();
            let ended = now - TimeDelta::hours(hours_ago);
            assert_eq!(too_old(now, ended, max_age).is_none(), usable, "{hours_ago} {max_age:?}");
        }
    }
}
