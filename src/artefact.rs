//! Artefacts by their digest, as a caller names them: what is deployed, and what an attestation is about.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::text;

/// More are not accepted by GitHub.
const MOST: usize = 1024;

/// The most bytes of a file of subjects.
const MOST_BYTES: u64 = 1 << 20;

/// An artefact: a name for people, and the SHA-256 that identifies it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artefact {
    pub name: String,
    /// 64 hexadecimal digits in lower case.
    pub sha256: String,
}

impl Artefact {
    /// Reads `NAME@sha256:HEX`.
    ///
    /// # Errors
    /// A sentence, if it is anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.trim().rsplit_once("@sha256:");
        parts.and_then(|(name, sha256)| Self::new(name, sha256)).ok_or_else(|| {
            format!(
                "`{}` is not a subject; write `NAME@sha256:` and 64 hexadecimal digits",
                text::one_line(text, 200)
            )
        })
    }

    /// Its digest as image registries write it.
    pub fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    /// Reads a line of `sha256sum`: the digest, a space, a space or `*`, and the name.
    fn parse_checksum(line: &str) -> Option<Self> {
        let (sha256, name) = line.split_once(' ')?;
        Self::new(name.strip_prefix([' ', '*']).unwrap_or(name), sha256)
    }

    fn new(name: &str, sha256: &str) -> Option<Self> {
        let sha256 = text::sha256(sha256).ok()?;
        let name = name.trim();
        let is_plain = !name.is_empty() && text::one_line(name, 500) == name;
        is_plain.then(|| Self { name: name.to_owned(), sha256 })
    }
}

/// The subjects of flags and of a file, each once, sorted.
///
/// # Errors
/// A sentence, if the file cannot be read, if a line of it is not a subject, or if there are too many.
pub fn all(flags: &[Artefact], file: Option<&Path>) -> Result<Vec<Artefact>, String> {
    let mut subjects = flags.to_vec();
    if let Some(path) = file {
        subjects.extend(listed(path)?);
    }
    subjects.sort();
    subjects.dedup();
    match subjects.len() {
        0..=MOST => Ok(subjects),
        count => Err(format!("{count} subjects are given, and {MOST} is the most")),
    }
}

/// The subjects in a file, one a line: `NAME@sha256:HEX`, or a line of `sha256sum`.
fn listed(path: &Path) -> Result<Vec<Artefact>, String> {
    let name = path.display();
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| {
        format!("the subjects in {name} cannot be read: {}", text::reason(&error))
    })?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("{name} is larger than 1 MiB; it is not a list of subjects"));
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let subjects: Vec<_> = lines
        .map(|(at, line)| match Artefact::parse_checksum(line) {
            Some(subject) => Ok(subject),
            None => {
                Artefact::parse(line).map_err(|error| format!("{name}: line {}: {error}", at + 1))
            }
        })
        .collect::<Result<_, _>>()?;
    match subjects.is_empty() {
        true => Err(format!("{name} has no subject")),
        false => Ok(subjects),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf2e1d89cf";

    #[test]
    fn a_subject_is_a_name_and_a_digest() {
        let subject =
            Artefact::parse(&format!("registry.example.com:5000/a@sha256:{HEX}")).unwrap();
        assert_eq!(subject.name, "registry.example.com:5000/a");
        assert_eq!(subject.sha256, HEX);
        let upper = Artefact::parse(&format!("app@sha256:{}", HEX.to_uppercase())).unwrap();
        assert_eq!(upper.sha256, HEX);
        for wrong in
            ["", "app", "app@sha256:12", &format!("@sha256:{HEX}"), &format!("app@sha512:{HEX}")]
        {
            assert!(Artefact::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_of_sha256sum_are_subjects() {
        for (line, name) in [("  app.bin", "app.bin"), (" *b c", "b c")] {
            let subject = Artefact::parse_checksum(&format!("{HEX}{line}")).unwrap();
            assert_eq!((subject.name.as_str(), subject.sha256.as_str()), (name, HEX));
        }
    }
}
