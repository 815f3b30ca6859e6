//! What bad input gets: every row of the table, by the binary, with nothing sent.

use crate::common::{Ended, Folder, Platform, opencomply};

const GATES: &str = "  - {id: budget, source: opencomply, max: 160}\n";

/// A policy that is right, except for what a test makes wrong in it.
fn policy() -> String {
    opencomply("http://127.0.0.1:9", GATES)
}

/// What is wrong with how `policy check` refuses it: not exit 2, not this place, not these words.
fn complaint(policy: &str, place: &str, words: &[&str]) -> Option<String> {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", policy);
    let ended = folder.run(&["policy", "check"]);
    let place = format!("compliance-gate.yaml{place}");
    let said =
        ended.stderr.contains(&place) && words.iter().all(|word| ended.stderr.contains(word));
    (ended.code != Some(2) || !said)
        .then(|| format!("wanted {place} {words:?}, got {:?}\n{}", ended.code, ended.stderr))
}

#[track_caller]
fn refused(policy: &str, place: &str, words: &[&str]) {
    assert_eq!(complaint(policy, place, words), None);
}

fn with(from: &str, to: &str) -> String {
    let policy = policy();
    assert!(policy.contains(from), "`{from}` is not in the policy");
    policy.replacen(from, to, 1)
}

#[test]
fn a_right_policy_is_right() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &policy());
    folder.run(&["policy", "check"]).exits(0).says("valid: 1 gate over 1 source");
    folder.run(&["policy", "schema"]).exits(0).says("\"$schema\"");
    folder.run(&["policy", "init"]).exits(2).says("compliance-gate.yaml");
    folder.run(&["policy", "init", "other.yaml"]).exits(0);
    folder.run(&["policy", "check", "--config", "other.yaml"]).exits(0);
}

