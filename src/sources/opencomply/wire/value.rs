//! Ids, numbers and times, which are written in several ways.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// The id of a job: a number, or a text with a number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Id(pub u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job id")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id))
            }

            fn visit_f64<E: de::Error>(self, id: f64) -> Result<Id, E> {
                whole(id)
                    .and_then(|id| id.try_into().ok())
                    .map(Id)
                    .ok_or_else(|| E::custom(format!("`{id}` is not a job id")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map(Id).map_err(|_| E::custom(format!("`{text}` is not a job id")))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// A number without decimals that a gateway wrote as `12.0`, as far as it is exact.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = (number.fract() == 0.0 && number.abs() < EXACT).then(|| format!("{number:.0}"))?;
    text.parse().ok()
}

/// A number that may be missing.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(in super::super) struct Number(#[serde(deserialize_with = "number")] pub Option<i64>);

/// `12`, `12.0` or null.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum WrittenNumber {
        Whole(i64),
        Decimal(f64),
    }
    match Option::<WrittenNumber>::deserialize(deserializer)? {
        None => Ok(None),
        Some(WrittenNumber::Whole(number)) => Ok(Some(number)),
        Some(WrittenNumber::Decimal(number)) => whole(number)
            .map(Some)
            .ok_or_else(|| de::Error::custom(format!("`{number}` is not a whole number"))),
    }
}

/// RFC 3339 with any number of decimals. Go's zero time, and a text that is no time, are none.
pub(super) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().and_then(moment))
}

pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc();
    (time.year() > 1).then_some(time)
}
