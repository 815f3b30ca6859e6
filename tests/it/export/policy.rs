//! The configuration, and its errors.

use super::setup::Office;

#[test]
fn which_cases_are_exported_is_a_choice() {
    // Of each severity two; the first, a high one, is acknowledged.
    for (keys, said) in [
        ("  severity: \">= high\"\n", "Jira: 3 create;"),
        ("  severity: critical\n", "Jira: 2 create;"),
        ("  policy: Public*\n", "Jira: 7 create;"),
        ("  policy: Passwords\n", "there is nothing to create"),
        ("  status: [open, acknowledged]\n", "Jira: 8 create;"),
        ("  status: acknowledged\n", "Jira: 1 create;"),
        ("", "Jira: 7 create;"),
    ] {
        let office = Office::new(8);
        office.bigid.set(1, "caseStatus", "acknowledged");
        office.configure(keys, "", "");
        office.run(&["jira"]).exits(0).says(said);
    }
}

#[test]
fn an_unknown_severity_or_status_is_never_left_out() {
    let office = Office::new(2);
    office.bigid.set(1, "severityLevel", "apocalyptic");
    office.bigid.set(2, "caseStatus", "inReview");
    office.bigid.set(2, "severityLevel", "critical");
    office.configure("  severity: critical\n", "", "");
    office.run(&["jira"]).exits(0).says("Jira: 2 create");
}

#[test]
fn an_error_is_reported_at_its_place() {
    let office = Office::new(1);
    for (export, jira, servicenow, said) in [
        ("  colour: red\n", "", "", "unknown key `colour`"),
        ("", "    colour: red\n", "", "unknown key `colour`"),
        ("", "    api_token: x\n", "", "tokens do not belong in this file"),
        ("  source: bigid/eu\n", "", "", "`source` is one of bigid"),
        ("", "    fields: {labels: [x]}\n", "", "which the export fills in itself"),
        ("", "    labels: [two words]\n", "", "a label is one word"),
        ("", "", "    table: incident^x\n", "is not the name of a table"),
        ("", "", "    levels: {high: {impact: 0, urgency: 1}}\n", "1, 2 or 3"),
        ("", "    token_env: GITHUB_TOKEN\n", "", "does not begin with `JIRA_`"),
    ] {
        office.configure(export, jira, servicenow);
        office.run(&["jira", "--apply"]).exits(2).says(said).says("compliance-gate.yaml:");
    }
    office.has_issues(0);
}

#[test]
fn an_export_needs_cases_and_a_target() {
    let office = Office::new(1);
    let write = |text: &str| {
        office.folder.write("compliance-gate.yaml", text);
    };
    let bigid = format!("sources: {{bigid: {{url: {}}}}}", office.bigid.origin);
    let gates = "gates: [{id: a, source: bigid, max: 0}]";
    write(&format!("version: 1\n{bigid}\n{gates}\n"));
    office.run(&["jira"]).exits(2).says("has no `export`");
    write(&format!("version: 1\n{bigid}\n{gates}\nexport: {{}}\n"));
    office.run(&["jira"]).exits(2).says("the export has no target");
    write(&format!(
        "version: 1\n{bigid}\n{gates}\nexport: {{servicenow: {{url: http://127.0.0.1:9}}}}\n"
    ));
    office.run(&["jira"]).exits(2).says("`export` has no `jira`");
}
