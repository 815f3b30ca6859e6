//! An https server in front of the simulator, with certificates made for one test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// A certificate authority that only this test knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// The authority's certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host, or for a client.
    pub fn certify(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// An https server on this machine that hands requests on to an origin.
pub struct TlsServer {
    pub origin: String,
    connections: Arc<AtomicUsize>,
}

impl TlsServer {
    /// `clients`: the authority of the clients' certificates, if the server asks for one.
    pub fn start(upstream: &str, identity: &Identity, clients: Option<&Authority>) -> Self {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
                    .unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        serve(move |mut client| {
            let mut connection = ServerConnection::new(Arc::clone(&config))?;
            let mut tls = rustls::Stream::new(&mut connection, &mut client);
            let mut request = Vec::new();
            let mut buffer = [0; 16 * 1024];
            while !is_whole(&request) {
                match tls.read(&mut buffer)? {
                    0 => return Ok(()),
                    read => request.extend_from_slice(&buffer[..read]),
                }
            }
            let mut server = TcpStream::connect(&upstream)?;
            let text = String::from_utf8_lossy(&request).into_owned();
            let text = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            server.write_all(text.as_bytes())?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            tls.write_all(&answer)?;
            tls.flush()?;
            connection.send_close_notify();
            connection.complete_io(&mut client)?;
            Ok(())
        })
    }

    /// A server that answers every request with these bytes.
    pub fn answering(bytes: &'static [u8]) -> Self {
        serve(move |mut client| {
            let mut buffer = [0; 16 * 1024];
            let _ = client.read(&mut buffer)?;
            client.write_all(bytes)?;
            Ok(())
        })
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Serves until the test ends.
fn serve(
    answer: impl Fn(TcpStream) -> Result<(), Box<dyn std::error::Error>> + Send + Sync + 'static,
) -> TlsServer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, answer) = (Arc::clone(&connections), Arc::new(answer));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = Arc::clone(&answer);
            let _ = client.set_read_timeout(Some(Duration::from_secs(10)));
            std::thread::spawn(move || drop(answer(client)));
        }
    });
    TlsServer { origin, connections }
}

/// Whether a request has arrived with its body.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    body.len() >= length
}
