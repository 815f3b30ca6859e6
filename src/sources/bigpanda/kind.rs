//! The two words of a rule, `type.action`.
//!
//! They are the platform's own words (docs/platforms/bigpanda.md#entries), so that a policy reads
//! like the vendor's table. The exception is `alert_filtering`, which covers two different kinds of
//! plans.

use super::object::Fields;

/// The type of the resource that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    MaintenancePlan,
    FilteringPlan,
    ApiKeys,
    SsoConfig,
    SsoTest,
    JitDomains,
    JitRoles,
    Roles,
    Users,
    CorrelationPatterns,
    Environments,
    AutoShareRules,
    Integrations,
    Tag,
    TagOrder,
    TagEnrichments,
    TagEnrichmentsOrder,
    CustomTags,
    MappingEnrichment,
    MappingTableUpload,
    /// An undocumented type.
    Other,
}

impl Kind {
    /// Every type that the platform documents.
    pub(super) const KNOWN: [Self; 20] = [
        Self::MaintenancePlan,
        Self::FilteringPlan,
        Self::ApiKeys,
        Self::SsoConfig,
        Self::SsoTest,
        Self::JitDomains,
        Self::JitRoles,
        Self::Roles,
        Self::Users,
        Self::CorrelationPatterns,
        Self::Environments,
        Self::AutoShareRules,
        Self::Integrations,
        Self::Tag,
        Self::TagOrder,
        Self::TagEnrichments,
        Self::TagEnrichmentsOrder,
        Self::CustomTags,
        Self::MappingEnrichment,
        Self::MappingTableUpload,
    ];

    /// The word in rules, in `resource_type`, and in the settings.
    pub(super) const fn word(self) -> &'static str {
        self.words().0
    }

    /// The title in reports.
    pub(super) const fn title(self) -> &'static str {
        self.words().1
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::MaintenancePlan => ("maintenance_plan", "Maintenance plan"),
            Self::FilteringPlan => ("filtering_plan", "Alert filter"),
            Self::ApiKeys => ("api_keys", "API key"),
            Self::SsoConfig => ("sso_config", "SSO configuration"),
            Self::SsoTest => ("sso_test", "SSO test"),
            Self::JitDomains => ("jit_domains", "JIT provisioning of a domain"),
            Self::JitRoles => ("jit_roles", "SAML attribute mapping"),
            Self::Roles => ("roles", "Role"),
            Self::Users => ("users", "User"),
            Self::CorrelationPatterns => ("correlation_patterns", "Alert correlation pattern"),
            Self::Environments => ("environments", "Environment"),
            Self::AutoShareRules => ("auto_share_rules", "AutoShare rule"),
            Self::Integrations => ("integrations", "Integration"),
            Self::Tag => ("tag", "Alert tag"),
            Self::TagOrder => ("tag_order", "Order of alert tags"),
            Self::TagEnrichments => ("tag_enrichments", "Alert enrichment"),
            Self::TagEnrichmentsOrder => ("tag_enrichments_order", "Order of alert enrichments"),
            Self::CustomTags => ("custom_tags", "Custom tag"),
            Self::MappingEnrichment => ("mapping_enrichment", "Mapping enrichment"),
            Self::MappingTableUpload => ("mapping_table_upload", "Mapping table"),
            Self::Other => ("other", "Resource of an undocumented type"),
        }
    }

    /// The types that a name can mean; none, if it is undocumented. The documents disagree on
    /// singular and plural (docs/platforms/bigpanda.md#entries), so both are accepted.
    pub(super) fn named(word: &str) -> Vec<Self> {
        let root = root(word);
        match &*root {
            "alert_filtering" => vec![Self::MaintenancePlan, Self::FilteringPlan],
            "alert_filter" => vec![Self::FilteringPlan],
            "auto_share" | "autoshare_rule" => vec![Self::AutoShareRules],
            "apikey" => vec![Self::ApiKeys],
            "sso" | "sso_configuration" => vec![Self::SsoConfig],
            "saml_attribute_mapping" => vec![Self::JitRoles],
            _ => Self::KNOWN.into_iter().filter(|kind| self::root(kind.word()) == root).collect(),
        }
    }

    /// The types that an object without its envelope can have, by fields that no other type has.
    /// Seven of the vendor's samples are such objects
    /// (docs/platforms/bigpanda.md#gaps-in-the-documentation).
    pub(super) fn by_shape(object: Fields<'_>) -> Vec<Self> {
        let has = |names: &[&str]| names.iter().all(|name| object.has(name));
        if has(&["plan_id", "plan_type"]) {
            return vec![Self::MaintenancePlan, Self::FilteringPlan];
        }
        if has(&["permissions", "name", "users"]) {
            return vec![Self::Roles, Self::JitRoles];
        }
        let shapes: [(&[&str], Self); 7] = [
            (&["active", "organization", "user"], Self::ApiKeys),
            (AUTO_SHARE, Self::AutoShareRules),
            (&["target_system_id", "changes"], Self::Integrations),
            (&["domain", "role"], Self::JitDomains),
            (&["idPissuer", "idPssoUrl"], Self::SsoConfig),
            (&["idP", "tester"], Self::SsoTest),
            (&["username", "createdAt"], Self::Users),
        ];
        shapes
            .into_iter()
            .find(|(fields, _)| has(fields))
            .map(|(_, kind)| kind)
            .into_iter()
            .collect()
    }

    /// The types that an entry can have, by the type it states and by its object: AutoShare rules
    /// are labelled as environments, and plans share one type
    /// (docs/platforms/bigpanda.md#objects-by-type).
    pub(super) fn of_entry(stated: &str, object: Option<Fields<'_>>) -> Vec<Self> {
        let named = Self::named(stated);
        let Some(object) = object else { return named };
        if named == [Self::Environments] && AUTO_SHARE.iter().all(|name| object.has(name)) {
            return vec![Self::AutoShareRules];
        }
        match object.text("plan_type").map(root).as_deref() {
            Some("maintenance_plan") if named.contains(&Self::MaintenancePlan) => {
                vec![Self::MaintenancePlan]
            }
            Some("filtering_plan" | "alert_filter") if named.contains(&Self::FilteringPlan) => {
                vec![Self::FilteringPlan]
            }
            _ => named,
        }
    }
}

