//! The view of all resources of a job, read into findings.
//!
//! One document holds every check, passed and failed, and may be tens of megabytes. It is read while
//! it arrives, and memory follows what failed. Passes are skipped unless the policy asks for them by
//! more than counts per control, or the job is also over other integrations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::rules::Rules;
use super::view::{Check, CheckedResource, TakeView, ViewSeed};
use crate::evidence::{Count, SelectionCount, SubjectCount};
use crate::finding::{Account, Finding, Identity, Severity, Subject};
use crate::http::BodyText;
use crate::json::{self, JsonError};
use crate::selection::Selection;
use crate::sources::opencomply::inventory::Integration;
use crate::sources::opencomply::judge::controls::Attribution;
use crate::sources::opencomply::wire::JobSummary;

/// Reads the view of one job. Each try has one of its own.
#[derive(Clone)]
pub(super) struct ViewReader {
    /// The accounts whose rows are wanted, by the platform's id of the integration.
    pub accounts: Arc<BTreeMap<String, Arc<Account>>>,
    /// The integrations that the job is for.
    pub of_job: BTreeSet<String>,
    pub rules: Rules,
    pub attribution: Arc<Attribution>,
    /// Selections that need each resource.
    pub selections: Arc<[Selection]>,
    pub passes_wanted: bool,
    /// The failed checks of the job, by its status. A view with more is of no use.
    pub failed: u64,
}

/// What was read of the wanted integrations.
#[derive(Default)]
pub(super) struct RunRows {
    pub findings: Vec<Finding>,
    /// Checks by control, severity, resource type and account; empty unless passes are wanted.
    pub rows: Vec<SubjectCount>,
    /// The counts of selections that need each resource.
    pub answers: Vec<SelectionCount>,
}

/// What one view held, to be compared with the job's status: all of it, also what is not wanted.
#[derive(Debug, Default)]
pub(super) struct ViewTotals {
    /// What the view says it is of.
    pub about: Option<JobSummary>,
    pub failed: BTreeMap<Severity, u64>,
    /// Counted only where passes are wanted.
    pub passed: u64,
    /// An integration that the job is not for.
    pub foreign: Option<String>,
}

impl ViewReader {
    /// # Errors
    /// If the view is not what the API promises.
    pub(super) fn read(self, text: BodyText) -> Result<(ViewTotals, RunRows), JsonError> {
        let passes_wanted = self.passes_wanted;
        let answer = |selection: &Selection| SelectionCount {
            selection: selection.clone(),
            count: Count::ZERO,
        };
        let answers = self.selections.iter().map(answer).collect();
        let mut view = ArrivingView {
            reader: self,
            totals: ViewTotals::default(),
            read: RunRows { answers, ..RunRows::default() },
            account: None,
            kind: None,
            groups: BTreeMap::new(),
        };
        view.totals.about = if passes_wanted {
            json::from_reader(text, ViewSeed::<_, Vec<Check>>::new(&mut view))?
        } else {
            json::from_reader(text, ViewSeed::<_, IgnoredAny>::new(&mut view))?
        };
        view.end_of_type();
        Ok((view.totals, view.read))
    }
}

impl RunRows {
    /// Adds what was read of another job of the run.
    pub(super) fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.rows.extend(other.rows);
        match self.answers.is_empty() {
            true => self.answers = other.answers,
            false => {
                for (sum, answer) in self.answers.iter_mut().zip(other.answers) {
                    sum.count = sum.count.plus(answer.count);
                }
            }
        }
    }
}

/// A view, and what was read of it so far.
struct ArrivingView {
    reader: ViewReader,
    totals: ViewTotals,
    read: RunRows,
    /// Whose resources arrive; `None` where they are not wanted.
    account: Option<Arc<Account>>,
    /// Their type; the platform may have none.
    kind: Option<Arc<str>>,
    /// Their checks, by control and severity.
    groups: BTreeMap<(Arc<str>, Severity), SubjectChecks>,
}

impl TakeView for ArrivingView {
    fn integration(&mut self, id: &str) {
        self.end_of_type();
        if !self.reader.of_job.contains(id) {
            self.totals.foreign.get_or_insert_with(|| id.to_owned());
        }
        self.account = self.reader.accounts.get(id).map(Arc::clone);
    }

    fn resource_type(&mut self, kind: &str) {
        self.end_of_type();
        self.kind = some(kind).map(Into::into);
    }

