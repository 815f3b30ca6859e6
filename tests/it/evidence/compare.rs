//! Why two decisions differ: constructed pairs, at least one for each class and direction.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Kept;
use crate::common::Folder;

/// Two files of evidence of one platform.
struct Pair {
    folder: Folder,
}

impl Pair {
    /// Evidence of two policies.
    fn of(old: &str, new: &str) -> Self {
        let kept = Kept::of("blocked");
        for (name, policy) in [("old", old), ("new", new)] {
            let policy = policy.replace("ORIGIN", &kept.platform.origin);
            kept.folder.write(&format!("{name}.yaml"), &policy);
            if name == "new" && old == new {
                kept.folder.write("new.jsonl", &kept.folder.read("old.jsonl"));
                continue;
            }
            let (policy, file) = (format!("{name}.yaml"), format!("{name}.jsonl"));
            let ended = kept.folder.run(&["run", "-c", &policy, "--save-evidence", &file]);
            assert!(matches!(ended.code, Some(0 | 1 | 3)), "{}", ended.stderr);
        }
        Self { folder: kept.folder }
    }

    /// Pairs that begin with the same evidence on both sides.
    fn same(policy: &str) -> impl Fn() -> Self + use<> {
        let evidence = Self::of(policy, policy).folder.read("old.jsonl");
        move || {
            let folder = Folder::new();
            folder.write("old.jsonl", &evidence).write("new.jsonl", &evidence);
            Self { folder }
        }
    }

    /// Changes a file of evidence line by line, and closes it again.
    fn edit(&self, name: &str, change: impl Fn(&str) -> Option<String>) -> &Self {
        let file = format!("{name}.jsonl");
        let text = self.folder.read(&file);
        self.folder.write(&file, &super::closed(text.lines().filter_map(change)));
        self
    }

    fn compare(&self) -> serde_json::Value {
        self.folder.run(&["compare", "old.jsonl", "new.jsonl", "--json", "c.json"]).exits(0);
        self.folder.json("c.json")
    }
}

const GATE: &str = "  - {id: critical, source: opencomply, severity: critical, max: 0}\n";

fn policy(gates: &str, more: &str) -> String {
    format!("{more}{}", crate::common::opencomply("ORIGIN", gates))
}

fn accept(expires: &str) -> String {
    format!(
        "accept:\n  - {{id: buckets, match: {{account: \"*\", severity: \"<= critical\"}}, \
         max_findings: 500, reason: r, owner: team@example.com, expires: {expires}}}\n"
    )
}

/// The classes of the differences, and whether causes overlap.
fn classes(comparison: &serde_json::Value) -> (Vec<String>, bool) {
    let differences = comparison["differences"].as_array().unwrap();
    let mut classes: Vec<_> =
        differences.iter().map(|one| one["class"].as_str().unwrap().to_owned()).collect();
    classes.dedup();
    (classes, comparison["causes_overlap"].as_bool().unwrap())
}

fn is_critical(line: &str, subjects: &[usize]) -> bool {
    subjects.iter().any(|n| line.contains(&format!("\"subject\":{n},")))
        && line.starts_with("{\"finding\"")
}

/// The numbers of the subjects with a severity.
fn subjects_of(text: &str, severity: &str) -> Vec<usize> {
    let subjects = text.lines().filter(|line| line.starts_with("{\"subject\""));
    let severe = |(_, line): &(usize, &str)| line.contains(&format!("\"severity\":\"{severity}\""));
    subjects.enumerate().filter(severe).map(|(number, _)| number).collect()
}

/// Takes the findings of some subjects out of a file, as if they were fixed.
fn fix(pair: &Pair, name: &str, severity: &str) {
    let text = pair.folder.read(&format!("{name}.jsonl"));
    let subjects = subjects_of(&text, severity);
    let fixed = text.lines().filter(|line| is_critical(line, &subjects)).count();
    pair.edit(name, |line| {
        if is_critical(line, &subjects) {
            return None;
        }
        Some(match line.strip_prefix("{\"part\":") {
            Some(_) => {
                let mut part: serde_json::Value = serde_json::from_str(line).unwrap();
                let count = part["part"]["findings"].as_u64().unwrap();
                part["part"]["findings"] = (count - fixed as u64).into();
                part.to_string()
            }
            None => line.to_owned(),
        })
    });
}

