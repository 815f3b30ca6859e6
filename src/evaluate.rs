//! The decision: pure, without I/O or clock, from policy and evidence to a ruling on each gate.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::evidence::{Count, Outcome, Part};
use crate::finding::{Cause, Finding, Severity, Trouble};
use crate::policy::{Demands, FailOpen, Gate, Level, Mode, Percent, Policy};
use crate::selection::Selection;
use crate::text;
use crate::verdict::Verdict;

/// How far a platform's clock may be ahead of ours: no more than times without a zone can be.
const MOST_AHEAD: TimeDelta = TimeDelta::hours(14);

/// What came out, and why.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// What the policy says, whatever the mode.
    pub verdict: Verdict,
    pub mode: Mode,
    /// One for each gate, in the policy's order.
    pub rulings: Vec<Ruling<'a>>,
    /// What needs somebody's attention although no gate says so.
    pub warnings: Vec<String>,
}

impl Decision<'_> {
    /// The exit code: the verdict's, or 0 where the policy only observes. An interrupt is told in
    /// every mode.
    pub fn exit_code(&self) -> u8 {
        match (self.mode, self.verdict) {
            (Mode::Observe, Verdict::Interrupted | Verdict::Terminated) | (Mode::Enforce, _) => {
                self.verdict.exit_code()
            }
            (Mode::Observe, _) => 0,
        }
    }

    /// Takes note of reports that could not be written. A pass that cannot be told is none.
    pub fn untold(&mut self, failures: &[String]) {
        if self.mode == Mode::Enforce && self.verdict.is_pass() {
            self.verdict = Verdict::Inconclusive;
        }
        self.warnings.extend_from_slice(failures);
    }

    /// Whether all evidence that any gate asked for is there and can be relied on.
    pub fn evidence_complete(&self) -> bool {
        self.rulings.iter().all(|ruling| ruling.troubles.is_empty())
    }
}

/// What one gate says.
#[derive(Clone, Debug)]
pub struct Ruling<'a> {
    pub gate: &'a Gate,
    pub state: State,
    /// Failed checks that match, over all valid evidence.
    pub failed: u64,
    /// The same by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Passed checks that match, where the gate needs to know.
    pub passed: Option<u64>,
    pub breaches: Vec<Breach>,
    /// Why it could not be decided, or not on all evidence.
    pub troubles: Vec<Trouble>,
    /// The exception that makes those troubles a warning.
    pub forgiven: Option<&'a FailOpen>,
    /// The failed checks that match, worst first.
    pub findings: Vec<&'a Finding>,
    /// The failed checks are only known as a number.
    pub only_counted: bool,
    /// The pieces of evidence that were summed.
    pub summed: Vec<String>,
    /// Failed checks that match in evidence whose one shortcoming, its age, is forgiven.
    pub stale_failed: Option<u64>,
}

impl Ruling<'_> {
    /// Whether this gate alone stops the pipeline.
    pub fn blocks(&self) -> bool {
        self.gate.level == Level::Block
            && match self.state {
                State::Held => false,
                State::Breached => true,
                State::Undecided => self.forgiven.is_none(),
            }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Within its limits.
    Held,
    /// Beyond a limit, on valid evidence.
    Breached,
    /// The evidence does not allow to tell.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    TooMany { failed: u64, max: u64 },
    TooFew { passed: u64, total: u64, least: Percent },
}

/// A sentence: observed, limit, by how much.
impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooMany { failed, max } => write!(
                f,
                "{} where max is {}: {} too many",
                text::count(failed, "failed check"),
                text::thousands(max),
                text::thousands(failed - max),
            ),
            Self::TooFew { passed, total, least } => {
                write!(f, "pass rate {} where min_pass_rate is {least}", rate(passed, total))?;
                match least.most_failures(passed) {
                    Some(most) => write!(
                        f,
                        ": {} too many",
                        text::count((total - passed).saturating_sub(most), "failed check")
                    ),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A share for people, cut rather than rounded so that 99.999 % never reads as 100 %.
pub fn rate(passed: u64, total: u64) -> String {
    let hundredths = (u128::from(passed) * 10_000).checked_div(u128::from(total)).unwrap_or(0);
    format!(
        "{}.{:02}% ({} of {})",
        hundredths / 100,
        hundredths % 100,
        text::thousands(passed),
        text::thousands(total)
    )
}

/// Decides. `at_least` is what stands already, whatever the gates say: an interrupt, or a set-up
/// that could not work.
pub fn decide<'a>(
    policy: &'a Policy,
    outcomes: &'a [Outcome],
    at_least: Option<Verdict>,
    now: DateTime<Utc>,
) -> Decision<'a> {
    let rulings: Vec<_> = policy
        .gates
        .iter()
        .map(|gate| {
            Counting::over(outcomes, gate, &policy.evidence, now).rule(&policy.evidence, now)
        })
        .collect();
    let verdict = rulings.iter().map(verdict_of).chain(at_least).max().unwrap_or(Verdict::Invalid);
    Decision { verdict, mode: policy.mode, warnings: warnings(policy, now), rulings }
}

