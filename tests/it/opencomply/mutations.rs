//! No single field of any answer can turn a red estate green: each is made null, missing, empty and
//! of a wrong type.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use compliance_gate::evidence::{Findings, Part};
use compliance_gate::finding::Severity;
use compliance_gate::selection::Selection;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::setup::*;

/// A control with a critical failure that shares its policy with another one, a control that left
/// the framework, and two accounts.
const ESTATE: &str = r#"
    "frameworks": {"baseline_security": {
        "controls": 18, "ok": 40, "alarms": {"high": 12},
        "shared_policies": [["aws_ec2_instance_imdsv2", "aws_iam_root_mfa"]],
        "removed_controls": ["aws_s3_bucket_tls_only"]}},
    "history": [{"age": 600}]"#;

/// Entries of a large list or map that are changed, besides those with these names.
const ENTRIES: usize = 2;
const NAMES: [&str; 3] = ["aws_ec2_instance_imdsv2", "aws_iam_root_mfa", "aws_s3_bucket_tls_only"];

/// Changes after which a pass is right: nothing else shows that the control has a policy.
const HARMLESS: [&str; 1] = ["/policy null"];

/// The answers of a platform, by request; and changes to one of them, by number.
#[derive(Default)]
struct Recording {
    answers: BTreeMap<String, Value>,
    changes: Vec<Change>,
}

#[derive(Clone)]
struct Change {
    request: String,
    /// What it does, for people.
    label: String,
    answer: Value,
}

type Shared = Arc<Mutex<Recording>>;

/// `/record/…` asks the platform and keeps its answers; `/7/…` answers as it did, with change 7.
async fn serve(
    State((origin, recording)): State<(String, Shared)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().unwrap().as_str();
    let (mode, path) = path[1..].split_once('/').unwrap();
    let request = format!("{method} /{path} {}", String::from_utf8_lossy(&body));
    if mode == "record" {
        let sent = reqwest::Client::new()
            .request(method, format!("{origin}/{path}"))
            .header(header::AUTHORIZATION, headers[header::AUTHORIZATION].clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        let text = sent.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        recording.lock().unwrap().answers.insert(request, answer.clone());
        return axum::Json(answer).into_response();
    }
    let recording = recording.lock().unwrap();
    let change = &recording.changes[mode.parse::<usize>().unwrap()];
    let answer = match change.request == request {
        true => Some(&change.answer),
        false => recording.answers.get(&request),
    };
    match answer {
        Some(answer) => axum::Json(answer.clone()).into_response(),
        // A request that was never made of the healthy platform.
        None => (StatusCode::BAD_REQUEST, axum::Json(json!({"message": "?"}))).into_response(),
    }
}

/// The pointers to all values, of large lists and maps only to some.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect()
        }
        Value::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), field)).collect(),
        _ => Vec::new(),
    };
    let is_large = value.is_array() || entries.len() > 25;
    for (number, (key, entry)) in entries.iter().enumerate() {
        let named = NAMES.iter().any(|name| key == name || entry["id"] == **name);
        if is_large && number >= ENTRIES && !named {
            continue;
        }
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers(entry, &at, all);
        all.push(at);
    }
}

fn changes(answers: &BTreeMap<String, Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (request, answer) in answers {
        let mut all = vec![String::new()];
        pointers(answer, "", &mut all);
        for pointer in all {
            let was = answer.pointer(&pointer).unwrap();
            let empty = match was {
                Value::String(_) => json!(""),
                Value::Array(_) => json!([]),
                Value::Object(_) => json!({}),
                Value::Number(_) => json!(0),
                Value::Bool(_) | Value::Null => json!(false),
            };
            let wrong = if was.is_string() { json!(7) } else { json!("seven") };
            for (kind, new) in [("null", Value::Null), ("empty", empty), ("wrong", wrong)] {
                let mut answer = answer.clone();
                *answer.pointer_mut(&pointer).unwrap() = new;
                let label = format!("{request} {pointer} {kind}");
                changes.push(Change { request: request.clone(), label, answer });
            }
            let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
            let mut answer = answer.clone();
            let Some(parent) = answer.pointer_mut(parent) else { continue };
            match parent {
                Value::Object(fields) => {
                    fields.remove(&key.replace("~1", "/").replace("~0", "~"));
                }
                Value::Array(items) => {
                    items.remove(key.parse().unwrap());
                }
                _ => continue,
            }
            let label = format!("{request} {pointer} missing");
            changes.push(Change { request: request.clone(), label, answer });
        }
    }
    changes
}

/// Whether a gate on critical failures would pass.
fn is_green(part: &Part) -> bool {
    let critical = match &part.findings {
        Findings::Listed(findings) => {
            findings.iter().filter(|f| f.subject.severity >= Severity::Critical).count() as u64
        }
        Findings::Incomplete { .. } => {
            let severity = Some([Severity::Critical].into());
            let selection = Selection { severity, ..Selection::default() };
            part.counts.of(&selection).map_or(1, |count| count.failed)
        }
    };
    part.problems.is_empty() && critical == 0
}

#[tokio::test]
async fn no_field_of_any_answer_can_turn_a_red_estate_green() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let platform = Platform::with(ESTATE, "").await;
    let recording = Shared::default();
    let state = (platform.origin.clone(), Arc::clone(&recording));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let service = axum::Router::new().fallback(serve).with_state(state);
    tokio::spawn(async move { axum::serve(listener, service).await });

    let gate =
        || Gate { deadline: Duration::from_secs(60), ..Gate::documented().mode("{when: never}") };
    let part = gate().part_at(&format!("{origin}/record")).await.unwrap();
    assert_eq!(part.problems, []);
    assert!(!is_green(&part) && part.notes.len() == 2, "{part:?}");
    let changed = changes(&recording.lock().unwrap().answers);
    let labels: Vec<_> = changed.iter().map(|change| change.label.clone()).collect();
    recording.lock().unwrap().changes = changed;
    let runs = labels.iter().enumerate().map(|(number, label)| {
        let (gate, at) = (gate(), format!("{origin}/{number}"));
        async move { (label, gate.part_at(&at).await) }
    });
    let green: Vec<_> = stream::iter(runs)
        .buffer_unordered(16)
        .filter_map(|(label, part)| async move {
            part.is_ok_and(|part| is_green(&part)).then_some(label)
        })
        .collect()
        .await;
    let wrong: Vec<_> =
        green.iter().filter(|label| !HARMLESS.iter().any(|end| label.ends_with(end))).collect();
    assert!(labels.len() > 500, "{}", labels.len());
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), labels.len());
}
