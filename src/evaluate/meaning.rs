//! Whether the selectors of a gate mean something: a word that matches nothing is a typo until
//! proven otherwise.

use std::collections::BTreeSet;

use crate::evidence::{Count, Part};
use crate::finding::{Cause, Finding, Problem, Subject};
use crate::policy::Gate;
use crate::selection::{Field, Pattern, Selection};
use crate::text;

/// The words of a gate's identity selectors, and what the evidence shows of them.
pub(super) struct Meaning<'a> {
    gate: &'a Gate,
    words: Vec<SelectorWord>,
    /// What `except` leaves, where there is one.
    left: Option<(Selection, WordMatch)>,
    /// Words that exist in the evidence, by the field of a gate's word, for suggestions.
    known: BTreeSet<(Field, String)>,
    /// Sources that know passed checks, and whether anything in them matches.
    sources: Vec<(String, WordMatch)>,
    /// Some of the evidence does not know passed checks, so it need not have anything to match.
    may_be_empty: bool,
}

struct SelectorWord {
    field: Field,
    pattern: Pattern,
    selection: Selection,
    sight: WordMatch,
}

/// What is known of a word. Ordered, best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WordMatch {
    /// It matches nothing that was evaluated.
    Nothing,
    /// The evidence does not show whether it matches anything.
    Unknown,
    Something,
}

/// What follows for a gate.
#[derive(Default)]
pub(super) struct Meant {
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
}

impl<'a> Meaning<'a> {
    pub(super) fn of(gate: &'a Gate) -> Self {
        let word = |(field, pattern, selection)| SelectorWord {
            field,
            pattern,
            selection,
            sight: WordMatch::Nothing,
        };
        Self {
            gate,
            words: gate.words().into_iter().map(word).collect(),
            left: gate.left().map(|left| (left, WordMatch::Nothing)),
            known: BTreeSet::new(),
            sources: Vec::new(),
            may_be_empty: false,
        }
    }

    /// Looks for the words in a part of a source.
    pub(super) fn look(&mut self, source: &str, part: &Part) {
        if let Some((selection, seen)) = &mut self.left {
            *seen = (*seen).max(sight(selection, part));
        }
        let mut best = WordMatch::Nothing;
        for word in &mut self.words {
            let sight = sight(&word.selection, part);
            best = best.max(sight);
            // Only a part that shows nothing of a word leaves another part's answer as it is.
            word.sight = match (word.sight, sight) {
                (WordMatch::Something, _) | (_, WordMatch::Something) => WordMatch::Something,
                (before, now) => before.max(now),
            };
            if sight != WordMatch::Something {
                let words = words_of(word.field, part);
                self.known.extend(words.into_iter().map(|text| (word.field, text)));
            }
        }
        if part.proof.may_be_empty() {
            self.may_be_empty = true;
            return;
        }
        match self.sources.iter_mut().find(|(name, _)| name == source) {
            Some((_, sight)) => *sight = (*sight).max(best),
            None => self.sources.push((source.to_owned(), best)),
        }
    }

    pub(super) fn finish(&self) -> Meant {
        let mut meant = self.of_words();
        if meant.problems.is_empty() && !self.gate.allows_nothing() && !self.sources.is_empty() {
            meant.problems.extend(self.nothing_left());
        }
        meant
    }

    /// The problem of an `except` that leaves nothing.
    fn nothing_left(&self) -> Option<Problem> {
        let (left, seen) = self.left.as_ref()?;
        let id = &self.gate.id;
        match seen {
            WordMatch::Something => None,
            WordMatch::Nothing => Some(
                Problem::new(
                    Cause::Empty,
                    format!("gate `{id}`: nothing that was evaluated matches {left}"),
                )
                .help(
                    "`except` leaves nothing; correct it, or set `min_evaluated: 0` on the gate if \
                     there may be nothing",
                ),
            ),
            WordMatch::Unknown => Some(Problem::new(
                Cause::Incomplete,
                format!("gate `{id}`: the evidence does not show whether anything matches {left}"),
            )),
        }
    }

