//! What the gates need to know of passed checks: proven totals, or one walk over rows.

use std::collections::BTreeSet;

use super::collect::{Collection, contradictory};
use super::count::{self, Counter};
use super::demand::{self, Method};
use super::parts::Parts;
use super::query::Query;
use super::walk;
use super::wire::CheckRow;
use super::words::SEVERITIES;
use crate::evidence::SelectionCount;
use crate::finding::{Problem, Severity, Subject};
use crate::page::ReadError;
use crate::selection::{Demand, Field, Need, Selection};

impl Collection<'_> {
    /// Counts by totals where the platform can count, and by one walk over rows for the rest.
    pub(super) async fn answer_demands(&mut self) -> Result<(), Problem> {
        let demands = std::mem::take(&mut self.demands);
        let mut for_rows = Vec::new();
        let has_totals = demands.is_empty() || self.totals_are_of_the_scope().await?;
        for demand in &demands {
            let Demand { selection, need } = demand;
            if *need == Need::Existence && self.findings.prove(selection) {
                continue;
            }
            let method = demand::method(selection, &self.scope, self.severities.as_ref());
            let counted = match method {
                Method::Totals(..) if !has_totals => None,
                Method::Rows => None,
                Method::Nothing => Some(count::answer(selection, 0, 0)),
                Method::Totals(query, severities) => {
                    let counted = match need {
                        Need::Existence => self.existing(selection, &query).await?,
                        Need::Passes => self.passed(selection, &query, severities).await?,
                    };
                    if counted.is_none() {
                        self.part.notes.push(format!(
                            "the platform's totals do not prove how many checks of {selection} \
                             passed, so passed checks were read row by row"
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
        if for_rows.is_empty() && !self.split {
            return Ok(());
        }
        for_rows.extend(&self.session.wanted.exclusions);
        self.count_by_rows(&for_rows).await
    }

    /// How many passed checks match, if a total shows any. If it shows none, only rows can prove
    /// that: the gate would be red.
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

    /// How many checks passed, if totals can show it. A pass rate then relies on the filters of the
    /// platform, so each of them is proven: the platform must apply it as a selector would, and leave
    /// something out by it, passed or failed, since an ignored filter leaves out nothing.
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
        let leaves_out = whatever_severity == Selection::default()
            || *query == self.scope
            || all < self.passed
            || self.findings.within_as_filtered(selection, severities.as_ref())
                < self.findings.within_as_filtered(&Selection::default(), severities.as_ref());
        if !leaves_out {
            return Ok(None);
        }
        let answer = |passed| count::answer(selection, passed, self.findings.within(selection));
        let Some(severities) = severities else { return Ok(Some(answer(all))) };
        // The documentation of this filter speaks of findings only, although passed checks have a
        // severity (docs/platforms/gravityzone.md#gaps-in-the-documentation). Where the two halves
        // are not the whole, rows are counted.
        let others: BTreeSet<_> =
            SEVERITIES.into_iter().filter(|severity| !severities.contains(severity)).collect();
        let half = self.total(&passes.clone().severities(Some(severities))).await?;
        let other_half = match others.is_empty() {
            true => 0,
            false => self.total(&passes.severities(Some(others))).await?,
        };
        Ok((half + other_half == all).then(|| answer(half)))
    }

    /// Failed checks were read as rows, so a query must count as many of them.
    async fn proven_on_failures(
        &mut self,
        selection: &Selection,
        query: &Query,
        severities: Option<BTreeSet<Severity>>,
    ) -> Result<bool, Problem> {
        if *selection == Selection::default() && severities.is_none() {
            return Ok(true);
        }
        let read = self.findings.within_as_filtered(selection, severities.as_ref());
        let failures = query.clone().results(false).severities(severities);
        Ok(self.total_of(&failures, selection).await? == Some(read))
    }

    /// Rows, for all demands that totals cannot answer: by account, several walks side by side, or
    /// one walk.
    async fn count_by_rows(&mut self, demands: &[&Demand]) -> Result<(), Problem> {
        let filtered = self.filtered();
        // A check that the filters leave out can still prove that a selection is not a typo.
        let beyond = filtered && demands.iter().any(|demand| demand.need == Need::Existence);
        let (query, doing) = match beyond {
            true => (self.scope.clone(), "reading all checks"),
            false => (self.scope.clone().results(true), "reading passed checks"),
        };
        let expected = if beyond { self.part.looked_at() } else { self.passed };
        let Self { session, page_limit, shared, severities, failed, findings, heeded, .. } = self;
        let new_counter = || Counter::new(demands, severities.as_ref(), filtered, failed.clone());
        if let Some(parts) = Parts::of(&query, findings.accounts(), expected, *page_limit) {
            let mut counter = new_counter();
            let visit =
                |row: &CheckRow<'_>| heeded.look(row).and_then(|()| counter.add(shared, row));
            if parts.read(session, *page_limit, doing, visit).await? {
                counter.finish(shared, findings, &mut self.part.counts);
                return Ok(());
            }
        }
        let mut counter = new_counter();
        let visit = |row: &CheckRow<'_>| heeded.look(row).and_then(|()| counter.add(shared, row));
        let read = walk::rows(session, &query, *page_limit, doing, visit).await;
        let total = read.map_err(ReadError::problem)?;
        counter.finish(shared, findings, &mut self.part.counts);
        if total != expected {
            let what = if beyond { "" } else { "passed " };
            return Err(contradictory(format!(
                "{}: {total} {what}checks were read, but there are {expected}",
                self.session.name
            )));
        }
        Ok(())
    }

    /// The total of a query for a selection. `None` if the one check of its page is not within the
    /// selection: then the platform compares words differently.
    async fn total_of(
        &mut self,
        query: &Query,
        selection: &Selection,
    ) -> Result<Option<u64>, Problem> {
        let Self { session, shared, heeded, .. } = self;
        let mut alike = true;
        let total = walk::total(session, query, |row| {
            heeded.look(row)?;
            let key = shared.key(row)?;
            // The platform compares the severity of now.
            let subject = Subject { severity: row.severity, ..shared.subject(key) };
            alike &= selection.matches(&subject);
            Ok(())
        });
        let total = total.await?;
        Ok(alike.then_some(total))
    }
}
