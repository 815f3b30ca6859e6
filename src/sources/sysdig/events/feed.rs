//! The events one by one, from the newest backwards.
//!
//! The first request of a span names its bounds; the cursors that follow do not keep to them, and
//! the first answer always has one, whether or not there are older events (fact sheet §6).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::super::filter::Filter;
use super::super::settings::{Events, values};
use super::wire::{Event, Label, Page};
use crate::evidence::{Part, Window};
use crate::finding::{
    Account, Cause, Control, Finding, Fingerprint, Problem, Rule, Severity, Subject,
};
use crate::sources::Session;
use crate::text;

/// The most events in a page (fact sheet §6).
const PAGE: usize = 999;

/// Pages without a new event that are turned before the feed is taken for endless.
const MOST_IDLE: u32 = 10;

/// How far a time may be beyond the span, for it may be rounded.
const ROUNDING: TimeDelta = TimeDelta::seconds(1);

/// A walk through the feed.
struct Walk<'a> {
    settings: &'a Events,
    session: &'a Session,
    filter: &'a Filter,
    seen: HashSet<String>,
    false_positives: u64,
    pages: u64,
}

pub async fn read(
    settings: &Events,
    session: &Session,
    filter: &Filter,
    window: Window,
    part: &mut Part,
) -> Result<(), Problem> {
    let mut walk =
        Walk { settings, session, filter, seen: HashSet::new(), false_positives: 0, pages: 0 };
    for span in super::spans(window) {
        walk.span(span, part).await?;
    }
    part.set_looked_at(walk.seen.len() as u64);
    if walk.false_positives > 0 {
        let count = text::count(walk.false_positives, "event");
        part.notes.push(format!("{count} marked as false positives on the platform, not counted"));
    }
    Ok(())
}

impl Walk<'_> {
    async fn span(&mut self, span: Window, part: &mut Part) -> Result<(), Problem> {
        let mut cursor: Option<String> = None;
        let mut cursors = BTreeSet::new();
        let (mut idle, mut total) = (0, None);
        loop {
            let page = self.page(span, cursor.as_deref()).await?;
            let rows = page.data.ok_or_else(|| self.protocol("a page has no `data`"))?;
            let told = page.page.unwrap_or_default();
            let length = rows.len() as u64;
            if let Some(returned) = told.returned.filter(|returned| returned.0 != length) {
                let what =
                    format!("a page says it holds {} events, and holds {length}", returned.0);
                return Err(self.problem(Cause::Incomplete, &what));
            }
            if cursor.is_none() {
                total = told.total.map(|total| total.0);
                // The bounds hold for the first page, so that an empty one leaves nothing out.
                if rows.is_empty() && total.unwrap_or(0) == 0 {
                    return Ok(());
                }
            }
            let before = self.seen.len();
            let mut older = false;
            for row in &rows {
                older = self.row(row, span, part)?;
            }
            if older {
                return Ok(());
            }
            let Some(prev) = told.prev.map(|prev| prev.0).filter(|prev| !prev.is_empty()) else {
                return self.end(total, cursor.is_none() && rows.len() >= PAGE);
            };
            idle = if self.seen.len() == before { idle + 1 } else { 0 };
            if !cursors.insert(prev.clone()) {
                return Err(self.protocol("a cursor leads back to a page already seen"));
            }
            if idle >= MOST_IDLE {
                let what = "page after page holds no new event, and names another one";
                return Err(self.protocol(what));
            }
            cursor = Some(prev);
        }
    }

    /// Nothing is older: then all that the platform counts has arrived. What it counts are the
    /// events of the span, or else of all time, so that those of newer spans may be among them.
    fn end(&self, total: Option<u64>, is_full: bool) -> Result<(), Problem> {
        let arrived = self.seen.len() as u64;
        if let Some(total) = total.filter(|total| *total > arrived) {
            let what = format!("the platform counts {total} events, but {arrived} arrived");
            return Err(self.problem(Cause::Contradictory, &what));
        }
        if is_full {
            let what = "a full page does not say where the events before it are";
            return Err(self.problem(Cause::Incomplete, what));
        }
        Ok(())
    }

    async fn page(&mut self, span: Window, cursor: Option<&str>) -> Result<Page, Problem> {
        self.pages += 1;
        let at = format!("page {}", self.pages);
        self.session.progress.status(&self.session.name, "reading events", &at);
        let call = self.session.http.get("api/v1/secureEvents", &[]);
        let call = call.parameter("limit", &PAGE.to_string());
        // Bounds and cursor exclude each other; the filter goes with both.
        let call = match cursor {
            Some(cursor) => call.parameter("cursor", cursor),
            None => call
                .parameter("from", &super::nanos(span.from))
                .parameter("to", &super::nanos(span.to)),
        };
        let call = match self.filter.is_empty() {
            true => call,
            false => call.parameter("filter", &self.filter.to_string()),
        };
        let answer = call.send().await.map_err(|error| error.problem())?;
        answer.json().map_err(|error| error.problem())
    }

    /// Takes in an event; whether it is older than the span. The last of a page tells for all that
    /// follow, for the newest comes first.
    fn row(&mut self, row: &Event, span: Window, part: &mut Part) -> Result<bool, Problem> {
        let Some(id) = row.id.as_ref().map(|id| &id.0).filter(|id| !id.is_empty()) else {
            return Err(self.protocol("an event has no `id`"));
        };
        let Some(at) = row.timestamp.as_ref().and_then(|stamp| stamp.moment()) else {
            let given = row.timestamp.as_ref().map_or("none", |stamp| stamp.text());
            let given = text::one_line(given, 40);
            let id = text::one_line(id, 60);
            return Err(self.protocol(&format!("event {id} has no readable time ({given})")));
        };
        if at < span.from {
            return Ok(true);
        }
        if at.signed_duration_since(span.to) > ROUNDING {
            let what = format!("event {} is newer than what was asked for", text::one_line(id, 60));
            return Err(self.problem(Cause::Contradictory, &what));
        }
        if !self.seen.insert(id.clone()) {
            return Ok(false);
        }
        let number = row.severity.and_then(|severity| severity.0);
        self.is_asked_for(row, number)?;
        let content = row.content.as_ref();
        if content.is_some_and(|content| content.false_positive == Some(true)) {
            self.false_positives += 1;
            return Ok(false);
        }
        let severity = self.settings.severity_table.severity(number);
        part.findings.push(Finding { created_at: Some(at), ..finding(row, id, severity) });
        Ok(false)
    }

    /// A filter that the platform ignores must not go unnoticed: it would block for what nobody
    /// asked for. What an event does not say is not held against it.
    fn is_asked_for(&self, row: &Event, number: Option<u64>) -> Result<(), Problem> {
        let refuse = |field: &str, has: &str| {
            let has = text::one_line(has, 60);
            let what = format!(
                "an event has the {field} `{has}`, which was not asked for: a filter was ignored"
            );
            Err(self.problem(Cause::Contradictory, &what))
        };
        if let Some(number) = number.filter(|number| !self.settings.asks_for(Some(*number))) {
            return refuse("severity", &number.to_string());
        }
        let rule = row.content.as_ref().and_then(|content| content.rule_name.as_deref());
        for (field, asked, has) in [
            ("rule", &self.settings.rules, rule),
            ("source", &self.settings.sources, row.source.as_deref()),
        ] {
            let is_asked = |has: &&str| {
                asked.is_none() || values(asked.as_ref()).any(|one| one.eq_ignore_ascii_case(has))
            };
            if let Some(has) = has.filter(|has| !is_asked(has)) {
                return refuse(field, has);
            }
        }
        Ok(())
    }

    fn protocol(&self, what: &str) -> Problem {
        self.problem(Cause::Protocol, what)
    }

    fn problem(&self, cause: Cause, what: &str) -> Problem {
        Problem::new(cause, format!("{}: secureEvents: {what}", self.session.name))
    }
}

