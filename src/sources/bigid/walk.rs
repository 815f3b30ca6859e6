//! All cases, page after page, with proof that none is missing
//! (docs/platforms/bigid.md#listing-cases).
//!
//! How the platform understands the request for a page is uncertain, so everything is checked: every
//! page must have new cases, as many must arrive as were announced, and the total must not change. A
//! set that loses one case and gains another between two pages keeps its total, and one of its cases
//! is on neither page. Where there are several pages, the ids are therefore read once more.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::api::{self, Filter, Look, Query};
use super::case::Case;
use super::settings::{Paging, Settings};
use super::wire::{FIELDS, IDENTITY, Page, Row};
use super::words::{self, Standing};
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, Http};
use crate::text::{self, Undocumented};

/// No limit is published; public clients send up to twenty requests a second
/// (docs/platforms/bigid.md#errors-and-limits).
const PACE: Duration = Duration::from_millis(200);

/// A walk without a total that does not end earlier is not a list of cases.
const MOST_PAGES: u64 = 10_000;

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
    first: Option<Look>,
    showing: impl Fn(&str),
) -> Result<Estate, Problem> {
    let mut notes = Vec::new();
    let mut request = Request { settings, http, scope, first, projected: true };
    let mut may_repeat = true;
    let earliest = first;
    loop {
        let as_of = Utc::now();
        match request.read(as_of, &showing).await {
            Ok(reader) => {
                // Cases come and go one by one, not all at once.
                if let Some(look) = earliest.filter(|look| look.is_any && reader.cases.is_empty()) {
                    let earlier = look.total.map_or_else(|| "one".to_owned(), text::thousands);
                    let what =
                        format!("no case arrived, although an earlier request saw {earlier}");
                    return Err(problem(http, Cause::Contradictory, what));
                }
                notes.extend(reader.notes());
                let others = match scope {
                    Scope::All => 0,
                    Scope::Unresolved { others } => others,
                };
                let covered = reader.cases.len() as u64 + others;
                return Ok(Estate { cases: reader.cases, covered, as_of, notes });
            }
            Err(WalkError::Lacks(field)) if request.projected => {
                request.projected = false;
                notes.push(format!(
                    "the platform did not understand `fields` (no `{field}` arrived), so whole \
                     cases were read; `encoding: {{fields: csv}}` may help"
                ));
            }
            Err(WalkError::Lacks(field)) => {
                return Err(problem(http, Cause::Protocol, format!("no case has a `{field}`")));
            }
            Err(WalkError::Moved(_)) if may_repeat => {
                may_repeat = false;
                // A new look, since the earlier one may be of the set before the change.
                let look = api::look(settings, http, scope.filter()).await;
                request.first = Some(look.map_err(|error| error.problem())?);
                notes.push("the cases changed while they were read; they were read again".into());
            }
            Err(WalkError::Moved(problem)) => {
                return Err(problem.help(
                    "run the gate again while no scan is running: twice in a row the cases changed \
                     while they were read, or the platform's figures disagree",
                ));
            }
            Err(WalkError::Failed(problem)) => return Err(problem),
        }
    }
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

/// Why a walk failed.
#[derive(Debug, PartialEq, Eq)]
enum WalkError {
    /// A field that was requested is absent.
    Lacks(&'static str),
    /// The set changed, or the figures disagree, which looks the same.
    Moved(Problem),
    /// Another walk would not help.
    Failed(Problem),
}

/// What is read, and how.
struct Request<'a> {
    settings: &'a Settings,
    http: &'a Http,
    scope: Scope,
    first: Option<Look>,
    /// Whether only some fields are requested.
    projected: bool,
}

impl Request<'_> {
    /// One walk, with the ids read once more.
    async fn read(
        &self,
        as_of: DateTime<Utc>,
        showing: &impl Fn(&str),
    ) -> Result<Reader, WalkError> {
        let reader = self.walk(showing).await?;
        self.check_ids(&reader, as_of).await?;
        let cases = reader.cases.len() as u64;
        if let Some(first) = self.first.filter(|first| !first.agrees(cases)) {
            let earlier = first.total.map_or_else(|| "one".to_owned(), text::thousands);
            let what = format!(
                "{} arrived where an earlier request saw {earlier}",
                text::count(cases, "case")
            );
            return Err(WalkError::Moved(problem(self.http, Cause::Contradictory, what)));
        }
        Ok(reader)
    }

    async fn walk(&self, showing: &impl Fn(&str)) -> Result<Reader, WalkError> {
        let mut reader = Reader::default();
        loop {
            let fields = self.projected.then_some(&FIELDS[..]);
            let page = self.page(reader.rows, fields).await?;
            if !reader.page(page, self)? {
                reader.end(self.http)?;
                return Ok(reader);
            }
            showing(&match reader.total {
                Some(total) => format!("{} of {total}", reader.cases.len()),
                None => reader.cases.len().to_string(),
            });
            tokio::time::sleep(PACE).await;
        }
    }

    async fn page(&self, from: u64, fields: Option<&[&str]>) -> Result<Page, WalkError> {
        let limit = self.settings.page_limit.0.into();
        let query = Query { from, limit, fields, filter: self.scope.filter() };
        let page = api::page(self.settings, self.http, query).await;
        page.map_err(|error| {
            WalkError::Failed(super::token::advised(error.problem(), self.settings))
        })
    }

    /// Reads the ids once more where there were several pages: no case may be there that was on
    /// none of them.
    async fn check_ids(&self, reader: &Reader, as_of: DateTime<Utc>) -> Result<(), WalkError> {
        let fields = self.projected.then_some(&IDENTITY[..]);
        let mut from = 0;
        while reader.pages > 1 && from < reader.rows {
            tokio::time::sleep(PACE).await;
            let page = self.page(from, fields).await?;
            let is_new = |row: &&Row| row.id().is_none_or(|id| !reader.seen.contains(id));
            let is_late = |row: &Row| row.created_at.time().is_some_and(|time| time > as_of);
            if page.data.cases.iter().filter(is_new).any(|row| !is_late(row)) {
                let what = "an existing case was on none of the pages".to_owned();
                return Err(WalkError::Moved(problem(self.http, Cause::Contradictory, what)));
            }
            if page.data.cases.is_empty() {
                break;
            }
            from += page.data.cases.len() as u64;
        }
        Ok(())
    }

    fn ignored_paging(&self, page: u64) -> Problem {
        let other = match self.settings.paging {
            Paging::Skip => Paging::Offset,
            Paging::Offset => Paging::Skip,
        };
        let parameter = self.settings.paging.parameter();
        let what = format!(
            "page {page} repeats earlier cases; the platform seems to ignore `{parameter}`"
        );
        problem(self.http, Cause::Protocol, what)
            .help(format!("set `paging: {}` for this source", other.parameter()))
    }
}

