//! Files of acceptances that a policy file names.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::accept::AcceptEntry;
use super::diagnostic::Diagnostic;
use super::node::Node;
use super::reader::{Located, Reader};
use super::source::{Files, Source};
use super::values::Version;
use super::yaml;
use crate::policy::{Document, Whose};
use crate::text;

/// The most bytes of such a file.
const MOST_BYTES: u64 = 1 << 20;

/// A file as written.
#[derive(Debug)]
pub(super) struct AcceptText {
    pub source: Arc<Source>,
    root: Node,
}

/// A file as it is named: its path, or its path and the SHA-256 of its bytes.
#[derive(Debug)]
pub(super) struct Named;

/// A file that is only taken as it was when it was reviewed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read for its check")]
pub(super) struct Pinned {
    /// The path. It begins at the folder of the policy file.
    path: String,
    /// The SHA-256 of the file's bytes, in hexadecimal digits.
    sha256: Hexadecimal,
}

/// A SHA-256, in hexadecimal digits.
#[derive(Debug)]
pub(super) struct Hexadecimal;

impl<'de> Deserialize<'de> for Hexadecimal {
    fn deserialize<D: Deserializer<'de>>(digest: D) -> Result<Self, D::Error> {
        text::sha256(&String::deserialize(digest)?).map(|_| Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(named: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or `{path: …, sha256: …}`")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Named, E> {
                Ok(Named)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Named, A::Error> {
                Pinned::deserialize(MapAccessDeserializer::new(map)).map(|_| Named)
            }
        }
        named.deserialize_any(Either)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptFile {
    #[expect(dead_code, reason = "it is read for its check")]
    version: Version,
    accept: Vec<Located<AcceptEntry>>,
}

/// Reads the files that are named. What is wrong with the list itself is found when the policy file
/// is read.
pub(super) fn read(
    policy: &Node,
    source: &Source,
    files: &Files,
    whose: Whose,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<AcceptText> {
    let mut read: Vec<AcceptText> = Vec::new();
    for node in policy.get("accept_files").map(Node::items).unwrap_or_default() {
        let path = node.text().or_else(|| node.get("path")?.text());
        let sha256 = node.get("sha256").and_then(Node::text);
        let Some(path) = path else { continue };
        let named = files.read(&source.folder, path, MOST_BYTES, whose);
        match named.and_then(|named| files.pinned(named, path, sha256, whose)) {
            Err(message) => diagnostics.push(Diagnostic::at(node.mark, message)),
            Ok(named) if read.iter().any(|file| file.source.named == named.named) => {
                diagnostics.push(Diagnostic::at(node.mark, format!("`{path}` is named twice")));
            }
            Ok(named) => {
                let source = Arc::new(named);
                let mut slips = Vec::new();
                let root = yaml::read(&source.text, &mut slips);
                diagnostics.extend(slips.into_iter().map(|slip| slip.in_file(&source)));
                read.extend(root.map(|root| AcceptText { source, root }));
            }
        }
    }
    read
}

impl Files {
    /// A file that is as the policy promises. One that the repository can change must be promised
    /// where the policy is that of an organisation.
    ///
    /// # Errors
    /// A sentence that names the file.
    fn pinned(
        &self,
        named: Source,
        path: &str,
        sha256: Option<&str>,
        whose: Whose,
    ) -> Result<Source, String> {
        let own = || Document::new("", &*named.text).sha256;
        match sha256 {
            Some(promised) if !promised.eq_ignore_ascii_case(&own()) => Err(format!(
                "`{path}` has SHA-256 {}, and the policy promises {promised}; nothing of it is taken",
                own()
            )),
            None if whose == Whose::Organisation && self.is_on_disk() && named.is_inside() => {
                Err(format!(
                    "`{path}` is inside the workspace, where the repository can change it; pin it, \
                     as in `{{path: {path}, sha256: {}}}`",
                    own()
                ))
            }
            _ => Ok(named),
        }
    }

    pub(super) const fn is_on_disk(&self) -> bool {
        matches!(self, Self::OnDisk)
    }
}

impl AcceptText {
    /// Its entries, as far as they can be read.
    pub(super) fn entries(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Located<AcceptEntry>> {
        let reader = Reader::new(&self.source.text, true);
        let file: Option<AcceptFile> = reader.read("", &self.root);
        diagnostics.extend(reader.into_diagnostics());
        file.map(|file| file.accept).unwrap_or_default()
    }
}
