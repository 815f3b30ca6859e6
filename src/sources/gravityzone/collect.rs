//! The order of questions: what there is, what failed, and what the gates need to know of the
//! rest.

use std::collections::{BTreeSet, HashMap};

use super::count::{self, Counter};
use super::demand::{self, Way};
use super::findings::Findings;
use super::query::{Fault, Query};
use super::settings::Settings;
use super::shared::{Key, Shared};
use super::walk;
use super::words::{SEVERITIES, Status};
use crate::evidence::{Outcome, Part, Tally};
use crate::finding::{Cause, Severity, Trouble};
use crate::selection::{Demand, Field, Need, Selection};
use crate::sources::Run;
use crate::text;

/// One collection under way.
pub struct Collection<'a> {
    run: &'a Run,
    page_limit: u64,
    /// Which checks are meant, whatever came out of them.
    scope: Query,
    severities: Option<BTreeSet<Severity>>,
    statuses: Option<BTreeSet<Status>>,
    /// What the gates ask beyond failures.
    demands: Vec<Demand>,
    shared: Shared,
    findings: Findings,
    failed: HashMap<Key, u64>,
    /// Failed checks of the scope, whatever their severity. Unknown where statuses are filtered.
    all_failed: Option<u64>,
    part: Part,
}

impl<'a> Collection<'a> {
    pub fn new(settings: &Settings, run: &'a Run) -> Self {
        let passes_known = settings.filters.passes_unknown().is_none();
        Self {
            run,
            page_limit: settings.page_limit(),
            scope: settings.filters.scope(),
            severities: settings.filters.severities(),
            statuses: settings.filters.statuses(),
            demands: demand::distinct(&run.wanted.demands, passes_known),
            shared: Shared::default(),
            findings: Findings::default(),
            failed: HashMap::new(),
            all_failed: None,
            part: Part::default(),
        }
    }

    /// Asks, and hands over what was found, whole or not.
    pub async fn outcome(mut self) -> Outcome {
        let stopped = self.everything().await.err();
        let (findings, notes) = self.findings.finish();
        self.part.findings = findings;
        self.part.notes.extend(notes);
        self.part.notes.push("age not reported: GravityZone states no evaluation time".to_owned());
        self.part.troubles.extend(stopped);
        self.run.outcome(vec![self.part], Vec::new(), Vec::new())
    }

    async fn everything(&mut self) -> Result<(), Trouble> {
        self.part.evaluated = self.total(&self.scope).await?;
        self.probe_scope().await?;
        self.check_filters().await?;
        self.read_failures().await?;
        self.answer_demands().await
    }

    /// Every value of the scope must match something: a misspelt account beside a right one would
    /// silently be missing from the evidence.
    async fn probe_scope(&mut self) -> Result<(), Trouble> {
        let values: Vec<_> = self.scope.all_values().collect();
        let mut unmatched = Vec::new();
        for (filter, value) in &values {
            // The total of a scope with one value is known already.
            let matches = match values.len() {
                1 => self.part.evaluated,
                _ => {
                    let alone = Query::default().with(*filter, [(*value).clone()]);
                    self.total(&alone).await?
                }
            };
            if matches == 0 {
                unmatched.push(
                    Trouble::new(
                        Cause::Incomplete,
                        format!(
                            "{}: filters.{}: `{value}` matches no check",
                            self.run.name,
                            filter.word()
                        ),
                    )
                    .help("check the filter for a typo, and that the scan has run"),
                );
            }
        }
        self.part.troubles.extend(unmatched);
        Ok(())
    }

    /// A filter names known words only. Failures with another severity, or that count as open
    /// although their status is none of the known ones, would stay unseen.
    async fn check_filters(&mut self) -> Result<(), Trouble> {
        let failed = self.scope.clone().results(false);
        if self.severities.is_some() {
            let any = failed.clone().statuses(self.statuses.clone());
            let known = any.clone().severities(Some(SEVERITIES.into()));
            let total = self.total_and_known("severities", "severity", &any, &known).await?;
            self.all_failed = self.statuses.is_none().then_some(total);
        }
        if self.statuses.as_ref().is_some_and(|asked| asked.contains(&Status::Open)) {
            let known = failed.clone().statuses(Some(Status::ALL.into()));
            self.total_and_known("statuses", "status", &failed, &known).await?;
        }
        Ok(())
    }

