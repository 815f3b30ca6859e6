//! How many events there are of each number (fact sheet §6).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::filter::Filter;
use super::super::settings::Events;
use super::wire::{Counts, Group};
use crate::evidence::{Findings, Part, Table, Window};
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// The kinds of events. Only the first, what policies caught at run time, is on every platform.
const KINDS: [&str; 3] = ["policyEvents", "scanningEvents", "cloudsecEvents"];

/// By number; `None` is what is no number.
type Numbers = BTreeMap<Option<u64>, u64>;

/// Counts the events of the window that are asked for.
///
/// # Errors
/// If a count does not arrive, or not in a known shape.
pub async fn read(
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
            // Filtered here and not there: a number that nobody documented stays in sight.
            if count > 0 && settings.asks_for(number) {
                let severity = settings.severity_table.severity(number);
                let sum = counts.entry(severity).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    }
    part.set_looked_at(counts.values().copied().fold(0, u64::saturating_add));
    let message = format!("{}: events were only counted, by severity", session.name);
    part.findings = Findings::counted(
        Problem::new(Cause::Incomplete, message)
            .help("set `events.detail: findings` for gates that select by anything but severity"),
    );
    part.counts.table = Some(Table::of_failures(&counts));
    Ok(())
}

/// Events that a filter by severity leaves out although their number is none of those documented:
/// they could be the worst. Told as a note if the platform cannot count.
///
/// # Errors
/// If the counts do not arrive for another reason.
pub async fn hidden(
    session: &Session,
    settings: &Events,
    window: Window,
    part: &mut Part,
) -> Result<Option<Problem>, Problem> {
    let mut hidden: u64 = 0;
    for span in super::spans(window) {
        match of_span(session, &super::scope(settings), span).await? {
            Ok(numbers) => {
                let odd = numbers.iter().filter(|(number, _)| !is_documented(**number));
                hidden = odd.fold(hidden, |sum, (_, count)| sum.saturating_add(*count));
            }
            Err(error) if matches!(error.failure, Failure::Refused { .. }) => {
                part.notes.push(format!(
                    "severities beyond those documented, if there are any, are not known: {error}"
                ));
                return Ok(None);
            }
            Err(error) => return Err(error.problem()),
        }
    }
    Ok((hidden > 0).then(|| {
        let message = format!(
            "{}: {} with a severity that the platform does not document; events.severities leaves \
             them out, and they could be the worst",
            session.name,
            text::count(hidden, "event")
        );
        Problem::new(Cause::Incomplete, message)
            .help("remove events.severities, and use `severity` in the gates")
    }))
}

impl Events {
    /// Whether events of this number are asked for; what is not documented always is.
    pub fn asks_for(&self, number: Option<u64>) -> bool {
        let asked = self.numbers();
        !is_documented(number)
            || asked.is_none_or(|asked| asked.iter().any(|one| Some(u64::from(*one)) == number))
    }
}

fn is_documented(number: Option<u64>) -> bool {
    number.is_some_and(|number| number <= 7)
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
    let counts: Counts = match call.send().await.and_then(|answer| answer.json()) {
        Ok(counts) => counts,
        Err(error) => return Ok(Err(error)),
    };
    of_groups(&counts).map(Ok).map_err(|what| {
        Problem::new(Cause::Protocol, format!("{}: secureEvents/count: {what}", session.name))
    })
}

/// All groups together. One that is null counts nothing, except for what is on every platform.
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
            let sum = numbers.entry(number.trim().parse().ok()).or_default();
            *sum = sum.saturating_add(count.0);
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
    fn groups_are_summed_and_what_is_beside_them_is_no_group() {
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
    fn what_is_not_told_is_not_zero() {
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
