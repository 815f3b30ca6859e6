//! `accept_from_repository`, as it is written.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::accept::Cap;
use crate::acceptance::{Conditions, Required, Terms};
use crate::sources::{Period, written_as};

/// Which acceptances of the repository apply to the gates of the organisation. What is left out is not
/// taken.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TermsEntry {
    /// Entries with `match`.
    #[serde(default, rename = "match")]
    matching: Option<MatchTerms>,
    /// Entries with `baseline`.
    #[serde(default)]
    baseline: Option<BaselineTerms>,
}

/// What entries with `match` must be like.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct MatchTerms {
    /// The longest that an entry may live, from `from` to `expires`, such as `30d`.
    #[serde(default)]
    max_life: Option<Life>,
    /// The worst severity that an entry may cover, such as `"<= high"`.
    #[serde(default)]
    severity: Option<Cap>,
    /// What an entry must state: `ticket`, `approved_by`.
    #[serde(default)]
    require: Vec<RequiredWord>,
    /// The most findings of one gate that entries with patterns cover together. Without it none of
    /// these is taken.
    #[serde(default)]
    max_findings: Option<u64>,
}

/// What entries with `baseline` must be like.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct BaselineTerms {
    /// The longest that an entry may live, from `from` to `expires`, such as `365d`.
    #[serde(default)]
    max_life: Option<Life>,
    /// The worst severity that the baseline may have, such as `"<= high"`.
    #[serde(default)]
    severity: Option<Cap>,
    /// What an entry must state: `ticket`, `approved_by`.
    #[serde(default)]
    require: Vec<RequiredWord>,
}

/// A length of time in whole days.
#[derive(Clone, Copy, Debug)]
struct Life(Period);

impl<'de> Deserialize<'de> for Life {
    fn deserialize<D: Deserializer<'de>>(life: D) -> Result<Self, D::Error> {
        let life = Period::deserialize(life)?;
        match life.0.as_secs() % (24 * 3600) {
            0 => Ok(Self(life)),
            _ => {
                Err(de::Error::custom("acceptances live for whole days; write them, such as `30d`"))
            }
        }
    }
}
written_as!(Life => Period);

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum RequiredWord {
    Ticket,
    ApprovedBy,
}

impl From<RequiredWord> for Required {
    fn from(word: RequiredWord) -> Self {
        match word {
            RequiredWord::Ticket => Self::Ticket,
            RequiredWord::ApprovedBy => Self::ApprovedBy,
        }
    }
}

impl TermsEntry {
    pub(super) fn terms(&self) -> Terms {
        let conditions =
            |life: Option<Life>, cap: Option<Cap>, require: &[RequiredWord], most| Conditions {
                max_life: life.map(|life| life.0.0),
                severity: cap.map(|cap| (cap.worst, cap.unknown)),
                require: require.iter().map(|word| Required::from(*word)).collect(),
                max_findings: most,
            };
        Terms {
            matching: self.matching.as_ref().map(|terms| {
                let MatchTerms { max_life, severity, require, max_findings } = terms;
                conditions(*max_life, *severity, require, *max_findings)
            }),
            baseline: self.baseline.as_ref().map(|terms| {
                let BaselineTerms { max_life, severity, require } = terms;
                conditions(*max_life, *severity, require, None)
            }),
        }
    }
}
