//! What checks have in common: rules, control sets, accounts, types and regions, each kept once.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::query::RecordFault;
use super::wire::{CheckRow, NamedControl};
use crate::finding::{Account, Control, Facets, Rule, Severity, Subject};
use crate::selection::Field;
use crate::text;

/// Characters of a rule's description that are kept.
const MOST_HELP: usize = 1000;
/// Characters of a rule's title that are kept.
const MOST_TITLE: usize = 300;

/// A subject by the numbers of its parts, which are cheap to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    severity: Severity,
    rule: usize,
    controls: usize,
    resource_type: Option<usize>,
    /// Missing where the name of the account is not stated: a gate may select accounts by name.
    account: Option<usize>,
    region: Option<usize>,
}

/// All shared values of one collection.
#[derive(Default)]
pub struct Shared {
    rules: Pool<str, KnownRule>,
    /// Frameworks, sections and groups of scans.
    words: Pool<str, Arc<str>>,
    controls: Pool<str, Control>,
    control_sets: Pool<[usize], Arc<[Control]>>,
    /// Sections, by id and as `framework/section`.
    section_sets: Pool<[usize], Vec<Arc<str>>>,
    facets: HashMap<(Option<[usize; 2]>, Option<usize>), Facets>,
    resource_types: Pool<str, Arc<str>>,
    accounts: Pool<str, Arc<Account>>,
    regions: Pool<str, Arc<str>>,
    /// Reused, so that pairs are looked up without a copy.
    pair: String,
}

struct KnownRule {
    rule: Arc<Rule>,
    /// The latest list of controls as it was sent, and its set. Checks of one rule mostly have the
    /// same list, which is then not read again. Its order is not stable
    /// (docs/platforms/gravityzone.md#gaps-in-the-documentation).
    controls_text: Box<str>,
    controls: usize,
    /// The set of the sections of these controls.
    sections: usize,
}

impl Shared {
    /// The subject of a check. A rule's title and description are those of its first check.
    ///
    /// # Errors
    /// If its controls cannot be read.
    pub fn key(&mut self, row: &CheckRow<'_>) -> Result<Key, RecordFault> {
        let (rule, controls) = self.rule(row)?;
        let account = row.scan_name.map(|name| {
            self.pair.clear();
            self.pair.extend([row.scan_id, "\0", name]);
            self.accounts.number(&self.pair, || {
                Arc::new(Account { id: row.scan_id.into(), name: Some(name.into()) })
            })
        });
        let resource_type = row.resource_type.map(|name| self.resource_types.text(name));
        let region = row.region.map(|name| self.regions.text(name));
        let severity = row.counted_severity();
        Ok(Key { severity, rule, controls, resource_type, account, region })
    }

    /// The subject of a key.
    pub fn subject(&self, key: Key) -> Subject {
        Subject {
            severity: key.severity,
            rule: self.rules.get(key.rule).map(|known| Arc::clone(&known.rule)),
            controls: self.control_sets.get(key.controls).map(Arc::clone).unwrap_or_default(),
            resource_type: key.resource_type.and_then(|at| self.resource_types.get(at)).cloned(),
            account: key.account.and_then(|at| self.accounts.get(at)).cloned(),
            region: key.region.and_then(|at| self.regions.get(at)).cloned(),
        }
    }

    fn rule(&mut self, row: &CheckRow<'_>) -> Result<(usize, usize), RecordFault> {
        let text = row.controls_text();
        let known = self.rules.find(row.rule);
        if let Some((at, known)) = known.and_then(|at| Some((at, self.rules.get(at)?)))
            && *known.controls_text == *text
        {
            return Ok((at, known.controls));
        }
        let named = row.controls()?;
        let (controls, sections) = (self.control_set(&named), self.sections(&named));
        let at = self.rules.number(row.rule, || KnownRule {
            rule: Arc::new(Rule {
                id: row.rule.into(),
                title: row.title.map(|title| text::shorten(title, MOST_TITLE).into()),
                help: row.description().map(|help| text::shorten(&help, MOST_HELP).into()),
            }),
            controls_text: text.into(),
            controls,
            sections,
        });
        if let Some(known) = self.rules.items.get_mut(at) {
            known.controls_text = text.into();
            known.controls = controls;
            known.sections = sections;
        }
        Ok((at, controls))
    }

