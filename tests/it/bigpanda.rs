//! BigPanda's audit log through the real binary: the exit code of each quirk of the platform.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, Folder, Platform, at_once, bigpanda};
use serde_json::{Value, json};

const NO_HIGH: &str = "  - {id: no-high, source: bigpanda, severity: \">= high\", max: 0}\n";
const NOTHING: &str = "  - {id: nothing, source: bigpanda, max: 0}\n";

/// One run against a platform with these parameters.
struct Case {
    folder: Folder,
    platform: Platform,
    ended: Ended,
}

impl Case {
    fn run(parameters: &Value, settings: &str, gates: &str) -> Self {
        Self::with(&json!({"bigpanda": parameters}), settings, gates)
    }

    fn with(scenario: &Value, settings: &str, gates: &str) -> Self {
        let platform = Platform::of(&scenario.to_string());
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &bigpanda(&platform.origin, settings, gates));
        let ended = folder.run(&["run", "-v", "--json", "gate.json", "--junit", "gate.xml"]);
        Self { folder, platform, ended }
    }

    fn report(&self) -> Value {
        self.folder.json("gate.json")
    }

    /// Rules of the findings, with their severities.
    fn rules(&self) -> Vec<(String, String)> {
        let report = self.report();
        let findings = report["findings"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings.iter().map(|f| (text(&f["rule"]["id"]), text(&f["severity"]))).collect()
    }
}

fn change(kind: &str, action: &str) -> Value {
    json!({"type": kind, "action": action, "name": "example", "actor": "mallory@example.net"})
}

/// A change with further parameters.
fn change_with(kind: &str, action: &str, more: Value) -> Value {
    let mut change = change(kind, action);
    change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    change
}

/// What a mode of the platform, with some settings and gates, ends in.
#[track_caller]
fn ends(
    name: &str,
    parameters: Value,
    settings: &str,
    gates: &str,
    code: i32,
    words: &str,
) -> Case {
    let case = Case::run(&parameters, settings, gates);
    let Ended { stdout, stderr, .. } = &case.ended;
    let all = format!("--- {name}\n{stdout}\n{stderr}");
    assert_eq!(case.ended.code, Some(code), "{all}");
    let flat = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(words) || stderr.contains(words), "the output lacks `{words}`: {all}");
    case
}

#[test]
fn the_scenarios_that_come_along_end_as_they_say() {
    at_once(
        [("healthy", 0), ("clean", 0), ("blocked", 1), ("unknown-severity", 1)],
        |(scenario, code)| {
            let platform = Platform::start(scenario);
            let folder = Folder::new();
            folder.write("compliance-gate.yaml", &bigpanda(&platform.origin, "", NO_HIGH));
            let ended = folder.run(&["run", "--json", "gate.json"]).exits(code);
            ended.says("SIMULATED");
            folder.run(&["doctor"]).exits(0).says("the audit log of the last 1day can be read");
        },
    );
}

#[test]
fn whatever_the_envelope_the_same_is_found() {
    let plan = change("alert_filtering", "create");
    let tag = change("tag", "update");
    at_once(
        [
            ("array", json!({"envelope": "array", "changes": [plan, tag]})),
            ("object", json!({"envelope": "object", "changes": [plan, tag]})),
            ("no total", json!({"envelope": "object", "total": false, "changes": [plan, tag]})),
            ("logs", json!({"envelope": "object", "list": "logs", "changes": [plan, tag]})),
            ("single", json!({"envelope": "single", "changes": [plan]})),
            (
                "single, page ignored",
                json!({"envelope": "single", "ignore_page": true, "changes": [plan]}),
            ),
            ("single, 204", json!({"envelope": "single", "no_content": true, "changes": [plan]})),
        ],
        |(name, parameters)| {
            let case = ends(name, parameters, "", NO_HIGH, 1, "1 change where max is 0");
            assert_eq!(case.rules()[0], ("maintenance_plan.create".to_owned(), "high".to_owned()));
        },
    );
    ends(
        "unknown list",
        json!({"envelope": "object", "list": "auditLogs", "changes": [plan]}),
        "",
        NO_HIGH,
        3,
        "neither a row nor has exactly one list of rows",
    );
}

