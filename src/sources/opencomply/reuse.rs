//! Relying on a run that has ended before: the newest one that says anything about compliance.
//!
//! A run that was cancelled, or that lost its runners to a later one, says nothing, and an older
//! one may stand for it. Any other run that cannot be relied on is what the platform knows last:
//! to go back behind a failure to an older success would be to choose the evidence.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::api::{self, Halt, Step};
use super::assess::{Assessed, Sound};
use super::history::History;
use super::past::{Member, PastRun};
use super::worker::{Attempt, Worker};
use crate::evidence::{MOST_AHEAD, Role};
use crate::finding::{Cause, Problem};
use crate::http::Failure;

/// Runs that say nothing and are looked past, newest first.
const LOOKED_PAST: usize = 20;

/// Of those, so many are named.
const NAMED: usize = 5;

const START_ONE: &str =
    "start a run on the platform, or let the gate do it with `run: {when: always}`";

/// What there is from before.
pub(super) enum Earlier {
    Sound(Vec<Sound>),
    /// The newest run that says anything cannot be relied on.
    Unfit {
        newest: u64,
        problems: Vec<Problem>,
    },
    /// There is no run that says anything; why those that were looked at do not.
    None(Vec<String>),
}

/// What one run says.
enum Says {
    Sound(Vec<Sound>),
    Unfit(Vec<Problem>),
    Nothing(String),
}

