//! What a policy file may look like, and the exact words about what is wrong with it.

use compliance_gate::selection::Field;

use crate::common::{Ended, Folder, Platform, gravityzone, opencomply};

const URL: &str = "http://127.0.0.1:9";
const GATES: &str = "  - {id: budget, source: opencomply, max: 160}\n";

fn policy() -> String {
    opencomply(URL, GATES)
}

fn check(policy: &str) -> Ended {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", policy);
    folder.run(&["policy", "check"])
}

/// The lines of an error that begin with the file's name.
fn errors(ended: Ended) -> Vec<String> {
    let ended = ended.exits(2);
    let lines = ended.stderr.lines().map(|line| line.trim_start_matches("error: "));
    lines
        .filter_map(|line| line.strip_prefix("compliance-gate.yaml:"))
        .map(|line| line.trim_start().to_owned())
        .collect()
}

/// Changes the policy that is right, and compares all that is said about it.
#[track_caller]
fn said(from: &str, to: &str, expected: &[&str]) {
    let policy = policy();
    assert!(policy.contains(from), "`{from}` is not in the policy");
    assert_eq!(errors(check(&policy.replacen(from, to, 1))), expected, "{to}");
}

/// The keys of a gate: its own, and a selector for each field.
fn gate_keys() -> String {
    let own = [Field::OlderThan, Field::Severity];
    let fields = Field::ALL.iter().filter(|field| !own.contains(field));
    let selectors: Vec<_> = fields.map(|field| field.word()).collect();
    format!(
        "id, source, level, description, owner, link, severity, older_than, except, each, \
         blocks_from, max, min_pass_rate, min_evaluated, {}",
        selectors.join(", ")
    )
}

#[test]
fn slips_of_yaml_are_answered_with_what_to_write() {
    said(
        "max: 160",
        "max: 1, rule: *_public_*",
        &[
            "11:52: an unquoted `*` begins a YAML alias, and there is no anchor `&_public_*`; write \
           the value in quotes: `\"*_public_*\"`",
        ],
    );
    said(
        "max: 160",
        "max: 1, status: !open",
        &["11:54: an unquoted `!` begins a YAML tag, and tags such as `!open` have no meaning \
           here; write the value in quotes (a selector cannot be negated: use `except`)"],
    );
    said(
        "max: 160",
        "max: 1, rule: \"!x\"",
        &["11:52: `!x`: a selector cannot be negated; take what is out of scope out with `except`"],
    );
    said(
        "[baseline_security]",
        "baseline_security",
        &["5:17: a list is expected here; write `[baseline_security]`"],
    );
    said(
        "max: 160",
        "max: {critical: 0}",
        &["11:43: a whole number is expected here; write one gate for each severity, such as \
           `{severity: critical, max: 0}`"],
    );
    said(
        "- {integration_type: aws_cloud_account, provider_id: \"122814690049\"}",
        "- prod",
        &[
            "7:9: keys with values are expected here, as in `key: value`; write what identifies the \
           integration, such as `{name: production}` or `{provider_id: \"122814690049\"}`",
        ],
    );
    said(
        URL,
        "compliance.example.com",
        &["4:10: `compliance.example.com` is not a URL; write `https://compliance.example.com`"],
    );
    said(
        URL,
        "localhost:8080",
        &["4:10: `localhost:8080` is not a URL; write `https://localhost:8080`"],
    );
    said(
        "[baseline_security]",
        "[baseline_security",
        &["5:17: the `[` here is not closed before line 6; add `]`, or a comma between two items"],
    );
    said(
        "max: 160",
        "max: 010",
        &["11:43: `010` is not a whole number of 0 or more, without quotes"],
    );
    said(
        "max: 160",
        "max: 1, owner: #sec",
        &[
            "11:5: the `{` here is not closed; an unquoted ` #` begins a comment, so a value with it \
           needs quotes",
        ],
    );
    let known = format!("(known: {})", gate_keys());
    said(
        "max: 160",
        "max: 1, min_severity: high",
        &[&format!("11:46: unknown key `min_severity`; write `severity: \">= high\"` {known}")],
    );
    said(
        "max: 160",
        "max_failures: 1",
        &[&format!(
            "11:38: unknown key `max_failures`; write `max: 0` for the most failures allowed {known}"
        )],
    );
    said("version: 1\n", "", &["1:1: `version` is missing; begin the file with `version: 1`"]);
    said(
        "  opencomply:",
        "  openconply:",
        &[
            "3:3: unknown source `openconply`; did you mean `opencomply`? (known systems: bigid, \
             bigpanda, gravityzone, opencomply, sysdig)",
            "11:26: gate `budget` asks source `opencomply`, which is not configured; did you mean \
             `openconply`?",
        ],
    );
}

