//! Passed checks of some accounts each, read side by side instead of one page after the other.
//!
//! Each page of checks links to the next one, so one walk over 30 pages waits 30 times. The accounts
//! are those of the failed checks, and only the platform's own total shows that these are all, and
//! that it applies the filter: where the parts do not add up to it, none of them is used, and one walk
//! reads everything.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use futures_util::future;
use tokio::sync::Notify;

use super::query::{Filter, Query, RecordFault};
use super::walk::{self, RowVisitor};
use super::wire::CheckRow;
use crate::finding::{Cause, Problem};
use crate::page::ReadError;
use crate::sources::Session;
use crate::text;

/// Each part ends with a page that is not full, so three cost at most two requests more than one.
const MOST_PARTS: usize = 3;

/// Fewer pages are not worth dividing.
const FEWEST_PAGES: u64 = 4;

/// The longest list of accounts in an address.
const MOST_BYTES: usize = 3_000;

/// Parts of a query that are read side by side.
pub(super) struct Parts<'a> {
    query: &'a Query,
    /// The accounts of each part.
    scans: Vec<BTreeSet<String>>,
    /// How many checks all parts have together.
    total: u64,
}

impl<'a> Parts<'a> {
    /// Divides a query of so many checks by the accounts of failed ones, each with the number of
    /// those. `None` if that is not possible, or not worth it.
    pub(super) fn of(
        query: &'a Query,
        accounts: BTreeMap<&str, u64>,
        total: u64,
        page_limit: u64,
    ) -> Option<Self> {
        let is_plain = |id: &&str| !id.is_empty() && !id.contains(',') && id.trim() == *id;
        let is_divisible = total >= FEWEST_PAGES * page_limit
            && accounts.len() > 1
            && query.values(Filter::Scans).is_none()
            && accounts.keys().all(is_plain);
        if !is_divisible {
            return None;
        }
        // The largest first, each to the part that has the fewest so far.
        let mut largest: Vec<_> = accounts.into_iter().collect();
        largest.sort_by_key(|(_, failed)| std::cmp::Reverse(*failed));
        let mut parts = vec![(0, BTreeSet::new()); MOST_PARTS.min(largest.len())];
        for (id, failed) in largest {
            let (sum, ids) = parts.iter_mut().min_by_key(|(sum, _)| *sum)?;
            *sum += failed;
            ids.insert(id.to_owned());
        }
        let scans: Vec<BTreeSet<String>> = parts.into_iter().map(|(_, ids)| ids).collect();
        let length = |ids: &BTreeSet<String>| ids.iter().map(|id| id.len() + 1).sum::<usize>();
        scans.iter().all(|ids| length(ids) <= MOST_BYTES).then_some(Self { query, scans, total })
    }

    /// Reads all parts. `visit` is called with every check, also of parts that do not add up. Returns
    /// whether they did.
    ///
    /// # Errors
    /// If the platform cannot be asked at all.
    pub(super) async fn read(
        &self,
        session: &Session,
        page_limit: u64,
        doing: &str,
        visit: impl RowVisitor,
    ) -> Result<bool, Problem> {
        let sum = Sum { parts: self, stated: RefCell::default(), changed: Notify::new() };
        let rows = RefCell::new(Rows { visit, ids: HashSet::new(), hasher: RandomState::new() });
        let read = Cell::new(0);
        let parts = self.scans.iter().enumerate().map(|(at, scans)| {
            let query = self.query.clone().with(Filter::Scans, scans.clone());
            let (sum, rows, read) = (&sum, &rows, &read);
            async move {
                sum.allows(at).await;
                let visit = |row: &CheckRow<'_>| {
                    read.set(read.get() + 1);
                    rows.borrow_mut().add(scans, row)
                };
                let showing = |_: &str| {
                    let all = text::thousands(self.total);
                    let at = format!("{} of {all} checks", text::thousands(read.get()));
                    session.progress.status(&session.name, doing, &at);
                };
                walk::part(session, &query, page_limit, |total| sum.add(total), visit, showing)
                    .await
            }
        });
        match future::try_join_all(parts).await.map_err(ReadError::problem) {
            Ok(read) => Ok(read.iter().sum::<u64>() == self.total),
            Err(problem) => match problem.cause {
                Cause::Denied | Cause::Unreachable | Cause::Deadline | Cause::Interrupted => {
                    Err(problem)
                }
                _ => Ok(false),
            },
        }
    }
}

/// The totals that the first pages of the parts state.
struct Sum<'p> {
    parts: &'p Parts<'p>,
    stated: RefCell<Vec<u64>>,
    changed: Notify,
}

impl Sum<'_> {
    /// Waits with the third part until the first two show that the filter is applied: otherwise a
    /// request more would be in vain.
    async fn allows(&self, part: usize) {
        while part >= 2 && self.stated.borrow().len() < part {
            self.changed.notified().await;
        }
    }

    /// Adds the total of a part.
    fn add(&self, total: u64) -> Result<(), Problem> {
        let mut stated = self.stated.borrow_mut();
        stated.push(total);
        self.changed.notify_one();
        let (sum, all) = (stated.iter().sum::<u64>(), self.parts.total);
        let adds_up = match stated.len() == self.parts.scans.len() {
            true => sum == all,
            false => sum < all,
        };
        if total > 0 && adds_up {
            return Ok(());
        }
        Err(Problem::new(Cause::Contradictory, format!("the parts have {sum} checks of {all}")))
    }
}

/// Checks of all parts, each once.
struct Rows<V> {
    visit: V,
    /// Hashes, as a walk keeps them.
    ids: HashSet<u64>,
    hasher: RandomState,
}

impl<V: RowVisitor> Rows<V> {
    fn add(&mut self, scans: &BTreeSet<String>, row: &CheckRow<'_>) -> Result<(), RecordFault> {
        if !scans.contains(row.scan_id) {
            let what = "has an account that was not asked for: a filter was ignored";
            return Err(RecordFault::new(Cause::Contradictory, what));
        }
        if !self.ids.insert(self.hasher.hash_one(row.id)) {
            let what = "is in two parts, so it would count twice";
            return Err(RecordFault::new(Cause::Contradictory, what));
        }
        (self.visit)(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_divided_evenly_where_that_is_worth_it() {
        let query = Query::default().results(true);
        let parts = |accounts: &[(&'static str, u64)], total| {
            let parts = Parts::of(&query, accounts.iter().copied().collect(), total, 100);
            parts.map(|parts| parts.scans.iter().map(|ids| Vec::from_iter(ids.clone())).collect())
        };
        let four = [("a", 5), ("b", 9), ("c", 7), ("d", 1)];
        let expected: Vec<Vec<String>> = [&["b"][..], &["c"], &["a", "d"]]
            .map(|ids| ids.iter().map(|id| (*id).into()).collect())
            .into();
        assert_eq!(parts(&four, 400), Some(expected));
        assert_eq!(parts(&four, 399), None);
        assert_eq!(parts(&four[..1], 400), None);
        assert_eq!(parts(&[("a", 1), ("b,c", 1)], 400), None);
        let limited = Query::default().with(Filter::Scans, ["a".to_owned(), "b".to_owned()]);
        assert!(Parts::of(&limited, four.into(), 400, 100).is_none());
    }
}
