//! Faults of the set-up on this side: certificates, proxies, names, schemes. They look like outages
//! to an HTTP client, but waiting does not help, so that each has its own sentence and remedy.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::raw::innermost;

/// A fault that only a change of the set-up repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupFault {
    /// What happened, to follow the endpoint's name.
    pub what: String,
    /// The remedy.
    pub help: String,
}

/// The kind of fault, as far as the error reveals it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Untrusted,
    OtherHost,
    Expired,
    NotYetValid,
    ClientCertificate,
    OldTls,
    Handshake,
    NotTls,
    UnknownHost,
    ProxyLogin,
}

impl SetupFault {
    /// The fault of the set-up that a failed request reveals, if it is one.
    pub(super) fn of(error: &reqwest::Error, url: &Url, proxy: Option<&str>) -> Option<Self> {
        Some(Self::new(kind(error)?, innermost(error), url, proxy))
    }

    /// An answer of a proxy that asks for a login.
    pub(super) fn proxy_login(url: &Url, proxy: Option<&str>) -> Self {
        Self::new(Kind::ProxyLogin, "407".to_owned(), url, proxy)
    }

    /// An answer of a server that speaks https on the port that was asked with http.
    pub(super) fn needs_https(url: &Url) -> Self {
        let help = format!("write `https://` in `url`: {}", host(url));
        Self { what: "was answered by a server that expects https".to_owned(), help }
    }

    fn new(kind: Kind, detail: String, url: &Url, proxy: Option<&str>) -> Self {
        let host = host(url);
        let asked = proxy.map_or_else(|| host.clone(), |proxy| format!("the proxy {proxy}"));
        let (what, help) = match kind {
            Kind::Untrusted => (
                format!("failed: the certificate of {host} is not trusted ({detail})"),
                "name a PEM file with the authority that issued the certificate in `ca_file`, or \
                 install or update the package `ca-certificates` in the image; a proxy that \
                 inspects https needs its own authority there"
                    .to_owned(),
            ),
            Kind::OtherHost => (
                format!("failed: the certificate is not for {host} ({detail})"),
                "write the host name of the certificate in `url`, or check what answers at this \
                 address"
                    .to_owned(),
            ),
            Kind::Expired => (
                format!("failed: the certificate of {host} has expired ({detail})"),
                "renew the certificate of the platform; if it is valid, correct the clock of this \
                 machine"
                    .to_owned(),
            ),
            Kind::NotYetValid => (
                format!("failed: the certificate of {host} is not valid yet ({detail})"),
                "correct the clock of this machine".to_owned(),
            ),
            Kind::ClientCertificate => (
                format!("failed: {host} did not accept the client's certificate ({detail})"),
                "name a valid client certificate and its key in `client_cert` and `client_key`"
                    .to_owned(),
            ),
            Kind::OldTls => (
                format!("failed: {host} offers no TLS version that is safe ({detail})"),
                "enable TLS 1.2 or 1.3 on the platform, or on the proxy in between".to_owned(),
            ),
            Kind::Handshake => (
                format!("failed: {host} refused the TLS handshake ({detail})"),
                "the platform may require a client certificate (`client_cert` and `client_key`), \
                 or offer no cipher of TLS 1.2 or 1.3"
                    .to_owned(),
            ),
            Kind::NotTls => (
                format!("failed: {host} does not speak https ({detail})"),
                "correct the port in `url`, or write `http://` if the platform really has no TLS"
                    .to_owned(),
            ),
            Kind::UnknownHost => (
                format!("failed: the name of {asked} does not exist ({detail})"),
                match proxy {
                    None => "correct the host name in `url`, or this machine's name resolution",
                    Some(_) => "correct the variable that names the proxy, such as HTTPS_PROXY",
                }
                .to_owned(),
            ),
            Kind::ProxyLogin => (
                format!("failed: {asked} asks for a login ({detail})"),
                "put the user name and the password into the variable that names the proxy, such \
                 as HTTPS_PROXY=http://user:password@proxy:3128"
                    .to_owned(),
            ),
        };
        Self { what, help }
    }
}

/// Host and port.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

fn kind(error: &(dyn Error + 'static)) -> Option<Kind> {
    let mut is_name_resolution = false;
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(error);
        }
        let text = cause.to_string();
        // The types of these two errors are private.
        is_name_resolution |= text.contains("dns error");
        if text.contains("proxy authorization required") {
            return Some(Kind::ProxyLogin);
        }
    }
    (is_name_resolution && is_unknown_name(&innermost(error))).then_some(Kind::UnknownHost)
}

/// An error and its causes. The inner error of an I/O error is none of its causes for the standard
/// library, but it is the informative one.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn of_tls(error: &rustls::Error) -> Option<Kind> {
    Some(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Kind::OtherHost
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Kind::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Kind::NotYetValid
            }
            _ => Kind::Untrusted,
        },
        rustls::Error::NoCertificatesPresented | rustls::Error::UnsupportedNameType => {
            Kind::Untrusted
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired => Kind::ClientCertificate,
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                Kind::OldTls
            }
            AlertDescription::UnrecognisedName => Kind::OtherHost,
            AlertDescription::HandshakeFailure => Kind::Handshake,
            _ => return None,
        },
        rustls::Error::PeerIncompatible(_) => Kind::OldTls,
        rustls::Error::InvalidMessage(_) => Kind::NotTls,
        _ => return None,
    })
}

/// Whether the system's resolver says that the name does not exist, rather than that it could not
/// ask. The standard library keeps the resolver's words and no code.
fn is_unknown_name(words: &str) -> bool {
    [
        // glibc
        "Name or service not known",
        "No address associated with hostname",
        // musl
        "Name does not resolve",
        "Name has no usable address",
        // macOS
        "nodename nor servname provided",
        // Windows
        "os error 11001",
        "os error 11004",
    ]
    .iter()
    .any(|unknown| words.contains(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_does_not_exist_is_a_fault_of_the_set_up() {
        for words in ["Name or service not known", "Name does not resolve"] {
            assert!(is_unknown_name(&format!("failed to lookup address information: {words}")));
        }
        for words in ["Temporary failure in name resolution", "Try again", "System error"] {
            assert!(!is_unknown_name(&format!("failed to lookup address information: {words}")));
        }
    }
}
