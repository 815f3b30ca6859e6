//! What happened at run time, within a window up to now (fact sheet §6).
//!
//! A quiet window is a pass: that the platform answered for all of it is the proof.
//!
//! ```text
//! feed.rs   the events one by one, backwards       wire.rs   the JSON
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::demands;
use super::filter::Filter;
use super::settings::{Detail, Events, LONGEST_SPAN, values};
use crate::evidence::{Outcome, Part, Window};
use crate::finding::{Cause, Severity, Trouble};
use crate::http::{Failure, HttpError};
use crate::selection::Field;
use crate::sources::{Later, Ready, Run};
use crate::text;

mod feed;
mod wire;

pub const SELECTORS: &[Field] =
    &[Field::Rule, Field::Severity, Field::Resource, Field::ResourceType];

/// Asks whether there is a feed at all.
pub async fn preflight<'a>(
    settings: &'a Events,
    run: &'a Run,
) -> Result<Box<dyn Ready + 'a>, Vec<Trouble>> {
    match run.http.get("api/v1/secureEvents/status", &[]).send().await {
        // Whoever does not know the question may know the feed.
        Ok(_) | Err(HttpError { failure: Failure::Refused { .. }, .. }) => {}
        Err(error) => return Err(vec![error.trouble()]),
    }
    Ok(Box::new(Reachable { settings, run }) as Box<dyn Ready>)
}

/// A platform with a feed.
struct Reachable<'a> {
    settings: &'a Events,
    run: &'a Run,
}

impl Ready for Reachable<'_> {
    fn findings(&self) -> Vec<String> {
        let window = humantime::format_duration(self.settings.window.0);
        vec![format!("events of the last {window}")]
    }

    fn collect<'a>(self: Box<Self>) -> Later<'a, Outcome>
    where
        Self: 'a,
    {
        let Self { settings, run } = *self;
        Box::pin(async move { run.outcome(vec![part(settings, run).await], vec![], vec![]) })
    }
}

async fn part(settings: &Events, run: &Run) -> Part {
    let to = Utc::now();
    let from = TimeDelta::from_std(settings.window.0).ok().and_then(|w| to.checked_sub_signed(w));
    let window = Window { from: from.unwrap_or(DateTime::UNIX_EPOCH), to };
    let mut part = Part { window: Some(window), as_of: Some(to), ..Part::default() };
    let filter = filter(settings);
    let filled = match settings.detail {
        Detail::Findings => feed::read(settings, run, &filter, window, &mut part).await,
        Detail::Count => count(settings, run, &filter, window, &mut part).await,
    };
    part.troubles.extend(filled.err());
    part
}

/// Numbers are quoted in practice (fact sheet §6).
fn filter(settings: &Events) -> Filter {
    let severities = settings.severities.as_ref().map(|list| {
        let numbers = settings.severity_table.numbers(&list.0);
        numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>()
    });
    Filter::default()
        .texts("severity", severities.iter().flatten().map(String::as_str))
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

async fn count(
    settings: &Events,
    run: &Run,
    filter: &Filter,
    window: Window,
    part: &mut Part,
) -> Result<(), Trouble> {
    run.progress.status(&run.name, "counting events", "");
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for span in spans(window) {
        let call = run.http.get("api/v1/secureEvents/count", &[]);
        let call = call.parameter("from", &nanos(span.from)).parameter("to", &nanos(span.to));
        let call =
            if filter.is_empty() { call } else { call.parameter("filter", &filter.to_string()) };
        let answer = call.send().await.map_err(|error| error.trouble())?;
        let groups: wire::Counts = answer.json().map_err(|error| error.trouble())?;
        for (severity, count) in of_groups(settings, run, &groups)? {
            let sum = counts.entry(severity).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    counts.retain(|_, count| *count > 0);
    part.evaluated = counts.values().fold(0, |sum, count| sum.saturating_add(*count));
    let message = format!("{}: events were only counted, by severity", run.name);
    part.findings_missing = Some(
        Trouble::new(Cause::Incomplete, message)
            .help("set `events.detail: findings` for gates that select by anything but severity"),
    );
    part.tallies.push(demands::by_severity(&counts));
    Ok(())
}

/// All groups together. A group that says nothing counts nothing, but one of them must speak.
fn of_groups(
    settings: &Events,
    run: &Run,
    groups: &wire::Counts,
) -> Result<Vec<(Severity, u64)>, Trouble> {
    let mut counts = Vec::new();
    let mut spoken = false;
    for (name, group) in groups {
        let Some(group) = group else { continue };
        let Some(numbers) = &group.count_by_severity else {
            let message = format!(
                "{}: secureEvents/count: `{}` has no `countBySeverity`",
                run.name,
                text::one_line(name, 40)
            );
            return Err(Trouble::new(Cause::Protocol, message));
        };
        spoken = true;
        for (number, count) in numbers {
            let severity = settings.severity_table.severity(number.trim().parse().ok());
            counts.push((severity, count.map_or(0, |count| count.0)));
        }
    }
    if spoken {
        return Ok(counts);
    }
    let message = format!("{}: secureEvents/count answers without any count", run.name);
    Err(Trouble::new(Cause::Protocol, message))
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
