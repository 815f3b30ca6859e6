//! The one reader of lists that come in pages. A source says how to ask for a page and how to read
//! one; this module decides what comes next, whether the list is whole, and what to do if it moved.
//!
//! Every list moves forward and ends, brings each row once, and brings as many as it announces. Pages
//! whose places are known in advance are requested a few at a time.

use crate::finding::{Cause, Problem};

mod guard;
mod read;

pub(crate) use guard::Walk;
pub(crate) use read::{read, settled};

/// Rows in one list. A list of this size takes hours to read.
const MOST_ROWS: u64 = 10_000_000;

/// A list of a platform, and what is known of its pages.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// For messages: `gravityzone: /cspm/checks`.
    pub name: String,
    /// What a row is called: `case`.
    pub unit: &'static str,
    pub by: PageBy,
    /// The rows asked for in a page; a server may send fewer.
    pub page_size: u64,
    /// The longest list that is read.
    pub most_rows: u64,
    pub repeats: Repeats,
    pub key: RowKey,
    /// Whether a page shorter than the first is the last one, where nothing states the end.
    pub short_page_ends: bool,
}

impl List {
    /// A list with ids, of which a row may come again on a later page.
    pub(crate) fn new(name: impl Into<String>, by: PageBy, page_size: u64) -> Self {
        Self {
            name: name.into(),
            unit: "row",
            by,
            page_size: page_size.max(1),
            most_rows: MOST_ROWS,
            repeats: Repeats::CountOnce,
            key: RowKey::Id,
            short_page_ends: false,
        }
    }
}

/// How a page is asked for. Numbers and offsets have a parameter, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageBy {
    /// Each page has a link or a cursor of the next one.
    Link,
    /// Pages are numbered from 1.
    Number(&'static str),
    /// By the number of rows before it.
    Offset(&'static str),
}

/// What a row means that an earlier page had already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It counts once. Something else shows whether a row is missing instead.
    CountOnce,
    /// The list moved: another row is now on a page that was already read.
    ShowMoves,
}

/// What rows are recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKey {
    /// An id: on one page too, two rows with the same one are one row.
    Id,
    /// Everything in it: two equal rows of one page are two rows.
    Content,
}

/// Where a page is in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The first page of a list whose pages have links.
    First,
    Number(u64),
    Offset(u64),
    Link(String),
}

/// What a page states besides its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The rows of all pages.
    pub total: Option<u64>,
    /// The rows sent so far, by the platform's count.
    pub sent: Option<u64>,
    pub next: Next,
}

/// What a page states about the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the list ends with its total, or with a page without rows.
    #[default]
    Unstated,
    /// There is another page.
    Announced,
    /// Nothing, and the platform may send this page again after the last one.
    LastIfRepeated,
    Link(String),
    End,
    /// The rest of the list is not needed.
    Enough,
}

/// Why a list was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It seems to have changed meanwhile. Reading it again may help.
    Moved(Problem),
    Failed(Problem),
}

impl ReadError {
    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::Moved(problem) | Self::Failed(problem) => problem,
        }
    }
}

impl From<Problem> for ReadError {
    /// Figures that disagree, and rows that are missing, may be those of a list that changed.
    fn from(problem: Problem) -> Self {
        match problem.cause {
            Cause::Contradictory | Cause::Incomplete => Self::Moved(problem),
            _ => Self::Failed(problem),
        }
    }
}
