//! When the next request of a source may be sent.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The most requests of one source that are on their way.
const AT_ONCE: usize = 4;

/// Keeps the starts of requests apart, and limits how many there are at once.
#[derive(Debug)]
pub(super) struct Pace {
    spacing: Duration,
    next: Cell<Option<Instant>>,
    pub(super) places: Semaphore,
}

impl Pace {
    pub(super) fn new(spacing: Duration) -> Self {
        Self { spacing, next: Cell::new(None), places: Semaphore::new(AT_ONCE) }
    }

    /// Takes the next turn; returns how long to wait for it from `now` on.
    pub(super) fn turn(&self, now: Instant) -> Duration {
        let turn = self.next.get().map_or(now, |next| next.max(now));
        self.next.set(Some(turn + self.spacing));
        turn - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_start_one_after_another() {
        let (spacing, now) = (Duration::from_millis(200), Instant::now());
        let pace = Pace::new(spacing);
        assert_eq!(pace.turn(now), Duration::ZERO);
        assert_eq!(pace.turn(now), spacing);
        assert_eq!(pace.turn(now), spacing * 2);
        assert_eq!(pace.turn(now + Duration::from_secs(2)), Duration::ZERO);
    }
}
