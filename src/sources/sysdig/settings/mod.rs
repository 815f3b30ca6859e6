//! The keys under `sources.sysdig`, validated.
//!
//! ```text
//! posture.rs, images.rs, events.rs   what one source reads      values.rs   what they share
//! inventory.rs   which resources posture is read of             filters.rs  as evidence states them
//! ```

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use super::SYSTEM;
use crate::sources::{Connection, Endpoint, OneOrMore, Period, schema_of, settings, written_as};

mod events;
mod filters;
mod images;
mod inventory;
mod posture;
mod values;

pub(crate) use events::{Events, LONGEST_SPAN, Quiet, Words};
use images::{Chosen, Reference, Subjects};
pub(crate) use images::{FeedAge, Image, ImageKey, Images};
pub(crate) use inventory::{Filtered, Inventory, Match};
pub(crate) use posture::Posture;
pub(crate) use values::{Detail, Value, values};

/// Where IBM Cloud exchanges API keys (docs/platforms/sysdig.md#access).
const IAM: &str = "https://iam.cloud.ibm.com";

settings! {
    /// The settings of a Sysdig source. Exactly one of `posture`, `images` and `events` says what it
    /// reads; write several sources for several of them, such as `sysdig/images` and
    /// `sysdig/events`.
    #[cfg_attr(test, schemars(rename = "SysdigKeys"))]
    pub struct Keys {
        /// GUID or CRN of the IBM Cloud instance, whose GUID is sent as `IBMInstanceID`. Needed with
        /// an IBM Cloud API key.
        #[serde(default)]
        instance_id: Option<InstanceId>,
        /// The team whose view is asked for. Default: the token's own.
        #[serde(default)]
        team_id: Option<HeaderText>,
        /// The header with `team_id`; some tenants need `SysdigTeamID`. Default: `TeamID`.
        #[serde(default)]
        team_header: Option<TeamHeader>,
        /// Where an IBM Cloud API key is exchanged. Default: `https://iam.cloud.ibm.com`.
        #[serde(default)]
        iam_url: Option<Endpoint>,
        /// Compliance results: controls on resources.
        #[serde(default)]
        posture: Option<Posture>,
        /// Scanned images, each by tag, digest or image id; or `subjects`: exactly those that the run
        /// names with `--subject` or `--subject-file`.
        #[serde(default)]
        images: Option<Chosen>,
        /// A file with further images, one reference a line, each with its tag or its digest. `#`
        /// begins a comment.
        #[serde(default)]
        images_file: Option<Value>,
        /// Vulnerabilities that this image has too do not count, such as those of the image that
        /// runs in production: a tag, a digest, or a map as in `images`. For all images that have no
        /// `compare_to` of their own.
        #[serde(default)]
        compare_to: Option<Reference>,
        /// The oldest that the scanner's data about vulnerabilities may be, such as `2d`.
        #[serde(default)]
        feed_max_age: Option<Period>,
        /// The groups of these data that `feed_max_age` is about, such as `debian:12` or `nvdv2`.
        /// Default: all that the scanner has.
        #[serde(default)]
        feed_groups: Option<OneOrMore<Value>>,
        /// Also reads the vulnerabilities of `images`: `findings` lists each, `count` only counts
        /// them by severity.
        #[serde(default)]
        vulnerabilities: Option<Detail>,
        /// Events at run time within a window up to now.
        #[serde(default)]
        events: Option<Events>,
    }
}

/// The settings of a source, validated.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    pub(super) connection: Connection,
    pub(super) headers: HeaderMap,
    pub(super) has_instance: bool,
    pub(super) iam_url: Url,
    pub(super) asked: Asked,
}

