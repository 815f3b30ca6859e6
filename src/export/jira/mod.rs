//! Jira Cloud (fact sheet BigID §C1).
//!
//! The search lags behind by seconds to minutes, and the old one is gone (410). A case's ticket
//! carries a label of its own; what the search gives is compared with it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Creation, Draft, Mark, Seen, Target, Ticket, unanswered, wording};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Http, HttpError, is_loopback};
use crate::sources::Later;
use crate::sources::bigid::Case;
use crate::text;

mod settings;
mod wire;

pub use settings::{SYSTEM, Settings};
use wire::{Issue, Made, Page, Refusal, User};

/// Characters of a summary, which is one line (fact sheet §C1).
const MOST_SUMMARY: usize = 255;
/// Tickets with one mark are a handful; a search that goes on has not understood.
const MOST_PAGES: usize = 10;
const PAGE: u32 = 50;

/// Fields that a screen may lack, or that may not take the value: a ticket without them is better
/// than none.
const OPTIONAL: [&str; 2] = ["priority", "assignee"];

/// One project.
pub struct Jira<'a> {
    settings: &'a Settings,
    http: Http,
    /// Account ids by what BigID calls the assignee.
    accounts: RefCell<BTreeMap<String, Option<String>>>,
    /// Whether the project's screen has been seen to lack the field `priority`.
    without_priority: Cell<bool>,
}

impl<'a> Jira<'a> {
    pub fn new(settings: &'a Settings, http: Http) -> Self {
        let accounts = settings.assignees.iter().map(|(name, id)| (name.clone(), Some(id.clone())));
        Self {
            settings,
            accounts: RefCell::new(accounts.collect()),
            http,
            without_priority: Cell::new(false),
        }
    }

    fn ticket(&self, id: &str, key: &str) -> Ticket {
        let mut url = self.settings.connection.url.clone();
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
        // The project's key and the label hold no character that JQL would read as its own.
        let jql =
            format!("project = \"{}\" AND labels = \"{}\"", self.settings.project, mark.label);
        let mut query = json!({
            "jql": jql,
            "fields": ["labels", "status", "summary"],
            "maxResults": PAGE,
        });
        if !ids.is_empty() {
            query["reconcileIssues"] = json!(ids);
        }
        if let Some(token) = token {
            query["nextPageToken"] = token.into();
        }
        self.http.query("rest/api/3/search/jql", &[], &query).send().await?.json()
    }

    /// A row that carries the mark; one that does not was never asked for, so the answer is to
    /// another question.
    fn found(&self, issue: &Issue, mark: &Mark) -> Result<Seen, Problem> {
        let seen = self.seen(issue, mark, None)?;
        if seen.marked {
            return Ok(seen);
        }
        let what = format!(
            "the search for the label {} gave {}, which has not got it; nothing it says is believed",
            mark.label, seen.ticket.key
        );
        Err(self.protocol(&what))
    }

    fn seen(&self, issue: &Issue, mark: &Mark, draft: Option<&Draft>) -> Result<Seen, Problem> {
        let lacks = |field: &str| {
            self.protocol(&format!(
                "issue {} came without `{field}`, which was asked for",
                issue.key
            ))
        };
        let labels = issue.fields.labels.as_ref().ok_or_else(|| lacks("labels"))?;
        let status = issue.fields.status.as_ref().ok_or_else(|| lacks("status"))?;
        let differences = draft.and_then(|draft| {
            let wrote = draft.fields.get("summary").and_then(Value::as_str)?;
            let has = issue.fields.summary.as_deref().unwrap_or_default();
            (has.trim() != wrote.trim())
                .then(|| format!("{} has another summary: {}", issue.key, text::one_line(has, 80)))
        });
        Ok(Seen {
            ticket: self.ticket(&issue.id, &issue.key),
            marked: labels.contains(&mark.label),
            closed: status.category.as_ref().is_some_and(|category| category.key == "done"),
            differences: differences.into_iter().collect(),
        })
    }

