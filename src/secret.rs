//! Tokens: read from the pipeline's variables or files, and masked in every text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

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
    /// A secret, if it can be sent as a header.
    pub fn new(text: String) -> Option<Self> {
        let sendable = !text.is_empty() && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        sendable.then(|| Self(text.into()))
    }

    /// Reads the token that `variable` holds, or the file that `<variable>_FILE` names. An empty
    /// variable counts as unset; a file may end in one newline.
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
            (Some(token), None) => token.clone(),
            (None, Some(path)) => Self::read_file(&file_variable, Path::new(path))?,
            (None, None) => String::new(),
        };
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
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("failed to read the file that {variable} names ({}): {error}", path.display())
        })?;
        let token = text.strip_suffix('\n').unwrap_or(&text);
        let token = token.strip_suffix('\r').unwrap_or(token);
        if token.is_empty() {
            return Err(format!("the file that {variable} names ({}) is empty", path.display()));
        }
        Ok(token.to_owned())
    }

    /// The token itself, for the header or body that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the token is too long to be an ordinary word by chance. Only such a token is masked
    /// in evidence: a token `viewer` must not turn a role into `***`.
    pub fn is_unmistakable(&self) -> bool {
        self.expose().len() >= 12
    }

    /// The text with every copy of the token replaced. Some platforms echo it.
    pub fn redact(&self, bytes: Vec<u8>) -> Vec<u8> {
        let token = self.expose().as_bytes();
        if memchr::memmem::find(&bytes, token).is_none() {
            return bytes;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = &*bytes;
        while let Some(at) = memchr::memmem::find(rest, token) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(b"***");
            rest = &rest[at + token.len()..];
        }
        clean.extend_from_slice(rest);
        clean
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
