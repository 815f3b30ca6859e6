//! What holds for every policy and every evidence, tried on thousands of small ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use compliance_gate::acceptance::{
    Acceptance, Conditions, Forgives, Grounds, KnownFindings, Match, Required, Terms,
};
use compliance_gate::baseline::{Baseline, Header, SCHEMA};
use compliance_gate::evaluate::{self, Decision, State};
use compliance_gate::evidence::{
    Count, Evidence, Findings, Outcome, Part, Proof, SubjectCount, Table, Unevaluated,
};
use compliance_gate::finding::{
    Account, Cause, Control, Finding, Identity, Problem, Rule, Severity, Subject,
};
use compliance_gate::policy::{Demands, Gate, Level, Limits, Mode, Percent, Place, Policy, Whose};
use compliance_gate::selection::{Exclusion, Field, Pattern, Selection};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const CASES: u32 = 2000;

/// What a table of passed checks is split by.
const SPLIT: [Field; 5] =
    [Field::Framework, Field::Control, Field::Rule, Field::Severity, Field::Account];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

/// A check: which, on what, and whether it passed.
#[derive(Clone, Debug)]
struct Check {
    severity: Severity,
    rule: Option<&'static str>,
    framework: Option<&'static str>,
    account: Option<&'static str>,
    resource: Option<&'static str>,
    passed: bool,
}

impl Check {
    fn subject(&self) -> Subject {
        let controls = self.framework.map(|framework| Control {
            framework: framework.into(),
            id: self.rule.unwrap_or_default().into(),
        });
        Subject {
            severity: self.severity,
            rule: self.rule.map(|id| Arc::new(Rule { id: id.into(), title: None, help: None })),
            controls: controls.into_iter().collect(),
            resource_type: None,
            account: self.account.map(|id| Arc::new(Account { id: id.into(), name: None })),
            region: None,
        }
    }

    fn finding(&self) -> Finding {
        let mut finding = Finding::new(self.subject(), Identity::Check);
        finding.resource_id = self.resource.map(Into::into);
        finding.status = Some("open".into());
        finding
    }
}

fn check() -> impl Strategy<Value = Check> {
    let severities = [Severity::Low, Severity::High, Severity::Critical, Severity::Unknown];
    (
        select(severities.to_vec()),
        select(vec![None, Some("r1"), Some("r2")]),
        select(vec![None, Some("f1"), Some("f2")]),
        select(vec![None, Some("a1"), Some("a2"), Some("a3")]),
        select(vec![None, Some("x"), Some("y")]),
        any::<bool>(),
    )
        .prop_map(|(severity, rule, framework, account, resource, passed)| Check {
            severity,
            rule,
            framework,
            account,
            resource,
            passed,
        })
}

/// What one source reports.
#[derive(Clone, Debug)]
struct Reported {
    checks: Vec<Check>,
    problem: Option<Cause>,
    /// Failures are only counted.
    is_counted: bool,
    unseen: bool,
}

fn reported() -> impl Strategy<Value = Reported> {
    let checks = proptest::collection::vec(check(), 0..14);
    let problem = prop_oneof![
        4 => Just(None),
        1 => select(vec![Some(Cause::Unreachable), Some(Cause::Incomplete)]),
    ];
    (checks, problem, proptest::bool::weighted(0.15), proptest::bool::weighted(0.1)).prop_map(
        |(checks, problem, is_counted, unseen)| Reported { checks, problem, is_counted, unseen },
    )
}

