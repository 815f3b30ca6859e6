//! The keys under `sources.gravityzone`, validated.

use std::collections::BTreeSet;

use reqwest::header::{self, HeaderName};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use super::SYSTEM;
use super::query::{Filter, Query};
use super::words::{FilterValue, ResultWord, SEVERITIES, Status, StatusWord};
use crate::evidence;
use crate::finding::Severity;
use crate::http::Auth;
use crate::secret::Secret;
use crate::selection::Field;
use crate::sources::{Connection, OneOrMore, Reads, SeverityWord, schema_of, settings, written_as};
use crate::text;

/// Checks in one page. The bounds and the default are those of the predecessor
/// (docs/platforms/gravityzone.md#pages).
type PageLimit = crate::sources::PageLimit<1000>;

settings! {
    /// The settings of a GravityZone source.
    #[cfg_attr(test, schemars(rename = "GravityZone"))]
    pub struct Keys {
        /// The header that carries the API key. `authorization` sends `Bearer <key>`.
        #[serde(default)]
        auth_header: AuthHeader,
        /// Which checks are fetched.
        #[serde(default)]
        filters: Filters,
        /// Checks in one page, 1 to 1000. Default: 1000.
        #[serde(default)]
        page_limit: PageLimit,
    }
}

/// Where the checks come from, and which of them are read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Settings {
    pub(super) connection: Connection,
    auth_header: AuthHeader,
    pub(super) filters: Filters,
    page_limit: PageLimit,
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let severities = keys.filters.severities();
        if severities.into_iter().flatten().any(|severity| !SEVERITIES.contains(&severity)) {
            return Err("`filters.severities` has `none`, which is not a severity of GravityZone"
                .to_owned());
        }
        let connection = keys.connection(&SYSTEM)?;
        check_url(&connection.url)?;
        Ok(Self {
            connection,
            auth_header: keys.auth_header,
            filters: keys.filters,
            page_limit: keys.page_limit,
        })
    }
}

/// GravityZone has two APIs, and their keys are often mistaken for each other
/// (docs/platforms/gravityzone.md#access-and-errors).
const CONTROL_CENTER: &str = "Basic authentication belongs to the JSON-RPC API of GravityZone \
                              Control Center, which has no compliance checks; this source reads \
                              the REST API of GravityZone Cloud Security";

/// Refuses addresses that are often written by mistake.
fn check_url(url: &Url) -> Result<(), String> {
    let (host, path) = (url.host_str().unwrap_or_default(), url.path().to_ascii_lowercase());
    let is_control_center = host.ends_with("gravityzone.bitdefender.com")
        && !host.ends_with("cs.gravityzone.bitdefender.com");
    if is_control_center || path.contains("jsonrpc") {
        return Err(format!(
            "`url` is an address of GravityZone Control Center. {CONTROL_CENTER}, as in \
             `https://api.<region>.cs.gravityzone.bitdefender.com/v1`"
        ));
    }
    match path.contains("/cspm") {
        true => Err("`url` must end before `/cspm/checks`, as in `https://host/v1`".to_owned()),
        false => Ok(()),
    }
}

impl Settings {
    /// How the token is sent. The header is known of the predecessor only, so it can be chosen
    /// (docs/platforms/gravityzone.md#access-and-errors).
    pub(super) fn authentication(&self, token: Secret) -> Auth {
        match &self.auth_header.0 {
            name if name == header::AUTHORIZATION => Auth::Bearer(token),
            name => Auth::Header(name.clone(), token),
        }
    }

    /// Checks in one page.
    pub(super) fn page_limit(&self) -> u64 {
        self.page_limit.0.into()
    }
}

/// Filters that the platform applies; each takes one value or a list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "GravityZoneFilters"))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filters {
    /// Only checks of these severities.
    severities: Option<OneOrMore<SeverityWord>>,
    /// Only failed checks of these statuses. As in a gate, `open` takes those marked as
    /// remediated that still fail. Makes passes unknown: they have no status.
    statuses: Option<OneOrMore<StatusWord>>,
    /// Only checks of these scans (cloud accounts).
    scans: Option<OneOrMore<FilterValue>>,
    /// Only checks of these groups of scans.
    scan_groups: Option<OneOrMore<FilterValue>>,
    /// Only checks of these rules.
    rules: Option<OneOrMore<FilterValue>>,
    /// Only checks of these resources.
    resources: Option<OneOrMore<FilterValue>>,
    /// Only checks of resources of these types.
    resource_types: Option<OneOrMore<FilterValue>>,
    /// Only checks that belong to these frameworks.
    system_compliance: Option<OneOrMore<FilterValue>>,
    /// Only checks with these results. `fail` alone makes passes unknown.
    results: Option<RequestedResults>,
}

