//! Reads values from the tree of a file, and goes on after an error, so that all are found.
//!
//! Serde stops at the first error. So a node that could not be read is left out, and reading starts
//! again, until nothing new is wrong. What is only wrong because something was left out is not
//! reported.

mod deserializer;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::diagnostic::Diagnostic;
use super::node::{Mark, Node};
use super::slips;
pub(super) use deserializer::De;

/// A value, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub value: T,
    pub mark: Mark,
    /// Whether everything in it could be read.
    pub whole: bool,
}

const LOCATED: &str = "value, line, column, whole";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(LOCATED)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Located<T>, A::Error> {
                let missing = || de::Error::custom(LOCATED);
                let value = parts.next_element()?.ok_or_else(missing)?;
                let line = parts.next_element()?.ok_or_else(missing)?;
                let column = parts.next_element()?.ok_or_else(missing)?;
                let whole = parts.next_element()?.ok_or_else(missing)?;
                Ok(Located { value, mark: Mark { line, column }, whole })
            }
        }
        deserializer.deserialize_tuple_struct(LOCATED, 4, Parts(PhantomData))
    }
}

/// One map, or a list of maps.
#[derive(Clone, Debug)]
pub(super) struct Maps<T>(pub Vec<T>);

const MAPS: &str = "a map, or a list of maps";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maps<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapsVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for MapsVisitor<T> {
            type Value = Maps<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MAPS)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Maps<T>, A::Error> {
                let mut maps = Vec::new();
                while let Some(map) = list.next_element()? {
                    maps.push(map);
                }
                Ok(Maps(maps))
            }
        }
        deserializer.deserialize_tuple_struct(MAPS, 1, MapsVisitor(PhantomData))
    }
}

/// Reads the nodes of one file and keeps what is wrong with them.
pub(super) struct Reader<'s> {
    text: &'s str,
    /// Whether what is missing, or does not fit together, is an error; else only what is written
    /// wrongly is.
    complete: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    diagnostics: Vec<Diagnostic>,
    /// Nodes that could not be read, and maps with keys that are not known.
    failed: BTreeSet<usize>,
    tainted: BTreeSet<usize>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(text: &'s str, complete: bool) -> Self {
        Self { text, complete, state: RefCell::default() }
    }

    /// Reads a node; `None`, if nothing of it can be used.
    pub(super) fn read<'n, T: Deserialize<'n>>(
        &'n self,
        key: &'n str,
        node: &'n Node,
    ) -> Option<T> {
        self.read_with(key, node, T::deserialize)
    }

    pub(super) fn read_with<'n, T>(
        &'n self,
        key: &'n str,
        node: &'n Node,
        read: impl Fn(De<'n>) -> Result<T, Error>,
    ) -> Option<T> {
        loop {
            let de = De::first(self, node, key);
            let error = match read(de).map_err(|error| de.within(error)) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let (id, mark) = error.at.unwrap_or((node.id, node.mark));
            let mut state = self.state.borrow_mut();
            if !error.follows && (self.complete || !error.of_whole) {
                state.diagnostics.push(Diagnostic::at(mark, error.message));
            }
            if !state.failed.insert(id) || id == node.id {
                return None;
            }
        }
    }

    pub(super) fn problem(&self, mark: Mark, message: impl Into<String>) {
        self.state.borrow_mut().diagnostics.push(Diagnostic::at(mark, message));
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.state.into_inner().diagnostics
    }

    /// Whether everything in a node could be read so far.
    pub(super) fn is_whole(&self, node: &Node) -> bool {
        let state = self.state.borrow();
        !node.any(&|node| state.failed.contains(&node.id) || state.tainted.contains(&node.id))
    }

    /// Reports the keys of a map that are not known, and forgets them.
    fn refuse_unknown(&self, node: &Node, known: &[&'static str]) {
        for (key, _) in node.entries().iter().filter(|(key, _)| !known.contains(&&*key.name)) {
            let mut state = self.state.borrow_mut();
            state.tainted.insert(node.id);
            let message = slips::unknown("key", &key.name, known);
            state.diagnostics.push(Diagnostic::at(key.mark, message));
        }
    }

    fn has_failed(&self, node: &Node) -> bool {
        self.state.borrow().failed.contains(&node.id)
    }
}

/// Why a node could not be read.
#[derive(Debug)]
pub(super) struct Error {
    message: String,
    /// The node, and where the error is shown.
    at: Option<(usize, Mark)>,
    /// Whether it is about a map or list as a whole: a key that is missing, keys that do not fit.
    of_whole: bool,
    /// Whether it may only follow from another error.
    follows: bool,
}

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, of_whole: false, follows: false }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(slips::unknown("word", variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(slips::unknown("key", field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(slips::missing(field))
    }
}
