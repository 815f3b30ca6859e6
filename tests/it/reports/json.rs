//! The machine report, as a dashboard or an auditor reads it.

use compliance_gate::policy::Mode;
use serde_json::{Value, json};

use super::{assert_valid, our_schema};
use crate::common::estate::{self, Scene};

fn document(scene: &Scene) -> Value {
    serde_json::from_str(&scene.render("json")).unwrap()
}

#[test]
fn it_tells_the_decision_and_what_it_rests_on() {
    let report = document(&estate::blocked());
    assert_eq!(report["$schema"], "urn:compliance-gate:report:1");
    assert_eq!(report["verdict"], "blocked");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["started"], "2026-09-21T14:10:07Z");
    assert_eq!(report["evidence_complete"], true);
    let gate = &report["gates"][0];
    assert_eq!(gate["id"], "no-critical-or-high");
    assert_eq!(gate["state"], "breached");
    assert_eq!(gate["blocks"], true);
    assert_eq!(gate["selection"], json!({"severity": ["critical", "high"]}));
    assert_eq!(gate["limits"], json!({"max": 0}));
    assert_eq!(
        gate["observed"],
        json!({"failed": 12, "failed_by_severity": {"critical": 2, "high": 10}, "out_of_scope": {}})
    );
    assert_eq!(gate["breaches"][0]["limit"], "max");
    let limits = json!({"min_pass_rate": "72.5%", "min_pass_percent": 72.5});
    assert_eq!(report["gates"][2]["limits"], limits);
    assert_eq!((&report["may_deploy"], &report["simulated"]), (&json!(false), &json!(false)));
    assert_eq!(report["gates"][2]["observed"]["passed"], 409);
    let part = &report["sources"][1]["parts"][0];
    assert_eq!(part["framework"], "baseline_security");
    assert_eq!(part["evaluated"], 471);
    assert_eq!(part["jobs"][0]["role"], "started");
}

#[test]
fn a_finding_is_there_once_and_gates_refer_to_it() {
    let report = document(&estate::blocked());
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 64);
    assert_eq!(findings[0]["severity"], "critical");
    assert_eq!(findings[0]["gates"], json!(["no-critical-or-high", "alarm-budget", "pass-rate"]));
    assert_eq!(findings[0]["resource"]["id"], "arn:aws:s3:::payments-000");
    let referred = report["gates"][0]["findings"].as_array().unwrap();
    let counted = findings.iter().filter(|finding| {
        finding["gates"].as_array().unwrap().contains(&json!("no-critical-or-high"))
    });
    assert_eq!(
        *referred,
        counted.map(|finding| finding["fingerprint"].clone()).collect::<Vec<_>>()
    );
}

#[test]
fn what_an_invalid_part_found_is_shown_and_counts_for_nothing() {
    let report = document(&estate::inconclusive());
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["evidence_complete"], false);
    assert_eq!(report["gates"][0]["troubles"][0]["cause"], "job-failed");
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 64);
    let counted = |finding: &&Value| !finding["gates"].as_array().unwrap().is_empty();
    assert_eq!(findings.iter().filter(counted).count(), 2, "those of the other source");
}

#[test]
fn exceptions_and_modes_are_told() {
    let report = document(&estate::forgiven());
    assert_eq!(
        report["gates"][0]["forgiven"],
        json!({
            "id": "platform-moves",
            "cause": "unreachable",
            "reason": "the platform moves this month (OPS-1412)",
            "owner": "#team-platform",
            "expires": "2026-10-11"
        })
    );
    assert_eq!(report["would_exit"], Value::Null);
    let mut observed = estate::blocked();
    observed.policy.mode = Mode::Observe;
    let report = document(&observed);
    assert_eq!((&report["exit_code"], &report["would_exit"]), (&json!(0), &json!(1)));
    assert_eq!((&report["mode"], &report["verdict"]), (&json!("observe"), &json!("blocked")));
}

#[test]
fn every_report_is_what_the_published_schema_says() {
    let schema = our_schema();
    for scene in [
        estate::blocked(),
        estate::passed(),
        estate::inconclusive(),
        estate::forgiven(),
        estate::interrupted(),
        estate::window(),
        estate::hostile(estate::HOSTILE),
    ] {
        assert_valid(&schema, &document(&scene));
    }
    let mut wrong = document(&estate::blocked());
    wrong["verdict"] = json!("green");
    assert!(!schema.is_valid(&wrong), "the schema refuses something");
}