#[test]
fn keys_and_values_are_refused_where_they_stand() {
    let table: &[(&str, &str, &str, &[&str])] = &[
        ("version: 1", "version: 2", ":1:10", &["version 2 is not known"]),
        ("version: 1", "versoin: 1", ":1:1", &["unknown key `versoin`", "did you mean `version`?"]),
        ("gates:", "gate:", ":10:1", &["unknown key `gate`", "did you mean `gates`?"]),
        ("    url:", "    utl:", ":4:5", &["unknown key `utl`", "did you mean `url`?"]),
        ("poll: {interval:", "poll: {intervall:", ":9:12", &["did you mean `interval`?"]),
        ("max: 160", "maxx: 160", ":11:38", &["unknown key `maxx`", "did you mean `max`?"]),
        ("max: 160", "max: 160, max: 3", ":11:48", &["key `max` is given twice"]),
        ("version: 1", "version: 1\nversion: 1", ":2:1", &["key `version` is given twice"]),
        ("max: 160", "max: many", ":11:43", &["not a whole number of 0 or more"]),
        ("max: 160", "max: -1", ":11:43", &["not a whole number of 0 or more"]),
        ("max: 160", "max: 1.5", ":11:43", &["not a whole number of 0 or more"]),
        ("max: 160", "max:", ":11:", &[]),
        ("50ms", "50", ":9:", &["`50` is not a length of time"]),
        ("50ms", "0s", ":9:", &["more than nothing"]),
        ("50ms", "[1s]", ":9:", &[]),
        ("version: 1", "version: 1\ndeadline: soon", ":2:11", &["`soon` is not a length of time"]),
        ("max: 160", "min_pass_rate: 95", ":11:53", &["`95` is not a percentage"]),
        ("max: 160", "min_pass_rate: \"120%\"", ":11:53", &["more than 100 %"]),
        ("opencomply:", "opencompli:", ":3:3", &["unknown source", "did you mean `opencomply`?"]),
        ("opencomply:", "opencomply/:", ":3:3", &["the tenant's name"]),
        ("source: opencomply", "source: opencompl", ":11:26", &["did you mean `opencomply`?"]),
        ("max: 160", "level: warn", ":11:5", &["has no limit"]),
        (
            "max: 160",
            "max: 1, region: eu",
            ":11:54",
            &["selects by `region`", "possible are framework"],
        ),
        ("max: 160", "max: 1, severity: hihg", ":11:56", &["did you mean `high`?"]),
        ("max: 160", "max: 1, severity: []", ":11:", &["an empty list selects nothing"]),
        ("max: 160", "max: 1, level: warning", ":11:53", &["unknown word `warning`", "`warn`"]),
        (
            "max: 160",
            "max: 1}\n  - {id: budget, source: opencomply, max: 1",
            ":12:10",
            &["is used twice"],
        ),
        ("http://127.0.0.1:9", "ftp://127.0.0.1", ":4:10", &["http:// or https://"]),
        ("http://127.0.0.1:9", "https://user:hunter2@host", ":4:10", &["no user, password"]),
        (
            "http://127.0.0.1:9",
            "http://platform.example.com",
            ":4:5",
            &["plain http", "allow_http"],
        ),
        ("http://127.0.0.1:9", "nowhere", ":4:10", &["is not a URL"]),
        (
            "    url:",
            "    token_env: GRAVITYZONE_API_KEY\n    url:",
            ":4:5",
            &["does not begin with `OPENCOMPLY_`"],
        ),
        (
            "    url:",
            "    token: abc\n    url:",
            ":4:5",
            &[
                "unknown key `token`; tokens do not belong in this file: set them as variables in the pipeline",
            ],
        ),
        (
            "gates:",
            "evidence: {max_age: 1h, min_evaluatd: 1}\ngates:",
            ":10:25",
            &["did you mean `min_evaluated`?"],
        ),
        (
            "gates:",
            "accept: [{id: a, cause: unreachable, reason: \"\", expires: 2026-12-31}]\ngates:",
            ":10:46",
            &["this text is empty; write a sentence for the people who read the reports"],
        ),
        (
            "gates:",
            "accept: [{id: a, cause: denied, reason: x, expires: 2026-12-31}]\ngates:",
            ":10:",
            &["unknown word `denied`"],
        ),
        (
            "gates:",
            "evidence: {fail_open: [{cause: unreachable, reason: x, expires: 2026-12-31}]}\ngates:",
            ":10:12",
            &["unknown key `fail_open`; write an entry of `accept`, at the top of the file"],
        ),
        ("gates:", "reports: {junitt: a.xml}\ngates:", ":10:11", &["did you mean `junit`?"]),
        ("    frameworks: [baseline_security]\n", "", ":4:5", &["`frameworks` is missing"]),
        ("[baseline_security]", "[]", ":", &["frameworks"]),
    ];
    let complaints: Vec<_> = table
        .iter()
        .filter_map(|(from, to, place, words)| complaint(&with(from, to), place, words))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn an_unquoted_comparison_has_its_own_message() {
    let gates = "  - id: high\n    source: opencomply\n    severity: >= high\n    max: 0\n";
    refused(&opencomply("http://127.0.0.1:9", gates), ":13:15", &["severity: \">= high\""]);
}

#[test]
fn integrations_must_be_written() {
    let policy = policy();
    let (before, after) = policy.split_once("    integrations:").unwrap();
    let (_, rest) = after.split_once("    poll:").unwrap();
    refused(&format!("{before}    poll:{rest}"), ":4:5", &["`integrations` is missing", "`all`"]);
    let wrong = format!("{before}    integrations: everything\n    poll:{rest}");
    refused(&wrong, ":6:19", &["all"]);
}

#[test]
fn a_severity_that_a_system_never_reports_is_refused() {
    for (system, severity, words) in [
        ("opencomply", "informational", "critical, high, medium, low, none"),
        ("gravityzone", "none", "informational, low, medium, high, critical"),
        ("bigid", "informational", "critical, high, medium, low"),
        ("bigpanda", "none", "critical, high, medium, low, informational"),
        ("bigpanda", "critical", "`resource_types` of source `bigpanda` limits it to medium, low"),
    ] {
        let settings = match (system, severity) {
            ("opencomply", _) => "    frameworks: [f]\n    integrations: all\n",
            (_, "critical") => "    resource_types: [users]\n",
            _ => "",
        };
        let policy = format!(
            "version: 1\nsources:\n  {system}:\n    url: http://127.0.0.1:9\n{settings}gates:\n  - {{id: \
             g, source: {system}, severity: {severity}, max: 0}}\n"
        );
        refused(&policy, "", &["gate `g` can never match by its `severity`", words]);
    }
}

#[test]
fn a_policy_is_checked_as_a_whole() {
    let gravityzone = "  gravityzone:\n    url: http://127.0.0.1:9/v1\ngates:";
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &with("gates:", gravityzone));
    folder.run(&["policy", "check"]).exits(0).says("valid: 1 gate over 1 source").says(
        "note: compliance-gate.yaml: line 10: no gate uses source `gravityzone`, so it is not read",
    );
    // Nothing has to be complete in it; what is written has to be right.
    folder.write("compliance-gate.yaml", &with("gates:", "  gravityzone: {}\ngates:"));
    folder.run(&["policy", "check"]).exits(0);
    refused(
        &with("gates:", "  gravityzone: {filter: {}}\ngates:"),
        ":10:17",
        &["unknown key `filter`; did you mean `filters`?"],
    );
    let policy = policy();
    let gateless = policy.split("gates:").next().unwrap_or_default();
    for gateless in [gateless.to_owned(), format!("{gateless}gates: []\n")] {
        folder.write("compliance-gate.yaml", &gateless);
        folder
            .run(&["policy", "check"])
            .exits(0)
            .says("note: compliance-gate.yaml: no gate, so `run` refuses it");
        folder
            .run(&["run"])
            .exits(2)
            .says("the policy has no gate, so it would let everything pass");
    }
}