const AUTO_SHARE: &[&str] = &["target_system_id", "env_id", "params"];

/// A name without its case, dashes and plural.
fn root(word: impl AsRef<str>) -> String {
    let word = word.as_ref().trim().to_lowercase();
    let parts = word.split(['_', '-', ' ']).map(|part| part.strip_suffix('s').unwrap_or(part));
    parts.collect::<Vec<_>>().join("_")
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Action {
    Create,
    Update,
    Delete,
    /// A maintenance plan is in force now, by the platform's list of plans.
    Active,
    /// An undocumented action.
    Other,
}

impl Action {
    /// The documented actions of an entry.
    pub(super) const STATED: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The word in rules and in the settings.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Active => "active",
            Self::Other => "other",
        }
    }

    /// The participle that follows the type in a title.
    pub(super) const fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
            Self::Active => "in force",
            Self::Other => "changed by an undocumented action",
        }
    }
}

/// Every possible rule.
pub(super) fn rules() -> impl Iterator<Item = (Kind, Action)> {
    let stated = Kind::KNOWN.into_iter().chain([Kind::Other]).flat_map(|kind| {
        let actions = Action::STATED.into_iter().chain([Action::Other]);
        actions.map(move |action| (kind, action))
    });
    stated.chain([(Kind::MaintenancePlan, Action::Active)])
}

/// The rule's id.
pub(super) fn rule(kind: Kind, action: Action) -> String {
    format!("{}.{}", kind.word(), action.word())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_of_the_documents_are_known_and_orders_are_kept_apart() {
        for (word, kinds) in [
            ("correlation_pattern", &[Kind::CorrelationPatterns][..]),
            ("correlation_patterns", &[Kind::CorrelationPatterns]),
            ("environment", &[Kind::Environments]),
            ("Environments", &[Kind::Environments]),
            ("alert_filtering", &[Kind::MaintenancePlan, Kind::FilteringPlan]),
            ("tag_order", &[Kind::TagOrder]),
            ("tag_enrichments_order", &[Kind::TagEnrichmentsOrder]),
            ("tag_enrichments", &[Kind::TagEnrichments]),
            ("widget_rules", &[]),
            ("", &[]),
        ] {
            assert_eq!(Kind::named(word), kinds, "{word}");
        }
        for kind in Kind::KNOWN {
            assert_eq!(Kind::named(kind.word()), [kind]);
        }
    }

    #[test]
    fn the_object_tells_what_the_type_does_not() {
        let share = json!({"target_system_id": "x", "env_id": "e", "params": {}});
        let filter = json!({"plan_type": "filtering_plan"});
        let undocumented = json!({"plan_type": "silence"});
        for (stated, object, kinds) in [
            ("environment", &share, &[Kind::AutoShareRules][..]),
            ("environment", &json!({"name": "e"}), &[Kind::Environments]),
            ("alert_filtering", &filter, &[Kind::FilteringPlan]),
            ("alert_filtering", &undocumented, &[Kind::MaintenancePlan, Kind::FilteringPlan]),
            // A label is not overruled by a field that it does not concern.
            ("roles", &filter, &[Kind::Roles]),
        ] {
            assert_eq!(Kind::of_entry(stated, Fields::of(object)), kinds, "{stated} {object}");
        }
    }
}
