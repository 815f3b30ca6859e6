//! Where the resources of a control are listed, as the control states it
//! (docs/platforms/sysdig.md#resources-of-a-control).
//!
//! The text is not a valid URL: spaces, `/` and `=` in values are not encoded. It is parsed, checked
//! to be a call for compliance results, and encoded.

use crate::http::{Call, Http};
use crate::text;

/// The token is sent to no other path.
const BELOW: &str = "/api/cspm/v1/";

/// A call that lists the resources of a control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    path: String,
    parameters: Vec<(String, String)>,
}

impl Endpoint {
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(super) fn parse(given: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what} (`{}`)", text::one_line(given, 120));
        let (path, query) = given.trim().split_once('?').unwrap_or((given.trim(), ""));
        let inner = path
            .strip_prefix(BELOW)
            .ok_or_else(|| wrong("leads outside of /api/cspm/v1/; the token is not sent there"))?;
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
            let value = decoded(value).ok_or_else(|| wrong("has bytes that are not text"))?;
            // Each request sets its own page.
            if !matches!(name, "pageNumber" | "pageSize") {
                parameters.push((name.to_owned(), value));
            }
        }
        Ok(Self { path: path.trim_start_matches('/').to_owned(), parameters })
    }

    /// The same list, limited to resources that meet this condition, too.
    #[must_use]
    pub(super) fn and(&self, condition: &str) -> Self {
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

    /// Whether its rows can state that a resource was not evaluated.
    pub(super) fn states_errors(&self) -> bool {
        self.path.contains("/clusteranalysis/")
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn call<'a>(&self, http: &'a Http) -> Call<'a> {
        let call = http.get(&self.path, &[]);
        self.parameters.iter().fold(call, |call, (name, value)| call.parameter(name, value))
    }
}

/// The text without percent-encoding, if it has any.
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
    fn text_that_is_not_a_url_is_read() {
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
    fn the_token_is_sent_nowhere_else() {
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