#[test]
fn evidence_without_a_time_of_its_own_is_as_old_as_its_reading() {
    let platform = Platform::start("estate");
    let folder = Folder::new();
    let policy = crate::common::gravityzone(
        &platform.origin,
        "",
        "  - {id: cspm, source: gravityzone, max: 100000}\nevidence: {max_age: 1h}\n",
    );
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["policy", "check"]).exits(0);
    folder.run(&["run", "--save-evidence", "e.jsonl"]).exits(0).says(
        "gravityzone: the platform states no time of evaluation, so `max_age` counts from the time \
         of reading",
    );
    folder.run(&["evaluate", "e.jsonl"]).exits(0);
    let tomorrow = chrono::Utc::now() + chrono::TimeDelta::hours(2);
    let at = tomorrow.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    folder.run(&["evaluate", "e.jsonl", "--at", &at]).exits(3).says("old; max_age is 1h");
}

#[test]
fn files_that_are_no_policy_are_refused() {
    refused("", ":", &["the file is empty; `compliance-gate policy init` writes a starter policy"]);
    refused("# nothing\n", ":", &["the file is empty"]);
    refused("- a\n- b\n", ":1:1", &["keys with values are expected here"]);
    refused("version: 1\n\tgates: x\n", ":1:", &["with spaces only"]);
    refused(&format!("{}---\nversion: 1\n", policy()), ":", &["a policy is one document"]);
    refused(&with("frameworks: [", "frameworks: [~, "), ":5:", &["a value is missing here"]);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &('b'..='k')
            .zip('a'..='j')
            .map(|(one, other)| {
                let aliases = vec![format!("*{other}"); 9].join(",");
                format!("{one}: &{one} [{aliases}]\n")
            })
            .collect::<String>();
    refused(&format!("version: 1\nsources: {{}}\ngates:\n  - {bomb}"), ":", &[]);
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &"[".repeat(256 << 10));
    folder.run(&["policy", "check"]).exits(2);
    folder.write("compliance-gate.yaml", &format!("{}#{}", policy(), "x".repeat(256 << 10)));
    folder.run(&["policy", "check"]).exits(2).says("256 KiB");
}

#[test]
fn one_policy_counts_and_it_is_named() {
    let folder = Folder::new();
    folder.run(&["policy", "check"]).exits(2).says("there is no configuration");
    folder.write("compliance-gate.yml", &policy());
    folder.run(&["policy", "check"]).exits(2).says("compliance-gate.yml does");
    folder.write(".github/compliance-gate.yaml", &policy());
    folder.run(&["policy", "check"]).exits(0);
    folder.write("compliance-gate.yaml", &policy());
    folder.run(&["policy", "check"]).exits(2).says("side by side");
    folder.run(&["policy", "check", "--config", "compliance-gate.yaml"]).exits(0);
    folder.run(&["run", "--config", "nowhere.yaml"]).exits(2).says("nowhere.yaml");
    folder
        .run(&["policy", "check", "-c", "compliance-gate.yaml", "-e", "prod"])
        .exits(0)
        .says("valid in prod: 1 gate over 1 source");
}

#[test]
fn environments_are_all_checked() {
    let folder = Folder::new();
    let environments =
        "environments:\n  production:\n    gates:\n      - {id: x, source: nothing, max: 1}\n";
    folder.write("compliance-gate.yaml", &format!("{}{environments}", policy()));
    folder.run(&["policy", "check"]).exits(2).says(":15:").says("`nothing`");
    folder.write(
        "compliance-gate.yaml",
        &format!("{}{}", policy(), environments.replace("nothing", "opencomply")),
    );
    folder.run(&["policy", "check"]).exits(0).says("valid in production: 2 gates");
    folder
        .run(&["policy", "check", "--environment", "producton"])
        .exits(2)
        .says("did you mean `production`?");
}

#[test]
fn no_password_or_token_of_a_policy_reaches_the_log() {
    for line in ["url: https://user:hunter2@host", "token: hunter2", "api_key: \"hunter2\""] {
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &with("url: http://127.0.0.1:9", line));
        folder.run(&["policy", "check"]).exits(2).does_not_say("hunter2");
    }
}

/// What an earlier run left, as far as it takes to recognise it.
const OLD_REPORT: &str = "COMPLIANCE_GATE_VERDICT=passed\n";

