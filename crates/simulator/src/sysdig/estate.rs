//! Policies, controls and resources: each a pure function of its number.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::data;
use crate::ids::{hash, mix};

use super::settings::{Posture, Settings};

/// Everything that the scenario does not choose.
#[derive(Default, Deserialize)]
pub(crate) struct Table {
    pub(crate) controls: Vec<Control>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) zones: Vec<Zone>,
    regions: Vec<String>,
    pub(crate) accounts: Vec<String>,
    /// The rules that events are made by.
    pub(crate) event_rules: Vec<String>,
}

pub(crate) static TABLE: LazyLock<Table> =
    LazyLock::new(|| data::table(include_str!("../../data/sysdig/estate.json")));

/// Where resources of a control are listed (docs/platforms/sysdig.md, resources of a control).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    Cloud,
    Kube,
    ClusterAnalysis,
}

/// A control.
#[derive(Deserialize)]
pub(crate) struct Control {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) family: Family,
    /// Of controls of the family `cloud`.
    #[serde(default)]
    pub(crate) provider: String,
    pub(crate) kind: String,
    /// The type of its resources, as rows state it.
    pub(crate) resource_type: String,
    #[serde(default)]
    pub(crate) manual: bool,
}

impl Control {
    /// What it evaluates: a cloud, or a distribution of Kubernetes.
    pub(crate) fn target(&self) -> &str {
        match self.family {
            Family::Cloud => &self.provider,
            Family::Kube | Family::ClusterAnalysis => "Vanilla",
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) requirements: Vec<Requirement>,
}

impl Policy {
    /// Whether one of its requirements has a control.
    pub(crate) fn has(&self, control: usize) -> bool {
        self.requirements.iter().any(|of| of.controls().any(|at| at == control))
    }
}

#[derive(Deserialize)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Ids of controls.
    controls: Vec<String>,
}

impl Requirement {
    /// Its controls, by their place in the table.
    pub(crate) fn controls(&self) -> impl Iterator<Item = usize> {
        let place = |id: &String| TABLE.controls.iter().position(|control| control.id == *id);
        self.controls.iter().filter_map(place)
    }
}

#[derive(Deserialize)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether it holds every other resource only.
    every_other: bool,
}

impl Zone {
    pub(crate) fn holds(&self, resource: &Resource) -> bool {
        !self.every_other || resource.number.is_multiple_of(2)
    }
}

/// The result of a control for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Passed,
    Failed,
    Accepted,
    /// Accepted until yesterday.
    Expired,
    NotEvaluated,
}

/// A resource under a control.
pub(crate) struct Resource {
    pub(crate) control: usize,
    pub(crate) number: u64,
    pub(crate) state: State,
}

impl Resource {
    pub(crate) fn name(&self) -> String {
        let kind = TABLE.controls[self.control].resource_type.to_lowercase().replace(' ', "-");
        format!("{kind}-{:03}", self.number)
    }

    /// The same resource under two controls of one kind has the same hash.
    pub(crate) fn hash(&self) -> String {
        let seed = hash(&format!("{}/{}", TABLE.controls[self.control].kind, self.name()));
        format!("{:016x}{:016x}", mix(seed), mix(seed ^ 1))
    }

    pub(crate) fn account(&self) -> &'static str {
        &TABLE.accounts[usize::from(self.number % 4 == 3)]
    }

    pub(crate) fn region(&self) -> &'static str {
        &TABLE.regions[usize::try_from(self.number % 3).unwrap_or_default()]
    }

    pub(crate) fn namespace(&self) -> &'static str {
        if self.number.is_multiple_of(2) { "shop" } else { "kube-system" }
    }

    pub(crate) fn label(&self) -> &'static str {
        if self.number.is_multiple_of(3) { "team:shop" } else { "team:platform" }
    }

    pub(crate) fn passes(&self) -> bool {
        self.state == State::Passed
    }
}

/// The resources of a control.
pub(crate) fn resources(settings: &Settings, control: usize) -> Vec<Resource> {
    let posture = &settings.posture;
    let shares = Shares::of(posture, control);
    let order = [
        (State::Failed, shares.failed),
        (State::Expired, shares.expired),
        (State::Accepted, shares.accepted),
        (State::NotEvaluated, shares.not_evaluated),
    ];
    let mut states = order
        .into_iter()
        .flat_map(|(state, count)| std::iter::repeat_n(state, usize::try_from(count).unwrap_or(0)));
    (0..posture.resources)
        .map(|number| Resource { control, number, state: states.next().unwrap_or(State::Passed) })
        .collect()
}

/// How many resources of one control are in which state.
struct Shares {
    failed: u64,
    expired: u64,
    accepted: u64,
    not_evaluated: u64,
}

impl Shares {
    fn of(posture: &Posture, control: usize) -> Self {
        let this = &TABLE.controls[control];
        let alike: Vec<usize> = (0..TABLE.controls.len())
            .filter(|at| {
                TABLE.controls[*at].severity == this.severity && !TABLE.controls[*at].manual
            })
            .collect();
        let share = |count: u64| {
            let (many, at) = (alike.len() as u64, alike.iter().position(|at| *at == control));
            at.map_or(0, |at| count / many + u64::from((at as u64) < count % many))
        };
        let only = |severity: &str, count: u64| if this.severity == severity { count } else { 0 };
        Self {
            failed: share(match this.severity.as_str() {
                "High" => posture.fails.high,
                "Medium" => posture.fails.medium,
                _ => posture.fails.low,
            }),
            expired: share(only("Medium", posture.expired)),
            accepted: share(only("Medium", posture.accepted)),
            not_evaluated: if this.family == Family::ClusterAnalysis {
                posture.config_errors
            } else {
                0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_names_controls_of_the_table() {
        assert_eq!((TABLE.regions.len(), TABLE.accounts.len()), (3, 2));
        assert_eq!(TABLE.event_rules.len(), 4);
        for requirement in TABLE.policies.iter().flat_map(|policy| &policy.requirements) {
            let known = requirement.controls().count();
            assert!(known > 0 && known == requirement.controls.len(), "{}", requirement.name);
        }
    }

    #[test]
    fn as_many_fail_as_the_scenario_says() {
        let mut settings = Settings::default();
        settings.posture.expired = 3;
        settings.posture.fails.high = 5;
        let count = |state: State| {
            let all = (0..TABLE.controls.len()).filter(|at| !TABLE.controls[*at].manual);
            let all = all.flat_map(|control| resources(&settings, control));
            all.filter(|resource| resource.state == state).count()
        };
        assert_eq!(count(State::Failed), 5 + 7 + 12);
        assert_eq!((count(State::Accepted), count(State::Expired)), (2, 3));
    }
}
