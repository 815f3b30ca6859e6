//! The ledger is a file that a pull request can change: its lines are hints, never proof.

use std::os::unix::fs::FileTypeExt;

use serde_json::{Value, json};

use super::bigid;
use super::setup::{LEDGER, Office};
use crate::common::Ended;

/// A line that says that the case with this number has the ticket `key`.
fn line(office: &Office, number: usize, event: &str, system: &str, id: &str, key: &str) -> String {
    let origin = &office.platform.origin;
    let place = if system == "jira" { "SEC" } else { "incident" };
    let line = json!({
        "v": 1, "time": "2026-11-01T00:00:00.000Z", "run": "run 1",
        "target": format!("{system} {origin}/ {place}"),
        "case": format!("bigid:{}", bigid::id(number)), "event": event,
        "ticket": {"id": id, "key": key, "url": format!("{origin}/browse/{key}")},
    });
    // In the order in which the program writes its keys.
    let text = |key: &str| line[key].to_string();
    let keys = ["v", "time", "run", "target", "case", "event", "ticket"];
    let pairs: Vec<_> = keys.iter().map(|key| format!("\"{key}\":{}", text(key))).collect();
    format!("{{{}}}\n", pairs.join(","))
}

fn with_issue(labels: &[&str]) -> Office {
    Office::of(1, json!({"jira": {"issues": [{"summary": "another issue", "labels": labels}]}}))
}

/// A pull request commits a ledger that names an existing ticket: without the mark of the case on
/// that ticket, nothing is written to BigID.
#[test]
fn a_line_for_a_ticket_without_the_mark_of_the_case_changes_nothing() {
    for event in ["created", "found"] {
        let office = with_issue(&["unrelated"]);
        office.folder.write(LEDGER, &line(&office, 1, event, "jira", "10001", "SEC-1"));
        office
            .run(&["jira", "--apply", "--acknowledge"])
            .exits(3)
            .says("1 undecided")
            .says("SEC-1 does not carry the mark of the case")
            .says("remove the case's lines from it");
        assert_eq!(office.bigid.changes(), []);
        assert_eq!(office.bigid.status(1), "open");
        assert_eq!(office.issues().len(), 1);
    }
}

#[test]
fn a_line_for_an_incident_without_the_mark_of_the_case_changes_nothing() {
    let record = json!({"sys_id": "0123456789abcdef0123456789abcdef", "correlation_id": "bigid:x"});
    let office = Office::of(1, json!({"servicenow": {"records": {"incident": [record]}}}));
    let id = "0123456789abcdef0123456789abcdef";
    office.folder.write(LEDGER, &line(&office, 1, "created", "servicenow", id, "INC0010001"));
    office
        .run(&["servicenow", "--apply", "--acknowledge"])
        .exits(3)
        .says("does not carry the mark of the case");
    assert_eq!(office.bigid.changes(), []);
}

/// The mark of another case is not the mark of this case.
#[test]
fn a_line_for_the_ticket_of_another_case_changes_nothing() {
    let office = Office::new(2);
    office.configure("  max_creates: 1\n", "", "");
    office.run(&["jira", "--apply"]).exits(0).says("1 created, 1 next run");
    let exported = office.folder.read(LEDGER);
    let other = if exported.contains(&bigid::id(1)) { 2 } else { 1 };
    let forged = line(&office, other, "created", "jira", "10001", "SEC-1");
    office.folder.write(LEDGER, &format!("{exported}{forged}"));
    office
        .run(&["jira", "--apply", "--acknowledge"])
        .exits(3)
        .says("1 has a ticket, 1 undecided")
        .says("1 set to acknowledged");
    let changes = office.bigid.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(office.bigid.status(other), "open");
}

/// Resolving reads the ticket too, also of a case that is not selected any more.
#[test]
fn a_case_is_not_resolved_for_a_ticket_without_its_mark() {
    let office = with_issue(&["unrelated"]);
    office.bigid.set(1, "caseStatus", "remediated");
    office.folder.write(LEDGER, &line(&office, 1, "created", "jira", "10001", "SEC-1"));
    office
        .run(&["jira", "--apply", "--resolve"])
        .exits(3)
        .says("does not carry the mark of the case")
        .says("the case was not resolved");
    assert_eq!(office.bigid.changes(), []);
}

/// The named ticket is wrong, and the search finds the right one.
#[test]
fn the_search_corrects_a_wrong_line() {
    let office = Office::new(1);
    office.run(&["jira", "--apply"]).exits(0).says("1 created");
    let labels: Vec<Value> = office.issues()[0]["fields"]["labels"].as_array().unwrap().clone();
    let issues = json!([{"summary": "another issue", "labels": ["unrelated"]},
        {"summary": "the issue of the case", "labels": labels}]);
    let office = Office::of(1, json!({"jira": {"issues": issues}}));
    office.folder.write(LEDGER, &line(&office, 1, "created", "jira", "10001", "SEC-1"));
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says("1 found");
    let changes = office.bigid.changes();
    assert!(changes[0].reason.contains("exported to SEC-2 "), "{changes:?}");
    office.run(&["jira", "--apply"]).exits(0);
    assert_eq!(office.issues().len(), 2);
}

