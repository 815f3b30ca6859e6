//! What turns red by itself: acceptances that lapse, gates that begin to block, findings that grow
//! too old, evidence that goes stale. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::acceptance::Validity;
use crate::artefact::Artefact;
use crate::evaluate::{self, Decision, State};
use crate::evidence::Evidence;
use crate::policy::{Demands, Policy};
use crate::text;
use crate::verdict::Verdict;

/// What will change on a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Change {
    /// The first day (UTC) on which it is so.
    pub date: NaiveDate,
    /// Whose it is; `null` where the policy names nobody.
    pub owner: Option<String>,
    pub kind: ChangeKind,
    /// A sentence.
    pub message: String,
    pub gates: Vec<String>,
    /// How many findings it is about, if it is about findings.
    pub findings: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeKind {
    AcceptanceLapses,
    GateBlocks,
    FindingsAge,
    EvidenceStale,
}

/// The verdict at the end of a day on which something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct VerdictOn {
    pub date: NaiveDate,
    pub verdict: Verdict,
}

/// What changes by itself, by date and owner.
#[derive(Debug)]
pub(crate) struct Forecast {
    pub events: Vec<Change>,
    /// As if the evidence were collected again each day, and found the same.
    pub verdicts: Vec<VerdictOn>,
}

/// Looks from `now` to the end of the day `until`, with no change in the estate. `artefacts`: what the
/// decision is about.
pub(crate) fn forecast(
    policies: &[&Policy],
    evidence: &Evidence,
    artefacts: &[Artefact],
    now: DateTime<Utc>,
    until: NaiveDate,
) -> Forecast {
    // Evidence that is collected again is never stale.
    let fresh = |policy: &&Policy| Policy {
        evidence: Demands { max_age: None, ..policy.evidence.clone() },
        ..(**policy).clone()
    };
    let fresh: Vec<_> = policies.iter().map(fresh).collect();
    let fresh: Vec<_> = fresh.iter().collect();
    let decide = |at| {
        let mut decision = evaluate::decide_all(&fresh, evidence, None, at);
        decision.require_evaluated(artefacts, evidence);
        decision
    };
    let today = decide(now);
    let mut events = lapses(&today, until);
    events.extend(blocks(&today, now, until));
    events.extend(fresh.iter().flat_map(|policy| ages(policy, evidence, now, until)));
    let mut days: Vec<_> = events.iter().map(|event| event.date).collect();
    events.extend(policies.iter().flat_map(|policy| stale(policy, evidence, now, until)));
    events.sort();
    days.sort_unstable();
    days.dedup();
    let verdict_on = |date| Some(VerdictOn { date, verdict: decide(end_of(date)?).verdict });
    Forecast { events, verdicts: days.into_iter().filter_map(verdict_on).collect() }
}

fn end_of(day: NaiveDate) -> Option<DateTime<Utc>> {
    Some(day.and_hms_opt(23, 59, 59)?.and_utc())
}

fn lapses(decision: &Decision<'_>, until: NaiveDate) -> Vec<Change> {
    let lapsing = decision.acceptances.iter().filter_map(|usage| {
        let grounds = &usage.entry.grounds;
        let date = grounds.expires.succ_opt().filter(|date| *date <= until)?;
        (usage.standing == Validity::InForce).then(|| {
            let covers = text::count(usage.covers, "finding");
            let message = match usage.entry.forgives.is_of_findings() {
                true => format!("acceptance `{}` lapses; it covers {covers}", grounds.id),
                false => {
                    let kind = usage.entry.forgives.word();
                    format!("acceptance `{}` ({kind}) lapses", grounds.id)
                }
            };
            Change {
                date,
                owner: Some(grounds.owner.clone()),
                kind: ChangeKind::AcceptanceLapses,
                message,
                gates: usage.gates.iter().map(|id| (*id).to_owned()).collect(),
                findings: usage.entry.forgives.is_of_findings().then_some(usage.covers),
            }
        })
    });
    lapsing.collect()
}

