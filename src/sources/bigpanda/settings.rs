//! The keys under `sources.bigpanda`, validated.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use super::SYSTEM;
use super::kind::{self, Action, Kind};
use super::risk::Risk;
use crate::evidence::Filter;
use crate::finding::Severity;
use crate::selection::{Field, Pattern};
use crate::sources::{
    Connection, Endpoint, LookBack, OneOrMore, Reads, SeverityWord, schema_of, settings, written_as,
};
use crate::text;

const DEFAULT_WINDOW: LookBack = LookBack::Last(Duration::from_secs(24 * 3600));

settings! {
    /// The settings of a BigPanda source.
    #[cfg_attr(test, schemars(rename = "BigPanda"))]
    pub struct Keys (url = "documented_host") {
        /// How far back the audit log is read. Default: 24h. `since_previous` begins where the window
        /// of the evidence given with `--previous` ended, if that run passed, at most 30 days ago.
        #[serde(default)]
        window: Option<LookBack>,
        /// Only changes of resources of these types; undocumented types always count. Default: all.
        #[serde(default)]
        resource_types: Option<OneOrMore<TypeWord>>,
        /// Only these actions; undocumented ones always count. Default: all.
        #[serde(default)]
        action_types: Option<OneOrMore<ActionWord>>,
        /// Lines over the default risk table; the last that fits counts.
        #[serde(default)]
        risk: Vec<RiskLine>,
        /// The severity of types and actions that BigPanda does not document. Default: unknown,
        /// which every severity selector matches.
        #[serde(default)]
        unknown_risk: Option<SeverityWord>,
        /// Whose changes are no findings, by e-mail address; `system-generated` is the platform
        /// itself. They are counted in the reports.
        #[serde(default)]
        expected_actors: Option<OneOrMore<ActorWord>>,
        /// Whether the maintenance plans in force now are read too. Default: auto.
        #[serde(default)]
        active_plans: ActivePlans,
    }
}

/// Where the audit log is, and how it is weighed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    pub(super) connection: Connection,
    pub(super) window: LookBack,
    resource_types: Option<BTreeSet<Kind>>,
    action_types: Option<BTreeSet<Action>>,
    pub(super) risk: Risk,
    expected_actors: Vec<Pattern>,
    active_plans: ActivePlans,
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let connection = keys.connection(&SYSTEM)?;
        let mut risk = Risk::default();
        for line in keys.risk {
            line.put_over(&mut risk)?;
        }
        if let Some(severity) = keys.unknown_risk {
            risk.unknown = severity.0;
        }
        Ok(Self {
            connection,
            window: keys.window.unwrap_or(DEFAULT_WINDOW),
            resource_types: keys
                .resource_types
                .map(|OneOrMore(types)| types.into_iter().flat_map(|word| word.0).collect()),
            action_types: keys
                .action_types
                .map(|OneOrMore(actions)| actions.into_iter().map(|word| word.0).collect()),
            risk,
            expected_actors: keys
                .expected_actors
                .map(|OneOrMore(actors)| actors.into_iter().map(|word| word.0).collect())
                .unwrap_or_default(),
            active_plans: keys.active_plans,
        })
    }
}

impl Settings {
    /// Whether a change is in scope. An undocumented type or action always is: it could
    /// be any of them under a new name.
    pub(super) fn matches(&self, kind: Kind, action: Action) -> bool {
        let stated = Action::STATED.contains(&action);
        (kind == Kind::Other || self.resource_types.as_ref().is_none_or(|set| set.contains(&kind)))
            && (!stated || self.action_types.as_ref().is_none_or(|set| set.contains(&action)))
    }

    /// What of the audit log is read, and how it is weighed.
    pub(super) fn filters(&self) -> Vec<Filter> {
        let mut filters = vec![Filter::setting("window", [self.window.to_string()])];
        let types = self.resource_types.iter();
        filters.extend(types.map(|types| {
            Filter::of("resource_types", Field::ResourceType, types.iter().map(|kind| kind.word()))
        }));
        let actions = self.action_types.iter();
        filters.extend(actions.map(|actions| {
            Filter::setting("action_types", actions.iter().map(|action| action.word()))
        }));
        if !self.expected_actors.is_empty() {
            let actors = self.expected_actors.iter().map(Pattern::as_str);
            filters.push(Filter::setting("expected_actors", actors));
        }
        let line = |((kind, action), severity): (&(Kind, Action), &Severity)| {
            format!("{}.{}: {severity}", kind.word(), action.word())
        };
        let unknown = [("unknown_risk", self.risk.unknown)];
        let unknown = unknown.iter().filter(|(_, severity)| *severity != Severity::Unknown);
        let lines = self.risk.own.iter().map(line);
        let risk: Vec<_> =
            lines.chain(unknown.map(|(key, word)| format!("{key}: {word}"))).collect();
        if !risk.is_empty() {
            filters.push(Filter::setting("risk", risk));
        }
        if self.active_plans != ActivePlans::Auto {
            filters.push(Filter::setting(
                "active_plans",
                [format!("{:?}", self.active_plans).to_lowercase()],
            ));
        }
        filters
    }

