//! What is wrong with a configuration, shown where it is wrong.

use std::fmt;
use std::sync::Arc;

use super::layer::BASE;
use super::node::Mark;
use super::source::Source;
use crate::text;

/// Readers do not read more than this.
const MOST: usize = 50;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnostic {
    /// The file, where it is not the policy file.
    file: Option<Arc<Source>>,
    mark: Option<Mark>,
    message: String,
}

impl Diagnostic {
    pub(super) fn at(mark: Mark, message: impl Into<String>) -> Self {
        Self { file: None, mark: Some(mark), message: message.into() }
    }

    /// Wrong with the file as a whole.
    pub(super) fn somewhere(message: impl Into<String>) -> Self {
        Self { file: None, mark: None, message: message.into() }
    }

    /// Wrong with a file that the policy file names, unless it names another one already.
    pub(super) fn in_file(self, file: &Arc<Source>) -> Self {
        Self { file: self.file.or_else(|| Some(Arc::clone(file))), ..self }
    }

    /// What is only wrong in some environments.
    pub(super) fn only_in(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| match *name {
            BASE => "the base".to_owned(),
            name => format!("`{name}`"),
        });
        let names: Vec<_> = names.collect();
        Self { message: format!("{} (in {})", self.message, names.join(", ")), ..self }
    }
}

/// All that is wrong with a policy file and the files that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<LocatedDiagnostic>);

/// A diagnostic as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LocatedDiagnostic {
    /// As the file was named.
    path: Arc<str>,
    diagnostic: Diagnostic,
    /// The line that it is about.
    snippet: Option<String>,
}

impl ConfigError {
    /// In the order of the file, one for each place: a second one there follows from the first.
    pub(super) fn new(source: &Source, mut diagnostics: Vec<Diagnostic>) -> Self {
        // The policy file comes first.
        let file = |diagnostic: &Diagnostic| diagnostic.file.as_ref().map(|f| Arc::clone(&f.named));
        diagnostics.sort_by_key(|diagnostic| (file(diagnostic), diagnostic.mark));
        diagnostics.dedup_by(|next, first| match first.mark {
            Some(_) => (file(first), first.mark) == (file(next), next.mark),
            None => first == next,
        });
        let more = diagnostics.len().saturating_sub(MOST);
        diagnostics.truncate(MOST);
        if more > 0 {
            let more = text::count(more as u64, "more error");
            diagnostics.push(Diagnostic::somewhere(format!("{more} not shown")));
        }
        let shown = diagnostics.into_iter().map(|diagnostic| {
            let file = diagnostic.file.as_deref().unwrap_or(source);
            let snippet = diagnostic.mark.and_then(|mark| snippet(file.shown_text()?, mark));
            LocatedDiagnostic { path: Arc::clone(&file.named), diagnostic, snippet }
        });
        Self(shown.collect())
    }

    /// A file that could not be read.
    pub(super) fn unreadable(path: &str, message: String) -> Self {
        let diagnostic = Diagnostic::somewhere(message);
        Self(vec![LocatedDiagnostic { path: path.into(), diagnostic, snippet: None }])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, LocatedDiagnostic { path, diagnostic, snippet }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match diagnostic.mark {
                Some(Mark { line, column }) => write!(f, "{path}:{line}:{column}: ")?,
                None => write!(f, "{path}: ")?,
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
fn snippet(text: &str, mark: Mark) -> Option<String> {
    const WIDTH: usize = 160;
    let line = without_secret(line_of(text, mark)?);
    let shown = text::shorten(&text::clean(&line, " "), WIDTH).into_owned();
    let number = mark.line.to_string();
    let gutter = " ".repeat(number.len());
    let before = usize::try_from(mark.column.saturating_sub(1)).ok()?.min(WIDTH);
    Some(format!("{gutter} |\n{number} | {shown}\n{gutter} | {}^", " ".repeat(before)))
}

pub(super) fn line_of(text: &str, mark: Mark) -> Option<&str> {
    text.lines().nth(usize::try_from(mark.line.checked_sub(1)?).ok()?)
}

/// The line without what looks like a token or a password: the snippet ends up in CI logs.
fn without_secret(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((key, value)) = rest.split_once(':') {
        let word = key.rsplit([' ', '{', ',', '"', '\'']).find(|word| !word.is_empty());
        shown.push_str(key);
        shown.push(':');
        rest = value;
        if word.is_some_and(is_secret) && !value.trim().is_empty() {
            shown.push_str(" ***");
            return shown;
        }
    }
    shown.push_str(rest);
    let Some((before, rest)) = shown.split_once("://") else { return shown };
    let authority = rest.find(['/', ' ', '"', '\'']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{before}://***{}", &rest[at..]),
        None => shown,
    }
}

/// Whether a key looks as if its value were a secret. Keys of ours that speak of a token and hold
/// none are not among them.
pub(super) fn is_secret(key: &str) -> bool {
    const OURS: [&str; 3] = ["token_env", "token_kind", "token_file"];
    let key = key.to_ascii_lowercase();
    !OURS.contains(&key.as_str())
        && ["token", "secret", "password", "passwd", "api_key", "apikey", "credential"]
            .iter()
            .any(|word| key.contains(word))
}