    /// The account of an assignee, if exactly one can be told by the address.
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
        let same = |user: &&User| {
            user.email_address.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(address))
        };
        let mut same = users.iter().filter(same);
        let only = same.next().filter(|_| same.next().is_none())?;
        only.account_id.clone()
    }

    fn labels(&self, case: &Case, mark: &Mark) -> Vec<String> {
        let mut labels = vec![mark.label.clone(), "compliance-gate".to_owned()];
        labels.extend(self.settings.labels.iter().cloned());
        let policy = wording::slug(&case.policy);
        if !policy.is_empty() {
            labels.push(policy);
        }
        labels.dedup();
        labels
    }

    async fn filled(&self, case: &Case, mark: &Mark) -> Draft {
        let settings = self.settings;
        let mut fields = serde_json::Map::new();
        fields.extend(settings.fields.clone());
        fields.insert("project".into(), json!({"key": settings.project}));
        fields.insert("issuetype".into(), json!({"name": settings.issue_type}));
        fields.insert("summary".into(), wording::title(case, MOST_SUMMARY).into());
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
                    "{} has no Jira account that can be told by that; left unassigned",
                    text::one_line(assignee, 80)
                )),
            }
        }
        Draft { fields, notes }
    }

    /// Asks for an issue; again without fields that Jira itself names as not settable, since then
    /// there certainly is none yet.
    async fn ask(&self, draft: &Draft) -> Creation {
        let mut fields = draft.fields.clone();
        let mut notes = Vec::new();
        loop {
            let call = self.http.command("rest/api/3/issue", &[], &json!({"fields": fields}));
            let answer = match call.accepting(&[400]).send().await {
                Ok(answer) => answer,
                Err(error) => return unanswered(&error),
            };
            if answer.status() != 400 {
                return self.made(&answer, notes);
            }
            let refusal: Refusal = answer.json().unwrap_or_default();
            let before = fields.len();
            let optional = |field: &String| OPTIONAL.contains(&field.as_str());
            if refusal.error_messages.is_empty() && refusal.errors.keys().all(optional) {
                fields.retain(|field, _| !refusal.errors.contains_key(field));
            }
            if fields.len() == before {
                return Creation::Refused(self.refused(&refusal));
            }
            for (field, why) in &refusal.errors {
                self.without_priority.set(self.without_priority.get() || field == "priority");
                notes.push(format!("made without `{field}`: {}", text::one_line(why, 120)));
            }
        }
    }

    fn made(&self, answer: &Answer, notes: Vec<String>) -> Creation {
        match answer.json::<Made>() {
            Ok(made) => Creation::Created(self.ticket(&made.id, &made.key), notes),
            Err(error) => unanswered(&error),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Problem {
        let fields = refusal.errors.iter().map(|(field, why)| format!("`{field}`: {why}"));
        let said: Vec<_> = refusal.error_messages.iter().cloned().chain(fields).collect();
        let said = match said.is_empty() {
            true => "without a reason".to_owned(),
            false => text::one_line(&said.join("; "), 400),
        };
        Problem::new(Cause::Invalid, format!("jira: the issue was refused: {said}")).help(format!(
            "check `project` and `issue_type`, and give fields that project {} demands under \
             `export.jira.fields`",
            self.settings.project
        ))
    }
}

impl Target for Jira<'_> {
    fn title(&self) -> &'static str {
        "Jira"
    }

    fn place(&self) -> String {
        format!("jira {} {}", self.settings.connection.url, self.settings.project)
    }

    fn is_real(&self) -> bool {
        !is_loopback(&self.settings.connection.url)
    }

    fn settle(&self) -> Duration {
        self.settings.settle
    }

    fn find<'a>(
        &'a self,
        mark: &'a Mark,
        recent: &'a [Ticket],
    ) -> Later<'a, Result<Vec<Seen>, Problem>> {
        Box::pin(async move {
            let mut found = Vec::new();
            let mut token: Option<String> = None;
            for _ in 0..MOST_PAGES {
                let page = self.page(mark, recent, token.as_deref()).await;
                let page = page.map_err(|error| error.problem())?;
                for issue in &page.issues {
                    found.push(self.found(issue, mark)?);
                }
                match page.next_page_token.filter(|_| page.is_last != Some(true)) {
                    Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                    // Nothing more can be had, although there is.
                    _ if page.is_last == Some(false) => {
                        return Err(self.protocol(&format!(
                            "the search for {} says that there is more and gives no way on",
                            mark.label
                        )));
                    }
                    _ => {
                        found.sort_by_key(|seen| {
                            (seen.ticket.id.parse().unwrap_or(u64::MAX), seen.ticket.id.clone())
                        });
                        found.dedup_by(|a, b| a.ticket.id == b.ticket.id);
                        return Ok(found);
                    }
                }
            }
            Err(self.protocol(&format!("the search for {} does not end", mark.label)))
        })
    }

    fn draft<'a>(&'a self, case: &'a Case, mark: &'a Mark) -> Later<'a, Draft> {
        Box::pin(self.filled(case, mark))
    }

    fn create<'a>(&'a self, draft: &'a Draft) -> Later<'a, Creation> {
        Box::pin(self.ask(draft))
    }

    fn read<'a>(
        &'a self,
        ticket: &'a Ticket,
        mark: &'a Mark,
        draft: Option<&'a Draft>,
    ) -> Later<'a, Result<Option<Seen>, Problem>> {
        Box::pin(async move {
            let answer = self
                .http
                .get("rest/api/3/issue/{}", &[&ticket.key])
                .parameter("fields", "labels,status,summary")
                .accepting(&[404])
                .send()
                .await
                .map_err(|error| error.problem())?;
            if answer.status() == 404 {
                // An error of Jira's own; a page of something else says nothing about the issue.
                answer.json::<Refusal>().map_err(|error| error.problem())?;
                return Ok(None);
            }
            let issue: Issue = answer.json().map_err(|error| error.problem())?;
            self.seen(&issue, mark, draft).map(Some)
        })
    }
}
