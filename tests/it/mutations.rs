//! No single field of any answer can turn a red estate green, in any system: each is made null,
//! missing, empty and of a wrong type.

use compliance_gate::finding::Severity;
use compliance_gate::selection::{Field, Pattern};
use serde_json::json;

use crate::common::mutation::Red;

pub fn opencomply() -> Red {
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

pub fn gravityzone() -> Red {
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

pub fn bigid() -> Red {
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

pub fn bigpanda() -> Red {
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

pub fn sysdig_posture() -> Red {
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

pub fn sysdig_images() -> Red {
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

pub fn sysdig_events() -> Red {
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

/// A red estate whose gate selects by one more field.
fn selecting(mut red: Red, field: Field, words: &[&str]) -> Red {
    let patterns = words.iter().map(|word| Pattern::new(*word)).collect();
    red.gate.selection.words.insert(field, patterns);
    Red { entries: 1, ..red }
}

/// Every group and every owner that there is, so that only a change makes a row match none.
const GROUPS: [&str; 3] = ["production", "demo-group", "data"];
const OWNERS: [&str; 5] = [
    "data-platform@example.com",
    "orders@example.com",
    "hr@example.com",
    "finance@example.com",
    "analytics@example.com",
];

#[tokio::test]
async fn no_change_takes_a_failure_out_of_a_gate_that_selects_by_a_further_field() {
    selecting(gravityzone(), Field::ScanGroup, &GROUPS).stays_red().await;
    let bigid = Red { at_least: 100, ..bigid() };
    selecting(bigid, Field::Assignee, &OWNERS).stays_red().await;
    selecting(sysdig_images(), Field::Fixable, &["true"]).stays_red().await;
    let posture = Red {
        // A resource need not have a label, and an empty one is none.
        harmless: &["/labelValues empty", "/labelValues/0 missing", "/labelValues/0 empty"],
        ..sysdig_posture()
    };
    selecting(posture, Field::Label, &["team=*"]).stays_red().await;
    let events = Red {
        // An event need not be of a namespace.
        harmless: &["/labels empty", "/labels/kubernetes.namespace.name missing"],
        at_least: 30,
        ..sysdig_events()
    };
    selecting(events, Field::Namespace, &["shop", "platform"]).stays_red().await;
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
