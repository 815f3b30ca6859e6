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
use crate::sources::{Connection, Later, Listing, Ready, Run, Source, System, Table};

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
    unit: "check",
};

impl Source for Settings {
    fn system(&self) -> &'static System {
        &SYSTEM
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn has_lists(&self) -> bool {
        true
    }

    fn list<'a>(&'a self, http: &'a Http, what: Listing) -> Later<'a, Result<Table, Problem>> {
        Box::pin(
            async move { inventory::table(http, what).await.map_err(|error| api::problem(&error)) },
        )
    }

    fn preflight<'a>(
        &'a self,
        run: &'a Run,
    ) -> Later<'a, Result<Box<dyn Ready + 'a>, Vec<Problem>>> {
        Box::pin(async move {
            let plan = preflight::plan(self, run).await?;
            Ok(Box::new(Prepared { settings: self, run, plan }) as Box<dyn Ready>)
        })
    }
}

/// A source whose scopes are known to exist.
struct Prepared<'a> {
    settings: &'a Settings,
    run: &'a Run,
    plan: Plan,
}

impl Ready for Prepared<'_> {
    fn findings(&self) -> Vec<String> {
        self.plan.lines.clone()
    }

    fn doubts(&self) -> Vec<Problem> {
        self.plan.scopes.iter().flat_map(|scope| scope.doubts.iter().cloned()).collect()
    }

    fn collect<'a>(self: Box<Self>) -> Later<'a, Outcome>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { settings, run, plan } = *self;
            let workers = plan.scopes.iter().map(|scope| {
                // A framework that fails does not hide the others: each has its own part.
                Worker::new(run, settings, &plan, scope).collect()
            });
            let done = join_all(workers).await;
            let mut notes = plan.notes.clone();
            // Only once everything has stopped: a job that is left for another reason may yet be
            // joined by the next try.
            if run.stop.reason().is_some() {
                let ours = done.iter().flat_map(|done| done.unfinished.iter().copied()).collect();
                notes.extend(cancel::cancel(&run.http, &ours).await);
            }
            run.outcome(done.into_iter().map(|done| done.part).collect(), Vec::new(), notes)
        })
    }
}
