//! How many events there are of each number (docs/platforms/sysdig.md#events).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::filter::Filter;
use super::super::settings::Events;
use super::wire::{Counts, Group};
use crate::evidence::{Findings, Part, Table, Window};
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// The kinds of events. Every platform has the first: events of policies at run time.
const KINDS: [&str; 3] = ["policyEvents", "scanningEvents", "cloudsecEvents"];

/// By number; `None` is a key that is not a number.
type Numbers = BTreeMap<Option<u64>, u64>;

/// Counts the events of a window.
///
/// # Errors
/// If a count does not arrive, or not in a known shape.
pub(super) async fn read(
    settings: &Events,
    session: &Session,
    window: Window,
    part: &mut Part,
) -> Result<(), Problem> {
    session.progress.status(&session.name, "counting events", "");
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for span in super::spans(window) {
        let numbers = of_span(session, &super::scope(settings), span).await?;
        for (number, count) in numbers.map_err(|error| error.problem())? {
            // Filtered here and not by the platform, so that undocumented numbers count.
            if count > 0 && settings.asks_for(number) {
                let severity = settings.severity_table.severity(number);
                *counts.entry(severity).or_default() += count;
            }
        }
    }
    part.set_looked_at(counts.values().sum());
    let message = format!("{}: events were only counted, by severity", session.name);
    part.findings = Findings::counted(
        Problem::new(Cause::Incomplete, message)
            .help("set `events.detail: findings` for gates that select by anything but severity"),
    );
    part.counts.table = Some(Table::of_failures(&counts));
    Ok(())
}

/// Events with an undocumented number, which a filter by severity leaves out. They could be the
/// worst. A platform that does not count is a note.
///
/// # Errors
/// If the counts do not arrive for another reason.
pub(super) async fn hidden(
    session: &Session,
    settings: &Events,
    window: Window,
    part: &mut Part,
) -> Result<Option<Problem>, Problem> {
    let mut hidden: u64 = 0;
    for span in super::spans(window) {
        match of_span(session, &super::scope(settings), span).await? {
            Ok(numbers) => {
                let unknown = numbers.iter().filter(|(number, _)| !is_documented(**number));
                hidden += unknown.map(|(_, count)| *count).sum::<u64>();
            }
            Err(error) if matches!(error.failure, Failure::Refused { .. }) => {
                part.notes.push(format!(
                    "whether there are events with an undocumented severity is not known: {error}"
                ));
                return Ok(None);
            }
            Err(error) => return Err(error.problem()),
        }
    }
    Ok((hidden > 0).then(|| {
        let message = format!(
            "{}: {} with an undocumented severity; events.severities leaves them out, and they \
             could be the worst",
            session.name,
            text::count(hidden, "event")
        );
        Problem::new(Cause::Incomplete, message)
            .help("remove events.severities, and use `severity` in the gates")
    }))
}

impl Events {
    /// Whether events of this number are read. An undocumented one always is.
    pub(super) fn asks_for(&self, number: Option<u64>) -> bool {
        let asked = self.numbers();
        !is_documented(number)
            || asked.is_none_or(|asked| asked.iter().any(|one| Some(u64::from(*one)) == number))
    }
}

fn is_documented(number: Option<u64>) -> bool {
    number.is_some_and(|number| number <= 7)
}

/// How many events of a span are read; `None` where the platform does not count.
///
/// # Errors
/// If the counts do not arrive for another reason.
pub(super) async fn total(
    session: &Session,
    settings: &Events,
    span: Window,
) -> Result<Option<u64>, Problem> {
    match of_span(session, &super::scope(settings), span).await? {
        Ok(numbers) => {
            let read = numbers.iter().filter(|(number, _)| settings.asks_for(**number));
            Ok(Some(read.map(|(_, count)| *count).sum()))
        }
        Err(error) if matches!(error.failure, Failure::Refused { .. }) => Ok(None),
        Err(error) => Err(error.problem()),
    }
}

