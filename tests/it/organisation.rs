//! An organisation's policy, decided by itself beside that of a repository.

use crate::common::{Ended, Folder, Platform, at_once, gravityzone, opencomply};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A gate that the estate of scenario `healthy` breaches, and one that holds there.
const BREACHED: &str = "  - {id: no-failures, source: opencomply, max: 0}\n";
const HOLDS: &str = "  - {id: some-failures, source: opencomply, max: 1000000}\n";

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs with both policies, and returns how it ended and the report.
fn run(
    folder: &Folder,
    own: &str,
    organisation: &str,
    variables: &[(&str, &str)],
) -> (Ended, Value) {
    folder.write(".git/config", "").write("compliance-gate.yaml", own);
    folder.write("pipeline/org.yaml", organisation);
    let mut command = folder.command(&["run", "--json", "out.json"]);
    command.env("COMPLIANCE_GATE_ORG_POLICY", "pipeline/org.yaml");
    command.envs(variables.iter().copied());
    let ended = Ended::wait(command);
    let report = std::fs::read_to_string(folder.path().join("out.json"));
    (ended, report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()))
}

#[test]
fn the_worse_of_two_verdicts_counts_and_equal_sources_are_read_once() {
    let platform = Platform::start("healthy");
    let policy = |gates| opencomply(&platform.origin, gates);
    let observing = |gates| policy(gates).replace("version: 1\n", "version: 1\nmode: observe\n");
    for (own, organisation, code, verdict) in [
        (policy(HOLDS), policy(HOLDS), 0, "passed"),
        (policy(HOLDS), policy(BREACHED), 1, "blocked"),
        (policy(BREACHED), policy(HOLDS), 1, "blocked"),
        (observing(HOLDS), policy(BREACHED), 1, "blocked"),
        (observing(BREACHED), policy(HOLDS), 0, "blocked"),
        (policy(HOLDS), observing(BREACHED), 0, "blocked"),
    ] {
        let before = platform.count("POST");
        let (ended, report) = run(&Folder::new(), &own, &organisation, &[]);
        let ended = ended.exits(code);
        assert_eq!(report["verdict"], verdict, "{}", ended.stdout);
        let ids: Vec<_> =
            report["gates"].as_array().unwrap().iter().map(|gate| gate["id"].clone()).collect();
        assert!(ids[1].as_str().unwrap().starts_with("org/"), "{ids:?}");
        assert_eq!(report["sources"].as_array().unwrap().len(), 1);
        assert_eq!(report["policies"][1]["sha256"], digest(&organisation));
        assert_eq!(report["policies"][1]["whose"], "organisation");
        assert!(platform.count("POST") > before);
    }
}

#[test]
fn the_policy_of_the_organisation_is_enough() {
    let platform = Platform::start("healthy");
    let organisation = opencomply(&platform.origin, BREACHED);
    let folder = Folder::new();
    folder.write("org.yaml", &organisation);
    folder
        .run(&["run", "--org-policy", "org.yaml", "--sarif", "-"])
        .exits(1)
        .says("org/no-failures");
    folder.write("compliance-gate.yaml", "version: 1\n");
    let arguments = ["run", "--org-policy", "org.yaml", "--json", "out.json"];
    folder.run(&arguments).exits(1);
    assert_eq!(folder.json("out.json")["gates"].as_array().unwrap().len(), 1);
    folder.run(&["run"]).exits(2).says("the policy has no gate");
}

#[test]
fn other_settings_are_another_source() {
    let platform = Platform::start("healthy");
    let organisation = opencomply(&platform.origin, HOLDS);
    let own = organisation.replace("frameworks: [baseline_security]", "frameworks: [soc2]");
    assert_ne!(own, organisation);
    let (_, report) = run(&Folder::new(), &own, &organisation, &[]);
    let names = |key: &Value| -> Vec<String> {
        key.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&report["sources"]), ["opencomply", "org/opencomply"]);
    assert_eq!(report["gates"][1]["sources"][0], "org/opencomply");
    assert_eq!(report["sources"][1]["system"], "opencomply");
}

