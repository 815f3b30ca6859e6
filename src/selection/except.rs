//! What is out of scope. The benefit of the doubt is never the estate's: what a check does not state
//! matches only where the word `unknown` is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::stated::{controls_meet, is_met, is_of_control, of_finding, of_subject, stated};
use super::{Field, Pattern, Selection, UNKNOWN};
use crate::finding::{Facets, Finding, Severity, Subject};

/// Checks that are out of scope: all fields must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Exclusion {
    #[serde(flatten)]
    pub words: BTreeMap<Field, Vec<Pattern>>,
    /// With `Unknown` only where that is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
}

impl Exclusion {
    /// The fields that it names.
    pub fn fields(&self) -> BTreeSet<Field> {
        let severity = self.severity.as_ref().map(|_| Field::Severity);
        self.words.keys().copied().chain(severity).collect()
    }

    /// The passed checks that are out of scope, as a selection, unless it takes a failure to know.
    pub fn of_passes(&self) -> Option<Selection> {
        let is_unknown = |pattern: &Pattern| pattern.is_word(UNKNOWN);
        let is_known = self.fields().into_iter().all(Field::is_of_passes)
            && !self.words.values().flatten().any(is_unknown);
        is_known.then(|| Selection {
            words: self.words.clone(),
            severity: self.severity.clone(),
            ..Selection::default()
        })
    }

    /// Whether a finding is out of scope.
    pub fn covers(&self, finding: &Finding) -> bool {
        self.covers_severity(finding.subject.severity)
            && controls_meet(&self.words, &finding.subject.controls, Pattern::matches)
            && self.texts_match(|field| of_finding(finding, *field))
    }

    /// Whether all checks of a subject are out of scope. A field that a subject does not have
    /// decides against it.
    pub fn covers_subject(&self, subject: &Subject) -> bool {
        self.covers_check(subject, None)
    }

    /// Whether a check of a subject is out of scope. `resource`: id and name, where the check has them.
    pub fn covers_check(&self, subject: &Subject, resource: Option<[Option<&str>; 2]>) -> bool {
        self.covers_texts(subject, |field| match field {
            Field::Resource => resource.map(stated),
            field => of_subject(subject, *field),
        })
    }

    /// Whether a check of a subject is out of scope. `resource`: id and name.
    pub fn covers_facets(
        &self,
        subject: &Subject,
        resource: [Option<&str>; 2],
        facets: &Facets,
    ) -> bool {
        self.covers_texts(subject, |field| match field {
            Field::Resource => Some(stated(resource)),
            field => of_subject(subject, *field).or_else(|| {
                let texts = facets.get(field.word()).into_iter().flatten();
                Some(texts.map(|text| &**text).collect())
            }),
        })
    }

    /// `texts`: what the check states of a field, `None` where checks do not have it.
    fn covers_texts<'t>(
        &self,
        subject: &Subject,
        texts: impl Fn(&Field) -> Option<Vec<&'t str>>,
    ) -> bool {
        let is_decided =
            self.words.keys().all(|field| is_of_control(*field) || texts(field).is_some());
        is_decided
            && self.covers_severity(subject.severity)
            && controls_meet(&self.words, &subject.controls, Pattern::matches)
            && self.texts_match(|field| texts(field).unwrap_or_default())
    }

    fn covers_severity(&self, severity: Severity) -> bool {
        self.severity.as_ref().is_none_or(|severities| severities.contains(&severity))
    }

    /// Whether the words of all fields match, those of the controls aside.
    fn texts_match<'t>(&self, texts: impl Fn(&Field) -> Vec<&'t str>) -> bool {
        let words = self.words.iter().filter(|(field, _)| !is_of_control(**field));
        words.into_iter().all(|(field, patterns)| is_met(patterns, &texts(field), Pattern::matches))
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_words(f, self.severity.as_ref(), &self.words, None)
    }
}
