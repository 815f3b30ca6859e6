//! Images as the platform sends them (docs/platforms/sysdig.md#images). Every field may be null or
//! missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::units::{Grade, Stamp, id};
use crate::json::Whole;

/// An image, found by its tag.
#[derive(Debug, Deserialize)]
pub(super) struct Anchored {
    #[serde(rename = "imageDigest")]
    pub(super) digest: Option<String>,
    pub(super) analysis_status: Option<String>,
    #[serde(rename = "image_detail")]
    pub(super) details: Option<Vec<AnchoredDetail>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AnchoredDetail {
    pub(super) fulltag: Option<String>,
}

/// The evaluation of an image by its policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Evaluation {
    pub(super) image_digest: Option<String>,
    pub(super) image_id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) n_stop: Option<Whole>,
    pub(super) n_warn: Option<Whole>,
    pub(super) at: Option<Stamp>,
    pub(super) results: Option<Vec<PolicyResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyResult {
    #[serde(default, deserialize_with = "id")]
    pub(super) policy_id: Option<String>,
    pub(super) policy_name: Option<String>,
    pub(super) status: Option<String>,
    pub(super) gate_results: Option<Vec<GateResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GateResult {
    pub(super) gate: Option<String>,
    pub(super) rule_results: Option<Vec<RuleResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleResult {
    /// `stop`, `warn` or `go`.
    pub(super) gate_action: Option<String>,
    pub(super) check_output: Option<String>,
}

/// Counts by severity, by type. A severity that is missing has none.
pub(super) type Summary = BTreeMap<String, Option<BTreeMap<String, Option<Whole>>>>;

/// A page of vulnerabilities.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Vulnerabilities {
    pub(super) vulns: Option<Vec<Vulnerability>>,
    pub(super) can_load_more: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vulnerability {
    pub(super) vuln: Option<String>,
    pub(super) severity: Option<Grade>,
    pub(super) package: Option<String>,
    pub(super) package_name: Option<String>,
    pub(super) package_version: Option<String>,
    pub(super) package_path: Option<String>,
    /// The version with the fix, or `None` as a text.
    pub(super) fix: Option<String>,
    pub(super) url: Option<String>,
}
