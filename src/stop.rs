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
}

/// Given to everything that waits. Waiting code returns when it fires, and is never dropped
/// halfway.
#[derive(Clone, Debug)]
pub struct Stop {
    deadline: Instant,
    signal: watch::Receiver<Option<Signal>>,
}

impl Stop {
    pub fn new(within: Duration, signal: watch::Receiver<Option<Signal>>) -> Self {
        // A duration beyond what the clock can hold is as good as ten years.
        const LONG: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        Self { deadline: Instant::now() + within.min(LONG), signal }
    }

    /// Whether it has fired already.
    pub fn reason(&self) -> Option<Reason> {
        let interrupt = self.signal.borrow().map(Reason::Interrupt);
        interrupt.or_else(|| (Instant::now() >= self.deadline).then_some(Reason::Deadline))
    }

    /// Time left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
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