/// Counts one span, to see whether the platform counts.
///
/// # Errors
/// If it does not.
pub(super) async fn look(
    session: &Session,
    settings: &Events,
    span: Window,
) -> Result<(), Problem> {
    let numbers = of_span(session, &super::scope(settings), span).await?;
    numbers.map(|_| ()).map_err(|error| error.problem())
}

fn protocol(session: &Session, what: &str) -> Problem {
    Problem::new(Cause::Protocol, format!("{}: secureEvents/count: {what}", session.name))
}

async fn of_span(
    session: &Session,
    filter: &Filter,
    span: Window,
) -> Result<Result<Numbers, HttpError>, Problem> {
    let call = session.http.get("api/v1/secureEvents/count", &[]);
    let call = call.parameter("from", &super::nanos(span.from));
    let call = call.parameter("to", &super::nanos(span.to));
    let call = if filter.is_empty() { call } else { call.parameter("filter", &filter.to_string()) };
    let counts: Counts = match call.send().await.and_then(|answer| answer::object(&answer)) {
        Ok(counts) => counts,
        Err(error) => return Ok(Err(error)),
    };
    of_groups(&counts).map(Ok).map_err(|what| protocol(session, &what))
}

/// All groups together. A group may be null, except for the one that every platform has. The error
/// is the end of a sentence.
fn of_groups(counts: &Counts) -> Result<Numbers, String> {
    let mut numbers = Numbers::new();
    for (name, value) in counts {
        let shown = text::one_line(name, 40);
        let is_kind = KINDS.contains(&name.as_str());
        if value.is_null() || !(is_kind || value.is_object()) {
            continue;
        }
        let group = Group::deserialize(value).map_err(|error| format!("`{shown}`: {error}"))?;
        let group = group.count_by_severity;
        for (number, count) in group.ok_or(format!("`{shown}` has no `countBySeverity`"))? {
            let count = count.ok_or(format!("`{shown}` has null for the severity `{number}`"))?;
            *numbers.entry(number.trim().parse().ok()).or_default() += count.0;
        }
    }
    match counts.get(KINDS[0]) {
        None | Some(Value::Null) => Err(format!("the answer has no `{}`", KINDS[0])),
        Some(_) => Ok(numbers),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(counts: Value) -> Result<u64, String> {
        let numbers = of_groups(&serde_json::from_value(counts).unwrap())?;
        Ok(numbers.values().sum())
    }

    #[test]
    fn groups_are_summed_and_other_fields_are_ignored() {
        let group = json!({"countBySeverity": {"0": 1, " 4": "2"}});
        assert_eq!(read(json!({"policyEvents": group})), Ok(3));
        assert_eq!(read(json!({"policyEvents": {"countBySeverity": {}}})), Ok(0));
        let all = json!({
            "policyEvents": group, "scanningEvents": group, "cloudsecEvents": null, "new": group,
            "total": 0, "from": "1", "by": ["severity"],
        });
        assert_eq!(read(all), Ok(9));
    }

    #[test]
    fn a_missing_count_is_not_zero() {
        let group = json!({"countBySeverity": {"0": 0}});
        for (counts, has) in [
            (json!({}), "no `policyEvents`"),
            (json!({"scanningEvents": group}), "no `policyEvents`"),
            (json!({"policyEvents": null, "scanningEvents": group}), "no `policyEvents`"),
            (json!({"policyEvents": 0}), "`policyEvents`"),
            (json!({"policyEvents": group, "cloudsecEvents": "none"}), "`cloudsecEvents`"),
            (json!({"policyEvents": {}}), "no `countBySeverity`"),
            (
                json!({"policyEvents": {"countBySeverity": {"3": null}}}),
                "null for the severity `3`",
            ),
            (json!({"policyEvents": {"countBySeverity": {"3": 1.5}}}), "`policyEvents`"),
        ] {
            let error = read(counts.clone()).expect_err(&counts.to_string());
            assert!(error.contains(has), "{counts}: {error}");
        }
    }
}
