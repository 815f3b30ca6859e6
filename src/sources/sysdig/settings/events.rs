//! Which events are read, and the severities of their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::values::{Detail, Value};
use crate::finding::Severity;
use crate::selection::Field;
use crate::sources::{LookBack, OneOrMore, Reads, SeverityWord, schema_of};

/// The longest span of one request for events (docs/platforms/sysdig.md#events).
pub(crate) const LONGEST_SPAN: Duration = Duration::from_secs(14 * 24 * 3600);

/// Which events are read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigEvents"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    /// How far back the window reaches, such as `24h`. `since_previous` begins where the window of
    /// the evidence given with `--previous` ended, if that run passed, at most 30 days ago.
    pub window: LookBack,
    /// `findings` (default) lists each event, `count` only counts them by severity.
    #[serde(default)]
    pub detail: Detail,
    /// Only events of these severities.
    #[serde(default)]
    pub severities: Option<OneOrMore<SeverityWord>>,
    /// Only events of these rules, by name.
    #[serde(default)]
    pub rules: Option<OneOrMore<Value>>,
    /// Only events of these sources, such as `syscall`.
    #[serde(default)]
    pub sources: Option<OneOrMore<Value>>,
    /// Only events of these categories, such as `runtime`.
    #[serde(default)]
    pub categories: Option<OneOrMore<Value>>,
    /// The severity of each of the platform's numbers, 0 to 7. Default: 0 to 3 high, 4 and 5
    /// medium, 6 low, 7 informational. A number that is left out is unknown, which every severity
    /// selector matches.
    #[serde(default)]
    pub severity_table: SeverityTable,
    /// Whether a window without events is a pass where the platform shows that nothing was watching:
    /// no agent is connected, or it has never had an event.
    #[serde(default)]
    pub quiet: Quiet,
}

/// What a window without events needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SysdigQuiet"))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Quiet {
    /// Something must have been watching, as far as the platform shows it.
    #[default]
    Watched,
    /// Nothing. Reports say so.
    Allowed,
}

impl Events {
    /// The severities that events can have; `None` where the table leaves out numbers, whose events
    /// every gate counts.
    pub(crate) fn severities_read(&self) -> Option<Reads> {
        let possible: BTreeSet<_> = self.severity_table.0.values().copied().collect();
        let is_read = |severity: &Severity| {
            self.severities.as_ref().is_none_or(|list| list.0.contains(&SeverityWord(*severity)))
        };
        let is_whole = self.severity_table.0.len() == 8;
        is_whole.then(|| Reads {
            words: possible.into_iter().rev().filter(is_read).map(super::super::named).collect(),
            limited_by: self.severities.as_ref().map(|_| "events.severities"),
            never: Vec::new(),
        })
    }

    /// The filters that take words.
    pub(crate) fn words(&self) -> [Words<'_>; 3] {
        [
            ("events.rules", "ruleName", Field::Rule, &self.rules),
            ("events.sources", "source", Field::EventSource, &self.sources),
            ("events.categories", "category", Field::Category, &self.categories),
        ]
        .map(|(setting, parameter, field, asked)| Words {
            setting,
            parameter,
            field,
            asked: asked.as_ref(),
        })
    }

    /// What events can have in a field, where the settings limit it.
    pub(crate) fn words_read(&self, field: Field) -> Option<Reads> {
        let filter = self.words().into_iter().find(|words| words.field == field)?;
        let words = filter.asked?.0.iter().map(|word| word.0.clone()).collect();
        Some(Reads { words, limited_by: Some(filter.setting), never: Vec::new() })
    }

    /// The platform's numbers that are read; `None`: all.
    pub(crate) fn numbers(&self) -> Option<Vec<u8>> {
        self.severities.as_ref().map(|list| self.severity_table.numbers(&list.0))
    }
}

/// A filter by words of one field.
pub(crate) struct Words<'a> {
    pub setting: &'static str,
    /// The platform's name of the field (docs/platforms/sysdig.md#events).
    pub parameter: &'static str,
    /// The selector that compares the same text.
    pub field: Field,
    pub asked: Option<&'a OneOrMore<Value>>,
}

/// The severities of the numbers of events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<SeverityWord, Vec<u8>>")]
pub(crate) struct SeverityTable(BTreeMap<u8, Severity>);

impl Default for SeverityTable {
    /// The vendor's own (docs/platforms/sysdig.md#severities).
    fn default() -> Self {
        use Severity::{High, Informational, Low, Medium};
        let severities = [High, High, High, High, Medium, Medium, Low, Informational];
        Self((0..).zip(severities).collect())
    }
}

impl TryFrom<BTreeMap<SeverityWord, Vec<u8>>> for SeverityTable {
    type Error = String;

    fn try_from(keys: BTreeMap<SeverityWord, Vec<u8>>) -> Result<Self, String> {
        let mut table = BTreeMap::new();
        for (level, numbers) in keys {
            for number in numbers {
                if number > 7 {
                    return Err(format!("`severity_table` has {number}; the platform has 0 to 7"));
                }
                if table.insert(number, level.0).is_some() {
                    return Err(format!("`severity_table` has {number} twice"));
                }
            }
        }
        Ok(Self(table))
    }
}

impl SeverityTable {
    /// A line for each number that the table has.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(number, severity)| format!("{number}: {severity}"))
    }

    /// The severity of a number.
    pub(crate) fn severity(&self, number: Option<u64>) -> Severity {
        let number = number.and_then(|number| u8::try_from(number).ok());
        number.and_then(|number| self.0.get(&number).copied()).unwrap_or(Severity::Unknown)
    }

    /// The numbers with one of these severities, or with none that is known.
    fn numbers(&self, severities: &[SeverityWord]) -> Vec<u8> {
        let asked = |number: &u8| {
            self.0.get(number).is_none_or(|severity| severities.contains(&SeverityWord(*severity)))
        };
        (0..=7).filter(asked).collect()
    }
}

schema_of! {
    SeverityTable, "SysdigSeverityTable", |_| {
        let numbers = serde_json::json!({
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 7}
        });
        let words = Severity::NAMED.map(|severity| (severity.word(), numbers.clone()));
        let keys: serde_json::Map<_, _> =
            words.into_iter().map(|(word, list)| (word.to_owned(), list)).collect();
        schemars::json_schema!({
            "type": "object", "properties": keys, "additionalProperties": false
        })
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_vendors_unless_the_policy_has_its_own() {
        let vendor = SeverityTable::default();
        let words = (0..=8).map(|number| vendor.severity(Some(number)).word());
        assert_eq!(
            words.collect::<Vec<_>>(),
            ["high", "high", "high", "high", "medium", "medium", "low", "informational", "unknown"]
        );
        assert_eq!(vendor.severity(None), Severity::Unknown);
        let keys = serde_json::json!({"window": "1h", "severity_table": {"critical": [0, 1]}});
        let mut events = Events::deserialize(keys).unwrap();
        assert_eq!(events.severity_table.severity(Some(1)), Severity::Critical);
        // What the table leaves out could be the worst.
        assert_eq!(events.severity_table.severity(Some(7)), Severity::Unknown);
        assert_eq!(events.numbers(), None);
        events.severities = Some(OneOrMore(vec![SeverityWord(Severity::Low)]));
        assert_eq!(events.numbers(), Some(vec![2, 3, 4, 5, 6, 7]));
    }
}
