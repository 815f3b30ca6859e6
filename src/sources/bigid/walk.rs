//! All cases, page after page, with proof that none is missing
//! (docs/platforms/bigid.md#listing-cases).
//!
//! How the platform understands the request for a page is uncertain, so everything is checked: every
//! page must have new cases, as many must arrive as were announced, and the total must not change. A
//! set that loses one case and gains another between two pages keeps its total, and one of its cases
//! is on neither page. Where there are several pages, the ids are therefore read once more.

use std::cell::Cell;

use chrono::{DateTime, Utc};

use super::api::{self, Filter, FirstPage, Query};
use super::case::Case;
use super::settings::{Paging, Settings};
use super::wire::{self, CaseRow, FIELDS, IDENTITY};
use super::words::{self, CaseStanding};
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, Http};
use crate::page::{self, At, List, Next, Page, PageBy, ReadError, Walk};
use crate::text::{self, Undocumented};

/// The pages that public clients ask for. The largest that a tenant accepts is not documented.
const SMALL_PAGE: u64 = 100;

/// More cases than any tenant has.
const MOST_CASES: u64 = 1_000_000;

/// The cases of a list.
#[derive(Debug)]
pub(super) struct Estate {
    pub cases: Vec<Case>,
    /// The number of cases that the evidence covers, also those that a proven filter left out.
    pub covered: u64,
    /// When the reading began: later cases may be missing.
    pub as_of: DateTime<Utc>,
    pub notes: Vec<String>,
}

/// Which cases are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    All,
    /// Unresolved cases only; the others are known by their number.
    Unresolved {
        others: u64,
    },
}

impl Scope {
    const fn filter(self) -> Filter<'static> {
        match self {
            Self::All => Filter::None,
            Self::Unresolved { .. } => Filter::Resolved(false),
        }
    }
}

/// Reads all cases of a scope; once more from the beginning if the set changed meanwhile. `first` is
/// what an earlier request saw of them.
///
/// # Errors
/// If not all of them arrived, or one cannot be used.
pub(super) async fn all(
    settings: &Settings,
    http: &Http,
    scope: Scope,
    first: Option<FirstPage>,
    showing: impl Fn(&str),
) -> Result<Estate, Problem> {
    let mut notes = Vec::new();
    let limit = Cell::new(settings.page_limit.0.into());
    let mut request = Request { settings, http, scope, first, limit, projected: true };
    let mut is_again = false;
    let (as_of, reader) = page::settled(async || {
        if is_again {
            // A new look, since the earlier one may be of the set before the change.
            let look = api::look(settings, http, scope.filter()).await;
            request.first = Some(look.map_err(|error| error.problem())?);
            notes.push("the cases changed while they were read; they were read again".into());
        }
        is_again = true;
        let as_of = Utc::now();
        request.read(as_of, &mut notes, &showing).await.map(|reader| (as_of, reader))
    })
    .await
    .map_err(|error| match error {
        ReadError::Moved(problem) => problem.help(
            "run the gate again while no scan is running: twice in a row the cases changed while \
             they were read, or the platform's figures disagree",
        ),
        ReadError::Failed(problem) => problem,
    })?;
    // Cases come and go one by one, not all at once.
    if let Some(look) = first.filter(|look| look.is_any && reader.cases.is_empty()) {
        let earlier = look.total.map_or_else(|| "one".to_owned(), text::thousands);
        let what = format!("no case arrived, although an earlier request saw {earlier}");
        return Err(problem(http, Cause::Contradictory, what));
    }
    notes.extend(reader.notes());
    let others = match scope {
        Scope::All => 0,
        Scope::Unresolved { others } => others,
    };
    let covered = reader.cases.len() as u64 + others;
    Ok(Estate { cases: reader.cases, covered, as_of, notes })
}

/// One case as it is now.
///
/// # Errors
/// If the platform cannot be asked, or its answer cannot be used.
pub(super) async fn one(
    settings: &Settings,
    http: &Http,
    id: &str,
) -> Result<Option<Case>, Problem> {
    let only = Query { from: 0, limit: 1, fields: Some(&FIELDS), filter: Filter::Id(id) };
    let found = match api::page(settings, http, only).await {
        Ok(page) => page.data.cases.into_iter().find(|row| row.id() == Some(id)),
        // It may not know such a filter.
        Err(error) if matches!(error.failure, Failure::Refused { .. }) => None,
        Err(error) => return Err(error.problem()),
    };
    match found.filter(|row| row.lacks().is_none()) {
        Some(row) => Ok(Some(Case::of(id, &row, &settings.web))),
        // No proof of absence: the filter may have been ignored or misunderstood.
        None => {
            let estate = all(settings, http, Scope::All, None, |_| ()).await?;
            Ok(estate.cases.into_iter().find(|case| case.id == id))
        }
    }
}

