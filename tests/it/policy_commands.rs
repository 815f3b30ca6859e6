//! `policy explain`, `policy test` and `policy init --from`.

use crate::common::{Ended, Folder, Platform, opencomply};
use crate::evidence::Kept;

const URL: &str = "http://127.0.0.1:9";

#[test]
fn what_a_failure_rightly_lacks_is_explained() {
    for (words, says) in [("\"true\"", true), ("[\"true\", (none)]", false), ("\"*\"", false)] {
        let gate = format!("  - {{id: fixes, source: sysdig, fixable: {words}, max: 0}}\n");
        let folder = Folder::new();
        let images = "[{tag: 'registry.example.com/shop/api:1.4'}]";
        let source = format!("{{url: \"{URL}\", images: {images}, vulnerabilities: findings}}");
        let policy = format!("version: 1\nsources:\n  sysdig: {source}\ngates:\n{gate}");
        folder.write("compliance-gate.yaml", &policy);
        let ended = folder.run(&["policy", "explain"]).exits(0);
        let sentence =
            "Where fixable does not apply to a failure, it is `(none)` and is not counted.";
        match says {
            true => ended.says(sentence),
            false => ended.does_not_say(sentence),
        }
        .says("A failure whose fixable the platform does not state counts as well.");
    }
}

#[test]
fn a_gate_is_explained_in_plain_words() {
    let gates = "  - id: no-high\n    source: opencomply\n    severity: \">= high\"\n    \
                 account: \"122814690049\"\n    max: 0\n    \
                 description: No open critical or high alarms\n    owner: \"#sec-platform\"\n    \
                 link: https://wiki.example.com/no-high\n  \
                 - {id: rate, source: opencomply, min_pass_rate: \"72.5%\", min_evaluated: 100, \
                 level: warn}\nevidence: {max_age: 24h}\n";
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(URL, gates));
    let said = folder.run(&["policy", "explain"]).exits(0).stdout;
    assert_eq!(
        said,
        "compliance-gate.yaml: the exit code is that of the verdict.\n\
         \n\
         Gate no-high (line 11): blocks\n  \
         No open critical or high alarms\n  \
         It reads opencomply (OpenComply at http://127.0.0.1:9).\n  \
         It counts failures that match: severity critical or high, account 122814690049.\n  \
         A failure of which the platform does not state severity or account is not left out by that.\n  \
         It is breached if there is any such failure.\n  \
         It is inconclusive, and then blocks as well, if the evidence of opencomply is not complete, \
         if it is older than 1day, if no check was evaluated or if a word of its selectors matches \
         nothing that was evaluated.\n  \
         Questions go to #sec-platform.\n  \
         More about it: https://wiki.example.com/no-high\n\
         \n\
         Gate rate (line 19): only warns\n  \
         It reads opencomply (OpenComply at http://127.0.0.1:9).\n  \
         It counts every failure.\n  \
         It is breached if less than 72.5% of all checks passed.\n  \
         It is inconclusive, and then warns, if the evidence of opencomply is not complete, if it is \
         older than 1day or if fewer than 100 checks were evaluated.\n"
    );
    let one = folder.run(&["policy", "explain", "rate"]).exits(0);
    assert!(!one.stdout.contains("no-high") && one.stdout.contains("Gate rate"), "{}", one.stdout);
    folder
        .run(&["policy", "explain", "no-hihg"])
        .exits(2)
        .says("compliance-gate.yaml has no gate `no-hihg`; did you mean `no-high`?");
}

#[test]
fn an_announced_gate_with_limits_for_each_account_is_explained() {
    let gates = "  - {id: soon, source: opencomply, each: account, max: 3, blocks_from: 2999-01-01, \
                 except: {account: \"sandbox*\"}}\n";
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", &opencomply(URL, gates));
    folder
        .run(&["policy", "explain"])
        .exits(0)
        .says("Gate soon (line 11): only warns until it blocks from 2999-01-01\n")
        .says("  Out of scope, passed or failed: account sandbox*.\n")
        .says("  Its limits hold for every account by itself.\n")
        .says("It is inconclusive, and then warns, if");
}

