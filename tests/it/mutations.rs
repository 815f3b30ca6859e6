//! No single field of any answer can turn a red estate green, in any system: each is made null,
//! missing, empty and of a wrong type. And what any field of an answer says, the token in it is masked
//! in all that is reported.

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use compliance_gate::evidence::Outcome;
use compliance_gate::finding::Severity;
use compliance_gate::report::{EVIDENCE, FORMATS};
use serde_json::{Value, json};

use crate::common::estate::Scene;
use crate::common::mutation::{Collected, Red};

fn opencomply() -> Red {
    // A control with a critical failure that shares its policy with another one, a control that
    // left the framework, and two accounts.
    let scenario = json!({"opencomply": {
        "frameworks": {"baseline_security": {
            "controls": 18, "ok": 40, "alarms": {"high": 12},
            "shared_policies": [["aws_ec2_instance_imdsv2", "aws_iam_root_mfa"]],
            "removed_controls": ["aws_s3_bucket_tls_only"]}},
        "history": [{"age": 600}]}});
    Red {
        system: "opencomply",
        scenario,
        path: "",
        settings: json!({
            "frameworks": ["baseline_security"],
            "integrations": [
                {"integration_type": "aws_cloud_account", "provider_id": "122814690049"},
                {"integration_type": "azure_subscription",
                    "provider_id": "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b"}],
            "poll": {"interval": "60ms"},
            "run": {"when": "never"},
        }),
        gate: Red::gate("opencomply", Severity::Critical),
        named: &["aws_ec2_instance_imdsv2", "aws_iam_root_mfa", "aws_s3_bucket_tls_only"],
        entries: 2,
        // Nothing else shows that the control has a policy.
        harmless: &["/policy null"],
        at_least: 3000,
    }
}

fn gravityzone() -> Red {
    Red {
        system: "gravityzone",
        scenario: json!({"gravityzone": {"checks": 40, "fails": {"critical": 1, "high": 3}}}),
        path: "/v1",
        settings: json!({}),
        gate: Red::gate("gravityzone", Severity::Critical),
        named: &[],
        entries: 5,
        harmless: &[],
        at_least: 400,
    }
}

fn bigid() -> Red {
    Red {
        system: "bigid",
        scenario: json!({"bigid": {"open": {"critical": 1, "high": 2, "low": 1}, "resolved": 1}}),
        path: "",
        settings: json!({}),
        gate: Red::gate("bigid", Severity::Critical),
        named: &[],
        entries: 5,
        harmless: &[],
        at_least: 200,
    }
}

fn bigpanda() -> Red {
    Red {
        system: "bigpanda",
        scenario: json!({"bigpanda": {
            "changes": [
                {"type": "alert_filtering", "name": "Quiet weekend", "actor": "someone@example.net",
                    "minutes_ago": 25, "starts_in_minutes": -20},
                {"type": "tag", "name": "region", "action": "update", "minutes_ago": 190}],
            "plans": [
                {"name": "Quiet weekend", "created_minutes_ago": 25, "ends_in_minutes": 2880}]}}),
        path: "",
        settings: json!({"window": "24h"}),
        gate: Red::gate("bigpanda", Severity::High),
        named: &[],
        entries: 4,
        harmless: &[],
        at_least: 100,
    }
}

fn sysdig_posture() -> Red {
    Red {
        system: "sysdig",
        scenario: json!({"sysdig": {"posture": {
            "resources": 3, "accepted": 1, "fails": {"high": 1, "medium": 1, "low": 0}}}}),
        path: "",
        settings: json!({"posture": {"zones": "Entire Infrastructure"}}),
        gate: Red::gate("sysdig", Severity::High),
        named: &[],
        entries: 2,
        harmless: &[],
        at_least: 300,
    }
}

fn sysdig_images() -> Red {
    Red {
        system: "sysdig",
        scenario: json!({"sysdig": {"images": {"scanned": [
            {"stops": 1, "vulnerabilities": {"critical": 1, "low": 1}},
            {"tag": "registry.example.com/shop/web:2.0"}]}}}),
        path: "",
        settings: json!({"images": [{"tag": "registry.example.com/shop/api:1.4"}],
            "vulnerabilities": "findings", "feed_max_age": "2d",
            "compare_to": "registry.example.com/shop/web:2.0"}),
        gate: Red::gate("sysdig", Severity::Critical),
        named: &[],
        entries: 2,
        harmless: &[],
        at_least: 100,
    }
}

fn sysdig_events() -> Red {
    Red {
        system: "sysdig",
        scenario: json!({"sysdig": {"events": {"by_number": [1, 0, 0, 0, 0, 0, 2, 1]}}}),
        path: "",
        settings: json!({"events": {"window": "24h"}}),
        gate: Red::gate("sysdig", Severity::High),
        named: &[],
        entries: 5,
        harmless: &[],
        at_least: 50,
    }
}

