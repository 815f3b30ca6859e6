//! Changes in BigID: only those that were requested, and a case is resolved only where BigID itself
//! reports the fix.

use super::bigid;
use super::setup::Office;
use crate::common::Ended;

#[test]
fn bigid_is_not_changed_unless_requested() {
    let office = Office::new(3);
    office.run(&["jira", "--apply"]).exits(0);
    // Without `--apply` neither.
    office.run(&["jira", "--acknowledge", "--resolve"]).exits(0);
    assert_eq!(office.bigid.changes(), []);
}

#[test]
fn an_exported_case_is_acknowledged_once_with_its_ticket_and_run() {
    let office = Office::new(2);
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("2 set to acknowledged");
    let changes = office.bigid.changes();
    assert_eq!(changes.len(), 2);
    for (change, key) in changes.iter().zip(["SEC-1", "SEC-2"]) {
        assert_eq!(change.status, "acknowledged");
        let reason = format!(
            "exported to {key} ({}/browse/{key}); compliance-gate, run pipeline-7",
            office.platform.origin
        );
        assert_eq!(change.reason, reason);
    }
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("no case is selected");
    assert_eq!(office.bigid.changes().len(), 2);
    office.has_issues(2);
}

#[test]
fn the_reason_names_the_run_as_its_ci_host_does() {
    let office = Office::new(1);
    let mut command = office.command(&["jira", "--apply", "--acknowledge"]);
    command
        .env_remove("COMPLIANCE_GATE_RUN_ID")
        .env("GITLAB_CI", "true")
        .env("CI_PIPELINE_URL", "https://gitlab.example.com/shop/-/pipelines/17");
    Ended::wait(command).exits(0);
    let reason = &office.bigid.changes()[0].reason;
    assert!(reason.ends_with("run https://gitlab.example.com/shop/-/pipelines/17"), "{reason}");
}

/// An earlier run made the tickets, and was interrupted or not asked to acknowledge.
#[test]
fn acknowledging_can_come_later() {
    let office = Office::new(2);
    office.run(&["jira", "--apply"]).exits(0);
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("2 set to acknowledged");
    office.has_issues(2);
}

#[test]
fn a_case_that_is_open_again_stays_open() {
    let office = Office::new(1);
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0);
    office.bigid.set(1, "caseStatus", "open");
    office
        .run(&["jira", "--apply", "--acknowledge"])
        .exits(0)
        .says("it was acknowledged for SEC-1 and is open again");
    assert_eq!(office.bigid.changes().len(), 1);
    assert_eq!(office.bigid.status(1), "open");
    office.has_issues(1);
}

#[test]
fn a_case_is_resolved_only_where_bigid_reports_the_fix() {
    let office = Office::new(7);
    office.run(&["jira", "--apply"]).exits(0).says("7 created");
    office.bigid.set(1, "numberOfAffectedObjects", 0);
    office.bigid.set(2, "caseStatus", "remediated");
    // None of these is proof.
    office.bigid.set(3, "numberOfAffectedObjects", serde_json::Value::Null);
    office.bigid.set(4, "caseStatus", "acknowledged");
    office.bigid.set(5, "caseStatus", "silenced");
    office.bigid.set(5, "numberOfAffectedObjects", 0);
    office.bigid.set(6, "caseStatus", "closed");
    office.bigid.set(6, "numberOfAffectedObjects", 0);
    office.run(&["jira", "--apply", "--resolve"]).exits(0).says("2 set to resolved in BigID");
    let changes = office.bigid.changes();
    let mut ids: Vec<_> = changes.iter().map(|change| change.id.clone()).collect();
    ids.sort();
    assert_eq!(ids, [bigid::id(1), bigid::id(2)]);
    for change in &changes {
        assert_eq!(change.status, "resolved");
        for words in ["fix verified by BigID", "ticket SEC-", "run pipeline-7"] {
            assert!(change.reason.contains(words), "{}", change.reason);
        }
    }
    office.run(&["jira", "--apply", "--resolve", "--acknowledge"]).exits(0);
    let closed = office.bigid.changes().into_iter().filter(|change| change.status == "resolved");
    assert_eq!(closed.count(), 2, "nothing is closed twice, and nothing else");
}

#[test]
fn a_case_that_was_never_exported_is_not_resolved() {
    let office = Office::new(1);
    office.bigid.set(1, "caseStatus", "remediated");
    office.run(&["jira", "--apply", "--resolve"]).exits(0);
    assert_eq!(office.bigid.changes(), []);
}

/// A change that looks failed may have been made: it is read back, and not sent again.
#[test]
fn a_change_that_looks_failed_is_read_back_and_not_repeated() {
    let office = Office::new(2);
    office.bigid.lose_answers();
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("2 set to acknowledged");
    assert_eq!(office.bigid.changes().len(), 2);
}

#[test]
fn the_word_for_resolved_is_a_choice() {
    let office = Office::new(1);
    office.configure("  resolve_as: remediated\n", "", "");
    office.run(&["jira", "--apply"]).exits(0);
    office.bigid.set(1, "numberOfAffectedObjects", 0);
    office.run(&["jira", "--apply", "--resolve"]).exits(0).says("1 set to remediated");
    office.run(&["jira", "--apply", "--resolve"]).exits(0);
    assert_eq!(office.bigid.changes().len(), 1);
}

fn allow_bulk(office: &Office) {
    let text = office.folder.read("compliance-gate.yaml");
    let text = text
        .replace("sources: {bigid: {", "sources: {bigid: {bulk: {action_type: update, max: 10}, ");
    office.folder.write("compliance-gate.yaml", &text);
}

#[test]
fn many_cases_are_acknowledged_at_once_only_where_that_was_allowed() {
    let office = Office::new(4);
    office.run(&["jira", "--apply"]).exits(0);
    allow_bulk(&office);
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("4 set to acknowledged");
    assert_eq!((office.bigid.bulks(), office.bigid.changes().len()), (1, 4));
    let reason = office.bigid.changes()[0].reason.clone();
    assert!(
        reason.contains("SEC-1, SEC-2, SEC-3, SEC-4; compliance-gate, run pipeline-7"),
        "{reason}"
    );
}

/// A case of the policy that has no ticket, here because of the cap, must not be acknowledged.
#[test]
fn where_a_bulk_would_change_other_cases_it_is_not_sent() {
    let office = Office::new(4);
    office.configure("  max_creates: 3\n", "", "");
    allow_bulk(&office);
    office
        .run(&["jira", "--apply", "--acknowledge"])
        .exits(0)
        .says("nothing was sent")
        .says("3 set to acknowledged");
    assert_eq!((office.bigid.bulks(), office.bigid.changes().len()), (0, 3));
}
