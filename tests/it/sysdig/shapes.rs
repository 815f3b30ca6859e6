//! The Sysdig source against answers that the simulator does not give.

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, Folder, Platform};
use serde_json::{Value, json};

/// What is answered instead to every request that contains a text; the first that matches counts.
pub(super) type Answers<'a> = &'a [(&'static str, u16, Value)];

/// Runs one gate against a healthy platform behind these answers.
pub(super) fn run(settings: &str, gate: &str, answers: Answers<'_>) -> Ended {
    run_and_count(settings, gate, answers, "").0
}

pub(super) fn rules(answers: Answers<'_>) -> Vec<Rule> {
    let rule = |(path, status, body): &(&'static str, u16, Value)| {
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}", body.len());
        let answer = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        Rule { path, skip: 0, times: usize::MAX, fault: Fault::Answer(answer) }
    };
    answers.iter().map(rule).collect()
}

/// Also returns how many requests contained `words`.
fn run_and_count(settings: &str, gate: &str, answers: Answers<'_>, words: &str) -> (Ended, usize) {
    let platform = Platform::start("healthy");
    let proxy = Proxy::start(&platform.origin, rules(answers));
    let folder = Folder::new();
    let origin = &proxy.origin;
    folder.write(
        "compliance-gate.yaml",
        &format!(
            "version: 1\ndeadline: 60s\nsources:\n  sysdig:\n    url: {origin}\n    {settings}\n\
             gates:\n  - {{id: g, source: sysdig, {gate}}}\n"
        ),
    );
    let ended = folder.run(&["run"]);
    let count = proxy.heads().iter().filter(|head| head.contains(words)).count();
    (ended, count)
}

pub(super) const POSTURE: &str = "posture: {}";

pub(super) fn row(hash: Value, passed: bool) -> Value {
    json!({"hash": hash, "name": "a", "type": "Bucket", "passed": passed, "account": 1111})
}

pub(super) fn page(rows: &[Value], total: u64) -> Value {
    json!({"data": rows, "totalCount": total})
}

/// One requirement with one control, which passes; `more` goes into both.
pub(super) fn requirement(more: &Value) -> Value {
    let endpoint = "/api/cspm/v1/cloud/resources?controlId=1&filter=policyId=1 and zones.id=1";
    let mut control =
        json!({"id": 1, "name": "c", "severity": "High", "resourceApiEndpoint": endpoint});
    let mut requirement = json!({
        "requirementId": 1, "name": "r", "pass": true, "severity": "High", "policyId": 1,
        "policyName": "P", "zone": {"id": 1, "name": "Z"}, "failedControls": 0,
    });
    for (name, value) in more.as_object().unwrap() {
        control[name] = value.clone();
        requirement[name] = value.clone();
    }
    requirement["controls"] = json!([control]);
    page(&[requirement], 1)
}

#[test]
fn a_repeated_row_does_not_replace_another() {
    let twice = page(&[row(json!("a"), false), row(json!("a"), false)], 2);
    let past_the_end = page(&[], 2);
    let answers = [("pageNumber=2", 200, past_the_end), ("/cloud/resources", 200, twice)];
    run(POSTURE, "max: 1000", &answers)
        .exits(3)
        .says("1 of 2 rows arrived before the last page, and some of them were repeated");
    // A row that is counted once and listed twice is complete.
    let twice = page(&[row(json!("a"), false), row(json!("a"), false)], 1);
    let one = requirement(&json!({"objectsCount": 1, "acceptedCount": 0, "pass": false}));
    let answers = [("/requirements", 200, one), ("/cloud/resources", 200, twice)];
    run(POSTURE, "max: 1", &answers).exits(0);
}

#[test]
fn failures_that_are_counted_and_not_listed_are_missed() {
    let counts = json!({"objectsCount": 40, "acceptedCount": 0, "passingCount": 2, "pass": false});
    let counted = requirement(&counts);
    for (rows, says) in [
        (vec![], "failed on 40 resources, but 0 of them are listed"),
        (vec![row(json!(7), false)], "but 1 of them is listed"),
    ] {
        let answers = [
            ("/requirements", 200, counted.clone()),
            ("/cloud/resources", 200, page(&rows, rows.len() as u64)),
        ];
        let (ended, asked) = run_and_count(POSTURE, "max: 5", &answers, "/cloud/resources");
        ended.exits(3).says(says);
        // The list is read once more first.
        assert_eq!(asked, 2);
        // What is listed still blocks. Ids and accounts may be numbers.
        run(POSTURE, "max: 0", &answers).exits(if rows.is_empty() { 3 } else { 1 });
    }
}

#[test]
fn a_control_is_only_quiet_if_its_requirement_agrees() {
    let failing = [row(json!("a"), false)];
    let zeros = json!({"objectsCount": 0, "acceptedCount": 0, "passingCount": 3, "pass": true});
    for (high, asked, code) in [(0, 0, 0), (2, 1, 1)] {
        let mut counts = zeros.clone();
        counts["highSeverityCount"] = high.into();
        let answers = [
            ("/requirements", 200, requirement(&counts)),
            ("/cloud/resources", 200, page(&failing, 1)),
        ];
        let (ended, count) = run_and_count(POSTURE, "max: 0", &answers, "/cloud/resources");
        ended.exits(code);
        assert_eq!(count, asked);
    }
}

#[test]
fn where_passes_are_not_counted_the_list_has_a_total() {
    let answers = [
        ("/requirements", 200, requirement(&json!({"pass": true}))),
        ("pass%3Dfalse", 200, page(&[], 0)),
        ("accepted%3Dtrue", 200, page(&[], 0)),
        ("/cloud/resources", 200, page(&[row(json!("a"), true)], 3)),
    ];
    run(POSTURE, "max: 0", &answers).exits(0).says("3 checks evaluated");
}

#[test]
fn a_resource_without_a_hash_does_not_leave_the_inventory_unnoticed() {
    let items = [json!({"id": 1, "hash": null}), json!({"id": 2, "hash": 17})];
    let settings = "posture: {inventory: {account: a}}";
    let answers = [
        ("/inventory/", 200, page(&items, 2)),
        ("/requirements", 200, requirement(&json!({"pass": false}))),
        ("/cloud/resources", 200, page(&[row(json!(17), false)], 1)),
    ];
    run(settings, "max: 1", &answers).exits(3).says("1 resource without a `hash`");
    run(settings, "max: 0", &answers).exits(1);
}

/// A platform may know what values a field can have.
#[test]
fn a_filter_whose_values_the_platform_checks_is_not_ignored() {
    let items = [json!({"id": 1, "hash": "h17"})];
    let answers = [
        ("compliance-gate%3A", 400, json!({"message": "Invalid parameter"})),
        ("/inventory/", 200, page(&items, 1)),
        ("/requirements", 200, requirement(&json!({"pass": false}))),
        ("/cloud/resources", 200, page(&[row(json!("h17"), false)], 1)),
    ];
    run("posture: {inventory: {platform: AWS}}", "max: 1", &answers).exits(0);
    let ignoring = &answers[1..];
    run("posture: {inventory: {platform: AWS}}", "max: 1", ignoring)
        .exits(3)
        .says("the platform ignores a part of `platform in");
}

/// The platform must read all conditions and all values.
#[test]
fn a_filter_that_is_read_in_part_is_noticed() {
    let items = |count: u64| {
        let items: Vec<_> =
            (0..count).map(|id| json!({"id": id, "hash": format!("h{id}")})).collect();
        page(&items, count)
    };
    let answers = |nothing: u64| {
        [
            ("compliance-gate%3A", 200, items(nothing)),
            ("/inventory/", 200, items(2)),
            ("/requirements", 200, requirement(&json!({"pass": false}))),
            ("/cloud/resources", 200, page(&[row(json!("h1"), false)], 1)),
        ]
    };
    let both = "posture: {inventory: {namespace: shop, cluster: production}}";
    run(both, "max: 1", &answers(0)).exits(0);
    run(both, "max: 1", &answers(1)).exits(3).says("the platform ignores a part of `cluster in");
    let list = "posture: {inventory: {namespace: [shop, web]}}";
    run(list, "max: 1", &answers(0)).exits(3).says("the platform ignores a value of `namespace in");
}

/// What a result states is compared with what was asked for.
#[test]
fn a_failing_resource_that_the_inventory_should_have_is_not_left_out() {
    for (account, code) in [("1111", 3), ("2222", 0)] {
        let settings = format!("posture: {{inventory: {{account: \"{account}\"}}}}");
        let answers = [
            ("compliance-gate%3A", 200, page(&[], 0)),
            ("/inventory/", 200, page(&[json!({"id": 1, "hash": "other"})], 1)),
            ("/cloudauth/", 404, json!({})),
            ("/requirements", 200, requirement(&json!({"pass": false}))),
            (
                "/cloud/resources",
                200,
                page(&[row(json!("a"), false), row(json!("other"), true)], 2),
            ),
        ];
        let ended = run(&settings, "max: 0", &answers).exits(code);
        if code == 3 {
            ended.says("1 failing resource of what `posture.inventory` asks for");
        }
    }
}

pub(super) const EVENTS: &str = "events: {window: 24h}";

pub(super) fn event(id: u64, seconds_ago: i64, severity: u64) -> Value {
    let at = chrono::Utc::now() - chrono::TimeDelta::seconds(seconds_ago);
    json!({
        "id": id, "timestamp": at.to_rfc3339(), "severity": severity, "source": "syscall",
        "content": {"ruleName": "Shell"},
    })
}

#[test]
fn pages_of_events_hold_what_they_say() {
    let feed = |page: Value, data: &[Value]| {
        [("/secureEvents?", 200, json!({"page": page, "data": data}))]
    };
    let full: Vec<_> = (0..999).map(|id| event(id, 60, 4)).collect();
    let one = [event(1, 60, 4)];
    let cases = [
        (feed(json!({"total": 7, "prev": null}), &[]), "counts 7 events, but 0 arrived"),
        (feed(json!({"total": 7, "prev": null}), &one), "counts 7 events, but 1 arrived"),
        (feed(json!({"returned": 7, "prev": null}), &one), "states 7 events, and has 1"),
        (feed(json!({"prev": null}), &full), "a full page has no cursor"),
        (feed(Value::Null, &one), "the answer has no `page`"),
        (feed(json!({}), &[]), "neither `total` nor `prev`"),
        (feed(json!({"prev": null}), &[event(1, -3600, 4)]), "newer than what was asked for"),
    ];
    for (answers, says) in cases {
        run(EVENTS, "max: 1000", &answers).exits(3).says(says);
    }
    for (page, data) in [
        (json!({"total": 0, "returned": 0, "prev": "x", "next": "y"}), &[][..]),
        (json!({"total": "1", "returned": "1", "prev": null}), &one[..]),
        (json!({"prev": ""}), &one[..]),
    ] {
        run(EVENTS, "max: 1", &feed(page, data)).exits(0);
    }
}

/// A total may be of more than the window. Another call then counts the window.
#[test]
fn a_total_beyond_the_window_makes_a_quiet_day_red_unless_the_window_is_counted() {
    let with = |status: u16, count: Value| {
        let older = json!({"page": {"prev": null}, "data": [event(1, 200_000, 4)]});
        let feed = json!({"page": {"total": 30, "prev": "x"}, "data": []});
        [
            ("/secureEvents/count", status, count),
            ("cursor=", 200, older),
            ("/secureEvents?", 200, feed),
        ]
    };
    run(EVENTS, "max: 0", &with(200, counts(json!({"4": 0})))).exits(0);
    for answers in [with(200, counts(json!({"4": 30}))), with(404, json!({}))] {
        run(EVENTS, "max: 0", &answers).exits(3).says("counts 30 events, but 0 arrived");
    }
}

#[test]
fn the_total_is_compared_however_the_feed_ends() {
    let rows: Vec<_> =
        (0..13).map(|id| event(id, 60 + 60 * i64::try_from(id).unwrap(), 6)).collect();
    let feed = |page: Value, data: &[Value]| {
        [
            ("/secureEvents/count", 200, counts(json!({"6": 50}))),
            ("cursor=", 200, json!({"page": {"prev": "y"}, "data": [event(99, 200_000, 6)]})),
            ("/secureEvents?", 200, json!({"page": page, "data": data})),
        ]
    };
    let fifty = feed(json!({"total": 50, "prev": "x"}), &rows);
    run(EVENTS, "max: 1000", &fifty).exits(3).says("counts 50 events, but 13 arrived");
    // A page with bounds has no event outside of them.
    let mut outside = rows.clone();
    outside.push(event(14, 200_000, 6));
    let feed_outside = feed(json!({"total": 50, "prev": "x"}), &outside);
    run(EVENTS, "max: 1000", &feed_outside).exits(3).says("older than what was asked for");
    // A repeated event does not replace another.
    let twice = [event(1, 60, 6), event(1, 60, 6)];
    let repeated = feed(json!({"total": 2, "prev": "x"}), &twice);
    run(EVENTS, "max: 1000", &repeated).exits(3).says("1 arrived, and some of them were repeated");
    let repeated = feed(json!({"prev": "x"}), &twice);
    run(EVENTS, "max: 1000", &repeated).exits(3).says("an event is repeated");
}

/// Where there is nothing older, the total cannot be of more than the window.
#[test]
fn a_total_of_a_feed_that_has_ended_is_not_explained_by_a_count() {
    let answers = [
        ("/secureEvents/count", 200, counts(json!({"4": 0}))),
        ("/secureEvents?", 200, json!({"page": {"total": 7, "prev": null}, "data": []})),
    ];
    run(EVENTS, "max: 0", &answers).exits(3).says("counts 7 events, but 0 arrived");
}

#[test]
fn who_watches_a_quiet_window_is_known_or_said_to_be_unknown() {
    let feed = || ("/secureEvents?", 200, json!({"page": {"total": 0}, "data": []}));
    let (none, odd) = (json!({"message": "x"}), json!({"x": 1}));
    for (agents, events, code, says) in [
        ((200, json!({"agents": [{"connected": false}]})), (404, none.clone()), 3, "no agent is"),
        ((200, json!({"agents": [{"connected": true}]})), (404, none.clone()), 0, ""),
        ((404, none.clone()), (404, none.clone()), 0, "does not show it to this token"),
        ((200, odd.clone()), (200, json!({"hasEvents": true})), 0, ""),
        ((200, odd.clone()), (200, json!(["?"])), 3, "have no answer of a known shape"),
        ((404, none.clone()), (200, odd.clone()), 3, "have no answer of a known shape"),
        ((200, odd), (404, none), 3, "have no answer of a known shape"),
    ] {
        let answers =
            [feed(), ("/agents/connected", agents.0, agents.1), ("/hasEvents", events.0, events.1)];
        run(EVENTS, "max: 0", &answers).exits(code).says(says);
        run("events: {window: 24h, quiet: allowed}", "max: 0", &answers).exits(0);
    }
}

/// An empty list is evidence only in the documented shape.
#[test]
fn an_error_beside_an_empty_list_is_not_a_quiet_window() {
    let page = json!({"total": 0, "returned": 0, "prev": "x"});
    for error in [json!("bad request"), json!({"code": 7}), json!([{"message": "no"}])] {
        for field in ["error", "errors", "message"] {
            let mut answer = json!({"page": page, "data": []});
            answer[field] = error.clone();
            let ended = run(EVENTS, "max: 0", &[("/secureEvents?", 200, answer)]);
            ended.exits(3).says("the answer is an error despite status 200");
            let mut answer = json!({"data": [], "totalCount": 0});
            answer[field] = error.clone();
            let ended = run(POSTURE, "max: 0", &[("/resources", 200, answer)]);
            ended.exits(3).says("the answer is an error despite status 200");
        }
    }
    for sign in ["success", "partial", "timedOut", "status"] {
        let mut answer = json!({"page": page, "data": []});
        answer[sign] = match sign {
            "success" => json!(false),
            "status" => json!("error"),
            _ => json!(true),
        };
        let ended = run(EVENTS, "max: 0", &[("/secureEvents?", 200, answer)]);
        ended.exits(3).says(&format!("the answer is an error despite status 200: `{sign}"));
    }
    let answer = json!({"error": null, "errors": [], "message": "", "page": page, "data": []});
    run(EVENTS, "max: 0", &[("/secureEvents?", 200, answer)]).exits(0);
    run(EVENTS, "max: 0", &[("/secureEvents?", 200, json!({"data": []}))]).exits(3);
    run(EVENTS, "max: 0", &[("/secureEvents?", 200, json!({"page": page}))]).exits(3);
}

#[test]
fn a_filter_that_the_platform_ignores_is_caught() {
    let mut row = event(1, 60, 7);
    row["category"] = "runtime".into();
    let feed = json!({"page": {"prev": null}, "data": [row]});
    for (filter, says) in [
        ("severities: [high]", "the severity `7`, which was not asked for"),
        ("rules: [Other]", "the ruleName `Shell`, which was not asked for"),
        ("categories: [scanning]", "the category `runtime`, which was not asked for"),
        ("sources: [k8s_audit]", "the source `syscall`, which was not asked for"),
    ] {
        let settings = format!("events: {{window: 24h, {filter}}}");
        run(&settings, "max: 0", &[("/secureEvents?", 200, feed.clone())]).exits(3).says(says);
    }
    let settings = "events: {window: 24h, severities: [informational], rules: [shell]}";
    run(settings, "max: 1", &[("/secureEvents?", 200, feed)]).exits(0);
}

fn counts(numbers: Value) -> Value {
    json!({"policyEvents": {"countBySeverity": numbers}, "total": 0})
}

#[test]
fn an_undocumented_number_is_not_filtered_away() {
    let settings = "events: {window: 24h, severities: [high]}";
    let quiet = json!({"page": {"total": 0, "prev": "x"}, "data": []});
    let red = json!({"page": {"prev": null}, "data": [event(1, 60, 2)]});
    let with = |feed: &Value, status, count: &Value| {
        [("/secureEvents/count", status, count.clone()), ("/secureEvents?", 200, feed.clone())]
    };
    let odd = counts(json!({"7": 5, "9": 1}));
    let says = "1 event with an undocumented severity";
    run(settings, "max: 0", &with(&quiet, 200, &odd)).exits(3).says(says);
    run(settings, "max: 0", &with(&red, 200, &odd)).exits(1);
    run(settings, "max: 0", &with(&quiet, 200, &counts(json!({"7": 5})))).exits(0);
    // Counts are not required of a platform that has none.
    run(settings, "max: 0", &with(&quiet, 404, &json!({}))).exits(0).says("is not known");
}

#[test]
fn events_are_counted_by_the_numbers_that_were_asked_for() {
    let settings = "events: {window: 24h, detail: count, severities: [high]}";
    let high = "severity: high, max: 0";
    for (answer, code) in [
        (counts(json!({"7": 5})), 0),
        (counts(json!({"2": 5})), 1),
        (counts(json!({"9": 1})), 1),
        (counts(json!({"2": null})), 3),
        (json!({"scanningEvents": {"countBySeverity": {"2": 0}}}), 3),
    ] {
        run(settings, high, &[("/secureEvents/count", 200, answer)]).exits(code);
    }
}

#[test]
fn every_kind_of_vulnerability_counts() {
    let settings = "images: [{tag: \"registry.example.com/shop/api:1.4\"}]\n    vulnerabilities: ";
    let count = format!("{settings}count");
    for (summary, code) in [
        (json!({"os": {}, "non-os": {}}), 0),
        (json!({"os": {}, "non-os": {}, "kernel": {"Critical": 5}}), 1),
        (json!({"os": {}, "all": {"Critical": 5}}), 0),
        (json!({"os": {"Critical": null}, "non-os": {}}), 3),
    ] {
        let gate = "severity: critical, max: 0";
        run(&count, gate, &[("/vulnSummary", 200, summary)]).exits(code);
    }
}

#[test]
fn a_list_of_vulnerabilities_without_an_end_is_not_read_for_ever() {
    let settings =
        "images: [{tag: \"registry.example.com/shop/api:1.4\"}]\n    vulnerabilities: findings";
    let found = |id: u64| json!({"vuln": format!("CVE-2024-{id}"), "severity": "Low"});
    let rows: Vec<_> = (0..5).map(found).collect();
    let answers = [("/vuln/os", 200, json!({"vulns": rows, "canLoadMore": true}))];
    let (ended, asked) = run_and_count(settings, "max: 1000", &answers, "/vuln/os");
    ended.exits(3).says("some may be repeated");
    assert!(asked < 10, "{asked}");
}
