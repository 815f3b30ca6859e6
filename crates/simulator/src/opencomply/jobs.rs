//! The jobs that were started, and the state of each.

use std::sync::Arc;

use super::course::{Course, Ending, QUEUED_BY, Snapshot, State};
use super::estate::{Estate, Plan};
use super::settings::Settings;

/// A job. It is stored once and never changed, except that it can be cancelled.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) id: u64,
    /// Jobs of one run share it: a run is split at ten integrations.
    pub(crate) run: u64,
    pub(crate) framework: String,
    pub(crate) with_incidents: bool,
    /// Indices, in the order they were matched; a double match is in it twice
    /// (docs/platforms/opencomply.md, starting a run).
    pub(crate) integrations: Vec<usize>,
    /// Milliseconds since the simulator started.
    pub(crate) created: i64,
    pub(crate) created_by: String,
    pub(crate) trigger_type: String,
    pub(crate) course: Arc<Course>,
    pub(crate) canceled: Option<i64>,
}

/// The states of a runner (docs/platforms/opencomply.md, runners).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Created,
    Queued,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Canceled,
}

impl Runner {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Queued => "QUEUED",
            Self::Running => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMEOUT",
            Self::Canceled => "CANCELED",
        }
    }
}

impl Job {
    /// What its runners do, each a pair of control and integration (docs/platforms/opencomply.md,
    /// runners).
    pub(crate) fn units(&self, plan: &Plan, estate: &Estate) -> Vec<(usize, usize)> {
        let mut units = Vec::new();
        let controls = plan.controls.iter().enumerate();
        for (at, control) in controls.filter(|(_, control)| control.is_evaluated(self)) {
            let fits = |integration: &&usize| {
                estate.integrations[**integration].of.integration_type
                    == control.template.resource_type.integration_type
            };
            units.extend(self.integrations.iter().filter(fits).map(|of| (at, *of)));
        }
        units
    }

    /// The state of runner `at` of `count` in a job with this snapshot.
    pub(crate) fn runner(&self, at: usize, count: usize, snapshot: &Snapshot) -> Runner {
        let share =
            |number: usize| QUEUED_BY + (1.0 - QUEUED_BY) * number.min(count) as f64 / count as f64;
        let progress = snapshot.progress;
        let over = progress >= 1.0;
        // A handful run at a time.
        let state = if over || progress >= share(at + 4) {
            self.outcome(at)
        } else if progress >= share(at) {
            Runner::Running
        } else if progress * count as f64 >= QUEUED_BY * at as f64 {
            Runner::Queued
        } else {
            Runner::Created
        };
        match state {
            Runner::Created | Runner::Queued if snapshot.state == State::Canceled => {
                Runner::Canceled
            }
            state => state,
        }
    }

    fn outcome(&self, at: usize) -> Runner {
        let failed = self.course.failed_runners;
        if at < failed {
            Runner::Failed
        } else if at < failed + self.course.timed_out_runners {
            Runner::TimedOut
        } else {
            Runner::Succeeded
        }
    }

    /// Whether the job's results are stored, for the listing of findings
    /// (docs/platforms/opencomply.md, findings).
    pub(crate) fn has_results(&self, snapshot: &Snapshot) -> bool {
        self.with_incidents
            && matches!(
                snapshot.state,
                State::SummarizerInProgress | State::Succeeded | State::Failed
            )
    }

    /// The word for its state.
    pub(crate) fn state_word(&self, snapshot: &Snapshot) -> &str {
        let words = &self.course.state_words;
        words.get(&snapshot.state).map_or(snapshot.state.word(), String::as_str)
    }
}

/// All jobs, in the order of their creation. A job of the future does not exist yet.
pub(crate) struct Jobs {
    list: Vec<Job>,
    next_id: u64,
    next_run: u64,
    rivals_left: u32,
    /// Run calls that matched no integration: the framework of each, and when.
    empty_starts: Vec<(String, i64)>,
    /// Whether a worker hangs, so that no later job ends.
    hanging: bool,
}

/// What the new jobs of a run have in common.
pub(crate) struct JobSpec<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) plan: &'a Plan,
    pub(crate) with_incidents: bool,
    pub(crate) created: i64,
    pub(crate) created_by: &'a str,
    pub(crate) trigger_type: &'a str,
    pub(crate) course: &'a Arc<Course>,
}

/// A run is split into jobs of so many integrations (docs/platforms/opencomply.md, starting a run).
const INTEGRATIONS_PER_JOB: usize = 10;

