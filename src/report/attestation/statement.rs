//! Statements of in-toto: a predicate, bound to what it is about.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::artefact::Artefact;
use crate::report::View;
use crate::report::facts::commit_digest;
use crate::text::one_line;

/// Its keys are in this order so that the beginning of a file names its type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement<P> {
    #[serde(rename = "_type")]
    kind: &'static str,
    predicate_type: &'static str,
    subject: Vec<Descriptor>,
    predicate: P,
}

/// Something that has a digest.
#[derive(Serialize)]
pub(super) struct Descriptor {
    name: String,
    digest: BTreeMap<&'static str, String>,
}

impl<P> Statement<P> {
    pub(super) fn new(
        predicate_type: &'static str,
        subject: Vec<Descriptor>,
        predicate: P,
    ) -> Self {
        Self { kind: "https://in-toto.io/Statement/v1", predicate_type, subject, predicate }
    }
}

pub(super) fn artefact(subject: &Artefact) -> Descriptor {
    descriptor(&subject.name, "sha256", &subject.sha256)
}

/// What a decision is about: the artefacts, the commit, and the saved evidence.
pub(super) fn of_decision(view: &View<'_>) -> Vec<Descriptor> {
    let commit = view.run.commit.as_deref().and_then(commit_digest).map(|commit| {
        let repository = view.run.repository.as_deref().unwrap_or("commit");
        descriptor(repository, "gitCommit", commit)
    });
    let evidence = view.evidence_sha256();
    let evidence = evidence.map(|sha256| descriptor("evidence", "sha256", &sha256));
    view.subjects.iter().map(artefact).chain(commit).chain(evidence).collect()
}

fn descriptor(name: &str, algorithm: &'static str, digest: &str) -> Descriptor {
    let digest = digest.to_owned();
    Descriptor { name: one_line(name, 500), digest: [(algorithm, digest)].into() }
}