/// Takes the findings and the counts of some subjects out of a file, as if they did not exist.
fn without(pair: &Pair, name: &str, subjects: Vec<usize>) {
    let text = pair.folder.read(&format!("{name}.jsonl"));
    let subjects: BTreeSet<_> = subjects.into_iter().collect();
    let is_one = |line: &str| {
        let of = line.split_once("\"subject\":").and_then(|(_, rest)| rest.split(',').next());
        (line.starts_with("{\"finding\"") || line.starts_with("{\"count\""))
            && of.is_some_and(|number| subjects.contains(&number.parse().unwrap()))
    };
    let findings = text.lines().filter(|l| l.starts_with("{\"finding\"") && is_one(l)).count();
    pair.edit(name, |line| {
        if is_one(line) {
            return None;
        }
        if !line.starts_with("{\"part\"") {
            return Some(line.to_owned());
        }
        let mut part: serde_json::Value = serde_json::from_str(line).unwrap();
        let count = part["part"]["findings"].as_u64().unwrap();
        part["part"]["findings"] = (count - findings as u64).into();
        Some(part.to_string())
    });
}

/// The numbers of the subjects for which a key has this value.
fn subjects_with(text: &str, key: &str, value: &serde_json::Value) -> Vec<usize> {
    let subjects = text.lines().filter(|line| line.starts_with("{\"subject\""));
    let subjects = subjects.map(|line| serde_json::from_str(line).unwrap());
    let has = |(_, line): &(usize, serde_json::Value)| line["subject"].pointer(key) == Some(value);
    subjects.enumerate().filter(has).map(|(number, _)| number).collect()
}

fn rule_of_the_first_critical(text: &str) -> Vec<usize> {
    let first = subjects_of(text, "critical")[0];
    let line = text.lines().filter(|line| line.starts_with("{\"subject\"")).nth(first).unwrap();
    let subject: serde_json::Value = serde_json::from_str(line).unwrap();
    subjects_with(text, "/rule", &subject["subject"]["rule"])
}

/// Decides a file so many hours later.
fn later(pair: &Pair, name: &str, hours: i64) {
    pair.edit(name, |line| {
        if !line.starts_with("{\"decision\"") {
            return Some(line.to_owned());
        }
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let now: DateTime<Utc> = line["decision"]["now"].as_str().unwrap().parse().unwrap();
        line["decision"]["now"] = (now + TimeDelta::hours(hours)).to_rfc3339().into();
        Some(line.to_string())
    });
}

fn replaced(pair: &Pair, name: &str, from: &str, to: &str) {
    pair.edit(name, |line| Some(line.replace(from, to)));
}

#[test]
fn nothing_differs() {
    let same = Pair::same(&policy(GATE, ""));
    let comparison = same().compare();
    assert_eq!(classes(&comparison), (Vec::new(), false));
    assert_eq!(comparison["verdict_changed"], false);
}

#[test]
fn fixed_and_new_findings_are_of_the_estate() {
    let same = Pair::same(&policy(GATE, ""));
    for (side, what) in [("new", "fixed"), ("old", "new")] {
        let pair = same();
        fix(&pair, side, "critical");
        let comparison = pair.compare();
        assert_eq!(classes(&comparison).0, ["estate"], "{comparison:#}");
        assert_eq!(comparison["differences"][0]["message"], format!("3 findings {what}"));
        let examples = comparison["differences"][0]["examples"].as_array().unwrap();
        assert!(examples[0].as_str().unwrap().starts_with("critical "), "{examples:?}");
    }
}

#[test]
fn gates_and_limits_are_of_the_policy() {
    let pair = Pair::of(&policy(GATE, ""), &policy(&GATE.replace("max: 0", "max: 9"), ""));
    let comparison = pair.compare();
    assert_eq!(classes(&comparison), (vec!["policy".to_owned()], false));
    assert!(comparison["summary"].as_str().unwrap().contains("the policy alone explains it"));
    let two = format!("{GATE}  - {{id: more, source: opencomply, max: 900}}\n");
    let comparison = Pair::of(&policy(GATE, ""), &policy(&two, "")).compare();
    assert_eq!(classes(&comparison), (vec!["policy".to_owned()], false));
    assert_eq!(comparison["differences"][0]["message"], "gate `more` is new");
}

#[test]
fn what_is_accepted_has_a_class_of_its_own() {
    let plain = policy(GATE, "");
    let accepted = policy(GATE, &accept("2099-01-01"));
    for (old, new, what) in [(&plain, &accepted, "is new"), (&accepted, &plain, "is gone")] {
        let comparison = Pair::of(old, new).compare();
        assert_eq!(classes(&comparison), (vec!["acceptance".to_owned()], false));
        let message = comparison["differences"][0]["message"].as_str().unwrap();
        assert!(message.ends_with(what), "{message}");
    }
}

#[test]
fn what_is_no_longer_asked_for_is_scope() {
    let all = policy(GATE, "");
    let azure = "      - {integration_type: azure_subscription, provider_id: \
                 f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b}\n";
    let one = all.replace(azure, "");
    assert_ne!(all, one);
    for (old, new) in [(&all, &one), (&one, &all)] {
        let (classes, _) = classes(&Pair::of(old, new).compare());
        assert_eq!(classes, ["scope"]);
    }
}

