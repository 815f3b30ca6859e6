//! The JSON of `GET /cspm/checks` (docs/platforms/gravityzone.md#checks), and what a usable record
//! must have.
//!
//! Everything borrows from the page. Nothing is kept of a passed check, and only what is new of a
//! failed one. Descriptions and lists of controls are most of a page; they are read only where
//! needed.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::query::RecordFault;
use crate::finding::Severity;
use crate::json::{self, Whole};
use crate::text;

/// One page.
#[derive(Deserialize)]
pub struct Page<'a> {
    #[serde(borrow)]
    pub data: Vec<CheckRecord<'a>>,
    #[serde(borrow)]
    pub links: Links<'a>,
    pub meta: Meta,
    /// Beside a list they are the sign that it is not whole.
    #[serde(default)]
    pub errors: Value,
}

#[derive(Deserialize)]
pub struct Links<'a> {
    /// Null on the last page.
    #[serde(borrow)]
    pub next: Option<Text<'a>>,
}

#[derive(Clone, Copy, Deserialize)]
pub struct Meta {
    /// Checks in the whole answer.
    pub(super) total: Whole,
    /// Checks shown so far, this page's included. Not a time.
    pub(super) elapsed: Option<Whole>,
}

/// A text of the page. (`Option<Cow<str>>` would always copy.)
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A check as it was sent. The documentation has `{"...": "..."}` for some, so every field is
/// optional here.
#[derive(Deserialize)]
pub struct CheckRecord<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Option<Attributes<'a>>,
    #[serde(borrow)]
    relationships: Option<Relationships<'a>>,
}

#[derive(Deserialize)]
struct Attributes<'a> {
    #[serde(borrow)]
    result: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    /// `None` where a platform does not have the field at all.
    #[serde(default, borrow, deserialize_with = "stated")]
    original_severity: Option<Option<Text<'a>>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    resource_type: Option<Text<'a>>,
    #[serde(borrow)]
    resource_id: Option<Text<'a>>,
    #[serde(borrow)]
    resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    resource_region: Option<Text<'a>>,
    #[serde(borrow)]
    scan_name: Option<Text<'a>>,
    #[serde(borrow)]
    scan_group_name: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Relationships<'a> {
    #[serde(borrow)]
    scan: Option<CheckAnswer<'a>>,
    #[serde(borrow)]
    scan_group: Option<CheckAnswer<'a>>,
    #[serde(borrow)]
    rule: Option<CheckAnswer<'a>>,
    #[serde(borrow)]
    controls: Option<ChecksAnswer<'a>>,
}

#[derive(Deserialize)]
struct CheckAnswer<'a> {
    #[serde(borrow)]
    data: Option<Related<'a>>,
}

#[derive(Deserialize)]
struct ChecksAnswer<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Related<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    meta: Option<RelatedMeta<'a>>,
}

#[derive(Deserialize)]
struct RelatedMeta<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    compliance_id: Option<Text<'a>>,
    #[serde(borrow)]
    section_id: Option<Text<'a>>,
}

/// A check with everything it must have. Empty texts count as absent.
#[derive(Clone, Copy)]
pub struct CheckRow<'a> {
    pub id: &'a str,
    pub passed: bool,
    /// As it is on the platform now. An undocumented word, or none, is `Unknown`.
    pub severity: Severity,
    /// The severity that the scan assigned, if that is stated.
    pub original_severity: Severity,
    /// Whether the check has the field at all.
    pub has_original: bool,
    pub original_word: Option<&'a str>,
    pub severity_word: Option<&'a str>,
    /// Null on every passed check.
    pub status: Option<&'a str>,
    pub resource_type: Option<&'a str>,
    /// Null, as the name, on checks of a whole account.
    pub resource_id: Option<&'a str>,
    pub resource_name: Option<&'a str>,
    pub region: Option<&'a str>,
    pub scan_id: &'a str,
    pub scan_name: Option<&'a str>,
    pub scan_group_id: Option<&'a str>,
    pub scan_group_name: Option<&'a str>,
    pub rule_id: Option<&'a str>,
    /// The rule's slug: `cloud_scan/aws/…`.
    pub rule: &'a str,
    pub title: Option<&'a str>,
    description: Option<&'a RawValue>,
    controls: &'a RawValue,
    pub created_at: Option<&'a str>,
}

