//! Failed checks become findings (docs/platforms/gravityzone.md#findings).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use url::Url;

use super::query::RecordFault;
use super::shared::{Key, Pool, Shared};
use super::wire::CheckRow;
use super::words::Status;
use crate::finding::{Finding, Identity, Rerating, Severity, Subject, Waiver};
use crate::selection::{Field, Selection};
use crate::text::{self, Undocumented};

/// Failed checks so far.
#[derive(Default)]
pub struct Findings {
    /// The address of all checks, by which each is linked.
    checks: Option<Url>,
    found: Vec<Finding>,
    /// What many of them share.
    subjects: HashMap<Key, Arc<Subject>>,
    statuses: Pool<str, Arc<str>>,
    undocumented_severities: Undocumented,
    undocumented_originals: Undocumented,
    undocumented_statuses: Undocumented,
    missing: Missing,
    /// Failed checks whose severity was lowered on the platform.
    lowered: u64,
    /// Failed checks without an original severity, whatever their own.
    unrated: u64,
}

/// Failed checks without a field.
#[derive(Default)]
struct Missing {
    scan_name: u64,
    region: u64,
    resource_type: u64,
    created_at: u64,
}

impl Findings {
    /// None so far; each will be linked below the address of all checks.
    pub fn linked(checks: Url) -> Self {
        Self { checks: Some(checks), ..Self::default() }
    }

    /// The address of a check on the platform (docs/platforms/gravityzone.md#checks).
    fn link(&self, id: &str) -> Option<Box<str>> {
        let checks = self.checks.as_ref()?;
        // As nearly all ids are: nothing of them is escaped, which takes ten times as long.
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Some([checks.as_str().trim_end_matches('/'), "/", id].concat().into());
        }
        let mut link = checks.clone();
        link.path_segments_mut().ok()?.push(id);
        Some(String::from(link).into())
    }

    /// Notices a failed check, also one that the settings leave out by its severity.
    pub(super) fn notice(&mut self, row: &CheckRow<'_>) {
        self.unrated += u64::from(!row.has_original);
    }

    /// What a reader must know of checks of which only the severity of now is known.
    pub(super) fn unrated(&self) -> Option<String> {
        (self.unrated > 0).then(|| {
            format!(
                "{} without `original_severity`: whether the severity was lowered on the platform is \
                 not known, and the one of now counts",
                text::count(self.unrated, "failed check")
            )
        })
    }

    /// Adds a failed check.
    ///
    /// # Errors
    /// If its controls cannot be read.
    pub fn add(&mut self, shared: &mut Shared, row: &CheckRow<'_>) -> Result<Key, RecordFault> {
        let key = shared.key(row)?;
        let status = row.status.map(|word| self.status(word));
        let facets = shared.facets(key, row);
        let created_at = row.created_at.and_then(time);
        self.note(row);
        self.missing.created_at += u64::from(created_at.is_none());
        let original = row.original_severity;
        let lowered =
            Some(original).filter(|_| row.severity < original && original != Severity::Unknown);
        self.lowered += u64::from(lowered.is_some());
        let rerating =
            Some(Rerating { original, current: row.severity }).filter(|_| original != row.severity);
        let documented = row.status.and_then(Status::from_platform);
        let subject = self.subjects.entry(key).or_insert_with(|| shared.subject(key).into());
        let subject = Arc::clone(subject);
        self.found.push(Finding {
            open: documented.is_none_or(Status::is_open),
            waiver: documented.and_then(Status::waiver).map(|kind| Waiver::new(kind).into()),
            rerating,
            status,
            resource_id: row.resource_id.map(Box::from),
            resource_name: row.resource_name.map(Box::from),
            reason: lowered.map(|original| {
                format!("severity lowered from {original} to {} on the platform", row.severity)
                    .into()
            }),
            link: self.link(row.id),
            created_at,
            facets,
            ..Finding::new(subject, Identity::Check)
        });
        Ok(key)
    }

    /// Counts undocumented words and missing fields.
    fn note(&mut self, row: &CheckRow<'_>) {
        if row.severity == Severity::Unknown {
            self.undocumented_severities.add(row.severity_word);
        }
        if row.original_severity == Severity::Unknown {
            self.undocumented_originals.add(row.original_word);
        }
        self.missing.scan_name += u64::from(row.scan_name.is_none());
        self.missing.region += u64::from(row.region.is_none());
        self.missing.resource_type += u64::from(row.resource_type.is_none());
    }

    /// The status word. A documented one is spelled as documented, so that selectors match it.
    fn status(&mut self, word: &str) -> Arc<str> {
        let documented = Status::from_platform(word);
        if documented.is_none() {
            self.undocumented_statuses.add(Some(word));
        }
        let word = documented.map_or(word, |status| status.word());
        self.statuses.shared(word)
    }

    /// Whether any of them shows that a selection is not a typo.
    pub(super) fn prove(&self, selection: &Selection) -> bool {
        self.found.iter().any(|finding| selection.is_proven_by(finding))
    }

    /// The accounts by id, and how many failed checks each has.
    pub(super) fn accounts(&self) -> BTreeMap<&str, u64> {
        let mut accounts = BTreeMap::new();
        let subjects = self.found.iter().map(|finding| &finding.subject);
        for account in subjects.filter_map(|subject| subject.account.as_deref()) {
            *accounts.entry(&*account.id).or_default() += 1;
        }
        accounts
    }

    /// How many may be within a selection that has neither status nor age.
    pub(super) fn within(&self, selection: &Selection) -> u64 {
        let at_any_time = DateTime::UNIX_EPOCH;
        let found = self.found.iter();
        found.filter(|finding| selection.matches_finding(finding, at_any_time)).count() as u64
    }

    /// How many the platform counts, which compares only what a check states: with its severity of
    /// now, within these if there are any.
    pub(super) fn within_as_filtered(
        &self,
        selection: &Selection,
        severities: Option<&BTreeSet<Severity>>,
    ) -> u64 {
        let words = selection.only(|field| field != Field::Severity);
        let is_counted = |finding: &&Finding| {
            words.is_proven_by(finding)
                && severities.is_none_or(|asked| asked.contains(&severity_of_now(finding)))
        };
        self.found.iter().filter(is_counted).count() as u64
    }

    /// The findings, and notes for the report.
    pub fn finish(self) -> (Vec<Finding>, Vec<String>) {
        let notes = self.notes();
        (self.found, notes)
    }

    fn notes(&self) -> Vec<String> {
        const NOUN: &str = "failed check";
        let unknown = "counted as unknown, which every severity matches";
        let words = [
            self.undocumented_severities.note(NOUN, "severity", unknown),
            self.undocumented_originals.note(NOUN, "original severity", unknown),
            self.undocumented_statuses.note(NOUN, "status", "counted as open"),
        ];
        let lowered = (self.lowered > 0).then(|| {
            format!(
                "{} with a severity that was lowered on the platform; the original one counts",
                text::count(self.lowered, NOUN)
            )
        });
        let Missing { scan_name, region, resource_type, created_at } = self.missing;
        let missing = [
            (scan_name, "`scan_name`", "account"),
            (region, "`resource_region`", "region"),
            (resource_type, "`resource_type`", "resource_type"),
            (created_at, "readable `created_at`", "older_than"),
        ];
        let missing = missing.into_iter().filter(|(count, ..)| *count > 0);
        let missing = missing.map(|(count, field, selector)| {
            let checks = text::count(count, NOUN);
            format!("{checks} without a {field}; every `{selector}` selector matches them")
        });
        words.into_iter().flatten().chain(lowered).chain(missing).collect()
    }
}