    async fn total_and_known(
        &mut self,
        key: &str,
        field: &str,
        any: &Query,
        known: &Query,
    ) -> Result<u64, Trouble> {
        let any = self.total(any).await?;
        let known = if any == 0 { 0 } else { self.total(known).await? };
        let name = &self.run.name;
        if known < any {
            let hidden = text::count(any - known, "failed check");
            let trouble = Trouble::new(
                Cause::Incomplete,
                format!(
                    "{name}: {hidden} with a {field} that GravityZone does not document, or none; \
                     filters.{key} leaves them out, and they could be the worst"
                ),
            );
            self.part.troubles.push(
                trouble.help(format!("remove filters.{key}, and use `{field}` in the gates")),
            );
        }
        if known > any {
            return Err(contradictory(format!(
                "{name}: {known} failed checks with a known {field}, but only {any} with any"
            )));
        }
        Ok(any)
    }

    async fn read_failures(&mut self) -> Result<(), Trouble> {
        let query = self
            .scope
            .clone()
            .results(false)
            .severities(self.severities.clone())
            .statuses(self.statuses.clone());
        let Self { run, page_limit, shared, findings, failed, .. } = self;
        let read = walk::rows(run, &query, *page_limit, "reading failed checks", |row| {
            let key = findings.add(shared, row)?;
            *failed.entry(key).or_default() += 1;
            Ok(())
        });
        let total = read.await.inspect_err(|trouble| {
            self.part.findings_missing = Some(trouble.clone());
        })?;
        if !self.filtered() {
            self.all_failed = Some(total);
        }
        let (name, evaluated) = (&self.run.name, self.part.evaluated);
        if total.max(self.all_failed.unwrap_or(0)) > evaluated {
            return Err(contradictory(format!(
                "{name}: {total} failed checks among {evaluated} in all"
            )));
        }
        Ok(())
    }

    /// Totals where the platform can count, one walk over rows for all the rest.
    async fn answer_demands(&mut self) -> Result<(), Trouble> {
        let demands = std::mem::take(&mut self.demands);
        let mut for_rows = Vec::new();
        for demand in &demands {
            let Demand { selection, need } = demand;
            if *need == Need::Existence && self.findings.within(selection) > 0 {
                continue;
            }
            let counted = match demand::way(selection, &self.scope, self.severities.as_ref()) {
                Way::Rows => None,
                Way::Nothing => Some(count::exact(selection, 0, 0)),
                Way::Totals(query, severities) => match need {
                    Need::Existence => Some(self.existing(selection, &query).await?),
                    Need::Passes => {
                        self.passed(selection, &query, severities).await?.map(|passed| {
                            count::exact(selection, passed, self.findings.within(selection))
                        })
                    }
                },
            };
            match counted {
                Some(tally) => self.part.tallies.push(tally),
                None => for_rows.push(demand),
            }
        }
        match for_rows.is_empty() {
            true => Ok(()),
            false => self.count_by_rows(&for_rows).await,
        }
    }

    /// No failure matched; whether any other check does.
    async fn existing(&mut self, selection: &Selection, query: &Query) -> Result<Tally, Trouble> {
        if self.filtered() {
            let any = self.total_of(query, selection).await?;
            return Ok(count::beyond_filters(selection, any));
        }
        let passed = self.total_of(&query.clone().results(true), selection).await?;
        Ok(count::exact(selection, passed, 0))
    }

