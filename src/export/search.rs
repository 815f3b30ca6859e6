//! Looks for the ticket of a case, in a search that may lag behind.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Job, Mark, Target, Ticket, TicketState};
use crate::finding::Problem;
use crate::stop::{Reason, Stop};

/// How long one run waits for a ticket to appear, however long `settle` is.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The result of a search.
pub(super) enum SearchResult {
    /// The oldest ticket with the mark, and further ones.
    Found(TicketState, Vec<TicketState>),
    Absent,
    /// Nothing was found, and it is too early to conclude that there is no ticket.
    TooEarly,
}

/// Searches for the ticket of a case; repeatedly where one was requested at `requested` and may
/// still appear.
pub(super) async fn search<T: Target>(
    job: &Job<'_, T>,
    mark: &Mark,
    recent: &[Ticket],
    requested: Option<DateTime<Utc>>,
) -> Result<SearchResult, Problem> {
    let mut wait = Wait::begin();
    loop {
        let age = requested.map(|since| (Utc::now() - since).to_std().unwrap_or_default());
        let left = age.map_or(Duration::ZERO, |age| job.target.settle().saturating_sub(age));
        let mut found = job.target.find(mark, recent).await?.into_iter();
        if let Some(first) = found.next() {
            return Ok(SearchResult::Found(first, found.collect()));
        }
        if left.is_zero() {
            return Ok(SearchResult::Absent);
        }
        if !job.mode.apply || wait.is_over() || wait.pause(job.stop, left).await.is_err() {
            return Ok(SearchResult::TooEarly);
        }
    }
}

/// Waits until the search shows a new ticket, so that a run without the ledger finds it too.
/// Returns whether it does. All tickets of a run share the same wait.
pub(super) async fn appears<T: Target>(
    job: &Job<'_, T>,
    mark: &Mark,
    ticket: &Ticket,
    wait: &mut Wait,
) -> bool {
    loop {
        match job.target.find(mark, &[]).await {
            Ok(found) if found.iter().any(|found| found.ticket.id == ticket.id) => return true,
            Ok(_) if !wait.is_over() => {
                if wait.pause(job.stop, LONGEST_PAUSE).await.is_err() {
                    return false;
                }
            }
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Growing pauses within [`LONGEST_WAIT`].
pub(super) struct Wait {
    began: Instant,
    pause: Duration,
}

impl Wait {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), pause: FIRST_PAUSE }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= LONGEST_WAIT
    }

    async fn pause(&mut self, stop: &Stop, most: Duration) -> Result<(), Reason> {
        stop.sleep(self.pause.min(most)).await?;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
