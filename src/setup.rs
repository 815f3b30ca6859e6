//! Opens the sources of a configuration: each gets its token and its client. Nothing is sent.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::http::{Http, Setup};
use crate::progress::Progress;
use crate::secret::{Token, Variables};
use crate::sources::{Preflights, Session, Source};
use crate::stop::{Signal, Stop};

/// Limits the origins that a token may be sent to; set by the pipeline, not by the repository.
pub(crate) const ALLOWED_ORIGINS: &str = "COMPLIANCE_GATE_ALLOWED_ORIGINS";

/// Below the hour at which most CI hosts end a job.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(45 * 60);

/// The sources of a configuration, in its order, ready to be asked.
pub(crate) struct OpenSources {
    pub sources: Vec<OpenSource>,
    /// Sources that cannot be asked and that no gate needs that blocks today, each with a sentence.
    pub unopened: Vec<(String, String)>,
    /// Given to every session, so that nothing is started before all of them have ended.
    pub preflights: Preflights,
    pub stop: Stop,
}

impl OpenSources {
    /// The same, where every source must be open.
    ///
    /// # Errors
    /// If one is not.
    pub(crate) fn all(self) -> Result<Self, SetupErrors> {
        if self.unopened.is_empty() { Ok(self) } else { Err(SetupErrors(self.unopened)) }
    }
}

/// A source with what it needs to ask its platform.
pub(crate) struct OpenSource {
    pub source: Rc<Source>,
    pub session: Session,
    /// Whether a blocking gate needs it.
    pub needed: bool,
}

/// Sources that cannot be asked: the name of each, and a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.0.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("\n"))]
pub struct SetupErrors(pub Vec<(String, String)>);

/// How long a run may take.
pub(crate) fn deadline(config: &Config) -> Duration {
    config.deadline.unwrap_or(DEFAULT_DEADLINE)
}

/// Gives each source its token and its client. Nothing is sent.
///
/// # Errors
/// If a source has no usable token, or is outside the allowed origins.
pub(crate) fn open(
    config: &Config,
    variables: &Variables,
    progress: &Rc<Progress>,
    signal: watch::Receiver<Option<Signal>>,
) -> Result<OpenSources, SetupErrors> {
    let stop = Stop::new(deadline(config), signal);
    let today = chrono::Utc::now().date_naive();
    let preflights = Preflights::default();
    let mut sources = Vec::new();
    let mut errors = Vec::new();
    let mut unopened = Vec::new();
    for (name, source) in &config.sources {
        let needed = config.blocks_on(name, today);
        match http(name, source, variables, &stop, progress) {
            Ok(http) => sources.push(OpenSource {
                source: Rc::clone(source),
                session: Session {
                    name: name.clone(),
                    http,
                    wanted: config.wanted(name),
                    permit: preflights.register(),
                    previous: None,
                    stop: stop.clone(),
                    progress: Rc::clone(progress),
                },
                needed,
            }),
            Err(sentence) if needed => errors.push((name.clone(), sentence)),
            Err(sentence) => unopened.push((name.clone(), sentence)),
        }
    }
    match errors.is_empty() {
        true => Ok(OpenSources { sources, unopened, preflights, stop }),
        false => Err(SetupErrors([errors, unopened].concat())),
    }
}

fn http(
    name: &str,
    source: &Source,
    variables: &Variables,
    stop: &Stop,
    progress: &Rc<Progress>,
) -> Result<Http, String> {
    let connection = source.connection();
    check_origin(&connection.url, variables)?;
    let token = Token::read(&connection.token_variables, variables)?;
    for url in source.further_origins(&token) {
        check_origin(url, variables)?;
    }
    let mut headers = connection.headers.clone();
    headers.extend(source.headers());
    let setup = Setup {
        source: name,
        base: &connection.url,
        credentials: source.credentials(token, stop, progress)?,
        headers,
        timeout: connection.request_timeout,
        spacing: source.spacing(),
        tls: &connection.tls,
    };
    Http::new(setup, stop.clone(), Rc::clone(progress))
}

/// Whether the pipeline allows a token to be sent there.
///
/// # Errors
/// A sentence, if it does not.
pub(crate) fn check_origin(url: &url::Url, variables: &Variables) -> Result<(), String> {
    let Some(allowed) = variables.get(ALLOWED_ORIGINS).filter(|allowed| !allowed.trim().is_empty())
    else {
        return Ok(());
    };
    let words = allowed.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    let origins = words
        .map(|word| {
            url::Url::parse(word).map(|url| url.origin().ascii_serialization()).map_err(|error| {
                format!(
                    "{ALLOWED_ORIGINS}: `{word}` is not an origin such as https://host ({error})"
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let origin = url.origin().ascii_serialization();
    if origins.contains(&origin) {
        return Ok(());
    }
    Err(format!(
        "{origin} is not one of the origins that the pipeline allows ({ALLOWED_ORIGINS}: {}); no \
         token is sent there",
        origins.join(", ")
    ))
}
