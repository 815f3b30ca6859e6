//! Runs are shared: starting one deletes the runners of an unfinished run of the same framework
//! (fact sheet §2.4). So an equal run is joined, another one is waited for, a recent one may be
//! used again, and only then a new one is started.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::api::{self, Halt, Step};
use super::assess::Sound;
use super::history::{Advice, History};
use super::past::{Past, PastRun};
use super::reuse::Earlier;
use super::worker::{Attempt, Worker};
use crate::evidence::Role;
use crate::poll;

/// Bounds of the span of the random moment before the history is looked at.
const SHORTEST_SPAN: Duration = Duration::from_millis(500);
const LONGEST_SPAN: Duration = Duration::from_secs(3);

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
                let recent = self.earlier(&mut self.history().await?, Some(max_age)).await?;
                // An empty result may be what a new run would mend.
                if let Earlier::Sound(sound) = recent
                    && sound.iter().all(|one| !one.is_empty())
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
                    self.note_remnants(&history);
                    if let Some(attempt) = self.start(history.newest()).await? {
                        return Ok(Way::RelyOn(attempt));
                    }
                }
            }
        }
    }

    pub async fn history(&self) -> Step<History> {
        let mut history = History::default();
        self.read_on(&mut history, None).await?;
        Ok(history)
    }

    /// Reads the next page of the history. `false`: there is none that is worth it.
    pub async fn read_on(&self, history: &mut History, max_age: Option<Duration>) -> Step<bool> {
        let since =
            max_age.and_then(|age| Utc::now().checked_sub_signed(TimeDelta::from_std(age).ok()?));
        let Some(page) = history.next_page(since) else { return Ok(false) };
        let framework = &self.scope.framework;
        history.add(api::history(&self.session.http, framework, page).await?, framework);
        Ok(true)
    }

    /// The platform has no lock and checks for no conflict (fact sheet §2.2): two gates that look
    /// at the same instant both see that nothing runs, and both start. So each looks at a moment of
    /// its own, which makes that rare; what is left, `gives_way` settles.
    async fn random_moment(&self) -> Step<()> {
        let span = self.settings.interval.min(LONGEST_SPAN).max(SHORTEST_SPAN);
        Ok(poll::random_pause(&self.session.stop, span).await?)
    }

    pub fn join(&mut self, run: &PastRun) -> Attempt {
        let attempt = Attempt::new(Role::Joined, run.members());
        self.progress(&format!("joined {}", attempt.label()), "");
        attempt
    }

    /// Waits while somebody else's run over other integrations is under way.
    async fn wait_while_busy(&mut self, first: Past) -> Step<()> {
        let (session, interval) = (self.session, self.settings.interval);
        let mut job = first;
        let mut whose = self.owner(&job).await;
        let shown = |job: &Past, whose: &str| {
            let age = job.age(Utc::now());
            format!("waiting for job {} of {whose}, over other integrations{age}", job.id)
        };
        self.progress(&shown(&job, &whose), &job.state);
        poll::pause(&session.stop, interval).await?;
        poll::until(&session.stop, interval, async || {
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

    /// Tells of jobs that should have ended long ago: somebody has to look at the platform.
    fn note_remnants(&mut self, history: &History) {
        let now = Utc::now();
        let Some(newest) = history.remnants(now).next() else { return };
        let others = match history.remnants(now).count() - 1 {
            0 => String::new(),
            others => format!(", nor have {others} older ones"),
        };
        let note = format!(
            "job {} is {}{} and will not end{others}; it was not waited for, but its platform \
             should be looked at",
            newest.id,
            newest.state,
            newest.age(now)
        );
        if !self.part.notes.contains(&note) {
            self.part.notes.push(note);
        }
    }

    /// Who started a job, for people only.
    async fn owner(&self, job: &Past) -> String {
        let status = api::status(&self.session.http, job.id).await.ok();
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
}
