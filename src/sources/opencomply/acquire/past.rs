//! Jobs of the past, and the runs that they make up. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::sources::opencomply::framework::Member;
use crate::sources::opencomply::wire::{self, HistoryItem, IntegrationItem, Status};

/// A job of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Past {
    pub id: u64,
    /// In capitals.
    pub state: String,
    /// The platform's ids; `None` where the history does not show all of them.
    pub integrations: Option<BTreeSet<String>>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// Jobs that together evaluate the wanted integrations, and perhaps others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct PastRun {
    /// By id, oldest first; never empty.
    pub jobs: Vec<Past>,
}

impl PastRun {
    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |job: &Past| Member {
            job: job.id,
            integrations: job.integrations.clone().unwrap_or_default(),
        };
        self.jobs.iter().map(member).collect()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.jobs.iter().all(Past::is_over)
    }

    /// Whether all of its jobs were created after this one.
    pub(crate) fn is_after(&self, job: u64) -> bool {
        self.jobs.iter().all(|past| past.id > job)
    }

    pub(crate) fn newest(&self) -> u64 {
        self.jobs.iter().map(|job| job.id).max().unwrap_or_default()
    }
}

impl Past {
    pub(crate) fn is_over(&self) -> bool {
        wire::is_final(&self.state)
    }

    /// Whether it has not moved for longer than its state can take.
    pub(crate) fn is_suspect(&self, now: DateTime<Utc>) -> bool {
        let moved = self.updated_at.or(self.created_at);
        !self.is_over() && moved.is_some_and(|moved| now - moved > longest(&self.state))
    }

    /// `, created 3h 12m ago`, if that is known.
    pub(crate) fn age(&self, now: DateTime<Utc>) -> String {
        let age = self.created_at.and_then(|created| (now - created).to_std().ok());
        let minutes = age.map(|age| Duration::from_secs(age.as_secs() / 60 * 60));
        minutes.map_or_else(String::new, |age| {
            format!(", created {} ago", humantime::format_duration(age))
        })
    }
}

/// Whether an unfinished job has not moved for longer than its state can take, so that nothing
/// comes of it, and a new run breaks nothing (docs/platforms/opencomply.md#timing).
pub(in super::super) fn stands_still(status: &Status, now: DateTime<Utc>) -> bool {
    let state = status.state();
    if wire::is_final(&state) || (state == "CREATED" && status.has_runners()) {
        return false;
    }
    let moved = status.last_updated_at.or(status.updated_at).or(status.created_at);
    moved.is_some_and(|moved| now - moved > longest(&state))
}

/// How long a job in this state can go without an update. The platform looks for work every minute;
/// a runner that is queued times out after an hour; results are waited for ten minutes.
fn longest(state: &str) -> TimeDelta {
    match state {
        "CREATED" => TimeDelta::minutes(3),
        "RUNNERS_IN_PROGRESS" => TimeDelta::minutes(75),
        "SINK_IN_PROGRESS" => TimeDelta::minutes(20),
        "SUMMARIZER_IN_PROGRESS" => TimeDelta::minutes(60),
        // The platform ends every job after a day.
        _ => TimeDelta::days(2),
    }
}

/// A job with incidents of `framework`.
pub(super) fn past(item: HistoryItem, framework: &str) -> Option<Past> {
    let other = item.benchmark_id.as_deref().is_some_and(|id| !id.eq_ignore_ascii_case(framework));
    // A run without incidents has no runners to lose, and no use here.
    if other || item.with_incidents == Some(false) {
        return None;
    }
    let listed = item.integration_info;
    let whole = item.number_of_integrations.is_none_or(|number| {
        listed.as_ref().is_some_and(|listed| i64::try_from(listed.len()) == Ok(number))
    });
    let ids =
        |listed: Vec<IntegrationItem>| listed.into_iter().map(|one| one.integration_id).collect();
    Some(Past {
        // Zero is no job: to watch it is to wait until the deadline.
        id: item.job_id.map(|id| id.0).filter(|id| *id > 0)?,
        state: item.job_status.unwrap_or_default().to_ascii_uppercase(),
        integrations: listed.filter(|_| whole).and_then(ids),
        created_at: item.created_at,
        updated_at: item.updated_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, updated: &str, runners: i64) -> Status {
        serde_json::from_str(&format!(
            r#"{{"job_status":"{state}","last_updated_at":"2025-05-08T{updated}:00Z",
                "runners_status":{{"total_count":{runners}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_job_stands_still_when_it_has_not_moved_for_longer_than_its_state_can_take() {
        let now = "2025-05-08T10:00:00Z".parse().unwrap();
        for (state, updated, runners, still) in [
            ("CREATED", "09:58", 0, false),
            ("CREATED", "09:56", 0, true),
            ("created", "09:56", 0, true),
            ("CREATED", "09:00", 3, false),
            ("RUNNERS_IN_PROGRESS", "09:00", 3, false),
            ("RUNNERS_IN_PROGRESS", "08:44", 3, true),
            ("SINK_IN_PROGRESS", "09:45", 0, false),
            ("SINK_IN_PROGRESS", "09:35", 0, true),
            ("SUMMARIZER_IN_PROGRESS", "08:55", 0, true),
            ("A_NEW_WORD", "01:00", 0, false),
            ("SUCCEEDED", "01:00", 0, false),
        ] {
            let status = status(state, updated, runners);
            assert_eq!(stands_still(&status, now), still, "{state} {updated}");
        }
    }

    #[test]
    fn a_job_has_a_number_above_zero() {
        for (id, is_job) in [("136", true), (r#""136""#, true), ("0", false), ("null", false)] {
            let item = format!(r#"{{"job_id":{id},"with_incidents":true}}"#);
            assert_eq!(past(serde_json::from_str(&item).unwrap(), "a").is_some(), is_job, "{id}");
        }
    }

    #[test]
    fn the_state_may_be_written_in_any_case() {
        let item = r#"{"job_id":1,"job_status":"Succeeded","with_incidents":true}"#;
        let past = past(serde_json::from_str(item).unwrap(), "a").unwrap();
        assert!(past.is_over());
    }
}
