//! A framework's job history, read as runs. Pure.
//!
//! The platform knows jobs only. A run over more than ten integrations is several jobs without a
//! common id (docs/platforms/opencomply.md#history); they are put together again here.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::past::{Past, PastRun, past};
use crate::sources::opencomply::wire::{HistoryItem, Page};

/// Integrations that fit into one job (docs/platforms/opencomply.md#starting-a-run).
const PER_JOB: usize = 10;

/// Pages that are read of a history in search of a run. Jobs are purged after thirty days.
const MOST_PAGES: u32 = 20;

/// Jobs of one run are created in one go.
const APART: TimeDelta = TimeDelta::minutes(2);

/// A framework's newest jobs, as far as they have been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct History {
    /// Newest first.
    jobs: Vec<Past>,
    newest: u64,
    pages: u32,
    listed: usize,
    /// Whether there are more jobs than were read.
    more: bool,
}

/// What to do for a run, by the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Advice {
    /// This one is under way and evaluates the same.
    Join(PastRun),
    /// This one is under way and evaluates something else; starting now would break it.
    WaitFor(Past),
    /// Nothing is under way.
    Start,
}

impl History {
    /// Adds the next page of the jobs of `framework`: of those that a run can interfere with, which
    /// are the ones with incidents. Jobs `beyond_scope` cover more than the history shows.
    pub(crate) fn add(
        &mut self,
        page: Page<HistoryItem>,
        framework: &str,
        beyond_scope: &BTreeSet<u64>,
    ) {
        let Page { items, total } = page;
        self.pages += 1;
        self.listed += items.len();
        let ids = items.iter().filter_map(|item| item.job_id).map(|id| id.0);
        self.newest = ids.fold(self.newest, u64::max);
        // Jobs that are purged meanwhile, or a list that never grows, must not be waited for.
        self.more = !items.is_empty()
            && self.pages < MOST_PAGES
            && total.is_some_and(|total| i64::try_from(self.listed).is_ok_and(|n| n < total));
        let mut jobs: Vec<_> = items.into_iter().filter_map(|item| past(item, framework)).collect();
        jobs.iter_mut()
            .filter(|job| beyond_scope.contains(&job.id))
            .for_each(|job| job.integrations = None);
        self.jobs.extend(jobs);
        self.jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
        self.jobs.dedup_by_key(|job| job.id);
    }

    /// The number of the next page, if it is worth reading: there is one, and it may hold jobs that
    /// changed after `since`.
    pub(crate) fn next_page(&self, since: Option<DateTime<Utc>>) -> Option<u32> {
        let reached = self.jobs.iter().filter_map(|job| job.updated_at).min();
        let far_enough = since.is_some_and(|since| reached.is_some_and(|reached| reached < since));
        (self.pages == 0 || (self.more && !far_enough)).then_some(self.pages + 1)
    }

    /// `the history shows`, or how much of it was read.
    pub(crate) fn shows(&self) -> String {
        if self.more || self.pages == MOST_PAGES {
            format!("the newest {} jobs of its history show", self.listed)
        } else {
            "the history shows".to_owned()
        }
    }

    /// The highest job id of the framework.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// `still` are the jobs of which nothing comes any more.
    pub(crate) fn advice(&self, wanted: &BTreeSet<String>, still: &BTreeSet<u64>) -> Advice {
        let equal = self.under_way(wanted, still);
        let is_equal = |id| equal.iter().flat_map(|run| &run.jobs).any(|job| job.id == id);
        let mut live = self.unfinished().filter(|job| !still.contains(&job.id));
        // An equal run that is older than another user's has lost its runners to it. Of several that
        // were started at once the oldest stays: the others give way.
        let other = live.clone().find(|job| !is_equal(job.id)).map_or(0, |job| job.id);
        if let Some(run) = equal.iter().rfind(|run| run.newest() > other) {
            return Advice::Join(run.clone());
        }
        live.next().map_or(Advice::Start, |job| Advice::WaitFor(job.clone()))
    }

    /// The runs over exactly the wanted integrations that may yet bring a result, newest first.
    pub(crate) fn under_way(
        &self,
        wanted: &BTreeSet<String>,
        still: &BTreeSet<u64>,
    ) -> Vec<PastRun> {
        let mut runs = self.runs(wanted);
        runs.retain(|run| !run.is_over() && !run.jobs.iter().any(|job| still.contains(&job.id)));
        runs
    }

