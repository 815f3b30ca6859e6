//! The keys under `sources.sysdig`, validated.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use super::SYSTEM;
use super::units::Id;
use crate::finding::Severity;
use crate::sources::settings::settings;
use crate::sources::{Connection, Endpoint, OneOrMore, Period};
use crate::text;

/// Where IBM Cloud exchanges API keys (fact sheet §3.2).
const IAM: &str = "https://iam.cloud.ibm.com";

/// The longest span that one request for events may have (fact sheet §6).
pub const LONGEST_SPAN: Duration = Duration::from_secs(14 * 24 * 3600);

settings! {
    /// The keys as written. Exactly one of `posture`, `images` and `events` says what is asked;
    /// several of them are several sources, such as `sysdig/images` and `sysdig/events`.
    pub struct Keys {
        /// GUID of the IBM Cloud instance, sent as `IBMInstanceID`. Needed with an IBM Cloud API
        /// key.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        instance_id: Option<Word>,
        /// The team whose view is asked for. Default: the token's own.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        team_id: Option<Word>,
        /// The header that carries `team_id`; some tenants want `SysdigTeamID`. Default: `TeamID`.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        team_header: Option<TeamHeader>,
        /// Where an IBM Cloud API key is exchanged. Default: `https://iam.cloud.ibm.com`.
        #[serde(default)]
        iam_url: Option<Endpoint>,
        /// Compliance results: controls on resources.
        #[serde(default)]
        posture: Option<Posture>,
        /// Scanned images, each by tag, digest or image id.
        #[serde(default)]
        #[cfg_attr(test, schemars(length(min = 1)))]
        images: Option<Vec<Image>>,
        /// Besides the policies of `images`, their vulnerabilities: `findings` lists each, `count`
        /// only counts them by severity.
        #[serde(default)]
        vulnerabilities: Option<Detail>,
        /// What happened at run time within a window up to now.
        #[serde(default)]
        events: Option<Events>,
    }
}

/// Where the evidence comes from, and which.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    pub(super) connection: Connection,
    pub(super) headers: HeaderMap,
    pub(super) has_instance: bool,
    pub(super) iam_url: Url,
    pub(super) asked: Asked,
}

/// What one source asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    Posture(Posture),
    Images(Vec<Image>, Option<Detail>),
    Events(Events),
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let mut connection = keys.connection(&SYSTEM)?;
        without_end(&mut connection.url, "api");
        let mut iam = match keys.iam_url {
            Some(url) => url,
            None => Endpoint(Url::parse(IAM).map_err(|error| error.to_string())?),
        };
        iam.check("iam_url", keys.allow_http)?;
        // Documented with its path, which the request brings along.
        without_end(&mut iam.0, "token");
        without_end(&mut iam.0, "identity");
        let mut headers = HeaderMap::new();
        if let Some(instance) = &keys.instance_id {
            headers.insert(HeaderName::from_static("ibminstanceid"), instance.0.clone());
        }
        let team_header = keys.team_header.map_or(HeaderName::from_static("teamid"), |name| name.0);
        if let Some(team) = keys.team_id {
            headers.insert(team_header, team.0);
        }
        let asked = match (keys.posture, keys.images, keys.events) {
            (Some(posture), None, None) => Asked::Posture(posture),
            (None, Some(images), None) => Asked::Images(images, keys.vulnerabilities),
            (None, None, Some(events)) => Asked::Events(events),
            _ => {
                return Err("a sysdig source asks for exactly one of `posture`, `images` and \
                            `events`; write one source for each, such as `sysdig/images` beside \
                            `sysdig`"
                    .to_owned());
            }
        };
        asked.check(keys.vulnerabilities.is_some())?;
        let has_instance = keys.instance_id.is_some();
        Ok(Self { connection, headers, has_instance, iam_url: iam.0, asked })
    }
}

impl Asked {
    fn check(&self, vulnerabilities: bool) -> Result<(), String> {
        match self {
            Self::Images(images, _) if images.is_empty() => {
                Err("`images` is empty; name at least one image".to_owned())
            }
            Self::Images(..) => Ok(()),
            _ if vulnerabilities => Err("`vulnerabilities` belongs to `images`".to_owned()),
            Self::Posture(posture) => posture.severity_numbers().map(|_| ()),
            Self::Events(_) => Ok(()),
        }
    }
}

/// Takes a last segment away, if the URL has it.
fn without_end(url: &mut Url, segment: &str) {
    let path = url.path().trim_end_matches('/');
    if let Some(path) = path.strip_suffix(segment).filter(|path| path.ends_with('/')) {
        let path = path.to_owned();
        url.set_path(&path);
    }
}

