//! `policy explain`, `policy test` and `policy init --from`.

use crate::common::{Folder, opencomply};
use crate::evidence::Kept;

const URL: &str = "http://127.0.0.1:9";

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
fn on_evidence_each_finding_has_its_reason() {
    let kept = Kept::of("healthy");
    let gates = "  - {id: high, source: opencomply, severity: \">= high\", max: 0}\n";
    kept.folder.write("other.yaml", &opencomply(&kept.platform.origin, gates));
    let explain = ["policy", "explain", "-c", "other.yaml", "--evidence", "evidence.jsonl"];
    kept.folder
        .run(&explain)
        .exits(0)
        .says("  On this evidence: BREACHED: 119 failed checks where max is 0: 119 over the limit")
        .says(": it matches by severity\n")
        .says("    counts: 114 more findings; `-v` lists all\n")
        .says("    does not count: 33 findings by `severity`\n");
    let all = kept.folder.run(&[&explain[..], &["-v"]].concat()).exits(0);
    assert_eq!(all.stdout.matches("    counts: ").count(), 119);
    kept.folder.run(&["policy", "explain", "--evidence", "missing.jsonl"]).exits(2);
}
