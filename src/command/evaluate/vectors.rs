//! Decisions for verifiers: `fixtures/vectors/`, and random ones for `second_opinion.py`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::config::Written;
use crate::evaluate;
use crate::evidence::{
    CiRun, Count, Counts, Evidence, Findings, Outcome, Part, Proof, SubjectCount, Table, Unit,
};
use crate::finding::{
    Account, Cause, Control, Finding, Identity, Problem, Rule, Severity, Subject,
};
use crate::policy::Document;
use crate::saved::{self, Decided};
use crate::selection::Field;
use crate::verdict::Verdict;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors");
const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/second_opinion.py");

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

/// A policy in JSON and the evidence that it is decided on.
#[derive(Clone)]
struct Scene {
    policy: Value,
    evidence: Evidence,
    at_least: Option<Verdict>,
}

fn subject(severity: Severity, rule: &str, account: Option<&str>, kind: Option<&str>) -> Subject {
    Subject {
        severity,
        rule: Some(Arc::new(Rule { id: rule.into(), title: None, help: None })),
        controls: [Control { framework: "base".into(), id: rule.into() }].into(),
        resource_type: kind.map(Into::into),
        account: account.map(|id| Arc::new(Account { id: id.into(), name: None })),
        region: None,
    }
}

fn finding(source: &str, resource: &str, subject: Subject) -> Finding {
    let mut finding = Finding::new(subject, Identity::Check);
    finding.resource_id = Some(resource.into());
    finding.identify(&source.into());
    finding
}

/// Checks of OpenComply: 36 passed, and one critical, two high and one low failed.
fn checks() -> Outcome {
    let of =
        |rule: &str, account, kind, severity| subject(severity, rule, Some(account), Some(kind));
    let failed = [
        ("arn:1", of("public", "A", "bucket", Severity::Critical)),
        ("arn:2", of("public", "B", "bucket", Severity::High)),
        ("arn:3", of("patches", "A", "vm", Severity::High)),
        ("arn:4", of("tags", "A", "bucket", Severity::Low)),
    ];
    let mut rows: BTreeMap<Subject, Count> = BTreeMap::new();
    for (rule, account, kind, severity, passed) in [
        ("public", "A", "bucket", Severity::Critical, 10),
        ("public", "B", "bucket", Severity::High, 6),
        ("patches", "A", "vm", Severity::High, 8),
        ("tags", "A", "bucket", Severity::Low, 12),
    ] {
        let count = Count { passed: Some(passed), failed: 0 };
        rows.insert(of(rule, account, kind, severity), count);
    }
    for (_, subject) in &failed {
        let count = rows.entry(subject.clone()).or_insert(Count::ZERO);
        count.failed += 1;
    }
    let rows = rows.into_iter().map(|(subject, count)| SubjectCount { subject, count });
    let by = [
        Field::Framework,
        Field::Control,
        Field::Rule,
        Field::Severity,
        Field::ResourceType,
        Field::Account,
    ];
    let findings = failed.map(|(resource, subject)| finding("opencomply", resource, subject));
    Outcome {
        parts: vec![Part {
            framework: Some("base".to_owned()),
            proof: Proof::Checks { evaluated: 40 },
            as_of: Some(now() - TimeDelta::hours(2)),
            findings: Findings::Listed(findings.into()),
            counts: Counts {
                table: Some(Table { by: by.into(), rows: rows.collect() }),
                answers: Vec::new(),
            },
            ..Part::default()
        }],
        ..empty("opencomply")
    }
}

/// Cases of BigID: an old one, a new one that is closed, and one of which little is stated.
fn cases() -> Outcome {
    let of = |rule: &str, severity| Subject {
        controls: Arc::default(),
        ..subject(severity, rule, None, Some("s3"))
    };
    let mut old = finding("bigid", "orders", of("PCI", Severity::High));
    (old.status, old.created_at) = (Some("open".into()), Some(now() - TimeDelta::days(40)));
    old.assignee = Some("team@example.com".into());
    let mut new = finding("bigid", "hr", of("Health", Severity::Medium));
    (new.status, new.open) = (Some("acknowledged".into()), false);
    new.created_at = Some(now() - TimeDelta::days(5));
    let vague = finding("bigid", "exports", of("Passwords", Severity::Unknown));
    Outcome {
        parts: vec![Part {
            unit: Unit::Case,
            proof: Proof::Answered { entries: 9, window: None },
            read_at: Some(now() - TimeDelta::minutes(3)),
            findings: Findings::Listed(vec![old, new, vague]),
            ..Part::default()
        }],
        ..empty("bigid")
    }
}

