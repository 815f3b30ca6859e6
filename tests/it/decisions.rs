//! The decision, as tables: evidence and a gate in, a ruling out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compliance_gate::evaluate::{self, Missed, State};
use compliance_gate::evidence::{
    Count, Evidence, Findings, Outcome, Part, SubjectCount, Table, Unit, Window,
};
use compliance_gate::finding::{
    Account, Cause, Control, Finding, Fingerprint, Identity, Problem, Rule, Severity, Subject,
};
use compliance_gate::policy::{Demands, Gate, Level, Limits, Mode, Percent, Place, Policy, Whose};
use compliance_gate::selection::{Field, Pattern, Selection};
use compliance_gate::verdict::Verdict;

use crate::common::estate::excuse;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

fn subject(severity: Severity, rule: &str) -> Subject {
    Subject {
        severity,
        rule: Some(Arc::new(Rule { id: rule.into(), title: None, help: None })),
        controls: [Control { framework: "base".into(), id: rule.into() }].into(),
        resource_type: Some("bucket".into()),
        account: Some(Arc::new(Account { id: "1111".into(), name: Some("prod".into()) })),
        region: None,
    }
}

fn finding(severity: Severity, rule: &str, resource: &str) -> Finding {
    Finding {
        subject: subject(severity, rule).into(),
        status: Some("open".into()),
        open: true,
        resource_id: Some(resource.into()),
        fingerprint: Fingerprint::of(&[rule, resource]),
        ..Finding::new(subject(severity, rule), Identity::Check)
    }
}

/// Three failures (critical, high, unknown) and 97 passes of rule `a`.
fn part() -> Part {
    let row = |severity, rule: &str, passed, failed| SubjectCount {
        subject: subject(severity, rule),
        count: Count { passed: Some(passed), failed },
    };
    let mut part = Part::of_checks(100);
    part.counts.table = Some(Table {
        by: [Field::Framework, Field::Control, Field::Rule, Field::Severity].into(),
        rows: vec![
            row(Severity::Critical, "a", 97, 1),
            row(Severity::High, "b", 0, 1),
            row(Severity::Unknown, "c", 0, 1),
        ],
    });
    Part {
        framework: Some("base".to_owned()),
        as_of: Some(now() - TimeDelta::hours(1)),
        findings: Findings::Listed(vec![
            finding(Severity::Critical, "a", "r1"),
            finding(Severity::High, "b", "r2"),
            finding(Severity::Unknown, "c", "r3"),
        ]),
        ..part
    }
}

fn outcome(source: &str, parts: Vec<Part>, problems: Vec<Problem>) -> Outcome {
    Outcome {
        source: source.to_owned(),
        origin: "https://platform.example.com".to_owned(),
        simulated: false,
        filters: Vec::new(),
        requests: 1,
        parts,
        problems,
        notes: Vec::new(),
        remarks: Vec::new(),
        after_fix: None,
        renew: None,
    }
}

fn collected(outcomes: Vec<Outcome>) -> Evidence {
    Evidence { started: now(), finished: now(), outcomes }
}

fn gate(limits: Limits) -> Gate {
    Gate {
        id: "gate".to_owned(),
        level: Level::Block,
        description: None,
        owner: None,
        link: None,
        sources: vec!["opencomply".to_owned()],
        selection: Selection::default(),
        limits,
        each: None,
        blocks_from: None,
        notes: Vec::new(),
        place: Place { file: "compliance-gate.yaml".into(), line: 1, column: 1 },
    }
}

fn max(max: u64) -> Limits {
    Limits { max: Some(max), ..Limits::default() }
}

fn words(field: Field, word: &str) -> Selection {
    Selection { words: BTreeMap::from([(field, vec![Pattern::new(word)])]), ..Selection::default() }
}

fn severities(severities: &[Severity]) -> Selection {
    let severity = Some(severities.iter().copied().collect::<BTreeSet<_>>());
    Selection { severity, ..Selection::default() }
}

