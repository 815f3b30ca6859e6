//! `compliance-gate policy check --history RECORDS`: what the decisions so far say about a policy.

mod records;

use std::collections::BTreeMap;
use std::path::Path;

use records::{Observed, Record, Records};

use crate::acceptance::{Acceptance, Forgives};
use crate::config::Config;
use crate::policy::{Document, Gate, Percent, Whose};
use crate::text;

/// Fewer decisions than this show no habit.
const FEWEST: usize = 10;

/// How far above the worst that was observed a proposed limit is.
const ROOM: u64 = 2;

/// How many hundredths of a percent a proposed pass rate is below the worst that was observed.
const ROOM_OF_RATE: u64 = 200;

/// A pass rate that is this much below the worst that was observed has slack, in hundredths of a
/// percent.
const SLACK_OF_RATE: u64 = 500;

/// Notes on the policies, by the records in a file.
///
/// # Errors
/// A sentence, if the records cannot be read.
pub(super) fn notes(path: &Path, configs: &[Config]) -> Result<Vec<String>, String> {
    let records = Records::read(path)?;
    let mut notes = vec![format!(
        "{} since {}",
        text::count(records.records.len() as u64, "decision"),
        text::one_line(records.since(), 20)
    )];
    if records.unreadable > 0 {
        let lines = text::count(records.unreadable, "line");
        notes.push(format!("left out of {}: {lines} without a record", path.display()));
    }
    let mut gates: BTreeMap<&str, &Gate> = BTreeMap::new();
    let mut entries: BTreeMap<&str, &Acceptance> = BTreeMap::new();
    for policy in configs.iter().flat_map(Config::policies) {
        gates.extend(policy.gates.iter().map(|gate| (gate.id.as_str(), gate)));
        entries.extend(policy.accept.iter().map(|entry| (entry.grounds.id.as_str(), entry)));
    }
    notes.extend(gates.values().flat_map(|gate| of_gate(gate, &records)));
    notes.extend(entries.values().filter_map(|entry| of_entry(entry, &records)));
    notes.extend(overrides(&records));
    let documents = configs.iter().flat_map(|config| &config.documents);
    let mut own = documents.filter(|document| document.whose == Whose::Organisation);
    notes.extend(own.next().and_then(|document| outdated(document, &records)));
    Ok(notes)
}

/// A gate that never fired, or a limit that is far from what was observed.
fn of_gate(gate: &Gate, records: &Records) -> Vec<String> {
    let decided: Vec<_> = records
        .records
        .iter()
        .flat_map(|record| &record.gates)
        .filter(|decided| decided.id == gate.id)
        .collect();
    if decided.len() < FEWEST {
        return Vec::new();
    }
    let decisions = text::count(decided.len() as u64, "decision");
    let id = &gate.id;
    let mut notes = Vec::new();
    let observed: Vec<_> = decided.iter().filter_map(|one| one.observed.as_ref()).collect();
    let slack = slack_of_max(gate, &observed).or_else(|| slack_of_rate(gate, &observed));
    if decided.iter().all(|decided| decided.state == "held") {
        notes.push(format!("gate `{id}` held in all {decisions}: it never fired"));
    }
    notes.extend(slack.map(|slack| format!("gate `{id}`: {slack} in {decisions}")));
    notes
}

fn slack_of_max(gate: &Gate, observed: &[&Observed]) -> Option<String> {
    let max = gate.limits.max?;
    let most = observed.iter().map(|one| one.failed).max()?;
    let proposed = round(most.saturating_mul(ROOM));
    (proposed.saturating_mul(2) <= max && proposed < max).then(|| {
        format!(
            "`max: {max}` could be `max: {proposed}`; at most {} observed",
            text::thousands(most)
        )
    })
}

/// The next of 0, 1, 2, 5, 10, 20, 50 and so on.
fn round(number: u64) -> u64 {
    let scales = (0..20).map(|power| 10_u64.saturating_pow(power));
    let mut steps = scales.flat_map(|scale| [1, 2, 5].map(|step| scale.saturating_mul(step)));
    match number {
        0 => 0,
        number => steps.find(|step| *step >= number).unwrap_or(number),
    }
}