/// A run whose command is changed by `change` ends with exit 2, these words, and no request.
#[track_caller]
fn nothing_sent(change: impl Fn(&mut std::process::Command), words: &str) {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
    folder.write("gate.xml", OLD_REPORT);
    let mut command = folder.command(&["run", "--junit", "gate.xml"]);
    change(&mut command);
    Ended::wait(command).exits(2).says(words);
    assert_eq!(platform.requests(), Vec::<String>::new());
    assert_ne!(folder.read("gate.xml"), OLD_REPORT, "an old report was left in place");
}

#[test]
fn tokens_are_checked_before_anything_is_sent() {
    const TOKEN: &str = "OPENCOMPLY_API_KEY";
    nothing_sent(|command| _ = command.env_remove(TOKEN), "OPENCOMPLY_API_KEY is not set");
    nothing_sent(|command| _ = command.env(TOKEN, ""), "OPENCOMPLY_API_KEY is not set");
    nothing_sent(|command| _ = command.env(TOKEN, "one\ntwo"), "has a newline in it");
    nothing_sent(|command| _ = command.env(TOKEN, "one two"), "contains a space");
    nothing_sent(
        |command| _ = command.env("OPENCOMPLY_API_KEY_FILE", "/somewhere"),
        "both OPENCOMPLY_API_KEY and OPENCOMPLY_API_KEY_FILE are set",
    );
    nothing_sent(
        |command| _ = command.env_remove(TOKEN).env("OPENCOMPLY_API_KEY_FILE", "/nowhere/at/all"),
        "/nowhere/at/all",
    );
}

#[test]
fn a_token_may_come_from_a_file() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
    folder.write("token", "a-token-in-a-file\n");
    let mut command = folder.command(&["doctor"]);
    command.env_remove("OPENCOMPLY_API_KEY").env("OPENCOMPLY_API_KEY_FILE", "token");
    Ended::wait(command).exits(0);
}

#[test]
fn the_pipeline_limits_where_tokens_go() {
    let allowed = |origins: &'static str| {
        move |command: &mut std::process::Command| {
            command.env("COMPLIANCE_GATE_ALLOWED_ORIGINS", origins);
        }
    };
    nothing_sent(allowed("https://compliance.example.com"), "is not one of the origins");
    nothing_sent(allowed("compliance.example.com"), "is not an origin");
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
    let mut command = folder.command(&["doctor"]);
    let origins = format!("https://compliance.example.com, {}", platform.origin);
    command.env("COMPLIANCE_GATE_ALLOWED_ORIGINS", origins);
    Ended::wait(command).exits(0);
}

#[test]
fn a_report_that_could_not_be_written_is_known_before_anything_is_sent() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(&platform.origin, GATES));
    folder.write("file", "not a folder");
    folder.run(&["run", "--junit", "file/gate.xml"]).exits(2).says("file/gate.xml");
    folder.run(&["run", "--junit", "same", "--sarif", "same"]).exits(2).says("same");
    assert_eq!(platform.requests(), Vec::<String>::new());
}

#[test]
fn no_report_takes_the_place_of_a_policy() {
    let folder = Folder::new();
    folder.write("gate.yaml", &policy());
    folder.run(&["run", "-c", "gate.yaml", "--json", "./gate.yaml"]).exits(2).says("the policy");
    let own = policy() + "reports: {json: gate.yaml}\n";
    folder.write("gate.yaml", &own);
    folder.run(&["run", "-c", "gate.yaml"]).exits(2).says("would replace the policy");
    assert_eq!(folder.read("gate.yaml"), own);

    folder.write("compliance-gate.yaml", &policy());
    folder.run(&["demo", "--out", "."]).exits(2).says("is not the demo's");
    assert_eq!(folder.read("compliance-gate.yaml"), policy());
}

#[test]
fn usage_is_exit_2() {
    let folder = Folder::new();
    for arguments in
        [&["run", "--jnuit", "x"][..], &["rnu"], &[], &["run", "--warn-exit-code", "3"]]
    {
        folder.run(arguments).exits(2);
    }
    folder.run(&["--help"]).exits(0).says("Exit codes");
    folder.run(&["--version"]).exits(0);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &policy());
    let mut command = folder.command(&["policy", "check"]);
    command
        .env("COMPLIANCE_GATE_CONFIG", "")
        .env("COMPLIANCE_GATE_ENVIRONMENT", "")
        .env("COMPLIANCE_GATE_VERBOSE", "");
    Ended::wait(command).exits(0);
    let mut command = folder.command(&["policy", "check"]);
    command.env("COMPLIANCE_GATE_CONFIG", "other.yaml");
    Ended::wait(command).exits(2).says("other.yaml");
}
