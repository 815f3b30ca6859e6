//! What the entries of `accept` make of the findings and of the problems of one gate.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::acceptance::{Acceptance, Forgives, Upstream, Validity};
use crate::baseline::{Baseline, KnownLine, Remaining};
use crate::finding::{Finding, Fingerprint, Problem, Rerating, Severity};
use crate::policy::{self, Gate, Policy, Whose};
use crate::selection::{Field, Selection};

/// The entries that are for a gate, in the order of the policy.
pub(super) struct Accepting<'a> {
    gate: &'a Gate,
    in_force: Vec<&'a Acceptance>,
    lapsed: Vec<&'a Acceptance>,
    /// What the gate selects, severities aside.
    of_any_severity: Selection,
    /// The most findings that entries with patterns of another policy cover together.
    most_by_taken: u64,
    now: DateTime<Utc>,
}

/// Findings of a gate with the entry that each belongs to.
pub(super) type Belonging<'a> = Vec<(&'a Finding, &'a Acceptance)>;

/// The findings that a gate selects.
#[derive(Default)]
pub(super) struct Divided<'a> {
    /// Those that count, with the severity by which they do.
    pub counted: Vec<(&'a Finding, Severity)>,
    pub accepted: Belonging<'a>,
    /// Those that a baseline has.
    pub known: Belonging<'a>,
    /// How many of the baselines' findings are gone, where a baseline applies.
    pub fixed: Option<u64>,
    /// Those of the counted ones that an entry covered until it lapsed.
    pub formerly: Belonging<'a>,
}

/// A finding, and the severity by which it counts.
struct Candidate<'a> {
    finding: &'a Finding,
    severity: Severity,
}

impl<'a> Accepting<'a> {
    pub(super) fn of(policy: &'a Policy, gate: &'a Gate, now: DateTime<Utc>) -> Self {
        let today = now.date_naive();
        let standing = |wanted| {
            let entries = policy.accept.iter().filter(|entry| entry.is_for(&gate.id));
            entries.filter(|entry| entry.grounds.standing(today) == wanted).collect()
        };
        let of_any_severity = Selection {
            except: gate.selection.except.clone(),
            ..gate.selection.only(|field| field != Field::Severity)
        };
        Self {
            gate,
            in_force: standing(Validity::InForce),
            lapsed: standing(Validity::Lapsed),
            of_any_severity,
            most_by_taken: policy.most_by_taken,
            now,
        }
    }

    /// Whether any entry in force is about findings.
    pub(super) fn is_of_findings(&self) -> bool {
        self.in_force.iter().any(|entry| entry.forgives.is_of_findings())
    }

    /// The severity by which a finding counts: the higher of the original and the current one,
    /// unless the policy takes the platform's.
    fn severity(&self, finding: &Finding) -> Severity {
        let takes_current = |rerating: &Rerating| {
            let mut entries = self.in_force.iter();
            entries.any(|entry| changed_there(entry, finding)).then_some(rerating.current)
        };
        let current = finding.rerating.as_ref().and_then(takes_current);
        current.unwrap_or(finding.subject.severity)
    }

