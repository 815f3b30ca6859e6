//! Waiting for something that takes its time: looking again and again, and not in step with
//! everybody else.

use std::time::Duration;

use crate::stop::{self, Reason, Stop};

/// Looks until there is something, with a jittered pause between two looks.
///
/// # Errors
/// What a look refuses, and the reason to stop.
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

/// One pause between two looks.
///
/// # Errors
/// The reason to stop, if it came first.
pub async fn pause(stop: &Stop, interval: Duration) -> Result<(), Reason> {
    stop.sleep(stop::jittered(interval)).await
}

/// Waits a random moment, shorter than `span`: for those who would otherwise all act at once.
///
/// # Errors
/// The reason to stop, if it came first.
pub async fn moment(stop: &Stop, span: Duration) -> Result<(), Reason> {
    stop.sleep(span.mul_f64(stop::chance())).await
}
