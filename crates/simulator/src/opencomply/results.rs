//! `POST …/compliance_result`: findings, page by page (docs/platforms/opencomply.md, findings).

use std::cmp::Ordering;
use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::ids::{hash, mix};
use crate::reply::{self, Answer, Refusal, nullable};

use super::course::Snapshot;
use super::findings::{Finding, Results};
use super::jobs::Job;
use super::request::{Binder, bind};
use super::{Platform, Shared};

/// How many results a page has by default, and how far the search engine looks.
const PAGE: usize = 1000;
const WINDOW: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    filters: Option<Filters>,
    sort: Option<Vec<Map<String, Value>>>,
    limit: Option<usize>,
    after_sort_key: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    #[serde(rename = "jobID")]
    jobs: Option<Vec<String>>,
    #[serde(rename = "benchmarkID")]
    frameworks: Option<Vec<String>>,
    #[serde(rename = "controlID")]
    controls: Option<Vec<String>>,
    #[serde(rename = "severity")]
    severities: Option<Vec<String>>,
    #[serde(rename = "complianceStatus")]
    statuses: Option<Vec<String>>,
    #[serde(rename = "integrationID")]
    integrations: Option<Vec<String>>,
    #[serde(rename = "notIntegrationID")]
    not_integrations: Option<Vec<String>>,
    #[serde(rename = "integrationType")]
    integration_types: Option<Vec<String>>,
    #[serde(rename = "resourceID")]
    resources: Option<Vec<String>>,
    #[serde(rename = "resourceTypeID")]
    resource_types: Option<Vec<String>>,
}

/// A result that passed the filters: what it is sorted by, and where it comes from.
struct Row<'a> {
    key: Vec<String>,
    job: &'a Job,
    snapshot: &'a Snapshot,
    finding: Finding<'a>,
    severity: &'a str,
}

/// Lists the stored results of the newest run of each framework and integration.
pub(crate) async fn list(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let request: Request = bind(Binder::Compliance, &headers, &body)?;
    let order = order(request.sort.as_deref().unwrap_or_default())?;
    let limit = match request.limit.unwrap_or(PAGE) {
        0 => PAGE,
        limit if limit > WINDOW => return Err(Refusal::internal()),
        limit => limit,
    };
    let after: Vec<String> = request
        .after_sort_key
        .unwrap_or_default()
        .iter()
        .map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned))
        .collect();
    if !after.is_empty() && after.len() != order.len() + 1 {
        return Err(Refusal::bad_request(
            "sort key length should be zero or match a returned sort key from previous response",
        ));
    }
    let stored = platform.stored();
    let filters = request.filters.unwrap_or_default();
    let mut rows = platform.rows(&stored, &filters, &order);
    let total = rows.len();
    rows.sort_by(|a, b| compare(&a.key, &b.key, &order));
    let items: Vec<Value> = rows
        .iter()
        .filter(|row| after.is_empty() || compare(&row.key, &after, &order) == Ordering::Greater)
        .take(limit)
        .map(|row| platform.result(row))
        .collect();
    Ok(reply::json(&json!({ "complianceResults": nullable(items), "totalCount": total })))
}

/// The fields to sort by, each with whether it ascends.
fn order(sort: &[Map<String, Value>]) -> Result<Vec<(String, bool)>, Refusal> {
    const KNOWN: [&str; 10] = [
        "integrationType",
        "resourceID",
        "platformResourceID",
        "resourceTypeID",
        "integrationID",
        "benchmarkID",
        "controlID",
        "severity",
        "complianceStatus",
        "stateActive",
    ];
    let each = |object: &Map<String, Value>| match object.iter().next() {
        Some((field, way)) if object.len() == 1 && KNOWN.contains(&field.as_str()) => {
            Ok((field.clone(), way.as_str() != Some("desc")))
        }
        _ => Err(Refusal::bad_request("sort field is not valid")),
    };
    if sort.is_empty() {
        return Ok(vec![("complianceStatus".to_owned(), false)]);
    }
    sort.iter().map(each).collect()
}

