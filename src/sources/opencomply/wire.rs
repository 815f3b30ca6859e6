//! What the platform sends, as honest as it is: anything may be null or missing, enumerations are
//! texts, ids are numbers here and texts there (fact sheet §1.5).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Who the token belongs to (fact sheet §1.2).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Me {
    pub username: Option<String>,
    pub email: Option<String>,
    pub role: Option<String>,
}

/// A list that tells how long it is. Go sends a null where it is empty.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Listed<T> {
    /// The outer `None`: the key is not there at all.
    #[serde(default, alias = "integrations", deserialize_with = "present")]
    items: Option<Option<Vec<T>>>,
    total_count: Option<i64>,
}

/// What is certainly a list, or a page of one.
#[derive(Debug)]
pub struct Page<T> {
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
    pub fn page(self) -> Result<Page<T>, String> {
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
pub struct FrameworkItem {
    pub framework_id: Option<String>,
    pub framework_title: Option<String>,
    pub plugins: Option<Vec<String>>,
    pub number_of_controls: Option<i64>,
}

/// An integration with its state; also, without it, as jobs name it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct IntegrationItem {
    pub integration_id: Option<String>,
    pub integration_type: Option<String>,
    pub provider_id: Option<String>,
    pub name: Option<String>,
    pub state: Option<String>,
}

/// The answer to a run (fact sheet §2.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Started {
    pub jobs: Option<Vec<StartedJob>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StartedJob {
    pub job_id: Option<Id>,
    pub benchmark_id: Option<String>,
    pub integration_info: Option<Vec<IntegrationItem>>,
}

/// A job in a framework's history (fact sheet §7).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HistoryItem {
    pub job_id: Option<Id>,
    pub with_incidents: Option<bool>,
    pub benchmark_id: Option<String>,
    pub job_status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    pub integration_info: Option<Vec<IntegrationItem>>,
    pub number_of_integrations: Option<i64>,
}

/// The state of a job (fact sheet §3.1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    pub job_id: Option<Id>,
    pub with_incidents: Option<bool>,
    pub frameworks: Option<Vec<FrameworkName>>,
    pub job_status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub end_time: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    pub step_failed: Option<String>,
    pub failure_message: Option<String>,
    pub integrations: Option<Vec<IntegrationItem>>,
    pub created_by: Option<String>,
    pub runners_status: Option<RunnerCounts>,
    pub incidents: Option<Incidents>,
    /// Seconds.
    pub data_sinking_time: Option<i64>,
}

impl Status {
    /// The platform's word for the state; empty if it gave none.
    pub fn state(&self) -> &str {
        self.job_status.as_deref().unwrap_or_default()
    }

    /// When it ended, if it did. `end_time` is only given for two of the four final states.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        is_final(self.state()).then(|| self.end_time.or(self.updated_at)).flatten()
    }
}

/// Whether a job in this state moves no more (fact sheet §3.2). A word that nobody told us about
/// counts as still running.
pub fn is_final(state: &str) -> bool {
    matches!(state, "SUCCEEDED" | "FAILED" | "TIMEOUT" | "CANCELED")
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FrameworkName {
    pub framework_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunnerCounts {
    pub runners_failed: Option<i64>,
    pub runners_succeeded: Option<i64>,
    pub runners_timed_out: Option<i64>,
    pub total_count: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Incidents {
    pub summary: Option<Summary>,
    pub alarms_breakdown: Option<BTreeMap<String, Option<i64>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub ok: Option<i64>,
    pub alarm: Option<i64>,
}

/// One runner of a job (fact sheet §3.5).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Runner {
    pub control_id: Option<String>,
    pub status: Option<String>,
    pub failure_message: Option<String>,
}

/// Counts per control (fact sheet §5.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ByControl {
    pub controls: Option<BTreeMap<String, ControlCounts>>,
    pub job_summary: Option<JobSummary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ControlCounts {
    pub severity: Option<String>,
    pub alarms: Option<i64>,
    pub oks: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobSummary {
    pub job_id: Option<Id>,
    pub framework_id: Option<String>,
    pub integration_ids: Option<Vec<String>>,
}

/// A page of stored results; only how many there are matters here (fact sheet §5.6).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StoredResults {
    #[serde(rename = "totalCount")]
    pub total_count: Option<i64>,
}

/// A control's words (fact sheet §5.7).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ControlWords {
    pub id: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub manual_remediation: Option<String>,
    pub cli_remediation: Option<String>,
    pub programmatic_remediation: Option<String>,
    pub guardrail_remediation: Option<String>,
}

/// What became of a request to cancel one job (fact sheet §4.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cancelled {
    pub job_id: Option<Id>,
    pub canceled: Option<bool>,
    pub reason: Option<String>,
}