impl Jobs {
    pub(crate) fn with_history(settings: &Settings, estate: &Estate) -> Self {
        let past = u64::try_from(settings.history.len()).unwrap_or_default();
        let mut jobs = Self {
            list: Vec::new(),
            next_id: settings.first_job_id.saturating_sub(past),
            next_run: 0,
            rivals_left: settings.rival.as_ref().map_or(0, |rival| rival.times),
            empty_starts: Vec::new(),
            hanging: false,
        };
        for past in &settings.history {
            // Both were checked when the scenario was read.
            let Some(plan) = estate.plan(&past.framework) else {
                continue;
            };
            let integrations = estate.select(plan, &past.integrations).unwrap_or_default();
            let spec = JobSpec {
                estate,
                plan,
                with_incidents: past.with_incidents,
                created: -1000 * i64::from(past.age),
                created_by: &past.created_by,
                trigger_type: &past.trigger_type,
                course: &Arc::new(past.job.clone()),
            };
            jobs.add(&spec, integrations);
        }
        jobs
    }

    /// Starts a run and gives its jobs.
    pub(crate) fn start(&mut self, spec: &JobSpec<'_>, integrations: &[usize]) -> Vec<Job> {
        let run = self.next_run;
        let mut started = Vec::new();
        for chunk in integrations.chunks(INTEGRATIONS_PER_JOB) {
            self.next_run = run;
            started.push(self.add(spec, chunk.to_vec()));
        }
        started
    }

    fn add(&mut self, spec: &JobSpec<'_>, integrations: Vec<usize>) -> Job {
        let mut job = Job {
            id: self.next_id,
            run: self.next_run,
            framework: spec.plan.id.clone(),
            with_incidents: spec.with_incidents,
            integrations,
            created: spec.created,
            created_by: spec.created_by.to_owned(),
            trigger_type: spec.trigger_type.to_owned(),
            course: Arc::clone(spec.course),
            canceled: None,
        };
        // Without a runner to make, a job is never looked at again (docs/platforms/opencomply.md,
        // timing).
        if job.with_incidents && job.units(spec.plan, spec.estate).is_empty() {
            let stuck = Course { ends: Ending::Never, stuck_in: None, ..Course::default() };
            job.course = Arc::new(stuck);
        } else if job.with_incidents && self.hanging {
            let stuck_in = Some(State::RunnersInProgress);
            let stuck = Course { ends: Ending::Never, stuck_in, ..Course::clone(spec.course) };
            job.course = Arc::new(stuck);
        }
        self.next_id += 1;
        self.next_run += 1;
        let after = self.list.partition_point(|other| other.created <= job.created);
        self.list.insert(after, job.clone());
        job
    }

    /// Notes a run call that matched no integration. It deletes runners like any other.
    pub(crate) fn start_nothing(&mut self, plan: &Plan, now: i64) {
        self.empty_starts.push((plan.id.clone(), now));
    }

    /// Cancels the job. `hangs` is whether this hangs the worker that holds a queued runner.
    pub(crate) fn cancel(&mut self, id: u64, now: i64, hangs: bool) {
        let existing = |job: &&mut Job| job.created <= now && job.id == id;
        if let Some(job) = self.list.iter_mut().find(existing) {
            job.canceled = Some(now);
            self.hanging |= hangs;
        }
    }

    /// Whether another user starts a run after this one; the scenario states how often.
    pub(crate) fn take_rival(&mut self) -> bool {
        let left = self.rivals_left;
        self.rivals_left = left.saturating_sub(1);
        left > 0
    }

    /// The jobs that exist now, oldest first.
    pub(crate) fn existing(&self, now: i64) -> impl DoubleEndedIterator<Item = &Job> {
        self.list.iter().filter(move |job| job.created <= now)
    }

    pub(crate) fn find(&self, id: u64, now: i64) -> Option<&Job> {
        self.existing(now).find(|job| job.id == id)
    }

    /// When a later run deleted the job's runners. It takes those of the framework's most recent
    /// job only: in a split run, those of the last job (docs/platforms/opencomply.md, runs that
    /// interfere).
    pub(crate) fn superseded(&self, job: &Job) -> Option<i64> {
        if !job.with_incidents {
            return None;
        }
        let next = self
            .list
            .iter()
            .skip_while(|other| other.id != job.id)
            .skip(1)
            .find(|other| other.with_incidents && other.framework == job.framework);
        let emptied = self
            .empty_starts
            .iter()
            .filter(|(framework, at)| *framework == job.framework && *at >= job.created)
            .map(|(_, at)| *at)
            .find(|at| next.is_none_or(|next| *at < next.created));
        emptied.or_else(|| next.filter(|next| next.run != job.run).map(|next| next.created))
    }

    /// The job at this moment.
    pub(crate) fn snapshot(&self, job: &Job, now: i64) -> Snapshot {
        let superseded = self.superseded(job).map(|at| at - job.created);
        let at =
            |time: i64| job.course.snapshot(job.with_incidents, time - job.created, superseded);
        let natural = at(now);
        let Some(canceled) = job.canceled.filter(|canceled| *canceled <= now) else {
            return natural;
        };
        // The worker of a quick job goes on and overwrites the state in the end
        // (docs/platforms/opencomply.md, job states).
        if !job.with_incidents && natural.state.is_final() {
            return natural;
        }
        Snapshot { state: State::Canceled, updated: canceled - job.created, ..at(canceled) }
    }
}
