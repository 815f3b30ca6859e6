//! The binary on CI hosts: it looks at their variables, and speaks to each as it understands.

use crate::common::{BINARY, Ended, Folder, Platform, opencomply};

const NONE_HIGH: &str =
    "  - {id: no-critical-or-high, source: opencomply, severity: \">= high\", max: 0}\n";

#[test]
fn on_github_a_blocked_run_leaves_outputs_summary_and_annotations() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, NONE_HIGH));
    let mut command = folder.command(&["run", "--sarif", "gate.sarif"]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", folder.path().join("output"))
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary"));
    let ended = Ended::wait(command)
        .exits(1)
        .says("::group::Evidence\n")
        .says("\n::endgroup::\n")
        .says("\n::error file=compliance-gate.yaml,line=")
        .does_not_say("add-mask");
    assert!(
        ended.stdout.ends_with("Verdict: blocked (no-critical-or-high). Exit code 1.\n"),
        "{}",
        ended.stdout
    );
    let outputs = folder.read("output");
    for words in
        ["verdict<<", "\nblocked\n", "exit-code<<", "\nno-critical-or-high\n", "gate.sarif"]
    {
        assert!(outputs.contains(words), "no {words} in {outputs}");
    }
    assert!(folder.read("summary").contains("### ❌ Deploy blocked by 1 of 1 gate"));
}

#[test]
fn a_policy_that_is_wrong_is_told_on_github_too() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", "version: 1\ngates: []\n");
    let mut command = folder.command(&["run"]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", folder.path().join("output"))
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary"));
    Ended::wait(command).exits(2).says("::error title=compliance-gate%3A nothing was started::");
    assert!(folder.read("output").contains("\ninvalid\n"));
    assert!(folder.read("summary").contains("nothing was started"));

    // A report has stdout to itself, also one that is never written.
    let mut command = folder.command(&["run", "--json", "-"]);
    command.env("GITHUB_ACTIONS", "true");
    let ended = Ended::wait(command).exits(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("::error title="), "{}", ended.stderr);
}

#[test]
fn a_choice_beats_the_variables_and_nothing_changes_the_code() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, NONE_HIGH));
    let mut silent = folder.command(&["run", "--ci", "none"]);
    silent.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", folder.path().join("output"));
    Ended::wait(silent).exits(1).does_not_say("::group::");
    assert!(!folder.path().join("output").exists());

    // A host's file that cannot be written is a note.
    let mut lost = folder.command(&["run"]);
    lost.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", folder.path().join("no/such"));
    Ended::wait(lost).exits(1).says("failed to set the step's outputs");

    let mut azure = folder.command(&["run"]);
    azure.env("COMPLIANCE_GATE_CI", "azure");
    Ended::wait(azure).exits(1).says("##vso[task.logissue type=error;sourcepath=compliance-gate");
    folder.run(&["run", "--ci", "travis"]).exits(2).says("possible values: auto, none, github");
}

/// Some hosts give a job a terminal, and keep its control codes in the log.
#[cfg(target_os = "linux")]
#[test]
fn on_a_ci_host_a_terminal_gets_plain_lines_too() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, NONE_HIGH));
    let run = format!("'{BINARY}' run >/dev/null");
    let shown = |ci: &str| {
        let mut terminal = std::process::Command::new("script");
        terminal
            .args(["--quiet", "--return", "--command", &run, "/dev/null"])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("CI", ci)
            .env("OPENCOMPLY_API_KEY", "test-token-of-opencomply")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped());
        Ended::wait(terminal).exits(1).stdout
    };
    let live = shown("");
    assert!(live.contains("\r\u{1b}[2K0s of 45m · opencomply "), "{live:?}");
    let plain = shown("true");
    assert!(plain.contains("opencomply ") && !plain.contains('\u{1b}'), "{plain:?}");
}
