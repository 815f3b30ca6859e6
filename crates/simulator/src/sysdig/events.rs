//! Events at run time (docs/platforms/sysdig.md, events).

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::estate::TABLE;
use super::filter::{Filter, Language};
use super::settings::Events;
use super::{Answer, Platform, Refusal, parameter};
use crate::ids::{hash, mix};
use crate::reply;

type Pairs = Query<Vec<(String, String)>>;

const FIELDS: [&str; 9] = [
    "severity",
    "category",
    "originator",
    "name",
    "source",
    "ruleName",
    "ruleType",
    "policyId",
    "containerId",
];

/// Nanoseconds in a second, and in the two weeks that a span may have.
const SECOND: i64 = 1_000_000_000;
const LONGEST: i64 = 14 * 24 * 3600 * SECOND;

/// One event: the newest has the number 0.
struct Event {
    number: u64,
    severity: usize,
    rule: &'static str,
    nanos: i64,
    false_positive: bool,
}

/// `GET /secureEvents`: by `from` and `to`, or by `cursor`, and never both.
pub(super) async fn feed(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Answer {
    let bad = || Refusal::invalid("bad request");
    let settings = &platform.settings.events;
    let limit = match parameter(&pairs, "limit") {
        None => 100,
        Some(text) => text.parse().ok().filter(|n| (1..=999).contains(n)).ok_or_else(bad)?,
    };
    let limit = settings.largest_page.min(limit);
    let filter =
        Filter::of(Language::Events, parameter(&pairs, "filter"), &FIELDS).map_err(|_| bad())?;
    let all: Vec<_> = platform.events().into_iter().filter(|event| event.passes(&filter)).collect();
    let cursor = parameter(&pairs, "cursor");
    let span = span(&pairs)?;
    let mut total = all.len();
    let (page, prev): (Vec<&Event>, Option<u64>) = match (cursor, span) {
        (None, Some((from, to))) => {
            let within = |event: &&Event| (from..=to).contains(&event.nanos);
            total = all.iter().filter(within).count();
            let page: Vec<_> = all.iter().filter(within).take(limit).collect();
            // Always set: the platform does not look whether there are older ones.
            let last = page.last().map(|event| event.number);
            let before = || all.iter().find(|event| event.nanos < from).map(|event| event.number);
            let prev = last.map_or_else(|| before().unwrap_or(u64::MAX), |number| number + 1);
            (page, Some(prev))
        }
        (Some(cursor), None) => {
            let first = number(cursor).ok_or_else(bad)?;
            // Not bounded by the first request's span.
            let from = if settings.restart { 0 } else { first };
            let mut rest = all.iter().filter(|event| event.number >= from);
            let page: Vec<_> = rest.by_ref().take(limit).collect();
            let prev = match (settings.repeat_cursor, settings.restart) {
                (true, _) => Some(first),
                (_, true) => Some(first + 1),
                _ => rest.next().map(|event| event.number),
            };
            (page, prev)
        }
        _ => return Err(bad()),
    };
    let data: Vec<_> = page.iter().map(|event| platform.event_row(event)).collect();
    Ok(reply::json(&json!({
        "page": {
            "total": total, "returned": data.len(),
            "prev": prev.map(cursor_of), "next": cursor_of(0),
        },
        "data": data,
    })))
}

/// `GET /secureEvents/count`.
pub(super) async fn count(State(platform): State<Arc<Platform>>, Query(pairs): Pairs) -> Answer {
    let (from, to) = span(&pairs)?.ok_or_else(|| Refusal::invalid("Invalid parameter"))?;
    let filter = Filter::of(Language::Events, parameter(&pairs, "filter"), &FIELDS)?;
    let mut counts = [0_u64; 8];
    for event in platform.events() {
        if (from..=to).contains(&event.nanos) && event.passes(&filter) {
            counts[event.severity] += 1;
        }
    }
    let group = |counts: &[u64; 8]| {
        let counts: Map<String, Value> =
            counts.iter().enumerate().map(|(at, count)| (at.to_string(), json!(count))).collect();
        json!({"countBySeverity": counts})
    };
    Ok(reply::json(&json!({
        "policyEvents": group(&counts), "scanningEvents": group(&[0; 8]),
        "cloudsecEvents": group(&[0; 8]),
    })))
}

/// `GET /secureEvents/hasEvents`: the names of the flags are inferred.
pub(super) async fn any(State(platform): State<Arc<Platform>>) -> Answer {
    let any = platform.settings.events.has_events;
    let any = any.ok_or_else(|| Refusal::not_found("Not Found"))?;
    Ok(reply::json(&json!({"hasEvents": any, "hasLegacyEvents": false})))
}

/// `GET /api/agents/connected`, which sdcclient calls.
pub(super) async fn agents(State(platform): State<Arc<Platform>>) -> Answer {
    let count = platform.settings.events.agents;
    let count = count.ok_or_else(|| Refusal::not_found("Not Found"))?;
    let agents: Vec<_> = (0..count).map(|n| json!({"hostName": format!("node-{n}")})).collect();
    Ok(reply::json(&json!({"total": count, "agents": agents})))
}

/// `GET /secureEvents/{id}`.
pub(super) async fn one(State(platform): State<Arc<Platform>>, Path(id): Path<String>) -> Answer {
    let events = platform.events();
    let event = events.iter().find(|event| event.id() == id);
    event
        .map(|event| reply::json(&platform.event_row(event)))
        .ok_or_else(|| Refusal::not_found("Not Found"))
}

/// `from` and `to`, in nanoseconds: both or none, and two weeks at most.
fn span(pairs: &[(String, String)]) -> Result<Option<(i64, i64)>, Refusal> {
    let bad = || Refusal::invalid("bad request");
    let nanos = |name: &str| {
        parameter(pairs, name).map(|text| text.parse::<i64>().map_err(|_| bad())).transpose()
    };
    match (nanos("from")?, nanos("to")?) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) if from >= 0 && from <= to && to - from <= LONGEST => {
            Ok(Some((from, to)))
        }
        _ => Err(bad()),
    }
}

