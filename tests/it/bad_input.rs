//! Everything that is wrong with what is given to a policy: found before anything is sent, at its line,
//! with what to write instead.

use crate::common::{Ended, Folder};

const POLICY: &str = "version: 1\nsources:\n  gravityzone: {url: \"https://gz.example.com/v1\"}\n  bigid: \
                      {url: \"https://bigid.example.com\"}\ngates:\n  - {id: none, source: gravityzone, \
                      max: 0}\n";
const GROUNDS: &str = "id: one, reason: r, owner: o, expires: 2027-01-31";
const MATCH: &str = "match: {rule: a, resource: b, severity: \"<= high\"}";
const KINDS: &str =
    "give each entry exactly one of `match`, `baseline`, `cause`, `gate_off`, `upstream`";

/// What is said, without the lines that are shown.
fn errors(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(2), "{}{}", ended.stdout, ended.stderr);
    let lines = ended.stderr.lines().map(|line| line.trim_start_matches("error: "));
    let is_shown = |line: &&str| !line.trim_start().starts_with('|') && !line.contains(" | ");
    lines.filter(is_shown).map(str::to_owned).collect()
}

#[test]
fn what_is_wrong_with_an_acceptance() {
    let folder = Folder::new();
    folder.write("text.jsonl", "{\"a\": 1}\n");
    folder.write(
        "other.jsonl",
        "{\"schema\":\"urn:compliance-gate:baseline:1\",\"environment\":null,\"sources\":{\"gravityzone\":\
         \"https://other.example.com\"}}\n",
    );
    std::fs::File::create(folder.path().join("large.jsonl")).unwrap().set_len(70_000_000).unwrap();
    let cases = [
        (
            format!("id: one, reason: r, owner: o, expires: 2027-02-30, {MATCH}"),
            "8:45: `2027-02-30` is not a date; write it like 2026-12-31".to_owned(),
        ),
        (
            format!("id: one, reason: r, owner: o, expires: 31.01.2027, {MATCH}"),
            "8:45: `31.01.2027` is not a date; write it like 2026-12-31".to_owned(),
        ),
        (
            format!("id: one, reason: r, owner: o, expires: 2027-01-31T10:00Z, {MATCH}"),
            "8:45: `2027-01-31T10:00Z` is not a date; write it like 2026-12-31".to_owned(),
        ),
        (
            format!("id: one, reason: r, expires: 2027-01-31, {MATCH}"),
            "8:5: acceptance `one` has no `owner`; name who answers for it".to_owned(),
        ),
        (
            format!("id: one, reason: r, owner: o, {MATCH}"),
            "8:5: acceptance `one` has no `expires`; write the last day on which it holds, such as \
             `expires: 2027-01-31`"
                .to_owned(),
        ),
        (GROUNDS.to_owned(), format!("8:5: acceptance `one` forgives nothing; {KINDS}")),
        (
            format!("{GROUNDS}, {MATCH}, gate_off: none"),
            format!("8:5: acceptance `one` has `match` and `gate_off`; {KINDS}"),
        ),
        (
            format!("{GROUNDS}, match: {{rule: a, severity: \"<= high\"}}"),
            "8:64: acceptance `one` is wider than a `rule` or `control` and a `resource` without \
             wildcards and a `severity` such as `\"<= high\"`; add what is missing to `match`, or \
             `max_findings` beside it"
                .to_owned(),
        ),
        (
            format!("{GROUNDS}, {MATCH}}}\n  - {{{GROUNDS}, {MATCH}"),
            "9:10: acceptance id `one` is used twice, first at compliance-gate.yaml:8; each entry \
             needs its own"
                .to_owned(),
        ),
        (
            format!("{GROUNDS}, baseline: other.jsonl"),
            "8:67: acceptance `one`: the baseline is of gravityzone at https://other.example.com, and \
             the policy asks https://gz.example.com; write a baseline of this platform"
                .to_owned(),
        ),
        (
            format!("{GROUNDS}, baseline: large.jsonl"),
            "8:67: acceptance `one` has no baseline: `large.jsonl`: the file is larger than \
             67,108,864 bytes (65536 KiB), the most that is read (`compliance-gate baseline write` \
             makes a baseline)"
                .to_owned(),
        ),
        (
            format!("{GROUNDS}, baseline: gone.jsonl"),
            "8:67: acceptance `one` has no baseline: `gone.jsonl`: failed to read the file: no such \
             file or directory (`compliance-gate baseline write` makes a baseline)"
                .to_owned(),
        ),
    ];
    for (entry, expected) in cases {
        folder.write("compliance-gate.yaml", &format!("{POLICY}accept:\n  - {{{entry}}}\n"));
        let said = errors(&folder.run(&["policy", "check"]));
        assert_eq!(said, [format!("compliance-gate.yaml:{expected}")], "{entry}");
    }
    let entry = format!("{POLICY}accept:\n  - {{{GROUNDS}, baseline: text.jsonl}}\n");
    folder.write("compliance-gate.yaml", &entry);
    assert_eq!(
        errors(&folder.run(&["policy", "check"])),
        ["text.jsonl:1:1: this is not a baseline: its first line is no header"]
    );
}