    fn of_words(&self) -> Meant {
        let mut meant = Meant::default();
        if self.words.is_empty() {
            return meant;
        }
        let unknown = self.words.iter().filter(|word| word.sight == WordMatch::Unknown);
        let missing: Vec<_> =
            self.words.iter().filter(|word| word.sight == WordMatch::Nothing).collect();
        let nothing = missing.len() == self.words.len();
        let words = match nothing {
            true => vec![self.nothing(&missing)],
            false => missing.iter().map(|word| self.missing(word)).collect(),
        };
        if self.gate.allows_nothing() || self.sources.is_empty() {
            meant.notes = words;
            return meant;
        }
        // A word may belong to a source that has no entry for it at the moment.
        let (mut sentences, notes) = match self.may_be_empty {
            true => (Vec::new(), words),
            false => (words, Vec::new()),
        };
        meant.notes = notes;
        if self.may_be_empty || !nothing {
            let empty = self.sources.iter().filter(|(_, sight)| *sight == WordMatch::Nothing);
            sentences.extend(empty.map(|(source, _)| {
                format!(
                    "gate `{}`: nothing that was evaluated in {source} matches {}",
                    self.gate.id,
                    self.gate.identity()
                )
            }));
        }
        meant.problems.extend(sentences.into_iter().map(|sentence| {
            Problem::new(Cause::Empty, sentence).help(
                "check the selectors for a typo; if it is right that there is nothing, set \
                 `min_evaluated: 0` on the gate",
            )
        }));
        meant.problems.extend(unknown.map(|word| {
            let message = format!(
                "gate `{}`: the evidence does not show whether anything matches {}",
                self.gate.id, word.selection
            );
            Problem::new(Cause::Incomplete, message)
        }));
        meant
    }

    fn nothing(&self, words: &[&SelectorWord]) -> String {
        let suggestions: String = words.iter().map(|word| self.suggestion(word)).collect();
        format!(
            "gate `{}`: nothing that was evaluated matches {}{suggestions}",
            self.gate.id,
            self.gate.identity()
        )
    }

    fn missing(&self, word: &SelectorWord) -> String {
        format!(
            "gate `{}`: nothing that was evaluated matches {} `{}`{}",
            self.gate.id,
            word.field,
            word.pattern.as_str(),
            self.suggestion(word)
        )
    }

    fn suggestion(&self, word: &SelectorWord) -> String {
        let known = self.known.iter().filter(|(field, _)| *field == word.field);
        let known = known.map(|(_, text)| text.as_str());
        match word.pattern.literal() {
            Some(literal) => text::one_line(&text::did_you_mean(literal, known), 200),
            None => String::new(),
        }
    }
}

/// What a part shows of a selection.
fn sight(selection: &Selection, part: &Part) -> WordMatch {
    let mut findings = part.findings.listed().iter();
    if findings.any(|finding| selection.is_proven_by(finding)) {
        return WordMatch::Something;
    }
    // Where passes are not known, a word without failures proves nothing.
    match part.counts.of(selection).and_then(Count::evaluated) {
        Some(0) => WordMatch::Nothing,
        Some(_) => WordMatch::Something,
        None if part.proof.may_be_empty() => WordMatch::Nothing,
        None => WordMatch::Unknown,
    }
}

/// The words that a part has for a field.
pub(super) fn words_of(field: Field, part: &Part) -> BTreeSet<String> {
    let resource = |finding: &Finding| {
        [finding.resource_id.as_deref(), finding.resource_name.as_deref()].map(owned)
    };
    let mut words: BTreeSet<String> = BTreeSet::new();
    let rows = part.counts.table.iter().flat_map(|table| &table.rows).map(|row| &row.subject);
    for subject in part.findings.listed().iter().map(|finding| &*finding.subject).chain(rows) {
        words.extend(words_of_subject(field, subject));
    }
    let facets = part.findings.listed().iter().filter_map(|f| f.facets.get(field.word()));
    words.extend(facets.flatten().map(|text| text.to_string()));
    if field == Field::Resource {
        words.extend(part.findings.listed().iter().flat_map(resource).flatten());
    }
    words
}

fn words_of_subject(field: Field, subject: &Subject) -> Vec<String> {
    let one = |text: Option<&str>| owned(text).into_iter().collect();
    match field {
        Field::Rule => one(subject.rule.as_deref().map(|rule| &*rule.id)),
        Field::ResourceType => one(subject.resource_type.as_deref()),
        Field::Region => one(subject.region.as_deref()),
        Field::Account => {
            let account = subject.account.as_deref();
            let id = account.map(|account| &*account.id);
            let name = account.and_then(|account| account.name.as_deref());
            [id, name].into_iter().filter_map(owned).collect()
        }
        Field::Framework => subject.controls.iter().map(|c| c.framework.to_string()).collect(),
        Field::Control => subject.controls.iter().map(|c| c.id.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
