//! Selectors: what a gate matches, and what a source is asked to count.
//!
//! A source must not see the policy, but it must know the demand. Both speak of it in these
//! plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::finding::{Account, Control, Facets, Finding, NOT_APPLICABLE, Severity, Subject};

mod exact;
mod except;
mod field;
mod pattern;
mod stated;
mod wanted;

pub use except::Exclusion;
pub use field::Field;
pub use pattern::Pattern;
pub use stated::UNKNOWN;
pub use wanted::{Demand, Need, Rows, Wanted};

/// What follows where a check does not state a field that a selection asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unstated {
    Matches,
    DoesNotMatch,
}

/// Which checks are selected. Fields are AND-ed, the words of one field OR-ed; empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Selection {
    #[serde(flatten)]
    pub words: BTreeMap<Field, Vec<Pattern>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Duration>,
    /// What is out of scope, passed and failed alike: all that any of these covers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Exclusion>,
}

impl Selection {
    /// The fields that decide what is selected.
    pub fn fields(&self) -> BTreeSet<Field> {
        let severity = self.severity.as_ref().map(|_| Field::Severity);
        let older_than = self.older_than.map(|_| Field::OlderThan);
        let except = self.except.iter().flat_map(Exclusion::fields);
        self.words.keys().copied().chain(severity).chain(older_than).chain(except).collect()
    }

    /// The same selection with nothing out of scope.
    #[must_use]
    pub fn without_except(&self) -> Self {
        Self { except: Vec::new(), ..self.clone() }
    }

    /// Whether a finding is out of scope.
    pub fn excludes(&self, finding: &Finding) -> bool {
        self.except.iter().any(|except| except.covers(finding))
    }

    /// Whether a check of a subject is out of scope. `resource`: id and name.
    pub fn excludes_check(&self, subject: &Subject, resource: [Option<&str>; 2]) -> bool {
        self.except.iter().any(|except| except.covers_check(subject, Some(resource)))
    }

    /// Whether a check with further texts is out of scope. `resource`: id and name.
    pub fn excludes_facets(
        &self,
        subject: &Subject,
        resource: [Option<&str>; 2],
        facets: &Facets,
    ) -> bool {
        self.except.iter().any(|except| except.covers_facets(subject, resource, facets))
    }

    fn excludes_subject(&self, subject: &Subject) -> bool {
        self.except.iter().any(|except| except.covers_subject(subject))
    }

    /// The same selection with only those fields for which `keep` holds. What is out of scope by
    /// another field stays in.
    #[must_use]
    pub fn only(&self, keep: impl Fn(Field) -> bool) -> Self {
        Self {
            words: self
                .words
                .iter()
                .filter(|(field, _)| keep(**field))
                .map(|(field, patterns)| (*field, patterns.clone()))
                .collect(),
            severity: self.severity.clone().filter(|_| keep(Field::Severity)),
            older_than: self.older_than.filter(|_| keep(Field::OlderThan)),
            except: self
                .except
                .iter()
                .filter(|except| except.fields().into_iter().all(&keep))
                .cloned()
                .collect(),
        }
    }

    /// Whether a framework is within the selection, regardless of its checks.
    pub fn matches_framework(&self, framework: &str) -> bool {
        self.word(Field::Framework, &[Some(framework)], Unstated::DoesNotMatch)
    }

    /// Whether a severity is within the selection.
    pub fn matches_severity(&self, severity: Severity) -> bool {
        severity == Severity::Unknown
            || self.severity.as_ref().is_none_or(|set| set.contains(&severity))
    }

    /// Whether checks of this subject, on any resource, are within the selection, as far as the
    /// subject states it. Says nothing of the fields that only a single finding has (resource,
    /// status, actor, age).
    pub fn matches(&self, subject: &Subject) -> bool {
        self.matches_subject(subject, Unstated::DoesNotMatch) && !self.excludes_subject(subject)
    }

    /// Whether failed checks of this subject may be within the selection: what the platform should
    /// state and did not could be anything.
    pub fn may_match(&self, subject: &Subject) -> bool {
        self.matches_subject(subject, Unstated::Matches) && !self.excludes_subject(subject)
    }

