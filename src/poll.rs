//! Repeated requests until something has happened, with random pauses so that many pipelines do
//! not send them at the same moment.

use std::time::Duration;

use crate::stop::{self, Reason, Stop};

/// Repeats `look` until it returns a value, with a jittered pause after each try.
///
/// # Errors
/// The first error of `look`, or the reason to stop.
pub async fn until<T, E: From<Reason>>(
    stop: &Stop,
    interval: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        pause(stop, interval).await?;
    }
}

/// One jittered pause.
///
/// # Errors
/// The reason to stop, if it came first.
pub async fn pause(stop: &Stop, interval: Duration) -> Result<(), Reason> {
    stop.sleep(stop::jittered(interval)).await
}

/// Waits a random time shorter than `span`, for pipelines that would otherwise act at once.
///
/// # Errors
/// The reason to stop, if it came first.
pub async fn random_pause(stop: &Stop, span: Duration) -> Result<(), Reason> {
    stop.sleep(span.mul_f64(stop::random_fraction())).await
}