#[test]
fn block_gates_have_their_slips_too() {
    let gate = |line: &str| {
        let gates = format!("  - id: budget\n    source: opencomply\n    {line}\n    max: 1\n");
        errors(check(&opencomply(URL, &gates)))
    };
    assert_eq!(
        gate("owner: #sec-platform"),
        [
            "13:5: a value is missing here: an unquoted `#` begins a comment; write it in quotes, as \
          in `owner: \"#name\"`"
        ]
    );
    assert_eq!(
        gate("severity: >= high"),
        ["13:15: an unquoted `>` begins a YAML block text; write it in quotes: `severity: \">= \
          high\"`"]
    );
    assert_eq!(
        gate("description: alarms: none"),
        ["13:24: a second `: ` on one line; write the value in quotes, or the keys on lines of \
          their own"]
    );
    assert_eq!(gate("owner: @sec"), ["13:12: a value cannot begin with `@`; write it in quotes"]);
    assert_eq!(
        gate("rule: *"),
        [
            "13:11: an unquoted `*` or `&` begins a YAML alias or anchor; write the value in quotes, \
          as in `\"*\"`"
        ]
    );
    assert_eq!(
        gate("link: wiki"),
        ["13:11: a link begins with https:// or http://, and has no user or password in it"]
    );
    assert_eq!(
        gate("description: \" \""),
        ["13:18: this text is empty; write a sentence for the people who read the reports"]
    );
    assert_eq!(
        gate("account:"),
        ["13:5: a value is missing here; write one, or leave the key out"]
    );
}

#[test]
fn all_errors_of_a_file_are_found_at_once() {
    let policy = "version: 1\n\
                  sources:\n  opencomply:\n    utl: http://127.0.0.1:9\n    frameworks: x\n\
                  \x20   integrations: all\n    poll: {interval: soon}\n\
                  gates:\n  - {id: a, source: opencomply, max: many}\n\
                  \x20 - {id: b, source: opencomply}\n  - {id: a, source: nothing, max: 0}\n\
                  evidence: {max_age: 1}\n";
    assert_eq!(
        errors(check(policy)),
        [
            "4:5: unknown key `utl`; did you mean `url`? (known: url, allow_http, \
             request_timeout, ca_file, client_cert, client_key, token_env, headers, frameworks, integrations, run, poll, cancel)",
            "5:17: a list is expected here; write `[x]`",
            "7:22: `soon` is not a length of time (expected number at 0); write a number with its \
             unit, such as `30s`, `45m` or `2h`",
            "9:38: `many` is not a whole number of 0 or more, without quotes",
            "10:5: gate `b` has no limit; give it `max`, `min_pass_rate` or `min_evaluated`",
            "11:10: gate id `a` is used twice; each gate needs its own",
            "11:21: gate `a` asks source `nothing`, which is not configured",
            "12:21: `1` is not a length of time (time unit needed, for example 1sec or 1ms); write \
             a number with its unit, such as `30s`, `45m` or `2h`",
        ]
    );
}