fn policy(gates: Vec<Gate>) -> Policy {
    let evidence = Demands { min_evaluated: 1, max_age: None };
    Policy {
        whose: Whose::Repository,
        mode: Mode::Enforce,
        gates,
        accept: Vec::new(),
        most_by_taken: 0,
        owners: Vec::new(),
        evidence,
    }
}

/// State, failed checks, verdict.
fn rule(gate: Gate, evidence: &Evidence) -> (State, u64, Verdict) {
    let policy = policy(vec![gate]);
    let decision = evaluate::decide(&policy, evidence, None, now());
    (decision.rulings[0].state, decision.rulings[0].failed, decision.verdict)
}

#[test]
fn max_counts_what_the_selection_takes() {
    let mut part = part();
    // A resource on which all checks passed, as a source answers that is asked for it.
    let fine = words(Field::Resource, "r9");
    part.counts.answer(fine.clone(), Count { passed: Some(2), failed: 0 });
    let outcomes = collected(vec![outcome("opencomply", vec![part], Vec::new())]);
    let with = |selection, limit| Gate { selection, ..gate(max(limit)) };
    let table = [
        ("everything", Selection::default(), 3, State::Held, 3),
        ("everything, one less", Selection::default(), 2, State::Breached, 3),
        // An unknown severity could be the worst, so every severity selector takes it.
        ("critical", severities(&[Severity::Critical]), 1, State::Breached, 2),
        ("low", severities(&[Severity::Low]), 0, State::Breached, 1),
        ("rule", words(Field::Rule, "a"), 0, State::Breached, 1),
        ("rule with wildcard", words(Field::Rule, "*"), 3, State::Held, 3),
        ("account by id", words(Field::Account, "1111"), 2, State::Breached, 3),
        ("account by name", words(Field::Account, "pr?d"), 2, State::Breached, 3),
        ("resource", words(Field::Resource, "r2"), 0, State::Breached, 1),
        ("resource that is fine", fine, 0, State::Held, 0),
        ("framework", words(Field::Framework, "base"), 3, State::Held, 3),
    ];
    for (name, selection, limit, state, failed) in table {
        let (got, count, _) = rule(with(selection, limit), &outcomes);
        assert_eq!((got, count), (state, failed), "{name}");
    }
}

#[test]
fn a_typo_is_never_green() {
    let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    for field in [Field::Framework, Field::Control, Field::Rule] {
        let typo = Gate { selection: words(field, "tpyo"), ..gate(max(0)) };
        let decided = rule(typo.clone(), &outcomes);
        assert_eq!(decided, (State::Undecided, 0, Verdict::Inconclusive), "{field}");
        let limits = Limits { min_evaluated: Some(0), ..max(0) };
        let allowed = Gate { limits, ..typo };
        assert_eq!(rule(allowed, &outcomes).2, Verdict::Passed, "{field} with min_evaluated: 0");
    }
    // The table is not split by account, and no failure is in that one.
    let unknown = Gate { selection: words(Field::Account, "2222"), ..gate(max(0)) };
    assert_eq!(rule(unknown, &outcomes).2, Verdict::Inconclusive);
}

fn several(field: Field, words: &[&str]) -> Selection {
    let patterns = words.iter().copied().map(Pattern::new).collect();
    Selection { words: BTreeMap::from([(field, patterns)]), ..Selection::default() }
}

/// The problems of one gate, as sentences.
fn problems(gate: Gate, evidence: &Evidence) -> Vec<String> {
    let policy = policy(vec![gate]);
    let decision = evaluate::decide(&policy, evidence, None, now());
    decision.rulings[0].problems.iter().map(|problem| problem.message.clone()).collect()
}

