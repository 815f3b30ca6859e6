//! Commands that take the policy of an organisation in addition to that of the repository.

use crate::common::{Ended, Folder, Platform, gravityzone};

const NONE: &str = "  - {id: none, source: gravityzone, severity: high, max: 0}\n";
const LARGE: &str = "  - {id: large, source: gravityzone, max: 1000000}\n";

/// A folder with both policies and the evidence of a run.
fn kept(own: &str, terms: &str) -> (Platform, Folder) {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write(".git/config", "");
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", own));
    folder.write("org.yaml", &(gravityzone(&platform.origin, "", NONE) + terms));
    folder.run(&["run", "--org-policy", "org.yaml", "--save-evidence", "e.jsonl"]).exits(1);
    (platform, folder)
}

fn beside(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.run(&[arguments, &["--org-policy", "org.yaml"]].concat())
}

#[test]
fn explain_speaks_of_both_policies() {
    let (_platform, folder) = kept(LARGE, "");
    let said = beside(&folder, &["policy", "explain", "--evidence", "e.jsonl"]).exits(0).stdout;
    let own = said.find("compliance-gate.yaml: the exit code is that of the verdict.\n").unwrap();
    let organisation = said
        .find("\norg.yaml, the policy of the organisation: the exit code is that of the verdict.\n")
        .unwrap();
    assert!(own < organisation, "{said}");
    assert!(said.contains("Gate large (line "), "{said}");
    assert!(said.contains("Gate org/none (line "), "{said}");
    assert!(said.contains("counts: high "), "{said}");
    let one = beside(&folder, &["policy", "explain", "org/none"]).exits(0).stdout;
    assert!(!one.contains("Gate large"), "{one}");
    beside(&folder, &["policy", "explain", "org/nine"])
        .exits(2)
        .says("has no gate `org/nine`; did you mean `org/none`?");
}

#[test]
fn cases_are_decided_by_both_policies() {
    let (_platform, folder) = kept(LARGE, "");
    folder.write(
        "cases.yaml",
        "version: 1\ncases:\n  - name: a high finding blocks\n    findings: [{source: gravityzone, rule: \
         r, severity: high}]\n    expect: {verdict: blocked, gates: {large: held, org/none: breached}}\n",
    );
    beside(&folder, &["policy", "test", "cases.yaml"]).exits(0).says("1 case: all passed.");
    folder.run(&["policy", "test", "cases.yaml"]).exits(1).says("org/none");
}