/// Which compliance results are asked for. Every filter takes one value or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigPosture"))]
#[serde(deny_unknown_fields, default)]
pub struct Posture {
    /// Only requirements of these policies, by name.
    pub policies: Option<OneOrMore<Value>>,
    /// Only requirements of these zones, by name.
    pub zones: Option<OneOrMore<Value>>,
    /// Only requirements of these platforms, such as `AWS`.
    pub platforms: Option<OneOrMore<Value>>,
    /// Only requirements of these severities.
    pub severities: Option<OneOrMore<Level>>,
    /// What counts for a risk that was accepted on the platform.
    pub accepted: Accepted,
    /// Only resources that the platform's inventory finds with these filters.
    pub inventory: Option<Inventory>,
}

impl Posture {
    /// The severities as filters write them (fact sheet §4.2).
    pub fn severity_numbers(&self) -> Result<Vec<u8>, String> {
        let levels = self.severities.iter().flat_map(|list| &list.0);
        levels
            .map(|Level(severity)| match severity {
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
pub enum Accepted {
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
pub struct Inventory {
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

/// An image: by its tag, its digest or its id. A tag may stand beside either of the others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ImageKeys")]
pub struct Image {
    pub by: By,
    /// The whole tag, with registry and repository.
    pub tag: Option<String>,
}

/// What an image is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Tag,
    Digest(String),
    Id(String),
}

/// An image by its tag, its digest or its id.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigImage"))]
#[serde(deny_unknown_fields)]
pub struct ImageKeys {
    /// The whole tag, such as `registry.example.com/shop/api:1.4`.
    #[serde(default)]
    tag: Option<Value>,
    /// `sha256:…` of the manifest.
    #[serde(default)]
    digest: Option<Value>,
    /// The image's own id.
    #[serde(default)]
    image_id: Option<Value>,
}

impl TryFrom<ImageKeys> for Image {
    type Error = String;

    fn try_from(keys: ImageKeys) -> Result<Self, String> {
        let tag = keys.tag.map(|tag| tag.0);
        let by = match (keys.digest, keys.image_id, &tag) {
            (Some(_), Some(_), _) => {
                return Err("an image is named by `digest` or by `image_id`, not both".to_owned());
            }
            (Some(digest), None, _) if !digest.0.contains(':') => {
                return Err(format!(
                    "`digest: {}` has no algorithm; write `sha256:…`, or `image_id`",
                    digest.0
                ));
            }
            (Some(digest), None, _) => By::Digest(digest.0),
            (None, Some(id), _) => By::Id(id.0),
            (None, None, Some(_)) => By::Tag,
            (None, None, None) => {
                return Err("an image needs `tag`, `digest` or `image_id`".to_owned());
            }
        };
        Ok(Self { by, tag })
    }
}

/// How much is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigDetail"))]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Each one, with what a report can show of it.
    #[default]
    Findings,
    /// Only how many of each severity: cheap, and enough for gates that ask for nothing else.
    Count,
}

/// Which events are asked for.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigEvents"))]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How far back the window reaches, such as `24h`.
    pub window: Period,
    /// `findings` (default) lists each event, `count` only counts them by severity.
    #[serde(default)]
    pub detail: Detail,
    /// Only events of these severities.
    #[serde(default)]
    pub severities: Option<OneOrMore<Level>>,
    /// Only events of these rules, by name.
    #[serde(default)]
    pub rules: Option<OneOrMore<Value>>,
    /// Only events of these sources, such as `syscall`.
    #[serde(default)]
    pub sources: Option<OneOrMore<Value>>,
    /// What each of the platform's numbers, 0 to 7, stands for. Default: 0 to 3 high, 4 and 5
    /// medium, 6 low, 7 informational. A number that is left out is unknown, which every severity
    /// selector matches.
    #[serde(default)]
    pub severity_table: Table,
}

impl Events {
    /// The platform's numbers that are asked for; `None`: all.
    pub fn numbers(&self) -> Option<Vec<u8>> {
        self.severities.as_ref().map(|list| self.severity_table.numbers(&list.0))
    }
}

/// What the numbers of events stand for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<Level, Vec<u8>>")]
pub struct Table(BTreeMap<u8, Severity>);

impl Default for Table {
    /// The vendor's own (fact sheet §8.1).
    fn default() -> Self {
        use Severity::{High, Informational, Low, Medium};
        let severities = [High, High, High, High, Medium, Medium, Low, Informational];
        Self((0..).zip(severities).collect())
    }
}

impl TryFrom<BTreeMap<Level, Vec<u8>>> for Table {
    type Error = String;

    fn try_from(keys: BTreeMap<Level, Vec<u8>>) -> Result<Self, String> {
        let mut table = BTreeMap::new();
        for (level, numbers) in keys {
            for number in numbers {
                if number > 7 {
                    return Err(format!("`severity_table` has {number}; the platform has 0 to 7"));
                }
                if table.insert(number, level.0).is_some() {
                    return Err(format!("`severity_table` has {number} twice"));
                }
            }
        }
        Ok(Self(table))
    }
}

impl Table {
    /// What a number stands for.
    pub fn severity(&self, number: Option<u64>) -> Severity {
        let number = number.and_then(|number| u8::try_from(number).ok());
        number.and_then(|number| self.0.get(&number).copied()).unwrap_or(Severity::Unknown)
    }

    /// The numbers that stand for one of these severities, or for none that is known.
    pub fn numbers(&self, severities: &[Level]) -> Vec<u8> {
        let asked = |number: &u8| {
            self.0.get(number).is_none_or(|severity| severities.contains(&Level(*severity)))
        };
        (0..=7).filter(asked).collect()
    }
}

/// A severity as a policy writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub Severity);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Severity::NAMED.into_iter().find(|severity| severity.word() == word);
        known.map(Self).ok_or_else(|| {
            let words = Severity::NAMED.map(Severity::word);
            let hint = text::did_you_mean(&word, words);
            de::Error::custom(format_args!(
                "`{word}` is not a severity{hint} (known: {})",
                words.join(", ")
            ))
        })
    }
}

/// Any text: not empty, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(de::Error::custom("an empty value selects nothing"));
        }
        if text.chars().any(char::is_control) {
            return Err(de::Error::custom(format_args!("{text:?} has a control character in it")));
        }
        Ok(Self(text))
    }
}

