//! Jira's JSON, and the description as an Atlassian document (docs/platforms/jira.md).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::export::{Mark, content};
use crate::sources::bigid::Case;

/// A page of `/search/jql`, which has no total.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) issues: Vec<Issue>,
    #[serde(default)]
    pub(super) is_last: Option<bool>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) id: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) fields: Fields,
}

/// Jira sends only the fields that were requested.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    pub(super) labels: Option<Vec<String>>,
    #[serde(default)]
    pub(super) status: Option<Status>,
    #[serde(default)]
    pub(super) summary: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    #[serde(default, rename = "statusCategory")]
    pub(super) category: Option<Category>,
}

/// `new`, `indeterminate` or `done`, whatever the project calls its statuses.
#[derive(Debug, Deserialize)]
pub(super) struct Category {
    #[serde(default)]
    pub(super) key: String,
}

/// A new issue.
#[derive(Debug, Deserialize)]
pub(super) struct Created {
    pub(super) id: String,
    pub(super) key: String,
}

/// Why an issue was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) error_messages: Vec<String>,
    #[serde(default)]
    pub(super) errors: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(default)]
    pub(super) account_id: Option<String>,
    /// Hidden by the privacy settings of most accounts.
    #[serde(default)]
    pub(super) email_address: Option<String>,
}

/// The description as an Atlassian document. Jira shows text nodes literally, so nothing in them is
/// markup; they must not be empty.
pub(super) fn document(case: &Case, mark: &Mark) -> Value {
    let facts = content::facts(case);
    let items: Vec<Value> = facts
        .iter()
        .map(|(name, value)| {
            let strong = json!({"type": "text", "text": name, "marks": [{"type": "strong"}]});
            let line = json!([strong, text(&format!(": {value}"))]);
            json!({"type": "listItem", "content": [{"type": "paragraph", "content": line}]})
        })
        .collect();
    let link = json!({
        "type": "text",
        "text": "The case in BigID",
        "marks": [{"type": "link", "attrs": {"href": case.link}}]
    });
    let mut blocks = vec![json!({"type": "bulletList", "content": items})];
    blocks.extend(content::description(case).iter().map(|line| paragraph(text(line))));
    blocks.push(paragraph(link));
    blocks.push(paragraph(text(&content::footer(&format!("the label {}", mark.label)))));
    json!({"type": "doc", "version": 1, "content": blocks})
}

fn paragraph(content: Value) -> Value {
    json!({"type": "paragraph", "content": [content]})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
