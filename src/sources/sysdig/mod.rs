//! Sysdig Secure, which is also IBM Cloud SCC Workload Protection (docs/platforms/sysdig.md).
//!
//! A source reads one of three kinds of evidence. Each has a folder of its own; they share the rest.
//!
//! ```text
//! settings/     the keys of a policy, validated      iam.rs       exchanges an API key for a token
//! filter.rs     the query language                   units.rs     severities, ids, times
//! pages.rs      numbered pages with a total          answer.rs    recognises refusals
//! posture/      controls on resources                demands.rs   counts what gates need
//! images/       policies and vulnerabilities         events/      what happened within a window
//! ```

use std::rc::Rc;

use reqwest::header::HeaderMap;
use url::Url;

use crate::artefact::Artefact;
use crate::evidence::{Filter, Outcome};
use crate::finding::{Cause, NOT_APPLICABLE, Problem, Severity};
use crate::http::{Auth, Credentials};
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Reads, Session, System, Table,
};
use crate::stop::Stop;

mod answer;
mod demands;
mod events;
mod filter;
mod iam;
mod images;
mod pages;
mod posture;
mod settings;
mod units;

pub use settings::Settings;

use settings::Asked;

/// The prefix of IBM Cloud's variables: a token from one of them is an API key.
const IBM: &str = "IBMCLOUD_";

pub const SYSTEM: System = System {
    name: "sysdig",
    title: "Sysdig Secure (IBM Cloud Workload Protection)",
    token_variables: &["SYSDIG_API_TOKEN", "IBMCLOUD_API_KEY"],
    token_prefixes: &["SYSDIG_", IBM],
    of_estate: &["images", "posture.zones", "posture.inventory"],
    selectors: posture::SELECTORS,
    renew: Some("wait until the platform has evaluated again, or start it there"),
};

impl Settings {
    /// With these artefacts as its images, where the run names them.
    pub(super) fn of_artefacts(&self, artefacts: &[Artefact]) -> Option<Self> {
        let Asked::Images(images) = &self.asked else { return None };
        let asked = Asked::Images(images.of_artefacts(artefacts)?);
        Some(Self { asked, ..self.clone() })
    }

    /// Whether the token is an API key, which is sent to IAM only.
    fn is_api_key(token: &Token) -> bool {
        token.variable.starts_with(IBM)
    }
}

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn further_origins(&self, token: &Token) -> Vec<&Url> {
        if Self::is_api_key(token) { vec![&self.iam_url] } else { Vec::new() }
    }

    fn filters(&self) -> Vec<Filter> {
        // The team and the instance choose the view.
        let view = self.headers.iter().filter_map(|(name, value)| {
            Some(Filter::setting(name.as_str(), [value.to_str().ok()?]))
        });
        self.asked.filters().into_iter().chain(view).collect()
    }

    fn selectors(&self) -> &'static [Field] {
        match &self.asked {
            Asked::Posture(_) => posture::SELECTORS,
            Asked::Images(images) if images.vulnerabilities.is_none() => images::SELECTORS,
            Asked::Images(_) => images::SELECTORS_OF_VULNERABILITIES,
            Asked::Events(_) => events::SELECTORS,
        }
    }

    fn credentials(
        &self,
        token: Token,
        stop: &Stop,
        progress: &Rc<Progress>,
    ) -> Result<Credentials, String> {
        if !Self::is_api_key(&token) {
            return Ok(Credentials::Fixed(Auth::Bearer(token.secret)));
        }
        if !self.has_instance {
            return Err(format!(
                "{} is an IBM Cloud API key, which needs the instance: set `instance_id` to its \
                 GUID",
                token.variable
            ));
        }
        let exchange = iam::Exchange {
            url: self.iam_url.clone(),
            timeout: self.connection.request_timeout,
            tls: self.connection.tls.clone(),
        };
        exchange.credentials(token.secret, stop, progress)
    }

    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn passes_unknown(&self) -> Option<String> {
        match &self.asked {
            Asked::Posture(_) => None,
            Asked::Images(images) => images.vulnerabilities.map(|_| {
                "passed checks of vulnerabilities are not listed; remove `vulnerabilities`"
                    .to_owned()
            }),
            Asked::Events(_) => Some("events are what happened, not what was checked".to_owned()),
        }
    }

    fn vocabulary(&self, field: Field) -> Option<Vec<String>> {
        let words = ["true", "false", NOT_APPLICABLE].map(str::to_owned).to_vec();
        (field == Field::Fixable).then_some(words)
    }

    fn reads(&self, field: Field) -> Option<Reads> {
        match (&self.asked, field) {
            (Asked::Posture(posture), Field::Severity) => Some(posture.severities_read()),
            (Asked::Images(images), Field::Severity) if images.vulnerabilities.is_none() => {
                let words = images::SEVERITIES.map(named).to_vec();
                Some(Reads { words, limited_by: None, never: Vec::new() })
            }
            (Asked::Events(events), Field::Severity) => events.severities_read(),
            (Asked::Events(events), field) => events.words_read(field),
            _ => None,
        }
    }

    fn lists(&self) -> &'static [Listing] {
        match self.asked {
            Asked::Posture(_) => {
                &[Listing::Frameworks, Listing::Policies, Listing::Rules, Listing::Accounts]
            }
            Asked::Images(_) | Asked::Events(_) => &[],
        }
    }
}

/// What a refused token needs (docs/platforms/sysdig.md#access).
const DENIED: &str = "a token is valid in the region of `url` only, and sees what its team sees \
                      (`team_id`); an API token of Sysdig belongs in SYSDIG_API_TOKEN, an API key \
                      of IBM Cloud in IBMCLOUD_API_KEY, with `instance_id`";

fn advised(problem: Problem) -> Problem {
    if problem.cause == Cause::Denied { problem.help(DENIED) } else { problem }
}

/// A severity as a policy names it.
fn named(severity: Severity) -> String {
    severity.word().to_owned()
}

impl Platform for Settings {
    type Ready<'a> = Kind<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        match &self.asked {
            Asked::Posture(settings) => {
                posture::preflight(settings, session).await.map(Kind::Posture)
            }
            Asked::Images(images) => images::preflight(images, session).await.map(Kind::Images),
            Asked::Events(settings) => events::preflight(settings, session).await.map(Kind::Events),
        }
        .map_err(|problems| problems.into_iter().map(advised).collect())
    }

    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
        match (&self.asked, what) {
            (Asked::Posture(posture), Listing::Rules) => posture::rules(posture, session).await,
            (Asked::Posture(_), Listing::Accounts) => posture::accounts(session).await,
            _ => posture::policies(&session.http).await,
        }
    }
}

/// The evidence that a source reads, after its preflight.
pub(super) enum Kind<'a> {
    Posture(posture::Planned<'a>),
    Images(images::Images<'a>),
    Events(events::Reachable<'a>),
}

impl Prepared for Kind<'_> {
    fn summary(&self) -> Vec<String> {
        match self {
            Self::Posture(ready) => ready.summary(),
            Self::Images(ready) => ready.summary(),
            Self::Events(ready) => ready.summary(),
        }
    }

    fn doubts(&self) -> Vec<Problem> {
        match self {
            Self::Posture(ready) => ready.doubts(),
            Self::Images(ready) => ready.doubts(),
            Self::Events(ready) => ready.doubts(),
        }
    }

    async fn collect(self) -> Outcome {
        match self {
            Self::Posture(ready) => ready.collect().await,
            Self::Images(ready) => ready.collect().await,
            Self::Events(ready) => ready.collect().await,
        }
    }
}
