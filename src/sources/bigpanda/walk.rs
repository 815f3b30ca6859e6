//! Reads the pages of a list.
//!
//! Order, page size and totals are not documented, and the log grows while it is read
//! (docs/platforms/bigpanda.md#envelope-and-paging). A short page is therefore only the last one
//! after a longer page, repeated rows count once, and a server that ignores `page` is recognised.

use serde_json::Value;

use super::object::Fields;
use super::wire::{self, Page};
use crate::finding::{Cause, Fingerprint, Problem};
use crate::http::{Answer, Call};
use crate::page::{self, At, Next, PageBy, ReadError, RowKey, Walk};
use crate::sources::Session;
use crate::text;

/// Rows in one page: the documented default. The maximum is unknown.
pub(super) const PER_PAGE: u64 = 100;

/// More rows take longer than most deadlines.
const MOST_ROWS: u64 = 200_000;

/// A list of the platform.
pub(super) struct List<'a> {
    pub session: &'a Session,
    /// For messages: `GET /resources/v2.0/audit/logs`.
    pub title: &'static str,
    /// Whether an object is a row itself.
    pub is_row: fn(Fields<'_>) -> bool,
    /// Whether the list is not evidence by itself: then a short page that is repeated as the next
    /// one is taken for all there is.
    pub supplementary: bool,
}

impl<'a> List<'a> {
    /// All rows of the list, each once, converted by `read`.
    ///
    /// # Errors
    /// If a page does not arrive or is not a page, a row cannot be read, the pages do not add up, or
    /// there are fewer than `at_least` rows, which an earlier request has seen. A list that changes
    /// meanwhile is read once more.
    pub(super) async fn rows<T>(
        &self,
        request: impl Fn(u64) -> Call<'a>,
        read: impl Fn(Value) -> Result<T, String>,
        at_least: u64,
    ) -> Result<Vec<T>, Problem> {
        let mut is_again = false;
        let rows = page::settled(async || {
            let (walk, rows) = self.walk(&request, &read).await?;
            if walk.rows() < at_least {
                let arrived = text::count(walk.rows(), "row");
                let what = format!("{arrived} arrived where an earlier request saw {at_least}");
                return Err(walk.problem(Cause::Contradictory, what).into());
            }
            // The rows that moved others to the next page were not on it. The second walk began
            // later, so only newer rows can be missing from it.
            let shifted = walk.has_shifted() && walk.total().is_none();
            if shifted && !std::mem::replace(&mut is_again, true) {
                return Err(walk.problem(Cause::Contradictory, "rows were added").into());
            }
            Ok(rows)
        });
        rows.await.map_err(|error| match error {
            ReadError::Moved(mut problem) => {
                problem.message.push_str(", twice in a row");
                problem.help(
                    "run the gate again; if this persists, the platform's pages cannot be relied on",
                )
            }
            ReadError::Failed(problem) => problem,
        })
    }

    /// Requests one page; returns how many rows the list has at least.
    ///
    /// # Errors
    /// If it does not arrive, or is not a page.
    pub(super) async fn look(&self, call: Call<'a>) -> Result<u64, Problem> {
        let answer = call.send().await.map_err(|error| error.problem())?;
        let page = self.page(&answer, false)?.map_err(|what| self.protocol(&what))?;
        Ok(page.total.unwrap_or_default().max(page.rows.len() as u64))
    }

    async fn walk<T>(
        &self,
        request: &impl Fn(u64) -> Call<'a>,
        read: &impl Fn(Value) -> Result<T, String>,
    ) -> Result<(Walk, Vec<T>), ReadError> {
        let mut walk = Walk::new(page::List {
            most_rows: MOST_ROWS,
            // Entries have no id.
            key: RowKey::Content,
            short_page_ends: true,
            ..page::List::new(self.name(), PageBy::Number("page"), PER_PAGE)
        });
        let mut rows = Vec::new();
        // Whether the first page was a row without a list.
        let mut single = false;
        let ask = async |at: At| {
            let number = if let At::Number(number) = at { number } else { 1 };
            request(number).send().await.map_err(|error| error.problem())
        };
        let take = |walk: &mut Walk, answer: Answer| {
            let number = walk.next_page();
            let wrong = |what: String| self.protocol(&format!("page {number}: {what}"));
            let page = self.page(&answer, single)?.map_err(wrong)?;
            single |= number == 1 && page.single;
            let length = page.rows.len() as u64;
            for (at, row) in page.rows.into_iter().enumerate() {
                if walk.is_new(Fingerprint::of(&[&row.to_string()])) {
                    rows.push(read(row).map_err(|what| wrong(format!("entry [{at}] {what}")))?);
                }
            }
            let next = if page.single || (self.supplementary && length < PER_PAGE) {
                Next::LastIfRepeated
            } else if page.more {
                Next::Announced
            } else {
                Next::Unstated
            };
            Ok(page::Page { total: page.total, next, ..page::Page::default() })
        };
        let showing = |at: &str| self.session.progress.status(&self.session.name, self.title, at);
        showing("");
        page::read(&mut walk, ask, take, showing).await?;
        Ok((walk, rows))
    }

    /// A page; the inner error says what the answer is instead. `single`: whether the list comes as
    /// rows without a list.
    fn page(&self, answer: &Answer, single: bool) -> Result<Result<Page, String>, Problem> {
        if answer.is_no_content() {
            return Ok(Ok(Page::default()));
        }
        let answer: Value = answer.json().map_err(|error| error.problem())?;
        // Where a row comes without a list, nothing is what comes behind the last one.
        let nothing = answer.is_null() || answer.as_object().is_some_and(serde_json::Map::is_empty);
        if single && nothing {
            return Ok(Ok(Page::default()));
        }
        Ok(wire::page(answer, self.is_row))
    }

    fn name(&self) -> String {
        format!("{}: {}", self.session.name, self.title)
    }

    fn protocol(&self, what: &str) -> Problem {
        let problem = Problem::new(Cause::Protocol, format!("{}: {what}", self.name()));
        problem.help("check `url`; `-v` shows every request and its status")
    }
}
