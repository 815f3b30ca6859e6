//! The product, on one screen: preflight, collect, decide.

use std::rc::Rc;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::config::Config;
use crate::evidence::Outcome;
use crate::finding::{Cause, Problem};
use crate::http::{Http, Setup};
use crate::policy::Level;
use crate::progress::Progress;
use crate::secret::{Token, Variables};
use crate::sources::{Ready, Run, Source};
use crate::stop::{Signal, Stop};

/// Limits the origins that a token may be sent to; set by the pipeline, not by the repository.
pub const ALLOWED_ORIGINS: &str = "COMPLIANCE_GATE_ALLOWED_ORIGINS";

/// The sources of a configuration, each with its token and its client.
pub struct Gate {
    asked: Vec<Asked>,
    stop: Stop,
}

/// Sources that cannot be asked: the name of each, and a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.0.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("\n"))]
pub struct NotSetUp(pub Vec<(String, String)>);

struct Asked {
    source: Rc<dyn Source>,
    run: Run,
    /// Whether a gate that stops the pipeline needs it.
    needed: bool,
}

/// What a source found before anything was started.
pub type Preflight<'a> = Result<Box<dyn Ready + 'a>, Vec<Problem>>;

impl Gate {
    /// Gives each source its token and its client. Nothing is sent.
    ///
    /// # Errors
    /// If a source has no usable token, or is outside the allowed origins.
    pub fn open(
        config: &Config,
        variables: &Variables,
        progress: &Rc<Progress>,
        signal: watch::Receiver<Option<Signal>>,
    ) -> Result<Self, NotSetUp> {
        let stop = Stop::new(config.deadline, signal);
        let mut wrong = Vec::new();
        let mut asked = Vec::new();
        for (name, source) in &config.sources {
            match http(name, source.as_ref(), variables, &stop, progress) {
                Ok(http) => asked.push(Asked {
                    source: Rc::clone(source),
                    run: Run {
                        name: name.clone(),
                        http,
                        wanted: config.policy.wanted(name),
                        stop: stop.clone(),
                        progress: Rc::clone(progress),
                    },
                    needed: config
                        .policy
                        .gates
                        .iter()
                        .any(|gate| gate.level == Level::Block && gate.uses(name)),
                }),
                Err(sentence) => wrong.push((name.clone(), sentence)),
            }
        }
        if wrong.is_empty() { Ok(Self { asked, stop }) } else { Err(NotSetUp(wrong)) }
    }

    /// Asks every source; one that fails does not hide the others. Only where a needed source
    /// finds the configuration itself wrong, nothing is started anywhere.
    pub async fn collect(&self) -> Vec<Outcome> {
        let preflights = self.preflight().await;
        let invalid = self.asked.iter().zip(&preflights).find(|(asked, preflight)| {
            asked.needed
                && preflight.as_ref().is_err_and(|problems| {
                    problems.iter().any(|problem| problem.cause == Cause::Invalid)
                })
        });
        let held_back = invalid.map(|(asked, _)| {
            Problem::new(
                Cause::Incomplete,
                format!("not asked, since the configuration of {} is invalid", asked.run.name),
            )
        });
        let outcomes =
            self.asked.iter().zip(preflights).map(async |(Asked { run, .. }, preflight)| {
                match (preflight, &held_back) {
                    (Err(problems), _) => run.outcome(Vec::new(), problems, Vec::new()),
                    (Ok(_), Some(problem)) => {
                        run.outcome(Vec::new(), vec![problem.clone()], Vec::new())
                    }
                    (Ok(ready), None) => ready.collect().await,
                }
            });
        join_all(outcomes).await
    }

    /// Checks online all that can be checked without starting anything; in the order of `sources`.
    pub async fn preflight(&self) -> Vec<Preflight<'_>> {
        join_all(self.asked.iter().map(|asked| asked.source.preflight(&asked.run))).await
    }

    /// The sources and what they work with, by name.
    pub fn sources(&self) -> impl Iterator<Item = (&dyn Source, &Run)> {
        self.asked.iter().map(|asked| (asked.source.as_ref(), &asked.run))
    }

    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

fn http(
    name: &str,
    source: &dyn Source,
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
    let setup = Setup {
        source: name,
        base: &connection.url,
        credentials: source.credentials(token, stop, progress)?,
        headers: source.headers(),
        timeout: connection.request_timeout,
        ca_file: connection.ca_file.as_deref(),
    };
    Http::new(setup, stop.clone(), Rc::clone(progress))
}

/// Whether the pipeline lets a token be sent there.
///
/// # Errors
/// A sentence, if it does not.
pub fn check_origin(url: &url::Url, variables: &Variables) -> Result<(), String> {
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
