//! What is wrong with a configuration, shown where it is wrong.

use std::fmt;

use serde_yaml::Error;

use crate::policy::Place;
use crate::text;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    place: Option<Place>,
    message: String,
}

impl Diagnostic {
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), message: message.into() }
    }

    /// Wrong with the file as a whole.
    pub(super) fn somewhere(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into() }
    }

    /// What the YAML reader refused, in words for someone who writes policies.
    pub(super) fn from_yaml(error: &Error, text: &str) -> Self {
        let place = error
            .location()
            .map(|location| Place { line: location.line(), column: location.column() })
            .filter(|place| place.line > 0);
        let line = place.and_then(|place| line_of(text, place)).unwrap_or_default();
        Self { place, message: sentence(error.without_snippet(), line) }
    }
}

fn sentence(error: &Error, line: &str) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("key `{key}` is given twice; only one of them could count"),
            None => "a key is given twice; only one of them could count".to_owned(),
        },
        Error::InvalidScalar { ty, .. } => format!("this is not {}", in_words(ty)),
        Error::Eof { .. } => {
            "the file ends before it says anything; `compliance-gate policy init` \
                              writes one to begin with"
                .to_owned()
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins here (`---`); a policy is one".to_owned()
        }
        Error::NullIntoString { .. } => "a value is missing here".to_owned(),
        Error::Unexpected { expected: "mapping start", .. } => {
            "keys with values are expected here, as in `key: value`".to_owned()
        }
        _ if is_block_scalar_severity(line) => {
            "an unquoted `>` begins a YAML block text; write it in quotes: `severity: \">= high\"`"
                .to_owned()
        }
        other => {
            let message = other.to_string();
            // The place is shown by us.
            let message = message.rsplit_once(" at line ").map_or(&*message, |(before, _)| before);
            let message = message.strip_prefix("error: ").unwrap_or(message);
            let hint =
                if message.contains("tab") { "; YAML is indented with spaces only" } else { "" };
            format!("{}{hint}", text::one_line(message, 500))
        }
    }
}

fn unknown(what: &str, given: &str, expected: &[&'static str]) -> String {
    let secret = if is_secret(given) {
        "; tokens never stand in this file: set them as variables in the pipeline"
    } else {
        ""
    };
    format!(
        "unknown {what} `{given}`{}{secret} (known: {})",
        text::did_you_mean(given, expected.iter().copied()),
        expected.join(", ")
    )
}

fn in_words(ty: &str) -> &str {
    match ty {
        "u64" | "u32" | "u16" | "u8" => "a whole number of 0 or more",
        "bool" => "`true` or `false`",
        other => other,
    }
}

/// `severity: >= high`, which YAML takes for the start of a folded text.
fn is_block_scalar_severity(line: &str) -> bool {
    line.trim_start()
        .trim_start_matches("- ")
        .strip_prefix("severity:")
        .is_some_and(|value| value.trim_start().starts_with('>'))
}

/// All that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    diagnostics: Vec<(Diagnostic, Option<String>)>,
}

impl ConfigError {
    pub(super) fn new(path: &str, text: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let diagnostics = diagnostics.into_iter().map(|diagnostic| {
            let snippet = diagnostic.place.and_then(|place| snippet(text, place));
            (diagnostic, snippet)
        });
        Self { path: path.to_owned(), diagnostics: diagnostics.collect() }
    }

    pub(super) fn whole_file(path: &str, message: String) -> Self {
        Self { path: path.to_owned(), diagnostics: vec![(Diagnostic::somewhere(message), None)] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (diagnostic, snippet)) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match diagnostic.place {
                Some(Place { line, column }) => write!(f, "{}:{line}:{column}: ", self.path)?,
                None => write!(f, "{}: ", self.path)?,
            }
            f.write_str(&text::one_line(&diagnostic.message, 1000))?;
            if let Some(snippet) = snippet {
                write!(f, "\n{snippet}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The line with a mark below the column.
fn snippet(text: &str, place: Place) -> Option<String> {
    const WIDTH: usize = 160;
    let line = without_secret(line_of(text, place)?);
    let shown = text::shorten(&text::clean(&line, " "), WIDTH).into_owned();
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let before = usize::try_from(place.column.saturating_sub(1)).ok()?.min(WIDTH);
    Some(format!("{gutter} |\n{number} | {shown}\n{gutter} | {}^", " ".repeat(before)))
}

fn line_of(text: &str, place: Place) -> Option<&str> {
    text.lines().nth(usize::try_from(place.line.checked_sub(1)?).ok()?)
}

/// The line without what looks like a token or a password: the snippet ends up in CI logs.
fn without_secret(line: &str) -> String {
    if let Some((key, value)) = line.split_once(':')
        && is_secret(key)
        && !value.trim().is_empty()
    {
        return format!("{key}: ***");
    }
    let Some((before, rest)) = line.split_once("://") else { return line.to_owned() };
    let authority = rest.find(['/', ' ', '"', '\'']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{before}://***{}", &rest[at..]),
        None => line.to_owned(),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !key.contains("token_env")
        && ["token", "secret", "password", "passwd", "api_key", "apikey"]
            .iter()
            .any(|w| key.contains(w))
}