fn cursor_of(number: u64) -> String {
    format!("{number:016x}{:08x}", mix(number) >> 32)
}

fn number(cursor: &str) -> Option<u64> {
    let number = u64::from_str_radix(cursor.get(..16)?, 16).ok()?;
    (cursor_of(number) == cursor).then_some(number)
}

impl Event {
    fn id(&self) -> String {
        let seed = hash(&format!("event {}", self.number));
        format!("{:016x}{:016x}", mix(seed), mix(seed ^ 1))
    }

    fn passes(&self, filter: &Filter) -> bool {
        let severity = self.severity.to_string();
        filter.takes(|field| match field {
            "severity" => vec![severity.as_str()],
            "category" => vec!["runtime"],
            "originator" => vec!["policy"],
            "name" | "ruleName" => vec![self.rule],
            "source" => vec!["syscall"],
            _ => Vec::new(),
        })
    }
}

impl Platform {
    fn events(&self) -> Vec<Event> {
        let Events { by_number, every_seconds, false_positive_every, .. } = &self.settings.events;
        let total: u64 = by_number.iter().sum();
        let mut left = *by_number;
        (0..total)
            .map(|number| {
                // The one of which most are left comes next, so that they are mixed.
                let most = (0..8).max_by_key(|at| left[*at] * total / by_number[*at].max(1));
                let severity = most.unwrap_or(7);
                left[severity] = left[severity].saturating_sub(1);
                let age =
                    i64::try_from(number + 1).unwrap_or(i64::MAX).saturating_mul(*every_seconds);
                let at = self.clock.at(age.saturating_mul(-1000));
                Event {
                    number,
                    severity,
                    rule: &TABLE.event_rules[usize::try_from(mix(number) % 4).unwrap_or_default()],
                    nanos: at.timestamp_nanos_opt().unwrap_or_default(),
                    false_positive: *false_positive_every > 0
                        && (number + 1).is_multiple_of(*false_positive_every),
                }
            })
            .collect()
    }

    fn event_row(&self, event: &Event) -> Value {
        let numbers = self.settings.events.numbers;
        let at = chrono::DateTime::from_timestamp_nanos(event.nanos);
        let text = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let severity = event.severity;
        let (namespace, repository) = match event.number % 3 {
            0 => ("shop", "registry.example.com/shop/api"),
            _ => ("platform", "registry.example.com/platform/proxy"),
        };
        json!({
            "id": event.id(), "cursor": cursor_of(event.number),
            "timestamp": if numbers { json!(event.nanos) } else { json!(text) },
            "customerId": 1, "originator": "policy", "category": "runtime", "source": "syscall",
            "name": self.hostility.text("Suspicious container activity"),
            "description": self.hostility.text("A container did what containers seldom do."),
            "severity": if numbers { json!(severity) } else { json!(severity.to_string()) },
            "agentId": 7, "containerId": format!("{:012x}", mix(event.number) >> 16),
            "machineId": "02:00:00:00:00:01", "actions": [],
            "content": {
                "ruleName": event.rule, "ruleTags": ["container", "mitre_execution"],
                "ruleType": 6, "ruleSubType": 0, "policyId": 11,
                "output": self.hostility.text("a shell was opened in a container"),
                "fields": {}, "falsePositive": event.false_positive,
            },
            "labels": {
                "aws.accountId": "122814690049", "aws.region": "eu-central-1",
                "kubernetes.cluster.name": "production", "kubernetes.namespace.name": namespace,
                "container.name": format!("{namespace}-{}", event.number % 5),
                "container.image.repo": repository, "container.image.tag": "1.4",
                "host.hostName": format!("node-{}", event.number % 2),
            },
            "engine": "machineLearning",
        })
    }
}
