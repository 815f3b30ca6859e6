//! Selectors of what is forgiven: letters count as they are written, and what a finding does not
//! state matches only the word `unknown`.

use super::stated::{controls_meet, is_met, is_of_control, of_finding, stated};
use super::{Field, Pattern, Selection};
use crate::finding::{Finding, Identity};

impl Selection {
    /// Whether a finding states all that the selection asks for. Its severity and its age are not
    /// looked at.
    pub fn states(&self, finding: &Finding) -> bool {
        let exactly = Pattern::matches_exactly;
        let words = self.words.iter().filter(|(field, _)| !is_of_control(**field));
        words.into_iter().all(|(field, words)| is_met(words, &texts(finding, *field), exactly))
            && controls_meet(&self.words, &finding.subject.controls, exactly)
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
