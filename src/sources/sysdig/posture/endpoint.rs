//! Where the resources of a control are, as the platform says (fact sheet §4.5, advice).
//!
//! It says so as text that is no URL: with raw spaces, and `/` and `=` in values. It is taken
//! apart, checked to stay among the calls for compliance, and put together again.

use crate::http::{Call, Http};
use crate::text;

/// All calls that a token may be led to.
const BELOW: &str = "/api/cspm/v1/";

/// A call that lists the resources of a control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    path: String,
    parameters: Vec<(String, String)>,
}

impl Endpoint {
    /// # Errors
    /// What is wrong with it, to follow its name.
    pub fn parse(given: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what} (`{}`)", text::one_line(given, 120));
        let (path, query) = given.trim().split_once('?').unwrap_or((given.trim(), ""));
        let inner = path.strip_prefix(BELOW).ok_or_else(|| {
            wrong("leads outside of /api/cspm/v1/, where the token was not meant to go")
        })?;
        let plain = |segment: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !segment.is_empty() && segment.bytes().all(known)
        };
        if !inner.split('/').all(plain) {
            return Err(wrong("has a path that could lead elsewhere"));
        }
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong("is not `name=value`"))?;
            let value = decoded(value).ok_or_else(|| wrong("holds bytes that are no text"))?;
            // The pages are ours to turn.
            if !matches!(name, "pageNumber" | "pageSize") {
                parameters.push((name.to_owned(), value));
            }
        }
        Ok(Self { path: path.trim_start_matches('/').to_owned(), parameters })
    }

    /// The same resources, but only those for which this condition holds, too.
    #[must_use]
    pub fn and(&self, condition: &str) -> Self {
        let mut endpoint = self.clone();
        match endpoint.parameters.iter_mut().find(|(name, _)| name == "filter") {
            Some((_, filter)) if !filter.trim().is_empty() => {
                filter.push_str(" and ");
                filter.push_str(condition);
            }
            Some((_, filter)) => *filter = condition.to_owned(),
            None => endpoint.parameters.push(("filter".to_owned(), condition.to_owned())),
        }
        endpoint
    }

    /// Whether its rows can say that a resource was not evaluated.
    pub fn tells_errors(&self) -> bool {
        self.path.contains("/clusteranalysis/")
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn call<'a>(&self, http: &'a Http) -> Call<'a> {
        let call = http.get(&self.path, &[]);
        self.parameters.iter().fold(call, |call, (name, value)| call.parameter(name, value))
    }
}

/// The text without percent-encoding, if it has any: nothing says that it never will.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| byte == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(given: &str) -> Vec<(String, String)> {
        Endpoint::parse(given).unwrap().parameters
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn text_that_is_no_url_is_read() {
        let given = "/api/cspm/v1/cloud/resources?controlId=16067&providerType=GCP\
                     &resourceKind=compute.googleapis.com/Subnetwork\
                     &filter=policyId=15 and zones.id=1";
        let expected = pairs(&[
            ("controlId", "16067"),
            ("providerType", "GCP"),
            ("resourceKind", "compute.googleapis.com/Subnetwork"),
            ("filter", "policyId=15 and zones.id=1"),
        ]);
        assert_eq!(parameters(given), expected);
        assert_eq!(parameters(&given.replace(' ', "%20")), expected);
        assert_eq!(parameters("/api/cspm/v1/kube/resources?pageNumber=3&pageSize=1"), pairs(&[]));
        assert_eq!(parameters("/api/cspm/v1/kube/resources?x=5%"), pairs(&[("x", "5%")]));
    }

    #[test]
    fn conditions_are_added_to_the_filter() {
        let filter = |given: &str| {
            let endpoint = Endpoint::parse(given).unwrap().and("pass=false");
            endpoint.parameters.into_iter().find(|(name, _)| name == "filter").unwrap().1
        };
        let base = "/api/cspm/v1/cloud/resources";
        assert_eq!(filter(&format!("{base}?filter=policyId=1")), "policyId=1 and pass=false");
        assert_eq!(filter(&format!("{base}?filter=")), "pass=false");
        assert_eq!(filter(base), "pass=false");
    }

    #[test]
    fn the_token_is_not_led_elsewhere() {
        for given in [
            "",
            "https://attacker.invalid/api/cspm/v1/cloud/resources",
            "//attacker.invalid/api/cspm/v1/cloud/resources",
            "/api/users/me",
            "/api/cspm/v1/../../users/me",
            "/api/cspm/v1/%2e%2e/users",
            "/api/cspm/v1//cloud",
            "/api/cspm/v1/",
            "/api/cspm/v1/cloud#x",
            "/api/cspm/v1/cloud\\x",
            "/api/cspm/v1/{}/resources",
            "/api/cspm/v1/cloud/resources?controlId",
            "/api/cspm/v1/cloud/resources?x=%ff",
        ] {
            assert!(Endpoint::parse(given).is_err(), "{given}");
        }
    }
}
