//! What the gates need to know of checks that did not fail: totals, proven, or else one walk.

use std::collections::BTreeSet;

use super::collect::{Collection, contradictory};
use super::count::{self, Counter};
use super::demand::{self, Way};
use super::query::Query;
use super::walk;
use super::words::SEVERITIES;
use crate::evidence::SelectionCount;
use crate::finding::{Problem, Severity};
use crate::selection::{Demand, Field, Need, Selection};

impl Collection<'_> {
    /// Totals where the platform can count, one walk over rows for all the rest.
    pub(super) async fn answer_demands(&mut self) -> Result<(), Problem> {
        let demands = std::mem::take(&mut self.demands);
        let mut for_rows = Vec::new();
        for demand in &demands {
            let Demand { selection, need } = demand;
            if *need == Need::Existence && self.findings.within(selection) > 0 {
                continue;
            }
            let counted = match demand::way(selection, &self.scope, self.severities.as_ref()) {
                Way::Rows => None,
                Way::Nothing => Some(count::answer(selection, 0, 0)),
                Way::Totals(query, severities) => {
                    let counted = match need {
                        Need::Existence => self.existing(selection, &query).await?,
                        Need::Passes => self.passed(selection, &query, severities).await?,
                    };
                    if counted.is_none() {
                        self.part.notes.push(format!(
                            "the platform's filters do not count {selection} as its rows have it; \
                             passed checks were read row by row"
                        ));
                    }
                    counted
                }
            };
            match counted {
                Some(answer) => self.part.counts.answers.push(answer),
                None => for_rows.push(demand),
            }
        }
        match for_rows.is_empty() {
            true => Ok(()),
            false => self.count_by_rows(&for_rows).await,
        }
    }

    /// Whether any check that did not fail matches, if a total can tell. That none does would make
    /// the gate red, so then it takes rows to say so.
    async fn existing(
        &mut self,
        selection: &Selection,
        query: &Query,
    ) -> Result<Option<SelectionCount>, Problem> {
        let filtered = self.filtered();
        let query = if filtered { query.clone() } else { query.clone().results(true) };
        let found = self.total_of(&query, selection).await?.filter(|found| *found > 0);
        Ok(found.map(|found| match filtered {
            true => count::beyond_filters(selection, found),
            false => count::answer(selection, found, 0),
        }))
    }

    /// How many checks passed, if totals can tell. A pass rate then stands on the platform's
    /// filters, so each of them is proven: that it is applied, and as we would.
    async fn passed(
        &mut self,
        selection: &Selection,
        query: &Query,
        severities: Option<BTreeSet<Severity>>,
    ) -> Result<Option<SelectionCount>, Problem> {
        if !self.proven_on_failures(selection, query, severities.clone()).await? {
            return Ok(None);
        }
        let passes = query.clone().results(true);
        let whatever_severity = selection.only(|field| field != Field::Severity);
        let all = match whatever_severity == Selection::default() {
            true => Some(self.passed),
            false => self.total_of(&passes, &whatever_severity).await?,
        };
        let Some(all) = all else { return Ok(None) };
        let answer = |passed| count::answer(selection, passed, self.findings.within(selection));
        let Some(severities) = severities else { return Ok(Some(answer(all))) };
        // The documentation speaks of findings only, although passes have a severity (fact sheet
        // §2.5, no. 7). Where the two halves are not the whole, rows have to tell.
        let others: BTreeSet<_> =
            SEVERITIES.into_iter().filter(|severity| !severities.contains(severity)).collect();
        let half = self.total(&passes.clone().severities(Some(severities))).await?;
        let other_half = match others.is_empty() {
            true => 0,
            false => self.total(&passes.severities(Some(others))).await?,
        };
        Ok((half.checked_add(other_half) == Some(all)).then(|| answer(half)))
    }

    /// Failures were read as rows, so the same filters must count as many of them as we do.
    async fn proven_on_failures(
        &mut self,
        selection: &Selection,
        query: &Query,
        severities: Option<BTreeSet<Severity>>,
    ) -> Result<bool, Problem> {
        if *selection == Selection::default() {
            return Ok(true);
        }
        let failures = query.clone().results(false).severities(severities);
        let counted = self.total_of(&failures, selection).await?;
        Ok(counted == Some(self.findings.within_as_filtered(selection)))
    }

    /// One walk for all demands that only rows can answer.
    async fn count_by_rows(&mut self, demands: &[&Demand]) -> Result<(), Problem> {
        let filtered = self.filtered();
        // What the filters leave out can still prove that a selection is no typo.
        let beyond = filtered && demands.iter().any(|demand| demand.need == Need::Existence);
        let (query, doing) = match beyond {
            true => (self.scope.clone(), "reading all checks"),
            false => (self.scope.clone().results(true), "reading passed checks"),
        };
        let failed = std::mem::take(&mut self.failed);
        let Self { shared, severities, .. } = self;
        let mut counter = Counter::new(demands, severities.as_ref(), filtered, failed);
        let read = walk::rows(self.session, &query, self.page_limit, doing, |row| {
            counter.add(shared, row)
        });
        let total = read.await?;
        counter.finish(&self.shared, &self.findings, &mut self.part.counts);
        let expected = if beyond { self.part.looked_at() } else { self.passed };
        if total != expected {
            let what = if beyond { "" } else { "passed " };
            return Err(contradictory(format!(
                "{}: {total} {what}checks were read, but there are {expected}",
                self.session.name
            )));
        }
        Ok(())
    }

    /// The total of a query that stands for a selection; `None` if the one check that comes with
    /// it is not within the selection, so that the two compare words differently.
    async fn total_of(
        &mut self,
        query: &Query,
        selection: &Selection,
    ) -> Result<Option<u64>, Problem> {
        let shared = &mut self.shared;
        let mut alike = true;
        let total = walk::total(self.session, query, |row| {
            let key = shared.key(row)?;
            alike &= selection.matches(&shared.subject(key));
            Ok(())
        });
        let total = total.await?;
        Ok(alike.then_some(total))
    }
}
