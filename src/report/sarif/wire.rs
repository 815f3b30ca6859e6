//! SARIF 2.1.0 as it is written: the part of the standard that we use, and no more.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::acceptance::Acceptance;
use crate::finding::{Cause, Finding, Severity};
use crate::report::{TOOL, digest};
use crate::text;

#[derive(Serialize)]
pub(super) struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [R; 1],
}

impl<R> Log<R> {
    pub(super) fn of(run: R) -> Self {
        Self {
            schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            version: "2.1.0",
            runs: [run],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a, R> {
    pub tool: Tool<'a>,
    pub automation_details: AutomationDetails,
    pub invocations: [Invocation; 1],
    pub column_kind: &'static str,
    pub results: R,
}

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    pub driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Driver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<ReportingDescriptor<'a>>,
    /// What a notification can be about.
    notifications: Vec<NotificationDescriptor>,
}

impl<'a> Driver<'a> {
    pub(super) fn of(rules: Vec<ReportingDescriptor<'a>>, causes: BTreeSet<Cause>) -> Self {
        let notification = |cause: Cause| NotificationDescriptor {
            id: cause.word(),
            short_description: Text::of(digest::explained(cause)),
            full_description: Text::of(digest::explained(cause)),
            help: Text::of(digest::remedy(cause)),
        };
        Self {
            name: TOOL,
            semantic_version: env!("CARGO_PKG_VERSION"),
            rules,
            notifications: causes.into_iter().map(notification).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationDescriptor {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReportingDescriptor<'a> {
    pub id: &'a str,
    pub name: String,
    pub short_description: Text,
    pub full_description: Text,
    pub help: Text,
    pub default_configuration: ReportingConfiguration,
    pub properties: RuleProperties,
}

#[derive(Serialize)]
pub(super) struct ReportingConfiguration {
    pub level: Level,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RuleProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_severity: Option<&'static str>,
    pub precision: &'static str,
    pub tags: BTreeSet<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Note,
    Warning,
    Error,
}

#[derive(Serialize)]
pub(super) struct AutomationDetails {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub execution_successful: bool,
    pub exit_code: u8,
    pub exit_code_description: String,
    pub start_time_utc: String,
    pub end_time_utc: String,
    pub tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
pub(super) struct Notification {
    pub descriptor: Reference,
    pub level: Level,
    pub message: Text,
}

#[derive(Serialize)]
pub(super) struct Reference {
    pub id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result<'a> {
    pub rule_id: &'a str,
    pub rule_index: usize,
    pub kind: &'static str,
    pub level: Level,
    pub message: Text,
    pub locations: [Location<'a>; 1],
    pub partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<ResultProperties<'a>>,
}

/// That a result is accepted.
#[derive(Serialize)]
pub(super) struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

impl Suppression {
    pub(super) fn of(entry: &Acceptance) -> Self {
        Self {
            kind: "external",
            status: "accepted",
            justification: text::disarmed(&digest::grounds(&entry.grounds)).into_owned(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Fingerprints {
    /// Not `primaryLocationLineHash`, by which GitHub identifies an alert: its uploader computes
    /// that one from the line of the policy, and warns about every result that has another. Uploads
    /// by the REST API set it to this value; see `action/upload-sarif.sh`.
    #[serde(rename = "complianceGate/v1")]
    pub own: String,
}

#[derive(Serialize)]
pub(super) struct ResultProperties<'a> {
    pub severity: Severity,
    pub source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Cow<'a, str>>,
    pub gates: &'a [Cow<'a, str>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    pub physical_location: &'a PhysicalLocation<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logical_locations: Vec<LogicalLocation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation<'a> {
    pub artifact_location: ArtifactLocation<'a>,
    pub region: Region,
}

#[derive(Serialize)]
pub(super) struct ArtifactLocation<'a> {
    pub uri: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub start_line: u64,
    pub start_column: u64,
}

/// The cloud resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation<'a> {
    name: Cow<'a, str>,
    fully_qualified_name: Cow<'a, str>,
    kind: &'static str,
}

impl<'a> LogicalLocation<'a> {
    pub(super) fn of(finding: &'a Finding) -> Self {
        let id = text::line(finding.resource(), 1000);
        let name = finding.resource_name.as_deref().map(|name| text::line(name, 255));
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
        Self { name, fully_qualified_name: id, kind: "resource" }
    }
}

#[derive(Serialize)]
pub(super) struct Text {
    text: String,
}

impl Text {
    /// A message. SARIF makes a link of `[…](…)`, so that is broken as visibly as a workflow
    /// command.
    pub(super) fn of(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let text = if text.contains("](") { text.replace("](", "] (") } else { text };
        match text::disarmed(&text) {
            Cow::Borrowed(_) => Self { text },
            Cow::Owned(text) => Self { text },
        }
    }
}
