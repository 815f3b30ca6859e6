//! What a row does not state, and the fields that gates select by.

use super::shapes::{EVENTS, POSTURE, event, page, requirement, row, run};
use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Folder, Platform};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

/// One failing row, changed.
fn failing(change: impl FnOnce(&mut Value)) -> Value {
    let mut row = row(json!("a"), false);
    row["globalId"] = "arn:example:a".into();
    row["location"] = "eu-central-1".into();
    change(&mut row);
    page(&[row], 1)
}

#[test]
fn a_failed_row_that_lacks_a_field_leaves_no_gate() {
    let selects = [
        ("account", "account: \"2222\""),
        ("location", "region: mars-1"),
        ("type", "resource_type: Volume"),
        // Its name and its hash are no globalId.
        ("globalId", "resource: \"arn:aws:s3:::elsewhere\""),
    ];
    for (field, gate) in selects {
        let gate = format!("{gate}, max: 0, min_evaluated: 0");
        for lacks in [false, true] {
            let rows = failing(|row| {
                if lacks {
                    row[field] = Value::Null;
                }
            });
            let answers = [
                ("/requirements", 200, requirement(&json!({"pass": false}))),
                ("/cloud/resources", 200, rows),
            ];
            run(POSTURE, &gate, &answers).exits(i32::from(lacks));
        }
    }
    // Neither id nor name: it could be any resource.
    let nameless = failing(|row| {
        row["name"] = Value::Null;
        row["globalId"] = Value::Null;
    });
    let answers = [
        ("/requirements", 200, requirement(&json!({"pass": false}))),
        ("/cloud/resources", 200, nameless),
    ];
    run(POSTURE, "max: 0", &answers).exits(1);
}

#[test]
fn a_policy_requirement_or_control_without_a_name_leaves_no_gate() {
    let of = |change: &dyn Fn(&mut Value)| {
        let mut rows = requirement(&json!({"pass": false}));
        change(&mut rows["data"][0]);
        [("/requirements", 200, rows), ("/cloud/resources", 200, failing(|_| ()))]
    };
    let none = |field: &'static str| move |row: &mut Value| row[field] = Value::Null;
    let control = |row: &mut Value| row["controls"][0]["name"] = Value::Null;
    for (gate, change) in [
        ("framework: \"Other*\"", &none("policyName") as &dyn Fn(&mut Value)),
        ("control: \"Other*\"", &none("name")),
        ("rule: \"Other*\"", &control),
    ] {
        let gate = format!("{gate}, max: 0, min_evaluated: 0");
        run(POSTURE, &gate, &of(&|_| ())).exits(0);
        run(POSTURE, &gate, &of(change)).exits(1);
    }
}

#[test]
fn an_acceptance_counts_only_if_it_states_that_it_holds() {
    let expires = Utc::now().date_naive() + TimeDelta::days(60);
    // The line of the gate ends, and a second list follows.
    let gate = format!(
        "max: 0}}\naccept:\n  - {{id: a, upstream: sysdig.acceptance, reason: r, owner: o, expires: {expires}"
    );
    let with = |acceptance: Value, counted: Value| {
        let counts = json!({"pass": true, "objectsCount": 0, "acceptedCount": counted});
        let rows = failing(|row| row["acceptance"] = acceptance);
        [("/requirements", 200, requirement(&counts)), ("/cloud/resources", 200, rows)]
    };
    let until = (Utc::now() + TimeDelta::days(30)).timestamp_millis().to_string();
    let held = json!({"justification": "known", "expirationDate": until});
    run(POSTURE, &gate, &with(held.clone(), json!(1))).exits(0);
    run(POSTURE, "max: 0", &with(held.clone(), json!(1))).exits(1);
    run(POSTURE, &gate, &with(held.clone(), Value::Null)).exits(0);
    let endless = json!({"reason": "Risk Owned", "expiresAt": "0"});
    run(POSTURE, &gate, &with(endless, json!(1))).exits(0).says("1 without an end");
    for acceptance in [
        json!({"justification": "known", "expirationDate": until, "isRevoked": true}),
        json!({"justification": "known", "expirationDate": until, "status": "pending"}),
        json!({"justification": "known", "expirationDate": "soon"}),
        json!({"isRevoked": false}),
        json!({"expirationDate": "0"}),
        json!({}),
    ] {
        run(POSTURE, &gate, &with(acceptance.clone(), json!(1))).exits(1);
    }
    // The control counts no accepted row.
    let failed = json!({"pass": false, "objectsCount": 1, "acceptedCount": 0});
    let answers = [
        ("/requirements", 200, requirement(&failed)),
        ("/cloud/resources", 200, failing(|row| row["acceptance"] = held)),
    ];
    let says = "counts 0 resources with an accepted risk, but 1 are listed";
    run(POSTURE, "max: 1", &answers).exits(3).says(says);
}