fn empty(source: &str) -> Outcome {
    let none = Problem::new(Cause::Empty, "");
    let origin = format!("https://{source}.example.com");
    Outcome { problems: Vec::new(), ..Outcome::of_failure(source.to_owned(), origin, none) }
}

/// A scene with these gates, over both sources.
fn scene(gates: Value) -> Scene {
    let policy = json!({
        "version": 1,
        "sources": {
            "bigid": {"url": "https://bigid.example.com"},
            "opencomply": {
                "url": "https://opencomply.example.com",
                "frameworks": ["base"],
                "integrations": "all"
            }
        },
        "gates": gates
    });
    let (started, finished) = (now() - TimeDelta::minutes(4), now());
    let evidence = Evidence { started, finished, outcomes: vec![cases(), checks()] };
    Scene { policy, evidence, at_least: None }
}

impl Scene {
    fn with(mut self, key: &str, value: Value) -> Self {
        self.policy[key] = value;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Evidence)) -> Self {
        change(&mut self.evidence);
        self
    }

    fn checks(self, change: impl FnOnce(&mut Part)) -> Self {
        self.change(|evidence| change(&mut evidence.outcomes[1].parts[0]))
    }

    fn cases(self, change: impl FnOnce(&mut Part)) -> Self {
        self.change(|evidence| change(&mut evidence.outcomes[0].parts[0]))
    }

    /// The file, and what it decides. `None` if the policy is not valid.
    fn decided(&self) -> Option<(Vec<u8>, Value)> {
        let document = Document::new("compliance-gate.yaml", self.policy.to_string());
        let config =
            Written::recorded(std::slice::from_ref(&document), crate::policy::Whose::Repository)
                .ok()?
                .resolve(None)
                .ok()?;
        let decision = evaluate::decide(&config.policy, &self.evidence, self.at_least, now());
        let gates = decision.rulings.iter().map(|ruling| {
            let state = json!({
                "state": ruling.state.word(),
                "blocks": ruling.blocks(),
                "failed": ruling.failed,
            });
            (ruling.gate.id.clone(), state)
        });
        let gates: serde_json::Map<_, _> = gates.collect();
        let exit_code = decision.exit_code();
        let expected = json!({"verdict": decision.verdict, "exit_code": exit_code, "gates": gates});
        let decided = Decided {
            verdict: decision.verdict,
            exit_code,
            at_least: self.at_least,
            now: now(),
            environment: None,
            warn_exit_code: None,
            break_glass: None,
            changes: None,
            subjects: Vec::new(),
            run: CiRun { host: "none".to_owned(), ..CiRun::default() },
        };
        let mut file = Vec::new();
        saved::write(&self.evidence, &[document], &decided, &mut file).unwrap();
        Some((file, expected))
    }
}

fn gate(more: Value) -> Value {
    let mut gate = json!({"id": "g", "source": "opencomply", "max": 0});
    gate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([gate])
}

fn of_cases(more: Value) -> Value {
    let mut gate = gate(more);
    gate[0]["source"] = json!("bigid");
    gate
}

fn problem(cause: Cause) -> Problem {
    Problem::new(cause, "made up")
}

