//! The parameters of BigPanda. Every default is that of a healthy platform on a quiet day.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::objects;
use crate::data;
use crate::hostile::Hostility;
use crate::ids;

/// What the simulated BigPanda has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Keys that are not valid; any other one is.
    pub revoked_keys: Vec<String>,
    /// Recent changes.
    pub changes: Vec<Change>,
    /// More changes, without any risk: updates of alert tags, a minute apart.
    pub filler: u64,
    /// How a page of entries is wrapped: three shapes have been seen (docs/platforms/bigpanda.md,
    /// envelope and paging).
    pub envelope: Envelope,
    /// The name of the list in an object.
    pub list: String,
    /// Whether an object states a total.
    pub total: bool,
    /// Added to the total.
    pub total_offset: isize,
    /// The most entries of a page, whatever was asked for.
    pub per_page_cap: Option<usize>,
    /// Whether `page` is ignored, so that every page is the first one.
    pub ignore_page: bool,
    /// Whether `start` and `end` are ignored.
    pub ignore_window: bool,
    /// Whether the log grows while it is read: each page repeats the last entry of the one before.
    pub growing: bool,
    /// How entries state their time.
    pub timestamps: Timestamps,
    /// Fields that no entry has, such as `action_type` (docs/platforms/bigpanda.md, gaps in the
    /// documentation).
    pub without: Vec<String>,
    /// The most requests within a second; 0 is without limit (docs/platforms/bigpanda.md, request).
    pub requests_per_second: usize,
    /// Whether an empty page is 204 (docs/platforms/bigpanda.md, errors).
    pub no_content: bool,
    /// Whether the token may not read the audit log.
    pub forbidden: bool,
    /// Whether the address without a trailing slash leads to the one with it
    /// (docs/platforms/bigpanda.md, request).
    pub redirect: bool,
    /// A file that is the whole first page, such as a recorded answer; no other page has
    /// entries.
    pub answer: Option<PathBuf>,
    /// The maintenance plans there are.
    pub plans: Vec<Plan>,
    /// Whether the token may not read the maintenance plans.
    pub plans_forbidden: bool,
}

/// How a page of entries is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Envelope {
    /// Nothing: the answer is the list.
    Array,
    /// An object with the list in it.
    Object,
    /// The entry itself where the page has one entry, else the list.
    Single,
}

/// How entries state their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Timestamps {
    Seconds,
    /// Seconds as a text.
    Text,
    Milliseconds,
    /// Seconds with a fraction.
    Fraction,
}

/// One entry of the audit log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The resource type as the platform spells it; any word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The type whose object it has, if that is another one: AutoShare rules come as environments.
    #[serde(default)]
    pub object_of: Option<String>,
    /// `create`, `update`, `delete`, `init_state`, any other word, or null.
    #[serde(default = "create")]
    pub action: Option<String>,
    /// An e-mail address, `system-generated`, or null.
    #[serde(default = "somebody")]
    pub actor: Option<String>,
    /// What the resource is called.
    #[serde(default = "name")]
    pub name: String,
    /// How long before the start of the simulator.
    #[serde(default = "hour")]
    pub minutes_ago: i64,
    /// When a plan starts and ends, from the start of the simulator on.
    #[serde(default = "hour")]
    pub starts_in_minutes: i64,
    #[serde(default = "two_hours")]
    pub ends_in_minutes: i64,
    /// Fields over those of the generated object; null takes one away. The object as a whole is
    /// null in deletions.
    #[serde(default)]
    pub object: serde_json::Map<String, Value>,
}

/// One maintenance plan of the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub name: String,
    /// `planned`, `running` or `done`.
    #[serde(default = "running")]
    pub status: String,
    /// How long before the start of the simulator it was created.
    pub created_minutes_ago: i64,
    #[serde(default = "hour")]
    pub ends_in_minutes: i64,
}

impl Plan {
    pub(crate) fn sent(&self, epoch: i64, hostility: Hostility) -> Value {
        let created = epoch - 60 * self.created_minutes_ago;
        json!({
            "id": objects::id("alert_filtering", &self.name),
            "status": self.status,
            "maintenance_key": ids::uuid(&self.name),
            "name": hostility.text(&*self.name),
            "start": epoch - 60,
            "end": epoch + 60 * self.ends_in_minutes,
            "description": "",
            "custom_tags": [],
            "created_by": objects::id("users", "somebody"),
            "created_at": created,
            "updated_by": null,
            "updated_at": created,
            "frequency": "Once",
            "frequency_data": null,
        })
    }
}

fn create() -> Option<String> {
    Some("create".to_owned())
}

fn somebody() -> Option<String> {
    Some("ann@example.com".to_owned())
}

fn name() -> String {
    "example".to_owned()
}

fn running() -> String {
    "running".to_owned()
}

fn hour() -> i64 {
    60
}

fn two_hours() -> i64 {
    120
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            revoked_keys: vec!["revoked".to_owned()],
            changes: data::table(include_str!("../../data/bigpanda/changes.json")),
            filler: 0,
            envelope: Envelope::Object,
            list: "items".to_owned(),
            total: true,
            total_offset: 0,
            per_page_cap: None,
            ignore_page: false,
            ignore_window: false,
            growing: false,
            timestamps: Timestamps::Seconds,
            without: Vec::new(),
            requests_per_second: 5,
            no_content: false,
            forbidden: false,
            redirect: false,
            answer: None,
            plans: Vec::new(),
            plans_forbidden: false,
        }
    }
}

impl Settings {
    /// Whether the parameters make sense; the error is a sentence for the scenario's author.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.per_page_cap == Some(0) {
            return Err("bigpanda: per_page_cap: at least 1".to_owned());
        }
        if self.filler > 1_000_000 {
            return Err("bigpanda: filler: at most 1000000".to_owned());
        }
        for change in &self.changes {
            let shape = change.object_of.as_ref().unwrap_or(&change.kind);
            if change.object_of.is_some() && !objects::kinds().contains(&shape.as_str()) {
                return Err(format!(
                    "bigpanda: object_of {shape:?} is not one of {}",
                    objects::kinds().join(", ")
                ));
            }
        }
        match &self.answer {
            Some(path) if !path.is_file() => {
                Err(format!("bigpanda: answer: {} is not a file", path.display()))
            }
            _ => Ok(()),
        }
    }
}
