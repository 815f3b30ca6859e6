//! The server: one port on loopback, an access log, faults, and the mark that evidence is
//! simulated.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, DATE};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::fault::Faults;
use crate::reply;
use crate::scenario::Scenario;

/// The response header that marks simulated evidence.
const SIMULATED_BY: (&str, &str) = ("x-simulated-by", "compliance-gate");

/// nginx's defaults: the longest request line and the largest body, in bytes
/// (docs/platforms/opencomply.md, routing).
const LONGEST_URI: usize = 8 * 1024;
const LARGEST_BODY: u64 = 1024 * 1024;

/// One request that was answered: a line of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The method, such as `GET`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.path, self.status)
    }
}

/// A simulator that runs in the background until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    clock: Clock,
    task: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Binds `address` (port 0 takes a free one) and serves the scenario on the current runtime.
    ///
    /// # Errors
    /// If the address is not on loopback or cannot be bound.
    pub async fn start(
        address: SocketAddr,
        scenario: Scenario,
        on_request: impl Fn(&Access) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = bind(address).await?;
        let clock = Clock::start();
        Ok(Self {
            address: listener.local_addr()?,
            clock: clock.clone(),
            task: tokio::spawn(serve_by(clock, listener, scenario, on_request)),
        })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The clock of its platforms.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The origin, such as `http://127.0.0.1:40123`: the base URL of every platform but
    /// GravityZone. GravityZone's base URL is this followed by `/v1`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds a port for the simulator.
///
/// # Errors
/// If the address is not on loopback or cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    only_loopback(address)?;
    TcpListener::bind(address).await
}

/// Serves the scenario until the future is dropped. `on_request` sees every answered request.
///
/// # Errors
/// If the listener is not on loopback.
pub async fn serve(
    listener: TcpListener,
    scenario: Scenario,
    on_request: impl Fn(&Access) + Send + Sync + 'static,
) -> io::Result<()> {
    serve_by(Clock::start(), listener, scenario, on_request).await
}

async fn serve_by(
    clock: Clock,
    listener: TcpListener,
    scenario: Scenario,
    on_request: impl Fn(&Access) + Send + Sync + 'static,
) -> io::Result<()> {
    only_loopback(listener.local_addr()?)?;
    let server = Arc::new(Server {
        faults: Faults::new(scenario.faults.clone()),
        clock: clock.clone(),
        on_request: Box::new(on_request),
    });
    let platforms = scenario.routes(&clock).fallback(async || reply::web_ui());
    // As a fallback service the platforms are routed after `answer`, which may change the path.
    let app = Router::new().fallback_service(platforms).layer(from_fn_with_state(server, answer));
    let listener = listener.tap_io(|stream| {
        // Without it the last packet of an answer can wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}

/// The simulator checks no secret, so it must not be reachable from other machines.
fn only_loopback(address: SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "failed to listen on {address}: the simulator serves loopback only, such as 127.0.0.1"
        ),
    ))
}

struct Server {
    faults: Faults,
    clock: Clock,
    on_request: Box<dyn Fn(&Access) + Send + Sync>,
}

async fn answer(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let mut response = match server.faults.due(&method, uri.path()) {
        None => pass(request, next).await,
        Some(fault) if fault.applies() => fault.answer(Some(pass(request, next).await)).await,
        Some(fault) => fault.answer(None).await,
    };
    response
        .headers_mut()
        .insert(HeaderName::from_static(SIMULATED_BY.0), HeaderValue::from_static(SIMULATED_BY.1));
    if let Ok(date) = HeaderValue::from_str(&server.clock.http_date()) {
        response.headers_mut().insert(DATE, date);
    }
    (server.on_request)(&Access {
        method: method.to_string(),
        path: uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string),
        status: response.status().as_u16(),
    });
    response
}

async fn pass(mut request: Request, next: Next) -> Response {
    if let Some(status) = over_limit(&request) {
        return reply::nginx(status);
    }
    if let Some(uri) = without_trailing_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

fn over_limit(request: &Request) -> Option<StatusCode> {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if request.uri().to_string().len() > LONGEST_URI {
        Some(StatusCode::URI_TOO_LONG)
    } else if length.is_some_and(|length| length > LARGEST_BODY) {
        Some(StatusCode::PAYLOAD_TOO_LARGE)
    } else {
        None
    }
}

/// echo removes a trailing slash before it routes (docs/platforms/opencomply.md, routing); BigPanda
/// tells the two apart.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    if path.starts_with("/resources/") {
        return None;
    }
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}
