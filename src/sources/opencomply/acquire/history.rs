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
    pub fn add(
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
        let mut jobs: Vec<_> =
            items.into_iter().filter_map(|item| past(item, framework)).collect();
        jobs.iter_mut()
            .filter(|job| beyond_scope.contains(&job.id))
            .for_each(|job| job.integrations = None);
        self.jobs.extend(jobs);
        self.jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
        self.jobs.dedup_by_key(|job| job.id);
    }

    /// The number of the next page, if it is worth reading: there is one, and it may hold jobs that
    /// changed after `since`.
    pub fn next_page(&self, since: Option<DateTime<Utc>>) -> Option<u32> {
        let reached = self.jobs.iter().filter_map(|job| job.updated_at).min();
        let far_enough = since.is_some_and(|since| reached.is_some_and(|reached| reached < since));
        (self.pages == 0 || (self.more && !far_enough)).then_some(self.pages + 1)
    }

    /// `the history shows`, or how much of it was read.
    pub fn shows(&self) -> String {
        if self.more || self.pages == MOST_PAGES {
            format!("the newest {} jobs of its history show", self.listed)
        } else {
            "the history shows".to_owned()
        }
    }

    /// The highest job id of the framework.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// `still` are the jobs of which nothing comes any more.
    pub fn advice(&self, wanted: &BTreeSet<String>, still: &BTreeSet<u64>) -> Advice {
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
    pub fn under_way(&self, wanted: &BTreeSet<String>, still: &BTreeSet<u64>) -> Vec<PastRun> {
        let mut runs = self.runs(wanted);
        runs.retain(|run| !run.is_over() && !run.jobs.iter().any(|job| still.contains(&job.id)));
        runs
    }

    /// The jobs that have not ended, newest first.
    pub fn unfinished(&self) -> impl Iterator<Item = &Past> + Clone {
        self.jobs.iter().filter(|job| !job.is_over())
    }

    /// The jobs that have not moved for longer than their state can take, newest first.
    pub fn suspects(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Past> {
        self.jobs.iter().filter(move |job| job.is_suspect(now))
    }

    /// A job that was created between two others and is under way: another user looked at the same
    /// moment as we did, and started a run just before ours.
    pub fn rival(&self, after: u64, before: u64, now: DateTime<Utc>) -> Option<&Past> {
        self.unfinished().find(|job| after < job.id && job.id < before && !job.is_suspect(now))
    }

    /// The finished runs over the wanted integrations, and perhaps over others, newest first.
    pub fn finished(&self, wanted: &BTreeSet<String>) -> Vec<PastRun> {
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
    pub fn runs(&self, wanted: &BTreeSet<String>) -> Vec<PastRun> {
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
    pub fn covered_after(&self, job: u64, wanted: &BTreeSet<String>) -> BTreeSet<String> {
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
mod tests {

    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// Twelve integrations, as the platform splits them: ten and two.
    fn twelve() -> (BTreeSet<String>, Vec<String>, Vec<String>) {
        let all: Vec<_> = (1..=12).map(|number| format!("i{number:02}")).collect();
        (all.iter().cloned().collect(), all[..10].to_vec(), all[10..].to_vec())
    }

    fn item(id: u64, state: &str, minute: u32, integrations: &[impl AsRef<str>]) -> String {
        let infos: Vec<_> = integrations
            .iter()
            .map(|id| format!(r#"{{"integration_id":"{}"}}"#, id.as_ref()))
            .collect();
        format!(
            r#"{{"job_id":{id},"with_incidents":true,"benchmark_id":"a","job_status":"{state}",
                "created_at":"2025-05-08T10:{minute:02}:00Z","integration_info":[{}],
                "number_of_integrations":{}}}"#,
            infos.join(","),
            infos.len()
        )
    }

    fn history(items: &[String]) -> History {
        let mut history = History::default();
        history.add(page(items, items.len()), "a", &BTreeSet::new());
        history
    }

    fn page(items: &[String], total: usize) -> Page<HistoryItem> {
        let items = serde_json::from_str(&format!("[{}]", items.join(","))).unwrap();
        Page { items, total: i64::try_from(total).ok() }
    }

    fn now() -> DateTime<Utc> {
        "2025-05-08T10:10:00Z".parse().unwrap()
    }

    fn found(history: &History, wanted: &BTreeSet<String>) -> Vec<Vec<u64>> {
        let ids = |run: PastRun| run.jobs.iter().map(|job| job.id).collect();
        history.runs(wanted).into_iter().map(ids).collect()
    }

    #[test]
    fn a_run_is_a_job_over_exactly_the_wanted_integrations() {
        let history = history(&[
            item(1, "SUCCEEDED", 0, &["x", "y"]),
            item(2, "SUCCEEDED", 1, &["x"]),
            item(3, "SUCCEEDED", 1, &["y"]),
            item(4, "FAILED", 2, &["y", "x"]),
            item(5, "SUCCEEDED", 2, &["x", "y", "z"]),
        ]);
        assert_eq!(found(&history, &ids(&["x", "y"])), [[4], [1]]);
        assert_eq!(history.newest(), 5);
    }

    #[test]
    fn a_split_run_is_put_together_again() {
        let (all, ten, two) = twelve();
        let split = history(&[item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 1, &two)]);
        assert_eq!(found(&split, &all), [[7, 9]]);
        // Two gates at once.
        let twice = history(&[
            item(1, "SUCCEEDED", 0, &ten),
            item(2, "SUCCEEDED", 0, &ten),
            item(3, "SUCCEEDED", 0, &two),
            item(4, "SUCCEEDED", 0, &two),
        ]);
        assert_eq!(found(&twice, &all), [[2, 4], [1, 3]]);
    }

    #[test]
    fn what_does_not_belong_together_is_no_run() {
        let (all, ten, two) = twelve();
        let apart = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 3, &two)];
        let half = [item(7, "SUCCEEDED", 0, &ten)];
        let overlapping = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 0, &ten[5..])];
        for items in [&apart[..], &half, &overlapping] {
            assert!(found(&history(items), &all).is_empty(), "{items:?}");
        }
    }

    #[test]
    fn a_job_that_lost_an_integration_is_not_equal() {
        let shrunk = item(1, "SUCCEEDED", 0, &["x"])
            .replace("\"number_of_integrations\":1", "\"number_of_integrations\":2");
        assert!(found(&history(&[shrunk]), &ids(&["x"])).is_empty());
        let nulls = r#"{"job_id":"2","job_status":null,"integration_info":null}"#.to_owned();
        let history = history(&[nulls]);
        assert!(found(&history, &BTreeSet::new()).is_empty());
        assert!(matches!(history.advice(&ids(&["x"]), &BTreeSet::new()), Advice::WaitFor(job) if job.id == 2));
    }

    #[test]
    fn the_advice_is_to_join_to_wait_or_to_start() {
        let wanted = ids(&["x"]);
        let advice = |items: &[String]| match history(items).advice(&wanted, &BTreeSet::new()) {
            Advice::Join(run) => format!("join {}", run.newest()),
            Advice::WaitFor(job) => format!("wait for {}", job.id),
            Advice::Start => "start".to_owned(),
        };
        let done = item(1, "SUCCEEDED", 0, &["x"]);
        let equal = item(2, "RUNNERS_IN_PROGRESS", 1, &["x"]);
        let other = item(3, "A_NEW_WORD", 2, &["y"]);
        let quick = item(4, "IN_PROGRESS", 2, &["y"]).replace("true", "false");
        assert_eq!(advice(&[]), "start");
        assert_eq!(advice(std::slice::from_ref(&done)), "start");
        assert_eq!(advice(&[done.clone(), equal.clone()]), "join 2");
        assert_eq!(advice(&[done.clone(), other.clone()]), "wait for 3");
        assert_eq!(advice(&[done, quick]), "start");
        // The newer one has deleted the runners of the equal one.
        assert_eq!(advice(&[equal, other.clone()]), "wait for 3");
        let newer_equal = item(5, "SINK_IN_PROGRESS", 2, &["x"]);
        assert_eq!(advice(&[other.clone(), newer_equal.clone()]), "join 5");
        // Started at once: the oldest stays.
        let also_equal = item(6, "CREATED", 2, &["x"]);
        assert_eq!(advice(&[other, also_equal, newer_equal]), "join 5");
    }

    #[test]
    fn a_rival_is_somebody_who_started_between_our_look_and_our_start() {
        let jobs = [
            item(1, "RUNNERS_IN_PROGRESS", 1, &["y"]),
            item(3, "CREATED", 1, &["x"]),
            item(4, "FAILED", 1, &["x"]),
            item(5, "CREATED", 1, &["x"]),
            item(7, "CREATED", 1, &["x"]),
        ];
        let rival = |after, before| history(&jobs).rival(after, before, now()).map(|job| job.id);
        assert_eq!(rival(2, 5), Some(3));
        assert_eq!(rival(2, 3), None);
        assert_eq!(rival(3, 5), None);
    }

    #[test]
    fn pages_are_read_while_there_are_more() {
        let wanted = ids(&["x"]);
        let mut read = History::default();
        assert_eq!(read.next_page(None), Some(1));
        read.add(page(&[item(3, "FAILED", 9, &["y"]), item(2, "FAILED", 8, &["y"])], 3), "a", &BTreeSet::new());
        assert_eq!((read.next_page(None), found(&read, &wanted).len()), (Some(2), 0));
        read.add(page(&[item(1, "SUCCEEDED", 7, &["x"])], 3), "a", &BTreeSet::new());
        assert_eq!((read.next_page(None), found(&read, &wanted)), (None, vec![vec![1]]));
        assert_eq!(read.shows(), "the history shows");
        // A platform that repeats itself, or has none of what it promised, is not asked for ever.
        let mut stuck = History::default();
        while stuck.next_page(None).is_some() {
            stuck.add(page(&[item(3, "FAILED", 9, &["y"])], 1000), "a", &BTreeSet::new());
        }
        assert_eq!((stuck.jobs.len(), stuck.pages), (1, MOST_PAGES));
        assert_eq!(stuck.shows(), "the newest 20 jobs of its history show");
        let mut purged = history(&[]);
        purged.add(page(&[], 1000), "a", &BTreeSet::new());
        assert_eq!(purged.next_page(None), None);
    }

    #[test]
    fn no_page_is_read_for_jobs_that_are_too_old() {
        let changed = |minute| {
            let item = item(1, "FAILED", minute, &["y"]);
            item.replace("created_at", "updated_at")
        };
        let mut history = History::default();
        history.add(page(&[changed(5)], 9), "a", &BTreeSet::new());
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(history.next_page(at("2025-05-08T10:00:00Z")), Some(2));
        assert_eq!(history.next_page(at("2025-05-08T10:06:00Z")), None);
    }

    #[test]
    fn a_job_that_stands_still_is_neither_waited_for_nor_joined() {
        let wanted = ids(&["x"]);
        for state in ["CREATED", "SINK_IN_PROGRESS", "A_NEW_WORD"] {
            for integration in ["x", "y"] {
                let job = item(1, state, 0, &[integration]).replace("05-08T10:00", "05-06T09:00");
                let history = history(&[job]);
                let still: BTreeSet<_> = history.suspects(now()).map(|job| job.id).collect();
                assert_eq!(still, [1].into(), "{state}");
                assert_eq!(history.advice(&wanted, &still), Advice::Start);
                assert_ne!(history.advice(&wanted, &BTreeSet::new()), Advice::Start);
            }
        }
    }

    #[test]
    fn a_living_run_is_waited_for_however_old_it_is() {
        let job = item(1, "RUNNERS_IN_PROGRESS", 0, &["y"]).replace("05-08T10:00", "05-01T09:00");
        let job = job.replace(
            "\"created_at\"",
            "\"updated_at\":\"2025-05-08T10:09:30Z\",\"created_at\"",
        );
        let history = history(&[job]);
        assert_eq!(history.suspects(now()).count(), 0);
        let past = &history.jobs[0];
        assert_eq!(past.age(now()), ", created 7days 1h 10m ago");
    }

    #[test]
    fn a_finished_run_over_more_integrations_serves_too() {
        let (all, ten, two) = twelve();
        let finished = |items: &[String], wanted: &[&str]| -> Vec<Vec<u64>> {
            let ids = |run: PastRun| run.jobs.iter().map(|job| job.id).collect();
            history(items).finished(&self::ids(wanted)).into_iter().map(ids).collect()
        };
        let both = item(1, "SUCCEEDED", 0, &["x", "y"]);
        let exact = item(2, "SUCCEEDED", 0, &["x"]);
        assert_eq!(finished(&[both.clone(), exact], &["x"]), [[2], [1]]);
        assert!(finished(std::slice::from_ref(&both), &["x", "z"]).is_empty());
        assert!(finished(&[both.replace("SUCCEEDED", "CREATED")], &["x"]).is_empty());
        // Of a split run the jobs that matter.
        let split = [item(7, "SUCCEEDED", 0, &ten), item(9, "SUCCEEDED", 1, &two)];
        assert_eq!(finished(&split, &["i03"]), [[7]]);
        assert_eq!(finished(&split, &["i11"]), [[9]]);
        assert_eq!(finished(&split, &["i03", "i11"]), [[7, 9]]);
        assert_eq!(history(&split).finished(&all).len(), 1);
        // Two small runs are not parts of one.
        let apart = [item(7, "SUCCEEDED", 0, &["x", "a"]), item(9, "SUCCEEDED", 1, &["y", "b"])];
        assert!(finished(&apart, &["x", "y"]).is_empty());
    }
}