fn verdict_of(ruling: &Ruling<'_>) -> Verdict {
    let breach = (ruling.state == State::Breached).then_some(Verdict::Blocked);
    let causes = ruling.troubles.iter().map(|trouble| Verdict::of(trouble.cause));
    let worst = breach.into_iter().chain(causes).max().unwrap_or(Verdict::Passed);
    match (worst, ruling.gate.level, ruling.state, ruling.forgiven) {
        (Verdict::Passed, ..) => Verdict::Passed,
        (_, Level::Warn, ..) | (_, Level::Block, State::Held | State::Undecided, Some(_)) => {
            Verdict::Warned
        }
        (_, Level::Block, State::Breached, Some(_)) => Verdict::Blocked,
        (_, Level::Block, _, None) => worst,
    }
}

fn warnings(policy: &Policy, now: DateTime<Utc>) -> Vec<String> {
    let expired = policy.evidence.fail_open.iter().filter(|exception| !exception.holds(now));
    expired
        .map(|exception| {
            format!(
                "evidence.fail_open for `{}` expired on {} and no longer holds; remove it or \
                 renew it with a reason",
                exception.cause.word(),
                exception.expires
            )
        })
        .collect()
}

/// What one gate sees of the evidence, summed up.
struct Counting<'a> {
    gate: &'a Gate,
    now: DateTime<Utc>,
    failed: u64,
    by_severity: BTreeMap<Severity, u64>,
    findings: Vec<&'a Finding>,
    only_counted: bool,
    /// Checks that the selection speaks of, as far as every part could tell.
    matched: Known<Count>,
    /// Checks that the identity selectors match.
    identified: Known<u64>,
    /// Some of the evidence is a window, in which there need not be anything.
    quiet: bool,
    troubles: Vec<Trouble>,
    summed: Vec<String>,
    /// Failed checks that match in evidence that is only too old.
    stale_failed: Option<u64>,
}

/// A sum, or that one of its summands could not be told.
#[derive(Clone, Copy)]
enum Known<T> {
    Sum(T),
    Unknown,
}

impl<'a> Counting<'a> {
    fn over(
        outcomes: &'a [Outcome],
        gate: &'a Gate,
        demands: &Demands,
        now: DateTime<Utc>,
    ) -> Self {
        let mut counting = Self {
            gate,
            now,
            failed: 0,
            by_severity: BTreeMap::new(),
            findings: Vec::new(),
            only_counted: false,
            matched: Known::Sum(Count::default()),
            identified: Known::Sum(0),
            quiet: false,
            troubles: Vec::new(),
            summed: Vec::new(),
            stale_failed: None,
        };
        for source in &gate.sources {
            let Some(outcome) = outcomes.iter().find(|outcome| outcome.source == *source) else {
                counting.troubles.push(Trouble::new(
                    Cause::Incomplete,
                    format!("gate `{}`: there is no evidence of {source}", gate.id),
                ));
                continue;
            };
            counting.troubles.extend(outcome.troubles.iter().cloned());
            for part in &outcome.parts {
                counting.part(&outcome.source, part, demands);
            }
        }
        counting
    }

    fn part(&mut self, source: &str, part: &'a Part, demands: &Demands) {
        let framework = part.framework.as_deref();
        if framework.is_some_and(|framework| !self.gate.selection.takes_framework(framework)) {
            return;
        }
        let name = framework.map_or_else(|| source.to_owned(), |part| format!("{source}: {part}"));
        let troubles = shortcomings(&name, part, self.gate, demands, self.now);
        if !troubles.is_empty() {
            if troubles.iter().all(|trouble| trouble.cause == Cause::Stale)
                && let Some(failed) = self.failed_in(part)
            {
                self.stale_failed = Some(self.stale_failed.unwrap_or(0).saturating_add(failed));
            }
            self.troubles.extend(troubles);
            return;
        }
        self.summed.push(name);
        self.count_failed(part);
        self.count_all(part);
    }