fn entry(more: Value) -> Value {
    let mut entry =
        json!({"id": "e", "reason": "r", "owner": "o@example.com", "expires": "2027-03-01"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([entry])
}

/// The vectors, by name.
fn vectors() -> Vec<(&'static str, Scene)> {
    let g = |more| scene(gate(more));
    let c = |more| scene(of_cases(more));
    let rate = |rate: &str| g(json!({"max": 1000, "min_pass_rate": rate}));
    let accept = |gates: Value, more| scene(gates).with("accept", entry(more));
    let all = || gate(json!({}));
    let counted = |part: &mut Part| part.findings = Findings::counted(problem(Cause::Incomplete));
    let cut = |cause| move |part: &mut Part| part.problems.push(problem(cause));
    vec![
        ("all-failures", g(json!({}))),
        ("max-is-met-exactly", g(json!({"max": 4}))),
        ("severity-word", g(json!({"severity": "critical"}))),
        ("severity-list", g(json!({"severity": ["low", "critical"], "max": 1}))),
        ("severity-at-least", g(json!({"severity": ">= high", "max": 2}))),
        ("severity-below", g(json!({"severity": ["low", "medium"], "max": 0}))),
        ("severity-unknown-always-matches", c(json!({"severity": "low"}))),
        ("warn-only", g(json!({"level": "warn"}))),
        ("observe", g(json!({})).with("mode", json!("observe"))),
        ("blocks-later", g(json!({"blocks_from": "2026-12-01"}))),
        ("blocks-already", g(json!({"blocks_from": "2026-11-01"}))),
        ("rule-literal", g(json!({"rule": "public", "max": 1}))),
        ("rule-in-capitals", g(json!({"rule": "PUBLIC"}))),
        ("rule-pattern", g(json!({"rule": "pa*", "max": 0}))),
        ("rule-one-character", g(json!({"rule": "tag?"}))),
        ("rule-misspelt", g(json!({"rule": "pubic", "max": 9}))),
        ("one-rule-of-two-misspelt", g(json!({"rule": ["public", "patch"], "max": 9}))),
        ("misspelt-but-nothing-is-allowed", g(json!({"rule": "pubic", "min_evaluated": 0}))),
        ("misspelt-and-breached", g(json!({"rule": ["public", "patch"]}))),
        ("account", g(json!({"account": "B", "max": 1}))),
        ("account-unknown", g(json!({"account": "C", "max": 1}))),
        ("resource-on-failures", g(json!({"resource": "arn:3", "max": 1}))),
        ("resource-never-seen", g(json!({"resource": "arn:9", "max": 1}))),
        ("resource-type", g(json!({"resource_type": "vm"}))),
        ("control-and-framework", g(json!({"control": "tags", "framework": "base", "max": 1}))),
        ("another-framework", g(json!({"framework": "other", "max": 9}))),
        ("pass-rate-met", rate("90%")),
        ("pass-rate-missed", rate("90.000001%")),
        ("pass-rate-hundred", rate("100%")),
        ("pass-rate-of-a-rule", g(json!({"rule": "tags", "max": 9, "min_pass_rate": "92%"}))),
        ("min-evaluated-met", g(json!({"max": 9, "min_evaluated": 40}))),
        ("min-evaluated-missed", g(json!({"max": 9, "min_evaluated": 41}))),
        ("evidence-min-evaluated", g(json!({"max": 9})).with("evidence", json!({"min_evaluated": 41}))),
        ("fresh-enough", g(json!({"max": 9})).with("evidence", json!({"max_age": "2h"}))),
        ("too-old", g(json!({"max": 9})).with("evidence", json!({"max_age": "119m"}))),
        ("too-old-for-a-breach", g(json!({})).with("evidence", json!({"max_age": "1h"}))),
        (
            "of-a-time-far-ahead",
            g(json!({"max": 9}))
                .with("evidence", json!({"max_age": "1h"}))
                .checks(|part| part.as_of = Some(now() + TimeDelta::hours(15))),
        ),
        (
            "of-no-known-time",
            g(json!({"max": 9}))
                .with("evidence", json!({"max_age": "1h"}))
                .checks(|part| part.as_of = None),
        ),
        ("nothing-evaluated", g(json!({"max": 9})).checks(|part| {
            *part = Part { framework: Some("base".to_owned()), as_of: part.as_of, ..Part::default() };
        })),
        ("part-incomplete", g(json!({"max": 9})).checks(cut(Cause::Incomplete))),
        ("part-unreachable", g(json!({"max": 9})).checks(cut(Cause::Unreachable))),
        ("part-denied", g(json!({"max": 9})).checks(cut(Cause::Denied))),
        ("part-invalid", g(json!({"max": 9})).checks(cut(Cause::Invalid))),
        ("source-incomplete-and-breached", g(json!({})).change(|evidence| {
            evidence.outcomes[1].problems.push(problem(Cause::Incomplete));
        })),
        ("source-missing", g(json!({"max": 9})).change(|evidence| _ = evidence.outcomes.pop())),
        ("only-counted", g(json!({"severity": "high", "max": 2})).checks(counted)),
        ("only-counted-by-resource", g(json!({"resource": "arn:1", "max": 0})).checks(counted)),
        ("account-without-results", g(json!({"max": 9})).checks(|part| {
            part.accounts_without_results.push(Account { id: "C".into(), name: None });
        })),
        ("account-without-results-selected", g(json!({"account": ["A", "C"], "max": 9})).checks(
            |part| part.accounts_without_results.push(Account { id: "C".into(), name: None }),
        )),
        ("except-account", g(json!({"except": {"account": "B"}, "max": 3}))),
        ("except-two-maps", g(json!({"except": [{"account": "B"}, {"rule": "tags"}], "max": 2}))),
        ("except-both-keys", g(json!({"except": {"account": "A", "rule": "tags"}, "max": 3}))),
        ("except-matches-nothing", g(json!({"except": {"account": "Z"}, "max": 4}))),
        ("except-leaves-nothing", g(json!({"rule": "tags", "except": {"account": "A"}, "max": 4}))),
        ("except-in-a-pass-rate", g(json!({"except": {"rule": "tags"}, "max": 9, "min_pass_rate": "88.9%"}))),
        ("cases-open", c(json!({"status": "open", "max": 1}))),
        ("cases-closed", c(json!({"status": "acknowledged", "severity": "medium", "max": 2}))),
        ("cases-old", c(json!({"older_than": "30d", "max": 1}))),
        ("cases-older", c(json!({"older_than": "41d", "max": 1}))),
        ("cases-assigned", c(json!({"assignee": "team@*", "max": 3}))),
        ("cases-of-a-policy-that-has-none", c(json!({"rule": "GDPR", "max": 0}))),
        ("no-cases", c(json!({"max": 0})).cases(|part| part.findings = Findings::default())),
        ("two-sources", scene(gate(json!({"source": ["bigid", "opencomply"], "max": 7})))),
        ("all-sources", scene(gate(json!({"source": "all", "severity": "high", "max": 3})))),
        ("accept-one", accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}}))),
        ("accept-by-case", accept(all(), json!({"match": {"rule": "Public", "resource": "arn:1", "severity": "<= critical"}}))),
        (
            "accept-most",
            accept(gate(json!({"max": 1})), json!({"match": {"account": "A"}, "max_findings": 2})),
        ),
        (
            "accept-worst",
            accept(all(), json!({"match": {"account": "A", "severity": "<= high"}, "max_findings": 9})),
        ),
        (
            "accept-lapsed",
            accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2026-11-01"})),
        ),
        (
            "accept-not-yet",
            accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "from": "2027-01-01"})),
        ),
        (
            "accept-soon-over",
            accept(gate(json!({"max": 3})), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2026-11-25"})),
        ),
        (
            "accept-long",
            accept(gate(json!({"max": 3})), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2029-01-01"})),
        ),
        (
            "accept-raises-a-pass-rate",
            accept(
                gate(json!({"max": 9, "min_pass_rate": "92.3%"})),
                json!({"match": {"account": "A", "severity": "<= critical"}, "max_findings": 3}),
            ),
        ),
        (
            "cause-forgiven",
            accept(gate(json!({"max": 9})), json!({"cause": "unreachable", "source": "opencomply", "expires": "2026-12-10"}))
                .checks(cut(Cause::Unreachable)),
        ),
        (
            "another-cause-is-not-forgiven",
            accept(gate(json!({"max": 9})), json!({"cause": "unreachable", "source": "opencomply", "expires": "2026-12-10"}))
                .checks(cut(Cause::Deadline)),
        ),
        (
            "stale-forgiven-up-to-an-age",
            accept(gate(json!({"max": 9})), json!({"cause": "stale", "source": "opencomply", "up_to": "3h", "expires": "2026-12-10"}))
                .with("evidence", json!({"max_age": "1h"})),
        ),
        (
            "stale-beyond-the-age",
            accept(gate(json!({"max": 9})), json!({"cause": "stale", "source": "opencomply", "up_to": "90m", "expires": "2026-12-10"}))
                .with("evidence", json!({"max_age": "1h"})),
        ),
        (
            "gate-off",
            scene(json!([
                {"id": "g", "source": "opencomply", "max": 0},
                {"id": "h", "source": "bigid", "max": 9}
            ]))
            .with("accept", entry(json!({"gate_off": "g"}))),
        ),
        ("interrupted", Scene { at_least: Some(Verdict::Interrupted), ..g(json!({"max": 9})) }),
    ]
}

