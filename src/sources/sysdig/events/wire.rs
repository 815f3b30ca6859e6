//! What the feed of events sends (fact sheet §6). Anything may be null or missing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde_json::Value;

use super::super::units::{Id, Stamp, Whole};

#[derive(Debug, Deserialize)]
pub struct Page {
    pub page: Option<Cursors>,
    pub data: Option<Vec<Event>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Cursors {
    /// Events that the question has, as far as it has bounds.
    pub total: Option<Whole>,
    /// Events in this page.
    pub returned: Option<Whole>,
    /// To the events before these.
    pub prev: Option<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub id: Option<Id>,
    pub timestamp: Option<Stamp>,
    pub source: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub severity: Option<Number>,
    pub container_id: Option<String>,
    pub machine_id: Option<String>,
    pub content: Option<Content>,
    pub labels: Option<BTreeMap<String, Label>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    pub rule_name: Option<String>,
    pub rule_tags: Option<Vec<String>>,
    pub output: Option<String>,
    pub false_positive: Option<bool>,
}

/// The number of a severity: `4`, `"4"`, and whatever else comes is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a severity")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(u64::try_from(number).ok()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.trim().parse().ok()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A label: a text, mostly.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Label {
    Text(String),
    Other(IgnoredAny),
}

/// Counts by number, by kind of event; other fields may stand beside them.
pub type Counts = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub count_by_severity: Option<BTreeMap<String, Option<Whole>>>,
}
