//! The decision: pure, without I/O or clock, from policy and evidence to a ruling on each gate.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::acceptance::Acceptance;
use crate::evidence::{Evidence, Unit};
use crate::finding::{Finding, Problem, Severity};
use crate::policy::{Gate, Level, Limits, Mode, Percent, Policy};
use crate::text;
use crate::verdict::Verdict;

mod acceptances;
mod accepting;
mod artefacts;
mod counting;
mod groups;
mod meaning;
mod overriding;
mod ratchet;
mod reliance;
mod scope;
mod unevaluated;

pub use acceptances::Usage;
use accepting::Accepting;
use counting::Counting;
pub use groups::Group;
pub use overriding::{BREAK_GLASS, Override};
pub use ratchet::{Ratcheted, gaps, policy_for_baselines, ratchet};

/// What came out, and why.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The verdict by the policy, regardless of the mode. Of several policies, the worst.
    pub verdict: Verdict,
    /// The mode of the policy with that verdict.
    pub mode: Mode,
    /// Whether the pipeline overrides the verdict.
    pub overridden: Option<Override>,
    /// The policies that were decided, each by itself.
    pub policies: Vec<OfPolicy<'a>>,
    /// One for each gate, in the policy's order.
    pub rulings: Vec<Ruling<'a>>,
    /// Every entry of `accept`, in the order of the policies; one that another policy takes is there
    /// once.
    pub acceptances: Vec<Usage<'a>>,
    /// Warnings that belong to no gate.
    pub warnings: Vec<String>,
}

/// A policy, and its own verdict.
#[derive(Clone, Copy, Debug)]
pub struct OfPolicy<'a> {
    pub policy: &'a Policy,
    pub verdict: Verdict,
}

impl Decision<'_> {
    /// The exit code: the verdict's, or 0 where the policy only observes. An invalid policy, a wrong
    /// set-up and an interrupt are reported in every mode.
    pub fn exit_code(&self) -> u8 {
        match &self.overridden {
            Some(by) if by.is_reported => 0,
            Some(_) => Verdict::Inconclusive.exit_code(),
            None => exit_code(self.verdict, self.mode),
        }
    }

    /// Whom to ask about a finding: the first policy that says it.
    pub fn owner_of(&self, finding: &Finding) -> Option<&str> {
        self.policies.iter().find_map(|one| one.policy.owner_of(finding))
    }

    /// Together with the decision on another policy over the same evidence. The worse verdict counts.
    #[must_use]
    fn and(mut self, mut other: Self) -> Self {
        if rank(other.verdict, other.mode) > rank(self.verdict, self.mode) {
            (self.verdict, self.mode) = (other.verdict, other.mode);
        }
        self.policies.append(&mut other.policies);
        self.rulings.append(&mut other.rulings);
        let said = std::mem::take(&mut self.warnings);
        other.warnings.retain(|warning| !said.contains(warning));
        self.warnings = [said, other.warnings].concat();
        self
    }

    /// Records reports that could not be written. A pass without its reports is inconclusive, and so
    /// is an override.
    pub fn report_failed(&mut self, failures: &[String]) {
        if let Some(overridden) = &mut self.overridden {
            overridden.is_reported = false;
            self.warnings.extend_from_slice(failures);
            return;
        }
        let enforced = self.policies.iter().any(|one| one.policy.mode == Mode::Enforce);
        if enforced && self.exit_code() == 0 {
            (self.verdict, self.mode) = (Verdict::Inconclusive, Mode::Enforce);
        }
        self.warnings.extend_from_slice(failures);
    }

    /// Whether all evidence that any gate asked for is there and can be relied on.
    pub fn evidence_complete(&self) -> bool {
        self.rulings.iter().all(|ruling| ruling.problems.is_empty())
    }
}

