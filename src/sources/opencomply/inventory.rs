//! What exists on the platform: frameworks and integrations, for `list` and for the preflight.

use std::fmt;

use super::api;
use super::controls::{ControlPolicy, Controls};
use super::wire::{FrameworkItem, IntegrationItem, Page};
use crate::finding::{Cause, Problem};
use crate::http::{Http, HttpError};
use crate::sources::{Listing, Table};

/// A framework that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framework {
    pub id: String,
    pub title: Option<String>,
    /// The integration types it allows; `None` where the platform does not say.
    pub plugins: Option<Vec<String>>,
    /// Its controls, including those that are never evaluated.
    pub controls: Option<u64>,
}

/// A connected cloud account, subscription or the like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integration {
    /// The platform's own id, a UUID.
    pub id: String,
    /// Such as `aws_cloud_account`.
    pub kind: String,
    /// The cloud's id of it.
    pub provider_id: String,
    pub name: String,
    /// `ACTIVE`, `INACTIVE`, `ARCHIVED`, `SAMPLE_INTEGRATION`, or what else the platform says.
    pub state: String,
}

impl Integration {
    pub fn is(&self, state: &str) -> bool {
        self.state.eq_ignore_ascii_case(state)
    }
}

/// `aws_cloud_account 122814690049 (prod)`.
impl fmt::Display for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = if self.provider_id.is_empty() { &self.id } else { &self.provider_id };
        write!(f, "{} {id}", self.kind)?;
        if self.name.is_empty() || self.name == *id {
            Ok(())
        } else {
            write!(f, " ({})", self.name)
        }
    }
}

/// All root frameworks, by id.
///
/// # Errors
/// If the platform does not answer, or not as promised.
pub async fn frameworks(http: &Http) -> Result<Vec<Framework>, HttpError> {
    frameworks_named(http, &[]).await
}

/// The frameworks with these ids, which need not be roots, by id.
pub(super) async fn frameworks_named(
    http: &Http,
    ids: &[String],
) -> Result<Vec<Framework>, HttpError> {
    let items = api::frameworks(http, ids).await?;
    let mut frameworks: Vec<_> = items.into_iter().filter_map(framework).collect();
    frameworks.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(frameworks)
}

fn framework(item: FrameworkItem) -> Option<Framework> {
    Some(Framework {
        id: item.framework_id.filter(|id| !id.is_empty())?,
        title: item.framework_title.filter(|title| !title.is_empty()),
        plugins: item.plugins,
        controls: item.number_of_controls.and_then(|number| number.try_into().ok()),
    })
}

/// All integrations, by type, provider id and id.
///
/// # Errors
/// If the platform does not answer, or not as promised.
pub async fn integrations(http: &Http) -> Result<Vec<Integration>, HttpError> {
    Ok(sorted(api::integrations(http).await?.items))
}

/// All integrations, if they are as many as the platform says there are.
pub(super) async fn all_integrations(http: &Http) -> Result<Vec<Integration>, Problem> {
    let Page { items, total } =
        api::integrations(http).await.map_err(|error| api::problem(&error))?;
    if let Some(total) = total.filter(|total| i64::try_from(items.len()) != Ok(*total)) {
        return Err(Problem::new(
            Cause::Contradictory,
            format!(
                "the list of integrations on {} holds {} where its total_count is {total}",
                http.origin(),
                items.len()
            ),
        )
        .help(
            "run the gate again; if this keeps happening, the platform leaves integrations out",
        ));
    }
    Ok(sorted(items))
}

fn sorted(items: Vec<IntegrationItem>) -> Vec<Integration> {
    let mut integrations: Vec<_> = items.into_iter().filter_map(integration).collect();
    integrations
        .sort_by(|a, b| (&a.kind, &a.provider_id, &a.id).cmp(&(&b.kind, &b.provider_id, &b.id)));
    integrations
}

fn integration(item: IntegrationItem) -> Option<Integration> {
    Some(Integration {
        id: item.integration_id.filter(|id| !id.is_empty())?,
        kind: item.integration_type.unwrap_or_default(),
        provider_id: item.provider_id.unwrap_or_default(),
        name: item.name.unwrap_or_default(),
        state: item.state.unwrap_or_default(),
    })
}

/// What exists, as a table for people.
///
/// # Errors
/// If the platform does not answer, or not as promised.
pub(super) async fn table(http: &Http, what: Listing) -> Result<Table, HttpError> {
    Ok(match what {
        Listing::Frameworks => Table {
            header: vec!["FRAMEWORK", "CONTROLS", "INTEGRATION TYPES", "TITLE"],
            rows: frameworks(http).await?.into_iter().map(framework_row).collect(),
        },
        // The account of a check is the provider id of its integration.
        _ => Table {
            header: vec!["INTEGRATION TYPE", "PROVIDER ID", "NAME", "STATE", "INTEGRATION ID"],
            rows: integrations(http).await?.into_iter().map(integration_row).collect(),
        },
    })
}

/// The controls of these frameworks: what a rule is called, how severe it is, and what evaluates it.
///
/// # Errors
/// If the platform does not answer, or not as promised.
pub(super) async fn rules(http: &Http, wanted: &[String]) -> Result<Table, HttpError> {
    let me = api::me(http).await?;
    let mut rows = Vec::new();
    for framework in wanted {
        let ids = api::nested(http, framework).await?.control_ids();
        let controls = Controls::known(http, &me, &ids).await?;
        rows.extend(ids.into_iter().map(|id| rule_row(id, framework, &controls)));
    }
    Ok(Table { header: vec!["CONTROL", "SEVERITY", "FRAMEWORK", "POLICY", "TITLE"], rows })
}

fn rule_row(id: String, framework: &str, controls: &Controls) -> Vec<String> {
    let policy = match controls.policy(&id) {
        Some(ControlPolicy::None) => "manual",
        Some(policy) => policy.id().unwrap_or("-"),
        None => "-",
    };
    let title = controls.texts(&id).title;
    let title = title.map_or_else(String::new, |title| title.to_string());
    let severity = controls.severity(&id).to_string();
    vec![id, severity, framework.to_owned(), policy.to_owned(), title]
}

fn framework_row(framework: Framework) -> Vec<String> {
    let types = framework.plugins.unwrap_or_default();
    vec![
        framework.id,
        framework.controls.map_or_else(|| "-".to_owned(), |controls| controls.to_string()),
        if types.is_empty() { "-".to_owned() } else { types.join(",") },
        framework.title.unwrap_or_default(),
    ]
}

fn integration_row(integration: Integration) -> Vec<String> {
    let Integration { id, kind, provider_id, name, state } = integration;
    vec![kind, provider_id, name, state, id]
}
