//! The JSON of a page of cases (docs/platforms/bigid.md#listing-cases).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::Whole;

use crate::json;

/// What an answer reports about itself, with any status
/// (docs/platforms/bigid.md#errors-and-limits). A map, since a struct could be read from a list too.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Envelope<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);

/// A failure that an answer reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: String,
    /// Whether it is about the token.
    pub denied: bool,
}

impl Envelope<'_> {
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let status = self.field("status").filter(|status| !is_success(status));
        let reason = json::complaint(|name| self.field(name))
            .or_else(|| status.map(|status| format!("`status: {status}`: no reason given")))?;
        // The only text that is known from a public client is `Authentication failed`.
        let code = self.field("statusCode").and_then(|code| code.as_u64());
        let denied = matches!(code, Some(401 | 403))
            || ["authenticat", "authoriz", "unauthor", "forbidden", "permission"]
                .iter()
                .any(|part| reason.to_lowercase().contains(part));
        Some(Refusal { reason, denied })
    }

    /// A field that is there and not null.
    fn field(&self, name: &str) -> Option<Value> {
        let value = json::from_raw(self.0.get(name)?).ok();
        value.filter(|value: &Value| !value.is_null())
    }
}

fn is_success(status: &Value) -> bool {
    status.as_str().is_some_and(|status| status.eq_ignore_ascii_case("success"))
}

/// A page of cases. An answer without the list is an error, not an empty page.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub data: Data,
}

#[derive(Debug, Deserialize)]
pub(super) struct Data {
    #[serde(default, rename = "totalCount")]
    pub total: Option<Whole>,
    pub cases: Vec<CaseRow>,
}

/// A case. Fields that a gate can select by must be readable; other fields may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CaseRow {
    #[serde(rename = "_id")]
    pub mongo_id: Scalar,
    pub id: Scalar,
    pub case_status: Scalar,
    pub severity_level: Scalar,
    pub policy_name: Scalar,
    pub data_source_name: Scalar,
    pub data_source_type: Scalar,
    pub case_label: Lax,
    pub case_id: Lax,
    pub policy_description: Lax,
    pub data_source_display_name: Lax,
    pub data_source_owner: Lax,
    pub assignee: Lax,
    pub number_of_affected_objects: Lax,
    #[serde(rename = "created_at")]
    pub created_at: Lax,
    #[serde(rename = "updated_at")]
    pub updated_at: Lax,
    pub case_status_update_dates: Lax,
    pub ticket_metadata: Lax,
    pub ticket_url: Lax,
}

/// The fields of a [`CaseRow`], for the request: whole cases carry large nested blocks.
pub(super) const FIELDS: [&str; 19] = [
    "_id",
    "id",
    "caseStatus",
    "severityLevel",
    "policyName",
    "dataSourceName",
    "dataSourceType",
    "caseLabel",
    "caseId",
    "policyDescription",
    "dataSourceDisplayName",
    "dataSourceOwner",
    "assignee",
    "numberOfAffectedObjects",
    "created_at",
    "updated_at",
    "caseStatusUpdateDates",
    "ticketMetadata",
    "ticketUrl",
];

/// The fields that distinguish a case from others, and show whether it is new.
pub(super) const IDENTITY: [&str; 3] = ["_id", "id", "created_at"];

impl CaseRow {
    /// The id (docs/platforms/bigid.md#listing-cases): `_id`, else `id`. `caseId` is a display name
    /// in one endpoint and the id in another.
    pub(super) fn id(&self) -> Option<&str> {
        self.mongo_id.word().or(self.id.word())
    }

    /// A field that a gate needs and that is absent, if there is one: the platform then did not
    /// understand `fields`.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let needed = [
            ("caseStatus", &self.case_status),
            ("severityLevel", &self.severity_level),
            ("policyName", &self.policy_name),
        ];
        needed.into_iter().find(|(_, given)| matches!(given, Scalar::Absent)).map(|(name, _)| name)
    }
}

