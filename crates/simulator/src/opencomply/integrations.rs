//! Integrations: how requests select them, and the lists of them (OC §2.1, §6).

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ids::{is_uuid, uuid};
use crate::reply::{self, Answer, Refusal, nullable};

use super::estate::Connected;
use super::request::{Binder, Pairs, bind, page, values};
use super::{Platform, Shared};

/// An entry of `integration_info`: its fields are AND-ed, the entries are OR-ed (OC §2.1).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Selector {
    integration_id: Option<String>,
    integration_type: Option<String>,
    provider_id: Option<String>,
    name: Option<String>,
}

impl Platform {
    /// The integrations that exist now, by index.
    pub(crate) fn connected(&self, now: i64) -> impl Iterator<Item = (usize, &Connected)> {
        self.estate
            .integrations
            .iter()
            .enumerate()
            .filter(move |(_, each)| each.of.deleted_after.is_none_or(|at| now < at))
    }

    /// Whether an integration of the list was deleted.
    pub(crate) fn any_deleted(&self, integrations: &[usize], now: i64) -> bool {
        let exist: BTreeSet<usize> = self.connected(now).map(|(at, _)| at).collect();
        integrations.iter().any(|at| !exist.contains(at))
    }

    /// What `integration_info` matches: double matches are kept (OC §2.1).
    pub(crate) fn matched(&self, selectors: &[Selector], now: i64) -> Result<Vec<usize>, Refusal> {
        let mut matched = Vec::new();
        for selector in selectors {
            if let Some(id) = &selector.integration_id {
                let exact = self.connected(now).find(|(_, each)| each.id == *id);
                let (at, _) = exact
                    .filter(|_| is_uuid(id))
                    .ok_or_else(|| Refusal::bad_request("failed to get integration"))?;
                matched.push(at);
                continue;
            }
            let refuse = |_| Refusal::bad_request("failed to get source");
            let provider_id = pattern(selector.provider_id.as_deref()).map_err(refuse)?;
            let name = pattern(selector.name.as_deref()).map_err(refuse)?;
            let fits = |each: &Connected| {
                let of_type = selector.integration_type.as_ref();
                of_type.is_none_or(|wanted| *wanted == each.of.integration_type)
                    && provider_id.as_ref().is_none_or(|re| re.is_match(&each.of.provider_id))
                    && name.as_ref().is_none_or(|re| re.is_match(&each.of.name))
            };
            matched.extend(self.connected(now).filter(|(_, each)| fits(each)).map(|(at, _)| at));
        }
        Ok(matched)
    }

    /// How an integration appears in jobs and runs; deleted ones are dropped (OC §2.1, §7).
    pub(crate) fn infos(&self, integrations: &[usize], now: i64) -> Option<Vec<Value>> {
        let exist: BTreeSet<usize> = self.connected(now).map(|(at, _)| at).collect();
        let info = |at: &usize| {
            let each = &self.estate.integrations[*at];
            json!({
                "integration_type": each.of.integration_type,
                "provider_id": each.of.provider_id,
                "name": self.hostility.text(each.of.name.as_str()),
                "integration_id": each.id,
            })
        };
        nullable(integrations.iter().filter(|at| exist.contains(at)).map(info).collect())
    }

    fn integration_item(&self, each: &Connected) -> Value {
        json!({
            "integration_id": each.id,
            "provider_id": each.of.provider_id,
            "name": self.hostility.text(each.of.name.as_str()),
            "integration_type": each.of.integration_type,
            "annotations": null,
            "labels": {"environment": "production"},
            "credential_id": uuid(&format!("credential of {}", each.id)),
            "state": each.of.state,
            "last_check": self.clock.stamp(-600_000),
        })
    }
}

/// PostgreSQL's `~*`: not anchored, without regard to case (OC §2.1).
fn pattern(text: Option<&str>) -> Result<Option<Regex>, regex::Error> {
    text.map(|text| RegexBuilder::new(text).case_insensitive(true).build()).transpose()
}

fn listing(items: Vec<Value>, total: usize) -> Response {
    reply::json(&json!({ "integrations": reply::items(items, total), "total_count": total }))
}

/// `GET /main/integration/api/v1/integrations` (OC §6).
pub(crate) async fn all(State(platform): Shared, Query(pairs): Pairs) -> Response {
    let types = values(&pairs, "integration_type");
    let items: Vec<Value> = platform
        .connected(platform.clock.now())
        .filter(|(_, each)| types.is_empty() || types.contains(&each.of.integration_type.as_str()))
        .map(|(_, each)| platform.integration_item(each))
        .collect();
    let total = items.len();
    listing(items, total)
}

/// The filter of the list; its names differ from those of `integration_info` (OC §6).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    integration_id: Option<Vec<String>>,
    integration_type: Option<Vec<String>>,
    provider_id_regex: Option<String>,
    integration_name_regex: Option<String>,
    cursor: Option<i64>,
    per_page: Option<i64>,
}

/// `POST /main/integration/api/v1/integrations/list` (OC §6).
pub(crate) async fn filtered(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let filter: Filter = bind(Binder::Scheduler, &headers, &body)?;
    let refuse = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed to list credential");
    let provider_id = pattern(filter.provider_id_regex.as_deref()).map_err(refuse)?;
    let name = pattern(filter.integration_name_regex.as_deref()).map_err(refuse)?;
    let among = |list: &Option<Vec<String>>, word: &String| {
        list.as_ref().is_none_or(|list| list.is_empty() || list.contains(word))
    };
    let mut found: Vec<&Connected> = platform
        .connected(platform.clock.now())
        .map(|(_, each)| each)
        .filter(|each| {
            among(&filter.integration_id, &each.id)
                && among(&filter.integration_type, &each.of.integration_type)
                && provider_id.as_ref().is_none_or(|re| re.is_match(&each.of.provider_id))
                && name.as_ref().is_none_or(|re| re.is_match(&each.of.name))
        })
        .collect();
    found.sort_by(|a, b| a.of.name.cmp(&b.of.name));
    let total = found.len();
    let items = page(found, filter.cursor, filter.per_page);
    Ok(listing(items.into_iter().map(|each| platform.integration_item(each)).collect(), total))
}

/// `GET /main/integration/api/v1/integrations/{id}` (OC §6).
pub(crate) async fn one(State(platform): Shared, Path(id): Path<String>) -> Answer {
    if !is_uuid(&id) {
        return Err(Refusal::bad_request("invalid request"));
    }
    let found = platform.connected(platform.clock.now()).find(|(_, each)| each.id == id);
    found
        .map(|(_, each)| reply::json(&platform.integration_item(each)))
        .ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed to get integration"))
}
