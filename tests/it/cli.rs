//! `run`, as a pipeline uses it: a policy, two platforms, reports and an exit code.

use std::thread;

use crate::common::{DOCUMENTED, Ended, Folder, Platform, gravityzone, opencomply};

const HIGH_NONE: &str =
    "  - {id: no-critical-or-high, source: opencomply, severity: \">= high\", max: 0}\n";
const HIGH_119: &str =
    "  - {id: no-critical-or-high, source: opencomply, severity: \">= high\", max: 119}\n";

#[test]
fn the_documented_request_blocks_and_passes_by_its_figures() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_NONE));
    folder
        .run(&["run", "--junit", "gate.xml", "--sarif", "gate.sarif", "--json", "gate.json"])
        .exits(1)
        .says("119 failed checks where max is 0: 119 over the limit")
        .says("SIMULATED");
    let report = folder.json("gate.json");
    assert_eq!(report["verdict"], "blocked");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(152));
    let sarif = folder.json("gate.sarif");
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert!(folder.read("gate.xml").contains("no-critical-or-high"));

    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0).says("119 failed checks where max is 119");
}

#[test]
fn the_start_request_names_exact_integrations_and_nothing_is_started_twice() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0);
    assert_eq!(platform.count("POST /main/schedule/api/v3/compliance/framework/"), 1);
    assert_eq!(platform.count("cancel"), 0);
}

#[test]
fn every_evidence_trap_of_opencomply_is_red() {
    // A SUCCEEDED job proves little: each of these would be green by the summary alone.
    let table = [
        ("inconclusive", 3, "runner"),
        ("timed-out-runners", 3, "timed out"),
        ("missing-report", 3, "report"),
        ("failed", 3, "FAILED"),
        ("timeout", 3, "TIMEOUT"),
        ("canceled", 3, "CANCELED"),
        ("contradictory", 3, "breakdown"),
        ("sink-limit", 3, "the platform waited 600 s for them to be stored"),
        ("disabled", 2, "compliance service is not enabled"),
        ("inactive", 3, "INACTIVE"),
    ];
    let gates = "  - {id: budget, source: opencomply, max: 100000}\n";
    std::thread::scope(|scope| {
        for (scenario, code, words) in table {
            scope.spawn(move || {
                let platform = Platform::start(scenario);
                let folder = Folder::new();
                folder.write("compliance-gate.yaml", &opencomply(&platform.origin, gates));
                folder.run(&["run", "--json", "gate.json"]).exits(code).says(words);
                assert_eq!(folder.json("gate.json")["evidence_complete"], false, "{scenario}");
            });
        }
    });
}

#[test]
fn a_stuck_job_ends_at_the_deadline_and_is_cancelled() {
    let platform = Platform::start("stuck");
    let folder = Folder::new();
    let policy =
        opencomply(&platform.origin, HIGH_119).replace("version: 1", "version: 1\ndeadline: 12s");
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["run"]).exits(3).says("CREATED").says("deadline");
    let cancel = "POST /main/schedule/api/v3/jobs/cancel";
    platform.wait_for(cancel);
    assert_eq!(platform.count(cancel), 1);
}

#[test]
fn an_unfinished_equal_run_is_joined_and_never_cancelled() {
    let platform = Platform::start("joinable");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0).says("joined");
    assert_eq!(platform.count("/run "), 0, "{:?}", platform.requests());
}

#[test]
fn an_unfinished_other_run_is_waited_for() {
    let platform = Platform::start("busy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0).says("started");
    let requests = platform.requests();
    let started = requests.iter().position(|line| line.contains("/baseline_security/run "));
    let looked = requests.iter().filter(|line| line.contains("run-history")).count();
    assert!(started.is_some() && looked > 2, "{requests:#?}");
}

#[test]
fn two_gates_at_once_start_one_run_and_agree() {
    let platform = Platform::start("healthy");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let folder = Folder::new();
                folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
                folder
                    .run(&["run"])
                    .exits(0)
                    .says("561 checks evaluated, failed: 119 high, 27 medium, 6 low");
            });
        }
    });
    assert_eq!(platform.count("/baseline_security/run "), 1, "{:#?}", platform.requests());
}

