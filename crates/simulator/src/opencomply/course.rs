//! The course of a job: how long its stages last, how it ends, and its faults.
//!
//! The state of a job is a pure function of its course and the time since its creation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The course of a job. The default succeeds after about two seconds, with everything in order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Course {
    /// How long each stage lasts.
    pub pace: Pace,
    /// How it ends.
    pub ends: Ending,
    /// The stage that a job which never ends stays in.
    pub stuck_in: Option<State>,
    /// `failure_message` of a job that ends `FAILED`.
    pub failure: Failure,
    /// How many runners fail: the job still succeeds (docs/platforms/opencomply.md, job
    /// states).
    pub failed_runners: usize,
    /// How many runners time out: the job succeeds without a message (docs/platforms/opencomply.md,
    /// job states).
    pub timed_out_runners: usize,
    /// What a failed runner reports.
    pub runner_error: RunnerError,
    /// Which parts of the report are written.
    pub report: Report,
    /// How many alarms are stored only after the platform stopped waiting for them: they are in the
    /// findings listing and in no report (docs/platforms/opencomply.md, job states).
    pub late_alarms: usize,
    /// How many alarms the index refused: they are nowhere, and the platform waits for them in vain
    /// (docs/platforms/opencomply.md, job states).
    pub lost_alarms: usize,
    /// `data_sinking_time`, in seconds; without it that of the pace.
    pub data_sinking_time: Option<u64>,
    /// Added to the breakdown of the status, by severity: a status that contradicts its report.
    pub breakdown_offset: BTreeMap<String, i64>,
    /// Added to the summary of the status, by `ok` and `alarm`.
    pub summary_offset: BTreeMap<String, i64>,
    /// Other words for states, such as one of a newer version:
    /// `{"SINK_IN_PROGRESS": "ARCHIVING"}`.
    pub state_words: BTreeMap<State, String>,
}

/// How long each stage lasts, in milliseconds. The real ones take minutes
/// (docs/platforms/opencomply.md, timing).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pace {
    /// `CREATED`.
    pub created: u32,
    /// `RUNNERS_IN_PROGRESS`, or `QUEUED` and `IN_PROGRESS` of a quick run.
    pub runners: u32,
    /// `SINK_IN_PROGRESS`.
    pub sink: u32,
    /// `SINK_IN_PROGRESS` of a job that waits for results in vain: alarms are lost or late, or
    /// another run deleted its runners. The real one waits ten minutes. Without it: `sink`.
    pub sink_timeout: Option<u32>,
    /// `SUMMARIZER_IN_PROGRESS`.
    pub summarizer: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { created: 300, runners: 1200, sink: 200, sink_timeout: None, summarizer: 300 }
    }
}

/// How a job ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Ending {
    #[default]
    Succeeded,
    Failed,
    Timeout,
    Canceled,
    Never,
}

/// The states of a job (docs/platforms/opencomply.md, job states).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Created,
    RunnersInProgress,
    SinkInProgress,
    SummarizerInProgress,
    Queued,
    InProgress,
    Succeeded,
    Failed,
    Timeout,
    Canceled,
}

impl State {
    /// The word on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::RunnersInProgress => "RUNNERS_IN_PROGRESS",
            Self::SinkInProgress => "SINK_IN_PROGRESS",
            Self::SummarizerInProgress => "SUMMARIZER_IN_PROGRESS",
            Self::Queued => "QUEUED",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Timeout => "TIMEOUT",
            Self::Canceled => "CANCELED",
        }
    }

    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Timeout | Self::Canceled)
    }
}

/// What a failed job reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Failure(pub String);

impl Default for Failure {
    fn default() -> Self {
        Self("1 summarizers failed: [failed to fetch compliance results]".to_owned())
    }
}

/// What a failed runner reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct RunnerError(pub String);

impl Default for RunnerError {
    fn default() -> Self {
        Self("failed to run query: context deadline exceeded".to_owned())
    }
}

