//! What happened at run time, within a window up to now (fact sheet §6).
//!
//! A quiet window is a pass: that the platform answered for all of it is the proof.
//!
//! ```text
//! feed.rs   the events one by one, backwards       count.rs  how many there are
//! wire.rs   the JSON
//! ```

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::filter::Filter;
use super::settings::{Detail, Events, LONGEST_SPAN, values};
use crate::evidence::{Outcome, Part, Unit, Window};
use crate::finding::Problem;
use crate::http::{Failure, HttpError};
use crate::selection::Field;
use crate::sources::{Prepared, Session};

mod count;
mod feed;
mod wire;

pub const SELECTORS: &[Field] =
    &[Field::Rule, Field::Severity, Field::Resource, Field::ResourceType];

/// Asks whether there is a feed at all.
pub async fn preflight<'a>(
    settings: &'a Events,
    session: &'a Session,
) -> Result<Reachable<'a>, Vec<Problem>> {
    match session.http.get("api/v1/secureEvents/status", &[]).send().await {
        // Whoever does not know the question may know the feed.
        Ok(_) | Err(HttpError { failure: Failure::Refused { .. }, .. }) => {}
        Err(error) => return Err(vec![error.problem()]),
    }
    Ok(Reachable { settings, session })
}

/// A platform with a feed.
pub(in crate::sources) struct Reachable<'a> {
    settings: &'a Events,
    session: &'a Session,
}

impl Prepared for Reachable<'_> {
    fn summary(&self) -> Vec<String> {
        let window = humantime::format_duration(self.settings.window.0);
        vec![format!("events of the last {window}")]
    }

    async fn collect(self) -> Outcome {
        let Self { settings, session } = self;
        let mut missing = Vec::new();
        let part = part(settings, session, &mut missing).await;
        session.outcome(vec![part], missing, vec![])
    }
}

/// What is left out without a trace goes to `missing`, so that what was found still counts.
async fn part(settings: &Events, session: &Session, missing: &mut Vec<Problem>) -> Part {
    let to = Utc::now();
    let from = TimeDelta::from_std(settings.window.0).ok().and_then(|w| to.checked_sub_signed(w));
    let window = Window { from: from.unwrap_or(DateTime::UNIX_EPOCH), to };
    let mut part = Part::of_window(Unit::Event, window);
    let filled = match settings.detail {
        Detail::Findings => findings(settings, session, window, &mut part, missing).await,
        Detail::Count => count::read(settings, session, window, &mut part).await,
    };
    part.problems.extend(filled.err());
    part
}

async fn findings(
    settings: &Events,
    session: &Session,
    window: Window,
    part: &mut Part,
    missing: &mut Vec<Problem>,
) -> Result<(), Problem> {
    // Numbers are quoted in practice (fact sheet §6).
    let numbers: Vec<_> =
        settings.numbers().iter().flatten().map(|number| number.to_string()).collect();
    let filter = scope(settings).texts("severity", numbers.iter().map(String::as_str));
    feed::read(settings, session, &filter, window, part).await?;
    if settings.severities.is_some() {
        missing.extend(count::hidden(session, settings, window, part).await?);
    }
    Ok(())
}

/// Which events are meant, however severe.
fn scope(settings: &Events) -> Filter {
    Filter::default()
        .texts("ruleName", values(settings.rules.as_ref()))
        .texts("source", values(settings.sources.as_ref()))
}

/// The window in spans that one request may have, newest first, without a gap or an overlap.
fn spans(window: Window) -> Vec<Window> {
    let mut spans = Vec::new();
    let mut to = window.to;
    let longest = TimeDelta::from_std(LONGEST_SPAN - Duration::from_secs(1)).unwrap_or_default();
    loop {
        match to.checked_sub_signed(longest).filter(|from| *from > window.from) {
            Some(from) => {
                spans.push(Window { from, to });
                to = from - TimeDelta::nanoseconds(1);
            }
            None => {
                spans.push(Window { from: window.from, to });
                return spans;
            }
        }
    }
}

/// A moment as the platform takes it; years beyond what nanoseconds can tell are cut off.
fn nanos(moment: DateTime<Utc>) -> String {
    moment
        .timestamp_nanos_opt()
        .unwrap_or(if moment.timestamp() < 0 { 0 } else { i64::MAX })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + day * 24 * 3600, 0).unwrap()
    }

    #[test]
    fn long_windows_are_split_without_a_gap_or_an_overlap() {
        for (days, count) in [(0, 1), (1, 1), (13, 1), (14, 2), (30, 3), (365, 27)] {
            let window = Window { from: day(-days), to: day(0) };
            let spans = spans(window);
            assert_eq!(spans.len(), count, "{days}");
            assert_eq!((spans[0].to, spans[count - 1].from), (window.to, window.from));
            for pair in spans.windows(2) {
                assert_eq!(pair[0].from - pair[1].to, TimeDelta::nanoseconds(1));
            }
            let longest = TimeDelta::from_std(LONGEST_SPAN).unwrap();
            assert!(spans.iter().all(|span| span.from <= span.to && span.to - span.from < longest));
        }
    }
}
