//! The body of an answer, bounded while it arrives.

use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem;
use tokio::sync::mpsc;

/// Bytes of one answer that is held, after decompression.
const MOST_BYTES: usize = 48 << 20;

/// Bytes of one answer that is read while it arrives, of which nothing is held. 300,000 results of
/// OpenComply have 77 MB (docs/platforms/opencomply.md#sizes).
const MOST_STREAMED: u64 = 1 << 30;

/// Pieces of a streamed answer that wait for its reader.
const MOST_PIECES: usize = 4;

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

/// A body that a reader on a thread of its own is given while it arrives.
pub(super) struct Streaming {
    pieces: mpsc::Sender<String>,
    decoder: Decoder,
    bytes: u64,
}

/// The other end of it: the text of the body, which waits for what has not arrived. A body that is
/// given up ends early.
#[derive(Debug)]
pub(crate) struct BodyText {
    pieces: mpsc::Receiver<String>,
    piece: io::Cursor<String>,
}

/// Why a body is not read to its end.
#[derive(Debug)]
pub(super) enum TooLarge {
    /// The answer alone is too large.
    Alone,
    /// It is too large although nothing of it is held.
    Streamed,
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

impl Streaming {
    pub(super) fn new() -> (Self, BodyText) {
        let (sender, receiver) = mpsc::channel(MOST_PIECES);
        let streaming = Self { pieces: sender, decoder: Decoder::default(), bytes: 0 };
        (streaming, BodyText { pieces: receiver, piece: io::Cursor::default() })
    }

    /// Hands on what has arrived. `false`: the reader needs no more of it.
    pub(super) async fn push(&mut self, chunk: &[u8]) -> Result<bool, TooLarge> {
        self.bytes += chunk.len() as u64;
        if self.bytes > MOST_STREAMED {
            return Err(TooLarge::Streamed);
        }
        let piece = self.decoder.text(chunk, false);
        Ok(self.pieces.send(piece).await.is_ok())
    }

    pub(super) async fn finish(mut self) {
        let rest = self.decoder.text(&[], true);
        // A reader that has what it needs takes no more.
        let _ = self.pieces.send(rest).await;
    }
}

impl io::Read for BodyText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

impl TooLarge {
    /// What happened, to follow the endpoint's name.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Alone => format!("the answer has more than {} MiB", MOST_BYTES >> 20),
            Self::Streamed => format!("the answer has more than {} MiB", MOST_STREAMED >> 20),
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

/// Turns bytes into text as they arrive.
#[derive(Default)]
struct Decoder {
    /// The beginning of a character, or of an escape, that has not arrived whole.
    rest: Vec<u8>,
    /// Whether anything was decoded.
    began: bool,
}

impl Decoder {
    /// The text of the next bytes, and of those left over from before.
    fn text(&mut self, bytes: &[u8], is_last: bool) -> String {
        self.rest.extend_from_slice(bytes);
        let end = if is_last { self.rest.len() } else { whole(&self.rest) };
        let rest = self.rest.split_off(end);
        let piece = std::mem::replace(&mut self.rest, rest);
        if piece.is_empty() || std::mem::replace(&mut self.began, true) {
            return repaired(piece);
        }
        decoded(piece)
    }
}

/// The body as text, without a byte order mark. What is not Unicode becomes `\u{fffd}`: bytes that
/// are not UTF-8, and a lone half of a surrogate pair, which remains of a text that was cut within
/// an emoji.
fn decoded(mut body: Vec<u8>) -> String {
    if body.starts_with(b"\xef\xbb\xbf") {
        body.drain(..3);
    }
    repaired(body)
}

fn repaired(bytes: Vec<u8>) -> String {
    let mut text = String::from_utf8(bytes)
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
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()) {
        at += next;
        let escape = Escape::at(text, at);
        if escape == Escape::LoneSurrogate {
            lone.push(at);
        }
        at += escape.length();
    }
    lone
}

/// How many of these bytes are whole: the rest is the beginning of a character, or of an escape.
fn whole(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        at += next;
        if bytes.len() - at < Escape::Pair.length() {
            return at;
        }
        at += Escape::at(bytes, at).length();
    }
    let last_lead = bytes.iter().rev().take(3).position(|byte| *byte >= 0xc0);
    let cut = last_lead.map(|back| bytes.len() - 1 - back).filter(|lead| {
        let length = match bytes.get(*lead) {
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            _ => 2,
        };
        lead + length > bytes.len()
    });
    cut.unwrap_or(bytes.len())
}

/// What begins with a backslash in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Both halves of a surrogate pair.
    Pair,
    LoneSurrogate,
    /// Any other; only its first two bytes matter here.
    Other,
}

impl Escape {
    fn at(text: &[u8], at: usize) -> Self {
        let unit = |at: usize| {
            let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
            u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => Self::Pair,
            Some(0xd800..=0xdfff) => Self::LoneSurrogate,
            _ => Self::Other,
        }
    }

    const fn length(self) -> usize {
        match self {
            Self::Pair => 12,
            Self::LoneSurrogate => 6,
            Self::Other => 2,
        }
    }
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
    fn a_body_that_arrives_in_pieces_is_the_same_text() {
        let body = [
            &b"\xef\xbb\xbf{\"a\": \"\xc3\xa4\xf0\x9f\x98\x80\xff "[..],
            br#"\\ud83d \ud83d \ud83d\ude00 \u00e4 \ude00\\""#,
            b"\xe2\x82\", \"b\": \"\\ud83",
        ]
        .concat();
        let text = decoded(body.clone());
        for size in 1..body.len() {
            let mut decoder = Decoder::default();
            let mut pieces: String =
                body.chunks(size).map(|piece| decoder.text(piece, false)).collect();
            pieces += &decoder.text(&[], true);
            assert_eq!(pieces, text, "{size}");
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
