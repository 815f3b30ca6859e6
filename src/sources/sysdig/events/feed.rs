//! The events one by one, newest first (docs/platforms/sysdig.md#events).
//!
//! The first request of a span has its bounds. The cursors that follow are not bounded, and the first
//! answer always has one, whether or not older events exist.

use std::sync::Arc;

use chrono::TimeDelta;

use super::super::answer;
use super::super::filter::Filter;
use super::super::settings::{Events, Words, values};
use super::super::units::given;
use super::count;
use super::wire::{Event, Page};
use crate::evidence::{Part, Window};
use crate::finding::{
    Account, Cause, Control, Facets, Finding, Fingerprint, Identity, NOT_APPLICABLE, Problem, Rule,
    Severity, Subject, Waiver, WaiverKind,
};
use crate::http::Call;
use crate::page::{self, At, List, Next, PageBy, ReadError, Walk};
use crate::selection::Field;
use crate::sources::Session;
use crate::text::{self, Undocumented};

/// The most events in a page.
const PAGE: usize = 999;

/// Labels with the name of a container, its image's repository, and its host.
const CONTAINER: &str = "container.name";
const REPOSITORY: &str = "container.image.repo";
const HOST: &str = "host.hostName";

/// How far a time may be outside of the span, since it may be rounded.
const ROUNDING: TimeDelta = TimeDelta::seconds(1);

/// The feed, as far as it was read.
struct Feed<'a> {
    settings: &'a Events,
    session: &'a Session,
    filter: &'a Filter,
    false_positives: u64,
    severities: Undocumented,
}

/// The part of the feed that is within one span.
#[derive(Default)]
struct Span {
    /// Events between `from` and `to`, by the platform's count.
    total: Option<u64>,
    /// Distinct events that arrived.
    arrived: u64,
    /// Whether an event arrived twice.
    repeated: bool,
    /// Whether the feed goes on before the span.
    goes_on: bool,
}

/// Reads all events of a window.
///
/// # Errors
/// If they do not arrive, or the figures do not agree.
pub(super) async fn read(
    settings: &Events,
    session: &Session,
    filter: &Filter,
    window: Window,
    part: &mut Part,
) -> Result<(), Problem> {
    let list = List::new(format!("{}: secureEvents", session.name), PageBy::Link, PAGE as u64);
    // One walk for all spans, so that an event counts once.
    let mut walk = Walk::new(List { unit: "event", ..list });
    let mut feed =
        Feed { settings, session, filter, false_positives: 0, severities: Undocumented::default() };
    for span in super::spans(window) {
        feed.span(span, &mut walk, part).await?;
    }
    part.set_looked_at(walk.rows());
    if feed.false_positives > 0 {
        let count = text::count(feed.false_positives, "event");
        part.notes.push(format!("{count} marked as false positives on the platform, counted"));
    }
    let meaning = "which every `severity` selector matches";
    part.notes.extend(feed.severities.note("event", "severity", meaning));
    Ok(())
}

/// Asks for one event, to see whether the feed answers.
///
/// # Errors
/// If it does not.
pub(super) async fn look(session: &Session, filter: &Filter, span: Window) -> Result<(), Problem> {
    let call = bounded(request(session, filter, 1), span);
    page(session, call).await.map(|_| ())
}

