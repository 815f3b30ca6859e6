//! The fields of a new issue.

use serde_json::json;

use super::wire::User;
use super::{Jira, wire};
use crate::export::{Draft, Mark, content};
use crate::sources::bigid::Case;
use crate::text;

/// Characters of a summary (docs/platforms/jira.md#create).
const MOST_SUMMARY: usize = 255;

impl Jira<'_> {
    pub(super) async fn fill(&self, case: &Case, mark: &Mark) -> Draft {
        let settings = self.settings;
        let mut fields = serde_json::Map::new();
        fields.extend(settings.fields.clone());
        fields.insert("project".into(), json!({"key": settings.project}));
        fields.insert("issuetype".into(), json!({"name": settings.issue_type}));
        fields.insert("summary".into(), content::title(case, MOST_SUMMARY).into());
        fields.insert("description".into(), wire::document(case, mark));
        fields.insert("labels".into(), json!(self.labels(case, mark)));
        if let Some(priority) = settings.priority(case.severity)
            && !self.without_priority.get()
        {
            fields.insert("priority".into(), json!({"name": priority}));
        }
        let mut notes = Vec::new();
        if let Some(assignee) = case.assignee.as_deref().filter(|name| !name.trim().is_empty()) {
            match self.account(assignee).await {
                Some(account) => {
                    fields.insert("assignee".into(), json!({"accountId": account}));
                }
                None => notes.push(format!(
                    "no unique Jira account for {}; left unassigned",
                    text::one_line(assignee, 80)
                )),
            }
        }
        Draft { fields, notes }
    }

    fn labels(&self, case: &Case, mark: &Mark) -> Vec<String> {
        let mut labels = vec![mark.label.clone(), "compliance-gate".to_owned()];
        labels.extend(self.settings.labels.iter().cloned());
        let policy = content::slug(&case.policy);
        if !policy.is_empty() {
            labels.push(policy);
        }
        labels.dedup();
        labels
    }

    /// The account of an assignee, if exactly one has this e-mail address.
    async fn account(&self, assignee: &str) -> Option<String> {
        if let Some(known) = self.accounts.borrow().get(assignee) {
            return known.clone();
        }
        let account = match assignee.contains('@') {
            true => self.look_up(assignee).await,
            false => None,
        };
        self.accounts.borrow_mut().insert(assignee.to_owned(), account.clone());
        account
    }

    async fn look_up(&self, address: &str) -> Option<String> {
        let answer = self
            .http
            .get("rest/api/3/user/assignable/search", &[])
            .parameter("project", &self.settings.project)
            .parameter("query", address)
            .send()
            .await
            .ok()?;
        let users: Vec<User> = answer.json().ok()?;
        let has_address = |user: &&User| {
            user.email_address.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(address))
        };
        let mut matching = users.iter().filter(has_address);
        let only = matching.next().filter(|_| matching.next().is_none())?;
        only.account_id.clone()
    }
}
