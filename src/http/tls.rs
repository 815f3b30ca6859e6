//! TLS for https: which certificates are trusted, and the client's own certificate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::text;
use crate::workspace;

/// The largest PEM file that is read. A whole store of authorities has about 250 KiB.
const MOST_BYTES: u64 = 4 << 20;

/// The PEM files that a source's settings name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate chain, and its private key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The configuration for https.
///
/// # Errors
/// A sentence with the remedy, if a file cannot be used or this machine has no certificate store.
pub(super) fn for_https(files: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("failed to set up TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(files.ca_file.as_deref(), &provider)?);
    let Some((certificate, key)) = &files.client else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates("client_cert", certificate)?;
    let pem = read("client_key", key)?;
    // The parser's error may quote the file, which holds a key.
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        format!("client_key {} holds no unencrypted PEM private key", key.display())
    })?;
    builder.with_client_auth_cert(chain, private).map_err(|error| {
        format!(
            "client_cert {} and client_key {} cannot be used together: {error}",
            certificate.display(),
            key.display()
        )
    })
}

/// The configuration for plain http, where nothing is verified and no store is read.
pub(super) fn for_http() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("failed to set up TLS: {error}"))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The verifier for the system's authorities and those of a file. Reading the system's store takes
/// several milliseconds, so that sources with the same settings share it.
fn verifier(
    ca_file: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    static VERIFIERS: Mutex<BTreeMap<Option<PathBuf>, Arc<dyn ServerCertVerifier>>> =
        Mutex::new(BTreeMap::new());
    let mut verifiers = VERIFIERS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = ca_file.map(Path::to_owned);
    if let Some(known) = verifiers.get(&key) {
        return Ok(Arc::clone(known));
    }
    let extra = ca_file.map_or(Ok(Vec::new()), |path| certificates("ca_file", path))?;
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(provider)).map_err(
        |error| match ca_file {
            Some(path) => format!("ca_file {} cannot be used: {error}", path.display()),
            None => "https needs certificate authorities, and this machine has no certificate \
                     store: install the package `ca-certificates` in the image, or name a PEM file \
                     with `ca_file`"
                .to_owned(),
        },
    )?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    verifiers.insert(key, Arc::clone(&verifier));
    Ok(verifier)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(key, path)?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| format!("{key} {} holds no PEM certificate", path.display()))
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    workspace::read(path, MOST_BYTES).map_err(|error| {
        format!("failed to read {key} {}: {}", path.display(), text::reason(&error))
    })
}
