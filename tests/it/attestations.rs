//! `run --attestation`: what may be signed, and when there is no result that lets anything through.

use serde_json::{Value, json};

use crate::common::proxy::Proxy;
use crate::common::{Ended, Folder, Platform, opencomply};

const SUBJECT: &str = "registry.example.com/shop/api@sha256:\
                       2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf";

const OTHER: &str = "3333333333333333333333333333333333333333333333333333333333333333";

const SVR: &str = "https://in-toto.io/attestation/svr/v0.2";

/// These hold in the scenario `healthy`.
const GATES: &str = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}
  - {id: no-high, source: opencomply, level: warn, severity: high, max: 1000}
  - {id: later, source: opencomply, severity: high, max: 1000, blocks_from: 2999-01-01}
";

const AGE: &str = "evidence: {max_age: 24h}\n";

/// OpenComply as a scenario has it, behind a server that is not known to be a simulator.
struct Estate {
    _platform: Platform,
    proxy: Proxy,
}

impl Estate {
    fn of(scenario: &str) -> Self {
        let platform = Platform::start(scenario);
        let proxy = Proxy::unmarked(&platform.origin);
        Self { _platform: platform, proxy }
    }

    /// A folder with a policy: these gates, and further lines.
    fn folder(&self, gates: &str, more: &str) -> Folder {
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &(opencomply(&self.proxy.origin, gates) + more));
        folder
    }
}

fn attest(folder: &Folder, more: &[&str]) -> Ended {
    let base = ["run", "--attestation", "attestation", "--environment", "production"];
    folder.run(&[&base[..], more].concat())
}

fn has_result(folder: &Folder) -> bool {
    let there = |name: &str| folder.path().join("attestation").join(name).exists();
    assert_eq!(there("svr.predicate.json"), there("svr.statement.json"));
    assert!(there("decision.predicate.json") && there("decision.statement.json"));
    there("svr.statement.json")
}

#[test]
fn a_pass_on_real_evidence_has_a_result_about_its_subjects() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    attest(&folder, &["--subject", SUBJECT, "--save-evidence", "evidence.jsonl"]).exits(0);
    assert!(has_result(&folder));
    let statement = folder.json("attestation/svr.statement.json");
    let predicate = folder.json("attestation/svr.predicate.json");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], SVR);
    assert_eq!(statement["predicate"], predicate);
    let (name, digest) = SUBJECT.split_once("@sha256:").unwrap();
    let artefact = json!({"name": name, "digest": {"sha256": digest}});
    assert_eq!(statement["subject"], json!([artefact]));
    let keys: Vec<_> = statement.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert_eq!(predicate["verifier"]["id"], "https://compliance-gate.dev/gate/v1");
    let policy = folder.sha256("compliance-gate.yaml");
    let policies = json!([{"name": "compliance-gate.yaml", "digest": {"sha256": policy}}]);
    assert_eq!(predicate["verifier"]["policies"], policies);
    // Only gates that block today.
    let properties = json!([
        "COMPLIANCE_GATE_PASSED",
        "COMPLIANCE_GATE_ENV_PRODUCTION",
        "COMPLIANCE_GATE_EVIDENCE_COMPLETE",
        "COMPLIANCE_GATE_NO_EXCEPTIONS",
        "COMPLIANCE_GATE_GATE_NO_CRITICAL",
    ]);
    assert_eq!(predicate["properties"], properties);
    let time = predicate["timeCreated"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");

    let decision = folder.json("attestation/decision.statement.json");
    assert_eq!(decision["predicateType"], "https://compliance-gate.dev/decision/v1");
    let evidence = folder.sha256("evidence.jsonl");
    let evidence = json!({"name": "evidence", "digest": {"sha256": evidence}});
    assert_eq!(decision["subject"], json!([artefact, evidence]));
    assert_eq!(decision["predicate"]["evidence"]["digest"], evidence["digest"]);
    assert_eq!(decision["predicate"], folder.json("attestation/decision.predicate.json"));
}

#[test]
fn no_result_unless_every_condition_holds() {
    let estate = Estate::of("healthy");
    let with_subject = ["--subject", SUBJECT];
    let grounds = "reason: r, owner: o, expires: 2999-01-01";
    let off = format!("accept: [{{id: off, gate_off: no-high, {grounds}}}]\n");
    let stale = "evidence: {max_age: 1ms}\n".to_owned();
    let forgiven = format!(
        "{stale}accept: [{{id: old, cause: stale, source: opencomply, up_to: 1d, {grounds}}}]\n"
    );
    let blocked = GATES.replace("severity: critical, max: 0", "severity: high, max: 0");
    let cases: [(&str, String, &[&str], &str, i32); 7] = [
        (GATES, AGE.to_owned(), &[], "no subject is given", 0),
        (GATES, String::new(), &with_subject, "`evidence.max_age` is not set", 0),
        (GATES, format!("{AGE}mode: observe\n"), &with_subject, "the mode is `observe`", 0),
        (GATES, AGE.to_owned() + &off, &with_subject, "an acceptance turns a gate off", 0),
        (GATES, forgiven, &with_subject, "a cause is forgiven", 0),
        (GATES, stale, &with_subject, "the verdict is not a pass", 3),
        (&blocked, AGE.to_owned(), &with_subject, "the verdict is not a pass", 1),
    ];
    for (gates, more, arguments, why, code) in cases {
        let folder = estate.folder(gates, &more);
        attest(&folder, arguments).exits(code).says(why);
        assert!(!has_result(&folder), "{why}");
    }
}