#[test]
fn what_is_wrong_with_a_gate() {
    for (from, to, expected) in [
        (
            "max: 0",
            "max: 0, except: {account: '*'}",
            "6:53: gate `none`: `except` leaves nothing, so the gate would always pass; name what is \
             out of scope, such as `except: {account: \"sandbox*\"}`",
        ),
        (
            "max: 0",
            "max: 0, blocks_from: soon",
            "6:58: `soon` is not a date; write it like 2026-12-31",
        ),
        (
            "max: 0",
            "max: 0, blocks_from: 2027-13-01",
            "6:58: `2027-13-01` is not a date; write it like 2026-12-31",
        ),
        (
            "source: gravityzone, max: 0",
            "source: bigid, max: 0, each: framework",
            "6:45: gate `none` has `each: framework`, and bigid (BigID) does not know the framework of \
             what it reports; leave `each` out",
        ),
    ] {
        let folder = Folder::new();
        folder.write("compliance-gate.yaml", &POLICY.replace(from, to));
        let said = errors(&folder.run(&["policy", "check"]));
        assert_eq!(said, [format!("compliance-gate.yaml:{expected}")], "{to}");
    }
}

#[test]
fn an_environment_that_is_unknown_or_missing() {
    let folder = Folder::new();
    let policy = format!("{POLICY}environments: {{production: {{}}, staging: {{}}}}\n");
    folder.write("compliance-gate.yaml", &policy);
    assert_eq!(
        errors(&folder.run(&["run", "--environment", "prod"])),
        [
            "compliance-gate.yaml: environment `prod` is unknown; did you mean `production`? (the file \
             has production, staging, and `none` for the base alone)"
        ]
    );
    assert_eq!(
        errors(&folder.run(&["run"])),
        ["compliance-gate.yaml: this file has environments; choose one with `--environment`: \
             production, staging, or `none` for the base alone"]
    );
}

#[test]
fn an_organisation_policy_that_is_not_the_one_that_is_promised() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", POLICY).write("org.yaml", POLICY);
    let zeros = "0".repeat(64);
    let run = |arguments: &[&str], promised: Option<&str>| {
        let mut command = folder.command(arguments);
        command.envs(promised.map(|digest| ("COMPLIANCE_GATE_ORG_POLICY_SHA256", digest)));
        errors(&Ended::wait(command)).join("\n")
    };
    let with = ["run", "--org-policy", "org.yaml"];
    let said = run(&with, Some(&zeros));
    let promise = format!(
        ", and COMPLIANCE_GATE_ORG_POLICY_SHA256 promises {zeros}; nothing is decided by it"
    );
    assert!(said.starts_with("org.yaml has SHA-256 ") && said.ends_with(&promise), "{said}");
    for (said, expected) in [
        (
            run(&with, Some("abc")),
            "COMPLIANCE_GATE_ORG_POLICY_SHA256 is not one or two SHA-256 digests of 64 hexadecimal \
             digits, separated by a comma or a space",
        ),
        (
            run(&["run"], Some(&zeros)),
            "COMPLIANCE_GATE_ORG_POLICY_SHA256 is set and there is no policy of an organisation; set \
             COMPLIANCE_GATE_ORG_POLICY or `--org-policy`, or remove the digest",
        ),
        (
            run(&["run", "--org-policy", "gone.yaml"], None),
            "gone.yaml: failed to read the file: no such file or directory",
        ),
        (
            run(&["run", "--org-policy", "."], None),
            ".: this is not a regular file, and only those are read",
        ),
    ] {
        assert_eq!(said, expected);
    }
}