#[test]
fn accept_proposes_what_the_organisation_takes() {
    let terms = "accept_from_repository:\n  match: {max_life: 30d, severity: \"<= high\", require: \
                 [ticket, approved_by]}\n";
    let (_platform, folder) = kept(LARGE, terms);
    let said = beside(&folder, &["accept", "e.jsonl", "--gate", "org/none"]).exits(0).stdout;
    let today = chrono::Utc::now().date_naive();
    let last = today + chrono::TimeDelta::days(30);
    for line in [
        "    gates: [\"org/none\"]\n",
        "    ticket: \"TO REVIEW: where it was decided\"\n",
        "    approved_by: \"TO REVIEW: who approved it\"\n",
        &format!("    from: {today}\n    expires: {last}\n"),
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    // As it is printed it is taken, apart from ids that the platform left out.
    let own = folder.read("compliance-gate.yaml");
    folder.write("compliance-gate.yaml", &format!("{own}{said}"));
    beside(&folder, &["policy", "check", "--config", "compliance-gate.yaml"])
        .exits(0)
        .does_not_say("that do not apply");
    // What it does not take is not proposed for its gate.
    let strict = folder.read("org.yaml").replace("<= high", "<= low");
    folder.write("org.yaml", &strict).write("compliance-gate.yaml", &own);
    let refused = beside(&folder, &["accept", "e.jsonl", "--gate", "org/none"]).exits(0);
    assert_eq!(refused.stdout, "");
    refused.says("and the organisation accepts at most low; ask the organisation");
    folder.write("org.yaml", strict.split("accept_from").next().unwrap());
    beside(&folder, &["accept", "e.jsonl", "--gate", "org/none"])
        .exits(0)
        .says("and the organisation takes no `match` of a repository; ask the organisation");
}

#[test]
fn a_baseline_is_written_for_the_gates_of_an_organisation_that_takes_one() {
    let terms = "accept_from_repository:\n  baseline: {severity: \"<= high\"}\n";
    let (_platform, folder) = kept(LARGE.replace("1000000", "1000001").as_str(), terms);
    let own = folder.read("compliance-gate.yaml");
    let entry =
        "accept:\n  - {id: debt, baseline: base.jsonl, reason: r, owner: o, expires: 2027-01-31}\n";
    folder
        .write("compliance-gate.yaml", &own.replace("max: 1000001", "max: 0, severity: critical"));
    beside(&folder, &["baseline", "write", "e.jsonl", "--file", "base.jsonl"]).exits(0);
    let lines = folder.read("base.jsonl").lines().count();
    assert!(lines > 1, "{lines}");
    folder.write(
        "compliance-gate.yaml",
        &(own.replace("max: 1000001", "max: 0, severity: critical") + entry),
    );
    beside(&folder, &["run"]).exits(0);
    // One that it does not take is said.
    folder.write("org.yaml", &folder.read("org.yaml").replace("<= high", "<= low"));
    beside(&folder, &["baseline", "write", "e.jsonl"]).exits(0).says(
        "the organisation does not take the baseline of acceptance `debt`: it covers high, and at \
         most low is allowed",
    );
}

/// A record as `run --record` writes it, with what a history needs.
fn record(day: u32, repository: &str, failed: u64, more: &str) -> String {
    let state = if failed > 160 { "breached" } else { "held" };
    format!(
        "{{\"decided_at\":\"2026-10-{day:02}T10:00:00Z\",\"repository\":\"{repository}\",\"schema\":\
         \"urn:compliance-gate:decision:1\",\"purpose\":\"gate\",\"gates\":[{{\"id\":\"budget\",\"state\":\
         \"{state}\",\"observed\":{{\"failed\":{failed},\"passed\":970,\"accepted\":0,\"known\":0,\
         \"outOfScope\":0}}}},{{\"id\":\"rate\",\"state\":\"held\",\"observed\":{{\"failed\":10,\
         \"passed\":990,\"accepted\":0,\"known\":0,\"outOfScope\":0}}}}]{more}}}\n"
    )
}

#[test]
fn the_history_of_a_policy_says_what_can_be_tightened() {
    let folder = Folder::new();
    let url = "https://gz.example.com";
    let gates = "  - {id: budget, source: gravityzone, max: 160}\n  - {id: rate, source: gravityzone, \
                 min_pass_rate: 80%}\naccept:\n  - {id: moves, cause: unreachable, source: gravityzone, \
                 reason: r, owner: o, expires: 2027-01-31}\n  - {id: docs, match: {rule: a, resource: b, \
                 severity: \"<= high\"}, reason: r, owner: o, expires: 2027-01-31}\n";
    let own = gravityzone(url, "", gates);
    let organisation = gravityzone(url, "", "  - {id: none, source: gravityzone, max: 0}\n");
    folder.write("own.yaml", &own).write("org.yaml", &organisation);
    let used = |both: bool, sha256: &str| {
        let moves = "{\"id\":\"moves\",\"kind\":\"cause\"},".repeat(usize::from(both));
        format!(
            ",\"accepted\":[{moves}{{\"id\":\"docs\",\"kind\":\"match\"}}],\"org_policy_sha256\":{sha256}"
        )
    };
    let mut records = String::new();
    for day in 1..=12 {
        let repository = if day % 2 == 0 { "group/shop" } else { "group/pay" };
        let overridden = match day {
            4 | 6 => ",\"override\":{\"until\":\"2026-10-07T00:00:00Z\",\"reason\":\"INC-4711\"}",
            _ => "",
        };
        let sha256 = if repository == "group/pay" { "null" } else { "\"0000\"" };
        let more = used(day % 3 > 0, sha256) + overridden;
        records.push_str(&record(day, repository, if day == 5 { 3 } else { 2 }, &more));
    }
    records.push_str("not a record\n");
    folder.write("records.jsonl", &records);
    let said = folder
        .run(&[
            "policy",
            "check",
            "--config",
            "own.yaml",
            "--org-policy",
            "org.yaml",
            "--history",
            "records.jsonl",
        ])
        .exits(0)
        .stdout;
    let history: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("history: ")).collect();
    assert_eq!(
        history,
        [
            "12 decisions since 2026-10-01",
            "left out of records.jsonl: 1 line without a record",
            "gate `budget` held in all 12 decisions: it never fired",
            "gate `budget`: `max: 160` could be `max: 10`; at most 3 observed in 12 decisions",
            "gate `rate` held in all 12 decisions: it never fired",
            "gate `rate`: `min_pass_rate: 80%` could be `min_pass_rate: 97%`; at least 99.00% \
             observed in 12 decisions",
            "acceptance `docs` was used in all 12 decisions since its first; fix what it covers, or \
             take it out of scope",
            "acceptance `moves` forgave `unreachable` in 8 of 12 decisions: it became normal; repair \
             what causes it",
            "group/shop: 2 decisions overridden, last at 2026-10-06T10:00:00Z: INC-4711",
            "2 of 2 repositories last decided by another policy of the organisation: group/pay \
             (without any), group/shop",
        ]
    );
    folder.write("none.jsonl", "");
    for (file, why) in [
        (
            "none.jsonl",
            "failed to read none.jsonl: it has no record; `compliance-gate run --record PATH` writes them",
        ),
        ("missing.jsonl", "failed to read missing.jsonl: "),
        (".", "failed to read .: "),
    ] {
        folder
            .run(&["policy", "check", "--config", "own.yaml", "--history", file])
            .exits(2)
            .says(why);
    }
}

#[test]
fn records_of_real_runs_are_a_history() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", LARGE));
    for _ in 0..10 {
        folder.run(&["run", "--record", "records.jsonl"]).exits(0);
    }
    folder.run(&["policy", "check", "--history", "records.jsonl"]).exits(0).says(
        "history: gate `large`: `max: 1000000` could be `max: 200`; at most 64 observed in 10 decisions",
    );
}
