//! When to stop: at the deadline or at an interrupt, whichever comes first.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Why the run has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Deadline,
    Interrupt(Signal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Sent by CI hosts when a job is cancelled.
    Terminate,
    /// The terminal or the connection is gone.
    HangUp,
    /// Ctrl-\.
    Quit,
}

/// The longest time for cleaning up.
const MOST_CLEAN_UP: Duration = Duration::from_secs(5);

/// The part of the time until the deadline that is reserved for cleaning up, at most
/// `MOST_CLEAN_UP`.
const CLEAN_UP_SHARE: u32 = 8;

/// Given to everything that waits. Waiting code returns when it fires, and is never dropped
/// halfway.
#[derive(Clone, Debug)]
pub struct Stop {
    /// When waiting ends: the deadline, less the time for cleaning up.
    deadline: Instant,
    /// When everything has ended.
    end: Instant,
    signal: watch::Receiver<Option<Signal>>,
}

impl Stop {
    pub fn new(within: Duration, signal: watch::Receiver<Option<Signal>>) -> Self {
        // A duration beyond what the clock can hold is as good as ten years.
        const LONG: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        let within = within.min(LONG);
        let end = Instant::now() + within;
        let clean_up = (within / CLEAN_UP_SHARE).min(MOST_CLEAN_UP);
        Self { deadline: end - clean_up, end, signal }
    }

    /// Whether it has fired already.
    pub fn reason(&self) -> Option<Reason> {
        let interrupt = self.signal.borrow().map(Reason::Interrupt);
        interrupt.or_else(|| (Instant::now() >= self.deadline).then_some(Reason::Deadline))
    }

    /// Time left for waiting.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long cleaning up may take from now on: until the deadline, or, after an interrupt, as long
    /// as CI hosts usually wait.
    pub fn time_to_clean_up(&self) -> Duration {
        let left = self.end.saturating_duration_since(Instant::now());
        left.min(MOST_CLEAN_UP)
    }

    /// Resolves when it fires.
    pub async fn fired(&self) -> Reason {
        let mut signal = self.signal.clone();
        let interrupt = async {
            match signal.wait_for(Option::is_some).await.map(|signal| *signal) {
                Ok(Some(signal)) => signal,
                // All senders are gone.
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = interrupt => Reason::Interrupt(signal),
            () = tokio::time::sleep_until(self.deadline) => Reason::Deadline,
        }
    }

    /// The future's value, unless this fires first.
    ///
    /// # Errors
    /// The reason, if it fired. The future is dropped then.
    pub async fn race<T>(&self, future: impl Future<Output = T>) -> Result<T, Reason> {
        tokio::select! {
            biased;
            reason = self.fired() => Err(reason),
            value = future => Ok(value),
        }
    }

    /// Waits for a while.
    ///
    /// # Errors
    /// The reason, if it fired first.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Reason> {
        self.race(tokio::time::sleep(duration)).await
    }
}

/// Between 75 % and 125 % of a duration, so that pipelines that start together spread out.
pub fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.75 + 0.5 * random_fraction())
}

/// A random number in [0, 1); not for anything secret.
pub fn random_fraction() -> f64 {
    let bits = RandomState::new().hash_one(0);
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}
