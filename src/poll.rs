//! Random pauses between repeated requests, so that many pipelines do not send them at the same
//! moment.

use std::time::Duration;

use tokio::time::Instant;

use crate::stop::{self, Reason, Stop};

/// Pauses are this share of the time waited so far, and at least `SHORTEST`. With the jitter, an end
/// is noticed within a second, or a tenth of the time that was waited for it.
const SHARE: u32 = 13;
const SHORTEST: Duration = Duration::from_millis(700);

/// Waits for something whose end nothing announces: it is looked at soon at first, then less often.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    longest: Duration,
}

impl Watch {
    /// Begins now. `longest` is the longest pause, before the jitter.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { began: Instant::now(), longest }
    }

    /// The time waited so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The pause before the next look.
    ///
    /// # Errors
    /// The reason to stop, if it came first.
    pub(crate) async fn pause(&self, stop: &Stop) -> Result<(), Reason> {
        pause(stop, next(self.elapsed(), self.longest)).await
    }
}

fn next(elapsed: Duration, longest: Duration) -> Duration {
    (elapsed / SHARE).max(SHORTEST).min(longest)
}

/// One jittered pause.
///
/// # Errors
/// The reason to stop, if it came first.
pub(crate) async fn pause(stop: &Stop, interval: Duration) -> Result<(), Reason> {
    stop.sleep(stop::jittered(interval)).await
}

/// Waits a random time shorter than `span`, for pipelines that would otherwise act at once.
///
/// # Errors
/// The reason to stop, if it came first.
pub(crate) async fn random_pause(stop: &Stop, span: Duration) -> Result<(), Reason> {
    stop.sleep(span.mul_f64(stop::random_fraction())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that a jittered pause exceeds its length.
    const JITTER: f64 = 1.25;

    #[test]
    fn an_end_is_noticed_within_a_second_or_a_tenth_of_the_time_waited() {
        for waited in [0, 1, 5, 9, 10, 11, 60, 600, 36_000].map(Duration::from_secs) {
            let latest = next(waited, Duration::MAX).mul_f64(JITTER);
            assert!(latest <= (waited / 10).max(Duration::from_secs(1)), "{waited:?}: {latest:?}");
        }
    }

    #[test]
    fn the_interval_of_the_policy_is_the_longest_pause() {
        let interval = Duration::from_millis(50);
        assert_eq!(next(Duration::ZERO, interval), interval);
        assert_eq!(next(Duration::from_secs(3600), interval), interval);
    }
}