#[test]
fn a_changed_severity_or_a_missing_rule_is_of_the_platform() {
    let same = Pair::same(&policy(GATE, ""));
    let pair = same();
    replaced(&pair, "new", "\"severity\":\"critical\"", "\"severity\":\"low\"");
    assert_eq!(classes(&pair.compare()).0, ["platform"]);

    for side in ["old", "new"] {
        let pair = same();
        let of_rule = rule_of_the_first_critical(&pair.folder.read(&format!("{side}.jsonl")));
        without(&pair, side, of_rule);
        let comparison = pair.compare();
        assert_eq!(classes(&comparison).0, ["platform"], "{side}: {comparison:#}");
    }
}

#[test]
fn incomplete_or_stale_evidence_is_of_the_evidence() {
    let same = Pair::same(&policy(GATE, ""));
    let problem = "\"proof\":{\"checks\"";
    let incomplete = "\"problems\":[{\"cause\":\"incomplete\",\"message\":\"a page is missing\"}],\
                      \"proof\":{\"checks\"";
    for side in ["old", "new"] {
        let pair = same();
        replaced(&pair, side, problem, incomplete);
        let (classes, _) = classes(&pair.compare());
        assert_eq!(classes, ["evidence"], "{side}");
    }
}

#[test]
fn evidence_that_grew_old_is_of_the_evidence() {
    let aged = Pair::same(&policy(GATE, "evidence: {max_age: 24h}\n"));
    for (hours, message) in [(25, "stale: "), (15 * 24, "stale: ")] {
        let pair = aged();
        fix(&pair, "old", "critical");
        fix(&pair, "new", "critical");
        later(&pair, "new", hours);
        let comparison = pair.compare();
        assert_eq!(classes(&comparison).0, ["evidence"], "{comparison:#}");
        let said = comparison["differences"][0]["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{said}");
        let summary = comparison["summary"].as_str().unwrap();
        assert!(summary.contains("the time that passed alone explains it"), "{summary}");
    }
}

#[test]
fn an_acceptance_that_lapsed_is_named_with_its_last_day() {
    let today = Utc::now().date_naive();
    let accepted = policy(GATE, &accept(&today.to_string()));
    let pair = Pair::of(&accepted, &accepted);
    later(&pair, "new", 48);
    let comparison = pair.compare();
    assert_eq!(classes(&comparison).0, ["acceptance"]);
    let message = comparison["differences"][0]["message"].as_str().unwrap();
    assert_eq!(message, format!("`buckets` of team@example.com lapsed after {today}"));
    assert_eq!(comparison["verdict_changed"], true);
}

#[test]
fn a_baseline_has_a_class_of_its_own() {
    let plain = policy(GATE, "");
    let known = policy(
        GATE,
        "accept:\n  - {id: debt, baseline: baseline.jsonl, reason: r, owner: team@example.com, \
         expires: 2099-01-01}\n",
    );
    let kept = Kept::of("blocked");
    let run = |policy: &str, name: &str| {
        let policy = policy.replace("ORIGIN", &kept.platform.origin);
        kept.folder.write(&format!("{name}.yaml"), &policy);
        let (policy, file) = (format!("{name}.yaml"), format!("{name}.jsonl"));
        kept.folder.run(&["run", "-c", &policy, "--save-evidence", &file])
    };
    run(&plain, "plain").exits(1);
    let write = ["baseline", "write", "plain.jsonl", "-c", "known.yaml", "--allow-growth"];
    kept.folder.write("known.yaml", &known.replace("ORIGIN", &kept.platform.origin));
    kept.folder.run(&write).exits(0);
    run(&known, "known").exits(0);
    let whole = kept.folder.read("baseline.jsonl");
    let one_less = whole.lines().count() - 1;
    let shorter: String = whole.lines().take(one_less).map(|line| format!("{line}\n")).collect();
    kept.folder.write("baseline.jsonl", &shorter);
    run(&known, "shorter").exits(1);
    for (old, new, what) in [
        ("plain", "known", "is new"),
        ("known", "plain", "is gone"),
        ("known", "shorter", "covers something else, or until another day"),
    ] {
        let (old, new) = (format!("{old}.jsonl"), format!("{new}.jsonl"));
        kept.folder.run(&["compare", &old, &new, "--json", "c.json"]).exits(0);
        let comparison = kept.folder.json("c.json");
        assert_eq!(classes(&comparison), (vec!["baseline".to_owned()], false), "{comparison:#}");
        let message = comparison["differences"][0]["message"].as_str().unwrap();
        assert_eq!(message, format!("`debt` of team@example.com {what}"));
    }
}

