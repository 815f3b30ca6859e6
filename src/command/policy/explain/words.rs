//! A gate in plain words.

use chrono::NaiveDate;

use crate::acceptance::{Acceptance, Forgives, Grounds, Validity};
use crate::config::Config;
use crate::finding::NOT_APPLICABLE;
use crate::policy::{Gate, Level, Policy, Whose};
use crate::selection::{Field, Selection};
use crate::text;

/// A paragraph about a gate.
pub(super) fn gate(gate: &Gate, policy: &Policy, config: &Config, today: NaiveDate) -> String {
    let mut lines = vec![
        gate.description.clone().unwrap_or_default(),
        reads(gate, config),
        counts(gate),
        out_of_scope(gate),
        unstated(&gate.selection.without_except()),
        lacking(&gate.selection),
        breach(gate),
        each(gate),
        inconclusive(gate, policy, config, today),
    ];
    lines.extend(accepted(gate, policy, today));
    lines.extend(gate.notes.iter().map(|note| format!("Note: {note}.")));
    lines.extend(gate.owner.as_ref().map(|owner| format!("Questions go to {owner}.")));
    lines.extend(gate.link.as_ref().map(|link| format!("More about it: {link}")));
    let mut said =
        format!("\nGate {} (line {}): {}\n", gate.id, gate.place.line, effect(gate, today));
    for line in lines.iter().filter(|line| !line.is_empty()) {
        said.push_str(&format!("  {}\n", text::one_line(line, 1000)));
    }
    said
}

fn effect(gate: &Gate, today: NaiveDate) -> String {
    match (gate.level, gate.blocks_from.filter(|day| today < *day)) {
        (Level::Block, None) => "blocks".to_owned(),
        (Level::Block, Some(day)) => format!("only warns until it blocks from {day}"),
        (Level::Warn, _) => "only warns".to_owned(),
    }
}

fn each(gate: &Gate) -> String {
    gate.each
        .map_or_else(String::new, |field| format!("Its limits hold for every {field} by itself."))
}

/// What it asks, and where that is.
fn reads(gate: &Gate, config: &Config) -> String {
    let sources = gate.sources.iter().map(|name| {
        let source = config.sources.get(name);
        source.map_or_else(
            || name.clone(),
            |source| {
                let origin = source.connection().url.origin().ascii_serialization();
                format!("{name} ({} at {origin})", source.system().title)
            },
        )
    });
    let sources: Vec<_> = sources.collect();
    let summed = if sources.len() > 1 { ", and sums what they report" } else { "" };
    format!("It reads {}{summed}.", and(&sources))
}

fn counts(gate: &Gate) -> String {
    let selection = gate.selection.without_except();
    match selection == Selection::default() {
        true => "It counts every failure.".to_owned(),
        false => format!("It counts failures that match: {selection}."),
    }
}

fn out_of_scope(gate: &Gate) -> String {
    let except: Vec<_> = gate.selection.except.iter().map(ToString::to_string).collect();
    match except.as_slice() {
        [] => String::new(),
        except => format!("Out of scope, passed or failed: {}.", except.join("; or ")),
    }
}

/// What is not stated takes no failure out of a gate.
fn unstated(selection: &Selection) -> String {
    let fields: Vec<_> = selection
        .fields()
        .into_iter()
        .map(|field| match field {
            Field::OlderThan => "age".to_owned(),
            field => field.word().replace('_', " "),
        })
        .collect();
    match fields.as_slice() {
        [] => String::new(),
        [one] => format!("A failure whose {one} the platform does not state counts as well."),
        _ => {
            let fields = or(&fields);
            format!(
                "A failure of which the platform does not state {fields} is not left out by that."
            )
        }
    }
}

