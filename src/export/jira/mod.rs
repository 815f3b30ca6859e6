//! Jira Cloud (docs/platforms/jira.md).
//!
//! The search lags behind by seconds to minutes. The ticket of a case carries a label of its own;
//! each row of a search is compared with it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Creation, Draft, Mark, Target, Ticket, TicketState, failed_creation};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Http, HttpError, is_loopback};
use crate::sources::bigid::Case;
use crate::text;

mod draft;
mod settings;
mod wire;

pub(crate) use settings::{SYSTEM, Settings};
use wire::{Created, Issue, Page, Refusal};

/// Few tickets carry the same mark: a longer search is not an answer to our question.
const MOST_PAGES: usize = 10;
const PAGE_SIZE: u32 = 50;

/// Fields that a screen may lack, or whose value a project may refuse. A ticket without them is
/// better than none.
const OPTIONAL: [&str; 2] = ["priority", "assignee"];

/// One project.
pub(crate) struct Jira<'a> {
    settings: &'a Settings,
    http: Http,
    /// Account ids by BigID's name of the assignee.
    accounts: RefCell<BTreeMap<String, Option<String>>>,
    /// Whether Jira refused the field `priority` in this project.
    without_priority: Cell<bool>,
}

impl<'a> Jira<'a> {
    pub(crate) fn new(settings: &'a Settings, http: Http) -> Self {
        let accounts = settings.assignees.iter().map(|(name, id)| (name.clone(), Some(id.clone())));
        Self {
            settings,
            accounts: RefCell::new(accounts.collect()),
            http,
            without_priority: Cell::new(false),
        }
    }

