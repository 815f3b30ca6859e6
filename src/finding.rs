//! The domain: what a platform found, counted and described in one vocabulary.
//!
//! Everything here is strict and owned by us. Wire types, with all their nulls, stay in
//! `sources/<system>/` and are mapped into these.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

mod identity;
mod upstream;

pub use identity::{Fingerprint, Identity, ImagePart};
pub use upstream::{Rerating, Waiver, WaiverKind};

/// How bad a finding is. Ordered, worst last.
///
/// `Unknown` is a word this tool does not know, or a failure the platform's breakdown does not
/// explain. It sorts above `Critical` and every severity selector matches it, because what could
/// be the worst must not be overlooked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    None,
    Informational,
    Low,
    Medium,
    High,
    Critical,
    Unknown,
}

impl Severity {
    /// The severities a policy can name, worst first.
    pub const NAMED: [Self; 6] =
        [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational, Self::None];

    /// Reads a platform's word; case is ignored. An undocumented word is `Unknown`.
    pub fn from_platform(word: &str) -> Self {
        Self::NAMED
            .into_iter()
            .find(|severity| severity.word().eq_ignore_ascii_case(word))
            .unwrap_or(Self::Unknown)
    }

    /// The word used in policies and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The text of a field that a check rightly does not have, such as the region of a resource of
/// Kubernetes. Selectors match it by this text or by `*`. A field that the platform should have
/// stated and did not is `None` instead, and matches every selector of a gate.
pub const NOT_APPLICABLE: &str = "(none)";

/// A control of a framework, as a policy names it.
///
/// `id` is the whole word a `control` selector is compared with: the control id on OpenComply,
/// `framework/control` on GravityZone, where a control id alone is not unique.
///
/// Either is empty where the platform should have named it and did not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Control {
    pub framework: Arc<str>,
    pub id: Arc<str>,
}

/// What was checked. One rule is shared by all its findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Rule {
    /// Stable id on the platform: a control id, `cloud_scan/aws/…`, a CVE.
    pub id: Arc<str>,
    pub title: Option<Arc<str>>,
    /// What is wrong, or how to fix it, as the platform describes it.
    pub help: Option<Arc<str>>,
}

/// Whose resource it is: a cloud account, subscription or scan account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Account {
    pub id: Arc<str>,
    pub name: Option<Arc<str>>,
}

impl fmt::Display for Account {
    /// `122814690049 (prod)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if *name != self.id => write!(f, "{} ({name})", self.id),
            _ => f.write_str(&self.id),
        }
    }
}

/// What a check is about, apart from the single resource: all that a count can be split by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Subject {
    pub severity: Severity,
    /// `None` only in counts that are not split by rule.
    pub rule: Option<Arc<Rule>>,
    pub controls: Arc<[Control]>,
    pub resource_type: Option<Arc<str>>,
    pub account: Option<Arc<Account>>,
    pub region: Option<Arc<str>>,
}

impl Subject {
    /// A subject of which only the severity is known.
    pub fn new(severity: Severity) -> Self {
        Self {
            severity,
            rule: None,
            controls: Arc::default(),
            resource_type: None,
            account: None,
            region: None,
        }
    }
}

