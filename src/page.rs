//! Guards for any pager: it must move forward, end, and bring as many rows as it promised.

use std::collections::BTreeSet;
use std::fmt;

use crate::finding::{Cause, Problem};
use crate::text;

/// Pages without a row that are turned before a walk is taken for endless.
const MOST_EMPTY: u64 = 16;

/// Watches one walk over pages.
#[derive(Debug)]
pub struct Walk {
    /// What is walked, for messages: `gravityzone: /cspm/checks`.
    what: String,
    page_size: u64,
    total: Option<u64>,
    rows: u64,
    pages: u64,
    /// Pages that brought no row, and were not the last.
    empty: u64,
    cursors: BTreeSet<String>,
}

impl Walk {
    /// `page_size`: the rows asked for; a server may give fewer.
    pub fn new(what: impl Into<String>, page_size: u64) -> Self {
        Self {
            what: what.into(),
            page_size: page_size.max(1),
            total: None,
            rows: 0,
            pages: 0,
            empty: 0,
            cursors: BTreeSet::new(),
        }
    }

    /// Rows seen so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Pages seen so far.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages there will be, as far as the total and the first page tell.
    pub fn pages_promised(&self) -> Option<u64> {
        self.total.map(|total| total.div_ceil(self.page_size).max(1))
    }

    /// Takes note of a page: its rows, the total it states, and the cursor of the next one.
    ///
    /// # Errors
    /// If the total moved, more rows came than promised, the cursor was seen before, or page after
    /// page brings nothing.
    pub fn page(&mut self, rows: u64, total: u64, next: Option<&str>) -> Result<(), Problem> {
        self.rows = self.rows.saturating_add(rows);
        self.pages += 1;
        if self.pages == 1 && rows > 0 {
            self.page_size = self.page_size.min(rows);
        }
        let first = *self.total.get_or_insert(total);
        if first != total {
            let moved = format!("the total changed from {first} to {total} between two pages");
            return Err(self
                .problem(Cause::Contradictory, moved)
                .help("run the gate again; a total that moves means the set changed meanwhile"));
        }
        if self.rows > total {
            let more = format!("{} rows arrived where {total} were promised", self.rows);
            return Err(self.problem(Cause::Contradictory, more));
        }
        let Some(next) = next else { return Ok(()) };
        if !self.cursors.insert(next.to_owned()) {
            let link = text::one_line(next, 120);
            return Err(self.problem(
                Cause::Protocol,
                format!("page {} leads back to a page already seen ({link})", self.pages),
            ));
        }
        // Pages may be as short as the server likes: each row is one step nearer to the total.
        self.empty += u64::from(rows == 0);
        if self.empty >= MOST_EMPTY {
            let endless = format!(
                "page {} of {total} rows is the {}th without any, and names another one",
                self.pages, self.empty
            );
            return Err(self.problem(Cause::Protocol, endless));
        }
        Ok(())
    }

    /// Compares the rows seen so far with how many the platform believes it has shown.
    ///
    /// # Errors
    /// If the two differ: a page was lost, or came twice.
    pub fn shown(&self, shown: u64) -> Result<(), Problem> {
        if shown == self.rows {
            return Ok(());
        }
        let differ = format!(
            "after page {} the platform counts {shown} rows shown, but {} arrived",
            self.pages, self.rows
        );
        Err(self.problem(Cause::Contradictory, differ))
    }

    /// Closes the walk.
    ///
    /// # Errors
    /// If fewer rows arrived than were promised, or no page at all.
    pub fn end(&self) -> Result<(), Problem> {
        match self.total {
            None => Err(self.problem(Cause::Incomplete, "no page arrived")),
            Some(total) if total != self.rows => Err(self.problem(
                Cause::Incomplete,
                format!("{} of {total} rows arrived before the last page", self.rows),
            )),
            Some(_) => Ok(()),
        }
    }

    fn problem(&self, cause: Cause, what: impl fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(result: Result<(), Problem>) -> Option<Cause> {
        result.err().map(|problem| problem.cause)
    }

    #[test]
    fn a_whole_walk_is_fine() {
        let mut walk = Walk::new("x", 2);
        assert_eq!(walk.page(2, 3, Some("b")), Ok(()));
        assert_eq!(walk.shown(2), Ok(()));
        assert_eq!(walk.pages_promised(), Some(2));
        assert_eq!(walk.page(1, 3, None), Ok(()));
        assert_eq!(walk.end(), Ok(()));
        assert_eq!((walk.rows(), walk.pages()), (3, 2));
    }

    #[test]
    fn an_empty_set_is_a_page_without_rows() {
        let mut walk = Walk::new("x", 500);
        assert_eq!(walk.page(0, 0, None), Ok(()));
        assert_eq!(walk.end(), Ok(()));
    }

    #[test]
    fn no_page_is_no_evidence() {
        assert_eq!(cause(Walk::new("x", 500).end()), Some(Cause::Incomplete));
    }

    #[test]
    fn faults_are_named() {
        let mut moved = Walk::new("x", 2);
        assert_eq!(moved.page(2, 4, Some("b")), Ok(()));
        assert_eq!(cause(moved.page(2, 5, None)), Some(Cause::Contradictory));

        let mut more = Walk::new("x", 2);
        assert_eq!(cause(more.page(2, 1, None)), Some(Cause::Contradictory));

        let mut fewer = Walk::new("x", 2);
        assert_eq!(fewer.page(1, 2, None), Ok(()));
        assert_eq!(cause(fewer.end()), Some(Cause::Incomplete));

        let mut circle = Walk::new("x", 1);
        assert_eq!(circle.page(1, 4, Some("b")), Ok(()));
        assert_eq!(cause(circle.page(1, 4, Some("b"))), Some(Cause::Protocol));

        let mut lost = Walk::new("x", 2);
        assert_eq!(lost.page(2, 4, Some("b")), Ok(()));
        assert_eq!(cause(lost.shown(4)), Some(Cause::Contradictory));
    }

    #[test]
    fn empty_pages_without_end_are_cut_short() {
        let mut walk = Walk::new("x", 500);
        let endless = (0_u64..100).find_map(|at| walk.page(0, 10, Some(&at.to_string())).err());
        assert_eq!(endless.map(|problem| problem.cause), Some(Cause::Protocol));
        assert!(walk.pages() < 25);
    }

    #[test]
    fn short_pages_are_as_good_as_long_ones() {
        let mut walk = Walk::new("x", 500);
        for at in 1..=300_u64 {
            let next = (at < 300).then(|| at.to_string());
            assert_eq!(walk.page(10, 3000, next.as_deref()), Ok(()), "{at}");
        }
        assert_eq!(walk.pages_promised(), Some(300));
        assert_eq!(walk.end(), Ok(()));
    }
}