impl Feed<'_> {
    async fn span(
        &mut self,
        window: Window,
        walk: &mut Walk,
        part: &mut Part,
    ) -> Result<(), Problem> {
        let (session, filter) = (self.session, self.filter);
        let ask = async |at: At| {
            let call = request(session, filter, PAGE);
            // Bounds and cursor exclude each other.
            let call = match &at {
                At::Link(cursor) => call.parameter("cursor", cursor),
                _ => bounded(call, window),
            };
            page(session, call).await
        };
        let mut span = Span::default();
        let mut is_bounded = true;
        let read = |walk: &mut Walk, page: EventsPage| {
            let next = self.page(page, window, is_bounded, &mut span, walk, part)?;
            is_bounded = false;
            Ok(page::Page { next, ..page::Page::default() })
        };
        let showing = |at: &str| session.progress.status(&session.name, "reading events", at);
        page::read(walk, ask, read, showing).await.map_err(ReadError::problem)?;
        self.end(window, &span).await
    }

    /// Adds the events of a page, and returns where the next one is.
    fn page(
        &mut self,
        page: EventsPage,
        window: Window,
        is_bounded: bool,
        span: &mut Span,
        walk: &mut Walk,
        part: &mut Part,
    ) -> Result<Next, Problem> {
        let EventsPage { rows, total, prev } = page;
        if is_bounded {
            span.total = total;
            if rows.is_empty() && total == Some(0) {
                return Ok(Next::End);
            }
            if rows.is_empty() && total.is_none() && prev.is_none() {
                let what = "a page without events has neither `total` nor `prev`";
                return Err(self.protocol(what));
            }
        }
        let mut is_older = false;
        for row in &rows {
            is_older = self.row(row, window, is_bounded, span, walk, part)?;
        }
        match prev {
            // The newest event comes first, so the last of a page is the oldest so far.
            _ if is_older => {
                span.goes_on = true;
                Ok(Next::End)
            }
            Some(prev) => Ok(Next::Link(prev)),
            None if is_bounded && rows.len() >= PAGE => {
                let what = "a full page has no cursor of the events before it";
                Err(self.problem(Cause::Incomplete, what))
            }
            None => Ok(Next::End),
        }
    }

    /// Compares what arrived with what the platform counts.
    async fn end(&self, window: Window, span: &Span) -> Result<(), Problem> {
        let arrived = span.arrived;
        let repeated = if span.repeated { ", and some of them were repeated" } else { "" };
        match span.total {
            None if span.repeated => {
                let what = "an event is repeated, and the feed has no total to compare with";
                Err(self.problem(Cause::Contradictory, what))
            }
            Some(total) if total > arrived => {
                // Where there are older events, the total may be of more than the span. Another call
                // counts the span itself.
                if span.goes_on
                    && count::total(self.session, self.settings, window).await? == Some(arrived)
                {
                    return Ok(());
                }
                let what =
                    format!("the platform counts {total} events, but {arrived} arrived{repeated}");
                Err(self.problem(Cause::Contradictory, &what))
            }
            _ => Ok(()),
        }
    }

    /// Adds an event. Returns whether it is older than the span.
    fn row(
        &mut self,
        row: &Event,
        window: Window,
        is_bounded: bool,
        span: &mut Span,
        walk: &mut Walk,
        part: &mut Part,
    ) -> Result<bool, Problem> {
        let Some(id) = &row.id else { return Err(self.protocol("an event has no `id`")) };
        let Some(at) = row.timestamp.as_ref().and_then(|stamp| stamp.moment()) else {
            let given = row.timestamp.as_ref().map_or("none", |stamp| stamp.text());
            let given = text::one_line(given, 40);
            let id = text::one_line(id, 60);
            return Err(self.protocol(&format!("event {id} has no readable time ({given})")));
        };
        let outside = |direction: &str| {
            let id = text::one_line(id, 60);
            let what = format!("event {id} is {direction} than what was asked for");
            self.problem(Cause::Contradictory, &what)
        };
        if at.signed_duration_since(window.to) > ROUNDING {
            return Err(outside("newer"));
        }
        if is_bounded && window.from.signed_duration_since(at) > ROUNDING {
            return Err(outside("older"));
        }
        if !is_bounded && at < window.from {
            return Ok(true);
        }
        if !walk.is_new(id) {
            span.repeated = true;
            return Ok(false);
        }
        span.arrived += 1;
        let number = row.number();
        self.check_filter(row, number)?;
        let is_false = row.content.as_ref().is_some_and(|c| c.false_positive == Some(true));
        self.false_positives += u64::from(is_false);
        let waiver = is_false.then(|| Waiver::new(WaiverKind::SysdigFalsePositive).into());
        let severity = self.settings.severity_table.severity(number);
        if severity == Severity::Unknown {
            self.severities.add(row.severity());
        }
        let finding = finding(row, id, severity);
        part.findings.push(Finding { created_at: Some(at), waiver, ..finding });
        Ok(false)
    }

    /// Recognises a filter that the platform ignores. Fields that an event does not state are not
    /// checked.
    fn check_filter(&self, row: &Event, number: Option<u64>) -> Result<(), Problem> {
        let refuse = |field: &str, value: &str| {
            let value = text::one_line(value, 60);
            let what = format!(
                "an event has the {field} `{value}`, which was not asked for: a filter was ignored"
            );
            Err(self.problem(Cause::Contradictory, &what))
        };
        if let Some(number) = number.filter(|number| !self.settings.asks_for(Some(*number))) {
            return refuse("severity", &number.to_string());
        }
        for Words { parameter, field, asked, .. } in self.settings.words() {
            let is_asked = |value: &&str| {
                asked.is_none() || values(asked).any(|one| one.eq_ignore_ascii_case(value))
            };
            if let Some(value) = row.word(field).filter(|value| !is_asked(value)) {
                return refuse(parameter, value);
            }
        }
        Ok(())
    }

    fn protocol(&self, what: &str) -> Problem {
        self.problem(Cause::Protocol, what)
    }

    fn problem(&self, cause: Cause, what: &str) -> Problem {
        problem(self.session, cause, what)
    }
}

fn problem(session: &Session, cause: Cause, what: &str) -> Problem {
    Problem::new(cause, format!("{}: secureEvents: {what}", session.name))
}

/// A request for the feed, without bounds or cursor.
fn request<'a>(session: &'a Session, filter: &Filter, limit: usize) -> Call<'a> {
    let call = session.http.get("api/v1/secureEvents", &[]);
    let call = call.parameter("limit", &limit.to_string());
    match filter.is_empty() {
        true => call,
        false => call.parameter("filter", &filter.to_string()),
    }
}