/// What one source reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Posture(Box<Posture>),
    Images(Images),
    Events(Events),
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let mut connection = keys.connection(&SYSTEM)?;
        without_end(&mut connection.url, "api");
        refuse_template(&connection.url)?;
        let mut iam = match keys.iam_url {
            Some(url) => url,
            None => Endpoint(Url::parse(IAM).map_err(|error| error.to_string())?),
        };
        iam.check("iam_url", keys.allow_http)?;
        // The documented URL has the path, which the request adds.
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
        let is_named_in_file = keys.images_file.is_some();
        let compare_to = keys.compare_to.as_ref();
        let listed = |list| (with_comparison(list, compare_to), None);
        let images = match keys.images {
            Some(Chosen::Subjects) if is_named_in_file => {
                return Err(
                    "`images: subjects` evaluates exactly the subjects of the run; remove \
                            `images_file`"
                        .to_owned(),
                );
            }
            Some(Chosen::Subjects) => {
                let compare_to = compare_to.map(|other| Box::new(other.0.clone()));
                Some((Vec::new(), Some(Subjects { compare_to })))
            }
            Some(Chosen::Listed(list)) => Some(listed(list)),
            None => is_named_in_file.then(|| listed(Vec::new())),
        };
        let feed_max_age = match (keys.feed_max_age, keys.feed_groups) {
            (None, Some(_)) => {
                return Err(
                    "`feed_groups` says what `feed_max_age` is about; set it too".to_owned()
                );
            }
            (age, groups) => age.map(|age| FeedAge { most: age.0, groups }),
        };
        let has_feed_max_age = feed_max_age.is_some();
        let images = images.map(|(list, subjects)| Images {
            list,
            subjects,
            vulnerabilities: keys.vulnerabilities,
            feed_max_age,
        });
        let asked = match (keys.posture, images, keys.events) {
            (Some(posture), None, None) => Asked::Posture(Box::new(posture)),
            (None, Some(images), None) => Asked::Images(images),
            (None, None, Some(events)) => Asked::Events(events),
            _ => {
                return Err("a sysdig source reads exactly one of `posture`, `images` and \
                            `events`; write one source for each, such as `sysdig/images` and \
                            `sysdig`"
                    .to_owned());
            }
        };
        let of_images = [
            ("vulnerabilities", keys.vulnerabilities.is_some()),
            ("compare_to", keys.compare_to.is_some()),
            ("feed_max_age", has_feed_max_age),
        ];
        let of_images = of_images.into_iter().find(|(_, is_given)| *is_given).map(|(key, _)| key);
        asked.check(of_images, is_named_in_file)?;
        let has_instance = keys.instance_id.is_some();
        Ok(Self { connection, headers, has_instance, iam_url: iam.0, asked })
    }
}

impl Asked {
    /// `of_images` is a key that only images have, if one is given.
    fn check(&self, of_images: Option<&str>, is_named_in_file: bool) -> Result<(), String> {
        match (self, of_images) {
            (Self::Images(images), _)
                if images.list.is_empty() && images.subjects.is_none() && !is_named_in_file =>
            {
                Err("`images` is empty; name at least one image".to_owned())
            }
            (Self::Images(images), _) => images.check(),
            (_, Some(key)) => Err(format!("`{key}` belongs to `images`")),
            (Self::Posture(posture), None) => posture.check(),
            (Self::Events(_), None) => Ok(()),
        }
    }
}

/// The images, compared with another one where they name none of their own.
fn with_comparison(mut images: Vec<Image>, other: Option<&Reference>) -> Vec<Image> {
    for image in &mut images {
        if image.compare_to.is_none() {
            image.compare_to = other.map(|other| Box::new(other.0.clone()));
        }
    }
    images
}

/// The vendor's page shows a host without a region, which does not exist.
fn refuse_template(url: &Url) -> Result<(), String> {
    const HOST: &str = "security-compliance-secure.cloud.ibm.com";
    let host = url.host_str().unwrap_or_default();
    let region = host.strip_suffix(HOST).map(|region| region.trim_end_matches('.'));
    match region {
        Some("" | "cloud.ibm.com" | "region") => Err(format!(
            "`url` is a template of the documentation; write the host of your region: \
             https://REGION.{HOST}, such as us-south, us-east, eu-de, eu-gb, jp-tok or au-syd in \
             place of REGION"
        )),
        _ => Ok(()),
    }
}

/// Removes the last segment of the path, if it is this one.
fn without_end(url: &mut Url, segment: &str) {
    let path = url.path().trim_end_matches('/');
    if let Some(path) = path.strip_suffix(segment).filter(|path| path.ends_with('/')) {
        let path = path.to_owned();
        url.set_path(&path);
    }
}

/// A text that can be sent as the value of a header.
#[derive(Clone, Debug)]
struct HeaderText(HeaderValue);

impl<'de> Deserialize<'de> for HeaderText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = HeaderValue::from_str(text.trim()).ok().filter(|_| !text.is_empty());
        value.map(Self).ok_or_else(|| {
            de::Error::custom(format_args!("{text:?} cannot be sent as a header's value"))
        })
    }
}

