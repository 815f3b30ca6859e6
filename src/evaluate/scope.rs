//! What the `except` of a gate takes out of scope.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::evidence::{Findings, Part};
use crate::finding::Problem;
use crate::policy::Gate;
use crate::selection::{Exclusion, Selection};

/// What is out of scope of one gate, as far as the evidence shows it.
pub(super) struct OutOfScope<'a> {
    gate: &'a Gate,
    /// What the gate would select with everything in scope.
    whole: Selection,
    now: DateTime<Utc>,
    /// Failed checks that are out of scope, by account.
    failures: BTreeMap<String, u64>,
    /// Whether something is out of scope, by source.
    sources: BTreeMap<String, ScopeMatch>,
}

/// What the evidence shows. Ordered, best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ScopeMatch {
    Nothing,
    /// Passed checks are not known by the fields that `except` names.
    Unknown,
    Something,
}

impl<'a> OutOfScope<'a> {
    pub(super) fn of(gate: &'a Gate, now: DateTime<Utc>) -> Self {
        let whole = gate.selection.without_except();
        Self { gate, whole, now, failures: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Looks for what is out of scope in a part of a source. The problem: its failures are only
    /// counted, so it is not known which of them are.
    pub(super) fn look(&mut self, source: &str, part: &Part) -> Option<Problem> {
        let except = &self.gate.selection.except;
        if except.is_empty() {
            return None;
        }
        if let Findings::Incomplete { why, .. } = &part.findings {
            let in_all = part.counts.of(&self.whole);
            if in_all.is_none_or(|count| count.failed > 0) {
                let message = format!(
                    "gate `{}`: `except` needs every failed check, and {source} has only counts: {}",
                    self.gate.id, why.message
                );
                return Some(Problem { message, ..why.clone() });
            }
        }
        let mut shown = ScopeMatch::Nothing;
        for finding in part.findings.listed().iter().filter(|f| self.gate.selection.excludes(f)) {
            shown = ScopeMatch::Something;
            if self.whole.matches_finding(finding, self.now) {
                let account = finding.subject.account.as_deref();
                let account = account.map_or_else(|| "no account".to_owned(), ToString::to_string);
                *self.failures.entry(account).or_default() += 1;
            }
        }
        if shown == ScopeMatch::Nothing {
            shown = except.iter().map(|except| passed(except, part)).max().unwrap_or(shown);
        }
        let before = self.sources.entry(source.to_owned()).or_insert(shown);
        *before = shown.max(*before);
        None
    }

    /// Failed checks that are out of scope, by account.
    pub(super) fn into_failures(self) -> BTreeMap<String, u64> {
        self.failures
    }

    /// A warning for each source in which nothing is out of scope.
    pub(super) fn warnings(&self) -> Vec<String> {
        let nothing = self.sources.iter().filter(|(_, shown)| **shown == ScopeMatch::Nothing);
        let except = &self.gate.selection.except;
        let except: Vec<_> = except.iter().map(ToString::to_string).collect();
        nothing
            .map(|(source, _)| {
                format!(
                    "gate `{}`: `except` {} matches nothing in {source}; remove it, or check it for \
                     a typo",
                    self.gate.id,
                    except.join("; or ")
                )
            })
            .collect()
    }
}

/// Whether passed checks of a part are out of scope.
fn passed(except: &Exclusion, part: &Part) -> ScopeMatch {
    let table = part.counts.table.as_ref();
    match table.filter(|table| except.fields().is_subset(&table.by)) {
        Some(table) if table.rows.iter().any(|row| except.covers_subject(&row.subject)) => {
            ScopeMatch::Something
        }
        Some(_) => ScopeMatch::Nothing,
        None if part.proof.may_be_empty() => ScopeMatch::Nothing,
        None => ScopeMatch::Unknown,
    }
}
