//! Reads the pages of a list, within the platform's rate limit.
//!
//! Order, page size and totals are not documented, and the log grows while it is read
//! (docs/platforms/bigpanda.md#envelope-and-paging). A short page is therefore only the last one
//! after a longer page, repeated rows count once, and a server that ignores `page` is recognised.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::object::Fields;
use super::wire::{self, Page};
use crate::finding::{Cause, Fingerprint, Problem};
use crate::http::{Call, Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// Rows in one page: the documented default. The maximum is unknown.
pub(super) const PER_PAGE: u64 = 100;

/// More pages take longer than most deadlines.
const MOST_PAGES: u64 = 2000;

/// The platform allows 5 requests a second (docs/platforms/bigpanda.md#request); the spacing is a
/// little longer than a fifth of a second, since requests take different times to arrive.
const SPACING: Duration = Duration::from_millis(220);

/// When the next request may be sent. All requests of a source share one.
#[derive(Default)]
pub(super) struct Pace(Cell<Option<Instant>>);

impl Pace {
    /// Sends a request as soon as it may be sent.
    async fn send(
        &self,
        session: &Session,
        call: Call<'_>,
    ) -> Result<crate::http::Answer, HttpError> {
        if let Some(turn) = self.0.get() {
            // On the stop signal the request itself returns the reason.
            let _ = session.stop.sleep(turn.saturating_duration_since(Instant::now())).await;
        }
        let before = session.http.requests();
        let answer = call.send().await;
        // Redirects count too.
        let sent = u32::try_from(session.http.requests() - before).unwrap_or(1).max(1);
        self.0.set(Some(Instant::now() + SPACING * sent.min(10)));
        answer
    }
}

/// A list of the platform.
pub(super) struct List<'a> {
    pub session: &'a Session,
    pub pace: &'a Pace,
    /// For messages: `the audit log`.
    pub title: &'static str,
    /// Whether an object is a row itself.
    pub is_row: fn(Fields<'_>) -> bool,
    /// Whether the list is not evidence by itself: then a short page that is repeated as the next
    /// one is taken for all there is.
    pub supplementary: bool,
}

/// Why a list could not be read.
pub(super) enum ListError {
    /// The token lacks the permission.
    Denied(Problem),
    /// Everything else: whether there are rows is unknown.
    Failed(Problem),
}

impl ListError {
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Denied(problem) | Self::Failed(problem) => problem,
        }
    }
}

