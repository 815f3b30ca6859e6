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

/// A folder with a policy over a platform and evidence that it decided.
fn with_evidence(platform: &Platform, gates: &str, rest: &str) -> Folder {
    let folder = Folder::new();
    let policy = format!("{}{rest}", opencomply(&platform.origin, gates));
    folder.write("compliance-gate.yaml", &policy);
    let _ = folder.run(&["run", "--save-evidence", "evidence.jsonl"]);
    folder
}

const CRITICAL: &str =
    "  - {id: no-critical, source: opencomply, severity: \">= high\", rule: aws_*, max: 0}\n";

fn debt(expires: NaiveDate) -> String {
    format!(
        "accept:\n  - {{id: debt, baseline: .compliance-gate/baseline.jsonl, reason: Debt, owner: \
         \"#cloud\", expires: {expires}}}\n"
    )
}

#[test]
fn a_baseline_is_written_known_and_ratcheted() {
    let platform = Platform::start("healthy");
    let folder = with_evidence(&platform, CRITICAL, &debt(in_days(60)));
    // The policy names a baseline that is not there yet.
    folder.run(&["run"]).exits(2).says("`compliance-gate baseline write` makes a baseline");
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, CRITICAL));
    let _ = folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(1);
    folder.write(
        "compliance-gate.yaml",
        &format!("{}{}", opencomply(&platform.origin, CRITICAL), debt(in_days(60))),
    );
    folder
        .run(&["baseline", "write", "evidence.jsonl"])
        .exits(0)
        .says(".compliance-gate/baseline.jsonl: ");
    let first = folder.read(".compliance-gate/baseline.jsonl");
    let mut sorted: Vec<_> = first.lines().skip(1).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, first.lines().skip(1).collect::<Vec<_>>());
    let known = sorted.len();
    assert!(known > 10);
    folder
        .run(&["run", "--json", "gate.json"])
        .exits(0)
        .says(&format!("since the baseline: 0 new, {known} known, 0 fixed"));
    let report = folder.json("gate.json");
    assert_eq!(report["gates"][0]["baseline"]["known"], known);
    assert_eq!(report["acceptances"][0]["covers"], known);

    // A wider gate counts more, and the baseline does not grow by itself.
    let wider = format!("{}{}", opencomply(&platform.origin, NONE), debt(in_days(60)));
    folder.write("compliance-gate.yaml", &wider);
    let new = 119 - known;
    folder.run(&["run"]).exits(1).says(&format!("since the baseline: {new} new, {known} known"));
    folder
        .run(&["baseline", "write", "evidence.jsonl"])
        .exits(1)
        .says(&format!("{new} findings refused, which the baseline did not have"));
    assert_eq!(folder.read(".compliance-gate/baseline.jsonl"), first);
    folder
        .run(&["baseline", "write", "evidence.jsonl", "--allow-growth"])
        .exits(0)
        .says(&format!("{new} findings added"));
    folder.run(&["run"]).exits(0).says("since the baseline: 0 new, 119 known, 0 fixed");

    // A line that is gone from the estate is fixed, and taken out.
    let gone = "{\"fingerprint\":\"F\",\"source\":\"opencomply\",\"rule\":\"aws_ebs_volume_encrypted\",\
                \"resource\":\"arn:aws:ec2:eu-central-1:122814690049:volume/gone\",\"severity\":\
                \"high\",\"count\":1}";
    let print = compliance_gate::finding::Fingerprint::of_place(
        "opencomply",
        "aws_ebs_volume_encrypted",
        "arn:aws:ec2:eu-central-1:122814690049:volume/gone",
        "",
        "",
    );
    let whole = folder.read(".compliance-gate/baseline.jsonl");
    let with_gone = format!("{whole}{}\n", gone.replace("\"F\"", &format!("\"{print}\"")));
    folder.write(".compliance-gate/baseline.jsonl", &with_gone);
    folder.run(&["run"]).exits(0).says("since the baseline: 0 new, 119 known, 1 fixed");
    folder.run(&["baseline", "write", "evidence.jsonl"]).exits(0).says("1 fixed and taken out");
    assert_eq!(folder.read(".compliance-gate/baseline.jsonl"), whole);

    // Another rule was not evaluated, so its line stays.
    let print = compliance_gate::finding::Fingerprint::of_place(
        "opencomply",
        "aws_no_such_rule",
        "arn:aws:x:eu:122814690049:y",
        "",
        "",
    );
    let other = format!(
        "{{\"fingerprint\":\"{print}\",\"source\":\"opencomply\",\"rule\":\"aws_no_such_rule\",\"resource\":\
         \"arn:aws:x:eu:122814690049:y\",\"severity\":\"high\",\"count\":1}}\n"
    );
    folder.write(".compliance-gate/baseline.jsonl", &format!("{whole}{other}"));
    folder
        .run(&["baseline", "write", "evidence.jsonl"])
        .exits(0)
        .says("1 kept that no gate counts");
    assert!(folder.read(".compliance-gate/baseline.jsonl").contains("aws_no_such_rule"));
}

