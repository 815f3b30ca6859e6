//! Which compliance results are read.

use serde::Deserialize;

use super::inventory::Inventory;
use super::values::Value;
use crate::finding::Severity;
use crate::sources::{OneOrMore, Reads, SeverityWord};

/// Which compliance results are read. Every filter takes one value or a list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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
    /// Only resources that the platform's inventory finds with these filters.
    pub inventory: Option<Inventory>,
}

impl Posture {
    /// The severities that controls can have.
    pub(crate) fn severities_read(&self) -> Reads {
        let all = [Severity::High, Severity::Medium, Severity::Low];
        // A requirement is as severe as its worst control, so it may have less severe ones.
        let worst = self.severities.as_ref().map(|list| list.0.iter().map(|one| one.0).max());
        let is_read = |severity: &Severity| worst.is_none_or(|worst| Some(*severity) <= worst);
        Reads {
            words: all.into_iter().filter(is_read).map(super::super::named).collect(),
            limited_by: self.severities.as_ref().map(|_| "posture.severities"),
            never: Severity::NAMED
                .into_iter()
                .filter(|severity| !all.contains(severity))
                .map(super::super::named)
                .collect(),
        }
    }

    /// # Errors
    /// A sentence, if the platform cannot be asked for it.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.severity_numbers()?;
        self.inventory.as_ref().map_or(Ok(()), Inventory::check)
    }

    /// The severities as filters write them (docs/platforms/sysdig.md#requirements).
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
