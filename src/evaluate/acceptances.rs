//! What became of each entry of `accept`, over all gates.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{Ruling, State};
use crate::acceptance::{Acceptance, Forgives, Upstream, Validity};
use crate::evidence::{Evidence, Outcome, Part};
use crate::finding::Finding;
use crate::policy::{Policy, Whose};
use crate::text;

/// The longest lives, in days: of a cause, and of everything else.
const LONGEST_OF_CAUSE: i64 = 31;
const LONGEST: i64 = 366;

/// What an entry of `accept` did.
#[derive(Clone, Debug)]
pub struct Usage<'a> {
    pub entry: &'a Acceptance,
    pub standing: Validity,
    /// The findings that it covers, or covered until it lapsed, each once.
    pub covers: u64,
    /// The gates that it made a difference to, in the order of the policy.
    pub gates: Vec<&'a str>,
}

impl Usage<'_> {
    /// Whether it changes what was decided.
    pub fn is_used(&self) -> bool {
        self.standing == Validity::InForce && !self.gates.is_empty()
    }
}

/// What each entry did, in the order of the policies. One that the organisation takes from the
/// repository is the same entry in both.
pub(super) fn usage<'a>(
    policies: &[&'a Policy],
    ruled: &[Vec<Ruling<'a>>],
    today: NaiveDate,
) -> Vec<Usage<'a>> {
    let mut entries: Vec<&'a Acceptance> = Vec::new();
    for entry in policies.iter().flat_map(|policy| &policy.accept) {
        let is_taken = entry.whose == Whose::Repository;
        if !(is_taken && entries.iter().any(|other| other.is_same(entry))) {
            entries.push(entry);
        }
    }
    let one = |entry: &'a Acceptance| {
        let mut findings: BTreeSet<*const Finding> = BTreeSet::new();
        let mut gates = Vec::new();
        for ruling in ruled.iter().flatten() {
            let is_own = |other: &&Acceptance| other.is_same(entry);
            let belonging = ruling.accepted.iter().chain(&ruling.known).chain(&ruling.formerly);
            let own: Vec<_> = belonging.filter(|(_, by)| is_own(by)).collect();
            findings.extend(own.iter().map(|(finding, _)| std::ptr::from_ref(*finding)));
            let others = ruling.forgiven.iter().chain(&ruling.off);
            let is_used = !own.is_empty() || others.copied().any(|by| is_own(&by));
            if is_used {
                gates.push(ruling.gate.id.as_str());
            }
        }
        Usage {
            entry,
            standing: entry.grounds.standing(today),
            covers: findings.len() as u64,
            gates,
        }
    };
    entries.into_iter().map(one).collect()
}

/// What a platform says of findings that an entry is about, where it does not hold.
struct Refused<'a> {
    /// Of how many findings.
    findings: u64,
    /// Why the first does not hold.
    why: &'a str,
    /// Whether one of the findings is of a gate that is breached.
    is_red: bool,
}

fn refused<'a>(entry: &Acceptance, rulings: &[Ruling<'a>]) -> Option<Refused<'a>> {
    let Forgives::Upstream(Upstream::Waiver(kind)) = &entry.forgives else { return None };
    let mut findings: BTreeSet<*const Finding> = BTreeSet::new();
    let (mut why, mut is_red) = (None, false);
    for ruling in rulings.iter().filter(|ruling| entry.is_for(&ruling.gate.id)) {
        for finding in &ruling.findings {
            let waiver = finding.waiver.as_deref().filter(|waiver| waiver.kind == *kind);
            let Some(fault) = waiver.and_then(|waiver| waiver.fault.as_deref()) else { continue };
            findings.insert(std::ptr::from_ref(*finding));
            why = why.or(Some(fault));
            is_red |= ruling.state == State::Breached;
        }
    }
    why.map(|why| Refused { findings: findings.len() as u64, why, is_red })
}

/// Entries that need a person soon: those that cover nothing, lapse soon, or live too long.
pub(super) fn warnings(
    policy: &Policy,
    evidence: &Evidence,
    rulings: &[Ruling<'_>],
    usages: &[Usage<'_>],
    today: NaiveDate,
) -> Vec<String> {
    let is_complete = is_complete(policy, evidence);
    let is_own = |usage: &&Usage<'_>| policy.accept.iter().any(|own| own.is_same(usage.entry));
    let in_force = usages.iter().filter(is_own).filter(|usage| usage.standing == Validity::InForce);
    in_force
        .flat_map(|usage| {
            let Acceptance { grounds, forgives, .. } = usage.entry;
            let id = &grounds.id;
            let is_judged = policy.gates.iter().any(|gate| usage.entry.is_for(&gate.id));
            let idle = is_complete && is_judged && forgives.is_of_findings() && usage.covers == 0;
            let idle = match refused(usage.entry, rulings) {
                Some(Refused { findings, why, is_red }) if idle || is_red => Some(format!(
                    "acceptance `{id}` does not cover {}, for what the platform accepted does not \
                     hold: {why}",
                    text::count(findings, "finding")
                )),
                _ => idle.then(|| {
                    format!(
                        "acceptance `{id}` covers no finding that an earlier entry does not cover; \
                         remove it"
                    )
                }),
            };
            let days = (grounds.expires - today).num_days();
            let soon = grounds.lapses_soon(today).then(|| {
                let left = match days {
                    0 => "today is its last day".to_owned(),
                    days => format!("{} left", text::count(days.unsigned_abs(), "day")),
                };
                format!("acceptance `{id}` lapses after {}: {left}", grounds.expires)
            });
            let longest = match forgives {
                Forgives::Cause(_) => LONGEST_OF_CAUSE,
                _ => LONGEST,
            };
            let life = grounds.life(today);
            let long = (life > longest).then(|| {
                let life = text::count(life.unsigned_abs(), "day");
                format!("acceptance `{id}` lives for {life}; {longest} is the most that is advised")
            });
            [idle, soon, long].into_iter().flatten()
        })
        .collect()
}

/// Whether every list that a gate uses arrived whole.
fn is_complete(policy: &Policy, evidence: &Evidence) -> bool {
    let whole = |part: &Part| part.problems.is_empty() && part.findings.why_incomplete().is_none();
    let whole = |outcome: &Outcome| outcome.problems.is_empty() && outcome.parts.iter().all(whole);
    let mut used = policy.gates.iter().flat_map(|gate| &gate.sources);
    used.all(|name| evidence.outcomes.iter().any(|o| o.source == *name && whole(o)))
}
