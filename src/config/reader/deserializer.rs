//! How a node becomes a value.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::{Error, LOCATED, MAPS, Reader};
use crate::config::diagnostic::line_of;
use crate::config::node::{Key, Node, Value};
use crate::config::slips::{self, ValueKind};
use crate::sources::TYPED;
/// A node to read.
#[derive(Clone, Copy)]
pub(in crate::config) struct De<'de> {
    reader: &'de Reader<'de>,
    node: &'de Node,
    /// The nearest key above it.
    key: &'de str,
    /// Whether unquoted scalars are numbers, booleans or null where they look like it.
    typed: bool,
}

impl<'de> De<'de> {
    /// The first node of a file, or one below it.
    pub(super) const fn first(reader: &'de Reader<'de>, node: &'de Node, key: &'de str) -> Self {
        Self { reader, node, key, typed: false }
    }

    fn of(self, node: &'de Node, key: &'de str) -> Self {
        Self { node, key, ..self }
    }

    /// Gives an error of this node its place: that of the key which its message begins with, if it
    /// has that key.
    pub(super) fn within(self, mut error: Error) -> Error {
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
