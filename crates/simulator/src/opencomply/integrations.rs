//! Integrations: how requests select them, and the lists of them (docs/platforms/opencomply.md,
//! starting a run and lists).

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use axum::response::Response;
use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ids::{is_uuid, uuid};
use crate::reply::{self, Refusal, nullable};

use super::estate::Connected;
use super::request::{Pairs, values};
use super::{Platform, Shared};

/// An entry of `integration_info`: its fields are AND-ed, the entries are OR-ed.
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

    /// What `integration_info` matches: double matches are kept.
    ///
    /// `name` never works, since its query names a column that does not exist; `broken` is the
    /// refusal.
    pub(crate) fn matched(
        &self,
        selectors: &[Selector],
        broken: &str,
        now: i64,
    ) -> Result<Vec<usize>, Refusal> {
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
            if selector.name.is_some() {
                return Err(Refusal::bad_request(broken));
            }
            let refuse = |_| Refusal::bad_request("failed to get source");
            let provider_id = pattern(selector.provider_id.as_deref()).map_err(refuse)?;
            let fits = |each: &Connected| {
                let of_type = selector.integration_type.as_ref();
                of_type.is_none_or(|wanted| *wanted == each.of.integration_type)
                    && provider_id.as_ref().is_none_or(|re| re.is_match(&each.of.provider_id))
            };
            matched.extend(self.connected(now).filter(|(_, each)| fits(each)).map(|(at, _)| at));
        }
        Ok(matched)
    }

    /// How an integration appears in jobs and runs; deleted ones are dropped
    /// (docs/platforms/opencomply.md, starting a run and history).
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

/// PostgreSQL's `~*`: not anchored, case-insensitive.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, regex_lite::Error> {
    text.map(|text| RegexBuilder::new(text).case_insensitive(true).build()).transpose()
}

fn listing(items: Vec<Value>, total: usize) -> Response {
    reply::json(&json!({ "integrations": reply::items(items, total), "total_count": total }))
}

/// `GET /main/integration/api/v1/integrations`.
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
