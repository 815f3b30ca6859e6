//! The events one by one, from the newest backwards.
//!
//! The first request of a span names its bounds; the cursors that follow do not keep to them, and
//! the first answer always has one, whether or not there are older events (fact sheet §6).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::super::filter::Filter;
use super::super::settings::Events;
use super::wire::{Event, Label, Page};
use crate::evidence::{Part, Window};
use crate::finding::{
    Account, Cause, Control, Finding, Fingerprint, Rule, Severity, Subject, Trouble,
};
use crate::sources::Run;
use crate::text;

/// The most events in a page (fact sheet §6).
const PAGE: usize = 999;

/// Pages without an event that are turned before the feed is taken for endless.
const MOST_EMPTY: u32 = 10;

/// A walk through the feed.
struct Walk<'a> {
    settings: &'a Events,
    run: &'a Run,
    filter: &'a Filter,
    seen: HashSet<String>,
    false_positives: u64,
    pages: u64,
}

pub async fn read(
    settings: &Events,
    run: &Run,
    filter: &Filter,
    window: Window,
    part: &mut Part,
) -> Result<(), Trouble> {
    let mut walk =
        Walk { settings, run, filter, seen: HashSet::new(), false_positives: 0, pages: 0 };
    for span in super::spans(window) {
        walk.span(span, part).await?;
    }
    part.evaluated = walk.seen.len() as u64;
    if walk.false_positives > 0 {
        let count = text::count(walk.false_positives, "event");
        part.notes.push(format!("{count} marked as false positives on the platform, not counted"));
    }
    Ok(())
}

impl Walk<'_> {
    async fn span(&mut self, span: Window, part: &mut Part) -> Result<(), Trouble> {
        let mut cursor: Option<String> = None;
        let mut cursors = BTreeSet::new();
        let mut empty = 0;
        loop {
            let page = self.page(span, cursor.as_deref()).await?;
            let rows = page.data.ok_or_else(|| self.protocol("a page has no `data`"))?;
            // The bounds hold for the first page, so that an empty one leaves nothing out.
            if rows.is_empty() && cursor.is_none() {
                return Ok(());
            }
            let length = rows.len();
            let mut older = false;
            for row in &rows {
                older |= self.row(row, span, part)?;
            }
            let prev = page.page.and_then(|page| page.prev).map(|prev| prev.0);
            let Some(prev) = prev.filter(|prev| !older && !prev.is_empty()) else { return Ok(()) };
            empty = if length == 0 { empty + 1 } else { 0 };
            if !cursors.insert(prev.clone()) {
                return Err(self.protocol("a cursor leads back to a page already seen"));
            }
            if empty >= MOST_EMPTY {
                return Err(self.protocol("page after page holds no event, and names another one"));
            }
            cursor = Some(prev);
        }
    }

    async fn page(&mut self, span: Window, cursor: Option<&str>) -> Result<Page, Trouble> {
        self.pages += 1;
        let at = format!("page {}", self.pages);
        self.run.progress.status(&self.run.name, "reading events", &at);
        let call = self.run.http.get("api/v1/secureEvents", &[]);
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
        let answer = call.send().await.map_err(|error| error.trouble())?;
        answer.json().map_err(|error| error.trouble())
    }

    /// Takes in an event; whether it is older than the span.
    fn row(&mut self, row: &Event, span: Window, part: &mut Part) -> Result<bool, Trouble> {
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
        if at > span.to || !self.seen.insert(id.clone()) {
            return Ok(false);
        }
        let content = row.content.as_ref();
        if content.is_some_and(|content| content.false_positive == Some(true)) {
            self.false_positives += 1;
            return Ok(false);
        }
        let number = row.severity.and_then(|severity| severity.0);
        let severity = self.settings.severity_table.severity(number);
        part.findings.push(Finding { created_at: Some(at), ..finding(row, id, severity) });
        Ok(false)
    }

    fn protocol(&self, what: &str) -> Trouble {
        Trouble::new(Cause::Protocol, format!("{}: secureEvents: {what}", self.run.name))
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
    Finding {
        actor: None,
        subject: Subject {
            severity,
            rule: Some(Arc::new(Rule {
                id: rule.as_deref().unwrap_or("event").into(),
                title: given(&row.name).map(Arc::from),
                help: given(&row.description).map(Arc::from),
            })),
            controls: tags.iter().map(tag).collect(),
            resource_type: kind.map(Arc::from),
            account: account.map(|id| Arc::new(Account { id: id.into(), name: None })),
            region: label("aws.region").map(Arc::from),
        },
        status: None,
        open: true,
        resource_id: container.or(machine).map(Box::from),
        resource_name: None,
        reason: content.and_then(|content| given(&content.output)).map(Box::from),
        created_at: None,
        fingerprint: Fingerprint::of(&["sysdig.event", id]),
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
