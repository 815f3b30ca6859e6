//! A YAML file as a tree: texts, lists and maps, each with its place.
//!
//! Scalars are kept as they are written. YAML's own idea of a value (`0123`, `1e5`, `no`) is never
//! applied; the type that reads a scalar decides what it means.

use std::sync::Arc;

use crate::policy::Place;

/// A line and column of one file, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub line: u64,
    pub column: u64,
}

impl Mark {
    pub(super) fn in_file(self, file: &Arc<str>) -> Place {
        Place { file: Arc::clone(file), line: self.line, column: self.column }
    }
}

/// A bit of the ids of nodes that were moved from another file. No file has so many nodes.
const OF_ANOTHER_FILE: usize = 1 << (usize::BITS - 1);

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The same for all copies that aliases make.
    pub id: usize,
    pub mark: Mark,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub name: String,
    pub mark: Mark,
}

impl Node {
    /// Whether nothing is written here, as in `key:`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The entries of a map; none of anything else.
    pub(super) fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of a map, to change them; none of anything else.
    pub(super) const fn entries_mut(&mut self) -> Option<&mut Vec<(Key, Self)>> {
        match &mut self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, node)| node)
    }

    pub(super) fn entry(&self, name: &str) -> Option<&(Key, Self)> {
        self.entries().iter().find(|(key, _)| key.name == name)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// Whether this node or one below it satisfies a test.
    pub(super) fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        test(self)
            || self.items().iter().any(|item| item.any(test))
            || self.entries().iter().any(|(_, node)| node.any(test))
    }

    /// A copy for another file: all of it at one place there, and no node of it is one of that file's.
    pub(super) fn moved_to(&self, mark: Mark) -> Self {
        let key = |key: &Key| Key { name: key.name.clone(), mark };
        let value = match &self.value {
            Value::Scalar { text, plain } => Value::Scalar { text: text.clone(), plain: *plain },
            Value::List(items) => {
                Value::List(items.iter().map(|item| item.moved_to(mark)).collect())
            }
            Value::Map(entries) => {
                let entries = entries.iter().map(|(own, node)| (key(own), node.moved_to(mark)));
                Value::Map(entries.collect())
            }
        };
        Self { id: self.id | OF_ANOTHER_FILE, mark, value }
    }

    /// How many nodes it consists of.
    pub(super) fn size(&self) -> usize {
        let items = self.items().iter().map(Self::size).sum::<usize>();
        1 + items + self.entries().iter().map(|(_, node)| node.size()).sum::<usize>()
    }
}
