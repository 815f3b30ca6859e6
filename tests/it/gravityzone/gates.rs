//! Gates over GravityZone, as a user writes them.

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Folder, Platform, gravityzone};

fn ended(scenario: &str, settings: &str, gate: &str) -> crate::common::Ended {
    let platform = Platform::of(scenario);
    let folder = Folder::new();
    let gates = format!("  - {{id: cspm, source: gravityzone, {gate}}}\n");
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, settings, &gates));
    let mut command = folder.command(&["run"]);
    command.env("GRAVITYZONE_API_KEY", "a-token");
    crate::common::Ended::wait(command)
}

#[test]
fn a_filter_that_excludes_everything_a_gate_selects_is_refused() {
    let low = "    filters: {severities: [low]}\n";
    ended("{}", low, "severity: \">= high\", max: 0").exits(2).says(
        "gate `cspm` can never match by its `severity`: `filters.severities` of source \
         `gravityzone` limits it to low, so the gate would always pass",
    );
    let review = "    filters: {statuses: [needs_review]}\n";
    ended("{}", review, "status: open, max: 0")
        .exits(2)
        .says("gate `cspm` can never match by its `status`: `filters.statuses`");
    ended("{}", "", "severity: none, max: 0")
        .exits(2)
        .says("source `gravityzone` reports only informational, low, medium, high, critical");
}

#[test]
fn a_filter_that_excludes_a_part_is_a_note_of_the_gate_and_of_the_evidence() {
    let high = "    filters: {severities: [high]}\n";
    ended("{}", high, "severity: \">= high\", max: 99")
        .exits(0)
        .says(
            "`filters.severities` of source `gravityzone` leaves out severity critical, which this \
             gate selects",
        )
        .says("only failed checks within `filters.severities`: high (now or originally)");
}

#[test]
fn a_failed_check_is_linked_by_its_id() {
    let platform = Platform::of(r#"{"gravityzone": {"fails": {"high": 1}}}"#);
    let folder = Folder::new();
    let gates = "  - {id: cspm, source: gravityzone, severity: high, max: 0}\n";
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", gates));
    folder.run(&["run", "--json", "gate.json", "--html", "gate.html"]).exits(1);
    let link = folder.json("gate.json")["findings"][0]["link"].as_str().unwrap().to_owned();
    let (start, id) = link.rsplit_once('/').unwrap();
    assert_eq!(start, format!("{}/v1/cspm/checks", platform.origin));
    assert!(!id.is_empty() && folder.read("gate.html").contains(id), "{link}");
}

#[test]
fn a_misspelt_status_is_refused() {
    ended("{}", "", "status: opne, max: 0")
        .exits(2)
        .says("gate `cspm`: status `opne` can match nothing of gravityzone; did you mean `open`?");
}

#[test]
fn a_severity_that_was_lowered_on_the_platform_still_blocks() {
    let lowered = r#"{"gravityzone": {"fails": {"low": 5}, "original_severity": "high"}}"#;
    ended(lowered, "", "severity: high, max: 0").exits(1).says("5 failed checks");
    let unreadable = r#"{"gravityzone": {"fails": {"low": 5}, "original_severity": "severe"}}"#;
    ended(unreadable, "", "severity: critical, max: 0").exits(1);
    let null =
        r#"{"gravityzone": {"fails": {"low": 5}, "null_attributes": ["original_severity"]}}"#;
    ended(null, "", "severity: critical, max: 0").exits(1).says("5 unknown");
}

#[test]
fn an_error_beside_a_list_is_not_a_list() {
    let body = r#"{"data": [], "links": {"next": null}, "meta": {"total": 0, "elapsed": 0}, "errors": [{"title": "shard"}]}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let fault = Fault::Answer(head + body);
    let platform = Platform::start("blocked");
    let rules = vec![Rule { path: "results=fail", skip: 0, times: usize::MAX, fault }];
    let proxy = Proxy::start(&platform.origin, rules);
    let folder = Folder::new();
    let gates = "  - {id: cspm, source: gravityzone, severity: critical, max: 0}\n";
    folder.write("compliance-gate.yaml", &gravityzone(&proxy.origin, "", gates));
    folder.run(&["run"]).exits(3).says("the answer is an error despite its status: `errors`");
}

#[test]
fn what_a_check_does_not_state_never_takes_it_out_of_a_gate() {
    for (field, selector) in [
        ("scan_name", "account"),
        ("resource_region", "region"),
        ("resource_type", "resource_type"),
        ("resource_id", "resource"),
    ] {
        let scenario = format!(r#"{{"gravityzone": {{"null_attributes": ["{field}"]}}}}"#);
        let gate = format!("{selector}: anything, max: 0");
        let ended = ended(&scenario, "", &gate);
        assert_ne!(ended.code, Some(0), "{field}: {}", ended.stdout);
        ended.says(&format!("64 failed checks without a stated {selector}"));
    }
}

#[test]
fn a_gate_selects_by_the_group_of_scans() {
    let known = r#"{"gravityzone": {"scans": [{"name": "a", "group": "payments", "provider": "aws",
        "account": "1"}]}}"#;
    ended(known, "", "scan_group: payments, max: 0").exits(1).says("64 failed checks");
    ended(known, "", "scan_group: pay*, min_pass_rate: 99%").exits(1).says("94.8");
    ended(known, "", "scan_group: paymints, max: 0")
        .exits(3)
        .says("nothing that was evaluated matches")
        .says("did you mean `payments`?");
}

#[test]
fn a_gate_selects_by_the_section_of_a_control() {
    let known = r#"{"gravityzone": {"checks": 200}}"#;
    ended(known, "", "section: CM, max: 0").exits(1);
    ended(known, "", "section: nist-sp-800-53-r5/CM, max: 64").exits(0);
    ended(known, "", "section: cm, min_pass_rate: 1%").exits(0);
    ended(known, "", "section: cm, min_pass_rate: 100%").exits(1);
    ended(known, "", "except: {section: [CM, IA]}, max: 64").exits(0).says("out of scope");
    ended(known, "", "section: nist-sp-800-53-r5/CMM, max: 0")
        .exits(3)
        .says("nothing that was evaluated matches")
        .says("did you mean `nist-sp-800-53-r5/CM`?");
    ended(known, "", "section: soc-2/CM, max: 0").exits(3);
}
