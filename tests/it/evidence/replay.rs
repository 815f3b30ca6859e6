//! Decided again exactly as it was, on another day, and as a gate.

use super::Kept;
use crate::common::{Folder, Platform, at_once};

const FORMATS: [(&str, &str); 6] = [
    ("--json", "json"),
    ("--junit", "xml"),
    ("--sarif", "sarif"),
    ("--markdown", "md"),
    ("--html", "html"),
    ("--code-quality", "cq.json"),
];

/// The report flags, with files whose names begin with `prefix`.
fn reports(prefix: &str) -> Vec<String> {
    let flags = FORMATS.iter();
    flags.flat_map(|(flag, end)| [(*flag).to_owned(), format!("{prefix}.{end}")]).collect()
}

#[test]
fn a_replay_needs_nothing_but_the_file_and_gives_the_same_reports() {
    let scenarios = compliance_gate_simulator::Scenario::names().map(|(name, _)| name);
    at_once(scenarios, |scenario| {
        let platform = Platform::start(scenario);
        let folder = Folder::new();
        let policy = include_str!("../../../fixtures/policies/demo.yaml")
            .replace("http://127.0.0.1:8080", &platform.origin)
            .replace("deadline: 5m", "deadline: 20s")
            .replace("500ms", "50ms");
        folder.write("compliance-gate.yaml", &policy);
        let files = reports("run");
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let mut command =
            folder.command(&[&["run", "--save-evidence", "evidence.jsonl"], &files[..]].concat());
        command.env("BIGID_TOKEN", "test-token-of-bigid");
        let run = crate::common::Ended::wait(command);
        drop(platform);
        let elsewhere = Folder::new();
        elsewhere.write("evidence.jsonl", &folder.read("evidence.jsonl"));
        let files = reports("again");
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let again =
            elsewhere.run(&[&["evaluate", "evidence.jsonl", "--as-recorded"], &files[..]].concat());
        assert_eq!(run.code, again.code, "{scenario}: {}", again.stderr);
        let shown = |text: &str| -> Vec<String> {
            let line = |line: &str| line.replace("[replay] ", "").replace("again.", "run.");
            text.lines().map(line).collect()
        };
        assert_eq!(shown(&run.stdout), shown(&again.stdout), "{scenario}");
        for (_, end) in FORMATS {
            let before = folder.read(&format!("run.{end}"));
            let after = elsewhere.read(&format!("again.{end}"));
            let after = after.replace("[replay] ", "").replace("\"replay\"", "\"gate\"");
            let after = after.lines().filter(|line| !line.contains("<b>Replay</b>: "));
            let other = before.lines().zip(after.clone()).find(|(one, other)| one != other);
            assert_eq!(other, None, "{scenario}: {end}");
            assert_eq!(before.lines().count(), after.count(), "{scenario}: {end}");
        }
    });
}

#[test]
fn a_moment_can_be_chosen() {
    let kept = Kept::of("healthy");
    let policy = kept.folder.read("compliance-gate.yaml");
    kept.folder.write("fresh.yaml", &format!("{policy}evidence: {{max_age: 24h}}\n"));
    kept.evaluate(&["-c", "fresh.yaml"]).exits(0);
    kept.evaluate(&["-c", "fresh.yaml", "--at", "2099-01-01"]).exits(3).says("max_age is 1day");
    for when in ["2099-01-01T04:00:00Z", "2099-01-01T04:00Z", "2099-01-01T06:00:00+02:00"] {
        kept.evaluate(&["-c", "fresh.yaml", "--at", when]).exits(3);
    }
    kept.evaluate(&["--at", "tomorrow"]).exits(2).says("write it like 2026-11-29");
    kept.evaluate(&["--at", "2099-01-01", "--as-recorded"]).exits(2);
}

#[test]
fn a_promised_digest_makes_it_a_gate() {
    let kept = Kept::of("healthy");
    let digest = kept.folder.sha256("evidence.jsonl");
    let policy = kept.folder.read("compliance-gate.yaml");
    let as_gate = ["--evidence-sha256", &digest];
    kept.evaluate(&as_gate).exits(2).says("set `evidence.max_age`");
    kept.folder.write("compliance-gate.yaml", &format!("{policy}evidence: {{max_age: 24h}}\n"));
    let ended = kept.evaluate(&[&as_gate[..], &["--dotenv", "out.env"]].concat()).exits(0);
    assert!(!ended.stdout.contains("what if"), "{}", ended.stdout);
    assert!(kept.folder.read("out.env").contains("COMPLIANCE_GATE_VERDICT=passed"));
    let other = "0".repeat(64);
    kept.evaluate(&["--evidence-sha256", &other]).exits(3).says("was promised");
    kept.evaluate(&[&as_gate[..], &["--at", "2099-01-01"]].concat()).exits(2);
    kept.evaluate(&[&as_gate[..], &["--as-recorded"]].concat()).exits(2);
    let both = [&["evaluate", "evidence.jsonl", "evidence.jsonl"], &as_gate[..]].concat();
    kept.folder.run(&both).exits(2).says("takes one file");
}

#[test]
fn a_promised_digest_does_not_make_evidence_of_staging_fit_for_production() {
    let kept = Kept::of("healthy");
    let policy = kept.folder.read("compliance-gate.yaml") + "evidence: {max_age: 24h}\n";
    kept.folder.write("compliance-gate.yaml", &policy);
    kept.folder.run(&["run", "-e", "staging", "--save-evidence", "evidence.jsonl"]).exits(0);
    let digest = kept.folder.sha256("evidence.jsonl");
    let as_gate = ["--evidence-sha256", &digest, "-e"];
    kept.evaluate(&[&as_gate[..], &["staging"]].concat()).exits(0);
    kept.evaluate(&[&as_gate[..], &["production"]].concat())
        .exits(2)
        .says("evidence of environment `staging`, and `production` was asked for");
}

#[test]
fn several_files_give_a_table() {
    let kept = Kept::of("blocked");
    kept.folder.run(&["run", "--save-evidence", "second.jsonl"]).exits(1);
    kept.folder
        .run(&["evaluate", "evidence.jsonl", "second.jsonl"])
        .exits(0)
        .says("2 of 2 files would not pass")
        .says("no-critical");
    kept.folder.write("broken.jsonl", "{}\n");
    kept.folder.run(&["evaluate", "evidence.jsonl", "broken.jsonl"]).exits(2).says("1 of 1 file");
    let report = ["evaluate", "evidence.jsonl", "second.jsonl", "--json", "x.json"];
    kept.folder.run(&report).exits(2).says("takes one file");
}