#[test]
fn a_superseded_run_is_replaced_by_its_equal() {
    let platform = Platform::start("superseded");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0).says("joined");
    let platform = Platform::start("superseded-by-others");
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["run"]).exits(0).says("started");
    assert_eq!(platform.count("/baseline_security/run "), 2);
}

#[test]
fn gravityzone_failures_need_a_handful_of_requests() {
    let platform = Platform::start("estate");
    let folder = Folder::new();
    let gates = "  - {id: open, source: gravityzone, severity: [critical, high], max: 100000}\n";
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", gates));
    folder.run(&["run"]).exits(0).says("30,817 checks evaluated").says("age not reported");
    let fails = platform.count("results=fail");
    assert!(platform.requests().len() <= fails + 12, "{:#?}", platform.requests());
    // Of passes only the total is asked, so that failures and passes are seen to be all.
    assert_eq!(platform.count("results=pass"), platform.count("results=pass&page_limit=1 "));
    assert_eq!(platform.count("results=pass"), 1);

    // Only rows show whether a rule without failures exists at all.
    let before = platform.requests().len();
    let gates =
        "  - {id: rate, source: gravityzone, rule: \"cloud_scan/*\", min_pass_rate: \"1%\"}\n";
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", gates));
    folder.run(&["run"]).exits(0);
    assert!(platform.requests().len() - before > 25, "{}", platform.requests().len() - before);
}

#[test]
fn both_systems_together_and_one_of_them_dead() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = |gravityzone: &str| {
        format!(
            "version: 1\nsources:\n  opencomply:\n    url: {}\n{DOCUMENTED}  gravityzone:\n    \
             url: {gravityzone}/v1\ngates:\n{HIGH_119}  - {{id: cspm, source: gravityzone, max: 1000}}\n",
            platform.origin
        )
    };
    folder.write("compliance-gate.yaml", &policy(&platform.origin));
    folder.run(&["run"]).exits(0);
    // No server listens there: the other source is still collected and shown.
    folder.write("compliance-gate.yaml", &policy("http://127.0.0.1:9"));
    folder
        .run(&["run", "--json", "gate.json"])
        .exits(5)
        .says("gravityzone")
        .says("561 checks evaluated");
}

#[test]
fn environments_modes_and_levels_decide_the_code() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = format!(
        "{}environments:\n  staging:\n    gates:\n      - {{id: no-critical-or-high, source: \
         opencomply, severity: \">= high\", max: 0, level: warn}}\n",
        opencomply(&platform.origin, HIGH_NONE)
    );
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["run", "--environment", "staging"]).exits(0).says("warned");
    folder.run(&["run", "--environment", "staging", "--warn-exit-code", "10"]).exits(10);
    folder
        .write("compliance-gate.yaml", &policy.replace("version: 1", "version: 1\nmode: observe"));
    folder.run(&["run", "-e", "none", "--json", "gate.json"]).exits(0).says("would");
    assert_eq!(folder.json("gate.json")["verdict"], "blocked");
}

