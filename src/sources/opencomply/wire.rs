//! What the platform sends: anything may be null or missing, enumerations are texts, ids are numbers
//! in some answers and texts in others (docs/platforms/opencomply.md#json).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::Deserializer;

mod value;

pub(super) use value::{Id, Number};
use value::{number, time};

/// Who the token belongs to (docs/platforms/opencomply.md#tokens-and-roles).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Me {
    pub username: Option<String>,
    pub email: Option<String>,
    pub role: Option<String>,
}

/// A list that states how long it is. The platform sends a null where it is empty.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Listed<T> {
    /// The outer `None`: the key is not there at all.
    #[serde(default, alias = "integrations", deserialize_with = "present")]
    items: Option<Option<Vec<T>>>,
    #[serde(default, deserialize_with = "number")]
    total_count: Option<i64>,
}

/// What is certainly a list, or a page of one.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub items: Vec<T>,
    /// Of the whole list, where the platform says it.
    pub total: Option<i64>,
}

impl<T> Listed<T> {
    /// The page, if this is one: an error object with a good status is not, and nothing is not
    /// the whole of something.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn page(self) -> Result<Page<T>, String> {
        let page = |items| Ok(Page { items, total: self.total_count });
        match (self.items, self.total_count) {
            (Some(Some(items)), _) => page(items),
            (Some(None), None) | (_, Some(0)) => page(Vec::new()),
            (None, None) => {
                Err("the answer is no list: it has neither items nor a `total_count`, \
                                 as if it were the message of an error"
                    .to_owned())
            }
            (_, Some(total)) => {
                Err(format!("the answer lists nothing where its `total_count` is {total}"))
            }
        }
    }
}

/// A key that is there, be it with a null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FrameworkItem {
    pub framework_id: Option<String>,
    pub framework_title: Option<String>,
    pub plugins: Option<Vec<String>>,
    #[serde(default, deserialize_with = "number")]
    pub number_of_controls: Option<i64>,
}

/// An integration with its state; also, without it, as jobs name it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IntegrationItem {
    pub integration_id: Option<String>,
    pub integration_type: Option<String>,
    pub provider_id: Option<String>,
    pub name: Option<String>,
    pub state: Option<String>,
}

/// The answer to a run (docs/platforms/opencomply.md#starting-a-run).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Started {
    pub jobs: Option<Vec<StartedJob>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StartedJob {
    pub job_id: Option<Id>,
    pub benchmark_id: Option<String>,
    pub integration_info: Option<Vec<IntegrationItem>>,
}

/// A job in a framework's history (docs/platforms/opencomply.md#history).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryItem {
    pub job_id: Option<Id>,
    pub with_incidents: Option<bool>,
    pub benchmark_id: Option<String>,
    pub job_status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    pub integration_info: Option<Vec<IntegrationItem>>,
    #[serde(default, deserialize_with = "number")]
    pub number_of_integrations: Option<i64>,
}

/// The state of a job (docs/platforms/opencomply.md#job-status).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub job_id: Option<Id>,
    pub with_incidents: Option<bool>,
    pub frameworks: Option<Vec<FrameworkName>>,
    pub job_status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub end_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub last_updated_at: Option<DateTime<Utc>>,
    pub step_failed: Option<String>,
    pub failure_message: Option<String>,
    pub integrations: Option<Vec<IntegrationItem>>,
    pub created_by: Option<String>,
    pub runners_status: Option<RunnerCounts>,
    pub incidents: Option<Incidents>,
    /// Seconds.
    #[serde(default, deserialize_with = "number")]
    pub data_sinking_time: Option<i64>,
}

impl Status {
    /// The platform's word for the state, in capitals; empty if it gave none.
    pub(super) fn state(&self) -> String {
        self.job_status.as_deref().unwrap_or_default().to_ascii_uppercase()
    }

    /// Whether its runners are made already.
    pub(super) fn has_runners(&self) -> bool {
        let runners = self.runners_status.as_ref().and_then(|runners| runners.total_count);
        runners.is_some_and(|total| total != 0)
    }

    /// When it ended, if it did. `end_time` is only given for two of the four final states.
    pub(super) fn ended_at(&self) -> Option<DateTime<Utc>> {
        is_final(&self.state()).then(|| self.end_time.or(self.updated_at)).flatten()
    }
}

/// Whether a job in this state, in capitals, moves no more
/// (docs/platforms/opencomply.md#job-states). An undocumented word counts as still running.
pub(super) fn is_final(state: &str) -> bool {
    matches!(state, "SUCCEEDED" | "FAILED" | "TIMEOUT" | "CANCELED")
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FrameworkName {
    pub framework_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RunnerCounts {
    #[serde(default, deserialize_with = "number")]
    pub runners_failed: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub runners_succeeded: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub runners_timed_out: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub total_count: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incidents {
    pub summary: Option<Summary>,
    pub alarms_breakdown: Option<BTreeMap<String, Number>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    #[serde(default, deserialize_with = "number")]
    pub ok: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub alarm: Option<i64>,
}

/// One runner of a job (docs/platforms/opencomply.md#runners).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Runner {
    pub control_id: Option<String>,
    pub status: Option<String>,
    pub failure_message: Option<String>,
}

/// Counts per control (docs/platforms/opencomply.md#report-by-control).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ByControl {
    pub controls: Option<BTreeMap<String, ControlCounts>>,
    pub job_summary: Option<JobSummary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ControlCounts {
    pub severity: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub alarms: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub oks: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobSummary {
    pub job_id: Option<Id>,
    pub framework_id: Option<String>,
    pub integration_ids: Option<Vec<String>>,
}

/// A framework with the controls that belong to it now, below it and below its children
/// (docs/platforms/opencomply.md#controls).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Nested {
    controls: Option<Vec<String>>,
    children: Option<Vec<Nested>>,
}

impl Nested {
    /// The ids of all controls.
    pub(super) fn control_ids(&self) -> BTreeSet<String> {
        let children = self.children.iter().flatten().flat_map(Self::control_ids);
        self.controls.iter().flatten().cloned().chain(children).collect()
    }
}

/// What a control is (docs/platforms/opencomply.md#controls).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ControlItem {
    pub id: Option<String>,
    pub title: Option<String>,
    pub severity: Option<String>,
    /// The outer `None`: the key is not there at all.
    #[serde(deserialize_with = "present")]
    pub policy: Option<Option<PolicyItem>>,
    #[serde(alias = "integration_type")]
    pub integration_type: Option<Vec<String>>,
    pub description: Option<String>,
    pub manual_remediation: Option<String>,
    pub cli_remediation: Option<String>,
    pub programmatic_remediation: Option<String>,
    pub guardrail_remediation: Option<String>,
}

/// What evaluates a control.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PolicyItem {
    pub id: Option<String>,
    #[serde(alias = "integration_type")]
    pub integration_type: Option<Vec<String>>,
}

/// What became of a request to cancel one job (docs/platforms/opencomply.md#cancelling).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cancelled {
    pub job_id: Option<Id>,
    pub canceled: Option<bool>,
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests;