fn feed(event: Value) -> [(&'static str, u16, Value); 1] {
    [("/secureEvents?", 200, json!({"page": {"prev": null}, "data": [event]}))]
}

#[test]
fn events_are_selected_by_where_they_happened() {
    let at = json!({
        "aws.accountId": "122814690049", "aws.region": "eu-central-1",
        "kubernetes.cluster.name": "production", "kubernetes.namespace.name": "shop",
        "container.name": "api", "container.image.repo": "registry.example.com/shop/api",
        "container.image.tag": "1.4", "team": "payments", "host.hostName": "node-1",
    });
    let gates = [
        ("account: \"122814690049\"", 1),
        ("account: \"400000000037\"", 0),
        ("region: us-east-1", 0),
        ("cluster: production, namespace: shop", 1),
        ("cluster: production, namespace: billing", 0),
        ("image: \"registry.example.com/shop/api\"", 1),
        ("image: \"registry.example.com/shop/api:1.4\"", 1),
        ("image: \"*/web\"", 0),
        ("container: api", 1),
        ("container: \"0123*\"", 1),
        ("container: web", 0),
        ("host: node-1", 1),
        ("host: \"02:00:*\"", 1),
        ("host: node-2", 0),
        ("category: runtime", 1),
        ("category: cloud", 0),
        ("event_source: syscall", 1),
        ("event_source: k8s_audit", 0),
        ("label: \"team=pay*\"", 1),
        ("label: \"team=data\"", 0),
    ];
    for (gate, code) in gates {
        let mut event = event(1, 60, 4);
        event["labels"] = at.clone();
        event["containerId"] = "0123456789ab".into();
        event["machineId"] = "02:00:00:00:00:01".into();
        event["category"] = "runtime".into();
        let gate = format!("{gate}, max: 0");
        run(EVENTS, &gate, &feed(event.clone())).exits(code);
        // Without labels it could have happened anywhere; a container or host is still known.
        for field in ["labels", "containerId", "machineId", "category", "source"] {
            event[field] = Value::Null;
        }
        run(EVENTS, &gate, &feed(event)).exits(1);
    }
    // A container or a host of which only the id is stated could have any name.
    for (gate, label) in [
        ("container: web", "container.name"),
        ("image: \"*/web\"", "container.image.repo"),
        ("host: node-2", "host.hostName"),
    ] {
        let mut event = event(1, 60, 4);
        event["labels"] = at.clone();
        event["containerId"] = "0123456789ab".into();
        event["machineId"] = "02:00:00:00:00:01".into();
        run(EVENTS, &format!("{gate}, max: 0"), &feed(event.clone())).exits(0);
        event["labels"].as_object_mut().unwrap().remove(label);
        run(EVENTS, &format!("{gate}, max: 0"), &feed(event)).exits(1);
    }
    // What is not in a cluster rightly has no namespace.
    let mut on_host = event(1, 60, 4);
    on_host["labels"] = json!({"host.hostName": "build-7"});
    run(EVENTS, "namespace: shop, max: 0", &feed(on_host.clone())).exits(0);
    run(EVENTS, "namespace: \"(none)\", max: 0", &feed(on_host)).exits(1);
}

#[test]
fn an_event_without_a_name_and_rule_leaves_no_gate() {
    let mut nameless = event(1, 60, 4);
    run(EVENTS, "rule: Other, max: 0", &feed(nameless.clone())).exits(0);
    nameless["content"] = Value::Null;
    run(EVENTS, "rule: Other, max: 0", &feed(nameless)).exits(1);
}

const IMAGE: &str =
    "images: [{tag: \"registry.example.com/shop/api:1.4\"}]\n    vulnerabilities: findings";

#[test]
fn vulnerabilities_are_selected_by_whether_a_fix_exists() {
    let with = |fix: Value| {
        let found = json!({"vuln": "CVE-2024-1", "severity": "Critical", "fix": fix});
        [
            ("/vulnSummary", 200, json!({"os": {"Critical": 1}, "non-os": {}})),
            ("/vuln/os", 200, json!({"vulns": [found], "canLoadMore": false})),
            ("/vuln/non-os", 200, json!({"vulns": [], "canLoadMore": false})),
        ]
    };
    for (fix, fixable, code) in [
        (json!("1.2.4"), "true", 1),
        (json!("1.2.4"), "false", 0),
        (json!("None"), "true", 0),
        (json!("None"), "false", 1),
        // Not stated, so it may be either.
        (Value::Null, "true", 1),
        (json!(""), "false", 1),
    ] {
        let gate = format!("severity: critical, fixable: {fixable}, max: 0");
        run(IMAGE, &gate, &with(fix)).exits(code);
    }
    run(IMAGE, "fixable: yes, max: 0", &with(Value::Null))
        .exits(2)
        .says("possible are true, false");
    let without = "images: [{tag: \"registry.example.com/shop/api:1.4\"}]";
    run(without, "fixable: true, max: 0", &with(Value::Null)).exits(2).says("does not know");
}

/// Two tags of one digest are one image.
#[test]
fn an_image_with_two_tags_counts_once_and_is_found_by_both() {
    let settings = "images: [{tag: \"r.example/shop/api:1.4\"}, {tag: \"r.example/shop/web:2\"}]\n    \
                    vulnerabilities: findings";
    let digest = "sha256:00";
    let found = json!({"vuln": "CVE-2024-1", "severity": "Critical", "fix": "2"});
    let stop = json!({"gate": "files", "ruleResults": [{"gateAction": "stop"}]});
    let policy = json!({"policyName": "P", "status": "fail", "gateResults": [stop]});
    let evaluation =
        json!({"imageDigest": digest, "status": "fail", "at": 1_700_000_000, "results": [policy]});
    let answers = [
        ("/anchore/images", 200, json!([{"imageDigest": digest}])),
        ("/policyEvaluation", 200, evaluation),
        ("/vulnSummary", 200, json!({"os": {"Critical": 1}, "non-os": {}})),
        ("/vuln/os", 200, json!({"vulns": [found], "canLoadMore": false})),
        ("/vuln/non-os", 200, json!({"vulns": [], "canLoadMore": false})),
    ];
    run(settings, "max: 2", &answers).exits(0).says("r.example/shop/api:1.4, r.example/shop/web:2");
    run(settings, "max: 1", &answers).exits(1);
    for tag in ["r.example/shop/api:1.4", "r.example/shop/web:2"] {
        let gate = |max: u64| format!("resource: \"{tag}\", max: {max}");
        run(settings, &gate(2), &answers).exits(0);
        run(settings, &gate(1), &answers).exits(1);
    }
    run(settings, "image: \"r.example/shop/web\", max: 1", &answers).exits(1);
    let typo = "image: \"r.example/shop/wbe\", max: 0";
    run(settings, typo, &answers).exits(3).says("did you mean `r.example/shop/web`?");
}

/// The platform filters by its own clock, which its `Date` shows.
#[test]
fn the_window_of_events_is_that_of_the_platforms_clock() {
    for (hours, says) in [(-3, "3h behind the clock"), (2, "2h ahead of the clock")] {
        let theirs = Utc::now() + TimeDelta::hours(hours);
        let answer = |body: Value| {
            let body = body.to_string();
            let date = theirs.format("%a, %d %b %Y %H:%M:%S GMT");
            let head = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}", body.len());
            Fault::Answer(format!("{head}\r\nConnection: close\r\n\r\n{body}"))
        };
        let quiet = json!({"page": {"total": 0, "prev": "x"}, "data": []});
        let rules = vec![
            Rule { path: "/status", skip: 0, times: 99, fault: answer(json!({})) },
            Rule { path: "/secureEvents?", skip: 0, times: 99, fault: answer(quiet) },
        ];
        let platform = Platform::start("healthy");
        let proxy = Proxy::start(&platform.origin, rules);
        let folder = Folder::new();
        let policy = format!(
            "version: 1\nsources: {{sysdig: {{url: {}, events: {{window: 24h}}}}}}\n\
             gates: [{{id: g, source: sysdig, max: 0}}]\n",
            proxy.origin
        );
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["run"]).exits(0).says(says);
        folder.run(&["doctor"]).exits(0).says(says);
        let heads = proxy.heads();
        let ends = heads.iter().filter_map(|head| head.split("&to=").nth(1)?.get(..10));
        let ends: Vec<i64> = ends.filter_map(|end| end.parse().ok()).collect();
        assert!(!ends.is_empty(), "{heads:?}");
        for end in ends {
            assert!((end - theirs.timestamp()).abs() < 60, "{end} is not {theirs}");
        }
    }
}

