//! Tokens: read from the pipeline's variables or files, and masked in every text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::text;
use crate::workspace;

mod mask;

pub use mask::Mask;

/// The largest token file. Signed tokens with many claims have a few kilobytes.
const MOST_BYTES: u64 = 64 << 10;

/// The variables of this process, as a value: modules that depend on them can be tested, and the
/// demo can set its own.
pub type Variables = BTreeMap<String, String>;

/// A token. Prints as `***`.
#[derive(Clone)]
pub struct Secret(SecretString);

/// The pipeline's token, and the variable it came from.
#[derive(Clone, Debug)]
pub struct Token {
    pub variable: String,
    pub secret: Secret,
    /// The kind of token that the pipeline states: the value of `<variable>_KIND`.
    pub kind: Option<String>,
}

impl Token {
    /// Reads the token from whichever of these variables is set.
    ///
    /// # Errors
    /// A sentence, if none or several are set, or the token is unusable.
    pub fn read(names: &[String], variables: &Variables) -> Result<Self, String> {
        let is_set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
        let set = names.iter().filter(|name| is_set(name) || is_set(&format!("{name}_FILE")));
        match set.collect::<Vec<_>>().as_slice() {
            [only] => {
                let secret = Secret::read(only, variables)?;
                let kind = variables.get(&format!("{only}_KIND")).filter(|kind| !kind.is_empty());
                Ok(Self { variable: (*only).clone(), secret, kind: kind.cloned() })
            }
            [] => Err(format!(
                "{} is not set (or empty), and neither is {}; set it in the pipeline's secrets",
                names.join(" or "),
                names.iter().map(|name| format!("{name}_FILE")).collect::<Vec<_>>().join(" or ")
            )),
            _ => Err(format!("{} are both set; keep one of them", names.join(" and "))),
        }
    }
}

impl Secret {
    /// A secret, if it can be sent as a header. It is masked in every text from now on.
    pub fn new(text: String) -> Option<Self> {
        Mask::remember(&text);
        let sendable = !text.is_empty() && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        sendable.then(|| Self(text.into()))
    }

    /// Reads the token that `variable` holds, or the file that `<variable>_FILE` names. An empty
    /// variable counts as unset. White space and a byte order mark at the ends are removed.
    ///
    /// # Errors
    /// A sentence, if there is none, if both are set, or if the token could not be sent as a
    /// header (a newline or a control character inside).
    fn read(variable: &str, variables: &Variables) -> Result<Self, String> {
        let file_variable = format!("{variable}_FILE");
        let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let token = match (set(variable), set(&file_variable)) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "both {variable} and {file_variable} are set; keep one of them"
                ));
            }
            (Some(token), None) => trimmed(token).to_owned(),
            (None, Some(path)) => Self::read_file(&file_variable, Path::new(path))?,
            (None, None) => String::new(),
        };
        if token.is_empty() {
            return Err(format!("{variable} holds nothing but white space"));
        }
        if token.contains(['\n', '\r']) {
            return Err(format!("the token in {variable} has a newline in it; store it without"));
        }
        // Copied from a header, with the scheme. A token itself has no space, so this is safe.
        let bare = token.strip_prefix("Bearer ").map(|bare| bare.trim_start().to_owned());
        Self::new(bare.unwrap_or(token)).ok_or_else(|| {
            format!(
                "the token in {variable} contains a space, a control character or a character beyond \
                 ASCII; check that it was copied completely and without other text"
            )
        })
    }

    fn read_file(variable: &str, path: &Path) -> Result<String, String> {
        let failed = |why: &dyn fmt::Display| {
            format!("failed to read the file that {variable} names ({}): {why}", path.display())
        };
        let content =
            workspace::read(path, MOST_BYTES).map_err(|error| failed(&text::reason(&error)))?;
        let text = String::from_utf8(content).map_err(|_| failed(&"it is not a text"))?;
        match trimmed(&text) {
            "" => Err(format!("the file that {variable} names ({}) is empty", path.display())),
            token => Ok(token.to_owned()),
        }
    }

    /// The token itself, for the header or body that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A text without the white space and byte order marks at its ends, which editors and secret stores
/// add.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// Makes all tokens known that the pipeline hands over to this process, before anything is read
/// that could hold one of them by mistake: a policy file that is a link to a token, say. Variables
/// count whose names begin with one of these prefixes and do not say that they hold something else.
pub fn mask_tokens(variables: &Variables, prefixes: &[&str]) {
    const PLAIN: [&str; 5] = ["_URL", "_KIND", "_USER", "_EMAIL", "_USERNAME"];
    for (name, value) in variables {
        if !prefixes.iter().any(|prefix| name.starts_with(prefix))
            || PLAIN.iter().any(|suffix| name.ends_with(suffix))
        {
            continue;
        }
        if !name.ends_with("_FILE") {
            Mask::remember(trimmed(value));
        } else if let Ok(content) = workspace::read(Path::new(value), MOST_BYTES) {
            Mask::remember(trimmed(&String::from_utf8_lossy(&content)));
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
