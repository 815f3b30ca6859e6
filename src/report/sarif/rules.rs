//! The rules that results refer to, once each, in an order that never changes.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Level, ReportingConfiguration, ReportingDescriptor, RuleProperties, Text};
use crate::finding::{Finding, Severity};
use crate::policy;
use crate::report::view::Entry;
use crate::text;

pub(super) const LEFT_OUT: &str = "compliance-gate/left-out";

/// GitHub keeps ten tags; some are ours.
const MOST_FRAMEWORKS: usize = 7;

/// Rules by their id, each with its place and its worst finding.
pub(super) struct Rules<'a>(BTreeMap<String, (usize, Option<&'a Finding>)>);

impl<'a> Rules<'a> {
    /// Of findings in groups that have one rule each.
    pub(super) fn of<'v>(
        groups: impl Iterator<Item = impl Iterator<Item = &'v Entry<'a>>>,
        left_out: bool,
    ) -> Self
    where
        'a: 'v,
    {
        let mut rules: BTreeMap<_, (usize, Option<&Finding>)> = BTreeMap::new();
        for mut entries in groups {
            let Some(entry) = entries.next() else { continue };
            let (_, worst) = rules.entry(id(entry.source(), entry.finding)).or_default();
            for finding in std::iter::once(entry.finding).chain(entries.map(|entry| entry.finding))
            {
                if worst.is_none_or(|worst| worst.subject.severity < finding.subject.severity) {
                    *worst = Some(finding);
                }
            }
        }
        if left_out {
            rules.insert(LEFT_OUT.to_owned(), (0, None));
        }
        rules.values_mut().enumerate().for_each(|(index, (place, _))| *place = index);
        Self(rules)
    }

    /// The id and the place of an entry's rule.
    pub(super) fn of_entry(&self, entry: &Entry<'_>) -> (&str, usize) {
        self.get(&id(entry.source(), entry.finding))
    }

    pub(super) fn left_out(&self) -> (&str, usize) {
        self.get(LEFT_OUT)
    }

    fn get(&self, id: &str) -> (&str, usize) {
        self.0.get_key_value(id).map_or(("", 0), |(id, (place, _))| (id, *place))
    }

    pub(super) fn descriptors(&self) -> Vec<ReportingDescriptor<'_>> {
        self.0
            .iter()
            .map(|(id, (_, worst))| match worst {
                Some(finding) => descriptor(id, finding),
                None => left_out(id),
            })
            .collect()
    }
}

/// The same for all tenants of a system, so that a rule is one rule.
fn id(source: &str, finding: &Finding) -> String {
    text::one_line(&format!("{}/{}", policy::system_of(source), finding.rule_id()), 255)
}

fn descriptor<'s>(id: &'s str, worst: &Finding) -> ReportingDescriptor<'s> {
    let severity = worst.subject.severity;
    let title = text::one_line(worst.title(), 255);
    let title = if title.is_empty() { id.to_owned() } else { title };
    let help = worst.subject.rule.as_ref().and_then(|rule| rule.help.as_deref());
    let help = help.map(|help| text::one_line(help, 1024)).filter(|help| !help.is_empty());
    let help =
        help.unwrap_or_else(|| format!("{title}. The platform says no more about this rule."));
    ReportingDescriptor {
        id,
        name: title.clone(),
        short_description: Text::of(&title),
        full_description: Text::of(&help),
        help: Text::of(&help),
        default_configuration: ReportingConfiguration { level: level(severity) },
        properties: RuleProperties {
            security_severity: security_severity(severity),
            precision: "very-high",
            tags: tags(worst),
        },
    }
}

fn left_out(id: &str) -> ReportingDescriptor<'_> {
    let words = "Findings beyond what code scanning accepts in one run are left out.";
    ReportingDescriptor {
        id,
        name: "Findings left out".to_owned(),
        short_description: Text::of(words),
        full_description: Text::of(words),
        help: Text::of("The JSON report (--json FILE) lists every finding."),
        default_configuration: ReportingConfiguration { level: Level::Note },
        properties: RuleProperties {
            security_severity: None,
            precision: "very-high",
            tags: BTreeSet::from(["compliance".to_owned()]),
        },
    }
}

fn tags(finding: &Finding) -> BTreeSet<String> {
    let frameworks: BTreeSet<_> = finding
        .subject
        .controls
        .iter()
        .map(|control| text::one_line(&control.framework, 100))
        .collect();
    let ours = ["compliance", "security", finding.subject.severity.word()].map(str::to_owned);
    frameworks.into_iter().filter(|tag| !tag.is_empty()).take(MOST_FRAMEWORKS).chain(ours).collect()
}

/// Well within GitHub's ranges, whose edges belong to either side. What could be the worst is
/// shown as such.
fn security_severity(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Unknown | Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Medium => Some("5.5"),
        Severity::Low => Some("2.0"),
        Severity::Informational | Severity::None => None,
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Unknown | Severity::Critical | Severity::High => Level::Error,
        Severity::Medium => Level::Warning,
        Severity::Low | Severity::Informational | Severity::None => Level::Note,
    }
}
