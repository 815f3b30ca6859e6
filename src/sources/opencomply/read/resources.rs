//! The view of all resources of a job, read into findings.
//!
//! One document holds every check, passed and failed, and may be tens of megabytes. Passes are
//! skipped unless the policy asks for them by more than counts per control, or the job is also over
//! other integrations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::rules::Rules;
use super::view::{Check, Entries, Passes, Resource, View};
use crate::evidence::{Count, SelectionCount, SubjectCount};
use crate::finding::{Account, Finding, Identity, Severity, Subject};
use crate::http::Answer;
use crate::selection::Selection;
use crate::sources::opencomply::inventory::Integration;
use crate::sources::opencomply::judge::controls::Attribution;
use crate::sources::opencomply::wire::JobSummary;

/// Reads the views of a run's jobs.
pub(super) struct Reader<'a> {
    /// The integrations whose rows are wanted.
    integrations: &'a BTreeMap<String, Integration>,
    rules: &'a Rules<'a>,
    attribution: &'a Attribution,
    passes_wanted: bool,
    types: BTreeMap<String, Arc<str>>,
    read: RunRows,
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

impl<'a> Reader<'a> {
    pub(super) fn new(
        integrations: &'a BTreeMap<String, Integration>,
        rules: &'a Rules<'a>,
        attribution: &'a Attribution,
        selections: impl IntoIterator<Item = Selection>,
        passes_wanted: bool,
    ) -> Self {
        let answer = |selection| SelectionCount { selection, count: Count::ZERO };
        let answers = selections.into_iter().map(answer).collect();
        let read = RunRows { answers, ..RunRows::default() };
        Self { integrations, rules, attribution, passes_wanted, types: BTreeMap::new(), read }
    }

    /// # Errors
    /// The end of a sentence, if the view is not what the API promises.
    pub(super) fn read(
        &mut self,
        answer: &Answer,
        of_job: &BTreeSet<String>,
    ) -> Result<ViewTotals, String> {
        let unreadable = |error: crate::http::HttpError| error.to_string();
        if self.passes_wanted {
            let view = answer.json::<View<'_, Vec<Check<'_>>>>().map_err(unreadable)?;
            self.view(view, of_job)
        } else {
            self.view(answer.json::<View<'_, IgnoredAny>>().map_err(unreadable)?, of_job)
        }
    }

    pub(super) fn finish(self) -> RunRows {
        self.read
    }

    fn view<'v, O: Passes<'v>>(
        &mut self,
        view: View<'v, O>,
        of_job: &BTreeSet<String>,
    ) -> Result<ViewTotals, String> {
        let mut seen = ViewTotals { about: view.job_summary, ..ViewTotals::default() };
        for (integration, types) in view.integrations.0 {
            if !of_job.contains(&*integration.0) {
                seen.foreign.get_or_insert_with(|| integration.0.clone().into_owned());
            }
            let known = self.integrations.get(&*integration.0);
            let account = known.map(|known| Arc::new(account(&integration.0, Some(known))));
            for (kind, resources) in types.resource_types.0 {
                let kind = self.kind(&kind.0);
                match &account {
                    Some(account) => {
                        self.group(account, kind.as_ref(), &resources.resources, &mut seen)?;
                    }
                    None => count_only(&resources.resources, &mut seen)?,
                }
            }
        }
        Ok(seen)
    }

    /// The resource type, shared by all of it; the platform may have none.
    fn kind(&mut self, kind: &str) -> Option<Arc<str>> {
        if kind.is_empty() {
            return None;
        }
        let shared = self.types.entry(kind.to_owned()).or_insert_with(|| kind.into());
        Some(Arc::clone(shared))
    }

    /// The resources of one type in one account.
    fn group<'r, 'v, O: Passes<'v>>(
        &mut self,
        account: &Arc<Account>,
        kind: Option<&Arc<str>>,
        resources: &'r Entries<'v, Resource<'v, O>>,
        seen: &mut ViewTotals,
    ) -> Result<(), String> {
        let Self { rules, attribution, read: RunRows { findings, rows, answers }, .. } = self;
        let mut groups: BTreeMap<(&str, Severity), SubjectChecks> = BTreeMap::new();
        for (id, resource) in &resources.0 {
            let id = some(&id.0);
            let name = resource.resource_name.as_ref().and_then(|name| some(&name.0));
            let meant: Vec<_> =
                answers.iter().map(|of| of.selection.matches_resource(id, name)).collect();
            let place = CheckedResource { resource: [id, name], meant: &meant };
            // Counts a check for each control that it is of, and gives their subjects.
            let mut count = |check: &'r Check<'v>, failed: bool| -> Result<Vec<Subject>, String> {
                let (control, severity) = check.control_and_severity(id)?;
                seen.count(severity, failed);
                let targets = attribution.targets(control, severity);
                let subjects = targets.map(|(control, severity)| {
                    let group = groups.entry((control, severity)).or_insert_with(|| {
                        let account = Some(Arc::clone(account));
                        let subject = rules.subject(control, severity, kind.cloned(), account);
                        SubjectChecks::new(subject, answers)
                    });
                    group.count(failed, answers, &place);
                    group.row.subject.clone()
                });
                Ok(subjects.collect())
            };
            for alarm in resource.alarms() {
                let reason = alarm.reason.as_ref().and_then(|reason| some(&reason.0));
                for subject in count(&alarm.check, true)? {
                    findings.push(finding(subject, id, name, reason));
                }
            }
            for pass in resource.passes() {
                count(pass, false)?;
            }
        }
        if self.passes_wanted {
            rows.extend(groups.into_values().map(|group| group.row));
        }
        Ok(())
    }
}

/// Counts the checks of an integration that is not wanted.
fn count_only<'v, O: Passes<'v>>(
    resources: &Entries<'v, Resource<'v, O>>,
    seen: &mut ViewTotals,
) -> Result<(), String> {
    for (id, resource) in &resources.0 {
        for alarm in resource.alarms() {
            seen.count(alarm.check.control_and_severity(Some(&id.0))?.1, true);
        }
        for pass in resource.passes() {
            seen.count(pass.control_and_severity(Some(&id.0))?.1, false);
        }
    }
    Ok(())
}

impl ViewTotals {
    fn count(&mut self, severity: Severity, failed: bool) {
        match failed {
            true => *self.failed.entry(severity).or_default() += 1,
            false => self.passed += 1,
        }
    }
}

/// Where a check was made.
struct CheckedResource<'r> {
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
    fn count(&mut self, failed: bool, answers: &mut [SelectionCount], place: &CheckedResource<'_>) {
        let one = match failed {
            true => Count { passed: Some(0), failed: 1 },
            false => Count { passed: Some(1), failed: 0 },
        };
        self.row.count = self.row.count.plus(one);
        let subject = &self.row.subject;
        for (answer, both) in answers.iter_mut().zip(self.matching.iter().zip(place.meant)) {
            let excludes = || answer.selection.excludes_check(subject, place.resource, None);
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