    /// The jobs that have not ended, newest first.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &Past> + Clone {
        self.jobs.iter().filter(|job| !job.is_over())
    }

    /// The jobs that have not moved for longer than their state can take, newest first.
    pub(crate) fn suspects(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Past> {
        self.jobs.iter().filter(move |job| job.is_suspect(now))
    }

    /// A job that was created between two others and is under way: another user looked at the same
    /// moment as we did, and started a run just before ours.
    pub(crate) fn rival(&self, after: u64, before: u64, now: DateTime<Utc>) -> Option<&Past> {
        self.unfinished().find(|job| after < job.id && job.id < before && !job.is_suspect(now))
    }

    /// The finished runs over the wanted integrations, and perhaps over others, newest first.
    pub(crate) fn finished(&self, wanted: &BTreeSet<String>) -> Vec<PastRun> {
        let mut runs = self.runs(wanted);
        let exact: BTreeSet<_> = runs.iter().flat_map(|run| &run.jobs).map(|job| job.id).collect();
        let others = self.jobs.iter().filter(|job| !exact.contains(&job.id));
        runs.extend(others.filter_map(|job| self.broader_run_up_to(job, wanted)));
        runs.retain(PastRun::is_over);
        runs.sort_by_key(|run| std::cmp::Reverse(run.newest()));
        runs
    }

    /// The run over more than the wanted integrations of which `last` is the newest job that
    /// matters. Jobs over none of the wanted integrations are left out.
    fn broader_run_up_to(&self, last: &Past, wanted: &BTreeSet<String>) -> Option<PastRun> {
        let mut missing = wanted.clone();
        let mut jobs: Vec<Past> = Vec::new();
        for job in self.jobs.iter().filter(|job| job.id <= last.id && together(job, last)) {
            let Some(integrations) = &job.integrations else { continue };
            let matters = !integrations.is_disjoint(&missing);
            // All jobs of a run but one are full.
            let split = jobs.iter().all(|job| job.is_full()) || job.is_full();
            if matters && split {
                missing.retain(|id| !integrations.contains(id));
                jobs.push(job.clone());
            }
            if jobs.first().is_none_or(|first| first.id != last.id) {
                return None;
            }
            if missing.is_empty() {
                jobs.reverse();
                return Some(PastRun { jobs });
            }
        }
        None
    }

    /// The runs over exactly the wanted integrations, newest first.
    pub(crate) fn runs(&self, wanted: &BTreeSet<String>) -> Vec<PastRun> {
        let mut runs = Vec::new();
        let mut used = BTreeSet::new();
        for job in &self.jobs {
            if used.contains(&job.id) {
                continue;
            }
            if let Some(run) = self.run_up_to(job, wanted, &used) {
                used.extend(run.jobs.iter().map(|job| job.id));
                runs.push(run);
            }
        }
        runs
    }

    /// The integrations, of those wanted, that jobs created after this one are for.
    pub(crate) fn covered_after(&self, job: u64, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let after = self.jobs.iter().filter(|past| past.id > job);
        let within = after
            .filter_map(|past| past.integrations.as_ref())
            .filter(|integrations| integrations.is_subset(wanted) && *integrations != wanted);
        within.flatten().cloned().collect()
    }

    /// The run whose newest job is `last`.
    fn run_up_to(
        &self,
        last: &Past,
        wanted: &BTreeSet<String>,
        used: &BTreeSet<u64>,
    ) -> Option<PastRun> {
        let mut jobs = Vec::new();
        let mut covered = BTreeSet::new();
        for job in self.jobs.iter().filter(|job| job.id <= last.id && !used.contains(&job.id)) {
            let Some(integrations) = &job.integrations else { continue };
            // Two runs that were started at once are distinguished by what they share.
            let belongs = !integrations.is_empty()
                && integrations.is_subset(wanted)
                && integrations.is_disjoint(&covered)
                && together(job, last);
            if belongs && (jobs.is_empty() == (job.id == last.id)) {
                covered.extend(integrations.iter().cloned());
                jobs.push(job.clone());
            }
            let complete = covered == *wanted;
            if complete || wanted.len() <= PER_JOB {
                jobs.reverse();
                return complete.then_some(PastRun { jobs });
            }
        }
        None
    }
}

impl Past {
    fn is_full(&self) -> bool {
        self.integrations.as_ref().is_some_and(|ids| ids.len() == PER_JOB)
    }
}

fn together(job: &Past, last: &Past) -> bool {
    match (job.created_at, last.created_at) {
        _ if job.id == last.id => true,
        (Some(earlier), Some(later)) => (later - earlier).abs() <= APART,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
