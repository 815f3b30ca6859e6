//! The words that BigID is known to use, by several sources that do not agree (fact sheet §A4).

use crate::finding::Severity;

/// What a status means to a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// Somebody has seen it. It still fails.
    Acknowledged,
    /// Somebody does not want to see it. It still fails.
    Suppressed,
    /// It is over, or said to be.
    Resolved,
}

const STATUSES: [(&str, Standing); 7] = [
    ("open", Standing::Open),
    ("acknowledged", Standing::Acknowledged),
    ("silenced", Standing::Suppressed),
    ("ignored", Standing::Suppressed),
    ("resolved", Standing::Resolved),
    ("remediated", Standing::Resolved),
    ("closed", Standing::Resolved),
];

/// A status in its usual spelling, so that selectors meet it, and what it means; `None` for a
/// word that nobody documented.
pub fn status(word: &str) -> Option<(&'static str, Standing)> {
    STATUSES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim()))
}

/// A severity; every word but the four that BigID is known to use could be the worst.
pub fn severity(word: &str) -> Severity {
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low]
        .into_iter()
        .find(|severity| severity.word().eq_ignore_ascii_case(word.trim()))
        .unwrap_or(Severity::Unknown)
}
