//! `run --record`: one line a decision.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::{BINARY, Folder, Platform, opencomply};

const GATES: &str = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}\n";

fn lines(folder: &Folder) -> Vec<Value> {
    folder.read("records.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of(scenario: &str, gates: &str) -> (Platform, Folder) {
    let platform = Platform::start(scenario);
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, gates));
    (platform, folder)
}

#[test]
fn each_decision_appends_the_predicate_as_a_line() {
    let (_platform, folder) = of("blocked", GATES);
    let record = ["run", "--record", "records.jsonl", "--attestation", "attestation"];
    folder.run(&record).exits(1);
    let high = GATES.replace("max: 0", "max: 100000");
    folder
        .write("compliance-gate.yaml", &folder.read("compliance-gate.yaml").replace(GATES, &high));
    folder.run(&record).exits(0);
    let lines = lines(&folder);
    let verdicts: Vec<_> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["blocked", "passed"]);
    assert_eq!(lines[0]["exit_code"], 1);
    assert_eq!(lines[1]["policy_sha256"], lines[1]["policies"][0]["digest"]["sha256"]);
    // The predicate, and columns for queries.
    let predicate = folder.json("attestation/decision.predicate.json");
    for (key, value) in predicate.as_object().unwrap() {
        assert_eq!(lines[1][key], *value, "{key}");
    }
    let schema = include_str!("../../schemas/record.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(lines.iter().all(|line| schema.is_valid(line)));
}

#[test]
fn a_record_names_the_program_the_baseline_and_why_something_is_accepted() {
    let (platform, folder) = of("blocked", GATES);
    folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(1);
    let accept = "accept:\n  - {id: debt, baseline: baseline.jsonl, reason: Found on the first day, \
                  owner: team@example.com, expires: 2099-01-01}\n";
    let policy = opencomply(&platform.origin, GATES) + accept;
    folder.write("compliance-gate.yaml", &policy);
    let write = ["baseline", "write", "evidence.jsonl", "--allow-growth"];
    folder.run(&write).exits(0);
    let run = ["run", "--record", "records.jsonl", "--save-evidence", "evidence.jsonl"];
    folder.run(&run).exits(0);
    let record = &lines(&folder)[0];
    assert_eq!(record["accepted"][0]["reason"], "Found on the first day");
    assert_eq!(record["baseline"]["name"], "baseline.jsonl");
    assert_eq!(record["baseline"]["digest"]["sha256"], folder.sha256("baseline.jsonl"));
    assert_eq!(record["acceptFiles"], Value::Array(Vec::new()));
    let program = std::fs::read(BINARY).unwrap();
    let sha256: String = Sha256::digest(&program).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(record["tool"]["sha256"], sha256);
    folder.run(&["verify", "records.jsonl", "--evidence", "evidence.jsonl"]).exits(0);
}

#[test]
fn a_line_that_was_cut_does_not_take_the_next_one_with_it() {
    let (_platform, folder) = of("healthy", GATES);
    let cut = "{\"schema\":\"urn:compliance-gate:decision:1\",\"verd";
    folder.write("records.jsonl", cut);
    folder.run(&["run", "--record", "records.jsonl"]).exits(0);
    let text = folder.read("records.jsonl");
    let (first, rest) = text.split_once('\n').unwrap();
    assert_eq!(first, cut);
    assert!(serde_json::from_str::<Value>(rest).is_ok());
}

#[test]
fn only_records_are_appended_to() {
    let (_platform, folder) = of("healthy", GATES);
    let policy = folder.read("compliance-gate.yaml");
    let refused = ["run", "--record", "compliance-gate.yaml"];
    folder.run(&refused).exits(2).says("no records of compliance-gate");
    assert_eq!(folder.read("compliance-gate.yaml"), policy);
    folder.run(&["run", "--record", "."]).exits(2).says("not a plain file");
    folder
        .run(&["run", "--record", "records.jsonl", "--json", "records.jsonl"])
        .exits(2)
        .says("give each a place of its own");
}

#[test]
fn a_long_record_is_cut_to_sixteen_kibibytes_and_says_by_how_much() {
    let gate = |at: usize| {
        format!("  - {{id: no-critical-{at}, source: opencomply, severity: critical, max: 0}}\n")
    };
    let gates: String = (0..200).map(gate).collect();
    let breached = "  - {id: high, source: opencomply, severity: high, max: 0, each: account}\n";
    let (_platform, folder) = of("healthy", &(gates + breached));
    folder.run(&["run", "--record", "records.jsonl"]).exits(1);
    let text = folder.read("records.jsonl");
    assert!(text.len() <= 16 << 10, "{}", text.len());
    let line = &lines(&folder)[0];
    let gates = line["gates"].as_array().unwrap();
    assert_eq!(gates.len() as u64 + line["gatesOmitted"].as_u64().unwrap(), 201);
    let last = gates.last().unwrap();
    assert_eq!((&last["id"], &last["state"]), (&"high".into(), &"breached".into()));
    assert_eq!(last["groupsOmitted"], 2);
    assert!(line["policies"][0]["digest"]["sha256"].is_string());
}

#[test]
fn a_result_that_cannot_be_printed_is_recorded_as_such() {
    let (_platform, folder) = of("healthy", GATES);
    let mut command = folder.command(&["run", "--record", "records.jsonl"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdout(full);
    crate::common::Ended::wait(command).exits(3);
    let lines = lines(&folder);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["verdict"], "inconclusive");
}
