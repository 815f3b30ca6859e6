//! Dates and pauses in headers.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// An HTTP date, in each of its three formats (RFC 9110 §5.6.7).
fn parse(value: &str) -> Option<DateTime<Utc>> {
    let value = value.trim();
    let obsolete = |format| NaiveDateTime::parse_from_str(value, format).ok();
    DateTime::parse_from_rfc2822(value)
        .map(|date| date.to_utc())
        .ok()
        .or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT").map(|date| date.and_utc()))
        .or_else(|| obsolete("%a %b %e %H:%M:%S %Y").map(|date| date.and_utc()))
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some((parse(value)? - now).to_std().unwrap_or_default())
}

/// Reads `x-ratelimit-reset`: seconds since 1970, or, where the number is too small for that, a
/// number of seconds to wait.
pub(super) fn rate_limit_reset(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let number: u64 = value.trim().parse().ok()?;
    if number < 1_000_000_000 {
        return Some(Duration::from_secs(number));
    }
    let until = DateTime::from_timestamp(i64::try_from(number).ok()?, 0)?;
    // A moment in the past comes from a clock that differs; the usual pause applies then.
    (until - now).to_std().ok()
}

/// How far the clock of an answer is ahead of ours. An answer from a cache is older by its `Age`.
pub(super) fn clock_offset(date: &str, age: Option<&str>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let age = age.and_then(|age| age.trim().parse().ok()).and_then(TimeDelta::try_seconds);
    (parse(date)? - now).checked_add(&age.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("1994-11-06T08:49:30Z").unwrap().to_utc()
    }

    #[test]
    fn a_date_is_read_in_every_format() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " 7 ",
        ] {
            assert_eq!(retry_after(date, now()), Some(Duration::from_secs(7)), "{date}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now()), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now()), None);
    }

    #[test]
    fn a_clock_is_compared() {
        let ahead = |date, age| clock_offset(date, age, now()).map(|ahead| ahead.num_seconds());
        assert_eq!(ahead("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(7));
        assert_eq!(ahead("Sun, 06 Nov 1994 08:49:00 GMT", Some("30")), Some(0));
        assert_eq!(ahead("yesterday", None), None);
    }
}
