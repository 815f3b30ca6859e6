//! What makes a finding the same from run to run.

use std::fmt;

use sha2::{Digest, Sha256};

/// What identifies a finding within its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Its rule and its resource.
    Check,
    /// Its rule and its place in an image, whatever tag and digest the image has.
    Image(Box<ImagePart>),
    /// It happened once, so it is not expected again. A baseline has no place for it.
    Event(Fingerprint),
}

/// A place in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImagePart {
    /// The name of the image, without tag and digest.
    pub repository: Box<str>,
    /// Empty where a rule is about the image as a whole.
    pub package: Box<str>,
    pub path: Box<str>,
}

/// Identifies a finding from run to run: 32 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Hashes the parts, each behind its length so that no two lists of parts collide.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// That of a rule's finding on a resource, or in an image on a package and a path.
    pub fn of_place(source: &str, rule: &str, resource: &str, package: &str, path: &str) -> Self {
        Self::of(&[source, rule, resource, package, path])
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 16];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_what_it_writes() {
        let one = Fingerprint::of(&["a", "b"]);
        assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        assert_ne!(one, Fingerprint::of(&["ab", ""]));
        for wrong in ["", "12", "zz", &"g".repeat(32), &"0".repeat(33), &"é".repeat(16)] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
