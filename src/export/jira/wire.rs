//! Jira's JSON, and the document that a description is (fact sheet BigID §C1).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::export::{Mark, wording};
use crate::sources::bigid::Case;

/// A page of `/search/jql`, which has no total.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub issues: Vec<Issue>,
    #[serde(default)]
    pub is_last: Option<bool>,
    #[serde(default)]
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Issue {
    pub id: String,
    pub key: String,
    #[serde(default)]
    pub fields: Fields,
}

/// Fields come only if they are asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Fields {
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    #[serde(default)]
    pub status: Option<Status>,
    #[serde(default)]
    pub summary: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Status {
    #[serde(default, rename = "statusCategory")]
    pub category: Option<Category>,
}

/// `new`, `indeterminate` or `done`, whatever the project calls its statuses.
#[derive(Debug, Deserialize)]
pub struct Category {
    #[serde(default)]
    pub key: String,
}

/// An issue that was made.
#[derive(Debug, Deserialize)]
pub struct Made {
    pub id: String,
    pub key: String,
}

/// Why there is none.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    #[serde(default)]
    pub error_messages: Vec<String>,
    #[serde(default)]
    pub errors: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    #[serde(default)]
    pub account_id: Option<String>,
    /// Hidden by most people's privacy settings.
    #[serde(default)]
    pub email_address: Option<String>,
}

/// The description as an Atlassian document. Text nodes are shown as they are, so nothing in them
/// is markup; they may not be empty.
pub fn document(case: &Case, mark: &Mark) -> Value {
    let facts = wording::facts(case);
    let items: Vec<Value> = facts
        .iter()
        .map(|(name, value)| {
            let strong = json!({"type": "text", "text": name, "marks": [{"type": "strong"}]});
            let words = json!([strong, text(&format!(": {value}"))]);
            json!({"type": "listItem", "content": [{"type": "paragraph", "content": words}]})
        })
        .collect();
    let link = json!({
        "type": "text",
        "text": "The case in BigID",
        "marks": [{"type": "link", "attrs": {"href": case.link}}]
    });
    let mut content = vec![json!({"type": "bulletList", "content": items})];
    content.extend(wording::description(case).iter().map(|line| paragraph(text(line))));
    content.push(paragraph(link));
    content.push(paragraph(text(&wording::footer(&format!("the label {}", mark.label)))));
    json!({"type": "doc", "version": 1, "content": content})
}

fn paragraph(content: Value) -> Value {
    json!({"type": "paragraph", "content": [content]})
}

fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}