#[test]
fn runs_are_reused_while_they_are_fresh() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let stale = opencomply(&platform.origin, HIGH_119)
        .replace("    poll:", "    run: {when: stale, max_age: 1h}\n    poll:");
    folder.write("compliance-gate.yaml", &stale);
    folder.run(&["run"]).exits(0).says("started");
    folder.run(&["run"]).exits(0).says("reused");
    assert_eq!(platform.count("/baseline_security/run "), 1);
    // A viewer's key is enough to read what others ran.
    folder.write("compliance-gate.yaml", &stale.replace("when: stale, max_age: 1h", "when: never"));
    let mut viewer = folder.command(&["run"]);
    viewer.env("OPENCOMPLY_API_KEY", "viewer");
    Ended::wait(viewer).exits(0).says("reused");
    let mut viewer = folder.command(&["run"]);
    folder.write("compliance-gate.yaml", &stale);
    viewer.env("OPENCOMPLY_API_KEY", "viewer");
    Ended::wait(viewer).exits(4).says("viewer");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let gates = "  - {id: cspm, source: gravityzone, max: 1}\n";
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", gates));
    for name in ["a", "b"] {
        let (junit, sarif) = (format!("{name}.xml"), format!("{name}.sarif"));
        folder.run(&["run", "--junit", &junit, "--sarif", &sarif]).exits(1);
    }
    let timeless = |text: String| {
        let stamp = |line: &str| line.contains("Utc\"") || line.contains("timestamp");
        text.lines().filter(|line| !stamp(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(timeless(folder.read("a.sarif")), timeless(folder.read("b.sarif")));
    assert_eq!(timeless(folder.read("a.xml")).len(), timeless(folder.read("b.xml")).len());
}

#[test]
fn a_pass_that_cannot_be_told_is_none_wherever_it_is_told() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    let inconclusive = |exit_code: serde_json::Value| {
        let report = folder.json("gate.json");
        assert_eq!(
            (&report["verdict"], &report["exit_code"]),
            (&"inconclusive".into(), &exit_code)
        );
        let outputs = folder.read("gate.env");
        assert!(outputs.contains("VERDICT=inconclusive"), "{outputs}");
        let failed = "failed to write the JUnit report";
        assert!(report["warnings"][0].as_str().unwrap().starts_with(failed), "{report}");
    };
    let reports = ["run", "--json", "gate.json", "--dotenv", "gate.env", "--junit"];

    // Where it was to go vanishes while the run lasts.
    let command = folder.command(&[&reports[..], &["lost/gate.xml"]].concat());
    let run = thread::spawn(move || Ended::wait(command));
    platform.wait_for("POST /main/schedule/api/v3/compliance/framework/");
    std::fs::remove_dir_all(folder.path().join("lost")).unwrap();
    let ended = run.join().unwrap().exits(3);
    ended
        .says("Not decided: nothing blocks, but a report could not be written")
        .says("Exit code 3");
    inconclusive(3.into());

    if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
        let mut command = folder.command(&[&reports[..], &["-"]].concat());
        command.stdout(full);
        Ended::wait(command).exits(3).says("failed to write the JUnit report");
        inconclusive(3.into());
    }
}

/// Rust opens `/dev/null` where a stream was closed, which other programs do on purpose.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_stdout_is_a_report_that_is_lost() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let budget = "  - {id: budget, source: opencomply, max: 160}\n";
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, budget));
    let run = |arguments: &str| {
        let environment = folder.command(&[]);
        let environment = environment.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("exec {} run {arguments}", crate::common::BINARY)]);
        command.current_dir(folder.path()).env_clear().envs(environment);
        Ended::wait(command)
    };
    let closed = "standard output is closed";
    run(">&-").exits(3).says("failed to print the result").says(closed);
    run("--junit - >&-").exits(3).says("failed to write the JUnit report").says(closed);
    run(">/dev/null").exits(0).does_not_say(closed);
    run("<&- >/dev/null 2>&-").exits(0);
    run("<&- >&-").exits(3).says(closed);
    // Output is discarded on purpose, as daemons and Python's `subprocess.DEVNULL` do.
    run("<>/dev/null >&0 2>&0").exits(0);
    run("1<>/dev/null").exits(0).does_not_say(closed);
    run("--junit - 1<>/dev/null").exits(0).does_not_say(closed);
}

