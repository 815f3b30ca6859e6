//! The decision without its findings: the predicate of an attestation, and a line of records.
//!
//! Names are those of in-toto, in camel case. No number is greater than 2^53, and no text is an
//! identity, since signers write numbers and keys anew.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluate::State;
use crate::finding::Cause;
use crate::policy::{Level, Mode};
use crate::report::Purpose;
use crate::verdict::Verdict;

mod build;

pub(in crate::report) use build::{of, policy_files};

/// Names this version in documents and in the schema.
pub(crate) const SCHEMA: &str = "urn:compliance-gate:decision:1";

/// What the policy of an organisation is called, wherever its file is.
pub(crate) const ORGANISATION_POLICY: &str = "org-policy";

/// What was decided, and what it rests on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Predicate<'a> {
    pub schema: &'static str,
    /// The verdict, regardless of the mode.
    pub verdict: Verdict,
    pub exit_code: u8,
    pub mode: Mode,
    /// Only the decision of a gate may let anything through.
    pub purpose: Purpose,
    pub environment: Option<String>,
    /// In whole seconds.
    pub decided_at: String,
    /// Whether a simulator answered instead of a platform.
    pub simulated: bool,
    /// Each policy with its own verdict. That of the organisation is called `org-policy`.
    pub policies: Vec<DecidedPolicy<'a>>,
    /// Files that the policies name: of acceptances, of images, and further baselines.
    pub accept_files: Vec<NamedFile>,
    /// The first baseline of the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<NamedFile>,
    pub evidence: Collected<'a>,
    pub gates: Vec<Gate>,
    /// Gates that held and were left out, since a record has a greatest length.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(default))]
    pub gates_omitted: u64,
    /// The acceptances that made a difference.
    pub accepted: Vec<Accepted>,
    /// Acceptances that were left out, since a record has a greatest length.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(default))]
    pub accepted_omitted: u64,
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Overridden>,
    pub run: Run,
    pub tool: Tool<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct DecidedPolicy<'a> {
    #[serde(flatten)]
    file: PolicyFile<'a>,
    mode: Mode,
    verdict: Verdict,
}

/// That the exit code is 0 whatever the verdict is.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct Overridden {
    until: String,
    reason: String,
    /// Who or what started the run.
    actor: Option<String>,
}

/// A policy file, identified by its digest.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct PolicyFile<'a> {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    pub digest: Sha256<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct Sha256<'a> {
    pub sha256: Cow<'a, str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct NamedFile {
    name: String,
    digest: Sha256<'static>,
}

/// The evidence.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Collected<'a> {
    complete: bool,
    /// When the platforms evaluated it, oldest first, as far as they state it.
    as_of: Vec<String>,
    /// Of the file, where the evidence was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Sha256<'static>>,
    sources: Vec<Source<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    name: String,
    system: String,
    origin: String,
    simulated: bool,
    /// Settings that an organisation's policy takes from the repository.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(test, schemars(default))]
    from_repository: &'a [String],
    jobs: Vec<String>,
    /// Causes, each with how often it was found.
    problems: BTreeMap<Cause, u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Gate {
    id: String,
    level: Level,
    state: &'static str,
    /// Whether it stops the pipeline.
    pub blocks: bool,
    limits: WrittenLimits,
    /// What was counted; absent where it could not be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<Observed>,
    /// The controls that it selects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    controls: Vec<String>,
    /// Each framework or account, where it has `each`; breached ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub groups: Vec<GroupCount>,
    /// Groups that were left out, since a record has a greatest length.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(default))]
    pub groups_omitted: u64,
}

impl Gate {
    pub(in crate::report) fn is_held(&self) -> bool {
        self.state == State::Held.word()
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct WrittenLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    /// Such as `72.5%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_pass_rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_evaluated: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Observed {
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<u64>,
    /// Failures that are accepted and do not count.
    accepted: u64,
    /// Failures that a baseline has, and that do not count.
    known: u64,
    /// Failures that `except` takes out.
    out_of_scope: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct GroupCount {
    name: String,
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<u64>,
    breached: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::report) struct Accepted {
    id: String,
    kind: &'static str,
    reason: String,
    owner: String,
    /// A claim of the file: nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    expires: String,
    findings: u64,
    gates: Vec<String>,
}

/// The run of the pipeline, as its CI host names it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct Run {
    host: String,
    pub url: Option<String>,
    id: Option<String>,
    pub repository: Option<String>,
    commit: Option<String>,
    actor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct Tool<'a> {
    name: &'static str,
    version: Cow<'a, str>,
    /// Of the program's own file; `null` where that cannot be read.
    sha256: Option<Cow<'a, str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn the_published_schema_is_that_of_the_predicate() {
        let schema = schemars::schema_for!(Predicate<'_>);
        text::published::check_format(
            "decision.schema.json",
            schema,
            SCHEMA,
            "compliance-gate decision",
        );
    }
}