/// The contract has the word, and no answer has what it is about.
#[test]
fn an_acceptance_of_changed_severities_is_said_to_cover_nothing() {
    let expires = chrono::Utc::now().date_naive() + chrono::Days::new(60);
    let folder = Folder::new();
    let policy = format!(
        "version: 1\nsources:\n  sysdig: {{url: https://sysdig.example.com, {POSTURE}}}\ngates: [{{id: g, \
         source: sysdig, max: 0}}]\naccept:\n  - {{id: lowered, upstream: sysdig.severity, reason: r, \
         owner: o, expires: {expires}}}\n"
    );
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["policy", "check"]).exits(0).says(
        "acceptance `lowered`: `sysdig.severity` covers nothing today: no answer of Sysdig says that a \
         severity was changed",
    );
}

/// `doctor` asks what a run will ask.
#[test]
fn doctor_finds_what_a_run_would_fail_on() {
    let doctor = |settings: &str, path: &'static str, status: u16| {
        let platform = Platform::start("healthy");
        let body = r#"{"message": "no permission"}"#;
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}", body.len());
        let answer = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        let rule = Rule { path, skip: 0, times: 99, fault: Fault::Answer(answer) };
        let proxy = Proxy::start(&platform.origin, vec![rule]);
        let folder = Folder::new();
        let policy = format!(
            "version: 1\nsources:\n  sysdig:\n    url: {}\n    {settings}\n\
             gates: [{{id: g, source: sysdig, max: 0}}]\n",
            proxy.origin
        );
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["doctor"])
    };
    doctor(EVENTS, "/secureEvents?", 403).exits(4);
    doctor("events: {window: 24h, detail: count}", "/secureEvents/count", 403).exits(4);
    doctor(EVENTS, "/nowhere", 403).exits(0);
    let inventory = "posture: {inventory: {account: nobody}}";
    doctor(inventory, "/nowhere", 403).exits(2).says("matches no resource");
}