/// A control and its framework, both as slugs (docs/platforms/gravityzone.md#checks).
pub struct NamedControl<'a> {
    pub framework: Cow<'a, str>,
    pub id: Cow<'a, str>,
    /// The section of the framework that it is in.
    pub section: Option<Cow<'a, str>>,
}

impl CheckRecord<'_> {
    /// The record's id, if it has one, to name it by.
    pub fn id(&self) -> Option<&str> {
        given(self.id.as_ref())
    }

    /// The record as a check.
    ///
    /// # Errors
    /// What it lacks. Such a record is never skipped, since it could be a failed check.
    pub fn row(&self) -> Result<CheckRow<'_>, RecordFault> {
        let id = need(self.id(), "id")?;
        if need(given(self.kind.as_ref()), "type")? != "check" {
            return Err(RecordFault::protocol("is not of type `check`"));
        }
        let attributes = need(self.attributes.as_ref(), "attributes")?;
        let relationships = need(self.relationships.as_ref(), "relationships")?;
        let rule = relationships.rule.as_ref().and_then(|rule| rule.data.as_ref());
        let rule_id = rule.and_then(|rule| given(rule.id.as_ref()));
        let rule = rule.and_then(|rule| rule.meta.as_ref());
        let scan = relationships.scan.as_ref().and_then(|scan| scan.data.as_ref());
        let scan_group = relationships.scan_group.as_ref().and_then(|group| group.data.as_ref());
        let controls = relationships.controls.as_ref().and_then(|controls| controls.data);
        let severity_word = given(attributes.severity.as_ref());
        let original = attributes.original_severity.as_ref();
        let original_word = original.and_then(|word| given(word.as_ref()));
        Ok(CheckRow {
            id,
            passed: passed(need(given(attributes.result.as_ref()), "attributes.result")?)?,
            severity: severity(severity_word),
            has_original: original.is_some(),
            original_severity: severity(original.map_or(severity_word, |_| original_word)),
            original_word,
            severity_word,
            status: given(attributes.status.as_ref()),
            resource_type: given(attributes.resource_type.as_ref()),
            resource_id: given(attributes.resource_id.as_ref()),
            resource_name: given(attributes.resource_name.as_ref()),
            region: given(attributes.resource_region.as_ref()),
            scan_id: need(
                scan.and_then(|scan| given(scan.id.as_ref())),
                "relationships.scan.data.id",
            )?,
            scan_name: given(attributes.scan_name.as_ref()),
            scan_group_id: scan_group.and_then(|group| given(group.id.as_ref())),
            scan_group_name: given(attributes.scan_group_name.as_ref()),
            rule_id,
            rule: need(
                rule.and_then(|meta| given(meta.name.as_ref())),
                "relationships.rule.data.meta.name",
            )?,
            title: given(attributes.title.as_ref()),
            description: attributes.description,
            controls: need(controls, "relationships.controls.data")?,
            created_at: given(attributes.created_at.as_ref()),
        })
    }
}

impl<'a> CheckRow<'a> {
    /// The severity that counts: of a failed check the higher one. Lowering a severity on the
    /// platform must not take a check out of a gate. A passed check of an unknown severity must not
    /// count as one of the worst, so it has none.
    pub fn counted_severity(&self) -> Severity {
        match self.severity {
            severity if !self.passed => severity.max(self.original_severity),
            Severity::Unknown => Severity::None,
            severity => severity,
        }
    }

    /// What the rule is about, at length.
    pub fn description(&self) -> Option<Cow<'a, str>> {
        let text: Text<'a> = json::from_raw(self.description?).ok()?;
        (!text.0.trim().is_empty()).then_some(text.0)
    }

    /// The list of controls as it was sent.
    pub fn controls_text(&self) -> &'a str {
        self.controls.get()
    }

    /// The controls it belongs to.
    ///
    /// # Errors
    /// If one of them lacks its id or framework: a selector could miss what it hides.
    pub fn controls(&self) -> Result<Vec<NamedControl<'a>>, RecordFault> {
        const FIELD: &str = "relationships.controls.data";
        let related: Vec<Related<'a>> = json::from_raw(self.controls).map_err(|error| {
            RecordFault::protocol(format!("has an unreadable `{FIELD}`: {error}"))
        })?;
        let control = |(at, related): (usize, Related<'a>)| {
            let (framework, section) = match related.meta {
                Some(meta) => (meta.compliance_id, meta.section_id),
                None => (None, None),
            };
            let section = section.map(|section| section.0).filter(|section| !section.is_empty());
            match (framework, related.id) {
                (Some(framework), Some(id)) if !framework.0.is_empty() && !id.0.is_empty() => {
                    Ok(NamedControl { framework: framework.0, id: id.0, section })
                }
                _ => Err(RecordFault::protocol(format!(
                    "has a placeholder instead of a control at `{FIELD}[{at}]` (no `id` or no \
                     `meta.compliance_id`)"
                ))),
            }
        };
        related.into_iter().enumerate().map(control).collect()
    }
}

