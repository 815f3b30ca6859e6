//! Evidence that was collected for one policy, as another policy would have asked for it.
//!
//! What lies outside its filters is left out, passed and failed alike. What cannot be divided, or was
//! not asked for, is a problem of the source.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Count, Filter, Findings, Outcome, Part, Proof};
use crate::finding::{Cause, Finding, Problem, Severity};
use crate::selection::{Field, Pattern, Selection};

impl Outcome {
    /// Leaves only what these filters would have let through. Settings that differ otherwise become
    /// problems.
    pub fn narrow(&mut self, wanted: &[Filter], now: DateTime<Utc>) {
        let keys: BTreeSet<_> = self.filters.iter().chain(wanted).map(|f| f.key.clone()).collect();
        for key in keys {
            let of = |filters: &[Filter]| filters.iter().find(|f| f.key == key).cloned();
            let (had, wants) = (of(&self.filters), of(wanted));
            let is_part = match (&had, &wants) {
                (Some(had), Some(wants)) if had.words == wants.words => continue,
                (Some(had), Some(wants)) => wants.words.is_subset(&had.words),
                (None, Some(_)) => true,
                (_, None) => false,
            };
            let field = wants.as_ref().and_then(|filter| filter.field);
            match (is_part, field, &wants) {
                (true, Some(field), Some(wants)) => self.divide(field, wants, now),
                _ => self.problems.push(differs(&self.source, &key, had.as_ref(), wants.as_ref())),
            }
        }
        self.filters = wanted.to_vec();
    }

    fn divide(&mut self, field: Field, filter: &Filter, now: DateTime<Utc>) {
        let selection = selection(field, &filter.words);
        if field == Field::Framework {
            self.parts.retain(|part| {
                let framework = part.framework.as_deref();
                framework.is_none_or(|framework| selection.matches_framework(framework))
            });
        }
        for part in &mut self.parts {
            if field != Field::Framework || part.framework.is_none() {
                part.divide(&selection, &self.source, filter, now);
            }
        }
    }
}

impl Part {
    fn divide(&mut self, selection: &Selection, source: &str, filter: &Filter, now: DateTime<Utc>) {
        let (Findings::Listed(listed) | Findings::Incomplete { listed, .. }) = &mut self.findings;
        listed.retain(|finding| selection.matches_finding(finding, now));
        self.unevaluated.retain(|one| {
            !selection.words.contains_key(&Field::Account) || selection.names_account(&one.account)
        });
        // Answers are of the whole, and cannot be divided.
        self.counts.answers.clear();
        let fields = selection.fields();
        self.counts.table = self.counts.table.take().filter(|table| fields.is_subset(&table.by));
        let mut evaluated = None;
        if let Some(table) = &mut self.counts.table {
            table.rows.retain_mut(|row| {
                if !selection.matches(&row.subject) {
                    // A failed check may be within what it does not state; a passed one is not.
                    row.count.passed = row.count.passed.map(|_| 0);
                    return row.count.failed > 0 && selection.may_match(&row.subject);
                }
                true
            });
            evaluated =
                table.rows.iter().map(|row| row.count).fold(Count::ZERO, Count::plus).evaluated();
        }
        let listed = self.findings.listed().len() as u64;
        let unknown = match &mut self.proof {
            Proof::Answered { entries, .. } => {
                *entries = listed;
                false
            }
            Proof::Checks { evaluated: whole } => {
                *whole = evaluated.unwrap_or(listed);
                evaluated.is_none()
            }
        };
        if unknown {
            let message = format!(
                "{source}: the evidence does not show how many checks there are within {filter}"
            );
            self.problems.push(Problem::new(Cause::Incomplete, message).help(AGAIN));
        }
    }
}

const AGAIN: &str = "collect evidence with the settings of this policy";

fn differs(source: &str, key: &str, had: Option<&Filter>, wants: Option<&Filter>) -> Problem {
    let words = |filter: Option<&Filter>| filter.map_or("everything".to_owned(), Filter::listed);
    let message = format!(
        "{source}: the evidence was collected with `{key}`: {}, and the policy asks for {}",
        words(had),
        words(wants)
    );
    Problem::new(Cause::Incomplete, message).help(AGAIN)
}

impl Filter {
    /// Whether it keeps a finding out, where that can be determined.
    pub fn excludes(&self, finding: &Finding) -> bool {
        let by_field = |field| selection(field, &self.words);
        let age_does_not_matter = DateTime::<Utc>::MIN_UTC;
        self.field
            .is_some_and(|field| !by_field(field).matches_finding(finding, age_does_not_matter))
    }
}

/// The selection of what a filter lets through.
fn selection(field: Field, words: &BTreeSet<String>) -> Selection {
    let mut selection = Selection::default();
    if field == Field::Severity {
        let severities = words.iter().map(|word| Severity::from_platform(word));
        selection.severity = Some(severities.collect());
    } else {
        let patterns = words.iter().map(|word| Pattern::new(word.as_str())).collect();
        selection.words.insert(field, patterns);
    }
    selection
}
