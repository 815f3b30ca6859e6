//! What a gate leaves out of scope, and what the reports show of it.

use serde_json::json;

use crate::common::{Ended, Folder, Platform, opencomply};

const PRODUCTION: &str = "122814690049 (production)";

/// Runs these gates against OpenComply, whose estate has two accounts.
fn run(gates: &str) -> (Ended, Folder) {
    let platform = Platform::start("blocked");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, gates));
    let ended = folder.run(&["run", "--json", "gate.json"]);
    (ended, folder)
}

fn check(gates: &str) -> Ended {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply("http://127.0.0.1:9", gates));
    folder.run(&["policy", "check"])
}

#[test]
fn an_exception_takes_out_passed_and_failed_checks_alike() {
    let (ended, folder) = run("  - {id: all, source: opencomply, min_pass_rate: 1%}
  - {id: azure, source: opencomply, min_pass_rate: 1%, except: {account: Production}}
  - {id: severe, source: opencomply, severity: '>= high', max: 100, except: {account: 122814690049}}
");
    let ended = ended.exits(0);
    let report = folder.json("gate.json");
    let observed = |gate: usize| &report["gates"][gate]["observed"];
    assert_eq!(observed(0)["failed"], 155);
    assert_eq!(observed(0)["passed"], 409);
    assert_eq!(observed(1)["failed"], 65, "{report}");
    assert_eq!(observed(1)["passed"], 144);
    assert_eq!(observed(1)["out_of_scope"], json!({PRODUCTION: 90}));
    assert_eq!(observed(2)["out_of_scope"], json!({PRODUCTION: 67}));
    assert_eq!(report["gates"][2]["except"], json!([{"account": ["122814690049"]}]));
    ended.says("67 failed checks out of scope by `except`: 67 of 122814690049 (production)");
}

#[test]
fn an_exception_that_matches_nothing_is_a_warning() {
    let (ended, folder) =
        run("  - {id: all, source: opencomply, max: 160, except: {account: 'sandbx*'}}\n");
    ended
        .exits(0)
        .says("gate `all`: `except` account sandbx* matches nothing in opencomply")
        .says("remove it, or check it for a typo");
    assert_eq!(folder.json("gate.json")["verdict"], "warned");
}

#[test]
fn each_exception_of_a_list_must_match_something() {
    let except = "[{account: '1228*'}, {account: 'sandbx*'}]";
    let (ended, _) =
        run(&format!("  - {{id: all, source: opencomply, max: 160, except: {except}}}\n"));
    ended
        .exits(0)
        .says("gate `all`: `except` account sandbx* matches nothing in opencomply")
        .does_not_say("`except` account 1228*");
}

/// What passed checks state besides their subject is known where they are read anyway.
#[test]
fn an_exception_by_a_further_field_that_matches_nothing_is_a_warning() {
    let images = r#"{"sysdig": {"images": {"scanned": [{"stops": 1}]}}}"#;
    let tag = "    images: [{tag: 'registry.example.com/shop/api:1.4'}]\n";
    let groups = r#"{"gravityzone": {"scans": [{"name": "a", "group": "payments",
        "provider": "aws", "account": "1"}]}}"#;
    let of = |source: &str, path: &str, settings: &str, scenario: &str, gate: &str| {
        let platform = Platform::of(scenario);
        let folder = Folder::new();
        let origin = &platform.origin;
        let gate = format!("gates:\n  - {{id: all, source: {source}, {gate}}}\n");
        let source = format!("sources:\n  {source}:\n    url: {origin}{path}\n{settings}");
        folder.write("compliance-gate.yaml", &format!("version: 1\n{source}{gate}"));
        folder.run(&["run"]).exits(0)
    };
    let image = |name: &str| {
        let gate = format!("max: 99, except: {{image: registry.example.com/shop/{name}}}");
        of("sysdig", "", tag, images, &format!("{gate}, min_evaluated: 0"))
    };
    image("apj")
        .says("`except` image registry.example.com/shop/apj matches nothing in sysdig")
        .says("did you mean `registry.example.com/shop/api`?");
    image("api").does_not_say("matches nothing in");
    let group = |name: &str| {
        let gate = format!("min_pass_rate: 1%, except: {{scan_group: {name}}}");
        of("gravityzone", "/v1", "", groups, &gate)
    };
    group("paymints")
        .says("`except` scan_group paymints matches nothing in gravityzone")
        .says("did you mean `payments`?");
}

