//! Failed checks become findings (fact sheet §2.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::query::Fault;
use super::shared::{Key, Pool, Shared};
use super::wire::Row;
use super::words::Status;
use crate::finding::{Finding, Fingerprint, Severity};
use crate::selection::Selection;
use crate::text;

/// Odd words that are named one by one; the rest is only counted.
const MOST_NAMED: usize = 5;

/// The failures collected so far.
#[derive(Default)]
pub struct Findings {
    found: Vec<Found>,
    statuses: Pool<str, Arc<str>>,
    odd_severities: BTreeMap<String, u64>,
    odd_statuses: BTreeMap<String, u64>,
    odd_times: u64,
}

struct Found {
    finding: Finding,
    /// The platform's id of the check; only tells findings apart here, it may be issued anew by
    /// every scan.
    check: Box<str>,
}

impl Findings {
    /// Adds a failed check.
    ///
    /// # Errors
    /// If its controls cannot be read.
    pub fn add(&mut self, shared: &mut Shared, row: &Row<'_>) -> Result<Key, Fault> {
        let key = shared.key(row)?;
        let status = row.status.map(|word| self.status(word));
        let resource = row.resource_id.or(row.resource_name).unwrap_or_default();
        let identity = [row.rule, row.scan_id, resource, row.region.unwrap_or_default()];
        let created_at = row.created_at.and_then(time);
        if row.severity == Severity::Unknown {
            note(&mut self.odd_severities, row.severity_word);
        }
        self.odd_times += u64::from(created_at.is_none());
        self.found.push(Found {
            finding: Finding {
                subject: shared.subject(key),
                open: row.status.and_then(Status::from_platform).is_none_or(Status::is_open),
                status,
                resource_id: row.resource_id.map(Box::from),
                resource_name: row.resource_name.map(Box::from),
                reason: None,
                created_at,
                fingerprint: Fingerprint::of(&identity),
            },
            check: row.id.into(),
        });
        Ok(key)
    }

    /// The status word; a documented one in its documented spelling, so that selectors meet it.
    fn status(&mut self, word: &str) -> Arc<str> {
        let documented = Status::from_platform(word);
        if documented.is_none() {
            note(&mut self.odd_statuses, Some(word));
        }
        let word = documented.map_or(word, |status| status.word());
        let number = self.statuses.text(word);
        self.statuses.get(number).cloned().unwrap_or_default()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.found.len() as u64
    }

    /// How many are within a selection that has neither status nor age.
    pub fn within(&self, selection: &Selection) -> u64 {
        self.takes(selection).count() as u64
    }

    /// The same as the platform's filters count them: they know no unknown severity.
    pub fn within_as_filtered(&self, selection: &Selection) -> u64 {
        let known = |finding: &&Finding| {
            selection.severity.is_none() || finding.subject.severity != Severity::Unknown
        };
        self.takes(selection).filter(known).count() as u64
    }

    fn takes<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Finding> {
        self.found.iter().map(|found| &found.finding).filter(|finding| {
            selection.takes(&finding.subject)
                && selection.takes_resource(
                    finding.resource_id.as_deref(),
                    finding.resource_name.as_deref(),
                )
        })
    }

    /// The findings, each with a fingerprint of its own, and what a reader should know of them.
    pub fn finish(mut self) -> (Vec<Finding>, Vec<String>) {
        self.tell_apart();
        let notes = self.notes();
        (self.found.into_iter().map(|found| found.finding).collect(), notes)
    }

    /// Several checks of one rule on one resource would share a fingerprint. The oldest keeps it,
    /// the next ones get their place in line into theirs. So a baseline that knows two of them
    /// shows the third as new, whatever ids the platform gave to the three today.
    fn tell_apart(&mut self) {
        fn order(found: &Found) -> impl Ord {
            (found.finding.fingerprint, found.finding.created_at, &found.check)
        }
        self.found.sort_by(|a, b| order(a).cmp(&order(b)));
        let alike = |a: &Found, b: &Found| a.finding.fingerprint == b.finding.fingerprint;
        for alike in self.found.chunk_by_mut(alike) {
            for (place, found) in alike.iter_mut().enumerate().skip(1) {
                let shared = found.finding.fingerprint.to_string();
                found.finding.fingerprint = Fingerprint::of(&[&shared, &place.to_string()]);
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let words = [
            (&self.odd_severities, "severity", "counted as unknown, which every severity matches"),
            (&self.odd_statuses, "status", "counted as open"),
        ];
        let mut notes: Vec<_> = words
            .into_iter()
            .filter(|(words, ..)| !words.is_empty())
            .map(|(words, field, meaning)| {
                let named: Vec<_> = words
                    .iter()
                    .take(MOST_NAMED)
                    .map(|(word, times)| format!("{word} ({})", text::thousands(*times)))
                    .collect();
                let more = words.len().saturating_sub(MOST_NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let checks = text::count(words.values().sum(), "failed check");
                format!(
                    "{checks} with a {field} that is not documented, {meaning}: {}{more}",
                    named.join(", ")
                )
            })
            .collect();
        if self.odd_times > 0 {
            notes.push(format!(
                "{} without a readable `created_at`; `older_than` matches all of them",
                text::count(self.odd_times, "failed check")
            ));
        }
        notes
    }
}

/// Counts a word, or its absence, under a name that can be shown.
fn note(words: &mut BTreeMap<String, u64>, word: Option<&str>) {
    let name = word
        .map_or_else(|| "none given".to_owned(), |word| format!("`{}`", text::one_line(word, 40)));
    *words.entry(name).or_default() += 1;
}

/// RFC 3339; without a zone, as the cursors have it, it is UTC (fact sheet §2.2).
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    zoned.or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc())).ok()
}
