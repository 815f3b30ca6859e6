//! The time of the simulated platforms: milliseconds since the simulator started.
//!
//! What happened before the start is negative. All platforms of a simulator share one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// What Go prints for a time that was never set (docs/platforms/opencomply.md, JSON).
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// The clock of a simulator. It runs with the real time, and can be set forward. Copies are the
/// same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    epoch: DateTime<Utc>,
    /// How far the clock was set forward, in milliseconds.
    skipped: AtomicI64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            epoch: Utc::now().trunc_subsecs(6),
            skipped: AtomicI64::new(0),
        }))
    }

    /// Sets the clock forward: what takes that long on the platforms is over at once.
    pub fn advance(&self, by: Duration) {
        self.0.skipped.fetch_add(millis(by), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> i64 {
        millis(self.0.started.elapsed()).saturating_add(self.0.skipped.load(Ordering::Relaxed))
    }

    /// Now, as in the header `Date`.
    pub(crate) fn http_date(&self) -> String {
        self.at(self.now()).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    pub(crate) fn at(&self, millis: i64) -> DateTime<Utc> {
        TimeDelta::try_milliseconds(millis)
            .and_then(|since| self.0.epoch.checked_add_signed(since))
            .unwrap_or(self.0.epoch)
    }

    /// RFC 3339 with as many fractional digits as are needed, as Go prints it
    /// (docs/platforms/opencomply.md, JSON).
    pub(crate) fn stamp(&self, millis: i64) -> String {
        self.at(millis).to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    /// Whole seconds with an offset, as GravityZone prints it (docs/platforms/gravityzone.md, gaps
    /// in the documentation).
    pub(crate) fn offset_stamp(&self, millis: i64) -> String {
        self.at(millis).to_rfc3339_opts(SecondsFormat::Secs, false)
    }

    /// Now, without a zone, as in GravityZone's cursors (docs/platforms/gravityzone.md, checks).
    pub(crate) fn naive_now(&self) -> String {
        self.at(self.now()).format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