impl Filters {
    /// The filters that say which checks are in scope, whatever their result. Severity, status and
    /// result are not among them, so that they cannot hide that nothing was evaluated.
    pub(super) fn scope(&self) -> Query {
        let lists = [
            (Filter::Scans, &self.scans),
            (Filter::ScanGroups, &self.scan_groups),
            (Filter::Rules, &self.rules),
            (Filter::Resources, &self.resources),
            (Filter::ResourceTypes, &self.resource_types),
            (Filter::SystemCompliance, &self.system_compliance),
        ];
        lists.into_iter().fold(Query::default(), |query, (filter, list)| match list {
            Some(OneOrMore(values)) => {
                query.with(filter, values.iter().map(|value| value.0.clone()))
            }
            None => query,
        })
    }

    pub(super) fn severities(&self) -> Option<BTreeSet<Severity>> {
        let OneOrMore(words) = self.severities.as_ref()?;
        Some(words.iter().map(|word| word.0).collect())
    }

    /// The statuses to request. `open` includes `remediated`, as in a gate.
    pub(super) fn statuses(&self) -> Option<BTreeSet<Status>> {
        let OneOrMore(words) = self.statuses.as_ref()?;
        let mut statuses: BTreeSet<_> = words.iter().map(|word| word.0).collect();
        if statuses.contains(&Status::Open) {
            statuses.extend(Status::ALL.into_iter().filter(|status| status.is_open()));
        }
        Some(statuses)
    }

    /// The severities of which failed checks are read.
    pub(super) fn severities_read(&self) -> Reads {
        let read = self.severities();
        Reads {
            limited_by: read.is_some().then_some("filters.severities"),
            never: Vec::new(),
            words: read
                .unwrap_or_else(|| SEVERITIES.into())
                .into_iter()
                .map(|severity| severity.word().to_owned())
                .collect(),
        }
    }

    /// The statuses of which failed checks are read.
    pub(super) fn statuses_read(&self) -> Reads {
        let read = self.statuses();
        Reads {
            limited_by: read.is_some().then_some("filters.statuses"),
            never: Vec::new(),
            words: read
                .unwrap_or_else(|| Status::ALL.into())
                .into_iter()
                .map(|status| status.word().to_owned())
                .collect(),
        }
    }

    /// The filters, as saved evidence states them.
    pub(super) fn of_evidence(&self) -> Vec<evidence::Filter> {
        let of = |key: &str, field, words| {
            evidence::Filter::of::<String>(&format!("filters.{key}"), field, words)
        };
        let scope = self.scope();
        let scope = scope.filters().map(|(filter, values)| {
            of(filter.word(), filter.field(), values.iter().cloned().collect::<Vec<_>>())
        });
        let severities = self.severities.iter();
        let severities =
            severities.map(|_| of("severities", Field::Severity, self.severities_read().words));
        let statuses = self.statuses.iter();
        let statuses = statuses.map(|_| of("statuses", Field::Status, self.statuses_read().words));
        let results = self.results.filter(|results| !results.passes);
        let results = results.map(|_| evidence::Filter::setting("filters.results", ["fail"]));
        scope.chain(severities).chain(statuses).chain(results).collect()
    }