/// By the fields in their directions, and then by the id upwards, which is always added.
fn compare(a: &[String], b: &[String], order: &[(String, bool)]) -> Ordering {
    let ways = order.iter().map(|(_, ascends)| *ascends).chain([true]);
    a.iter()
        .zip(b)
        .zip(ways)
        .map(|((a, b), ascends)| if ascends { a.cmp(b) } else { b.cmp(a) })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn among(list: &Option<Vec<String>>, word: &str) -> bool {
    list.as_ref().is_none_or(|list| list.is_empty() || list.iter().any(|each| each == word))
}

/// The status in this listing, which differs from that in the reports.
fn status(finding: &Finding<'_>) -> &'static str {
    if finding.failed { "failed" } else { "passed" }
}

impl Filters {
    fn want_job(&self, job: &Job) -> bool {
        among(&self.jobs, &job.id.to_string()) && among(&self.frameworks, &job.framework)
    }

    fn want(&self, finding: &Finding<'_>, severity: &str) -> bool {
        let integration = finding.integration;
        let excluded = self.not_integrations.as_ref();
        self.want_status(status(finding))
            && among(&self.controls, &finding.control.id)
            && among(&self.severities, severity)
            && among(&self.integrations, &integration.id)
            && !excluded.is_some_and(|list| list.contains(&integration.id))
            && among(&self.integration_types, &integration.of.integration_type)
            && among(&self.resource_types, &finding.control.template.resource_type.name)
            && (self.resources.is_none() || among(&self.resources, &finding.resource_id()))
    }

    /// Only failures unless asked otherwise, and everything for an unknown word.
    fn want_status(&self, status: &str) -> bool {
        match self.statuses.as_deref() {
            None | Some([]) => status == "failed",
            Some(words) if words.iter().all(|word| word == "failed" || word == "passed") => {
                words.iter().any(|word| word == status)
            }
            Some(_) => true,
        }
    }
}

fn resource_key(finding: &Finding<'_>) -> String {
    let seed = hash(&finding.resource_id());
    format!("{:016x}{:016x}", seed, mix(seed))
}

impl Platform {
    /// The jobs whose results are stored, newest first.
    fn stored(&self) -> Vec<(Job, Snapshot)> {
        let now = self.clock.now();
        let jobs = self.jobs();
        jobs.existing(now)
            .rev()
            .map(|job| (job.clone(), jobs.snapshot(job, now)))
            .filter(|(job, snapshot)| job.has_results(snapshot))
            .collect()
    }

    fn rows<'a>(
        &'a self,
        stored: &'a [(Job, Snapshot)],
        filters: &Filters,
        order: &[(String, bool)],
    ) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        for (at, (job, snapshot)) in stored.iter().enumerate() {
            let Some(plan) = self.estate.plan(&job.framework).filter(|_| filters.want_job(job))
            else {
                continue;
            };
            // The next run of a framework overwrites the rows of its integrations.
            let newer = stored[..at].iter().filter(|(newer, _)| newer.framework == job.framework);
            let gone: BTreeSet<&str> = newer
                .flat_map(|(newer, _)| &newer.integrations)
                .map(|at| self.estate.integrations[*at].id.as_str())
                .collect();
            for finding in Results::of(&self.estate, plan, job, snapshot.progress).stored() {
                let severity = finding.control.severity_word(&plan.framework, true);
                let exists = !gone.contains(finding.integration.id.as_str());
                if exists && filters.want(&finding, severity) {
                    let key = key(order, job, &finding, severity);
                    rows.push(Row { key, job, snapshot, finding, severity });
                }
            }
        }
        rows
    }

    fn result(&self, row: &Row<'_>) -> Value {
        let finding = &row.finding;
        let at = self.clock.at(row.job.created + row.snapshot.updated);
        let template = finding.control.template;
        json!({
            "id": row.key.last(),
            "benchmarkID": row.job.framework,
            "controlID": finding.control.id,
            "integrationID": finding.integration.id,
            "evaluatedAt": at.timestamp_millis(),
            "stateActive": true,
            "complianceStatus": status(finding),
            "severity": row.severity,
            "integrationType": finding.integration.of.integration_type,
            "platformResourceID": resource_key(finding),
            "resourceID": self.hostility.text(finding.resource_id()),
            "resourceName": self.hostility.text(finding.resource_name()),
            "resourceType": template.resource_type.name,
            "reason": self.hostility.text(finding.reason()),
            "costImpact": null,
            "runnerID": row.job.id * 1000,
            "complianceJobID": row.job.id,
            "controlPath": format!("{}/{}", row.job.framework, finding.control.id),
            "lastEvent": self.clock.stamp(row.job.created + row.snapshot.updated),
            "resourceTypeName": template.resource_type.name,
            "parentBenchmarkNames": null,
            "controlTitle": self.hostility.title(template.title),
            "providerID": "",
            "integrationName": "",
            "sortKey": row.key,
        })
    }
}

fn key(order: &[(String, bool)], job: &Job, finding: &Finding<'_>, severity: &str) -> Vec<String> {
    let field = |name: &str| match name {
        "integrationType" => finding.integration.of.integration_type.clone(),
        "resourceID" => finding.resource_id(),
        "platformResourceID" => resource_key(finding),
        "resourceTypeID" => finding.control.template.resource_type.name.clone(),
        "integrationID" => finding.integration.id.clone(),
        "benchmarkID" => job.framework.clone(),
        "controlID" => finding.control.id.clone(),
        "severity" => severity.to_owned(),
        "complianceStatus" => status(finding).to_owned(),
        _ => "true".to_owned(),
    };
    let name = format!("{}/{}/{}", job.framework, finding.control.id, finding.resource_id());
    let seed = hash(&name);
    let mut key: Vec<String> = order.iter().map(|(name, _)| field(name)).collect();
    key.push(format!("{seed:016x}{:016x}", mix(seed)));
    key
}