/// The values of an optional list.
pub fn values(list: Option<&OneOrMore<Value>>) -> impl Iterator<Item = &str> {
    list.into_iter().flat_map(|list| &list.0).map(|value| value.0.as_str())
}

/// What can be sent as the value of a header: an id, as a text or a number.
#[derive(Clone, Debug)]
struct Word(HeaderValue);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Id(text) = Id::deserialize(deserializer)?;
        let value = HeaderValue::from_str(&text).ok().filter(|_| !text.is_empty());
        value.map(Self).ok_or_else(|| {
            de::Error::custom(format_args!("{text:?} cannot be sent as a header's value"))
        })
    }
}

/// The name of the header that names the team. The page says one, a client sends another (fact
/// sheet §3.2).
#[derive(Clone, Debug)]
struct TeamHeader(HeaderName);

impl<'de> Deserialize<'de> for TeamHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        // Headers of the exchange itself have other names.
        name.filter(|name| name.as_str().to_lowercase().contains("team")).map(Self).ok_or_else(
            || {
                de::Error::custom(format_args!(
                    "`{text}` is not the name of a header for a team, such as `TeamID` or \
                     `SysdigTeamID`"
                ))
            },
        )
    }
}

/// The schema of what is written, for the types that check more than their shape.
#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Image, ImageKeys, Keys, Level, Settings, Table, Value};
    use crate::finding::Severity;

    macro_rules! written_as {
        ($($validated:ty => $keys:ty),+ $(,)?) => {$(
            impl JsonSchema for $validated {
                fn schema_name() -> Cow<'static, str> {
                    <$keys>::schema_name()
                }

                fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                    <$keys>::json_schema(generator)
                }
            }
        )+};
    }

    written_as!(Image => ImageKeys);

    /// Exactly one kind: what the schema of the keys alone cannot say.
    impl JsonSchema for Settings {
        fn schema_name() -> Cow<'static, str> {
            "Sysdig".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let mut schema = Keys::json_schema(generator);
            let kinds = ["posture", "images", "events"];
            let one_of = kinds.map(|kind| serde_json::json!({"required": [kind]}));
            schema.insert("oneOf".to_owned(), one_of.to_vec().into());
            schema
        }
    }

    impl JsonSchema for Level {
        fn schema_name() -> Cow<'static, str> {
            "SysdigSeverity".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "enum": Severity::NAMED.map(Severity::word)})
        }
    }

    impl JsonSchema for Table {
        fn schema_name() -> Cow<'static, str> {
            "SysdigSeverityTable".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let numbers = serde_json::json!({
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 7}
            });
            let words = Severity::NAMED.map(|severity| (severity.word(), numbers.clone()));
            let keys: serde_json::Map<_, _> =
                words.into_iter().map(|(word, list)| (word.to_owned(), list)).collect();
            json_schema!({"type": "object", "properties": keys, "additionalProperties": false})
        }
    }

    impl JsonSchema for Value {
        fn schema_name() -> Cow<'static, str> {
            "SysdigValue".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "string", "minLength": 1})
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn read(mut keys: Json) -> Result<Settings, String> {
        if keys.get("url").is_none() {
            keys["url"] = "https://eu1.app.sysdig.example".into();
        }
        Settings::deserialize(keys).map_err(|error| error.to_string())
    }

    #[test]
    fn the_base_url_is_the_same_with_and_without_api() {
        for (url, expected) in [
            ("https://a.example", "https://a.example/"),
            ("https://a.example/api", "https://a.example/"),
            ("https://a.example/api/", "https://a.example/"),
            ("https://a.example/sysdig/api", "https://a.example/sysdig/"),
            ("https://a.example/notapi", "https://a.example/notapi"),
        ] {
            let settings = read(json!({"url": url, "posture": {}})).unwrap();
            assert_eq!(settings.connection.url.as_str(), expected, "{url}");
        }
    }

    #[test]
    fn the_key_is_sent_to_iam_over_tls_only() {
        let iam = |url: &str| read(json!({"posture": {}, "iam_url": url}));
        assert!(iam("http://iam.example").unwrap_err().contains("`iam_url` is plain http"));
        for url in ["https://iam.example/identity/token", "https://iam.example"] {
            assert_eq!(iam(url).unwrap().iam_url.as_str(), "https://iam.example/");
        }
        assert!(iam("http://127.0.0.1:8080").is_ok());
        let default = read(json!({"posture": {}})).unwrap();
        assert_eq!(default.iam_url.as_str(), "https://iam.cloud.ibm.com/");
    }

    #[test]
    fn a_source_asks_for_exactly_one_kind() {
        for keys in [json!({}), json!({"posture": {}, "events": {"window": "1h"}})] {
            assert!(read(keys).unwrap_err().contains("exactly one of"));
        }
        assert!(read(json!({"events": {"window": "24h"}})).is_ok());
        assert!(read(json!({"images": [{"tag": "r/a:1"}], "vulnerabilities": "count"})).is_ok());
    }

    #[test]
    fn mistakes_are_told_with_what_is_right() {
        let cases = [
            (json!({"images": []}), "at least one image"),
            (json!({"images": [{}]}), "needs `tag`, `digest` or `image_id`"),
            (json!({"images": [{"digest": "abc"}]}), "has no algorithm"),
            (json!({"images": [{"digest": "sha256:a", "image_id": "b"}]}), "not both"),
            (json!({"posture": {}, "vulnerabilities": "count"}), "belongs to `images`"),
            (json!({"posture": {"severities": "hihg"}}), "did you mean `high`?"),
            (json!({"posture": {"zones": " "}}), "an empty value"),
            (json!({"posture": {"zones": "a\nb"}}), "control character"),
            (json!({"posture": {"zone": "a"}}), "unknown field `zone`"),
            (json!({"events": {}}), "missing field `window`"),
            (json!({"events": {"window": "1h", "severity_table": {"high": [8]}}}), "0 to 7"),
            (
                json!({"events": {"window": "1h", "severity_table": {"high": [1], "low": [1]}}}),
                "has 1 twice",
            ),
            (json!({"posture": {}, "team_header": "Host"}), "not the name of a header"),
            (json!({"posture": {}, "instance_id": "a\nb"}), "cannot be sent"),
            (json!({"posture": {}, "token_env": "BIGID_TOKEN"}), "does not begin with"),
        ];
        for (keys, has) in cases {
            let error = read(keys.clone()).expect_err(&keys.to_string());
            assert!(error.contains(has), "{keys}: {error}");
        }
    }

    #[test]
    fn teams_and_instances_travel_as_headers() {
        let keys = json!({"posture": {}, "instance_id": "guid", "team_id": 42});
        let headers = read(keys).unwrap().headers;
        assert_eq!(headers["IBMInstanceID"], "guid");
        assert_eq!(headers["TeamID"], "42");
        let keys = json!({"posture": {}, "team_id": "42", "team_header": "SysdigTeamID"});
        assert_eq!(read(keys).unwrap().headers["SysdigTeamID"], "42");
    }

    #[test]
    fn the_table_is_the_vendors_unless_the_policy_has_its_own() {
        let vendor = Table::default();
        let words = (0..=8).map(|number| vendor.severity(Some(number)).word());
        assert_eq!(
            words.collect::<Vec<_>>(),
            ["high", "high", "high", "high", "medium", "medium", "low", "informational", "unknown"]
        );
        assert_eq!(vendor.severity(None), Severity::Unknown);
        let keys = json!({"events": {"window": "1h", "severity_table": {"critical": [0, 1]}}});
        let Asked::Events(events) = read(keys).unwrap().asked else { panic!("events") };
        assert_eq!(events.severity_table.severity(Some(1)), Severity::Critical);
        // What the table leaves out could be the worst.
        assert_eq!(events.severity_table.severity(Some(7)), Severity::Unknown);
        let asked = events.severity_table.numbers(&[Level(Severity::Low)]);
        assert_eq!(asked, [2, 3, 4, 5, 6, 7]);
    }
}
