//! Further headers of every request, as a gateway or a platform may ask for.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::sources::written_as;

/// Parts of names whose headers are the client's own, or have secrets, which no policy file may have.
const REFUSED: [&str; 13] = [
    "auth",
    "token",
    "cookie",
    "secret",
    "password",
    "key",
    "host",
    "content-",
    "transfer-",
    "connection",
    "accept",
    "expect",
    "user-agent",
];

/// Header names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Headers(pub HeaderMap);

impl TryFrom<BTreeMap<String, String>> for Headers {
    type Error = String;

    fn try_from(keys: BTreeMap<String, String>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in keys {
            let lower = name.to_lowercase();
            if let Some(part) = REFUSED.iter().find(|part| lower.contains(**part)) {
                return Err(format!(
                    "`headers` has `{name}`; headers with `{part}` in their name are set by this \
                     tool, or would be a secret in a file"
                ));
            }
            let header = HeaderName::from_bytes(lower.as_bytes());
            let header = header.map_err(|_| format!("`headers` has `{name}`, which is no name"))?;
            let value = HeaderValue::from_str(value.trim()).ok().filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| {
                format!("`headers` has a value of `{name}` that cannot be sent in a header")
            })?;
            headers.insert(header, value);
        }
        Ok(Self(headers))
    }
}

written_as!(Headers => BTreeMap<String, String>);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<HeaderMap, String> {
        let keys = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Headers::try_from(keys).map(|headers| headers.0)
    }

    #[test]
    fn secrets_and_the_clients_own_headers_are_refused() {
        assert_eq!(read("Account", "acct-1").unwrap()["account"], "acct-1");
        for name in ["Authorization", "X-Api-Key", "Cookie", "Host", "Content-Length", "Accept"] {
            assert!(read(name, "x").unwrap_err().contains("headers with"), "{name}");
        }
        assert!(read("a b", "x").is_err());
        for value in ["", "a\nb"] {
            assert!(read("Account", value).is_err(), "{value:?}");
        }
    }
}
