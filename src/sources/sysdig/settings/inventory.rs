//! Which resources are read, by the filters of the platform's inventory
//! (docs/platforms/sysdig.md#inventory).

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::values::Value;
use crate::finding::NOT_APPLICABLE;
use crate::selection::{Field, Pattern};
use crate::sources::{OneOrMore, schema_of};

/// The most lists that one inventory is read as.
const MOST_LISTS: usize = 20;

/// A filter of the inventory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filtered<'a> {
    /// The key in a policy, below the source.
    pub key: &'static str,
    /// The platform's name of the field.
    pub field: &'static str,
    /// The selector that divides evidence as the filter does, if there is one.
    pub selector: Option<Field>,
    pub words: &'a [Match],
}

/// A filter is a row: what it is, its name in Rust, its key, the platform's field, and the selector
/// that divides evidence as it does.
macro_rules! inventory {
    ($($(#[$about:meta])* $name:ident, $key:tt, $field:literal, $selector:expr;)+) => {
        /// Which resources are read. Every filter takes one value or a list: a whole value, `prod*`
        /// (begins with), `*prod*` (contains), `*` (has any) or `(none)` (has none).
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[cfg_attr(test, schemars(rename = "SysdigInventory"))]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Inventory {
            $($(#[$about])* #[serde(rename = $key)] pub $name: Option<OneOrMore<Match>>,)+
        }

        impl Inventory {
            /// The filters that are given.
            pub(crate) fn filters(&self) -> impl Iterator<Item = Filtered<'_>> {
                let all = [$((concat!("inventory.", $key), $field, $selector, &self.$name)),+];
                all.into_iter().filter_map(|(key, field, selector, list)| {
                    let words = &list.as_ref()?.0[..];
                    let selector = selector.filter(|_| words.iter().all(Match::is_of_values));
                    Some(Filtered { key, field, selector, words })
                })
            }
        }
    };
}

inventory! {
    /// Cloud accounts.
    account, "account", "account", Some(Field::Account);
    /// Kubernetes clusters.
    cluster, "cluster", "cluster", None;
    /// Distributions of Kubernetes, such as `gke`.
    distribution, "distribution", "distribution", None;
    /// External DNS names.
    external_dns, "external_dns", "externalDNS", None;
    /// Labels, as the platform writes them: `key:value`.
    labels, "labels", "labels", None;
    /// Names.
    name, "name", "name", None;
    /// Kubernetes namespaces.
    namespace, "namespace", "namespace", None;
    /// Types of nodes, such as `Worker`.
    node_type, "node_type", "nodeType", None;
    /// Organizations.
    organization, "organization", "organization", None;
    /// Operating systems, such as `linux`.
    os_name, "os_name", "osName", None;
    /// Platforms, such as `AWS`.
    platform, "platform", "platform", None;
    /// Policies that apply to the resource.
    policy, "policy", "policy", None;
    /// GCP projects.
    project, "project", "project", None;
    /// Regions.
    region, "region", "region", Some(Field::Region);
    /// Azure subscriptions.
    subscription, "subscription", "subscription", None;
    /// Types of resources, as the platform names them.
    kind, "type", "type", Some(Field::ResourceType);
    /// Versions.
    version, "version", "version", None;
    /// Zones.
    zone, "zone", "zone", None;
}

impl Inventory {
    /// # Errors
    /// If it would be read as too many lists.
    pub(crate) fn check(&self) -> Result<(), String> {
        let lists: usize = self.filters().map(|filter| filter.lists()).product();
        if lists <= MOST_LISTS {
            return Ok(());
        }
        Err(format!(
            "`posture.inventory` would be read as {lists} lists, one for each combination of its \
             patterns, and {MOST_LISTS} are the most; use fewer patterns, or several sources"
        ))
    }
}

impl Filtered<'_> {
    /// How many conditions it takes: one for all whole values, and one for each pattern.
    fn lists(&self) -> usize {
        let whole = self.words.iter().filter(|word| matches!(word, Match::Is(_))).count();
        self.words.len() - whole + usize::from(whole > 0)
    }
}

/// What a field is compared with: what the platform's operators can express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Is(String),
    StartsWith(String),
    Contains(String),
    Any,
    Nothing,
}

impl Match {
    /// Whether the values decide, which results state as well.
    const fn is_of_values(&self) -> bool {
        !matches!(self, Self::Any | Self::Nothing)
    }

    /// Whether a text is one of what it means.
    pub(crate) fn matches(&self, text: &str) -> bool {
        Pattern::new(self.to_string()).matches(text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str, instead: &str| {
            format!(
                "`{text}` {what}; write a whole value, `text*` for what begins with it, `*text*` for \
                 what contains it, `*` for any value or `{NOT_APPLICABLE}` for none{instead}"
            )
        };
        let is_plain = |text: &&str| !text.is_empty() && !text.contains('*');
        if text.contains('?') {
            return Err(refused("has a `?`, and the platform has no such operator", ""));
        }
        let (begins, ends) = (text.strip_prefix('*'), text.strip_suffix('*'));
        let inner = begins.and_then(|text| text.strip_suffix('*')).filter(is_plain);
        match (text, inner, ends.filter(is_plain)) {
            ("*", ..) => Ok(Self::Any),
            (NOT_APPLICABLE, ..) => Ok(Self::Nothing),
            (_, Some(inner), _) => Ok(Self::Contains(inner.to_owned())),
            (_, _, Some(start)) => Ok(Self::StartsWith(start.to_owned())),
            _ if !text.contains('*') => Ok(Self::Is(text.to_owned())),
            _ => {
                let part = text.split('*').max_by_key(|part| part.len()).unwrap_or_default();
                let instead = match part {
                    "" => String::new(),
                    part => format!("; did you mean `*{part}*`?"),
                };
                Err(refused("is a pattern that the platform has no operator for", &instead))
            }
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(text) => f.write_str(text),
            Self::StartsWith(text) => write!(f, "{text}*"),
            Self::Contains(text) => write!(f, "*{text}*"),
            Self::Any => f.write_str("*"),
            Self::Nothing => f.write_str(NOT_APPLICABLE),
        }
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value(text) = Value::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

schema_of! {
    Match, "SysdigMatch", |_| schemars::json_schema!({"type": "string", "minLength": 1});
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_one_that_the_platform_has_an_operator_for() {
        let text = |text: &str| text.to_owned();
        for (word, expected) in [
            ("prod", Match::Is(text("prod"))),
            ("prod*", Match::StartsWith(text("prod"))),
            ("*prod*", Match::Contains(text("prod"))),
            ("*", Match::Any),
            ("(none)", Match::Nothing),
        ] {
            assert_eq!(Match::parse(word).unwrap(), expected);
            assert_eq!(expected.to_string(), word);
        }
        for (word, says) in [
            ("*prod", "did you mean `*prod*`?"),
            ("a*bcd", "did you mean `*bcd*`?"),
            ("a*b*", "no operator for"),
            ("**", "no operator for"),
            ("pro?", "has a `?`"),
        ] {
            let error = Match::parse(word).unwrap_err();
            assert!(error.contains(says), "{word}: {error}");
        }
    }
}
