//! An earlier run: since when findings are known, and what changed.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{Kept, closed};
use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Folder, Platform, at_once, opencomply};

#[test]
fn ages_are_known_from_an_earlier_run_and_only_from_it() {
    let kept = Kept::of("blocked");
    let gates = "  - {id: old, source: opencomply, severity: critical, older_than: 1h, max: 0}\n";
    kept.folder.write("old.yaml", &opencomply(&kept.platform.origin, gates));
    let run = |more: &[&str]| kept.folder.run(&[&["run", "-c", "old.yaml"], more].concat());
    // Without an earlier run, every finding could be old.
    run(&["--save-evidence", "first.jsonl"]).exits(1).says("3 failed checks of unknown age");
    let evaluate = |file: &str, more: &[&str]| {
        kept.folder.run(&[&["evaluate", file, "-c", "old.yaml"], more].concat())
    };
    evaluate("first.jsonl", &[]).exits(1);
    let previous = ["--previous", "first.jsonl", "--save-evidence", "second.jsonl"];
    run(&previous).exits(0).says("ages are counted from when").says("Since ").says("(blocked)");
    evaluate("second.jsonl", &[]).exits(0);
    evaluate("second.jsonl", &["--at", "2099-01-01"]).exits(1);
    evaluate("second.jsonl", &["--as-recorded"]).exits(0).says("Since ");
}

#[test]
fn an_earlier_run_has_to_be_whole_and_of_the_same_environment() {
    let kept = Kept::of("healthy");
    let run = |more: &[&str]| kept.folder.run(&[&["run"], more].concat());
    run(&["--previous", "evidence.jsonl"]).exits(0).says("nothing changed");
    run(&["-e", "staging", "--save-evidence", "staging.jsonl"]).exits(0);
    run(&["-e", "production", "--previous", "staging.jsonl"]).exits(2).says("`staging`");
    let text = kept.folder.read("evidence.jsonl");
    kept.folder.write("cut.jsonl", &text[..text.len() / 2]);
    run(&["--previous", "cut.jsonl"]).exits(3).says("the file is damaged");
    run(&["--previous", "missing.jsonl"]).exits(2).says("cannot be read");
    let same = ["--previous", "evidence.jsonl", "--json", "evidence.jsonl"];
    run(&same).exits(2).says("would replace the earlier evidence");
}

/// The ends of the window that a report is of.
fn window(folder: &Folder, report: &str) -> [String; 2] {
    let window = folder.json(report)["sources"][0]["parts"][0]["window"].clone();
    ["from", "to"].map(|end| window[end].as_str().unwrap().to_owned())
}

#[test]
fn a_window_without_a_gap_begins_where_that_of_the_last_passed_run_ended() {
    at_once(["bigpanda", "sysdig"], |system| {
        let change = json!({"type": "sso_config", "action": "update", "minutes_ago": 25});
        let scenario = json!({
            "bigpanda": {"changes": [change]},
            "sysdig": {"events": {"by_number": [1, 0, 0, 0, 0, 0, 0, 0], "every_seconds": 1500}},
        });
        let platform = Platform::of(&scenario.to_string());
        let folder = Folder::new();
        let policy = |name: &str, window: &str| {
            folder.write(name, &policy(system, &platform.origin, window, 0));
        };
        policy("short.yaml", "10m");
        policy("long.yaml", "1h");
        policy("since.yaml", "since_previous");
        let run = |policy: &str, more: &[&str]| {
            folder.run(&[&["run", "-c", policy, "--json", "gate.json"], more].concat())
        };
        run("since.yaml", &[]).exits(3).says("to begin, run once with a length of time");
        folder.run(&["doctor", "-c", "since.yaml"]).exits(0).says("since an earlier run");

        // A run that blocked is no beginning, or what it found would be forgotten.
        run("long.yaml", &["--save-evidence", "blocked.jsonl"]).exits(1);
        run("since.yaml", &["--previous", "blocked.jsonl"]).exits(3).says("did not pass");

        run("short.yaml", &["--save-evidence", "first.jsonl"]).exits(0);
        let [_, first] = window(&folder, "gate.json");
        let next = ["--previous", "first.jsonl", "--save-evidence", "second.jsonl"];
        run("since.yaml", &next).exits(0);
        let [from, second] = window(&folder, "gate.json");
        assert_eq!(from, first);
        run("since.yaml", &["--previous", "second.jsonl"]).exits(0);
        assert_eq!(window(&folder, "gate.json")[0], second);
        folder.run(&["evaluate", "second.jsonl", "--as-recorded"]).exits(0);

        // Evidence of before the change: the change is in the window, however long ago that is.
        let hour_ago = (Utc::now() - TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%S");
        let second = first.trim_end_matches('Z');
        let old = folder.read("first.jsonl").replace(second, &hour_ago.to_string());
        folder.write("old.jsonl", &closed(old.lines().map(str::to_owned)));
        run("since.yaml", &["--previous", "old.jsonl"]).exits(1);
    });
}

/// What happened just before the earlier run ended, and was shown only after it.
#[test]
fn what_the_earlier_run_was_not_shown_in_time_counts_in_the_next_one() {
    at_once(["bigpanda", "sysdig"], |system| {
        let change = json!({"type": "sso_config", "action": "update", "minutes_ago": 2});
        let scenario = json!({
            "bigpanda": {"changes": [change]},
            "sysdig": {"events": {"by_number": [1, 0, 0, 0, 0, 0, 0, 0], "every_seconds": 120}},
        });
        let platform = Platform::of(&scenario.to_string());
        for hidden_from in [0, 1, 2] {
            let (path, nothing) = match system {
                "sysdig" => ("/secureEvents?", json!({"page": {"total": 0}, "data": []})),
                _ => ("/audit/logs", json!([])),
            };
            let body = nothing.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let fault = Fault::Answer(head + &body);
            // Each run looks at the list, and reads it.
            let times = 2 * hidden_from;
            let proxy = Proxy::start(&platform.origin, vec![Rule { path, skip: 0, times, fault }]);
            let folder = Folder::new();
            folder.write("first.yaml", &policy(system, &proxy.origin, "1h", 1));
            folder.write("next.yaml", &policy(system, &proxy.origin, "since_previous", 0));
            folder.run(&["run", "-c", "first.yaml", "--save-evidence", "1.jsonl"]).exits(0);
            let next = |previous: &str, saved: &str| {
                let evidence = ["--previous", previous, "--save-evidence", saved];
                folder.run(&[&["run", "-c", "next.yaml"], &evidence[..]].concat())
            };
            let late = match system {
                "sysdig" => "1 event from before the window counted",
                _ => "1 change from before the window counted",
            };
            let second = next("1.jsonl", "2.jsonl");
            if hidden_from == 1 {
                second.exits(1).says(late);
                continue;
            }
            // Known, or still hidden; the same for the run after it, within minutes.
            second.exits(0);
            let third = next("2.jsonl", "3.jsonl");
            match hidden_from {
                2 => third.exits(1).says(late),
                _ => third.exits(0),
            };
        }
    });
}

/// A policy that reads a window, and allows so many severe changes or events.
fn policy(system: &str, origin: &str, window: &str, max: u64) -> String {
    let window = match system {
        "sysdig" => format!("events: {{window: {window}}}"),
        _ => format!("window: {window}"),
    };
    format!(
        "version: 1\nsources:\n  {system}: {{url: {origin}, {window}}}\ngates:\n  - {{id: none, \
         source: {system}, severity: high, max: {max}}}\n"
    )
}