fn finding(row: &Event, id: &str, severity: Severity) -> Finding {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let label = |name: &str| match row.labels.as_ref()?.get(name)? {
        Label::Text(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    };
    let content = row.content.as_ref();
    let rule = content.and_then(|content| given(&content.rule_name)).or_else(|| given(&row.name));
    let tags = content.and_then(|content| content.rule_tags.as_deref()).unwrap_or_default();
    let tag = |tag: &String| Control { framework: tag.as_str().into(), id: tag.as_str().into() };
    let (container, machine) = (given(&row.container_id), given(&row.machine_id));
    let kind = match (&container, &machine) {
        (Some(_), _) => Some("container"),
        (None, Some(_)) => Some("host"),
        (None, None) => None,
    };
    let account = label("aws.accountId").or(label("kubernetes.cluster.name"));
    let subject = Subject {
        rule: Some(Arc::new(Rule {
            id: rule.as_deref().unwrap_or("event").into(),
            title: given(&row.name).map(Arc::from),
            help: given(&row.description).map(Arc::from),
        })),
        controls: tags.iter().map(tag).collect(),
        resource_type: kind.map(Arc::from),
        account: account.map(|id| Arc::new(Account { id: id.into(), name: None })),
        region: label("aws.region").map(Arc::from),
        ..Subject::new(severity)
    };
    Finding {
        resource_id: container.or(machine).map(Box::from),
        reason: content.and_then(|content| given(&content.output)).map(Box::from),
        ..Finding::new(subject, Fingerprint::of(&["sysdig.event", id]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn events_are_read_as_they_come() {
        let event = |json: Value| serde_json::from_value::<Event>(json).unwrap();
        let numbers = [
            (json!(4), Some(4)),
            (json!("4"), Some(4)),
            (json!("high"), None),
            (json!(-1), None),
            (json!(18_446_744_073_709_551_615_u64), Some(u64::MAX)),
        ];
        for (severity, expected) in numbers {
            let row = event(json!({"id": "1", "severity": severity}));
            assert_eq!(row.severity.unwrap().0, expected);
        }
        let row = event(json!({
            "id": 7, "timestamp": 1_700_000_000_123_456_789_u64, "severity": null, "name": "n",
            "content": {"ruleName": "Shell", "ruleTags": null, "falsePositive": null},
            "containerId": "", "machineId": "m",
            "labels": {"aws.accountId": "1", "aws.region": 5, "x": {"y": 1}},
        }));
        assert_eq!(row.timestamp.as_ref().unwrap().moment().unwrap().timestamp(), 1_700_000_000);
        let finding = finding(&row, "7", Severity::High);
        assert_eq!((finding.rule_id(), finding.resource()), ("Shell", "m"));
        assert_eq!(finding.subject.resource_type.as_deref(), Some("host"));
        assert_eq!(finding.subject.region, None);
    }
}