    /// Whether a rule on a resource may be within the selection, whatever else it asks for.
    pub fn matches_line(&self, rule: &str, resource: &str) -> bool {
        self.word(Field::Rule, &[Some(rule)], Unstated::DoesNotMatch)
            && self.matches_resource(Some(resource), None)
    }

    /// Whether a resource is within the selection, by its id or its name.
    pub fn matches_resource(&self, id: Option<&str>, name: Option<&str>) -> bool {
        self.word(Field::Resource, &[id, name], Unstated::DoesNotMatch)
    }

    /// Whether further texts are within the selection, of the fields that passed checks have too.
    pub fn matches_facets(&self, facets: &Facets) -> bool {
        let asked = self.words.keys().filter(|field| Field::FACETS.contains(field));
        asked.filter(|field| field.is_of_passes()).all(|field| {
            let texts = facets.get(field.word()).into_iter().flatten();
            let texts: Vec<_> = texts.map(|text| Some(&**text)).collect();
            self.word(*field, &texts, Unstated::DoesNotMatch)
        })
    }

    /// Whether a gate counts a finding: all that it states is within the selection. What the
    /// platform should state and did not takes no finding out of a gate.
    pub fn matches_finding(&self, finding: &Finding, now: DateTime<Utc>) -> bool {
        let Finding { resource_id, resource_name, status, actor, assignee, .. } = finding;
        let names = [resource_id.as_deref(), resource_name.as_deref()];
        let resource = || names.into_iter().chain(facet(finding, Field::Resource).map(Some));
        let open = status.is_some().then_some("open").filter(|_| finding.open);
        let asks = |field: Field| self.words.contains_key(&field);
        self.may_match(&finding.subject)
            // A name alone does not say that another word is not the id.
            && (resource_id.is_none()
                || !asks(Field::Resource)
                || self.word(Field::Resource, &resource().collect::<Vec<_>>(), Unstated::Matches))
            && self.word(Field::Status, &[status.as_deref(), open], Unstated::Matches)
            && self.word(Field::Actor, &[actor.as_deref()], Unstated::Matches)
            && self.word(Field::Assignee, &[assignee.as_deref()], Unstated::Matches)
            && Field::FACETS.iter().filter(|field| asks(**field)).all(|field| {
                let texts: Vec<_> = facet(finding, *field).map(Some).collect();
                self.word(*field, &texts, Unstated::Matches)
            })
            && self.matches_age(finding.since(), now)
            && !self.excludes(finding)
    }

    /// Whether a finding proves that the selection means something: it states all that the
    /// selection asks for, of the fields that passed checks have too.
    pub fn is_proven_by(&self, finding: &Finding) -> bool {
        let resource = [finding.resource_id.as_deref(), finding.resource_name.as_deref()];
        self.matches(&finding.subject)
            && self.word(Field::Resource, &resource, Unstated::DoesNotMatch)
            && self.matches_facets(&finding.facets)
            && !self.excludes(finding)
    }

    /// The fields that the selection asks for and a finding does not state.
    pub fn unstated(&self, finding: &Finding) -> BTreeSet<Field> {
        let Subject { severity, rule, controls, resource_type, account, region } =
            &*finding.subject;
        let named = |control: &Control| !control.framework.is_empty() && !control.id.is_empty();
        let is_stated = |field: &Field| match field {
            Field::Framework | Field::Control => controls.iter().all(named),
            Field::Rule => rule.is_some(),
            Field::Severity => *severity != Severity::Unknown,
            Field::Status => finding.status.is_some(),
            Field::Resource => finding.resource_id.is_some(),
            Field::ResourceType => resource_type.is_some(),
            Field::Account => account.is_some(),
            Field::Region => region.is_some(),
            Field::Actor => finding.actor.is_some(),
            Field::Assignee => finding.assignee.is_some(),
            Field::Fixable
            | Field::Cluster
            | Field::Namespace
            | Field::Image
            | Field::Container
            | Field::Host
            | Field::Category
            | Field::EventSource
            | Field::Label
            | Field::ScanGroup
            | Field::Section => facet(finding, *field).next().is_some(),
            Field::OlderThan => finding.since().is_some(),
        };
        self.without_except().fields().into_iter().filter(|field| !is_stated(field)).collect()
    }

