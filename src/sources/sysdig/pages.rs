//! Lists in numbered pages with a total (docs/platforms/sysdig.md#compliance).
//!
//! The platform keeps no snapshot, so the set may change between two pages. The list is then read
//! once more. A page may have fewer rows than asked for, so its length does not show the end.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::answer;
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Call, Failure, HttpError};
use crate::json::Whole;
use crate::page::{self, At, Next, PageBy, ReadError, Repeats, Walk};

/// Rows in a page: the most that a public client found to work.
const SIZE: u64 = 50;

#[derive(Deserialize)]
struct NumberedPage<T> {
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
        let answer = self.ask(1, 1).await?;
        self.page::<IgnoredAny>(&answer).map(|(_, total)| total)
    }

    /// How many rows there are; `None` where the platform refuses the question, so that it read it.
    ///
    /// # Errors
    /// If the page does not arrive for another reason, or has no total.
    pub(super) async fn total_unless_refused(&self) -> Result<Option<u64>, Problem> {
        match self.request(1, 1).send().await {
            Ok(answer) => self.page::<IgnoredAny>(&answer).map(|(_, total)| Some(total)),
            Err(HttpError { failure: Failure::Refused { .. }, .. }) => Ok(None),
            Err(error) => Err(error.problem()),
        }
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// If a page does not arrive, or the pages do not add up twice.
    pub(super) async fn rows<T: DeserializeOwned>(&self, key: Key<T>) -> Result<Vec<T>, Problem> {
        page::settled(async || {
            let mut rows = Vec::new();
            let keep = |row| {
                rows.push(row);
                false
            };
            self.walk(key, keep).await?;
            Ok(rows)
        })
        .await
        .map_err(ReadError::problem)
    }

    /// Reads rows until `enough` of one of them: to show that such a row exists.
    ///
    /// # Errors
    /// As for `rows`.
    pub(super) async fn until<T: DeserializeOwned>(
        &self,
        key: Key<T>,
        mut enough: impl FnMut(&T) -> bool,
    ) -> Result<(), Problem> {
        match self.walk(key, |row| enough(&row)).await {
            // The rows seen so far are enough for what was asked.
            Ok(()) | Err(ReadError::Moved(_)) => Ok(()),
            Err(error) => Err(error.problem()),
        }
    }

    /// Passes on each row once, until `visit` says that it was enough.
    async fn walk<T: DeserializeOwned>(
        &self,
        key: Key<T>,
        mut visit: impl FnMut(T) -> bool,
    ) -> Result<(), ReadError> {
        let list = page::List {
            repeats: Repeats::ShowMoves,
            ..page::List::new(self.what.clone(), PageBy::Number("pageNumber"), SIZE)
        };
        let ask = async |at: At| match at {
            At::Number(number) => self.ask(number, SIZE).await,
            _ => self.ask(1, SIZE).await,
        };
        let read = |walk: &mut Walk, answer: Answer| {
            let (data, total) = self.page(&answer)?;
            for (at, row) in data.into_iter().enumerate() {
                let Some(key) = key(&row) else {
                    let what =
                        format!("page {}, data[{at}] has no identifying field", walk.next_page());
                    return Err(self.protocol(&what).into());
                };
                if walk.is_new(&key) && visit(row) {
                    return Ok(page::Page { next: Next::Enough, ..page::Page::default() });
                }
            }
            Ok(page::Page { total: Some(total), ..page::Page::default() })
        };
        page::read(&mut Walk::new(list), ask, read, |_| ()).await
    }

    async fn ask(&self, number: u64, size: u64) -> Result<Answer, Problem> {
        self.request(number, size).send().await.map_err(|error| error.problem())
    }

    fn request(&self, number: u64, size: u64) -> Call<'a> {
        (self.call)()
            .parameter("pageNumber", &number.to_string())
            .parameter("pageSize", &size.to_string())
    }

    /// The rows of a page, and the total.
    fn page<T: DeserializeOwned>(&self, answer: &Answer) -> Result<(Vec<T>, u64), Problem> {
        let page: NumberedPage<T> = answer::object(answer).map_err(|error| error.problem())?;
        let missing = |field: &str| self.protocol(&format!("a page has no `{field}`"));
        let data = page.data.ok_or_else(|| missing("data"))?;
        let total = page.total.ok_or_else(|| missing("totalCount"))?.0;
        if data.len() as u64 > SIZE {
            let what = format!("a page has {} rows, and {SIZE} were asked for", data.len());
            return Err(self.protocol(&what));
        }
        Ok((data, total))
    }

    fn protocol(&self, what: &str) -> Problem {
        Problem::new(Cause::Protocol, format!("{}: {what}", self.what))
    }
}
