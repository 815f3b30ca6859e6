//! Settings that an organisation's policy takes from the repository: which part of the estate its
//! sources read.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::file::system_of;
use super::node::{Key, Node, Value};
use crate::text;

/// The key of a source that lists them.
pub(super) const KEY: &str = "from_repository";

/// A key within a setting that chooses a part of the estate, which says what is asked of that part: an
/// image compared with itself has nothing that counts.
const ASKS: &str = "compare_to";

/// What is known of the repository's policy.
#[derive(Clone, Copy)]
pub(super) enum Repository<'a> {
    /// Nothing: the organisation's policy is looked at alone.
    Unknown,
    /// There is none.
    Absent,
    /// Its policy, in the environment.
    Has(&'a Node),
}

/// A policy with the settings that it takes.
pub(super) struct Filled {
    pub layer: Node,
    /// The settings that were taken, by source.
    pub taken: BTreeMap<String, Vec<String>>,
    /// Sources of which it is not known what they take.
    pub open: BTreeSet<String>,
}

impl Filled {
    pub(super) fn with_nothing(layer: &Node) -> Self {
        Self { layer: layer.clone(), taken: BTreeMap::new(), open: BTreeSet::new() }
    }
}

/// Puts the settings into the sources that take them.
pub(super) fn filled(
    layer: &Node,
    repository: Repository<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Filled {
    let mut filled = Filled::with_nothing(layer);
    let Value::Map(keys) = &mut filled.layer.value else { return filled };
    let sources = keys.iter_mut().find(|(key, _)| key.name == "sources");
    let Some((_, Node { value: Value::Map(sources), .. })) = sources else { return filled };
    for (key, source) in sources {
        let Value::Map(settings) = &mut source.value else { continue };
        let Some(at) = settings.iter().position(|(key, _)| key.name == KEY) else { continue };
        let (_, listed) = settings.remove(at);
        let words = check(&key.name, &listed, diagnostics);
        if words.is_empty() || words.len() < listed.items().len() {
            filled.open.insert(key.name.clone());
        }
        for (word, path) in &words {
            let name = word.text().unwrap_or_default();
            let taken = match repository {
                Repository::Unknown => {
                    filled.open.insert(key.name.clone());
                    continue;
                }
                Repository::Absent => Err("which has no policy"),
                Repository::Has(own) => {
                    let own = own.get("sources").and_then(|sources| sources.get(&key.name));
                    own.and_then(|own| at_path(own, path)).ok_or("whose policy does not set it")
                }
            };
            let why = match taken {
                Ok(_) if at_path(source, path).is_some() => Err(format!(
                    "`{path}` of {} is written here and taken from the repository; keep one of them",
                    key.name
                )),
                Ok(node) if node.items().iter().any(|item| item.get(ASKS).is_some()) => {
                    Err(format!(
                        "`{path}` of {} is taken from the repository, which sets `{ASKS}` in it; that is \
                     what is asked of an image, and only this policy can set it, beside `{path}`",
                        key.name
                    ))
                }
                Ok(node) => Ok(node),
                Err(why) => Err(format!(
                    "`{path}` of {} is taken from the repository, {why}; set it there",
                    key.name
                )),
            };
            match why {
                Ok(node) => {
                    put(source, path, node.moved_to(word.mark));
                    filled.taken.entry(key.name.clone()).or_default().push(name.to_owned());
                }
                Err(message) => {
                    filled.open.insert(key.name.clone());
                    diagnostics.push(Diagnostic::at(word.mark, message));
                }
            }
        }
    }
    filled
}

/// The words of the list, each with the path of its setting.
fn check<'n>(
    source: &str,
    listed: &'n Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'n Node, &'static str)> {
    let known = system_of(source).map(|system| system.of_estate).unwrap_or_default();
    let words: Vec<_> = known.iter().map(|path| last(path)).collect();
    if known.is_empty() || listed.items().is_empty() {
        let what = match known {
            [] => format!("{source} has no setting that can be taken from the repository"),
            _ => format!("a list is expected here; possible are {}", words.join(", ")),
        };
        diagnostics.push(Diagnostic::at(listed.mark, format!("`{KEY}`: {what}")));
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in listed.items() {
        let word = item.text().unwrap_or_default();
        match known.iter().find(|path| last(path) == word) {
            Some(path) => found.push((item, *path)),
            None => diagnostics.push(Diagnostic::at(
                item.mark,
                format!(
                    "`{word}` cannot be taken from the repository{}: only settings that choose a \
                     part of the estate can, which for {source} are {}",
                    text::did_you_mean(word, words.iter().copied()),
                    words.join(", ")
                ),
            )),
        }
    }
    found
}

/// What a setting is called here.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn at_path<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    path.split('.').try_fold(node, Node::get)
}

/// Puts a setting at a path below a map, and makes the maps on the way to it.
fn put(node: &mut Node, path: &str, setting: Node) {
    let mark = setting.mark;
    let Value::Map(entries) = &mut node.value else { return };
    let (first, rest) =
        path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        entries.push((Key { name: first.to_owned(), mark }, setting));
        return;
    };
    if !entries.iter().any(|(key, _)| key.name == first) {
        let map = Node { id: setting.id, mark, value: Value::Map(Vec::new()) };
        entries.push((Key { name: first.to_owned(), mark }, map));
    }
    if let Some((_, below)) = entries.iter_mut().find(|(key, _)| key.name == first) {
        if below.is_null() {
            below.value = Value::Map(Vec::new());
        }
        put(below, rest, setting);
    }
}