    /// How many checks passed, if totals can tell. A pass rate then stands on the platform's
    /// filters, so each of them is proven: that it is applied, and as we would.
    async fn passed(
        &mut self,
        selection: &Selection,
        query: &Query,
        severities: Option<BTreeSet<Severity>>,
    ) -> Result<Option<u64>, Trouble> {
        self.prove_on_failures(selection, query, severities.clone()).await?;
        let passes = query.clone().results(true);
        let all = self.total_of(&passes, &selection.only(|field| field != Field::Severity)).await?;
        if *query == self.scope {
            self.add_up(all)?;
        }
        let Some(severities) = severities else { return Ok(Some(all)) };
        // The documentation speaks of findings only, although passes have a severity (fact sheet
        // §2.5, no. 7). Where the two halves are not the whole, rows have to tell.
        let others: BTreeSet<_> =
            SEVERITIES.into_iter().filter(|severity| !severities.contains(severity)).collect();
        let half = self.total(&passes.clone().severities(Some(severities))).await?;
        let other_half = match others.is_empty() {
            true => 0,
            false => self.total(&passes.severities(Some(others))).await?,
        };
        Ok((half.checked_add(other_half) == Some(all)).then_some(half))
    }

    /// Failures were read as rows, so the same filters must count as many of them as we do.
    async fn prove_on_failures(
        &mut self,
        selection: &Selection,
        query: &Query,
        severities: Option<BTreeSet<Severity>>,
    ) -> Result<(), Trouble> {
        if *selection == Selection::default() {
            return Ok(());
        }
        let failures = query.clone().results(false).severities(severities);
        let counted = self.total_of(&failures, selection).await?;
        let read = self.findings.within_as_filtered(selection);
        if counted == read {
            return Ok(());
        }
        let name = &self.run.name;
        Err(contradictory(format!(
            "{name}: the platform counts {counted} failed checks of {selection}, but sent {read}"
        )))
    }

    /// One walk for all demands that only rows can answer.
    async fn count_by_rows(&mut self, demands: &[&Demand]) -> Result<(), Trouble> {
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
        let read =
            walk::rows(self.run, &query, self.page_limit, doing, |row| counter.add(shared, row));
        let total = read.await?;
        self.part.tallies.extend(counter.finish(&self.shared, &self.findings));
        let (name, evaluated) = (&self.run.name, self.part.evaluated);
        match beyond {
            false => self.add_up(total),
            true if total == evaluated => Ok(()),
            true => Err(contradictory(format!(
                "{name}: {total} checks were read, but there are {evaluated}"
            ))),
        }
    }

    /// Every check of the scope either failed or passed.
    fn add_up(&self, passed: u64) -> Result<(), Trouble> {
        let Some(failed) = self.all_failed else { return Ok(()) };
        let evaluated = self.part.evaluated;
        if failed.checked_add(passed) == Some(evaluated) {
            return Ok(());
        }
        let name = &self.run.name;
        Err(contradictory(format!(
            "{name}: {failed} checks failed and {passed} passed, but there are {evaluated}"
        )))
    }

    /// Whether the settings leave out checks of the scope by what came out of them.
    fn filtered(&self) -> bool {
        self.severities.is_some() || self.statuses.is_some()
    }

    async fn total(&self, query: &Query) -> Result<u64, Trouble> {
        walk::total(self.run, query, |_| Ok(())).await
    }

    /// The total of a query that stands for a selection. The one check that comes with it must be
    /// within the selection; if not, the two compare words differently.
    async fn total_of(&mut self, query: &Query, selection: &Selection) -> Result<u64, Trouble> {
        let shared = &mut self.shared;
        walk::total(self.run, query, |row| {
            let key = shared.key(row)?;
            if selection.takes(&shared.subject(key)) {
                return Ok(());
            }
            Err(Fault::new(
                Cause::Contradictory,
                format!("was counted by the platform as {selection}, but is not"),
            ))
        })
        .await
    }
}

fn contradictory(message: String) -> Trouble {
    Trouble::new(Cause::Contradictory, message).help(
        "run the gate again: a scan that ended meanwhile moves the totals; if it stays, the \
         platform's figures cannot be relied on",
    )
}