impl From<HttpError> for ListError {
    fn from(error: HttpError) -> Self {
        match error.failure {
            Failure::Denied(_) => Self::Denied(error.problem()),
            _ => Self::Failed(error.problem()),
        }
    }
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
    ) -> Result<Vec<T>, ListError> {
        let mut moved = String::new();
        for first in [true, false] {
            match self.walk(&request, &read, at_least).await? {
                // The rows that moved others to the next page were not on it. The second walk began
                // later, so only newer rows can be missing from it.
                Walked::Pushed(_) if first => {}
                Walked::Whole(rows) | Walked::Pushed(rows) => return Ok(rows),
                Walked::Moved(how) => moved = how,
            }
        }
        let problem = self.problem(Cause::Contradictory, &format!("{moved}, twice in a row"));
        Err(ListError::Failed(problem.help(
            "run the gate again; if this persists, the platform's pages cannot be relied on",
        )))
    }

    /// Requests one page; returns how many rows the list has at least.
    ///
    /// # Errors
    /// If it does not arrive, or is not a page.
    pub(super) async fn look(&self, call: Call<'a>) -> Result<u64, Problem> {
        self.try_look(call).await.map_err(ListError::problem)
    }

    /// As [`Self::look`], with a missing permission kept apart.
    ///
    /// # Errors
    /// As for [`Self::look`].
    pub(super) async fn try_look(&self, call: Call<'a>) -> Result<u64, ListError> {
        let page = self.page(call, &Pages::default()).await?;
        let page = page.map_err(|what| ListError::Failed(self.problem(Cause::Protocol, &what)))?;
        Ok(page.total.unwrap_or_default().max(page.rows.len() as u64))
    }

    async fn walk<T>(
        &self,
        request: &impl Fn(u64) -> Call<'a>,
        read: &impl Fn(Value) -> Result<T, String>,
        at_least: u64,
    ) -> Result<Walked<T>, ListError> {
        let mut pages = Pages { supplementary: self.supplementary, ..Pages::default() };
        let mut rows = Vec::new();
        loop {
            let number = pages.number + 1;
            let wrong = |what: String| {
                ListError::Failed(self.problem(Cause::Protocol, &format!("page {number}: {what}")))
            };
            self.session.progress.status(&self.session.name, self.title, &format!("page {number}"));
            let page = self.page(request(number), &pages).await?.map_err(wrong)?;
            let (new, step) = pages.take(page);
            for (at, row) in new {
                rows.push(read(row).map_err(|what| wrong(format!("entry [{at}] {what}")))?);
            }
            match step {
                Step::On if number < MOST_PAGES => {}
                Step::On => {
                    let what = format!("there is no end after {MOST_PAGES} pages");
                    let problem = self.problem(Cause::Incomplete, &what);
                    return Err(ListError::Failed(problem.help("make `window` shorter")));
                }
                Step::End if pages.rows < at_least => {
                    return Ok(Walked::Moved(format!(
                        "{} arrived where an earlier request saw {at_least}",
                        text::count(pages.rows, "row")
                    )));
                }
                Step::End if pages.pushed => return Ok(Walked::Pushed(rows)),
                Step::End => return Ok(Walked::Whole(rows)),
                Step::Moved(how) => return Ok(Walked::Moved(how)),
                Step::Wrong(what) => return Err(wrong(what)),
            }
        }
    }

    /// One page; the inner error says what the answer is instead.
    async fn page(&self, call: Call<'a>, pages: &Pages) -> Result<Result<Page, String>, HttpError> {
        let answer = self.pace.send(self.session, call).await?;
        if answer.is_no_content() {
            return Ok(Ok(Page::default()));
        }
        let answer: Value = answer.json()?;
        // Where a row comes without a list, nothing is what comes behind the last one.
        let nothing = answer.is_null() || answer.as_object().is_some_and(serde_json::Map::is_empty);
        if pages.single && nothing {
            return Ok(Ok(Page::default()));
        }
        Ok(wire::page(answer, self.is_row))
    }

    fn problem(&self, cause: Cause, what: &str) -> Problem {
        let problem = Problem::new(cause, format!("{}: {}: {what}", self.session.name, self.title));
        problem.help("check `url`; `-v` shows every request and its status")
    }
}

enum Walked<T> {
    Whole(Vec<T>),
    /// The list ended, but rows of one page came again on the next.
    Pushed(Vec<T>),
    /// The list changed while it was read; how that showed.
    Moved(String),
}

/// What to do after a page.
#[derive(Debug, PartialEq)]
enum Step {
    On,
    End,
    Moved(String),
    Wrong(String),
}

/// The pages of one walk so far.
#[derive(Default)]
struct Pages {
    number: u64,
    /// Rows of the first page: what the platform takes for a page, whatever was asked for.
    size: usize,
    total: Option<u64>,
    single: bool,
    supplementary: bool,
    /// Rows by their hash: entries have no id.
    seen: HashSet<Fingerprint>,
    previous: Vec<Fingerprint>,
    /// Rows that did not come on an earlier page.
    rows: u64,
    /// Whether a page began with rows of an earlier one, and no total shows that nothing is
    /// missing.
    pushed: bool,
}

impl Pages {
    /// The rows of a page that are new, with their places, and what to do next.
    fn take(&mut self, page: Page) -> (Vec<(usize, Value)>, Step) {
        self.number += 1;
        let keys: Vec<_> =
            page.rows.iter().map(|row| Fingerprint::of(&[&row.to_string()])).collect();
        let before = self.rows;
        self.rows += keys.iter().filter(|key| !self.seen.contains(key)).count() as u64;
        let step = self.step(&page, &keys, self.rows > before);
        let rows = page.rows.into_iter().enumerate().zip(&keys);
        let new = rows.filter(|(_, key)| self.seen.insert(**key)).map(|(row, _)| row).collect();
        self.previous = keys;
        (new, step)
    }

