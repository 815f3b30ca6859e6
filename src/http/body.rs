//! The body of an answer, bounded while it arrives.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem;

/// Bytes of one answer, after decompression. The largest known answer is a resource view of "tens of
/// MB" (docs/platforms/opencomply.md).
const MOST_BYTES: usize = 48 << 20;

/// Bytes of all answers that are held at the same time.
const MOST_HELD: usize = 96 << 20;

/// The longest announced length for which memory is reserved before the bytes arrive.
const MOST_ANNOUNCED: usize = 8 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// A body that is arriving.
pub(super) struct Arriving {
    bytes: Vec<u8>,
    held: Held,
}

/// A body that has arrived, as text.
#[derive(Debug)]
pub(super) struct Body {
    text: String,
    _held: Held,
}

/// Why a body is not read to its end.
#[derive(Debug)]
pub(super) enum TooLarge {
    /// The answer alone is too large.
    Alone,
    /// It is too large together with others. Later it may not be.
    Together,
}

/// A share of what is held, given back when it is dropped.
#[derive(Debug, Default)]
struct Held(usize);

impl Arriving {
    /// A body of the announced length needs no larger buffer. The announcement is not trusted
    /// beyond a few megabytes.
    pub(super) fn of_length(announced: Option<u64>) -> Self {
        let announced = announced.and_then(|length| usize::try_from(length).ok());
        let bytes = Vec::with_capacity(announced.unwrap_or(0).min(MOST_ANNOUNCED));
        Self { bytes, held: Held::default() }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        if self.bytes.len() + chunk.len() > MOST_BYTES {
            return Err(TooLarge::Alone);
        }
        self.held.0 += chunk.len();
        if HELD.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len() > MOST_HELD {
            return Err(TooLarge::Together);
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn finish(self) -> Body {
        Body { text: decoded(self.bytes), _held: self.held }
    }
}

impl TooLarge {
    /// What happened, to follow the endpoint's name.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Alone => format!("the answer has more than {} MiB", MOST_BYTES >> 20),
            Self::Together => {
                format!("answers of more than {} MiB arrive at the same time", MOST_HELD >> 20)
            }
        }
    }
}

impl Deref for Body {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The body as text, without a byte order mark. What is not Unicode becomes `\u{fffd}`: bytes that
/// are not UTF-8, and a lone half of a surrogate pair, which remains of a text that was cut within
/// an emoji.
fn decoded(mut body: Vec<u8>) -> String {
    if body.starts_with(b"\xef\xbb\xbf") {
        body.drain(..3);
    }
    let mut text = String::from_utf8(body)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    for at in lone_surrogates(text.as_bytes()) {
        text.replace_range(at..at + 6, "\\ufffd");
    }
    text
}

/// The positions of escaped surrogates, such as `\ud83d`, that are not one half of a pair.
fn lone_surrogates(text: &[u8]) -> Vec<usize> {
    let mut lone = Vec::new();
    if memmem::find(text, b"\\ud").is_none() && memmem::find(text, b"\\uD").is_none() {
        return lone;
    }
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()) {
        at += next;
        at += match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                lone.push(at);
                6
            }
            _ => 2,
        };
    }
    lone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_unicode_is_replaced() {
        for (body, text) in [
            (&b"\xef\xbb\xbf{}"[..], "{}"),
            (b"\"a\xff\"", "\"a\u{fffd}\""),
            (br#""cut \ud83d""#, r#""cut \ufffd""#),
            (
                br#""cut \uD83D and \ud83d\ude00 and \ude00""#,
                r#""cut \ufffd and \ud83d\ude00 and \ufffd""#,
            ),
            (br#""a \\ud83d path""#, r#""a \\ud83d path""#),
            (br#""\ud8"#, r#""\ud8"#),
        ] {
            assert_eq!(decoded(body.to_vec()), text);
        }
    }

    #[test]
    fn a_body_is_bounded_while_it_arrives() {
        let chunk = vec![b' '; 8 << 20];
        let mut body = Arriving::of_length(Some(u64::MAX));
        let refused = (0..10).find_map(|_| body.push(&chunk).err());
        assert!(matches!(refused, Some(TooLarge::Alone)));
        drop(body);
        let mut others: Vec<_> = (0..4).map(|_| Arriving::of_length(None)).collect();
        let push = |body: &mut Arriving| (0..6).find_map(|_| body.push(&chunk).err());
        let refused = others.iter_mut().find_map(push);
        assert!(matches!(refused, Some(TooLarge::Together)));
        drop(others);
        let mut next = Arriving::of_length(None);
        assert!(next.push(&chunk).is_ok());
    }
}