/// The pages of one walk so far.
#[derive(Debug, Default)]
struct Reader {
    cases: Vec<Case>,
    seen: HashSet<String>,
    /// Rows that arrived, repeated ones included: the beginning of the next page.
    rows: u64,
    pages: u64,
    total: Option<u64>,
    undocumented_statuses: Undocumented,
    undocumented_severities: Undocumented,
    without_policy: u64,
    /// Whether any row had a status or a severity: rows without both are not cases.
    has_judgement: bool,
}

impl Reader {
    /// Reads one page; returns whether there are more.
    fn page(&mut self, page: Page, request: &Request<'_>) -> Result<bool, WalkError> {
        let http = request.http;
        self.pages += 1;
        self.announced(page.data.total.map(|total| total.0), http)?;
        let before = self.cases.len();
        for (at, row) in page.data.cases.iter().enumerate() {
            self.row(row, at, request)?;
        }
        let count = self.cases.len() as u64;
        if let Some(total) = self.total.filter(|total| count > *total) {
            let what = format!("{count} cases arrived where {total} were announced");
            return Err(WalkError::Moved(problem(http, Cause::Contradictory, what)));
        }
        if page.data.cases.is_empty() || self.total == Some(count) {
            return Ok(false);
        }
        if self.cases.len() == before {
            return Err(WalkError::Failed(request.ignored_paging(self.pages)));
        }
        if self.pages >= MOST_PAGES {
            let what = format!("the list does not end after {} pages", self.pages);
            return Err(WalkError::Failed(problem(http, Cause::Protocol, what)));
        }
        Ok(true)
    }

    fn row(&mut self, row: &Row, at: usize, request: &Request<'_>) -> Result<(), WalkError> {
        let failed = |what: String| WalkError::Failed(problem(request.http, Cause::Protocol, what));
        let Some(id) = row.id() else {
            return Err(failed(format!(
                "page {}, cases[{at}] has no `_id` and no `id`",
                self.pages
            )));
        };
        if let Some(field) = row.lacks().filter(|_| request.projected) {
            return Err(WalkError::Lacks(field));
        }
        let status = row.case_status.word();
        if matches!(request.scope, Scope::Unresolved { .. })
            && status
                .and_then(words::status)
                .is_none_or(|(_, standing)| standing == Standing::Resolved)
        {
            return Err(failed("a case arrived that the `filter` by status excludes".to_owned()));
        }
        self.has_judgement |= status.is_some() || row.severity_level.word().is_some();
        self.rows += 1;
        // A case that moved from one page to the next counts once.
        if self.seen.insert(id.to_owned()) {
            self.note(row);
            self.cases.push(Case::of(id, row, &request.settings.web));
        }
        Ok(())
    }

    /// The total of the first page must be that of all pages.
    fn announced(&mut self, total: Option<u64>, http: &Http) -> Result<(), WalkError> {
        match (self.total, total) {
            (Some(first), Some(now)) if first != now => {
                let what = format!("the total changed from {first} to {now} between two pages");
                Err(WalkError::Moved(problem(http, Cause::Contradictory, what)))
            }
            (first, now) => {
                self.total = first.or(now);
                Ok(())
            }
        }
    }

    /// Checks the end of the list.
    fn end(&self, http: &Http) -> Result<(), WalkError> {
        let count = self.cases.len() as u64;
        match self.total {
            _ if count > 0 && !self.has_judgement => Err(WalkError::Lacks("caseStatus")),
            Some(total) if total != count => {
                let what = format!("{count} of {total} cases arrived before the last page");
                Err(WalkError::Moved(problem(http, Cause::Incomplete, what)))
            }
            _ => Ok(()),
        }
    }

    /// Counts undocumented words.
    fn note(&mut self, row: &Row) {
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
        if self.total.is_none() {
            notes.push("the platform states no total; the last page was empty".into());
        }
        notes
    }
}

fn problem(http: &Http, cause: Cause, what: String) -> Problem {
    Problem::new(cause, format!("{}: all-cases: {what}", http.source()))
}
