//! What the two decisions were made by: gates, acceptances, scope, and the evidence as a whole.

use std::collections::BTreeSet;

use super::{Class, Difference, Side};
use crate::acceptance::{Acceptance, Validity};
use crate::evidence::{Filter, Outcome};
use crate::finding::Cause;
use crate::policy::{Gate, Place, Whose};
use crate::selection::Field;
use crate::text;

pub(super) fn differences(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let mut all = policies(old, new);
    all.extend(gates(old, new));
    all.extend(acceptances(old, new));
    all.extend(scope(old, new));
    all.extend(evidence(old, new));
    all
}

/// What each policy says as a whole.
fn policies(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let say = |message: String| Difference::new(Class::Policy, message);
    let mut all = Vec::new();
    for (whose, of) in [(Whose::Repository, ""), (Whose::Organisation, " of the organisation")] {
        let own = |side: Side<'_>| side.policies().find(|policy| policy.whose == whose).cloned();
        match (own(old), own(new)) {
            (Some(old), Some(new)) => {
                if old.mode != new.mode {
                    let modes = format!("the mode{of} was {:?} and is {:?}", old.mode, new.mode);
                    all.push(say(modes.to_lowercase()));
                }
                if old.evidence != new.evidence {
                    all.push(say(format!("the demands{of} on evidence are different")));
                }
            }
            (None, Some(_)) => all.push(say(format!("the policy{of} is new"))),
            (Some(_), None) => all.push(say(format!("the policy{of} is gone"))),
            (None, None) => {}
        }
    }
    all
}

fn gates(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let say = |message: String| Difference::new(Class::Policy, message);
    let old: Vec<_> = old.policies().flat_map(|policy| &policy.gates).collect();
    let new: Vec<_> = new.policies().flat_map(|policy| &policy.gates).collect();
    let mut all = Vec::new();
    for gate in &new {
        match old.iter().find(|other| other.id == gate.id) {
            None => all.push(say(format!("gate `{}` is new", gate.id))),
            Some(before) if rules(before) != rules(gate) => {
                all.push(say(format!("gate `{}`: {}", gate.id, changes(before, gate))));
            }
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|gate| !new.iter().any(|other| other.id == gate.id));
    all.extend(gone.map(|gate| say(format!("gate `{}` is gone", gate.id))));
    all
}

/// A gate without what changes nothing in a decision.
fn rules(gate: &Gate) -> Gate {
    Gate {
        description: None,
        owner: None,
        link: None,
        notes: Vec::new(),
        place: Place::default(),
        ..gate.clone()
    }
}

fn changes(old: &Gate, new: &Gate) -> String {
    let mut changes = Vec::new();
    if old.level != new.level {
        changes.push(format!("level {:?}, before {:?}", new.level, old.level).to_lowercase());
    }
    let number = |max: Option<u64>| max.map_or("none".to_owned(), text::thousands);
    if old.limits.max != new.limits.max {
        let (was, is) = (number(old.limits.max), number(new.limits.max));
        changes.push(format!("max {is}, before {was}"));
    }
    let rate = |gate: &Gate| gate.limits.min_pass_rate.map_or("none".to_owned(), |r| r.to_string());
    if old.limits.min_pass_rate != new.limits.min_pass_rate {
        changes.push(format!("min_pass_rate {}, before {}", rate(new), rate(old)));
    }
    if old.limits.min_evaluated != new.limits.min_evaluated {
        let (was, is) = (number(old.limits.min_evaluated), number(new.limits.min_evaluated));
        changes.push(format!("min_evaluated {is}, before {was}"));
    }
    if old.selection != new.selection {
        changes.push(format!("selects {}, before {}", new.selection, old.selection));
    }
    if old.sources != new.sources {
        changes.push(format!(
            "over {}, before {}",
            new.sources.join(" + "),
            old.sources.join(" + ")
        ));
    }
    if old.blocks_from != new.blocks_from {
        let day = |gate: &Gate| gate.blocks_from.map_or("always".to_owned(), |d| d.to_string());
        changes.push(format!("blocks from {}, before {}", day(new), day(old)));
    }
    if changes.is_empty() {
        changes.push("is written differently".to_owned());
    }
    text::one_line(&changes.join("; "), 600)
}

fn acceptances(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let (before, today) = (old.now.date_naive(), new.now.date_naive());
    let mut all = Vec::new();
    let say = |entry: &Acceptance, what: &str| {
        let class = match entry.forgives.word() {
            "baseline" => Class::Baseline,
            _ => Class::Acceptance,
        };
        let grounds = &entry.grounds;
        let message = format!("`{}` of {} {what}", grounds.id, grounds.owner);
        Difference::new(class, text::one_line(&message, 300))
    };
    let (old, new) = (entries(old), entries(new));
    for entry in &new {
        let Some(earlier) = old.iter().find(|earlier| earlier.is_same(entry)) else {
            all.push(say(entry, "is new"));
            continue;
        };
        let (was, is) = (earlier.grounds.standing(before), entry.grounds.standing(today));
        if was != is {
            let end = entry.grounds.expires;
            all.push(say(
                entry,
                &match is {
                    Validity::Lapsed => format!("lapsed after {end}"),
                    Validity::InForce => format!("came into force, until {end}"),
                    Validity::NotYet => "is not in force yet".to_owned(),
                },
            ));
        } else if terms_of(earlier) != terms_of(entry) {
            all.push(say(entry, "covers something else, or until another day"));
        }
    }
    let gone = old.iter().filter(|entry| !new.iter().any(|other| other.is_same(entry)));
    all.extend(gone.map(|entry| say(entry, "is gone")));
    all
}

/// The entries of all policies. One that the organisation takes from the repository is there once.
fn entries<'a>(side: Side<'a>) -> Vec<&'a Acceptance> {
    let mut entries: Vec<&Acceptance> = Vec::new();
    for entry in side.policies().flat_map(|policy| &policy.accept) {
        if !entries.iter().any(|other| other.is_same(entry)) {
            entries.push(entry);
        }
    }
    entries
}

