//! All cases, page after page, with proof that they are all (fact sheet §A2).
//!
//! Whether the platform understands how a page is asked for is not certain, so nothing is taken on
//! trust: every page must bring cases that were not there before, as many must arrive as were
//! promised, and the promise must not move. A set that loses one case and gains another between two
//! pages keeps its promise, and one case of it is on neither page; so where there were several
//! pages, the ids are read once more.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::api::{self, Query};
use super::case::Case;
use super::settings::{Paging, Settings};
use super::wire::{FIELDS, IDENTITY, Page, Row};
use super::words;
use crate::finding::{Cause, Problem, Severity};
use crate::http::{Failure, Http};
use crate::text;

/// No limit is published; five requests a second are fewer than any known caller sends (fact
/// sheet §A5).
const PACE: Duration = Duration::from_millis(200);

/// Where a walk without a promised end is given up.
const MOST_PAGES: u64 = 10_000;

/// Odd words that are named one by one; the rest is only counted.
const MOST_NAMED: usize = 5;

/// Everything there is.
#[derive(Debug)]
pub struct Estate {
    pub cases: Vec<Case>,
    /// When the reading began: what came later need not be in it.
    pub as_of: DateTime<Utc>,
    pub notes: Vec<String>,
}

/// Reads all cases; once more from the beginning if the set moved meanwhile.
///
/// # Errors
/// If not all of them arrived, or one cannot be used.
pub async fn all(
    settings: &Settings,
    http: &Http,
    showing: impl Fn(&str),
) -> Result<Estate, Problem> {
    let mut notes = Vec::new();
    let mut projected = true;
    let mut again = true;
    loop {
        let as_of = Utc::now();
        let checked = match walk(settings, http, projected, &showing).await {
            Ok(reader) => reader.checked(settings, http, projected, as_of).await,
            broken => broken,
        };
        match checked {
            Ok(reader) => {
                notes.extend(reader.notes());
                return Ok(Estate { cases: reader.cases, as_of, notes });
            }
            Err(Broken::Lacks(field)) if projected => {
                projected = false;
                notes.push(format!(
                    "`fields` had no effect as intended (no `{field}` came back), so whole cases \
                     were read; `encoding: {{fields: csv}}` may help"
                ));
            }
            Err(Broken::Lacks(field)) => {
                return Err(problem(http, Cause::Protocol, format!("no case has a `{field}`")));
            }
            Err(Broken::Moved(_)) if again => {
                again = false;
                notes.push("the cases changed while they were read; they were read again".into());
            }
            Err(Broken::Moved(problem)) => {
                return Err(problem.help(
                    "run the gate again when nothing scans: twice in a row the cases changed while \
                     they were read, or the platform's figures disagree",
                ));
            }
            Err(Broken::For(problem)) => return Err(problem),
        }
    }
}

/// One case as it is now.
///
/// # Errors
/// If the platform cannot be asked, or its answer cannot be used.
pub async fn one(settings: &Settings, http: &Http, id: &str) -> Result<Option<Case>, Problem> {
    let only = Query { from: 0, limit: 1, fields: Some(&FIELDS), id: Some(id) };
    let found = match api::page(settings, http, only).await {
        Ok(page) => page.data.cases.into_iter().find(|row| row.id() == Some(id)),
        // It may not know such a filter.
        Err(error) if matches!(error.failure, Failure::Refused { .. }) => None,
        Err(error) => return Err(error.problem()),
    };
    match found.filter(|row| row.lacks().is_none()) {
        Some(row) => Ok(Some(Case::of(id, &row, &settings.web))),
        // No proof that there is none: the filter may have been ignored, or misunderstood.
        None => {
            let estate = all(settings, http, |_| ()).await?;
            Ok(estate.cases.into_iter().find(|case| case.id == id))
        }
    }
}

