//! OpenComply / OpenSecurity: runs frameworks over integrations and reads what they found.
//!
//! One framework is one [part](crate::evidence::Part) of the evidence, collected by itself:
//!
//! ```text
//! settings            what a policy says
//! preflight, scope    token, role, frameworks, integrations: a scope for each framework
//! framework           acquire → watch → examine → read, for one framework
//!   acquire           join, wait, use again or start?      history, past    runs of before
//!                                                          start, earlier   ways to one
//!   watch             until every job has ended
//!   examine           asks for the facts                   controls         policies and titles
//!   judge             pure: are they sound?                counts, controls
//!   read              counts and findings                  view, resources, rules
//! cancel              what becomes of jobs that are left unfinished
//! api, wire           the calls, and what comes back       inventory        for `list`
//! ```
//!
//! What is known of the platform is in `docs/platforms/opencomply.md`.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::evidence::{Filter, Outcome};
use crate::finding::{Problem, Severity};
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Reads, Session, System, Table,
};

mod acquire;
mod api;
mod cancel;
mod controls;
mod examine;
mod framework;
mod inventory;
mod journal;
mod judge;
mod preflight;
mod read;
mod scope;
mod settings;
mod watch;
mod wire;

pub use inventory::{Framework, Integration, frameworks, integrations};
pub use settings::Settings;

use framework::Task;
use preflight::Plan;

pub const SYSTEM: System = System {
    name: "opencomply",
    title: "OpenComply",
    token_variables: &["OPENCOMPLY_API_KEY"],
    token_prefixes: &["OPENCOMPLY_"],
    of_estate: &["integrations"],
    selectors: &[
        Field::Framework,
        Field::Control,
        Field::Rule,
        Field::Severity,
        Field::Resource,
        Field::ResourceType,
        Field::Account,
        Field::OlderThan,
    ],
    renew: Some("let the run evaluate again (`run: {when: always}`)"),
};

/// What a reader who fixed a finding has to know.
pub const AFTER_FIX: &str = "OpenComply shows a fix only after its next \
     discovery (every 12 h by default), or one started by hand.";

/// The severities of controls (docs/platforms/opencomply.md#vocabularies).
const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::None];

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn filters(&self) -> Vec<Filter> {
        let frameworks = Filter::of("frameworks", Field::Framework, self.frameworks.clone());
        [frameworks].into_iter().chain(self.integrations.filter()).collect()
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    fn reads(&self, field: Field) -> Option<Reads> {
        (field == Field::Severity).then(|| Reads::all(SEVERITIES))
    }

    fn lists(&self) -> &'static [Listing] {
        &[Listing::Frameworks, Listing::Integrations, Listing::Accounts, Listing::Rules]
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

    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
        let http = &session.http;
        let table = match what {
            Listing::Rules => inventory::rules(http, &self.frameworks).await,
            what => inventory::table(http, what).await,
        };
        table.map_err(|error| api::problem(&error))
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
        let tasks: Vec<_> =
            plan.scopes.iter().map(|scope| Task::new(session, settings, &plan.me, scope)).collect();
        // A framework that fails does not hide the others: each has its own part.
        let done = join_all(tasks.iter().map(framework::collect)).await;
        let mut notes = plan.notes.clone();
        let ours: BTreeSet<_> = done.iter().flat_map(|done| &done.unfinished).copied().collect();
        let ours: Vec<_> = ours.into_iter().collect();
        match session.stop.reason() {
            Some(_) => {
                notes.extend(cancel::clean_up(&session.http, settings.cancel, &ours).await);
            }
            // The next try joins it.
            None => notes.extend(ours.iter().map(|job| cancel::goes_on(*job, ""))),
        }
        let parts = done.into_iter().map(|done| done.part).collect();
        Outcome { after_fix: Some(AFTER_FIX.into()), ..session.outcome(parts, Vec::new(), notes) }
    }
}
