//! The configuration file as it is written: keys, and the values each of them takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};

use crate::export::{ResolveAs, jira, servicenow};
use crate::finding::{Cause, Severity};
use crate::policy::{Level, Mode, Percent, Place};
use crate::report;
use crate::selection::Pattern;
use crate::sources::{self, OneOrMore, Period, Source};
use crate::text;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub value: T,
    pub place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<T>::deserialize(value)?;
        let place = Place { line: spanned.referenced.line(), column: spanned.referenced.column() };
        Ok(Self { value: spanned.value, place })
    }
}

/// The configuration of compliance-gate.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The version of this format: 1.
    #[expect(dead_code, reason = "reading it is checking it")]
    version: Version,
    /// The longest that everything together may take. Default: 45m.
    #[serde(default, deserialize_with = "given")]
    pub deadline: Option<Period>,
    /// `observe` always exits 0 and says what it would have been.
    #[serde(default)]
    pub mode: Mode,
    /// The platforms to ask, by system, or by `system/tenant` where there are several of one.
    #[serde(default)]
    pub sources: Sources,
    /// What must hold. All gates are always evaluated.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<GateEntry>"))]
    pub gates: Vec<Located<GateEntry>>,
    /// What evidence must be like for any gate to rely on it.
    #[serde(default)]
    pub evidence: EvidenceEntry,
    /// Where reports are written, by format.
    #[serde(default)]
    pub reports: Reports,
    /// How open cases become tickets, for `compliance-gate export`.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<ExportEntry>"))]
    pub export: Option<Located<ExportEntry>>,
    /// What is different in an environment; chosen with `--environment`.
    #[serde(default)]
    pub environments: BTreeMap<String, Overlay>,
}

/// What is different in one environment: whole sources, gates by id, and evidence keys.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Overlay {
    #[serde(default)]
    pub sources: Sources,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<GateEntry>"))]
    pub gates: Vec<Located<GateEntry>>,
    #[serde(default)]
    pub evidence: EvidenceEntry,
}

/// How open cases become tickets.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExportEntry {
    /// The source that has the cases; needed where there are several of BigID.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub source: Option<Located<String>>,
    /// Only cases of these severities: one, a list, or `">= high"`. An unknown one always counts.
    #[serde(default, deserialize_with = "given")]
    pub severity: Option<Severities>,
    /// Only cases of these policies, by name.
    #[serde(default, deserialize_with = "given")]
    pub policy: Option<Words>,
    /// Only cases with these statuses, in BigID's words. Default: all that are open.
    #[serde(default, deserialize_with = "given")]
    pub status: Option<Words>,
    /// The most tickets that one run asks for. Default: 20.
    #[serde(default, deserialize_with = "given")]
    pub max_creates: Option<u64>,
    /// The file that says what was done; keep it from run to run. Default:
    /// .compliance-gate/tickets.jsonl.
    #[serde(default, deserialize_with = "given")]
    pub ledger: Option<PathBuf>,
    /// The status that a case is given once its fix is verified. Default: resolved.
    #[serde(default)]
    pub resolve_as: ResolveAs,
    /// Tickets in Jira.
    #[serde(default, deserialize_with = "given")]
    pub jira: Option<jira::Settings>,
    /// Tickets in ServiceNow.
    #[serde(default, deserialize_with = "given")]
    pub servicenow: Option<servicenow::Settings>,
}

