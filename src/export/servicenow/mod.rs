//! ServiceNow's Table API (fact sheet BigID §C2).
//!
//! A case's ticket carries it in `correlation_id`, which the database does not keep unique. A
//! query that the platform does not understand is ignored, and every row comes back: so each row
//! is compared, and one that does not fit makes the whole answer worthless. What it does not know
//! in a body is dropped in silence: so each ticket is read back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Creation, Draft, Mark, Seen, Target, Ticket, unanswered, wording};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Http, is_loopback};
use crate::sources::Later;
use crate::sources::bigid::Case;
use crate::text;

mod settings;
mod wire;

pub use settings::{SYSTEM, Settings};
use wire::{Many, One, Refusal, text_of};

/// Characters of `short_description` (fact sheet §C2) and of the other fields of a new instance.
const MOST_TITLE: usize = 160;
const MOST_DESCRIPTION: usize = 3900;
const MOST_CATEGORY: usize = 40;
const MOST_CORRELATION: usize = 100;

/// Tickets with one mark are a handful.
const MOST_ROWS: &str = "20";

/// Resolved, closed, canceled.
const OVER: [&str; 3] = ["6", "7", "8"];

/// One table.
pub struct ServiceNow<'a> {
    settings: &'a Settings,
    http: Http,
    /// `sys_id`s by table and name.
    known: RefCell<BTreeMap<(&'static str, String), Option<String>>>,
}

impl<'a> ServiceNow<'a> {
    pub fn new(settings: &'a Settings, http: Http) -> Self {
        Self { settings, http, known: RefCell::default() }
    }

