//! Files of acceptances that a policy file names.

use std::sync::Arc;

use serde::Deserialize;

use super::accept::AcceptEntry;
use super::diagnostic::Diagnostic;
use super::node::Node;
use super::reader::{Located, Reader};
use super::source::{Files, Source};
use super::values::Version;
use super::yaml;

/// The most bytes of such a file.
const MOST_BYTES: u64 = 1 << 20;

/// A file as written.
#[derive(Debug)]
pub(super) struct AcceptText {
    pub source: Arc<Source>,
    root: Node,
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
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<AcceptText> {
    let mut read: Vec<AcceptText> = Vec::new();
    for node in policy.get("accept_files").map(Node::items).unwrap_or_default() {
        let Some(path) = node.text() else { continue };
        match files.read(&source.folder, path, MOST_BYTES) {
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

impl AcceptText {
    /// Its entries, as far as they can be read.
    pub(super) fn entries(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Located<AcceptEntry>> {
        let reader = Reader::new(&self.source.text, true);
        let file: Option<AcceptFile> = reader.read("", &self.root);
        diagnostics.extend(reader.into_diagnostics());
        file.map(|file| file.accept).unwrap_or_default()
    }
}