    fn ticket(&self, id: &str, key: &str) -> Ticket {
        let mut url = self.settings.site().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["browse", key]);
        }
        Ticket { id: id.to_owned(), key: key.to_owned(), url: url.into() }
    }

    fn protocol(&self, what: &str) -> Problem {
        Problem::new(Cause::Protocol, format!("jira: {what}"))
    }

    async fn page(
        &self,
        mark: &Mark,
        recent: &[Ticket],
        token: Option<&str>,
    ) -> Result<Page, HttpError> {
        let ids: Vec<u64> = recent.iter().filter_map(|ticket| ticket.id.parse().ok()).collect();
        // Project key and label contain no character with a meaning in JQL.
        let jql =
            format!("project = \"{}\" AND labels = \"{}\"", self.settings.project, mark.label);
        let mut query = json!({
            "jql": jql,
            "fields": ["labels", "status", "summary"],
            "maxResults": PAGE_SIZE,
        });
        if !ids.is_empty() {
            query["reconcileIssues"] = json!(ids);
        }
        if let Some(token) = token {
            query["nextPageToken"] = token.into();
        }
        self.http.query("rest/api/3/search/jql", &[], &query).send().await?.json()
    }

    /// A row of a search, which must carry the mark: otherwise the search answered another
    /// question.
    fn matching(&self, issue: &Issue, mark: &Mark) -> Result<TicketState, Problem> {
        let state = self.state(issue, mark, None)?;
        if state.marked {
            return Ok(state);
        }
        let what = format!(
            "the search for the label {} returned {}, which does not have that label; the search \
             cannot be relied on",
            mark.label, state.ticket.key
        );
        Err(self.protocol(&what))
    }

    fn state(
        &self,
        issue: &Issue,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<TicketState, Problem> {
        let lacks = |field: &str| {
            self.protocol(&format!("issue {} has no `{field}`, which was requested", issue.key))
        };
        let labels = issue.fields.labels.as_ref().ok_or_else(|| lacks("labels"))?;
        let status = issue.fields.status.as_ref().ok_or_else(|| lacks("status"))?;
        let differences = draft.and_then(|draft| {
            let sent = draft.fields.get("summary").and_then(Value::as_str)?;
            let has = issue.fields.summary.as_deref().unwrap_or_default();
            (has.trim() != sent.trim())
                .then(|| format!("{} has another summary: {}", issue.key, text::one_line(has, 80)))
        });
        Ok(TicketState {
            ticket: self.ticket(&issue.id, &issue.key),
            marked: labels.contains(&mark.label),
            closed: status.category.as_ref().is_some_and(|category| category.key == "done"),
            differences: differences.into_iter().collect(),
        })
    }

    fn created(&self, answer: &Answer, notes: Vec<String>) -> Creation {
        match answer.json::<Created>() {
            Ok(issue) => Creation::Created(self.ticket(&issue.id, &issue.key), notes),
            Err(error) => failed_creation(&error),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Problem {
        let fields = refusal.errors.iter().map(|(field, why)| format!("`{field}`: {why}"));
        let reasons: Vec<_> = refusal.error_messages.iter().cloned().chain(fields).collect();
        let reasons = match reasons.is_empty() {
            true => "without a reason".to_owned(),
            false => text::one_line(&reasons.join("; "), 400),
        };
        let message = format!("jira: the issue was refused: {reasons}");
        Problem::new(Cause::Invalid, message).help(format!(
            "check `project` and `issue_type`, and set fields that project {} requires under \
             `export.jira.fields`",
            self.settings.project
        ))
    }
}

impl Target for Jira<'_> {
    fn title(&self) -> &'static str {
        "Jira"
    }

    fn location(&self) -> String {
        format!("jira {} {}", self.settings.connection.url, self.settings.project)
    }

    fn is_remote(&self) -> bool {
        !is_loopback(&self.settings.connection.url)
    }

    fn settle(&self) -> Duration {
        self.settings.settle
    }

    async fn find(&self, mark: &Mark, recent: &[Ticket]) -> Result<Vec<TicketState>, Problem> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let page = self.page(mark, recent, token.as_deref()).await;
            let page = page.map_err(|error| error.problem())?;
            for issue in &page.issues {
                found.push(self.matching(issue, mark)?);
            }
            match page.next_page_token.filter(|_| page.is_last != Some(true)) {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ if page.is_last == Some(false) => {
                    return Err(self.protocol(&format!(
                        "the search for {} has more pages and gives no token for the next one",
                        mark.label
                    )));
                }
                _ => {
                    found.sort_by_key(|state| {
                        (state.ticket.id.parse().unwrap_or(u64::MAX), state.ticket.id.clone())
                    });
                    found.dedup_by(|a, b| a.ticket.id == b.ticket.id);
                    return Ok(found);
                }
            }
        }
        Err(self.protocol(&format!("the search for {} does not end", mark.label)))
    }

    async fn draft(&self, case: &Case, mark: &Mark) -> Draft {
        self.fill(case, mark).await
    }

    /// Requests an issue; again without fields that Jira names as not settable, since then it has
    /// certainly created none.
    async fn create(&self, draft: &Draft) -> Creation {
        let mut fields = draft.fields.clone();
        let mut notes = Vec::new();
        loop {
            let call = self.http.command("rest/api/3/issue", &[], &json!({"fields": fields}));
            let answer = match call.accepting(&[400]).send().await {
                Ok(answer) => answer,
                Err(error) => return failed_creation(&error),
            };
            if answer.status() != 400 {
                return self.created(&answer, notes);
            }
            let refusal: Refusal = answer.json().unwrap_or_default();
            let before = fields.len();
            let is_optional = |field: &String| OPTIONAL.contains(&field.as_str());
            if refusal.error_messages.is_empty() && refusal.errors.keys().all(is_optional) {
                fields.retain(|field, _| !refusal.errors.contains_key(field));
            }
            if fields.len() == before {
                return Creation::Refused(self.refused(&refusal));
            }
            for (field, why) in &refusal.errors {
                self.without_priority.set(self.without_priority.get() || field == "priority");
                notes.push(format!("created without `{field}`: {}", text::one_line(why, 120)));
            }
        }
    }

    async fn read(
        &self,
        ticket: &Ticket,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<Option<TicketState>, Problem> {
        let answer = self
            .http
            .get("rest/api/3/issue/{}", &[&ticket.key])
            .parameter("fields", "labels,status,summary")
            .accepting(&[404])
            .send()
            .await
            .map_err(|error| error.problem())?;
        if answer.status() == 404 {
            // Only Jira's own error says that there is no issue; a gateway's page does not.
            answer.json::<Refusal>().map_err(|error| error.problem())?;
            return Ok(None);
        }
        let issue: Issue = answer.json().map_err(|error| error.problem())?;
        self.state(&issue, mark, draft).map(Some)
    }
}