    /// The severities that changes can have. Undocumented changes count in every gate anyway.
    pub(super) fn severities_read(&self) -> Reads {
        let read = self.rules().flat_map(|(kind, action)| self.risk.possible(kind, action));
        let limits = [
            ("resource_types", self.resource_types.is_some()),
            ("action_types", self.action_types.is_some()),
            ("risk", !self.risk.own.is_empty()),
        ];
        let limited_by = limits.into_iter().find_map(|(key, is_set)| is_set.then_some(key));
        Reads { limited_by, ..Reads::all(read.collect::<BTreeSet<_>>().into_iter().rev()) }
    }

    /// Whether an actor is one of those whose changes are expected.
    pub(super) fn expects(&self, actor: &str) -> bool {
        self.expected_actors.iter().any(|pattern| pattern.matches_exactly(actor))
    }

    /// Whether the plans in force are asked for at all.
    pub(super) fn wants_active_plans(&self) -> bool {
        self.active_plans != ActivePlans::Off && self.matches(Kind::MaintenancePlan, Action::Active)
    }

    pub(super) fn requires_active_plans(&self) -> bool {
        self.wants_active_plans() && self.active_plans == ActivePlans::Required
    }

    /// The rules that there can be findings of.
    pub(super) fn rules(&self) -> impl Iterator<Item = (Kind, Action)> {
        kind::rules().filter(|(kind, action)| match action {
            Action::Active => self.wants_active_plans(),
            _ => self.matches(*kind, *action),
        })
    }
}

/// The documented host of the API. Europe has another one (docs/platforms/bigpanda.md#request).
fn documented_host() -> Endpoint {
    #[expect(clippy::expect_used, reason = "a constant that a test reads")]
    Endpoint(Url::parse("https://api.bigpanda.io").expect("a URL"))
}

/// Whether the maintenance plans in force are read too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ActivePlans {
    /// If the token may; else the reports say that they were not.
    #[default]
    Auto,
    /// Without them the evidence is incomplete.
    Required,
    /// They are not asked for.
    Off,
}

/// A line over the default risk table.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigPandaRisk"))]
#[serde(deny_unknown_fields)]
struct RiskLine {
    /// One type or several.
    #[serde(rename = "type")]
    kind: OneOrMore<TypeWord>,
    /// One action or several. Default: all.
    #[serde(default)]
    action: Option<OneOrMore<ActionWord>>,
    severity: SeverityWord,
}

impl RiskLine {
    fn put_over(self, risk: &mut Risk) -> Result<(), String> {
        let kinds: BTreeSet<_> = self.kind.0.into_iter().flat_map(|word| word.0).collect();
        let actions: BTreeSet<_> = match self.action {
            Some(OneOrMore(actions)) => actions.into_iter().map(|word| word.0).collect(),
            None => Action::STATED.into(),
        };
        if actions.contains(&Action::Active) && !kinds.contains(&Kind::MaintenancePlan) {
            return Err("`risk`: only a `maintenance_plan` can be `active`".to_owned());
        }
        for kind in kinds {
            risk.own.extend(actions.iter().map(|action| ((kind, *action), self.severity.0)));
        }
        Ok(())
    }
}

/// A resource type, in any spelling of the documents.
#[derive(Clone, Debug)]
struct TypeWord(Vec<Kind>);

impl<'de> Deserialize<'de> for TypeWord {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        let kinds = Kind::named(&word);
        if kinds.is_empty() {
            let known = Kind::KNOWN.map(Kind::word);
            return Err(de::Error::custom(format!(
                "`{word}` is not a resource type of BigPanda{}; known are {} (and `alert_filtering` \
                 for both plans)",
                text::did_you_mean(&word, known),
                known.join(", ")
            )));
        }
        Ok(Self(kinds))
    }
}

/// An action.
#[derive(Clone, Copy, Debug)]
struct ActionWord(Action);

impl ActionWord {
    const KNOWN: [Action; 4] = [Action::Create, Action::Update, Action::Delete, Action::Active];
}

