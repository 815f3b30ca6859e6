//! Attestations: the decision in the form in which verifiers of other makers read it.
//!
//! ```text
//! predicate   the decision itself, for every verdict
//! svr         the result that lets an artefact through (Simple Verification Result of in-toto)
//! statement   either of them, bound to what it is about
//! ```
//!
//! A bare predicate is what `cosign attest` and `actions/attest` sign; a statement is what
//! `cosign attest-blob --statement` signs. Nothing is signed here.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Format, View};

pub(super) mod predicate;
mod statement;
mod svr;

pub(crate) use predicate::ORGANISATION_POLICY;
pub(crate) use svr::{TYPE as SVR, VERIFIER, property, why_not};

/// The predicate type of a decision.
pub(crate) const DECISION: &str = "https://compliance-gate.dev/decision/v1";

/// The files of an attestation, by their names in its folder.
static FILES: [(&str, Format); 4] = [
    ("decision.predicate.json", format("decision-predicate", decision_predicate)),
    ("decision.statement.json", format("decision-statement", decision_statement)),
    ("svr.predicate.json", format("svr-predicate", svr_predicate)),
    ("svr.statement.json", format("svr-statement", svr_statement)),
];

/// The flag that asks for all of them.
pub(super) const FLAG: &str = "attestation";

const fn format(
    name: &'static str,
    render: fn(&View<'_>, &mut dyn Write) -> io::Result<()>,
) -> Format {
    Format { name, title: FLAG, extension: "json", render }
}

/// The files of an attestation in this folder.
pub fn targets(folder: &Path) -> Vec<(&'static Format, PathBuf)> {
    FILES.iter().map(|(name, format)| (format, folder.join(name))).collect()
}

/// Whether a format is one of them.
pub(super) fn is_part(format: &Format) -> bool {
    FILES.iter().any(|(_, own)| own.name == format.name)
}

/// Whether the beginning of a file is that of one of them.
pub(super) fn is_head(head: &str) -> bool {
    [predicate::SCHEMA, DECISION, VERIFIER, SVR].iter().any(|mark| head.contains(mark))
}

fn decision_predicate(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(&predicate::of(view), out)
}

fn decision_statement(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let subjects = statement::of_decision(view);
    write(&statement::Statement::new(DECISION, subjects, predicate::of(view)), out)
}

/// Writes nothing where no artefact may be let through; then there is no file.
fn svr_predicate(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    match why_not(view) {
        None => write(&svr::of(view), out),
        Some(_) => Ok(()),
    }
}

/// Writes nothing where no artefact may be let through; then there is no file.
fn svr_statement(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let subjects = view.subjects.iter().map(statement::artefact).collect();
    match why_not(view) {
        None => write(&statement::Statement::new(SVR, subjects, svr::of(view)), out),
        Some(_) => Ok(()),
    }
}

fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}
