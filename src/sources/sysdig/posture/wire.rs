//! Compliance results as the platform sends them (docs/platforms/sysdig.md#compliance). Every field
//! may be null or missing.

use serde::Deserialize;
use serde_json::Value;

use super::super::settings::Inventory;
use super::super::units::{Grade, Stamp, given, id};
use crate::json::Whole;

/// A requirement of a policy, in one zone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Requirement {
    #[serde(default, deserialize_with = "id")]
    pub(super) requirement_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) pass: Option<bool>,
    pub(super) severity: Option<Grade>,
    #[serde(default, deserialize_with = "id")]
    pub(super) policy_id: Option<String>,
    pub(super) policy_name: Option<String>,
    pub(super) zone: Option<Zone>,
    pub(super) failed_controls: Option<Whole>,
    /// Resources that fail, by the severity of their control.
    pub(super) high_severity_count: Option<Whole>,
    pub(super) medium_severity_count: Option<Whole>,
    pub(super) low_severity_count: Option<Whole>,
    pub(super) controls: Option<Vec<Control>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Zone {
    #[serde(default, deserialize_with = "id")]
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

/// A control within a requirement.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Control {
    #[serde(default, deserialize_with = "id")]
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) pass: Option<bool>,
    pub(super) severity: Option<Grade>,
    /// Resources that fail. Sources differ on whether it includes accepted ones.
    pub(super) objects_count: Option<Whole>,
    pub(super) accepted_count: Option<Whole>,
    pub(super) passing_count: Option<Whole>,
    pub(super) is_manual: Option<bool>,
    pub(super) resource_api_endpoint: Option<String>,
}

/// A resource of a control, of all three lists.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    #[serde(default, deserialize_with = "id")]
    pub(super) hash: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub(super) global_id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) passed: Option<bool>,
    #[serde(default, deserialize_with = "id")]
    pub(super) account: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub(super) platform_account_id: Option<String>,
    pub(super) cluster_name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) label_values: Option<Vec<String>>,
    pub(super) location: Option<String>,
    pub(super) cloud_region: Option<String>,
    pub(super) acceptance: Option<Acceptance>,
    /// If not empty, the resource was not evaluated.
    pub(super) config_error: Option<Value>,
}

/// That a risk was accepted, and until when.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acceptance {
    pub(super) justification: Option<String>,
    pub(super) reason: Option<String>,
    #[serde(alias = "expiresAt")]
    pub(super) expiration_date: Option<Stamp>,
    pub(super) is_expired: Option<bool>,
    pub(super) is_revoked: Option<bool>,
    pub(super) status: Option<String>,
}

impl Requirement {
    /// Whether it counts more failing resources than its controls do.
    pub(super) fn counts_more_than_its_controls(&self) -> bool {
        let sum = |counts: &mut dyn Iterator<Item = &Option<Whole>>| -> u64 {
            counts.flatten().map(|count| count.0).sum()
        };
        let stated =
            [&self.high_severity_count, &self.medium_severity_count, &self.low_severity_count];
        let controls = self.controls.iter().flatten();
        let listed = controls.flat_map(|control| [&control.objects_count, &control.accepted_count]);
        sum(&mut stated.into_iter()) > sum(&mut { listed })
    }
}

impl Resource {
    /// What identifies it.
    pub(super) fn key(&self) -> Option<String> {
        let own = given(&self.hash).or(given(&self.global_id));
        own.map(str::to_owned).or_else(|| {
            let name = given(&self.name)?;
            let parts = [&self.kind, &self.account, &self.cluster_name, &self.namespace];
            let parts = parts.map(|part| part.as_deref().unwrap_or_default());
            Some(format!("{}\0{name}", parts.join("\0")))
        })
    }

    /// Whether it states all that an inventory is asked for.
    pub(super) fn is_asked_for(&self, inventory: &Inventory) -> bool {
        inventory.filters().all(|filter| {
            let texts = match filter.field {
                "account" => vec![&self.account, &self.platform_account_id],
                "cluster" => vec![&self.cluster_name],
                "namespace" => vec![&self.namespace],
                "name" => vec![&self.name],
                "region" => vec![&self.location, &self.cloud_region],
                "type" => vec![&self.kind],
                _ => Vec::new(),
            };
            let labels = self.label_values.iter().flatten().filter(|_| filter.field == "labels");
            let mut texts = texts.into_iter().flatten().chain(labels);
            texts.any(|text| filter.words.iter().any(|word| word.matches(text)))
        })
    }

    /// Whether it is a resource of a cloud account.
    pub(super) fn is_in_cloud(&self) -> bool {
        self.account.is_some() || self.location.is_some()
    }

    /// Why it was not evaluated, if it was not.
    pub(super) fn config_error(&self) -> Option<String> {
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

/// The newest results of each zone and policy.
#[derive(Debug, Deserialize)]
pub(super) struct Views {
    pub(super) data: Option<Vec<View>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    pub(super) zone_name: Option<String>,
    pub(super) policies: Option<Vec<ViewPolicy>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ViewPolicy {
    pub(super) name: Option<String>,
    pub(super) failed_controls: Option<Whole>,
    pub(super) requirements_history: Option<Vec<Day>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Day {
    pub(super) date: Option<Stamp>,
}

/// A resource in the inventory.
#[derive(Debug, Deserialize)]
pub(super) struct InventoryItem {
    #[serde(default, deserialize_with = "id")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub(super) hash: Option<String>,
}

/// The catalogue of controls. This list has no total.
#[derive(Debug, Deserialize)]
pub(super) struct Catalogue {
    pub(super) data: Option<Vec<CatalogueControl>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CatalogueControl {
    #[serde(default, deserialize_with = "id")]
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
}