/// What a check rightly lacks matches only where that is written.
fn lacking(selection: &Selection) -> String {
    let is_written = |field: &Field| {
        let mut patterns = selection.words.get(field).into_iter().flatten();
        patterns.any(|pattern| pattern.is_word("*") || pattern.is_word(NOT_APPLICABLE))
    };
    let fields = selection.words.keys().filter(|field| field.may_be_lacking());
    let fields: Vec<_> =
        fields.filter(|field| !is_written(field)).map(|field| field.word().to_owned()).collect();
    match fields.as_slice() {
        [] => String::new(),
        fields => format!(
            "Where {} does not apply to a failure, it is `{NOT_APPLICABLE}` and is not counted.",
            or(fields)
        ),
    }
}

/// When it is breached.
fn breach(gate: &Gate) -> String {
    let max = gate.limits.max.map(|max| match max {
        0 => "there is any such failure".to_owned(),
        max => format!("there are more than {} such failures", text::thousands(max)),
    });
    let rate = gate.limits.min_pass_rate.map(|least| {
        let checks = match gate.selection == Selection::default() {
            true => "all checks",
            false => "the checks that match and are in scope",
        };
        format!("less than {least} of {checks} passed")
    });
    let limits: Vec<_> = max.into_iter().chain(rate).collect();
    match limits.as_slice() {
        [] => "It cannot be breached; it only requires that enough was evaluated.".to_owned(),
        limits => format!("It is breached if {}.", or(limits)),
    }
}

/// When it cannot be decided, and what follows.
fn inconclusive(gate: &Gate, policy: &Policy, config: &Config, today: NaiveDate) -> String {
    let demands = &policy.evidence;
    let of = match gate.sources.as_slice() {
        [one] => one.clone(),
        _ => "any of its sources".to_owned(),
    };
    let then = match gate.may_block(today) {
        true => "then blocks as well",
        false => "then warns",
    };
    let mut reasons = vec![format!("if the evidence of {of} is not complete")];
    reasons.extend(demands.max_age.map(|age| {
        let age = humantime::format_duration(age);
        format!("if it is older than {age}")
    }));
    let knows_passes =
        |name: &String| config.sources.get(name).is_some_and(|s| s.passes_unknown().is_none());
    if gate.sources.iter().any(knows_passes) {
        match gate.limits.min_evaluated.unwrap_or(demands.min_evaluated) {
            0 => {}
            1 => reasons.push("if no check was evaluated".to_owned()),
            least => {
                let least = text::count(least, "check");
                reasons.push(format!("if fewer than {least} were evaluated"));
            }
        }
        if gate.needs_existence() && !gate.allows_nothing() {
            reasons
                .push("if a word of its selectors matches nothing that was evaluated".to_owned());
        }
    }
    format!("It is inconclusive, and {then}, {}.", or(&reasons))
}

/// What of `accept` is for it.
fn accepted(gate: &Gate, policy: &Policy, today: NaiveDate) -> Vec<String> {
    let is_for = |entry: &&Acceptance| match &entry.forgives {
        Forgives::GateOff(id) => *id == gate.id,
        Forgives::Cause(excuse) => excuse.sources.iter().any(|source| gate.uses(source)),
        _ => entry.is_for(&gate.id),
    };
    let in_words = |entry: &Acceptance| {
        let Grounds { id, owner, reason, from, expires, .. } = &entry.grounds;
        let holds = match (entry.grounds.standing(today), from) {
            (Validity::Lapsed, _) => format!("lapsed on {expires}, covers nothing"),
            (Validity::NotYet, Some(from)) => format!("from {from} to {expires}"),
            _ => format!("until {expires}"),
        };
        let word = entry.forgives.word();
        let of = match (policy.whose, entry.whose) {
            (Whose::Organisation, Whose::Repository) => ", of the repository",
            _ => "",
        };
        format!("Accepted by `{id}` ({word}{of}), {holds}: {reason} ({owner}).")
    };
    policy.accept.iter().filter(is_for).map(in_words).collect()
}

fn and(words: &[String]) -> String {
    joined(words, "and")
}

fn or(words: &[String]) -> String {
    joined(words, "or")
}

/// `a, b or c`.
fn joined(words: &[String], word: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}