    /// How many failed checks of a part match, if it can tell.
    fn failed_in(&self, part: &Part) -> Option<u64> {
        let selection = &self.gate.selection;
        if part.findings_missing.is_some() {
            return part.failed(selection);
        }
        let takes = |finding: &&Finding| selection.takes_finding(finding, self.now);
        Some(part.findings.iter().filter(takes).count() as u64)
    }

    /// Failures: the findings, if they are all there, else whatever tally can tell.
    fn count_failed(&mut self, part: &'a Part) {
        let selection = &self.gate.selection;
        let Some(missing) = &part.findings_missing else {
            for finding in part.findings.iter().filter(|f| selection.takes_finding(f, self.now)) {
                self.failed += 1;
                *self.by_severity.entry(finding.subject.severity).or_default() += 1;
                self.findings.push(finding);
            }
            return;
        };
        let Some(failed) = part.failed(selection) else {
            return self.troubles.push(missing.clone());
        };
        self.failed = self.failed.saturating_add(failed);
        self.only_counted = true;
        for (severity, failed) in part.failed_by_severity() {
            if selection.takes_severity(severity) {
                *self.by_severity.entry(severity).or_default() += failed;
            }
        }
    }

    /// Passes, and whether the identity selectors match anything, where the gate asks.
    fn count_all(&mut self, part: &Part) {
        if self.gate.needs_passes() {
            let count = part.count(&self.gate.of_passes());
            self.matched = match (self.matched, count) {
                (Known::Sum(sum), Some(count)) => Known::Sum(Count {
                    passed: sum.passed.saturating_add(count.passed),
                    failed: sum.failed.saturating_add(self.failed_of(part, count)),
                }),
                _ => Known::Unknown,
            };
        }
        if part.window.is_some() {
            // A quiet window has nothing to match, and says so.
            self.quiet = true;
        } else if self.gate.needs_existence() {
            let identity = self.gate.identity();
            let failed = part.findings.iter().filter(|f| identity.takes(&f.subject)).count() as u64;
            let counted = part.count(&identity).map(|count| count.passed + count.failed);
            self.identified = match (self.identified, failed.max(counted.unwrap_or(0)), counted) {
                (Known::Sum(sum), 0, Some(_)) => Known::Sum(sum),
                (Known::Sum(sum), found @ 1.., _) => Known::Sum(sum.saturating_add(found)),
                _ => Known::Unknown,
            };
        }
    }

    /// Failed checks of the gate's subject, whatever their status and age.
    fn failed_of(&self, part: &Part, count: Count) -> u64 {
        if part.findings_missing.is_some() {
            return count.failed;
        }
        let selection: Selection = self.gate.of_passes();
        let takes = |finding: &&Finding| selection.takes_finding(finding, self.now);
        part.findings.iter().filter(takes).count() as u64
    }

