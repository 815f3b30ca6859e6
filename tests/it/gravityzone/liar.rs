//! A platform that answers in the documented shape and does not do what it was asked. The
//! simulator is honest and cannot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// What is wrong with it.
#[derive(Clone, Default)]
struct Lie {
    /// The parameter that it does not look at.
    ignored: Option<&'static str>,
    /// What three of the passed checks have for a result instead.
    result: Option<Value>,
    /// Whether a passed check appears after the first request.
    growing: bool,
    /// Whether all checks are of one kind.
    alike: bool,
    /// Whether it reads only the first value of a list.
    first_only: bool,
    /// Whether half of the passed checks are of another scan and type, and no failed one.
    lucky: bool,
    asked: Arc<AtomicU64>,
}

/// Starts it on a free port, until the test's runtime ends, and returns its origin. It does not
/// look at the parameter `ignored`.
pub async fn start(ignored: Option<&'static str>) -> String {
    serve(Lie { ignored, ..Lie::default() }).await
}

/// Three of its passed checks have this result instead.
pub async fn start_with_result(result: Value) -> String {
    serve(Lie { result: Some(result), ..Lie::default() }).await
}

/// A passed check appears after the preflight, which asks for the first total.
pub async fn start_growing() -> String {
    serve(Lie { growing: true, ..Lie::default() }).await
}

/// All of its checks are of `nist`, and on one resource.
pub async fn start_alike(ignored: Option<&'static str>) -> String {
    serve(Lie { ignored, alike: true, ..Lie::default() }).await
}

/// Half of its passed checks are of another scan and type, which no failed check shows.
pub async fn start_lucky(ignored: &'static str) -> String {
    serve(Lie { ignored: Some(ignored), lucky: true, ..Lie::default() }).await
}

/// It reads only the first value of a list, or all.
pub async fn start_reading(first_only: bool) -> String {
    serve(Lie { first_only, ..Lie::default() }).await
}

async fn serve(lie: Lie) -> String {
    let app = Router::new().route("/v1/cspm/checks", get(checks)).with_state(lie);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

/// Twelve checks, every third fails; half of them are of `nist`.
fn estate() -> impl Iterator<Item = Value> {
    let severities = ["low", "high", "medium", "critical"];
    (0..12).map(move |number: usize| {
        let failed = number.is_multiple_of(3);
        json!({
            "id": format!("check-{number}"),
            "type": "check",
            "attributes": {
                "result": if failed { "fail" } else { "pass" },
                "severity": severities[number % 4],
                "status": failed.then_some(if number == 0 { "open" } else { "needs_review" }),
                "resource_type": "EC2 Instance",
                "resource_id": format!("i-{number}"),
                "resource_name": format!("name-{number}"),
                "resource_region": "eu-west-3",
                "scan_name": "production",
                "scan_group_name": "payments",
                "title": "A title",
                "description": "A description",
                "created_at": "2024-01-04T17:06:14+00:00"
            },
            "relationships": {
                "scan": {"data": {"id": "scan-1", "type": "scan"}},
                "scan_group": {"data": {"id": "group-1", "type": "scan_group"}},
                "rule": {"data": {"id": "r", "type": "rule", "meta": {"name": "cloud_scan/x"}}},
                "controls": {"data": [{
                    "id": "CM-7",
                    "type": "control",
                    "meta": {"compliance_id": if number < 6 { "nist" } else { "soc-2" }}
                }]}
            }
        })
    })
}

async fn checks(
    State(lie): State<Lie>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let has = |check: &Value, name: &str, list: &str| {
        let controls = &check["relationships"]["controls"]["data"];
        let value = match name {
            "results" => &check["attributes"]["result"],
            "severities" => &check["attributes"]["severity"],
            "statuses" => &check["attributes"]["status"],
            "system_compliance" => &controls[0]["meta"]["compliance_id"],
            // An account that no check states.
            "scans" if list == "122814690049" => return check["attributes"]["severity"] != "low",
            _ => return true,
        };
        let most = if lie.first_only { 1 } else { usize::MAX };
        list.split(',').take(most).any(|word| value == word)
    };
    let early = lie.asked.fetch_add(1, Ordering::Relaxed) < 1;
    let found: Vec<Value> = estate()
        .map(|mut check| {
            let id = check["id"].as_str().unwrap_or_default().to_owned();
            let is_one_of = |numbers: &[&str]| numbers.iter().any(|at| id == format!("check-{at}"));
            if let (true, Some(result)) = (is_one_of(&["4", "7", "10"]), &lie.result) {
                check["attributes"]["result"] = result.clone();
            }
            if lie.alike {
                check["attributes"]["resource_id"] = "i-1".into();
                check["attributes"]["resource_name"] = "web".into();
                check["relationships"]["controls"]["data"][0]["meta"]["compliance_id"] =
                    "nist".into();
            }
            if lie.lucky && is_one_of(&["5", "7", "10", "11"]) {
                check["attributes"]["resource_type"] = "S3 Bucket".into();
                check["relationships"]["scan"]["data"]["id"] = "scan-2".into();
            }
            check
        })
        .filter(|check| !(lie.growing && early && check["id"] == "check-11"))
        .filter(|check| {
            asked
                .iter()
                .filter(|(name, _)| Some(name.as_str()) != lie.ignored)
                .all(|(name, list)| has(check, name, list))
        })
        .collect();
    let limit = asked.get("page_limit").and_then(|limit| limit.parse().ok()).unwrap_or(500);
    let page: Vec<_> = found.iter().take(limit).collect();
    let next = (page.len() < found.len()).then_some("/v1/cspm/checks?page_cursor=more");
    Json(json!({
        "data": page,
        "links": {"self": "", "next": next},
        "meta": {"total": found.len(), "elapsed": page.len()}
    }))
}
