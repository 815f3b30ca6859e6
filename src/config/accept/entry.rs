//! An entry of `accept`, as it is written.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::acceptance::Upstream;
use crate::config::file::selecting;
use crate::config::reader::Located;
use crate::config::values::{Day, Line, Words};
use crate::finding::{Cause, Severity};
use crate::selection::Field;
use crate::sources::{OneOrMore, Period, SeverityWord, severity_word};
use crate::text;

/// One entry of what is forgiven: exactly one of `match`, `baseline`, `cause`, `gate_off` and
/// `upstream`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AcceptEntry {
    /// What the entry is called in every report.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub id: Option<Located<Line>>,
    /// Why, for an auditor.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub reason: Option<Line>,
    /// Who answers for it.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub owner: Option<Line>,
    /// The last whole day (UTC) on which it holds, such as `2027-01-31`.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub expires: Option<Located<Day>>,
    /// The first day (UTC) on which it holds. Default: any.
    #[serde(default)]
    pub from: Option<Located<Day>>,
    /// Who approved it. Nothing proves it, and reports say so.
    #[serde(default)]
    pub approved_by: Option<Line>,
    /// Where it was decided, such as `SEC-881`.
    #[serde(default)]
    pub ticket: Option<Line>,
    /// The gates that it is for, by id. Default: all.
    #[serde(default)]
    pub gates: Option<Located<OneOrMore<String>>>,
    /// The environments that it is for. Default: all.
    #[serde(default)]
    pub environments: Option<Located<OneOrMore<String>>>,
    /// Only in the policy of an organisation: the repositories that it is for, as the CI host names
    /// them. Default: all.
    #[serde(default)]
    pub repositories: Option<Located<OneOrMore<String>>>,
    /// Findings: a rule or control and a resource without wildcards, and the worst severity that
    /// is covered. Anything wider needs `max_findings`.
    #[serde(default, rename = "match")]
    pub matching: Option<Located<MatchEntry>>,
    /// Beside `match`: the most findings of one gate that are covered, the least severe first.
    #[serde(default)]
    pub max_findings: Option<Located<u64>>,
    /// The findings in a file that `compliance-gate baseline write` made. The path begins at the
    /// folder of this file.
    #[serde(default)]
    pub baseline: Option<Located<String>>,
    /// Evidence that is missing for this cause warns instead of being inconclusive.
    #[serde(default)]
    pub cause: Option<Located<CauseWord>>,
    /// Beside `cause`: the source or sources that it is for, or `all`.
    #[serde(default)]
    pub source: Option<Located<OneOrMore<String>>>,
    /// Beside `cause: stale`: the greatest age that is forgiven.
    #[serde(default)]
    pub up_to: Option<Located<Period>>,
    /// A gate that cannot block. It is judged and shown.
    #[serde(default)]
    pub gate_off: Option<Located<String>>,
    /// What was accepted on a platform, or severities that were changed there.
    #[serde(default)]
    pub upstream: Option<Located<UpstreamWord>>,
}

selecting! {
    /// Which findings are covered. Letters count as they are written, and what a platform does not
    /// state matches only the word `unknown`.
    struct MatchEntry {
        /// The source or sources of the findings. Default: all.
        #[serde(default)]
        pub source: Option<Located<OneOrMore<String>>>,
        /// The worst severity that is covered, such as `"<= high"`, or a list of it and `unknown`.
        #[serde(default)]
        pub severity: Option<Located<Cap>>,
    }
}

/// A cause that can be forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum CauseWord {
    Unreachable,
    Deadline,
    Stale,
}

impl From<CauseWord> for Cause {
    fn from(cause: CauseWord) -> Self {
        match cause {
            CauseWord::Unreachable => Self::Unreachable,
            CauseWord::Deadline => Self::Deadline,
            CauseWord::Stale => Self::Stale,
        }
    }
}

/// `"<= high"`, or a list of it and `unknown`.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Cap {
    pub worst: Severity,
    pub unknown: bool,
}

impl<'de> Deserialize<'de> for Cap {
    fn deserialize<D: Deserializer<'de>>(cap: D) -> Result<Self, D::Error> {
        let OneOrMore(words) = OneOrMore::<String>::deserialize(cap)?;
        let is_unknown = |word: &&String| *word == Severity::Unknown.word();
        let unknown = words.iter().any(|word| is_unknown(&word));
        let known: Vec<_> = words.iter().filter(|word| !is_unknown(word)).collect();
        let [word] = known.as_slice() else {
            return Err(de::Error::custom(
                "write the worst severity that is covered, such as `\"<= high\"`, or a list of it \
                 and `unknown`",
            ));
        };
        let Some(worst) = word.strip_prefix("<=") else {
            return Err(de::Error::custom(format!(
                "`{word}` is not a limit; write the worst severity that is covered, such as `\"<= \
                 high\"`"
            )));
        };
        let SeverityWord(worst) = severity_word(worst.trim())?;
        Ok(Self { worst, unknown })
    }
}

/// What was accepted or changed on a platform.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct UpstreamWord(pub Upstream);

impl<'de> Deserialize<'de> for UpstreamWord {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        Upstream::all().find(|upstream| upstream.word() == word).map(Self).ok_or_else(|| {
            let known: Vec<_> = Upstream::all().map(Upstream::word).collect();
            de::Error::custom(format!(
                "unknown word `{word}`{} (known: {})",
                text::did_you_mean(&word, known.iter().map(String::as_str)),
                known.join(", ")
            ))
        })
    }
}