impl Worker<'_> {
    /// The result of a run that others started; nothing is started here.
    pub async fn existing(&mut self, max_age: Option<Duration>) -> Step<Vec<Sound>> {
        let mut history = self.history().await?;
        let under_way = history.under_way(&self.wanted, Utc::now()).into_iter().next();
        match (self.earlier(&mut history, max_age).await?, under_way) {
            (Earlier::Sound(sound), _) => Ok(sound),
            (Earlier::None(_), Some(run)) => self.join_and_wait(&run).await,
            (Earlier::Unfit { newest, .. }, Some(run)) if run.is_after(newest) => {
                self.join_and_wait(&run).await
            }
            (Earlier::Unfit { newest, problems }, _) => {
                self.part.notes.push(format!(
                    "job {newest} is of the newest run over these integrations; no older one is \
                     used in its place"
                ));
                Err(Halt::Troubles(problems))
            }
            (Earlier::None(looked_past), None) => {
                Err(self.none_to_rely_on(&history, &looked_past).into())
            }
        }
    }

    async fn join_and_wait(&mut self, run: &PastRun) -> Step<Vec<Sound>> {
        let attempt = self.join(run);
        self.watch(attempt).await?;
        match self.assess().await? {
            Assessed::Sound(sound) => Ok(sound),
            Assessed::Unsound(problems) => Err(Halt::Troubles(problems)),
            Assessed::Lost(lost) => Err(self.no_end(Some(&lost)).into()),
        }
    }

    fn none_to_rely_on(&self, history: &History, looked_past: &[String]) -> Problem {
        let mut named: Vec<_> = looked_past.iter().take(NAMED).cloned().collect();
        if looked_past.len() > NAMED {
            named.push(format!("and {} more", looked_past.len() - NAMED));
        }
        let looked_at = match &*named {
            [] => format!("{} none", history.shows()),
            named => named.join("; "),
        };
        self.problem(
            Cause::Incomplete,
            format_args!(
                "there is no run over exactly these integrations to rely on, and `run: {{when: \
                 never}}` starts none: {looked_at}"
            ),
        )
        .help(START_ONE)
    }

    /// The newest finished run that says anything, as far back as the history goes.
    pub async fn earlier(
        &mut self,
        history: &mut History,
        max_age: Option<Duration>,
    ) -> Step<Earlier> {
        let mut looked_past = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let over = history.runs(&self.wanted).into_iter().filter(PastRun::is_over);
            for run in over.filter(|run| !seen.contains(&run.newest())).collect::<Vec<_>>() {
                let newest = run.newest();
                seen.insert(newest);
                match self.says(&run, max_age).await? {
                    Says::Sound(sound) => {
                        let label = self.attempt.label();
                        self.progress(&format!("relies on {label}"), "which had ended before");
                        self.part
                            .notes
                            .extend(looked_past.iter().map(|why| format!("not used: {why}")));
                        return Ok(Earlier::Sound(sound));
                    }
                    Says::Unfit(problems) => return Ok(Earlier::Unfit { newest, problems }),
                    Says::Nothing(why) => looked_past.push(why),
                }
                self.attempt = Attempt::default();
                if looked_past.len() == LOOKED_PAST {
                    return Ok(Earlier::None(looked_past));
                }
            }
            if !self.read_on(history, max_age).await? {
                return Ok(Earlier::None(looked_past));
            }
        }
    }

    async fn says(&mut self, run: &PastRun, max_age: Option<Duration>) -> Step<Says> {
        let attempt = Attempt::new(Role::Reused, run.members());
        let label = attempt.label();
        // With a job in it that failed by itself, a run says more than nothing.
        let failed = run.jobs.iter().any(|job| !["CANCELED", "SUCCEEDED"].contains(&&*job.state));
        if !failed && run.jobs.iter().any(|job| job.state == "CANCELED") {
            return Ok(Says::Nothing(format!("{label} was cancelled")));
        }
        let touched = run.jobs.iter().filter_map(|job| job.updated_at).min();
        if let Some(why) = touched.and_then(|ended| too_old(ended, max_age)) {
            return Ok(self.unfit(&label, &why));
        }
        self.attempt = attempt;
        if let Some(unfit) = self.unreadable(run).await? {
            return Ok(unfit);
        }
        // Without an end it might be of any age.
        let age = match (self.as_of(), max_age) {
            (None, Some(_)) => Some("does not tell when it ended".to_owned()),
            (ended, _) => ended.and_then(|ended| too_old(ended, max_age)),
        };
        if let Some(why) = age {
            return Ok(self.unfit(&label, &why));
        }
        Ok(match self.assess().await? {
            Assessed::Sound(sound) => Says::Sound(sound),
            Assessed::Lost(lost) if failed => {
                self.unfit(&label, &format!("did not all succeed, and {lost}"))
            }
            Assessed::Lost(lost) => Says::Nothing(lost.to_string()),
            Assessed::Unsound(problems) => Says::Unfit(problems),
        })
    }

    /// Looks up the jobs of a run, and says which of them cannot be.
    async fn unreadable(&mut self, run: &PastRun) -> Step<Option<Says>> {
        for Member { job, .. } in run.members() {
            match api::status(&self.session.http, job).await {
                Ok(status) if status.job_id.is_some_and(|id| id.0 == job) => self.saw(job, status),
                Ok(_) => {
                    return Ok(Some(self.unfit(&format!("job {job}"), "is not known any more")));
                }
                Err(error) => match error.failure {
                    Failure::Refused { .. } | Failure::Protocol(_) => {
                        return Ok(Some(Says::Unfit(vec![api::problem(&error)])));
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(None)
    }

    fn unfit(&self, label: &str, why: &str) -> Says {
        let what = format!("{label} {why}");
        Says::Unfit(vec![self.problem(Cause::Incomplete, what).help(START_ONE)])
    }
}

fn too_old(ended: DateTime<Utc>, max_age: Option<Duration>) -> Option<String> {
    let max_age = max_age?;
    let age = Utc::now() - ended;
    if age < -MOST_AHEAD {
        return Some(format!("ended at {ended}, which is yet to come"));
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
    fn a_run_of_tomorrow_is_no_fresh_one() {
        let hour = Some(Duration::from_secs(3600));
        for (hours_ago, max_age, usable) in [
            (0, hour, true),
            (2, hour, false),
            (2, None, true),
            (-13, hour, true),
            (-15, hour, false),
            (-15, None, true),
        ] {
            let ended = Utc::now() - TimeDelta::hours(hours_ago);
            assert_eq!(too_old(ended, max_age).is_none(), usable, "{hours_ago} {max_age:?}");
        }
    }
}
