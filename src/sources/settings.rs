//! What the settings of all sources are built from: the keys that each has, and the types of values
//! that several have. A settings error that begins with a key in backticks is shown at that key.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::finding::Severity;
use crate::http::{self, Tls};
use crate::sources::System;
use crate::text;

mod headers;

pub use headers::Headers;

/// The name of a newtype whose unquoted values are numbers, booleans or null where they look like
/// it. All others take a scalar as it is written, whatever YAML would make of it.
pub const TYPED: &str = "typed";

/// Gives a type the JSON Schema of the type that it is read as.
macro_rules! written_as {
    ($($type:ty => $written:ty),+ $(,)?) => {$(
        #[cfg(test)]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$written>::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                <$written>::schema_id()
            }

            fn inline_schema() -> bool {
                <$written>::inline_schema()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$written>::json_schema(generator)
            }
        }
    )+};
}
pub(crate) use written_as;

/// Gives a type a JSON Schema, by name.
macro_rules! schema_of {
    ($($type:ty, $name:literal, $schema:expr;)+) => {$(
        #[cfg(test)]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema = $schema;
                schema(generator)
            }
        }
    )+};
}
pub(crate) use schema_of;

/// Declares the keys of a source's settings: its own, and those that every source has. (Serde's
/// `flatten` would do the same and lose the line numbers.) A system with one public host names the
/// function that gives it: `struct Keys (url = "host") { … }`.
macro_rules! settings {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident $((url = $host:literal))? {
        $($own:tt)*
    }) => {
        #[derive(serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        $visibility struct $name {
            /// Base URL of the platform. Plain http only to this machine, unless `allow_http`.
            $(#[serde(default = $host)])?
            url: $crate::sources::Endpoint,
            /// Allows plain http to another host: the token then travels unencrypted.
            #[serde(default)]
            allow_http: bool,
            /// The longest a single request may take. Default: 30s.
            #[serde(default)]
            request_timeout: Option<$crate::sources::Period>,
            /// A PEM file with certificate authorities to trust in addition to the system's.
            #[serde(default)]
            ca_file: Option<std::path::PathBuf>,
            /// A PEM file with the client's certificate chain, where the platform asks for one.
            #[serde(default)]
            client_cert: Option<std::path::PathBuf>,
            /// A PEM file with the private key of `client_cert`.
            #[serde(default)]
            client_key: Option<std::path::PathBuf>,
            /// The variable that holds the token, if not the system's own. Must begin with the
            /// system's prefix.
            #[serde(default)]
            token_env: Option<String>,
            /// Further headers of every request, by name. No secrets.
            #[serde(default)]
            headers: $crate::sources::Headers,
            $($own)*
        }

        impl $name {
            fn connection(
                &self,
                system: &$crate::sources::System,
            ) -> Result<$crate::sources::Connection, String> {
                let connection = $crate::sources::Connection::new(
                    system,
                    self.url.clone(),
                    self.allow_http,
                    self.request_timeout,
                    $crate::sources::tls(
                        self.ca_file.clone(),
                        self.client_cert.clone(),
                        self.client_key.clone(),
                    )?,
                    self.token_env.clone(),
                )?;
                Ok($crate::sources::Connection { headers: self.headers.0.clone(), ..connection })
            }
        }
    };
}
pub(crate) use settings;

/// How to reach a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub url: Url,
    pub request_timeout: Duration,
    pub tls: Tls,
    /// The variables that may hold the token.
    pub token_variables: Vec<String>,
    /// Further headers of every request.
    pub headers: HeaderMap,
}

impl Connection {
    /// # Errors
    /// A sentence, if the token would travel unencrypted, or could be another system's.
    pub fn new(
        system: &System,
        url: Endpoint,
        allow_http: bool,
        request_timeout: Option<Period>,
        tls: Tls,
        token_env: Option<String>,
    ) -> Result<Self, String> {
        url.check("url", allow_http)?;
        let token_variables = match token_env {
            None => system.token_variables.iter().map(|name| (*name).to_owned()).collect(),
            Some(name) if system.token_prefixes.iter().any(|prefix| name.starts_with(prefix)) => {
                vec![name]
            }
            Some(name) => {
                return Err(format!(
                    "`token_env: {name}` does not begin with `{}`; {} is only ever sent its own \
                     tokens",
                    system.token_prefixes.join("` or `"),
                    system.title
                ));
            }
        };
        let request_timeout = request_timeout.map_or(Duration::from_secs(30), |period| period.0);
        Ok(Self { url: url.0, request_timeout, tls, token_variables, headers: HeaderMap::new() })
    }
}

/// The PEM files of a source.
///
/// # Errors
/// A sentence, if a client certificate has no key, or a key no certificate.
pub fn tls(
    ca_file: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
) -> Result<Tls, String> {
    let client = match (client_cert, client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("`client_cert` and `client_key` are only used together".to_owned()),
    };
    Ok(Tls { ca_file, client })
}