#[test]
fn only_the_file_that_the_pipeline_promises_is_taken() {
    let platform = Platform::start("healthy");
    let own = opencomply(&platform.origin, HOLDS);
    let organisation =
        opencomply(&platform.origin, "  - {id: other, source: opencomply, max: 9000000}\n");
    let other = digest("another file");
    let both = format!("{other}, {}", digest(&organisation));
    let run = |sha256: &str| {
        run(&Folder::new(), &own, &organisation, &[("COMPLIANCE_GATE_ORG_POLICY_SHA256", sha256)]).0
    };
    run(&digest(&organisation)).exits(0);
    run(&both.to_uppercase()).exits(0);
    run(&other).exits(2).says("promises");
    run("abc").exits(2).says("one or two SHA-256 digests");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &own).write("org.yaml", &organisation);
    let mut command = folder.command(&["run"]);
    command.env("COMPLIANCE_GATE_ORG_POLICY_SHA256", &both);
    Ended::wait(command).exits(2).says("there is no policy of an organisation");
    let mut command = folder.command(&["run", "--org-policy", "other.yaml"]);
    command.env("COMPLIANCE_GATE_ORG_POLICY", "org.yaml");
    Ended::wait(command).exits(2).says("is not what COMPLIANCE_GATE_ORG_POLICY says");
    folder.run(&["run", "--org-policy", "missing.yaml"]).exits(2).says("missing.yaml");
    for key in ["reports: {json: out.json}", "export: {jira: {}}"] {
        folder.write("org.yaml", &format!("{organisation}{key}\n"));
        folder.run(&["run", "--org-policy", "org.yaml"]).exits(2).says("belongs to the repository");
    }
}

#[test]
fn break_glass_makes_an_exit_code_0_and_leaves_the_verdict() {
    let platform = Platform::start("healthy");
    let own = opencomply(&platform.origin, HOLDS);
    let allowing = opencomply(&platform.origin, BREACHED) + "break_glass: [1, 3, 4, 5]\n";
    let strict = opencomply(&platform.origin, BREACHED) + "break_glass: [3, 4, 5]\n";
    let holding = opencomply(&platform.origin, HOLDS) + "break_glass: [3]\n";
    let at = |hours: i64| {
        let until = chrono::Utc::now() + chrono::TimeDelta::minutes(hours * 60 - 2);
        format!("{} INC-4711 payments are down", until.format("%Y-%m-%dT%H:%MZ"))
    };
    for (organisation, asked, code, overridden, said) in [
        (&allowing, at(24), 0, true, "Overridden by break-glass until"),
        (&allowing, at(0), 1, false, "has no effect: it ended at"),
        (&allowing, at(26), 1, false, "is more than 24 hours ahead"),
        (&allowing, "tomorrow please".to_owned(), 1, false, "it does not begin with an instant"),
        (&allowing, "2026-11-29T04:00Z".to_owned(), 1, false, "it has no reason"),
        (&strict, at(24), 1, false, "does not allow it for exit code 1"),
        (&holding, at(24), 0, false, "assed"),
        (&holding, at(0), 0, false, "has no effect: it ended at"),
    ] {
        let (ended, report) =
            run(&Folder::new(), &own, organisation, &[("COMPLIANCE_GATE_BREAK_GLASS", &asked)]);
        ended.exits(code).says(said);
        assert_eq!(report["overridden"].is_object(), overridden, "{asked}");
        if overridden {
            assert_eq!(report["verdict"], "blocked");
            assert_eq!(report["would_exit"], 1);
            assert_eq!(report["overridden"]["reason"], "INC-4711 payments are down");
        }
    }
    let own = own + "break_glass: [3]\n";
    let (ended, _) = run(&Folder::new(), &own, &holding, &[]);
    ended.exits(2).says("`break_glass` belongs to the policy of an organisation");
    let (ended, _) = run(&Folder::new(), "version: 1\n", &holding.replace("[3]", "[2]"), &[]);
    ended.exits(2).says("exit code 2 cannot be overridden");
}

