//! A what-if over evidence that somebody made fit: nothing may take it for a gate.

use super::{Kept, closed};
use crate::common::{Ended, Folder, Platform, gravityzone, opencomply};

/// Where a pipeline would see a gate.
const HOST_FILES: [&str; 3] = ["output.txt", "summary.md", "env.txt"];

/// Decides evidence on a CI host, and asserts that the host is given nothing.
#[track_caller]
fn on_a_host(folder: &Folder, arguments: &[&str]) -> Ended {
    let mut command = folder.command(&[&["evaluate", "evidence.jsonl"], arguments].concat());
    command.env("GITHUB_ACTIONS", "true").env("CI", "true");
    let variables = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV"];
    for (variable, file) in variables.iter().zip(HOST_FILES) {
        folder.write(file, "");
        command.env(variable, folder.path().join(file));
    }
    let ended = Ended::wait(command);
    for file in HOST_FILES {
        assert_eq!(folder.read(file), "", "{file}");
    }
    for stream in [&ended.stdout, &ended.stderr] {
        assert!(!stream.lines().any(|line| line.starts_with("::")), "{stream}");
    }
    // What a pipeline or a cluster acts on is refused, and not written.
    for flag in ["--record", "--attestation", "--dotenv"] {
        let asked = [&["evaluate", "evidence.jsonl"], arguments, &[flag, "acted-on"]].concat();
        folder.run(&asked).exits(2).says("this is a what-if");
        assert!(!folder.path().join("acted-on").exists(), "{flag}");
    }
    ended
}

/// Evidence without its findings of a severity, closed again as anyone can.
fn forged(text: &str, severity: &str) -> String {
    let subjects = text.lines().filter(|line| line.starts_with("{\"subject\""));
    let severe = subjects.enumerate().filter(|(_, line)| line.contains(severity));
    let severe: Vec<_> = severe.map(|(number, _)| format!("\"subject\":{number},")).collect();
    let is_finding = |line: &str| {
        line.starts_with("{\"finding\"") && severe.iter().any(|subject| line.contains(subject))
    };
    let removed = text.lines().filter(|line| is_finding(line)).count();
    assert!(removed > 0);
    let kept = text.lines().filter(|line| !is_finding(line)).map(|line| {
        if !line.starts_with("{\"part\"") {
            return line.to_owned();
        }
        let mut part: serde_json::Value = serde_json::from_str(line).unwrap();
        let count = part["part"]["findings"].as_u64().unwrap();
        part["part"]["findings"] = (count - removed as u64).into();
        part.to_string()
    });
    closed(kept)
}

#[test]
fn evidence_that_was_forged_to_be_clean_lets_nothing_through() {
    let kept = Kept::of("blocked");
    let folder = &kept.folder;
    let policy = folder.read("compliance-gate.yaml") + "evidence: {max_age: 24h}\n";
    folder.write("compliance-gate.yaml", &policy);
    on_a_host(folder, &[]).exits(1).says("[what if]");
    let digest = folder.sha256("evidence.jsonl");
    folder.write("evidence.jsonl", &forged(&folder.read("evidence.jsonl"), "\"critical\""));
    on_a_host(folder, &["--json", "what-if.json"]).exits(0).says("[what if]");
    let report = folder.json("what-if.json");
    assert_eq!(report["may_deploy"], false);
    assert_eq!(report["purpose"], "what-if");
    // As a gate it is refused: the pipeline was given another digest.
    let gate = ["--evidence-sha256", &digest, "--dotenv", "out.env", "--attestation", "a"];
    kept.evaluate(&gate).exits(3).says("was promised; nothing is decided from it");
    assert!(!folder.path().join("out.env").exists());
    assert!(!folder.path().join("a/svr.statement.json").exists());
}

#[test]
fn evidence_under_a_narrower_filter_does_not_answer_a_wider_policy() {
    let platform = Platform::start("blocked");
    let folder = Folder::new();
    let gates = "  - {id: critical, source: gravityzone, severity: critical, max: 1000}\n";
    let policy = |settings: &str| {
        let policy = gravityzone(&platform.origin, settings, gates);
        folder.write("compliance-gate.yaml", &(policy + "evidence: {max_age: 24h}\n"));
    };
    policy("    filters: {severities: [critical]}\n");
    folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(0);
    on_a_host(&folder, &[]).exits(0).says("[what if]");
    let wider = "the evidence was collected with `filters.severities`: critical, and the policy asks \
                 for everything";
    policy("");
    on_a_host(&folder, &[]).exits(3).says("[what if]").says(wider);
    let digest = folder.sha256("evidence.jsonl");
    let gate = ["evaluate", "evidence.jsonl", "--evidence-sha256", &digest];
    folder.run(&gate).exits(3).says(wider);
    policy("    filters: {severities: [critical, high]}\n");
    on_a_host(&folder, &[]).exits(3).says("[what if]");
}

#[test]
fn evidence_of_another_environment_or_origin_is_refused() {
    let kept = Kept::of("healthy");
    let save = ["run", "--environment", "staging", "--save-evidence", "evidence.jsonl"];
    kept.folder.run(&save).exits(0);
    on_a_host(&kept.folder, &["--environment", "staging"]).exits(0).says("[what if]");
    on_a_host_refused(&kept, &["--environment", "production"], "of environment `staging`");
    let gates = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}\n";
    let elsewhere = opencomply("https://elsewhere.example.com", gates);
    kept.folder.write("compliance-gate.yaml", &elsewhere);
    on_a_host_refused(&kept, &[], "is evidence of opencomply at http://127.0.0.1");
}

/// The same where the policy cannot be decided on this evidence at all.
#[track_caller]
fn on_a_host_refused(kept: &Kept, arguments: &[&str], says: &str) {
    let mut command = kept.folder.command(&[&["evaluate", "evidence.jsonl"], arguments].concat());
    command.env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_OUTPUT", kept.folder.path().join("output.txt"));
    kept.folder.write("output.txt", "");
    Ended::wait(command).exits(2).says(says);
    assert_eq!(kept.folder.read("output.txt"), "");
}
