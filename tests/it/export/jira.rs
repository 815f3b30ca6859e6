//! Cases to issues, with the quirks of Jira.

use serde_json::{Value, json};

use super::bigid;
use super::setup::{LEDGER, Office};
use super::web;
use crate::common::Ended;
use crate::common::proxy::{Fault, Proxy, Rule};

#[test]
fn a_dry_run_plans_and_writes_nothing() {
    let office = Office::new(3);
    office
        .run(&["jira", "--acknowledge"])
        .exits(0)
        .says("Jira: 3 create")
        .says("Dry run: nothing was written; `--apply` creates 3 tickets.");
    office.has_issues(0);
    assert_eq!(office.bigid.changes(), []);
    assert!(!office.folder.path().join(LEDGER).exists());
}

#[test]
fn a_second_run_creates_nothing() {
    let office = Office::new(3);
    office.run(&["jira", "--apply"]).exits(0).says("3 created");
    office.has_issues(3);
    office.run(&["jira", "--apply"]).exits(0).says("3 has a ticket");
    office.run(&["jira"]).exits(0).says("there is nothing to create");
    office.has_issues(3);
    assert_eq!(office.platform.count("POST /rest/api/3/issue "), 3);
}

#[test]
fn an_issue_holds_what_is_known_of_its_case() {
    let office = Office::new(1);
    office.configure("", "    labels: [data]\n    issue_type: Bug\n", "");
    office.run(&["jira", "--apply"]).exits(0);
    let issue = office.issues().remove(0);
    let fields = &issue["fields"];
    assert_eq!(fields["summary"], "Open bucket number 1");
    assert_eq!(fields["priority"]["name"], "High");
    assert_eq!(fields["issuetype"]["name"], "Bug");
    assert_eq!(fields["assignee"]["accountId"], "5b10ac8d82e05b22cc7d4ef5");
    let labels = fields["labels"].as_array().unwrap();
    assert!(labels[0].as_str().unwrap().starts_with("gate-"), "{labels:?}");
    assert_eq!(labels[1..], ["compliance-gate", "data", "public-access-storage"]);
    let document = fields["description"].to_string();
    let link = format!("/#/actionable-insights/case/{}", bigid::id(1));
    for words in ["Outsiders must not read it.", "bucket-1", "SPC-1", &link] {
        assert!(document.contains(words), "{words}: {document}");
    }
}

#[test]
fn without_the_ledger_the_search_finds_what_is_there() {
    let office = Office::new(3);
    office.run(&["jira", "--apply"]).exits(0);
    std::fs::remove_file(office.folder.path().join(LEDGER)).unwrap();
    office.run(&["jira", "--apply"]).exits(0).says("3 found");
    office.has_issues(3);
    // And from then on the ledger knows.
    office.run(&["jira", "--apply"]).exits(0).says("3 has a ticket");
}

/// The run ends only when the search shows what it made, so that even a pipeline that keeps no
/// ledger makes nothing twice.
#[test]
fn a_search_that_lags_behind_is_waited_for() {
    let office = Office::of(2, json!({"jira": {"index_lag_ms": 2500}}));
    office.run(&["jira", "--apply"]).exits(0).does_not_say("does not show");
    std::fs::remove_file(office.folder.path().join(LEDGER)).unwrap();
    office.run(&["jira", "--apply"]).exits(0).says("2 found");
    office.has_issues(2);
}

fn on_create(skip: usize, times: usize, fault: Fault) -> Vec<Rule> {
    vec![Rule { path: "POST /rest/api/3/issue ", skip, times, fault }]
}

#[test]
fn a_create_whose_answer_is_lost_is_searched_and_not_repeated() {
    for lag in [0, 1500] {
        let office = Office::of(3, json!({"jira": {"index_lag_ms": lag}}));
        let proxy = Proxy::start(&office.platform.origin, on_create(1, 1, Fault::LoseAnswer));
        office.configure_at(&proxy.origin, "", "    settle: 10s\n", "");
        office.run(&["jira", "--apply"]).exits(0).says("the answer was lost; the ticket was found");
        office.has_issues(3);
        office.run(&["jira", "--apply"]).exits(0).says("3 has a ticket");
        office.has_issues(3);
    }
}