#[test]
fn a_warning_leaves_the_result_and_an_override_does_not() {
    let estate = Estate::of("healthy");
    let warns = GATES.replace("severity: high, max: 1000}", "severity: high, max: 0}");
    let folder = estate.folder(&warns, AGE);
    attest(&folder, &["--subject", SUBJECT]).exits(0);
    assert!(has_result(&folder));
    assert_eq!(folder.json("attestation/decision.predicate.json")["verdict"], "warned");

    let breached = "  - {id: none, source: opencomply, severity: high, max: 0}\n";
    let organisation = opencomply(&estate.proxy.origin, breached) + AGE + "break_glass: [1]\n";
    folder.write("org.yaml", &organisation);
    let mut command = folder.command(&[
        "run",
        "--attestation",
        "attestation",
        "--environment",
        "production",
        "--org-policy",
        "org.yaml",
        "--subject",
        SUBJECT,
    ]);
    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let asked = format!("{} INC-4711", until.format("%Y-%m-%dT%H:%MZ"));
    command.env("COMPLIANCE_GATE_BREAK_GLASS", asked);
    Ended::wait(command).exits(0).says("the verdict is overridden");
    assert!(!has_result(&folder));
    let decision = folder.json("attestation/decision.predicate.json");
    assert_eq!(decision["verdict"], "blocked");
    assert_eq!(decision["override"]["reason"], "INC-4711");
}

#[test]
fn a_simulator_lets_nothing_through() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &(opencomply(&platform.origin, GATES) + AGE));
    let saving = ["--subject", SUBJECT, "--save-evidence", "evidence.jsonl"];
    attest(&folder, &saving).exits(0).says("a simulator answered");
    assert!(!has_result(&folder));
    assert_eq!(folder.json("attestation/decision.predicate.json")["simulated"], true);
    // Nor does its evidence, when a gate decides it later.
    let digest = folder.sha256("evidence.jsonl");
    let gate = ["evaluate", "evidence.jsonl", "--evidence-sha256", &digest];
    let attested = ["--environment", "production", "--attestation", "attestation"];
    let arguments = [&gate[..], &attested, &["--subject", SUBJECT]].concat();
    folder.run(&arguments).exits(0).says("a simulator answered");
    assert!(!has_result(&folder));
}

#[test]
fn a_later_run_that_blocks_removes_the_result_of_an_earlier_one() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    attest(&folder, &["--subject", SUBJECT]).exits(0);
    assert!(has_result(&folder));
    let blocked = GATES.replace("severity: critical, max: 0", "severity: high, max: 0");
    folder.write("compliance-gate.yaml", &(opencomply(&estate.proxy.origin, &blocked) + AGE));
    attest(&folder, &["--subject", SUBJECT]).exits(1);
    assert!(!has_result(&folder));
    // The record of the block lets nothing through.
    let decision = "attestation/decision.statement.json";
    let terms = ["--environment", "production", "--max-age", "1h", "--org-policy-sha256", OTHER];
    let admit = folder.run(&[&["admit", decision][..], &terms].concat());
    admit.exits(1).says("its predicate type is `https://compliance-gate.dev/decision/v1`");
    // A file of someone else is kept, and nothing is asked.
    folder.write("attestation/svr.statement.json", "{\"name\": \"theirs\"}");
    attest(&folder, &["--subject", SUBJECT]).exits(2).says("not a report of compliance-gate");
    assert_eq!(folder.json("attestation/svr.statement.json"), json!({"name": "theirs"}));
}

#[test]
fn a_result_is_taken_back_where_another_report_cannot_be_written() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    let mut command = folder.command(&[
        "run",
        "--attestation",
        "attestation",
        "--subject",
        SUBJECT,
        "--json",
        "-",
    ]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdout(full);
    Ended::wait(command).exits(3);
    assert!(!has_result(&folder));
}

