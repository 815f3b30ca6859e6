//! BigPanda's audit log as change evidence: who silenced alerts, made keys, changed roles or SSO
//! (fact sheet B).
//!
//! ```text
//! settings.rs   the keys of a policy, validated      risk.rs      how grave a change is
//! collect.rs    the order of questions               kind.rs      the words of types and actions
//! walk.rs       pages, no faster than allowed        wire.rs      three envelopes, and no other
//! event.rs      an entry, read                       details.rs   what its object tells
//! weigh.rs      events become findings               notes.rs     and what else to know
//! plans.rs      maintenance plans in force now       object.rs    fields of uncertain shape, secrets
//! ```
//!
//! Hardly anything of this API is documented, so everything is read leniently, and what cannot be
//! read is an error, never "no findings".

use chrono::Utc;

use crate::evidence::Outcome;
use crate::finding::{Cause, Problem};
use crate::http::Http;
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Session, System, Table, no_list,
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

pub use settings::Settings;
use walk::Pace;

pub const SYSTEM: System = System {
    name: "bigpanda",
    title: "BigPanda",
    token_variables: &["BIGPANDA_API_KEY"],
    token_prefixes: &["BIGPANDA_"],
    selectors: &[Field::Rule, Field::Severity, Field::Resource, Field::ResourceType, Field::Actor],
    // The end of the window that was asked for.
    states_time: true,
};

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    fn passes_unknown(&self) -> Option<String> {
        Some("an audit log tells what was done, not what was checked; use `max`".to_owned())
    }

    /// The vendor's documents have other names for types, and one for two of them.
    fn meant(&self, field: Field, word: &str) -> Vec<String> {
        let (stated, action) = match field {
            Field::Rule => word.split_once('.').unwrap_or((word, "*")),
            _ => (word, ""),
        };
        let dot = if action.is_empty() { "" } else { "." };
        let kinds = kind::Kind::named(stated).into_iter().filter(|kind| kind.word() != stated);
        kinds.map(|kind| format!("{}{dot}{action}", kind.word())).collect()
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
        let ready = Readable { settings: self, session, pace: Pace::default() };
        let window = collect::window(self, Utc::now());
        let first = collect::request(session, window, 1, 1);
        match collect::log(session, &ready.pace).look(first).await {
            Ok(()) => Ok(ready),
            Err(problem) if problem.cause == Cause::Denied => Err(vec![problem.help(
                "the token is a User API key whose role has the permission \"Audit Logs\", \
                 level View",
            )]),
            Err(problem) => Err(vec![problem]),
        }
    }

    async fn list(&self, _http: &Http, what: Listing) -> Result<Table, Problem> {
        Err(no_list(&SYSTEM, what))
    }
}

/// The platform answers, takes the token, and shows the audit log.
pub(super) struct Readable<'a> {
    settings: &'a Settings,
    session: &'a Session,
    pace: Pace,
}

impl Prepared for Readable<'_> {
    fn summary(&self) -> Vec<String> {
        let window = humantime::format_duration(self.settings.window);
        vec![format!("the audit log of the last {window} can be read")]
    }

    async fn collect(self) -> Outcome {
        collect::outcome(self.settings, self.session, &self.pace).await
    }
}