/// The GUID of an instance, also taken from its CRN.
#[derive(Clone, Debug)]
struct InstanceId(HeaderValue);

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = HeaderText::deserialize(deserializer)?.0;
        let Some(name) = text.to_str().ok().filter(|text| text.starts_with("crn:")) else {
            return Ok(Self(text));
        };
        // crn:v1:bluemix:public:sysdig-secure:us-south:a/ACCOUNT:GUID::
        let guid = name.split(':').nth(7).filter(|guid| !guid.is_empty());
        let value = guid.and_then(|guid| HeaderValue::from_str(guid).ok());
        value.map(Self).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{name}` is a CRN without an instance; write the instance's GUID"
            ))
        })
    }
}

/// The name of the header for the team. The documentation and a client differ
/// (docs/platforms/sysdig.md#access).
#[derive(Clone, Debug)]
struct TeamHeader(HeaderName);

impl<'de> Deserialize<'de> for TeamHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        // No other header may be replaced.
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

schema_of! {
    // Exactly one kind, which the schema of the keys alone does not express.
    Settings, "Sysdig", |generator| {
        let mut schema = <Keys as schemars::JsonSchema>::json_schema(generator);
        let kinds = ["posture", "images", "events"];
        let one_of = kinds.map(|kind| match kind {
            "images" => serde_json::json!({
                "anyOf": [{"required": [kind]}, {"required": ["images_file"]}]
            }),
            _ => serde_json::json!({"required": [kind]}),
        });
        schema.insert("oneOf".to_owned(), one_of.to_vec().into());
        schema
    };
}

written_as!(HeaderText => String, InstanceId => String, TeamHeader => String);

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
    fn a_mistake_is_refused_with_what_is_right() {
        let cases = [
            (json!({"images": []}), "at least one image"),
            (json!({"images": [{}]}), "needs `tag`, `digest` or `image_id`"),
            (json!({"images": [{"digest": "abc"}]}), "has no algorithm"),
            (json!({"images": [{"digest": "sha256:a", "image_id": "b"}]}), "not both"),
            (json!({"posture": {}, "vulnerabilities": "count"}), "belongs to `images`"),
            (json!({"posture": {}, "feed_max_age": "2d"}), "`feed_max_age` belongs to `images`"),
            (json!({"posture": {}, "compare_to": "r/a:1"}), "`compare_to` belongs to `images`"),
            (json!({"images": [{"tag": "r/a:1"}], "feed_groups": "nvdv2"}), "set it too"),
            (
                json!({"images": [{"digest": "sha256:a", "tag": "r/a:1"}],
                    "vulnerabilities": "findings", "compare_to": "sha256:a"}),
                "image `r/a:1 sha256:a` is compared with itself",
            ),
            (
                json!({"images": [{"tag": "r/a:2"}], "compare_to": "r/a:1"}),
                "vulnerabilities: findings",
            ),
            (
                json!({"images": [{"tag": "r/a:2", "compare_to": {"repository": "r/*"}}]}),
                "unknown field `repository`",
            ),
            (json!({"images": [{"tag": "r/a:2", "compare_to": {}}]}), "needs `tag`"),
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
            (json!({"posture": {}, "instance_id": "crn:v1:bluemix"}), "without an instance"),
            (json!({"posture": {}, "headers": {"Authorization": "x"}}), "headers with `auth`"),
            (
                json!({
                    "posture": {},
                    "url": "https://cloud.ibm.com.security-compliance-secure.cloud.ibm.com/api",
                }),
                "a template of the documentation",
            ),
            (json!({"posture": {}, "token_env": "BIGID_TOKEN"}), "does not begin with"),
        ];
        for (keys, has) in cases {
            let error = read(keys.clone()).expect_err(&keys.to_string());
            assert!(error.contains(has), "{keys}: {error}");
        }
    }

    #[test]
    fn teams_and_instances_are_sent_as_headers() {
        let keys = json!({"posture": {}, "instance_id": "guid", "team_id": "42"});
        let headers = read(keys).unwrap().headers;
        assert_eq!(headers["IBMInstanceID"], "guid");
        assert_eq!(headers["TeamID"], "42");
        let crn = "crn:v1:bluemix:public:sysdig-secure:us-south:a/0123:guid::";
        let headers = read(json!({"posture": {}, "instance_id": crn})).unwrap().headers;
        assert_eq!(headers["IBMInstanceID"], "guid");
        let keys = json!({"posture": {}, "team_id": "42", "team_header": "SysdigTeamID"});
        assert_eq!(read(keys).unwrap().headers["SysdigTeamID"], "42");
    }
}
