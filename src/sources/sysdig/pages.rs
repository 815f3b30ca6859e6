//! Lists in numbered pages with a total (docs/platforms/sysdig.md#compliance).
//!
//! The platform keeps no snapshot, so the set may change between two pages. The list is then read
//! once more. A page may have fewer rows than asked for, so its length does not show the end.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::answer;
use crate::finding::{Cause, Problem};
use crate::http::{Call, HttpError};
use crate::json::Whole;
use crate::page::Walk;

/// Rows in a page: the most that a public client found to work.
const SIZE: u64 = 50;

#[derive(Deserialize)]
struct Page<T> {
    data: Option<Vec<T>>,
    #[serde(rename = "totalCount")]
    total: Option<Whole>,
}

/// A list.
pub(super) struct List<C> {
    /// What it is, for messages: `sysdig: compliance/requirements`.
    pub(super) what: String,
    /// A new request for it, without the page.
    pub(super) call: C,
}

/// What identifies a row on every page; `None` if it has nothing of the kind.
type Key<T> = fn(&T) -> Option<String>;

impl<'a, C: Fn() -> Call<'a>> List<C> {
    /// How many rows there are.
    ///
    /// # Errors
    /// If the page does not arrive, or has no total.
    pub(super) async fn total(&self) -> Result<u64, Problem> {
        let (_, total) = self.page::<IgnoredAny>(1, 1).await?;
        Ok(total)
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// If a page does not arrive, or the pages do not add up twice.
    pub(super) async fn rows<T: DeserializeOwned>(&self, key: Key<T>) -> Result<Vec<T>, Problem> {
        match self.walk(key, |_| false).await {
            Err(problem) if has_moved(&problem) => self.walk(key, |_| false).await,
            result => result,
        }
    }

    /// Reads rows until `enough` of one of them: to show that such a row exists.
    ///
    /// # Errors
    /// As for `rows`.
    pub(super) async fn until<T: DeserializeOwned>(
        &self,
        key: Key<T>,
        enough: impl FnMut(&T) -> bool,
    ) -> Result<(), Problem> {
        match self.walk(key, enough).await {
            // The rows seen so far are enough for what was asked.
            Err(problem) if has_moved(&problem) => Ok(()),
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
            let (data, total): (Vec<T>, u64) = self.page(number, SIZE).await?;
            let any = !data.is_empty();
            let mut here = HashSet::new();
            for (at, row) in data.into_iter().enumerate() {
                let key = key(&row).ok_or_else(|| self.unidentified(number, at))?;
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
            // A row that is repeated on its page counts once. Else it would replace a row that is
            // missing.
            let distinct = here.len() as u64;
            earlier.extend(here);
            let more = any && (earlier.len() as u64) < total;
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

    /// The rows of a page, and the total.
    async fn page<T: DeserializeOwned>(
        &self,
        number: u64,
        size: u64,
    ) -> Result<(Vec<T>, u64), Problem> {
        let call = (self.call)()
            .parameter("pageNumber", &number.to_string())
            .parameter("pageSize", &size.to_string());
        let answer = call.send().await.map_err(|error: HttpError| error.problem())?;
        let page: Page<T> = answer::object(&answer).map_err(|error| error.problem())?;
        let missing = |field: &str| self.protocol(&format!("a page has no `{field}`"));
        let data = page.data.ok_or_else(|| missing("data"))?;
        let total = page.total.ok_or_else(|| missing("totalCount"))?.0;
        if data.len() as u64 > SIZE {
            let what = format!("a page has {} rows, and {size} were asked for", data.len());
            return Err(self.protocol(&what));
        }
        Ok((data, total))
    }

    fn protocol(&self, what: &str) -> Problem {
        Problem::new(Cause::Protocol, format!("{}: {what}", self.what))
    }

    fn unidentified(&self, page: u64, at: usize) -> Problem {
        self.protocol(&format!("page {page}, data[{at}] has no identifying field"))
    }

    fn repeated(problem: &Problem) -> Problem {
        let message = format!("{}, and some of them were repeated", problem.message);
        Problem::new(problem.cause, message).help(
            "run the gate again; if this keeps happening, report it to the platform's support",
        )
    }

    /// A row that is repeated on a later page has moved another one to a page already read.
    fn shifted(&self, page: u64) -> Problem {
        let message = format!("{}: page {page} repeats a row of an earlier page", self.what);
        Problem::new(Cause::Contradictory, message)
            .help("run the gate again; the set changes while it is read")
    }
}

fn has_moved(problem: &Problem) -> bool {
    matches!(problem.cause, Cause::Contradictory | Cause::Incomplete)
}
