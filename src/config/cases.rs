//! A file of test cases for a policy: what is given, and what is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::ConfigError;
use super::diagnostic::Diagnostic;
use super::reader::{Located, Reader};
use super::source::Source;
use super::values::{Line, Version};
use super::yaml;
use crate::finding::{Cause, Severity};
use crate::selection::Field;
use crate::sources::{OneOrMore, SeverityWord, severity_word};
use crate::text;
use crate::verdict::Verdict;

/// A file of cases.
#[derive(Debug)]
pub(crate) struct Cases {
    /// As it was named.
    pub file: String,
    /// The policy file that it names.
    pub policy: Option<PathBuf>,
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub name: String,
    pub line: u64,
    pub environment: Option<String>,
    /// The time at which the policy is decided.
    pub at: Option<DateTime<Utc>>,
    pub given: CaseEvidence,
    pub expected: Expected,
}

/// What a policy is decided on.
#[derive(Debug)]
pub(crate) enum CaseEvidence {
    /// Saved evidence.
    Evidence(PathBuf),
    Checks(Checks),
}

/// Checks that a case lists, and what is wrong with sources.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub failed: Vec<Check>,
    pub passed: Vec<Check>,
    pub problems: Vec<GivenProblem>,
    /// When the platforms evaluated.
    pub evaluated_at: Option<DateTime<Utc>>,
}

/// Checks that are alike.
#[derive(Debug)]
pub(crate) struct Check {
    pub line: u64,
    /// The source that reports it; needed where the policy has several.
    pub source: Option<String>,
    pub severity: Severity,
    pub count: u64,
    pub created_at: Option<DateTime<Utc>>,
    /// What else it states.
    pub texts: BTreeMap<Field, Vec<String>>,
}

/// Why the evidence of a source cannot be relied on.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenProblem {
    /// The source, by its name in the policy.
    pub source: String,
    /// Why its evidence cannot be relied on.
    pub cause: Cause,
}

/// What is expected of a decision. Something is.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// The verdict.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// The exit code.
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// The states of gates, by id. Other gates may be in any state.
    #[serde(default)]
    pub gates: BTreeMap<String, ExpectedGate>,
}

/// What is expected of one gate: a state, or a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpectedGate {
    pub state: Option<ExpectedState>,
    /// How many failures it counts.
    pub failed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExpectedState {
    Held,
    Breached,
    Inconclusive,
}

/// A file of cases as it is written.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct CasesFile {
    /// The version of this format: 1.
    #[expect(dead_code, reason = "it is read for its check")]
    version: Version,
    /// The policy file, from the folder of this file. Default: that of `--config`.
    #[serde(default)]
    policy: Option<PathBuf>,
    /// The cases. Each is decided by itself.
    cases: Vec<Located<CaseEntry>>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    /// What is tested, in a sentence.
    name: Line,
    /// The environment of the policy. Default: that of `--environment`.
    #[serde(default)]
    environment: Option<String>,
    /// When the policy is decided: a day (its last second, UTC) or an instant. Default: now.
    #[serde(default)]
    at: Option<Moment>,
    /// Saved evidence to decide, from the folder of this file, instead of what follows.
    #[serde(default)]
    evidence: Option<Located<PathBuf>>,
    /// Checks that failed.
    #[serde(default)]
    findings: Vec<Located<CheckEntry>>,
    /// Checks that passed. In a source of which failures are given and passes are not, every word of
    /// a gate exists and no pass rate is known. A source of which nothing is given has no failure.
    #[serde(default)]
    passed: Vec<Located<CheckEntry>>,
    /// Sources whose evidence cannot be relied on.
    #[serde(default)]
    problems: Vec<GivenProblem>,
    /// When the platforms evaluated. Default: when the policy is decided.
    #[serde(default)]
    evaluated_at: Option<Moment>,
    /// What is expected.
    expect: Located<Expected>,
}

/// A day or an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(moment: D) -> Result<Self, D::Error> {
        let moment = String::deserialize(moment)?;
        text::moment(&moment)
            .map(Self)
            .map_err(|how| de::Error::custom(format!("`{moment}` is not a date; {how}")))
    }
}

/// A check as it is written: its source, its severity, and what gates can select it by.
#[derive(Debug)]
pub(super) struct CheckEntry {
    source: Option<String>,
    severity: Severity,
    count: u64,
    created_at: Option<DateTime<Utc>>,
    texts: BTreeMap<Field, Vec<String>>,
}

impl CheckEntry {
    /// The selectors that are texts.
    pub(super) fn fields() -> impl Iterator<Item = Field> {
        let is_text = |field: &Field| !matches!(field, Field::Severity | Field::OlderThan);
        Field::ALL.into_iter().filter(is_text)
    }
}