/// The result of one gate.
#[derive(Clone, Debug)]
pub struct Ruling<'a> {
    pub gate: &'a Gate,
    /// The mode of its policy.
    pub mode: Mode,
    pub state: State,
    /// Failed checks that match, over all valid evidence.
    pub failed: u64,
    /// The same by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Passed checks that match, where the gate needs to know.
    pub passed: Option<u64>,
    pub breaches: Vec<Breach>,
    /// Each framework or account, where the gate has `each`; breached ones first.
    pub groups: Vec<Group>,
    /// Why it could not be decided, or not on all evidence.
    pub problems: Vec<Problem>,
    /// The acceptances that together make all of those problems a warning.
    pub forgiven: Vec<&'a Acceptance>,
    /// The acceptance that keeps the gate from blocking.
    pub off: Option<&'a Acceptance>,
    /// The first day (UTC) on which the gate blocks, where that is yet to come.
    pub announced: Option<NaiveDate>,
    /// The failed checks that match and count, worst first.
    pub findings: Vec<&'a Finding>,
    /// The failed checks that match and are accepted, worst first.
    pub accepted: Vec<(&'a Finding, &'a Acceptance)>,
    /// The failed checks that match and that a baseline has, worst first.
    pub known: Vec<(&'a Finding, &'a Acceptance)>,
    /// How many findings of a baseline are gone; `None` where none applies, or the evidence is not
    /// complete.
    pub fixed: Option<u64>,
    /// Those of `findings` that an acceptance covered until it lapsed.
    pub formerly: Vec<(&'a Finding, &'a Acceptance)>,
    /// The failed checks are only known as a number.
    pub only_counted: bool,
    /// The pieces of evidence that were summed.
    pub summed: Vec<String>,
    /// What a reader should know about what the gate counts.
    pub notes: Vec<String>,
    /// Failed checks that `except` takes out of the gate, by account.
    pub out_of_scope: BTreeMap<String, u64>,
    /// What makes the verdict "warned", and is no reason for or against the gate.
    pub warnings: Vec<String>,
    /// What is counted; `None` where the evidence has several units.
    pub unit: Option<Unit>,
    /// Failed checks that match in evidence whose one shortcoming, its age, is forgiven.
    pub stale_failed: Option<u64>,
}

impl Ruling<'_> {
    /// The noun for what the gate counts against its limit.
    pub fn noun(&self) -> &'static str {
        self.unit.map_or("finding", Unit::failed)
    }

    /// The failed checks of its pass rate, in which a baseline changes nothing.
    pub fn rated_failures(&self) -> u64 {
        self.failed + self.known.len() as u64
    }

    /// Whether the gate may stop the pipeline at all.
    pub fn may_block(&self) -> bool {
        self.gate.level == Level::Block && self.off.is_none() && self.announced.is_none()
    }

    /// Whether this gate alone stops the pipeline.
    pub fn blocks(&self) -> bool {
        self.may_block()
            && match self.state {
                State::Held => false,
                State::Breached => true,
                State::Undecided => self.forgiven.is_empty(),
            }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Within its limits.
    Held,
    /// Beyond a limit, on valid evidence.
    Breached,
    /// The evidence is not enough to decide.
    Undecided,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Breached => "breached",
            Self::Undecided => "inconclusive",
        }
    }
}

/// A limit that does not hold, and by how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The framework or account that it is about, where the gate has `each`.
    pub group: Option<String>,
    pub missed: Missed,
}

impl Breach {
    /// A sentence: observed, limit, by how much. `noun`: what is counted.
    pub fn sentence(&self, noun: &str) -> String {
        let group = self.group.as_ref().map_or_else(String::new, |group| format!("{group}: "));
        format!("{group}{}", self.missed.sentence(noun))
    }
}

/// How a limit is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    TooMany { failed: u64, max: u64 },
    TooFew { passed: u64, total: u64, least: Percent },
}

impl Missed {
    /// The limits that these counts miss. `known`: failures of a baseline, which changes nothing in a
    /// pass rate. `passed`: `None` where it proves nothing.
    fn by(limits: Limits, failed: u64, known: u64, passed: Option<u64>) -> Vec<Self> {
        let max = limits.max.filter(|max| failed > *max).map(|max| Self::TooMany { failed, max });
        let rate = limits.min_pass_rate.zip(passed).and_then(|(least, passed)| {
            let total = passed + failed + known;
            (!least.is_met_by(passed, total)).then_some(Self::TooFew { passed, total, least })
        });
        max.into_iter().chain(rate).collect()
    }

    pub fn sentence(self, noun: &str) -> String {
        match self {
            Self::TooMany { failed, max } => format!(
                "{} where max is {}: {} over the limit",
                text::count(failed, noun),
                text::thousands(max),
                text::thousands(failed - max),
            ),
            Self::TooFew { passed, total, least } => {
                let rate = rate(passed, total);
                let over = least.most_failures(passed).map(|most| {
                    let over = (total - passed).saturating_sub(most);
                    format!(": {} over the limit", text::count(over, noun))
                });
                let over = over.unwrap_or_default();
                format!("pass rate {rate} where min_pass_rate is {least}{over}")
            }
        }
    }
}

/// A share for people with the counts behind it.
pub fn rate(passed: u64, total: u64) -> String {
    let (passed, total, share) =
        (text::thousands(passed), text::thousands(total), share(passed, total));
    format!("{share} ({passed} of {total})")
}

