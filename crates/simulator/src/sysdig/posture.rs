//! Compliance: views, requirements, and the resources of a control (docs/platforms/sysdig.md,
//! compliance).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use serde_json::{Value, json};

use super::estate::{
    Control, Family, Policy, Requirement, Resource, State as Is, TABLE, Zone, resources,
};
use super::filter::Filter;
use super::{Answer, Platform, Refusal, parameter};
use crate::reply;

type Pairs = Query<Vec<(String, String)>>;

/// `GET /compliance/views`: no parameters (docs/platforms/sysdig.md, compliance views).
pub(super) async fn views(State(platform): State<Arc<Platform>>) -> Answer {
    let minutes = platform.settings.posture.evaluated_minutes_ago;
    let policies = |zone: &Zone| -> Vec<Value> {
        let policies = platform.policies().iter();
        policies
            .map(|policy| {
                let day = |days: i64| {
                    json!({
                        "date": platform.seconds(minutes + 24 * 60 * days).to_string(),
                        "requirementPassingScore": 77,
                        "failedRequirements": 2,
                        "evaluatedResources": platform.settings.posture.resources,
                    })
                };
                let controls = policy.requirements.iter().flat_map(Requirement::controls);
                let failed = controls.filter(|at| platform.counts(zone, *at).failing > 0).count();
                json!({
                    "name": policy.name,
                    "failedControls": failed,
                    "resourcePassingScore": 81,
                    "resourceViolationSummary": {"highSeverity": 0, "mediumSeverity": 0, "lowSeverity": 0},
                    "requirementsHistory": [day(2), day(0), day(1)],
                })
            })
            .collect()
    };
    let data: Vec<_> = TABLE
        .zones
        .iter()
        .map(|zone| json!({"zoneName": zone.name, "policies": policies(zone)}))
        .collect();
    Ok(reply::json(&json!({"data": data})))
}

/// `GET /compliance/requirements` (docs/platforms/sysdig.md, requirements).
pub(super) async fn requirements(
    State(platform): State<Arc<Platform>>,
    Query(pairs): Pairs,
) -> Answer {
    let fields = ["name", "policy.name", "zone.name", "pass", "severity", "platform"];
    let filter = Filter::new(parameter(&pairs, "filter"), &fields)?;
    let mut rows = Vec::new();
    for zone in &TABLE.zones {
        for policy in platform.policies() {
            for requirement in &policy.requirements {
                let row = platform.requirement(zone, policy, requirement);
                let number = match row["severity"].as_str() {
                    Some("High") => "3",
                    Some("Medium") => "2",
                    Some("Low") => "1",
                    _ => "0",
                };
                let pass = if row["pass"] == true { "true" } else { "false" };
                let targets = row["controls"].as_array().map_or(&[][..], Vec::as_slice);
                let targets = || targets.iter().filter_map(|control| control["target"].as_str());
                let takes = filter.takes(|field| match field {
                    "name" => vec![&requirement.name],
                    "policy.name" => vec![&policy.name],
                    "zone.name" => vec![&zone.name],
                    "pass" => vec![pass],
                    "severity" => vec![number],
                    _ => targets().collect(),
                });
                if takes {
                    rows.push(row);
                }
            }
        }
    }
    let asked = platform.listed.fetch_add(1, Ordering::Relaxed);
    let moving = (1..=platform.settings.posture.moving_totals).contains(&asked);
    let total = rows.len() + usize::from(moving);
    platform.page(&pairs, rows, total, 10, platform.settings.posture.totals_as_texts)
}

pub(super) async fn cloud(State(platform): State<Arc<Platform>>, pairs: Pairs) -> Answer {
    let Query(pairs) = &pairs;
    let control = control(pairs)?;
    let Control { family, provider, .. } = &TABLE.controls[control];
    if *family != Family::Cloud || parameter(pairs, "providerType") != Some(provider) {
        return no_such_control();
    }
    platform.resources(pairs, control, &["name", "account", "location", "organization"])
}

pub(super) async fn kube(State(platform): State<Arc<Platform>>, pairs: Pairs) -> Answer {
    let control = control(&pairs)?;
    if TABLE.controls[control].family != Family::Kube {
        return no_such_control();
    }
    platform.resources(&pairs, control, &["name", "clusterName", "namespace", "type"])
}

pub(super) async fn cluster(State(platform): State<Arc<Platform>>, pairs: Pairs) -> Answer {
    let control = control(&pairs)?;
    if TABLE.controls[control].family != Family::ClusterAnalysis {
        return no_such_control();
    }
    platform.resources(&pairs, control, &["name", "clusterName", "distributionName"])
}

