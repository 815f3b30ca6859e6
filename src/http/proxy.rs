//! The proxy that the environment asks for: which one it is, and whether it can be used.

use std::env;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::header::HeaderValue;
use url::Url;

use crate::secret::Mask;

/// A proxy that requests to one URL go through.
pub(super) struct Proxy {
    /// Scheme, host and port; no credentials.
    pub(super) origin: String,
    /// Whether the connection to the proxy itself is https.
    pub(super) is_https: bool,
}

/// The proxy for a URL, if there is one.
///
/// # Errors
/// A sentence, if the environment names a proxy that cannot be used. The client would ignore it and
/// connect directly, which may be what the proxy is there to prevent.
pub(super) fn for_url(url: &Url) -> Result<Option<Proxy>, String> {
    let Ok(uri) = url.as_str().parse() else { return Ok(None) };
    if let Some((variable, value)) = variable(url.scheme()) {
        let no_proxy = first_set(&["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, no)| no);
        let matcher = Matcher::builder().all(value).no(no_proxy.clone()).build();
        let excluded = || {
            let any = Matcher::builder().all("http://proxy.invalid").no(no_proxy).build();
            any.intercept(&uri).is_none()
        };
        match matcher.intercept(&uri) {
            Some(found) if !is_http(&found) => {
                return Err(format!(
                    "{variable} names a {} proxy, which is not supported; name an http:// or \
                     https:// proxy, or list the host in NO_PROXY",
                    found.uri().scheme_str().unwrap_or_default()
                ));
            }
            None if !excluded() => {
                return Err(format!(
                    "{variable} is not the URL of a proxy, such as http://proxy.example.com:3128; \
                     correct it, or list the host in NO_PROXY"
                ));
            }
            _ => {}
        }
    }
    Ok(Matcher::from_system().intercept(&uri).map(|found| {
        let origin = found.uri().to_string().trim_end_matches('/').to_owned();
        found.basic_auth().into_iter().for_each(mask);
        Proxy { origin, is_https: found.uri().scheme_str() == Some("https") }
    }))
}

fn is_http(proxy: &Intercept) -> bool {
    matches!(proxy.uri().scheme_str(), Some("http" | "https"))
}

/// The variable that decides for a scheme, and its value.
fn variable(scheme: &str) -> Option<(&'static str, String)> {
    let own = match scheme {
        "https" => first_set(&["HTTPS_PROXY", "https_proxy"]),
        _ => first_set(&["HTTP_PROXY", "http_proxy"]),
    };
    own.filter(|(_, value)| !value.is_empty())
        .or_else(|| first_set(&["ALL_PROXY", "all_proxy"]))
        .filter(|(_, value)| !value.is_empty())
}

/// The first of these variables that is set, even if it is empty: this is how the client reads them.
fn first_set(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        env::var_os(name).map(|value| (*name, value.to_string_lossy().into_owned()))
    })
}

/// Masks the credentials as they are sent, and the password in them.
fn mask(header: &HeaderValue) {
    let Some(pair) = header.to_str().ok().and_then(|header| header.strip_prefix("Basic ")) else {
        return;
    };
    Mask::remember(pair);
    let decoded = BASE64_STANDARD.decode(pair).unwrap_or_default();
    if let Some((_, password)) = String::from_utf8_lossy(&decoded).split_once(':') {
        Mask::remember(password);
    }
}