impl<'de> Deserialize<'de> for ActionWord {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        let known = Self::KNOWN.map(Action::word);
        Self::KNOWN.into_iter().find(|action| action.word() == word).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "`{word}` is not an action{}; known are {}",
                text::did_you_mean(&word, known),
                known.join(", ")
            ))
        })
    }
}

/// An actor whose changes are expected.
#[derive(Clone, Debug)]
struct ActorWord(Pattern);

impl<'de> Deserialize<'de> for ActorWord {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        if word.trim_matches(['*', '?', ' ', '@', '.']).is_empty() {
            return Err(de::Error::custom(format!(
                "`{word}` would expect changes by anybody; write an e-mail address, or a pattern \
                 such as `*@example.com`"
            )));
        }
        Ok(Self(Pattern::new(word)))
    }
}

written_as!(Settings => Keys);

schema_of! {
    // Other spellings are known too.
    TypeWord, "BigPandaType", |_| schemars::json_schema!({
        "type": "string", "examples": Kind::KNOWN.map(Kind::word)
    });
    ActionWord, "BigPandaAction", |_| schemars::json_schema!({
        "enum": ActionWord::KNOWN.map(Action::word)
    });
    ActorWord, "BigPandaActor", |_| schemars::json_schema!({
        "type": "string", "pattern": "[^*?@. ]"
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::finding::Severity;

    fn read(keys: Value) -> Result<Settings, String> {
        Settings::deserialize(keys).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        let settings = read(json!({})).unwrap();
        assert_eq!(settings.connection.url.as_str(), "https://api.bigpanda.io/");
        assert_eq!(settings.window, LookBack::Last(Duration::from_secs(86_400)));
        assert!(settings.matches(Kind::Tag, Action::Delete));
        assert!(!settings.expects("ann@example.com"));
        assert!(settings.wants_active_plans() && !settings.requires_active_plans());
    }

    #[test]
    fn errors_name_the_right_value() {
        for (keys, has) in [
            (json!({"resource_types": "api_kees"}), "did you mean `api_keys`?"),
            (json!({"action_types": ["creat"]}), "did you mean `create`?"),
            (json!({"risk": [{"type": "roles", "severity": "hihg"}]}), "did you mean `high`?"),
            (
                json!({"risk": [{"type": "role", "action": "active", "severity": "low"}]}),
                "`active`",
            ),
            (json!({"risk": [{"severity": "low"}]}), "missing field `type`"),
            (json!({"unknown_risk": "unknown"}), "is not a severity"),
            (json!({"expected_actors": "*"}), "by anybody"),
            (json!({"expected_actors": ["*@*.*"]}), "by anybody"),
            (json!({"expected_actors": []}), "an empty list"),
            (json!({"windows": "1h"}), "unknown field `windows`"),
            (json!({"url": "http://api.example.com"}), "plain http"),
        ] {
            let error = read(keys.clone()).unwrap_err();
            assert!(error.contains(has), "{keys}: {error}");
        }
    }

    #[test]
    fn undocumented_types_and_actions_are_never_left_out() {
        let settings =
            read(json!({"resource_types": ["alert_filtering", "role"], "action_types": "create"}))
                .unwrap();
        for (kind, action, taken) in [
            (Kind::MaintenancePlan, Action::Create, true),
            (Kind::FilteringPlan, Action::Create, true),
            (Kind::Roles, Action::Create, true),
            (Kind::Roles, Action::Update, false),
            (Kind::Tag, Action::Create, false),
            (Kind::Other, Action::Create, true),
            (Kind::Roles, Action::Other, true),
        ] {
            assert_eq!(settings.matches(kind, action), taken, "{kind:?} {action:?}");
        }
        assert!(settings.wants_active_plans());
    }

    #[test]
    fn the_last_line_of_the_risk_table_counts() {
        let settings = read(json!({"risk": [
            {"type": "alert_filtering", "severity": "low"},
            {"type": "maintenance_plan", "action": ["create", "active"], "severity": "critical"}
        ]}))
        .unwrap();
        let of = |kind, action| settings.risk.own.get(&(kind, action)).copied();
        assert_eq!(of(Kind::MaintenancePlan, Action::Create), Some(Severity::Critical));
        assert_eq!(of(Kind::MaintenancePlan, Action::Active), Some(Severity::Critical));
        assert_eq!(of(Kind::MaintenancePlan, Action::Update), Some(Severity::Low));
        assert_eq!(of(Kind::FilteringPlan, Action::Create), Some(Severity::Low));
        assert_eq!(of(Kind::Roles, Action::Create), None);
    }
}
