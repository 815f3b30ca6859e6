//! Which integrations a policy means.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::evidence::Filter;
use crate::selection::Field;
use crate::sources::{schema_of, written_as};

/// Which integrations are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Integrations {
    All,
    Listed(Vec<Entry>),
}

impl Integrations {
    /// What of the platform they choose. Evidence states accounts by the cloud's id, or by name.
    pub(crate) fn filter(&self) -> Option<Filter> {
        let Self::Listed(entries) = self else { return None };
        let all = |word: fn(&Entry) -> Option<&String>| {
            entries.iter().map(|entry| word(entry).cloned()).collect::<Option<Vec<_>>>()
        };
        let ids = all(|entry| entry.provider_id.as_ref().filter(|_| entry.has_one_word()));
        let names = || all(|entry| entry.name.as_ref().filter(|_| entry.has_one_word()));
        Some(match ids.or_else(names) {
            Some(accounts) => Filter::of("integrations", Field::Account, accounts),
            None => Filter::setting("integrations", entries.iter().map(Entry::to_string)),
        })
    }
}

/// One integration, by what is known of it. The fields are AND-ed and literal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "EntryKeys")]
pub(crate) struct Entry {
    pub integration_id: Option<String>,
    pub integration_type: Option<String>,
    pub provider_id: Option<String>,
    pub name: Option<String>,
}

/// An integration by its ids.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Integration"))]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryKeys {
    /// The platform's own id, a UUID.
    #[serde(default)]
    integration_id: Option<String>,
    /// Such as `aws_cloud_account` or `azure_subscription`.
    #[serde(default)]
    integration_type: Option<String>,
    /// The cloud's id: an account number, a subscription id.
    #[serde(default)]
    provider_id: Option<String>,
    /// The name given on the platform.
    #[serde(default)]
    name: Option<String>,
}

impl Entry {
    /// Whether it is given by one word, whatever its type.
    fn has_one_word(&self) -> bool {
        let words = [&self.integration_id, &self.provider_id, &self.name];
        words.into_iter().flatten().count() == 1
    }
}

impl TryFrom<EntryKeys> for Entry {
    type Error = String;

    fn try_from(keys: EntryKeys) -> Result<Self, String> {
        let EntryKeys { integration_id, integration_type, provider_id, name } = keys;
        let named = [
            ("integration_id", &integration_id),
            ("integration_type", &integration_type),
            ("provider_id", &provider_id),
            ("name", &name),
        ];
        for (key, value) in named {
            if value.as_deref().is_some_and(|value| value.trim().is_empty()) {
                return Err(format!("`{key}` of an integration is empty"));
            }
        }
        // A type alone would grow with the platform: that is what `all` is written for.
        if integration_id.is_none() && provider_id.is_none() && name.is_none() {
            return Err("an integration needs `integration_id`, `provider_id` or `name`; the \
                        platform takes an empty one for all there are"
                .to_owned());
        }
        Ok(Self { integration_id, integration_type, provider_id, name })
    }
}

/// As in the policy: `integration_type: aws_cloud_account, provider_id: "122814690049"`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("integration_id", &self.integration_id),
            ("integration_type", &self.integration_type),
            ("provider_id", &self.provider_id),
            ("name", &self.name),
        ];
        let written: Vec<_> = fields
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}: {value}")))
            .collect();
        f.write_str(&written.join(", "))
    }
}

impl<'de> Deserialize<'de> for Integrations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrList;
        impl<'de> Visitor<'de> for AllOrList {
            type Value = Integrations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all`, or a list of integrations")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Integrations, E> {
                match text {
                    "all" => Ok(Integrations::All),
                    _ => Err(E::custom(format!(
                        "`{text}` is not `all`; write `all`, or list the integrations"
                    ))),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Integrations, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    entries.push(entry);
                }
                if entries.is_empty() {
                    return Err(de::Error::custom(
                        "`integrations` is empty; list them, or write `all`",
                    ));
                }
                Ok(Integrations::Listed(entries))
            }
        }
        deserializer.deserialize_any(AllOrList)
    }
}

written_as!(Entry => EntryKeys);

schema_of! {
    Integrations, "Integrations", |generator| {
        let entry = generator.subschema_for::<Entry>();
        schemars::json_schema!({
            "anyOf": [{"const": "all"}, {"type": "array", "items": entry, "minItems": 1}]
        })
    };
}
