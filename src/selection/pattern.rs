//! Texts with wildcards.

use serde::{Serialize, Serializer};

/// A text where `*` matches anything (also `/`) and `?` one character. Nothing else is special.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, if it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(&*self.0)
    }

    /// Whether a text matches, regardless of case: what a gate asks for must not be missed because
    /// a platform writes it in capitals.
    pub fn matches(&self, text: &str) -> bool {
        self.meets(text, |wanted, given| {
            wanted == given || wanted.to_lowercase().eq(given.to_lowercase())
        })
    }

    /// Whether every text matches.
    pub fn is_all(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether this word is written, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word)
    }

    /// Whether a text matches exactly: for what is forgiven.
    pub fn matches_exactly(&self, text: &str) -> bool {
        self.meets(text, |wanted, given| wanted == given)
    }

    /// Linear in practice and quadratic at worst: only the latest `*` is ever tried again.
    fn meets(&self, text: &str, same: impl Fn(char, char) -> bool) -> bool {
        let (mut pattern, mut text) = (&*self.0, text);
        let mut retry: Option<(&str, &str)> = None;
        loop {
            match (pattern.chars().next(), text.chars().next()) {
                (Some('*'), _) => {
                    pattern = &pattern[1..];
                    retry = Some((pattern, text));
                }
                (Some(wanted), Some(given)) if wanted == '?' || same(wanted, given) => {
                    pattern = &pattern[wanted.len_utf8()..];
                    text = &text[given.len_utf8()..];
                }
                (None, None) => return true,
                _ => {
                    let Some((after_star, from)) = retry else { return false };
                    let mut rest = from.chars();
                    if rest.next().is_none() {
                        return false;
                    }
                    pattern = after_star;
                    text = rest.as_str();
                    retry = Some((after_star, text));
                }
            }
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