/// A text or number that may be null or absent, which is not the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Scalar {
    #[default]
    Absent,
    Null,
    Word(String),
}

impl Scalar {
    /// The text, if there is one and it is not blank.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word.trim()).filter(|word| !word.is_empty()),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word, a number or null")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Scalar, E> {
                Ok(Scalar::Word(word.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Word(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Word(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                // `7.0` is the number 7; beyond 2^53 its digits are lost.
                match number.fract() == 0.0 && number.abs() < 9e15 {
                    true => Ok(Scalar::Word(format!("{number:.0}"))),
                    false => Err(E::invalid_type(de::Unexpected::Float(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// A field that no gate depends on: of any type, and ignored if it is not the expected one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Lax(Value);

impl Lax {
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.0.as_u64()
    }

    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(self.text()?).ok().map(|time| time.to_utc())
    }

    /// The field of an object.
    pub(super) fn field(&self, name: &str) -> Self {
        Self(self.0.get(name).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_of_a_row_is_requested() {
        // Each name must reach its field, so that no name is misspelt.
        let all: serde_json::Map<_, _> =
            FIELDS.iter().map(|name| ((*name).to_owned(), json!("x"))).collect();
        let row: CaseRow = serde_json::from_value(all.into()).unwrap();
        let debug = format!("{row:?}");
        assert!(!debug.contains("None") && !debug.contains("Absent") && !debug.contains("Null"));
        assert_eq!(debug.matches("\"x\"").count(), FIELDS.len(), "{debug}");
    }

    #[test]
    fn a_failure_with_status_200_is_recognised() {
        for (answer, denied) in [
            (json!({"success": false, "message": "Authentication failed, log in"}), Some(true)),
            (json!({"success": false}), Some(false)),
            (json!({"success": "false"}), Some(false)),
            (json!({"status": "error", "message": "Server error", "errors": [{}]}), Some(false)),
            (json!({"status": 500, "error": "x"}), Some(false)),
            (json!({"status": "success", "statusCode": 403}), Some(true)),
            (json!({"status": "success", "error": "x"}), Some(false)),
            (json!({"status": "queued"}), Some(false)),
            (json!({"status": "success", "statusCode": 200, "message": null}), None),
            (json!({"success": true}), None),
            (json!({"data": {"cases": []}}), None),
        ] {
            let answer = answer.to_string();
            let envelope: Envelope<'_> = serde_json::from_str(&answer).unwrap();
            assert_eq!(envelope.refusal().map(|refusal| refusal.denied), denied, "{answer}");
        }
    }

    #[test]
    fn an_answer_without_the_list_is_an_error() {
        for answer in [
            json!({}),
            json!({"data": null}),
            json!({"data": {}}),
            json!({"data": {"cases": null}}),
            json!({"data": {"cases": {}}}),
            json!({"data": {"totalCount": -1, "cases": []}}),
            json!({"data": {"totalCount": "many", "cases": []}}),
            json!({"data": {"totalCount": 3.5, "cases": []}}),
            json!({"data": {"cases": [null]}}),
            json!({"data": {"cases": [{"_id": {"$oid": "7"}}]}}),
            json!({"data": {"cases": [{"_id": "a", "policyName": {"name": "x"}}]}}),
        ] {
            assert!(serde_json::from_value::<Page>(answer.clone()).is_err(), "{answer}");
        }
        let sloppy = json!({"data": {"totalCount": 1.0, "cases": [{"_id": 7.0, "id": "7"}]}});
        let page: Page = serde_json::from_value(sloppy).unwrap();
        assert_eq!((page.data.total, page.data.cases[0].id()), (Some(Whole(1)), Some("7")));
        for answer in ["[]", "[42]", "null", "7", r#""x""#] {
            assert!(serde_json::from_str::<Envelope<'_>>(answer).is_err(), "{answer}");
        }
    }
}
