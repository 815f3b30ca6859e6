//! ServiceNow's Table API (docs/platforms/servicenow.md).
//!
//! The ticket of a case has its name in `correlation_id`, which the database does not keep unique.
//! ServiceNow ignores a query that it does not understand and returns every row: each row is
//! compared, and one that does not match makes the whole answer unusable. It also ignores unknown
//! fields of a body: each ticket is read back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Creation, Draft, Mark, Target, Ticket, TicketState, failed_creation};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Http, is_loopback};
use crate::sources::bigid::Case;
use crate::text;

mod draft;
mod settings;
mod wire;

use draft::{correlation, differences};
pub(crate) use settings::{SYSTEM, Settings};
use wire::{RecordList, Refusal, SingleRecord, text_of};

/// Few tickets carry the same mark.
const MOST_ROWS: &str = "20";

/// Resolved, closed, canceled.
const CLOSED_STATES: [&str; 3] = ["6", "7", "8"];

/// One table.
pub(crate) struct ServiceNow<'a> {
    settings: &'a Settings,
    http: Http,
    /// `sys_id`s by table and name.
    references: RefCell<BTreeMap<(&'static str, String), Option<String>>>,
}

impl<'a> ServiceNow<'a> {
    pub(crate) fn new(settings: &'a Settings, http: Http) -> Self {
        Self { settings, http, references: RefCell::default() }
    }

    fn ticket(&self, id: &str, number: Option<&str>) -> Ticket {
        let mut url = self.settings.site().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&format!("{}.do", self.settings.table));
        }
        url.query_pairs_mut().append_pair("sys_id", id);
        Ticket { id: id.to_owned(), key: number.unwrap_or(id).to_owned(), url: url.into() }
    }

    fn protocol(&self, what: &str) -> Problem {
        Problem::new(Cause::Protocol, format!("servicenow: {what}"))
    }

    /// The rows of a query. Some instances answer 404 where there are none.
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
            return check_absence(&answer).map(|()| Vec::new());
        }
        answer.json::<RecordList>().map(|many| many.result).map_err(|error| error.problem())
    }

    fn state(
        &self,
        row: &Map<String, Value>,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<TicketState, Problem> {
        let id = row.get("sys_id").and_then(text_of).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| self.protocol("a row has no `sys_id`"))?;
        let number = row.get("number").and_then(text_of).filter(|number| !number.is_empty());
        let ticket = self.ticket(id, number);
        let state = row.get("state").and_then(text_of);
        Ok(TicketState {
            marked: row.get("correlation_id").and_then(text_of) == Some(correlation(mark)),
            closed: state.is_some_and(|state| CLOSED_STATES.contains(&state)),
            differences: draft
                .map(|draft| differences(draft, row, &ticket.key))
                .unwrap_or_default(),
            ticket,
        })
    }

    fn created(&self, row: &Map<String, Value>) -> Option<Ticket> {
        let id = row.get("sys_id").and_then(text_of).filter(|id| !id.is_empty())?;
        Some(self.ticket(id, row.get("number").and_then(text_of)))
    }

    /// The platform's reason. Its detail names the field that a data policy requires.
    fn refused(&self, answer: &Answer, cause: Cause) -> Problem {
        let reason = answer.json::<Refusal>().unwrap_or_default().error.unwrap_or_default();
        let reason = text::one_line(&format!("{}: {}", reason.message, reason.detail), 400);
        let status = answer.status();
        let message = format!("servicenow: the ticket was refused ({status}): {reason}");
        Problem::new(cause, message).help(
            "check the account's role on the table (itil, web_service_admin), and set fields that \
             a data policy requires under `export.servicenow.fields`",
        )
    }
}

/// Checks that a 404 is the platform's own answer for "no records".
fn check_absence(answer: &Answer) -> Result<(), Problem> {
    let refusal: Refusal = answer.json().map_err(|error| error.problem())?;
    refusal.error.map(drop).ok_or_else(|| {
        Problem::new(
            Cause::Protocol,
            "servicenow: the answer is 404 in an unknown shape, which does not prove that there is \
             no such ticket",
        )
    })
}

impl Target for ServiceNow<'_> {
    fn title(&self) -> &'static str {
        "ServiceNow"
    }

    fn location(&self) -> String {
        format!("servicenow {} {}", self.settings.connection.url, self.settings.table)
    }

    fn is_remote(&self) -> bool {
        !is_loopback(&self.settings.connection.url)
    }

    fn settle(&self) -> Duration {
        self.settings.settle
    }

    /// The search does not lag behind, so `_recent` is not needed.
    async fn find(&self, mark: &Mark, _recent: &[Ticket]) -> Result<Vec<TicketState>, Problem> {
        let query = format!("correlation_id={}", correlation(mark));
        let fields = "sys_id,number,state,correlation_id";
        let rows = self.rows(&self.settings.table, &query, fields).await?;
        let mut found =
            rows.iter().map(|row| self.state(row, mark, None)).collect::<Result<Vec<_>, _>>()?;
        if let Some(other) = found.iter().find(|state| !state.marked) {
            let what = format!(
                "the query `{query}` on table {} also returned {}, so the query was ignored and \
                 its answer cannot be relied on",
                self.settings.table, other.ticket.key
            );
            return Err(self
                .protocol(&what)
                .help("export to a table that has `correlation_id`, or let the account read it"));
        }
        found.sort_by(|a, b| {
            (a.ticket.key.len(), &a.ticket.key).cmp(&(b.ticket.key.len(), &b.ticket.key))
        });
        Ok(found)
    }

    async fn draft(&self, case: &Case, mark: &Mark) -> Draft {
        self.fill(case, mark).await
    }

    async fn create(&self, draft: &Draft) -> Creation {
        let call = self.http.command("api/now/table/{}", &[&self.settings.table], &draft.fields);
        let answer = match call.accepting(&[400, 403]).send().await {
            Ok(answer) => answer,
            Err(error) => return failed_creation(&error),
        };
        match answer.status() {
            400 => Creation::Refused(self.refused(&answer, Cause::Invalid)),
            403 => Creation::Refused(self.refused(&answer, Cause::Denied)),
            _ => match answer.json::<SingleRecord>().map(|one| self.created(&one.result)) {
                Ok(Some(ticket)) => Creation::Created(ticket, Vec::new()),
                Ok(None) => Creation::Lost(self.protocol("a new ticket has no `sys_id`")),
                Err(error) => failed_creation(&error),
            },
        }
    }

    async fn read(
        &self,
        ticket: &Ticket,
        mark: &Mark,
        draft: Option<&Draft>,
    ) -> Result<Option<TicketState>, Problem> {
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
            return check_absence(&answer).map(|()| None);
        }
        let one: SingleRecord = answer.json().map_err(|error| error.problem())?;
        self.state(&one.result, mark, draft).map(Some)
    }
}