#[test]
fn hosts_find_the_policy_however_it_was_named() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = folder.path().join("deploy/gate.yaml");
    std::fs::create_dir_all(folder.path().join("deploy")).unwrap();
    folder.write("deploy/gate.yaml", &opencomply(&platform.origin, HIGH_NONE));
    let uri = |at: &str, named: &std::path::Path| {
        let mut command = folder.command(&["run", "--sarif", "gate.sarif", "--config"]);
        command.arg(named).current_dir(folder.path().join(at));
        Ended::wait(command).exits(1);
        let sarif = folder.json(&format!("{at}/gate.sarif"));
        let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        location["artifactLocation"]["uri"].as_str().unwrap().to_owned()
    };
    assert_eq!(uri(".", "deploy/gate.yaml".as_ref()), "deploy/gate.yaml");
    assert_eq!(uri(".", &policy), "deploy/gate.yaml");
    assert_eq!(uri("deploy", "gate.yaml".as_ref()), "gate.yaml");
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(uri("deploy", "gate.yaml".as_ref()), "deploy/gate.yaml");
    assert_eq!(uri("deploy", "./../deploy/gate.yaml".as_ref()), "deploy/gate.yaml");
}

#[test]
fn every_system_lists_the_words_of_a_policy() {
    let platform = Platform::start("healthy");
    let origin = &platform.origin;
    let folder = Folder::new();
    let policy = format!(
        "version: 1
sources:
  bigid: {{url: {origin}/api/v1}}
  bigpanda: {{url: {origin}, window: 24h}}
  gravityzone: {{url: {origin}/v1}}
  sysdig: {{url: {origin}, posture: {{}}}}
gates:
  - {{id: a, source: all, max: 0}}
"
    );
    folder.write("compliance-gate.yaml", &policy);
    for (source, what, says) in [
        ("bigid", "policies", "CASES"),
        ("bigid", "statuses", "acknowledged"),
        ("bigpanda", "rules", "maintenance_plan.create"),
        ("gravityzone", "rules", "cloud_scan/"),
        ("gravityzone", "accounts", "CHECKS"),
        ("gravityzone", "frameworks", "nist-sp-800-53-r5"),
        ("gravityzone", "statuses", "risk_accepted"),
        ("sysdig", "policies", "CIS Example Cloud Benchmark v2"),
        ("sysdig", "rules", "S3 - Blocked Public Access"),
        ("sysdig", "accounts", "400000000037"),
        ("sysdig", "severities", "medium"),
    ] {
        let mut command = folder.command(&["list", what, "--source", source]);
        command.env("BIGID_TOKEN", "token").env("BIGPANDA_API_KEY", "token");
        command.env("GRAVITYZONE_API_KEY", "token").env("SYSDIG_API_TOKEN", "token");
        Ended::wait(command).exits(0).says(says);
    }
}

#[test]
fn doctor_and_lists_start_nothing() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["doctor"]).exits(0).says("nothing was started");
    folder.run(&["list", "frameworks"]).exits(0).says("baseline_security").says("cis_aws");
    folder.run(&["list", "integrations"]).exits(0).says("122814690049");
    folder.run(&["list", "accounts"]).exits(0).says("122814690049");
    folder.run(&["list", "severities"]).exits(0).says("critical");
    folder.run(&["list", "statuses"]).exits(2).says("has a list of statuses");
    assert_eq!(platform.count("/run "), 0);
    for arguments in [&["doctor"][..], &["list", "frameworks"]] {
        let mut command = folder.command(arguments);
        command.env("OPENCOMPLY_API_KEY", "revoked");
        Ended::wait(command).exits(4).says("→ ");
    }
    let typo =
        opencomply(&platform.origin, HIGH_119).replace("[baseline_security]", "[baseline_securty]");
    folder.write("compliance-gate.yaml", &typo);
    let words = "framework `baseline_securty` does not exist";
    folder.run(&["doctor"]).exits(2).says(words).says("did you mean `baseline_security`?");
    folder.run(&["run", "--junit", "gate.xml"]).exits(2).says(words);
    assert!(folder.read("gate.xml").contains("baseline_securty"));
    assert_eq!(platform.count("/run "), 0);
}

