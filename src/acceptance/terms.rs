//! Which acceptances of a repository apply to the gates of its organisation.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Acceptance, Forgives, KnownFindings, Match};
use crate::finding::Severity;
use crate::text;

/// What an organisation takes of each kind. Nothing, unless it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub matching: Option<Conditions>,
    pub baseline: Option<Conditions>,
}

/// What entries of one kind must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    pub max_life: Option<Duration>,
    /// The worst severity that they may cover, and whether they may cover an unknown one.
    pub severity: Option<(Severity, bool)>,
    pub require: BTreeSet<Required>,
    /// The most findings of one gate that entries with patterns cover together.
    pub max_findings: Option<u64>,
}

/// What an entry must state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Required {
    Ticket,
    ApprovedBy,
}

impl Terms {
    /// Whether nothing is taken.
    pub const fn is_none(&self) -> bool {
        self.matching.is_none() && self.baseline.is_none()
    }

    /// The condition that an entry of a repository fails, in words that follow its name.
    pub fn failed_by(&self, entry: &Acceptance) -> Option<String> {
        let conditions = match &entry.forgives {
            Forgives::Match(_) => &self.matching,
            Forgives::Baseline(_) => &self.baseline,
            Forgives::Cause(_) | Forgives::GateOff(_) | Forgives::Upstream(_) => &None,
        };
        let Some(conditions) = conditions else {
            let word = entry.forgives.word();
            return Some(format!("the organisation takes no `{word}` of a repository"));
        };
        conditions
            .life(entry)
            .or_else(|| conditions.stated(entry))
            .or_else(|| conditions.covered(entry))
    }
}

impl Conditions {
    fn life(&self, entry: &Acceptance) -> Option<String> {
        let most = self.max_life?;
        let most_days = most.as_secs() / (24 * 3600);
        let Some(from) = entry.grounds.from else {
            let days = text::count(most_days, "day");
            return Some(format!("it has no `from`, and may live for at most {days}"));
        };
        let life = u64::try_from((entry.grounds.expires - from).num_days()).unwrap_or_default();
        (life > most_days).then(|| {
            format!(
                "it lives for {}, and at most {most_days} are allowed",
                text::count(life, "day")
            )
        })
    }

    fn stated(&self, entry: &Acceptance) -> Option<String> {
        let is_missing = |required: &&Required| match required {
            Required::Ticket => entry.grounds.ticket.is_none(),
            Required::ApprovedBy => entry.grounds.approved_by.is_none(),
        };
        let missing = self.require.iter().find(is_missing)?;
        Some(format!("it has no `{}`", missing.word()))
    }

    fn covered(&self, entry: &Acceptance) -> Option<String> {
        let (worst, unknown) = match &entry.forgives {
            Forgives::Match(matching) => {
                if !matching.is_narrow() && self.max_findings.is_none() {
                    return Some(
                        "it is wider than a single rule and resource, and the organisation gives no \
                         `max_findings`"
                            .to_owned(),
                    );
                }
                worst_of_match(matching)
            }
            Forgives::Baseline(known) => worst_of_baseline(known),
            _ => (None, false),
        };
        let (most, unknown_too) = self.severity?;
        match worst.filter(|worst| *worst > most) {
            Some(worst) => Some(format!("it covers {worst}, and at most {most} is allowed")),
            None if unknown && !unknown_too => {
                Some(format!("it covers an unknown severity, and at most {most} is allowed"))
            }
            None => None,
        }
    }
}

fn worst_of_match(matching: &Match) -> (Option<Severity>, bool) {
    (Some(matching.worst.unwrap_or(Severity::Critical)), matching.unknown)
}

fn worst_of_baseline(known: &KnownFindings) -> (Option<Severity>, bool) {
    let lines = || known.baseline.iter().flat_map(|baseline| baseline.lines());
    let severities = || lines().map(|(_, line)| line.severity);
    let is_unknown = |severity: &Severity| *severity == Severity::Unknown;
    (
        severities().filter(|severity| !is_unknown(severity)).max(),
        severities().any(|s| is_unknown(&s)),
    )
}

impl Required {
    /// The key of an entry.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::ApprovedBy => "approved_by",
        }
    }
}
