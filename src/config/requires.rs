//! Whether this program is new enough for a file.

use serde::Deserialize;
use serde::de::{self, Deserializer};

const OURS: &str = env!("CARGO_PKG_VERSION");

/// What a file says about the programs that can read it.
#[derive(Debug)]
pub(super) struct Requires;

impl<'de> Deserialize<'de> for Requires {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match least(&text) {
            Some(_) => Ok(Self),
            None => Err(de::Error::custom(format!(
                "`{text}` is not a requirement; write the least version, as in `requires: \">= \
                 0.2\"`"
            ))),
        }
    }
}

/// A sentence, if a file needs a newer program. The rest of the file may be unknown to this
/// version, so its lines are read and not its YAML.
pub(super) fn newer(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("requires:"))?;
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']).trim();
    (least(value)? > parts(OURS)?).then(|| {
        format!(
            "the file requires compliance-gate {value}, and this is {OURS}; install a newer release"
        )
    })
}

/// The version in `>= 0.2`.
fn least(text: &str) -> Option<[u64; 3]> {
    parts(text.strip_prefix(">=")?.trim())
}

fn parts(version: &str) -> Option<[u64; 3]> {
    let mut parts = [0; 3];
    let mut given = version.split('.');
    for (at, part) in parts.iter_mut().enumerate() {
        match given.next() {
            Some(number) if number.bytes().all(|b| b.is_ascii_digit()) => {
                *part = number.parse().ok()?;
            }
            None if at > 0 => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (text, is_newer) in [
            ("requires: \">= 999\"\n", true),
            ("version: 1\nrequires: '>=0.99.1' # soon\n", true),
            ("requires: \">= 0.0.9\"\n", false),
            ("requires: \">= 0.1\"\n", false),
            (concat!("requires: \">= ", env!("CARGO_PKG_VERSION"), "\"\n"), false),
            ("requires: newest\n", false),
            ("version: 1\n", false),
        ] {
            assert_eq!(newer(text).is_some(), is_newer, "{text}");
        }
        assert_eq!(parts("1.2.3.4"), None);
        assert_eq!(parts(""), None);
        assert_eq!(parts("0.10"), Some([0, 10, 0]));
    }
}