/// One demand. Selectors narrow down which checks it speaks of; at least one limit is needed.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct GateEntry {
    /// What the gate is called in every report.
    #[cfg_attr(test, schemars(with = "String"))]
    pub id: Located<String>,
    /// The source or sources it asks; several are summed.
    #[cfg_attr(test, schemars(with = "OneOrMore<String>"))]
    pub source: Located<OneOrMore<String>>,
    /// `block` (default) stops the pipeline, `warn` only tells.
    #[serde(default)]
    pub level: Level,
    /// Frameworks, by id. `*` stands for anything, `?` for one character.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub framework: Option<Located<Words>>,
    /// Controls, by id; on GravityZone `framework/control`.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub control: Option<Located<Words>>,
    /// Rules, by the platform's own id.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub rule: Option<Located<Words>>,
    /// A severity, a list, or `">= high"` in quotes. An unknown severity always matches.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Severities>"))]
    pub severity: Option<Located<Severities>>,
    /// The platform's own status words of failed checks.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub status: Option<Located<Words>>,
    /// Resources, by id or name.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub resource: Option<Located<Words>>,
    /// Types of resources, in the platform's words.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub resource_type: Option<Located<Words>>,
    /// Cloud accounts, by id or name.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub account: Option<Located<Words>>,
    /// Regions.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub region: Option<Located<Words>>,
    /// Who did it.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Words>"))]
    pub actor: Option<Located<Words>>,
    /// Only what the platform has known for at least this long.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Period>"))]
    pub older_than: Option<Located<Period>>,
    /// The most failed checks allowed; 0 means none.
    #[serde(default, deserialize_with = "given")]
    pub max: Option<u64>,
    /// The least share of passed checks, such as `"95%"`.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Share>"))]
    pub min_pass_rate: Option<Located<Share>>,
    /// The least number of checks evaluated, whatever their result. 0 allows none at all.
    #[serde(default, deserialize_with = "given")]
    pub min_evaluated: Option<u64>,
}

/// What evidence must be like for any gate to rely on it.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceEntry {
    /// The least number of checks each source, or framework, must have evaluated. Default: 1.
    #[serde(default, deserialize_with = "given")]
    pub min_evaluated: Option<u64>,
    /// The oldest that evidence may be. No default.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Period>"))]
    pub max_age: Option<Located<Period>>,
    /// Causes that become warnings for a while.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, schemars(with = "Option<Vec<FailOpenEntry>>"))]
    pub fail_open: Option<Vec<Located<FailOpenEntry>>>,
}

/// A cause that becomes a warning for a while.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FailOpenEntry {
    pub cause: OpenCause,
    /// Why, for whoever audits it.
    pub reason: String,
    /// The last day (UTC) on which it holds, such as `2026-12-31`.
    pub expires: Day,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum OpenCause {
    Unreachable,
    Deadline,
    Stale,
}

impl From<OpenCause> for Cause {
    fn from(cause: OpenCause) -> Self {
        match cause {
            OpenCause::Unreachable => Self::Unreachable,
            OpenCause::Deadline => Self::Deadline,
            OpenCause::Stale => Self::Stale,
        }
    }
}

/// Reads a key that is there: a key without a value is a slip, not a default.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// The version of this format.
#[derive(Debug)]
pub(super) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(version: D) -> Result<Self, D::Error> {
        match u64::deserialize(version)? {
            1 => Ok(Self),
            other => Err(de::Error::custom(format!(
                "version {other} is not known to this compliance-gate; it reads version 1"
            ))),
        }
    }
}

/// Texts with wildcards.
pub(super) type Words = OneOrMore<Word>;

#[derive(Clone, Debug)]
pub(super) struct Word(pub Pattern);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        if word.is_empty() {
            return Err(de::Error::custom("an empty text matches nothing; leave the key out"));
        }
        Ok(Self(Pattern::new(word)))
    }
}

/// `">= high"`, a word, or a list of words.
#[derive(Clone, Debug)]
pub(super) struct Severities(pub BTreeSet<Severity>);

impl<'de> Deserialize<'de> for Severities {
    fn deserialize<D: Deserializer<'de>>(severity: D) -> Result<Self, D::Error> {
        let OneOrMore(words) = OneOrMore::<String>::deserialize(severity)?;
        if let [only] = words.as_slice()
            && let Some(least) = only.strip_prefix(">=")
        {
            let least = severity_word(least.trim())?;
            return Ok(Self(Severity::NAMED.into_iter().filter(|s| *s >= least).collect()));
        }
        words.iter().map(|word| severity_word(word)).collect::<Result<_, _>>().map(Self)
    }
}

