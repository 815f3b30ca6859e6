//! BigID's statuses and severities, from several sources that do not agree
//! (docs/platforms/bigid.md#statuses-and-severities).

use crate::finding::Severity;

/// The meaning of a status for a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaseStanding {
    Open,
    /// Accepted as known. It is still a finding.
    Acknowledged,
    /// Hidden in BigID. It is still a finding.
    Suppressed,
    /// Finished.
    Resolved,
}

const STATUSES: [(&str, CaseStanding); 7] = [
    ("open", CaseStanding::Open),
    ("acknowledged", CaseStanding::Acknowledged),
    ("silenced", CaseStanding::Suppressed),
    ("ignored", CaseStanding::Suppressed),
    ("resolved", CaseStanding::Resolved),
    ("remediated", CaseStanding::Resolved),
    ("closed", CaseStanding::Resolved),
];

/// The documented statuses of cases that are not finished, or of those that are.
pub(super) fn statuses(resolved: bool) -> impl Iterator<Item = &'static str> {
    STATUSES
        .into_iter()
        .filter(move |(_, standing)| (*standing == CaseStanding::Resolved) == resolved)
        .map(|(word, _)| word)
}

/// A status in its usual spelling, so that selectors match it, and its meaning; `None` if it is
/// undocumented.
pub(super) fn status(word: &str) -> Option<(&'static str, CaseStanding)> {
    STATUSES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(word.trim()))
}

/// The documented severities.
pub(super) const SEVERITIES: [Severity; 4] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];

/// A severity; an undocumented one could be the worst.
pub(super) fn severity(word: &str) -> Severity {
    SEVERITIES
        .into_iter()
        .find(|severity| severity.word().eq_ignore_ascii_case(word.trim()))
        .unwrap_or(Severity::Unknown)
}
