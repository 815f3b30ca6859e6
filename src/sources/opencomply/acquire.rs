//! Finds a run to rely on: one that is under way is joined, a recent one may be used again, and
//! only then a new one is started.
//!
//! Starting a run deletes the runners of the framework's newest job, also of an unfinished one
//! (docs/platforms/opencomply.md#runs-that-interfere). So runs are shared, and a run over other
//! integrations is waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::api::{self, Step};
use super::examine::Sound;
use super::framework::{Run, Task};
use super::journal::{Journal, patiently};
use super::judge::{self, Lost};
use super::settings::RunMode;
use crate::evidence::Role;
use crate::poll;

mod earlier;
pub(super) mod history;
pub(super) mod past;
mod start;

use earlier::Earlier;
use history::{Advice, History};
use past::{Past, PastRun, stands_still};

/// Bounds of the span of the random moment before the history is looked at.
const SHORTEST_SPAN: Duration = Duration::from_millis(500);
const LONGEST_SPAN: Duration = Duration::from_secs(3);

/// How long a platform that is away is waited for before anything is started. What is repeated with
/// every request takes longer by itself.
const AT_FIRST: Duration = Duration::from_secs(10);

/// Unfinished jobs of which a fresh look is taken to see whether they move.
const MOST_LOOKS: usize = 10;

/// How to come by a result.
pub(super) enum Acquired {
    /// A finished run that is recent enough.
    Sound(Box<Sound>),
    /// A run to watch.
    Run(Run),
}

pub(super) struct Acquirer<'a> {
    task: &'a Task<'a>,
    /// Requests to start that were lost on the way.
    lost_starts: u32,
    /// Jobs that cover an integration that was deleted. The history does not show it.
    beyond_scope: BTreeSet<u64>,
    /// Jobs that lost their runners to a later run. They may stay unfinished for ten minutes more.
    superseded: BTreeSet<u64>,
    /// A run that was found while the last one was lost.
    newer: Option<Run>,
    /// Whether a run is waited for already, so that an outage of the platform is waited for too.
    patient: bool,
}

impl<'a> Acquirer<'a> {
    pub(super) fn new(task: &'a Task<'a>) -> Self {
        Self {
            task,
            lost_starts: 0,
            beyond_scope: BTreeSet::new(),
            superseded: BTreeSet::new(),
            newer: None,
            patient: false,
        }
    }

    /// Finds a run to rely on, and starts one if there is none.
    pub(super) async fn next(&mut self, journal: &mut Journal) -> Step<Acquired> {
        if let Some(run) = self.newer.take() {
            return Ok(Acquired::Run(run));
        }
        let task = self.task;
        loop {
            if let RunMode::Stale { max_age } = self.task.settings.run {
                let mut history = self.history(journal).await?;
                let recent = self.earlier(journal, &mut history, Some(max_age)).await?;
                // An empty result may be what a new run would fix.
                if let Earlier::Sound(sound) = recent
                    && !sound.is_empty()
                {
                    return Ok(Acquired::Sound(sound));
                }
                journal.forget_jobs();
            }
            self.random_moment().await?;
            let history = self.history(journal).await?;
            let still = self.still(&history).await?;
            match history.advice(&self.task.wanted, &still) {
                Advice::Join(run) => {
                    if let Some(run) = self.join(journal, &run).await? {
                        return Ok(Acquired::Run(run));
                    }
                }
                Advice::WaitFor(job) => self.wait_while_busy(journal, job).await?,
                // What the history shows by then is looked at again.
                Advice::Start if !task.session.permit.is_granted() => {
                    journal.progress(task, "waiting for the other sources", "");
                    task.session.stop.race(task.session.permit.granted()).await?;
                }
                Advice::Start => {
                    self.note_still(journal, &history, &still);
                    if let Some(run) = self.start(journal, history.newest()).await? {
                        return Ok(Acquired::Run(run));
                    }
                }
            }
        }
    }

    /// After a run was lost: whether there is a newer equal one, which is then the next.
    pub(super) async fn lost(
        &mut self,
        journal: &mut Journal,
        lost: &Lost,
        newest: u64,
    ) -> Step<bool> {
        self.patient = true;
        match lost {
            Lost::StandsStill(..) => return Ok(false),
            Lost::Superseded(job) => {
                self.superseded.insert(*job);
            }
            Lost::Cancelled(_) => {}
        }
        let runs = self.history(journal).await?.runs(&self.task.wanted);
        let usable = |run: &&PastRun| {
            run.is_after(newest)
                && run.jobs.iter().all(|job| !job.is_over() || job.state == "SUCCEEDED")
        };
        if let Some(run) = runs.iter().find(usable) {
            self.newer = self.join(journal, run).await?;
        }
        Ok(self.newer.is_some())
    }

    async fn history(&self, journal: &mut Journal) -> Step<History> {
        let mut history = History::default();
        self.read_on(journal, &mut history, None).await?;
        Ok(history)
    }