    fn step(&mut self, page: &Page, keys: &[Fingerprint], advanced: bool) -> Step {
        if self.number == 1 {
            (self.size, self.total, self.single) = (keys.len(), page.total, page.single);
        }
        if let (Some(first), Some(now)) = (self.total, page.total)
            && first != now
        {
            return Step::Moved(format!("the total changed from {first} to {now}"));
        }
        let repeated = self.number > 1 && !keys.is_empty() && keys == self.previous;
        let is_all = page.single || (self.supplementary && (keys.len() as u64) < PER_PAGE);
        if repeated && !is_all {
            return Step::Wrong(format!(
                "it repeats page {}: the platform ignores `page`, so further rows cannot be read",
                self.number - 1
            ));
        }
        self.pushed |= self.total.is_none()
            && !repeated
            && keys.first().is_some_and(|first| self.seen.contains(first));
        match self.total {
            Some(total) if self.rows > total => {
                Step::Moved(format!("{} rows arrived where {total} were announced", self.rows))
            }
            Some(total) if self.rows == total => Step::End,
            Some(total) if keys.is_empty() => {
                Step::Moved(format!("{} of {total} rows arrived before an empty page", self.rows))
            }
            None if repeated => Step::End,
            None if page.more && keys.is_empty() => {
                Step::Moved("a page is empty and announces more pages".to_owned())
            }
            None if !page.more && (keys.is_empty() || keys.len() < self.size) => Step::End,
            _ if !advanced => Step::Moved("a page has only rows of earlier pages".to_owned()),
            _ => Step::On,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Walks over pages of numbers; returns the rows and the last step.
    fn walk(pages: &[(&[u64], Option<u64>)]) -> (Vec<u64>, Step) {
        let (mut state, mut rows) = (Pages::default(), Vec::new());
        for (numbers, total) in pages {
            let page = Page {
                rows: numbers.iter().map(|n| json!(n)).collect(),
                total: *total,
                ..Page::default()
            };
            let (new, step) = state.take(page);
            rows.extend(new.iter().filter_map(|(_, row)| row.as_u64()));
            if step != Step::On {
                return (rows, step);
            }
        }
        (rows, Step::On)
    }

    #[test]
    fn a_complete_list_ends() {
        for (pages, rows) in [
            // Nothing at all, with and without a total.
            (&[(&[][..], None)][..], &[][..]),
            (&[(&[], Some(0))], &[]),
            // A total ends it.
            (&[(&[1, 2, 3], Some(3))], &[1, 2, 3]),
            (&[(&[1, 2], Some(3)), (&[3], Some(3))], &[1, 2, 3]),
            // Without one, a shorter page does; the first could be capped, so it never does.
            (&[(&[1, 2, 3], None), (&[], None)], &[1, 2, 3]),
            (&[(&[1, 2], None), (&[3, 4], None), (&[5], None)], &[1, 2, 3, 4, 5]),
            // What moved to the next page counts once.
            (&[(&[1, 2, 3], None), (&[3, 4], None)], &[1, 2, 3, 4]),
            // What is twice on one page is twice in the total.
            (&[(&[1, 1], Some(3)), (&[2], Some(3))], &[1, 2]),
        ] {
            assert_eq!(walk(pages), (rows.to_vec(), Step::End), "{pages:?}");
        }
    }

    #[test]
    fn a_single_row_may_be_repeated_and_a_list_may_not() {
        for (single, ends) in [(true, true), (false, false)] {
            let mut pages = Pages::default();
            let page = || Page { rows: vec![json!(1)], single, ..Page::default() };
            assert_eq!(pages.take(page()).1, Step::On);
            assert_eq!(pages.take(page()).1 == Step::End, ends, "{single}");
        }
    }

    #[test]
    fn pages_that_do_not_add_up_are_recognised() {
        let moved = |pages: &[(&[u64], Option<u64>)]| match walk(pages).1 {
            Step::Moved(how) | Step::Wrong(how) => how,
            step => panic!("{step:?}"),
        };
        assert!(moved(&[(&[1, 2], None), (&[1, 2], None)]).contains("ignores `page`"));
        assert!(moved(&[(&[1, 2], Some(9)), (&[1, 2], Some(9))]).contains("ignores `page`"));
        assert!(moved(&[(&[1, 2], Some(3)), (&[3], Some(4))]).contains("from 3 to 4"));
        assert!(moved(&[(&[1, 2, 3], Some(2))]).contains("3 rows arrived where 2"));
        assert!(moved(&[(&[1, 2], Some(4)), (&[], Some(4))]).contains("2 of 4 rows"));
        assert!(moved(&[(&[1, 2], None), (&[2, 1], None)]).contains("earlier pages"));
    }
}
