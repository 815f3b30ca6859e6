//! The past jobs of a framework, of every user (docs/platforms/opencomply.md, history).

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply::{self, Answer, Refusal};

use super::course::Snapshot;
use super::integrations::Selector;
use super::jobs::Job;
use super::request::{Binder, bind, page};
use super::{Platform, Shared};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    integration_info: Option<Vec<Selector>>,
    benchmark_id: Option<Vec<String>>,
    job_status: Option<Vec<String>>,
    with_incidents: Option<bool>,
    interval: Option<String>,
    start_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    sort_by: Option<String>,
    cursor: Option<i64>,
    per_page: Option<i64>,
}

/// `POST …/benchmark/{id}/run-history`: the newest change first, unless asked otherwise.
pub(crate) async fn run_history(
    State(platform): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    platform.require_compliance()?;
    platform.require_integration_service()?;
    let filter: Filter = bind(Binder::Scheduler, &headers, &body)?;
    let mut found = platform.history(&filter)?;
    found.retain(|(job, _)| job.framework == id);
    sort(&mut found, filter.sort_by.as_deref().unwrap_or("updated_at"));
    let now = platform.clock.now();
    Ok(listing(&filter, found, |(job, snapshot)| {
        let integrations = platform.infos(&job.integrations, now);
        json!({
            "job_id": job.id,
            "with_incidents": job.with_incidents,
            "benchmark_id": job.framework,
            "job_status": job.state_word(snapshot),
            "created_at": platform.clock.stamp(job.created),
            "updated_at": platform.clock.stamp(job.created + snapshot.updated),
            "number_of_integrations": integrations.as_ref().map_or(0, Vec::len),
            "integration_info": integrations,
        })
    }))
}

fn listing(
    filter: &Filter,
    found: Vec<(Job, Snapshot)>,
    item: impl Fn(&(Job, Snapshot)) -> Value,
) -> Response {
    let total = found.len();
    let items: Vec<Value> = page(found, filter.cursor, filter.per_page).iter().map(item).collect();
    reply::json(&json!({ "items": reply::items(items, total), "total_count": total }))
}

/// Times newest first, everything else ascending.
fn sort(found: &mut [(Job, Snapshot)], by: &str) {
    match by {
        "updated_at" => found.sort_by_key(|(job, snapshot)| -(job.created + snapshot.updated)),
        "created_at" => found.sort_by_key(|(job, _)| -job.created),
        "benchmarkid" => found.sort_by(|(a, _), (b, _)| a.framework.cmp(&b.framework)),
        "jobstatus" => found.sort_by_key(|(_, snapshot)| snapshot.state.word()),
        "with_incidents" => found.sort_by_key(|(job, _)| job.with_incidents),
        _ => found.sort_by_key(|(job, _)| job.id),
    }
}

impl Platform {
    /// The jobs that pass the filter's common part.
    fn history(&self, filter: &Filter) -> Result<Vec<(Job, Snapshot)>, Refusal> {
        let now = self.clock.now();
        // A filter that matches no integration is no filter.
        let selectors = filter.integration_info.as_deref().unwrap_or_default();
        let matched = self.matched(selectors, "failed to list credential", now)?;
        let states = filter.job_status.clone().unwrap_or_default();
        let since = filter.interval.as_deref().map(|text| now - milliseconds(text));
        let jobs = self.jobs();
        Ok(jobs
            .existing(now)
            .map(|job| (job.clone(), jobs.snapshot(job, now)))
            .filter(|(job, snapshot)| {
                let updated = job.created + snapshot.updated;
                let at = self.clock.at(updated);
                (matched.is_empty() || job.integrations.iter().any(|each| matched.contains(each)))
                    && (states.is_empty() || states.iter().any(|word| word == job.state_word(snapshot)))
                    && filter.with_incidents.is_none_or(|with| with == job.with_incidents)
                    // A zero length is a time window that nothing falls into.
                    && since.is_none_or(|since| since < updated)
                    && filter.start_time.is_none_or(|start| start <= at)
                    && filter.end_time.is_none_or(|end| at <= end)
            })
            .collect())
    }
}

/// Only `N days`, `hours`, `minutes` and `seconds` are understood; all else has no length.
fn milliseconds(interval: &str) -> i64 {
    let (number, unit) = interval.split_once(' ').unwrap_or((interval, ""));
    let length = match unit {
        "days" => 24 * 3_600_000,
        "hours" => 3_600_000,
        "minutes" => 60_000,
        "seconds" => 1000,
        _ => 0,
    };
    number.parse::<i64>().unwrap_or_default().saturating_mul(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_in_other_words_has_no_length() {
        assert_eq!(milliseconds("2 hours"), 7_200_000);
        for other in ["24h", "1 week", "1 day", ""] {
            assert_eq!(milliseconds(other), 0, "{other:?}");
        }
    }
}
