//! The guard of a walk over the pages of a list, for every pager.
//!
//! A walk must move forward and end. It must bring each row once, and as many rows as announced.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use crate::finding::{Cause, Problem};
use crate::text;

/// Pages without a row, each announcing another page, after which a walk counts as endless.
const MOST_EMPTY_PAGES: u64 = 16;

/// Rows in one list. A list of this size takes hours to read.
const MOST_ROWS: u64 = 10_000_000;

/// Totals above this are not counts of rows. Sums of smaller ones do not overflow.
const LARGEST_TOTAL: u64 = 1 << 53;

/// Watches one walk.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The list, for messages: `gravityzone: /cspm/checks`.
    list: String,
    page_size: u64,
    total: Option<u64>,
    rows: u64,
    pages: u64,
    /// Pages without a row that were not the last one.
    empty_pages: u64,
    cursors: BTreeSet<String>,
    /// Hashes of ids: eight bytes per row, also where nothing else of the row is kept. Two ids of a
    /// million have the same hash once in ten million runs; that run is inconclusive, never green.
    ids: HashSet<u64>,
    hasher: RandomState,
}

impl Walk {
    /// `page_size`: the rows asked for; a server may send fewer.
    pub(crate) fn new(list: impl Into<String>, page_size: u64) -> Self {
        Self {
            list: list.into(),
            page_size: page_size.max(1),
            total: None,
            rows: 0,
            pages: 0,
            empty_pages: 0,
            cursors: BTreeSet::new(),
            ids: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// How far the walk is, for people: `page 3 of 8`.
    pub(crate) fn progress(&self) -> String {
        match self.total {
            Some(total) => {
                let pages = total.div_ceil(self.page_size).max(1);
                format!("page {} of {pages}", self.pages)
            }
            None => format!("page {}", self.pages),
        }
    }

    /// The number of the page that is read next, from 1.
    pub(crate) fn next_page(&self) -> u64 {
        self.pages + 1
    }

    /// Whether this id is the first of its kind in the walk. An id that is repeated would count a
    /// row twice.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        self.ids.insert(self.hasher.hash_one(id))
    }

    /// Records a page: its rows, the total it states, and the cursor of the next page.
    ///
    /// # Errors
    /// If the total changed or is too large, more rows arrived than announced, the cursor was used
    /// before, or too many pages have no rows.
    pub(crate) fn page(
        &mut self,
        rows: u64,
        total: u64,
        next: Option<&str>,
    ) -> Result<(), Problem> {
        if total > LARGEST_TOTAL {
            let what = format!("the total {total} cannot be a number of rows");
            return Err(self.problem(Cause::Protocol, what));
        }
        self.rows = self.rows.saturating_add(rows);
        self.pages += 1;
        if self.pages == 1 && rows > 0 {
            self.page_size = self.page_size.min(rows);
        }
        let first = *self.total.get_or_insert(total);
        if first != total {
            let changed = format!("the total changed from {first} to {total} between two pages");
            return Err(self
                .problem(Cause::Contradictory, changed)
                .help("run the gate again; the list changed while it was read"));
        }
        if self.rows > total {
            let more = format!("{} rows arrived where {total} were announced", self.rows);
            return Err(self.problem(Cause::Contradictory, more));
        }
        let Some(next) = next else { return Ok(()) };
        self.next(next, rows, total)
    }

    fn next(&mut self, next: &str, rows: u64, total: u64) -> Result<(), Problem> {
        // A page of one row is read for its total only.
        if self.pages > 1 && total > MOST_ROWS {
            let many = format!("{} are more than can be read", text::count(total, "row"));
            return Err(self
                .problem(Cause::Incomplete, many)
                .help("narrow down what is read with the filters of the source"));
        }
        if !self.cursors.insert(next.to_owned()) {
            let link = text::one_line(next, 120);
            return Err(self.problem(
                Cause::Protocol,
                format!("page {} links to a page that was already read ({link})", self.pages),
            ));
        }
        // The server may choose the size of its pages: each row is progress towards the total.
        self.empty_pages += u64::from(rows == 0);
        if self.empty_pages >= MOST_EMPTY_PAGES {
            let endless = format!(
                "{} pages have no rows and announce another page; {} of {total} rows arrived",
                self.empty_pages, self.rows
            );
            return Err(self.problem(Cause::Protocol, endless));
        }
        Ok(())
    }

    /// Compares the rows so far with the number that the platform says it has sent.
    ///
    /// # Errors
    /// If they differ: a page was lost, or arrived twice.
    pub(crate) fn sent(&self, sent: u64) -> Result<(), Problem> {
        if sent == self.rows {
            return Ok(());
        }
        let differ = format!(
            "after page {} the platform counts {sent} rows sent, but {} arrived",
            self.pages, self.rows
        );
        Err(self.problem(Cause::Contradictory, differ))
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// If fewer rows arrived than announced, or no page at all.
    pub(crate) fn end(&self) -> Result<(), Problem> {
        match self.total {
            None => Err(self.problem(Cause::Incomplete, "no page arrived")),
            Some(total) if total != self.rows => Err(self.problem(
                Cause::Incomplete,
                format!("{} of {total} rows arrived before the last page", self.rows),
            )),
            Some(_) => Ok(()),
        }
    }

    /// A problem of this list.
    pub(crate) fn problem(&self, cause: Cause, what: impl fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.list))
    }
}

