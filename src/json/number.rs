//! Numbers as platforms write them: `12`, `"12"`, `12.0`. They are read from their digits, since a
//! floating-point number would round those beyond 2^53.

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

/// More than any platform counts. Sums of as many counts as fit in an answer stay below 2^64.
pub(crate) const MOST_COUNTED: u64 = 1 << 40;

/// A count: a whole number from 0 to [`MOST_COUNTED`], written as `12`, `"12"` or `12.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Whole(pub u64);

/// An identifier that a platform writes as a text or as a number. `7`, `7.0` and `"7"` are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub String);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"').trim();
        let refused = |what: &str| {
            let written = super::excerpt(raw.get(), 40);
            de::Error::custom(format_args!("`{written}` is {what}"))
        };
        let digits = whole(text).ok_or_else(|| refused("not a whole number"))?;
        let number = digits.parse().ok().filter(|number| *number <= MOST_COUNTED);
        number.map(Self).ok_or_else(|| refused("too large for a count"))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let refused = || {
            de::Error::custom(format_args!(
                "`{}` is neither a text nor a whole number",
                super::excerpt(raw.get(), 40)
            ))
        };
        if raw.get().starts_with('"') {
            return super::from_raw(&raw).map(Self).map_err(|_| refused());
        }
        let (sign, digits) = match raw.get().strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", raw.get()),
        };
        whole(digits).map(|digits| Self(format!("{sign}{digits}"))).ok_or_else(refused)
    }
}

/// The digits of a whole number, without a fraction of zeros.
fn whole(text: &str) -> Option<&str> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_from_their_digits() {
        for (json, number) in
            [("0", 0), ("12", 12), ("1.0", 1), ("\"12\"", 12), ("1099511627776.0", MOST_COUNTED)]
        {
            assert_eq!(super::super::from_str::<Whole>(json).unwrap(), Whole(number), "{json}");
            let value: serde_json::Value = serde_json::from_str("[12]").unwrap();
            assert_eq!(serde_json::from_value::<Vec<Whole>>(value).unwrap(), [Whole(12)]);
        }
        for json in [
            "-1",
            "1.5",
            "1e3",
            "null",
            "\"x\"",
            "\"\"",
            "1099511627777",
            "18446744073709551616",
            "[]",
        ] {
            assert!(super::super::from_str::<Whole>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn identifiers_are_the_same_as_text_and_as_number() {
        for (json, id) in
            [("7", "7"), ("7.0", "7"), ("\"7\"", "7"), ("-3", "-3"), ("\"a-b\"", "a-b")]
        {
            assert_eq!(super::super::from_str::<Number>(json).unwrap().0, id, "{json}");
        }
        for json in ["7.5", "null", "true", "{}"] {
            assert!(super::super::from_str::<Number>(json).is_err(), "{json}");
        }
    }
}