/// What is read, and how.
struct Request<'a> {
    settings: &'a Settings,
    http: &'a Http,
    scope: Scope,
    first: Option<FirstPage>,
    /// The rows asked for in a page.
    limit: Cell<u64>,
    /// Whether only some fields are requested.
    projected: bool,
}

impl Request<'_> {
    /// One walk, with the ids read once more.
    async fn read(
        &mut self,
        as_of: DateTime<Utc>,
        notes: &mut Vec<String>,
        showing: &impl Fn(&str),
    ) -> Result<CaseReader, ReadError> {
        let mut reader = CaseReader::default();
        let mut walked = self.walk(&mut reader, showing).await;
        if let Some(field) = reader.lacks.filter(|_| self.projected) {
            self.projected = false;
            notes.push(format!(
                "the platform did not understand `fields` (no `{field}` arrived), so whole cases \
                 were read; `encoding: {{fields: csv}}` may help"
            ));
            reader = CaseReader::default();
            walked = self.walk(&mut reader, showing).await;
        }
        let walk = walked?;
        self.check_ids(walk, as_of).await?;
        let cases = reader.cases.len() as u64;
        if let Some(first) = self.first.filter(|first| !first.agrees(cases)) {
            let earlier = first.total.map_or_else(|| "one".to_owned(), text::thousands);
            let what = format!(
                "{} arrived where an earlier request saw {earlier}",
                text::count(cases, "case")
            );
            return Err(problem(self.http, Cause::Contradictory, what).into());
        }
        Ok(reader)
    }

    async fn walk(
        &self,
        reader: &mut CaseReader,
        showing: &impl Fn(&str),
    ) -> Result<Walk, ReadError> {
        let mut walk = Walk::new(self.list());
        let fields = self.projected.then_some(&FIELDS[..]);
        let read = |walk: &mut Walk, page: wire::Page| {
            for (at, row) in page.data.cases.iter().enumerate() {
                reader.row(row, at, walk, self)?;
            }
            Ok(Page { total: page.data.total.map(|total| total.0), ..Page::default() })
        };
        page::read(&mut walk, async |at| self.page(&at, fields).await, read, showing)
            .await
            .map_err(|error| self.advised(error))?;
        reader.has_total = walk.total().is_some();
        if !reader.cases.is_empty() && !reader.has_judgement {
            return Err(reader.lacks("caseStatus", self.http).into());
        }
        Ok(walk)
    }

    async fn page(&self, at: &At, fields: Option<&[&str]>) -> Result<wire::Page, Problem> {
        let At::Offset(from) = *at else {
            return Err(problem(self.http, Cause::Protocol, format!("no page is at {at:?}")));
        };
        let query = |limit| Query { from, limit, fields, filter: self.scope.filter() };
        let mut page = api::page(self.settings, self.http, query(self.limit.get())).await;
        let is_refused =
            page.as_ref().is_err_and(|error| matches!(error.failure, Failure::Refused { .. }));
        if is_refused && self.limit.get() > SMALL_PAGE {
            self.limit.set(SMALL_PAGE);
            page = api::page(self.settings, self.http, query(SMALL_PAGE)).await;
        }
        page.map_err(|error| super::token::advised(error.problem(), self.settings))
    }

    /// Reads the ids once more where there were several pages: no case may be there that was on
    /// none of them.
    async fn check_ids(&self, mut seen: Walk, as_of: DateTime<Utc>) -> Result<(), ReadError> {
        if seen.pages() < 2 {
            return Ok(());
        }
        let rows = seen.rows();
        let fields = self.projected.then_some(&IDENTITY[..]);
        let read = |walk: &mut Walk, page: wire::Page| {
            for row in &page.data.cases {
                let is_late = || row.created_at.time().is_some_and(|time| time > as_of);
                match row.id() {
                    Some(id) if !seen.is_new(id) => walk.is_new(id),
                    _ if is_late() => continue,
                    _ => {
                        let what = "an existing case was on none of the pages".to_owned();
                        return Err(problem(self.http, Cause::Contradictory, what).into());
                    }
                };
            }
            // A case that is gone is none that is missing.
            let next = if page.data.cases.is_empty() { Next::Enough } else { Next::Unstated };
            Ok(Page { total: Some(rows), next, ..Page::default() })
        };
        let mut walk = Walk::new(self.list());
        let ask = async |at| self.page(&at, fields).await;
        page::read(&mut walk, ask, read, |_| ()).await
    }

    fn list(&self) -> List {
        let parameter = self.settings.paging.parameter();
        let limit = self.limit.get();
        let name = format!("{}: all-cases", self.http.source());
        List {
            unit: "case",
            most_rows: MOST_CASES,
            ..List::new(name, PageBy::Offset(parameter), limit)
        }
    }

    /// A platform that ignores the parameter for pages may understand the other one.
    fn advised(&self, error: ReadError) -> ReadError {
        let other = match self.settings.paging {
            Paging::Skip => Paging::Offset,
            Paging::Offset => Paging::Skip,
        };
        match error {
            ReadError::Failed(problem) if problem.message.contains("ignores `") => {
                let help = format!("set `paging: {}` for this source", other.parameter());
                ReadError::Failed(problem.help(help))
            }
            error => error,
        }
    }
}

