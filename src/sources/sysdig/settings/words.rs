//! The words that keys have in common.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::finding::Severity;
use crate::sources::OneOrMore;
use crate::text;

/// How much is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigDetail"))]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Each one, with what a report can show of it.
    #[default]
    Findings,
    /// Only how many of each severity: cheap, and enough for gates that ask for nothing else.
    Count,
}

/// A severity as a policy writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub Severity);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Severity::NAMED.into_iter().find(|severity| severity.word() == word);
        known.map(Self).ok_or_else(|| {
            let words = Severity::NAMED.map(Severity::word);
            let hint = text::did_you_mean(&word, words);
            de::Error::custom(format_args!(
                "`{word}` is not a severity{hint} (known: {})",
                words.join(", ")
            ))
        })
    }
}

/// Any text: not empty, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub String);

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
pub fn values(list: Option<&OneOrMore<Value>>) -> impl Iterator<Item = &str> {
    list.into_iter().flat_map(|list| &list.0).map(|value| value.0.as_str())
}

/// The schema of what is written.
#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Level, Value};
    use crate::finding::Severity;

    impl JsonSchema for Level {
        fn schema_name() -> Cow<'static, str> {
            "SysdigSeverity".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "enum": Severity::NAMED.map(Severity::word)})
        }
    }

    impl JsonSchema for Value {
        fn schema_name() -> Cow<'static, str> {
            "SysdigValue".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "minLength": 1})
        }
    }
}
