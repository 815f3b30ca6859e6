//! The contract of a source, and the table of systems.
//!
//! A new system is a folder below `sources/` and a row in the table below.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use url::Url;

use crate::artefact::Artefact;
use crate::evidence::{Filter, Outcome, Part};
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Auth, Credentials, Http};
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::{Field, Wanted};
use crate::stop::Stop;
use crate::text;

pub mod bigid;
pub mod bigpanda;
mod clock;
pub mod gravityzone;
mod look_back;
pub mod opencomply;
mod permit;
mod settings;
pub mod sysdig;

pub use look_back::{LookBack, PreviousRun};
pub use permit::{Permit, Preflights};
pub use settings::{
    Connection, Endpoint, Headers, OneOrMore, PageLimit, Period, SeverityWord, TYPED, Typed,
    severity_word, tls,
};
pub(crate) use settings::{schema_of, settings, written_as};

/// The table of systems: a row is the system's variant and its module.
macro_rules! systems {
    ($($variant:ident: $module:ident),+ $(,)?) => {
        pub const SYSTEMS: &[&System] = &[$(&$module::SYSTEM),+];

        /// The validated settings of one source; no secrets, nothing of the policy.
        #[derive(Debug, PartialEq)]
        pub enum Source {
            $($variant($module::Settings)),+
        }

        /// A source that passed its preflight.
        pub struct Ready<'a>(ReadyOf<'a>);

        enum ReadyOf<'a> {
            $($variant(<$module::Settings as Platform>::Ready<'a>)),+
        }

        impl Source {
            /// Reads the settings of one source of a system.
            ///
            /// # Errors
            /// What the system's own settings refuse, and an unknown system.
            pub fn read<'de, D: Deserializer<'de>>(
                system: &str,
                settings: D,
            ) -> Result<Self, D::Error> {
                $(if system == $module::SYSTEM.name {
                    return $module::Settings::deserialize(settings).map(Self::$variant);
                })+
                Err(de::Error::custom(format_args!("unknown system `{system}`")))
            }

            pub fn system(&self) -> &'static System {
                match self { $(Self::$variant(_) => &$module::SYSTEM),+ }
            }

            /// Checks online all that can be checked without starting anything.
            ///
            /// # Errors
            /// Every reason why a run would not work.
            pub async fn preflight<'a>(
                &'a self,
                session: &'a Session,
            ) -> Result<Ready<'a>, Vec<Problem>> {
                match self {
                    $(Self::$variant(settings) => {
                        settings.preflight(session).await.map(ReadyOf::$variant)
                    })+
                }
                .map(Ready)
            }

            /// Lists what the platform offers, to write a policy from: a header, and rows.
            ///
            /// # Errors
            /// If the platform has no such list, or cannot be asked.
            pub async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
                if let Some(table) = stated(&**self, what) {
                    return Ok(table);
                }
                if !self.lists().contains(&what) {
                    return Err(no_list(session, what));
                }
                match self { $(Self::$variant(settings) => settings.list(session, what).await),+ }
            }

            /// Whether there is such a list.
            pub fn has_list(&self, what: Listing) -> bool {
                stated(&**self, what).is_some() || self.lists().contains(&what)
            }
        }

        /// What the settings state by themselves.
        impl std::ops::Deref for Source {
            type Target = dyn Describe;

            fn deref(&self) -> &Self::Target {
                match self { $(Self::$variant(settings) => settings),+ }
            }
        }

        impl Ready<'_> {
            /// What was found, a line each, for `doctor`.
            pub fn summary(&self) -> Vec<String> {
                match &self.0 { $(ReadyOf::$variant(ready) => ready.summary()),+ }
            }

            /// What already makes part of the evidence inconclusive, for `doctor`. `collect`
            /// reports it again, with the part that it belongs to.
            pub fn doubts(&self) -> Vec<Problem> {
                match &self.0 { $(ReadyOf::$variant(ready) => ready.doubts()),+ }
            }

            /// Collects the evidence. On the stop signal it *returns*, with what it has and after
            /// cancelling what it started; it is never dropped in flight.
            pub async fn collect(self) -> Outcome {
                match self.0 { $(ReadyOf::$variant(ready) => ready.collect().await),+ }
            }
        }

        /// The JSON Schema of each system's settings.
        #[cfg(test)]
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
            vec![$(($module::SYSTEM.name, generator.subschema_for::<$module::Settings>())),+]
        }
    };
}

systems! {
    BigId: bigid,
    BigPanda: bigpanda,
    GravityZone: gravityzone,
    OpenComply: opencomply,
    Sysdig: sysdig,
}

impl Source {
    /// With these artefacts as its images, where its settings leave them to the run.
    pub fn of_artefacts(&self, artefacts: &[Artefact]) -> Option<Self> {
        match self {
            Self::Sysdig(settings) => settings.of_artefacts(artefacts).map(Self::Sysdig),
            _ => None,
        }
    }
}

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
    /// Settings that choose a part of the estate, by their paths. An organisation's policy may take
    /// them from the repository's.
    pub of_estate: &'static [&'static str],
    /// How to have newer evidence, where there is a way.
    pub renew: Option<&'static str>,
}

/// What settings state without asking the platform.
pub trait Describe {
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
    fn selectors(&self) -> &'static [Field];