#[test]
fn each_word_of_a_list_must_match_something() {
    let evidence = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    let rules = |rules: &[&str]| Gate { selection: several(Field::Rule, rules), ..gate(max(9)) };
    assert_eq!(rule(rules(&["a", "b"]), &evidence).0, State::Held);
    let mut beside = rules(&["a", "typo"]);
    beside.selection.severity = Some([Severity::Critical].into());
    assert_eq!(rule(beside.clone(), &evidence).0, State::Undecided);
    assert_eq!(
        problems(beside.clone(), &evidence),
        ["gate `gate`: nothing that was evaluated matches rule `typo`"]
    );
    // The limit is exceeded anyway.
    let over = Gate { limits: max(0), ..beside.clone() };
    assert_eq!(rule(over, &evidence).0, State::Breached);
    let limits = Limits { min_evaluated: Some(0), ..max(9) };
    let allowed = Gate { limits, ..beside };
    let policy = policy(vec![allowed]);
    let decision = evaluate::decide(&policy, &evidence, None, now());
    assert_eq!(decision.verdict, Verdict::Passed);
    assert_eq!(
        decision.rulings[0].notes,
        ["gate `gate`: nothing that was evaluated matches rule `typo`"]
    );
    // The nearest word is suggested.
    let account = Gate { selection: several(Field::Account, &["1111", "111l"]), ..gate(max(9)) };
    let mut split = part();
    if let Some(table) = &mut split.counts.table {
        table.by.insert(Field::Account);
    }
    let evidence = collected(vec![outcome("opencomply", vec![split], Vec::new())]);
    assert_eq!(
        problems(account, &evidence),
        ["gate `gate`: nothing that was evaluated matches account `111l`; did you mean `1111`?"]
    );
}

#[test]
fn a_source_in_which_nothing_matches_is_named() {
    let mut other = part();
    other.framework = None;
    other.counts.table = Some(Table {
        by: [Field::Rule].into(),
        rows: vec![SubjectCount {
            subject: subject(Severity::Low, "z"),
            count: Count { passed: Some(7), failed: 0 },
        }],
    });
    other.findings = Findings::default();
    let evidence = collected(vec![
        outcome("gravityzone", vec![other], Vec::new()),
        outcome("opencomply", vec![part()], Vec::new()),
    ]);
    let both = Gate {
        sources: vec!["gravityzone".to_owned(), "opencomply".to_owned()],
        selection: words(Field::Rule, "a"),
        ..gate(max(9))
    };
    assert_eq!(
        problems(both.clone(), &evidence),
        ["gate `gate`: nothing that was evaluated in gravityzone matches rule a"]
    );
    let together = Gate { selection: several(Field::Rule, &["a", "z"]), ..both };
    assert_eq!(problems(together, &evidence), [""; 0]);
}

#[test]
fn what_a_finding_does_not_state_never_takes_it_out_of_a_gate() {
    let bare = |change: fn(&mut Finding)| {
        let mut finding = finding(Severity::High, "a", "r1");
        change(&mut finding);
        let mut part = part();
        part.findings = Findings::Listed(vec![finding]);
        collected(vec![outcome("opencomply", vec![part], Vec::new())])
    };
    type Change = fn(&mut Finding);
    let cases: [(Field, &str, Change); 9] = [
        (Field::Rule, "a", |f| Arc::make_mut(&mut f.subject).rule = None),
        (Field::Framework, "base", |f| {
            Arc::make_mut(&mut f.subject).controls =
                [Control { framework: "".into(), id: "a".into() }].into();
        }),
        (Field::Control, "a", |f| {
            Arc::make_mut(&mut f.subject).controls =
                [Control { framework: "base".into(), id: "".into() }].into();
        }),
        (Field::ResourceType, "bucket", |f| Arc::make_mut(&mut f.subject).resource_type = None),
        (Field::Account, "1111", |f| Arc::make_mut(&mut f.subject).account = None),
        (Field::Region, "eu", |f| Arc::make_mut(&mut f.subject).region = None),
        (Field::Resource, "r1", |f| f.resource_id = None),
        (Field::Status, "open", |f| f.status = None),
        (Field::Actor, "somebody", |f| f.actor = None),
    ];
    for (field, word, change) in cases {
        let gate = Gate { selection: words(field, word), ..gate(max(0)) };
        let evidence = bare(change);
        assert_eq!(rule(gate.clone(), &evidence).0, State::Breached, "{field}");
        let policy = policy(vec![gate]);
        let decision = evaluate::decide(&policy, &evidence, None, now());
        let note = format!("1 failed check without a stated {field}; they match every `{field}`");
        assert_eq!(decision.rulings[0].notes, [note]);
    }
}

