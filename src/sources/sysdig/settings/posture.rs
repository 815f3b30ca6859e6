//! Which compliance results are asked for.

use serde::Deserialize;

use super::words::Value;
use crate::finding::Severity;
use crate::sources::{OneOrMore, SeverityWord};

/// Which compliance results are asked for. Every filter takes one value or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigPosture"))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Posture {
    /// Only requirements of these policies, by name.
    pub policies: Option<OneOrMore<Value>>,
    /// Only requirements of these zones, by name.
    pub zones: Option<OneOrMore<Value>>,
    /// Only requirements of these platforms, such as `AWS`.
    pub platforms: Option<OneOrMore<Value>>,
    /// Only requirements of these severities.
    pub severities: Option<OneOrMore<SeverityWord>>,
    /// What counts for a risk that was accepted on the platform.
    pub accepted: Accepted,
    /// Only resources that the platform's inventory finds with these filters.
    pub inventory: Option<Inventory>,
}

impl Posture {
    /// The severities as filters write them (fact sheet §4.2).
    pub(crate) fn severity_numbers(&self) -> Result<Vec<u8>, String> {
        let levels = self.severities.iter().flat_map(|list| &list.0);
        levels
            .map(|SeverityWord(severity)| match severity {
                Severity::High => Ok(3),
                Severity::Medium => Ok(2),
                Severity::Low => Ok(1),
                other => Err(format!(
                    "`posture.severities` has `{other}`; the platform grades requirements high, \
                     medium or low"
                )),
            })
            .collect()
    }
}

/// Whether a risk that was accepted on the platform counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigAccepted"))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accepted {
    /// It does not count until its acceptance expires, and is named in the reports.
    #[default]
    Waived,
    /// It counts as what it is: failed.
    Failed,
}

/// Which resources are meant. Every filter takes one value or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigInventory"))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Inventory {
    /// Cloud accounts.
    pub account: Option<OneOrMore<Value>>,
    /// Kubernetes clusters.
    pub cluster: Option<OneOrMore<Value>>,
    /// Kubernetes namespaces.
    pub namespace: Option<OneOrMore<Value>>,
    /// Organizations.
    pub organization: Option<OneOrMore<Value>>,
    /// Platforms, such as `AWS`.
    pub platform: Option<OneOrMore<Value>>,
    /// Regions.
    pub region: Option<OneOrMore<Value>>,
    /// Types of resources, in the platform's words.
    #[serde(rename = "type")]
    pub kind: Option<OneOrMore<Value>>,
    /// Names.
    pub name: Option<OneOrMore<Value>>,
}