/// The search lags longer than the run has time: the case is left alone, and the next run finds
/// the issue.
#[test]
fn what_cannot_be_decided_is_left_for_the_next_run() {
    let office = Office::of(2, json!({"jira": {"index_lag_ms": 4000}}));
    let proxy = Proxy::start(&office.platform.origin, on_create(0, 1, Fault::LoseAnswer));
    office.configure_at(&proxy.origin, "", "    settle: 30s\n", "");
    office.hurry("3s");
    office
        .run(&["jira", "--apply"])
        .exits(3)
        .says("a second one is not risked")
        .says("1 undecided");
    office.configure_at(&proxy.origin, "", "    settle: 30s\n", "");
    office.run(&["jira", "--apply"]).exits(0).says("1 found, 1 created");
    office.has_issues(2);
}

#[test]
fn a_create_that_never_arrived_is_repeated_by_the_next_run() {
    let office = Office::new(3);
    let proxy = Proxy::start(&office.platform.origin, on_create(1, 1, Fault::Reset));
    office.configure_at(&proxy.origin, "", "", "");
    // Whether Jira received it cannot be determined, so this run does not repeat it.
    office.run(&["jira", "--apply"]).exits(3).says("1 created, 1 undecided, 1 not reached");
    office.has_issues(1);
    office.run(&["jira", "--apply"]).exits(0).says("1 has a ticket, 2 created");
    office.has_issues(3);
}

#[test]
fn being_throttled_only_takes_longer() {
    let throttled = json!({
        "path": "/rest/api/3/issue", "method": "POST", "status": 429, "kind": "json",
        "retry_after": 1, "times": 2, "skip": 1
    });
    let search = json!({
        "path": "/rest/api/3/search/jql", "status": 429, "kind": "json", "times": 2
    });
    let office = Office::of(3, json!({"faults": [throttled, search]}));
    let ended = office.run(&["jira", "--apply"]).exits(0).says("3 created");
    assert!(ended.took.as_secs_f64() >= 2.0, "Retry-After was not kept: {:?}", ended.took);
    office.has_issues(3);
}

#[test]
fn a_gateway_that_gave_up_may_have_passed_it_on() {
    let lost = json!({
        "path": "/rest/api/3/issue", "method": "POST", "status": 504, "applied": true, "skip": 1
    });
    let office = Office::of(3, json!({"faults": [lost]}));
    office.run(&["jira", "--apply"]).exits(0).says("the answer was lost; the ticket was found");
    office.has_issues(3);
}

#[test]
fn a_field_that_is_not_on_the_screen_is_left_out() {
    let office = Office::of(2, json!({"jira": {"priority_on_screen": false}}));
    office.run(&["jira", "--apply"]).exits(0).says("created without `priority`").says("2 created");
    office.has_issues(2);
    // Tried once, then known.
    assert_eq!(office.platform.count("POST /rest/api/3/issue 400"), 1);
}

#[test]
fn a_refused_issue_is_not_created_and_the_reason_is_shown() {
    let office = Office::of(2, json!({"jira": {"required_fields": ["customfield_10010"]}}));
    office.run(&["jira", "--apply"]).exits(2).says("customfield_10010").says("2 refused");
    office.has_issues(0);
    office.configure("", "    fields: {customfield_10010: {value: x}}\n", "");
    office.run(&["jira", "--apply"]).exits(0).says("2 created");
    office.has_issues(2);
}

#[test]
fn a_run_asks_for_no_more_than_its_cap() {
    let office = Office::new(5);
    office.configure("  max_creates: 2\n", "", "");
    for (created, said) in [(2, "2 created, 3 next run"), (4, "2 has a ticket, 2 created")] {
        office.run(&["jira", "--apply"]).exits(0).says(said);
        office.has_issues(created);
    }
    office.run(&["jira", "--apply"]).exits(0);
    office.run(&["jira", "--apply"]).exits(0).says("5 has a ticket");
    office.has_issues(5);
}