/// Evidence of sources that are called s0, s1 …
fn evidence(sources: &[Reported]) -> Evidence {
    let outcomes = sources.iter().enumerate().map(|(number, reported)| {
        let name = format!("s{number}");
        let mut part = Part::of_checks(reported.checks.len() as u64);
        part.proof = Proof::Checks { evaluated: reported.checks.len() as u64 };
        part.as_of = Some(now());
        if reported.unseen {
            part.unevaluated
                .push(Unevaluated { account: Account { id: "a4".into(), name: None }, why: None });
        }
        let rows = reported.checks.iter().map(|check| SubjectCount {
            subject: check.subject(),
            count: Count {
                passed: Some(u64::from(check.passed)),
                failed: u64::from(!check.passed),
            },
        });
        part.counts.table = Some(Table { by: SPLIT.into(), rows: rows.collect() });
        let failed = reported.checks.iter().filter(|check| !check.passed);
        part.findings = match reported.is_counted {
            true => Findings::counted(Problem::new(Cause::Incomplete, "they are not listed")),
            false => Findings::Listed(failed.map(Check::finding).collect()),
        };
        let source: Arc<str> = name.as_str().into();
        part.findings.listed_mut().iter_mut().for_each(|finding| finding.identify(&source));
        let problem = reported.problem.map(|cause| Problem::new(cause, "given"));
        let mut outcome = Outcome::of_failure(name, String::new(), Problem::new(Cause::Empty, ""));
        outcome.problems = problem.into_iter().collect();
        outcome.parts = vec![part];
        outcome
    });
    Evidence { started: now(), finished: now(), outcomes: outcomes.collect() }
}

type Words = BTreeMap<Field, Vec<Pattern>>;

fn words() -> impl Strategy<Value = Words> {
    let of = |field: Field, words: &[&'static str]| {
        subsequence(words.to_vec(), 0..=2).prop_map(move |words| {
            let patterns: Vec<_> = words.into_iter().map(Pattern::new).collect();
            Some((field, patterns)).filter(|(_, patterns)| !patterns.is_empty())
        })
    };
    (
        of(Field::Rule, &["r1", "R2", "r*"]),
        of(Field::Account, &["a1", "a2", "a?"]),
        of(Field::Framework, &["f1", "f2", "*"]),
    )
        .prop_map(|(rule, account, framework)| {
            [rule, account, framework].into_iter().flatten().collect()
        })
}

fn severities() -> impl Strategy<Value = Option<BTreeSet<Severity>>> {
    select(vec![
        None,
        Some([Severity::High, Severity::Critical].into()),
        Some([Severity::Low].into()),
    ])
}

/// Never with the word `unknown`, and never of everything.
fn except() -> impl Strategy<Value = Exclusion> {
    let resource = select(vec![None, Some(Pattern::new("x")), Some(Pattern::new("?"))]);
    (words(), severities(), resource)
        .prop_map(|(mut words, severity, resource)| {
            words.extend(resource.map(|pattern| (Field::Resource, vec![pattern])));
            Exclusion { words, severity }
        })
        .prop_filter("it names something", |except| !except.fields().is_empty())
}

fn gate() -> impl Strategy<Value = Gate> {
    let limits = (
        proptest::option::of(0_u64..5),
        proptest::option::of(select(vec!["50%", "66.666666%", "100%", "0%"])),
        proptest::option::of(0_u64..6),
    )
        .prop_map(|(max, rate, min_evaluated)| Limits {
            max,
            min_pass_rate: rate.map(|rate| Percent::parse(rate).unwrap()),
            min_evaluated,
        })
        .prop_filter("it has a limit", |limits| *limits != Limits::default());
    let each = prop_oneof![
        3 => Just(None),
        1 => select(vec![Some(Field::Account), Some(Field::Framework)]),
    ];
    let sources = select(vec![vec!["s0"], vec!["s1"], vec!["s0", "s1"]]);
    (words(), severities(), limits, each, sources, any::<bool>()).prop_map(
        |(words, severity, limits, each, sources, blocks)| Gate {
            id: "gate".to_owned(),
            level: if blocks { Level::Block } else { Level::Warn },
            description: None,
            owner: None,
            link: None,
            sources: sources.into_iter().map(str::to_owned).collect(),
            selection: Selection { words, severity, older_than: None, except: Vec::new() },
            limits,
            each,
            blocks_from: None,
            notes: Vec::new(),
            place: Place::default(),
        },
    )
}

