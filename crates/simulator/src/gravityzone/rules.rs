//! The rules that checks are made by, and the controls that they prove.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::data;

/// A rule.
#[derive(Deserialize)]
pub(crate) struct Rule {
    /// The name without `cloud_scan/`; it begins with the provider.
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) resource_type: String,
    pub(crate) title: String,
    /// The name of a list of controls.
    controls: String,
}

/// A control of a standard. Its id alone is not unique (docs/platforms/gravityzone.md, checks).
#[derive(Deserialize)]
pub(crate) struct Control {
    pub(crate) standard: String,
    pub(crate) section: String,
    pub(crate) id: String,
}

/// AWS has rules of every severity. The first three rules are those of the documentation's
/// examples.
#[derive(Default, Deserialize)]
pub(crate) struct Table {
    /// The providers that rules exist for, each with its regions.
    pub(crate) regions: BTreeMap<String, Vec<String>>,
    /// By type of resource: the id of a resource, with `{region}`, `{account}` and `{name}`. Null
    /// for checks of a whole account, whose resource is null (docs/platforms/gravityzone.md,
    /// checks).
    resource_ids: BTreeMap<String, Option<String>>,
    controls: BTreeMap<String, Vec<Control>>,
    pub(crate) rules: Vec<Rule>,
}

pub(crate) static TABLE: LazyLock<Table> =
    LazyLock::new(|| data::table(include_str!("../../data/gravityzone/rules.json")));

impl Rule {
    pub(crate) fn provider(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The pattern of its resources' ids.
    pub(crate) fn resource(&self) -> Option<&'static str> {
        TABLE.resource_ids.get(&self.resource_type)?.as_deref()
    }

    pub(crate) fn controls(&self) -> &'static [Control] {
        TABLE.controls.get(&self.controls).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_what_its_checks_need() {
        assert_eq!(TABLE.rules.len(), 24);
        for rule in &TABLE.rules {
            assert!(TABLE.regions.contains_key(rule.provider()), "{}", rule.name);
            assert!(TABLE.resource_ids.contains_key(&rule.resource_type), "{}", rule.name);
            assert!(!rule.controls().is_empty(), "{}", rule.name);
        }
    }
}