#[test]
fn scalars_are_taken_as_they_are_written() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let gates = "  - {id: all, source: opencomply, min_pass_rate: 0.5%}\n\
                 \x20 - {id: account, source: opencomply, account: 122814690049, max: 9999}\n\
                 \x20 - {id: octal, source: opencomply, account: [0123, 1e5, no, 0x1f], max: 0, \
                 min_evaluated: 0, description: Undocumented, owner: \"#sec\", \
                 link: \"https://wiki.example.com/?p=1#a\"}\n";
    let policy = opencomply(&platform.origin, gates).replace("\"122814690049\"", "122814690049");
    folder.write("compliance-gate.yaml", &policy);
    folder.run(&["run", "--json", "gate.json"]).exits(0);
    let gates = &folder.json("gate.json")["gates"];
    assert_eq!(gates[0]["limits"]["min_pass_rate"], "0.5%");
    assert_eq!(gates[1]["selection"]["account"], serde_json::json!(["122814690049"]));
    assert_eq!(gates[1]["file"], "compliance-gate.yaml");
    assert_eq!(gates[2]["selection"]["account"], serde_json::json!(["0123", "1e5", "no", "0x1f"]));
    assert_eq!(gates[2]["description"], "Undocumented");
    assert_eq!(gates[2]["owner"], "#sec");
    assert_eq!(gates[2]["link"], "https://wiki.example.com/?p=1#a");
}

#[test]
fn merged_keys_and_keys_to_refer_to() {
    let policy = "version: 1\nx-common: &common {source: opencomply, severity: high, max: 5}\n\
                  x-strict: &strict {max: 0, level: warn}\n"
        .to_owned()
        + policy().strip_prefix("version: 1\n").unwrap().split("gates:").next().unwrap();
    let gates = "gates:\n  - {<<: *common, id: a}\n  - {id: b, max: 1, <<: [*strict, *common]}\n";
    check(&(policy.clone() + gates)).exits(0).says("valid: 2 gates over 1 source");

    // The key beside `<<` wins wherever it is.
    let wrong = "gates:\n  - {<<: *common, id: a, max: x}\n  - {id: b, max: y, <<: *common}\n";
    assert_eq!(
        errors(check(&(policy.clone() + wrong))),
        [
            "13:31: `x` is not a whole number of 0 or more, without quotes",
            "14:18: `y` is not a whole number of 0 or more, without quotes",
        ]
    );
    let wrong = "gates:\n  - {<<: common, id: a, source: opencomply, max: 1}\n";
    assert_eq!(
        errors(check(&(policy + wrong))),
        [
            "13:10: `<<` takes over the keys of another map; write `<<: *name`, with `&name` at that \
          map"
        ]
    );
}

#[test]
fn a_newer_file_is_refused_in_one_sentence() {
    let newer = "requires: \">= 99.1\" # for `accept`\nversion: 7\nunheard: [of\n";
    assert_eq!(
        errors(check(newer)),
        [format!(
            "the file requires compliance-gate >= 99.1, and this is {}; install a newer release",
            env!("CARGO_PKG_VERSION")
        )]
    );
    check(&policy().replace("version: 1\n", "version: 1\nrequires: \">= 0.1\"\n")).exits(0);
    said(
        "version: 1",
        "version: 1\nrequires: latest",
        &["2:11: `latest` is not a requirement; write the least version, as in `requires: \">= \
           0.2\"`"],
    );
}

const ENVIRONMENTS: &str = "environments:\n  staging: {mode: observe}\n  empty:\n  production:\n\
                            \x20   sources: {gravityzone: {filters: {severities: [critical]}}}\n\
                            \x20   gates: [{id: budget, max: 0}, {id: more, source: gravityzone, \
                            max: 1}]\n    evidence: {min_evaluated: 2}\n";

fn with_environments() -> String {
    let gates = "  - {id: budget, source: gravityzone, severity: critical, max: 99999}\n";
    gravityzone(URL, "    page_limit: 100\n", gates) + ENVIRONMENTS
}

#[test]
fn an_environment_must_be_chosen_where_there_are_some() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &with_environments());
    for command in ["run", "doctor"] {
        folder.run(&[command]).exits(2).says(
            "compliance-gate.yaml: this file has environments; choose one with `--environment`: \
             staging, empty, production, or `none` for the base alone",
        );
    }
    folder.run(&["run", "-e", "prodution"]).exits(2).says(
        "compliance-gate.yaml: environment `prodution` is unknown; did you mean `production`? (the \
         file has staging, empty, production, and `none` for the base alone)",
    );
    folder
        .run(&["policy", "check"])
        .exits(0)
        .says("compliance-gate.yaml: valid without an environment: 1 gate over 1 source\n")
        .says("compliance-gate.yaml: valid in staging: 1 gate over 1 source\n")
        .says("compliance-gate.yaml: valid in empty: 1 gate over 1 source\n")
        .says("compliance-gate.yaml: valid in production: 2 gates over 1 source\n");
    folder
        .run(&["policy", "check", "-e", "none"])
        .exits(0)
        .says("compliance-gate.yaml: valid: 1 gate over 1 source\n");
}