/// Whether the interpreter of the second opinion is here.
fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn second_opinion(folder: &Path) {
    if !has_python() {
        return;
    }
    let output = Command::new("python3").arg(VERIFIER).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// `UPDATE_VECTORS=1 cargo test --lib vectors` writes them anew.
#[test]
fn the_vectors_are_what_is_decided_and_a_second_opinion_agrees() {
    let mut expected = BTreeMap::new();
    let update = std::env::var_os("UPDATE_VECTORS").is_some();
    let invalid = vectors().into_iter().filter(|(_, scene)| scene.decided().is_none());
    let invalid: Vec<_> = invalid.map(|(name, _)| name).collect();
    assert!(invalid.is_empty(), "not valid: {invalid:?}");
    for (name, scene) in vectors() {
        let Some((file, decided)) = scene.decided() else { continue };
        let path = Path::new(FOLDER).join(format!("{name}.jsonl"));
        if update {
            std::fs::create_dir_all(FOLDER).unwrap();
            std::fs::write(&path, &file).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert!(kept == file, "{name}: the file has changed; see UPDATE_VECTORS");
        expected.insert(name, decided);
    }
    assert!(expected.len() >= 60, "{}", expected.len());
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let path = Path::new(FOLDER).join("expected.json");
    if update {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "see UPDATE_VECTORS");
    second_opinion(Path::new(FOLDER));
}

/// Numbers that are the same in each run.
struct Dice(u64);

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
        entry["gates"] = json!(["g0"]);
    }
    entry
}

