//! Text from outside as a page shows it, and nothing more than shown.

use crate::report::digest;
use crate::text;

/// Text on one line, escaped for elements and for attributes in double quotes.
pub(super) fn escaped(text: &str, most: usize) -> String {
    let line = text::line(text, most);
    let mut out = String::with_capacity(line.len());
    let mut rest = &*line;
    while let Some((at, entity)) = rest.bytes().enumerate().find_map(|(at, byte)| {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => return None,
        };
        Some((at, entity))
    }) {
        out.extend([&rest[..at], entity]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out
}

/// The same for sentences: text between backticks is shown as code.
pub(super) fn prose(text: &str, most: usize) -> String {
    let mut out = String::new();
    let escaped = escaped(text, most);
    let pieces: Vec<_> = escaped.split('`').collect();
    for (at, piece) in pieces.iter().enumerate() {
        match at {
            0 => {}
            // A backtick without its second one is a backtick.
            _ if at % 2 == 1 && at + 1 == pieces.len() => out.push('`'),
            _ if at % 2 == 1 => out.push_str("<code>"),
            _ => out.push_str("</code>"),
        }
        out.push_str(piece);
    }
    out
}

/// A name, an id, a path.
pub(super) fn code(text: &str, most: usize) -> String {
    format!("<code>{}</code>", escaped(text, most))
}

/// A link to a page, if a browser may open it; else its address as text.
pub(super) fn link(address: &str, title: &str) -> String {
    let address = text::line(address, 1_000);
    match digest::is_web_address(&address) {
        true => format!(
            "<a href=\"{}\" rel=\"noreferrer\">{}</a>",
            escaped(&address, 1_000),
            escaped(title, 200)
        ),
        false => escaped(&address, 300),
    }
}