/// The id of a job: a number, or a text with a number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job id")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map(Id).map_err(|_| E::custom(format!("`{text}` is not a job id")))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// RFC 3339 with any number of decimals. Go's zero time, and a text that is no time, are none.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().and_then(moment))
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc();
    (time.year() > 1).then_some(time)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn times_are_read_leniently() {
        for (text, expected) in [
            ("2025-05-08T10:00:00Z", Some("2025-05-08T10:00:00+00:00")),
            ("2025-05-08T10:00:00.1Z", Some("2025-05-08T10:00:00.100+00:00")),
            ("2025-05-08T12:00:00.123456789+02:00", Some("2025-05-08T10:00:00.123456789+00:00")),
            ("0001-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00+00:00", None),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(moment(text).map(|time| time.to_rfc3339()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ids_are_numbers_or_texts() {
        let id = |text: &str| serde_json::from_str::<Option<Id>>(text).ok();
        assert_eq!(id("136"), Some(Some(Id(136))));
        assert_eq!(id("\"136\""), Some(Some(Id(136))));
        assert_eq!(id("18446744073709551615"), Some(Some(Id(u64::MAX))));
        assert_eq!(id("null"), Some(None));
        for bad in ["-1", "1.5", "\"x\"", "[]", "18446744073709551616"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn everything_may_be_null_or_missing() {
        let empty: Status = serde_json::from_str("{}").unwrap();
        assert_eq!(empty.state(), "");
        let nulls: Status = serde_json::from_str(
            r#"{"job_id":null,"frameworks":null,"integrations":null,"runners_status":null,
                "incidents":{"summary":null,"alarms_breakdown":{"high":null}},"end_time":null,
                "new_field":{"a":[1]}}"#,
        )
        .unwrap();
        assert!(nulls.end_time.is_none());
    }

    #[test]
    fn a_list_is_told_from_what_is_none() {
        let length = |text: &str| {
            let list: Listed<FrameworkItem> = serde_json::from_str(text).unwrap();
            list.page().map(|page| page.items.len())
        };
        for (text, expected) in [
            (r#"{"items":[{}],"total_count":1}"#, 1),
            (r#"{"integrations":[{},{}],"total_count":2}"#, 2),
            (r#"{"items":[{}]}"#, 1),
            (r#"{"items":[],"total_count":7}"#, 0),
            (r#"{"items":null,"total_count":0}"#, 0),
            (r#"{"items":null}"#, 0),
            (r#"{"total_count":0}"#, 0),
        ] {
            assert_eq!(length(text), Ok(expected), "{text}");
        }
        for (text, words) in [
            (r#"{"message":"error"}"#, "neither items nor"),
            ("{}", "neither items nor"),
            (r#"{"items":null,"total_count":3}"#, "`total_count` is 3"),
            (r#"{"total_count":3}"#, "`total_count` is 3"),
        ] {
            assert!(length(text).is_err_and(|why| why.contains(words)), "{text}");
        }
    }

    #[test]
    fn only_final_states_have_an_end() {
        let status = |state: &str, end: &str| -> Status {
            serde_json::from_str(&format!(
                r#"{{"job_status":"{state}","end_time":{end},"updated_at":"2025-05-08T10:00:00Z"}}"#
            ))
            .unwrap()
        };
        assert!(status("RUNNERS_IN_PROGRESS", "null").ended_at().is_none());
        assert!(status("SOMETHING_NEW", "null").ended_at().is_none());
        assert!(status("CANCELED", "null").ended_at().is_some());
        let ended = status("SUCCEEDED", "\"2025-05-08T11:00:00Z\"").ended_at().unwrap();
        assert_eq!(ended.to_rfc3339(), "2025-05-08T11:00:00+00:00");
    }
}