fn random(dice: &mut Dice) -> Scene {
    let gates: Vec<_> = (0..=dice.below(3)).map(|id| random_gate(dice, id)).collect();
    let mut scene = scene(Value::Array(gates));
    if dice.chance(50) {
        let entries: Vec<_> = (0..=dice.below(2)).map(|id| random_entry(dice, id)).collect();
        scene = scene.with("accept", Value::Array(entries));
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
                part.accounts_without_results.push(Account { id: "C".into(), name: None });
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

#[test]
fn a_second_opinion_agrees_on_a_thousand_random_decisions() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/target/second-opinion"));
    std::fs::create_dir_all(folder).unwrap();
    let mut dice = Dice(13);
    let mut expected = BTreeMap::new();
    while expected.len() < 1000 {
        let scene = random(&mut dice);
        let Some((file, decided)) = scene.decided() else { continue };
        let name = format!("{:04}", expected.len());
        let path = folder.join(format!("{name}.jsonl"));
        std::fs::write(&path, file).unwrap();
        // What is saved and read again is the same.
        assert_eq!(saved::read(&path).unwrap().evidence, scene.evidence, "{name}");
        expected.insert(name, decided);
    }
    let expected = serde_json::to_string(&expected).unwrap();
    std::fs::write(folder.join("expected.json"), expected).unwrap();
    second_opinion(folder);
}

/// Each byte of a file, changed, is noticed.
#[test]
fn every_changed_byte_of_a_file_is_noticed() {
    let (file, _) = scene(gate(json!({}))).decided().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    for at in 0..file.len() {
        for change in [1, 0x20] {
            let mut changed = file.clone();
            changed[at] ^= change;
            std::fs::write(&path, &changed).unwrap();
            assert!(saved::read(&path).is_err(), "byte {at}, changed by {change}");
        }
    }
}
