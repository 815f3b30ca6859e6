//! No single field of any answer can turn a red estate green, in any system: each is made null,
//! missing, empty and of a wrong type.

use chrono::{TimeDelta, Utc};
use compliance_gate::acceptance::{Acceptance, Forgives, Upstream};
use compliance_gate::finding::{Cause, Severity, WaiverKind};
use compliance_gate::selection::{Field, Pattern};
use serde_json::json;

use crate::common::estate;
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
            {"stops": 1, "vulnerabilities": {"critical": 3, "low": 1}},
            {"tag": "registry.example.com/shop/web:2.0", "vulnerabilities": {"critical": 1}}]}}}),
        path: "",
        settings: json!({"images": [{"tag": "registry.example.com/shop/api:1.4"}],
            "vulnerabilities": "findings", "feed_max_age": "2d",
            "compare_to": "registry.example.com/shop/web:2.0"}),
        gate: Red::gate("sysdig", Severity::Critical),
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
        accept: Vec::new(),
        of: "",
        in_doubt: false,
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
    let groups = Red { of: "/scan_group", at_least: 15, ..gravityzone() };
    selecting(groups, Field::ScanGroup, &GROUPS).stays_red().await;
    // A check of which a control is missing is in no section of it.
    let sections = Red {
        of: "/data/0/relationships/controls",
        at_least: 20,
        harmless: &["/controls/data/0 missing"],
        ..gravityzone()
    };
    selecting(sections, Field::Section, &["CM", "IA", "SC", "AU"]).stays_red().await;
    let bigid = Red { of: "/assignee", at_least: 4, ..bigid() };
    selecting(bigid, Field::Assignee, &OWNERS).stays_red().await;
    let images = Red { of: "/fix", at_least: 8, ..sysdig_images() };
    selecting(images, Field::Fixable, &["true"]).stays_red().await;
    let posture = Red {
        of: "/labelValues",
        at_least: 8,
        // A resource need not have a label, and an empty one is none.
        harmless: &["/labelValues empty", "/labelValues/0 missing", "/labelValues/0 empty"],
        ..sysdig_posture()
    };
    selecting(posture, Field::Label, &["team=*"]).stays_red().await;
    // An event need not be of a namespace, or on a host.
    for (field, words, harmless) in [
        (Field::Namespace, ["shop", "platform"], &["/labels empty", "namespace.name missing"][..]),
        (Field::Host, ["node-0", "node-1"], &[]),
        (Field::Container, ["shop-?", "platform-?"], &[]),
        (Field::Category, ["runtime", "-"], &[]),
        (Field::EventSource, ["syscall", "-"], &[]),
    ] {
        let events = Red { of: "/data/0", harmless, at_least: 20, ..sysdig_events() };
        selecting(events, field, &words).stays_red().await;
    }
}

/// What chooses a part of the estate leaves out no failure of that part.
#[tokio::test]
async fn no_change_of_what_chooses_the_estate_turns_it_green() {
    for inventory in [
        json!({"labels": "team:shop", "zone": "Production"}),
        json!({"labels": ["team:s*", "*platform*"], "policy": "*", "project": "(none)"}),
    ] {
        Red {
            settings: json!({"posture": {"zones": "Entire Infrastructure", "inventory": inventory}}),
            of: "/inventory/",
            at_least: 8,
            // Another hash is that of another resource.
            harmless: &["/hash wrong"],
            ..sysdig_posture()
        }
        .stays_red()
        .await;
    }
    let repository = json!({"images": [{"repository": "registry.example.com/shop/*"}],
        "vulnerabilities": "findings"});
    Red { settings: repository, of: "/results?", at_least: 20, ..sysdig_images() }
        .stays_red()
        .await;
    // Every check must be of what the filters ask for.
    let filters = json!({"filters": {"scan_groups": GROUPS, "scans": "[Production] AWS"}});
    let gate = Red::gate("gravityzone", Severity::High);
    Red { settings: filters, gate, of: "/scan", at_least: 20, ..gravityzone() }.stays_red().await;
    // Many cases: only the unresolved ones are read.
    let many = json!({"bigid": {"open": {"critical": 1, "low": 1}, "resolved": 1_100}});
    Red { scenario: many, of: "totalCount", at_least: 8, ..bigid() }.stays_red().await;
}

/// A run over more accounts than the policy names is of these, too.
#[tokio::test]
async fn no_change_of_a_wider_run_turns_a_red_estate_green() {
    let wider = json!({"opencomply": {
        "frameworks": {"baseline_security": {"controls": 2, "ok": 4, "alarms": {"high": 4}}},
        "history": [{"age": 600}]}});
    let settings = json!({
        "frameworks": ["baseline_security"], "poll": {"interval": "60ms"}, "run": {"when": "never"},
        "integrations": [
            {"integration_type": "aws_cloud_account", "provider_id": "122814690049"}]});
    let wider = Red { scenario: wider, settings, entries: 1, named: &[], ..opencomply() };
    let gate = Red::gate("opencomply", Severity::High);
    Red { gate, of: "run-history", at_least: 15, ..wider }.stays_red().await;
}