    /// The further texts of the check of which this is the key, which must be the latest of its rule:
    /// the group of its scan, by id and name, and the sections of its controls. What is only stated in
    /// part is not stated, because a gate could select by the rest.
    pub fn facets(&mut self, key: Key, row: &CheckRow<'_>) -> Facets {
        let group = row.scan_group_id.zip(row.scan_group_name);
        let group = group.map(|(id, name)| [id, name].map(|word| self.words.text(word)));
        let sections = self.rules.get(key.rule).map(|known| known.sections);
        let (words, sets) = (&self.words, &self.section_sets);
        let make = || {
            let group = group.map(|of| of.into_iter().filter_map(|at| words.get(at).cloned()));
            let group = group.map(|group| (Field::ScanGroup.word(), group.collect()));
            let sections =
                sections.and_then(|at| sets.get(at)).filter(|sections| !sections.is_empty());
            let sections = sections.map(|sections| (Field::Section.word(), sections.clone()));
            group.into_iter().chain(sections).collect()
        };
        self.facets.entry((group, sections)).or_insert_with(make).clone()
    }

    /// The set of sections; the empty one if one of the controls does not state its own.
    fn sections(&mut self, controls: &[NamedControl<'_>]) -> usize {
        let mut set = BTreeSet::new();
        for NamedControl { framework, section, .. } in controls {
            match section {
                Some(section) => {
                    set.insert(self.words.text(section));
                    set.insert(self.words.text(&format!("{framework}/{section}")));
                }
                None => {
                    set.clear();
                    break;
                }
            }
        }
        let set: Vec<_> = set.into_iter().collect();
        let words = &self.words;
        let make = || set.iter().filter_map(|at| words.get(*at).cloned()).collect();
        self.section_sets.number(&set, make)
    }

    fn control_set(&mut self, controls: &[NamedControl<'_>]) -> usize {
        let mut set: Vec<usize> = controls
            .iter()
            .map(|NamedControl { framework, id, .. }| {
                self.pair.clear();
                self.pair.extend([framework, "\0", id]);
                let shared = self.words.shared(framework);
                self.controls.number(&self.pair, || Control {
                    framework: shared,
                    id: format!("{framework}/{id}").into(),
                })
            })
            .collect();
        set.sort_by(|a, b| self.controls.get(*a).cmp(&self.controls.get(*b)));
        set.dedup();
        self.control_sets
            .number(&set, || set.iter().filter_map(|at| self.controls.get(*at).cloned()).collect())
    }
}

/// Values numbered in the order of their first appearance.
pub struct Pool<K: ?Sized, T> {
    numbers: HashMap<Box<K>, usize>,
    items: Vec<T>,
}

impl<K: ?Sized, T> Default for Pool<K, T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), items: Vec::new() }
    }
}

impl<K: ?Sized + Hash + Eq, T> Pool<K, T>
where
    for<'k> Box<K>: From<&'k K>,
{
    fn find(&self, key: &K) -> Option<usize> {
        self.numbers.get(key).copied()
    }

    pub fn number(&mut self, key: &K, make: impl FnOnce() -> T) -> usize {
        self.find(key).unwrap_or_else(|| {
            self.items.push(make());
            let number = self.items.len() - 1;
            self.numbers.insert(key.into(), number);
            number
        })
    }

    pub fn get(&self, number: usize) -> Option<&T> {
        self.items.get(number)
    }
}

impl Pool<str, Arc<str>> {
    pub fn text(&mut self, text: &str) -> usize {
        self.number(text, || text.into())
    }

    /// The text itself, kept once.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        let number = self.text(text);
        self.get(number).cloned().unwrap_or_default()
    }
}