/// Whether a list seems to have changed while it was read. The caller may read it once more.
pub(crate) fn has_moved(problem: &Problem) -> bool {
    matches!(problem.cause, Cause::Contradictory | Cause::Incomplete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(result: Result<(), Problem>) -> Option<Cause> {
        result.err().map(|problem| problem.cause)
    }

    #[test]
    fn a_complete_walk_ends() {
        let mut walk = Walk::new("x", 2);
        assert_eq!(walk.page(2, 3, Some("b")), Ok(()));
        assert_eq!(walk.sent(2), Ok(()));
        assert_eq!(walk.progress(), "page 1 of 2");
        assert_eq!(walk.page(1, 3, None), Ok(()));
        assert_eq!(walk.end(), Ok(()));
        assert_eq!((walk.rows(), walk.total), (3, Some(3)));
    }

    #[test]
    fn an_empty_list_is_a_page_without_rows() {
        let mut walk = Walk::new("x", 500);
        assert_eq!(walk.page(0, 0, None), Ok(()));
        assert_eq!(walk.end(), Ok(()));
    }

    #[test]
    fn a_walk_without_a_page_is_incomplete() {
        assert_eq!(cause(Walk::new("x", 500).end()), Some(Cause::Incomplete));
    }

    #[test]
    fn an_id_is_new_once() {
        let mut walk = Walk::new("x", 2);
        assert!(walk.is_new("a") && walk.is_new("b"));
        assert!(!walk.is_new("a"));
    }

    #[test]
    fn problems_have_a_cause_that_says_whether_the_list_moved() {
        let mut changed = Walk::new("x", 2);
        assert_eq!(changed.page(2, 4, Some("b")), Ok(()));
        let problem = changed.page(2, 5, None).unwrap_err();
        assert!(has_moved(&problem), "{problem:?}");

        let mut more = Walk::new("x", 2);
        assert!(more.page(2, 1, None).is_err_and(|problem| has_moved(&problem)));

        let mut fewer = Walk::new("x", 2);
        assert_eq!(fewer.page(1, 2, None), Ok(()));
        assert!(fewer.end().is_err_and(|problem| has_moved(&problem)));

        let mut lost = Walk::new("x", 2);
        assert_eq!(lost.page(2, 4, Some("b")), Ok(()));
        assert!(lost.sent(4).is_err_and(|problem| has_moved(&problem)));

        let mut circle = Walk::new("x", 1);
        assert_eq!(circle.page(1, 4, Some("b")), Ok(()));
        assert_eq!(cause(circle.page(1, 4, Some("b"))), Some(Cause::Protocol));
    }

    #[test]
    fn empty_pages_without_end_are_refused() {
        let mut walk = Walk::new("x", 500);
        let endless = (0_u64..100).find_map(|at| walk.page(0, 10, Some(&at.to_string())).err());
        assert_eq!(endless.map(|problem| problem.cause), Some(Cause::Protocol));
        assert!(walk.next_page() < 25);
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_early() {
        let mut walk = Walk::new("x", 500);
        let total = MOST_ROWS + 1;
        assert_eq!(walk.page(500, total, Some("b")), Ok(()));
        assert!(walk.page(500, total, Some("c")).is_err());
        assert_eq!(cause(Walk::new("x", 500).page(1, u64::MAX, None)), Some(Cause::Protocol));
    }

    #[test]
    fn short_pages_are_accepted() {
        let mut walk = Walk::new("x", 500);
        for at in 1..=300_u64 {
            let next = (at < 300).then(|| at.to_string());
            assert_eq!(walk.page(10, 3000, next.as_deref()), Ok(()), "{at}");
        }
        assert_eq!(walk.progress(), "page 300 of 300");
        assert_eq!(walk.end(), Ok(()));
    }
}