/// The cases of one walk so far.
#[derive(Debug, Default)]
struct CaseReader {
    cases: Vec<Case>,
    /// A field that was requested and is absent.
    lacks: Option<&'static str>,
    has_total: bool,
    undocumented_statuses: Undocumented,
    undocumented_severities: Undocumented,
    without_policy: u64,
    /// Whether any row had a status or a severity: rows without both are not cases.
    has_judgement: bool,
}

impl CaseReader {
    fn row(
        &mut self,
        row: &CaseRow,
        at: usize,
        walk: &mut Walk,
        request: &Request<'_>,
    ) -> Result<(), Problem> {
        let failed = |what: String| problem(request.http, Cause::Protocol, what);
        let Some(id) = row.id() else {
            let page = walk.next_page();
            return Err(failed(format!("page {page}, cases[{at}] has no `_id` and no `id`")));
        };
        if let Some(field) = row.lacks().filter(|_| request.projected) {
            return Err(self.lacks(field, request.http));
        }
        let status = row.case_status.word();
        if matches!(request.scope, Scope::Unresolved { .. })
            && status
                .and_then(words::status)
                .is_none_or(|(_, standing)| standing == CaseStanding::Resolved)
        {
            return Err(failed("a case arrived that the `filter` by status excludes".to_owned()));
        }
        self.has_judgement |= status.is_some() || row.severity_level.word().is_some();
        // A case that moved from one page to the next counts once.
        if walk.is_new(id) {
            self.note(row);
            self.cases.push(Case::of(id, row, &request.settings.web));
        }
        Ok(())
    }

    fn lacks(&mut self, field: &'static str, http: &Http) -> Problem {
        self.lacks = Some(field);
        problem(http, Cause::Protocol, format!("no case has a `{field}`"))
    }

    /// Counts undocumented words.
    fn note(&mut self, row: &CaseRow) {
        let status = row.case_status.word();
        if status.and_then(words::status).is_none() {
            self.undocumented_statuses.add(status);
        }
        let severity = row.severity_level.word();
        if severity.is_none_or(|word| words::severity(word) == Severity::Unknown) {
            self.undocumented_severities.add(severity);
        }
        self.without_policy += u64::from(row.policy_name.word().is_none());
    }

    fn notes(&self) -> Vec<String> {
        let statuses = self.undocumented_statuses.note("case", "status", "counted as open");
        let meaning = "counted as unknown, which every severity selector matches";
        let severities = self.undocumented_severities.note("case", "severity", meaning);
        let mut notes: Vec<_> = statuses.into_iter().chain(severities).collect();
        if self.without_policy > 0 {
            notes.push(format!("{} without a policy", text::count(self.without_policy, "case")));
        }
        if !self.has_total {
            notes.push("the platform states no total; the last page was empty".into());
        }
        notes
    }
}

fn problem(http: &Http, cause: Cause, what: String) -> Problem {
    Problem::new(cause, format!("{}: all-cases: {what}", http.source()))
}
