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