    fn matches_subject(&self, subject: &Subject, unstated: Unstated) -> bool {
        let Subject { severity, rule, controls, resource_type, account, region } = subject;
        let rule = rule.as_deref().map(|rule| &*rule.id);
        let account_id = account.as_deref().map(|account| &*account.id);
        let account_name = account.as_deref().and_then(|account| account.name.as_deref());
        self.matches_severity(*severity)
            && self.word(Field::Rule, &[rule], unstated)
            && self.word(Field::ResourceType, &[resource_type.as_deref()], unstated)
            && self.word(Field::Region, &[region.as_deref()], unstated)
            && self.word(Field::Account, &[account_id, account_name], unstated)
            && self.matches_controls(controls, unstated)
    }

    /// Whether checks of an account may be within the selection.
    pub fn matches_account(&self, account: &Account) -> bool {
        let account = Some(Arc::new(account.clone()));
        let subject = Subject { account, ..Subject::new(Severity::Unknown) };
        self.only(|field| field == Field::Account).matches(&subject)
    }

    /// Whether it asks for accounts, and this is one of them.
    pub fn names_account(&self, account: &Account) -> bool {
        self.words.contains_key(&Field::Account) && self.matches_account(account)
    }

    /// One control of the set must match both the framework and the control words.
    fn matches_controls(&self, controls: &[Control], unstated: Unstated) -> bool {
        if !self.words.contains_key(&Field::Framework) && !self.words.contains_key(&Field::Control)
        {
            return true;
        }
        let stated = |text: &Arc<str>| Some(Arc::clone(text)).filter(|text| !text.is_empty());
        controls.iter().any(|control| {
            let (framework, id) = (stated(&control.framework), stated(&control.id));
            self.word(Field::Framework, &[framework.as_deref()], unstated)
                && self.word(Field::Control, &[id.as_deref()], unstated)
        })
    }

    /// A finding of unknown age might be old enough.
    fn matches_age(&self, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        match (self.older_than, since) {
            (Some(least), Some(since)) => (now - since).to_std().is_ok_and(|age| age >= least),
            _ => true,
        }
    }

    fn word(&self, field: Field, given: &[Option<&str>], unstated: Unstated) -> bool {
        self.words.get(&field).is_none_or(|patterns| {
            let is_stated = given.iter().any(Option::is_some);
            // What a check rightly lacks is no text that a pattern could be like.
            let matches = |pattern: &Pattern, text: &str| match text {
                NOT_APPLICABLE => pattern.is_word(NOT_APPLICABLE) || pattern.is_word("*"),
                text => pattern.matches(text),
            };
            (!is_stated && unstated == Unstated::Matches)
                || given.iter().flatten().any(|text| patterns.iter().any(|p| matches(p, text)))
        })
    }
}

/// The texts of a facet.
fn facet(finding: &Finding, field: Field) -> impl Iterator<Item = &str> {
    finding.facets.get(field.word()).into_iter().flatten().map(|text| &**text)
}

/// A short form for people: `severity critical or high, rule cloud_scan/aws/*`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_words(f, self.severity.as_ref(), &self.words, self.older_than)?;
        self.except.iter().try_for_each(|except| write!(f, ", except {except}"))
    }
}

fn write_words(
    f: &mut fmt::Formatter<'_>,
    severity: Option<&BTreeSet<Severity>>,
    words: &BTreeMap<Field, Vec<Pattern>>,
    older_than: Option<Duration>,
) -> fmt::Result {
    let mut parts = Vec::new();
    if let Some(severities) = severity {
        let words: Vec<_> = severities.iter().rev().map(|severity| severity.word()).collect();
        parts.push(format!("severity {}", words.join(" or ")));
    }
    for (field, patterns) in words {
        let words: Vec<_> = patterns.iter().map(Pattern::as_str).collect();
        parts.push(format!("{field} {}", words.join(" or ")));
    }
    if let Some(age) = older_than {
        parts.push(format!("older than {}", humantime::format_duration(age)));
    }
    if parts.is_empty() {
        return f.write_str("everything");
    }
    f.write_str(&parts.join(", "))
}