#[test]
fn a_quiet_window_passes_and_silence_of_the_platform_does_not() {
    let nothing = json!({"changes": []});
    ends("nothing", nothing.clone(), "", NOTHING, 0, "0 entries");
    ends("204", json!({"changes": [], "no_content": true}), "", NOTHING, 0, "0 entries");
    ends("array", json!({"changes": [], "envelope": "array"}), "", NOTHING, 0, "0 entries");
    for (kind, code, words) in [
        ("html-200", 2, "HTML page"),
        ("wrong-type", 3, "entry [0] is a number"),
        ("truncated", 3, "JSON that ends too early"),
    ] {
        // The first request is the preflight's, which only looks at the envelope.
        let fault = json!({"path": "/resources/v2.0/audit/logs", "kind": kind, "times": null});
        let case = Case::with(&json!({"bigpanda": nothing, "faults": [fault]}), "", NOTHING);
        case.ended.exits(code).says(words);
    }
}

#[test]
fn every_page_is_read_however_short() {
    // The one that matters is the oldest, and so on the last page.
    let worst = change_with("sso_config", "update", json!({"minutes_ago": 1430}));
    let case = ends(
        "capped",
        json!({"changes": [worst], "filler": 23, "per_page_cap": 5, "envelope": "array"}),
        "",
        NO_HIGH,
        1,
        "24 entries",
    );
    assert_eq!(case.rules().len(), 24);
    // Preflight, five pages and the plans, never more than five in a second.
    let took = case.ended.took;
    assert!(took >= Duration::from_millis(6 * 200), "{took:?}");

    let shared = json!({"changes": [worst], "filler": 23, "per_page_cap": 5});
    let with = |more: Value| {
        let mut parameters = shared.clone();
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let array = json!({"growing": true, "envelope": "array"});
    let case = ends("growing", with(array), "", NOTHING, 1, "24 entries");
    assert_eq!(case.rules().len(), 24, "what moved to the next page counts once");
    at_once(
        [
            ("ignored, total", json!({"ignore_page": true}), "ignores `page`"),
            ("ignored, array", json!({"ignore_page": true, "envelope": "array"}), "ignores `page`"),
            ("total too high", json!({"total_offset": 3}), "24 of 27 rows"),
            ("total too low", json!({"total_offset": -3}), "25 failed"),
        ],
        |(name, more, words)| {
            if name == "total too low" {
                ends(name, with(more), "", NOTHING, 3, "rows arrived where 21 were announced");
            } else {
                ends(name, with(more), "", NO_HIGH, 3, words);
            }
        },
    );
}

#[test]
fn an_undocumented_action_may_be_the_one_that_a_gate_names() {
    let gate = "  - {id: g, source: bigpanda, rule: api_keys.create, max: 0}\n";
    for action in ["created", "insert"] {
        let parameters = json!({"changes": [change("api_keys", action)]});
        ends(action, parameters, "", gate, 3, "does not state its action");
    }
    // It is not of another type, and what is certain still blocks.
    let other = json!({"changes": [change("tag", "created")]});
    ends("another type", other, "", gate, 0, "passed");
    let both = json!({"changes": [change("api_keys", "insert"), change("api_keys", "create")]});
    ends("both", both, "", gate, 1, "1 change where max is 0");
}

#[test]
fn the_vendors_own_words_are_understood() {
    let changes =
        json!({"changes": [change("alert_filtering", "create"), change("tag", "update")]});
    at_once(
        [
            ("rule", "alert_filtering.*", 1),
            ("rule", "alert_filtering.create", 1),
            ("rule", "alert_filtering.delete", 0),
            ("resource_type", "alert_filtering", 1),
            ("resource_type", "correlation_pattern", 0),
        ],
        |(key, word, code)| {
            let gate = format!("  - {{id: g, source: bigpanda, {key}: \"{word}\", max: 0}}\n");
            ends(word, changes.clone(), "", &gate, code, "where max is 0");
        },
    );
    let gate = "  - {id: g, source: bigpanda, rule: alert_filtering.creat, max: 0}\n";
    Case::with(&json!({}), "", gate).ended.exits(2).says("can match nothing");
    // A word that stands for another one is not missed itself.
    let key = json!({"changes": [change("api_keys", "create")]});
    let gate = "  - {id: g, source: bigpanda, resource_type: api_key, max: 0}\n";
    Case::run(&key, "", gate).ended.exits(1).does_not_say("nothing that was evaluated matches");
}

#[test]
fn entries_are_read_as_they_come() {
    let plan = change("alert_filtering", "create");
    for timestamps in ["seconds", "text", "milliseconds", "fraction"] {
        let parameters = json!({"timestamps": timestamps, "changes": [plan]});
        ends(timestamps, parameters, "", NO_HIGH, 1, "1 change");
    }
    // A year long ago, in a log that ignores the window.
    let old = change_with("api_keys", "create", json!({"minutes_ago": 600_000}));
    let parameters = json!({"ignore_window": true, "changes": [old]});
    ends("window ignored", parameters, "", NO_HIGH, 3, "outside the window");
    // The window is what was asked for.
    let yesterday = change_with("api_keys", "create", json!({"minutes_ago": 2000}));
    let parameters = json!({"changes": [yesterday]});
    ends("24h", parameters.clone(), "", NO_HIGH, 0, "0 entries");
    ends("48h", parameters, "    window: 48h\n", NO_HIGH, 1, "1 entry");
    let parameters = json!({"without": ["timestamp"], "changes": [plan], "ignore_window": true});
    ends("no time", parameters, "", NO_HIGH, 3, "entry [0] has no usable `timestamp`");
    let parameters = json!({"without": ["resource_type"], "changes": [plan]});
    ends("no type", parameters, "", NO_HIGH, 3, "entry [0] has no usable `resource_type`");
}

#[test]
fn what_was_done_decides() {
    let gate = |rule: &str| format!("  - {{id: g, source: bigpanda, rule: \"{rule}\", max: 0}}\n");
    let full = json!({"object": {"permissions": [{"resource_type": "apikeys", "actions": ["full_access"]}]}});
    let share = json!({"object_of": "auto_share_rules"});
    let forever = json!({"object": {"time_window": {"start": 1, "end": "32788738800"}}});
    let filter = json!({"object": {"plan_type": "filtering_plan"}});
    at_once(
        [
            (change("alert_filtering", "create"), "maintenance_plan.create", "high", 1),
            (
                change_with("alert_filtering", "create", forever),
                "maintenance_plan.*",
                "critical",
                1,
            ),
            (change_with("alert_filtering", "update", filter), "filtering_plan.update", "high", 1),
            (change("alert_filtering", "delete"), "maintenance_plan.delete", "informational", 1),
            (change("api_keys", "create"), "api_keys.create", "high", 1),
            (change("api_keys", "delete"), "api_keys.create", "informational", 0),
            (change("sso_config", "update"), "sso_config.*", "high", 1),
            (change("roles", "update"), "roles.update", "medium", 1),
            (change_with("roles", "update", full), "roles.update", "high", 1),
            (change("jit_domains", "create"), "jit_domains.create", "high", 1),
            (change("users", "create"), "users.create", "medium", 1),
            (change("environment", "delete"), "environments.delete", "medium", 1),
            (change("correlation_pattern", "update"), "correlation_patterns.update", "medium", 1),
            (change_with("environment", "update", share), "auto_share_rules.update", "medium", 1),
            (change("integrations", "update"), "integrations.update", "medium", 1),
            (change("widget_rules", "create"), "other.create", "unknown", 1),
            (change("tag", "archive"), "tag.other", "unknown", 1),
        ],
        |(change, rule, severity, code)| {
            let name = change.to_string();
            let parameters = json!({"changes": [change]});
            let case = ends(&name, parameters, "", &gate(rule), code, "1 entry");
            let (found, found_severity) = case.rules().remove(0);
            assert_eq!(found_severity, severity, "{name}");
            if code == 1 {
                assert!(rule.starts_with(found.split('.').next().unwrap()), "{name}: {found}");
            }
        },
    );
    let baseline = json!({"changes": [change("sso_config", "init_state")]});
    ends("init_state", baseline, "", NOTHING, 0, "1 baseline snapshot (init_state), ignored");
}

#[test]
fn a_deletion_is_named_by_an_earlier_entry() {
    let earlier = json!({"object": {"plan_type": "filtering_plan"}, "minutes_ago": 300});
    let created = change_with("alert_filtering", "create", earlier);
    let deleted = change_with("alert_filtering", "delete", json!({"minutes_ago": 10}));
    let parameters = json!({"changes": [deleted, created]});
    let gate =
        "  - {id: g, source: bigpanda, rule: filtering_plan.delete, resource: example, max: 0}\n";
    ends(
        "delete",
        parameters,
        "",
        gate,
        1,
        "Alert filter 'example' deleted by mallory@example.net",
    );
}

#[test]
fn an_ambiguous_entry_counts_as_the_worst_possible_change() {
    let parameters =
        |kind: &str| json!({"without": ["action_type"], "changes": [change(kind, "delete")]});
    let gate = |rule: &str| format!("  - {{id: g, source: bigpanda, rule: \"{rule}\", max: 0}}\n");
    let words = "the entry does not state exactly what was done; counted as the worst change \
                 (maintenance_plan.create)";
    let plan = || parameters("alert_filtering");
    ends("create", plan(), "", &gate("maintenance_plan.create"), 1, words);
    ends("severity", plan(), "", NO_HIGH, 1, "1 entry without an action");
    // It may have been this, and a gate that would overlook it cannot be sure.
    let words =
        "counted as the most severe possible one (maintenance_plan.create) it is not in rule";
    ends("update", plan(), "", &gate("maintenance_plan.update"), 3, words);
    ends("other type", plan(), "", &gate("api_keys.create"), 0, "1 entry");
}

#[test]
fn anyone_but_the_expected_actors() {
    let bot = |kind: &str| {
        let mut change = change(kind, "create");
        change["actor"] = "deploy-bot@example.com".into();
        change
    };
    let expected = "    expected_actors: [deploy-bot@example.com, system-generated]\n";
    let both = json!({"changes": [bot("alert_filtering"), bot("api_keys")]});
    let words = "2 changes by the expected actor deploy-bot@example.com not counted: \
                 api_keys.create (1), maintenance_plan.create (1)";
    ends("expected", both.clone(), expected, NOTHING, 0, words);
    ends("no expected actors", both, "", NO_HIGH, 1, "2 changes");

    let someone = json!({"changes": [bot("api_keys"), change("api_keys", "create")]});
    let case = ends("someone else", someone, expected, NO_HIGH, 1, "1 change");
    assert_eq!(case.report()["findings"][0]["actor"], "mallory@example.net");

    let mut system = change("sso_config", "update");
    system["actor"] = "system-generated".into();
    let system = json!({"changes": [system]});
    ends(
        "system, expected",
        system.clone(),
        expected,
        NOTHING,
        0,
        "expected actor system-generated",
    );
    let gate = "  - {id: g, source: bigpanda, actor: system-*, max: 0}\n";
    ends("system, selected", system, "", gate, 1, "by the platform itself");

    // An unknown actor is never expected, and every actor selector matches it.
    let unknown = json!({"without": ["actor"], "changes": [bot("api_keys")]});
    ends("unknown", unknown.clone(), expected, NO_HIGH, 1, "by an unknown actor");
    let gate = "  - {id: g, source: bigpanda, actor: zoe@example.com, max: 0}\n";
    ends("unknown, selected", unknown, "", gate, 1, "1 change");
}

#[test]
fn the_policy_can_change_the_risk_table() {
    let plan = json!({"changes": [change("alert_filtering", "create")]});
    let risk = "    risk: [{type: maintenance_plan, action: create, severity: low}]\n";
    ends("lowered", plan.clone(), risk, NO_HIGH, 0, "1 entry");
    let risk = "    risk: [{type: alert_filtering, severity: critical}]\n";
    let gate = "  - {id: g, source: bigpanda, severity: critical, max: 0}\n";
    ends("raised", plan, risk, gate, 1, "1 change");
    let unknown = json!({"changes": [change("widget_rules", "create")]});
    ends("unknown", unknown.clone(), "", gate, 1, "`widget_rules` (1)");
    ends("tamed", unknown.clone(), "    unknown_risk: low\n", gate, 0, "`widget_rules` (1)");
    // Undocumented types and actions are never left out.
    ends("left out", unknown, "    resource_types: [api_keys]\n", NO_HIGH, 1, "`widget_rules` (1)");
    let tag = json!({"changes": [change("tag", "update")]});
    let types = "    resource_types: [api_keys]\n";
    ends("types", tag, types, NOTHING, 0, "1 entry left out by `resource_types`");
}

#[test]
fn plans_in_force_are_read_too() {
    let plan = |minutes: i64| json!({"name": "Forgotten", "created_minutes_ago": minutes});
    let quiet = |plans: Value| json!({"changes": [], "plans": plans});
    let active = "  - {id: g, source: bigpanda, rule: maintenance_plan.active, max: 0}\n";
    ends("204", quiet(json!([])), "", NOTHING, 0, "no maintenance plans in force");
    ends("old", quiet(json!([plan(9000)])), "", NO_HIGH, 0, "1 maintenance plan in force");
    ends("old, named", quiet(json!([plan(9000)])), "", active, 1, "'Forgotten' in force now");
    ends(
        "new, not in the log",
        quiet(json!([plan(90)])),
        "",
        NO_HIGH,
        1,
        "the audit log has no entry of it",
    );
    let done = json!([{"name": "Done", "status": "done", "created_minutes_ago": 90}]);
    ends("done", quiet(done), "", NOTHING, 0, "no maintenance plans in force");

    let mut logged = change("alert_filtering", "create");
    logged["name"] = "Forgotten".into();
    let logged = json!({"changes": [logged], "plans": [plan(90)]});
    let expected = "    expected_actors: [mallory@example.net]\n";
    ends("expected", logged, expected, NOTHING, 0, "1 of them changed only by expected actors");

    let closed = json!({"changes": [], "plans_forbidden": true});
    ends("closed", closed.clone(), "", NOTHING, 0, "were not read");
    ends("closed, named", closed.clone(), "", active, 4, "403");
    ends("required", closed.clone(), "    active_plans: required\n", NOTHING, 4, "403");
    let case = ends("off", closed, "    active_plans: off\n", NOTHING, 0, "0 entries");
    assert_eq!(case.platform.count("maintenance-plans"), 0);
}

/// Anything but a missing permission leaves open whether a plan was created.
#[test]
fn plans_that_cannot_be_read_are_missing_evidence() {
    for status in [400, 404] {
        let fault = json!({
            "path": "/resources/v2.0/ordered-maintenance-plans", "kind": "json", "status": status, "times": null
        });
        let case =
            Case::with(&json!({"bigpanda": {"changes": []}, "faults": [fault]}), "", NOTHING);
        case.ended.exits(3).says(&status.to_string()).says("active_plans: off");
    }
}

/// `doctor` asks for everything that `run` asks for.
#[test]
fn doctor_reports_what_a_run_would_lack() {
    let platform = Platform::of(r#"{"bigpanda": {"plans_forbidden": true}}"#);
    let doctor = |settings: &str| {
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &bigpanda(&platform.origin, settings, NOTHING));
        folder.run(&["doctor"])
    };
    doctor("").exits(0).says("the maintenance plans in force are not read");
    doctor("    active_plans: required\n").exits(4).says("403");
    doctor("    active_plans: off\n").exits(0).does_not_say("maintenance plans");
}

fn answer(date: &str, body: &Value) -> Fault {
    let body = body.to_string();
    Fault::Answer(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: {date}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn now() -> DateTime<Utc> {
    DateTime::from(SystemTime::now())
}

const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The preflight saw an entry, and the walk over the same window brings none.
#[test]
fn every_figure_of_a_run_must_agree() {
    let platform =
        Platform::of(&json!({"bigpanda": {"changes": [change("roles", "update")]}}).to_string());
    for empty in [json!({"items": [], "total": 0}), json!([])] {
        let fault = answer(&now().format(HTTP_DATE).to_string(), &empty);
        let rules = vec![Rule { path: "/audit/logs", skip: 1, times: 99, fault }];
        let proxy = Proxy::start(&platform.origin, rules);
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &bigpanda(&proxy.origin, "", NOTHING));
        folder.run(&["run"]).exits(3).says("0 rows arrived where an earlier request saw");
    }
}

/// A reader that takes the last one would see an empty window.
#[test]
fn a_repeated_key_is_refused() {
    let body =
        r#"{"items": [{"resource_type": "roles", "timestamp": 1}], "total": 1, "items": []}"#;
    let Fault::Answer(template) = answer(&now().format(HTTP_DATE).to_string(), &json!({})) else {
        unreachable!()
    };
    let repeated = template
        .replace("content-length: 2", &format!("content-length: {}", body.len()))
        .replace("\r\n\r\n{}", &format!("\r\n\r\n{body}"));
    for skip in [0, 1] {
        let platform = Platform::of(r#"{"bigpanda": {"changes": []}}"#);
        let fault = Fault::Answer(repeated.clone());
        let proxy = Proxy::start(
            &platform.origin,
            vec![Rule { path: "/audit/logs", skip, times: 99, fault }],
        );
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &bigpanda(&proxy.origin, "", NOTHING));
        folder.run(&["run"]).exits(3).says("`items` is repeated");
    }
}

/// The address of the web pages, or a path of the API.
#[test]
fn a_wrong_url_is_a_configuration_error() {
    let fault = json!({"path": "/resources", "kind": "json", "status": 404, "times": null});
    let case = Case::with(&json!({"faults": [fault]}), "", NOTHING);
    case.ended.exits(2).says("correct `url`");
}

#[test]
fn entries_that_all_lie_outside_the_window_prove_nothing() {
    let old = change_with("tag", "update", json!({"minutes_ago": 5000}));
    let parameters = json!({"ignore_window": true, "changes": [old]});
    let words = "no entry of the audit log lies in the requested window";
    ends("outside", parameters, "", NOTHING, 3, words);
    let new = change_with("tag", "update", json!({"minutes_ago": 5}));
    let parameters = json!({"ignore_window": true, "changes": [old, new]});
    ends("one inside", parameters, "", NO_HIGH, 0, "1 entry outside the window, not counted");
}

/// The platform filters by its own clock, which its `Date` shows.
#[test]
fn the_window_is_that_of_the_platforms_clock() {
    for (hours, words) in [(-3, "3h behind the clock"), (2, "2h ahead of the clock")] {
        let platform = Platform::of(r#"{"bigpanda": {"changes": []}}"#);
        let theirs = now() + TimeDelta::hours(hours);
        let fault =
            answer(&theirs.format(HTTP_DATE).to_string(), &json!({"items": [], "total": 0}));
        let rules = vec![Rule { path: "/audit/logs", skip: 0, times: 99, fault }];
        let proxy = Proxy::start(&platform.origin, rules);
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &bigpanda(&proxy.origin, "", NOTHING));
        folder.run(&["run"]).exits(0).says(words);
        folder.run(&["doctor"]).exits(0).says(words);
        let heads = proxy.heads();
        let walks = heads.iter().filter(|head| head.contains("per_page=100"));
        let ends: Vec<i64> = walks
            .filter_map(|head| head.split("&end=").nth(1)?.split('&').next()?.parse().ok())
            .collect();
        assert!(!ends.is_empty(), "{heads:?}");
        for end in ends {
            assert!((end - theirs.timestamp()).abs() < 60, "{end} is not {theirs}");
        }
    }
}

#[test]
fn refusals_and_limits_have_their_own_ends() {
    let plan = json!([change("alert_filtering", "create")]);
    let words = "Forbidden - the role lacks a permission";
    ends("403", json!({"forbidden": true}), "", NO_HIGH, 4, words);
    let revoked = json!({"revoked_keys": ["test-token-of-bigpanda"]});
    ends("401", revoked.clone(), "", NO_HIGH, 4, "permission \"Audit Logs\"");
    ends("401, region", revoked, "", NO_HIGH, 4, "https://eu-api.bigpanda.io");
    let case =
        ends("redirect", json!({"redirect": true, "changes": plan}), "", NO_HIGH, 1, "1 entry");
    assert!(case.platform.count("/audit/logs/?") >= 2, "{:?}", case.platform.requests());
}

#[test]
fn a_slower_limit_than_documented_loses_nothing() {
    let plan = json!([change("alert_filtering", "create")]);
    let slow = json!({"requests_per_second": 1, "changes": plan, "filler": 3, "per_page_cap": 2});
    let case = ends("429", slow, "", NO_HIGH, 1, "4 entries");
    assert!(case.platform.count(" 429") > 0, "{:?}", case.platform.requests());
}

#[test]
fn a_platform_that_does_not_come_back_is_unreachable() {
    let fault = json!({"path": "/resources/v2.0/audit/logs", "status": 503, "times": null});
    let case = Case::with(&json!({"faults": [fault]}), "    request_timeout: 2s\n", NO_HIGH);
    case.ended.exits(5).says("answered 503 with an HTML page (after 6");
}

#[test]
fn no_more_than_five_requests_in_a_second() {
    let parameters = json!({"filler": 120, "per_page_cap": 10, "requests_per_second": 0});
    let case = ends("pace", parameters, "", NO_HIGH, 0, "126 entries");
    let requests = case.platform.requests().len();
    assert!(requests >= 14, "{requests}");
    let least = Duration::from_millis(200) * u32::try_from(requests - 1).unwrap();
    assert!(case.ended.took >= least, "{requests} requests in {:?}", case.ended.took);
}

#[test]
fn secrets_are_never_shown() {
    let secret = "5ecc0de05ecc0de05ecc0de05ecc0de0";
    let hash = "feedfacefeedfacefeedface";
    let mut integration = change("integrations", "update");
    integration["name"] = secret.into();
    integration["object"] = json!({
        "stream_id": secret,
        "target_system_id": format!("parser-{secret}"),
        "changes": [{"key": "token", "old_value": hash, "new_value": "another-token-of-theirs"}]
    });
    let mut key = change("api_keys", "create");
    key["object"] = json!({"key_hash": hash, "name": format!("key {hash}")});
    let parameters = json!({"changes": [integration, key]});
    let case = ends("secrets", parameters, "", NOTHING, 1, "2 changes");
    let said = [
        case.ended.stdout.clone(),
        case.ended.stderr.clone(),
        case.folder.read("gate.json"),
        case.folder.read("gate.xml"),
    ];
    for text in said {
        for secret in [secret, hash, "another-token-of-theirs", "192.0.2.17", "test-token"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(case.folder.read("gate.json").contains("parser-***"));
}

#[test]
fn a_policy_that_could_never_be_met_is_refused() {
    for (settings, gate, words) in [
        ("", "rule: maintenance_plan.creat, max: 0", "did you mean `maintenance_plan.create`?"),
        (
            "",
            "rule: [\"api_keys.*\", \"keys.*\"], max: 0",
            "`keys.*` can match nothing of bigpanda",
        ),
        ("", "resource_type: widgets, max: 0", "can match nothing"),
        ("    resource_types: [users]\n", "rule: roles.create, max: 0", "can match nothing"),
        ("    active_plans: off\n", "rule: maintenance_plan.active, max: 0", "can match nothing"),
        ("", "status: open, max: 0", "does not know"),
        ("", "min_pass_rate: \"90%\"", "changes, not checks"),
        ("    expected_actors: \"*\"\n", "max: 0", "by anybody"),
        ("    risk: [{type: rolls, severity: low}]\n", "max: 0", "did you mean `roles`?"),
    ] {
        let folder = Folder::new();
        let gates = format!("  - {{id: g, source: bigpanda, {gate}}}\n");
        let policy = bigpanda("https://api.example.com", settings, &gates);
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["policy", "check"]).exits(2).says(words);
    }
    // The documented host needs not be written.
    let folder = Folder::new();
    let policy = format!("version: 1\nsources:\n  bigpanda: {{}}\ngates:\n{NO_HIGH}");
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["policy", "check"]).exits(0);
}

fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bigpanda").join(folder);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Serves a file as the answer, its entries as of now.
fn served(path: &Path, gates: &str) -> Case {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 60;
    let stamp =
        |text: String| text.replace("\"timestamp\": 1700000000", &format!("\"timestamp\": {now}"));
    let folder = Folder::new();
    folder.write("answer.json", &stamp(std::fs::read_to_string(path).unwrap()));
    Case::run(&json!({"answer": folder.path().join("answer.json")}), "", gates)
}

/// Every sample of the vendor's page has a counterpart of its own values here.
#[test]
fn eighteen_samples_become_titled_findings() {
    let expected = [
        ("alert_filtering", "critical", "Maintenance plan 'Quarterly patching' created"),
        ("api_keys", "high", "API key 'pipeline-export' created"),
        ("auto_share", "medium", "AutoShare rule 'Payments (ticketing.incidents)' updated"),
        (
            "correlation_pattern",
            "medium",
            "Alert correlation pattern 'service = checkout*' updated",
        ),
        ("environment", "medium", "Environment 'payments-team' updated"),
        ("integrations", "medium", "Integration 'emailparser.17' updated"),
        ("jit_domains", "high", "JIT provisioning of a domain 'example.net' created"),
        ("jit_roles", "high", "Role 'Department' created"),
        ("mapping_enrichment", "low", "Mapping enrichment 'service owners' created"),
        ("mapping_table_upload", "low", "Mapping table created"),
        ("roles", "high", "Role 'On-call lead' created"),
        ("sso_config", "high", "SSO configuration 'example-idp' created"),
        ("sso_test", "informational", "SSO test 'example-idp' created"),
        ("tag", "low", "Alert tag 'data_center' created"),
        ("tag_enrichments", "low", "Alert enrichment 'team' created"),
        ("tag_enrichments_order", "low", "Order of alert enrichments created"),
        ("tag_order", "low", "Order of alert tags created"),
        ("users", "medium", "User 'Bob' created"),
    ];
    let files = samples("samples");
    let names: Vec<_> =
        files.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, expected.map(|(name, ..)| name), "the samples and this table are the same");
    at_once(files.iter().zip(expected), |(path, (name, severity, title))| {
        let case = served(path, NOTHING);
        assert_eq!(case.ended.code, Some(1), "{name}: {}{}", case.ended.stdout, case.ended.stderr);
        let report = case.report();
        let findings = report["findings"].as_array().unwrap();
        let [finding] = findings.as_slice() else { panic!("{name}: {findings:#?}") };
        let reason = finding["reason"].as_str().unwrap();
        assert!(reason.starts_with(title), "{name}: {reason}");
        assert_eq!(finding["severity"], severity, "{name}");
        assert!(finding["rule"]["title"].is_string(), "{name}");
        assert!(reason.contains("does not state exactly what"), "{name}: {reason}");
        assert!(!report.to_string().contains("5ecc0de0"), "{name}");
        println!("{name:24}{severity:15}{reason}");
    });
}

/// Eleven of the vendor's samples are no JSON; the same faults in files of our own.
#[test]
fn eleven_malformed_files_are_clear_errors() {
    let files = samples("malformed");
    assert_eq!(files.len(), 11);
    at_once(files, |path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let case = served(&path, NOTHING);
        assert_eq!(case.ended.code, Some(3), "{name}: {}{}", case.ended.stdout, case.ended.stderr);
        let message = case.report()["sources"][0]["troubles"][0]["message"].clone();
        let message = message.as_str().unwrap();
        assert!(
            message.starts_with("bigpanda: GET /resources/v2.0/audit/logs: the answer is ")
                && message.contains(" at line "),
            "{name}: {message}"
        );
        println!("{name:24}{message}");
    });
}
