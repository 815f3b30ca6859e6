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
                open: row.status.and_then(Status::from_platform).is_none_or(Status::is_open),
                status,
                resource_id: row.resource_id.map(Box::from),
                resource_name: row.resource_name.map(Box::from),
                created_at,
                ..Finding::new(shared.subject(key), Fingerprint::of(&identity))
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
        self.matches(selection).count() as u64
    }

    /// The same as the platform's filters count them: they know no unknown severity.
    pub fn within_as_filtered(&self, selection: &Selection) -> u64 {
        let known = |finding: &&Finding| {
            selection.severity.is_none() || finding.subject.severity != Severity::Unknown
        };
        self.matches(selection).filter(known).count() as u64
    }

    fn matches<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Finding> {
        self.found.iter().map(|found| &found.finding).filter(|finding| {
            selection.matches(&finding.subject)
                && selection.matches_resource(
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::wire::tests::{check, check_with, read};
    use super::*;

    fn findings(records: &[Value]) -> (Vec<Finding>, Vec<String>) {
        let (mut findings, mut shared) = (Findings::default(), Shared::default());
        for record in records {
            read(record, |row| findings.add(&mut shared, &row).map(|_| ())).unwrap().unwrap();
        }
        findings.finish()
    }

    #[test]
    fn open_is_whatever_is_not_documented_as_anything_else() {
        let cases = [
            (json!("open"), true, Some("open")),
            (json!(null), true, None),
            (json!("remediated"), true, Some("remediated")),
            (json!("snoozed"), true, Some("snoozed")),
            (json!("needs_review"), false, Some("needs_review")),
            (json!("risk_accepted"), false, Some("risk_accepted")),
            (json!("FALSE_POSITIVE"), false, Some("false_positive")),
        ];
        for (word, open, status) in cases {
            let (found, _) = findings(&[check_with("1", "/attributes/status", word)]);
            assert_eq!((found[0].open, found[0].status.as_deref()), (open, status));
        }
    }

    #[test]
    fn what_checks_share_is_kept_once() {
        // The order of controls is not stable (fact sheet §2.5, no. 11).
        let mut turned = check("2");
        turned
            .pointer_mut("/relationships/controls/data")
            .unwrap()
            .as_array_mut()
            .unwrap()
            .reverse();
        let (found, _) = findings(&[check("1"), turned, check("3")]);
        let [a, b, c] = &*found else { panic!("three findings") };
        for other in [b, c] {
            assert!(Arc::ptr_eq(&a.subject.controls, &other.subject.controls));
            let rule = |finding: &Finding| finding.subject.rule.clone().unwrap();
            assert!(Arc::ptr_eq(&rule(a), &rule(other)));
            let account = |finding: &Finding| finding.subject.account.clone().unwrap();
            assert!(Arc::ptr_eq(&account(a), &account(other)));
        }
        let ids: Vec<_> = a.subject.controls.iter().map(|control| &*control.id).collect();
        assert_eq!(ids, ["nist-sp-800-53-r5/CM-7", "seojk-29-2022/I.c.2.h"]);
    }

    #[test]
    fn a_slash_in_a_framework_does_not_hide_another() {
        let control = |framework: &str, id: &str| json!([{"id": id, "type": "control", "meta": {"compliance_id": framework}}]);
        let pointer = "/relationships/controls/data";
        let records = [
            check_with("1", pointer, control("a/b", "c")),
            check_with("2", pointer, control("a", "b/c")),
        ];
        let (found, _) = findings(&records);
        let mut frameworks: Vec<_> =
            found.iter().map(|finding| &*finding.subject.controls[0].framework).collect();
        frameworks.sort_unstable();
        assert_eq!(frameworks, ["a", "a/b"]);
    }

    #[test]
    fn a_long_description_is_cut() {
        let long = "ä".repeat(3000);
        let (found, _) = findings(&[check_with("1", "/attributes/description", json!(long))]);
        let help = found[0].subject.rule.as_ref().and_then(|rule| rule.help.clone()).unwrap();
        assert_eq!(help.chars().count(), 1000);
    }

    /// Check ids may be issued anew by every scan, and the order of rows may change.
    #[test]
    fn fingerprints_do_not_depend_on_check_ids_or_order() {
        let at = |id: &str, time: &str| check_with(id, "/attributes/created_at", json!(time));
        let prints = |records: &[Value]| -> Vec<_> {
            let mut prints: Vec<_> =
                findings(records).0.iter().map(|f| (f.created_at, f.fingerprint)).collect();
            prints.sort();
            prints
        };
        let (old, new) = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00.123Z");
        let today = prints(&[at("1", old), at("2", new)]);
        assert_ne!(today[0].1, today[1].1);
        assert_eq!(today, prints(&[at("9", new), at("8", old)]));
        // The older one was there before the newer came.
        assert_eq!(today[0], prints(&[at("1", old)])[0]);
    }

    #[test]
    fn fingerprints_tell_resources_accounts_and_regions_apart() {
        let cases = [
            ("/attributes/resource_id", json!("other")),
            ("/attributes/resource_region", json!("eu-west-3")),
            ("/relationships/scan/data/id", json!("scan-2")),
            ("/relationships/rule/data/meta/name", json!("cloud_scan/y")),
        ];
        let (base, _) = findings(&[check("1")]);
        for (pointer, value) in cases {
            let (other, _) = findings(&[check_with("1", pointer, value)]);
            assert_ne!(base[0].fingerprint, other[0].fingerprint, "{pointer}");
        }
        let (other, _) = findings(&[check_with("1", "/attributes/title", json!("other"))]);
        assert_eq!(base[0].fingerprint, other[0].fingerprint);
    }

    #[test]
    fn times_are_read_leniently() {
        let cases = [
            ("2024-01-04T16:23:10.219Z", true),
            ("2023-12-31T17:08:45+00:00", true),
            ("2024-01-14T06:47:15.494040", true),
            ("yesterday", false),
        ];
        for (text, readable) in cases {
            assert_eq!(time(text).is_some(), readable, "{text}");
        }
        let (found, notes) = findings(&[check_with("1", "/attributes/created_at", json!("x"))]);
        assert_eq!(found[0].created_at, None);
        assert!(notes[0].contains("created_at"), "{notes:?}");
    }

    #[test]
    fn odd_words_are_counted_and_at_most_five_are_named() {
        let records: Vec<_> = (0..7)
            .map(|n| check_with(&n.to_string(), "/attributes/severity", json!(format!("s{n}\n"))))
            .collect();
        let (_, notes) = findings(&records);
        assert!(notes[0].starts_with("7 failed checks with a severity"), "{}", notes[0]);
        assert!(notes[0].ends_with("`s4` (1) and 2 more"), "{}", notes[0]);
    }
}
