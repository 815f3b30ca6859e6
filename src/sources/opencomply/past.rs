//! Jobs of the past, and the runs that they make up. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::wire::{self, HistoryItem, IntegrationItem};

/// A job that nobody has found work for after this long hangs for a day (fact sheet §3.3). It has
/// no runners that a new run could delete, so nobody needs to wait for it. Measured between two
/// machines' clocks, hence generous.
const STUCK: TimeDelta = TimeDelta::minutes(15);

/// The platform ends every job after a day, but for ten minutes that it waits for results (fact
/// sheet §3.2). One that has not ended after two is a remnant: nothing comes of it, and nothing of
/// it can be broken.
const REMNANT: TimeDelta = TimeDelta::days(2);

/// A job of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub id: u64,
    pub state: String,
    /// The platform's ids; `None` where the history does not tell all of them.
    pub integrations: Option<BTreeSet<String>>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A job to rely on, and the integrations it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub job: u64,
    pub integrations: BTreeSet<String>,
}

/// Jobs that together evaluate exactly the wanted integrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// By id, oldest first; never empty.
    pub jobs: Vec<Past>,
}

impl PastRun {
    pub fn members(&self) -> Vec<Member> {
        let member = |job: &Past| Member {
            job: job.id,
            integrations: job.integrations.clone().unwrap_or_default(),
        };
        self.jobs.iter().map(member).collect()
    }

    pub fn is_over(&self) -> bool {
        self.jobs.iter().all(Past::is_over)
    }

    /// Whether all of its jobs were created after this one.
    pub fn is_after(&self, job: u64) -> bool {
        self.jobs.iter().all(|past| past.id > job)
    }

    pub fn newest(&self) -> u64 {
        self.jobs.iter().map(|job| job.id).max().unwrap_or_default()
    }
}

impl Past {
    pub fn is_over(&self) -> bool {
        wire::is_final(&self.state)
    }

    pub fn is_stuck(&self, now: DateTime<Utc>) -> bool {
        self.state == "CREATED" && self.created_at.is_some_and(|created| now - created > STUCK)
    }

    pub fn is_remnant(&self, now: DateTime<Utc>) -> bool {
        !self.is_over() && self.created_at.is_some_and(|created| now - created > REMNANT)
    }

    /// `, created 3h 12m ago`, if that is known.
    pub fn age(&self, now: DateTime<Utc>) -> String {
        let age = self.created_at.and_then(|created| (now - created).to_std().ok());
        let minutes = age.map(|age| Duration::from_secs(age.as_secs() / 60 * 60));
        minutes.map_or_else(String::new, |age| {
            format!(", created {} ago", humantime::format_duration(age))
        })
    }
}

/// A job with incidents of `framework`.
pub fn past(item: HistoryItem, framework: &str) -> Option<Past> {
    let other = item.benchmark_id.as_deref().is_some_and(|id| !id.eq_ignore_ascii_case(framework));
    // A run without incidents has no runners to lose, and no use here.
    if other || item.with_incidents == Some(false) {
        return None;
    }
    let listed = item.integration_info;
    // Deleted integrations are left out of the list, but not of the number.
    let whole = item.number_of_integrations.is_none_or(|number| {
        listed.as_ref().is_some_and(|listed| i64::try_from(listed.len()) == Ok(number))
    });
    let ids =
        |listed: Vec<IntegrationItem>| listed.into_iter().map(|one| one.integration_id).collect();
    Some(Past {
        id: item.job_id?.0,
        state: item.job_status.unwrap_or_default(),
        integrations: listed.filter(|_| whole).and_then(ids),
        created_at: item.created_at,
        updated_at: item.updated_at,
    })
}
