//! What the `except` of a gate takes out of scope.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::meaning::words_of;
use crate::evidence::{Count, Findings, Part, Unevaluated};
use crate::finding::Problem;
use crate::policy::Gate;
use crate::selection::{Exclusion, Field, Selection};
use crate::text;

/// What is out of scope of one gate, as far as the evidence shows it.
pub(super) struct OutOfScope<'a> {
    gate: &'a Gate,
    /// What the gate would select with everything in scope.
    whole: Selection,
    now: DateTime<Utc>,
    /// Failed checks that are out of scope, by account.
    failures: BTreeMap<String, u64>,
    /// Whether something is out of scope by each exclusion, by source.
    sources: BTreeMap<String, Vec<ScopeMatch>>,
    /// Words that exist in the evidence, for suggestions.
    known: BTreeSet<(Field, String)>,
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
        let (failures, sources, known) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { gate, whole, now, failures, sources, known }
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
        // A quiet day shows nothing about a word.
        if part.proof.may_be_empty() && part.looked_at() == 0 {
            return None;
        }
        let mut shown = vec![ScopeMatch::Nothing; except.len()];
        for finding in part.findings.listed() {
            let mut is_excluded = false;
            for (except, shown) in except.iter().zip(&mut shown) {
                if except.covers(finding) {
                    (is_excluded, *shown) = (true, ScopeMatch::Something);
                }
            }
            if is_excluded && self.whole.matches_finding(finding, self.now) {
                let account = finding.subject.account.as_deref();
                let account = account.map_or_else(|| "no account".to_owned(), ToString::to_string);
                *self.failures.entry(account).or_default() += 1;
            }
        }
        for (except, shown) in except.iter().zip(&mut shown) {
            if *shown == ScopeMatch::Nothing {
                *shown = passed(except, part);
            }
            if *shown == ScopeMatch::Nothing {
                let words =
                    |field| words_of(field, part).into_iter().map(move |text| (field, text));
                self.known.extend(except.fields().into_iter().flat_map(words));
            }
        }
        match self.sources.get_mut(source) {
            Some(before) => {
                before
                    .iter_mut()
                    .zip(shown)
                    .for_each(|(before, shown)| *before = shown.max(*before));
            }
            None => _ = self.sources.insert(source.to_owned(), shown),
        }
        None
    }

    /// Failed checks that are out of scope, by account.
    pub(super) fn into_failures(self) -> BTreeMap<String, u64> {
        self.failures
    }

    /// A warning for each source in which nothing is out of scope, and for each exclusion that matches
    /// nothing in any of them.
    pub(super) fn warnings(&self) -> Vec<String> {
        let all: Vec<_> = self.gate.selection.except.iter().collect();
        let is_nothing = |shown: &ScopeMatch| *shown == ScopeMatch::Nothing;
        let (empty, others): (Vec<_>, Vec<_>) =
            self.sources.iter().partition(|(_, shown)| shown.iter().all(is_nothing));
        let mut warnings: Vec<_> =
            empty.iter().map(|(source, _)| self.warning(&all, source)).collect();
        if !others.is_empty() {
            let sources: Vec<_> = self.sources.keys().map(String::as_str).collect();
            let unmatched = all.iter().enumerate().filter(|(at, _)| {
                self.sources.values().all(|shown| shown.get(*at).is_some_and(is_nothing))
            });
            warnings.extend(unmatched.map(|(_, one)| self.warning(&[*one], &sources.join(" or "))));
        }
        warnings
    }

    fn warning(&self, except: &[&Exclusion], source: &str) -> String {
        let words: Vec<_> = except.iter().map(ToString::to_string).collect();
        format!(
            "gate `{}`: `except` {} matches nothing in {source}; remove it, or check it for a typo{}",
            self.gate.id,
            words.join("; or "),
            except.iter().find_map(|except| self.suggestion(except)).unwrap_or_default()
        )
    }

    /// The known word that is most similar to one of an exclusion.
    fn suggestion(&self, except: &Exclusion) -> Option<String> {
        let words = except
            .words
            .iter()
            .flat_map(|(field, patterns)| patterns.iter().map(move |pattern| (field, pattern)));
        words.into_iter().find_map(|(field, pattern)| {
            let known = self.known.iter().filter(|(of, _)| of == field);
            let known: Vec<_> = known.map(|(_, text)| text.as_str()).collect();
            let literal =
                pattern.literal().filter(|_| !known.iter().any(|k| pattern.matches(k)))?;
            let hint = text::did_you_mean(literal, known);
            (!hint.is_empty()).then(|| text::one_line(&hint, 200))
        })
    }
}

/// Whether passed checks of a part are out of scope.
fn passed(except: &Exclusion, part: &Part) -> ScopeMatch {
    let accounts =
        except.of_passes().filter(|_| except.fields() == BTreeSet::from([Field::Account]));
    let is_named = |one: &Unevaluated| {
        accounts.as_ref().is_some_and(|accounts| accounts.names_account(&one.account))
    };
    if part.unevaluated.iter().any(is_named) {
        return ScopeMatch::Something;
    }
    let table = part.counts.table.as_ref();
    match table.filter(|table| except.fields().is_subset(&table.by)) {
        Some(table) if table.rows.iter().any(|row| except.covers_subject(&row.subject)) => {
            ScopeMatch::Something
        }
        Some(_) => ScopeMatch::Nothing,
        None => {
            let answer = except.of_passes().and_then(|selection| part.counts.of(&selection));
            match answer.and_then(Count::evaluated) {
                Some(0) => ScopeMatch::Nothing,
                Some(_) => ScopeMatch::Something,
                None if part.proof.may_be_empty() => ScopeMatch::Nothing,
                None => ScopeMatch::Unknown,
            }
        }
    }
}