fn bounded<'a>(call: Call<'a>, window: Window) -> Call<'a> {
    call.parameter("from", &super::nanos(window.from)).parameter("to", &super::nanos(window.to))
}

/// A page of the feed.
struct EventsPage {
    rows: Vec<Event>,
    /// Events between the bounds.
    total: Option<u64>,
    /// The cursor of the events before these.
    prev: Option<String>,
}

/// # Errors
/// If the answer is not a page of the feed.
async fn page(session: &Session, call: Call<'_>) -> Result<EventsPage, Problem> {
    let answer = call.send().await.map_err(|error| error.problem())?;
    let page: Page = answer::object(&answer).map_err(|error| error.problem())?;
    let missing =
        |field: &str| problem(session, Cause::Protocol, &format!("the answer has no `{field}`"));
    let rows = page.data.ok_or_else(|| missing("data"))?;
    let cursors = page.page.ok_or_else(|| missing("page"))?;
    let length = rows.len() as u64;
    if let Some(returned) = cursors.returned.filter(|returned| returned.0 != length) {
        let what = format!("a page states {} events, and has {length}", returned.0);
        return Err(problem(session, Cause::Incomplete, &what));
    }
    if rows.len() > PAGE {
        let what = format!("a page has {length} events, and {PAGE} were asked for");
        return Err(problem(session, Cause::Protocol, &what));
    }
    Ok(EventsPage { rows, total: cursors.total.map(|total| total.0), prev: cursors.prev })
}

/// What the platform does not state is left out, which every selector matches.
fn finding(row: &Event, id: &str, severity: Severity) -> Finding {
    let content = row.content.as_ref();
    let tags = content.and_then(|content| content.rule_tags.as_deref()).unwrap_or_default();
    let tag = |tag: &String| Control { framework: tag.as_str().into(), id: tag.as_str().into() };
    let (container, machine) = (given(&row.container_id), given(&row.machine_id));
    let kind = match (container, machine) {
        (Some(_), _) => Some("container"),
        (None, Some(_)) => Some("host"),
        (None, None) => None,
    };
    let rule = |id: &str| Rule {
        id: id.into(),
        title: given(&row.name).map(Arc::from),
        help: given(&row.description).map(Arc::from),
    };
    let account = |id: &str| Account { id: id.into(), name: None };
    let subject = Subject {
        rule: row.rule().map(rule).map(Arc::new),
        controls: tags.iter().map(tag).collect(),
        resource_type: kind.map(Arc::from),
        account: row.label("aws.accountId").map(account).map(Arc::new),
        region: row.label("aws.region").map(Arc::from),
        ..Subject::new(severity)
    };
    Finding {
        resource_id: container.or(machine).map(Box::from),
        reason: content.and_then(|content| given(&content.output)).map(Box::from),
        facets: facets(row),
        ..Finding::new(subject, Identity::Event(Fingerprint::of(&[id])))
    }
}

/// Where it happened, by its labels, and what it is. Without any labels, the place is not known.
fn facets(row: &Event) -> Facets {
    let mut facets = Facets::default();
    for (field, text) in
        [(Field::Category, given(&row.category)), (Field::EventSource, given(&row.source))]
    {
        facets.extend(text.map(|text| (field.word(), vec![Arc::from(text)])));
    }
    let Some(labels) = row.labels() else { return facets };
    let label = |name: &str| row.label(name).map(Arc::from);
    // `must`: what the event has, so that it should state it, too. A label that is there and cannot
    // be read could be anything.
    let mut add = |field: Field, name: &str, must: bool, texts: Vec<Arc<str>>| {
        if !texts.is_empty() {
            facets.insert(field.word(), texts);
        } else if !must && !row.has_label(name) {
            facets.insert(field.word(), vec![NOT_APPLICABLE.into()]);
        }
    };
    for (field, name) in [
        (Field::Cluster, "kubernetes.cluster.name"),
        (Field::Namespace, "kubernetes.namespace.name"),
    ] {
        add(field, name, false, label(name).into_iter().collect());
    }
    let in_container = given(&row.container_id).is_some() || row.has_label(CONTAINER);
    let repository = row.label(REPOSITORY);
    let tagged = repository.zip(row.label("container.image.tag"));
    let tagged = tagged.map(|(repository, tag)| format!("{repository}:{tag}").into());
    let images = repository.map(Arc::from).into_iter().chain(tagged).collect();
    add(Field::Image, REPOSITORY, in_container, images);
    for (field, name, id) in
        [(Field::Container, CONTAINER, &row.container_id), (Field::Host, HOST, &row.machine_id)]
    {
        // One of them alone does not say that another word is not the other.
        let id = given(id).map(Arc::from);
        let both = label(name).zip(id.clone()).map(|(name, id)| vec![name, id]);
        add(field, name, id.is_some(), both.unwrap_or_default());
    }
    let all = labels.map(|(name, value)| format!("{name}={value}").into()).collect();
    add(Field::Label, "", false, all);
    facets
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn numbers_and_nulls_are_read() {
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
            assert_eq!(row.number(), expected);
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