    /// Reads the next page of the history. `false`: there is none that is worth it.
    async fn read_on(
        &self,
        journal: &mut Journal,
        history: &mut History,
        max_age: Option<Duration>,
    ) -> Step<bool> {
        let task = self.task;
        let since =
            max_age.and_then(|age| task.now().checked_sub_signed(TimeDelta::from_std(age).ok()?));
        let Some(page) = history.next_page(since) else { return Ok(false) };
        let framework = &task.scope.framework;
        let ask = async || api::history(&task.session.http, framework, page).await;
        let most = if self.patient { Duration::MAX } else { AT_FIRST };
        let page = patiently(task, journal, most, ask).await??;
        history.add(page, framework, &self.beyond_scope);
        Ok(true)
    }

    /// The platform has no lock and checks for no conflict
    /// (docs/platforms/opencomply.md#errors-of-a-start): two gates that look at the same instant
    /// both see that nothing runs, and both start. So each looks at a moment of its own, which
    /// makes that rare; `gives_way` settles the rest.
    async fn random_moment(&self) -> Step<()> {
        let span = self.task.settings.interval.min(LONGEST_SPAN).max(SHORTEST_SPAN);
        Ok(poll::random_pause(&self.task.session.stop, span).await?)
    }

    /// The run, unless it covers an integration that was deleted, or lost its runners. Only the status
    /// shows that.
    async fn join(&mut self, journal: &mut Journal, past: &PastRun) -> Step<Option<Run>> {
        let run = Run::new(Role::Joined, past.members());
        for member in &run.jobs {
            match api::status(&self.task.session.http, member.job).await {
                Ok(status) if judge::is_superseded(&status) => {
                    self.superseded.insert(member.job);
                    return Ok(None);
                }
                Err(error) if api::integration_is_gone(&error) => {
                    self.beyond_scope.insert(member.job);
                    return Ok(None);
                }
                _ => {}
            }
        }
        journal.progress(self.task, &format!("joined {}", run.label()), "");
        Ok(Some(run))
    }

    /// The unfinished jobs of which nothing comes: they do not move, or lost their runners.
    async fn still(&self, history: &History) -> Step<BTreeSet<u64>> {
        let now = self.task.now();
        let suspects: Vec<_> = history.suspects(now).map(|job| job.id).collect();
        // A job that is still CREATED may have runners all the same, which only its status shows.
        let looks = suspects.iter().take(MOST_LOOKS).map(|job| async move {
            let status = api::status(&self.task.session.http, *job).await;
            status.is_ok_and(|status| !stands_still(&status, now)).then_some(*job)
        });
        let moving: BTreeSet<_> = join_all(looks).await.into_iter().flatten().collect();
        let mut still = self.superseded.clone();
        still.extend(suspects.into_iter().filter(|job| !moving.contains(job)));
        Ok(still)
    }

    /// Waits while another user's run over other integrations is under way.
    async fn wait_while_busy(&mut self, journal: &mut Journal, first: Past) -> Step<()> {
        let task = self.task;
        let waiting = poll::Watch::new(task.settings.interval);
        self.patient = true;
        let mut job = first;
        let mut owner = self.owner(&job).await;
        loop {
            let age = job.age(task.now());
            let state =
                format!("waiting for job {} of {owner}, over other integrations{age}", job.id);
            journal.progress(task, &state, &job.state);
            waiting.pause(&task.session.stop).await?;
            let history = self.history(journal).await?;
            let still = self.still(&history).await?;
            let Advice::WaitFor(other) = history.advice(&task.wanted, &still) else {
                return Ok(());
            };
            // Its runners may be gone, which its status shows from here on.
            if other.id != job.id || other.state == "SINK_IN_PROGRESS" {
                owner = self.owner(&other).await;
            }
            job = other;
        }
    }

    /// Notes the jobs that do not move: only an operator of the platform can end them.
    fn note_still(&self, journal: &mut Journal, history: &History, still: &BTreeSet<u64>) {
        let now = self.task.now();
        let mut jobs = history
            .unfinished()
            .filter(|job| still.contains(&job.id) && !self.superseded.contains(&job.id));
        let Some(newest) = jobs.next() else { return };
        let others = match jobs.count() {
            0 => String::new(),
            others => format!(", nor do {others} older ones"),
        };
        journal.note(format!(
            "job {} is {}{} and does not move{others}; it was not waited for; look at it on the \
             platform",
            newest.id,
            newest.state,
            newest.age(now)
        ));
    }

    /// Who started a job, for people only. The look also shows whether it lost its runners.
    async fn owner(&mut self, job: &Past) -> String {
        let status = api::status(&self.task.session.http, job.id).await.ok();
        if status.as_ref().is_some_and(judge::is_superseded) {
            self.superseded.insert(job.id);
        }
        let owner = status.and_then(|status| status.created_by).filter(|owner| !owner.is_empty());
        owner.unwrap_or_else(|| "another user".to_owned())
    }
}
