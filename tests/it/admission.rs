//! `admit`: what a verifier printed lets an artefact through, or not.

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::common::{Ended, Folder};

const ORGANISATION: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "3333333333333333333333333333333333333333333333333333333333333333";

/// A result of this age for an environment.
fn svr(age: TimeDelta, environment: &str) -> Value {
    let time = (Utc::now() - age).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app", "digest": {"sha256": OTHER}}],
        "predicateType": "https://in-toto.io/attestation/svr/v0.2",
        "predicate": {
            "verifier": {
                "id": "https://compliance-gate.dev/gate/v1",
                "policies": [
                    {"name": "compliance-gate.yaml", "digest": {"sha256": OTHER}},
                    {"name": "org-policy", "digest": {"sha256": ORGANISATION}},
                ],
            },
            "timeCreated": time,
            "properties": [
                "COMPLIANCE_GATE_PASSED",
                format!("COMPLIANCE_GATE_ENV_{environment}"),
                "COMPLIANCE_GATE_EVIDENCE_COMPLETE",
            ],
        },
    })
}

fn fresh() -> Value {
    svr(TimeDelta::minutes(1), "PRODUCTION")
}

/// As `gh attestation verify --format json` prints them.
fn gh(statements: &[Value]) -> String {
    let entry = |statement| json!({"verificationResult": {"statement": statement}});
    Value::Array(statements.iter().map(entry).collect()).to_string()
}

/// As `cosign verify-attestation` prints them.
fn cosign(statements: &[Value]) -> String {
    let line = |statement: &Value| {
        let payload = BASE64_STANDARD.encode(statement.to_string());
        json!({"payloadType": "application/vnd.in-toto+json", "payload": payload}).to_string()
    };
    statements.iter().map(|statement| line(statement) + "\n").collect()
}

fn admit(text: &str, organisation: &str) -> Ended {
    let folder = Folder::new();
    folder.write("verified.json", text);
    folder.run(&[
        "admit",
        "verified.json",
        "--environment",
        "production",
        "--org-policy-sha256",
        organisation,
        "--max-age",
        "24h",
    ])
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut statement = fresh();
    change(&mut statement["predicate"]);
    statement
}

#[test]
fn one_result_that_satisfies_everything_is_enough() {
    let stale = svr(TimeDelta::days(3), "PRODUCTION");
    let staging = svr(TimeDelta::zero(), "STAGING");
    let decision = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://compliance-gate.dev/decision/v1",
        "predicate": {"verdict": "blocked"},
    });
    for statements in [
        vec![fresh()],
        vec![stale, fresh()],
        vec![fresh(), staging],
        vec![decision, fresh()],
        // The clock of the signer may be a little ahead.
        vec![svr(TimeDelta::minutes(-2), "PRODUCTION")],
    ] {
        admit(&gh(&statements), ORGANISATION).exits(0).says("admitted");
        admit(&cosign(&statements), ORGANISATION).exits(0).says("Signatures are not checked here");
    }
    let two = format!("{OTHER},{ORGANISATION}");
    admit(&fresh().to_string(), &two).exits(0);
}

#[test]
fn what_is_missing_is_named() {
    let second = with(|predicate| predicate["verifier"]["policies"][1]["name"] = "copy".into());
    let ahead = svr(TimeDelta::minutes(-10), "PRODUCTION");
    let cases = [
        (svr(TimeDelta::hours(25), "PRODUCTION"), "--max-age is 1day"),
        (svr(TimeDelta::hours(25), "PRODUCTION"), "it is 1day 1h"),
        (ahead, "in the future"),
        (svr(TimeDelta::zero(), "STAGING"), "it lacks COMPLIANCE_GATE_ENV_PRODUCTION"),
        (svr(TimeDelta::zero(), "PRODUCTION_EU"), "it lacks COMPLIANCE_GATE_ENV_PRODUCTION"),
        (svr(TimeDelta::zero(), "PROD"), "it lacks COMPLIANCE_GATE_ENV_PRODUCTION"),
        (with(|p| p["properties"] = json!([])), "it lacks COMPLIANCE_GATE_PASSED"),
        (with(|p| p["timeCreated"] = "yesterday".into()), "its time cannot be read"),
        (with(|p| p["verifier"]["id"] = "https://example.com".into()), "its verifier is"),
        (second, "not decided under this organisation policy"),
        (json!({"_type": "https://in-toto.io/Statement/v1"}), "its predicate type is"),
    ];
    for (statement, why) in cases {
        admit(&gh(std::slice::from_ref(&statement)), ORGANISATION)
            .exits(1)
            .says("refused")
            .says(why);
        admit(&cosign(&[statement]), ORGANISATION).exits(1).says(why);
    }
    admit(&gh(&[fresh()]), OTHER).exits(1).says("not decided under this organisation policy");
    for nothing in ["", "[]", "{}", "null", "not JSON"] {
        admit(nothing, ORGANISATION).exits(1).says("refused");
    }
}

#[test]
fn everything_must_be_asked() {
    let folder = Folder::new();
    folder.write("verified.json", &gh(&[fresh()]));
    let all = [
        ["--environment", "production"],
        ["--org-policy-sha256", ORGANISATION],
        ["--max-age", "24h"],
    ];
    for left_out in 0..all.len() {
        let kept = all.iter().enumerate().filter(|(at, _)| *at != left_out);
        let kept: Vec<_> = kept.flat_map(|(_, pair)| *pair).collect();
        folder.run(&[&["admit", "verified.json"][..], &kept].concat()).exits(2);
    }
    let none = [&["admit", "absent.json"][..], &all.concat()].concat();
    folder.run(&none).exits(2).says("cannot be read");
}
