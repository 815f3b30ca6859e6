//! What one gate counts, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::accepting::{Accepting, Belonging, Divided};
use super::groups::Groups;
use super::meaning::Meaning;
use super::reliance::shortcomings;
use super::scope::OutOfScope;
use super::{Breach, Missed, Ruling, State};
use crate::acceptance::{Acceptance, Grounds};
use crate::evidence::{Count, Findings, Outcome, Part, Unit};
use crate::finding::{Cause, Finding, Problem, Severity};
use crate::policy::{Demands, Gate, Mode};
use crate::selection::{Field, Selection};
use crate::text;

/// What one gate sees of the evidence, summed up.
pub(super) struct Counting<'a> {
    gate: &'a Gate,
    now: DateTime<Utc>,
    failed: u64,
    by_severity: BTreeMap<Severity, u64>,
    /// The lists of all parts; the gate selects from them.
    listed: Vec<&'a [Finding]>,
    accepting: Accepting<'a>,
    only_counted: bool,
    /// Checks that the selection speaks of, as far as every part knows.
    matched: Sum<Count>,
    /// What the evidence shows of the gate's words.
    meaning: Meaning<'a>,
    out_of_scope: OutOfScope<'a>,
    groups: Option<Groups<'a>>,
    /// How many of the findings do not state a field that the gate selects by.
    unstated: BTreeMap<Field, u64>,
    /// Whether the age of some findings is that since they were first seen.
    has_carried_ages: bool,
    problems: Vec<Problem>,
    notes: Vec<String>,
    /// The acceptances of problems, one for each that is forgiven.
    excuses: Vec<&'a Acceptance>,
    /// The acceptances that forgave problems until they lapsed.
    lapsed_excuses: Vec<&'a Acceptance>,
    summed: Vec<String>,
    units: BTreeSet<Unit>,
    /// Failed checks that match in evidence that is only too old.
    stale_failed: Option<u64>,
}

/// A sum, or that one of its summands is not known.
#[derive(Clone, Copy)]
enum Sum<T> {
    Sum(T),
    Unknown,
}