#[test]
fn on_evidence_each_finding_has_its_reason() {
    let kept = Kept::of("healthy");
    let gates = "  - {id: high, source: opencomply, severity: \">= high\", max: 0}\n";
    kept.folder.write("other.yaml", &opencomply(&kept.platform.origin, gates));
    let explain = ["policy", "explain", "-c", "other.yaml", "--evidence", "evidence.jsonl"];
    let mut short = kept.folder.command(&explain);
    short.env_remove("COMPLIANCE_GATE_VERBOSE");
    Ended::wait(short)
        .exits(0)
        .says("  On this evidence: BREACHED: 119 failed checks where max is 0: 119 over the limit")
        .says(": it matches by severity\n")
        .says("    counts: 114 more findings; `-v` lists all\n")
        .says("    does not count: 33 findings by `severity`\n");
    let all = kept.folder.run(&[&explain[..], &["-v"]].concat()).exits(0);
    assert_eq!(all.stdout.matches("    counts: ").count(), 119);
    kept.folder.run(&["policy", "explain", "--evidence", "missing.jsonl"]).exits(2);
}

const TESTED: &str = "version: 1
sources:
  opencomply:
    url: https://compliance.example.com
    frameworks: [baseline_security]
    integrations: all
  bigid:
    url: https://bigid.example.com