#[test]
fn an_exception_that_leaves_nothing_is_inconclusive() {
    let gate =
        "  - {id: all, source: opencomply, max: 160, except: [{account: '1*'}, {account: 'f*'}]";
    let (ended, _) = run(&format!("{gate}}}\n"));
    ended
        .exits(3)
        .says("nothing that was evaluated matches everything, except account 1*, except account f*")
        .says("`except` leaves nothing; correct it, or set `min_evaluated: 0` on the gate");
    let (ended, _) = run(&format!("{gate}, min_evaluated: 0}}\n"));
    ended.exits(0);
}

#[test]
fn slips_in_an_exception_are_answered() {
    let gate =
        |except: &str| format!("  - {{id: all, source: opencomply, max: 160, except: {except}}}\n");
    let cases = [
        ("{}", "gate `all`: `except` leaves nothing, so the gate would always pass"),
        ("[]", "gate `all`: `except` leaves nothing, so the gate would always pass"),
        ("{account: '*'}", "gate `all`: `except` leaves nothing, so the gate would always pass"),
        ("{acount: x}", "unknown key `acount`; did you mean `account`?"),
        (
            "{actor: x}",
            "gate `all` selects by `actor`, which opencomply (OpenComply) does not know",
        ),
        ("{severity: hihg}", "`hihg` is not a severity; did you mean `high`?"),
        ("x", "keys with values are expected here"),
    ];
    for (except, expected) in cases {
        check(&gate(except)).exits(2).says(expected);
    }
    check(&gate("{severity: ['<= low', unknown], account: x}")).exits(0);
    check("  - {id: all, source: opencomply, account: '!x', max: 0}\n").exits(2).says("`except`");
}

#[test]
fn limits_hold_for_each_framework_or_account_by_itself() {
    let (ended, folder) = run("  - {id: accounts, source: opencomply, each: account, max: 70}
  - {id: rates, source: opencomply, each: framework, min_pass_rate: 50%}
  - {id: wide, source: opencomply, each: account, max: 90, min_pass_rate: 68.8%, min_evaluated: 200}
");
    ended
        .exits(1)
        .says("122814690049 (production): 90 failed checks where max is 70: 20 over the limit");
    let report = folder.json("gate.json");
    let states: Vec<_> = report["gates"].as_array().unwrap().iter().map(|g| &g["state"]).collect();
    assert_eq!(states, ["breached", "held", "held"], "{report}");
    assert_eq!(
        report["gates"][0]["groups"],
        json!([
            {"name": PRODUCTION, "failed": 90, "breached": true},
            {"name": "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b (production-azure)", "failed": 65, "breached": false},
        ])
    );
    assert_eq!(report["gates"][0]["breaches"][0]["group"], PRODUCTION);
    assert_eq!(
        report["gates"][1]["groups"],
        json!([{"name": "baseline_security", "failed": 155, "passed": 409, "breached": false}])
    );
}

#[test]
fn an_account_without_results_is_named_where_each_account_counts() {
    let platform = Platform::start("account-without-results");
    let folder = Folder::new();
    let gate = "  - {id: each, source: opencomply, each: account, max: 1000}\n";
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, gate));
    folder
        .run(&["run"])
        .exits(3)
        .says("there is no result for account f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b");
    // Only an account in scope is missed.
    for scope in ["account: 1228*", "except: {account: f8b4*}"] {
        let gate = gate.replace("max: 1000", &format!("max: 1000, {scope}"));
        folder.write("compliance-gate.yaml", &opencomply(&platform.origin, &gate));
        folder.run(&["run"]).exits(0);
    }
}