/// `GET /policy/controls/search`: no total (docs/platforms/sysdig.md, control search).
pub(super) async fn catalogue(
    State(platform): State<Arc<Platform>>,
    Query(pairs): Pairs,
) -> Answer {
    let filter = Filter::new(
        parameter(&pairs, "filter"),
        &["name", "description", "severity", "type", "target"],
    )?;
    let rows = TABLE.controls.iter().filter(|control| filter.takes(|_| vec![&control.name]));
    let rows: Vec<_> = rows
        .map(|control| {
            json!({
                "id": control.id, "name": platform.hostility.text(&control.name),
                "description": "What to look at, and why.", "severity": control.severity,
                "resourceKind": control.kind, "isManual": control.manual, "isSystem": true,
            })
        })
        .collect();
    let (page, size) = page(&pairs, 50)?;
    let rows: Vec<_> = rows.into_iter().skip(page * size).take(size).collect();
    Ok(reply::json(&json!({"data": rows})))
}

/// `GET /inventory/resources` (docs/platforms/sysdig.md, inventory).
pub(super) async fn inventory(
    State(platform): State<Arc<Platform>>,
    Query(pairs): Pairs,
) -> Answer {
    let fields = [
        "account",
        "cluster",
        "distribution",
        "externalDNS",
        "labels",
        "name",
        "namespace",
        "nodeType",
        "organization",
        "osName",
        "platform",
        "policy",
        "project",
        "region",
        "subscription",
        "type",
        "version",
        "zone",
    ];
    let asked = parameter(&pairs, "filter");
    let asked = asked.filter(|_| !platform.settings.posture.inventory_unfiltered);
    let filter = Filter::new(asked, &fields)?;
    let all = (0..TABLE.controls.len()).filter(|at| !TABLE.controls[*at].manual);
    let mut seen = std::collections::BTreeSet::new();
    let mut rows = Vec::new();
    for resource in all.flat_map(|at| resources(&platform.settings, at)) {
        let control = &TABLE.controls[resource.control];
        let (name, cloud) = (resource.name(), control.family == Family::Cloud);
        let dns = format!("{name}.example.com");
        let platform_name = if cloud { control.provider.as_str() } else { "Kubernetes" };
        let takes = filter.takes(|field| match field {
            "account" if cloud => vec![resource.account()],
            "region" if cloud => vec![resource.region()],
            "cluster" if !cloud => vec!["production"],
            "distribution" if !cloud => vec!["Vanilla"],
            "version" if !cloud => vec!["1.30"],
            "externalDNS" if control.resource_type == "RDS Instance" => vec![dns.as_str()],
            "nodeType" if control.resource_type == "Host" => vec!["Worker"],
            "osName" if control.resource_type == "Host" => vec!["linux"],
            "organization" if cloud => vec!["o-example"],
            "policy" => platform
                .policies()
                .iter()
                .filter(|policy| policy.has(resource.control))
                .map(|policy| policy.name.as_str())
                .collect(),
            "namespace" if !cloud => vec![resource.namespace()],
            "platform" => vec![platform_name],
            "type" => vec![control.resource_type.as_str()],
            "name" => vec![name.as_str()],
            "labels" if cloud => vec![resource.label()],
            "project" if control.provider == "GCP" => vec!["shop-production"],
            "subscription" if control.provider == "Azure" => vec!["shop-production"],
            "zone" => TABLE
                .zones
                .iter()
                .filter(|zone| zone.holds(&resource))
                .map(|zone| zone.name.as_str())
                .collect(),
            _ => Vec::new(),
        });
        if takes && seen.insert(resource.hash()) {
            rows.push(json!({
                "id": resource.hash(), "hash": resource.hash(),
                "name": platform.hostility.text(&name),
                "platform": "", "type": "", "lastSeen": "", "zones": [],
            }));
        }
    }
    let total = rows.len();
    platform.page(&pairs, rows, total, 20, false)
}

/// `GET /cloudauth/v1/accounts`: the fields are those of the Terraform provider.
pub(super) async fn accounts(State(platform): State<Arc<Platform>>) -> Answer {
    let posture = &platform.settings.posture;
    let connected = TABLE.accounts.iter().filter(|id| !posture.disconnected.contains(id));
    let accounts: Vec<_> = connected
        .map(|id| {
            json!({
                "id": id, "providerId": id, "provider": "PROVIDER_AWS",
                "enabled": !posture.disabled.contains(id),
                "feature": {"secureConfigPosture": {
                    "type": "FEATURE_SECURE_CONFIG_POSTURE",
                    "enabled": !posture.posture_off.contains(id),
                }},
            })
        })
        .collect();
    Ok(reply::json(&json!({"accounts": accounts})))
}

