//! The cloud accounts that are connected to the platform.

use super::shapes::{page, requirement, row};
use super::{POSTURE, estate, run};
use crate::common::{Folder, Platform};
use serde_json::{Value, json};

const OFF: &str = "400000000037";

#[test]
fn an_account_that_is_not_evaluated_is_named() {
    let settings = "posture: {inventory: {account: \"400000000037\"}}";
    for (state, says) in [
        (json!({"disconnected": ["400000000037"]}), "400000000037 is not connected"),
        (json!({"posture_off": ["400000000037"]}), "with posture switched off"),
        (json!({"posture_off": ["122814690049"]}), ""),
    ] {
        let code = if says.is_empty() { 0 } else { 3 };
        run(&estate(state), settings, &["max: 100"]).exits(code).says(says);
    }
}

/// Whether an account is evaluated matters to the gates that ask for it; others warn.
#[test]
fn an_account_that_is_not_evaluated_matters_to_the_gates_that_ask_for_it() {
    let off = estate(json!({"posture_off": [OFF]}));
    for (gate, code, says) in [
        ("max: 100", 0, "account 400000000037 is connected, with posture switched off"),
        ("account: \"400000000037\", max: 100", 3, "which the gate selects, is connected"),
        ("account: \"4*\", max: 100", 3, "which the gate selects, is connected"),
        ("account: \"4*\", max: 100, min_evaluated: 0", 3, "which the gate selects, is connected"),
        ("each: account, max: 100", 3, "which the gate selects, is connected"),
        ("each: account, max: 100, except: {account: \"400000000037\"}", 0, "Verdict: passed"),
        ("account: \"122814690049\", max: 100", 0, "Verdict: passed"),
        ("except: {account: \"400000000037\"}, max: 100", 0, "Verdict: passed"),
    ] {
        let ran = run(&off, POSTURE, &[gate]).exits(code).says(says);
        let is_warned = gate == "max: 100";
        assert_eq!(ran.report["verdict"] == "warned", is_warned, "{gate}");
    }
    let disabled = estate(json!({"disabled": [OFF]}));
    run(&disabled, POSTURE, &["max: 100"]).exits(0).says("is connected, but disabled");
    // Its results are there, but nothing makes new ones.
    let gone = estate(json!({"disconnected": [OFF]}));
    run(&gone, POSTURE, &["each: account, max: 100"])
        .exits(3)
        .says("has results, but is not connected");
    // A cluster and its hosts are no cloud account.
    run(&gone, POSTURE, &["account: production, max: 100"]).exits(0).says("Verdict: passed");
    let pattern = "posture: {inventory: {account: \"4000*\"}}";
    run(&gone, pattern, &["max: 100"]).exits(3).says("4000* is not connected");
    run(&off, pattern, &["max: 100"]).exits(3).says("400000000037 is connected, with posture");
}

#[test]
fn a_list_of_accounts_that_cannot_be_read_is_not_known() {
    let gate = |settings: &str, gate: &str, status: u16, answer: &Value| {
        super::shapes::run(settings, gate, &[("/cloudauth/", status, answer.clone())])
    };
    let unknown = "not known which cloud accounts are evaluated";
    let garbage = json!({"x": 1});
    gate(POSTURE, "max: 100", 200, &garbage).exits(0).says(unknown);
    let selected = "account: \"122814690049\", max: 100";
    gate(POSTURE, selected, 200, &garbage).exits(3).says("in a form that is not known");
    gate(POSTURE, "each: account, max: 100", 200, &garbage).exits(3);
    let inventory = "posture: {inventory: {account: \"122814690049\"}}";
    gate(inventory, "max: 100", 200, &garbage).exits(3).says("in a form that is not known");
    // An old platform does not have it, and a token need not have the right.
    for status in [403, 404] {
        let refused = json!({"message": "no"});
        gate(inventory, selected, status, &refused).exits(0);
    }
    let some = json!({"accounts": [{"id": "no provider"}, {
        "providerId": "122814690049", "enabled": true,
        "features": [{"type": "FEATURE_SECURE_CONFIG_POSTURE", "enabled": true}]}]});
    // The row may be of any account.
    gate(inventory, selected, 200, &some).exits(3).says("has 1 row that cannot be read");
    gate(POSTURE, "each: account, max: 100", 200, &some).exits(3);
    gate(POSTURE, "max: 100", 200, &some).exits(0).says("has 1 row that cannot be read");
}

/// A name of the account serves as well as its id.
#[test]
fn an_account_is_known_by_its_name() {
    let named =
        json!({"accounts": [{"providerId": "1111", "providerAlias": "shop", "enabled": false}]});
    let failing = requirement(&json!({"pass": false}));
    let answers = [
        ("/cloudauth/", 200, named),
        ("/requirements", 200, failing),
        ("/cloud/resources", 200, page(&[row(json!("a"), false)], 1)),
    ];
    super::shapes::run(POSTURE, "max: 9", &answers)
        .exits(0)
        .says("account 1111 (shop) is connected");
    super::shapes::run(POSTURE, "account: shop, max: 9, min_evaluated: 0", &answers)
        .exits(3)
        .says("account 1111 (shop), which the gate selects, is connected, but disabled");
}

/// What was known when evidence was collected, other policies know too.
#[test]
fn saved_evidence_knows_which_accounts_were_evaluated() {
    let scenario = json!({"sysdig": {"posture": {"posture_off": [OFF]}}});
    let platform = Platform::of(&scenario.to_string());
    let folder = Folder::new();
    let policy = |gate: &str| {
        let policy = format!(
            "version: 1\nsources: {{sysdig: {{url: {}, posture: {{}}}}}}\n\
             gates: [{{id: g, source: sysdig, {gate}}}]\n",
            platform.origin
        );
        folder.write("compliance-gate.yaml", &policy);
    };
    policy("max: 100");
    folder.run(&["run", "--save-evidence", "e.jsonl"]).exits(0);
    policy("each: account, max: 100");
    folder.run(&["evaluate", "e.jsonl"]).exits(3).says("is connected, with posture switched off");
    folder
        .run(&["doctor"])
        .exits(3)
        .says("account 400000000037, which a gate selects, is connected, with");
    policy("each: account, except: {account: \"400000000037\"}, max: 100");
    folder.run(&["doctor"]).exits(0);
    policy("account: \"400000000037\", max: 100");
    folder
        .run(&["doctor"])
        .exits(3)
        .says("account 400000000037, which a gate selects, is connected, with");
}
