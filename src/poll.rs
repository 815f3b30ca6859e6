//! Random pauses between repeated requests, so that many pipelines do not send them at the same
//! moment.

use std::time::Duration;

use crate::stop::{self, Reason, Stop};

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
