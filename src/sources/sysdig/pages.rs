//! Pages by number with a total (fact sheet §4).
//!
//! The platform keeps no snapshot: the set may change between two pages. Then the walk begins
//! anew, once. How long a page is says nothing, for the server may give fewer than asked.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::units::Whole;
use crate::finding::{Cause, Problem};
use crate::http::{Call, HttpError};
use crate::page::Walk;

/// Rows in a page: the most that a public client found to work (fact sheet §4.2).
pub const SIZE: u64 = 50;

#[derive(Deserialize)]
struct Page<T> {
    data: Option<Vec<T>>,
    #[serde(rename = "totalCount")]
    total: Option<Whole>,
}

/// A list to be walked.
pub struct List<C> {
    /// What it is, for messages: `sysdig: compliance/requirements`.
    pub what: String,
    /// A new request for it, without the page.
    pub call: C,
}

/// What makes a row the same row on another page; `None` if it has nothing of the kind.
pub type Key<T> = fn(&T) -> Option<String>;

impl<'a, C: Fn() -> Call<'a>> List<C> {
    /// How many rows there are.
    ///
    /// # Errors
    /// If it cannot be asked, or the answer has no total.
    pub async fn total(&self) -> Result<u64, Problem> {
        let page: Page<serde::de::IgnoredAny> = self.page(1, 1).await?;
        self.stated(page.total)
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// If a page does not arrive, or the pages do not add up in two walks.
    pub async fn rows<T: DeserializeOwned>(&self, key: Key<T>) -> Result<Vec<T>, Problem> {
        match self.walk(key, |_| false).await {
            Err(problem) if moved(&problem) => self.walk(key, |_| false).await,
            result => result,
        }
    }

    /// Rows until `enough` of one of them; a proof that such a row exists needs no more.
    ///
    /// # Errors
    /// As for `rows`.
    pub async fn until<T: DeserializeOwned>(
        &self,
        key: Key<T>,
        enough: impl FnMut(&T) -> bool,
    ) -> Result<(), Problem> {
        match self.walk(key, enough).await {
            // Another walk would tell no more of what is there.
            Err(problem) if moved(&problem) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    async fn walk<T: DeserializeOwned>(
        &self,
        key: Key<T>,
        mut enough: impl FnMut(&T) -> bool,
    ) -> Result<Vec<T>, Problem> {
        let mut rows = Vec::new();
        let mut earlier: HashSet<String> = HashSet::new();
        let mut guard = Walk::new(self.what.clone(), SIZE);
        let mut repeated = false;
        for number in 1_u64.. {
            let Page { data, total } = self.page(number, SIZE).await?;
            let (data, total): (Vec<T>, u64) = (data.unwrap_or_default(), self.stated(total)?);
            let any = !data.is_empty();
            let mut here = HashSet::new();
            for (at, row) in data.into_iter().enumerate() {
                let key = key(&row).ok_or_else(|| self.nameless(number, at))?;
                if earlier.contains(&key) {
                    return Err(self.shifted(number));
                }
                let is_enough = enough(&row);
                match here.insert(key) {
                    true => rows.push(row),
                    false => repeated = true,
                }
                if is_enough {
                    return Ok(rows);
                }
            }
            // What comes twice within a page counts once, or it would stand for a row that is
            // missing.
            let distinct = here.len() as u64;
            earlier.extend(here);
            let more = any && guard.rows().saturating_add(distinct) < total;
            let next = more.then(|| (number + 1).to_string());
            guard.page(distinct, total, next.as_deref())?;
            if !more {
                guard.end().map_err(|problem| match repeated {
                    true => Self::repeated(&problem),
                    false => problem,
                })?;
                break;
            }
        }
        Ok(rows)
    }

    async fn page<T: DeserializeOwned>(&self, number: u64, size: u64) -> Result<Page<T>, Problem> {
        let call = (self.call)()
            .parameter("pageNumber", &number.to_string())
            .parameter("pageSize", &size.to_string());
        let answer = call.send().await.map_err(|error: HttpError| error.problem())?;
        answer.json().map_err(|error| error.problem())
    }

    fn stated(&self, total: Option<Whole>) -> Result<u64, Problem> {
        total.map(|total| total.0).ok_or_else(|| {
            let message = format!("{}: a page has no `totalCount`", self.what);
            Problem::new(Cause::Protocol, message)
        })
    }

    fn nameless(&self, page: u64, at: usize) -> Problem {
        let message =
            format!("{}: page {page}, data[{at}] has nothing to be told apart by", self.what);
        Problem::new(Cause::Protocol, message)
    }

    fn repeated(problem: &Problem) -> Problem {
        let message = format!("{}, and some of them came twice", problem.message);
        Problem::new(problem.cause, message)
            .help("run the gate again; if it stays, report it to the platform's support")
    }

    /// A row that comes again on a later page has pushed another one out of sight.
    fn shifted(&self, page: u64) -> Problem {
        let message = format!("{}: page {page} repeats a row of an earlier page", self.what);
        Problem::new(Cause::Contradictory, message)
            .help("run the gate again; the set changes while it is read")
    }
}

fn moved(problem: &Problem) -> bool {
    matches!(problem.cause, Cause::Contradictory | Cause::Incomplete)
}