/// Which parts of a job's report are written (docs/platforms/opencomply.md, job states and
/// reports).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// All three documents.
    #[default]
    Whole,
    /// None: counts are zero, by-control is null, scans are refused.
    Missing,
    /// All but the control view, whose indexing error the platform ignores
    /// (docs/platforms/opencomply.md, resource view).
    WithoutControlView,
    /// All three, but the views state the id of the job before.
    ViewsOfAnother,
}

/// A job at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    /// Milliseconds from the job's creation to its last change.
    pub(crate) updated: i64,
    /// How much of the runners' work is done, 0 to 1.
    pub(crate) progress: f64,
    /// Another run deleted its runners (docs/platforms/opencomply.md, runs that
    /// interfere).
    pub(crate) wiped: bool,
    /// How long it waits for its results to be stored, in milliseconds.
    pub(crate) sink: u64,
    /// Its report is written: a little before a job with incidents succeeds
    /// (docs/platforms/opencomply.md, job status).
    pub(crate) reported: bool,
}

/// Every runner is queued when this much of the runners' stage is over.
pub(crate) const QUEUED_BY: f64 = 0.1;

/// The first results are stored when this much of the runners' stage is over.
const STORED_FROM: f64 = 0.2;

impl Course {
    /// The job `elapsed` milliseconds after its creation. `superseded` is when
    /// another run of the framework was started, also since its creation.
    pub(crate) fn snapshot(
        &self,
        with_incidents: bool,
        elapsed: i64,
        superseded: Option<i64>,
    ) -> Snapshot {
        let stages = self.stages(with_incidents, superseded.filter(|_| with_incidents));
        let elapsed = match self.ends {
            Ending::Never => elapsed.min(stages.middle_of(self.stuck_in.unwrap_or(State::Created))),
            _ => elapsed,
        };
        stages.at(elapsed)
    }

    fn stages(&self, with_incidents: bool, superseded: Option<i64>) -> Stages {
        let begin = i64::from(self.pace.created);
        let length = i64::from(self.pace.runners);
        let share = |at: i64| {
            if length == 0 { 1.0 } else { (at - begin) as f64 / length as f64 }
        };
        // Runners that are not all queued yet are made again, and nothing is lost
        // (docs/platforms/opencomply.md, runs that interfere).
        let wipe = superseded.filter(|at| *at < begin + length && share(*at) >= QUEUED_BY);
        let end = wipe.unwrap_or(begin + length);
        // Results that were stored already are more than the platform expects by now, so that it
        // waits; of a job without any it expects nothing (docs/platforms/opencomply.md, runs that
        // interfere).
        let stored = wipe.map(|at| if share(at) < STORED_FROM { 0.0 } else { share(at) });
        let waits =
            stored.is_some_and(|share| share > 0.0) || self.lost_alarms + self.late_alarms > 0;
        let sink = self.pace.sink_timeout.filter(|_| waits).unwrap_or(self.pace.sink);
        let mut list = vec![(State::Created, begin)];
        if with_incidents {
            list.push((State::RunnersInProgress, end));
            list.push((State::SinkInProgress, end + i64::from(sink)));
            let summarized = end + i64::from(sink) + i64::from(self.pace.summarizer);
            list.push((State::SummarizerInProgress, summarized));
        } else {
            list.push((State::Queued, begin + length / 4));
            list.push((State::InProgress, end));
        }
        let last = match self.ends {
            Ending::Succeeded | Ending::Never => State::Succeeded,
            Ending::Failed => State::Failed,
            Ending::Timeout => State::Timeout,
            Ending::Canceled => State::Canceled,
        };
        if matches!(last, State::Timeout | State::Canceled) {
            // The job ends while its runners run.
            list.truncate(2);
            if last == State::Canceled {
                list[1].1 = (begin + end) / 2;
            }
        }
        let runners_end = list.get(1).map_or(end, |(_, at)| *at);
        Stages {
            progress_at_end: stored
                .unwrap_or_else(|| share(if with_incidents { runners_end } else { end }).min(1.0)),
            wiped_at: wipe,
            sink: u64::from(sink),
            list,
            last,
        }
    }
}