/// Worst first: what a cap leaves for later is what can wait.
#[test]
fn the_worst_cases_come_first() {
    let office = Office::new(8);
    office.configure("  max_creates: 2\n", "", "");
    office.run(&["jira", "--apply"]).exits(0);
    let summaries = office.issues();
    let summaries: Vec<_> = summaries.iter().map(|issue| &issue["fields"]["summary"]).collect();
    assert_eq!(summaries, ["Open bucket number 4", "Open bucket number 8"]);
}

#[test]
fn a_case_with_a_ticket_of_bigids_own_is_linked() {
    let office = Office::new(2);
    office.bigid.set(1, "ticketUrl", "https://jira.example.com/browse/DP-1");
    office.bigid.set(2, "ticketUrl", "Creation Failed");
    office.run(&["jira", "--apply"]).exits(0).says("https://jira.example.com/browse/DP-1");
    office.has_issues(1);
}

fn close(office: &Office, key: &str) {
    let path = format!("/rest/api/3/issue/{key}/transitions");
    let body = json!({"transition": {"id": "31"}});
    let (status, _) = web::ask("POST", &office.platform.origin, &path, Some(&body));
    assert_eq!(status, 204);
}

#[test]
fn a_closed_issue_of_an_open_case_is_reported_and_not_doubled() {
    let office = Office::new(1);
    office.run(&["jira", "--apply"]).exits(0);
    close(&office, "SEC-1");
    let said = "SEC-1 is closed and the case is open";
    office.run(&["jira", "--apply", "--acknowledge"]).exits(0).says(said);
    office.has_issues(1);
    assert_eq!(office.bigid.changes(), []);
}

#[test]
fn a_deleted_issue_is_reported_and_not_replaced() {
    let office = Office::new(2);
    office.run(&["jira", "--apply"]).exits(0);
    let (status, _) = web::ask("DELETE", &office.platform.origin, "/rest/api/3/issue/SEC-1", None);
    assert_eq!(status, 204);
    for arguments in [&["jira"][..], &["jira", "--apply", "--acknowledge"]] {
        office
            .run(arguments)
            .exits(3)
            .says("Jira does not have SEC-1 any more")
            .says("1 undecided");
    }
    office.has_issues(1);
    assert_eq!(office.bigid.changes().len(), 1, "only the case whose ticket is there");
}

/// A clone in Jira carries its original's labels.
#[test]
fn of_several_issues_with_one_mark_the_oldest_counts() {
    let office = Office::new(1);
    office.run(&["jira", "--apply"]).exits(0);
    let labels = office.issues()[0]["fields"]["labels"].clone();
    let presets: Vec<Value> = [false, true]
        .iter()
        .map(|done| json!({"summary": "x", "labels": labels, "done": done}))
        .collect();
    let office = Office::of(1, json!({"jira": {"issues": presets}}));
    office.run(&["jira", "--apply"]).exits(0).says("Jira has more tickets for this case: SEC-2");
    assert_eq!(office.issues().len(), 2);
}

/// Without its mark an issue cannot be found again, so at most one is created.
#[test]
fn where_labels_are_not_kept_no_more_issues_are_created() {
    let office = Office::of(3, json!({"jira": {"drops_labels": true}}));
    office.run(&["jira", "--apply"]).exits(2).says("did not keep the mark of SEC-1");
    assert_eq!(office.issues().len(), 1);
    office.run(&["jira", "--apply"]).exits(2).says("SEC-1 does not carry the mark of the case");
}

#[test]
fn a_search_that_does_not_end_is_not_used() {
    let office = Office::of(2, json!({"jira": {"search_is_stuck": true}}));
    office
        .run(&["jira", "--apply"])
        .exits(3)
        .says("has more pages and gives no token for the next one");
    office.has_issues(0);
}

#[test]
fn a_search_that_answers_another_question_is_not_used() {
    let office = Office::new(1);
    let page = json!({"issues": [{"id": "10009", "key": "SEC-9",
        "fields": {"labels": ["other"], "status": {"statusCategory": {"key": "new"}}}}]});
    let page = page.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{page}",
        page.len()
    );
    let rules = vec![Rule { path: "/search/jql", skip: 0, times: 1, fault: Fault::Answer(answer) }];
    let proxy = Proxy::start(&office.platform.origin, rules);
    office.configure_at(&proxy.origin, "", "", "");
    office.run(&["jira", "--apply"]).exits(3).says("the search cannot be relied on");
    office.has_issues(0);
}

