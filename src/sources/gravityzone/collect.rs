//! The order of requests: how many checks there are, which of them failed, whether failed and passed
//! ones are all (`balance.rs`), and what the gates need to know of passed ones (`passes.rs`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Utc;

use super::demand;
use super::findings::Findings;
use super::heeded::Heeded;
use super::query::{Filter, Query};
use super::settings::Settings;
use super::shared::{Key, Shared};
use super::walk;
use super::words::Status;
use crate::evidence::{self, Outcome, Part};
use crate::finding::{Cause, Problem, Severity};
use crate::page::{self, ReadError};
use crate::selection::Demand;
use crate::sources::Session;
use crate::text;

/// Values that nothing has: behind and before every other in the order of a list.
const NOTHING: [&str; 2] = ["~compliance-gate", "!compliance-gate"];

/// A collection in progress.
pub(super) struct Collection<'a> {
    pub(super) session: &'a Session,
    pub(super) visible: u64,
    pub(super) page_limit: u64,
    /// Which checks are in scope, whatever their result.
    pub(super) scope: Query,
    /// What the rows show of the filters of the scope.
    pub(super) heeded: Heeded,
    /// Whether the totals show that a filter of the scope leaves something out, once that was asked.
    pub(super) leaves_out: BTreeMap<Filter, bool>,
    pub(super) severities: Option<BTreeSet<Severity>>,
    statuses: Option<BTreeSet<Status>>,
    /// What the gates need to know besides failed checks.
    pub(super) demands: Vec<Demand>,
    /// Whether passed checks are counted by every field.
    pub(super) split: bool,
    pub(super) shared: Shared,
    pub(super) findings: Findings,
    pub(super) failed: HashMap<Key, u64>,
    /// Failed checks of the scope, whatever their severity and status, if the number is known.
    pub(super) all_failed: Option<u64>,
    /// Passed checks of the scope, whatever their severity.
    pub(super) passed: u64,
    pub(super) part: Part,
    /// What is missing. These are not problems of the part, so that failures over a limit still
    /// block.
    pub(super) missing: Vec<Problem>,
}

impl<'a> Collection<'a> {
    /// `visible`: all checks that the token can see, by the preflight.
    pub(super) fn new(settings: &Settings, session: &'a Session, visible: u64) -> Self {
        let passes_known = settings.filters.passes_unknown().is_none();
        let scope = settings.filters.scope();
        Self {
            session,
            visible,
            page_limit: settings.page_limit(),
            heeded: Heeded::of(&scope),
            leaves_out: BTreeMap::new(),
            scope,
            severities: settings.filters.severities(),
            statuses: settings.filters.statuses(),
            demands: demand::distinct(&session.wanted.demands, passes_known),
            split: session.wanted.split && passes_known,
            shared: Shared::default(),
            findings: Findings::default(),
            failed: HashMap::new(),
            all_failed: None,
            passed: 0,
            part: Part { notes: settings.filters.notes(), ..Part::default() },
            missing: Vec::new(),
        }
    }

    /// Collects, and returns what was found, complete or not.
    pub(super) async fn outcome(mut self) -> Outcome {
        let stopped = self.everything().await.err();
        let unrated = self.findings.unrated().map(|note| self.session.noted(note));
        let (findings, notes) = self.findings.finish();
        self.part.notes.extend(unrated);
        self.part.findings.extend(findings);
        self.part.notes.extend(notes);
        self.part.notes.push("age not reported: GravityZone states no evaluation time".to_owned());
        self.part.read_at = Some(Utc::now());
        self.part.problems.extend(stopped);
        self.session.outcome(vec![self.part], self.missing, Vec::new())
    }

    async fn everything(&mut self) -> Result<(), Problem> {
        let evaluated = match self.scope == Query::default() {
            // The preflight has just asked for it.
            true => self.visible,
            false => self.total(&self.scope).await?,
        };
        self.part.set_looked_at(evaluated);
        self.probe_scope().await?;
        self.check_statuses().await?;
        // Asked for beside the first page of failed checks, since reading all of them may take minutes:
        // totals of one moment add up.
        let (session, passes) = (self.session, self.scope.clone().results(true));
        let mut of_passes = Heeded::of(&self.scope);
        let passed = walk::total(session, &passes, |row| of_passes.look(row));
        let (passed, read) = futures_util::future::join(passed, self.read_failures()).await;
        read?;
        self.passed = passed?;
        self.heeded.and(of_passes);
        self.add_up().await?;
        self.answer_demands().await?;
        self.judge_filters().await
    }