/// `pass` without any result of a policy is not evidence. Vulnerabilities are.
#[test]
fn an_image_without_a_policy_has_not_passed() {
    let evaluation = json!({"status": "pass", "at": 1_700_000_000, "results": []});
    let answers = [
        ("/policyEvaluation", 200, evaluation),
        ("/vulnSummary", 200, json!({"os": {}, "non-os": {}})),
        ("/vuln/", 200, json!({"vulns": [], "canLoadMore": false})),
    ];
    let policies = "images: [{tag: \"registry.example.com/shop/api:1.4\"}]";
    run(policies, "max: 0", &answers).exits(3).says("no policy evaluated image");
    run(policies, "max: 0, min_evaluated: 0", &answers).exits(0);
    run(IMAGE, "max: 0", &answers).exits(0).says("no policy evaluated image");
}

/// A severity or rule that a source never reports would make a gate pass for ever.
#[test]
fn a_gate_asks_only_for_what_the_source_can_report() {
    let critical = "severity: critical, max: 0";
    let policies = "images: [{tag: \"registry.example.com/shop/api:1.4\"}]";
    let filtered = "events: {window: 24h, severities: [low]}";
    for (settings, gate, says) in [
        (POSTURE, critical, "reports only high, medium, low"),
        (policies, "severity: medium, max: 0", "reports only high, low"),
        (EVENTS, critical, "reports only high, medium, low, informational"),
        (filtered, "severity: \">= high\", max: 0", "`events.severities` of source `sysdig`"),
        (
            "posture: {severities: [low]}",
            "severity: \">= high\", max: 0",
            "`posture.severities` of source `sysdig` limits it to low",
        ),
        (
            "events: {window: 24h, rules: [Shell]}",
            "rule: Mount, max: 0",
            "`events.rules` of source `sysdig` limits it to Shell",
        ),
    ] {
        run(settings, gate, &[]).exits(2).says(says);
    }
    let own = "events: {window: 24h, severity_table: {critical: [0], high: [1, 2, 3, 4, 5, 6, 7]}}";
    let quiet = [("/secureEvents?", 200, json!({"page": {"total": 0}, "data": []}))];
    run(own, critical, &quiet).exits(0);
    run(POSTURE, "severity: \">= high\", max: 0", &[]).exits(0);
    run(IMAGE, critical, &[]).exits(0);
    // Only what the filter leaves out is a note, not what the platform never has.
    let medium = "posture: {severities: [medium]}";
    let says = "leaves out severity high, which this gate selects";
    run(medium, "severity: \">= medium\", max: 99", &[]).exits(0).says(says);
    // A requirement of high severity may have controls of medium severity.
    run("posture: {severities: [high]}", "severity: medium, max: 0", &[]).exits(1);
}
