//! Numbers and times as this platform sends them: a count is a number here and a text there, an id
//! likewise, and a time is a text of seconds, milliseconds or nanoseconds (fact sheet §8.3).
//!
//! No number goes through a float: nanoseconds do not fit one.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::finding::Severity;

/// Reads a value that is a text or a whole number, and nothing else.
fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
    what: &'static str,
) -> Result<String, D::Error> {
    struct Either(&'static str);
    impl Visitor<'_> for Either {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} as a text or a whole number", self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.trim().to_owned())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Either(what))
}

/// A count: `40` or `"40"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_or_number(deserializer, "a count")?;
        let count = text.parse().map(Self);
        count.map_err(|_| de::Error::custom(format_args!("`{text}` is not a count")))
    }
}

/// An id: `"15"` or `15`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, "an id").map(Self)
    }
}

/// A severity of posture or images: a word, or the number that filters use (1 low, 2 medium,
/// 3 high; fact sheet §8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade(String);

impl<'de> Deserialize<'de> for Grade {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, "a severity").map(Self)
    }
}

impl Grade {
    pub fn severity(&self) -> Severity {
        match self.0.as_str() {
            "3" => Severity::High,
            "2" => Severity::Medium,
            "1" => Severity::Low,
            word if word.eq_ignore_ascii_case("negligible") => Severity::Informational,
            word => Severity::from_platform(word),
        }
    }
}

/// A moment in any of the platform's five notations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(String);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, "a time").map(Self)
    }
}

impl Stamp {
    /// The moment, if it can be read. Digits tell their unit by how many they are: the unit that a
    /// field is documented with has been seen to differ between neighbours (fact sheet §4.3, §4.4).
    pub fn moment(&self) -> Option<DateTime<Utc>> {
        let text = self.0.as_str();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        }
        let number: u64 = text.parse().ok()?;
        let per_second: u64 = match text.len() {
            9..=11 => 1,
            12..=14 => 1_000,
            15..=17 => 1_000_000,
            18..=20 => 1_000_000_000,
            _ => return None,
        };
        let seconds = i64::try_from(number / per_second).ok()?;
        let rest = (number % per_second) * (1_000_000_000 / per_second);
        DateTime::from_timestamp(seconds, u32::try_from(rest).ok()?)
    }

    /// Whether it stands for no time at all: `"0"` is how an acceptance says that it never ends.
    pub fn is_never(&self) -> bool {
        matches!(self.0.as_str(), "" | "0")
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_tell_their_unit() {
        let cases = [
            ("\"1700000000\"", Some("2023-11-14T22:13:20+00:00")),
            ("1700000000", Some("2023-11-14T22:13:20+00:00")),
            ("\"1700000000123\"", Some("2023-11-14T22:13:20.123+00:00")),
            ("1700000000123456", Some("2023-11-14T22:13:20.123456+00:00")),
            ("1700000000123456789", Some("2023-11-14T22:13:20.123456789+00:00")),
            ("\"2023-11-14T22:13:20.123456789Z\"", Some("2023-11-14T22:13:20.123456789+00:00")),
            ("\"17\"", None),
            ("\"soon\"", None),
            ("\"\"", None),
            ("99999999999999999999", None),
        ];
        for (json, expected) in cases {
            let stamp: Option<Stamp> = serde_json::from_str(json).ok();
            let moment = stamp.and_then(|stamp| stamp.moment()).map(|moment| moment.to_rfc3339());
            assert_eq!(moment.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn no_number_goes_through_a_float() {
        for json in ["1.7e18", "1700000000.5", "true", "{}"] {
            assert!(serde_json::from_str::<Stamp>(json).is_err(), "{json}");
            assert!(serde_json::from_str::<Whole>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn counts_are_numbers_or_texts() {
        for (json, expected) in [("\"40\"", Some(40)), ("40", Some(40)), ("\" 40 \"", Some(40))] {
            assert_eq!(serde_json::from_str::<Whole>(json).ok().map(|count| count.0), expected);
        }
        for json in ["-1", "\"-1\"", "\"\"", "\"forty\""] {
            assert!(serde_json::from_str::<Whole>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn severities_are_words_or_the_filters_numbers() {
        for (json, expected) in [
            ("\"High\"", Severity::High),
            ("3", Severity::High),
            ("\"medium\"", Severity::Medium),
            ("\"Negligible\"", Severity::Informational),
            ("\"Unknown\"", Severity::Unknown),
            ("\"\"", Severity::Unknown),
            ("7", Severity::Unknown),
        ] {
            let grade: Grade = serde_json::from_str(json).unwrap();
            assert_eq!(grade.severity(), expected, "{json}");
        }
    }
}