/// What switches detection off is high.
#[tokio::test]
async fn no_change_of_a_pattern_that_was_switched_off_makes_it_harmless() {
    let change = json!({"type": "correlation_pattern", "name": "Same host", "action": "update",
        "object": {"active": false}, "minutes_ago": 25});
    let scenario = json!({"bigpanda": {"changes": [change], "plans": [
        {"name": "Over", "created_minutes_ago": 9000, "ends_in_minutes": -60}]}});
    Red { scenario, of: "audit", at_least: 40, ..bigpanda() }.stays_red().await;
}

/// Evidence that says nothing stays in doubt.
#[tokio::test]
async fn no_change_dispels_a_doubt_about_the_evidence() {
    let images = |feed: i64| {
        json!({"sysdig": {"images": {"feed_minutes_ago": feed, "scanned": [
        {"vulnerabilities": {"low": 1}}]}}})
    };
    let settings = json!({"images": [{"tag": "registry.example.com/shop/api:1.4"}],
        "vulnerabilities": "findings", "feed_max_age": "2d"});
    let old = Red { scenario: images(20_160), settings, in_doubt: true, ..sysdig_images() };
    old.stays_red().await;
    // What the feeds say of themselves, and two groups of three, hide no group that is old.
    for (groups, group) in [(20_160, 20_160), (60, 20_160)] {
        let feeds = json!({"sysdig": {"images": {"feed_minutes_ago": groups,
            "group_minutes_ago": group, "full_sync_minutes_ago": 60, "scanned": [{}]}}});
        let settings = json!({"images": [{"tag": "registry.example.com/shop/api:1.4"}],
            "feed_max_age": "2d"});
        Red {
            scenario: feeds,
            settings,
            in_doubt: true,
            of: "/feeds",
            entries: 3,
            // Without the only old group nothing is old.
            harmless: match groups {
                60 => &[
                    "/0/groups null",
                    "/0/groups missing",
                    "/0/groups empty",
                    "/0 missing",
                    "/0/enabled empty",
                    "/groups/0/enabled empty",
                ],
                _ => &[],
            },
            at_least: 40,
            ..sysdig_images()
        }
        .stays_red()
        .await;
    }
    // An image that failed, or was not analysed, in the list of scans alone.
    for (image, harmless) in [
        (
            json!({"listed_as": "FAIL"}),
            &["/policyStatus null", "/policyStatus missing", "/policyStatus empty"][..],
        ),
        (json!({"analysed": false}), &[]),
    ] {
        let scenario = json!({"sysdig": {"images": {"scanned": [image]}}});
        let settings = json!({"images": [{"repository": "registry.example.com/shop/*"}]});
        let listed = Red { scenario, settings, in_doubt: true, of: "/results", ..sysdig_images() };
        Red { harmless, at_least: 20, ..listed }.stays_red().await;
    }
    // The platform counts one more open case than arrives.
    let more = json!({"bigid": {"open": {"low": 1}, "resolved": 1, "severities_offset": 1}});
    Red {
        scenario: more,
        in_doubt: true,
        of: "all-cases",
        at_least: 40,
        // A case whose status cannot be read is open, and then the numbers agree.
        harmless: &["/1/caseStatus null", "/1/caseStatus empty", "/1/caseStatus wrong"],
        ..bigid()
    }
    .stays_red()
    .await;
    let quiet = json!({"sysdig": {"events": {
        "by_number": [0, 0, 0, 0, 0, 0, 0, 0], "agents": 0, "has_events": false}}});
    Red { scenario: quiet, in_doubt: true, at_least: 10, ..sysdig_events() }.stays_red().await;
}

/// A cloud account of which the platform does not say that it evaluates it.
#[tokio::test]
async fn no_change_hides_an_account_that_is_not_evaluated() {
    let account = "122814690049";
    let off = json!({"sysdig": {"posture": {
        "resources": 3, "posture_off": [account], "fails": {"high": 0, "medium": 0, "low": 0}}}});
    let off = || Red { scenario: off.clone(), of: "cloudauth", at_least: 20, ..sysdig_posture() };
    let settings = json!({"posture": {"inventory": {"account": account}}});
    Red { settings, in_doubt: true, ..off() }.stays_red().await;
    // Its evidence is whole, and a gate that asks for the account cannot rely on it.
    selecting(off(), Field::Account, &[account]).stays_red().await;
}

/// What the platform accepts holds only as long as it says that it does.
#[tokio::test]
async fn no_change_of_an_exception_that_is_over_makes_it_hold() {
    let exceptions = json!([
        {"number": 0, "ends_in_days": -1}, {"number": 1, "ends_in_days": 9, "enabled": false}]);
    let scenario = json!({"sysdig": {"images": {"scanned": [
        {"vulnerabilities": {"critical": 2}, "exceptions": exceptions}]}}});
    let settings = json!({"images": [{"tag": "registry.example.com/shop/api:1.4"}],
        "vulnerabilities": "findings"});
    let accept = vec![Acceptance {
        forgives: Forgives::Upstream(Upstream::Waiver(WaiverKind::SysdigVulnerabilityException)),
        ..estate::excuse(Cause::Stale, None, (Utc::now() + TimeDelta::days(30)).date_naive())
    }];
    Red { scenario, settings, accept, at_least: 80, ..sysdig_images() }.stays_red().await;
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
