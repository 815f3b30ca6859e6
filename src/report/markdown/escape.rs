//! Text from outside as markdown shows it, and nothing more than shown.
//!
//! Escapes alone do not help against what hosts look for in the finished page: mentions, issue
//! numbers, addresses, shortcodes. They leave code alone, so text that has any of these is shown
//! as code.

use crate::text;

/// A name, an id, a path: always as code.
pub(super) fn code(text: &str, most: usize) -> String {
    code_of(&text::one_line(text, most))
}

/// A sentence: as it is, unless a host would make more of it.
pub(crate) fn prose(text: &str, most: usize) -> String {
    let line = text::one_line(text, most);
    if means_more(&line) { code_of(&line) } else { entities(&line) }
}

fn code_of(line: &str) -> String {
    match line {
        "" => "–".to_owned(),
        line if line.contains('|') => html_code(line),
        line => code_span(line),
    }
}

/// Between more backticks than there are in it, where everything but an end of a table's cell is
/// only text.
fn code_span(line: &str) -> String {
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // One space at both ends is not shown.
    let pad = if line.starts_with(['`', ' ']) || line.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// What markdown does not know to be code: in addition to markup, everything that it makes a link
/// of has to be broken. An address of mail is looked for also behind entities.
fn html_code(line: &str) -> String {
    let broken = entities(line).replace(':', "&#58;").replace('.', "&#46;");
    format!("<code>{}</code>", broken.replace("&#64;", "&#64;</code><code>"))
}

/// Every character that markdown or HTML may obey, as an entity: those are text, never markup.
pub(super) fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '.' | ',' | ':' | ';' | '/' | '+' | '-' | '=' | '(' | ')' | '\'' | '?' | '%' => {
                out.push(character);
            }
            '_' if out.ends_with(|c: char| c.is_ascii_alphanumeric()) => out.push('_'),
            _ if character.is_ascii_punctuation() => {
                out.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Whether a host would make a mention, a reference, a link or a picture of it.
fn means_more(line: &str) -> bool {
    let lower = line.to_lowercase();
    let has_link =
        ["//", "www.", "mailto:", "xmpp:", "gh-"].iter().any(|sign| lower.contains(sign));
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
    let mut before = ' ';
    let mut signs = line.chars().zip(line.chars().skip(1)).filter(|(sign, next)| {
        let is_time = std::mem::replace(&mut before, *sign).is_ascii_digit();
        match sign {
            '@' | '#' | '!' | '$' | '%' | '&' | '~' | '^' => is_word(*next),
            ':' => !is_time && (is_word(*next) || matches!(next, '+' | '-')),
            _ => false,
        }
    });
    has_link || signs.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stays_prose_where_no_host_makes_more_of_it() {
        for (text, shown) in [
            ("S3 buckets block public access", "S3 buckets block public access"),
            ("100% of 3 (or 4)", "100% of 3 (or 4)"),
            ("a | b", "a &#124; b"),
            ("<b>*bold*</b>", "&#60;b&#62;&#42;bold&#42;&#60;/b&#62;"),
            ("two\n- lines", "two - lines"),
            ("[text](x)", "&#91;text&#93;(x)"),
            ("![x](y)", "&#33;&#91;x&#93;(y)"),
            ("snake_case and _this_", "snake_case and &#95;this_"),
            ("`code`", "&#96;code&#96;"),
            ("\\| &amp;", "<code>&#92;&#124; &#38;amp;</code>"),
            ("ask @octo", "`ask @octo`"),
            (
                "http://a.b | c@d.e",
                "<code>http&#58;//a&#46;b &#124; c&#64;</code><code>d&#46;e</code>",
            ),
            ("see #12", "`see #12`"),
            ("at https://evil.example", "`at https://evil.example`"),
            ("www.evil.example", "`www.evil.example`"),
            (":tada:", "`:tada:`"),
            ("GH-7", "`GH-7`"),
            ("a + b at 14:11 UTC", "a + b at 14:11 UTC"),
        ] {
            assert_eq!(prose(text, 100), shown, "{text}");
        }
    }

    #[test]
    fn code_is_never_left_early() {
        for (text, shown) in [
            ("arn:aws:s3:::x", "`arn:aws:s3:::x`"),
            ("a`b", "``a`b``"),
            ("``a", "``` ``a ```"),
            ("a|b", "<code>a&#124;b</code>"),
            ("</code>", "`</code>`"),
            ("a\\", "`a\\`"),
            ("[x](http://evil.example/`)", "``[x](http://evil.example/`)``"),
            ("", "–"),
            ("\u{202e}", "–"),
        ] {
            assert_eq!(code(text, 100), shown, "{text}");
        }
    }
}
