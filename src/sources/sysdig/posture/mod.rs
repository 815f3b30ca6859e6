//! Compliance results: controls on cloud, Kubernetes and cluster-analysis resources.
//!
//! ```text
//! plan.rs      requirements and their controls     wire.rs       the JSON
//! endpoint.rs  where resources are listed          read.rs       the resources of one control
//! collect.rs   the order of requests               freshness.rs  when it was evaluated
//! rows.rs      whether a list is complete          inventory.rs  which resources are read
//! titles.rs    names of controls that have none    connected.rs  the list of accounts
//! accounts.rs  accounts that are not evaluated
//! ```

use super::settings::Posture;
use super::units::given;
use crate::evidence::Outcome;
use crate::finding::Problem;
use crate::http::Http;
use crate::selection::Field;
use crate::sources::{Prepared, Session, Table};
use crate::text;

mod accounts;
mod collect;
mod connected;
mod endpoint;
mod freshness;
mod inventory;
mod plan;
mod read;
mod rows;
mod titles;
mod wire;

use accounts::Accounts;
use plan::Plan;

pub(super) const SELECTORS: &[Field] = &[
    Field::Framework,
    Field::Control,
    Field::Rule,
    Field::Severity,
    Field::Resource,
    Field::ResourceType,
    Field::Account,
    Field::Region,
    Field::OlderThan,
    Field::Cluster,
    Field::Namespace,
    Field::Label,
];

/// Reads all requirements, which are a few pages and show what the filters match.
pub(super) async fn preflight<'a>(
    settings: &'a Posture,
    session: &'a Session,
) -> Result<Planned<'a>, Vec<Problem>> {
    session.progress.status(&session.name, "reading requirements", "");
    let mut plan = plan::plan(settings, session).await?;
    let accounts = accounts::ask(session).await.map_err(|problem| vec![problem])?;
    if let Some(note) = accounts.note(&session.name) {
        // An old platform refuses it in every run.
        if !matches!(accounts, Accounts::Refused(_)) {
            session.progress.note(&format!("{}: {note}", session.name));
        }
        plan.notes.push(note);
    }
    if let Some(inventory) = &settings.inventory {
        let ignored = inventory::check(session, inventory).await;
        plan.problems.extend(ignored.map_err(|problem| vec![problem])?);
        plan.problems.extend(accounts.doubt(&session.name, inventory));
    }
    // A gate that asks for an account cannot rely on what is not known.
    let unknown = accounts.unknown(&session.name).filter(|_| !session.wanted.by_account.is_empty());
    plan.problems.extend(unknown.filter(|unknown| !plan.problems.contains(unknown)));
    Ok(Planned { settings, session, plan, accounts })
}

/// A source whose requirements are known.
pub(in crate::sources) struct Planned<'a> {
    settings: &'a Posture,
    session: &'a Session,
    plan: Plan,
    accounts: Accounts,
}

impl Prepared for Planned<'_> {
    fn summary(&self) -> Vec<String> {
        let Plan { requirements, controls, manual, scope, .. } = &self.plan;
        let mut lines = vec![format!(
            "{} with {}, {} to be checked by hand",
            text::count(*requirements, "requirement"),
            text::count(controls.len() as u64, "control"),
            text::count(manual.len() as u64, "control"),
        )];
        lines.extend(scope.iter().map(|(zone, policy)| format!("{policy} in {zone}")));
        lines
    }

    fn doubts(&self) -> Vec<Problem> {
        let named = self.accounts.named(self.session, self.settings.inventory.as_ref());
        self.plan.problems.iter().cloned().chain(named).collect()
    }

    async fn collect(self) -> Outcome {
        let Self { settings, session, plan, accounts } = self;
        collect::Collection::new(settings, session, plan, accounts).outcome().await
    }
}

/// The controls of the requirements: what `rule` and `control` select.
pub(super) async fn rules(settings: &Posture, session: &Session) -> Result<Table, Problem> {
    let plan = plan::plan(settings, session).await;
    let plan = plan.map_err(|mut problems| problems.swap_remove(0))?;
    let rows = plan.controls.into_values().map(|planned| {
        vec![planned.name.unwrap_or_default(), planned.id, planned.severity.to_string()]
    });
    Ok(Table { header: vec!["RULE", "CONTROL", "SEVERITY"], rows: rows.collect() })
}

/// The connected cloud accounts.
pub(super) async fn accounts(session: &Session) -> Result<Table, Problem> {
    let rows = accounts::ask(session).await?.rows(&session.name)?;
    Ok(Table { header: vec!["ACCOUNT", "PROVIDER", "POSTURE"], rows })
}

/// The policies by zone: what `framework` selects, and what `policies` and `zones` filter by.
pub(super) async fn policies(http: &Http) -> Result<Table, Problem> {
    let views = freshness::views(http).await.map_err(|error| error.problem())?;
    let mut rows = Vec::new();
    for view in views.data.iter().flatten() {
        for policy in view.policies.iter().flatten() {
            rows.push(vec![
                given(&policy.name).unwrap_or_default().to_owned(),
                given(&view.zone_name).unwrap_or_default().to_owned(),
                policy.failed_controls.map_or_else(String::new, |count| count.0.to_string()),
            ]);
        }
    }
    rows.sort();
    Ok(Table { header: vec!["policy", "zone", "failed controls"], rows })
}
