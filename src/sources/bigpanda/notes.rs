//! Notes about entries that are not findings, and about undocumented words.

use std::collections::BTreeMap;

use super::event::{Actor, Event, Stated};
use crate::evidence::Window;
use crate::sources::look_back;
use crate::text::{self, Undocumented};

/// The number of names that a note shows.
const MOST_NAMED: usize = 5;

/// Entries by how they were treated.
#[derive(Default)]
pub(super) struct Notes {
    /// Snapshots of the state before the log (`init_state`).
    pub baseline: u64,
    /// Left out by the types or actions of the settings.
    pub left_out: u64,
    /// Outside the window, although they were not requested.
    pub outside: u64,
    /// Of before the window, and not known to the earlier run.
    pub late: u64,
    /// Changes by expected actors: actor, rule, count.
    expected: BTreeMap<String, BTreeMap<String, u64>>,
    types: Undocumented,
    actions: Undocumented,
    no_action: u64,
    no_actor: u64,
    /// About the plans in force now.
    pub plans: Vec<String>,
}

impl Notes {
    /// A change by an expected actor.
    pub(super) fn expected(&mut self, actor: &str, rule: &str) {
        let rules = self.expected.entry(text::one_line(actor, 100)).or_default();
        *rules.entry(rule.to_owned()).or_default() += 1;
    }

    /// Undocumented or missing fields of an entry that counts.
    pub(super) fn irregular(&mut self, event: &Event) {
        if let Some(stated) = event.stated.as_deref().filter(|_| event.kinds.is_empty()) {
            self.types.add(Some(stated));
        }
        match &event.action {
            Stated::Unknown(word) => self.actions.add(Some(word)),
            Stated::Nothing => self.no_action += 1,
            Stated::Action(_) | Stated::InitState => {}
        }
        self.no_actor += u64::from(event.actor == Actor::Unknown);
    }

    /// All notes as sentences.
    pub(super) fn sentences(&self, window: Window, entries: u64) -> Vec<String> {
        let at = "%Y-%m-%d %H:%M UTC";
        let mut notes = vec![format!(
            "audit log from {} to {}: {}",
            window.from.format(at),
            window.to.format(at),
            text::count(entries, "entry")
        )];
        notes.extend(look_back::late_note(self.late, "change"));
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
        let weighed = "weighed by `unknown_risk`";
        notes.extend(self.types.note("entry", "resource type", weighed));
        notes.extend(self.actions.note("entry", "action", weighed));
        if self.baseline > 0 {
            let snapshots = text::count(self.baseline, "baseline snapshot");
            notes.push(format!("{snapshots} (init_state), ignored"));
        }
        let counts = [
            (self.no_action, "without an action, counted as the most severe action of the type"),
            (self.no_actor, "without an actor, which `expected_actors` never matches"),
            (self.left_out, "left out by `resource_types` or `action_types`"),
            (
                self.outside,
                "outside the window, not counted: the platform ignores `start` or `end`",
            ),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            notes.push(format!("{} {what}", text::count(count, "entry")));
        }
        notes.extend(self.plans.iter().cloned());
        notes
    }
}

fn changes(count: u64) -> String {
    text::count(count, "change")
}

fn named(rules: &BTreeMap<String, u64>) -> String {
    let each = rules.iter().map(|(rule, times)| format!("{rule} ({})", text::thousands(*times)));
    text::listed(each, ", ", MOST_NAMED)
}
