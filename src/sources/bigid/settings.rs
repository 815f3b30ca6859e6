//! The keys under `sources.bigid`, validated.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use url::Url;

use super::SYSTEM;
use super::token::{Kind, Scheme};
use crate::sources::{Connection, schema_of, settings, written_as};

/// Cases in one page. Neither the default nor the maximum is documented; clients send 50 or 100
/// (docs/platforms/bigid.md#listing-cases).
pub(crate) type PageLimit = crate::sources::PageLimit<1000>;

/// The path of the API (docs/platforms/bigid.md#tokens).
const API: &str = "/api/v1";

settings! {
    /// The settings of a BigID source.
    #[cfg_attr(test, schemars(rename = "BigId"))]
    pub struct Keys {
        /// The kind of the token. Default: the variable `BIGID_TOKEN_KIND`, else what the token
        /// itself states.
        #[serde(default)]
        token_kind: Option<Kind>,
        /// How the token is sent in the `Authorization` header.
        #[serde(default)]
        auth_scheme: Scheme,
        /// Cases in one page, 1 to 1000. Default: 1000.
        #[serde(default)]
        page_limit: PageLimit,
        /// The parameter for the beginning of a page.
        #[serde(default)]
        paging: Paging,
        /// How the parameters `filter`, `fields` and `sort` are written.
        #[serde(default)]
        encoding: Encodings,
        /// Allows the export to change many cases with one request. Off without it.
        #[serde(default)]
        bulk: Option<Bulk>,
    }
}

/// Where the cases come from, and how they are requested.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    /// Its URL ends with the path of the API.
    pub(super) connection: Connection,
    /// The web interface.
    pub(super) web: Url,
    pub(super) token_kind: Option<Kind>,
    pub(super) auth_scheme: Scheme,
    pub(super) page_limit: PageLimit,
    pub(super) paging: Paging,
    pub(super) encoding: Encodings,
    pub(super) bulk: Option<Bulk>,
}

impl Settings {
    /// Whether many cases may be changed with one request.
    pub fn allows_bulk(&self) -> bool {
        self.bulk.is_some()
    }
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let mut connection = keys.connection(&SYSTEM)?;
        // Users write the tenant alone, or with the path of the API.
        let path = connection.url.path().trim_end_matches('/').to_owned();
        let root = path.strip_suffix(API).unwrap_or(&path);
        let mut web = connection.url.clone();
        web.set_path(&format!("{root}/"));
        connection.url.set_path(&format!("{root}{API}"));
        Ok(Self {
            connection,
            web,
            token_kind: keys.token_kind,
            auth_scheme: keys.auth_scheme,
            page_limit: keys.page_limit,
            paging: keys.paging,
            encoding: keys.encoding,
            bulk: keys.bulk,
        })
    }
}

/// The parameter for the beginning of a page. The vendor's page names `skip`; a public client of the
/// same endpoint uses `offset` (docs/platforms/bigid.md#listing-cases).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdPaging"))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Paging {
    #[default]
    Skip,
    Offset,
}

impl Paging {
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Offset => "offset",
        }
    }
}

/// How a parameter is written: as JSON, as public clients send it, or as a comma-separated list, as
/// on the vendor's page (docs/platforms/bigid.md#listing-cases).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdEncoding"))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    #[default]
    Json,
    Csv,
}

/// The encoding of each parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encodings {
    pub filter: Encoding,
    pub fields: Encoding,
    pub sort: Encoding,
}

impl<'de> Deserialize<'de> for Encodings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EncodingsVisitor;
        impl<'de> Visitor<'de> for EncodingsVisitor {
            type Value = Encodings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`json` or `csv`, or one of them for each of filter, fields and sort")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Encodings, E> {
                let all = Encoding::deserialize(de::value::StrDeserializer::new(word))?;
                Ok(Encodings { filter: all, fields: all, sort: all })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Encodings, A::Error> {
                let each =
                    EncodingPerParameter::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Encodings { filter: each.filter, fields: each.fields, sort: each.sort })
            }
        }
        deserializer.deserialize_any(EncodingsVisitor)
    }
}

