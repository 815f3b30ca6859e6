//! What became of each finding: new, fixed or changed, or only in or out of sight.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Class, Difference, Side};
use crate::evidence::{Findings, Outcome};
use crate::finding::{Finding, Fingerprint};
use crate::selection::Field;
use crate::text;

/// Findings that a difference names.
const EXAMPLES: usize = 20;

pub(super) fn differences(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let (before, after) = (by_fingerprint(old), by_fingerprint(new));
    let (old_sight, new_sight) = (VisibleSources::of(old), VisibleSources::of(new));
    let mut groups: BTreeMap<(Class, String), ExplainedFindings<'_>> = BTreeMap::new();
    for (fingerprint, finding) in &before {
        if after.contains_key(fingerprint) {
            continue;
        }
        let classes = new_sight.why_not_seen(&old_sight, finding);
        groups.entry(key(&classes, gone)).or_default().add(finding, &classes);
    }
    for (fingerprint, finding) in &after {
        let Some(earlier) = before.get(fingerprint) else {
            let classes = old_sight.why_not_seen(&new_sight, finding);
            groups.entry(key(&classes, arrived)).or_default().add(finding, &classes);
            continue;
        };
        if let Some((class, what)) = changed(earlier, finding) {
            groups.entry((class, what)).or_default().add(finding, &[]);
        }
    }
    groups.into_iter().map(|((class, what), group)| group.difference(class, &what)).collect()
}

/// The first explanation counts, and the words that go with it.
fn key(classes: &[Class], what: fn(&[Class]) -> &'static str) -> (Class, String) {
    (classes.first().copied().unwrap_or(Class::Estate), what(classes).to_owned())
}

/// Findings with one explanation.
#[derive(Default)]
struct ExplainedFindings<'a> {
    findings: Vec<&'a Finding>,
    overlaps: BTreeSet<Class>,
}

impl<'a> ExplainedFindings<'a> {
    fn add(&mut self, finding: &'a Finding, classes: &[Class]) {
        self.findings.push(finding);
        self.overlaps.extend(classes.iter().skip(1));
    }

    fn difference(mut self, class: Class, what: &str) -> Difference {
        self.findings.sort_by(|a, b| Finding::by_urgency(a, b));
        let count = self.findings.len() as u64;
        let example = |finding: &&Finding| {
            let line = format!(
                "{} {} on {}",
                finding.subject.severity,
                finding.rule_id(),
                finding.resource()
            );
            text::one_line(&line, 240)
        };
        let message = format!("{} {what}", text::count(count, "finding"));
        Difference {
            findings: Some(count),
            examples: self.findings.iter().take(EXAMPLES).map(example).collect(),
            overlaps: self.overlaps.into_iter().collect(),
            ..Difference::new(class, message)
        }
    }
}

fn gone(classes: &[Class]) -> &'static str {
    match classes.first() {
        None => "fixed",
        Some(Class::Scope) => "no longer in scope",
        Some(Class::Platform) => "gone with their rule",
        Some(_) => "no longer known, since the evidence is incomplete",
    }
}

fn arrived(classes: &[Class]) -> &'static str {
    match classes.first() {
        None => "new",
        Some(Class::Scope) => "newly in scope",
        Some(Class::Platform) => "of a new rule",
        Some(_) => "known now, since the evidence before was incomplete",
    }
}

/// What is different about a finding that both have.
fn changed(old: &Finding, new: &Finding) -> Option<(Class, String)> {
    let (was, is) = (old.subject.severity, new.subject.severity);
    if was != is {
        return Some((Class::Platform, format!("with another severity: {was} before, {is} now")));
    }
    if old.waiver != new.waiver {
        let how = if new.waiver.is_some() { "newly accepted" } else { "no longer accepted" };
        return Some((Class::Acceptance, format!("{how} on the platform, or in another way")));
    }
    (old.status != new.status).then(|| (Class::Estate, "with another status".to_owned()))
}