#[tokio::test]
async fn no_change_of_opencomply_turns_a_red_estate_green() {
    opencomply().stays_red().await;
}

#[tokio::test]
async fn no_change_of_gravityzone_turns_a_red_estate_green() {
    gravityzone().stays_red().await;
}

#[tokio::test]
async fn no_change_of_bigid_turns_a_red_estate_green() {
    bigid().stays_red().await;
}

#[tokio::test]
async fn no_change_of_bigpanda_turns_a_red_estate_green() {
    bigpanda().stays_red().await;
}

#[tokio::test]
async fn no_change_of_sysdig_posture_turns_a_red_estate_green() {
    sysdig_posture().stays_red().await;
}

#[tokio::test]
async fn no_change_of_sysdig_images_turns_a_red_estate_green() {
    sysdig_images().stays_red().await;
}

#[tokio::test]
async fn no_change_of_sysdig_events_turns_a_red_estate_green() {
    sysdig_events().stays_red().await;
}

/// A token with characters that every encoding changes.
const CANARY: &str = "kV9&x/Tq+3\"w\\Zr8=uB2_p-L";

/// The token in the encodings in which platforms echo requests.
fn echoes() -> Vec<String> {
    let all = |code: &dyn Fn(u8) -> String| CANARY.bytes().map(code).collect::<String>();
    vec![
        CANARY.to_owned(),
        BASE64_STANDARD.encode(CANARY),
        BASE64_URL_SAFE.encode(format!("user:{CANARY}")),
        all(&|byte| format!("{byte:02x}")),
        all(&|byte| format!("%{byte:02X}")),
        serde_json::to_string(CANARY).unwrap().trim_matches('"').replace('/', "\\/"),
        all(&|byte| format!("\\u{byte:04x}")),
        all(&|byte| format!("&#{byte};")),
        CANARY.replace('&', "&amp;").replace('"', "&quot;"),
        all(&|byte| format!("{}\u{200b}", byte as char)),
    ]
}

/// The answer with the token in a text, instead of a value, and as a further key.
fn with_canary(answer: &Value, pointer: &str) -> Vec<(&'static str, Value)> {
    let echoes = echoes().join(" ");
    let with = |new: Value| {
        let mut answer = answer.clone();
        *answer.pointer_mut(pointer).unwrap() = new;
        answer
    };
    let mut all = vec![("instead", with(json!(echoes)))];
    match answer.pointer(pointer).unwrap() {
        Value::String(text) => all.push(("within", with(json!(format!("{text} {echoes}"))))),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            fields.insert(echoes, json!([]));
            all.push(("key", with(Value::Object(fields))));
        }
        _ => {}
    }
    all
}

/// Parts of the encodings, by which a token is found that was cut or wrapped.
fn traces() -> Vec<String> {
    let trace = |echo: String| {
        let plain: String = echo.chars().filter(|c| *c != '\u{200b}').collect();
        let length = if plain == CANARY { 6 } else { 16 };
        let middle = (plain.len() - length) / 2;
        [0, middle, plain.len() - length].map(|at| plain[at..at + length].to_owned())
    };
    let all: BTreeSet<String> = echoes().into_iter().flat_map(trace).collect();
    all.into_iter().filter(|trace| !"user:".starts_with(&**trace)).collect()
}

#[tokio::test]
async fn the_token_in_any_field_is_masked_in_every_report() {
    no_report_shows_the_token([gravityzone(), bigid(), bigpanda(), sysdig_events()]).await;
}

#[tokio::test]
#[ignore = "takes minutes; tests/conformance/run faults"]
async fn the_token_in_any_field_of_larger_answers_is_masked_in_every_report() {
    no_report_shows_the_token([opencomply(), sysdig_posture(), sysdig_images()]).await;
}

async fn no_report_shows_the_token<const N: usize>(systems: [Red; N]) {
    let traces = traces();
    let check = |red: &Red, label: &str, collected: &Collected| {
        let outcome = match collected {
            Ok(outcome) => outcome.clone(),
            Err(problems) => Outcome {
                problems: problems.clone(),
                ..Outcome::of_failure(red.system.to_owned(), String::new(), problems[0].clone())
            },
        };
        let scene = Scene::new(vec![red.gate.clone()], vec![outcome]);
        let formats = FORMATS.iter().chain([&EVIDENCE]);
        let reports = formats.map(|format| (format.name, scene.render(format.name)));
        for (name, text) in reports.chain([("terminal", scene.read())]) {
            for trace in &traces {
                assert!(!text.contains(&**trace), "{label}: {trace} in {name}");
            }
        }
    };
    for red in systems {
        // One entry of each list is enough: here it does not matter what it means.
        let red = Red { entries: 1, named: &[], ..red };
        let changes = red.each_change(CANARY, with_canary, |label, all| check(&red, label, all));
        assert!(changes.await > 20);
    }
}