#[test]
fn a_decision_without_a_subject_is_about_its_commit() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let mut command = folder.command(&["run", "--attestation", "attestation"]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_SHA", commit)
        .env("GITHUB_SERVER_URL", "https://git.example.com")
        .env("GITHUB_REPOSITORY", "octo-org/shop")
        .env("GITHUB_RUN_ID", "42");
    Ended::wait(command).exits(0);
    let statement = folder.json("attestation/decision.statement.json");
    let subject = json!([{"name": "octo-org/shop", "digest": {"gitCommit": commit}}]);
    assert_eq!(statement["subject"], subject);
    assert_eq!(
        statement["predicate"]["policies"][0]["uri"],
        format!("git+https://git.example.com/octo-org/shop@{commit}#compliance-gate.yaml")
    );
}

#[test]
fn subjects_come_from_a_file_too() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    let (_, digest) = SUBJECT.split_once("@sha256:").unwrap();
    folder.write("subjects.txt", &format!("{digest}  app.tar.gz\n\n{SUBJECT}\n"));
    attest(&folder, &["--subject-file", "subjects.txt"]).exits(0);
    let statement = folder.json("attestation/svr.statement.json");
    let names: Vec<_> = statement["subject"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|subject| subject["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["app.tar.gz", "registry.example.com/shop/api"]);
    for wrong in ["", "app.tar.gz\n"] {
        folder.write("subjects.txt", wrong);
        attest(&folder, &["--subject-file", "subjects.txt"]).exits(2).says("subject");
    }
    attest(&folder, &["--subject", "app:1.4"]).exits(2).says("64 hexadecimal digits");
}

#[test]
fn only_a_gate_on_saved_evidence_is_attested() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    folder.run(&["run", "--save-evidence", "evidence.jsonl"]).exits(0);
    let digest = folder.sha256("evidence.jsonl");
    let attested = ["--attestation", "attestation", "--subject", SUBJECT];
    for flag in ["--attestation", "--record"] {
        for more in [&[][..], &["--as-recorded"], &["evidence.jsonl"]] {
            let arguments = [&["evaluate", "evidence.jsonl", flag, "out"], more].concat();
            folder.run(&arguments).exits(2).says("this is a what-if");
            assert!(!folder.path().join("out").exists());
        }
    }
    let gate = ["evaluate", "evidence.jsonl", "--evidence-sha256", &digest];
    folder.run(&[&gate[..], &attested].concat()).exits(0);
    assert!(has_result(&folder));
    let predicate = folder.json("attestation/decision.predicate.json");
    assert_eq!(predicate["evidence"]["digest"]["sha256"], Value::from(digest));
    assert_eq!(predicate["purpose"], "gate");
}

#[test]
fn names_that_would_be_one_property_are_refused() {
    let estate = Estate::of("healthy");
    let twins = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}
  - {id: no_critical, source: opencomply, severity: critical, max: 0}
";
    let folder = estate.folder(twins, "environments: {eu-west: {}, EU_west: {}}\n");
    folder
        .run(&["policy", "check"])
        .exits(2)
        .says(
            "gates `no_critical` and `no-critical` would both be COMPLIANCE_GATE_GATE_NO_CRITICAL",
        )
        .says("environments `EU_west` and `eu-west` would both be COMPLIANCE_GATE_ENV_EU_WEST");
}

#[test]
fn the_policy_of_an_organisation_is_named_and_its_gates_are_its_own() {
    let estate = Estate::of("healthy");
    let folder = estate.folder(GATES, AGE);
    let gate = "  - {id: no-critical, source: opencomply, severity: critical, max: 0}\n";
    folder.write("org.yaml", &(opencomply(&estate.proxy.origin, gate) + AGE));
    let organisation = ["--org-policy", "org.yaml", "--record", "records.jsonl"];
    attest(&folder, &[&organisation[..], &["--subject", SUBJECT]].concat()).exits(0);
    let predicate = folder.json("attestation/svr.predicate.json");
    let digest = folder.sha256("org.yaml");
    let policies = predicate["verifier"]["policies"].as_array().unwrap();
    assert_eq!(policies[1], json!({"name": "org-policy", "digest": {"sha256": digest}}));
    let properties = predicate["properties"].as_array().unwrap();
    assert!(properties.contains(&json!("COMPLIANCE_GATE_ORG_NO_CRITICAL")), "{properties:?}");
    let record: Value = serde_json::from_str(&folder.read("records.jsonl")).unwrap();
    assert_eq!(record["org_policy_sha256"], Value::from(digest.clone()));
    assert_eq!(record["acceptFiles"], json!([]));
    let admit = ["admit", "attestation/svr.statement.json", "--environment", "production"];
    let terms = ["--max-age", "1h", "--org-policy-sha256", &digest];
    folder.run(&[&admit[..], &terms].concat()).exits(0);

    // A copy of that file is not the policy of an organisation.
    folder.write("compliance-gate.yaml", &folder.read("org.yaml"));
    attest(&folder, &["--subject", SUBJECT]).exits(0);
    folder.run(&[&admit[..], &terms].concat()).exits(1).says("organisation policy");
}