fn severity_word<E: de::Error>(word: &str) -> Result<Severity, E> {
    Severity::NAMED.into_iter().find(|severity| severity.word() == word).ok_or_else(|| {
        let known = Severity::NAMED.map(Severity::word);
        E::custom(format!(
            "`{word}` is not a severity{} (one of {}, a list of them, or `\">= high\"`)",
            text::did_you_mean(word, known),
            known.join(", ")
        ))
    })
}

/// A percentage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(pub Percent);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(share: D) -> Result<Self, D::Error> {
        let share = String::deserialize(share)?;
        Percent::parse(&share).map(Self).map_err(de::Error::custom)
    }
}

/// A date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day(pub NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(day: D) -> Result<Self, D::Error> {
        let day = String::deserialize(day)?;
        day.parse().map(Self).map_err(|_| {
            de::Error::custom(format!("`{day}` is not a date; write it like 2026-12-31"))
        })
    }
}

/// Sources by name. The part before `/` says which system reads the settings.
#[derive(Debug, Default)]
pub(super) struct Sources(pub BTreeMap<String, Located<Rc<Source>>>);

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(sources: D) -> Result<Self, D::Error> {
        struct ByName;
        impl<'de> Visitor<'de> for ByName {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sources by name, such as `opencomply:`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sources, A::Error> {
                let mut sources = BTreeMap::new();
                while let Some(name) = map.next_key::<Located<String>>()? {
                    let system = system_of(&name.value).map_err(de::Error::custom)?;
                    let settings = map.next_value_seed(Settings(system))?;
                    sources.insert(name.value, Located { value: settings, place: name.place });
                }
                Ok(Sources(sources))
            }
        }
        sources.deserialize_map(ByName)
    }
}

/// The system that a source's name begins with.
fn system_of(name: &str) -> Result<&'static str, String> {
    let (system, tenant) = name.split_once('/').unwrap_or((name, "default"));
    let known: Vec<_> = sources::SYSTEMS.iter().map(|system| system.name).collect();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if tenant.is_empty() || !tenant.chars().all(valid) {
        return Err(format!(
            "source `{name}`: behind the `/` stands the tenant's name, in letters, digits, `-`, `_` \
             and `.`"
        ));
    }
    known.iter().find(|name| **name == system).copied().ok_or_else(|| {
        format!(
            "unknown source `{name}`{} (known systems: {})",
            text::did_you_mean(system, known.iter().copied()),
            known.join(", ")
        )
    })
}

struct Settings(&'static str);

impl<'de> DeserializeSeed<'de> for Settings {
    type Value = Rc<Source>;

    fn deserialize<D: Deserializer<'de>>(self, settings: D) -> Result<Self::Value, D::Error> {
        Source::read(self.0, settings).map(Rc::new)
    }
}

/// Report paths by format; the key is the flag with `_` for `-`.
#[derive(Debug, Default)]
pub(super) struct Reports(pub BTreeMap<String, PathBuf>);

impl<'de> Deserialize<'de> for Reports {
    fn deserialize<D: Deserializer<'de>>(reports: D) -> Result<Self, D::Error> {
        struct ByFormat;
        impl<'de> Visitor<'de> for ByFormat {
            type Value = Reports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("report paths by format, such as `junit: reports/gate.xml`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reports, A::Error> {
                let mut reports = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let known: Vec<_> = report::FORMATS.iter().map(report::Format::key).collect();
                    if !known.contains(&key) {
                        return Err(de::Error::custom(format!(
                            "unknown report format `{key}`{} (known: {})",
                            text::did_you_mean(&key, known.iter().map(String::as_str)),
                            known.join(", ")
                        )));
                    }
                    let path: String = map.next_value()?;
                    if path.is_empty() {
                        return Err(de::Error::custom("an empty path; leave the key out"));
                    }
                    reports.insert(key.replace('_', "-"), path.into());
                }
                Ok(Reports(reports))
            }
        }
        reports.deserialize_map(ByFormat)
    }
}