/// Only a ledger is repaired: another file stays as it is.
#[test]
fn a_file_that_is_not_a_ledger_is_never_changed() {
    for victim in
        ["one line without a newline", "{\"v\":1}", "[1, 2", "\u{0}\u{0}\u{0}", "two\nlines"]
    {
        let office = Office::new(1);
        office.folder.write(LEDGER, victim);
        for arguments in [&["jira"][..], &["jira", "--apply"]] {
            office.run(arguments).exits(2).says("cannot be understood at line 1");
        }
        assert_eq!(office.folder.read(LEDGER), victim);
        office.has_issues(0);
    }
}

fn with_ledger(office: &Office, path: &str) {
    let text = office.folder.read("compliance-gate.yaml");
    let text = text.replace(&format!("ledger: {LEDGER}"), &format!("ledger: {path}"));
    office.folder.write("compliance-gate.yaml", &text);
}

#[test]
fn the_ledger_stays_inside_the_workspace() {
    let office = Office::new(1);
    let outside = office.folder.path().join("..").join("victim-of-the-ledger");
    for (path, said) in [
        ("../victim-of-the-ledger", "leads outside the workspace"),
        ("new/../../victim-of-the-ledger", "leads outside the workspace"),
        ("/dev/zero", "leads outside the workspace"),
        (".git/hooks/pre-push", "is inside `.git`"),
        (".", "does not name a file"),
    ] {
        let office = Office::new(1);
        with_ledger(&office, path);
        for arguments in [&["jira"][..], &["jira", "--apply"]] {
            office.run(arguments).exits(2).says("the ledger").says(said);
        }
        office.has_issues(0);
    }
    assert!(!outside.exists());
}

/// As every path in a policy file.
#[test]
fn the_path_of_the_ledger_begins_at_the_folder_of_the_policy() {
    let office = Office::new(1);
    let policy = office.folder.read("compliance-gate.yaml");
    office.folder.write("policies/gate.yaml", &policy);
    office.run(&["jira", "--apply", "--config", "policies/gate.yaml"]).exits(0);
    assert!(office.folder.read("policies/tickets.jsonl").contains("SEC-1"));
    assert!(!office.folder.path().join(LEDGER).exists());
}

/// A pipe would block, a device would never end, a link leads anywhere.
#[cfg(unix)]
#[test]
fn the_ledger_is_a_regular_file() {
    let office = Office::new(1);
    let path = office.folder.path().join(LEDGER);
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success() && path.metadata().unwrap().file_type().is_fifo());
    for arguments in [&["jira"][..], &["jira", "--apply"]] {
        let ended: Ended = office.run(arguments);
        ended.exits(2).says("is a device or pipe, not a regular file");
    }
    std::fs::remove_file(&path).unwrap();
    office.folder.write("notes.txt", "kept");
    std::os::unix::fs::symlink("notes.txt", &path).unwrap();
    office.run(&["jira", "--apply"]).exits(2).says("is a symbolic link, not a regular file");
    assert_eq!(office.folder.read("notes.txt"), "kept");
    office.has_issues(0);
}

/// With a scoped token the API has another address than the site that people open.
#[test]
fn links_lead_to_the_site_and_not_to_the_api() {
    let office = Office::new(1);
    office.configure(
        "",
        "    site_url: https://example.atlassian.net\n",
        "    site_url: https://example.service-now.com\n",
    );
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0);
    let link = "https://example.atlassian.net/browse/SEC-1";
    assert!(office.folder.read(LEDGER).contains(link));
    assert!(office.bigid.changes()[0].reason.contains(link));
    office.bigid.set(1, "caseStatus", "open");
    office.run(&["servicenow", "--apply"]).exits(0);
    assert!(office.folder.read(LEDGER).contains("https://example.service-now.com/incident.do?"));
}

#[test]
fn a_gateway_needs_the_address_of_the_site() {
    let office = Office::new(1);
    let text = office.folder.read("compliance-gate.yaml");
    let at = format!("jira:\n    url: {}", office.platform.origin);
    let gateway = "jira:\n    url: https://api.atlassian.com/ex/jira/11223344-a1b2";
    office.folder.write("compliance-gate.yaml", &text.replace(&at, gateway));
    office.run(&["jira"]).exits(2).says("add `site_url`").says("compliance-gate.yaml:");
}