#[test]
fn the_demo_shows_the_documented_figures() {
    let folder = Folder::new();
    folder
        .run(&["demo"])
        .exits(0)
        .says("119 high, 27 medium, 6 low")
        .says("409 of 561")
        .says("1,240 checks evaluated")
        .says("compliance-gate-demo");
    folder.run(&["demo", "--scenario", "blocked"]).exits(1);
    folder.run(&["demo", "--scenario", "inconclusive"]).exits(3);
    assert!(folder.path().join("compliance-gate-demo/report.sarif").exists());
}

#[test]
fn a_third_gate_with_other_integrations_waits_its_turn() {
    let platform = Platform::start("healthy");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let folder = Folder::new();
            folder.write("compliance-gate.yaml", &opencomply(&platform.origin, HIGH_119));
            folder
                .run(&["run"])
                .exits(0)
                .says("561 checks evaluated, failed: 119 high, 27 medium, 6 low");
        });
        platform.wait_for("/baseline_security/run ");
        let folder = Folder::new();
        let azure = "      - {integration_type: azure_subscription, provider_id: f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b}\n";
        let only_aws = opencomply(&platform.origin, HIGH_119).replace(azure, "");
        folder.write("compliance-gate.yaml", &only_aws);
        folder.run(&["run"]).exits(0).says("started");
        first.join().unwrap();
    });
    // The second start came only after the first run had ended.
    let requests = platform.requests();
    let starts: Vec<_> = requests
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains("/baseline_security/run "))
        .map(|(at, _)| at)
        .collect();
    let report = requests.iter().position(|line| line.contains("by-control"));
    assert_eq!(starts.len(), 2, "{requests:#?}");
    assert!(report < Some(starts[1]), "{requests:#?}");
}

#[test]
fn hostile_text_leaves_every_report_valid() {
    let platform = Platform::start("hostile");
    let folder = Folder::new();
    let policy = format!(
        "version: 1\nsources:\n  opencomply:\n    url: {0}\n{DOCUMENTED}  gravityzone:\n    url: \
         {0}/v1\ngates:\n{HIGH_NONE}  - {{id: cspm, source: gravityzone, max: 0}}\n",
        platform.origin
    );
    folder.write("compliance-gate.yaml", &policy);
    let ended = folder
        .run(&["run", "--json", "gate.json", "--junit", "gate.xml", "--sarif", "gate.sarif"])
        .exits(1);
    let lines = ended.stdout.lines().chain(ended.stderr.lines());
    for line in lines {
        assert!(!line.trim_start().starts_with("::"), "a command: {line}");
        assert!(!line.contains("##[") && !line.contains("##vso["), "a command: {line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "a control: {line:?}");
    }
    assert_eq!(folder.json("gate.json")["verdict"], "blocked");
    assert_eq!(folder.json("gate.sarif")["version"], "2.1.0");
    let junit = folder.read("gate.xml");
    assert!(!junit.contains("]]>") && !junit.contains('\u{1b}') && !junit.contains("<script>"));
}

#[test]
fn what_other_tools_call_it_works_or_has_a_tip() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("gate.yaml", &opencomply(&platform.origin, HIGH_119));
    folder.run(&["scan", "--policy", "gate.yaml"]).exits(0);
    for (flag, tip) in [
        ("--dry-run", "`compliance-gate doctor` checks everything and starts nothing"),
        ("--format=json", "each report has its own flag, such as `--json FILE`"),
        ("--token=invented", "a token comes from the variable of its system"),
    ] {
        folder.run(&["run", flag]).exits(2).says(tip);
    }
}

#[test]
fn the_help_shows_no_values_of_variables() {
    let folder = Folder::new();
    let ended = folder
        .command(&["run", "--help"])
        .env("COMPLIANCE_GATE_ENVIRONMENT", "of-this-machine")
        .output()
        .unwrap();
    let help = String::from_utf8(ended.stdout).unwrap();
    assert!(
        help.contains("COMPLIANCE_GATE_ENVIRONMENT") && !help.contains("of-this-machine"),
        "{help}"
    );
}
