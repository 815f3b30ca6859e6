//! Fields of objects whose shape is not guaranteed: numbers as texts, lists as objects, secrets.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// The fields of one JSON object, read leniently.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The whole object, its keys in one order.
    pub(super) fn json(self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The value, if it is present and not null.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that is not blank.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// The first of these fields that has a text.
    pub(super) fn first_text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.text(name))
    }

    pub(super) fn object(self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::of)
    }

    /// A list of objects, or the one object where the documents promise a list
    /// (docs/platforms/bigpanda.md#gaps-in-the-documentation).
    pub(super) fn objects(self, name: &str) -> Vec<Self> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Self::of).collect(),
            Some(value) => Self::of(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A list of texts, or a single text.
    pub(super) fn texts(self, name: &str) -> Vec<&'a str> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(value) => value.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Epoch seconds: a number, or a number as a text.
    pub(super) fn seconds(self, name: &str) -> Option<i64> {
        seconds(self.get(name)?)
    }
}

/// A whole number of seconds. Ends of plans exceed 32 bits
/// (docs/platforms/bigpanda.md#gaps-in-the-documentation).
pub(super) fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// The whole part of a number of seconds, if it can be the seconds of any date.
fn whole(seconds: f64) -> Option<i64> {
    const MOST: f64 = 1e14;
    #[expect(clippy::cast_possible_truncation, reason = "within ±1e14 by the line above")]
    (seconds.abs() < MOST).then(|| seconds.trunc() as i64)
}

/// When an entry was written: seconds, or milliseconds where seconds would mean the year 5138
/// (docs/platforms/bigpanda.md#entries). Only for entries: plans may end that late.
pub(super) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    let number = seconds(value).filter(|number| *number > 0)?;
    match number {
        MILLISECONDS_FROM.. => DateTime::from_timestamp_millis(number),
        _ => DateTime::from_timestamp(number, 0),
    }
}

/// Fields that are never shown: an integration's `stream_id` is its key, and API keys have a hash and
/// a suffix (docs/platforms/bigpanda.md#objects-by-type).
const SECRET_NAMES: [&str; 10] = [
    "stream_id",
    "app_key",
    "apikey",
    "api_key_value",
    "key_hash",
    "key_suffix",
    "token",
    "secret",
    "password",
    "private_key",
];

/// Shorter texts are not secrets, and masking them would garble other texts.
const SHORTEST_SECRET: usize = 6;

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// Masks the secrets in a value, and collects them, since other texts may contain them too.
pub(super) fn scrub(value: &mut Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, secrets)),
        Value::Object(fields) => {
            // `{"key": "token", "old_value": …, "new_value": …}`
            let named = ["key", "field_name"]
                .iter()
                .any(|name| fields.get(*name).and_then(Value::as_str).is_some_and(is_secret));
            for (name, value) in fields {
                if is_secret(name) || (named && name.ends_with("_value")) {
                    take(value, secrets);
                } else {
                    scrub(value, secrets);
                }
            }
        }
        _ => {}
    }
}

/// Masks a secret, and everything in it.
fn take(value: &mut Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter_mut().for_each(|item| take(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|value| take(value, secrets)),
        _ => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if text.len() >= SHORTEST_SECRET {
                secrets.insert(text);
            }
            *value = "***".into();
        }
    }
}

/// A text without any of the secrets.
pub(super) fn without(text: &str, secrets: &BTreeSet<String>) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_are_read_from_numbers_and_texts_beyond_32_bits() {
        for (value, read) in [
            (json!(1_700_000_000), Some(1_700_000_000)),
            (json!("1700000000"), Some(1_700_000_000)),
            (json!(1_700_000_000.75), Some(1_700_000_000)),
            (json!(32_788_738_800_i64), Some(32_788_738_800)),
            (json!("32788738800"), Some(32_788_738_800)),
            (json!(1e300), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(seconds(&value), read, "{value}");
        }
    }

    #[test]
    fn entries_may_have_milliseconds_and_plans_may_not() {
        let at = |value| moment(&value).map(|at| at.timestamp());
        assert_eq!(at(json!(1_700_000_000)), Some(1_700_000_000));
        assert_eq!(at(json!("1700000000")), Some(1_700_000_000));
        assert_eq!(at(json!(1_700_000_000_123_i64)), Some(1_700_000_000));
        assert_eq!(at(json!(0)), None);
        assert_eq!(at(json!(-5)), None);
        assert_eq!(at(json!(i64::MAX)), None);
    }

    #[test]
    fn secrets_are_masked_at_every_depth() {
        let mut value = json!({
            "stream_id": "0123456789abcdef",
            "nested": [{"key_hash": {"value": "feedfacefeedface"}}],
            "changes": [{"key": "api_token", "old_value": "old-secret", "new_value": ["new-secret"]}],
            "kept": "name"
        });
        let mut secrets = BTreeSet::new();
        scrub(&mut value, &mut secrets);
        let text = value.to_string();
        for secret in ["0123456789abcdef", "feedfacefeedface", "old-secret", "new-secret"] {
            assert!(!text.contains(secret), "{text}");
            assert_eq!(without(&format!("x-{secret}"), &secrets), "x-***");
        }
        assert_eq!(value["kept"], "name");
        assert_eq!(value["changes"][0]["key"], "api_token");
    }
}
