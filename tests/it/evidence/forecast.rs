//! What turns red by itself, by date and owner.

use chrono::{TimeDelta, Utc};

use super::Kept;
use crate::common::opencomply;

#[test]
fn everything_that_ends_is_named_with_its_day_and_owner() {
    let kept = Kept::of("blocked");
    let day = |days| (Utc::now() + TimeDelta::days(days)).date_naive().to_string();
    let (lapses, blocks) = (day(9), day(20));
    let policy = opencomply(
        &kept.platform.origin,
        &format!(
            "  - {{id: critical, source: opencomply, severity: critical, max: 0}}
  - {{id: later, source: opencomply, max: 0, blocks_from: {blocks}, owner: \"#later\"}}
  - {{id: old, source: opencomply, severity: high, older_than: 5d, max: 0, level: warn}}
accept:
  - {{id: three, match: {{account: \"*\", severity: \"<= critical\"}}, gates: [critical], max_findings: 3, reason: r, owner: team@example.com, expires: {lapses}}}
evidence: {{max_age: 2d}}
"
        ),
    );
    kept.folder.write("compliance-gate.yaml", &policy);
    kept.folder.run(&["run", "--save-evidence", "first.jsonl"]).exits(0);
    kept.folder
        .run(&["run", "--previous", "first.jsonl", "--save-evidence", "evidence.jsonl"])
        .exits(0);
    let forecast =
        |more: &[&str]| kept.folder.run(&[&["forecast", "evidence.jsonl"], more].concat());
    forecast(&["--json", "f.json"]).exits(0).says("team@example.com: acceptance `three` lapses");
    let json = kept.folder.json("f.json");
    let events: Vec<_> = json["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            (text("date"), text("kind"), text("owner"))
        })
        .collect();
    let expected = [
        (day(2), "evidence-stale", "-"),
        (day(5), "findings-age", "-"),
        (day(10), "acceptance-lapses", "team@example.com"),
        (blocks, "gate-blocks", "#later"),
    ];
    let expected = expected.map(|(date, kind, owner)| (date, kind.to_owned(), owner.to_owned()));
    assert_eq!(events, expected);
    assert_eq!(json["verdicts"][1]["verdict"], "blocked");
    forecast(&["--until", "1d"]).exits(0).says("Nothing turns red by itself");
    forecast(&["--until", "soon"]).exits(2).says("write a time such as `30d`");
}

#[test]
fn the_policy_of_the_organisation_is_looked_at_too() {
    let kept = Kept::of("blocked");
    let day = |days| (Utc::now() + TimeDelta::days(days)).date_naive().to_string();
    let gates = format!("  - {{id: all, source: opencomply, max: 0, blocks_from: {}}}\n", day(4));
    let accept = format!(
        "accept:\n  - {{id: three, match: {{account: \"*\", severity: \"<= critical\"}}, max_findings: 3, \
         reason: r, owner: ciso@example.com, expires: {}}}\nevidence: {{max_age: 2d}}\n",
        day(9)
    );
    let organisation = opencomply(&kept.platform.origin, &gates) + &accept;
    kept.folder.write("org.yaml", &organisation);
    let own = "  - {id: many, source: opencomply, max: 100000}\n";
    kept.folder.write("compliance-gate.yaml", &opencomply(&kept.platform.origin, own));
    let run = ["run", "--org-policy", "org.yaml", "--save-evidence", "evidence.jsonl"];
    kept.folder.run(&run).exits(0);
    kept.folder
        .run(&["forecast", "evidence.jsonl", "--json", "f.json"])
        .exits(0)
        .says("ciso@example.com: acceptance `three` lapses")
        .says("gate `org/all` begins to block; it is breached today")
        .says("this evidence of opencomply goes stale");
    let json = kept.folder.json("f.json");
    assert_eq!(json["verdict"], "warned");
    assert_eq!(json["verdicts"][0]["verdict"], "blocked");
}