fn given<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|text| &*text.0).filter(|text| !text.is_empty())
}

/// A field that is there, whatever it says.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn need<T>(value: Option<T>, field: &str) -> Result<T, RecordFault> {
    value.ok_or_else(|| {
        RecordFault::protocol(format!("has no `{field}`: a placeholder instead of a check"))
    })
}

fn passed(word: &str) -> Result<bool, RecordFault> {
    match word {
        _ if word.eq_ignore_ascii_case("fail") => Ok(false),
        _ if word.eq_ignore_ascii_case("pass") => Ok(true),
        _ => Err(RecordFault::protocol(format!(
            "has the result `{}`, which is neither pass nor fail",
            text::one_line(word, 60)
        ))),
    }
}

/// `none` is a severity of other platforms. Here it is undocumented.
fn severity(word: Option<&str>) -> Severity {
    match Severity::from_platform(word.unwrap_or_default()) {
        Severity::None => Severity::Unknown,
        severity => severity,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A failed check as the documentation has it, its masks and placeholders filled in.
    pub(crate) fn check(id: &str) -> Value {
        json!({
            "id": id,
            "type": "check",
            "attributes": {
                "resource_region": "ap-southeast-1",
                "resource_id": "arn:aws:ec2:ap-southeast-1:400000000037:security-group/sg-1",
                "resource_name": "sg-1",
                "resource_type": "EC2 Security Group",
                "result": "fail",
                "severity": "medium",
                "status": "open",
                "created_at": "2023-12-31T17:08:45+00:00",
                "scan_name": "[Staging] AWS",
                "scan_group_name": "demo-group",
                "title": "A title",
                "description": "What was discovered.\n\n\"Quoted\" at length.",
                "original_severity": "medium"
            },
            "relationships": {
                "scan": {"data": {"id": "scan-1", "type": "scan"}},
                "scan_group": {"data": {"id": "group-1", "type": "scan_group"}},
                "rule": {"data": {
                    "id": "rule-1",
                    "type": "rule",
                    "meta": {"name": "cloud_scan/aws/ec2/x", "version": 1}
                }},
                "controls": {"data": [
                    {
                        "id": "CM-7",
                        "type": "control",
                        "meta": {
                            "compliance_type": "system_compliance",
                            "compliance_id": "nist-sp-800-53-r5",
                            "section_id": "CM"
                        }
                    },
                    {"id": "I.c.2.h", "type": "control", "meta": {"compliance_id": "seojk-29-2022"}}
                ]}
            },
            "links": {"self": "https://api.example.com/v1/cspm/checks/1"}
        })
    }

    /// A check with one value replaced, by its JSON pointer.
    pub(crate) fn check_with(id: &str, pointer: &str, value: Value) -> Value {
        let mut check = check(id);
        *check.pointer_mut(pointer).unwrap() = value;
        check
    }

    /// What a record is read as.
    pub(crate) fn read<T>(
        record: &Value,
        then: impl FnOnce(CheckRow<'_>) -> T,
    ) -> Result<T, RecordFault> {
        let text = record.to_string();
        let record: CheckRecord<'_> = serde_json::from_str(&text).unwrap();
        record.row().map(then)
    }

    #[test]
    fn a_documented_check_is_read_whole() {
        read(&check("1"), |row| {
            assert_eq!((row.id, row.passed, row.severity), ("1", false, Severity::Medium));
            assert_eq!((row.status, row.region), (Some("open"), Some("ap-southeast-1")));
            assert_eq!((row.scan_id, row.scan_name), ("scan-1", Some("[Staging] AWS")));
            assert_eq!(row.rule, "cloud_scan/aws/ec2/x");
            let description = row.description().unwrap();
            assert_eq!(description, "What was discovered.\n\n\"Quoted\" at length.");
            let controls = row.controls().ok().unwrap();
            let names: Vec<_> = controls.iter().map(|c| (&*c.framework, &*c.id)).collect();
            assert_eq!(names, [("nist-sp-800-53-r5", "CM-7"), ("seojk-29-2022", "I.c.2.h")]);
        })
        .unwrap();
    }

    /// These are null on real checks (docs/platforms/gravityzone.md#checks).
    #[test]
    fn documented_nulls_are_normal() {
        let attributes = ["status", "resource_id", "resource_name", "resource_region", "scan_name"];
        for field in attributes.into_iter().chain(["title", "description", "created_at"]) {
            let pointer = format!("/attributes/{field}");
            for value in [Value::Null, json!("")] {
                assert!(read(&check_with("1", &pointer, value), |_| ()).is_ok(), "{field}");
            }
        }
    }

    #[test]
    fn what_a_check_must_have_is_named() {
        let null = Value::Null;
        let cases = [
            ("/id", null.clone(), "no `id`"),
            ("/id", json!(""), "no `id`"),
            ("/type", null.clone(), "no `type`"),
            ("/type", json!("scan"), "not of type `check`"),
            ("/attributes", null.clone(), "no `attributes`"),
            ("/attributes/result", null.clone(), "no `attributes.result`"),
            ("/attributes/result", json!("skipped"), "the result `skipped`"),
            ("/relationships", null.clone(), "no `relationships`"),
            ("/relationships/scan", null.clone(), "no `relationships.scan.data.id`"),
            ("/relationships/scan/data", null.clone(), "no `relationships.scan.data.id`"),
            ("/relationships/rule/data/meta", null.clone(), "data.meta.name`"),
            ("/relationships/rule/data/meta/name", json!(""), "data.meta.name`"),
            ("/relationships/controls", null.clone(), "no `relationships.controls.data`"),
            ("/relationships/controls/data", null, "no `relationships.controls.data`"),
        ];
        for (pointer, value, has) in cases {
            let fault = read(&check_with("1", pointer, value), |_| ()).unwrap_err();
            assert!(fault.what.contains(has), "{pointer}: {}", fault.what);
        }
        let placeholder = read(&json!({"...": "..."}), |_| ()).unwrap_err();
        assert_eq!(
            placeholder,
            RecordFault::protocol("has no `id`: a placeholder instead of a check")
        );
    }

    #[test]
    fn a_placeholder_among_the_controls_is_named() {
        for placeholder in [json!({"...": "..."}), json!({"id": "CM-7"}), json!(null), json!(7)] {
            let record = check_with("1", "/relationships/controls/data/1", placeholder);
            let fault = read(&record, |row| row.controls().err()).unwrap();
            let fault = fault.map(|fault| fault.what).unwrap_or_default();
            assert!(fault.contains("relationships.controls.data"), "{fault}");
        }
    }

    #[test]
    fn a_failed_check_counts_with_the_higher_severity() {
        let (null, unreadable) = (json!(null), json!("severe"));
        for (result, current, original, counted) in [
            ("fail", "low", json!("high"), Severity::High),
            ("fail", "high", json!("low"), Severity::High),
            ("fail", "low", null, Severity::Unknown),
            ("fail", "low", unreadable.clone(), Severity::Unknown),
            ("pass", "low", json!("high"), Severity::Low),
            ("pass", "severe", unreadable, Severity::None),
        ] {
            let mut record = check_with("1", "/attributes/original_severity", original);
            record["attributes"]["result"] = result.into();
            record["attributes"]["severity"] = current.into();
            assert_eq!(read(&record, |row| row.counted_severity()), Ok(counted));
        }
    }

    #[test]
    fn words_are_read_whatever_their_case() {
        let cases = [
            (json!("CRITICAL"), Severity::Critical),
            (json!("High"), Severity::High),
            (json!("informational"), Severity::Informational),
            (json!("severe"), Severity::Unknown),
            (json!("none"), Severity::Unknown),
            (json!(null), Severity::Unknown),
        ];
        for (word, severity) in cases {
            let record = check_with("1", "/attributes/severity", word);
            assert_eq!(read(&record, |row| row.severity), Ok(severity));
        }
        let record = check_with("1", "/attributes/result", json!("PASS"));
        assert_eq!(read(&record, |row| row.passed), Ok(true));
    }
}