fn policy(gate: Gate) -> Policy {
    Policy {
        whose: Whose::Repository,
        mode: Mode::Enforce,
        gates: vec![gate],
        accept: Vec::new(),
        most_by_taken: 0,
        owners: Vec::new(),
        evidence: Demands { min_evaluated: 1, max_age: None },
    }
}

fn state_of(policy: &Policy, evidence: &Evidence) -> State {
    decided(policy, evidence, |decision| decision.rulings[0].state)
}

fn decided<T>(policy: &Policy, evidence: &Evidence, with: impl FnOnce(&Decision<'_>) -> T) -> T {
    with(&evaluate::decide(policy, evidence, None, now()))
}

fn sources() -> impl Strategy<Value = Vec<Reported>> {
    proptest::collection::vec(reported(), 2)
}

fn acceptance(expires: NaiveDate) -> impl Strategy<Value = Acceptance> {
    (words(), proptest::option::of(0_u64..4), any::<bool>()).prop_map(
        move |(words, max_findings, worst)| Acceptance {
            forgives: Forgives::Match(Match {
                sources: Vec::new(),
                selection: Selection { words, ..Selection::default() },
                worst: Some(if worst { Severity::Critical } else { Severity::Low }),
                unknown: false,
                max_findings,
            }),
            ..accepted_as("entry", expires)
        },
    )
}

fn today() -> NaiveDate {
    now().date_naive()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn percentages_are_exact(
        whole in 0_u64..=100, part in 0_u64..1_000_000, passed: u32, failed: u32, big: bool,
    ) {
        let part = if whole == 100 { 0 } else { part };
        let least = Percent::parse(&format!("{whole}.{part:06}%")).unwrap();
        // Larger counts are refused where they are read.
        let scale = if big { 1 << 8 } else { 1 };
        let (passed, failed) = (u64::from(passed) * scale, u64::from(failed));
        let total = passed + failed;
        // Millionths of a percent, in integers that are wide enough.
        let share = u128::from(whole * 1_000_000 + part);
        let is_met = u128::from(passed) * 100_000_000 >= u128::from(total) * share;
        prop_assert_eq!(least.is_met_by(passed, total), is_met);
        if let Some(most) = least.most_failures(passed) {
            prop_assert!(least.is_met_by(passed, passed + most));
            prop_assert!(!least.is_met_by(passed, passed + most + 1));
        }
        prop_assert_eq!(Percent::parse(&least.to_string()).unwrap(), least);
    }

    #[test]
    fn a_failed_finding_more_never_makes_a_breached_gate_hold(
        gate in gate(), sources in sources(), mut more in check(), except in proptest::collection::vec(except(), 0..2),
    ) {
        let mut gate = gate;
        gate.selection.except = except;
        let policy = policy(gate);
        let before = state_of(&policy, &evidence(&sources));
        more.passed = false;
        let mut sources = sources;
        sources[0].checks.push(more);
        let after = state_of(&policy, &evidence(&sources));
        // It may become inconclusive: a group that is new can have too few checks.
        prop_assert!(before != State::Breached || after != State::Held, "{before:?} → {after:?}");
    }

    #[test]
    fn an_exception_never_turns_inconclusive_into_a_pass(
        mut gate in gate(), mut sources in sources(), except in proptest::collection::vec(except(), 1..3),
    ) {
        // An account without results, or with `each` one with too few, may itself be out of scope.
        gate.each = None;
        sources.iter_mut().for_each(|source| source.unseen = false);
        let evidence = evidence(&sources);
        let without = policy(gate.clone());
        gate.selection.except = except;
        let with = policy(gate);
        if decided(&without, &evidence, |decision| !decision.rulings[0].problems.is_empty()) {
            prop_assert_ne!(state_of(&with, &evidence), State::Held);
        }
    }

    #[test]
    fn what_is_not_stated_is_never_out_of_scope(
        except in except(), check in check(), severity in severities(),
    ) {
        let fields = except.fields();
        let is_unstated = (check.rule.is_none() && fields.contains(&Field::Rule))
            || (check.account.is_none() && fields.contains(&Field::Account))
            || (check.framework.is_none() && fields.contains(&Field::Framework))
            || (check.resource.is_none() && fields.contains(&Field::Resource))
            || (check.severity == Severity::Unknown && fields.contains(&Field::Severity));
        let selection = Selection { severity, except: vec![except], ..Selection::default() };
        let finding = check.finding();
        if is_unstated {
            prop_assert!(!selection.excludes(&finding));
        }
        // A gate never leaves out what is not stated.
        let unknown = Check { severity: Severity::Unknown, ..check };
        let whole = Selection { except: Vec::new(), ..selection };
        prop_assert!(whole.matches_finding(&unknown.finding(), now()));
    }

    #[test]
    fn an_acceptance_of_findings_never_turns_inconclusive_into_a_pass(
        gate in gate(), sources in sources(), accept in proptest::collection::vec(acceptance(today()), 1..3),
    ) {
        let evidence = evidence(&sources);
        let mut policy = policy(gate);
        let has_problems =
            decided(&policy, &evidence, |decision| !decision.rulings[0].problems.is_empty());
        policy.accept = accept;
        if has_problems {
            prop_assert_ne!(state_of(&policy, &evidence), State::Held);
        }
    }

    #[test]
    fn an_acceptance_that_has_lapsed_covers_nothing(
        gate in gate(), sources in sources(),
        accept in proptest::collection::vec(acceptance(today() - TimeDelta::days(1)), 1..3),
    ) {
        let evidence = evidence(&sources);
        let mut policy = policy(gate);
        let count = |policy: &Policy| decided(policy, &evidence, |decision| {
            let ruling = &decision.rulings[0];
            (ruling.state, ruling.failed, ruling.passed, ruling.accepted.len())
        });
        let without = count(&policy);
        policy.accept = accept;
        prop_assert_eq!(count(&policy), without);
    }

    #[test]
    fn a_baseline_never_turns_inconclusive_into_a_pass_and_changes_no_rate(
        gate in gate(), sources in sources(), seed: u64,
    ) {
        let evidence = evidence(&sources);
        let plain = policy(gate);
        let mut with = plain.clone();
        with.accept = vec![known(&evidence, seed, today())];
        let ruled = |policy: &Policy| decided(policy, &evidence, |decision| {
            let ruling = &decision.rulings[0];
            (ruling.state, !ruling.problems.is_empty(), ruling.failed, ruling.known.len() as u64,
             ruling.rated_failures(), ruling.only_counted)
        });
        let (before, after) = (ruled(&plain), ruled(&with));
        if before.1 {
            prop_assert_ne!(after.0, State::Held);
        }
        // What is known does not count, and is not gone either.
        prop_assert_eq!(before.4, after.4);
        if before.0 != State::Undecided && !before.5 {
            prop_assert_eq!(before.2, after.2 + after.3);
        }
        // One that has lapsed covers nothing.
        with.accept = vec![known(&evidence, seed, today() - TimeDelta::days(1))];
        let lapsed = ruled(&with);
        prop_assert_eq!((before.0, before.2), (lapsed.0, lapsed.2));
    }

    #[test]
    fn a_failed_finding_more_never_helps_whatever_is_accepted(
        gate in gate(), sources in sources(), mut more in check(), seed: u64,
        accept in proptest::collection::vec(acceptance(today()), 0..3),
    ) {
        let evidence_before = evidence(&sources);
        let mut policy = policy(gate);
        policy.accept = accept;
        policy.accept.push(known(&evidence_before, seed, today()));
        let before = state_of(&policy, &evidence_before);
        more.passed = false;
        let mut sources = sources;
        sources[0].checks.push(more);
        let after = state_of(&policy, &evidence(&sources));
        prop_assert!(before != State::Breached || after != State::Held, "{before:?} → {after:?}");
    }

    #[test]
    fn what_is_not_stated_is_never_accepted(accept in acceptance(today()), check in check()) {
        let Forgives::Match(matching) = &accept.forgives else { unreachable!() };
        let words = &matching.selection.words;
        let is_unstated = (check.rule.is_none() && words.contains_key(&Field::Rule))
            || (check.account.is_none() && words.contains_key(&Field::Account))
            || (check.framework.is_none() && words.contains_key(&Field::Framework))
            || (check.resource.is_none() && words.contains_key(&Field::Resource))
            || check.severity == Severity::Unknown;
        if is_unstated {
            prop_assert!(!matching.covers(&check.finding(), check.severity));
        }
    }

    #[test]
    fn no_repository_makes_the_verdict_better_than_that_of_its_organisation(
        own in repository(), mut organisation in organisation(), terms in terms(),
        sources in sources(),
    ) {
        let evidence = evidence(&sources);
        let alone = |policy: &Policy| decided(policy, &evidence, |one| (one.verdict, one.exit_code()));
        let untouched = alone(&organisation);
        organisation.take(&own, &terms, &BTreeMap::new());
        let (verdict, code) = alone(&organisation);
        let both = evaluate::decide_all(&[&own, &organisation], &evidence, None, now());
        if code != 0 {
            prop_assert!(both.exit_code() != 0 && both.verdict >= verdict);
        }
        let taken = organisation.accept.iter().filter(|entry| entry.whose == Whose::Repository);
        let taken: Vec<_> = taken.collect();
        prop_assert!(taken.iter().all(|entry| terms.failed_by(entry).is_none()));
        // What nothing is taken of is decided as if the repository were not there.
        if taken.is_empty() {
            prop_assert_eq!((verdict, code), untouched);
        }
        // Patterns of a repository cover no more than the organisation gives them.
        let is_wide = |entry: &Acceptance| {
            entry.whose == Whose::Repository
                && matches!(&entry.forgives, Forgives::Match(matching) if !matching.is_narrow())
        };
        let most = terms.matching.as_ref().and_then(|terms| terms.max_findings).unwrap_or(0);
        let rulings = both.rulings.iter().filter(|ruling| ruling.gate.id.starts_with("org/"));
        for ruling in rulings {
            let covered = ruling.accepted.iter().filter(|(_, by)| is_wide(by)).count() as u64;
            prop_assert!(covered <= most, "{covered} of {most}");
        }
    }

    #[test]
    fn the_order_of_input_changes_nothing(
        gate in gate(), sources in sources(), except in proptest::collection::vec(except(), 0..2),
        accept in proptest::collection::vec(acceptance(today()), 0..2), seed: u64,
    ) {
        let mut gate = gate;
        gate.selection.except = except;
        let mut policy = policy(gate);
        policy.accept = accept;
        let evidence = evidence(&sources);
        policy.accept.push(known(&evidence, seed, today()));
        let mut organisation = Policy {
            whose: Whose::Organisation,
            gates: vec![Gate { id: "org/gate".to_owned(), ..policy.gates[0].clone() }],
            accept: Vec::new(),
            ..policy.clone()
        };
        let any = Conditions { max_findings: Some(2), ..Conditions::default() };
        let terms = Terms { matching: Some(any.clone()), baseline: Some(any) };
        organisation.take(&policy, &terms, &BTreeMap::new());
        let shown = |evidence: &Evidence| {
            let decision =
                evaluate::decide_all(&[&policy, &organisation], evidence, None, now());
            format!("{:?}{:?}{:?}", decision.verdict, decision.rulings, decision.warnings)
        };
        let mut shuffled = evidence.clone();
        for part in shuffled.outcomes.iter_mut().flat_map(|outcome| &mut outcome.parts) {
            shuffle(part.findings.listed_mut(), seed);
            if let Some(table) = &mut part.counts.table {
                shuffle(&mut table.rows, seed);
            }
        }
        prop_assert_eq!(shown(&evidence), shown(&shuffled));
    }
}

/// A baseline of some of the findings.
fn known(evidence: &Evidence, seed: u64, expires: NaiveDate) -> Acceptance {
    let mut baseline = Baseline::new(Header {
        schema: SCHEMA.to_owned(),
        environment: None,
        sources: BTreeMap::from(["s0", "s1"].map(|name| (name.to_owned(), String::new()))),
        accounts: BTreeMap::new(),
    });
    let parts = evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    for (at, finding) in parts.flat_map(|part| part.findings.listed()).enumerate() {
        if seed.rotate_left(u32::try_from(at % 64).unwrap()) & 1 == 1 {
            baseline.add(finding);
        }
    }
    let mut entry = accepted_as("base", expires);
    entry.forgives = Forgives::Baseline(KnownFindings {
        path: String::new(),
        file: Default::default(),
        baseline: Some(Arc::new(baseline)),
        applies: true,
    });
    entry
}

/// An entry that forgives a gate that does not exist.
fn accepted_as(id: &str, expires: NaiveDate) -> Acceptance {
    Acceptance {
        whose: Whose::Repository,
        grounds: Grounds {
            id: id.to_owned(),
            reason: "a reason".to_owned(),
            owner: "#team".to_owned(),
            approved_by: None,
            ticket: None,
            from: None,
            expires,
            place: Place::default(),
        },
        gates: Vec::new(),
        forgives: Forgives::GateOff(String::new()),
    }
}

/// A repository's policy with acceptances that differ in what an organisation asks for.
fn repository() -> impl Strategy<Value = Policy> {
    let entry = (
        acceptance(today() + TimeDelta::days(20)),
        any::<bool>(),
        proptest::option::of(0_i64..40),
        select(vec![Vec::new(), vec!["gate"], vec!["org/gate"]]),
    );
    let entries = proptest::collection::vec(entry, 0..4);
    (gate(), entries, any::<bool>()).prop_map(|(gate, entries, observes)| {
        let mut policy = policy(gate);
        policy.mode = if observes { Mode::Observe } else { Mode::Enforce };
        for (at, (mut entry, has_ticket, life, gates)) in entries.into_iter().enumerate() {
            entry.grounds.id = format!("entry-{at}");
            entry.grounds.ticket = has_ticket.then(|| "SEC-1".to_owned());
            entry.grounds.from = life.map(|days| entry.grounds.expires - TimeDelta::days(days));
            entry.gates = gates.into_iter().map(str::to_owned).collect();
            policy.accept.push(entry);
        }
        policy
    })
}

/// An organisation's policy.
fn organisation() -> impl Strategy<Value = Policy> {
    (gate(), any::<bool>()).prop_map(|(gate, observes)| Policy {
        whose: Whose::Organisation,
        mode: if observes { Mode::Observe } else { Mode::Enforce },
        ..policy(Gate { id: "org/gate".to_owned(), ..gate })
    })
}

/// What an organisation takes.
fn terms() -> impl Strategy<Value = Terms> {
    let severity =
        select(vec![None, Some((Severity::Low, false)), Some((Severity::Critical, true))]);
    let conditions =
        (proptest::option::of(1_u64..40), severity, any::<bool>(), proptest::option::of(0_u64..4))
            .prop_map(|(days, severity, needs_ticket, max_findings)| Conditions {
                max_life: days.map(|days| Duration::from_secs(days * 24 * 3600)),
                severity,
                require: needs_ticket.then_some(Required::Ticket).into_iter().collect(),
                max_findings,
            });
    proptest::option::of(conditions).prop_map(|matching| Terms { matching, baseline: None })
}

/// An order that depends on the seed alone.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, usize::try_from(seed >> 33).unwrap_or(0) % (last + 1));
    }
}
