//! Lines for people: wrapped to the width of the terminal, with indentation.
//!
//! Where the width is not known, such as in the log of a CI host, nothing is wrapped: a sentence on
//! one line can be searched for and copied.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::text;

/// Narrower columns are not filled: every word would have a line of its own.
const NARROWEST: usize = 20;

pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    columns: Option<usize>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut dyn Write, columns: Option<usize>) -> Self {
        Self { out, columns }
    }

    /// Whether so many columns are there.
    pub(super) fn has(&self, columns: usize) -> bool {
        self.columns.is_none_or(|there| columns <= there)
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    pub(super) fn heading(&mut self, style: Style, title: &str) -> io::Result<()> {
        self.blank()?;
        self.item(0, 2, style, title, "")
    }

    /// A styled lead and text after it; the lines that follow begin `hang` columns in.
    pub(super) fn item(
        &mut self,
        indent: usize,
        hang: usize,
        style: Style,
        lead: &str,
        text: &str,
    ) -> io::Result<()> {
        // Padding at the end of a lead is the gap between columns.
        let gap = if lead.is_empty() || text.is_empty() || lead.ends_with(' ') { "" } else { " " };
        let start = indent + width(lead) + width(gap);
        let width = self.columns.unwrap_or(usize::MAX);
        if text.is_empty() && start > width {
            // A heading that is too long is text.
            for (number, line) in
                wrapped(lead, width - indent.min(width), width - hang.min(width)).iter().enumerate()
            {
                let indent = if number == 0 { indent } else { hang };
                writeln!(self.out, "{:indent$}{style}{}{style:#}", "", text::disarmed(line))?;
            }
            return Ok(());
        }
        let first = width.saturating_sub(start);
        let lines = wrapped(text, first, width.saturating_sub(hang).max(NARROWEST));
        let mut lines = lines.iter();
        let head = lines.next().map_or("", String::as_str);
        // Text alone could begin with a command that a CI host obeys.
        let head = if lead.is_empty() { text::disarmed(head) } else { head.into() };
        let gap = if head.is_empty() { "" } else { gap };
        let lead = if head.is_empty() { lead.trim_end() } else { lead };
        writeln!(self.out, "{:indent$}{style}{lead}{style:#}{gap}{head}", "")?;
        lines.try_for_each(|line| writeln!(self.out, "{:hang$}{}", "", text::disarmed(line)))
    }

    /// A row of a table: a styled lead, cells, and the last cell, which is wrapped in its column.
    pub(super) fn row(
        &mut self,
        indent: usize,
        style: Style,
        lead: &str,
        cells: &str,
        last: &str,
    ) -> io::Result<()> {
        let column = indent + width(lead) + 2 + width(cells) + 2;
        let most = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(column));
        let lines = wrapped(last, most, most);
        let (first, others) = lines.split_first().map_or(("", &[][..]), |(f, o)| (f.as_str(), o));
        let cells = format!("{cells}  {first}");
        writeln!(self.out, "{:indent$}{style}{lead}{style:#}  {}", "", cells.trim_end())?;
        others
            .iter()
            .try_for_each(|line| writeln!(self.out, "{:column$}{}", "", text::disarmed(line)))
    }

    /// Lines of text, each wrapped, `indent` columns in.
    pub(super) fn text(&mut self, indent: usize, style: Style, text: &str) -> io::Result<()> {
        let most = self
            .columns
            .map_or(usize::MAX, |columns| columns.saturating_sub(indent).max(NARROWEST));
        wrapped(text, most, most).iter().filter(|line| !line.is_empty()).try_for_each(|line| {
            writeln!(self.out, "{:indent$}{style}{}{style:#}", "", text::disarmed(line))
        })
    }
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text in lines of at most so many columns, the first and each other one. Only a web address,
/// which could no longer be opened, is longer.
fn wrapped(text: &str, first: usize, other: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut left = first;
    for word in text.split(' ') {
        let needed = word.width();
        let is_begun = lines.last().is_some_and(|line| !line.is_empty());
        if needed + usize::from(is_begun) > left
            && (is_begun || lines.len() == 1 && needed > first && first < other)
        {
            lines.push(String::new());
            left = other;
        }
        for (at, piece) in pieces(word, left, other).into_iter().enumerate() {
            if at > 0 {
                lines.push(String::new());
                left = other;
            }
            let Some(line) = lines.last_mut() else { continue };
            if at == 0 && !line.is_empty() {
                line.push(' ');
                left = left.saturating_sub(1);
            }
            left = left.saturating_sub(piece.width());
            line.push_str(piece);
        }
    }
    // The first line may be left empty for a word that fits better into the second, wider one.
    lines
}

/// A word that is longer than a line, cut after a sign where there is one.
fn pieces(word: &str, first: usize, other: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut rest, mut left) = (word, first);
    while rest.width() > left && left > 0 && !word.contains("://") {
        let mut used = 0;
        let mut end = 0;
        let mut after_sign = 0;
        for (at, character) in rest.char_indices() {
            used += character.to_string().width();
            if used > left {
                break;
            }
            end = at + character.len_utf8();
            if character.is_ascii_punctuation() {
                after_sign = end;
            }
        }
        // A cut that leaves most of the line empty looks like a mistake.
        let cut = if after_sign * 2 > end { after_sign } else { end };
        if cut == 0 {
            break;
        }
        pieces.push(&rest[..cut]);
        rest = &rest[cut..];
        left = other;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_between_words() {
        for (text, first, other, expected) in [
            ("", 10, 10, &[""][..]),
            ("one two three", 20, 20, &["one two three"]),
            ("one two three", 7, 20, &["one two", "three"]),
            ("one two three", 2, 9, &["", "one two", "three"]),
            ("arn:aws:s3:::bucket", 12, 12, &["", "arn:aws:", "s3:::bucket"]),
            ("arn:aws:s3:::bucket", 14, 12, &["arn:aws:s3:::", "bucket"]),
            ("see https://example.com/a/b", 10, 10, &["see", "https://example.com/a/b"]),
        ] {
            let lines = wrapped(text, first, other);
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            if first == other && text.starts_with("arn") {
                assert_eq!(lines.concat(), text);
                assert!(lines.iter().all(|line| line.width() <= 12), "{lines:?}");
            } else {
                assert_eq!(lines, expected, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(
            words in prop::collection::vec("[a-zä:/._-]{1,40}", 0..12),
            first in 0usize..50,
            other in 20usize..50,
        ) {
            let text = words.join(" ");
            let lines = wrapped(&text, first, other);
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&lines.concat()), bare(&text));
            for (number, line) in lines.iter().enumerate() {
                let most = if number == 0 { first } else { other };
                prop_assert!(line.width() <= most || line.contains("://"), "{line:?} in {lines:?}");
            }
        }
    }
}
