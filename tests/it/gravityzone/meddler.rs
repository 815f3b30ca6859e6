//! A proxy of the simulator that changes which accounts a request asks for, so that the parts of a
//! list are not what the gate takes them for.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};

/// What becomes of the accounts that a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Meddling {
    /// The filter is ignored.
    Ignored,
    /// No check matches the filter.
    Nothing,
    /// The last account is left out.
    TooFew,
    /// The accounts of the first request are those of every one.
    Overlapping,
}

#[derive(Clone)]
struct Proxy {
    simulator: String,
    meddling: Meddling,
    first: std::sync::Arc<std::sync::OnceLock<String>>,
}

/// Starts it on a free port, until the test's runtime ends, and returns its origin.
pub async fn start(simulator: String, meddling: Meddling) -> String {
    // reqwest asks for one also where nothing is encrypted; another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let proxy = Proxy { simulator, meddling, first: std::sync::Arc::default() };
    let app = Router::new().fallback(pass_on).with_state(proxy);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

async fn pass_on(
    State(proxy): State<Proxy>,
    request: Request,
) -> (StatusCode, [(header::HeaderName, HeaderValue); 1], Bytes) {
    let target = request.uri().path_and_query().unwrap().as_str();
    let mut url = url::Url::parse(&format!("{}{target}", proxy.simulator)).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().filter_map(|(name, value)| match &*name {
        "scans" => Some((name, proxy.changed(value)?)),
        _ => Some((name, value)),
    });
    let pairs: Vec<_> = pairs.collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    let mut headers = request.headers().clone();
    headers.remove(header::ACCEPT_ENCODING);
    let sent = reqwest::Client::new().get(url).headers(headers);
    let answer = sent.send().await.unwrap();
    let status = answer.status();
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], answer.bytes().await.unwrap())
}

impl Proxy {
    fn changed(&self, scans: String) -> Option<String> {
        match self.meddling {
            Meddling::Ignored => None,
            Meddling::Nothing => Some("no such account".to_owned()),
            Meddling::TooFew => {
                let (rest, _) = scans.rsplit_once(',').unwrap_or(("no such account", ""));
                Some(rest.to_owned())
            }
            Meddling::Overlapping => Some(self.first.get_or_init(|| scans).clone()),
        }
    }
}
