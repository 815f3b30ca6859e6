//! Cases to incidents, with the quirks of ServiceNow.

use serde_json::{Value, json};

use super::bigid;
use super::setup::{LEDGER, Office};
use crate::common::proxy::{Fault, Proxy, Rule};

#[test]
fn a_second_run_creates_nothing() {
    let office = Office::new(3);
    office.run(&["servicenow"]).exits(0).says("ServiceNow: 3 create");
    office.has_incidents(0);
    office.run(&["servicenow", "--apply"]).exits(0).says("3 created");
    office.has_incidents(3);
    office.run(&["servicenow", "--apply"]).exits(0).says("3 has a ticket");
    std::fs::remove_file(office.folder.path().join(LEDGER)).unwrap();
    office.run(&["servicenow", "--apply"]).exits(0).says("3 found");
    office.has_incidents(3);
}

#[test]
fn an_incident_holds_what_is_known_of_its_case() {
    let ci = json!({"sys_id": "11112222333344445555666677778888", "name": "bucket-4"});
    let office = Office::of(
        4,
        json!({"servicenow": {"records": {
            "sys_user": [{"sys_id": "aaaa", "email": "data-owner@example.com"}], "cmdb_ci": [ci]
        }}}),
    );
    office.run(&["servicenow", "--apply"]).exits(0).does_not_say("has another value");
    let incidents = office.incidents();
    let worst = &incidents[0];
    assert_eq!(worst["short_description"], "Open bucket number 4");
    assert_eq!(worst["correlation_id"], format!("bigid:{}", bigid::id(4)));
    assert_eq!(worst["category"], "Public access: storage");
    assert_eq!(worst["assigned_to"]["value"], "aaaa");
    assert_eq!(worst["cmdb_ci"]["value"], "11112222333344445555666677778888");
    // Critical, high, medium, low.
    let priorities: Vec<_> = incidents.iter().map(|row| row["priority"].as_str()).collect();
    assert_eq!(priorities, [Some("1"), Some("2"), Some("3"), Some("5")]);
    assert!(incidents[1].get("cmdb_ci").is_none());
}

#[test]
fn an_instance_that_answers_404_where_there_is_nothing_is_understood() {
    let office = Office::of(2, json!({"servicenow": {"not_found_on_empty": true}}));
    office.run(&["servicenow", "--apply"]).exits(0).says("2 created");
    office.run(&["servicenow", "--apply"]).exits(0).says("2 has a ticket");
    office.has_incidents(2);
}

/// ServiceNow returns all rows for a query that it does not understand. None of them belongs to the
/// case, and they do not prove that no such row exists.
#[test]
fn a_query_that_is_ignored_is_noticed() {
    let scenario = json!({"servicenow": {
        "unknown_fields": ["correlation_id"],
        "records": {"incident": [{"short_description": "another ticket"}]}
    }});
    let office = Office::of(2, scenario);
    for arguments in [&["servicenow"][..], &["servicenow", "--apply"]] {
        office
            .run(arguments)
            .exits(3)
            .says("so the query was ignored")
            .does_not_say("INC0010001 found");
    }
    assert_eq!(office.incidents().len(), 1);
}

/// In an empty table an ignored query cannot be noticed; the lost mark can.
#[test]
fn where_the_mark_is_not_kept_no_more_incidents_are_created() {
    let office = Office::of(3, json!({"servicenow": {"unknown_fields": ["correlation_id"]}}));
    office.run(&["servicenow", "--apply"]).exits(2).says("did not keep the mark of INC0010002");
    assert_eq!(office.incidents().len(), 1);
}

#[test]
fn fields_that_are_ignored_are_named() {
    let office = Office::of(1, json!({"servicenow": {"unknown_fields": ["category", "urgency"]}}));
    office.configure("", "", "    fields: {u_team: data}\n");
    office
        .run(&["servicenow", "--apply"])
        .exits(0)
        .says("has another value in category, u_team, urgency");
}

#[test]
fn the_reason_of_a_data_policy_is_shown() {
    let office = Office::of(2, json!({"servicenow": {"mandatory": ["caller_id"]}}));
    office.run(&["servicenow", "--apply"]).exits(4).says("mandatory: caller_id").says("1 refused");
    office.has_incidents(0);
    office.configure("", "", "    fields: {caller_id: 6816f79cc0a8016401c5a33be04be441}\n");
    office.run(&["servicenow", "--apply"]).exits(0).says("2 created");
    office.has_incidents(2);
}

#[test]
fn of_several_incidents_with_one_mark_the_oldest_counts() {
    let mark = format!("bigid:{}", bigid::id(1));
    let records: Vec<Value> = (0..2).map(|_| json!({"correlation_id": mark})).collect();
    let office = Office::of(1, json!({"servicenow": {"records": {"incident": records}}}));
    office
        .run(&["servicenow", "--apply"])
        .exits(0)
        .says("ServiceNow has more tickets for this case: INC0010002")
        .says("1 found");
    assert_eq!(office.incidents().len(), 2);
}

#[test]
fn a_closed_incident_of_an_open_case_is_reported() {
    let mark = format!("bigid:{}", bigid::id(1));
    let record = json!({"correlation_id": mark, "state": "7"});
    let office = Office::of(1, json!({"servicenow": {"records": {"incident": [record]}}}));
    office.run(&["servicenow", "--apply"]).exits(0).says("is closed and the case is open");
    assert_eq!(office.incidents().len(), 1);
}

#[test]
fn lost_answers_and_throttling_make_no_second_incident() {
    let throttled = json!({
        "path": "/api/now/table/incident", "method": "POST", "status": 429, "kind": "json",
        "retry_after": 1, "times": 1
    });
    let office = Office::of(3, json!({"faults": [throttled]}));
    let rule = |skip, fault| Rule { path: "POST /api/now/table/incident", skip, times: 1, fault };
    let rules = vec![rule(1, Fault::LoseAnswer), rule(1, Fault::CutBody)];
    let proxy = Proxy::start(&office.platform.origin, rules);
    office.configure_at(&proxy.origin, "", "", "");
    office.run(&["servicenow", "--apply"]).exits(0).says("the answer was lost");
    office.has_incidents(3);
    office.run(&["servicenow", "--apply"]).exits(0).says("3 has a ticket");
    office.has_incidents(3);
}

/// Two targets share a ledger and do not use each other's tickets.
#[test]
fn each_target_has_its_own_tickets() {
    let office = Office::new(2);
    office.run(&["jira", "--apply"]).exits(0).says("2 created");
    office.run(&["servicenow", "--apply"]).exits(0).says("2 created");
    office.run(&["jira", "--apply"]).exits(0).says("2 has a ticket");
    office.has_issues(2);
    office.has_incidents(2);
}
