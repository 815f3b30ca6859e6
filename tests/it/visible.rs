//! What changed a decision is visible on the first screen of every report.

use serde_json::Value;

use crate::common::{Ended, Folder, Platform, gravityzone};

const FORMATS: [&str; 5] = ["markdown", "html", "junit", "sarif", "json"];

/// Runs with every report, and returns the beginning of each as people see it.
fn first_screens(folder: &Folder, variables: &[(&str, &str)], code: i32) -> Vec<(String, String)> {
    let mut arguments = vec!["run".to_owned()];
    for format in FORMATS {
        arguments.extend([format!("--{format}"), format!("out.{format}")]);
    }
    if folder.path().join("org.yaml").exists() {
        arguments.extend(["--org-policy".to_owned(), "org.yaml".to_owned()]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut command = folder.command(&arguments);
    command.envs(variables.iter().copied());
    let ended = Ended::wait(command).exits(code);
    let mut screens = vec![("terminal".to_owned(), head(&ended.stdout, 40))];
    for format in FORMATS {
        let text = folder.read(&format!("out.{format}"));
        let text = match format {
            // What comes before the findings.
            "html" => {
                let body = text.split("</style>").nth(1).unwrap();
                body.split("id=\"findings\"").next().unwrap().to_owned()
            }
            "sarif" | "json" => text,
            _ => head(&text, 60),
        };
        screens.push((format.to_owned(), text));
    }
    screens
}

fn head(text: &str, lines: usize) -> String {
    text.lines().take(lines).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn all_say(screens: &[(String, String)], words: &[&str]) {
    for (format, screen) in screens {
        for word in words {
            assert!(screen.contains(word), "{format} does not say `{word}`:\n{screen}");
        }
    }
}

const HIGH: &str = "  - {id: none, source: gravityzone, severity: high, max: 0}\n";

#[test]
fn mode_observe_is_visible() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = gravityzone(&platform.origin, "", HIGH);
    folder.write(
        "compliance-gate.yaml",
        &policy.replace("version: 1\n", "version: 1\nmode: observe\n"),
    );
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["Observed only, would be: Deploy blocked by 1 of 1 gate"]);
    // Beside an organisation's policy that holds.
    folder.write(
        "org.yaml",
        &gravityzone(&platform.origin, "", "  - {id: all, source: gravityzone, max: 1000000}\n"),
    );
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["Observed only, would be: Deploy blocked by 1 of 2 gates"]);
    // And beside one that blocks: the gate that is only observed is not counted.
    folder.write(
        "org.yaml",
        &gravityzone(&platform.origin, "", "  - {id: all, source: gravityzone, max: 1}\n"),
    );
    let screens = first_screens(&folder, &[], 1);
    all_say(&screens, &["Deploy blocked by 1 of 2 gates; 1 more is only observed"]);
}

#[test]
fn break_glass_is_visible_and_nothing_without_its_report() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", "version: 1\n");
    let organisation = gravityzone(&platform.origin, "", HIGH) + "break_glass: [1, 3]\n";
    folder.write("org.yaml", &organisation);
    let until = (chrono::Utc::now() + chrono::TimeDelta::hours(2)).format("%Y-%m-%dT%H:%MZ");
    let asked = format!("{until} INC-4711 payments are down");
    let variables = [("COMPLIANCE_GATE_BREAK_GLASS", asked.as_str())];
    let screens = first_screens(&folder, &variables, 0);
    all_say(&screens, &["Overridden by break-glass until", "(INC-4711 payments are down)"]);
    // A report that cannot be written.
    let records = folder.path().join("records.jsonl");
    std::fs::write(&records, "").unwrap();
    let mut command = folder.command(&[
        "run",
        "--org-policy",
        "org.yaml",
        "--json",
        "gone/out.json",
        "--markdown",
        "out.md",
    ]);
    command.envs(variables);
    command.env("COMPLIANCE_GATE_RECORD", "/dev/full");
    Ended::wait(command).exits(2);
    let mut command = folder.command(&["run", "--org-policy", "org.yaml"]);
    command.envs(variables);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let ended = Ended::wait(command).exits(3);
    ended.says("failed to print the result");
}

#[test]
fn acceptances_of_every_kind_are_visible() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let accept = |entry: &str| {
        format!(
            "accept:\n  - {{id: named-entry, reason: The reason, owner: '#the-owner', expires: 2027-01-31, {entry}}}\n"
        )
    };
    let policy =
        |gates: &str, entry: &str| gravityzone(&platform.origin, "", gates) + &accept(entry);
    // Findings.
    folder.write("compliance-gate.yaml", &policy(HIGH, "match: {rule: \"*\"}, max_findings: 1000"));
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["named-entry", "#the-owner", "2027-01-31"]);
    // A baseline.
    folder.write("compliance-gate.yaml", &gravityzone(&platform.origin, "", HIGH));
    folder.run(&["run", "--save-evidence", "e.jsonl"]).exits(1);
    folder.run(&["baseline", "write", "e.jsonl", "--file", "base.jsonl"]).exits(0);
    folder.write("compliance-gate.yaml", &policy(HIGH, "baseline: base.jsonl"));
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["named-entry", "#the-owner", "2027-01-31"]);
    // A gate that is off.
    let two = format!("{HIGH}  - {{id: all, source: gravityzone, max: 100000}}\n");
    folder.write("compliance-gate.yaml", &policy(&two, "gate_off: none"));
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["named-entry", "#the-owner", "2027-01-31"]);
    // What was accepted on the platform.
    let accepted =
        "  - {id: none, source: gravityzone, severity: high, status: risk_accepted, max: 0}\n";
    folder.write("compliance-gate.yaml", &policy(accepted, "upstream: gravityzone.risk_accepted"));
    let arguments = ["run", "--json", "out.json"];
    folder.run(&arguments);
    let report: Value = folder.json("out.json");
    assert_eq!(report["acceptances"][0]["id"], "named-entry");
    // An outage.
    let gone = gravityzone("http://127.0.0.1:1", "    request_timeout: 1s\n", HIGH)
        + "deadline: 4s\n"
        + &accept("cause: unreachable, source: gravityzone");
    folder.write("compliance-gate.yaml", &gone);
    let screens = first_screens(&folder, &[], 0);
    all_say(&screens, &["named-entry", "#the-owner", "2027-01-31"]);
}