gates:
  - {id: no-high, source: opencomply, severity: \">= high\", account: \"prod*\", except: {rule: noise}, max: 0}
  - {id: rate, source: opencomply, min_pass_rate: 80%}
  - {id: old-cases, source: bigid, older_than: 30d, max: 0}
accept:
  - {id: docs, match: {rule: open_bucket, resource: docs, severity: \"<= high\"}, reason: Public by purpose, owner: docs-team@example.com, from: 2026-11-01, expires: 2026-12-31}
";

/// A file of one case, as it is tested with the policy above.
fn tested(case: &str) -> crate::common::Ended {
    let folder = Folder::new();
    folder.write("policy/compliance-gate.yaml", TESTED);
    let case = format!(
        "version: 1\npolicy: ../policy/compliance-gate.yaml\ncases:\n  - name: the case\n    {case}\n"
    );
    folder.write("tests/cases.yaml", &case);
    folder.run(&["policy", "test", "tests/cases.yaml"])
}

#[test]
fn cases_say_what_a_policy_decides() {
    let high =
        "severity: high, rule: open_bucket, account: prod-1, resource: docs, source: opencomply";
    let passed = "passed: [{source: opencomply, rule: open_bucket, severity: low, account: prod-1, \
                  count: 97}]";
    let cases = [
        // A source of which nothing is given has no failure.
        "expect: {gates: {no-high: held, rate: held, old-cases: held}}".to_owned(),
        format!(
            "findings: [{{{high}, count: 3}}]\n    {passed}\n    at: 2027-01-01\n    \
                 expect: {{verdict: blocked, exit_code: 1, \
                 gates: {{no-high: {{state: breached, failed: 3}}, rate: held}}}}"
        ),
        // An acceptance holds on its last day.
        format!(
            "findings: [{{{high}}}]\n    {passed}\n    at: 2026-12-31T23:59:59Z\n    \
                 expect: {{exit_code: 0, gates: {{no-high: {{state: held, failed: 0}}}}}}"
        ),
        format!(
            "findings: [{{{}}}]\n    {passed}\n    expect: {{gates: {{no-high: held}}}}",
            high.replace("open_bucket", "noise")
        ),
        // What is not stated is not left out.
        format!(
            "findings: [{{source: opencomply}}]\n    {passed}\n    \
                 expect: {{gates: {{no-high: breached}}}}"
        ),
        "problems: [{source: bigid, cause: unreachable}]\n    \
         expect: {verdict: unreachable, exit_code: 5, gates: {old-cases: inconclusive}}"
            .to_owned(),
        "at: 2026-11-28\n    findings: [{source: bigid, created_at: 2026-10-29}, \
         {source: bigid, created_at: 2026-10-28}]\n    \
         expect: {gates: {old-cases: {state: breached, failed: 2}}}"
            .to_owned(),
        "at: 2026-11-28\n    findings: [{source: bigid, created_at: 2026-10-30}]\n    \
         expect: {gates: {old-cases: held}}"
            .to_owned(),
        // Without passed checks the pass rate is not known.
        format!("findings: [{{{high}}}]\n    expect: {{gates: {{rate: inconclusive}}}}"),
    ];
    for case in cases {
        let ended = tested(&case);
        assert_eq!(ended.code, Some(0), "{case}\n{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stdout, "tests/cases.yaml\n  ✓ the case\n1 case: all passed.\n");
    }
}

#[test]
fn a_case_that_fails_says_what_came_out() {
    let folder = Folder::new();
    folder.write("compliance-gate.yaml", TESTED);
    folder.write(
        "cases.yaml",
        "version: 1\ncases:\n\
         \x20 - name: one case is allowed\n    at: 2026-11-28\n    findings: [{source: bigid}]\n    \
         expect: {verdict: passed, gates: {old-cases: held, no-hihg: held}}\n\
         \x20 - name: nothing blocks\n    at: 2026-11-28\n    findings: [{source: bigid, count: 2}]\n    \
         expect: {exit_code: 0}\n",
    );
    let ended = folder.run(&["policy", "test", "cases.yaml", "--junit", "out/tests.xml"]).exits(1);
    assert_eq!(
        ended.stdout,
        "cases.yaml\n  \
         ✗ one case is allowed\n      \
         verdict: expected passed, was blocked\n      \
         gate no-hihg: the policy has no such gate; did you mean `no-high`?\n      \
         gate old-cases: expected held, was breached: 1 failed check where max is 0: 1 over the \
         limit (1 unknown)\n  \
         ✗ nothing blocks\n      \
         exit code: expected 0, was 1\n      \
         gate old-cases was breached: 2 failed checks where max is 0: 2 over the limit (2 unknown)\n      \
         warning: acceptance `docs` covers no finding that an earlier entry does not cover; remove it\n\
         2 cases: 2 failed.\n"
    );
    let junit = folder.read("out/tests.xml");
    assert!(junit.contains("tests=\"2\" skipped=\"0\" failures=\"2\""), "{junit}");
    assert!(junit.contains("<failure message=\"exit code: expected 0, was 1\""), "{junit}");
}

#[test]
fn saved_evidence_can_be_a_case() {
    let kept = Kept::of("blocked");
    kept.folder.write(
        "tests/cases.yaml",
        "version: 1\ncases:\n  - name: the estate of today\n    evidence: ../evidence.jsonl\n    \
         expect: {verdict: blocked, gates: {no-critical: breached, pass-rate: held}}\n",
    );
    kept.folder.run(&["policy", "test", "tests/cases.yaml"]).exits(0);
}

#[test]
fn what_is_wrong_with_cases_is_said_at_its_line() {
    let errors = |case: &str, says: &str| {
        let ended = tested(case);
        assert_eq!(ended.code, Some(2), "{case}\n{}", ended.stdout);
        assert!(ended.stderr.contains(says), "{says}\n{}", ended.stderr);
    };
    errors("expect: {}", "5:13: nothing is expected; give it `verdict`, `exit_code` or `gates`");
    errors("at: soon\n    expect: {exit_code: 0}", "5:9: `soon` is not a date; write it like ");
    errors(
        "findings: [{sevrity: high}]\n    expect: {exit_code: 0}",
        "5:17: unknown key `sevrity`; did you mean `severity`? (known: source, severity, count, ",
    );
    errors(
        "expect: {gates: {no-high: green}}",
        "5:31: unknown word `green` (known: held, breached, inconclusive)",
    );
    errors(
        "findings: [{severity: high}]\n    expect: {exit_code: 0}",
        "tests/cases.yaml:4: the check of line 5 names no source; the policy uses bigid, opencomply",
    );
    errors(
        "problems: [{source: opencomly, cause: stale}]\n    expect: {exit_code: 3}",
        "no gate of policy/compliance-gate.yaml uses a source `opencomly`; did you mean `opencomply`?",
    );
    errors(
        "evidence: e.jsonl\n    passed: []\n    evaluated_at: 2026-11-28\n    expect: {exit_code: 0}",
        "5:15: `evidence` stands for everything that is given; leave out `findings`, ",
    );
    errors("evidence: e.jsonl\n    expect: {exit_code: 0}", "tests/e.jsonl cannot be read");
    errors("environment: {}\n    expect: {exit_code: 0}", "one value is expected here");
}

#[test]
fn a_policy_begins_where_the_estate_is() {
    let kept = Kept::of("blocked");
    let init = ["policy", "init", "--from", "evidence.jsonl", "new.yaml"];
    kept.folder.run(&init).exits(0).says(
        "Next: fill in `owner` and `expires` of the acceptance `first-day`, which is for 122 severe \
         findings. Then write its baseline: `compliance-gate baseline write evidence.jsonl -c new.yaml`",
    );
    let new = kept.folder.read("new.yaml");
    let gates = "gates:
  - id: opencomply-severe
    source: opencomply
    severity: \">= high\"
    max: 0   # new ones; those of today are in the baseline
  - id: opencomply-total
    source: opencomply
    max: 155   # where it is today; next: 140
  - id: opencomply-pass-rate
    source: opencomply
    min_pass_rate: 72.51%   # where it is today; next: 73%
";
    assert!(new.contains(gates), "{new}");
    assert!(new.contains("    gates: [opencomply-severe]\n"), "{new}");
    kept.folder
        .run(&["policy", "check", "-c", "new.yaml"])
        .exits(2)
        .says("a value is missing here");
    let filled = new
        .replace("    owner:\n", "    owner: \"#cloud-platform\"\n")
        .replace("    expires:\n", "    expires: 2999-06-30\n");
    kept.folder.write("new.yaml", &filled);
    kept.folder.run(&["baseline", "write", "evidence.jsonl", "-c", "new.yaml"]).exits(0);
    kept.folder.run(&["evaluate", "evidence.jsonl", "-c", "new.yaml"]).exits(0);
    kept.folder.run(&init).exits(2).says("new.yaml exists already");
    assert!(kept.folder.read("policy.schema.json").starts_with('{'));
}

#[test]
fn nothing_is_proposed_from_evidence_that_is_not_complete() {
    let kept = Kept::of("inconclusive");
    kept.folder
        .run(&["policy", "init", "--from", "evidence.jsonl", "new.yaml"])
        .exits(3)
        .says("no policy is proposed: the evidence is not complete");
    assert!(!kept.folder.path().join("new.yaml").exists());
}

#[test]
fn limits_are_proposed_where_no_finding_is_severe() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = "version: 1\nx-owner: &owner \"#sec\"\nsources:\n  bigpanda:\n    url: URL\n    \
                  window: 24h\ngates:\n  - {id: a, source: bigpanda, max: 0, owner: *owner}\n";
    folder.write("compliance-gate.yaml", &policy.replace("URL", &platform.origin));
    folder.run(&["run", "--save-evidence", "e.jsonl"]);
    folder
        .run(&["policy", "init", "--from", "e.jsonl", "new.yaml"])
        .exits(0)
        .says("Next: `compliance-gate evaluate");
    let new = folder.read("new.yaml");
    assert!(new.contains("x-owner: &owner") && !new.contains("accept:"), "{new}");
    folder.run(&["evaluate", "e.jsonl", "-c", "new.yaml"]).exits(0);
}