/// Why a walk ended before its end.
#[derive(Debug, PartialEq, Eq)]
enum Broken {
    /// A field that was asked for is not there.
    Lacks(&'static str),
    /// The set moved, or the figures disagree, which looks the same.
    Moved(Problem),
    /// Nothing that another walk would mend.
    For(Problem),
}

async fn walk(
    settings: &Settings,
    http: &Http,
    projected: bool,
    showing: &impl Fn(&str),
) -> Result<Reader, Broken> {
    let limit = settings.page_limit.0.into();
    let mut reader = Reader::default();
    loop {
        let fields = projected.then_some(&FIELDS[..]);
        let query = Query { from: reader.rows, limit, fields, id: None };
        let page = api::page(settings, http, query)
            .await
            .map_err(|error| Broken::For(super::token::advised(error.problem(), settings)))?;
        if !reader.page(page, settings, http, projected)? {
            reader.end(http)?;
            return Ok(reader);
        }
        showing(&match reader.total {
            Some(total) => format!("{} of {total}", reader.cases.len()),
            None => reader.cases.len().to_string(),
        });
        tokio::time::sleep(PACE).await;
    }
}

/// Reads the pages of one walk.
#[derive(Debug, Default)]
struct Reader {
    cases: Vec<Case>,
    seen: HashSet<String>,
    /// Rows that arrived, repeated ones included: where the next page begins.
    rows: u64,
    pages: u64,
    total: Option<u64>,
    odd_statuses: BTreeMap<String, u64>,
    odd_severities: BTreeMap<String, u64>,
    without_policy: u64,
    /// Whether any case had a status or a severity: rows without are no cases.
    speaks: bool,
}

impl Reader {
    /// Reads one page; returns whether there are more.
    fn page(
        &mut self,
        page: Page,
        settings: &Settings,
        http: &Http,
        projected: bool,
    ) -> Result<bool, Broken> {
        self.pages += 1;
        self.promised(page.data.total, http)?;
        let before = self.cases.len();
        for (at, row) in page.data.cases.iter().enumerate() {
            let Some(id) = row.id() else {
                let what = format!("page {}, cases[{at}] has no `_id` and no `id`", self.pages);
                return Err(Broken::For(problem(http, Cause::Protocol, what)));
            };
            if let Some(field) = row.lacks().filter(|_| projected) {
                return Err(Broken::Lacks(field));
            }
            self.speaks |= row.case_status.word().is_some() || row.severity_level.word().is_some();
            self.rows += 1;
            // A case that moved from one page to the next is no second one.
            if self.seen.insert(id.to_owned()) {
                self.note(row);
                self.cases.push(Case::of(id, row, &settings.web));
            }
        }
        let count = self.cases.len() as u64;
        if let Some(total) = self.total.filter(|total| count > *total) {
            let what = format!("{count} cases arrived where {total} were promised");
            return Err(Broken::Moved(problem(http, Cause::Contradictory, what)));
        }
        if page.data.cases.is_empty() || self.total == Some(count) {
            return Ok(false);
        }
        if self.cases.len() == before {
            return Err(Broken::For(self.stuck(settings.paging, http)));
        }
        if self.pages >= MOST_PAGES {
            let what = format!("still going on after {} pages", self.pages);
            return Err(Broken::For(problem(http, Cause::Protocol, what)));
        }
        Ok(true)
    }

    /// The first page's promise holds for all.
    fn promised(&mut self, total: Option<u64>, http: &Http) -> Result<(), Broken> {
        match (self.total, total) {
            (Some(first), Some(now)) if first != now => {
                let what = format!("the total changed from {first} to {now} between two pages");
                Err(Broken::Moved(problem(http, Cause::Contradictory, what)))
            }
            (first, now) => {
                self.total = first.or(now);
                Ok(())
            }
        }
    }

