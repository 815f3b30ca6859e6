//! Masks known tokens in texts, also where a platform echoes them in another encoding or with
//! invisible characters in between.
//!
//! Every token that the process reads or is given is known here from then on: a text that reaches a
//! person need not know where it came from.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};
use memchr::memmem::Finder;

use crate::text;

/// A token of fewer characters is an ordinary word. Only the token itself is looked for then, and
/// only in errors: a token `viewer` must not turn a role into `***`.
const UNMISTAKABLE: usize = 12;

/// Tokens of fewer characters are not masked at all.
const SHORTEST: usize = 4;

/// Encodings of encodings that are undone.
const MOST_LAYERS: usize = 3;

/// The most bytes for one character of a token: two escapes of JSON within a URL, say.
const MOST_BYTES_FOR_ONE: usize = 24;

/// How much of a long text is decoded at a time.
const WINDOW: usize = 64 << 10;

static KNOWN: RwLock<Vec<Arc<TokenPattern>>> = RwLock::new(Vec::new());

/// What to look for, for one token.
struct TokenPattern {
    length: usize,
    /// The token itself.
    plain: Finder<'static>,
    /// The token within a base64 text, at each of the three alignments and in both alphabets.
    base64: Vec<Finder<'static>>,
    hexadecimal: Vec<Finder<'static>>,
}

/// Tokens to mask.
#[derive(Clone)]
pub struct Mask {
    patterns: Vec<Arc<TokenPattern>>,
    shortest: usize,
}

impl Mask {
    /// Every known token: for errors and diagnostics.
    pub fn for_errors() -> Self {
        Self::of(SHORTEST)
    }

    /// The known tokens that cannot be an ordinary word by chance: for evidence.
    pub fn for_evidence() -> Self {
        Self::of(UNMISTAKABLE)
    }

    /// Makes a token known, so that it is masked in every text from now on.
    pub fn remember(token: &str) {
        if token.len() < SHORTEST {
            return;
        }
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|pattern| pattern.plain.needle() == token.as_bytes()) {
            known.push(Arc::new(TokenPattern::of(token)));
        }
    }

    fn of(shortest: usize) -> Self {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        let patterns: Vec<_> =
            known.iter().filter(|pattern| pattern.length >= shortest).map(Arc::clone).collect();
        let shortest = patterns.iter().map(|pattern| pattern.length).min();
        Self { patterns, shortest: shortest.unwrap_or(usize::MAX) }
    }

    /// The text with `***` in place of each token.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.len() < self.shortest {
            return text.into();
        }
        let mut found = Vec::new();
        self.find(text.as_bytes(), |range| found.push(range));
        if text
            .bytes()
            .any(|byte| matches!(byte, b'\\' | b'%' | b'&') || !(b' '..=b'~').contains(&byte))
        {
            for window in self.windows(text) {
                let mut view = DecodedText::of(text, window);
                for _ in 0..MOST_LAYERS {
                    let (decoded, changed) = view.decoded();
                    if !changed {
                        break;
                    }
                    self.find(&decoded.bytes, |range| found.extend(decoded.origin(range)));
                    view = decoded;
                }
            }
        }
        replaced(text, found)
    }

    /// Parts of a text that are decoded one at a time, since decoding takes many times the memory of
    /// the part. They overlap, so that no token is cut in two.
    fn windows(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let longest = self.patterns.iter().map(|pattern| pattern.length).max().unwrap_or(0);
        let overlap = longest * MOST_BYTES_FOR_ONE;
        let step = overlap.max(WINDOW);
        let text_end = text.len();
        (0..text_end).step_by(step).map(move |start| start..(start + step + overlap).min(text_end))
    }

    fn find(&self, bytes: &[u8], mut found: impl FnMut(Range<usize>)) {
        for pattern in &self.patterns {
            let exact = std::iter::once(&pattern.plain).chain(&pattern.hexadecimal);
            for finder in exact {
                let length = finder.needle().len();
                finder.find_iter(bytes).for_each(|at| found(at..at + length));
            }
            for finder in &pattern.base64 {
                for at in finder.find_iter(bytes) {
                    // The characters beside it hold bits of the token, too.
                    found(whole_word(bytes, at..at + finder.needle().len()));
                }
            }
        }
    }
}