fn blocks(decision: &Decision<'_>, now: DateTime<Utc>, until: NaiveDate) -> Vec<Change> {
    let begins = decision.rulings.iter().filter_map(|ruling| {
        let gate = ruling.gate;
        let date = gate.blocks_from.filter(|date| *date > now.date_naive() && *date <= until)?;
        let today = match ruling.state {
            State::Held => "it holds today",
            State::Breached => "it is breached today",
            State::Undecided => "it cannot be decided today",
        };
        Some(Change {
            date,
            owner: gate.owner.clone(),
            kind: ChangeKind::GateBlocks,
            message: format!("gate `{}` begins to block; {today}", gate.id),
            gates: vec![gate.id.clone()],
            findings: (ruling.state == State::Breached).then_some(ruling.failed),
        })
    });
    begins.collect()
}

/// Findings that cross the age of a gate, by gate, day and owner.
fn ages(policy: &Policy, evidence: &Evidence, now: DateTime<Utc>, until: NaiveDate) -> Vec<Change> {
    let mut crossing: BTreeMap<(NaiveDate, Option<String>, &str), u64> = BTreeMap::new();
    for gate in &policy.gates {
        let limit = gate.selection.older_than.and_then(|age| TimeDelta::from_std(age).ok());
        let Some(limit) = limit else { continue };
        let whatever_age = gate.selection.only(|field| field != crate::selection::Field::OlderThan);
        let outcomes = evidence.outcomes.iter().filter(|outcome| gate.uses(&outcome.source));
        let parts = outcomes.flat_map(|outcome| &outcome.parts);
        for finding in parts.flat_map(|part| part.findings.listed()) {
            let Some(crosses) = finding.since().and_then(|since| since.checked_add_signed(limit))
            else {
                continue;
            };
            let day = crosses.date_naive();
            if crosses > now && day <= until && whatever_age.matches_finding(finding, now) {
                let owner = policy.owner_of(finding).or(gate.owner.as_deref());
                let key = (day, owner.map(str::to_owned), gate.id.as_str());
                *crossing.entry(key).or_default() += 1;
            }
        }
    }
    let event = |((date, owner, gate), count): ((NaiveDate, Option<String>, &str), u64)| {
        let findings = text::count(count, "finding");
        Change {
            date,
            owner,
            kind: ChangeKind::FindingsAge,
            message: format!("{findings} become old enough for gate `{gate}`"),
            gates: vec![gate.to_owned()],
            findings: Some(count),
        }
    };
    crossing.into_iter().map(event).collect()
}

fn stale(
    policy: &Policy,
    evidence: &Evidence,
    now: DateTime<Utc>,
    until: NaiveDate,
) -> Vec<Change> {
    let Some(max_age) = policy.evidence.max_age.and_then(|age| TimeDelta::from_std(age).ok())
    else {
        return Vec::new();
    };
    let mut events = Vec::new();
    for outcome in evidence.outcomes.iter().filter(|outcome| policy.uses(&outcome.source)) {
        let oldest = outcome.parts.iter().filter_map(|part| part.aged_from()).min();
        let Some(ends) = oldest.and_then(|oldest| oldest.checked_add_signed(max_age)) else {
            continue;
        };
        let date = ends.max(now).date_naive();
        if date > until {
            continue;
        }
        let gates = policy.gates.iter().filter(|gate| gate.uses(&outcome.source));
        let is_or_goes = if ends <= now { "is stale" } else { "goes stale" };
        let ends = ends.format("%Y-%m-%d %H:%M UTC");
        events.push(Change {
            date,
            owner: None,
            kind: ChangeKind::EvidenceStale,
            message: format!("this evidence of {} {is_or_goes} ({ends})", outcome.source),
            gates: gates.map(|gate| gate.id.clone()).collect(),
            findings: None,
        });
    }
    events
}