    fn stuck(&self, paging: Paging, http: &Http) -> Problem {
        let other = match paging {
            Paging::Skip => Paging::Offset,
            Paging::Offset => Paging::Skip,
        };
        let parameter = paging.parameter();
        let what = format!(
            "page {} holds only cases of the pages before it; the platform seems to ignore \
             `{parameter}`",
            self.pages
        );
        problem(http, Cause::Protocol, what)
            .help(format!("set `paging: {}` for this source", other.parameter()))
    }

    /// Looks whether a case was there all the time, and on no page.
    async fn checked(
        self,
        settings: &Settings,
        http: &Http,
        projected: bool,
        as_of: DateTime<Utc>,
    ) -> Result<Self, Broken> {
        let fields = projected.then_some(&IDENTITY[..]);
        let (mut from, limit) = (0, settings.page_limit.0.into());
        while self.pages > 1 && from < self.rows {
            tokio::time::sleep(PACE).await;
            let query = Query { from, limit, fields, id: None };
            let page = api::page(settings, http, query).await;
            let page = page.map_err(|error| Broken::For(error.problem()))?;
            let is_new = |row: &&Row| row.id().is_none_or(|id| !self.seen.contains(id));
            let is_late = |row: &Row| row.created_at.time().is_some_and(|time| time > as_of);
            if page.data.cases.iter().filter(is_new).any(|row| !is_late(row)) {
                let what = "a case that was there was on none of the pages".to_owned();
                return Err(Broken::Moved(problem(http, Cause::Contradictory, what)));
            }
            if page.data.cases.is_empty() {
                break;
            }
            from += page.data.cases.len() as u64;
        }
        Ok(self)
    }

    /// Closes the walk.
    fn end(&self, http: &Http) -> Result<(), Broken> {
        let count = self.cases.len() as u64;
        match self.total {
            _ if count > 0 && !self.speaks => Err(Broken::Lacks("caseStatus")),
            Some(total) if total != count => {
                let what = format!("{count} of {total} cases arrived before the last page");
                Err(Broken::Moved(problem(http, Cause::Incomplete, what)))
            }
            _ => Ok(()),
        }
    }

    /// Takes note of words that nobody documented.
    fn note(&mut self, row: &Row) {
        let status = row.case_status.word();
        if status.and_then(words::status).is_none() {
            *self.odd_statuses.entry(named(status)).or_default() += 1;
        }
        let severity = row.severity_level.word();
        if severity.is_none_or(|word| words::severity(word) == Severity::Unknown) {
            *self.odd_severities.entry(named(severity)).or_default() += 1;
        }
        self.without_policy += u64::from(row.policy_name.word().is_none());
    }

    fn notes(&self) -> Vec<String> {
        let odd = [
            (&self.odd_statuses, "status", "counted as open"),
            (&self.odd_severities, "severity", "counted as unknown, which every severity matches"),
        ];
        let mut notes: Vec<_> = odd
            .into_iter()
            .filter(|(words, ..)| !words.is_empty())
            .map(|(words, field, meaning)| {
                let each = words.iter().take(MOST_NAMED);
                let each: Vec<_> = each.map(|(word, times)| format!("{word} ({times})")).collect();
                let more = match words.len().saturating_sub(MOST_NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let cases = text::count(words.values().sum(), "case");
                format!(
                    "{cases} with a {field} that is not documented, {meaning}: {}{more}",
                    each.join(", ")
                )
            })
            .collect();
        if self.without_policy > 0 {
            let cases = text::count(self.without_policy, "case");
            notes.push(format!("{cases} without a policy; the label stands in for its name"));
        }
        if self.total.is_none() {
            notes.push("the platform promised no number of cases; the last page was empty".into());
        }
        notes
    }
}

/// A word from outside, or that there was none.
fn named(word: Option<&str>) -> String {
    word.map_or_else(|| "none".to_owned(), |word| format!("`{}`", text::one_line(word, 40)))
}

fn problem(http: &Http, cause: Cause, what: String) -> Problem {
    Problem::new(cause, format!("{}: all-cases: {what}", http.source()))
}