/// A share for people, cut rather than rounded so that 99.999 % never reads as 100 %.
pub fn share(passed: u64, total: u64) -> String {
    let hundredths = (u128::from(passed) * 10_000).checked_div(u128::from(total)).unwrap_or(0);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Decides one policy. `at_least` is a verdict that the gates cannot improve: that of an interrupt, or of a set-up
/// that could not work.
pub fn decide<'a>(
    policy: &'a Policy,
    evidence: &'a Evidence,
    at_least: Option<Verdict>,
    now: DateTime<Utc>,
) -> Decision<'a> {
    decide_all(&[policy], evidence, at_least, now)
}

/// Decides every policy by itself, at one moment. The worse verdict counts.
pub fn decide_all<'a>(
    policies: &[&'a Policy],
    evidence: &'a Evidence,
    at_least: Option<Verdict>,
    now: DateTime<Utc>,
) -> Decision<'a> {
    let ruled: Vec<Vec<Ruling<'a>>> = policies
        .iter()
        .map(|policy| {
            let rule = |gate: &'a Gate| {
                let accepting = Accepting::of(policy, gate, now);
                Counting::over(&evidence.outcomes, gate, &policy.evidence, accepting, now)
                    .rule(policy.mode)
            };
            policy.gates.iter().map(rule).collect()
        })
        .collect();
    let acceptances = acceptances::usage(policies, &ruled, now.date_naive());
    let of_policy = |(policy, rulings): (&&'a Policy, Vec<Ruling<'a>>)| {
        of_policy(policy, rulings, &acceptances, evidence, at_least, now)
    };
    let decisions = policies.iter().zip(ruled).map(of_policy);
    let nothing = Decision {
        verdict: Verdict::Invalid,
        mode: Mode::Enforce,
        overridden: None,
        policies: Vec::new(),
        rulings: Vec::new(),
        acceptances: Vec::new(),
        warnings: Vec::new(),
    };
    let decision = decisions.reduce(Decision::and).unwrap_or(nothing);
    Decision { acceptances, ..decision }
}

/// The decision on one policy, without what became of its acceptances.
fn of_policy<'a>(
    policy: &'a Policy,
    rulings: Vec<Ruling<'a>>,
    acceptances: &[Usage<'a>],
    evidence: &'a Evidence,
    at_least: Option<Verdict>,
    now: DateTime<Utc>,
) -> Decision<'a> {
    let mut warnings = unevaluated::warnings(policy, evidence);
    warnings.extend(acceptances::warnings(
        policy,
        evidence,
        &rulings,
        acceptances,
        now.date_naive(),
    ));
    warnings.extend(rulings.iter().flat_map(|ruling| ruling.warnings.iter().cloned()));
    let warned = (!warnings.is_empty()).then_some(Verdict::Warned);
    let all_off = policy.all_off(now.date_naive());
    let invalid = all_off.is_some().then_some(Verdict::Invalid);
    warnings.extend(all_off.map(|(_, sentence)| sentence));
    let verdicts = rulings.iter().map(verdict_of).chain(warned).chain(invalid).chain(at_least);
    let verdict = verdicts.max().unwrap_or(Verdict::Invalid);
    let policies = vec![OfPolicy { policy, verdict }];
    Decision {
        verdict,
        mode: policy.mode,
        overridden: None,
        policies,
        rulings,
        acceptances: Vec::new(),
        warnings,
    }
}

/// What a verdict is to the pipeline: what a policy only observes does not stop it.
fn exit_code(verdict: Verdict, mode: Mode) -> u8 {
    let is_observed = matches!(
        verdict,
        Verdict::Blocked | Verdict::Inconclusive | Verdict::Denied | Verdict::Unreachable
    );
    match mode {
        Mode::Observe if is_observed => 0,
        _ => verdict.exit_code(),
    }
}

/// Orders verdicts by what they do to the pipeline: what a policy only observes is a warning.
fn rank(verdict: Verdict, mode: Mode) -> (Verdict, bool, Verdict) {
    let counts = match exit_code(verdict, mode) {
        0 => verdict.min(Verdict::Warned),
        _ => verdict,
    };
    (counts, mode == Mode::Enforce, verdict)
}

fn verdict_of(ruling: &Ruling<'_>) -> Verdict {
    let breach = (ruling.state == State::Breached).then_some(Verdict::Blocked);
    let causes = ruling.problems.iter().map(|problem| Verdict::of(problem.cause));
    let worst = breach.into_iter().chain(causes).max().unwrap_or(Verdict::Passed);
    let is_forgiven = !ruling.forgiven.is_empty();
    match (worst, ruling.may_block(), ruling.state) {
        (Verdict::Passed, ..) => Verdict::Passed,
        (_, false, _) => Verdict::Warned,
        (_, true, State::Held | State::Undecided) if is_forgiven => Verdict::Warned,
        (_, true, State::Breached) if is_forgiven => Verdict::Blocked,
        (_, true, _) => worst,
    }
}
