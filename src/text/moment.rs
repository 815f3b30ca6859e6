//! Moments as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Reads an instant, or a day as its last second.
///
/// # Errors
/// How to write it.
pub fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let day = |text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(23, 59, 59);
    let minute = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok();
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .ok()
        .or_else(|| day(text).or_else(|| minute(text)).map(|time| time.and_utc()))
        .ok_or_else(|| "write it like 2026-11-29T04:00:00Z or 2026-11-29".to_owned())
}