#[test]
fn nothing_evaluated_is_not_a_pass() {
    let empty = || Part { framework: Some("base".to_owned()), ..Part::default() };
    let outcomes = collected(vec![outcome("opencomply", vec![empty()], Vec::new())]);
    assert_eq!(rule(gate(max(0)), &outcomes).2, Verdict::Inconclusive);
    assert_eq!(rule(gate(max(0)), &collected(vec![])).2, Verdict::Inconclusive);
    let silent = collected(vec![outcome("opencomply", Vec::new(), Vec::new())]);
    assert_eq!(rule(gate(max(0)), &silent).2, Verdict::Inconclusive);
    let allowed = Limits { min_evaluated: Some(0), ..max(0) };
    assert_eq!(rule(gate(allowed), &outcomes).2, Verdict::Passed);
    let mut policy = policy(vec![gate(max(0))]);
    policy.evidence.min_evaluated = 0;
    assert_eq!(evaluate::decide(&policy, &outcomes, None, now()).verdict, Verdict::Passed);
    // A job that says of itself that it evaluated nothing is allowed in the same way, and only so.
    let said = Part { problems: vec![Problem::new(Cause::Empty, "nothing")], ..empty() };
    let outcomes = collected(vec![outcome("opencomply", vec![said], Vec::new())]);
    assert_eq!(rule(gate(max(0)), &outcomes).2, Verdict::Inconclusive);
    assert_eq!(evaluate::decide(&policy, &outcomes, None, now()).verdict, Verdict::Passed);
}

#[test]
fn a_quiet_window_is_a_pass() {
    let window = Window { from: now() - TimeDelta::hours(24), to: now() };
    let quiet = || Part::of_window(Unit::Event, window);
    let outcomes = collected(vec![outcome("opencomply", vec![quiet()], Vec::new())]);
    assert_eq!(rule(gate(max(0)), &outcomes).2, Verdict::Passed);
    let selective = Gate { selection: words(Field::Rule, "a"), ..gate(max(0)) };
    assert_eq!(rule(selective.clone(), &outcomes).2, Verdict::Passed);
    let busy =
        Part { findings: Findings::Listed(vec![finding(Severity::High, "a", "r")]), ..quiet() };
    let outcomes = collected(vec![outcome("opencomply", vec![busy], Vec::new())]);
    assert_eq!(rule(selective, &outcomes), (State::Breached, 1, Verdict::Blocked));
    let unanswered = Part { problems: vec![Problem::new(Cause::Protocol, "shape")], ..quiet() };
    let outcomes = collected(vec![outcome("opencomply", vec![unanswered], Vec::new())]);
    assert_eq!(rule(gate(max(0)), &outcomes).2, Verdict::Inconclusive);
}

#[test]
fn pass_rates_are_compared_exactly() -> Result<(), String> {
    // 97 of 100 passed.
    let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    for (share, state) in [
        ("97%", State::Held),
        ("97.000001%", State::Breached),
        ("0%", State::Held),
        ("100%", State::Breached),
    ] {
        let limits = Limits { min_pass_rate: Some(Percent::parse(share)?), ..Limits::default() };
        assert_eq!(rule(gate(limits), &outcomes).0, state, "{share}");
    }
    Ok(())
}

#[test]
fn a_breach_says_by_how_much() -> Result<(), String> {
    let table = [
        (
            Missed::TooMany { failed: 119, max: 0 },
            "119 failed checks where max is 0: 119 over the limit",
        ),
        (
            Missed::TooFew { passed: 97, total: 100, least: Percent::parse("98%")? },
            "pass rate 97.00% (97 of 100) where min_pass_rate is 98%: 2 failed checks over the limit",
        ),
        (
            Missed::TooFew { passed: 99_999, total: 100_000, least: Percent::parse("100%")? },
            "pass rate 99.99% (99,999 of 100,000) where min_pass_rate is 100%: 1 failed check over \
             the limit",
        ),
    ];
    for (breach, sentence) in table {
        assert_eq!(breach.sentence("failed check"), sentence);
    }
    Ok(())
}

