//! Whether a file is a report of an earlier run, which a new one may replace.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{TOOL, attestation, json};
use crate::saved;

/// Every format names itself before this.
const HEAD: u64 = 16 << 10;

/// Whether nothing but a report is lost with a file: it is one of ours, in any format, or empty.
pub(crate) fn is_report(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(is_head_of_report(&String::from_utf8_lossy(&head)))
}

fn is_head_of_report(head: &str) -> bool {
    let head = head.trim();
    let has = |text: &str| head.contains(text);
    match head.as_bytes().first() {
        None => true,
        // JSON, evidence, attestations and SARIF.
        Some(b'{') => {
            has(json::SCHEMA)
                || has(saved::SCHEMA)
                || attestation::is_head(head)
                || has(&format!("\"name\":\"{TOOL}\""))
        }
        // GitLab code quality; `[]` is its report of a pass.
        Some(b'[') => head == "[]" || (has("\"check_name\":") && has("\"fingerprint\":")),
        Some(b'<') if has("<!doctype html>") => has(&format!("<title>{TOOL}: ")),
        // JUnit.
        Some(b'<') => has("<testsuites") && has(&format!("\"{TOOL}")),
        // Markdown.
        Some(b'#') => head.starts_with("### ") && has("\nPolicy ") && has("Exit code "),
        _ => head.starts_with("COMPLIANCE_GATE_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_not_reports() {
        for (head, ours) in [
            ("", true),
            (" \n", true),
            ("[]\n", true),
            ("COMPLIANCE_GATE_VERDICT=passed\n", true),
            ("# compliance-gate\n\nA deploy gate.\n", false),
            ("### Deploy\n\nRuns `compliance-gate`.\n", false),
            ("{\"name\": \"app\"}", false),
            ("<testsuites><testsuite name=\"unit\"/></testsuites>", false),
            ("#!/bin/sh\n", false),
            ("[1, 2]", false),
            ("A=1\nCOMPLIANCE_GATE_VERDICT=passed\n", false),
        ] {
            assert_eq!(is_head_of_report(head), ours, "{head}");
        }
    }
}