#[test]
fn every_way_to_fail_has_its_exit_code() {
    let office = Office::new(1);
    let with = |variables: &[(&str, &str)]| {
        let mut command = office.command(&["jira", "--apply"]);
        variables.iter().for_each(|(name, value)| {
            command.env(name, value);
        });
        Ended::wait(command)
    };
    with(&[("JIRA_API_TOKEN", "revoked")]).exits(4).says("401");
    with(&[("JIRA_API_TOKEN", "")]).exits(2).says("JIRA_API_TOKEN");
    with(&[("JIRA_EMAIL", "")]).exits(2).says("JIRA_EMAIL");
    with(&[("COMPLIANCE_GATE_ALLOWED_ORIGINS", &office.bigid.origin)])
        .exits(2)
        .says("is not one of the origins");
    office.configure_at("http://127.0.0.1:9", "", "", "");
    office.hurry("3s");
    office.run(&["jira", "--apply"]).exits(5);
    office.has_issues(0);
}

#[test]
fn hostile_text_stays_text() {
    let office = Office::new(1);
    let words = "line one\nline two \u{202e}x ::error::y \u{1b}[2J <b> [~someone] \"quoted\"";
    for field in ["caseLabel", "policyName", "policyDescription", "dataSourceName", "assignee"] {
        office.bigid.set(1, field, format!("{words}{}", "é".repeat(9000)));
    }
    office
        .run(&["jira", "--apply"])
        .exits(0)
        .does_not_say("\n::error::")
        .does_not_say("\u{1b}")
        .does_not_say("\u{202e}");
    let issue = office.issues().remove(0);
    let summary = issue["fields"]["summary"].as_str().unwrap();
    assert_eq!(summary.chars().count(), 255);
    assert!(summary.starts_with("line one line two x"), "{summary}");
}

#[test]
fn tokens_are_sent_in_their_header_and_never_shown() {
    let office = Office::new(1);
    let proxy = Proxy::start(&office.platform.origin, Vec::new());
    office.configure_at(&proxy.origin, "", "", "");
    let run = |arguments: &[&str]| {
        let ended = Ended::wait(office.command(&[arguments, &["--apply", "-v"]].concat()));
        let ended = ended.exits(0).does_not_say("test-token").does_not_say("test-password");
        // Also not as it travels: `robot@example.com:test-token-of-jira`.
        ended.does_not_say("cm9ib3RAZXhhbXBsZS5jb206dGVzdC10b2tlbi1vZi1qaXJh");
    };
    run(&["jira"]);
    let basic = "basic cm9ib3RAZXhhbXBsZS5jb206dGVzdC10b2tlbi1vZi1qaXJh";
    assert!(proxy.heads().iter().all(|head| head.to_lowercase().contains(&basic.to_lowercase())));
    office.configure_at(&proxy.origin, "", "    auth: bearer\n", "");
    run(&["jira"]);
    assert!(proxy.heads().last().unwrap().contains("Bearer test-token-of-jira"));
    run(&["servicenow"]);
    let ledger = office.folder.read(LEDGER);
    assert!(!ledger.contains("test-token") && !ledger.contains("test-password"), "{ledger}");
}

/// A platform that echoes a token must not bring it into a ticket, the ledger or the output.
#[test]
fn a_token_in_the_text_of_a_case_reaches_no_ticket() {
    let office = Office::new(1);
    let tokens = ["test-token-of-bigid", "test-token-of-jira"];
    let split = "test-token-of\u{200b}-bigid test-token-of\u{0}-jira";
    for field in ["caseLabel", "policyName", "policyDescription", "dataSourceName"] {
        office.bigid.set(1, field, format!("{} {} {split}", tokens[0], tokens[1]));
    }
    let ended = office.run(&["jira", "--apply", "--acknowledge"]).exits(0);
    let texts = [
        ended.stdout,
        ended.stderr,
        office.folder.read(LEDGER),
        office.issues()[0].to_string(),
        format!("{:?}", office.bigid.changes()),
    ];
    for text in texts {
        for token in tokens {
            assert!(!text.contains(token), "{token}: {text}");
        }
    }
}