/// Each with the policy of a repository, and what it exits with.
#[test]
fn nothing_in_a_repository_gets_past_a_gate_of_the_organisation() {
    let platform = Platform::start("healthy");
    let gate = "  - {id: none, source: gravityzone, max: 0}\n";
    let organisation = gravityzone(&platform.origin, "", gate);
    let wide = "  - {id: wide, source: gravityzone, max: 1000000}\n";
    let own = gravityzone(&platform.origin, "", wide);
    let accept = |entry: &str| {
        format!(
            "{own}accept:\n  - {{id: one, reason: r, owner: o, expires: 2027-01-31, {entry}}}\n"
        )
    };
    let cases = [
        (format!("mode: observe\n{own}"), 1),
        ("version: 1\n".to_owned(), 1),
        (String::new(), 1),
        (own.replace("id: wide", "id: none"), 1),
        (own.replace("id: wide", "id: org/none"), 2),
        (
            own.replace("gravityzone:", "org/gravityzone:")
                .replace("source: gravityzone", "source: org/gravityzone"),
            2,
        ),
        (
            gravityzone("http://127.0.0.1:1", "    request_timeout: 1s\n", wide) + "deadline: 3s\n",
            1,
        ),
        (gravityzone(&platform.origin, "    filters: {severities: [informational]}\n", wide), 1),
        (gravityzone(&platform.origin, "    token_env: GRAVITYZONE_OTHER\n", wide), 2),
        (accept("gate_off: none"), 2),
        (accept("gate_off: org/none"), 2),
        (accept("match: {rule: \"*\"}, max_findings: 1000000, gates: [org/none]"), 1),
        (accept("match: {rule: \"*\"}, max_findings: 1000000, gates: [org/other]"), 2),
        (accept("cause: unreachable, source: all, gates: [org/none]"), 1),
        (accept("upstream: gravityzone.risk_accepted, gates: [org/none]"), 1),
        (accept("match: {rule: a, resource: b, severity: \"<= high\"}, repositories: [a/b]"), 2),
        (format!("{own}accept_from_repository: {{match: {{}}}}\n"), 2),
        (gravityzone(&platform.origin, "    from_repository: [scans]\n", wide), 2),
        (accept("match: {rule: \"*\"}, max_findings: 1000000"), 1),
        (accept("cause: unreachable, source: all"), 1),
        (accept("upstream: gravityzone.risk_accepted"), 1),
        (format!("{own}evidence: {{min_evaluated: 0}}\n"), 1),
        (format!("{own}break_glass: [1, 3, 4, 5]\n"), 2),
        (format!("{own}requires: \">= 99\"\n"), 2),
        ("gates: [\n".to_owned(), 2),
        (format!("{own}reports: {{json: pipeline/org.yaml}}\n"), 2),
        (format!("{own}accept_files: [/etc/passwd]\n"), 2),
        (format!("{own}environments: {{quiet: {{mode: observe}}}}\n"), 2),
    ];
    at_once(cases, |(own, code)| {
        let folder = Folder::new();
        if own.is_empty() {
            folder.write("org.yaml", &organisation);
            folder.run(&["run", "--org-policy", "org.yaml"]).exits(code);
            return;
        }
        folder.write(".git/config", "").write("compliance-gate.yaml", &own);
        folder.write("pipeline/org.yaml", &organisation);
        let ended = folder.run(&["run", "--org-policy", "pipeline/org.yaml"]);
        assert_eq!(ended.code, Some(code), "{own}\n{}{}", ended.stdout, ended.stderr);
        assert_eq!(folder.read("pipeline/org.yaml"), organisation);
    });
    let folder = Folder::new();
    folder.write(".git/config", "").write("compliance-gate.yaml", &own);
    folder.write(".compliance-gate.yaml", &own).write("org.yaml", &organisation);
    folder.run(&["run", "--org-policy", "org.yaml"]).exits(2).says("exist side by side");
    let folder = Folder::new();
    folder.write(".git/config", "").write("org.yaml", &organisation);
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("compliance-gate.yaml"))
        .unwrap();
    folder.run(&["run", "--org-policy", "org.yaml"]).exits(2).says("leaves the workspace");
    let stuck = Platform::start("stuck");
    let gate = opencomply(&stuck.origin, BREACHED);
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", "version: 1\ndeadline: 1s\n").write("org.yaml", &gate);
    assert_ne!(folder.run(&["run", "--org-policy", "org.yaml"]).code, Some(0));
}

#[test]
fn a_policy_of_an_organisation_is_checked_alone_or_with_another() {
    let folder = Folder::new();
    let organisation =
        gravityzone("https://gz.example.com", "", BREACHED_GZ) + "break_glass: [3]\n";
    folder.write("org.yaml", &organisation).write("own.yaml", "version: 1\n");
    folder
        .run(&["policy", "check", "--org-policy", "org.yaml"])
        .exits(0)
        .says("org.yaml: valid: 1 gate over 1 source");
    folder
        .run(&["policy", "check", "--org-policy", "org.yaml", "--config", "own.yaml"])
        .exits(0)
        .says("own.yaml: valid: 0 gates over 0 sources")
        .does_not_say("refuses it");
}

const BREACHED_GZ: &str = "  - {id: none, source: gravityzone, max: 0}\n";
