//! Guards for any pager: it must move forward, end, and bring as many rows as it promised.

use std::collections::BTreeSet;

use crate::finding::{Cause, Trouble};
use crate::text;

/// Watches one walk over pages.
#[derive(Debug)]
pub struct Walk {
    /// What is walked, for messages: `gravityzone: /cspm/checks`.
    what: String,
    page_size: u64,
    total: Option<u64>,
    rows: u64,
    pages: u64,
    cursors: BTreeSet<String>,
}

impl Walk {
    pub fn new(what: impl Into<String>, page_size: u64) -> Self {
        Self {
            what: what.into(),
            page_size: page_size.max(1),
            total: None,
            rows: 0,
            pages: 0,
            cursors: BTreeSet::new(),
        }
    }

    /// Rows seen so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes note of a page: its rows, the total it states, and the cursor of the next one.
    ///
    /// # Errors
    /// If the total moved, more rows came than promised, the cursor was seen before, or the walk
    /// goes on past what the total allows.
    pub fn page(&mut self, rows: u64, total: u64, next: Option<&str>) -> Result<(), Trouble> {
        let what = &self.what;
        self.rows += rows;
        self.pages += 1;
        let first = *self.total.get_or_insert(total);
        if first != total {
            return Err(Trouble::new(
                Cause::Contradictory,
                format!("{what}: the total changed from {first} to {total} between two pages"),
            )
            .help("run the gate again; a total that moves means the set changed meanwhile"));
        }
        if self.rows > total {
            return Err(Trouble::new(
                Cause::Contradictory,
                format!("{what}: {} rows arrived where {total} were promised", self.rows),
            ));
        }
        let Some(next) = next else { return Ok(()) };
        if !self.cursors.insert(next.to_owned()) {
            return Err(Trouble::new(
                Cause::Protocol,
                format!(
                    "{what}: page {} leads back to a page already seen ({})",
                    self.pages,
                    text::one_line(next, 120)
                ),
            ));
        }
        // A server may send short pages, but not without end.
        let most = total.div_ceil(self.page_size).saturating_mul(4).saturating_add(16);
        if self.pages >= most {
            return Err(Trouble::new(
                Cause::Protocol,
                format!("{what}: still going on after {} pages for {total} rows", self.pages),
            ));
        }
        Ok(())
    }

    /// Closes the walk.
    ///
    /// # Errors
    /// If fewer rows arrived than were promised.
    pub fn end(&self) -> Result<(), Trouble> {
        match self.total {
            Some(total) if total != self.rows => Err(Trouble::new(
                Cause::Incomplete,
                format!(
                    "{}: {} of {total} rows arrived before the last page",
                    self.what, self.rows
                ),
            )),
            _ => Ok(()),
        }
    }
}
