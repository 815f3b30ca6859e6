//! The severity of a change. The platform gives none, so this table does
//! (docs/platforms/bigpanda.md#objects-by-type); a policy can replace every cell.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Traits;
use super::kind::{Action, Kind};
use crate::finding::Severity;

/// The table: the default, and the cells that the settings replace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Risk {
    pub own: BTreeMap<(Kind, Action), Severity>,
    /// The severity of undocumented types and actions.
    pub unknown: Severity,
}

impl Default for Risk {
    fn default() -> Self {
        Self { own: BTreeMap::new(), unknown: Severity::Unknown }
    }
}

impl Risk {
    /// The named severities that a change can have, whatever it is in detail.
    pub(super) fn possible(&self, kind: Kind, action: Action) -> BTreeSet<Severity> {
        let all = all_traits().map(|traits| self.of(kind, action, &traits));
        all.filter(|severity| *severity != Severity::Unknown).collect()
    }

    /// The severity of a change. A line of the settings applies whatever the details are.
    pub(super) fn of(&self, kind: Kind, action: Action, traits: &Traits) -> Severity {
        if kind == Kind::Other || action == Action::Other {
            return self.unknown;
        }
        let own = self.own.get(&(kind, action)).copied();
        own.unwrap_or_else(|| in_detail(kind, action, traits))
    }
}

/// Everything that a change can be in detail.
fn all_traits() -> impl Iterator<Item = Traits> {
    let flags = [false, true];
    let stated = [None, Some(false), Some(true)];
    let times = flags.into_iter().flat_map(move |now| {
        flags.into_iter().flat_map(move |long| flags.map(move |narrows| (now, long, narrows)))
    });
    times.flat_map(move |(now, long, narrows)| {
        stated.into_iter().flat_map(move |full_access| {
            stated.map(move |active| Traits { now, long, narrows, full_access, active })
        })
    })
}

/// The default table, raised or lowered by what the change was in detail.
fn in_detail(kind: Kind, action: Action, traits: &Traits) -> Severity {
    let changes = matches!(action, Action::Create | Action::Update);
    match kind {
        Kind::MaintenancePlan | Kind::FilteringPlan
            if action == Action::Update && traits.narrows =>
        {
            Severity::Low
        }
        // Alerts are silenced during the deployment, or permanently.
        Kind::MaintenancePlan | Kind::FilteringPlan if changes && (traits.now || traits.long) => {
            Severity::Critical
        }
        // It may have been inactive before: then somebody can use the key again.
        Kind::ApiKeys if action == Action::Update && traits.active != Some(false) => {
            default(kind, Action::Create)
        }
        // It may no longer correlate, show or enrich alerts.
        _ if action == Action::Update && may_be_off(kind, traits) => match kind {
            Kind::CorrelationPatterns | Kind::Environments => Severity::High,
            _ => Severity::Medium,
        },
        // Also where the permissions are not stated.
        Kind::Roles if changes && traits.full_access != Some(false) => Severity::High,
        _ => default(kind, action),
    }
}

/// Whether detection may be switched off, of the types that have such a switch. The documented objects
/// of some always state it (docs/platforms/bigpanda.md#objects-by-type): there its absence says nothing good.
fn may_be_off(kind: Kind, traits: &Traits) -> bool {
    match kind {
        Kind::CorrelationPatterns | Kind::Tag | Kind::TagEnrichments | Kind::MappingEnrichment => {
            traits.active != Some(true)
        }
        Kind::Environments | Kind::CustomTags => traits.active == Some(false),
        _ => false,
    }
}

