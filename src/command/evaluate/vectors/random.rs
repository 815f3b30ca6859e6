//! Random policies and evidence, the same in each run.

use std::sync::Arc;

use serde_json::{Value, json};

use super::scene::{Scene, problem, scene as scene_of};
use crate::evidence::{Findings, Unevaluated};
use crate::finding::{Account, Cause, Severity};
use crate::verdict::Verdict;

/// Numbers that are the same in each run.
pub(super) struct Dice(pub u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

fn random_gate(dice: &mut Dice, id: usize) -> Value {
    let sources =
        [json!("opencomply"), json!("bigid"), json!(["bigid", "opencomply"]), json!("all")];
    let source = dice.of(&sources);
    let of_checks = source == "opencomply";
    let mut gate = json!({"id": format!("g{id}"), "source": source});
    let mut set = |key: &str, value: Value| gate[key] = value;
    set("max", json!(dice.below(6)));
    if dice.chance(40) {
        let severities =
            [json!(">= high"), json!("critical"), json!(["low", "high"]), json!("medium")];
        set("severity", dice.of(&severities));
    }
    if dice.chance(30) {
        let rules = [
            json!("public"),
            json!(["PCI", "pa*"]),
            json!("*"),
            json!("nothing"),
            json!(["Public", "tags"]),
        ];
        set("rule", dice.of(&rules));
    }
    if of_checks && dice.chance(30) {
        set("account", dice.of(&[json!("A"), json!(["A", "B"]), json!("C"), json!("*")]));
    }
    if dice.chance(20) {
        set("resource", dice.of(&[json!("arn:*"), json!("arn:1"), json!(["hr", "arn:3"])]));
    }
    if source == "bigid" && dice.chance(40) {
        set(
            "status",
            dice.of(&[json!("open"), json!("acknowledged"), json!(["open", "resolved"])]),
        );
    }
    if dice.chance(15) {
        set("older_than", dice.of(&[json!("30d"), json!("1h"), json!("90d")]));
    }
    if of_checks && dice.chance(30) {
        set("min_pass_rate", dice.of(&[json!("80%"), json!("90%"), json!("99.5%")]));
    }
    if of_checks && dice.chance(20) {
        set("min_evaluated", dice.of(&[json!(0), json!(5), json!(41)]));
    }
    if dice.chance(25) {
        let maps = [
            json!({"rule": "tags"}),
            json!({"severity": "low"}),
            json!([{"rule": "public"}, {"rule": "PCI"}]),
            json!({"resource": "arn:2"}),
            json!({"rule": "missing"}),
        ];
        set("except", dice.of(&maps));
    }
    if dice.chance(25) {
        set("level", json!("warn"));
    }
    if dice.chance(15) {
        set("blocks_from", dice.of(&[json!("2026-11-01"), json!("2027-01-01")]));
    }
    gate
}

fn random_entry(dice: &mut Dice, id: usize) -> Value {
    let mut entry = json!({"id": format!("e{id}"), "reason": "r", "owner": "o@example.com"});
    entry["expires"] = dice.of(&[json!("2027-03-01"), json!("2026-11-22"), json!("2026-10-01")]);
    match dice.below(5) {
        0 => {
            entry["match"] =
                json!({"rule": "public", "resource": "arn:1", "severity": "<= critical"});
        }
        1 => {
            entry["match"] = dice.of(&[json!({"rule": "*"}), json!({"severity": "<= high"})]);
            entry["max_findings"] = json!(dice.below(4) + 1);
        }
        2 => {
            entry["cause"] = dice.of(&[json!("unreachable"), json!("stale"), json!("deadline")]);
            entry["source"] = dice.of(&[json!("opencomply"), json!("bigid")]);
        }
        3 => entry["gate_off"] = json!("g0"),
        _ => {
            entry["match"] =
                json!({"rule": "PCI", "resource": "orders", "severity": ["<= high", "unknown"]});
        }
    }
    if dice.chance(20) {
        entry["gates"] = dice.of(&[json!(["g0"]), json!(["org/g0"]), json!(["g0", "org/g0"])]);
    }
    if dice.chance(30) {
        entry["from"] = json!("2026-11-01");
        entry["ticket"] = json!("SEC-1");
    }
    entry
}

/// A line for some of the findings, now and then of another severity or count.
fn random_baseline(dice: &mut Dice, scene: Scene) -> Scene {
    let severities = [Severity::Low, Severity::High, Severity::Critical, Severity::Unknown];
    let mut lines = Vec::new();
    for resource in ["arn:1", "arn:2", "arn:3", "arn:4", "orders", "hr", "exports"] {
        if dice.chance(60) {
            lines.push((resource, dice.of(&severities), dice.below(2) as u64 + 1));
        }
    }
    let scene = scene.known(&lines);
    if dice.chance(10) { scene.in_environment_of_baseline("production") } else { scene }
}

/// A policy of an organisation, which may take acceptances of the repository.
fn random_organisation(dice: &mut Dice) -> Value {
    let gates: Vec<_> = (0..=dice.below(2)).map(|id| random_gate(dice, id)).collect();
    let mut policy = scene_of(Value::Array(gates)).policy;
    if dice.chance(30) {
        policy["accept"] = json!([random_entry(dice, 7)]);
    }
    if dice.chance(60) {
        let terms = [
            json!({"match": {}}),
            json!({"match": {"severity": "<= critical", "max_findings": 2}, "baseline": {}}),
            json!({"match": {"max_life": "30d"}, "baseline": {"severity": "<= high"}}),
            json!({"match": {"severity": ["<= high", "unknown"], "max_findings": 1}}),
            json!({"match": {"require": ["ticket"], "max_findings": 3}}),
            json!({"baseline": {"severity": ["<= critical", "unknown"], "max_life": "200d"}}),
        ];
        policy["accept_from_repository"] = dice.of(&terms);
    }
    if dice.chance(20) {
        policy["mode"] = json!("observe");
    }
    if dice.chance(30) {
        policy["evidence"] = dice.of(&[json!({"max_age": "1h"}), json!({"min_evaluated": 41})]);
    }
    if dice.chance(30) {
        let source = policy["sources"]["opencomply"].as_object_mut().unwrap();
        source.remove("integrations");
        source.insert("from_repository".to_owned(), json!(["integrations"]));
    }
    policy
}

pub(super) fn scene(dice: &mut Dice) -> Scene {
    let gates: Vec<_> = (0..=dice.below(3)).map(|id| random_gate(dice, id)).collect();
    let mut scene = scene_of(Value::Array(gates));
    let mut entries = Vec::new();
    if dice.chance(60) {
        entries.extend((0..=dice.below(2)).map(|id| random_entry(dice, id)));
    }
    let has_baseline = dice.chance(30);
    if has_baseline {
        scene = random_baseline(dice, scene);
        let mut debt = json!({"id": "debt", "reason": "r", "owner": "o@example.com"});
        debt["expires"] = dice.of(&[json!("2027-03-01"), json!("2026-10-01")]);
        debt["baseline"] = json!("baseline.jsonl");
        if dice.chance(50) {
            debt["from"] = json!("2026-11-01");
        }
        entries.insert(dice.below(entries.len() + 1), debt);
    }
    if !entries.is_empty() {
        scene = scene.with("accept", Value::Array(entries));
    }
    if dice.chance(40) {
        scene = scene.beside(random_organisation(dice));
    }
    if dice.chance(40) {
        let demands = [
            json!({"max_age": "1h"}),
            json!({"max_age": "24h", "min_evaluated": 0}),
            json!({"min_evaluated": 41}),
        ];
        scene = scene.with("evidence", dice.of(&demands));
    }
    if dice.chance(10) {
        scene = scene.with("mode", json!("observe"));
    }
    if dice.chance(5) {
        scene.at_least = Some(dice.of(&[Verdict::Interrupted, Verdict::Invalid]));
    }
    for outcome in &mut scene.evidence.outcomes {
        let causes =
            [Cause::Unreachable, Cause::Deadline, Cause::Empty, Cause::Denied, Cause::Protocol];
        if dice.chance(8) {
            outcome.problems.push(problem(dice.of(&causes)));
        }
        for part in &mut outcome.parts {
            if dice.chance(10) {
                part.problems.push(problem(dice.of(&causes)));
            }
            if dice.chance(10) {
                part.unevaluated.push(Unevaluated {
                    account: Account { id: "C".into(), name: None },
                    why: None,
                });
            }
            if dice.chance(10) {
                part.as_of = None;
            }
            if dice.chance(15) {
                part.counts.table = None;
            }
            for finding in part.findings.listed_mut() {
                if dice.chance(10) {
                    Arc::make_mut(&mut finding.subject).severity = Severity::Unknown;
                }
                if dice.chance(10) {
                    Arc::make_mut(&mut finding.subject).account = None;
                }
                if dice.chance(10) {
                    Arc::make_mut(&mut finding.subject).rule = None;
                }
                if dice.chance(10) {
                    finding.resource_name = Some("named".into());
                }
                finding.identify(&outcome.source.as_str().into());
            }
            part.findings.sort();
            if dice.chance(15) {
                let listed = part.findings.listed().to_vec();
                let why = problem(Cause::Incomplete);
                part.findings = Findings::Incomplete { listed, why };
            }
        }
    }
    scene
}
