//! Why two decisions differ. Pure: each difference belongs to one of seven classes, or to several,
//! which is then said.
//!
//! ```text
//! estate      findings that are new, fixed or changed     findings   what became of each finding
//! policy      gates and limits                            terms      policy, acceptances, scope
//! acceptance  what is accepted                            cause      which of them the verdict needs
//! baseline    what was known
//! scope       a source, account, framework or filter
//! platform    rules and severities
//! evidence    age and completeness
//! ```

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::artefact::Artefact;
use crate::evaluate::Decision;
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::verdict::Verdict;

mod cause;
mod findings;
mod terms;

pub(crate) use cause::Cause;

/// A decision, and what it was made from.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub evidence: &'a Evidence,
    pub at_least: Option<Verdict>,
    /// The artefacts that it is about.
    pub artefacts: &'a [Artefact],
    pub decision: &'a Decision<'a>,
    pub now: DateTime<Utc>,
}

impl<'a> Side<'a> {
    /// Every policy that was decided: of the repository, of the organisation.
    fn policies(self) -> impl Iterator<Item = &'a Policy> {
        self.decision.policies.iter().map(|one| one.policy)
    }
}

/// What kind of thing is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    Estate,
    Policy,
    Acceptance,
    Baseline,
    Scope,
    Platform,
    Evidence,
}

impl Class {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Estate => "estate",
            Self::Policy => "policy",
            Self::Acceptance => "acceptance",
            Self::Baseline => "baseline",
            Self::Scope => "scope",
            Self::Platform => "platform",
            Self::Evidence => "evidence",
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Difference {
    pub class: Class,
    /// A sentence.
    pub message: String,
    /// How many findings it is about, if it is about findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<u64>,
    /// The first of them, worst first: severity, rule and resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Other classes that would explain it as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<Class>,
}

impl Difference {
    fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            findings: None,
            examples: Vec::new(),
            overlaps: Vec::new(),
        }
    }
}

/// All differences, by class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub verdicts: (Verdict, Verdict),
    /// What the change of the verdict needs; `None` where it did not change.
    pub cause: Option<Cause>,
    pub differences: Vec<Difference>,
}

impl Comparison {
    pub(crate) fn of(old: Side<'_>, new: Side<'_>) -> Self {
        let mut differences = findings::differences(old, new);
        differences.extend(terms::differences(old, new));
        differences.sort_by_key(|difference| difference.class);
        Self {
            verdicts: (old.decision.verdict, new.decision.verdict),
            cause: cause::of(old, new),
            differences,
        }
    }
}