    /// What the filters leave out, for the reports.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self
            .scope()
            .filters()
            .map(|(filter, values)| {
                let values = text::listed(values, ", ", 12);
                format!("only checks within `filters.{}`: {values}", filter.word())
            })
            .collect();
        if self.severities.is_some() {
            notes.push(format!(
                "only failed checks within `filters.severities`: {} (now or originally)",
                self.severities_read().words.join(", ")
            ));
        }
        if self.statuses.is_some() {
            notes.push(format!(
                "only failed checks within `filters.statuses`: {}",
                self.statuses_read().words.join(", ")
            ));
        }
        notes
    }

    /// Why passed checks cannot be counted, if they cannot.
    pub(super) fn passes_unknown(&self) -> Option<String> {
        let sentence = match (&self.statuses, &self.results) {
            (Some(_), _) => {
                "`filters.statuses` leaves out failed checks of other statuses, and passed checks \
                 have no status at all; remove it, and use `status` in the gates instead"
            }
            (None, Some(RequestedResults { passes: false })) => {
                "`filters.results: fail` leaves out passed checks; remove it (a policy that only \
                 limits failures fetches only failures anyway)"
            }
            (None, _) => return None,
        };
        Some(sentence.to_owned())
    }
}

/// Which results are requested. Failed checks always are: without them every gate would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RequestedResults {
    passes: bool,
}

impl<'de> Deserialize<'de> for RequestedResults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OneOrMore(words) = OneOrMore::<ResultWord>::deserialize(deserializer)?;
        let has = |passed| words.contains(&ResultWord(passed));
        if !has(false) {
            return Err(de::Error::custom(
                "`results: pass` hides every failed check, so no gate could block; write `fail`, \
                 or leave the key out",
            ));
        }
        Ok(Self { passes: has(true) })
    }
}

/// The name of the header that carries the token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AuthHeader(HeaderName);

impl Default for AuthHeader {
    fn default() -> Self {
        Self(HeaderName::from_static("x-api-key"))
    }
}

impl<'de> Deserialize<'de> for AuthHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Headers that the HTTP client sets itself.
        const TAKEN: [HeaderName; 10] = [
            header::ACCEPT,
            header::ACCEPT_ENCODING,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::HOST,
            header::TE,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            header::USER_AGENT,
        ];
        let text = String::deserialize(deserializer)?;
        if ["basic", "bearer"].iter().any(|scheme| text.eq_ignore_ascii_case(scheme)) {
            return Err(de::Error::custom(format_args!(
                "`{text}` is a way to authenticate, not the name of a header; `authorization` \
                 sends `Authorization: Bearer <key>`. {CONTROL_CENTER}"
            )));
        }
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
            de::Error::custom(format_args!("`{text}` cannot be the name of an HTTP header"))
        })?;
        if TAKEN.contains(&name) {
            return Err(de::Error::custom(format_args!(
                "`{text}` is set by the HTTP client and cannot carry a token"
            )));
        }
        Ok(Self(name))
    }
}

written_as!(Settings => Keys);

