//! The guard of one walk over the pages of a list.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use super::{At, List, Next, Page, PageBy, ReadError, Repeats, RowKey};
use crate::finding::{Cause, Problem};
use crate::text;

/// Pages without a new row, each announcing another page, after which a walk counts as endless.
const MOST_IDLE_PAGES: u64 = 10;

/// What arrived in one walk.
#[derive(Debug)]
pub(crate) struct Walk {
    list: List,
    /// Rows in a page, as the platform sends them.
    page_size: u64,
    total: Option<u64>,
    /// Rows that count.
    rows: u64,
    /// All rows, repeated ones included.
    arrived: u64,
    pages: u64,
    /// Pages without a new row since the latest one.
    idle: u64,
    links: BTreeSet<String>,
    /// Hashes of the rows of earlier pages: eight bytes per row, also where nothing else of the row
    /// is kept. Two of a million have the same hash once in ten million runs; that run is
    /// inconclusive, never green.
    earlier: HashSet<u64>,
    /// The rows of the page that is being read.
    here: PageRows,
    /// The rows of the page before it, in order.
    previous: Vec<u64>,
    /// Whether an id came twice on one page.
    repeated: bool,
    /// Whether a page began with rows of an earlier one.
    shifted: bool,
    hasher: RandomState,
}

/// The rows of one page.
#[derive(Debug, Default)]
struct PageRows {
    hashes: Vec<u64>,
    /// Those that no earlier page had.
    new: HashSet<u64>,
    /// Rows that no earlier page had, equal ones included.
    fresh: u64,
}

impl Walk {
    pub(crate) fn new(list: List) -> Self {
        Self {
            page_size: list.page_size,
            list,
            total: None,
            rows: 0,
            arrived: 0,
            pages: 0,
            idle: 0,
            links: BTreeSet::new(),
            earlier: HashSet::new(),
            here: PageRows::default(),
            previous: Vec::new(),
            repeated: false,
            shifted: false,
            hasher: RandomState::new(),
        }
    }