    /// Every value of the scope must match something. Otherwise a misspelt account next to a correct
    /// one would be missing from the evidence without a word.
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
        let all_match = unmatched.is_empty();
        self.part.problems.extend(unmatched);
        if all_match { self.probe_lists().await } else { Ok(()) }
    }

    /// Every value of a list must be read: the first and the last must match something also beside a
    /// value that nothing has. A value that is refused was read.
    async fn probe_lists(&mut self) -> Result<(), Problem> {
        let lists = self.scope.filters().filter_map(|(filter, values)| {
            let (first, last) = (values.first()?, values.last()?);
            (first != last).then(|| (filter, [first.clone(), last.clone()]))
        });
        for (filter, values) in lists.collect::<Vec<_>>() {
            for (value, beside) in values.into_iter().zip(NOTHING) {
                let query = Query::default().with(filter, [value.clone(), beside.to_owned()]);
                if walk::total_unless_refused(self.session, &query).await? == Some(0) {
                    let what = format!(
                        "{}: the platform reads only a part of `filters.{}`: beside another \
                         value, `{}` matches nothing",
                        self.session.name,
                        filter.word(),
                        text::one_line(&value, 80)
                    );
                    let help = "name one value, or use the selectors of the gates instead";
                    self.missing.push(contradictory(what).help(help));
                    break;
                }
            }
        }
        Ok(())
    }

    /// A filter by status takes documented words only. It would hide failed checks with another
    /// status, or none, which count as open.
    async fn check_statuses(&mut self) -> Result<(), Problem> {
        if !self.statuses.as_ref().is_some_and(|asked| asked.contains(&Status::Open)) {
            return Ok(());
        }
        let failed = self.scope.clone().results(false);
        let any = self.total(&failed).await?;
        let documented = failed.statuses(Some(Status::ALL.into()));
        let known = if any == 0 { 0 } else { self.total(&documented).await? };
        self.all_failed = Some(any);
        let name = &self.session.name;
        if known < any {
            let hidden = text::count(any - known, "failed check");
            let problem = Problem::new(
                Cause::Incomplete,
                format!(
                    "{name}: {hidden} with an undocumented status, or none, which count as open; \
                     `filters.statuses` leaves them out"
                ),
            );
            self.part.problems.push(
                problem.help("remove `filters.statuses`, and use `status` in the gates instead"),
            );
        }
        if known > any {
            return Err(contradictory(format!(
                "{name}: {known} failed checks have a documented status, but only {any} failed"
            )));
        }
        Ok(())
    }

    /// Reads failed checks, once more if they changed meanwhile.
    async fn read_failures(&mut self) -> Result<(), Problem> {
        let read = page::settled(async || self.read_failures_once().await).await;
        let total = read.map_err(ReadError::problem).inspect_err(|problem| {
            self.part.findings = evidence::Findings::counted(problem.clone());
        })?;
        if self.statuses.is_none() {
            self.all_failed = Some(total);
        }
        Ok(())
    }

    /// Severities are compared here and not by the platform, whose filter does not see that a
    /// severity was lowered.
    async fn read_failures_once(&mut self) -> Result<u64, ReadError> {
        let checks = self.session.http.url("cspm/checks", &[]);
        (self.findings, self.shared) = (Findings::linked(checks), Shared::default());
        self.failed.clear();
        let query = self.scope.clone().results(false).statuses(self.statuses.clone());
        let Self { session, page_limit, shared, findings, failed, severities, heeded, .. } = self;
        let is_read = |severity: Severity| {
            severity == Severity::Unknown
                || severities.as_ref().is_none_or(|asked| asked.contains(&severity))
        };
        walk::rows(session, &query, *page_limit, "reading failed checks", |row| {
            heeded.look(row)?;
            findings.notice(row);
            if is_read(row.severity) || is_read(row.counted_severity()) {
                let key = findings.add(shared, row)?;
                *failed.entry(key).or_default() += 1;
            }
            Ok(())
        })
        .await
    }

    /// Whether the settings leave out checks of the scope by severity or status.
    pub(super) fn filtered(&self) -> bool {
        self.severities.is_some() || self.statuses.is_some()
    }

    pub(super) async fn total(&self, query: &Query) -> Result<u64, Problem> {
        walk::total(self.session, query, |_| Ok(())).await
    }
}

/// The problem of two figures of the platform that must agree and do not.
pub(super) fn contradictory(message: String) -> Problem {
    Problem::new(Cause::Contradictory, message).help(
        "run the gate again, since a scan that ended meanwhile changes the totals; if this \
         persists, the platform's figures cannot be relied on",
    )
}
