//! ServiceNow's JSON: every value a text, or an object around one (fact sheet BigID §C2).

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub struct Many {
    pub result: Vec<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub struct One {
    pub result: Map<String, Value>,
}

/// `{"error": {"message": …, "detail": …}, "status": "failure"}`.
#[derive(Debug, Default, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub error: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Said {
    #[serde(default)]
    pub message: String,
    #[serde(default, deserialize_with = "nullable")]
    pub detail: String,
}

fn nullable<'de, D: serde::Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(text).map(Option::unwrap_or_default)
}

/// The text of a value: bare, or `value` of a reference or of a value with its display text.
pub fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) => object.get("value").and_then(Value::as_str),
        _ => None,
    }
}
