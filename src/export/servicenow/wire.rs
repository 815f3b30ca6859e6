//! ServiceNow's JSON: every value is a text, or an object with a text
//! (docs/platforms/servicenow.md#values).

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub(super) struct RecordList {
    pub(super) result: Vec<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SingleRecord {
    pub(super) result: Map<String, Value>,
}

/// `{"error": {"message": …, "detail": …}, "status": "failure"}`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) error: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Reason {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) detail: String,
}

fn nullable<'de, D: serde::Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(text).map(Option::unwrap_or_default)
}

/// The text of a value: the value itself, or its `value` where it is a reference or has a display
/// text.
pub(super) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) => object.get("value").and_then(Value::as_str),
        _ => None,
    }
}