schema_of! {
    RequestedResults, "GravityZoneResults", |_| schemars::json_schema!({"anyOf": [
        {"const": "fail"},
        {
            "type": "array",
            "items": {"type": "string", "enum": ["pass", "fail"]},
            "contains": {"const": "fail"}
        }
    ]});
    AuthHeader, "GravityZoneAuthHeader", |_| schemars::json_schema!({
        "type": "string",
        "default": "x-api-key",
        "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(mut keys: Value) -> Result<Settings, String> {
        if keys.get("url").is_none() {
            keys["url"] = "https://api.example.com/v1".into();
        }
        Settings::deserialize(keys).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let settings = read(json!({})).unwrap();
        assert_eq!(settings.auth_header, AuthHeader(HeaderName::from_static("x-api-key")));
        assert_eq!(settings.page_limit(), 1000);
        assert_eq!(settings.filters.scope(), Query::default());
        assert_eq!(settings.filters.passes_unknown(), None);
    }

    #[test]
    fn an_error_says_what_is_right() {
        let cases = [
            (json!({"filters": {"severities": "hihg"}}), "did you mean `high`?"),
            (json!({"filters": {"severities": ["high", "High"]}}), "`High` is not a severity"),
            (json!({"filters": {"statuses": ["needs-review"]}}), "did you mean `needs_review`?"),
            (json!({"filters": {"results": "pass"}}), "hides every failed check"),
            (json!({"filters": {"results": ["failed"]}}), "did you mean `fail`?"),
            (json!({"filters": {"scans": "a,b"}}), "has a comma in it"),
            (json!({"filters": {"scans": ["a", " "]}}), "an empty value"),
            (json!({"filters": {"scans": []}}), "an empty list"),
            (json!({"filters": {"rules": "a\nb"}}), "control character"),
            (json!({"filters": {"scan": "a"}}), "unknown field `scan`"),
            (json!({"page_limit": 0}), "1 to 1000"),
            (json!({"page_limit": 1001}), "1 to 1000"),
            (json!({"page_limit": -1}), "1 to 1000"),
            (json!({"auth_header": "x api key"}), "cannot be the name"),
            (json!({"auth_header": "Host"}), "set by the HTTP client"),
            (json!({"auth_header": "basic"}), "JSON-RPC API of GravityZone Control Center"),
            (json!({"url": "https://host/v1/cspm/checks"}), "must end before `/cspm/checks`"),
            (
                json!({"url": "https://cloud.gravityzone.bitdefender.com/api/v1.0/jsonrpc"}),
                "an address of GravityZone Control Center",
            ),
            (json!({"token_env": "SYSDIG_API_TOKEN"}), "does not begin with `GRAVITYZONE_`"),
        ];
        for (keys, has) in cases {
            let error = read(keys.clone()).expect_err(&keys.to_string());
            assert!(error.contains(has), "{keys}: {error}");
        }
    }

    #[test]
    fn the_schema_agrees_with_what_is_read() {
        let schema = schemars::schema_for!(Settings);
        let validator = jsonschema::validator_for(schema.as_value()).unwrap();
        let cases = [
            (json!({"filters": {"severities": "high", "scans": ["a", "b"]}}), true),
            (json!({"auth_header": "authorization", "page_limit": 1000}), true),
            (json!({"filters": {"results": ["fail", "pass"]}}), true),
            (json!({"filters": {"severities": "hihg"}}), false),
            (json!({"filters": {"results": "pass"}}), false),
            (json!({"filters": {"scans": "a,b"}}), false),
            (json!({"filters": {"scans": []}}), false),
            (json!({"filters": {"scan": "a"}}), false),
            (json!({"page_limit": 0}), false),
            (json!({"pagelimit": 1}), false),
        ];
        for (mut keys, valid) in cases {
            assert_eq!(read(keys.clone()).is_ok(), valid, "{keys}");
            keys["url"] = "https://api.example.com/v1".into();
            assert_eq!(validator.is_valid(&keys), valid, "{keys}");
        }
    }

    #[test]
    fn filters_take_one_value_or_a_list() {
        let one = read(json!({"filters": {"scans": "a"}})).unwrap();
        let list = read(json!({"filters": {"scans": ["a"]}})).unwrap();
        assert_eq!(one.filters.scope(), list.filters.scope());
        assert_eq!(one.filters.scope().all_values().count(), 1);
    }

    #[test]
    fn severity_status_and_result_are_not_part_of_the_scope() {
        let keys =
            json!({"filters": {"severities": "high", "statuses": "open", "results": "fail"}});
        assert_eq!(read(keys).unwrap().filters.scope(), Query::default());
    }

    #[test]
    fn open_includes_remediated() {
        let statuses = |words: Value| read(json!({"filters": {"statuses": words}})).unwrap();
        let asked = statuses(json!(["open", "needs_review"])).filters.statuses().unwrap();
        assert_eq!(asked, [Status::Open, Status::Remediated, Status::NeedsReview].into());
        let asked = statuses(json!("risk_accepted")).filters.statuses().unwrap();
        assert_eq!(asked, [Status::RiskAccepted].into());
    }

    #[test]
    fn filters_that_hide_passes_say_so() {
        let unknown = |filters: Value| {
            read(json!({"filters": filters})).unwrap().filters.passes_unknown().is_some()
        };
        assert!(unknown(json!({"statuses": "open"})));
        assert!(unknown(json!({"results": "fail"})));
        assert!(!unknown(json!({"results": ["fail", "pass"]})));
        assert!(!unknown(json!({"severities": "high"})));
    }

    #[test]
    fn the_header_decides_how_the_token_is_sent() {
        let token = || Secret::new("t".to_owned()).unwrap();
        let auth =
            |header: &str| read(json!({"auth_header": header})).unwrap().authentication(token());
        assert!(matches!(auth("Authorization"), Auth::Bearer(_)));
        assert!(matches!(auth("X-Api-Key"), Auth::Header(name, _) if name == "x-api-key"));
    }
}
