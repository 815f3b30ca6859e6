//! What a gate with `each` counts: every framework, or account, by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Missed};
use crate::evidence::{Count, Findings, Part};
use crate::finding::{Cause, Finding, NOT_APPLICABLE, Problem, Subject};
use crate::policy::Gate;
use crate::selection::{Field, Selection};
use crate::text;

/// One framework or account, and what was counted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub failed: u64,
    /// Where the gate needs to know.
    pub passed: Option<u64>,
    pub is_breached: bool,
}

/// The groups of one gate.
pub(super) struct Groups<'a> {
    gate: &'a Gate,
    field: Field,
    passes: Selection,
    counts: BTreeMap<String, Count>,
    /// Failures of a baseline, and accepted ones, which were evaluated as well.
    known: BTreeMap<String, u64>,
    accepted: BTreeMap<String, u64>,
    problems: Vec<Problem>,
}

impl<'a> Groups<'a> {
    /// `None` for a gate without `each`.
    pub(super) fn of(gate: &'a Gate) -> Option<Self> {
        let field = gate.each?;
        Some(Self {
            gate,
            field,
            passes: gate.of_passes(),
            counts: BTreeMap::new(),
            known: BTreeMap::new(),
            accepted: BTreeMap::new(),
            problems: Vec::new(),
        })
    }

    /// Adds a part: its passed checks, where the gate needs them.
    pub(super) fn add(&mut self, source: &str, part: &Part) {
        let id = &self.gate.id;
        if let Findings::Incomplete { why, .. } = &part.findings {
            let count = part.counts.of(&self.gate.selection);
            if count.is_none_or(|count| count.failed > 0) {
                let message = format!(
                    "gate `{id}`: `each` needs every failed check, and {source} has only counts: {}",
                    why.message
                );
                self.problems.push(Problem { message, ..why.clone() });
            }
        }
        if !self.gate.needs_passes() {
            return;
        }
        let mut needed = self.passes.fields();
        needed.insert(self.field);
        let table = part.counts.table.as_ref().filter(|table| needed.is_subset(&table.by));
        let Some(table) = table else {
            let message =
                format!("gate `{id}`: {source} does not show passed checks by {}", self.field);
            return self.problems.push(Problem::new(Cause::Incomplete, message));
        };
        for row in &table.rows {
            if self.passes.matches(&row.subject) {
                self.count(&row.subject, Count { failed: 0, ..row.count });
            }
        }
        let selection = &self.gate.selection;
        let unseen =
            part.unevaluated.iter().map(|one| &one.account).filter(|account| {
                self.field == Field::Account && selection.matches_account(account)
            });
        let unseen = unseen.map(|account| (account.to_string(), Count::ZERO));
        for (name, nothing) in unseen.collect::<Vec<_>>() {
            self.counts.entry(name).or_insert(nothing);
        }
    }

    /// Adds a failed check that counts.
    pub(super) fn add_failed(&mut self, finding: &Finding) {
        self.count(&finding.subject, Count { passed: Some(0), failed: 1 });
    }

    /// Adds a failed check that a baseline has.
    pub(super) fn add_known(&mut self, finding: &Finding) {
        self.count(&finding.subject, Count::ZERO);
        for name in self.names(&finding.subject) {
            *self.known.entry(name).or_default() += 1;
        }
    }

    /// Adds a failed check that is accepted.
    pub(super) fn add_accepted(&mut self, finding: &Finding) {
        self.count(&finding.subject, Count::ZERO);
        for name in self.names(&finding.subject) {
            *self.accepted.entry(name).or_default() += 1;
        }
    }

    fn count(&mut self, subject: &Subject, count: Count) {
        for name in self.names(subject) {
            let sum = self.counts.entry(name).or_insert(Count::ZERO);
            *sum = sum.plus(count);
        }
    }

    /// The groups that a check belongs to. One with several frameworks belongs to each.
    fn names(&self, subject: &Subject) -> BTreeSet<String> {
        let names: BTreeSet<_> = match self.field {
            Field::Framework => {
                let frameworks = subject.controls.iter().map(|control| &*control.framework);
                let selected = frameworks.filter(|framework| {
                    !framework.is_empty() && self.gate.selection.matches_framework(framework)
                });
                selected.map(str::to_owned).collect()
            }
            _ => subject.account.iter().map(|account| account.to_string()).collect(),
        };
        match names.is_empty() {
            true => [NOT_APPLICABLE.to_owned()].into(),
            false => names,
        }
    }

    /// What follows for each group, worst first, and what is missing. `is_whole`: the evidence is
    /// complete, so that a pass rate proves something.
    pub(super) fn rule(&self, is_whole: bool) -> (Vec<Group>, Vec<Breach>, Vec<Problem>) {
        let limits = self.gate.limits;
        let is_whole = is_whole && self.problems.is_empty();
        let mut problems = self.problems.clone();
        let mut breaches = Vec::new();
        let mut groups = Vec::new();
        for (name, count) in &self.counts {
            let passed = count.passed.unwrap_or(0);
            let known = self.known.get(name).copied().unwrap_or_default();
            let accepted = self.accepted.get(name).copied().unwrap_or_default();
            let evaluated = passed + count.failed + known + accepted;
            let rated = Some(passed).filter(|_| is_whole);
            let missed = Missed::by(limits, count.failed, known, rated);
            let is_breached = !missed.is_empty();
            let group = Some(text::one_line(name, 200));
            breaches
                .extend(missed.into_iter().map(|missed| Breach { group: group.clone(), missed }));
            if let Some(least) = limits.min_evaluated.filter(|least| evaluated < *least) {
                problems.push(Problem::new(
                    Cause::Empty,
                    format!(
                        "gate `{}`: {} evaluated for {} {} where min_evaluated is {}",
                        self.gate.id,
                        text::count(evaluated, "check"),
                        self.field,
                        text::one_line(name, 200),
                        text::thousands(least)
                    ),
                ));
            }
            groups.push(Group {
                name: name.clone(),
                failed: count.failed,
                passed: Some(passed).filter(|_| self.gate.needs_passes()),
                is_breached,
            });
        }
        groups.sort_by(|a, b| {
            (b.is_breached, b.failed, &a.name).cmp(&(a.is_breached, a.failed, &b.name))
        });
        (groups, breaches, problems)
    }
}
