//! A new baseline from an old one and from what gates count today: it loses what is fixed, and
//! gains nothing unless it is told to.

use std::collections::{BTreeMap, BTreeSet};

use super::Decision;
use crate::baseline::{Baseline, Header, KnownLine, Remaining, SCHEMA};
use crate::evidence::{Evidence, Findings, Outcome, Part};
use crate::finding::{Finding, Fingerprint, Identity, Problem};
use crate::policy::Policy;
use crate::selection::Field;

/// A new baseline, and how it differs from the old one.
#[derive(Debug)]
pub struct Ratcheted<'a> {
    pub baseline: Baseline,
    /// Findings that the old baseline does not have. They are in the new one only if it may grow.
    pub grown: Vec<&'a Finding>,
    /// How many findings of the old baseline are gone.
    pub removed: u64,
    /// How many findings of the old baseline are not counted and stay: their rule was not evaluated
    /// in their account, or still fails.
    pub kept: u64,
}

/// The problems for which no baseline can be written of evidence, whatever a policy forgives.
pub fn gaps<'a>(evidence: &'a Evidence, decision: &'a Decision<'_>) -> Vec<&'a Problem> {
    let outcomes = evidence.outcomes.iter();
    let collected = outcomes.flat_map(|outcome| {
        let parts = outcome.parts.iter();
        let of_parts =
            parts.flat_map(|part| part.problems.iter().chain(part.findings.why_incomplete()));
        outcome.problems.iter().chain(of_parts)
    });
    let ruled = decision.rulings.iter().flat_map(|ruling| &ruling.problems);
    let mut seen = BTreeSet::new();
    collected
        .chain(ruled)
        .filter(|problem| seen.insert((problem.cause, &problem.message)))
        .collect()
}

/// A policy by which a baseline is written: without baselines, and with entries that lapsed, so that
/// nothing moves from an acceptance into a baseline by itself.
pub fn policy_for_baselines(policy: &Policy, today: chrono::NaiveDate) -> Policy {
    let mut policy = policy.clone();
    policy.accept.retain(|entry| !entry.forgives.is_baseline());
    for entry in &mut policy.accept {
        entry.grounds.expires = entry.grounds.expires.max(today);
    }
    policy
}

/// Makes a baseline of what the gates count.
pub fn ratchet<'a>(
    decision: &Decision<'a>,
    evidence: &Evidence,
    old: Option<&Baseline>,
    environment: Option<&str>,
    may_grow: bool,
) -> Ratcheted<'a> {
    let mut found = counted(decision);
    found.sort_by(|a, b| Finding::by_urgency(a, b));
    let mut baseline = Baseline::new(header(evidence, environment, old));
    let mut remaining = old.map(Remaining::of);
    let mut grown = Vec::new();
    for finding in found {
        // The most severe one comes first.
        let severity = finding.subject.severity;
        match remaining.as_mut().map(|remaining| remaining.takes(finding, severity)) {
            None | Some(true) => baseline.add(finding),
            Some(false) => {
                if may_grow {
                    baseline.add(finding);
                }
                grown.push(finding);
            }
        }
    }
    let (mut removed, mut kept) = (0_u64, 0_u64);
    if let (Some(old), Some(remaining)) = (old, remaining) {
        let present = present(evidence);
        let mut still: BTreeMap<Fingerprint, u64> = BTreeMap::new();
        for (print, line) in old.lines() {
            let left = line.count - remaining.taken(print, line.severity);
            // Those that fail and that no gate counts.
            let failing = still.entry(print).or_insert_with(|| {
                let taken: u64 =
                    old.of(print).iter().map(|line| remaining.taken(print, line.severity)).sum();
                present.get(&print).copied().unwrap_or_default().saturating_sub(taken)
            });
            let stays = match was_evaluated(evidence, &old.header, line) {
                true => left.min(*failing),
                false => left,
            };
            *failing = failing.saturating_sub(stays);
            removed += left - stays;
            kept += stays;
            if stays > 0 {
                baseline.merge(print, KnownLine { count: stays, ..line.clone() });
            }
        }
    }
    Ratcheted { baseline, grown, removed, kept }
}

/// The findings that any gate counts, each once. One of a window is not expected again.
fn counted<'a>(decision: &Decision<'a>) -> Vec<&'a Finding> {
    let mut seen = BTreeSet::new();
    let findings = decision.rulings.iter().flat_map(|ruling| ruling.findings.iter().copied());
    findings
        .filter(|finding| !matches!(finding.identity, Identity::Event(_)))
        .filter(|finding| seen.insert(std::ptr::from_ref(*finding)))
        .collect()
}