    /// Rows so far, each counted once.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows of all pages, where the platform states it.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// Whether a page began with rows of an earlier one: rows were added before them meanwhile, and
    /// are on no page that was read.
    pub(crate) fn has_shifted(&self) -> bool {
        self.shifted
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

    /// Records a row of the page that is read next. Returns whether it is the first of its kind in
    /// the walk: a row that is repeated must not count again.
    pub(crate) fn is_new(&mut self, key: impl Hash) -> bool {
        let hash = self.hasher.hash_one(key);
        let earlier = self.earlier.contains(&hash);
        self.shifted |= earlier && self.here.hashes.is_empty();
        self.here.hashes.push(hash);
        self.here.fresh += u64::from(!earlier);
        let first = !earlier && self.here.new.insert(hash);
        self.repeated |= !earlier && !first;
        first
    }

    /// Ends a page, whose rows were recorded. Returns where the next one is.
    ///
    /// # Errors
    /// If the list does not move forward, does not agree with its figures, or is too long.
    pub(crate) fn page(&mut self, page: Page) -> Result<Option<At>, ReadError> {
        let here = std::mem::take(&mut self.here);
        let length = here.hashes.len() as u64;
        self.pages += 1;
        self.arrived += length;
        self.rows += match self.list.key {
            RowKey::Id => here.new.len() as u64,
            RowKey::Content => here.fresh,
        };
        let is_first = self.pages == 1;
        if is_first && length > 0 {
            self.page_size = self.page_size.min(length);
        }
        self.earlier.extend(&here.new);
        let same = !is_first && length > 0 && here.hashes == self.previous;
        self.previous = here.hashes;
        self.compare(&page)?;
        if same && page.next != Next::LastIfRepeated {
            self.not_ignored()?;
        }
        if self.list.repeats == Repeats::ShowMoves && here.fresh < length {
            let what = format!("page {} repeats a row of an earlier page", self.pages);
            return Err(self.moved(what));
        }
        let is_last = match page.next {
            Next::Enough => return Ok(None),
            Next::End => true,
            Next::Link(link) => return self.follow(link, here.fresh).map(Some),
            Next::LastIfRepeated if same => self.total.is_none(),
            Next::Announced => self.total == Some(self.rows),
            Next::Unstated | Next::LastIfRepeated => {
                let is_short = self.list.short_page_ends && length < self.page_size;
                length == 0 || self.total.map_or(is_short && !is_first, |total| total == self.rows)
            }
        };
        if is_last {
            return self.end().map(|()| None);
        }
        if length == 0 {
            let what = format!("page {} has no rows and announces another page", self.pages);
            return Err(self.moved(what));
        }
        if here.fresh == 0 {
            return Err(self.moved(format!("page {} has only rows of earlier pages", self.pages)));
        }
        self.check_length()?;
        match self.list.by {
            PageBy::Number(_) => Ok(Some(At::Number(self.next_page()))),
            PageBy::Offset(_) => Ok(Some(At::Offset(self.arrived))),
            PageBy::Link => self.end().map(|()| None),
        }
    }

    /// The places of pages from `at` on, as far as the figures of the list show them.
    pub(super) fn from(&self, at: At) -> impl Iterator<Item = At> + use<> {
        let left = self.total.map_or(0, |total| total.saturating_sub(self.rows));
        let size = self.page_size;
        let more = match at {
            At::Number(_) | At::Offset(_) => left.div_ceil(size).max(1),
            At::First | At::Link(_) => 1,
        };
        (0..more).map(move |ahead| match &at {
            At::Number(number) => At::Number(number + ahead),
            At::Offset(offset) => At::Offset(offset + ahead * size),
            one => one.clone(),
        })
    }

    pub(super) fn first(&self) -> At {
        match self.list.by {
            PageBy::Link => At::First,
            PageBy::Number(_) => At::Number(1),
            PageBy::Offset(_) => At::Offset(0),
        }
    }

    /// Compares what arrived with the platform's figures.
    fn compare(&mut self, page: &Page) -> Result<(), ReadError> {
        if let Some(total) = page.total {
            let first = *self.total.get_or_insert(total);
            if first != total {
                let what = format!("the total changed from {first} to {total} between two pages");
                return Err(self.moved(what));
            }
        }
        if let Some(total) = self.total.filter(|total| self.rows > *total) {
            let rows = text::count(self.rows, self.list.unit);
            let what = format!("{rows} arrived where {total} were announced");
            return Err(self.problem(Cause::Contradictory, what).into());
        }
        if let Some(sent) = page.sent.filter(|sent| *sent != self.arrived) {
            let what = format!(
                "after page {} the platform counts {sent} rows sent, but {} arrived",
                self.pages, self.arrived
            );
            return Err(self.problem(Cause::Contradictory, what).into());
        }
        Ok(())
    }

    /// Follows a link. The server may choose the size of its pages: each row is progress.
    fn follow(&mut self, link: String, fresh: u64) -> Result<At, ReadError> {
        self.check_length()?;
        if !self.links.insert(link.clone()) {
            let link = text::one_line(&link, 120);
            let what =
                format!("page {} links to a page that was already read ({link})", self.pages);
            return Err(self.problem(Cause::Protocol, what).into());
        }
        self.idle = if fresh == 0 { self.idle + 1 } else { 0 };
        if self.idle >= MOST_IDLE_PAGES {
            let what = format!(
                "{} pages have no new {}s and announce another page; {} arrived",
                self.idle,
                self.list.unit,
                text::count(self.rows, self.list.unit)
            );
            return Err(self.problem(Cause::Protocol, what).into());
        }
        Ok(At::Link(link))
    }

    fn check_length(&self) -> Result<(), ReadError> {
        // A first page is read for its total too.
        let announced = self.total.filter(|_| self.pages > 1).unwrap_or_default();
        let rows = self.rows.max(announced);
        if rows <= self.list.most_rows {
            return Ok(());
        }
        let rows = text::count(rows, self.list.unit);
        let many = format!("{rows} are more than can be read");
        let problem = self.problem(Cause::Incomplete, many);
        Err(ReadError::Failed(problem.help("narrow down what is read with the keys of the source")))
    }

    /// Recognises a platform that sends the same page whatever is asked for.
    fn not_ignored(&self) -> Result<(), ReadError> {
        let (PageBy::Number(parameter) | PageBy::Offset(parameter)) = self.list.by else {
            return Ok(());
        };
        let what = format!(
            "page {} repeats page {}: the platform ignores `{parameter}`, so further rows cannot be \
             read",
            self.pages,
            self.pages - 1
        );
        Err(self.problem(Cause::Protocol, what).into())
    }

    /// Compares the rows with the total at the end of the list.
    fn end(&self) -> Result<(), ReadError> {
        let Some(total) = self.total.filter(|total| *total != self.rows) else { return Ok(()) };
        let repeated = if self.repeated { ", and some of them were repeated" } else { "" };
        let (rows, unit) = (self.rows, self.list.unit);
        let what = format!("{rows} of {total} {unit}s arrived before the last page{repeated}");
        Err(self.problem(Cause::Incomplete, what).into())
    }

    fn moved(&self, what: String) -> ReadError {
        let problem = self.problem(Cause::Contradictory, what);
        problem.help("run the gate again; the list changed while it was read").into()
    }

    /// A problem of this list.
    pub(crate) fn problem(&self, cause: Cause, what: impl fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: {what}", self.list.name))
    }
}

#[cfg(test)]
mod tests;
