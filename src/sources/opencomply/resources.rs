//! The view of all resources of a job (fact sheet §5.3), read into findings.
//!
//! One document holds every check, passed and failed, and may be tens of megabytes. It is read on
//! borrowed text; passes are skipped unless the policy asks for them by more than counts per
//! control.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::inventory::Integration;
use super::rules::Rules;
use super::trust;
use super::wire::JobSummary;
use crate::evidence::{Count, SelectionCount, SubjectCount};
use crate::finding::{Account, Finding, Fingerprint, Severity, Subject};
use crate::http::Answer;
use crate::selection::Selection;
use crate::text;

/// Reads the views of a run's jobs.
pub(super) struct Reader<'a> {
    integrations: &'a BTreeMap<String, Integration>,
    rules: &'a Rules,
    passes_wanted: bool,
    types: BTreeMap<String, Arc<str>>,
    read: Read,
}

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    pub findings: Vec<Finding>,
    /// Checks by control, severity, resource type and account; empty unless passes are wanted.
    pub rows: Vec<SubjectCount>,
    /// The counts of selections that need each resource.
    pub answers: Vec<SelectionCount>,
}

/// What one view held, to be compared with the job's status.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What the view says it is of.
    pub about: Option<JobSummary>,
    pub failed: BTreeMap<Severity, u64>,
    /// Counted only where passes are wanted.
    pub passed: u64,
    /// An integration that the job is not for.
    pub foreign: Option<String>,
}

impl<'a> Reader<'a> {
    pub fn new(
        integrations: &'a BTreeMap<String, Integration>,
        rules: &'a Rules,
        selections: impl IntoIterator<Item = Selection>,
        passes_wanted: bool,
    ) -> Self {
        let answer = |selection| SelectionCount { selection, count: Count::ZERO };
        let answers = selections.into_iter().map(answer).collect();
        let read = Read { answers, ..Read::default() };
        Self { integrations, rules, passes_wanted, types: BTreeMap::new(), read }
    }