/// How often each fingerprint is in the evidence.
fn present(evidence: &Evidence) -> BTreeMap<Fingerprint, u64> {
    let mut present = BTreeMap::new();
    let parts = evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    for finding in parts.flat_map(|part| part.findings.listed()) {
        *present.entry(finding.fingerprint).or_default() += 1;
    }
    present
}

fn header(evidence: &Evidence, environment: Option<&str>, old: Option<&Baseline>) -> Header {
    let keeps = |outcome: &&Outcome| outcome.parts.iter().any(|part| part.proof.window().is_none());
    let outcomes = || evidence.outcomes.iter().filter(keeps);
    let mut sources: BTreeMap<_, _> =
        outcomes().map(|outcome| (outcome.source.clone(), outcome.origin.clone())).collect();
    let mut accounts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for outcome in outcomes() {
        let evaluated = outcome.parts.iter().flat_map(|part| evaluated(part, None)).flatten();
        accounts.entry(outcome.source.clone()).or_default().extend(evaluated);
    }
    // A source or an account that was left out today keeps its lines.
    for old in old.into_iter().map(|old| &old.header) {
        for (source, origin) in &old.sources {
            sources.entry(source.clone()).or_insert_with(|| origin.clone());
        }
        for (source, old) in &old.accounts {
            accounts.entry(source.clone()).or_default().extend(old.iter().cloned());
        }
    }
    accounts.retain(|_, accounts| !accounts.is_empty());
    Header {
        schema: SCHEMA.to_owned(),
        environment: environment.map(str::to_owned),
        sources,
        accounts,
    }
}

/// The accounts in which a rule was evaluated, or anything; `None` among them where a row does not
/// state its account.
fn evaluated(part: &Part, rule: Option<&str>) -> BTreeSet<Option<String>> {
    let is_own = |subject: &crate::finding::Subject| {
        rule.is_none_or(|rule| subject.rule.as_ref().is_some_and(|own| *own.id == *rule))
    };
    let account = |subject: &crate::finding::Subject| {
        subject.account.as_ref().map(|account| account.id.to_string())
    };
    let tables =
        part.counts.table.iter().filter(|table| rule.is_none() || table.by.contains(&Field::Rule));
    let rows = tables
        .flat_map(|table| &table.rows)
        .filter(|row| row.count.failed > 0 || row.count.passed.is_some_and(|passed| passed > 0))
        .map(|row| &row.subject);
    let failed = match &part.findings {
        Findings::Listed(findings) => findings.as_slice(),
        Findings::Incomplete { .. } => &[],
    };
    let failed = failed.iter().map(|finding| &*finding.subject);
    rows.chain(failed).filter(|subject| is_own(subject)).map(account).collect()
}

/// Whether the rule of a line was evaluated in its account. A line does not state its account, but
/// its resource may; else every account of the baseline must have been evaluated.
fn was_evaluated(evidence: &Evidence, old: &Header, line: &KnownLine) -> bool {
    let outcomes = evidence.outcomes.iter().filter(|outcome| outcome.source == line.source);
    let parts: Vec<_> = outcomes.flat_map(|outcome| &outcome.parts).collect();
    let of = |rule| parts.iter().flat_map(|part| evaluated(part, rule)).collect::<BTreeSet<_>>();
    let of_rule = of(Some(line.rule.as_str()));
    let answers = || {
        let rule = |answer: &&crate::evidence::SelectionCount| {
            let words = answer.selection.words.get(&Field::Rule);
            answer.selection.fields() == [Field::Rule].into()
                && words.is_some_and(|words| words.iter().all(|word| word.as_str() == line.rule))
        };
        let mut answers = parts.iter().flat_map(|part| &part.counts.answers).filter(rule);
        answers.any(|answer| answer.count.evaluated().is_some_and(|count| count > 0))
    };
    // Where passes are not known, a list that arrived whole shows what is gone.
    let is_whole_list = || !parts.is_empty() && parts.iter().all(|part| part.proof.may_be_empty());
    if of_rule.is_empty() && !answers() && !is_whole_list() {
        return false;
    }
    let known = old.accounts.get(&line.source);
    let own: Vec<_> = known
        .into_iter()
        .flatten()
        .filter(|account| line.resource.contains(account.as_str()))
        .collect();
    let has =
        |set: &BTreeSet<Option<String>>, account: &String| set.contains(&Some(account.clone()));
    match own.as_slice() {
        [] => {
            let anywhere = of(None);
            known.into_iter().flatten().all(|account| has(&anywhere, account))
        }
        own => own.iter().all(|account| has(&of_rule, account)),
    }
}