impl<'de> Deserialize<'de> for CheckEntry {
    fn deserialize<D: Deserializer<'de>>(check: D) -> Result<Self, D::Error> {
        struct CheckVisitor;
        impl<'de> Visitor<'de> for CheckVisitor {
            type Value = CheckEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a check, such as `{rule: open_bucket, severity: high}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CheckEntry, A::Error> {
                let mut check = CheckEntry {
                    source: None,
                    severity: Severity::Unknown,
                    count: 1,
                    created_at: None,
                    texts: BTreeMap::new(),
                };
                while let Some(key) = map.next_key()? {
                    match key {
                        CheckKey::Source => check.source = Some(map.next_value()?),
                        CheckKey::Severity => {
                            let word = map.next_value::<String>()?;
                            if word != Severity::Unknown.word() {
                                SeverityWord(check.severity) = severity_word(&word)?;
                            }
                        }
                        CheckKey::Count => check.count = map.next_value()?,
                        CheckKey::CreatedAt => {
                            check.created_at = Some(map.next_value::<Moment>()?.0);
                        }
                        CheckKey::Text(field) => {
                            let OneOrMore(texts) = map.next_value()?;
                            check.texts.insert(field, texts);
                        }
                    }
                }
                Ok(check)
            }
        }
        check.deserialize_map(CheckVisitor)
    }
}

enum CheckKey {
    Source,
    Severity,
    Count,
    CreatedAt,
    Text(Field),
}

impl<'de> Deserialize<'de> for CheckKey {
    fn deserialize<D: Deserializer<'de>>(key: D) -> Result<Self, D::Error> {
        let key = String::deserialize(key)?;
        Ok(match key.as_str() {
            "source" => Self::Source,
            "severity" => Self::Severity,
            "count" => Self::Count,
            "created_at" => Self::CreatedAt,
            _ => {
                let field = CheckEntry::fields().find(|field| field.word() == key);
                return field.map(Self::Text).ok_or_else(|| {
                    let own = ["source", "severity", "count", "created_at"];
                    let known: Vec<_> =
                        own.into_iter().chain(CheckEntry::fields().map(Field::word)).collect();
                    de::Error::custom(format!(
                        "unknown key `{key}`{} (known: {})",
                        text::did_you_mean(&key, known.iter().copied()),
                        known.join(", ")
                    ))
                });
            }
        })
    }
}

impl ExpectedState {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Breached => "breached",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl<'de> Deserialize<'de> for ExpectedGate {
    fn deserialize<D: Deserializer<'de>>(gate: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct ExpectedGateKeys {
            #[serde(default)]
            state: Option<ExpectedState>,
            #[serde(default)]
            failed: Option<u64>,
        }
        struct ExpectedGateVisitor;
        impl<'de> Visitor<'de> for ExpectedGateVisitor {
            type Value = ExpectedGate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`held`, `breached`, `inconclusive`, or `{state: breached, failed: 3}`")
            }

            fn visit_str<E: de::Error>(self, state: &str) -> Result<ExpectedGate, E> {
                let state = ExpectedState::deserialize(de::value::StrDeserializer::new(state))?;
                Ok(ExpectedGate { state: Some(state), failed: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ExpectedGate, A::Error> {
                let ExpectedGateKeys { state, failed } =
                    ExpectedGateKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ExpectedGate { state, failed })
            }
        }
        gate.deserialize_any(ExpectedGateVisitor)
    }
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line, column and snippet.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let named = path.display().to_string();
        let source =
            Source::read(path).map_err(|message| ConfigError::unreadable(&named, message))?;
        let mut diagnostics = Vec::new();
        let Some(root) = yaml::read(&source.text, &mut diagnostics) else {
            return Err(ConfigError::new(&source, diagnostics));
        };
        let reader = Reader::new(&source.text, true);
        let file = reader.read::<CasesFile>("", &root);
        diagnostics.extend(reader.into_diagnostics());
        let Some(file) = file.filter(|_| diagnostics.is_empty()) else {
            return Err(ConfigError::new(&source, diagnostics));
        };
        check(&file, &mut diagnostics);
        if !diagnostics.is_empty() {
            return Err(ConfigError::new(&source, diagnostics));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            file: source.named.to_string(),
            policy: file.policy.map(|policy| folder.join(policy)),
            cases: file.cases.into_iter().map(|entry| case(entry, folder)).collect(),
        })
    }
}

/// What only several keys together can get wrong.
fn check(file: &CasesFile, diagnostics: &mut Vec<Diagnostic>) {
    if file.cases.is_empty() {
        diagnostics.push(Diagnostic::somewhere("there is no case in it, so it tests nothing"));
    }
    let mut names = BTreeSet::new();
    for Located { value: case, mark, .. } in &file.cases {
        if !names.insert(&case.name.0) {
            let message = format!("two cases have the name `{}`", case.name.0);
            diagnostics.push(Diagnostic::at(*mark, message));
        }
        let Expected { verdict, exit_code, gates } = &case.expect.value;
        if verdict.is_none() && exit_code.is_none() && gates.is_empty() {
            let message = "nothing is expected; give it `verdict`, `exit_code` or `gates`";
            diagnostics.push(Diagnostic::at(case.expect.mark, message));
        }
        let gives = !case.findings.is_empty()
            || !case.passed.is_empty()
            || !case.problems.is_empty()
            || case.evaluated_at.is_some();
        if let Some(evidence) = case.evidence.as_ref().filter(|_| gives) {
            let message = "`evidence` stands for everything that is given; leave out `findings`, \
                           `passed`, `problems` and `evaluated_at`";
            diagnostics.push(Diagnostic::at(evidence.mark, message));
        }
    }
}

fn case(entry: Located<CaseEntry>, folder: &Path) -> Case {
    let Located { value: case, mark, .. } = entry;
    let checks = |entries: Vec<Located<CheckEntry>>| {
        let check = |Located { value, mark, .. }: Located<CheckEntry>| Check {
            line: mark.line,
            source: value.source,
            severity: value.severity,
            count: value.count,
            created_at: value.created_at,
            texts: value.texts,
        };
        entries.into_iter().map(check).collect()
    };
    Case {
        name: case.name.0,
        line: mark.line,
        environment: case.environment,
        at: case.at.map(|moment| moment.0),
        given: match case.evidence {
            Some(evidence) => CaseEvidence::Evidence(folder.join(evidence.value)),
            None => CaseEvidence::Checks(Checks {
                failed: checks(case.findings),
                passed: checks(case.passed),
                problems: case.problems,
                evaluated_at: case.evaluated_at.map(|moment| moment.0),
            }),
        },
        expected: case.expect.value,
    }
}
