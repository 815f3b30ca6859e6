//! Issues: what is refused, what is kept, what is shown.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::settings::Settings;

/// The limits of the two long fields (docs/platforms/jira.md, API).
const LONGEST_SUMMARY: usize = 255;
const LONGEST_DESCRIPTION: usize = 32_767;

const PRIORITIES: [&str; 5] = ["Highest", "High", "Medium", "Low", "Lowest"];

/// Fields that every screen has.
const ON_SCREEN: [&str; 7] =
    ["project", "issuetype", "summary", "description", "labels", "priority", "assignee"];

#[derive(Clone, Debug)]
pub(super) struct Issue {
    pub id: u64,
    pub key: String,
    pub project: String,
    pub fields: Map<String, Value>,
    /// When it was made, in the clock's milliseconds.
    pub created: i64,
    pub done: bool,
}

pub(super) struct Issues {
    all: Vec<Issue>,
    next: u64,
}

impl Issues {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut issues = Self { all: Vec::new(), next: 1 };
        for preset in &settings.issues {
            let project = settings.projects.first().map(String::as_str).unwrap_or_default();
            let fields = json!({
                "project": {"key": project},
                "issuetype": {"name": "Task"},
                "summary": preset.summary,
                "labels": preset.labels,
            });
            let fields = fields.as_object().cloned().unwrap_or_default();
            issues.add(fields, i64::MIN, settings);
            if let Some(issue) = issues.all.last_mut() {
                issue.done = preset.done;
            }
        }
        issues
    }

    pub(super) fn add(
        &mut self,
        mut fields: Map<String, Value>,
        now: i64,
        settings: &Settings,
    ) -> Issue {
        let project = fields["project"]["key"].as_str().unwrap_or_default().to_owned();
        if settings.drops_labels {
            fields.remove("labels");
        }
        fields.entry("labels").or_insert_with(|| json!([]));
        fields.entry("priority").or_insert_with(|| json!({"name": "Medium"}));
        let number = self.next;
        self.next += 1;
        let issue = Issue {
            id: 10_000 + number,
            key: format!("{project}-{number}"),
            project,
            fields,
            created: now,
            done: false,
        };
        self.all.push(issue.clone());
        issue
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Issue> {
        self.all.iter()
    }

    /// By key or id.
    pub(super) fn get(&self, key: &str) -> Option<&Issue> {
        self.all.iter().find(|issue| issue.is(key))
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Issue> {
        self.all.iter_mut().find(|issue| issue.is(key))
    }

    pub(super) fn remove(&mut self, key: &str) -> bool {
        let before = self.all.len();
        self.all.retain(|issue| !issue.is(key));
        self.all.len() < before
    }
}

impl Issue {
    fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key) || self.id.to_string() == key
    }

    pub(super) fn link(&self) -> String {
        format!("http://127.0.0.1/rest/api/3/issue/{}", self.id)
    }

    /// With the fields that were asked for: none in a search that names none.
    pub(super) fn shown(&self, wanted: &[String]) -> Value {
        let mut shown = json!({"id": self.id.to_string(), "key": self.key, "self": self.link()});
        let mut fields = self.fields.clone();
        let (name, category) = match self.done {
            true => ("Done", "done"),
            false => ("To Do", "new"),
        };
        fields.insert(
            "status".to_owned(),
            json!({"name": name, "statusCategory": {"key": category, "name": name}}),
        );
        let all = wanted.iter().any(|field| field == "*all" || field == "*navigable");
        fields.retain(|field, _| all || wanted.contains(field));
        let ids_only = wanted.is_empty() || wanted == ["id"];
        if !ids_only {
            shown["fields"] = Value::Object(fields);
        }
        shown
    }
}

/// What Jira refuses in a new issue (docs/platforms/jira.md, API).
pub(super) fn check(
    fields: &Map<String, Value>,
    settings: &Settings,
    documents: bool,
) -> Result<(), Refusal> {
    let text = |field: &str, key: &str| fields.get(field).and_then(|value| value[key].as_str());
    if !text("project", "key").is_some_and(|key| settings.projects.iter().any(|p| p == key)) {
        return Err(Refusal::field("project", "a valid project is required"));
    }
    if text("issuetype", "name").or(text("issuetype", "id")).is_none() {
        return Err(Refusal::field("issuetype", "an issue type is required"));
    }
    let summary = fields.get("summary").and_then(Value::as_str).unwrap_or_default();
    if summary.trim().is_empty() {
        return Err(Refusal::field("summary", "you must give a summary"));
    }
    if summary.contains(['\n', '\r']) || summary.chars().count() > LONGEST_SUMMARY {
        return Err(Refusal::field("summary", "it must be one line of at most 255 characters"));
    }
    check_labels(fields.get("labels"))?;
    check_description(fields.get("description"), documents)?;
    if fields.contains_key("priority") && !settings.priority_on_screen {
        let words =
            "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown.";
        return Err(Refusal::field("priority", words));
    }
    if text("priority", "name").is_some_and(|name| !PRIORITIES.contains(&name)) {
        return Err(Refusal::field("priority", "the priority is not valid"));
    }
    let known = |id: &str| settings.users.iter().any(|user| user.account_id == id);
    if text("assignee", "accountId").is_some_and(|id| !known(id)) {
        return Err(Refusal::field("assignee", "the account cannot be assigned issues"));
    }
    if let Some(field) = settings.required_fields.iter().find(|f| !fields.contains_key(*f)) {
        return Err(Refusal::field(field, &format!("{field} is required.")));
    }
    let odd = fields.keys().find(|field| {
        !ON_SCREEN.contains(&field.as_str()) && !settings.required_fields.contains(field)
    });
    odd.map_or(Ok(()), |field| {
        let words = format!(
            "Field '{field}' cannot be set. It is not on the appropriate screen, or unknown."
        );
        Err(Refusal::field(field, &words))
    })
}

fn check_labels(labels: Option<&Value>) -> Result<(), Refusal> {
    let Some(labels) = labels else { return Ok(()) };
    let fine = |label: &Value| {
        label.as_str().is_some_and(|label| !label.is_empty() && !label.contains(' '))
    };
    match labels.as_array().is_some_and(|labels| labels.iter().all(fine)) {
        true => Ok(()),
        false => Err(Refusal::field("labels", "a label is a text without spaces")),
    }
}

/// A document in version 3, a text in version 2.
fn check_description(description: Option<&Value>, documents: bool) -> Result<(), Refusal> {
    let Some(description) = description.filter(|description| !description.is_null()) else {
        return Ok(());
    };
    let fits = match documents {
        true => {
            description["type"] == "doc" && description["version"] == 1 && is_document(description)
        }
        false => description.is_string(),
    };
    if !fits {
        return Err(Refusal::field("description", "it is not in the form that this version takes"));
    }
    if description.to_string().chars().count() > LONGEST_DESCRIPTION {
        return Err(Refusal::words(StatusCode::BAD_REQUEST, "CONTENT_LIMIT_EXCEEDED"));
    }
    Ok(())
}

/// Whether every node has a type, and every text holds something.
fn is_document(node: &Value) -> bool {
    let text = node["type"] != "text" || node["text"].as_str().is_some_and(|text| !text.is_empty());
    let inside = node["content"].as_array().is_none_or(|nodes| nodes.iter().all(is_document));
    node["type"].is_string() && text && inside
}
