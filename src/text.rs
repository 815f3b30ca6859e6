//! Untrusted text, made safe to show, and the phrases that several modules share. Each report
//! format adds its own escaping.
//!
//! Anyone who can name a cloud resource can write into our reports and into the log of the job that
//! prints them. Characters that could control a terminal or a parser, or mislead a reader, are
//! removed. Commands that a CI host would carry out are broken by a visible space.

use std::borrow::Cow;

mod moment;
#[cfg(test)]
pub(crate) mod published;
mod undocumented;

pub use moment::moment;
pub use undocumented::Undocumented;

/// Reads a SHA-256 in hexadecimal digits.
///
/// # Errors
/// How to write it.
pub fn sha256(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "a SHA-256 has 64 hexadecimal digits".to_owned())
}

/// Bytes as hexadecimal digits in lower case, two for each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text without hidden characters (controls, bidirectional and invisible ones, and those that
/// XML refuses) and without live workflow commands. Line breaks and tabs become `line_break`.
pub fn clean(text: &str, line_break: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            _ if is_break(character) => out.push_str(line_break),
            _ if is_hidden(character) => {}
            _ => out.push(character),
        }
    }
    match disarmed(&out) {
        Cow::Borrowed(_) => out,
        Cow::Owned(text) => text,
    }
}

/// The text with its line breaks and nothing else that [`clean`] takes out; borrowed if there was
/// nothing to do, which is the usual case.
pub fn safe(text: &str) -> Cow<'_, str> {
    let suspect = |c: char| c != '\n' && (is_break(c) || is_hidden(c));
    // Nearly all text is plain, which is checked much faster.
    match is_plain(text) || !text.contains(suspect) {
        true => disarmed(text),
        false => clean(text, "\n").into(),
    }
}

/// The text on one line of at most `most` characters, with `…` where it was cut.
pub fn one_line(text: &str, most: usize) -> String {
    line(text, most).into_owned()
}

/// The same, borrowed if there was nothing to do.
pub fn line(text: &str, most: usize) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.len() <= most && is_harmless(trimmed) {
        return trimmed.into();
    }
    // Text far beyond the cut need not be cleaned. Cleaning may remove much of it, so the factor.
    let near = text.char_indices().nth(most.saturating_mul(4)).map_or(text, |(at, _)| &text[..at]);
    let line = clean(near.trim(), " ");
    let line = shorten(line.trim(), most);
    // Removing or cutting characters may have moved a command to the beginning.
    disarmed(&line).into_owned().into()
}

/// Whether the text is printable ASCII without a workflow command. Nearly all text is, and needs no
/// further work.
fn is_harmless(text: &str) -> bool {
    !text.starts_with("::") && is_plain(text)
}

/// Whether the text is printable ASCII without `#`. Eight bytes are looked at together: every text of
/// every report comes here.
fn is_plain(text: &str) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    const HIGH: u64 = each(0x80);
    // The high bit of any byte is set if a byte is below `least`, which is at most 0x80.
    let has_less = |word: u64, least: u8| word.wrapping_sub(each(least)) & !word & HIGH;
    let has = |word: u64, byte: u8| has_less(word ^ each(byte), 1);
    let is_plain = |word: u64| {
        let other = word & HIGH | has_less(word, b' ') | has(word, 0x7F) | has(word, b'#');
        other == 0
    };
    let (words, rest) = text.as_bytes().as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).all(|word| is_plain(u64::from_ne_bytes(*word)))
}

/// The text with every workflow command broken by a space: `: :error::`, `# #vso[…]`.
///
/// GitHub carries out `::word::` at the beginning of a line, after white space. `##[word]` (GitHub,
/// Azure), `##vso[…]` (Azure) and `##teamcity[…]` work anywhere in a line. A `::` within a line is
/// kept: `AWS::S3::Bucket` is a name.
pub fn disarmed(text: &str) -> Cow<'_, str> {
    if is_plain(text) && !text.trim_start().starts_with("::") {
        return text.into();
    }
    let mut breaks: Vec<usize> = bracket_commands(text).collect();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start();
        if rest.starts_with("::") {
            breaks.push(start + (line.len() - rest.len()) + 1);
        }
        start += line.len();
    }
    if breaks.is_empty() {
        return text.into();
    }
    breaks.sort_unstable();
    let mut out = String::with_capacity(text.len() + breaks.len());
    let mut from = 0;
    for at in breaks {
        out.push_str(&text[from..at]);
        out.push(' ');
        from = at;
    }
    out.push_str(&text[from..]);
    out.into()
}

/// The positions of the second `#` of each `##word[`.
fn bracket_commands(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, "##").flat_map(move |first| {
        // `###[` begins with two overlapping pairs of which the search finds one.
        [first + 1, first + 2].into_iter().filter(move |second| {
            let is_pair = bytes.get(*second) == Some(&b'#');
            let word = bytes.get(second + 1..).unwrap_or_default();
            let letters = word.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            is_pair && word.get(letters) == Some(&b'[')
        })
    })
}

/// The text cut to at most `most` characters, with `…` where it was cut.
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", &text[..end]).into()
        }
    }
}

/// `1 finding`, `2 findings`, `30,817 entries`.
pub fn count(number: u64, noun: &str) -> String {
    let noun = if number == 1 { noun.to_owned() } else { plural(noun) };
    format!("{} {noun}", thousands(number))
}

