//! Killed, started twice, half written: what the ledger is for.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::json;

use super::setup::{LEDGER, Office};
use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, at_once, wait_until};

const CASES: usize = 5;

fn start(office: &Office, arguments: &[&str]) -> Child {
    office.command(arguments).spawn().unwrap()
}

/// Killed without a chance to report anything.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs until every case has its ticket, as a pipeline would; at most a few times.
fn finish(office: &Office) {
    for _ in 0..4 {
        let ended = office.run(&["jira", "--apply"]);
        if ended.code == Some(0) && ended.stdout.contains(&format!("Jira: {CASES} has a ticket")) {
            return;
        }
    }
    office.run(&["jira", "--apply"]).exits(0).says(&format!("Jira: {CASES} has a ticket"));
}

/// At every create in turn: killed while the request is under way, once where the platform never
/// got it, and once where it had made the issue already.
#[test]
fn killed_at_any_create_no_ticket_is_lost_or_doubled() {
    let faults = [Fault::Stall, Fault::StallBody];
    let kills = faults.iter().flat_map(|fault| (0..CASES).map(move |at| (fault, at)));
    at_once(kills, |(fault, at)| {
        // Only the intent in the ledger shows that there may be an issue that no search finds.
        let office = Office::of(CASES, json!({"jira": {"index_lag_ms": 1200}}));
        let applied = matches!(fault, Fault::StallBody);
        let rules = vec![Rule {
            path: "POST /rest/api/3/issue ",
            skip: at,
            times: 1,
            fault: fault.clone(),
        }];
        let proxy = Proxy::start(&office.platform.origin, rules);
        office.configure_at(&proxy.origin, "", "    settle: 2s\n", "");
        let child = start(&office, &["jira", "--apply"]);
        wait_until("the create", || {
            let heads = proxy.heads();
            heads.iter().filter(|head| head.starts_with("POST /rest/api/3/issue ")).count() > at
        });
        if applied {
            let made = format!("POST /rest/api/3/issue {}", 201);
            wait_until("the issue", || office.platform.count(&made) > at);
        }
        kill(child);
        office.has_issues(if applied { at + 1 } else { at });
        finish(&office);
        office.has_issues(CASES);
    });
}

/// Wherever it happens to be.
#[test]
fn killed_at_any_time_no_ticket_is_lost_or_doubled() {
    at_once((40..600).step_by(40), |millis| {
        let office = Office::of(CASES, json!({"jira": {"index_lag_ms": 300}}));
        let child = start(&office, &["jira", "--apply"]);
        // Whatever it has done by then, the assertions are the same.
        std::thread::sleep(Duration::from_millis(millis));
        kill(child);
        finish(&office);
        office.has_issues(CASES);
    });
}

/// Terminated, as by a CI host, it reports what it did not reach.
#[cfg(unix)]
#[test]
fn terminated_it_reports_what_it_did_not_reach() {
    let office = Office::new(3);
    let rules =
        vec![Rule { path: "POST /rest/api/3/issue ", skip: 1, times: 1, fault: Fault::Stall }];
    let proxy = Proxy::start(&office.platform.origin, rules);
    office.configure_at(&proxy.origin, "", "", "");
    let started = Instant::now();
    let child = start(&office, &["jira", "--apply"]);
    wait_until("the second create", || {
        proxy.heads().iter().filter(|head| head.starts_with("POST /rest/api/3/issue ")).count() > 1
    });
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    Ended::of(child.wait_with_output().unwrap(), started)
        .exits(143)
        .says("1 created, 1 undecided, 1 not reached");
    office.has_issues(1);
}

#[test]
fn two_exports_at_once_make_one_ticket_for_each_case() {
    let office = Office::of(CASES, json!({"jira": {"index_lag_ms": 2000}}));
    let children: Vec<_> = (0..3).map(|_| start(&office, &["jira", "--apply"])).collect();
    for child in children {
        Ended::of(child.wait_with_output().unwrap(), Instant::now()).exits(0);
    }
    office.has_issues(CASES);
}

#[test]
fn half_a_line_at_the_end_of_the_ledger_is_removed() {
    let office = Office::new(2);
    office.run(&["jira", "--apply"]).exits(0);
    let whole = office.folder.read(LEDGER);
    for cut in [1, 10, 100] {
        office.folder.write(LEDGER, &whole[..whole.len() - cut]);
        office.run(&["jira"]).exits(0);
        office.run(&["jira", "--apply"]).exits(0);
        office.has_issues(2);
        let lines = office.folder.read(LEDGER);
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[test]
fn a_ledger_that_cannot_be_understood_stops_everything() {
    let office = Office::new(2);
    office.run(&["jira", "--apply"]).exits(0);
    let whole = office.folder.read(LEDGER);
    for (broken, said) in [
        (whole.replacen("\"event\"", "\"EVENT\"", 1), "line 1"),
        (whole.replacen("\"v\":1", "\"v\":2", 1), "its version is 2"),
        (format!("garbage\n{whole}"), "line 1"),
    ] {
        office.folder.write(LEDGER, &broken);
        for arguments in [&["jira"][..], &["jira", "--apply"]] {
            office.run(arguments).exits(2).says("cannot be understood at").says(said);
        }
    }
    office.has_issues(2);
}

#[test]
fn a_ledger_that_cannot_be_written_means_that_nothing_is_asked_for() {
    let office = Office::new(1);
    std::fs::create_dir(office.folder.path().join(LEDGER)).unwrap();
    office.run(&["jira", "--apply"]).exits(2).says("the ledger");
    office.has_issues(0);
}
