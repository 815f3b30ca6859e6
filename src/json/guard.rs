//! A deserialiser around another one that bounds what is built, refuses repeated keys, and masks
//! known tokens in every text.
//!
//! A short answer can describe a lot of memory: `[null,null,…]` takes five bytes for an element that
//! may need five hundred. Each element of a list and each entry of a map is therefore charged with
//! its size in memory before it is built.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::secret::Mask;

/// The memory that lists and maps of one answer may take, apart from the texts in them.
const MOST_BYTES: usize = 64 << 20;

/// The longest text that is taken over. Titles and descriptions have a few kilobytes; a longer text
/// is cut, so that masking it takes no time worth mentioning.
const LONGEST_TEXT: usize = 1 << 20;

/// What is left for one answer, and what is masked in it.
pub(super) struct Limits {
    bytes: Cell<usize>,
    mask: Mask,
    /// Of keys: a map may have more of them than should be kept.
    hashes: RandomState,
}

impl Default for Limits {
    fn default() -> Self {
        let bytes = Cell::new(MOST_BYTES);
        Self { bytes, mask: Mask::for_evidence(), hashes: RandomState::new() }
    }
}

impl Limits {
    /// A text without tokens, and of a sensible length.
    fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let longest = text.len().min(LONGEST_TEXT);
        let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.mask.apply(text.get(..end).unwrap_or_default())
    }

    /// Charges a value that is going to be built.
    fn charge<E: de::Error>(&self, bytes: usize) -> Result<(), E> {
        let left = self.bytes.get().checked_sub(bytes).ok_or_else(|| {
            E::custom(format_args!(
                "the answer takes more than {} MiB of memory; ask for less at a time",
                MOST_BYTES >> 20
            ))
        })?;
        self.bytes.set(left);
        Ok(())
    }
}

/// A deserialiser, visitor, seed or access, guarded.
pub(super) struct Guarded<'l, T> {
    inner: T,
    limits: &'l Limits,
    /// The hashes of the keys of a map that were seen so far, where they are not the fields of a
    /// type: such a type refuses repeated fields by itself.
    keys: Option<RefCell<HashSet<u64>>>,
}

impl<'l, T> Guarded<'l, T> {
    pub(super) fn new(inner: T, limits: &'l Limits) -> Self {
        Self { inner, limits, keys: None }
    }

    fn with_keys(inner: T, limits: &'l Limits) -> Self {
        Self { inner, limits, keys: Some(RefCell::default()) }
    }
}

macro_rules! forward {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Guarded::new(visitor, self.limits))
        })+
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Guarded::with_keys(visitor, self.limits))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(Guarded::with_keys(visitor, self.limits))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, Guarded::new(visitor, self.limits))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // A raw value is only a slice of the answer, and is guarded when it is read.
        if name == "$serde_json::private::RawValue" {
            return self.inner.deserialize_newtype_struct(name, visitor);
        }
        self.inner.deserialize_newtype_struct(name, Guarded::new(visitor, self.limits))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, Guarded::new(visitor, self.limits))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, Guarded::new(visitor, self.limits))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Guarded::new(visitor, self.limits))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Guarded::new(visitor, self.limits))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty,)+) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })+
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64,
        visit_i128: i128, visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64,
        visit_u128: u128, visit_f32: f32, visit_f64: f64, visit_char: char, visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        match self.limits.clean(text) {
            Cow::Borrowed(text) => self.inner.visit_str(text),
            Cow::Owned(masked) => self.inner.visit_string(masked),
        }
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        match self.limits.clean(text) {
            Cow::Borrowed(text) => self.inner.visit_borrowed_str(text),
            Cow::Owned(masked) => self.inner.visit_string(masked),
        }
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<V::Value, E> {
        self.visit_str(&text)
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Guarded::new(deserializer, self.limits))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Guarded::new(deserializer, self.limits))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Guarded::new(access, self.limits))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Guarded { inner: access, limits: self.limits, keys: self.keys })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Guarded::new(access, self.limits))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.limits.charge(size_of::<T::Value>())?;
        self.inner.next_element_seed(Guarded::new(seed, self.limits))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(keys) = &self.keys else { return self.inner.next_key_seed(seed) };
        self.limits.charge(size_of::<K::Value>())?;
        self.inner.next_key_seed(Key { inner: seed, limits: self.limits, keys })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let left = self.limits.bytes.get();
        if self.keys.is_some() {
            self.limits.charge(size_of::<T::Value>())?;
        }
        let value = self.inner.next_value_seed(Guarded::new(seed, self.limits))?;
        // Of an entry that was taken in on the way nothing is kept here.
        if self.keys.is_some() && size_of::<T::Value>() == 0 {
            self.limits.bytes.set(left);
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Guarded::new(deserializer, self.limits))
    }
}

impl<'de, 'l, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'l, A> {
    type Error = A::Error;
    type Variant = Guarded<'l, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Guarded::new(variant, self.limits)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.newtype_variant_seed(Guarded::new(seed, self.limits))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Guarded::new(visitor, self.limits))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Guarded::new(visitor, self.limits))
    }
}

/// A key of a map, which must not have been seen before.
struct Key<'l, 'k, T> {
    inner: T,
    limits: &'l Limits,
    keys: &'k RefCell<HashSet<u64>>,
}

impl<T> Key<'_, '_, T> {
    fn check<E: de::Error>(&self, key: &str) -> Result<(), E> {
        self.limits.charge(size_of::<u64>())?;
        match self.keys.borrow_mut().insert(self.limits.hashes.hash_one(key)) {
            true => Ok(()),
            false => {
                Err(E::custom(format_args!("the key `{}` is repeated", super::excerpt(key, 60))))
            }
        }
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, '_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize(Key { inner: deserializer, limits, keys })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Key<'_, '_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize_any(Key { inner: visitor, limits, keys })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize_str(Key { inner: visitor, limits, keys })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize_string(Key { inner: visitor, limits, keys })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize_identifier(Key { inner: visitor, limits, keys })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.deserialize_newtype_struct(name, Key { inner: visitor, limits, keys })
    }

    // Any other type of key is asked for as a text, and refused by the type if it is not one.
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Key<'_, '_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<V::Value, E> {
        self.check(key)?;
        Guarded::new(self.inner, self.limits).visit_str(key)
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<V::Value, E> {
        self.check(key)?;
        Guarded::new(self.inner, self.limits).visit_borrowed_str(key)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, limits, keys } = self;
        inner.visit_newtype_struct(Key { inner: deserializer, limits, keys })
    }
}
