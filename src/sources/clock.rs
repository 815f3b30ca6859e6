//! The clock of a platform that filters by time: windows are asked for by it, and not by ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::http::Http;

/// Clocks that differ by less do not change what a window contains in practice.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// How far a platform's clock is ahead of ours, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead(Option<TimeDelta>);

impl Ahead {
    /// By the platform's latest answer.
    pub(super) fn of(http: &Http) -> Self {
        Self(http.clock_offset().filter(|ahead| ahead.abs() > TOLERANCE))
    }

    /// Whether the difference matters.
    pub(super) fn matters(self) -> bool {
        self.0.is_some()
    }

    /// The time on the platform.
    pub(super) fn now(self) -> DateTime<Utc> {
        Utc::now() + self.0.unwrap_or_default()
    }

    /// A sentence about the difference, where it matters.
    pub(super) fn note(self) -> Option<String> {
        let ahead = self.0?;
        // Rounded, since the header has whole seconds.
        let minutes = (ahead.abs() + TimeDelta::seconds(30)).num_minutes().unsigned_abs();
        let difference = Duration::from_secs(minutes * 60);
        let direction = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
        Some(format!(
            "the platform's clock is {} {direction} the clock of this machine; the window is that of \
             the platform's clock",
            humantime::format_duration(difference)
        ))
    }
}