/// The severity on the platform now, by which its filters compare.
fn severity_of_now(finding: &Finding) -> Severity {
    finding.rerating.map_or(finding.subject.severity, |rerating| rerating.current)
}

/// RFC 3339. Without a zone, as in the cursors, it is UTC (docs/platforms/gravityzone.md#age).
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
    fn every_other_status_than_the_documented_exceptions_is_open() {
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
    fn a_check_is_linked_below_the_address_of_all() {
        let findings = Findings::linked("https://api.example.com/v1/cspm/checks".parse().unwrap());
        for (id, end) in [("0a-B9", "0a-B9"), ("a/../b?c", "a%2F..%2Fb%3Fc"), ("ä", "%C3%A4")] {
            let link = format!("https://api.example.com/v1/cspm/checks/{end}");
            assert_eq!(findings.link(id).as_deref(), Some(&*link));
        }
    }

    #[test]
    fn what_checks_share_is_kept_once() {
        // The order of controls is not stable.
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
    fn undocumented_words_and_missing_fields_are_noted() {
        let records: Vec<_> = (0..7)
            .map(|n| check_with(&n.to_string(), "/attributes/severity", json!(format!("s{n}\n"))))
            .collect();
        let (_, notes) = findings(&records);
        assert!(notes[0].starts_with("7 failed checks with an undocumented severity"), "{notes:?}");
        assert!(notes[0].ends_with("`s4` (1) and 2 more"), "{notes:?}");

        for (field, selector) in
            [("scan_name", "account"), ("resource_region", "region"), ("resource_type", "type")]
        {
            let record = check_with("1", &format!("/attributes/{field}"), Value::Null);
            let (_, notes) = findings(&[check("2"), record]);
            let start = format!("1 failed check without a `{field}`; every `");
            let is_there = |note: &String| note.starts_with(&start) && note.contains(selector);
            assert!(notes.iter().any(is_there), "{notes:?}");
        }
    }

    #[test]
    fn a_lowered_severity_is_stated_with_its_finding() {
        let lowered = check_with("1", "/attributes/original_severity", json!("critical"));
        let (found, notes) = findings(&[lowered, check("2")]);
        let mut reasons: Vec<_> =
            found.iter().map(|f| (f.subject.severity, f.reason.as_deref())).collect();
        reasons.sort();
        let reason = "severity lowered from critical to medium on the platform";
        assert_eq!(reasons, [(Severity::Medium, None), (Severity::Critical, Some(reason))]);
        assert!(
            notes[0].starts_with("1 failed check with a severity that was lowered"),
            "{notes:?}"
        );
    }

    /// A gate may select accounts by name, and the name is not stated.
    #[test]
    fn a_check_without_a_scan_name_states_no_account() {
        let (found, _) = findings(&[check_with("1", "/attributes/scan_name", Value::Null)]);
        assert_eq!(found[0].subject.account, None);
    }
}
