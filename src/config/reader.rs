//! Reads values from the tree of a file, and goes on after an error, so that all are found.
//!
//! Serde stops at the first error. So a node that could not be read is left out, and reading starts
//! again, until nothing new is wrong. What is only wrong because something was left out is not
//! reported.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::diagnostic::{Diagnostic, line_of};
use super::node::{Key, Mark, Node, Value};
use super::slips::{self, ValueKind};
use crate::sources::TYPED;

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
            let de = De { reader: self, node, key, typed: false };
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

/// A node to read.
#[derive(Clone, Copy)]
pub(super) struct De<'de> {
    reader: &'de Reader<'de>,
    node: &'de Node,
    /// The nearest key above it.
    key: &'de str,
    /// Whether unquoted scalars are numbers, booleans or null where they look like it.
    typed: bool,
}

impl<'de> De<'de> {
    fn of(self, node: &'de Node, key: &'de str) -> Self {
        Self { node, key, ..self }
    }

    /// Gives an error of this node its place: that of the key which its message begins with, if it
    /// has that key.
    fn within(self, mut error: Error) -> Error {
        if error.at.is_some() {
            return error;
        }
        error.of_whole = !matches!(self.node.value, Value::Scalar { .. });
        error.follows = error.of_whole && !self.reader.is_whole(self.node);
        let named = error.message.strip_prefix('`').unwrap_or_default();
        let end = named.find(|c: char| !c.is_ascii_lowercase() && c != '_' && c != '.');
        let mut mark = self.node.mark;
        let mut inner = self.node;
        for key in named[..end.unwrap_or(0)].split('.') {
            let Some((key, value)) = inner.entry(key) else { break };
            (mark, inner) = (key.mark, value);
        }
        error.at = Some((self.node.id, mark));
        error
    }

    fn wrong(self, wanted: ValueKind) -> Error {
        if self.node.is_null() {
            let line = line_of(self.reader.text, self.node.mark).unwrap_or_default();
            return Error::new(slips::no_value(self.key, wanted, line));
        }
        Error::new(slips::wrong_shape(self.key, wanted, &self.node.value))
    }

    fn scalar(self, wanted: ValueKind) -> Result<&'de str, Error> {
        self.node.text().ok_or_else(|| self.wrong(wanted))
    }

    fn number<T: std::str::FromStr + ToString>(self) -> Result<T, Error> {
        let text = self.scalar(ValueKind::Number)?;
        let plain = matches!(self.node.value, Value::Scalar { plain: true, .. });
        let number = text.parse::<T>().ok().filter(|_| plain);
        // Some readers take `010` for eight.
        number
            .filter(|number| number.to_string() == text)
            .ok_or_else(|| self.wrong(ValueKind::Number))
    }

    fn list(self) -> Items<'de> {
        Items { de: self, items: self.node.items().iter() }
    }

    fn map(self, known: Option<&'static [&'static str]>) -> Entries<'de> {
        Entries { de: self, known, entries: self.node.entries().iter(), value: None }
    }

    /// A scalar of any type, by its look.
    fn visit_typed<V: Visitor<'de>>(self, text: &'de str, visitor: V) -> Result<V::Value, Error> {
        match text {
            "true" => return visitor.visit_bool(true),
            "false" => return visitor.visit_bool(false),
            _ => {}
        }
        if let Some(number) = text.parse::<i64>().ok().filter(|n| n.to_string() == text) {
            return visitor.visit_i64(number);
        }
        match text.parse::<f64>() {
            Ok(number) if number.to_string() == text => visitor.visit_f64(number),
            Ok(number) if number.is_finite() => Err(Error::new(format!(
                "YAML readers take `{text}` for different values; write it in quotes"
            ))),
            _ => visitor.visit_borrowed_str(text),
        }
    }
}

macro_rules! numbers {
    ($($method:ident, $visit:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.number()?)
        }
    )+};
}

impl<'de> Deserializer<'de> for De<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if self.typed => match self.node.is_null() {
                true => visitor.visit_unit(),
                false => self.visit_typed(text, visitor),
            },
            Value::Scalar { .. } => visitor.visit_borrowed_str(self.scalar(ValueKind::Value)?),
            Value::List(_) => visitor.visit_seq(self.list()),
            Value::Map(_) => visitor.visit_map(self.map(None)),
        }
    }

    numbers! {
        deserialize_i8, visit_i8;
        deserialize_i16, visit_i16;
        deserialize_i32, visit_i32;
        deserialize_i64, visit_i64;
        deserialize_u8, visit_u8;
        deserialize_u16, visit_u16;
        deserialize_u32, visit_u32;
        deserialize_u64, visit_u64;
        deserialize_f32, visit_f32;
        deserialize_f64, visit_f64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if text == "true" => visitor.visit_bool(true),
            Value::Scalar { text, plain: true } if text == "false" => visitor.visit_bool(false),
            _ => Err(self.wrong(ValueKind::Bool)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.scalar(ValueKind::Text)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// A key that is there has a value: a key without one is a slip, not a default.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(Self { typed: self.typed || name == TYPED, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::List(_) => visitor.visit_seq(self.list()),
            _ => Err(self.wrong(ValueKind::List)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            LOCATED => visitor.visit_seq(Parts { de: self, next: 0 }),
            MAPS if self.node.is_map() => {
                visitor.visit_seq(Items { de: self, items: std::slice::from_ref(self.node).iter() })
            }
            MAPS if !matches!(self.node.value, Value::List(_)) => Err(self.wrong(ValueKind::Map)),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Map(_) => visitor.visit_map(self.map(None)),
            _ => Err(self.wrong(ValueKind::Map)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if !self.node.is_map() {
            return Err(self.wrong(ValueKind::Map));
        }
        self.reader.refuse_unknown(self.node, fields);
        visitor.visit_map(self.map(Some(fields)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.scalar(ValueKind::Text)?.into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct }
}

struct Items<'de> {
    de: De<'de>,
    items: std::slice::Iter<'de, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(node) = self.items.find(|node| !self.de.reader.has_failed(node)) else {
            return Ok(None);
        };
        let de = self.de.of(node, self.de.key);
        seed.deserialize(de).map(Some).map_err(|error| de.within(error))
    }
}

struct Entries<'de> {
    de: De<'de>,
    /// The keys to read, if not all.
    known: Option<&'static [&'static str]>,
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<De<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let (de, known) = (self.de, self.known);
        let is_read = |(key, node): &&(Key, Node)| {
            known.is_none_or(|known| known.contains(&&*key.name)) && !de.reader.has_failed(node)
        };
        let Some((key, node)) = self.entries.find(is_read) else { return Ok(None) };
        self.value = Some(de.of(node, &key.name));
        let name: StrDeserializer<'_, Error> = key.name.as_str().into_deserializer();
        seed.deserialize(name)
            .map(Some)
            .map_err(|error| Error { at: Some((node.id, key.mark)), ..error })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(de) = self.value.take() else { return Err(Error::new("a value without a key")) };
        seed.deserialize(de).map_err(|error| de.within(error))
    }
}

/// The parts of a `Located`.
struct Parts<'de> {
    de: De<'de>,
    next: u8,
}

impl<'de> SeqAccess<'de> for Parts<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let (de, next) = (self.de, self.next);
        self.next += 1;
        match next {
            0 => seed.deserialize(de),
            1 => seed.deserialize(de.node.mark.line.into_deserializer()),
            2 => seed.deserialize(de.node.mark.column.into_deserializer()),
            _ => seed.deserialize(de.reader.is_whole(de.node).into_deserializer()),
        }
        .map(Some)
    }
}