impl TokenPattern {
    fn of(token: &str) -> Self {
        let finder = |needle: &[u8]| Finder::new(needle).into_owned();
        let (mut base64, mut hexadecimal) = (Vec::new(), Vec::new());
        if token.len() >= UNMISTAKABLE {
            let lower: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
            hexadecimal.push(finder(lower.as_bytes()));
            hexadecimal.push(finder(lower.to_uppercase().as_bytes()));
            for before in 0..3 {
                let aligned = [&b"   "[..before], token.as_bytes()].concat();
                let standard = BASE64_STANDARD_NO_PAD.encode(&aligned);
                let url_safe = BASE64_URL_SAFE_NO_PAD.encode(&aligned);
                // The first and the last character also depend on what surrounds the token.
                let first = (before * 8).div_ceil(6);
                let last = aligned.len() * 8 / 6;
                base64.push(finder(standard.as_bytes().get(first..last).unwrap_or_default()));
                if url_safe != standard {
                    base64.push(finder(url_safe.as_bytes().get(first..last).unwrap_or_default()));
                }
            }
        }
        Self { length: token.len(), plain: finder(token.as_bytes()), base64, hexadecimal }
    }
}

/// A text with encodings undone, and where each of its bytes comes from.
struct DecodedText {
    bytes: Vec<u8>,
    origins: Vec<Range<usize>>,
}

impl DecodedText {
    fn of(text: &str, part: Range<usize>) -> Self {
        let bytes = text.as_bytes().get(part.clone()).unwrap_or_default().to_vec();
        Self { bytes, origins: part.map(|at| at..at + 1).collect() }
    }

    /// The bytes of the original text behind a range of this one.
    fn origin(&self, range: Range<usize>) -> Option<Range<usize>> {
        let first = self.origins.get(range.start)?;
        let last = self.origins.get(range.end.checked_sub(1)?)?;
        Some(first.start..last.end)
    }

    /// One layer of encodings undone: escapes of JSON, HTML and URLs, and characters that are not
    /// seen. Returns whether there was one.
    fn decoded(&self) -> (Self, bool) {
        let mut decoded = Self { bytes: Vec::new(), origins: Vec::new() };
        let (mut at, mut changed) = (0, false);
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (character, length) = next(rest);
            changed |= character.is_none() || length != 1;
            if let (Some(byte), Some(origin)) = (character, self.origin(at..at + length)) {
                decoded.bytes.push(byte);
                decoded.origins.push(origin);
            }
            at += length;
        }
        (decoded, changed)
    }
}

/// The byte that a text begins with, decoded, and how many bytes encode it. No byte: it is
/// invisible. Tokens are ASCII, so that other characters need not be decoded.
fn next(bytes: &[u8]) -> (Option<u8>, usize) {
    let escaped = match bytes.first() {
        Some(b'\\') => json_escape(bytes),
        Some(b'%') => hexadecimal(bytes.get(1..3)).map(|code| (u8::try_from(code).ok(), 3)),
        Some(b'&') => html_entity(bytes),
        Some(first @ b' '..=b'~') => Some((Some(*first), 1)),
        Some(0..=0x7f) => Some((None, 1)),
        _ => hidden(bytes),
    };
    escaped.unwrap_or((bytes.first().copied(), 1))
}

fn json_escape(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    Some(match bytes.get(1)? {
        b'u' => (visible(hexadecimal(bytes.get(2..6))?), 6),
        b'x' => (visible(hexadecimal(bytes.get(2..4))?), 4),
        b'b' | b'f' | b'n' | b'r' | b't' | b'0' => (None, 2),
        other @ (b'"' | b'\'' | b'\\' | b'/') => (Some(*other), 2),
        _ => return None,
    })
}

fn html_entity(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    const NAMED: [(&str, u8); 14] = [
        ("amp", b'&'),
        ("lt", b'<'),
        ("gt", b'>'),
        ("quot", b'"'),
        ("apos", b'\''),
        ("plus", b'+'),
        ("equals", b'='),
        ("sol", b'/'),
        ("bsol", b'\\'),
        ("colon", b':'),
        ("period", b'.'),
        ("commat", b'@'),
        ("percnt", b'%'),
        ("lowbar", b'_'),
    ];
    let end = bytes.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(bytes.get(1..end)?).ok()?;
    let byte = match name.strip_prefix('#') {
        Some(number) => visible(match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        }),
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, byte)| *byte),
    };
    let is_known = byte.is_some() || name.starts_with('#');
    is_known.then_some((byte, end + 1))
}

/// A character beyond ASCII, if it is not seen.
fn hidden(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    let longest = bytes.get(..bytes.len().min(4))?;
    let character = longest.utf8_chunks().next()?.valid().chars().next()?;
    text::is_hidden(character).then_some((None, character.len_utf8()))
}

