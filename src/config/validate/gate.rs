//! One gate, checked against the sources that it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::diagnostic::Diagnostic;
use crate::config::file::{ALL, ExceptEntry, GateEntry, OwnerEntry, Sources};
use crate::config::node::Mark;
use crate::config::reader::Located;
use crate::config::values::{Word, Words};
use crate::finding::WaiverKind;
use crate::policy::{Gate, Limits, Owner};
use crate::selection::{Exclusion, Field, Pattern, Selection};
use crate::sources::{Reads, Source};
use crate::text;

pub(super) fn checked(
    entry: &Located<GateEntry>,
    sources: &Sources,
    file: &Arc<str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Gate {
    let gate = &entry.value;
    let id = &gate.id.value;
    check_id(&gate.id, diagnostics);
    let limits = Limits {
        max: gate.max,
        min_pass_rate: gate.min_pass_rate.as_ref().map(|least| least.value.0),
        min_evaluated: gate.min_evaluated,
    };
    if limits == Limits::default() {
        diagnostics.push(Diagnostic::at(
            entry.mark,
            format!("gate `{id}` has no limit; give it `max`, `min_pass_rate` or `min_evaluated`"),
        ));
    }
    let mut named = Vec::new();
    for name in asked(gate, sources) {
        let Some(source) = sources.get(name.as_str()) else {
            let known = sources.keys().map(String::as_str);
            diagnostics.push(Diagnostic::at(
                gate.source.mark,
                format!(
                    "gate `{id}` asks source `{name}`, which is not configured{}",
                    text::did_you_mean(name, known)
                ),
            ));
            continue;
        };
        if named.contains(name) {
            let message = format!("source `{name}` is named twice");
            diagnostics.push(Diagnostic::at(gate.source.mark, message));
            continue;
        }
        named.push(name.clone());
        if let Some(source) = source {
            check_selectors(gate, name, source.value.as_ref(), diagnostics);
        }
    }
    check_except(gate, diagnostics);
    let mut notes = check_reads(gate, &named, sources, diagnostics);
    notes.extend(accepted_there(gate, &named));
    Gate {
        id: id.clone(),
        level: gate.level,
        description: gate.description.as_ref().map(|line| line.0.clone()),
        owner: gate.owner.as_ref().map(|line| line.0.clone()),
        link: gate.link.as_ref().map(|link| link.0.clone()),
        selection: selection(gate, &named, sources),
        sources: named,
        limits,
        each: gate.each.as_ref().map(|each| each.value.field()),
        blocks_from: gate.blocks_from.map(|day| day.0),
        notes,
        place: entry.mark.in_file(file),
    }
}

/// Notes on a platform's own words for what was accepted there: they have no owner and no end.
fn accepted_there(gate: &GateEntry, named: &[String]) -> Vec<String> {
    let selectors = gate.exceptions().iter().map(ExceptEntry::selectors);
    let all = selectors.chain([gate.selectors()]);
    let statuses: Vec<_> = all
        .flatten()
        .filter(|(field, _)| *field == Field::Status)
        .flat_map(|(_, words)| words.iter().flat_map(|words| &words.value.0))
        .collect();
    let is_written = |kind: &WaiverKind| {
        let (system, word) = kind.word().split_once('.').unwrap_or_default();
        let of_system = |name: &String| name.split('/').next() == Some(system);
        let is_word = |text: &Word| text.0.as_str().eq_ignore_ascii_case(word);
        named.iter().any(of_system) && statuses.iter().any(|text| is_word(text))
    };
    let note = |kind: WaiverKind| {
        let word = kind.word().split_once('.').unwrap_or_default().1;
        format!(
            "`{word}` is the platform's own word for what was accepted there, without an owner and \
             an end; an entry of `accept` with `upstream: {}` has both",
            kind.word()
        )
    };
    WaiverKind::ALL.into_iter().filter(is_written).map(note).collect()
}

/// The sources that a gate names: `all` is every one.
fn asked<'a>(gate: &'a GateEntry, sources: &'a Sources) -> Vec<&'a String> {
    let written = &gate.source.value.0;
    match written.iter().any(|name| name == ALL) {
        true => sources.keys().collect(),
        false => written.iter().collect(),
    }
}

/// Whom to ask about findings.
pub(super) fn owners(entries: &[OwnerEntry], diagnostics: &mut Vec<Diagnostic>) -> Vec<Owner> {
    let none = Sources::new();
    let owner = |entry: &OwnerEntry| {
        let of = &entry.of.value;
        if of.asked().is_empty() {
            let message =
                "`match` has no key; name the findings, such as `match: {account: \"…\"}`";
            diagnostics.push(Diagnostic::at(entry.of.mark, message));
        }
        Owner {
            of: Exclusion {
                words: words(of.selectors(), &[], &none),
                severity: of.severity.as_ref().map(|severity| severity.value.0.clone()),
            },
            name: entry.owner.0.clone(),
        }
    };
    entries.iter().map(owner).collect()
}

/// `/` separates an organisation's gates from those of a repository.
fn check_id(id: &Located<String>, diagnostics: &mut Vec<Diagnostic>) {
    let wrong = match id.value.as_str() {
        id if id.trim().is_empty() => "a gate's id is empty; name the gate".to_owned(),
        id if id.contains('/') => {
            format!("gate id `{id}` has a `/` in it, which is for gates of an organisation")
        }
        _ => return,
    };
    diagnostics.push(Diagnostic::at(id.mark, wrong));
}

/// What is out of scope must leave something.
fn check_except(gate: &GateEntry, diagnostics: &mut Vec<Diagnostic>) {
    let Some(except) = &gate.except else { return };
    let takes_all = |entry: &ExceptEntry| {
        let words = entry.selectors().into_iter().filter_map(|(_, words)| words.as_ref());
        let is_all = |words: &Located<Words>| words.value.0.iter().any(|word| word.0.is_all());
        entry.severity.is_none() && words.into_iter().all(is_all)
    };
    if except.value.0.is_empty() || except.value.0.iter().any(takes_all) {
        let id = &gate.id.value;
        diagnostics.push(Diagnostic::at(
            except.mark,
            format!(
                "gate `{id}`: `except` leaves nothing, so the gate would always pass; name what is \
                 out of scope, such as `except: {{account: \"sandbox*\"}}`"
            ),
        ));
    }
}

/// What the selectors mean, with the platforms' own words for what the vendor calls otherwise.
fn selection(gate: &GateEntry, named: &[String], sources: &Sources) -> Selection {
    let except = gate.exceptions().iter().map(|except| Exclusion {
        words: words(except.selectors(), named, sources),
        severity: except.severity.as_ref().map(|severity| severity.value.0.clone()),
    });
    Selection {
        words: words(gate.selectors(), named, sources),
        severity: gate.severity.as_ref().map(|severity| severity.value.0.clone()),
        older_than: gate.older_than.as_ref().map(|age| age.value.0),
        except: except.collect(),
    }
}

fn words<const N: usize>(
    selectors: [(Field, &Option<Located<Words>>); N],
    named: &[String],
    sources: &Sources,
) -> BTreeMap<Field, Vec<Pattern>> {
    let sources = || named.iter().filter_map(|name| sources.get(name)?.as_ref());
    let given = selectors.into_iter().filter_map(|(field, words)| {
        let words = words.as_ref()?.value.0.iter().map(|word| word.0.clone());
        // A word that only stands for others would be missed in what was evaluated.
        let is_own = |source: &Source, word: &Pattern| {
            let known = source.vocabulary(field);
            known.is_none_or(|known| known.iter().any(|known| word.matches(known)))
        };
        let meant = |word: Pattern| {
            let meant = sources().flat_map(|source| source.value.meant(field, word.as_str()));
            let meant: Vec<_> = meant.map(Pattern::new).collect();
            let stays = meant.is_empty() || sources().any(|source| is_own(&source.value, &word));
            stays.then_some(word).into_iter().chain(meant)
        };
        Some((field, words.flat_map(meant).collect()))
    });
    given.collect()
}

/// Only what the system can report may be asked of it.
fn check_selectors(
    gate: &GateEntry,
    name: &str,
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let id = &gate.id.value;
    let except = gate.exceptions().iter().flat_map(ExceptEntry::asked);
    if let Some(each) = &gate.each
        && !source.selectors().contains(&each.value.field())
    {
        let (field, title) = (each.value.field(), source.system().title);
        diagnostics.push(Diagnostic::at(
            each.mark,
            format!(
                "gate `{id}` has `each: {field}`, and {name} ({title}) does not know the {field} of \
                 what it reports; leave `each` out"
            ),
        ));
    }
    for (field, mark) in gate.asked().into_iter().chain(except) {
        check_field(id, field, mark, name, source, diagnostics);
        if gate.min_pass_rate.is_some() && !field.is_of_passes() {
            diagnostics.push(Diagnostic::at(
                mark,
                format!(
                    "gate `{id}` asks for a pass rate by `{field}`, which checks that passed do \
                     not have; use `max`, or leave `{field}` out"
                ),
            ));
        }
    }
    check_words(gate, &gate.selectors(), name, source, diagnostics);
    for except in gate.exceptions() {
        check_words(gate, &except.selectors(), name, source, diagnostics);
    }
    let wants_passes = gate
        .min_pass_rate
        .as_ref()
        .map(|least| least.mark)
        .or_else(|| gate.min_evaluated.filter(|least| *least > 0).map(|_| gate.id.mark));
    if let (Some(mark), Some(why)) = (wants_passes, source.passes_unknown()) {
        diagnostics.push(Diagnostic::at(
            mark,
            format!(
                "gate `{id}` needs to know how many checks passed, but {name} does not know: {why}"
            ),
        ));
    }
}

fn check_field(
    id: &str,
    field: Field,
    mark: Mark,
    name: &str,
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if source.selectors().contains(&field) {
        return;
    }
    let known: Vec<_> = source.selectors().iter().map(|field| field.word()).collect();
    diagnostics.push(Diagnostic::at(
        mark,
        format!(
            "gate `{id}` selects by `{field}`, which {name} ({}) does not know; possible are {}",
            source.system().title,
            known.join(", ")
        ),
    ));
}

/// A word that can never be met is a typo.
fn check_words(
    gate: &GateEntry,
    selectors: &[(Field, &Option<Located<Words>>)],
    name: &str,
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (field, words) in selectors {
        let (Some(words), Some(known)) = (words, source.vocabulary(*field)) else { continue };
        let is_met = |pattern: &Pattern| known.iter().any(|word| pattern.matches(word));
        let unmet = words.value.0.iter().filter(|word| {
            let meant = source.meant(*field, word.0.as_str());
            !is_met(&word.0) && !meant.into_iter().map(Pattern::new).any(|meant| is_met(&meant))
        });
        for word in unmet {
            let id = &gate.id.value;
            let word = word.0.as_str();
            let hint = match text::did_you_mean(word, known.iter().map(String::as_str)) {
                hint if hint.is_empty() => {
                    let some: Vec<_> = known.iter().take(12).map(String::as_str).collect();
                    let more = if known.len() > some.len() { ", …" } else { "" };
                    format!("; possible are {}{more}", some.join(", "))
                }
                hint => hint,
            };
            diagnostics.push(Diagnostic::at(
                words.mark,
                format!("gate `{id}`: {field} `{word}` can match nothing of {name}{hint}"),
            ));
        }
    }
}

/// A gate that asks only for what none of its sources reads would always pass. Returns notes on what
/// some of them do not read.
fn check_reads(
    gate: &GateEntry,
    named: &[String],
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (field, mark) in gate.asked() {
        let reads = named.iter().map(|name| {
            let reads = sources.get(name)?.as_ref()?.value.reads(field)?;
            Some((name, hidden(gate, field, &reads)?, reads))
        });
        let reads: Vec<_> = reads.collect();
        let is_all = |hidden: &Option<(&String, Hidden, Reads)>| {
            hidden.as_ref().is_some_and(|(_, hidden, _)| hidden.is_all)
        };
        let can_never_match = !reads.is_empty() && reads.iter().all(is_all);
        for (name, hidden, reads) in reads.iter().flatten() {
            let read = reads.words.join(", ");
            if can_never_match {
                let why = match reads.limited_by {
                    Some(key) => format!(
                        "`{key}` of source `{name}` limits it to {read}, so the gate would always \
                         pass; remove the filter, or select one of these"
                    ),
                    None => format!(
                        "source `{name}` reports only {read}, so the gate would always pass"
                    ),
                };
                let id = &gate.id.value;
                let message = format!("gate `{id}` can never match by its `{field}`: {why}");
                diagnostics.push(Diagnostic::at(mark, message));
            } else if let Some(key) = reads.limited_by {
                let left_out = hidden.words.iter().filter(|word| !reads.never.contains(word));
                let left_out: Vec<_> = left_out.map(String::as_str).collect();
                if !left_out.is_empty() {
                    notes.push(format!(
                        "`{key}` of source `{name}` leaves out {field} {}, which this gate selects",
                        left_out.join(", ")
                    ));
                }
            } else if hidden.is_all {
                notes.push(format!(
                    "source `{name}` reports only {field} {read}, so nothing of it matches"
                ));
            }
        }
    }
    notes
}

/// What a gate selects and a source does not read.
struct Hidden {
    words: Vec<String>,
    /// Whether nothing is left that the gate could match.
    is_all: bool,
}

fn hidden(gate: &GateEntry, field: Field, reads: &Reads) -> Option<Hidden> {
    let asked = match (field, &gate.severity) {
        (Field::Severity, Some(severity)) => {
            severity.value.0.iter().map(|severity| Pattern::new(severity.word())).collect()
        }
        _ => gate.words(field),
    };
    let is_read = |pattern: &&Pattern| reads.words.iter().any(|word| pattern.matches(word));
    let (read, unread): (Vec<_>, Vec<_>) = asked.iter().partition(is_read);
    let words: Vec<_> = unread.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    (!words.is_empty()).then_some(Hidden { words, is_all: read.is_empty() })
}
