//! Time as the platforms see it: milliseconds since the simulator started.
//!
//! What happened before the start is negative. Nothing runs in the background: every state is
//! computed from the time that passed.

use std::time::Instant;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// What Go prints for a time that was never set (docs/platforms/opencomply.md, JSON).
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) struct Clock {
    started: Instant,
    epoch: DateTime<Utc>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), epoch: Utc::now().trunc_subsecs(6) }
    }

    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn at(&self, millis: i64) -> DateTime<Utc> {
        TimeDelta::try_milliseconds(millis)
            .and_then(|since| self.epoch.checked_add_signed(since))
            .unwrap_or(self.epoch)
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

    /// Now, without a zone, as it stands in GravityZone's cursors (docs/platforms/gravityzone.md,
    /// checks).
    pub(crate) fn naive_now(&self) -> String {
        self.at(self.now()).format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }
}
