//! The values that several keys have.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::sources::{OneOrMore, schema_of};

/// How much is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigDetail"))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Detail {
    /// Each one, with its details.
    #[default]
    Findings,
    /// Only how many of each severity: enough for gates that select by nothing else.
    Count,
}

/// Any text: not empty, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value(pub String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(de::Error::custom("an empty value selects nothing"));
        }
        if text.chars().any(char::is_control) {
            return Err(de::Error::custom(format_args!("{text:?} has a control character in it")));
        }
        Ok(Self(text))
    }
}

/// The values of an optional list.
pub(crate) fn values(list: Option<&OneOrMore<Value>>) -> impl Iterator<Item = &str> {
    list.into_iter().flat_map(|list| &list.0).map(|value| value.0.as_str())
}

schema_of! {
    Value, "SysdigValue", |_| schemars::json_schema!({"type": "string", "minLength": 1});
}