    /// Whether the gate selects a finding, with the severity by which it counts or its higher one.
    fn candidate(&self, finding: &'a Finding) -> Option<Candidate<'a>> {
        let selection = &self.gate.selection;
        let severity = self.severity(finding);
        let is_selected = selection.matches_severity(severity)
            || selection.matches_severity(finding.subject.severity);
        (is_selected && self.of_any_severity.matches_finding(finding, self.now))
            .then_some(Candidate { finding, severity })
    }

    /// Divides findings between what counts and what the entries cover. Each belongs to the first
    /// entry that covers it.
    pub(super) fn divide(&self, findings: impl Iterator<Item = &'a Finding>) -> Divided<'a> {
        let mut found = BTreeMap::new();
        let has_baseline = self.baselines().next().is_some();
        let mut rest = Vec::new();
        for finding in findings {
            if has_baseline {
                *found.entry(finding.fingerprint).or_default() += 1;
            }
            rest.extend(self.candidate(finding));
        }
        let mut divided = Divided::default();
        let covered = self.take(&self.in_force, &mut rest);
        let is_known =
            |(_, entry): &(&Finding, &Acceptance)| matches!(entry.forgives, Forgives::Baseline(_));
        (divided.known, divided.accepted) = covered.into_iter().partition(is_known);
        divided.fixed = self.fixed(&found);
        divided.counted = rest.iter().map(|one| (one.finding, one.severity)).collect();
        divided.formerly = self.take(&self.lapsed, &mut rest);
        divided
    }

    fn covers(&self, entry: &Acceptance, one: &Candidate<'_>) -> bool {
        match &entry.forgives {
            Forgives::Match(matching) => matching.covers(one.finding, one.severity),
            Forgives::Upstream(Upstream::Waiver(kind)) => {
                let waiver = one.finding.waiver.as_deref();
                one.severity != Severity::Unknown
                    && waiver.is_some_and(|waiver| waiver.kind == *kind && waiver.holds(self.now))
            }
            Forgives::Upstream(Upstream::Severity(_)) => {
                let would_be = one.finding.rerating.map(|rerating| rerating.current);
                let selection = &self.gate.selection;
                changed_there(entry, one.finding)
                    && would_be.is_some_and(|severity| !selection.matches_severity(severity))
            }
            Forgives::Baseline(_) | Forgives::Cause(_) | Forgives::GateOff(_) => false,
        }
    }

    /// The baselines in force.
    fn baselines(&self) -> impl Iterator<Item = &'a Baseline> {
        self.in_force.iter().filter_map(|entry| baseline(entry))
    }

    /// How many findings of the baselines are gone, as far as a line states what the gate selects
    /// by. `found`: how often each fingerprint is there.
    fn fixed(&self, found: &BTreeMap<Fingerprint, u64>) -> Option<u64> {
        self.baselines().next()?;
        let selection = &self.gate.selection;
        let selects = |line: &KnownLine| {
            self.gate.uses(&line.source)
                && selection.matches_severity(line.severity)
                && selection.matches_line(&line.rule, &line.resource)
        };
        let mut lines: BTreeMap<Fingerprint, u64> = BTreeMap::new();
        for (print, line) in self.baselines().flat_map(Baseline::lines) {
            if selects(line) {
                *lines.entry(print).or_default() += line.count;
            }
        }
        let gone = lines.iter().map(|(print, count)| {
            count.saturating_sub(found.get(print).copied().unwrap_or_default())
        });
        Some(gone.sum())
    }

    /// The entry that forgives a problem of a source, and one that did until it lapsed.
    pub(super) fn excuse(
        &self,
        problem: &Problem,
        source: &str,
        as_of: Option<DateTime<Utc>>,
    ) -> (Option<&'a Acceptance>, Option<&'a Acceptance>) {
        let excuses = |entry: &&&'a Acceptance| match &entry.forgives {
            Forgives::Cause(excuse) => excuse.covers(problem.cause, source, as_of, self.now),
            _ => false,
        };
        let first = |entries: &[&'a Acceptance]| entries.iter().find(excuses).copied();
        (first(&self.in_force), first(&self.lapsed))
    }

    /// Takes out of the candidates what the entries cover, the least severe first.
    fn take(&self, entries: &[&'a Acceptance], rest: &mut Vec<Candidate<'a>>) -> Belonging<'a> {
        let mut taken = Vec::new();
        if entries.iter().any(|entry| entry.forgives.is_of_findings()) {
            rest.sort_by(|a, b| {
                let key = |one: &Candidate<'_>| (one.severity, one.finding.fingerprint);
                key(a).cmp(&key(b)).then_with(|| Finding::by_urgency(a.finding, b.finding))
            });
        }
        let mut left_for_taken = self.most_by_taken;
        for entry in entries.iter().filter(|entry| entry.forgives.is_of_findings()) {
            if let Some(baseline) = baseline(entry) {
                take_known(entry, baseline, rest, &mut taken);
                continue;
            }
            let (mut left, is_wide) = match &entry.forgives {
                Forgives::Match(matching) => {
                    (matching.max_findings.unwrap_or(u64::MAX), !matching.is_narrow())
                }
                _ => (u64::MAX, false),
            };
            let is_limited = is_wide && self.is_taken(entry);
            if is_limited {
                left = left.min(left_for_taken);
            }
            let before = taken.len() as u64;
            rest.retain(|one| {
                let is_covered = left > 0 && self.covers(entry, one);
                if is_covered {
                    left -= 1;
                    taken.push((one.finding, *entry));
                }
                !is_covered
            });
            if is_limited {
                left_for_taken = left_for_taken.saturating_sub(taken.len() as u64 - before);
            }
        }
        taken.sort_by(|(a, _), (b, _)| Finding::by_urgency(a, b));
        taken
    }

    /// Whether an organisation takes the entry from a repository.
    fn is_taken(&self, entry: &Acceptance) -> bool {
        entry.whose == Whose::Repository && self.gate.whose() == Whose::Organisation
    }

    /// The entry that keeps the gate from blocking, and one that did until it lapsed.
    pub(super) fn off(&self) -> (Option<&'a Acceptance>, Option<&'a Acceptance>) {
        let is_off = |entry: &&&'a Acceptance| matches!(&entry.forgives, Forgives::GateOff(gate) if *gate == self.gate.id);
        let first = |entries: &[&'a Acceptance]| entries.iter().find(is_off).copied();
        (first(&self.in_force), first(&self.lapsed))
    }
}

/// Whether an entry takes the severities of the platform that a finding is of, and the finding has
/// one that was changed there.
fn changed_there(entry: &Acceptance, finding: &Finding) -> bool {
    let system = policy::system_of(&finding.source);
    finding.rerating.is_some()
        && matches!(entry.forgives, Forgives::Upstream(Upstream::Severity(own)) if own == system)
}

/// The baseline of an entry, if it applies.
fn baseline(entry: &Acceptance) -> Option<&Baseline> {
    match &entry.forgives {
        Forgives::Baseline(known) if known.applies => known.baseline.as_deref(),
        _ => None,
    }
}

/// Takes out of the candidates what a baseline has. Of findings that cannot be distinguished, the most
/// severe one is the last to be known.
fn take_known<'a>(
    entry: &'a Acceptance,
    baseline: &Baseline,
    rest: &mut Vec<Candidate<'a>>,
    taken: &mut Belonging<'a>,
) {
    let mut remaining = Remaining::of(baseline);
    let known = rest.iter().rev().map(|one| remaining.takes(one.finding, one.severity));
    let known: Vec<_> = known.collect();
    let mut known = known.into_iter().rev();
    rest.retain(|one| {
        let is_known = known.next().unwrap_or_default();
        if is_known {
            taken.push((one.finding, entry));
        }
        !is_known
    });
}