    fn resource(&mut self, resource: &CheckedResource<'_>) -> Result<(), String> {
        let id = some(resource.id);
        let name = resource.name.and_then(some);
        let answers = &self.read.answers;
        let meant: Vec<_> =
            answers.iter().map(|of| of.selection.matches_resource(id, name)).collect();
        let place = Place { resource: [id, name], meant: &meant };
        for alarm in resource.alarms {
            let is_listed = self.totals.all_failed() < self.reader.failed;
            for subject in self.count(alarm, true, resource.id, &place)? {
                if is_listed {
                    let reason = alarm.reason.as_deref().and_then(some);
                    self.read.findings.push(finding(subject, id, name, reason));
                }
            }
        }
        for pass in resource.passes {
            self.count(pass, false, resource.id, &place)?;
        }
        Ok(())
    }
}

impl ArrivingView {
    /// Counts a check for each control that it is of. The value: their subjects, where the account
    /// is wanted.
    fn count(
        &mut self,
        check: &Check,
        failed: bool,
        resource: &str,
        place: &Place<'_>,
    ) -> Result<Vec<Subject>, String> {
        let (control, severity) = check.control_and_severity(resource)?;
        self.totals.count(severity, failed);
        let Self { reader, read, account: Some(account), kind, groups, .. } = self else {
            return Ok(Vec::new());
        };
        let ViewReader { rules, attribution, .. } = reader;
        let targets = attribution.targets(control, severity);
        let subjects = targets.map(|(control, severity)| {
            let group = groups.entry((rules.id(control), severity)).or_insert_with(|| {
                let account = Some(Arc::clone(account));
                let subject = rules.subject(control, severity, kind.clone(), account);
                SubjectChecks::new(subject, &read.answers)
            });
            group.count(failed, &mut read.answers, place);
            group.row.subject.clone()
        });
        Ok(subjects.collect())
    }

    /// No other resource of this type comes.
    fn end_of_type(&mut self) {
        let groups = std::mem::take(&mut self.groups);
        if self.reader.passes_wanted {
            self.read.rows.extend(groups.into_values().map(|group| group.row));
        }
    }
}

impl ViewTotals {
    fn all_failed(&self) -> u64 {
        self.failed.values().sum()
    }

    fn count(&mut self, severity: Severity, failed: bool) {
        match failed {
            true => *self.failed.entry(severity).or_default() += 1,
            false => self.passed += 1,
        }
    }
}

/// Where a check was made.
struct Place<'r> {
    /// The id and the name of the resource.
    resource: [Option<&'r str>; 2],
    /// For each of the answers, whether its selection matches the resource.
    meant: &'r [bool],
}

/// Checks of one subject.
struct SubjectChecks {
    row: SubjectCount,
    /// For each of the answers, whether its selection matches the subject.
    matching: Vec<bool>,
}

impl SubjectChecks {
    fn new(subject: Subject, answers: &[SelectionCount]) -> Self {
        let matching = answers.iter().map(|of| of.selection.matches(&subject)).collect();
        Self { row: SubjectCount { subject, count: Count::ZERO }, matching }
    }

    /// Counts one check, also in each answer that matches its subject and its resource.
    fn count(&mut self, failed: bool, answers: &mut [SelectionCount], place: &Place<'_>) {
        let one = match failed {
            true => Count { passed: Some(0), failed: 1 },
            false => Count { passed: Some(1), failed: 0 },
        };
        self.row.count = self.row.count.plus(one);
        let subject = &self.row.subject;
        for (answer, both) in answers.iter_mut().zip(self.matching.iter().zip(place.meant)) {
            let excludes = || answer.selection.excludes_check(subject, place.resource);
            if *both.0 && *both.1 && !excludes() {
                answer.count = answer.count.plus(one);
            }
        }
    }
}

pub(super) fn account(integration: &str, known: Option<&Integration>) -> Account {
    let id = known.and_then(|known| some(&known.provider_id)).unwrap_or(integration);
    let name = known.and_then(|known| some(&known.name));
    Account { id: id.into(), name: name.map(Into::into) }
}

fn finding(
    subject: Subject,
    id: Option<&str>,
    name: Option<&str>,
    reason: Option<&str>,
) -> Finding {
    Finding {
        resource_id: id.map(Into::into),
        resource_name: name.map(Into::into),
        reason: reason.map(Into::into),
        ..Finding::new(subject, Identity::Check)
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
