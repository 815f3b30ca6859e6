//! The words that the API documents (docs/platforms/gravityzone.md#checks), and how a policy writes
//! them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};

use crate::finding::{Severity, WaiverKind};
use crate::text;

/// The severities of a check, in the order of the documentation.
pub(super) const SEVERITIES: [Severity; 5] =
    [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// What became of a failed check on the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Open,
    Remediated,
    RiskAccepted,
    FalsePositive,
    NeedsReview,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Remediated, Self::RiskAccepted, Self::FalsePositive, Self::NeedsReview];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Remediated => "remediated",
            Self::RiskAccepted => "risk_accepted",
            Self::FalsePositive => "false_positive",
            Self::NeedsReview => "needs_review",
        }
    }

    /// Reads the platform's word, whatever its case.
    pub fn from_platform(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word().eq_ignore_ascii_case(word))
    }

    /// How the platform accepts a check with this status. Its end is not in the list of checks.
    pub const fn waiver(self) -> Option<WaiverKind> {
        match self {
            Self::RiskAccepted => Some(WaiverKind::GravityZoneRiskAccepted),
            Self::FalsePositive => Some(WaiverKind::GravityZoneFalsePositive),
            Self::Open | Self::Remediated | Self::NeedsReview => None,
        }
    }

    /// Whether `status: open` matches it. A user may mark a failed check as remediated, but only a
    /// passed check proves it (docs/platforms/gravityzone.md#findings).
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Remediated)
    }
}

/// Reads one of the documented words. Case counts, as in all keys of a policy.
fn documented<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    what: &str,
    known: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let given = String::deserialize(deserializer)?;
    known.iter().copied().find(|item| word(*item) == given).ok_or_else(|| {
        let words: Vec<_> = known.iter().map(|item| word(*item)).collect();
        let hint = text::did_you_mean(&given, words.iter().copied());
        de::Error::custom(format_args!(
            "`{given}` is not a {what} that GravityZone documents{hint} (known: {})",
            words.join(", ")
        ))
    })
}

/// Makes a documented word readable from a policy.
macro_rules! word {
    ($(#[$meta:meta])* $name:ident($type:ty), $what:literal, $known:expr, $word:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub $type);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                documented(deserializer, $what, &$known, $word).map(Self)
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                concat!("GravityZone", stringify!($name)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let words: Vec<&str> = $known.into_iter().map($word).collect();
                schemars::json_schema!({"type": "string", "enum": words})
            }
        }
    };
}

word!(
    /// A status as a filter names it.
    StatusWord(Status), "status", Status::ALL, Status::word
);
word!(
    /// A result as a filter names it: whether the check passed.
    ResultWord(bool), "result", [true, false], result_word
);

/// The word for whether a check passed.
pub(super) const fn result_word(passed: bool) -> &'static str {
    if passed { "pass" } else { "fail" }
}

/// A value of a filter that takes any text: neither empty, nor with a comma, at which the
/// platform would split it (docs/platforms/gravityzone.md#filters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterValue(pub String);

impl<'de> Deserialize<'de> for FilterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |what: fmt::Arguments<'_>| Err(de::Error::custom(what));
        match () {
            () if text.trim().is_empty() => wrong(format_args!("an empty value selects nothing")),
            () if text.contains(',') => wrong(format_args!(
                "`{text}` has a comma in it, and GravityZone splits filters at commas; write a \
                 list with one value per item instead"
            )),
            () if text.chars().any(char::is_control) => {
                wrong(format_args!("{text:?} has a control character in it"))
            }
            () => Ok(Self(text)),
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for FilterValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GravityZoneValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[^,]*[^,\\s][^,]*$"})
    }
}
