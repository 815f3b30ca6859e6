//! The order of questions: what there is, what failed, whether that and the passes are all
//! (`balance.rs`), and what the gates need to know of the rest (`passes.rs`).

use std::collections::{BTreeSet, HashMap};

use super::demand;
use super::findings::Findings;
use super::query::Query;
use super::settings::Settings;
use super::shared::{Key, Shared};
use super::walk;
use super::words::{SEVERITIES, Status};
use crate::evidence::{self, Outcome, Part};
use crate::finding::{Cause, Problem, Severity};
use crate::selection::Demand;
use crate::sources::Session;
use crate::text;

/// One collection under way.
pub struct Collection<'a> {
    pub(super) session: &'a Session,
    pub(super) page_limit: u64,
    /// Which checks are meant, whatever came out of them.
    pub(super) scope: Query,
    pub(super) severities: Option<BTreeSet<Severity>>,
    statuses: Option<BTreeSet<Status>>,
    /// What the gates ask beyond failures.
    pub(super) demands: Vec<Demand>,
    pub(super) shared: Shared,
    pub(super) findings: Findings,
    pub(super) failed: HashMap<Key, u64>,
    /// Failed checks of the scope, whatever their severity and status, where that was asked.
    pub(super) all_failed: Option<u64>,
    /// Passed checks of the scope, whatever their severity.
    pub(super) passed: u64,
    pub(super) part: Part,
    /// What is known to be missing. Not the part's own, so that failures beyond a limit still
    /// block.
    pub(super) missing: Vec<Problem>,
}

impl<'a> Collection<'a> {
    pub fn new(settings: &Settings, session: &'a Session) -> Self {
        let passes_known = settings.filters.passes_unknown().is_none();
        Self {
            session,
            page_limit: settings.page_limit(),
            scope: settings.filters.scope(),
            severities: settings.filters.severities(),
            statuses: settings.filters.statuses(),
            demands: demand::distinct(&session.wanted.demands, passes_known),
            shared: Shared::default(),
            findings: Findings::default(),
            failed: HashMap::new(),
            all_failed: None,
            passed: 0,
            part: Part::default(),
            missing: Vec::new(),
        }
    }

    /// Asks, and hands over what was found, whole or not.
    pub async fn outcome(mut self) -> Outcome {
        let stopped = self.everything().await.err();
        let (findings, notes) = self.findings.finish();
        for finding in findings {
            self.part.findings.push(finding);
        }
        self.part.notes.extend(notes);
        self.part.notes.push("age not reported: GravityZone states no evaluation time".to_owned());
        self.part.problems.extend(stopped);
        self.session.outcome(vec![self.part], self.missing, Vec::new())
    }

    async fn everything(&mut self) -> Result<(), Problem> {
        let evaluated = self.total(&self.scope).await?;
        self.part.set_looked_at(evaluated);
        // Before the failures are read, which may take minutes: totals of one moment add up.
        self.passed = self.passes().await?;
        self.probe_scope().await?;
        self.check_filters().await?;
        self.read_failures().await?;
        self.add_up().await?;
        self.answer_demands().await
    }

    /// Every value of the scope must match something: a misspelt account beside a right one would
    /// silently be missing from the evidence.
    async fn probe_scope(&mut self) -> Result<(), Problem> {
        let values: Vec<_> = self.scope.all_values().collect();
        let mut unmatched = Vec::new();
        for (filter, value) in &values {
            // The total of a scope with one value is known already.
            let matches = match values.len() {
                1 => self.part.looked_at(),
                _ => {
                    let alone = Query::default().with(*filter, [(*value).clone()]);
                    self.total(&alone).await?
                }
            };
            if matches == 0 {
                unmatched.push(
                    Problem::new(
                        Cause::Incomplete,
                        format!(
                            "{}: filters.{}: `{value}` matches no check",
                            self.session.name,
                            filter.word()
                        ),
                    )
                    .help("check the filter for a typo, and that the scan has run"),
                );
            }
        }
        self.part.problems.extend(unmatched);
        Ok(())
    }

    /// A filter names known words only. Failures with another severity, or that count as open
    /// although their status is none of the known ones, would stay unseen.
    async fn check_filters(&mut self) -> Result<(), Problem> {
        let failed = self.scope.clone().results(false);
        if self.severities.is_some() {
            let any = failed.clone().statuses(self.statuses.clone());
            let known = any.clone().severities(Some(SEVERITIES.into()));
            let total = self.total_and_known("severities", "severity", &any, &known).await?;
            self.all_failed = self.statuses.is_none().then_some(total);
        }
        if self.statuses.as_ref().is_some_and(|asked| asked.contains(&Status::Open)) {
            let known = failed.clone().statuses(Some(Status::ALL.into()));
            let total = self.total_and_known("statuses", "status", &failed, &known).await?;
            self.all_failed = Some(total);
        }
        Ok(())
    }

    async fn total_and_known(
        &mut self,
        key: &str,
        field: &str,
        any: &Query,
        known: &Query,
    ) -> Result<u64, Problem> {
        let any = self.total(any).await?;
        let known = if any == 0 { 0 } else { self.total(known).await? };
        let name = &self.session.name;
        if known < any {
            let hidden = text::count(any - known, "failed check");
            let problem = Problem::new(
                Cause::Incomplete,
                format!(
                    "{name}: {hidden} with a {field} that GravityZone does not document, or none; \
                     filters.{key} leaves them out, and they could be the worst"
                ),
            );
            self.part.problems.push(
                problem.help(format!("remove filters.{key}, and use `{field}` in the gates")),
            );
        }
        if known > any {
            return Err(contradictory(format!(
                "{name}: {known} failed checks with a known {field}, but only {any} with any"
            )));
        }
        Ok(any)
    }

    async fn read_failures(&mut self) -> Result<(), Problem> {
        let query = self
            .scope
            .clone()
            .results(false)
            .severities(self.severities.clone())
            .statuses(self.statuses.clone());
        let Self { session, page_limit, shared, findings, failed, .. } = self;
        let read = walk::rows(session, &query, *page_limit, "reading failed checks", |row| {
            let key = findings.add(shared, row)?;
            *failed.entry(key).or_default() += 1;
            Ok(())
        });
        let total = read.await.inspect_err(|problem| {
            self.part.findings = evidence::Findings::counted(problem.clone());
        })?;
        if !self.filtered() {
            self.all_failed = Some(total);
        }
        Ok(())
    }

    /// Whether the settings leave out checks of the scope by what came out of them.
    pub(super) fn filtered(&self) -> bool {
        self.severities.is_some() || self.statuses.is_some()
    }

    pub(super) async fn total(&self, query: &Query) -> Result<u64, Problem> {
        walk::total(self.session, query, |_| Ok(())).await
    }
}

/// Two figures of the platform that must agree do not.
pub(super) fn contradictory(message: String) -> Problem {
    Problem::new(Cause::Contradictory, message).help(
        "run the gate again: a scan that ended meanwhile moves the totals; if it stays, the \
         platform's figures cannot be relied on",
    )
}
