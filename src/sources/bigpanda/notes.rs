//! What an auditor should know of entries that are no findings, and of words nobody documents.

use std::collections::BTreeMap;

use super::event::{Actor, Event, Stated};
use crate::evidence::Window;
use crate::text;

/// Names that a note shows.
const MOST_NAMED: usize = 5;

/// Entries by what became of them.
#[derive(Default)]
pub struct Notes {
    /// Snapshots of what there was before (`init_state`).
    pub baseline: u64,
    /// Not of the types or actions that the settings ask for.
    pub left_out: u64,
    /// Outside the window although nobody asked for them.
    pub outside: u64,
    /// By expected actors: who did what, how often.
    expected: BTreeMap<String, BTreeMap<String, u64>>,
    types: BTreeMap<String, u64>,
    actions: BTreeMap<String, u64>,
    no_action: u64,
    no_actor: u64,
    /// Of the plans in force now.
    pub plans: Vec<String>,
}

impl Notes {
    /// A change by an expected actor.
    pub fn expected(&mut self, actor: &str, rule: &str) {
        let rules = self.expected.entry(text::one_line(actor, 100)).or_default();
        *rules.entry(rule.to_owned()).or_default() += 1;
    }

    /// What is odd about an entry that counts.
    pub fn odd(&mut self, event: &Event) {
        let shown = |word: &str| format!("`{}`", text::one_line(word, 40));
        if let Some(stated) = event.stated.as_deref().filter(|_| event.kinds.is_empty()) {
            *self.types.entry(shown(stated)).or_default() += 1;
        }
        match &event.action {
            Stated::Unknown(word) => *self.actions.entry(shown(word)).or_default() += 1,
            Stated::Nothing => self.no_action += 1,
            Stated::Action(_) | Stated::InitState => {}
        }
        self.no_actor += u64::from(event.actor == Actor::Unknown);
    }

    /// All notes as sentences.
    pub fn sentences(&self, window: Window, entries: u64) -> Vec<String> {
        let at = "%Y-%m-%d %H:%M UTC";
        let mut notes = vec![format!(
            "audit log from {} to {}: {}",
            window.from.format(at),
            window.to.format(at),
            counted(entries)
        )];
        for (actor, rules) in self.expected.iter().take(MOST_NAMED) {
            notes.push(format!(
                "{} by the expected actor {actor} not counted: {}",
                changes(rules.values().sum()),
                named(rules)
            ));
        }
        if let Some(more @ 1..) = self.expected.len().checked_sub(MOST_NAMED) {
            let rest = self.expected.values().skip(MOST_NAMED).flat_map(BTreeMap::values).sum();
            let actors = text::count(more as u64, "more expected actor");
            notes.push(format!("{} by {actors} not counted", changes(rest)));
        }
        let words = [(&self.types, "resource type"), (&self.actions, "action")];
        for (words, what) in words.into_iter().filter(|(words, _)| !words.is_empty()) {
            notes.push(format!(
                "{} of a {what} that is not documented, weighed by `unknown_risk`: {}",
                counted(words.values().sum()),
                named(words)
            ));
        }
        let counts = [
            (self.no_action, "without an action, counted as the gravest of its type"),
            (self.no_actor, "whose actor is not named, which no `expected_actors` takes"),
            (self.baseline, "of a baseline (init_state), no changes"),
            (self.left_out, "left out by `resource_types` or `action_types`"),
            (
                self.outside,
                "outside the window, not counted: the platform ignores `start` or `end`",
            ),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            notes.push(format!("{} {what}", counted(count)));
        }
        notes.extend(self.plans.iter().cloned());
        notes
    }
}

fn counted(entries: u64) -> String {
    match entries {
        1 => "1 entry".to_owned(),
        entries => format!("{} entries", text::thousands(entries)),
    }
}

fn changes(count: u64) -> String {
    text::count(count, "change")
}

fn named(words: &BTreeMap<String, u64>) -> String {
    let named: Vec<_> = words
        .iter()
        .take(MOST_NAMED)
        .map(|(word, times)| format!("{word} ({})", text::thousands(*times)))
        .collect();
    let more = words.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
