//! Checks as the platform writes them (docs/platforms/gravityzone.md, checks).

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::clock::Clock;
use crate::hostile::Hostility;

use super::checks::Check;
use super::rules::Control;
use super::settings::Settings;

/// The age of the oldest finding, in seconds.
const OLDEST: u64 = 400 * 24 * 3600;

/// A record of a page.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Record<'a> {
    Row(Box<Row<'a>>),
    /// What the documentation prints for records it leaves out (docs/platforms/gravityzone.md, gaps
    /// in the documentation).
    Placeholder {
        #[serde(rename = "...")]
        dots: &'static str,
    },
}

#[derive(Serialize)]
pub(crate) struct Row<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    attributes: Attributes<'a>,
    relationships: Relationships<'a>,
    links: Links,
}

/// In an array, so that a scenario can name those that are null.
struct Attributes<'a>([(&'static str, Option<Cow<'a, str>>); 13]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[derive(Serialize)]
struct Relationships<'a> {
    scan: Data<Reference<'a, ()>>,
    scan_group: Data<Reference<'a, ()>>,
    rule: Data<Reference<'a, RuleMeta<'a>>>,
    controls: Data<Vec<Reference<'a, ControlMeta<'a>>>>,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct Reference<'a, Meta> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

#[derive(Serialize)]
struct RuleMeta<'a> {
    name: Cow<'a, str>,
    version: u32,
}

#[derive(Serialize)]
struct ControlMeta<'a> {
    compliance_type: &'static str,
    compliance_id: &'a str,
    section_id: &'a str,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: String,
}

/// What a row needs in addition to its check.
pub(crate) struct Renderer<'a> {
    pub(crate) base: &'a str,
    pub(crate) clock: &'a Clock,
    pub(crate) hostility: Hostility,
    pub(crate) settings: &'a Settings,
}

impl<'a> Renderer<'a> {
    pub(crate) fn row(&self, check: &Check<'a>) -> Row<'a> {
        let id = check.id();
        Row {
            kind: "check",
            attributes: self.attributes(check),
            relationships: self.relationships(check),
            links: Links { own: format!("{}/cspm/checks/{id}", self.base) },
            id,
        }
    }

    fn attributes(&self, check: &Check<'a>) -> Attributes<'a> {
        let text = |plain: &'a str| Some(self.hostility.text(plain));
        let own = |plain: Option<String>| plain.map(|plain| self.hostility.text(plain));
        let rule = check.prepared.rule;
        let age = i64::try_from(check.salt % OLDEST).unwrap_or_default();
        let changed = self.settings.original_severity.as_deref().filter(|_| check.failed);
        let original = changed.unwrap_or(&rule.severity);
        let mut attributes = [
            ("resource_region", text(check.region)),
            ("resource_id", own(check.resource_id())),
            ("resource_name", own(check.resource_name())),
            ("resource_type", text(&rule.resource_type)),
            ("result", Some(if check.failed { "fail" } else { "pass" }.into())),
            ("severity", Some(check.severity.into())),
            ("status", check.status.map(Cow::from)),
            ("created_at", Some(self.clock.offset_stamp(-1000 * age).into())),
            ("scan_name", text(check.site.scan.name.as_str())),
            ("scan_group_name", text(&check.site.scan.group)),
            ("title", Some(self.hostility.title(&rule.title))),
            ("description", text(&check.prepared.description)),
            ("original_severity", Some(original.into())),
        ];
        for (name, value) in &mut attributes {
            if self.settings.null_attributes.iter().any(|null| null == name) {
                *value = None;
            }
        }
        Attributes(attributes)
    }

    fn relationships(&self, check: &Check<'a>) -> Relationships<'a> {
        let prepared = check.prepared;
        Relationships {
            scan: Data { data: reference(&check.site.scan_id, "scan", None) },
            scan_group: Data { data: reference(&check.site.group_id, "scan_group", None) },
            rule: Data {
                data: reference(
                    &prepared.id,
                    "rule",
                    Some(RuleMeta { name: self.hostility.text(&prepared.name), version: 1 }),
                ),
            },
            controls: Data { data: prepared.rule.controls().iter().map(control).collect() },
        }
    }
}

fn reference<'a, Meta>(id: &'a str, kind: &'static str, meta: Option<Meta>) -> Reference<'a, Meta> {
    Reference { id, kind, meta }
}

fn control(control: &Control) -> Reference<'_, ControlMeta<'_>> {
    reference(
        &control.id,
        "control",
        Some(ControlMeta {
            compliance_type: "system_compliance",
            compliance_id: &control.standard,
            section_id: &control.section,
        }),
    )
}