/// A check that failed on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The source's name in the policy. Filled in with the fingerprint, when the source is done.
    pub source: Arc<str>,
    /// Shared by all findings that differ in nothing of it.
    pub subject: Arc<Subject>,
    /// The platform's own word; `None` where it gave none.
    pub status: Option<Arc<str>>,
    /// Whether `status: open` matches it: the platform says so, or says nothing that it documents
    /// as anything else. A failure that is null or `remediated` is open until a pass is seen.
    pub open: bool,
    /// `None` for checks of a whole account.
    pub resource_id: Option<Box<str>>,
    pub resource_name: Option<Box<str>>,
    /// Why it failed, in the platform's words.
    pub reason: Option<Box<str>>,
    /// The address of its page on the platform.
    pub link: Option<Box<str>>,
    /// Who did it, where a change is reported rather than a check; `None` where no actor is named.
    pub actor: Option<Arc<str>>,
    /// The assignee, where the platform assigns its findings.
    pub assignee: Option<Arc<str>>,
    /// Further texts by which a gate can select it, by the selector's key. A key that is missing was
    /// not stated; [`NOT_APPLICABLE`] is what the finding rightly lacks.
    pub facets: Facets,
    /// When the platform first saw it.
    pub created_at: Option<DateTime<Utc>>,
    /// When this program first saw it, carried from the evidence of earlier runs.
    pub first_seen: Option<DateTime<Utc>>,
    /// What the platform itself accepted about it.
    pub waiver: Option<Box<Waiver>>,
    /// A severity that was changed on the platform. The severity of the subject is the higher one.
    pub rerating: Option<Rerating>,
    pub identity: Identity,
    pub fingerprint: Fingerprint,
}

/// The texts of each further selector, in the order of their keys. Most findings have none, and many
/// have the same, which they share.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facets(Option<Arc<FacetList>>);

