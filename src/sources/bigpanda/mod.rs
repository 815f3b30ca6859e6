//! BigPanda's audit log as change evidence: who silenced alerts, created keys, changed roles or SSO.
//! What is known of the API is in docs/platforms/bigpanda.md.
//!
//! | module | its job |
//! |---|---|
//! | `settings` | the keys of a policy, validated |
//! | `collect` | the requests of one run |
//! | `walk` | the pages of a list |
//! | `wire` | the three accepted envelopes of a list |
//! | `event`, `details`, `object` | an entry, its object, and fields of uncertain shape |
//! | `kind` | types and actions: the words of a rule |
//! | `risk` | the severity of a change |
//! | `weigh`, `notes` | events become findings and notes |
//! | `plans` | maintenance plans in force now |
//!
//! Little of this API is documented. Everything is therefore read leniently, and what cannot be read
//! is an error, never "no findings".

use std::time::Duration;

use crate::evidence::{Filter, Outcome};
use crate::finding::{Cause, Problem};
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, LookBack, Platform, Prepared, Reads, Session, System, Table,
    no_list,
};

mod collect;
mod details;
mod event;
mod kind;
mod notes;
mod object;
mod plans;
mod risk;
mod settings;
mod walk;
mod weigh;
mod wire;

use collect::FirstLook;
use plans::Access;
pub use settings::Settings;

pub const SYSTEM: System = System {
    name: "bigpanda",
    title: "BigPanda",
    token_variables: &["BIGPANDA_API_KEY"],
    token_prefixes: &["BIGPANDA_"],
    of_estate: &[],
    selectors: &[Field::Rule, Field::Severity, Field::Resource, Field::ResourceType, Field::Actor],
    // The end of the window.
    renew: None,
};

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn filters(&self) -> Vec<Filter> {
        Settings::filters(self)
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    /// The platform allows 5 requests a second (docs/platforms/bigpanda.md#request); this is a little
    /// longer than a fifth of a second, since requests take different times to arrive.
    fn spacing(&self) -> Duration {
        Duration::from_millis(220)
    }

    fn passes_unknown(&self) -> Option<String> {
        Some("an audit log has changes, not checks; use `max`".to_owned())
    }

    /// The vendor's documents have several names for a type, and one name for two types.
    fn meant(&self, field: Field, word: &str) -> Vec<String> {
        let (stated, action) = match field {
            Field::Rule => word.split_once('.').unwrap_or((word, "*")),
            _ => (word, ""),
        };
        let dot = if action.is_empty() { "" } else { "." };
        let kinds = kind::Kind::named(stated).into_iter().filter(|kind| kind.word() != stated);
        kinds.map(|kind| format!("{}{dot}{action}", kind.word())).collect()
    }

    fn reads(&self, field: Field) -> Option<Reads> {
        (field == Field::Severity).then(|| self.severities_read())
    }

    fn vocabulary(&self, field: Field) -> Option<Vec<String>> {
        match field {
            Field::Rule => {
                Some(self.rules().map(|(kind, action)| kind::rule(kind, action)).collect())
            }
            Field::ResourceType => {
                let mut words: Vec<_> =
                    self.rules().map(|(kind, _)| kind.word().to_owned()).collect();
                words.dedup();
                Some(words)
            }
            _ => None,
        }
    }
}

impl Platform for Settings {
    type Ready<'a> = Readable<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        match FirstLook::take(self, session).await {
            Ok(first) => Ok(Readable { settings: self, session, first }),
            Err(problem) if problem.cause == Cause::Denied => Err(vec![problem.help(DENIED)]),
            Err(problem) => Err(vec![problem]),
        }
    }

    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
        Err(no_list(session, what))
    }
}

/// What a refused token needs (docs/platforms/bigpanda.md#request).
const DENIED: &str = "the token must be a User API key whose role has the permission \"Audit Logs\", \
                      level View; a key works only in its own region: `url` is \
                      https://api.bigpanda.io in the US, https://eu-api.bigpanda.io or \
                      https://api.eu.bigpanda.io in Europe";

/// The platform accepts the token and shows the audit log.
pub(super) struct Readable<'a> {
    settings: &'a Settings,
    session: &'a Session,
    first: FirstLook,
}

impl Prepared for Readable<'_> {
    fn summary(&self) -> Vec<String> {
        let window = match self.settings.window {
            LookBack::Last(span) => format!("of the last {}", humantime::format_duration(span)),
            LookBack::SincePrevious => "since an earlier run".to_owned(),
        };
        let mut summary = vec![format!("the audit log {window} can be read")];
        summary.extend(self.first.ahead.note());
        summary.extend(match &self.first.plans {
            Access::Granted => Some("the maintenance plans in force can be read".to_owned()),
            Access::Denied(problem) => {
                Some(format!("the maintenance plans in force are not read: {}", problem.message))
            }
            Access::NotWanted | Access::Failed(_) => None,
        });
        summary
    }

    fn doubts(&self) -> Vec<Problem> {
        match &self.first.plans {
            Access::Denied(problem) if collect::needs_plans(self.settings, self.session) => {
                vec![problem.clone()]
            }
            Access::Failed(problem) => vec![problem.clone()],
            Access::Granted | Access::Denied(_) | Access::NotWanted => Vec::new(),
        }
    }

    async fn collect(self) -> Outcome {
        collect::outcome(self.settings, self.session, self.first).await
    }
}