/// The encodings one by one.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdEncodings"))]
#[serde(deny_unknown_fields, default)]
struct EncodingPerParameter {
    filter: Encoding,
    fields: Encoding,
    sort: Encoding,
}

/// Settings for changing many cases with one request (docs/platforms/bigid.md#changing-cases).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "BigIdBulk"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    /// The word after `cases:` in the path. Its value is not public: ask BigID.
    pub action_type: ActionType,
    /// The maximum number of cases that one request may change.
    pub max: u16,
}

/// A word that needs no escaping in a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActionType(pub String);

impl<'de> Deserialize<'de> for ActionType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if word.is_empty() || !word.chars().all(is_plain) {
            return Err(de::Error::custom("an action is a word of letters, digits, `-` and `_`"));
        }
        Ok(Self(word))
    }
}

written_as!(Settings => Keys);

schema_of! {
    Encodings, "BigIdEncodingOrEach", |generator| {
        let one = generator.subschema_for::<Encoding>();
        let each = generator.subschema_for::<EncodingPerParameter>();
        schemars::json_schema!({"anyOf": [one, each]})
    };
    ActionType, "BigIdActionType", |_| schemars::json_schema!({
        "type": "string", "pattern": "^[A-Za-z0-9_-]+$"
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(keys: Value) -> Result<Settings, String> {
        let mut all = json!({"url": "https://tenant.example.com"});
        if let (Some(all), Value::Object(keys)) = (all.as_object_mut(), keys) {
            all.extend(keys);
        }
        Settings::deserialize(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_url_may_or_may_not_hold_the_path_of_the_api() {
        for (given, api, web) in [
            ("https://t.example.com", "https://t.example.com/api/v1", "https://t.example.com/"),
            (
                "https://t.example.com/api/v1/",
                "https://t.example.com/api/v1",
                "https://t.example.com/",
            ),
            (
                "https://x.example.com/big",
                "https://x.example.com/big/api/v1",
                "https://x.example.com/big/",
            ),
        ] {
            let settings = read(json!({"url": given})).unwrap();
            assert_eq!(settings.connection.url.as_str(), api);
            assert_eq!(settings.web.as_str(), web);
        }
    }

    #[test]
    fn encodings_are_given_together_or_one_by_one() {
        let all = |encoding| Encodings { filter: encoding, fields: encoding, sort: encoding };
        let encoding = |keys| read(keys).map(|settings| settings.encoding);
        assert_eq!(encoding(json!({})), Ok(all(Encoding::Json)));
        assert_eq!(encoding(json!({"encoding": "csv"})), Ok(all(Encoding::Csv)));
        let fields = Encodings { fields: Encoding::Csv, ..Encodings::default() };
        assert_eq!(encoding(json!({"encoding": {"fields": "csv"}})), Ok(fields));
    }

    #[test]
    fn errors_name_the_right_value() {
        for (keys, has) in [
            (json!({"token_kind": "api"}), "unknown variant `api`"),
            (json!({"auth_scheme": "Bearer"}), "unknown variant `Bearer`"),
            (json!({"encoding": "xml"}), "unknown variant `xml`"),
            (json!({"encoding": {"field": "csv"}}), "unknown field `field`"),
            (json!({"paging": "page"}), "unknown variant `page`"),
            (json!({"page_limit": 0}), "1 to 1000"),
            (json!({"bulk": {"max": 5}}), "missing field `action_type`"),
            (json!({"bulk": {"action_type": "a/b", "max": 5}}), "letters, digits"),
            (json!({"token_env": "JIRA_TOKEN"}), "does not begin with `BIGID_`"),
            (json!({"token": "x"}), "unknown field `token`"),
        ] {
            let error = read(keys.clone()).unwrap_err();
            assert!(error.contains(has), "{keys}: {error}");
        }
    }
}