    fn rule(mut self, demands: &'a Demands, now: DateTime<Utc>) -> Ruling<'a> {
        let limits = self.gate.limits;
        if self.troubles.is_empty() {
            self.troubles.extend(self.nothing_matched());
        }
        if self.troubles.is_empty() && self.summed.is_empty() && !self.gate.allows_nothing() {
            self.troubles.push(Trouble::new(
                Cause::Incomplete,
                format!("gate `{}`: there is no evidence at all to decide it by", self.gate.id),
            ));
        }
        let mut breaches = Vec::new();
        if let Some(max) = limits.max.filter(|max| self.failed > *max) {
            breaches.push(Breach::TooMany { failed: self.failed, max });
        }
        // A share of a part of the evidence says nothing.
        if let (Some(least), true, Known::Sum(count)) =
            (limits.min_pass_rate, self.troubles.is_empty(), self.matched)
        {
            let total = count.passed.saturating_add(self.failed);
            if !least.is_met_by(count.passed, total) {
                breaches.push(Breach::TooFew { passed: count.passed, total, least });
            }
        }
        let state = match (breaches.is_empty(), self.troubles.is_empty()) {
            (false, _) => State::Breached,
            (true, false) => State::Undecided,
            (true, true) => State::Held,
        };
        self.findings.sort_by(|a, b| Finding::by_urgency(a, b));
        let forgiven = forgiven(&self.troubles, demands, now);
        Ruling {
            gate: self.gate,
            state,
            failed: self.failed,
            by_severity: self.by_severity,
            passed: match self.matched {
                Known::Sum(count) if self.gate.needs_passes() => Some(count.passed),
                _ => None,
            },
            breaches,
            forgiven,
            troubles: self.troubles,
            findings: self.findings,
            only_counted: self.only_counted,
            summed: self.summed,
            stale_failed: self.stale_failed.filter(|_| forgiven.is_some()),
        }
    }

    /// What is wrong if the evidence is valid but the gate may be looking past it.
    fn nothing_matched(&self) -> Vec<Trouble> {
        let gate = self.gate;
        let mut troubles = Vec::new();
        match self.identified {
            _ if !gate.needs_existence() => {}
            Known::Sum(0) if self.quiet => {}
            Known::Sum(0) => troubles.push(
                Trouble::new(
                    Cause::Empty,
                    format!(
                        "gate `{}`: nothing that was evaluated matches {}",
                        gate.id,
                        gate.identity()
                    ),
                )
                .help(
                    "check the selectors for a typo; if it is right that there is nothing, set \
                     `min_evaluated: 0` on the gate",
                ),
            ),
            Known::Sum(_) => {}
            Known::Unknown => troubles.push(Trouble::new(
                Cause::Incomplete,
                format!(
                    "gate `{}`: the evidence does not tell whether anything matches {}",
                    gate.id,
                    gate.identity()
                ),
            )),
        }
        match self.matched {
            _ if !gate.needs_passes() => {}
            Known::Unknown => troubles.push(Trouble::new(
                Cause::Incomplete,
                format!(
                    "gate `{}`: the evidence does not tell how many checks of {} passed",
                    gate.id,
                    gate.of_passes()
                ),
            )),
            Known::Sum(count) => {
                let evaluated = count.passed.saturating_add(count.failed);
                let least = gate.limits.min_evaluated.unwrap_or(1);
                if evaluated < least {
                    troubles.push(Trouble::new(
                        Cause::Empty,
                        format!(
                            "gate `{}`: {} evaluated where min_evaluated is {}",
                            gate.id,
                            text::count(evaluated, "check"),
                            text::thousands(least)
                        ),
                    ));
                }
            }
        }
        troubles
    }
}

/// Why a gate cannot rely on a part, if it cannot.
fn shortcomings(
    name: &str,
    part: &Part,
    gate: &Gate,
    demands: &Demands,
    now: DateTime<Utc>,
) -> Vec<Trouble> {
    let nothing_allowed = demands.min_evaluated == 0 || gate.allows_nothing();
    let mut troubles: Vec<_> = part
        .troubles
        .iter()
        .filter(|trouble| !(trouble.cause == Cause::Empty && nothing_allowed))
        .cloned()
        .collect();
    let too_few = part.window.is_none() && part.evaluated < demands.min_evaluated;
    if troubles.is_empty() && too_few && !nothing_allowed {
        troubles.push(
            Trouble::new(
                Cause::Empty,
                format!(
                    "{name}: {} evaluated where evidence.min_evaluated is {}",
                    text::count(part.evaluated, "check"),
                    text::thousands(demands.min_evaluated)
                ),
            )
            .help("check that the scope is right and that the platform has discovered resources"),
        );
    }
    if let Some(max_age) = demands.max_age.filter(|_| part.troubles.is_empty()) {
        troubles.extend(staleness(name, part.as_of, max_age, now));
    }
    troubles
}

fn staleness(
    name: &str,
    as_of: Option<DateTime<Utc>>,
    max_age: std::time::Duration,
    now: DateTime<Utc>,
) -> Option<Trouble> {
    let limit = humantime::format_duration(max_age);
    let Some(as_of) = as_of else {
        return Some(Trouble::new(
            Cause::Stale,
            format!("{name}: the platform did not say when it evaluated; max_age is {limit}"),
        ));
    };
    if as_of - now > MOST_AHEAD {
        let message = format!("{name}: the evidence is of {as_of}, which is yet to come");
        return Some(Trouble::new(Cause::Stale, message).help("check the clocks of both sides"));
    }
    // A little ahead is as fresh as can be.
    let age = (now - as_of).to_std().unwrap_or_default();
    (age > max_age).then(|| {
        let age = humantime::format_duration(std::time::Duration::from_secs(age.as_secs()));
        Trouble::new(Cause::Stale, format!("{name}: the evidence is {age} old; max_age is {limit}"))
            .help("let the run evaluate anew (`run: {when: always}`), or raise max_age")
    })
}

/// The exception that covers every trouble, if there is one for each.
fn forgiven<'a>(
    troubles: &[Trouble],
    demands: &'a Demands,
    now: DateTime<Utc>,
) -> Option<&'a FailOpen> {
    let exception = |cause| {
        demands.fail_open.iter().find(|exception| exception.cause == cause && exception.holds(now))
    };
    let first = exception(troubles.first()?.cause)?;
    troubles.iter().all(|trouble| exception(trouble.cause).is_some()).then_some(first)
}
