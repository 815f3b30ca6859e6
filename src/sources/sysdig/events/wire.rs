//! Events as the platform sends them (docs/platforms/sysdig.md#events). Every field may be null or
//! missing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::units::{Stamp, given, id};
use crate::json::{Number, Whole};
use crate::selection::Field;

/// A page of the feed.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) page: Option<Cursors>,
    pub(super) data: Option<Vec<Event>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cursors {
    /// Events between `from` and `to`.
    pub(super) total: Option<Whole>,
    /// Events in this page.
    pub(super) returned: Option<Whole>,
    /// The cursor of the events before these.
    #[serde(default, deserialize_with = "id")]
    pub(super) prev: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(default, deserialize_with = "id")]
    pub(super) id: Option<String>,
    pub(super) timestamp: Option<Stamp>,
    pub(super) category: Option<String>,
    pub(super) source: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    severity: Option<Number>,
    pub(super) container_id: Option<String>,
    pub(super) machine_id: Option<String>,
    pub(super) content: Option<Content>,
    labels: Option<BTreeMap<String, Label>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) rule_name: Option<String>,
    pub(super) rule_tags: Option<Vec<String>>,
    pub(super) output: Option<String>,
    pub(super) false_positive: Option<bool>,
}

/// The value of a label, usually a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    Text(String),
    Other(IgnoredAny),
}

impl Event {
    /// The number of its severity, if it has one.
    pub(super) fn number(&self) -> Option<u64> {
        self.severity.as_ref()?.0.trim().parse().ok()
    }

    /// Its severity as the platform writes it.
    pub(super) fn severity(&self) -> Option<&str> {
        self.severity.as_ref().map(|severity| severity.0.as_str())
    }

    /// The rule that it is of.
    pub(super) fn rule(&self) -> Option<&str> {
        let content = self.content.as_ref();
        content.and_then(|content| given(&content.rule_name)).or(given(&self.name))
    }

    /// What it states in a field by which the platform filters.
    pub(super) fn word(&self, field: Field) -> Option<&str> {
        match field {
            Field::Rule => self.content.as_ref()?.rule_name.as_deref(),
            Field::EventSource => self.source.as_deref(),
            Field::Category => self.category.as_deref(),
            _ => None,
        }
    }

    /// All labels that are texts; `None` where the event has no labels at all.
    pub(super) fn labels(&self) -> Option<impl Iterator<Item = (&str, &str)>> {
        Some(self.labels.as_ref()?.iter().filter_map(|(name, label)| match label {
            Label::Text(text) => Some((name.as_str(), text.as_str())),
            Label::Other(_) => None,
        }))
    }

    /// Whether there is such a label, whatever its value is.
    pub(super) fn has_label(&self, name: &str) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.contains_key(name))
    }

    /// The value of a label, if it is a text.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        match self.labels.as_ref()?.get(name)? {
            Label::Text(text) if !text.trim().is_empty() => Some(text),
            Label::Text(_) | Label::Other(_) => None,
        }
    }
}

/// Counts by number, by kind of event, and other fields.
pub(super) type Counts = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) count_by_severity: Option<BTreeMap<String, Option<Whole>>>,
}
