//! The fields of a new ticket, and what may appear in a query.

use serde_json::{Map, Value};

use super::ServiceNow;
use super::wire::text_of;
use crate::export::{Draft, Mark, content};
use crate::sources::bigid::Case;
use crate::text;

/// Characters of a new instance's fields (docs/platforms/servicenow.md#create).
const MOST_TITLE: usize = 160;
const MOST_DESCRIPTION: usize = 3900;
const MOST_CATEGORY: usize = 40;
const MOST_CORRELATION: usize = 100;

impl ServiceNow<'_> {
    pub(super) async fn fill(&self, case: &Case, mark: &Mark) -> Draft {
        let settings = self.settings;
        let level = settings.level(case.severity);
        let category = settings.category.clone();
        let category = category.unwrap_or_else(|| text::one_line(&case.policy, MOST_CATEGORY));
        let mut fields = Map::new();
        let mut set = |name: &str, value: String| fields.insert(name.to_owned(), value.into());
        set("short_description", content::title(case, MOST_TITLE));
        set("description", description(case, mark));
        set("correlation_id", correlation(mark).to_owned());
        set("correlation_display", "compliance-gate".to_owned());
        set("category", category);
        set("impact", level.impact.to_string());
        set("urgency", level.urgency.to_string());
        let mut notes = Vec::new();
        if let Some(assignee) = case.assignee.as_deref().filter(|name| !name.trim().is_empty()) {
            match self.user(assignee).await {
                Some(id) => {
                    set("assigned_to", id);
                }
                None => notes.push(format!(
                    "no unique user for {}; left unassigned",
                    text::one_line(assignee, 80)
                )),
            }
        }
        if let Some(name) = case.data_source.as_deref()
            && let Some(id) = self.look_up("cmdb_ci", "name", name).await
        {
            set("cmdb_ci", id);
        }
        for (name, value) in &settings.fields {
            set(name, value.clone());
        }
        Draft { fields, notes }
    }

    async fn user(&self, assignee: &str) -> Option<String> {
        if let Some(id) = self.settings.assignees.get(assignee) {
            return Some(id.clone());
        }
        let field = if assignee.contains('@') { "email" } else { "user_name" };
        self.look_up("sys_user", field, assignee).await
    }

    /// The `sys_id` of the only row with this value in `field`.
    async fn look_up(&self, table: &'static str, field: &str, value: &str) -> Option<String> {
        let key = (table, value.to_owned());
        if let Some(known) = self.references.borrow().get(&key) {
            return known.clone();
        }
        let mut found = None;
        if is_plain(value) {
            let fields = format!("sys_id,{field}");
            let rows = self.rows(table, &format!("{field}={value}"), &fields).await;
            let has_value = |row: &&Map<String, Value>| {
                row.get(field)
                    .and_then(text_of)
                    .is_some_and(|given| given.eq_ignore_ascii_case(value))
            };
            let rows = rows.unwrap_or_default();
            let mut matching = rows.iter().filter(has_value);
            let only = matching.next().filter(|_| matching.next().is_none());
            found = only.and_then(|row| row.get("sys_id").and_then(text_of)).map(str::to_owned);
        }
        self.references.borrow_mut().insert(key, found.clone());
        found
    }
}

/// The correlation id of a case: its name where that is safe in a query, else the label.
pub(super) fn correlation(mark: &Mark) -> &str {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '-');
    let fits = mark.case.len() <= MOST_CORRELATION && mark.case.chars().all(is_safe);
    if fits { &mark.case } else { &mark.label }
}

/// Whether a value has no special meaning in a query (docs/platforms/servicenow.md#queries), and
/// is not a script.
fn is_plain(value: &str) -> bool {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '-' | '@' | '+' | '/' | ':');
    !value.is_empty()
        && value.len() <= 200
        && value.chars().all(is_plain)
        && !value.to_ascii_lowercase().starts_with("javascript:")
}

fn description(case: &Case, mark: &Mark) -> String {
    let facts = content::facts(case).into_iter().map(|(name, value)| format!("{name}: {value}"));
    let link = format!("The case in BigID: {}", case.link);
    let footer = content::footer(&format!("the correlation id {}", correlation(mark)));
    let mut lines: Vec<_> = facts.chain([link, String::new()]).collect();
    lines.push(footer);
    lines.push(String::new());
    lines.extend(content::description(case));
    text::shorten(&lines.join("\n"), MOST_DESCRIPTION).into_owned()
}

/// Fields that were sent with another value than the ticket has. The platform may fill in what was
/// sent empty.
pub(super) fn differences(draft: &Draft, row: &Map<String, Value>, key: &str) -> Vec<String> {
    let differs = |(name, sent): &(&String, &Value)| {
        let has = row.get(name.as_str()).and_then(text_of).unwrap_or_default();
        let sent = sent.as_str().unwrap_or_default();
        !sent.is_empty() && has.replace("\r\n", "\n").trim() != sent.trim()
    };
    let differing = draft.fields.iter().filter(differs);
    let names: Vec<_> = differing.map(|(name, _)| name.as_str()).collect();
    match names.is_empty() {
        true => Vec::new(),
        false => vec![format!("{key} has another value in {}", names.join(", "))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_meaning_in_a_query_is_never_part_of_one() {
        for id in ["66f1", "a^ORnumber=INC1", "a=b", "a b", &"x".repeat(200)] {
            let mark = Mark::of(id);
            let shown = correlation(&mark);
            assert!(shown.len() <= 100);
            assert!(!shown.contains(['^', '=', ' ']), "{shown}");
            assert_eq!(shown == mark.case, id == "66f1", "{shown}");
        }
    }

    #[test]
    fn a_name_with_a_meaning_in_a_query_is_not_looked_up() {
        assert!(is_plain("crm-prod.example.com") && is_plain("Größe 7"));
        for name in ["", "a^ORb", "a=b", "javascript:gs.log(1)", "a\nb", "a,b"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