/// `findings`, `entries`.
pub fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// `a, b, c and 2 more`: the first `most` items. `separator` is usually `", "`.
pub fn listed<T: AsRef<str>>(
    items: impl IntoIterator<Item = T>,
    separator: &str,
    most: usize,
) -> String {
    let mut items = items.into_iter();
    let mut list = String::new();
    for (at, item) in items.by_ref().take(most).enumerate() {
        if at > 0 {
            list.push_str(separator);
        }
        list.push_str(item.as_ref());
    }
    match items.count() {
        0 => list,
        more if list.is_empty() => format!("{} more", thousands(more as u64)),
        more => format!("{list} and {} more", thousands(more as u64)),
    }
}

/// The system's words for what failed, without the number that it adds.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// A number with thousands separators.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `; did you mean `x`?` for the nearest of the known words, or nothing.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// The known word that is most similar to the given one, if any is similar enough.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&given.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= 0.79)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Characters that some reader treats as a line break or a tab.
fn is_break(character: char) -> bool {
    matches!(
        character,
        '\n' | '\t' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Controls, Unicode's default-ignorable and bidirectional characters, and non-characters.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(character) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_workflow_command_is_broken_where_everyone_can_see_it() {
        for (given, shown) in [
            ("::error::gone", ": :error::gone"),
            ("  ::error::gone", "  : :error::gone"),
            ("\u{a0}::error::", "\u{a0}: :error::"),
            ("fine\n::stop-commands::x", "fine\n: :stop-commands::x"),
            ("fine\r::error::x", "fine\n: :error::x"),
            ("\u{200b}::error::x", ": :error::x"),
            (":\u{200b}:error::x", ": :error::x"),
            ("x ##[error]y", "x # #[error]y"),
            ("##vso[task.complete]", "# #vso[task.complete]"),
            ("#\u{7}#vso[task.complete]", "# #vso[task.complete]"),
            ("###[group]####[group]", "## #[group]### #[group]"),
            ("##teamcity[message]", "# #teamcity[message]"),
            ("AWS::S3::Bucket", "AWS::S3::Bucket"),
            ("## A title", "## A title"),
        ] {
            assert_eq!(safe(given), shown, "{given:?}");
            assert_eq!(clean(given, "\n"), shown, "{given:?}");
        }
    }

    #[test]
    fn text_that_is_safe_already_is_not_copied() {
        assert!(matches!(safe("arn:aws:s3:::bücket\nline two"), Cow::Borrowed(_)));
    }

    #[test]
    fn counts_and_lists_read_as_a_person_writes_them() {
        assert_eq!(count(1, "entry"), "1 entry");
        assert_eq!(count(30_817, "entry"), "30,817 entries");
        assert_eq!(count(2, "key"), "2 keys");
        assert_eq!(count(0, "finding"), "0 findings");
        assert_eq!(listed(["a", "b"], ", ", 2), "a, b");
        assert_eq!(listed(["a", "b", "c", "d"], "; ", 2), "a; b and 2 more");
        assert_eq!(listed(["a"], ", ", 0), "1 more");
        assert_eq!(listed::<&str>([], ", ", 5), "");
    }

    #[test]
    fn one_line_is_one_line_of_that_many_characters() {
        assert_eq!(one_line("  two\r\nlines\tand more ", 80), "two lines and more");
        assert_eq!(one_line("ä long tale", 6), "ä lon…");
        assert_eq!(one_line(&"\u{202e}".repeat(10_000), 6), "");
        assert_eq!(one_line("\u{202e} ::error::x", 80), ": :error::x");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in hostile()) {
            for shown in [safe(&text).into_owned(), clean(&text, " "), one_line(&text, 40)] {
                prop_assert!(!shown.contains(|c| is_hidden(c) && c != '\n'), "{shown:?}");
                prop_assert!(!has_command(&shown), "{shown:?}");
            }
        }

        #[test]
        fn one_line_is_the_same_with_and_without_the_fast_path(text in hostile()) {
            let line = clean(text.trim(), " ");
            let slow = disarmed(&shorten(line.trim(), 40)).into_owned();
            prop_assert_eq!(one_line(&text, 40), slow);
        }

        #[test]
        fn plain_text_is_printable_ascii_without_number_signs(text in hostile(), at in 0..20_usize) {
            let plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'#');
            prop_assert_eq!(is_plain(&text), plain(&text));
            for byte in 0..=127 {
                let mut line = "a".repeat(20);
                line.insert(at, char::from(byte));
                prop_assert_eq!(is_plain(&line), plain(&line), "{:?}", line);
            }
        }

        #[test]
        fn nothing_is_changed_twice(text in hostile()) {
            let once = safe(&text).into_owned();
            prop_assert_eq!(safe(&once), once.clone());
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[ #:a-z\\[\\]]{0,6}",
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                "::error::",
                "##[error]",
                "##vso[x]",
                "\r\n",
                "\u{202e}",
                "\u{1b}[2J"
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// How the hosts look for commands, written down a second time.
    fn has_command(text: &str) -> bool {
        text.lines().any(|line| {
            line.trim_start().starts_with("::")
                || line.split("##").skip(1).any(|rest| {
                    rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('[')
                })
        })
    }
}