#[test]
fn environments_are_merged_key_by_key() {
    let platform = Platform::start("blocked");
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &with_environments().replace(URL, &platform.origin));
    folder.run(&["run", "-e", "none", "--json", "none.json"]).exits(0);
    folder.run(&["run", "-e", "production", "--json", "production.json"]).exits(1);
    folder.run(&["run", "-e", "staging", "--json", "staging.json"]).exits(0);
    let (base, production) = (folder.json("none.json"), folder.json("production.json"));
    assert_eq!(base["environment"], serde_json::Value::Null);
    assert_eq!(production["environment"], "production");
    // The limit is replaced, source and severity are taken over.
    let gate = &production["gates"][0];
    assert_eq!(gate["limits"]["max"], 0);
    assert_eq!(gate["selection"]["severity"], base["gates"][0]["selection"]["severity"]);
    assert_eq!(production["gates"][1]["id"], "more");
    assert_eq!(folder.json("staging.json")["mode"], "observe");
}

#[test]
fn what_is_wrong_in_an_environment_is_named() {
    let wrong = |environment: &str| {
        let folder = Folder::new();
        let text = policy() + "environments:\n  production:\n" + environment;
        folder.write("compliance-gate.yaml", &text);
        errors(folder.run(&["policy", "check"]))
    };
    assert_eq!(
        wrong("    reports: {junit: x.xml}\n"),
        ["14:5: unknown key `reports` in an environment (known: mode, sources, gates, evidence)"]
    );
    assert_eq!(
        wrong("    version: 1\n"),
        ["14:5: `version` is the same in all environments; an environment can change mode, \
          sources, gates, evidence"]
    );
    assert_eq!(
        wrong("    gates: [{id: new, max: 1}]\n"),
        ["14:13: `source` is missing; name the source that the gate asks, such as `source: \
          opencomply` (in `production`)"]
    );
    assert_eq!(
        wrong("    gates: [{id: budget, max: x}]\n"),
        ["14:31: `x` is not a whole number of 0 or more, without quotes"]
    );
    assert_eq!(
        wrong("    - mode\n"),
        ["14:5: keys with values are expected here, as in `key: value`, and not a list; each \
          environment is a key, such as `production:`"]
    );
    let text = policy() + "environments: {none: {mode: observe}}\n";
    assert_eq!(
        errors(check(&text)),
        ["12:16: `none` is the base of the file; give the environment another name"]
    );
}

#[test]
fn a_slip_in_another_environment_stops_a_run_and_what_is_missing_there_does_not() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let text = |other: &str| {
        opencomply(&platform.origin, GATES)
            + "environments:\n  production: {mode: enforce}\n  staging:\n    sources:\n"
            + "      sysdig: {"
            + other
            + "}\n    gates: [{id: s, source: sysdig, max: 0}]\n"
    };
    folder.write("compliance-gate.yaml", &text(""));
    folder.run(&["run", "-e", "production"]).exits(0);
    folder.write("compliance-gate.yaml", &text("postur: {}"));
    folder.run(&["run", "-e", "production"]).exits(2).says("did you mean `posture`?");
}