#[test]
fn percentages_are_read_strictly() {
    for good in ["0%", "72.5%", "100%", " 95 % ", "99.999999%"] {
        assert!(Percent::parse(good).is_ok(), "{good}");
    }
    for bad in
        ["95", "0.95", "-1%", "101%", "100.1%", "%", ".5%", "5.%", "1e1%", "72,5%", "1.2345678%"]
    {
        assert!(Percent::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn counts_stand_in_for_findings_that_are_missing() {
    let mut part = part();
    part.findings = Findings::counted(Problem::new(Cause::Contradictory, "they do not recount"));
    let outcomes = collected(vec![outcome("opencomply", vec![part], Vec::new())]);
    let critical = Gate { selection: severities(&[Severity::Critical]), ..gate(max(2)) };
    assert_eq!(rule(critical, &outcomes), (State::Held, 2, Verdict::Passed));
    let resource = Gate { selection: words(Field::Resource, "r1"), ..gate(max(9)) };
    assert_eq!(rule(resource, &outcomes), (State::Undecided, 0, Verdict::Inconclusive));
}

#[test]
fn the_valid_part_can_breach_although_the_rest_is_missing() {
    let other = Part {
        framework: Some("other".to_owned()),
        problems: vec![Problem::new(Cause::JobFailed, "it failed")],
        ..part()
    };
    let outcomes = collected(vec![outcome("opencomply", vec![part(), other], Vec::new())]);
    assert_eq!(rule(gate(max(2)), &outcomes), (State::Breached, 3, Verdict::Blocked));
    assert_eq!(rule(gate(max(3)), &outcomes), (State::Undecided, 3, Verdict::Inconclusive));
    // A gate that does not ask for the part that failed does not care.
    let base = Gate { selection: words(Field::Framework, "base"), ..gate(max(3)) };
    assert_eq!(rule(base, &outcomes), (State::Held, 3, Verdict::Passed));
    // A share of a part of the evidence says nothing.
    let least = Percent::parse("99%").ok();
    let rate = gate(Limits { min_pass_rate: least, ..Limits::default() });
    assert_eq!(rule(rate, &outcomes), (State::Undecided, 3, Verdict::Inconclusive));
}

#[test]
fn each_cause_has_its_exit_code_and_the_gravest_counts() {
    let table = [
        (Cause::Invalid, 2),
        (Cause::Setup, 2),
        (Cause::Denied, 4),
        (Cause::Unreachable, 5),
        (Cause::Deadline, 3),
        (Cause::Interrupted, 3),
        (Cause::Protocol, 3),
        (Cause::JobFailed, 3),
        (Cause::Incomplete, 3),
        (Cause::Contradictory, 3),
        (Cause::Stale, 3),
        (Cause::Empty, 3),
    ];
    for (cause, code) in table {
        let outcomes =
            collected(vec![outcome("opencomply", Vec::new(), vec![Problem::new(cause, "so")])]);
        assert_eq!(rule(gate(max(0)), &outcomes).2.exit_code(), code, "{cause:?}");
        let warning = Gate { level: Level::Warn, ..gate(max(0)) };
        assert_eq!(rule(warning, &outcomes).2, Verdict::Warned, "{cause:?} for a warning gate");
    }
    // An interrupt, then 2, 1, 4, 3, 5.
    let mut order = Verdict::ALL;
    order.sort();
    let codes: Vec<_> = order.iter().rev().map(|verdict| verdict.exit_code()).collect();
    assert_eq!(codes, [131, 129, 143, 130, 2, 1, 4, 3, 5, 0, 0]);
}

#[test]
fn an_exception_holds_until_its_day_is_over() -> Result<(), chrono::ParseError> {
    let outcomes = collected(vec![outcome(
        "opencomply",
        Vec::new(),
        vec![Problem::new(Cause::Unreachable, "down")],
    )]);
    let today: NaiveDate = now().date_naive();
    for (cause, expires, verdict) in [
        (Cause::Unreachable, today, Verdict::Warned),
        (Cause::Unreachable, today - TimeDelta::days(1), Verdict::Unreachable),
        (Cause::Deadline, today, Verdict::Unreachable),
    ] {
        let mut policy = policy(vec![gate(max(0))]);
        policy.accept = vec![excuse(cause, None, expires)];
        let decision = evaluate::decide(&policy, &outcomes, None, now());
        assert_eq!(decision.verdict, verdict, "{cause:?} until {expires}");
        let notes = decision.rulings[0].notes.join("\n");
        assert_eq!(notes.contains("lapsed on"), expires < today, "{notes}");
    }
    Ok(())
}

#[test]
fn an_exception_never_covers_a_breach() {
    let other = Part {
        framework: Some("other".to_owned()),
        problems: vec![Problem::new(Cause::Deadline, "late")],
        ..part()
    };
    let outcomes = collected(vec![outcome("opencomply", vec![part(), other], Vec::new())]);
    let mut policy = policy(vec![gate(max(2))]);
    policy.accept = vec![excuse(Cause::Deadline, None, now().date_naive())];
    assert_eq!(evaluate::decide(&policy, &outcomes, None, now()).verdict, Verdict::Blocked);
}

#[test]
fn old_evidence_is_inconclusive() {
    for (max_age, verdict) in [(7200, Verdict::Blocked), (3599, Verdict::Inconclusive)] {
        let mut policy = policy(vec![gate(max(0))]);
        policy.evidence.max_age = Some(Duration::from_secs(max_age));
        let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
        let decision = evaluate::decide(&policy, &outcomes, None, now());
        assert_eq!(decision.verdict, verdict, "{max_age}");
    }
    // The clocks may differ a little. Evidence dated in the future is not used.
    for (ahead, verdict) in [(13, Verdict::Blocked), (15, Verdict::Inconclusive)] {
        let mut policy = policy(vec![gate(max(0))]);
        policy.evidence.max_age = Some(Duration::from_secs(60));
        let early = Part { as_of: Some(now() + chrono::TimeDelta::hours(ahead)), ..part() };
        let outcomes = collected(vec![outcome("opencomply", vec![early], Vec::new())]);
        let decision = evaluate::decide(&policy, &outcomes, None, now());
        assert_eq!(decision.verdict, verdict, "{ahead}");
    }
    let ageless = Part { as_of: None, ..part() };
    let mut policy = policy(vec![gate(max(9))]);
    policy.evidence.max_age = Some(Duration::from_secs(60));
    let outcomes = collected(vec![outcome("opencomply", vec![ageless], Vec::new())]);
    assert_eq!(evaluate::decide(&policy, &outcomes, None, now()).verdict, Verdict::Inconclusive);
}

#[test]
fn stale_evidence_that_is_let_through_still_shows_its_failures() {
    let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    let failed = part().findings.listed().len() as u64;
    assert!(failed > 0);
    for (expires, verdict, shown) in [
        (now().date_naive(), Verdict::Warned, Some(failed)),
        (NaiveDate::default(), Verdict::Inconclusive, None),
    ] {
        let mut policy = policy(vec![gate(max(0))]);
        policy.evidence.max_age = Some(Duration::from_secs(60));
        policy.accept = vec![excuse(Cause::Stale, Some(Duration::from_secs(3600)), expires)];
        let decision = evaluate::decide(&policy, &outcomes, None, now());
        assert_eq!(decision.verdict, verdict);
        assert_eq!((decision.rulings[0].failed, decision.rulings[0].stale_failed), (0, shown));
    }
}

#[test]
fn too_little_evaluated_is_inconclusive() {
    let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    for (least, verdict) in [(100, Verdict::Passed), (101, Verdict::Inconclusive)] {
        let limits = Limits { min_evaluated: Some(least), ..Limits::default() };
        assert_eq!(rule(gate(limits), &outcomes).2, verdict, "gate: {least}");
        let mut policy = policy(vec![gate(max(9))]);
        policy.evidence.min_evaluated = least;
        let decision = evaluate::decide(&policy, &outcomes, None, now());
        assert_eq!(decision.verdict, verdict, "evidence: {least}");
    }
}

#[test]
fn gates_over_several_sources_are_summed() {
    let both = |limits| Gate {
        sources: vec!["opencomply".to_owned(), "gravityzone".to_owned()],
        ..gate(limits)
    };
    let other = Part { framework: None, ..part() };
    let outcomes = collected(vec![
        outcome("gravityzone", vec![other], Vec::new()),
        outcome("opencomply", vec![part()], Vec::new()),
    ]);
    assert_eq!(rule(both(max(6)), &outcomes), (State::Held, 6, Verdict::Passed));
    assert_eq!(rule(both(max(5)), &outcomes), (State::Breached, 6, Verdict::Blocked));
    // One of them missing: breached as soon as the valid part exceeds, inconclusive otherwise.
    let half = collected(vec![
        outcome("gravityzone", Vec::new(), vec![Problem::new(Cause::Unreachable, "down")]),
        outcome("opencomply", vec![part()], Vec::new()),
    ]);
    assert_eq!(rule(both(max(2)), &half), (State::Breached, 3, Verdict::Blocked));
    assert_eq!(rule(both(max(5)), &half), (State::Undecided, 3, Verdict::Unreachable));
}

#[test]
fn observing_exits_zero_and_keeps_the_verdict() {
    let outcomes = collected(vec![outcome("opencomply", vec![part()], Vec::new())]);
    let policy = Policy { mode: Mode::Observe, ..policy(vec![gate(max(0))]) };
    let decision = evaluate::decide(&policy, &outcomes, None, now());
    assert_eq!((decision.verdict, decision.exit_code()), (Verdict::Blocked, 0));
    let decision = evaluate::decide(&policy, &outcomes, Some(Verdict::Interrupted), now());
    assert_eq!(decision.exit_code(), 130);
}

#[test]
fn an_unknown_age_could_be_old_enough() {
    let aged = |created_at| Part {
        findings: Findings::Listed(vec![Finding {
            created_at,
            ..finding(Severity::Low, "a", "r")
        }]),
        ..part()
    };
    let old = Selection { older_than: Some(Duration::from_secs(3600)), ..Selection::default() };
    for (created_at, failed) in [
        (None, 1),
        (Some(now() - TimeDelta::hours(2)), 1),
        (Some(now() - TimeDelta::minutes(59)), 0),
        (Some(now() + TimeDelta::hours(2)), 0),
    ] {
        let outcomes = collected(vec![outcome("opencomply", vec![aged(created_at)], Vec::new())]);
        let gate = Gate { selection: old.clone(), ..gate(max(9)) };
        assert_eq!(rule(gate, &outcomes).1, failed, "{created_at:?}");
    }
}

#[test]
fn status_open_takes_what_nobody_settled() {
    let with = |status: Option<&str>, open| Part {
        findings: Findings::Listed(vec![Finding {
            status: status.map(Into::into),
            open,
            ..finding(Severity::Low, "a", "r")
        }]),
        ..part()
    };
    for (status, open, selected, failed) in [
        (Some("open"), true, "open", 1),
        (None, true, "open", 1),
        (Some("remediated"), true, "open", 1),
        (Some("remediated"), true, "remediated", 1),
        (Some("risk_accepted"), false, "open", 0),
        (Some("risk_accepted"), false, "risk_*", 1),
    ] {
        let outcomes = collected(vec![outcome("opencomply", vec![with(status, open)], Vec::new())]);
        let gate = Gate { selection: words(Field::Status, selected), ..gate(max(9)) };
        assert_eq!(rule(gate, &outcomes).1, failed, "{status:?} by {selected}");
    }
}