/// The stages of a job, each with the time at which it is over.
struct Stages {
    list: Vec<(State, i64)>,
    last: State,
    progress_at_end: f64,
    wiped_at: Option<i64>,
    sink: u64,
}

impl Stages {
    fn middle_of(&self, state: State) -> i64 {
        let mut begin = 0;
        for (stage, end) in &self.list {
            if *stage == state {
                return (begin + end) / 2;
            }
            begin = *end;
        }
        i64::MAX
    }

    fn at(&self, elapsed: i64) -> Snapshot {
        let wiped = self.wiped_at.is_some_and(|at| elapsed >= at);
        let mut begin = 0;
        for (stage, end) in &self.list {
            if elapsed < *end {
                let done = (elapsed - begin) as f64 / (end - begin) as f64;
                let running = matches!(stage, State::RunnersInProgress | State::InProgress);
                return Snapshot {
                    state: *stage,
                    updated: if running { elapsed } else { begin },
                    progress: match stage {
                        State::Created | State::Queued => 0.0,
                        _ if running => done * self.progress_at_end,
                        _ => self.progress_at_end,
                    },
                    wiped,
                    sink: self.sink,
                    reported: *stage == State::SummarizerInProgress && done >= 0.5,
                };
            }
            begin = *end;
        }
        Snapshot {
            state: self.last,
            updated: begin,
            progress: self.progress_at_end,
            wiped,
            sink: self.sink,
            reported: matches!(self.last, State::Succeeded | State::Failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(course: &Course, with_incidents: bool) -> Vec<State> {
        let mut seen = Vec::new();
        for elapsed in 0..3000 {
            let state = course.snapshot(with_incidents, elapsed, None).state;
            if seen.last() != Some(&state) {
                seen.push(state);
            }
        }
        seen
    }

    #[test]
    fn a_healthy_job_passes_through_every_stage_of_its_mode() {
        use State::*;
        let course = Course::default();
        assert_eq!(
            states(&course, true),
            [Created, RunnersInProgress, SinkInProgress, SummarizerInProgress, Succeeded]
        );
        assert_eq!(states(&course, false), [Created, Queued, InProgress, Succeeded]);
    }

    #[test]
    fn other_endings_come_where_the_platform_has_them() {
        use State::*;
        let ends = |ends| Course { ends, ..Course::default() };
        assert_eq!(states(&ends(Ending::Never), true), [Created]);
        assert_eq!(states(&ends(Ending::Timeout), true), [Created, RunnersInProgress, Timeout]);
        assert_eq!(states(&ends(Ending::Canceled), true), [Created, RunnersInProgress, Canceled]);
        assert_eq!(states(&ends(Ending::Failed), true).last(), Some(&Failed));
        let stuck = Course { stuck_in: Some(SinkInProgress), ..ends(Ending::Never) };
        assert_eq!(states(&stuck, true).last(), Some(&SinkInProgress));
    }

    #[test]
    fn another_run_wipes_a_job_only_once_its_runners_are_queued() {
        let course = Course::default();
        let early = course.snapshot(true, 2500, Some(350));
        assert_eq!((early.wiped, early.progress), (false, 1.0));
        let empty = course.snapshot(true, 2500, Some(450));
        assert_eq!((empty.state, empty.wiped, empty.progress), (State::Succeeded, true, 0.0));
        let late = course.snapshot(true, 2500, Some(900));
        assert_eq!((late.state, late.wiped, late.progress), (State::Succeeded, true, 0.5));
        let over = course.snapshot(true, 2500, Some(1600));
        assert_eq!((over.wiped, over.progress), (false, 1.0));
    }
}