    /// # Errors
    /// The end of a sentence, if the view is not what the API promises.
    pub fn read(&mut self, answer: &Answer) -> Result<Seen, String> {
        if self.passes_wanted {
            self.view(answer.json::<View<'_, Vec<Check<'_>>>>().map_err(|error| error.to_string())?)
        } else {
            self.view(answer.json::<View<'_, IgnoredAny>>().map_err(|error| error.to_string())?)
        }
    }

    pub fn finish(self) -> Read {
        self.read
    }

    fn view<'v, O: Passes<'v>>(&mut self, view: View<'v, O>) -> Result<Seen, String> {
        let mut seen = Seen { about: view.job_summary, ..Seen::default() };
        for (integration, types) in view.integrations.0 {
            let known = self.integrations.get(&*integration.0);
            if known.is_none() {
                seen.foreign.get_or_insert_with(|| integration.0.clone().into_owned());
            }
            let account = Arc::new(account(&integration.0, known));
            for (kind, resources) in types.resource_types.0 {
                let kind = self.kind(&kind.0);
                self.group(&account, kind.as_ref(), &resources.resources, &mut seen)?;
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
        seen: &mut Seen,
    ) -> Result<(), String> {
        let Self { rules, read: Read { findings, rows, answers }, .. } = self;
        let mut groups: BTreeMap<(&str, Severity), Checks> = BTreeMap::new();
        for (id, resource) in &resources.0 {
            let id = some(&id.0);
            let name = resource.resource_name.as_ref().and_then(|name| some(&name.0));
            let meant: Vec<_> =
                answers.iter().map(|of| of.selection.matches_resource(id, name)).collect();
            let (alarms, passes) =
                resource.results.as_ref().map_or((&[][..], &[][..]), |results| {
                    let alarms = results.alarm.as_deref().unwrap_or_default();
                    (alarms, results.ok.as_ref().map_or(&[][..], Passes::checks))
                });
            let mut checks = |check: &'r Check<'v>, failed: bool| -> Result<Subject, String> {
                let (control, severity) = check.control_and_severity(id)?;
                let group = groups.entry((control, severity)).or_insert_with(|| {
                    let subject =
                        rules.subject(control, severity, kind.cloned(), Some(Arc::clone(account)));
                    Checks::new(subject, answers)
                });
                group.count(failed, answers, &meant);
                Ok(group.row.subject.clone())
            };
            for alarm in alarms {
                let subject = checks(&alarm.check, true)?;
                trust::add(&mut seen.failed, subject.severity, 1);
                let reason = alarm.reason.as_ref().and_then(|reason| some(&reason.0));
                findings.push(finding(rules, subject, id, name, reason));
            }
            for pass in passes {
                checks(pass, false)?;
                seen.passed = seen.passed.saturating_add(1);
            }
        }
        if self.passes_wanted {
            rows.extend(groups.into_values().map(|group| group.row));
        }
        Ok(())
    }
}

/// Checks of one subject.
struct Checks {
    row: SubjectCount,
    /// For each of the answers, whether its selection matches the subject.
    matching: Vec<bool>,
}

impl Checks {
    fn new(subject: Subject, answers: &[SelectionCount]) -> Self {
        let matching = answers.iter().map(|of| of.selection.matches(&subject)).collect();
        Self { row: SubjectCount { subject, count: Count::ZERO }, matching }
    }

    /// Counts one check, also in each answer that matches its subject and its resource.
    fn count(&mut self, failed: bool, answers: &mut [SelectionCount], by_resource: &[bool]) {
        let one = match failed {
            true => Count { passed: Some(0), failed: 1 },
            false => Count { passed: Some(1), failed: 0 },
        };
        self.row.count = self.row.count.plus(one);
        for (answer, both) in answers.iter_mut().zip(self.matching.iter().zip(by_resource)) {
            if *both.0 && *both.1 {
                answer.count = answer.count.plus(one);
            }
        }
    }
}

fn account(integration: &str, known: Option<&Integration>) -> Account {
    let id = known.and_then(|known| some(&known.provider_id)).unwrap_or(integration);
    let name = known.and_then(|known| some(&known.name));
    Account { id: id.into(), name: name.map(Into::into) }
}

fn finding(
    rules: &Rules,
    subject: Subject,
    id: Option<&str>,
    name: Option<&str>,
    reason: Option<&str>,
) -> Finding {
    let control = subject.rule.as_deref().map_or("", |rule| &rule.id);
    let account = subject.account.as_deref().map_or("", |account| &account.id);
    let kind = subject.resource_type.as_deref().unwrap_or_default();
    let fingerprint = Fingerprint::of(&[
        "opencomply",
        rules.framework(),
        control,
        account,
        kind,
        id.unwrap_or_default(),
    ]);
    Finding {
        resource_id: id.map(Into::into),
        resource_name: name.map(Into::into),
        reason: reason.map(Into::into),
        ..Finding::new(subject, fingerprint)
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The view, with its passes as `O`: skipped, or read.
#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct View<'a, O> {
    #[serde(borrow, default)]
    integrations: Entries<'a, Types<'a, O>>,
    job_summary: Option<JobSummary>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct Types<'a, O> {
    #[serde(borrow, default)]
    resource_types: Entries<'a, Resources<'a, O>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct Resources<'a, O> {
    #[serde(borrow, default)]
    resources: Entries<'a, Resource<'a, O>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct Resource<'a, O> {
    #[serde(borrow)]
    resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    results: Option<Results<'a, O>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
struct Results<'a, O> {
    #[serde(borrow)]
    alarm: Option<Vec<Alarm<'a>>>,
    ok: Option<O>,
}

struct Alarm<'a> {
    check: Check<'a>,
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    control_id: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Alarm<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Flat<'a> {
            #[serde(borrow)]
            severity: Option<Text<'a>>,
            #[serde(borrow)]
            control_id: Option<Text<'a>>,
            #[serde(borrow)]
            reason: Option<Text<'a>>,
        }
        let Flat { severity, control_id, reason } = Flat::deserialize(deserializer)?;
        Ok(Self { check: Check { severity, control_id }, reason })
    }
}

impl<'a> Check<'a> {
    fn control_and_severity(&self, resource: Option<&str>) -> Result<(&str, Severity), String> {
        let Some(control) = self.control_id.as_ref().and_then(|control| some(&control.0)) else {
            let resource = text::one_line(resource.unwrap_or("(not named)"), 100);
            return Err(format!("a check of resource {resource} has no `control_id`"));
        };
        let severity = self.severity.as_ref().map_or("", |severity| &severity.0);
        Ok((control, Severity::from_platform(severity)))
    }
}

/// Checks that passed, or nothing where they were skipped.
trait Passes<'a> {
    fn checks(&self) -> &[Check<'a>];
}

impl<'a> Passes<'a> for IgnoredAny {
    fn checks(&self) -> &[Check<'a>] {
        &[]
    }
}

impl<'a> Passes<'a> for Vec<Check<'a>> {
    fn checks(&self) -> &[Check<'a>] {
        self
    }
}

/// Text that borrows from the answer, unless it has escapes: `&`, `<` and `>` always do.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Borrowed).map(Self)
    }
}

/// The entries of a map, or of a null, as they were sent.
struct Entries<'a, V>(Vec<(Text<'a>, V)>);

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrNull<'a, V>(PhantomData<(&'a str, V)>);
        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for MapOrNull<'a, V> {
            type Value = Entries<'a, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Entries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_any(MapOrNull(PhantomData))
    }
}
