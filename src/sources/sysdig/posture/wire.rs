//! What the platform sends of compliance (fact sheet §4). Anything may be null or missing.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::units::{Grade, Id, Stamp, Whole};

/// A requirement of a policy, in one zone (§4.2).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    pub requirement_id: Option<Id>,
    pub name: Option<String>,
    pub pass: Option<bool>,
    pub severity: Option<Grade>,
    pub policy_id: Option<Id>,
    pub policy_name: Option<String>,
    pub zone: Option<Zone>,
    pub failed_controls: Option<Whole>,
    /// Resources that fail, by the severity of their control.
    pub high_severity_count: Option<Whole>,
    pub medium_severity_count: Option<Whole>,
    pub low_severity_count: Option<Whole>,
    pub controls: Option<Vec<Control>>,
}

#[derive(Debug, Deserialize)]
pub struct Zone {
    pub id: Option<Id>,
    pub name: Option<String>,
}

/// A control within a requirement.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    pub id: Option<Id>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub pass: Option<bool>,
    pub severity: Option<Grade>,
    /// Resources that fail; whether it includes accepted ones is not agreed upon.
    pub objects_count: Option<Whole>,
    pub accepted_count: Option<Whole>,
    pub passing_count: Option<Whole>,
    pub resource_kind: Option<String>,
    pub is_manual: Option<bool>,
    pub resource_api_endpoint: Option<String>,
}

/// A resource under a control: cloud, Kubernetes and cluster analysis alike (§4.3–4.5).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    #[serde(default, deserialize_with = "id")]
    pub hash: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub global_id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub passed: Option<bool>,
    #[serde(default, deserialize_with = "id")]
    pub account: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub platform_account_id: Option<String>,
    pub cluster_name: Option<String>,
    pub namespace: Option<String>,
    pub location: Option<String>,
    pub cloud_region: Option<String>,
    pub acceptance: Option<Acceptance>,
    /// Not empty: the resource was not evaluated.
    pub config_error: Option<Value>,
}

/// That somebody took a risk upon themselves, and until when.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    pub justification: Option<String>,
    pub reason: Option<String>,
    #[serde(alias = "expiresAt")]
    pub expiration_date: Option<Stamp>,
    pub is_expired: Option<bool>,
}

/// An id, also where it is sent as a number.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Id>::deserialize(deserializer)?.map(|id| id.0))
}

/// A text that says something.
pub fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.trim().is_empty())
}

impl Requirement {
    /// Whether more resources fail under it than its controls say.
    pub fn counts_more_than_its_controls(&self) -> bool {
        let sum = |counts: &mut dyn Iterator<Item = &Option<Whole>>| {
            counts.flatten().fold(0_u64, |sum, count| sum.saturating_add(count.0))
        };
        let stated =
            [&self.high_severity_count, &self.medium_severity_count, &self.low_severity_count];
        let controls = self.controls.iter().flatten();
        let listed = controls.flat_map(|control| [&control.objects_count, &control.accepted_count]);
        sum(&mut stated.into_iter()) > sum(&mut { listed })
    }
}

impl Resource {
    /// What tells it apart from others.
    pub fn key(&self) -> Option<String> {
        let own = given(&self.hash).or(given(&self.global_id));
        own.map(str::to_owned).or_else(|| {
            let name = given(&self.name)?;
            let parts = [&self.kind, &self.account, &self.cluster_name, &self.namespace];
            let parts = parts.map(|part| part.as_deref().unwrap_or_default());
            Some(format!("{}\0{name}", parts.join("\0")))
        })
    }

    /// Why it was not evaluated, if it was not.
    pub fn config_error(&self) -> Option<String> {
        match self.config_error.as_ref()? {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Array(list) if list.is_empty() => None,
            Value::Object(keys) if keys.is_empty() => None,
            other => Some(other.to_string()),
        }
    }
}

/// The newest results of each zone and policy (§4.1).
#[derive(Debug, Deserialize)]
pub struct Views {
    pub data: Option<Vec<View>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    pub zone_name: Option<String>,
    pub policies: Option<Vec<ViewPolicy>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewPolicy {
    pub name: Option<String>,
    pub failed_controls: Option<Whole>,
    pub requirements_history: Option<Vec<Day>>,
}

#[derive(Debug, Deserialize)]
pub struct Day {
    pub date: Option<Stamp>,
}

/// A resource in the inventory (§4.7).
#[derive(Debug, Deserialize)]
pub struct InventoryItem {
    pub id: Option<Id>,
    #[serde(default, deserialize_with = "id")]
    pub hash: Option<String>,
}

/// A control in the catalogue (§4.6). This list has no total.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    pub data: Option<Vec<CatalogueControl>>,
}

#[derive(Debug, Deserialize)]
pub struct CatalogueControl {
    pub id: Option<Id>,
    pub name: Option<String>,
    pub description: Option<String>,
}
