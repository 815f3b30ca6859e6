//! Writes JSON. Serializers write a few bytes at a time, hundreds of times for one record, so what
//! they write is gathered in a buffer whose type they know.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value on one line, without a line break.
///
/// # Errors
/// What the writer reports.
pub(super) fn compact(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = Buffer::new(out);
    value.serialize(&mut Serializer::new(&mut buffer))?;
    buffer.empty()
}

/// Writes a value with a line for each of its parts, and a line break.
///
/// # Errors
/// What the writer reports.
pub(super) fn pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = Buffer::new(out);
    value.serialize(&mut Serializer::with_formatter(&mut buffer, Indented::default()))?;
    buffer.write_all(b"\n")?;
    buffer.empty()
}

struct Buffer<'w> {
    bytes: Vec<u8>,
    out: &'w mut dyn Write,
}

impl<'w> Buffer<'w> {
    const FULL: usize = 16 * 1024;

    fn new(out: &'w mut dyn Write) -> Self {
        Self { bytes: Vec::with_capacity(2 * Self::FULL), out }
    }

    fn empty(&mut self) -> io::Result<()> {
        self.out.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

impl Write for Buffer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < Self::FULL { Ok(()) } else { self.empty() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.out.flush()
    }
}

/// The layout of `serde_json`'s own formatter, which writes each step of the indentation by itself.
#[derive(Default)]
struct Indented {
    depth: usize,
    /// Whether the list or object that ends has anything in it.
    has_value: bool,
}

impl Indented {
    /// The end of a line, and the beginning of the next one as deep as anything is.
    const LINE: &[u8] = b",\n                                                                ";

    fn begin<W: Write + ?Sized>(&mut self, out: &mut W, sign: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        out.write_all(sign)
    }

    fn end<W: Write + ?Sized>(&mut self, out: &mut W, sign: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_value {
            self.line(out, true)?;
        }
        out.write_all(sign)
    }

    fn line<W: Write + ?Sized>(&self, out: &mut W, first: bool) -> io::Result<()> {
        const STEP: usize = 2;
        let end = (STEP + STEP * self.depth).min(Self::LINE.len());
        out.write_all(&Self::LINE[usize::from(first)..end])?;
        let deeper = STEP + STEP * self.depth - end;
        (0..deeper).try_for_each(|_| out.write_all(b" "))
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        #[test]
        fn the_layout_is_that_of_serde_json(value in tree()) {
            let (mut lines, mut line) = (Vec::new(), Vec::new());
            pretty(&value, &mut lines).unwrap();
            compact(&value, &mut line).unwrap();
            prop_assert_eq!(String::from_utf8(lines).unwrap(), format!("{value:#}\n"));
            prop_assert_eq!(String::from_utf8(line).unwrap(), value.to_string());
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
            // Longer than the buffer, and deeper than the indentation that is written at once.
            Just(Value::from("x".repeat(40_000))),
            Just((0..40).fold(json!([]), |inner, _| json!({ "deeper": [inner] }))),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
