//! The values that keys of the configuration file take.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::reader::Located;
use crate::finding::Severity;
use crate::policy::Percent;
use crate::report;
use crate::selection::Pattern;
use crate::sources::{OneOrMore, SeverityWord, severity_word};
use crate::text;

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
        if word.starts_with('!') {
            return Err(de::Error::custom(format!(
                "`{word}`: a selector cannot be negated; take what is out of scope out with `except`"
            )));
        }
        Ok(Self(Pattern::new(word)))
    }
}

/// One line of text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(pub String);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(line: D) -> Result<Self, D::Error> {
        const MOST: usize = 500;
        let line = String::deserialize(line)?;
        let line = line.trim();
        if line.is_empty() {
            return Err(de::Error::custom(
                "this text is empty; write a sentence for the people who read the reports",
            ));
        }
        if line.chars().count() > MOST {
            return Err(de::Error::custom(format!(
                "this text has more than {MOST} characters; keep it to a sentence or two"
            )));
        }
        Ok(Self(text::one_line(line, MOST)))
    }
}

/// An address that people can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link(pub String);

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(link: D) -> Result<Self, D::Error> {
        let link = String::deserialize(link)?;
        let is_link = url::Url::parse(&link).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
        });
        match is_link {
            true => Ok(Self(link)),
            false => Err(de::Error::custom(
                "a link begins with https:// or http://, and has no user or password in it",
            )),
        }
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
            let SeverityWord(least) = severity_word(least.trim())?;
            return Ok(Self(Severity::NAMED.into_iter().filter(|s| *s >= least).collect()));
        }
        words
            .iter()
            .map(|word| severity_word(word).map(|word| word.0))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Severities of what is out of scope. One that the platform does not state is only among them if
/// `unknown` is written.
#[derive(Clone, Debug)]
pub(super) struct StatedSeverities(pub BTreeSet<Severity>);

impl<'de> Deserialize<'de> for StatedSeverities {
    fn deserialize<D: Deserializer<'de>>(severity: D) -> Result<Self, D::Error> {
        let OneOrMore(words) = OneOrMore::<String>::deserialize(severity)?;
        let mut severities = BTreeSet::new();
        for word in &words {
            if word == Severity::Unknown.word() {
                severities.insert(Severity::Unknown);
            } else if let Some(least) = word.strip_prefix(">=") {
                let SeverityWord(least) = severity_word(least.trim())?;
                severities.extend(Severity::NAMED.into_iter().filter(|s| *s >= least));
            } else if let Some(most) = word.strip_prefix("<=") {
                let SeverityWord(most) = severity_word(most.trim())?;
                severities.extend(Severity::NAMED.into_iter().filter(|s| *s <= most));
            } else {
                severities.insert(severity_word(word)?.0);
            }
        }
        Ok(Self(severities))
    }
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

/// Report paths by format, as they are written; the key is the flag with `_` for `-`.
#[derive(Debug, Default)]
pub(super) struct Reports(pub BTreeMap<&'static str, Located<String>>);

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
                while let Some(ReportKey(format)) = map.next_key()? {
                    reports.insert(format, map.next_value()?);
                }
                Ok(Reports(reports))
            }
        }
        reports.deserialize_map(ByFormat)
    }
}

/// The name of the format that a key names.
struct ReportKey(&'static str);

impl<'de> Deserialize<'de> for ReportKey {
    fn deserialize<D: Deserializer<'de>>(key: D) -> Result<Self, D::Error> {
        let key = String::deserialize(key)?;
        let format = report::FORMATS.iter().find(|format| format.key() == key);
        format.map(|format| Self(format.name)).ok_or_else(|| {
            let known: Vec<_> = report::FORMATS.iter().map(report::Format::key).collect();
            de::Error::custom(format!(
                "unknown report format `{key}`{} (known: {})",
                text::did_you_mean(&key, known.iter().map(String::as_str)),
                known.join(", ")
            ))
        })
    }
}
