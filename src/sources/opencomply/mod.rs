//! OpenComply / OpenSecurity: runs frameworks over integrations and reads what they found.
//!
//! One framework is one [part](crate::evidence::Part) of the evidence, with a worker of its own.
//! It finds a run to rely on, watches it, asks whether it can be relied on, and reads it:
//!
//! ```text
//! settings            what a policy says
//! preflight, scope    token, role, frameworks, integrations: a scope for each framework
//! worker              one framework, from its scope to a part
//!   share, history    join, wait, reuse or start?      start    once, and what if it got lost
//!   reuse, past       the newest that ended before     cancel   what we leave unfinished
//!   watch             until every job has ended
//!   assess, trust     can it be relied on?             counts   do the figures recount?
//!   report, resources counts and findings              rules    the controls and their words
//! api, wire           the calls, and what comes back   inventory  for `list`
//! ```
//!
//! "Fact sheet" in these files is `docs/facts/opencomply.md`, which cites the platform's source.

use futures_util::future::join_all;

use crate::evidence::Outcome;
use crate::finding::Problem;
use crate::http::Http;
use crate::selection::Field;
use crate::sources::{Connection, Describe, Listing, Platform, Prepared, Session, System, Table};

mod api;
mod assess;
mod cancel;
mod counts;
mod history;
mod inventory;
mod past;
mod preflight;
mod report;
mod resources;
mod reuse;
mod rules;
mod scope;
mod settings;
mod share;
mod start;
mod trust;
mod watch;
mod wire;
mod worker;

pub use inventory::{Framework, Integration, frameworks, integrations};
pub use settings::Settings;

use preflight::Plan;
use worker::Worker;

pub const SYSTEM: System = System {
    name: "opencomply",
    title: "OpenComply",
    token_variables: &["OPENCOMPLY_API_KEY"],
    token_prefixes: &["OPENCOMPLY_"],
    selectors: &[
        Field::Framework,
        Field::Control,
        Field::Rule,
        Field::Severity,
        Field::Resource,
        Field::ResourceType,
        Field::Account,
    ],
    states_time: true,
};

/// What somebody who fixed a finding has to know.
pub const AFTER_FIX: &str = "OpenComply evaluates the resources as it last discovered them: a fix shows only after its next \
     discovery (every 12 h by default), or one started by hand.";

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    fn has_lists(&self) -> bool {
        true
    }
}

impl Platform for Settings {
    type Ready<'a> = Planned<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        let plan = preflight::plan(self, session).await?;
        Ok(Planned { settings: self, session, plan })
    }

    async fn list(&self, http: &Http, what: Listing) -> Result<Table, Problem> {
        inventory::table(http, what).await.map_err(|error| api::problem(&error))
    }
}

/// A source whose scopes are known to exist.
pub(super) struct Planned<'a> {
    settings: &'a Settings,
    session: &'a Session,
    plan: Plan,
}

impl Prepared for Planned<'_> {
    fn summary(&self) -> Vec<String> {
        self.plan.lines.clone()
    }

    fn doubts(&self) -> Vec<Problem> {
        self.plan.scopes.iter().flat_map(|scope| scope.doubts.iter().cloned()).collect()
    }

    async fn collect(self) -> Outcome {
        let Self { settings, session, plan } = self;
        let workers = plan.scopes.iter().map(|scope| {
            // A framework that fails does not hide the others: each has its own part.
            Worker::new(session, settings, &plan, scope).collect()
        });
        let done = join_all(workers).await;
        let mut notes = plan.notes.clone();
        // Only once everything has stopped: a job that is left for another reason may be joined by
        // the next try.
        if session.stop.reason().is_some() {
            let ours = done.iter().flat_map(|done| done.unfinished.iter().copied()).collect();
            notes.extend(cancel::cancel(&session.http, &ours).await);
        }
        let parts = done.into_iter().map(|done| done.part).collect();
        Outcome { after_fix: Some(AFTER_FIX), ..session.outcome(parts, Vec::new(), notes) }
    }
}
