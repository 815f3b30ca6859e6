//! What a check states, for what is forgiven or out of scope: there the benefit of the doubt is never
//! the estate's.

use std::collections::BTreeMap;

use super::{Field, Pattern, facet};
use crate::finding::{Control, Finding, NOT_APPLICABLE, Subject};

/// The word for what a platform should state and did not.
pub const UNKNOWN: &str = "unknown";

/// Whether one of the words matches what a check states. Nothing stated matches only `unknown`.
pub(super) fn is_met(
    patterns: &[Pattern],
    texts: &[&str],
    matches: impl Fn(&Pattern, &str) -> bool,
) -> bool {
    let is_written = |word: &str| patterns.iter().any(|pattern| pattern.is_word(word));
    match texts {
        [] => is_written(UNKNOWN),
        // What a check rightly lacks is no text that a pattern could be like.
        [NOT_APPLICABLE] => is_written(NOT_APPLICABLE) || is_written("*"),
        texts => texts.iter().any(|text| patterns.iter().any(|pattern| matches(pattern, text))),
    }
}

/// Whether one control meets both the framework and the control words, where there are any.
pub(super) fn controls_meet(
    words: &BTreeMap<Field, Vec<Pattern>>,
    controls: &[Control],
    matches: impl Fn(&Pattern, &str) -> bool,
) -> bool {
    let meets = |field: Field, text: &str| {
        let patterns = words.get(&field);
        patterns.is_none_or(|patterns| is_met(patterns, &stated([Some(text), None]), &matches))
    };
    let one = |framework, id| meets(Field::Framework, framework) && meets(Field::Control, id);
    match (words.keys().copied().any(is_of_control), controls) {
        (false, _) => true,
        (true, []) => one("", ""),
        (true, controls) => controls.iter().any(|control| one(&control.framework, &control.id)),
    }
}

pub(super) const fn is_of_control(field: Field) -> bool {
    matches!(field, Field::Framework | Field::Control)
}

/// Those that are given and not empty.
pub(super) fn stated(texts: [Option<&str>; 2]) -> Vec<&str> {
    texts.into_iter().flatten().filter(|text| !text.is_empty()).collect()
}

/// What a subject states of a field; `None` where subjects do not have the field.
pub(super) fn of_subject(subject: &Subject, field: Field) -> Option<Vec<&str>> {
    Some(match field {
        Field::Rule => stated([subject.rule.as_deref().map(|rule| &*rule.id), None]),
        Field::ResourceType => stated([subject.resource_type.as_deref(), None]),
        Field::Region => stated([subject.region.as_deref(), None]),
        Field::Account => {
            let account = subject.account.as_deref();
            let name = account.and_then(|account| account.name.as_deref());
            stated([account.map(|account| &*account.id), name])
        }
        _ => return None,
    })
}

/// What a finding states of a field, its severity, age and controls aside.
pub(super) fn of_finding(finding: &Finding, field: Field) -> Vec<&str> {
    match field {
        Field::Resource => {
            let ids = [finding.resource_id.as_deref(), finding.resource_name.as_deref()];
            stated(ids).into_iter().chain(facet(finding, field)).collect()
        }
        Field::Status => {
            let open = finding.status.is_some().then_some("open").filter(|_| finding.open);
            stated([finding.status.as_deref(), open])
        }
        Field::Actor => stated([finding.actor.as_deref(), None]),
        Field::Assignee => stated([finding.assignee.as_deref(), None]),
        field => {
            of_subject(&finding.subject, field).unwrap_or_else(|| facet(finding, field).collect())
        }
    }
}