/// An entry without what changes nothing in a decision.
fn terms_of(entry: &Acceptance) -> Acceptance {
    let mut entry = entry.clone();
    entry.grounds.place = Place::default();
    entry.grounds.reason.clear();
    entry
}

fn scope(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let say = |message: String| Difference::new(Class::Scope, text::one_line(&message, 400));
    let (before, after) = (&old.evidence.outcomes, &new.evidence.outcomes);
    let find = |outcomes: &'_ [Outcome], name: &str| outcomes.iter().position(|o| o.source == name);
    let mut all = Vec::new();
    for outcome in after {
        let Some(earlier) = find(before, &outcome.source).and_then(|at| before.get(at)) else {
            all.push(say(format!("source {} is new", outcome.source)));
            continue;
        };
        let name = &outcome.source;
        if earlier.origin != outcome.origin {
            all.push(say(format!("{name}: {}, before {}", outcome.origin, earlier.origin)));
        }
        all.extend(
            filters(&earlier.filters, &outcome.filters).map(|what| say(format!("{name}: {what}"))),
        );
        let (was, is) = (frameworks(earlier), frameworks(outcome));
        all.extend(is.difference(&was).map(|id| say(format!("{name}: framework `{id}` is new"))));
        all.extend(was.difference(&is).map(|id| say(format!("{name}: framework `{id}` is gone"))));
        if let (Some(was), Some(is)) = (accounts(earlier), accounts(outcome)) {
            all.extend(was.difference(&is).map(|id| say(format!("{name}: account {id} is gone"))));
            all.extend(is.difference(&was).map(|id| say(format!("{name}: account {id} is new"))));
        }
    }
    let gone = before.iter().filter(|outcome| find(after, &outcome.source).is_none());
    all.extend(gone.map(|outcome| say(format!("source {} is gone", outcome.source))));
    all
}

fn filters<'a>(old: &'a [Filter], new: &'a [Filter]) -> impl Iterator<Item = String> + 'a {
    let keys: BTreeSet<_> = old.iter().chain(new).map(|filter| &filter.key).collect();
    keys.into_iter().filter_map(move |key| {
        let of = |filters: &'a [Filter]| filters.iter().find(|filter| filter.key == *key);
        match (of(old), of(new)) {
            (was, is) if was.map(|f| &f.words) == is.map(|f| &f.words) => None,
            (None, Some(is)) => Some(format!("{is}, before no such setting")),
            (Some(was), None) => Some(format!("without {was}")),
            (Some(was), Some(is)) => Some(format!("{is}, before {was}")),
            (None, None) => None,
        }
    })
}

fn frameworks(outcome: &Outcome) -> BTreeSet<&str> {
    outcome.parts.iter().filter_map(|part| part.framework.as_deref()).collect()
}

/// Accounts with any result, where passes are counted by account.
fn accounts(outcome: &Outcome) -> Option<BTreeSet<&str>> {
    let tables = outcome.parts.iter().map(|part| part.counts.table.as_ref());
    let tables: Option<Vec<_>> = tables.collect();
    let tables = tables?;
    let is_split = tables.iter().all(|table| table.by.contains(&Field::Account));
    let rows = tables.into_iter().flat_map(|table| &table.rows).map(|row| &row.subject);
    let accounts = rows.filter_map(|subject| Some(&*subject.account.as_deref()?.id));
    is_split.then(|| accounts.collect())
}

fn evidence(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let say = |message: String| Difference::new(Class::Evidence, text::one_line(&message, 600));
    let problems = |side: Side<'_>| -> BTreeSet<(Cause, String)> {
        let rulings = side.decision.rulings.iter().flat_map(|ruling| &ruling.problems);
        rulings.map(|problem| (problem.cause, problem.message.clone())).collect()
    };
    let (was, is) = (problems(old), problems(new));
    let causes: BTreeSet<_> = was.iter().map(|(cause, _)| *cause).collect();
    let mut all = Vec::new();
    // Figures in a message differ from run to run; the cause is what matters.
    for (cause, message) in &is {
        if !was.contains(&(*cause, message.clone())) && !causes.contains(cause) {
            all.push(say(format!("{}: {message}", cause.word())));
        }
    }
    let causes: BTreeSet<_> = is.iter().map(|(cause, _)| *cause).collect();
    for (cause, message) in was.iter().filter(|(cause, _)| !causes.contains(cause)) {
        all.push(say(format!("no longer {}: {message}", cause.word())));
    }
    let simulated = |side: Side<'_>| side.evidence.outcomes.iter().any(|outcome| outcome.simulated);
    if simulated(old) != simulated(new) {
        let which = if simulated(new) { "new" } else { "old" };
        all.push(say(format!("the {which} evidence is simulated, the other one is not")));
    }
    all
}