fn slack_of_rate(gate: &Gate, observed: &[&Observed]) -> Option<String> {
    let least = gate.limits.min_pass_rate?;
    let rate = |one: &&Observed| {
        let passed = one.passed?;
        let total = passed + one.failed + one.known;
        (u128::from(passed) * 10_000).checked_div(u128::from(total))
    };
    let worst = u64::try_from(observed.iter().filter_map(rate).min()?).ok()?;
    // Whole percents.
    let proposed = worst.saturating_sub(ROOM_OF_RATE) / 100;
    let percent = |share: u64| Percent::parse(&format!("{share}%")).ok();
    let has_slack = percent(worst.saturating_sub(SLACK_OF_RATE) / 100)? >= least;
    (has_slack && percent(proposed)? > least).then(|| {
        format!(
            "`min_pass_rate: {least}` could be `min_pass_rate: {proposed}%`; at least {}.{:02}% \
             observed",
            worst / 100,
            worst % 100
        )
    })
}

/// An acceptance that was needed in every decision, or an outage that became normal.
fn of_entry(entry: &Acceptance, records: &Records) -> Option<String> {
    let id = &entry.grounds.id;
    let is_used = |record: &&Record| {
        let mut used = record.accepted.iter();
        used.any(|used| used.id == *id && used.kind == entry.forgives.word())
    };
    let used = records.records.iter().filter(is_used).count();
    // What was decided before the entry was there says nothing about it.
    let first = records.records.iter().position(|record| is_used(&record))?;
    let all = records.records.len() - first;
    if all < FEWEST {
        return None;
    }
    let decisions = text::count(all as u64, "decision");
    match &entry.forgives {
        Forgives::Cause(excuse) if used * 2 >= all => Some(format!(
            "acceptance `{id}` forgave `{}` in {used} of {decisions}: it became normal; repair what \
             causes it",
            excuse.cause.word()
        )),
        _ if used == all => Some(format!(
            "acceptance `{id}` was used in all {decisions} since its first; fix what it covers, or \
             take it out of scope"
        )),
        _ => None,
    }
}

/// Who used break-glass, and how often.
fn overrides(records: &Records) -> Vec<String> {
    let mut by_repository: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records.records.iter().filter(|record| record.overridden.is_some()) {
        let repository = record.repository.as_deref().unwrap_or("(no repository)");
        by_repository.entry(repository).or_default().push(record);
    }
    let one = |(repository, records): (&str, Vec<&Record>)| {
        let last = records.last()?;
        let reason = &last.overridden.as_ref()?.reason;
        let times = text::count(records.len() as u64, "decision");
        Some(text::one_line(
            &format!("{repository}: {times} overridden, last at {}: {reason}", last.decided_at),
            400,
        ))
    };
    by_repository.into_iter().filter_map(one).collect()
}

/// Repositories whose newest decision was by another policy of the organisation.
fn outdated(own: &Document, records: &Records) -> Option<String> {
    let newest = records.newest();
    let is_old = |record: &Record| record.org_policy_sha256.as_deref() != Some(&own.sha256);
    let old: Vec<_> = newest
        .iter()
        .filter(|(_, record)| is_old(record))
        .map(|(repository, record)| match &record.org_policy_sha256 {
            None => format!("{} (without any)", text::one_line(repository, 200)),
            Some(_) => text::one_line(repository, 200),
        })
        .collect();
    if old.is_empty() {
        return None;
    }
    Some(format!(
        "{} of {} last decided by another policy of the organisation: {}",
        text::thousands(old.len() as u64),
        text::count(newest.len() as u64, "repository"),
        text::listed(old.iter(), ", ", 20)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_proposed_in_round_numbers() {
        for (number, expected) in
            [(0, 0), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (101, 200)]
        {
            assert_eq!(round(number), expected, "{number}");
        }
        assert!(round(u64::MAX) > 0);
    }
}
