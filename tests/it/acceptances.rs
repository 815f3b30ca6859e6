//! What a policy forgives, as a pipeline sees it: exit codes, reports and errors.

use chrono::{Days, NaiveDate, Utc};
use serde_json::Value;

use crate::common::{Folder, Platform, opencomply};

const NONE: &str =
    "  - {id: no-critical-or-high, source: opencomply, severity: \">= high\", max: 0}\n";

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

fn in_days(days: u64) -> NaiveDate {
    today() + Days::new(days)
}

/// The reports of one run over a blocked estate, with these entries of `accept`.
fn report(platform: &Platform, accept: &str, code: i32) -> Value {
    let folder = Folder::new();
    let policy = format!("{}accept:\n{accept}", opencomply(&platform.origin, NONE));
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["run", "--json", "gate.json"]).exits(code);
    folder.json("gate.json")
}

#[test]
fn a_finding_is_accepted_by_rule_resource_and_severity_until_its_day_is_over() {
    let platform = Platform::start("healthy");
    let first = report(&platform, "  []\n", 1);
    let finding = first["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["severity"] == "high" && finding["resource"]["id"].is_string());
    let finding = finding.unwrap();
    let (rule, resource) =
        (finding["rule"]["id"].as_str().unwrap(), finding["resource"]["id"].as_str().unwrap());
    let entry = |severity: &str, rule: &str, expires: NaiveDate| {
        format!(
            "  - id: one\n    match: {{rule: {rule}, resource: \"{resource}\", severity: {severity}}}\n    \
             reason: Public by purpose\n    owner: docs-team@example.com\n    expires: {expires}\n"
        )
    };
    let failed = |report: &Value| report["gates"][0]["observed"]["failed"].as_u64().unwrap();
    let all = failed(&first);
    for (entry, covered) in [
        (entry("\"<= high\"", rule, in_days(30)), 1),
        (entry("\"<= high\"", rule, today()), 1),
        (entry("\"<= medium\"", rule, in_days(30)), 0),
        (entry("\"<= high\"", &rule.to_uppercase(), in_days(30)), 0),
        (entry("\"<= high\"", rule, today() - Days::new(1)), 0),
    ] {
        let report = report(&platform, &entry, 1);
        assert_eq!(failed(&report), all - covered, "{entry}");
        let gate = &report["gates"][0];
        assert_eq!(gate["accepted"].as_array().unwrap().len() as u64, covered);
        let named: Vec<_> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["accepted_by"] == "one")
            .collect();
        assert_eq!(named.len() as u64, covered);
        assert_eq!(report["acceptances"][0]["owner"], "docs-team@example.com");
    }
}

#[test]
fn a_wide_acceptance_covers_the_least_severe_findings_up_to_its_number() {
    let platform = Platform::start("healthy");
    let entry = |most: u64| {
        format!(
            "  - {{id: wide, match: {{rule: \"*\"}}, max_findings: {most}, reason: Debt, owner: \
             \"#cloud\", expires: {}}}\n",
            in_days(60)
        )
    };
    let all = report(&platform, &entry(1000), 0);
    assert_eq!(all["gates"][0]["observed"]["failed"], 0);
    assert_eq!(all["acceptances"][0]["covers"], 119);
    let some = report(&platform, &entry(10), 1);
    assert_eq!(some["gates"][0]["observed"]["failed"], 109);
    assert_eq!(some["acceptances"][0]["state"], "in-force");
    let critical = |report: &Value| {
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["severity"] == "critical" && f["accepted_by"] == "wide")
            .count()
    };
    assert_eq!(critical(&some), 0, "the least severe are covered first");
}

#[test]
fn every_report_shows_what_is_accepted() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = format!(
        "{}accept:\n  - {{id: wide, match: {{rule: \"*\"}}, max_findings: 1000, reason: Debt of \
         2026, owner: \"#cloud\", expires: {}, approved_by: ciso-office@example.com, ticket: \
         SEC-881}}\n",
        opencomply(&platform.origin, NONE),
        in_days(60)
    );
    folder.write("compliance-gate.yaml", &policy);
    folder
        .run(&[
            "run",
            "--json",
            "gate.json",
            "--junit",
            "gate.xml",
            "--sarif",
            "gate.sarif",
            "--markdown",
            "gate.md",
            "--html",
            "gate.html",
        ])
        .exits(0)
        .says("119 failed checks accepted: 119 by `wide` (#cloud, until ")
        .says("Debt of 2026 (approved by ciso-office@example.com (stated), SEC-881)");
    let sarif = folder.json("gate.sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let suppressed = results.iter().filter(|result| {
        let suppression = &result["suppressions"][0];
        suppression["kind"] == "external"
            && suppression["status"] == "accepted"
            && suppression["justification"]
                .as_str()
                .is_some_and(|j| j.starts_with("`wide` (#cloud"))
    });
    assert_eq!(suppressed.count(), 119);
    let junit = folder.read("gate.xml");
    assert!(
        junit.contains("<skipped message=") && junit.contains("accepted, by `wide`"),
        "{junit}"
    );
    assert!(folder.read("gate.md").contains("| `wide` |"));
    assert!(folder.read("gate.html").contains("<code>wide</code>"));
}