#[test]
fn a_source_that_cannot_be_split_is_refused() {
    let folder = Folder::new();
    let policy = "version: 1\nsources: {bigid: {url: 'http://127.0.0.1:9'}}\ngates: \
                  [{id: a, source: bigid, each: account, max: 0}]\n";
    folder.write("compliance-gate.yaml", policy);
    folder
        .run(&["policy", "check"])
        .exits(2)
        .says("gate `a` has `each: account`, and bigid (BigID) does not know the account");
    check("  - {id: a, source: opencomply, each: region, max: 0}\n").exits(2).says("`region`");
}

#[test]
fn an_announced_gate_warns_until_its_day_whatever_it_lacks() {
    let platform = Platform::start("blocked");
    let folder = Folder::new();
    let gates = "  - {id: now, source: opencomply, max: 1000}
  - {id: soon, source: [opencomply, bigid], blocks_from: 2999-01-01, max: 0}
";
    let policy = opencomply(&platform.origin, gates);
    let policy = policy
        .replace("sources:\n", &format!("sources:\n  bigid: {{url: '{}'}}\n", platform.origin));
    folder.write("compliance-gate.yaml", &policy);
    folder
        .run(&["run", "--json", "gate.json"])
        .exits(0)
        .says("BIGID_TOKEN is not set")
        .says("this gate blocks from 2999-01-01");
    let report = folder.json("gate.json");
    assert_eq!(report["verdict"], "warned");
    assert_eq!(report["gates"][1]["blocks_from"], "2999-01-01");
    assert_eq!(report["gates"][1]["blocks"], false);
    folder.write("compliance-gate.yaml", &policy.replace("2999-01-01", "2020-01-01"));
    folder.run(&["run"]).exits(2).says("BIGID_TOKEN is not set");
    folder.write("compliance-gate.yaml", &policy.replace("2999-01-01", "soon"));
    folder.run(&["run"]).exits(2).says("`soon` is not a date; write it like 2026-12-31");
}

#[test]
fn a_gate_may_ask_every_source_and_owners_are_named() {
    let platform = Platform::start("blocked");
    let folder = Folder::new();
    let gates = "  - {id: all, source: all, severity: critical, max: 0}
owners:
  - {match: {account: 122814690049}, owner: '#team-payments'}
  - {match: {rule: 'cloud_scan/*'}, owner: '#team-cloud'}
";
    let policy = opencomply(&platform.origin, gates);
    let cspm = format!("sources:\n  gravityzone: {{url: '{}/v1'}}\n", platform.origin);
    folder.write("compliance-gate.yaml", &policy.replace("sources:\n", &cspm));
    folder.run(&["run", "--json", "gate.json"]).exits(1);
    let report = folder.json("gate.json");
    assert_eq!(report["gates"][0]["sources"], json!(["gravityzone", "opencomply"]));
    let owners: std::collections::BTreeSet<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["owner"].as_str())
        .collect();
    assert_eq!(owners, ["#team-cloud", "#team-payments"].into());
    check("  - {id: a, source: opencomply, max: 0}\nowners: [{match: {}, owner: x}]\n")
        .exits(2)
        .says("`match` has no key");
}

#[test]
fn observing_forgives_no_wrong_set_up() {
    let folder = Folder::new();
    let gates = "  - {id: all, source: opencomply, max: 0}\nmode: observe\n";
    folder.write("compliance-gate.yaml", &opencomply("http://127.0.0.1:9", gates));
    let mut command = folder.command(&["run"]);
    command.env("OPENCOMPLY_API_KEY", "");
    Ended::wait(command).exits(2).says("OPENCOMPLY_API_KEY is not set");
}
