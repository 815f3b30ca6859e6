//! Runs are shared: starting one deletes the runners of an unfinished run of the same framework
//! (fact sheet §2.4). So an equal run is joined, another one is waited for, a recent one may be
//! used again, and only then a new one is started.

use std::time::Duration;

use chrono::Utc;

use super::api::{self, Halt, Step};
use super::assess::{Assessed, Sound};
use super::history::{Advice, History, Past, PastRun};
use super::worker::{Attempt, Worker};
use crate::evidence::Role;
use crate::finding::{Cause, Trouble};
use crate::http::Failure;
use crate::poll;

/// Bounds of the span of the random moment before the history is looked at.
const SHORTEST_SPAN: Duration = Duration::from_millis(500);
const LONGEST_SPAN: Duration = Duration::from_secs(3);

/// Earlier runs that are tried, newest first.
const TRIED: usize = 5;

/// How to come by a result.
pub(super) enum Way {
    Reuse(Vec<Sound>),
    RelyOn(Attempt),
}

impl Worker<'_> {
    /// Finds a run to rely on, and starts one if there is none. With a `max_age`, one that ended
    /// less than that ago will do.
    pub async fn way(&mut self, max_age: Option<Duration>) -> Step<Way> {
        loop {
            if let Some(max_age) = max_age {
                let history = self.history().await?;
                let recent = self.reusable(&history, Some(max_age), &mut Vec::new()).await?;
                // An empty result may be what a new run would mend.
                if let Some(sound) = recent.filter(|sound| sound.iter().all(|one| !one.is_empty()))
                {
                    return Ok(Way::Reuse(sound));
                }
                self.attempt = Attempt::default();
            }
            self.random_moment().await?;
            let history = self.history().await?;
            match history.advice(&self.wanted, Utc::now()) {
                Advice::Join(run) => return Ok(Way::RelyOn(self.join(&run))),
                Advice::WaitFor(job) => self.wait_while_busy(job).await?,
                Advice::Start => {
                    if let Some(attempt) = self.start(history.newest()).await? {
                        return Ok(Way::RelyOn(attempt));
                    }
                }
            }
        }
    }

    pub async fn history(&self) -> Step<History> {
        let framework = &self.scope.framework;
        let items = api::history(&self.run.http, framework).await?;
        Ok(History::read(items, framework))
    }

    /// The platform has no lock and checks for no conflict (fact sheet §2.2): two gates that look
    /// at the same instant both see that nothing runs, and both start. So each looks at a moment of
    /// its own, which makes that rare; what is left, `gives_way` settles.
    async fn random_moment(&self) -> Step<()> {
        let span = self.settings.interval.min(LONGEST_SPAN).max(SHORTEST_SPAN);
        Ok(poll::moment(&self.run.stop, span).await?)
    }

    fn join(&mut self, run: &PastRun) -> Attempt {
        let attempt = Attempt::new(Role::Joined, run.members());
        self.progress(&format!("joined {}", attempt.label()), "");
        attempt
    }

    /// Waits while somebody else's run over other integrations is under way.
    async fn wait_while_busy(&mut self, first: Past) -> Step<()> {
        let (run, interval) = (self.run, self.settings.interval);
        let mut job = first;
        let mut whose = self.owner(&job).await;
        let shown = |job: &Past, whose: &str| {
            format!("waiting for job {} of {whose}, over other integrations", job.id)
        };
        self.progress(&shown(&job, &whose), &job.state);
        poll::pause(&run.stop, interval).await?;
        poll::until(&run.stop, interval, async || {
            let Advice::WaitFor(other) = self.history().await?.advice(&self.wanted, Utc::now())
            else {
                return Ok(Some(()));
            };
            if other.id != job.id {
                whose = self.owner(&other).await;
            }
            job = other;
            self.progress(&shown(&job, &whose), &job.state);
            Ok::<_, Halt>(None)
        })
        .await
    }

    /// Who started a job, for people only.
    async fn owner(&self, job: &Past) -> String {
        let status = api::status(&self.run.http, job.id).await.ok();
        let owner = status.and_then(|status| status.created_by).filter(|owner| !owner.is_empty());
        owner.unwrap_or_else(|| "somebody else".to_owned())
    }

    /// A run that was started after this job, over the same integrations, that may still bring a
    /// result.
    pub async fn newer_than(&mut self, job: u64) -> Step<Option<Attempt>> {
        let runs = self.history().await?.runs(&self.wanted);
        let usable = |run: &PastRun| {
            run.is_after(job)
                && run.jobs.iter().all(|job| !job.is_over() || job.state == "SUCCEEDED")
        };
        Ok(runs.into_iter().find(usable).map(|run| self.join(&run)))
    }

    /// The result of a run that others started; nothing is started here.
    pub async fn existing(&mut self, max_age: Option<Duration>) -> Step<Vec<Sound>> {
        let history = self.history().await?;
        let mut refusals = Vec::new();
        if let Some(sound) = self.reusable(&history, max_age, &mut refusals).await? {
            self.part.notes.extend(refusals.into_iter().map(|why| format!("not used: {why}")));
            return Ok(sound);
        }
        if let Some(run) = history.runs(&self.wanted).into_iter().find(|run| !run.is_over()) {
            let attempt = self.join(&run);
            self.watch(attempt).await?;
            return match self.assess().await? {
                Assessed::Sound(sound) => Ok(sound),
                Assessed::Unsound(troubles) => Err(Halt::Troubles(troubles)),
                Assessed::Lost(lost) => Err(self.no_end(Some(&lost)).into()),
            };
        }
        let looked_at = match &*refusals {
            [] => "the history shows none".to_owned(),
            refusals => refusals.join("; "),
        };
        Err(self
            .trouble(
                Cause::Incomplete,
                format_args!(
                    "there is no run over exactly these integrations to rely on, and `run: {{when: \
                     never}}` starts none: {looked_at}"
                ),
            )
            .help("start a run on the platform, or let the gate do it with `run: {when: always}`")
            .into())
    }

    /// The newest finished run whose result can be relied on; why the others cannot goes to
    /// `refusals`.
    async fn reusable(
        &mut self,
        history: &History,
        max_age: Option<Duration>,
        refusals: &mut Vec<String>,
    ) -> Step<Option<Vec<Sound>>> {
        let over = history.runs(&self.wanted).into_iter().filter(PastRun::is_over);
        for run in over.take(TRIED) {
            let attempt = Attempt::new(Role::Reused, run.members());
            let label = attempt.label();
            match self.tried(&run, attempt, max_age).await? {
                Ok(sound) => {
                    self.progress(&format!("relies on {label}"), "which had ended before");
                    return Ok(Some(sound));
                }
                Err(why) => refusals.push(format!("{label} {why}")),
            }
            self.attempt = Attempt::default();
        }
        Ok(None)
    }

    /// The result of an earlier run, or why it is of no use.
    async fn tried(
        &mut self,
        run: &PastRun,
        attempt: Attempt,
        max_age: Option<Duration>,
    ) -> Step<Result<Vec<Sound>, String>> {
        if let Some(job) = run.jobs.iter().find(|job| job.state != "SUCCEEDED") {
            return Ok(Err(format!("ended as {}", job.state)));
        }
        let touched = run.jobs.iter().filter_map(|job| job.updated_at).min();
        if let Some(why) = touched.and_then(|ended| too_old(ended, max_age)) {
            return Ok(Err(why));
        }
        self.attempt = attempt;
        for member in run.members() {
            match api::status(&self.run.http, member.job).await {
                Ok(status) if status.job_id.is_some_and(|id| id.0 == member.job) => {
                    self.saw(member.job, status);
                }
                Ok(_) => return Ok(Err("is not known any more".to_owned())),
                Err(error) => match error.failure {
                    Failure::Refused { .. } | Failure::Protocol(_) => {
                        return Ok(Err(format!("cannot be read: {error}")));
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        // Without an end it might be of any age.
        match (self.as_of(), max_age) {
            (None, Some(_)) => return Ok(Err("does not tell when it ended".to_owned())),
            (Some(ended), _) => {
                if let Some(why) = too_old(ended, max_age) {
                    return Ok(Err(why));
                }
            }
            (None, None) => {}
        }
        Ok(match self.assess().await? {
            Assessed::Sound(sound) => Ok(sound),
            Assessed::Lost(lost) => Err(format!("cannot be relied on ({lost})")),
            Assessed::Unsound(troubles) => Err(first_words(&troubles)),
        })
    }
}

fn first_words(troubles: &[Trouble]) -> String {
    let first = troubles.first().map_or("cannot be relied on", |trouble| &*trouble.message);
    format!("cannot be relied on ({first})")
}

fn too_old(ended: chrono::DateTime<Utc>, max_age: Option<Duration>) -> Option<String> {
    // An end in the future is of a clock that is ahead, and as fresh as can be.
    let age = (Utc::now() - ended).to_std().unwrap_or_default();
    let max_age = max_age.filter(|max_age| age > *max_age)?;
    Some(format!(
        "ended {} ago, which is more than the run.max_age of {}",
        humantime::format_duration(Duration::from_secs(age.as_secs())),
        humantime::format_duration(max_age)
    ))
}