    /// Headers that every request carries besides.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// The shortest time between the starts of two requests, where the platform limits their rate.
    fn spacing(&self) -> Duration {
        Duration::ZERO
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

    /// The words of the vocabulary that are meant by a word of the vendor's documentation.
    fn meant(&self, _field: Field, _word: &str) -> Vec<String> {
        Vec::new()
    }

    /// The settings that choose what is asked for, so that saved evidence is not taken for more than
    /// it is.
    fn filters(&self) -> Vec<Filter>;

    /// What of a field the source reads, where that is known: all values that it can ever report, or
    /// those that its settings leave. A gate that asks for others only would always pass.
    fn reads(&self, _field: Field) -> Option<Reads> {
        None
    }

    /// What the platform can be asked to list. Words that the settings state are listed anyway.
    fn lists(&self) -> &'static [Listing] {
        &[]
    }
}

/// The values of one field that a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reads {
    /// As a policy writes them.
    pub words: Vec<String>,
    /// The key that leaves out the others, such as `filters.severities`; `None` where the platform
    /// has no others.
    pub limited_by: Option<&'static str>,
    /// What the platform never has, with or without that key.
    pub never: Vec<String>,
}

impl Reads {
    /// The severities that a platform has.
    fn all(severities: impl IntoIterator<Item = Severity>) -> Self {
        let words = severities.into_iter().map(|severity| severity.word().to_owned()).collect();
        Self { words, limited_by: None, never: Vec::new() }
    }
}

/// What the settings of a system can ask the platform.
trait Platform: Describe {
    type Ready<'a>: Prepared
    where
        Self: 'a;

    /// See [`Source::preflight`].
    async fn preflight<'a>(&'a self, session: &'a Session)
    -> Result<Self::Ready<'a>, Vec<Problem>>;

    /// See [`Source::list`]. Asked only for what [`Describe::lists`] has.
    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem>;
}

/// What can be done after a preflight.
trait Prepared {
    /// See [`Ready::summary`].
    fn summary(&self) -> Vec<String>;

    /// See [`Ready::doubts`].
    fn doubts(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// See [`Ready::collect`].
    async fn collect(self) -> Outcome;
}

/// The problem of a list that a system does not have.
fn no_list(session: &Session, what: Listing) -> Problem {
    Problem::new(Cause::Invalid, format!("{}: there is no list of {}", session.name, what.word()))
}

/// Words that a gate can use and the settings state by themselves.
fn stated(settings: &dyn Describe, what: Listing) -> Option<Table> {
    let field = match what {
        Listing::Rules => Field::Rule,
        Listing::Statuses => Field::Status,
        Listing::Severities => Field::Severity,
        _ => return None,
    };
    if !settings.selectors().contains(&field) {
        return None;
    }
    let words = match (settings.reads(field), settings.vocabulary(field)) {
        (Some(reads), _) => reads.words,
        (None, Some(words)) => words,
        (None, None) if field == Field::Severity => {
            Severity::NAMED.map(|severity| severity.word().to_owned()).to_vec()
        }
        (None, None) => return None,
    };
    Some(Table {
        header: vec![what.title()],
        rows: words.into_iter().map(|word| vec![word]).collect(),
    })
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    Frameworks,
    Integrations,
    Accounts,
    Rules,
    Statuses,
    Severities,
    Policies,
}

impl Listing {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Frameworks => "frameworks",
            Self::Integrations => "integrations",
            Self::Accounts => "accounts",
            Self::Rules => "rules",
            Self::Statuses => "statuses",
            Self::Severities => "severities",
            Self::Policies => "policies",
        }
    }

    /// The header of a list of words.
    const fn title(self) -> &'static str {
        match self {
            Self::Frameworks => "FRAMEWORK",
            Self::Integrations => "INTEGRATION",
            Self::Accounts => "ACCOUNT",
            Self::Rules => "RULE",
            Self::Statuses => "STATUS",
            Self::Severities => "SEVERITY",
            Self::Policies => "POLICY",
        }
    }
}

/// Words, the name of each, and the number of rows that have it.
fn counted(what: Listing, unit: &'static str, counts: BTreeMap<(String, String), u64>) -> Table {
    let rows =
        counts.into_iter().map(|((word, name), count)| vec![word, name, text::thousands(count)]);
    Table { header: vec![what.title(), "NAME", unit], rows: rows.collect() }
}

/// A table for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// What a source is given to work with in one run.
pub struct Session {
    /// The source's name in the policy.
    pub name: String,
    pub http: Http,
    pub wanted: Wanted,
    /// Awaited before anything is started.
    pub permit: Permit,
    /// What the run whose evidence is given with `--previous` is to this source.
    pub previous: Option<PreviousRun>,
    pub stop: Stop,
    pub progress: Rc<Progress>,
}

impl Session {
    /// A note for the reports, said at once as well: people read the evidence only where it is in doubt.
    pub fn noted(&self, note: String) -> String {
        self.progress.note(&format!("{}: {note}", self.name));
        note
    }

    /// The outcome of this source, with what the client knows of the exchange.
    /// This is the one place where findings get their fingerprints and their order.
    pub fn outcome(
        &self,
        mut parts: Vec<Part>,
        problems: Vec<Problem>,
        notes: Vec<String>,
    ) -> Outcome {
        let name = self.name.as_str().into();
        for findings in parts.iter_mut().map(|part| &mut part.findings) {
            findings.listed_mut().iter_mut().for_each(|finding| finding.identify(&name));
            findings.sort();
        }
        Outcome {
            source: self.name.clone(),
            origin: self.http.origin(),
            simulated: self.http.simulated(),
            filters: Vec::new(),
            requests: self.http.requests(),
            parts,
            problems,
            notes,
            remarks: Vec::new(),
            after_fix: None,
            renew: None,
        }
    }
}