#[cfg(unix)]
#[test]
fn only_regular_files_of_the_workspace_are_read() {
    use std::os::unix::fs::symlink;
    let (outside, folder) = (Folder::new(), Folder::new());
    outside.write("secret", "hunter2: [\n").write("policy.yaml", &policy());
    let secret = outside.path().join("secret");
    let place = folder.path().join("compliance-gate.yaml");

    symlink(&secret, &place).unwrap();
    folder.run(&["policy", "check"]).exits(2).does_not_say("hunter2").says(
        "compliance-gate.yaml: this is a symbolic link that leaves the workspace; a policy of the \
         repository is a file of the repository",
    );
    // What the pipeline names may be anywhere, and none of its lines is shown.
    let named = secret.display().to_string();
    folder.run(&["policy", "check", "-c", &named]).exits(2).does_not_say("hunter2");
    let named = outside.path().join("policy.yaml").display().to_string();
    folder.run(&["policy", "check", "-c", &named]).exits(0);

    std::fs::remove_file(&place).unwrap();
    folder.write("real.yaml", &policy());
    symlink("real.yaml", &place).unwrap();
    folder.run(&["policy", "check"]).exits(0);

    for special in ["/dev/zero", "/dev/null", "."] {
        folder
            .run(&["policy", "check", "-c", special])
            .exits(2)
            .says("this is not a regular file, and only those are read");
    }
    let fifo = folder.path().join("fifo").display().to_string();
    if std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success())
    {
        // It ends, although nothing is ever written there.
        folder.run(&["policy", "check", "-c", &fifo]).exits(2);
    }
}

#[test]
fn report_paths_of_a_policy_stay_inside_the_workspace() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &(policy() + "reports: {json: ../victim}\n"));
    folder.run(&["run"]).exits(2).says(
        "compliance-gate.yaml:12:17: `../victim` leaves the workspace; a report that a policy names \
         stays inside it (`--json PATH` may name any place)",
    );
    folder.write("compliance-gate.yaml", &(policy() + "reports: {json: .git/hooks/pre-push}\n"));
    folder.run(&["run"]).exits(2).says(
        "compliance-gate.yaml:12:17: `.git/hooks/pre-push` is a file of git; name another place",
    );
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_reports_out_of_the_workspace() {
    let (outside, folder) = (Folder::new(), Folder::new());
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    folder.write("compliance-gate.yaml", &(policy() + "reports: {json: out/gate.json}\n"));
    folder.run(&["run"]).exits(2).says("`out/gate.json` leaves the workspace");
}

#[test]
fn nothing_is_touched_before_the_file_is_valid() {
    const OLD: &str = "COMPLIANCE_GATE_VERDICT=passed\n";
    let folder = Folder::new();
    let reports = "reports: {junit: old/gate.xml, code_quality: cq.json}\n";
    folder.write("compliance-gate.yaml", &(policy() + reports + "sorces: {}\n"));
    folder.write("old/gate.xml", OLD).write("cq.json", OLD).write("flag.md", OLD);
    folder.run(&["run", "--markdown", "flag.md"]).exits(2);
    for path in ["old/gate.xml", "cq.json", "flag.md"] {
        assert_eq!(folder.read(path), OLD, "{path}");
    }
}

#[test]
fn only_reports_are_replaced_by_reports() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let reports = "reports: {json: out/gate.json}\n";
    folder.write("compliance-gate.yaml", &(opencomply(&platform.origin, GATES) + reports));
    folder.write("out/gate.json", "{\"name\": \"app\"}");
    folder.run(&["run"]).exits(2).says(
        "a file is there that is not a report of compliance-gate; remove it, or name another place",
    );
    assert_eq!(folder.read("out/gate.json"), "{\"name\": \"app\"}");
    assert_eq!(platform.requests(), Vec::<String>::new());

    // An empty file is nothing to lose, and every format knows its own.
    folder.write("out/gate.json", "");
    let flags = [
        "run",
        "--junit",
        "r/1",
        "--sarif",
        "r/2",
        "--markdown",
        "r/3",
        "--html",
        "r/4",
        "--code-quality",
        "r/5",
        "--dotenv",
        "r/6",
    ];
    for _ in 0..2 {
        folder.run(&flags).exits(0);
    }
    assert_eq!(folder.json("out/gate.json")["verdict"], "passed");
}

#[test]
fn paths_of_a_policy_begin_at_its_folder() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let text = opencomply(&platform.origin, GATES) + "reports: {json: gate.json}\n";
    folder.write("policies/gate.yaml", &text);
    folder.run(&["run", "-c", "policies/gate.yaml"]).exits(0);
    assert_eq!(folder.json("policies/gate.json")["gates"][0]["file"], "policies/gate.yaml");
}

