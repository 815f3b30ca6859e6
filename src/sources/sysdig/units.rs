//! Severities and times as this platform writes them. A time is a text or a number of seconds,
//! milliseconds, microseconds or nanoseconds (docs/platforms/sysdig.md#units-of-time).

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};

use crate::finding::Severity;
use crate::json::Number;

/// An id, which may be sent as a number; `None` where it is empty.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let id = Option::<Number>::deserialize(deserializer)?.map(|id| id.0);
    Ok(id.filter(|id| !id.trim().is_empty()))
}

/// A text that is not blank.
pub(super) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.trim().is_empty())
}

/// A severity of posture or images: a word, or the number that filters use: 1 low, 2 medium, 3 high
/// (docs/platforms/sysdig.md#severities).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Grade(Number);

impl Grade {
    pub(super) fn severity(&self) -> Severity {
        match self.text() {
            "3" => Severity::High,
            "2" => Severity::Medium,
            "1" => Severity::Low,
            word if word.eq_ignore_ascii_case("negligible") => Severity::Informational,
            word => Severity::from_platform(word),
        }
    }

    /// As the platform writes it.
    pub(super) fn text(&self) -> &str {
        self.0.0.trim()
    }
}

/// A moment in any of the platform's five notations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Stamp(Number);

impl Stamp {
    /// The moment, if it can be read; without a zone it is UTC. The number of digits shows the unit: it differs between
    /// fields of the same name.
    pub(super) fn moment(&self) -> Option<DateTime<Utc>> {
        let text = self.text();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
            return zoned
                .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
                .ok();
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

    /// Whether it states no time: an acceptance without an end has `"0"`
    /// (docs/platforms/sysdig.md#acceptances).
    pub(super) fn is_never(&self) -> bool {
        matches!(self.text(), "" | "0")
    }

    /// As the platform writes it.
    pub(super) fn text(&self) -> &str {
        self.0.0.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_digits_shows_the_unit() {
        let cases = [
            ("\"1700000000\"", Some("2023-11-14T22:13:20+00:00")),
            ("1700000000", Some("2023-11-14T22:13:20+00:00")),
            ("1700000000.0", Some("2023-11-14T22:13:20+00:00")),
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
    fn what_is_neither_a_text_nor_a_whole_number_is_refused() {
        for json in ["1.7e18", "1700000000.5", "true", "{}"] {
            assert!(serde_json::from_str::<Stamp>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn severities_are_words_or_the_numbers_of_filters() {
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