fn hexadecimal(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The character as a byte, if it is a visible one of ASCII. Others are left out: no token has
/// them.
fn visible(code: u32) -> Option<u8> {
    u8::try_from(code).ok().filter(|byte| (0x21..=0x7e).contains(byte))
}

/// A range, extended over the letters of base64 on both sides.
fn whole_word(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let is_base64 = |byte: &&u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
    };
    let before = bytes.get(..range.start).unwrap_or_default();
    let after = bytes.get(range.end..).unwrap_or_default();
    let start = range.start - before.iter().rev().take_while(is_base64).count();
    start..range.end + after.iter().take_while(is_base64).count()
}

/// The text with `***` in place of each range. Ranges may overlap.
fn replaced(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return text.into();
    }
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        if range.end <= from {
            continue;
        }
        if range.start >= from {
            // Ranges begin and end at characters, since only whole characters are decoded.
            masked.push_str(text.get(from..range.start).unwrap_or_default());
            masked.push_str("***");
        }
        from = range.end;
    }
    masked.push_str(text.get(from..).unwrap_or_default());
    masked.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "kV9&x/Tq+3\"w\\Zr8=uB2_p-L";

    fn masked(text: &str) -> String {
        Mask::remember(TOKEN);
        Mask::for_evidence().apply(text).into_owned()
    }

    #[test]
    fn a_token_is_masked_in_every_encoding() {
        let json = serde_json::to_string(TOKEN).unwrap();
        let json = json.trim_matches('"');
        let all = |code: &dyn Fn(u8) -> String| TOKEN.bytes().map(code).collect::<String>();
        let url = all(&|byte| format!("%{byte:02X}"));
        for shown in [
            TOKEN.to_owned(),
            json.to_owned(),
            json.replace('/', "\\/").replace('&', "\\u0026"),
            serde_json::to_string(json).unwrap().trim_matches('"').to_owned(),
            all(&|byte| format!("\\u{byte:04x}")),
            url.clone(),
            url.replace('%', "%25"),
            url.to_lowercase(),
            TOKEN.replace('&', "&amp;").replace('"', "&quot;").replace('/', "&#x2F;"),
            all(&|byte| format!("&#{byte};")),
            all(&|byte| format!("{}\u{200b}", byte as char)),
            all(&|byte| format!("{}\u{202e}\u{2066}", byte as char)),
            all(&|byte| format!("{}\0", byte as char)),
            all(&|byte| match byte {
                b'"' | b'\\' => format!("\\{}\\u200b", byte as char),
                _ => format!("{}\\u200b", byte as char),
            }),
            all(&|byte| format!("{}\r\n", byte as char)),
            all(&|byte| format!("{byte:02x}")),
            all(&|byte| format!("{byte:02X}")),
            BASE64_STANDARD_NO_PAD.encode(TOKEN),
            BASE64_STANDARD_NO_PAD.encode(format!("user:{TOKEN}")),
            BASE64_URL_SAFE_NO_PAD.encode(format!("me:{TOKEN}:x")),
        ] {
            let text = masked(&format!("ä before {shown} after ö"));
            let rest = text.trim_start_matches("ä before ***").trim_end_matches("after ö");
            assert!(text.starts_with("ä before ***"), "{shown}: {text}");
            assert!(
                rest.trim_matches(['\u{200b}', '\u{202e}', '\u{2066}', '\0', '\r', '\n', ' '])
                    .trim_start_matches("\\u200b")
                    .trim()
                    .is_empty(),
                "{shown}: {text}"
            );
        }
    }

    #[test]
    fn a_token_is_found_anywhere_in_a_long_text() {
        let url: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for before in [0, WINDOW - 40, WINDOW, 3 * WINDOW - 1] {
            let text = format!("{}{url}{}", "ä".repeat(before / 2), "%20".repeat(WINDOW));
            let masked = masked(&text);
            assert!(masked.contains("***") && !masked.contains(&url[30..]), "{before}");
        }
    }

    #[test]
    fn other_texts_are_not_copied() {
        Mask::remember(TOKEN);
        let mask = Mask::for_evidence();
        for text in ["", "arn:aws:s3:::bücket", "100% of \\d+ &amp; %zz \\uzzzz &#xzz; &nothing;"]
        {
            assert!(matches!(mask.apply(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_short_token_is_masked_in_errors_only() {
        Mask::remember("viewx");
        assert_eq!(Mask::for_evidence().apply("role viewx"), "role viewx");
        assert_eq!(Mask::for_errors().apply("role viewx"), "role ***");
        Mask::remember("abc");
        assert_eq!(Mask::for_errors().apply("an abc"), "an abc");
    }
}
