//! Selectors of what is forgiven: letters count as they are written, and what a finding does not
//! state matches only the word `unknown`.

use super::{Field, Pattern, Selection, facet};
use crate::finding::{Control, Finding, Identity, NOT_APPLICABLE, Severity};

/// The word for what a platform should state and did not.
const UNKNOWN: &str = "unknown";

impl Selection {
    /// Whether a finding states all that the selection asks for. Its severity and its age are not
    /// looked at.
    pub fn states(&self, finding: &Finding) -> bool {
        let is_of_control = |field: Field| matches!(field, Field::Framework | Field::Control);
        let words = self.words.iter().filter(|(field, _)| !is_of_control(**field));
        words.into_iter().all(|(field, patterns)| is_met(patterns, &texts(finding, *field)))
            && self.states_control(&finding.subject.controls)
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
            patterns.is_none_or(|patterns| is_met(patterns, &texts))
        };
        match controls {
            [] => meets(framework, None) && meets(id, None),
            controls => controls.iter().any(|control| {
                meets(framework, Some(&control.framework)) && meets(id, Some(&control.id))
            }),
        }
    }
}

fn is_met(patterns: &[Pattern], texts: &[&str]) -> bool {
    let is_written = |word: &str| patterns.iter().any(|pattern| pattern.as_str() == word);
    match texts {
        [] => is_written(UNKNOWN),
        // What a finding rightly lacks is no text that a pattern could be like.
        [NOT_APPLICABLE] => is_written(NOT_APPLICABLE) || is_written("*"),
        texts => texts.iter().any(|text| patterns.iter().any(|p| p.matches_exactly(text))),
    }
}

/// What a finding states of a field.
fn texts(finding: &Finding, field: Field) -> Vec<&str> {
    fn one(text: Option<&str>) -> Vec<&str> {
        text.into_iter().collect()
    }
    let subject = &finding.subject;
    match field {
        Field::Rule => one(subject.rule.as_ref().map(|rule| &*rule.id)),
        Field::Severity => match subject.severity {
            Severity::Unknown => Vec::new(),
            severity => vec![severity.word()],
        },
        Field::Status => {
            let open = finding.status.is_some().then_some("open").filter(|_| finding.open);
            finding.status.as_deref().into_iter().chain(open).collect()
        }
        // By the platform's id. An image is known by its repository, without tag and digest.
        Field::Resource => match &finding.identity {
            Identity::Image(part) => vec![&part.repository],
            Identity::Check | Identity::Event(_) => one(finding.resource_id.as_deref()),
        },
        Field::ResourceType => one(subject.resource_type.as_deref()),
        Field::Region => one(subject.region.as_deref()),
        Field::Account => {
            let account = subject.account.as_deref();
            let name = account.and_then(|account| account.name.as_deref());
            account.map(|account| &*account.id).into_iter().chain(name).collect()
        }
        Field::Actor => one(finding.actor.as_deref()),
        Field::Assignee => one(finding.assignee.as_deref()),
        Field::Fixable
        | Field::Cluster
        | Field::Namespace
        | Field::Image
        | Field::Container
        | Field::Label
        | Field::ScanGroup => facet(finding, field).collect(),
        // Of the controls together, and of the age, nothing is stated here.
        Field::Framework | Field::Control | Field::OlderThan => Vec::new(),
    }
}