fn no_such_control() -> Answer {
    Err(Refusal::not_found("control not found"))
}

fn control(pairs: &[(String, String)]) -> Result<usize, Refusal> {
    let id = parameter(pairs, "controlId").unwrap_or_default();
    let kind = parameter(pairs, "resourceKind").unwrap_or_default();
    TABLE
        .controls
        .iter()
        .position(|control| control.id == id && control.kind == kind)
        .ok_or_else(|| Refusal::not_found("control not found"))
}

/// The page, from zero, and its size. A page before the first is the first
/// (docs/platforms/sysdig.md, control search).
fn page(pairs: &[(String, String)], default: usize) -> Result<(usize, usize), Refusal> {
    let number = |name: &str, default: usize| match parameter(pairs, name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| Refusal::invalid("Invalid parameter")),
    };
    let (page, size) = (number("pageNumber", 1)?, number("pageSize", default)?);
    Ok((page.saturating_sub(1), size.max(1)))
}

/// The results of one control in one zone.
#[derive(Default)]
struct Counts {
    failing: usize,
    accepted: usize,
    passing: usize,
}

impl Platform {
    fn policies(&self) -> &'static [Policy] {
        if self.settings.posture.no_policies { &[] } else { &TABLE.policies }
    }

    fn counts(&self, zone: &Zone, control: usize) -> Counts {
        let mut counts = Counts::default();
        let rows = resources(&self.settings, control);
        for resource in rows.iter().filter(|resource| zone.holds(resource)) {
            match resource.state {
                Is::Passed => counts.passing += 1,
                Is::Failed | Is::Expired => counts.failing += 1,
                Is::Accepted => counts.accepted += 1,
                Is::NotEvaluated => {}
            }
        }
        counts
    }

    fn requirement(&self, zone: &Zone, policy: &Policy, requirement: &Requirement) -> Value {
        let posture = &self.settings.posture;
        let mut failed = posture.hidden_controls;
        let mut worst = "Low";
        let rows: Vec<_> = requirement
            .controls()
            .map(|at| {
                let control = &TABLE.controls[at];
                let manual = control.manual || posture.all_manual;
                let counts = if manual { Counts::default() } else { self.counts(zone, at) };
                let pass = !manual && counts.failing == 0;
                failed += u64::from(!manual && counts.failing > 0);
                let severity = match (&posture.unknown_severity, at) {
                    (Some(word), 0) => word.as_str(),
                    _ => &control.severity,
                };
                if severity != "Low" && worst != "High" {
                    worst = severity;
                }
                json!({
                    "id": control.id, "name": self.hostility.text(&control.name),
                    "description": self.hostility.title("Look at every resource of this kind."),
                    "target": control.target(), "type": 8, "platform": "",
                    "pass": pass, "severity": severity,
                    "objectsCount": counts.failing, "acceptedCount": counts.accepted,
                    "passingCount": counts.passing, "remediationId": control.id,
                    "lastUpdate": self.seconds(posture.evaluated_minutes_ago).to_string(),
                    "resourceKind": control.kind, "isManual": manual,
                    "supportedDistributions": null,
                    "resourceApiEndpoint": self.endpoint(zone, policy, at),
                })
            })
            .collect();
        json!({
            "requirementId": requirement.id, "name": requirement.name, "description": "",
            "pass": failed == 0, "severity": worst, "policyId": policy.id,
            "policyName": policy.name, "zone": {"id": zone.id, "name": zone.name},
            "failedControls": failed, "controls": rows,
        })
    }

    /// As the platform writes it: not a valid URL, since nothing is encoded
    /// (docs/platforms/sysdig.md, resources of a control).
    fn endpoint(&self, zone: &Zone, policy: &Policy, at: usize) -> String {
        let control = &TABLE.controls[at];
        let (call, provider) = match control.family {
            Family::Cloud => ("cloud", format!("&providerType={}", control.provider)),
            Family::Kube => ("kube", String::new()),
            Family::ClusterAnalysis => ("clusteranalysis", "&type=2".to_owned()),
        };
        format!(
            "{}{call}/resources?controlId={}{provider}&resourceKind={}&filter=policyId={} and zones.id={}",
            self.settings.posture.endpoint_prefix, control.id, control.kind, policy.id, zone.id
        )
    }

    fn resources(&self, pairs: &[(String, String)], control: usize, own: &[&str]) -> Answer {
        let shared = ["zones.id", "zoneName", "policyId", "policyName", "pass", "accepted"];
        let fields: Vec<_> = shared.iter().chain(own).copied().collect();
        let filter = Filter::new(parameter(pairs, "filter"), &fields)?;
        let takes = |resource: &Resource| {
            let name = resource.name();
            let zones = || TABLE.zones.iter().filter(|zone| zone.holds(resource));
            let policies = || self.policies().iter().filter(|policy| policy.has(control));
            let yes = |state: bool| vec![if state { "true" } else { "false" }];
            filter.takes(|field| match field {
                "zones.id" => zones().map(|zone| zone.id.as_str()).collect(),
                "zoneName" => zones().map(|zone| zone.name.as_str()).collect(),
                "policyId" => policies().map(|policy| policy.id.as_str()).collect(),
                "policyName" => policies().map(|policy| policy.name.as_str()).collect(),
                "pass" => yes(resource.passes() || resource.state == Is::Accepted),
                "accepted" => yes(matches!(resource.state, Is::Accepted | Is::Expired)),
                "name" => vec![name.as_str()],
                "account" => vec![resource.account()],
                "location" => vec![resource.region()],
                "clusterName" => vec!["production"],
                "namespace" => vec![resource.namespace()],
                "type" => vec![TABLE.controls[control].resource_type.as_str()],
                _ => Vec::new(),
            })
        };
        let rows: Vec<_> = resources(&self.settings, control)
            .iter()
            .filter(|resource| takes(resource))
            .map(|resource| self.row(resource))
            .collect();
        let total = rows.len();
        self.page(pairs, rows, total, 50, false)
    }

    fn row(&self, resource: &Resource) -> Value {
        let control = &TABLE.controls[resource.control];
        let name = resource.name();
        let shown = self.hostility.text(&name);
        let zones = TABLE.zones.iter().filter(|zone| zone.holds(resource));
        let zones: Vec<_> = zones.map(|z| json!({"id": z.id, "name": z.name})).collect();
        let mut row = json!({
            "hash": resource.hash(), "name": shown, "type": control.resource_type,
            "passed": resource.passes(), "acceptance": self.acceptance(resource),
            "zones": zones,
        });
        let more = match control.family {
            Family::Cloud => json!({
                "globalId": format!("arn:example:{}:{}:{name}", resource.region(), resource.account()),
                "account": resource.account(), "location": resource.region(), "organization": "",
                "labelValues": [resource.label()],
                // Milliseconds here, seconds below (docs/platforms/sysdig.md, units of time).
                "lastSeenDate": (1000 * self.seconds(30)).to_string(),
            }),
            Family::Kube => json!({
                "namespace": resource.namespace(), "clusterName": "production",
                "labelValues": [], "distributionName": "Vanilla", "distributionVersion": "1.30",
                "lastSeenDate": self.seconds(30).to_string(),
            }),
            Family::ClusterAnalysis => json!({
                "configError": match resource.state {
                    Is::NotEvaluated => "failed to read the kubelet's configuration",
                    _ => "",
                },
                "osName": "linux", "osImage": "Example Linux 12", "nodesCount": 1,
                "clusterName": "production", "platformAccountId": resource.account(),
                "cloudRegion": resource.region(), "agentTags": [],
                "lastSeenDate": self.seconds(30).to_string(),
            }),
        };
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row
    }

    fn acceptance(&self, resource: &Resource) -> Value {
        let day = 24 * 60;
        let accepted = |minutes_ago: i64| {
            json!({
                "justification": self.hostility.text("known, and watched"),
                "reason": "Risk Owned",
                "expirationDate": (1000 * self.seconds(minutes_ago)).to_string(),
            })
        };
        match resource.state {
            Is::Accepted => accepted(-30 * day),
            Is::Expired => accepted(day),
            _ => Value::Null,
        }
    }

    /// One page of the rows. Past the end it is empty, and the total is the same.
    fn page(
        &self,
        pairs: &[(String, String)],
        rows: Vec<Value>,
        total: usize,
        default: usize,
        as_text: bool,
    ) -> Answer {
        let (page, size) = page(pairs, default)?;
        let size = size.min(self.settings.posture.largest_page);
        let data: Vec<_> = rows.into_iter().skip(page.saturating_mul(size)).take(size).collect();
        let total = if as_text { json!(total.to_string()) } else { json!(total) };
        Ok(reply::json(&json!({"data": data, "totalCount": total})))
    }
}