impl<'a> Counting<'a> {
    pub(super) fn over(
        outcomes: &'a [Outcome],
        gate: &'a Gate,
        demands: &Demands,
        accepting: Accepting<'a>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut counting = Self {
            gate,
            now,
            failed: 0,
            by_severity: BTreeMap::new(),
            listed: Vec::new(),
            accepting,
            only_counted: false,
            matched: Sum::Sum(Count::ZERO),
            meaning: Meaning::of(gate),
            out_of_scope: OutOfScope::of(gate, now),
            groups: Groups::of(gate),
            unstated: BTreeMap::new(),
            has_carried_ages: false,
            problems: Vec::new(),
            notes: gate.notes.clone(),
            excuses: Vec::new(),
            lapsed_excuses: Vec::new(),
            summed: Vec::new(),
            units: BTreeSet::new(),
            stale_failed: None,
        };
        for source in &gate.sources {
            let Some(outcome) = outcomes.iter().find(|outcome| outcome.source == *source) else {
                counting.problems.push(Problem::new(
                    Cause::Incomplete,
                    format!("gate `{}`: there is no evidence of {source}", gate.id),
                ));
                continue;
            };
            counting.notes.extend(outcome.remarks.iter().cloned());
            for problem in &outcome.problems {
                counting.doubt(problem.clone(), source, None);
            }
            for part in &outcome.parts {
                counting.units.insert(part.unit);
                counting.part(outcome, part, demands);
            }
        }
        counting
    }

    /// Records a problem of a source, and whether it is forgiven.
    fn doubt(&mut self, problem: Problem, source: &str, as_of: Option<DateTime<Utc>>) {
        let (excuse, lapsed) = self.accepting.excuse(&problem, source, as_of);
        self.excuses.extend(excuse);
        self.lapsed_excuses.extend(lapsed.filter(|_| excuse.is_none()));
        self.problems.push(problem);
    }

    fn part(&mut self, outcome: &Outcome, part: &'a Part, demands: &Demands) {
        let source = &outcome.source;
        let framework = part.framework.as_deref();
        if framework.is_some_and(|framework| !self.gate.selection.matches_framework(framework)) {
            return;
        }
        let name = framework.map_or_else(|| source.clone(), |part| format!("{source}: {part}"));
        let problems =
            shortcomings(&name, part, outcome.renew.as_deref(), self.gate, demands, self.now);
        if !problems.is_empty() {
            if problems.iter().all(|problem| problem.cause == Cause::Stale)
                && let Some(failed) = self.failed_in(part)
            {
                self.stale_failed = Some(self.stale_failed.unwrap_or(0) + failed);
            }
            problems.into_iter().for_each(|problem| self.doubt(problem, source, part.aged_from()));
            return;
        }
        self.problems.extend(self.out_of_scope.look(source, part));
        if demands.max_age.is_some() && part.as_of.is_none() && part.read_at.is_some() {
            self.notes.push(format!(
                "{name}: the platform states no time of evaluation, so `max_age` counts from the \
                 time of reading"
            ));
        }
        let is_carried = |f: &Finding| f.created_at.is_none() && f.first_seen.is_some();
        self.has_carried_ages |= self.gate.selection.older_than.is_some()
            && part.findings.listed().iter().any(is_carried);
        self.summed.push(name);
        self.count_failed(part);
        self.count_passed(part);
        self.meaning.look(source, part);
        if let Some(groups) = &mut self.groups {
            groups.add(source, part);
        }
    }

    /// How many failed checks of a part match, if it knows.
    fn failed_in(&self, part: &Part) -> Option<u64> {
        let selection = &self.gate.selection;
        match &part.findings {
            Findings::Listed(findings) => Some(self.found_in(findings, selection)),
            Findings::Incomplete { .. } => part.counts.of(selection).map(|count| count.failed),
        }
    }

    /// How many findings are within a selection.
    fn found_in(&self, findings: &[Finding], selection: &Selection) -> u64 {
        let matching = findings.iter().filter(|f| selection.matches_finding(f, self.now));
        matching.count() as u64
    }

    /// Failures: the findings, if they are listed, else the counts.
    fn count_failed(&mut self, part: &'a Part) {
        let selection = &self.gate.selection;
        let why_incomplete = match &part.findings {
            Findings::Listed(findings) => return self.listed.push(findings),
            Findings::Incomplete { why, .. } => why,
        };
        let Some(count) = part.counts.of(selection) else {
            return self.problems.push(why_incomplete.clone());
        };
        self.failed += count.failed;
        self.only_counted = true;
        for (severity, failed) in part.failed_by_severity() {
            if selection.matches_severity(severity) {
                *self.by_severity.entry(severity).or_default() += failed;
            }
        }
    }

    /// Passes, where the gate asks.
    fn count_passed(&mut self, part: &Part) {
        if !self.gate.needs_passes() {
            return;
        }
        let selection = self.gate.of_passes();
        let count = part.counts.of(&selection).filter(|count| count.passed.is_some());
        self.matched = match (self.matched, count) {
            (Sum::Sum(sum), Some(count)) => {
                let failed = match &part.findings {
                    Findings::Listed(findings) => self.found_in(findings, &selection),
                    Findings::Incomplete { .. } => count.failed,
                };
                Sum::Sum(sum.plus(Count { failed, ..count }))
            }
            _ => Sum::Unknown,
        };
    }

    /// Counts the listed findings, less what is accepted.
    fn count_listed(&mut self) -> Divided<'a> {
        let divided = self.accepting.divide(self.listed.iter().copied().flatten());
        for (finding, severity) in &divided.counted {
            self.failed += 1;
            *self.by_severity.entry(*severity).or_default() += 1;
            for field in self.gate.selection.unstated(finding) {
                *self.unstated.entry(field).or_default() += 1;
            }
        }
        divided
    }

    /// What follows from the sums.
    pub(super) fn rule(mut self, mode: Mode) -> Ruling<'a> {
        let limits = self.gate.limits;
        let Divided { counted, accepted, known, fixed, formerly } = self.count_listed();
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.unstated.iter().map(|note| unstated(note, self.unit())));
        notes.extend(self.has_carried_ages.then(|| CARRIED.to_owned()));
        if self.problems.is_empty() {
            let meant = self.meaning.finish();
            self.problems.extend(meant.problems);
            notes.extend(meant.notes);
            self.problems.extend(self.too_few());
        }
        let of_groups = self.groups.take().map(|mut groups| {
            counted.iter().for_each(|(finding, _)| groups.add_failed(finding));
            known.iter().for_each(|(finding, _)| groups.add_known(finding));
            accepted.iter().for_each(|(finding, _)| groups.add_accepted(finding));
            groups.rule(self.problems.is_empty())
        });
        self.problems.extend(of_groups.iter().flat_map(|(_, _, problems)| problems.clone()));
        if self.problems.is_empty() && self.summed.is_empty() && !self.gate.allows_nothing() {
            self.problems.push(Problem::new(
                Cause::Incomplete,
                format!("gate `{}`: there is no evidence at all to decide it by", self.gate.id),
            ));
        }
        // A pass rate over a part of the evidence proves nothing.
        let passed = match self.matched {
            Sum::Sum(count) if self.problems.is_empty() => Some(count.passed.unwrap_or(0)),
            _ => None,
        };
        if limits.min_pass_rate.is_some()
            && passed.is_some_and(|passed| passed + self.failed == 0)
            && known.is_empty()
            && !accepted.is_empty()
        {
            notes.push("nothing passed, and all that failed is accepted".to_owned());
        }
        let (groups, breaches) = match of_groups {
            Some((groups, breaches, _)) => (groups, breaches),
            None => {
                let missed = Missed::by(limits, self.failed, known.len() as u64, passed);
                let breaches = missed.into_iter().map(|missed| Breach { group: None, missed });
                (Vec::new(), breaches.collect())
            }
        };
        let state = match (breaches.is_empty(), self.problems.is_empty()) {
            (false, _) => State::Breached,
            (true, false) => State::Undecided,
            (true, true) => State::Held,
        };
        let forgiven = self.forgiven();
        let (off, was_off) = self.accepting.off();
        if self.only_counted && self.accepting.is_of_findings() {
            notes.push(
                "failures are only counted and not listed here, so no acceptance covers any of them"
                    .to_owned(),
            );
        }
        notes.extend(self.lapses(&formerly, was_off.filter(|_| state != State::Held)));
        let mut findings: Vec<_> = counted.into_iter().map(|(finding, _)| finding).collect();
        findings.sort_by(|a, b| Finding::by_urgency(a, b));
        let unit = self.unit();
        Ruling {
            gate: self.gate,
            mode,
            state,
            failed: self.failed,
            by_severity: self.by_severity,
            passed: match self.matched {
                Sum::Sum(count) if self.gate.needs_passes() => count.passed,
                _ => None,
            },
            breaches,
            groups,
            stale_failed: self.stale_failed.filter(|_| !forgiven.is_empty()),
            forgiven,
            off,
            announced: self.gate.blocks_from.filter(|day| self.now.date_naive() < *day),
            findings,
            accepted,
            known,
            fixed: fixed.filter(|_| self.problems.is_empty() && !self.only_counted),
            problems: self.problems,
            formerly,
            only_counted: self.only_counted,
            summed: self.summed,
            unit,
            notes,
            warnings: self.out_of_scope.warnings(),
            out_of_scope: self.out_of_scope.into_failures(),
        }
    }

    /// The acceptances that cover every problem; none if one problem is left.
    fn forgiven(&self) -> Vec<&'a Acceptance> {
        if self.excuses.len() < self.problems.len() {
            return Vec::new();
        }
        let mut distinct: Vec<&Acceptance> = Vec::new();
        for excuse in &self.excuses {
            if !distinct.iter().any(|known| std::ptr::eq(*known, *excuse)) {
                distinct.push(excuse);
            }
        }
        distinct
    }

    /// Sentences about acceptances that lapsed, and what they covered.
    fn lapses(&self, formerly: &Belonging<'a>, was_off: Option<&'a Acceptance>) -> Vec<String> {
        let noun = self.unit().map_or("finding", Unit::failed);
        let mut covered: BTreeMap<_, u64> = BTreeMap::new();
        for (_, entry) in formerly {
            let grounds = &entry.grounds;
            *covered.entry((grounds.expires, &grounds.id)).or_default() += 1;
        }
        let findings = covered.into_iter().map(|((expires, id), count)| {
            format!(
                "acceptance `{id}` lapsed on {expires}; it covered {} that count again",
                text::count(count, noun)
            )
        });
        let of_gate = was_off.into_iter().map(|entry| (entry, "it kept this gate from blocking"));
        let excuses = self.lapsed_excuses.iter();
        let of_cause = excuses.map(|entry| (*entry, "it made this evidence a warning"));
        let mut others: Vec<_> = of_gate
            .chain(of_cause)
            .map(|(entry, what)| {
                let Grounds { id, expires, .. } = &entry.grounds;
                format!("acceptance `{id}` lapsed on {expires}; {what}")
            })
            .collect();
        others.sort();
        others.dedup();
        findings.chain(others).collect()
    }

    /// The unit of all parts, if they have one.
    fn unit(&self) -> Option<Unit> {
        self.units.first().copied().filter(|_| self.units.len() == 1)
    }

    /// What is wrong if the evidence is valid but has too few checks for the gate.
    fn too_few(&self) -> Vec<Problem> {
        let gate = self.gate;
        let mut problems = Vec::new();
        match self.matched {
            _ if !gate.needs_passes() => {}
            Sum::Unknown => problems.push(Problem::new(
                Cause::Incomplete,
                format!(
                    "gate `{}`: the evidence does not show how many checks of {} passed",
                    gate.id,
                    gate.of_passes()
                ),
            )),
            Sum::Sum(count) => {
                let evaluated = count.evaluated().unwrap_or(0);
                // With `each` the limit is for every group, and there must be one.
                let least = gate.limits.min_evaluated.filter(|_| gate.each.is_none()).unwrap_or(1);
                if evaluated < least {
                    problems.push(Problem::new(
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
        problems
    }
}

/// How the ages of findings come to be known whose platform states none.
const CARRIED: &str =
    "ages are counted from when a finding was first seen, where the platform states no date";

/// How many findings do not state a field. They count, because they could be any.
fn unstated((field, count): (&Field, &u64), unit: Option<Unit>) -> String {
    let noun = unit.map_or("finding", Unit::failed);
    let count = text::count(*count, noun);
    match field {
        Field::OlderThan => format!(
            "{count} of unknown age; they match every `older_than`, unless `run --previous` carries \
             the days on which findings were first seen"
        ),
        field => format!("{count} without a stated {field}; they match every `{field}`"),
    }
}