#[test]
fn a_baseline_that_is_not_as_it_was_written_is_refused() {
    let platform = Platform::start("healthy");
    let folder = with_evidence(&platform, CRITICAL, "");
    folder.run(&["baseline", "write", "evidence.jsonl"]).exits(0);
    let good = folder.read(".compliance-gate/baseline.jsonl");
    let policy = format!("{}{}", opencomply(&platform.origin, CRITICAL), debt(in_days(60)));
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["policy", "check"]).exits(0);
    for (from, to, words) in [
        (
            "\"rule\":\"aws_",
            "\"rule\":\"AWS_",
            "baseline.jsonl:2:1: the fingerprint is not that of",
        ),
        (
            "urn:compliance-gate:baseline:1",
            "urn:other:1",
            "baseline.jsonl:1:1: this is not a baseline",
        ),
        (
            platform.origin.as_str(),
            "https://other.example.com",
            "the baseline is of opencomply at https://other.example.com, and the policy asks http://127",
        ),
        ("\"count\":1", "\"count\":0", "a line with a count of 0 is not a finding"),
    ] {
        assert!(good.contains(from));
        folder.write(".compliance-gate/baseline.jsonl", &good.replacen(from, to, 1));
        folder.run(&["policy", "check"]).exits(2).says(words);
    }
    // It is not judged in an environment that it is not of.
    let other = good.replace("\"environment\":null", "\"environment\":\"staging\"");
    folder.write(".compliance-gate/baseline.jsonl", &other);
    folder.run(&["run"]).exits(1).says("of another environment");
    folder.run(&["run", "--environment", "staging"]).exits(0);
}

#[test]
fn evidence_is_decided_as_recorded_with_its_acceptances_and_baseline() {
    let platform = Platform::start("healthy");
    let folder = with_evidence(&platform, CRITICAL, "");
    folder.run(&["baseline", "write", "evidence.jsonl"]).exits(0);
    let accept = format!(
        "version: 1\naccept:\n  - {{id: slow, cause: deadline, source: opencomply, reason: Slow, owner: \
         \"#cloud\", expires: {}}}\n",
        in_days(20)
    );
    folder.write("security/accept.yaml", &accept);
    let rest = format!("accept_files: [security/accept.yaml]\n{}", debt(in_days(60)));
    let policy = format!("{}{rest}", opencomply(&platform.origin, CRITICAL));
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(0);
    for name in ["compliance-gate.yaml", "security/accept.yaml", ".compliance-gate/baseline.jsonl"]
    {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    folder
        .run(&["evaluate", "evidence.jsonl", "--as-recorded"])
        .exits(0)
        .says("debt covers")
        .says("slow not needed");
}

/// What `policy check` prints of a policy with these lines after its gates.
fn refusal(rest: &str) -> String {
    let folder = Folder::new();
    let policy = format!("{}{rest}", opencomply("https://c.example.com", NONE));
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["policy", "check"]).exits(2).stderr
}

#[test]
fn what_is_wrong_with_an_acceptance_is_said_with_what_to_write_instead() {
    let grounds = "reason: r, owner: o, expires: 2027-01-31";
    let narrow = "match: {rule: a, resource: b, severity: \"<= high\"}";
    for (entry, says) in [
        (
            format!("id: a, {grounds}"),
            "acceptance `a` forgives nothing; give each entry exactly one of `match`, `baseline`, `cause`, `gate_off`, `upstream`",
        ),
        (
            format!("id: a, {grounds}, {narrow}, upstream: sysdig.acceptance"),
            "acceptance `a` has `match` and `upstream`; give each entry exactly one of",
        ),
        (
            format!("id: a, {narrow}, reason: r, expires: 2027-01-31"),
            "acceptance `a` has no `owner`; name who answers for it",
        ),
        (
            format!("id: a, {narrow}, reason: r, owner: o"),
            "acceptance `a` has no `expires`; write the last day on which it holds, such as `expires: 2027-01-31`",
        ),
        (
            format!("id: a, {narrow}, reason: r, owner: o, expires: 2027-02-30"),
            "`2027-02-30` is not a date; write it like 2026-12-31",
        ),
        (
            format!("id: a, {narrow}, {grounds}, from: 2027-02-01"),
            "acceptance `a` begins on 2027-02-01, after its last day, 2027-01-31",
        ),
        (
            format!("id: a, {narrow}, {grounds}, gates: [no-critical-or-hihg]"),
            "acceptance `a` names gate `no-critical-or-hihg`, which does not exist; did you mean `no-critical-or-high`?",
        ),
        (
            format!(
                "id: a, match: {{rule: \"a*\", resource: b, severity: \"<= high\"}}, {grounds}"
            ),
            "acceptance `a` is wider than a `rule` or `control` and a `resource` without wildcards and a `severity` such as `\"<= high\"`",
        ),
        (
            format!("id: a, match: {{rule: a, resource: b, severity: high}}, {grounds}"),
            "`high` is not a limit; write the worst severity that is covered, such as `\"<= high\"`",
        ),
        (
            format!("id: a, match: {{rule: a, older_than: 30d}}, {grounds}"),
            "unknown key `older_than`; an age cannot be used here",
        ),
        (
            format!("id: a, cause: stale, source: opencomply, {grounds}"),
            "acceptance `a`: `cause: stale` needs `up_to`, the greatest age, such as `up_to: 72h`",
        ),
        (
            format!("id: a, cause: unreachable, source: opencomplyy, {grounds}"),
            "acceptance `a` names source `opencomplyy`, which does not exist; did you mean `opencomply`?",
        ),
        (
            format!(
                "id: a, gate_off: no-critical-or-high, reason: r, owner: o, expires: {}",
                in_days(9)
            ),
            "no gate is left that can block: acceptance `a` turns every blocking gate off; keep one",
        ),
        (
            format!("id: a, upstream: sysdig.acceptence, {grounds}"),
            "unknown word `sysdig.acceptence`; did you mean `sysdig.acceptance`?",
        ),
    ] {
        let printed = refusal(&format!("accept:\n  - {{{entry}}}\n"));
        assert!(printed.contains(says), "{entry}\n{printed}");
    }
    let twice = refusal(&format!(
        "accept:\n  - {{id: a, {narrow}, {grounds}}}\n  - {{id: a, {narrow}, {grounds}}}\n"
    ));
    assert!(
        twice.contains("acceptance id `a` is used twice, first at compliance-gate.yaml:"),
        "{twice}"
    );
}