fn by_fingerprint<'a>(side: Side<'a>) -> HashMap<Fingerprint, &'a Finding> {
    let parts = side.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    let findings = parts.flat_map(|part| part.findings.listed());
    findings.map(|finding| (finding.fingerprint, finding)).collect()
}

/// What one side could see of each source.
struct VisibleSources<'a>(BTreeMap<&'a str, VisibleSource<'a>>);

#[derive(Default)]
struct VisibleSource<'a> {
    outcome: Option<&'a Outcome>,
    /// Accounts and rules with any result; `None` where passes were not counted by them.
    accounts: Option<BTreeSet<&'a str>>,
    rules: Option<BTreeSet<&'a str>>,
    is_complete: bool,
}

impl<'a> VisibleSources<'a> {
    fn of(side: Side<'a>) -> Self {
        let outcomes = side.evidence.outcomes.iter();
        Self(
            outcomes.map(|outcome| (outcome.source.as_str(), VisibleSource::of(outcome))).collect(),
        )
    }

    /// Why a finding that the other side has is not here, if not because it does not exist.
    fn why_not_seen(&self, other: &Self, finding: &Finding) -> Vec<Class> {
        let Some(seen) = self.0.get(&*finding.source) else { return vec![Class::Scope] };
        let mut classes = Vec::new();
        if seen.excludes(finding) {
            classes.push(Class::Scope);
        }
        let elsewhere = other.0.get(&*finding.source);
        let is_new = |here: &Option<BTreeSet<&str>>, word: &str| {
            here.as_ref().is_some_and(|here| !here.contains(word))
        };
        let account = finding.subject.account.as_deref().map(|account| &*account.id);
        if classes.is_empty()
            && account.is_some_and(|account| is_new(&seen.accounts, account))
            && elsewhere.is_some_and(|seen| seen.accounts.is_some())
        {
            classes.push(Class::Scope);
        }
        if is_new(&seen.rules, finding.rule_id())
            && elsewhere.is_some_and(|seen| seen.rules.is_some())
        {
            classes.push(Class::Platform);
        }
        if !seen.is_complete {
            classes.push(Class::Evidence);
        }
        classes
    }
}

impl<'a> VisibleSource<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let split = |field| {
            let tables = || outcome.parts.iter().map(|part| part.counts.table.as_ref());
            let is_split = tables()
                .all(|table| table.is_some_and(|table| table.by.contains(&field)))
                && !outcome.parts.is_empty();
            is_split.then(|| tables().flatten().flat_map(|table| &table.rows))
        };
        let findings = || outcome.parts.iter().flat_map(|part| part.findings.listed());
        let subjects = |field| {
            let rows = split(field)?;
            let of_rows = rows.map(|row| &row.subject);
            Some(of_rows.chain(findings().map(|finding| &*finding.subject)))
        };
        let accounts = subjects(Field::Account).map(|subjects| {
            subjects.filter_map(|subject| Some(&*subject.account.as_deref()?.id)).collect()
        });
        let rules = subjects(Field::Rule)
            .map(|subjects| subjects.filter_map(|s| Some(&*s.rule.as_deref()?.id)).collect());
        let is_listed = |findings: &Findings| findings.why_incomplete().is_none();
        let is_complete = outcome.problems.is_empty()
            && outcome
                .parts
                .iter()
                .all(|part| part.problems.is_empty() && is_listed(&part.findings));
        Self { outcome: Some(outcome), accounts, rules, is_complete }
    }

    /// Whether a filter, or a framework that was not read, keeps a finding out.
    fn excludes(&self, finding: &Finding) -> bool {
        let Some(outcome) = self.outcome else { return false };
        let frameworks: Vec<_> =
            outcome.parts.iter().filter_map(|part| part.framework.as_deref()).collect();
        let in_framework = frameworks.is_empty()
            || finding.subject.controls.is_empty()
            || finding.subject.controls.iter().any(|c| frameworks.contains(&&*c.framework));
        !in_framework || outcome.filters.iter().any(|filter| filter.excludes(finding))
    }
}