    fn ticket(&self, id: &str, number: Option<&str>) -> Ticket {
        let mut url = self.settings.connection.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&format!("{}.do", self.settings.table));
        }
        url.query_pairs_mut().append_pair("sys_id", id);
        Ticket { id: id.to_owned(), key: number.unwrap_or(id).to_owned(), url: url.into() }
    }

    fn protocol(&self, what: &str) -> Problem {
        Problem::new(Cause::Protocol, format!("servicenow: {what}"))
    }

    /// What a query gives. Some instances answer 404 where there is nothing.
    async fn rows(
        &self,
        table: &str,
        query: &str,
        fields: &str,
    ) -> Result<Vec<Map<String, Value>>, Problem> {
        let answer = self
            .http
            .get("api/now/table/{}", &[table])
            .parameter("sysparm_query", query)
            .parameter("sysparm_fields", fields)
            .parameter("sysparm_limit", MOST_ROWS)
            .parameter("sysparm_exclude_reference_link", "true")
            .accepting(&[404])
            .send()
            .await
            .map_err(|error| error.problem())?;
        if answer.status() == 404 {
            return is_none(&answer).map(|()| Vec::new());
        }
        answer.json::<Many>().map(|many| many.result).map_err(|error| error.problem())
    }

    fn seen(
        &self,
        row: &Map<String, Value>,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<Seen, Problem> {
        let id = row.get("sys_id").and_then(text_of).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| self.protocol("a row came without `sys_id`"))?;
        let number = row.get("number").and_then(text_of).filter(|number| !number.is_empty());
        let ticket = self.ticket(id, number);
        let differences = draft.map(|draft| ignored(draft, row, &ticket.key)).unwrap_or_default();
        Ok(Seen {
            marked: row.get("correlation_id").and_then(text_of) == Some(correlation(mark)),
            closed: row.get("state").and_then(text_of).is_some_and(|state| OVER.contains(&state)),
            ticket,
            differences,
        })
    }

    /// The `sys_id` of the one row whose `field` is exactly this.
    async fn look_up(&self, table: &'static str, field: &str, value: &str) -> Option<String> {
        let key = (table, value.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let mut found = None;
        if is_plain(value) {
            let fields = format!("sys_id,{field}");
            let rows = self.rows(table, &format!("{field}={value}"), &fields).await;
            let same = |row: &&Map<String, Value>| {
                row.get(field)
                    .and_then(text_of)
                    .is_some_and(|given| given.eq_ignore_ascii_case(value))
            };
            let rows = rows.unwrap_or_default();
            let mut same = rows.iter().filter(same);
            let only = same.next().filter(|_| same.next().is_none());
            found = only.and_then(|row| row.get("sys_id").and_then(text_of)).map(str::to_owned);
        }
        self.known.borrow_mut().insert(key, found.clone());
        found
    }

    async fn user(&self, assignee: &str) -> Option<String> {
        if let Some(id) = self.settings.assignees.get(assignee) {
            return Some(id.clone());
        }
        let field = if assignee.contains('@') { "email" } else { "user_name" };
        self.look_up("sys_user", field, assignee).await
    }

    async fn filled(&self, case: &Case, mark: &Mark) -> Draft {
        let settings = self.settings;
        let level = settings.level(case.severity);
        let category = settings
            .category
            .clone()
            .unwrap_or_else(|| text::one_line(&case.policy, MOST_CATEGORY));
        let mut fields = Map::new();
        let mut set = |name: &str, value: String| fields.insert(name.to_owned(), value.into());
        set("short_description", wording::title(case, MOST_TITLE));
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
                    "{} is no user that can be told by that; left unassigned",
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

    async fn ask(&self, draft: &Draft) -> Creation {
        let call = self.http.command("api/now/table/{}", &[&self.settings.table], &draft.fields);
        let answer = match call.accepting(&[400, 403]).send().await {
            Ok(answer) => answer,
            Err(error) => return unanswered(&error),
        };
        match answer.status() {
            400 => Creation::Refused(self.refused(&answer, Cause::Invalid)),
            403 => Creation::Refused(self.refused(&answer, Cause::Denied)),
            _ => match answer.json::<One>().map(|one| self.made(&one.result)) {
                Ok(Some(ticket)) => Creation::Created(ticket, Vec::new()),
                Ok(None) => Creation::Lost(self.protocol("a new ticket came without `sys_id`")),
                Err(error) => unanswered(&error),
            },
        }
    }

    fn made(&self, row: &Map<String, Value>) -> Option<Ticket> {
        let id = row.get("sys_id").and_then(text_of).filter(|id| !id.is_empty())?;
        Some(self.ticket(id, row.get("number").and_then(text_of)))
    }

    /// What it says, detail included: that names the field which a data policy demands.
    fn refused(&self, answer: &Answer, cause: Cause) -> Problem {
        let said = answer.json::<Refusal>().unwrap_or_default().error.unwrap_or_default();
        let said = text::one_line(&format!("{}: {}", said.message, said.detail), 400);
        Problem::new(
            cause,
            format!("servicenow: the ticket was refused ({}): {said}", answer.status()),
        )
        .help(
            "check the account's role on the table (itil, web_service_admin), and give fields that \
             a data policy demands under `export.servicenow.fields`",
        )
    }
}

/// What a case is known by: its own name where that is safe in a query, else the label.
fn correlation(mark: &Mark) -> &str {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '-');
    let fits = mark.case.len() <= MOST_CORRELATION && mark.case.chars().all(safe);
    if fits { &mark.case } else { &mark.label }
}

/// Whether a value means nothing but itself in a query (fact sheet §C2: `^`, `=`), nor begins a
/// script.
fn is_plain(value: &str) -> bool {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '-' | '@' | '+' | '/' | ':');
    !value.is_empty()
        && value.len() <= 200
        && value.chars().all(plain)
        && !value.to_ascii_lowercase().starts_with("javascript:")
}

fn description(case: &Case, mark: &Mark) -> String {
    let facts = wording::facts(case).into_iter().map(|(name, value)| format!("{name}: {value}"));
    let link = format!("The case in BigID: {}", case.link);
    let footer = wording::footer(&format!("the correlation id {}", correlation(mark)));
    let mut head: Vec<_> = facts.chain([link, String::new()]).collect();
    head.push(footer);
    head.push(String::new());
    head.extend(wording::description(case));
    text::shorten(&head.join("\n"), MOST_DESCRIPTION).into_owned()
}