/// The base URL of a platform: http or https, no credentials, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(pub Url);

impl Endpoint {
    /// # Errors
    /// A sentence, if a token would travel to it unencrypted.
    pub fn check(&self, key: &str, allow_http: bool) -> Result<(), String> {
        if self.0.scheme() == "http" && !allow_http && !http::is_loopback(&self.0) {
            return Err(format!(
                "`{key}` is plain http to another machine ({}); use https, or write \
                 `allow_http: true` to send the token unencrypted",
                self.0.host_str().unwrap_or_default()
            ));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = text.trim();
        let host = text.split_once("://").map_or(text, |(_, host)| host);
        let url = Url::parse(text).ok().filter(|url| text.contains("://") && url.has_host());
        let Some(url) = url else {
            // What holds an `@` may hold a password, and is not repeated.
            return Err(de::Error::custom(match host.is_empty() || text.contains(['@', ' ']) {
                true => {
                    "this is not a URL; write it like `https://compliance.example.com`".to_owned()
                }
                false => format!("`{text}` is not a URL; write `https://{host}`"),
            }));
        };
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            // The text is not repeated: it may hold a password.
            return Err(de::Error::custom(
                "a base URL is http:// or https://, a host, perhaps a port and a path; no user, \
                 password, query or fragment",
            ));
        }
        Ok(Self(url))
    }
}

/// A length of time such as `10s`, `45m`, `2h 30m`: more than nothing, a year at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time with its unit, such as `30s`, `45m` or `2h`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                let period = humantime::parse_duration(text).map_err(|error| {
                    E::custom(format!(
                        "`{text}` is not a length of time ({error}); write a number with its unit, \
                         such as `30s`, `45m` or `2h`"
                    ))
                })?;
                if period.is_zero() || period > Period::LONGEST {
                    return Err(E::custom(format!(
                        "`{text}` is out of range: more than nothing, and a year at most"
                    )));
                }
                Ok(Period(period))
            }
        }
        // Not `deserialize_str`, which would take the bare number of `30` as a text.
        deserializer.deserialize_str(Text)
    }
}

schema_of! {
    Endpoint, "Endpoint", |_| schemars::json_schema!({
        "type": "string", "format": "uri", "pattern": "^https?://"
    });
    Period, "Period", |_| schemars::json_schema!({
        "type": "string",
        "description": "A length of time with its unit, such as `30s`, `45m` or `2h 30m`.",
        "pattern": "^\\s*[0-9]+\\s*[a-zA-Z]+"
    });
    SeverityWord, "SeverityWord", |_| schemars::json_schema!({
        "type": "string", "enum": Severity::NAMED.map(Severity::word)
    });
}

/// A severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeverityWord(pub Severity);

/// Reads a severity.
///
/// # Errors
/// A sentence with the severities there are.
pub fn severity_word<E: de::Error>(word: &str) -> Result<SeverityWord, E> {
    let known = Severity::NAMED.into_iter().find(|severity| severity.word() == word);
    known.map(SeverityWord).ok_or_else(|| {
        let known = Severity::NAMED.map(Severity::word);
        E::custom(format!(
            "`{word}` is not a severity{} (known: {}; in a gate also `\">= high\"`)",
            text::did_you_mean(word, known),
            known.join(", ")
        ))
    })
}

impl<'de> Deserialize<'de> for SeverityWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        severity_word(&String::deserialize(deserializer)?)
    }
}

/// A value of any type, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "typed")]
pub struct Typed(pub serde_json::Value);

written_as!(Typed => serde_json::Value);

/// The number of rows in one page, 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit<const DEFAULT: u16>(pub u16);

impl<const DEFAULT: u16> Default for PageLimit<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u16> Deserialize<'de> for PageLimit<DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)?.try_into() {
            Ok(limit @ 1..=1000) => Ok(Self(limit)),
            _ => Err(de::Error::custom("a page has 1 to 1000 rows")),
        }
    }
}

#[cfg(test)]
impl<const DEFAULT: u16> schemars::JsonSchema for PageLimit<DEFAULT> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("PageLimit_{DEFAULT}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 1, "maximum": 1000, "default": DEFAULT
        })
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMoreVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMoreVisitor<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(de::value::StrDeserializer::new(text))
                    .map(|one| OneOrMore(vec![one]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                if items.is_empty() {
                    return Err(de::Error::custom(
                        "an empty list selects nothing; leave the key out",
                    ));
                }
                Ok(OneOrMore(items))
            }
        }
        deserializer.deserialize_any(OneOrMoreVisitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for OneOrMore<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMore_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({
            "anyOf": [one, {"type": "array", "items": one, "minItems": 1}]
        })
    }
}
