//! Text that an attacker would choose. Platforms pass on names that any user can set.

use std::borrow::Cow;

use crate::ids::hash;

/// What breaks out of a CI host's log, an XML report, an HTML page, a table or a terminal.
const FRAGMENTS: [&str; 12] = [
    "\n::error file=app.rs,line=1::injected",
    "\n::set-output name=passed::true",
    "\n##[error]injected",
    "##vso[task.setvariable variable=passed]true",
    "]]></failure><testcase name=\"injected\"/>",
    "<script>alert(1)</script>",
    "\u{1b}[2J\u{1b}[31mred\u{1b}]0;title\u{7}",
    "\u{202e}desrever\u{2066}isolated",
    "\u{0}\u{1}\u{8}\u{b}\u{7f}\u{85}",
    "| a | `b` | ![x](http://attacker.invalid/x.png)",
    "%0A::warning::%25 \r\nsection_start:0:x\r",
    "' OR 1=1; --\t{{ secrets.TOKEN }} ${{ github.token }}",
];

/// How long the longest title is, in bytes at least.
const LONG: usize = 10_000;

/// Adds hostile text to the platforms' texts, if the scenario asks for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hostility(pub(crate) bool);

impl Hostility {
    /// The text, followed by a fragment that depends on it.
    pub(crate) fn text<'a>(self, plain: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let plain = plain.into();
        if !self.0 {
            return plain;
        }
        let count = u64::try_from(FRAGMENTS.len()).unwrap_or(1);
        let at = usize::try_from(hash(&plain) % count).unwrap_or_default();
        Cow::Owned(format!("{plain} {}", FRAGMENTS[at]))
    }

    /// Like `text`, but no text stays no text: an empty message means that all went well.
    pub(crate) fn text_if_any(self, plain: &str) -> Cow<'_, str> {
        if plain.is_empty() {
            return Cow::Borrowed(plain);
        }
        self.text(plain)
    }

    /// Every fragment at once, and more than 10 kB of it.
    pub(crate) fn title(self, plain: &str) -> Cow<'_, str> {
        if !self.0 {
            return Cow::Borrowed(plain);
        }
        let all = FRAGMENTS.concat();
        Cow::Owned(format!("{plain} {}", all.repeat(LONG / all.len() + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_platform_is_left_alone_and_a_hostile_one_is_not() {
        assert_eq!(Hostility(false).text("bucket"), "bucket");
        assert_ne!(Hostility(true).text("bucket"), "bucket");
        assert!(Hostility(true).title("bucket").len() > LONG);
    }
}