/// Fields that were sent and are not there. References come as ids or as names, and what was
/// sent empty may be filled in.
fn ignored(draft: &Draft, row: &Map<String, Value>, key: &str) -> Vec<String> {
    let lost = |(name, sent): &(&String, &Value)| {
        let has = row.get(name.as_str()).and_then(text_of).unwrap_or_default();
        let sent = sent.as_str().unwrap_or_default();
        !sent.is_empty() && has.replace("\r\n", "\n").trim() != sent.trim()
    };
    let names: Vec<_> = draft.fields.iter().filter(lost).map(|(name, _)| name.as_str()).collect();
    match names.is_empty() {
        true => Vec::new(),
        false => vec![format!("{key} holds something else in {}", names.join(", "))],
    }
}

/// Whether a 404 is the platform's own way to say that there is nothing.
fn is_none(answer: &Answer) -> Result<(), Problem> {
    let refusal: Refusal = answer.json().map_err(|error| error.problem())?;
    match refusal.error {
        Some(_) => Ok(()),
        None => Err(Problem::new(
            Cause::Protocol,
            "servicenow: it answered 404 in an unknown shape, which need not mean that there is \
             no such ticket",
        )),
    }
}

impl Target for ServiceNow<'_> {
    fn title(&self) -> &'static str {
        "ServiceNow"
    }

    fn place(&self) -> String {
        format!("servicenow {} {}", self.settings.connection.url, self.settings.table)
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
        _recent: &'a [Ticket],
    ) -> Later<'a, Result<Vec<Seen>, Problem>> {
        Box::pin(async move {
            let query = format!("correlation_id={}", correlation(mark));
            let fields = "sys_id,number,state,correlation_id";
            let rows = self.rows(&self.settings.table, &query, fields).await?;
            let mut found =
                rows.iter().map(|row| self.seen(row, mark, None)).collect::<Result<Vec<_>, _>>()?;
            if let Some(other) = found.iter().find(|seen| !seen.marked) {
                let what = format!(
                    "the query `{query}` on table {} also gave {}, so it was ignored; nothing it \
                     says is believed",
                    self.settings.table, other.ticket.key
                );
                return Err(self.protocol(&what).help(
                    "export to a table that has `correlation_id`, or let the account read it",
                ));
            }
            found.sort_by(|a, b| {
                (a.ticket.key.len(), &a.ticket.key).cmp(&(b.ticket.key.len(), &b.ticket.key))
            });
            Ok(found)
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
            let sent = draft.into_iter().flat_map(|draft| draft.fields.keys().map(String::as_str));
            let own = ["sys_id", "number", "state", "correlation_id"];
            let fields: Vec<_> = own.into_iter().chain(sent).collect();
            let answer = self
                .http
                .get("api/now/table/{}/{}", &[&self.settings.table, &ticket.id])
                .parameter("sysparm_fields", &fields.join(","))
                .parameter("sysparm_exclude_reference_link", "true")
                .accepting(&[404])
                .send()
                .await
                .map_err(|error| error.problem())?;
            if answer.status() == 404 {
                return is_none(&answer).map(|()| None);
            }
            let one: One = answer.json().map_err(|error| error.problem())?;
            self.seen(&one.result, mark, draft).map(Some)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_steer_a_query_never_stands_in_one() {
        for id in ["66f1", "a^ORnumber=INC1", "a=b", "a b", &"x".repeat(200)] {
            let mark = Mark::of(id);
            let shown = correlation(&mark);
            assert!(shown.len() <= 100);
            assert!(!shown.contains(['^', '=', ' ']), "{shown}");
            assert_eq!(shown == mark.case, id == "66f1", "{shown}");
        }
    }

    #[test]
    fn a_name_that_would_steer_a_query_is_not_looked_up() {
        assert!(is_plain("crm-prod.example.com") && is_plain("Größe 7"));
        for name in ["", "a^ORb", "a=b", "javascript:gs.log(1)", "a\nb", "a,b"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
