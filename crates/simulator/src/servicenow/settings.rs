//! The parameters of ServiceNow. Every default is that of a healthy platform.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The fields of an incident in this simulator.
const INCIDENT: [&str; 21] = [
    "sys_id",
    "number",
    "state",
    "active",
    "short_description",
    "description",
    "correlation_id",
    "correlation_display",
    "category",
    "impact",
    "urgency",
    "priority",
    "assigned_to",
    "assignment_group",
    "caller_id",
    "cmdb_ci",
    "comments",
    "work_notes",
    "close_code",
    "close_notes",
    "sys_created_on",
];

/// What the simulated ServiceNow has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Tokens and passwords that are not valid; any other one is.
    pub revoked_tokens: Vec<String>,
    /// Whether an empty answer is 404 rather than an empty list.
    pub not_found_on_empty: bool,
    /// `glide.invalid_query.returns_no_rows`; without it a term that is not understood is ignored.
    pub invalid_query_returns_no_rows: bool,
    /// Fields that the data policy demands of a new record.
    pub mandatory: Vec<String>,
    /// Fields that the table does not have: ignored in a body, and in a query.
    pub unknown_fields: Vec<String>,
    /// Records that exist from the start, by table.
    pub records: BTreeMap<String, Vec<BTreeMap<String, String>>>,
}

impl Default for Settings {
    fn default() -> Self {
        let record = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let owner = record(&[
            ("sys_id", "6816f79cc0a8016401c5a33be04be441"),
            ("user_name", "data-owner"),
            ("email", "data-owner@example.com"),
            ("name", "Data owner"),
        ]);
        let users = ("sys_user".to_owned(), vec![owner]);
        Self {
            revoked_tokens: vec!["revoked".to_owned()],
            not_found_on_empty: false,
            invalid_query_returns_no_rows: false,
            mandatory: Vec::new(),
            unknown_fields: Vec::new(),
            records: [users, ("cmdb_ci".to_owned(), Vec::new())].into(),
        }
    }
}

impl Settings {
    /// Whether a table has a field.
    pub(super) fn knows(&self, table: &str, field: &str) -> bool {
        let known = match table {
            "incident" => INCIDENT.contains(&field),
            _ => true,
        };
        known && !self.unknown_fields.iter().any(|unknown| unknown == field)
    }
}
