//! What findings can be found by: chips for each weight, source, severity, gate, account and owner.
//!
//! Values are numbered, so that a row of thousands names each in a few bytes. Without a script there
//! is nothing to filter with, so the whole of it is hidden until the script shows it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::escaped;
use super::findings::{Group, Section};
use crate::finding::Severity;
use crate::report::view::{Entry, View};
use crate::text;

/// Chips of a facet that are not folded.
const SHOWN: usize = 8;
/// Chips at all; the box finds the others.
const MOST: usize = 200;

/// The values of a facet, with their numbers and how many findings have each.
type Values<T> = BTreeMap<T, (usize, u64)>;

pub(super) struct Facets<'a> {
    weights: Values<Section>,
    sources: Values<&'a str>,
    severities: Values<Severity>,
    gates: Vec<(String, u64)>,
    accounts: Values<String>,
    owners: Values<&'a str>,
}

fn add<T: Ord>(values: &mut Values<T>, value: T, count: u64) {
    let number = values.len();
    values.entry(value).or_insert((number, 0)).1 += count;
}

impl<'a> Facets<'a> {
    pub(super) fn of(groups: &[Group<'_, 'a>], view: &View<'a>) -> Self {
        let rulings = view.decision.rulings.iter();
        let mut facets = Self {
            weights: BTreeMap::new(),
            sources: BTreeMap::new(),
            severities: BTreeMap::new(),
            gates: rulings.map(|ruling| (ruling.gate.id.clone(), 0)).collect(),
            accounts: BTreeMap::new(),
            owners: BTreeMap::new(),
        };
        for group in groups {
            let count = group.rule.entries.len() as u64;
            add(&mut facets.weights, group.section, count);
            add(&mut facets.sources, group.source, count);
            add(&mut facets.severities, group.rule.first.subject.severity, count);
            for entry in &group.rule.entries {
                if let Some(account) = account(entry) {
                    add(&mut facets.accounts, account, 1);
                }
                if let Some(owner) = entry.owner {
                    add(&mut facets.owners, owner, 1);
                }
                for number in view.gate_numbers(entry) {
                    if let Some((_, count)) = facets.gates.get_mut(number) {
                        *count += 1;
                    }
                }
            }
        }
        facets
    }

    pub(super) fn source(&self, source: &str) -> usize {
        self.sources.get(source).map_or(0, |(number, _)| *number)
    }

    /// The numbers of what a finding has by itself.
    pub(super) fn numbers(&self, entry: &Entry<'_>) -> impl Iterator<Item = (&'static str, usize)> {
        let account = account(entry).and_then(|account| self.accounts.get(&account));
        let owner = entry.owner.and_then(|owner| self.owners.get(owner));
        let numbers = [("account", account), ("owner", owner)];
        numbers.into_iter().filter_map(|(key, value)| Some((key, value?.0)))
    }
}

fn account(entry: &Entry<'_>) -> Option<String> {
    Some(entry.finding.subject.account.as_ref()?.to_string())
}

pub(super) fn write(facets: &Facets<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<div id=\"filter\" role=\"search\" aria-label=\"Filter the findings\" hidden>\n\
         <label>Filter <input id=\"words\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" \
         placeholder=\"rule, resource, account, owner\"></label>\n\
         <p id=\"found\" role=\"status\"></p> <button type=\"button\" id=\"all\" hidden>Show all</button>"
    )?;
    let named = |value: String, count: u64| (value.clone(), value, count);
    let weights = facets.weights.iter().map(|(section, (_, n))| named(section.word().into(), *n));
    chips("weight", weights.collect(), out)?;
    let severities =
        facets.severities.iter().rev().map(|(severity, (_, n))| named(severity.word().into(), *n));
    chips("severity", severities.collect(), out)?;
    chips("source", numbered(&facets.sources), out)?;
    let gates = facets.gates.iter().enumerate().filter(|(_, (_, count))| *count > 0);
    let gates = gates.map(|(number, (id, count))| (number.to_string(), id.clone(), *count));
    let further = [
        ("gate", gates.collect()),
        ("account", numbered(&facets.accounts)),
        ("owner", numbered(&facets.owners)),
    ];
    let further = further.into_iter().filter(|(_, values)| values.len() > 1).collect::<Vec<_>>();
    if !further.is_empty() {
        let facets = further.iter().map(|(facet, _)| *facet).collect::<Vec<_>>();
        writeln!(out, "<details id=\"further\"><summary>By {}</summary>", facets.join(", "))?;
        further.into_iter().try_for_each(|(facet, values)| chips(facet, values, out))?;
        writeln!(out, "</details>")?;
    }
    writeln!(out, "</div>")
}

/// The values by their number, the most frequent first.
fn numbered<T: Ord + ToString>(values: &Values<T>) -> Vec<(String, String, u64)> {
    let chip = |(value, (number, count)): (&T, &(usize, u64))| {
        (number.to_string(), value.to_string(), *count)
    };
    let mut chips: Vec<_> = values.iter().map(chip).collect();
    chips.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    chips
}

/// A button for each value, unless there is only one to choose from.
fn chips(facet: &str, values: Vec<(String, String, u64)>, out: &mut dyn Write) -> io::Result<()> {
    if values.len() < 2 {
        return Ok(());
    }
    writeln!(
        out,
        "<div class=\"chips\" role=\"group\" aria-label=\"{facet}\"><span class=\"soft\">{facet}</span>\n<div>"
    )?;
    let chip = |(value, name, count): &(String, String, u64), out: &mut dyn Write| {
        writeln!(
            out,
            "<button type=\"button\" aria-pressed=\"false\" data-facet=\"{facet}\" \
             data-value=\"{value}\">{} <small>{}</small></button>",
            escaped(name, 120),
            text::thousands(*count)
        )
    };
    let (shown, folded) = values.split_at(values.len().min(SHOWN));
    shown.iter().try_for_each(|value| chip(value, out))?;
    if !folded.is_empty() {
        let more = text::thousands(folded.len() as u64);
        writeln!(out, "<details><summary>{more} more</summary>")?;
        folded.iter().take(MOST).try_for_each(|value| chip(value, out))?;
        writeln!(out, "</details>")?;
    }
    writeln!(out, "</div></div>")
}
