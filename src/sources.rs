//! The contract of a source, and the table of systems.
//!
//! A new system is a folder below `sources/` and a row in the table below.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use crate::evidence::{Outcome, Part};
use crate::finding::{Cause, Problem};
use crate::http::{Auth, Credentials, Http};
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::{Field, Wanted};
use crate::stop::Stop;

pub mod bigid;
pub mod bigpanda;
pub mod gravityzone;
pub mod opencomply;
mod settings;
pub mod sysdig;

pub(crate) use settings::settings;
pub use settings::{Connection, Endpoint, OneOrMore, Period};

/// The table of systems.
macro_rules! systems {
    ($($system:ident),+ $(,)?) => {
        pub const SYSTEMS: &[&System] = &[$(&$system::SYSTEM),+];

        /// Reads the settings of one source of a system.
        ///
        /// # Errors
        /// What the system's own settings refuse, and an unknown system.
        pub fn read<'de, D: Deserializer<'de>>(
            system: &str,
            settings: D,
        ) -> Result<Rc<dyn Source>, D::Error> {
            $(if system == $system::SYSTEM.name {
                let settings = $system::Settings::deserialize(settings)?;
                return Ok(Rc::new(settings));
            })+
            Err(de::Error::custom(format_args!("unknown system `{system}`")))
        }

        /// The JSON Schema of each system's settings.
        #[cfg(test)]
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
            vec![$(($system::SYSTEM.name, generator.subschema_for::<$system::Settings>())),+]
        }
    };
}

systems!(bigid, bigpanda, gravityzone, opencomply, sysdig);

/// What a system is and can do; the same for all its tenants.
#[derive(Debug)]
pub struct System {
    /// The key in a policy: `opencomply`, or `opencomply/<tenant>`.
    pub name: &'static str,
    /// The product's name, for people.
    pub title: &'static str,
    /// The variables that may hold the token; the one that is set counts.
    pub token_variables: &'static [&'static str],
    /// What `token_env` must begin with, so that no system is sent another one's token.
    pub token_prefixes: &'static [&'static str],
    /// The selectors that a gate can use, unless the settings say otherwise.
    pub selectors: &'static [Field],
    /// Whether it says when it evaluated, so that `max_age` can be asked for.
    pub states_time: bool,
    /// What its unit of counting is called.
    pub unit: &'static str,
}

/// A future on the one thread we run on.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The validated settings of one source; no secrets, nothing of the policy. As an `Any` they can be
/// had back by what works with one system only.
pub trait Source: Any + std::fmt::Debug {
    fn system(&self) -> &'static System;

    /// Where it is and how to speak to it.
    fn connection(&self) -> &Connection;

    /// What the platform is shown in return for the pipeline's token.
    ///
    /// # Errors
    /// A sentence, if the token cannot be used with these settings.
    fn credentials(
        &self,
        token: Token,
        _stop: &Stop,
        _progress: &Rc<Progress>,
    ) -> Result<Credentials, String> {
        Ok(Credentials::Fixed(Auth::Bearer(token.secret)))
    }

    /// Where a secret is sent besides `connection().url`: to exchange this token, say.
    fn further_origins(&self, _token: &Token) -> Vec<&Url> {
        Vec::new()
    }

    /// The selectors that a gate can use.
    fn selectors(&self) -> &'static [Field] {
        self.system().selectors
    }

    /// Headers that every request carries besides.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// Why passes cannot be known with these settings, if they cannot.
    fn passes_unknown(&self) -> Option<String> {
        None
    }

    /// Every word that a selector of this field can meet, where the platform's words are few and
    /// known. In a window there need not be anything, so a typo would be green for ever; a pattern
    /// that meets none of these is refused.
    fn vocabulary(&self, _field: Field) -> Option<Vec<String>> {
        None
    }

    /// The words of its vocabulary that a word of the vendor's stands for, if it is none itself.
    fn meant(&self, _field: Field, _word: &str) -> Vec<String> {
        Vec::new()
    }

    /// Whether there is something to list.
    fn has_lists(&self) -> bool {
        false
    }

    /// Lists what the platform offers, to write a policy from: a header, and rows.
    fn list<'a>(&'a self, _http: &'a Http, what: Listing) -> Later<'a, Result<Table, Problem>> {
        let message = format!("{} has no list of {}", self.system().title, what.word());
        Box::pin(async move { Err(Problem::new(Cause::Invalid, message)) })
    }

    /// Checks online all that can be checked without starting anything.
    fn preflight<'a>(
        &'a self,
        run: &'a Run,
    ) -> Later<'a, Result<Box<dyn Ready + 'a>, Vec<Problem>>>;
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    Frameworks,
    Integrations,
}

impl Listing {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Frameworks => "frameworks",
            Self::Integrations => "integrations",
        }
    }
}

/// A table for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// A source that passed its preflight.
pub trait Ready {
    /// What was found, a line each, for `doctor`.
    fn findings(&self) -> Vec<String>;

    /// What already makes part of the evidence inconclusive, for `doctor`; `collect` says it again
    /// where it belongs.
    fn doubts(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Collects the evidence. On the stop signal it *returns*, with what it has and after
    /// cancelling what it started; it is never dropped in flight.
    fn collect<'a>(self: Box<Self>) -> Later<'a, Outcome>
    where
        Self: 'a;
}

/// What a source is given to work with.
pub struct Run {
    /// The source's name in the policy.
    pub name: String,
    pub http: Http,
    pub wanted: Wanted,
    pub stop: Stop,
    pub progress: Rc<Progress>,
}

impl Run {
    /// The outcome of this source, with what the client knows of the exchange.
    pub fn outcome(&self, parts: Vec<Part>, problems: Vec<Problem>, notes: Vec<String>) -> Outcome {
        Outcome {
            source: self.name.clone(),
            origin: self.http.origin(),
            simulated: self.http.simulated(),
            requests: self.http.requests(),
            parts,
            problems,
            notes,
        }
    }
}