fn default(kind: Kind, action: Action) -> Severity {
    use Severity::{High, Informational, Low, Medium};
    let [create, update, delete] = match kind {
        Kind::MaintenancePlan | Kind::FilteringPlan => [High, High, Informational],
        Kind::ApiKeys => [High, Medium, Informational],
        Kind::SsoConfig => [High, High, High],
        Kind::SsoTest => [Informational, Informational, Informational],
        Kind::JitDomains | Kind::JitRoles => [High, High, Low],
        Kind::Roles => [Medium, Medium, Medium],
        Kind::Users => [Medium, Informational, Low],
        Kind::CorrelationPatterns
        | Kind::Environments
        | Kind::AutoShareRules
        | Kind::Integrations => [Low, Medium, Medium],
        Kind::Tag
        | Kind::TagOrder
        | Kind::TagEnrichments
        | Kind::TagEnrichmentsOrder
        | Kind::CustomTags
        | Kind::MappingEnrichment
        | Kind::MappingTableUpload => [Low, Low, Low],
        Kind::Other => return Severity::Unknown,
    };
    match action {
        Action::Create => create,
        Action::Update => update,
        Action::Delete => delete,
        // It was planned before the window.
        Action::Active => Informational,
        Action::Other => Severity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_raise_and_lower_what_the_table_says() {
        let risk = Risk::default();
        let plain = Traits::default();
        let of = |kind, action, traits: &Traits| risk.of(kind, action, traits);
        let (plan, role) = (Kind::MaintenancePlan, Kind::Roles);
        assert_eq!(of(plan, Action::Create, &plain), Severity::High);
        assert_eq!(of(plan, Action::Create, &Traits { now: true, ..plain }), Severity::Critical);
        assert_eq!(of(plan, Action::Update, &Traits { long: true, ..plain }), Severity::Critical);
        let narrowed = Traits { now: true, narrows: true, ..plain };
        assert_eq!(of(plan, Action::Update, &narrowed), Severity::Low);
        assert_eq!(of(plan, Action::Create, &narrowed), Severity::Critical);
        assert_eq!(
            of(plan, Action::Delete, &Traits { now: true, ..plain }),
            Severity::Informational
        );
        for (full_access, severity) in
            [(None, Severity::High), (Some(true), Severity::High), (Some(false), Severity::Medium)]
        {
            let traits = Traits { full_access, ..plain };
            assert_eq!(of(role, Action::Update, &traits), severity, "{full_access:?}");
            assert_eq!(of(role, Action::Delete, &traits), Severity::Medium, "{full_access:?}");
        }
    }

    #[test]
    fn switching_on_or_off_weighs_as_what_it_does() {
        use Severity::{High, Informational, Low, Medium};
        let risk = Risk::default();
        let switched = |active| Traits { active: Some(active), ..Traits::default() };
        for (kind, action, active, severity) in [
            (Kind::ApiKeys, Action::Update, true, High),
            (Kind::ApiKeys, Action::Update, false, Medium),
            (Kind::ApiKeys, Action::Delete, false, Informational),
            (Kind::CorrelationPatterns, Action::Update, false, High),
            (Kind::CorrelationPatterns, Action::Update, true, Medium),
            (Kind::CorrelationPatterns, Action::Create, false, Low),
            (Kind::Environments, Action::Update, false, High),
            (Kind::TagEnrichments, Action::Update, false, Medium),
            (Kind::TagEnrichments, Action::Update, true, Low),
        ] {
            assert_eq!(risk.of(kind, action, &switched(active)), severity, "{kind:?} {action:?}");
        }
    }

    #[test]
    fn a_line_of_the_policy_applies_whatever_the_details_and_the_undocumented_stays_unknown() {
        let own = [((Kind::MaintenancePlan, Action::Create), Severity::Low)].into();
        let risk = Risk { own, ..Risk::default() };
        let severe = Traits { now: true, long: true, ..Traits::default() };
        assert_eq!(risk.of(Kind::MaintenancePlan, Action::Create, &severe), Severity::Low);
        assert_eq!(risk.of(Kind::Other, Action::Create, &severe), Severity::Unknown);
        assert_eq!(risk.of(Kind::Tag, Action::Other, &severe), Severity::Unknown);
        let lowered = Risk { unknown: Severity::Low, ..risk };
        assert_eq!(lowered.of(Kind::Other, Action::Other, &severe), Severity::Low);
    }
}