#[test]
fn an_account_or_a_filter_that_is_gone_is_scope() {
    let same = Pair::same(&policy(GATE, ""));
    for (side, what) in [("new", "is gone"), ("old", "is new")] {
        let pair = same();
        let text = pair.folder.read(&format!("{side}.jsonl"));
        let subject = text.lines().find(|line| line.starts_with("{\"subject\"")).unwrap();
        let subject: serde_json::Value = serde_json::from_str(subject).unwrap();
        let id = &subject["subject"]["account"]["id"];
        without(&pair, side, subjects_with(&text, "/account/id", id));
        let comparison = pair.compare();
        assert_eq!(classes(&comparison).0, ["scope"], "{comparison:#}");
        let says = format!("account {} {what}", id.as_str().unwrap());
        assert!(comparison.to_string().contains(&says), "{comparison:#}");
    }
    let filter = "{\"key\":\"filters.severities\",\"field\":\"severity\",\"words\":[\"critical\"]}";
    for (side, what) in [("new", "before no such setting"), ("old", "without")] {
        let pair = same();
        replaced(&pair, side, "\"filters\":[", &format!("\"filters\":[{filter},"));
        let comparison = pair.compare();
        assert_eq!(classes(&comparison), (vec!["scope".to_owned()], false), "{comparison:#}");
        assert!(comparison.to_string().contains(what), "{comparison:#}");
    }
}

#[test]
fn the_policy_of_the_organisation_is_compared_too() {
    let own = policy(&GATE.replace("max: 0", "max: 9"), "");
    let kept = Kept::of("blocked");
    let run = |organisation: Option<&str>, name: &str| {
        kept.folder.write("own.yaml", &own.replace("ORIGIN", &kept.platform.origin));
        let file = format!("{name}.jsonl");
        let mut arguments = vec!["run", "-c", "own.yaml", "--save-evidence", &file];
        if let Some(gates) = organisation {
            let organisation = policy(gates, "").replace("ORIGIN", &kept.platform.origin);
            kept.folder.write("org.yaml", &organisation);
            arguments.extend(["--org-policy", "org.yaml"]);
        }
        kept.folder.run(&arguments)
    };
    run(None, "none").exits(0);
    run(Some(GATE), "strict").exits(1);
    run(Some(&GATE.replace("max: 0", "max: 9")), "loose").exits(0);
    for (old, new, says) in [
        ("none", "strict", "gate `org/critical` is new"),
        ("strict", "none", "the policy of the organisation is gone"),
        ("strict", "loose", "gate `org/critical`: max 9, before 0"),
    ] {
        let (old, new) = (format!("{old}.jsonl"), format!("{new}.jsonl"));
        kept.folder.run(&["compare", &old, &new, "--json", "c.json"]).exits(0);
        let comparison = kept.folder.json("c.json");
        assert_eq!(classes(&comparison), (vec!["policy".to_owned()], false), "{comparison:#}");
        assert!(comparison.to_string().contains(says), "{comparison:#}");
        let summary = comparison["summary"].as_str().unwrap();
        assert!(summary.contains("the policy alone explains it"), "{summary}");
    }
    kept.folder.run(&["forecast", "strict.jsonl", "--json", "f.json"]).exits(0);
    assert_eq!(kept.folder.json("f.json")["verdict"], "blocked");
}

#[test]
fn two_causes_that_overlap_are_said_to() {
    let blocked = policy(GATE, "");
    let loose = policy(&GATE.replace("max: 0", "max: 9"), "");
    let pair = Pair::of(&blocked, &loose);
    fix(&pair, "new", "critical");
    let comparison = pair.compare();
    let (classes, overlap) = classes(&comparison);
    assert_eq!(classes, ["estate", "policy"]);
    assert!(overlap, "{comparison:#}");
    let summary = comparison["summary"].as_str().unwrap();
    assert!(summary.contains("the evidence and the policy would each have done it"), "{summary}");
}

#[test]
fn it_is_written_as_text_and_as_markdown() {
    let pair = Pair::of(&policy(GATE, ""), &policy(&GATE.replace("max: 0", "max: 9"), ""));
    let ended =
        pair.folder.run(&["compare", "old.jsonl", "new.jsonl", "--markdown", "c.md"]).exits(0);
    ended.says("The verdict was blocked and is passed").says("gate `critical`: max 9, before 0");
    assert!(pair.folder.read("c.md").contains("| policy | "));
    pair.folder.write("new.jsonl", "{}\n");
    pair.folder.run(&["compare", "old.jsonl", "new.jsonl"]).exits(2);
}
