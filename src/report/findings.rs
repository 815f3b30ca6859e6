//! What a ruling means for the pipeline, and which gates count a finding.

use std::collections::BTreeMap;

use super::Report;
use crate::evaluate::{Ruling, State};
use crate::finding::Finding;
use crate::policy::Mode;
use crate::text;

/// What a ruling means for the pipeline. Ordered, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The gate holds.
    Within,
    /// It does not, or could not be decided, and the pipeline goes on.
    Warns,
    /// It stops the pipeline.
    Blocks,
}

impl Weight {
    pub fn of(ruling: &Ruling<'_>, mode: Mode) -> Self {
        match (ruling.state, ruling.blocks(), mode) {
            (State::Held, ..) => Self::Within,
            (_, true, Mode::Enforce) => Self::Blocks,
            _ => Self::Warns,
        }
    }
}

/// Every finding once, and the gates that count it.
pub struct Findings<'a> {
    /// Worst first.
    pub entries: Vec<Entry<'a>>,
    /// Finding and ruling, sorted: sixteen bytes for each, where a map would take a hundred.
    counted: Vec<(*const Finding, usize)>,
    rulings: &'a [Ruling<'a>],
    weights: Vec<Weight>,
}

pub struct Entry<'a> {
    pub source: &'a str,
    pub finding: &'a Finding,
    /// The most that any gate makes of it; `None` where no gate counts it. A gate that could not
    /// be decided has not found it one too many.
    pub weight: Option<Weight>,
    /// Where its gates are in `counted`.
    gates: std::ops::Range<usize>,
}

/// A rule with all its findings in one source.
pub struct Rule<'f, 'a> {
    pub source: &'a str,
    pub first: &'a Finding,
    /// That of the first entry.
    pub weight: Option<Weight>,
    pub entries: Vec<&'f Entry<'a>>,
}

impl<'a> Findings<'a> {
    pub fn of(report: &Report<'a>) -> Self {
        let rulings = &report.decision.rulings;
        let mut counted: Vec<_> = rulings
            .iter()
            .enumerate()
            .flat_map(|(at, ruling)| {
                ruling.findings.iter().map(move |finding| (std::ptr::from_ref(*finding), at))
            })
            .collect();
        counted.sort_unstable();
        let weights: Vec<_> = rulings
            .iter()
            .map(|ruling| match ruling.state {
                State::Undecided => Weight::Warns,
                _ => Weight::of(ruling, report.decision.mode),
            })
            .collect();
        let mut entries = Vec::new();
        for outcome in &report.evidence.outcomes {
            for finding in outcome.parts.iter().flat_map(|part| part.findings.listed()) {
                let from = counted.partition_point(|(at, _)| *at < std::ptr::from_ref(finding));
                let same = |(at, _): &&(*const Finding, usize)| std::ptr::eq(*at, finding);
                let gates = from..from + counted[from..].iter().take_while(same).count();
                let weight =
                    counted[gates.clone()].iter().map(|(_, ruling)| weights[*ruling]).max();
                entries.push(Entry { source: &outcome.source, finding, weight, gates });
            }
        }
        entries.sort_by(|a, b| {
            Finding::by_urgency(a.finding, b.finding).then_with(|| a.source.cmp(b.source))
        });
        Self { entries, counted, rulings, weights }
    }

    /// The rulings that count a finding, in the policy's order.
    pub fn gates(&self, entry: &Entry<'_>) -> impl Iterator<Item = &'a Ruling<'a>> {
        self.counted[entry.gates.clone()].iter().map(|(_, ruling)| &self.rulings[*ruling])
    }

    /// Whether a gate counts it that is breached. What a gate that could not be decided counts is
    /// not yet one too many.
    pub fn is_beyond(&self, entry: &Entry<'_>) -> bool {
        self.gates(entry).any(|ruling| ruling.state == State::Breached)
    }

    /// The ids of the gates that make the most of a finding: those it is beyond the limit of.
    pub fn minding(&self, entry: &Entry<'_>) -> String {
        let gates = self.counted[entry.gates.clone()].iter();
        let minding = gates.filter(|(_, ruling)| Some(self.weights[*ruling]) == entry.weight);
        let ids: Vec<_> =
            minding.map(|(_, ruling)| text::one_line(&self.rulings[*ruling].gate.id, 80)).collect();
        ids.join(", ")
    }

    /// The entries by rule, in the order of each rule's first entry.
    pub fn by_rule(&self) -> Vec<Rule<'_, 'a>> {
        let mut places = BTreeMap::new();
        let mut rules: Vec<Rule<'_, 'a>> = Vec::new();
        for entry in &self.entries {
            let place =
                *places.entry((entry.source, entry.finding.rule_id())).or_insert(rules.len());
            match rules.get_mut(place) {
                Some(rule) => rule.entries.push(entry),
                None => rules.push(Rule {
                    source: entry.source,
                    first: entry.finding,
                    weight: entry.weight,
                    entries: vec![entry],
                }),
            }
        }
        rules
    }

    /// What stops the pipeline first, then what warns, then the rest; worst first within each.
    pub fn by_weight(mut self) -> Self {
        self.entries.sort_by_key(|entry| std::cmp::Reverse(entry.weight));
        self
    }
}
