//! Events at run time, within a window up to now (docs/platforms/sysdig.md#events).
//!
//! A quiet window is a pass if the platform answered for all of it, and does not show that nothing
//! was watching.
//!
//! ```text
//! feed.rs   the events one by one, newest first     count.rs  how many there are
//! watch.rs  whether anything was watching           wire.rs   the JSON
//! ```

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::filter::Filter;
use super::settings::{Detail, Events, LONGEST_SPAN, values};
use crate::evidence::{Outcome, Part, Unit, Window};
use crate::finding::Problem;
use crate::http::{Failure, HttpError};
use crate::selection::Field;
use crate::sources::clock::Ahead;
use crate::sources::look_back::{self, Request};
use crate::sources::{LookBack, Prepared, Session};

mod count;
mod feed;
mod watch;
mod wire;

pub(super) const SELECTORS: &[Field] = &[
    Field::Rule,
    Field::Severity,
    Field::Resource,
    Field::ResourceType,
    Field::Account,
    Field::Region,
    Field::Cluster,
    Field::Namespace,
    Field::Image,
    Field::Container,
    Field::Host,
    Field::Category,
    Field::EventSource,
    Field::Label,
];

/// Asks for one event of the window, or for the counts of it: what the run asks for.
pub(super) async fn preflight<'a>(
    settings: &'a Events,
    session: &'a Session,
) -> Result<Reachable<'a>, Vec<Problem>> {
    match session.http.get("api/v1/secureEvents/status", &[]).send().await {
        // A platform without this call may have the feed.
        Ok(_) | Err(HttpError { failure: Failure::Refused { .. }, .. }) => {}
        Err(error) => return Err(vec![error.problem()]),
    }
    let mut ahead = Ahead::of(&session.http);
    look(settings, session, ahead).await.map_err(|problem| vec![problem])?;
    // The status may have been refused by something without a clock.
    if !ahead.matters() {
        ahead = Ahead::of(&session.http);
    }
    Ok(Reachable { settings, session, ahead })
}

/// A small request of the kind that the run sends.
async fn look(settings: &Events, session: &Session, ahead: Ahead) -> Result<(), Problem> {
    let request = settings.window.trial(session.previous.as_ref(), ahead.now());
    let Some(span) = spans(request.span()).into_iter().next() else { return Ok(()) };
    match settings.detail {
        Detail::Findings => feed::look(session, &filter(settings), span).await,
        Detail::Count => count::look(session, settings, span).await,
    }
}

/// A platform that answers.
pub(in crate::sources) struct Reachable<'a> {
    settings: &'a Events,
    session: &'a Session,
    ahead: Ahead,
}

impl Prepared for Reachable<'_> {
    fn summary(&self) -> Vec<String> {
        let events = match self.settings.window {
            LookBack::Last(span) => {
                format!("events of the last {}", humantime::format_duration(span))
            }
            LookBack::SincePrevious => "events since an earlier run".to_owned(),
        };
        std::iter::once(events).chain(self.ahead.note()).collect()
    }

    async fn collect(self) -> Outcome {
        let Self { settings, session, ahead } = self;
        let mut missing = Vec::new();
        let part = part(settings, session, ahead, &mut missing).await;
        session.outcome(vec![part], missing, vec![])
    }
}

/// What a filter may hide goes to `missing`, so that the events that arrived still count.
async fn part(
    settings: &Events,
    session: &Session,
    ahead: Ahead,
    missing: &mut Vec<Problem>,
) -> Part {
    // The window up to now, by the platform's clock.
    let previous = session.previous.as_ref();
    let request = match settings.window.request(&session.name, previous, ahead.now()) {
        Ok(request) => request,
        Err(problem) => {
            return Part { unit: Unit::Event, problems: vec![problem], ..Part::default() };
        }
    };
    let mut part = Part::of_window(Unit::Event, request.window);
    part.notes.extend(ahead.note());
    let filled = match settings.detail {
        Detail::Findings => findings(settings, session, request, &mut part, missing).await,
        Detail::Count => count::read(settings, session, request.window, &mut part).await,
    };
    let filled = match filled {
        Ok(()) if part.looked_at() == 0 => watch::check(settings, session, &mut part).await,
        filled => filled,
    };
    part.problems.extend(filled.err());
    part
}

async fn findings(
    settings: &Events,
    session: &Session,
    request: Request,
    part: &mut Part,
    missing: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let span = request.span();
    feed::read(settings, session, &filter(settings), span, part).await?;
    let all = part.findings.listed().len();
    let previous = session.previous.as_ref();
    let late = request.forget_known(&session.name, previous, part.findings.listed_mut());
    part.notes.extend(look_back::late_note(late.count, "event"));
    part.before = late.known;
    let known = (all - part.findings.listed().len()) as u64;
    part.set_looked_at(part.looked_at().saturating_sub(known));
    if settings.severities.is_some() {
        missing.extend(count::hidden(session, settings, span, part).await?);
    }
    Ok(())
}

/// The filter of the feed. Numbers are quoted in practice.
fn filter(settings: &Events) -> Filter {
    let numbers: Vec<_> =
        settings.numbers().iter().flatten().map(|number| number.to_string()).collect();
    scope(settings).texts("severity", numbers.iter().map(String::as_str))
}

/// The filter without severities.
fn scope(settings: &Events) -> Filter {
    let words = settings.words().into_iter();
    words.fold(Filter::default(), |all, one| all.texts(one.parameter, values(one.asked)))
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

/// A moment as the platform reads it. Years that nanoseconds cannot express become the nearest that
/// they can.
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
