//! Selectors of what is forgiven: letters count as they are written, and what a finding does not
//! state matches only the word `unknown`.

use super::stated::{is_met, of_finding, stated};
use super::{Field, Pattern, Selection};
use crate::finding::{Control, Finding, Identity};

impl Selection {
    /// Whether a finding states all that the selection asks for. Its severity and its age are not
    /// looked at.
    pub fn states(&self, finding: &Finding) -> bool {
        let is_of_control = |field: Field| matches!(field, Field::Framework | Field::Control);
        let words = self.words.iter().filter(|(field, _)| !is_of_control(**field));
        words.into_iter().all(|(field, patterns)| {
            is_met(patterns, &texts(finding, *field), Pattern::matches_exactly)
        }) && self.states_control(&finding.subject.controls)
    }

    /// One control must match both the framework and the control words.
    fn states_control(&self, controls: &[Control]) -> bool {
        let words = |field| self.words.get(&field).map(Vec::as_slice);
        let (framework, id) = (words(Field::Framework), words(Field::Control));
        if framework.is_none() && id.is_none() {
            return true;
        }
        let meets = |patterns: Option<&[Pattern]>, text: Option<&str>| {
            let texts: Vec<_> = text.filter(|text| !text.is_empty()).into_iter().collect();
            patterns.is_none_or(|patterns| is_met(patterns, &texts, Pattern::matches_exactly))
        };
        match controls {
            [] => meets(framework, None) && meets(id, None),
            controls => controls.iter().any(|control| {
                meets(framework, Some(&control.framework)) && meets(id, Some(&control.id))
            }),
        }
    }
}

/// What a finding states of a field.
fn texts(finding: &Finding, field: Field) -> Vec<&str> {
    match (field, &finding.identity) {
        // By the platform's id. An image is known by its repository, without tag and digest.
        (Field::Resource, Identity::Image(part)) => vec![&part.repository],
        (Field::Resource, _) => stated([finding.resource_id.as_deref(), None]),
        (field, _) => of_finding(finding, field),
    }
}