#[test]
fn init_leaves_an_existing_file_as_it_is() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", "mine\n");
    let ended = folder.run(&["policy", "init"]).exits(2);
    assert_eq!(
        ended.stderr,
        "error: compliance-gate.yaml exists already and is left as it is; name another file, as in \
         `compliance-gate policy init other.yaml`\n"
    );
    assert_eq!(folder.read("compliance-gate.yaml"), "mine\n");
}

#[test]
fn keys_that_only_speak_of_tokens_are_shown() {
    let text = "version: 1\nsources:\n  bigid:\n    url: http://127.0.0.1:9\n    token_kind: usr\n\
                gates: [{id: a, source: bigid, max: 0}]\n";
    check(text).exits(2).says("    token_kind: usr\n");
    let text = text.replace("token_kind: usr", "{token: hunter2}");
    check(&text).exits(2).does_not_say("hunter2");
}

#[test]
fn a_platforms_own_word_for_accepted_points_to_upstream() {
    for (gate, is_said) in [
        ("status: [open, risk_accepted]", true),
        ("except: {status: RISK_ACCEPTED}", true),
        ("status: open", false),
    ] {
        let gates = format!("  - {{id: a, source: gravityzone, max: 0, {gate}}}\n");
        let ended = check(&gravityzone(&format!("{URL}/v1"), "", &gates)).exits(0);
        let note = "`risk_accepted` is the platform's own word for what was accepted there, without an \
                    owner and an end; an entry of `accept` with `upstream: gravityzone.risk_accepted` \
                    has both";
        assert_eq!(ended.stdout.contains(note), is_said, "{gate}: {}", ended.stdout);
    }
}

#[test]
fn typical_typos_get_the_right_suggestion() {
    let gate = "- {id: budget, source: opencomply, max: 160}";
    let in_gate = |keys: &str| (gate, format!("- {{id: budget, source: opencomply, {keys}}}"));
    let below = |lines: &str| (GATES, format!("{GATES}{lines}\n"));
    let typos = [
        (in_gate("maxx: 0"), "did you mean `max`?"),
        (in_gate("max: 0, sevrity: high"), "did you mean `severity`?"),
        (in_gate("max: 0, severity: hihg"), "did you mean `high`?"),
        (in_gate("max: 0, severity: \">= critcal\""), "did you mean `critical`?"),
        (in_gate("max: 0, acount: x"), "did you mean `account`?"),
        (in_gate("max: 0, resourcetype: x"), "did you mean `resource_type`?"),
        (in_gate("max: 0, olderthan: 30d"), "did you mean `older_than`?"),
        (in_gate("max: 0, excpet: {account: x}"), "did you mean `except`?"),
        (in_gate("max: 0, level: blok"), "did you mean `block`?"),
        (in_gate("max: 0, each: acount"), "did you mean `account`?"),
        (in_gate("max: 0, block_from: 2027-01-01"), "did you mean `blocks_from`?"),
        (in_gate("min_passrate: 95%"), "did you mean `min_pass_rate`?"),
        (in_gate("min_evaluted: 3"), "did you mean `min_evaluated`?"),
        (in_gate("max: 0, desciption: x"), "did you mean `description`?"),
        (("source: opencomply", "source: opencompl".to_owned()), "did you mean `opencomply`?"),
        (("    frameworks:", "    framework:".to_owned()), "did you mean `frameworks`?"),
        (("    url:", "    utl:".to_owned()), "did you mean `url`?"),
        (("gates:", "gate:".to_owned()), "did you mean `gates`?"),
        (below("evidance: {max_age: 24h}"), "did you mean `evidence`?"),
        (below("evidence: {maxage: 24h}"), "did you mean `max_age`?"),
        (below("mode: observ"), "did you mean `observe`?"),
        (below("owner: []"), "did you mean `owners`?"),
        (below("reports: {juint: a.xml}"), "did you mean `junit`?"),
        (below("enviroments: {staging: {}}"), "did you mean `environments`?"),
    ];
    for ((from, to), suggestion) in typos {
        let policy = policy();
        assert!(policy.contains(from), "`{from}` is not in the policy");
        let errors = errors(check(&policy.replacen(from, &to, 1)));
        assert!(errors.iter().any(|error| error.contains(suggestion)), "{to}: {errors:#?}");
    }
}
