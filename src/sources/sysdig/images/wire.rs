//! What the scanner of images sends (fact sheet §5). Anything may be null or missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::units::{Grade, Id, Stamp, Whole};

/// An image as it is found by its tag.
#[derive(Debug, Deserialize)]
pub struct Anchored {
    #[serde(rename = "imageDigest")]
    pub digest: Option<String>,
    pub analysis_status: Option<String>,
    #[serde(rename = "image_detail")]
    pub details: Option<Vec<AnchoredDetail>>,
}

#[derive(Debug, Deserialize)]
pub struct AnchoredDetail {
    pub fulltag: Option<String>,
}

/// What the policies say of an image.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evaluation {
    pub image_digest: Option<String>,
    pub image_id: Option<String>,
    pub status: Option<String>,
    pub n_stop: Option<Whole>,
    pub n_warn: Option<Whole>,
    pub at: Option<Stamp>,
    pub results: Option<Vec<PolicyResult>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyResult {
    pub policy_id: Option<Id>,
    pub policy_name: Option<String>,
    pub status: Option<String>,
    pub gate_results: Option<Vec<GateResult>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    pub gate: Option<String>,
    pub rule_results: Option<Vec<RuleResult>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// `stop`, `warn` or `go`.
    pub gate_action: Option<String>,
    pub check_output: Option<String>,
}

/// Counts by severity, by kind. A severity that is not there has none.
pub type Summary = BTreeMap<String, Option<BTreeMap<String, Option<Whole>>>>;

/// A page of vulnerabilities.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vulnerabilities {
    pub vulns: Option<Vec<Vulnerability>>,
    pub can_load_more: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub struct Vulnerability {
    pub vuln: Option<String>,
    pub severity: Option<Grade>,
    pub package: Option<String>,
    pub package_name: Option<String>,
    pub package_version: Option<String>,
    pub package_path: Option<String>,
    /// The version that mends it, or `None` as a word.
    pub fix: Option<String>,
    pub url: Option<String>,
}