type FacetList = Vec<(&'static str, Vec<Arc<str>>)>;

impl Facets {
    pub fn get(&self, key: &str) -> Option<&Vec<Arc<str>>> {
        self.iter().find(|(own, _)| *own == key).map(|(_, texts)| texts)
    }

    pub fn insert(&mut self, key: &'static str, texts: Vec<Arc<str>>) {
        let list = Arc::make_mut(self.0.get_or_insert_default());
        match list.binary_search_by_key(&key, |(own, _)| *own) {
            Ok(at) => list[at].1 = texts,
            Err(at) => list.insert(at, (key, texts)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Vec<Arc<str>>)> {
        self.0.iter().flat_map(|list| list.iter()).map(|(key, texts)| (*key, texts))
    }
}

impl Extend<(&'static str, Vec<Arc<str>>)> for Facets {
    fn extend<I: IntoIterator<Item = (&'static str, Vec<Arc<str>>)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, texts)| self.insert(key, texts));
    }
}

impl FromIterator<(&'static str, Vec<Arc<str>>)> for Facets {
    fn from_iter<I: IntoIterator<Item = (&'static str, Vec<Arc<str>>)>>(entries: I) -> Self {
        let mut facets = Self::default();
        facets.extend(entries);
        facets
    }
}

impl Finding {
    /// An open finding of which nothing else is known.
    pub fn new(subject: impl Into<Arc<Subject>>, identity: Identity) -> Self {
        Self {
            source: Arc::default(),
            subject: subject.into(),
            status: None,
            open: true,
            resource_id: None,
            resource_name: None,
            reason: None,
            link: None,
            actor: None,
            assignee: None,
            facets: Facets::default(),
            created_at: None,
            first_seen: None,
            waiver: None,
            rerating: None,
            identity,
            fingerprint: Fingerprint::default(),
        }
    }

    /// Records its source, and what makes it the same finding from run to run.
    pub fn identify(&mut self, source: &Arc<str>) {
        self.source = Arc::clone(source);
        self.fingerprint = match &self.identity {
            Identity::Event(own) => Fingerprint::of(&[source, &own.to_string()]),
            Identity::Check | Identity::Image(_) => {
                let (package, path) = self.image_part();
                Fingerprint::of_place(source, self.rule_id(), self.place(), package, path)
            }
        };
    }

    /// The resource as a baseline names it: for images the repository, without tag and digest.
    pub fn place(&self) -> &str {
        match &self.identity {
            Identity::Image(part) => &part.repository,
            Identity::Check | Identity::Event(_) => self.resource(),
        }
    }

    /// The package and the path in an image; empty where it is not about one.
    pub fn image_part(&self) -> (&str, &str) {
        match &self.identity {
            Identity::Image(part) => (&part.package, &part.path),
            Identity::Check | Identity::Event(_) => ("", ""),
        }
    }

    /// Since when it is known to exist: as the platform states it, else since this program first saw
    /// it.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.created_at.or(self.first_seen)
    }

    /// The rule's id; every finding has one.
    pub fn rule_id(&self) -> &str {
        self.subject.rule.as_ref().map_or("unknown", |rule| &rule.id)
    }

    /// The rule's name for readers: its title, else its id.
    pub fn title(&self) -> &str {
        let rule = self.subject.rule.as_ref();
        rule.and_then(|rule| rule.title.as_deref()).unwrap_or_else(|| self.rule_id())
    }

    /// The name of the resource for readers, or of the account where the check is of a whole account.
    pub fn resource(&self) -> &str {
        self.resource_id
            .as_deref()
            .or(self.resource_name.as_deref())
            .or_else(|| self.subject.account.as_ref().map(|account| &*account.id))
            .unwrap_or("(no resource named)")
    }

    /// Worst first, then in an order that never depends on how the platform sent them. Among
    /// findings of one source it begins with `UrgencyKey`.
    pub fn by_urgency(a: &Self, b: &Self) -> Ordering {
        // Findings with one fingerprint differ in these, or in nothing that is shown.
        fn rest(finding: &Finding) -> impl Ord {
            let Finding { subject, created_at, status, reason, resource_name, actor, .. } = finding;
            (subject, created_at, status, reason, resource_name, actor, &finding.facets)
        }
        let by_rule = || by_shared(a.rule_id(), b.rule_id());
        let by_source = || by_shared(&a.source, &b.source);
        let severity = b.subject.severity.cmp(&a.subject.severity);
        severity
            .then_with(by_source)
            .then_with(by_rule)
            .then_with(|| a.resource().cmp(b.resource()))
            .then_with(|| a.fingerprint.cmp(&b.fingerprint))
            .then_with(|| rest(a).cmp(&rest(b)))
    }
}

/// Orders texts of which most are one text, shared by both: then none of it needs to be read.
fn by_shared(a: &str, b: &str) -> Ordering {
    if std::ptr::eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

/// What a finding of one source is ordered by first.
pub(crate) struct UrgencyKey<'a> {
    severity: Reverse<Severity>,
    rule: &'a str,
    resource: &'a str,
}

impl<'a> UrgencyKey<'a> {
    pub(crate) fn of(finding: &'a Finding) -> Self {
        Self {
            severity: Reverse(finding.subject.severity),
            rule: finding.rule_id(),
            resource: finding.resource(),
        }
    }

    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        self.severity
            .cmp(&other.severity)
            .then_with(|| by_shared(self.rule, other.rule))
            .then_with(|| self.resource.cmp(other.resource))
    }
}

/// Why evidence cannot be relied on. Each cause has one exit code, which `verdict.rs` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The configuration asks for something that the platform does not have.
    Invalid,
    /// The set-up on this side is wrong: a certificate that is not trusted, a proxy, a host name
    /// that does not exist, a `url` that is not an API. Waiting does not help.
    Setup,
    /// The platform refused the token, or its role is too low.
    Denied,
    /// The platform could not be reached, also after retries.
    Unreachable,
    /// The deadline passed before the evidence was complete.
    Deadline,
    /// The run was interrupted before the evidence was complete.
    Interrupted,
    /// The answer is not what the API promises.
    Protocol,
    /// The platform's own job failed, timed out or was cancelled.
    JobFailed,
    /// Part of the evidence is missing.
    Incomplete,
    /// Two figures that must agree do not.
    Contradictory,
    /// The evidence is older than the policy allows.
    Stale,
    /// Nothing was evaluated.
    Empty,
}

impl Cause {
    /// The word in reports and in a policy's `accept`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Setup => "setup",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Protocol => "protocol",
            Self::JobFailed => "job-failed",
            Self::Incomplete => "incomplete",
            Self::Contradictory => "contradictory",
            Self::Stale => "stale",
            Self::Empty => "empty",
        }
    }
}

/// One reason why evidence cannot be relied on, as a sentence and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub cause: Cause,
    /// A sentence: what failed, where (source, endpoint, field, record).
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Problem {
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), help: None }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
