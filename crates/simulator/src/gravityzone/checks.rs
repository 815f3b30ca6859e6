//! The checks: each a pure function of its number, so that any page costs the same.

use crate::ids::{mix, uuid, uuid_from};

use super::filter::Filter;
use super::rules::{Rule, TABLE};
use super::settings::{Scan, Settings};

/// As long as the platform's descriptions are.
const DESCRIPTION: &str = "Resources are checked one by one, in every region that is in use. A resource that does not pass can be reached, read or changed by more people than its owner meant, or leaves no trace when it is. Change the setting on the resource, or record why the risk is accepted; the finding is closed with the next scan of the account.";

/// A rule of a provider that is scanned.
pub(crate) struct Prepared {
    pub(crate) rule: &'static Rule,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// The accounts that it evaluates, by index.
    sites: Vec<usize>,
    regions: &'static [String],
}

/// An account that is scanned.
pub(crate) struct Site {
    pub(crate) scan: Scan,
    pub(crate) scan_id: String,
    pub(crate) group_id: String,
}

/// One check.
pub(crate) struct Check<'a> {
    pub(crate) number: u64,
    /// The distance between the leading digits of two ids: ids ascend, as on the platform.
    stride: u64,
    pub(crate) prepared: &'a Prepared,
    pub(crate) site: &'a Site,
    pub(crate) failed: bool,
    pub(crate) severity: &'a str,
    /// Null on a pass (docs/platforms/gravityzone.md, checks).
    pub(crate) status: Option<&'a str>,
    pub(crate) region: &'static str,
    /// Distinguishes it from other checks of its rule.
    pub(crate) salt: u64,
}

impl Check<'_> {
    pub(crate) fn id(&self) -> String {
        let head = self.number * self.stride + self.salt % self.stride;
        uuid_from(u32::try_from(head).unwrap_or(u32::MAX), self.salt)
    }

    pub(crate) fn resource_name(&self) -> Option<String> {
        let rule = self.prepared.rule;
        rule.resource().map(|_| {
            let stem = rule.resource_type.split(' ').next_back().unwrap_or_default();
            format!("{}-{:06x}", stem.to_lowercase(), self.number)
        })
    }

    pub(crate) fn resource_id(&self) -> Option<String> {
        let name = self.resource_name()?;
        self.prepared.rule.resource().map(|pattern| {
            pattern
                .replace("{region}", self.region)
                .replace("{account}", &self.site.scan.account)
                .replace("{name}", &name)
        })
    }
}

/// A page of what passed a filter.
pub(crate) struct Found<'a> {
    pub(crate) total: u64,
    pub(crate) page: Vec<Check<'a>>,
    /// The first check of the next page.
    pub(crate) next: Option<Check<'a>>,
}

/// The failed checks of one severity, and their possible rules.
struct Share {
    word: String,
    count: u64,
    rules: Vec<usize>,
}

/// Makes the checks of a scenario.
pub(crate) struct Generator {
    checks: u64,
    rules: Vec<Prepared>,
    sites: Vec<Site>,
    shares: Vec<Share>,
    statuses: Vec<Option<String>>,
    severities_match_passes: bool,
    fails: u64,
    /// A step that visits every failed check once and mixes their severities.
    step: u64,
}

impl Generator {
    pub(crate) fn new(settings: &Settings) -> Self {
        let sites: Vec<Site> = settings.scans.iter().map(Site::of).collect();
        let prepared = TABLE.rules.iter().map(|rule| Prepared::of(rule, &sites));
        let rules: Vec<Prepared> = prepared.filter(|each| !each.sites.is_empty()).collect();
        let shares = settings.fails.by_severity().map(|(severity, count)| Share {
            word: severity.unwrap_or(&settings.unknown_severity).to_owned(),
            count,
            rules: (0..rules.len())
                .filter(|at| severity.is_none_or(|severity| rules[*at].rule.severity == severity))
                .collect(),
        });
        let fails = settings.fails.total();
        let step = (fails * 5 / 8 + 1..).find(|step| coprime(*step, fails));
        Self {
            checks: settings.checks,
            rules,
            sites,
            shares: shares.into(),
            statuses: settings.statuses.clone(),
            severities_match_passes: settings.severities_match_passes,
            fails,
            step: step.unwrap_or(1),
        }
    }

    fn check(&self, number: u64) -> Check<'_> {
        let salt = mix(number);
        let fail = self.fail(number);
        let share = fail.and_then(|fail| self.share(fail * self.step % self.fails));
        let prepared = match share {
            Some(share) => &self.rules[*pick(&share.rules, salt)],
            None => pick(&self.rules, salt),
        };
        Check {
            number,
            stride: self.stride(),
            prepared,
            site: &self.sites[*pick(&prepared.sites, salt >> 16)],
            failed: fail.is_some(),
            severity: share.map_or(&prepared.rule.severity, |share| &share.word),
            status: fail.and_then(|fail| pick(&self.statuses, fail).as_deref()),
            region: pick::<String>(prepared.regions, salt >> 32),
            salt,
        }
    }

    fn stride(&self) -> u64 {
        (1 << 32) / self.checks.max(1)
    }

    /// The number of this check among the failed ones, which are spread evenly.
    fn fail(&self, number: u64) -> Option<u64> {
        let fail = (number * self.fails).div_ceil(self.checks);
        (fail < self.fails && fail * self.checks / self.fails == number).then_some(fail)
    }

    fn share(&self, mut fail: u64) -> Option<&Share> {
        self.shares.iter().find(|share| {
            let here = fail < share.count;
            fail = fail.saturating_sub(share.count);
            here
        })
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<Check<'_>> {
        let head = u64::from_str_radix(id.get(..8)?, 16).ok()?;
        let number = head / self.stride();
        (number < self.checks).then(|| self.check(number)).filter(|check| check.id() == id)
    }

    /// The checks that pass the filter, from the `offset`th on.
    pub(crate) fn find(&self, filter: &Filter, offset: u64, limit: u64) -> Found<'_> {
        let end = offset.saturating_add(limit);
        if filter.is_empty() {
            return Found {
                total: self.checks,
                page: (offset..end.min(self.checks)).map(|number| self.check(number)).collect(),
                next: (end < self.checks).then(|| self.check(end)),
            };
        }
        let mut found = Found { total: 0, page: Vec::new(), next: None };
        let all = (0..self.checks).map(|number| self.check(number));
        for check in all.filter(|check| filter.matches(check, self.severities_match_passes)) {
            if (offset..end).contains(&found.total) {
                found.page.push(check);
            } else if found.total == end {
                found.next = Some(check);
            }
            found.total += 1;
        }
        found
    }
}

impl Prepared {
    fn of(rule: &'static Rule, sites: &[Site]) -> Self {
        let looks_at = |at: &usize| sites[*at].scan.provider == rule.provider();
        Self {
            rule,
            id: uuid(&rule.name),
            name: format!("cloud_scan/{}", rule.name),
            description: format!(
                "It was discovered that one or more resources do not pass \"{}\".\n\n{DESCRIPTION}",
                rule.title
            ),
            sites: (0..sites.len()).filter(looks_at).collect(),
            regions: TABLE.regions.get(rule.provider()).map_or(&[], Vec::as_slice),
        }
    }
}

impl Site {
    fn of(scan: &Scan) -> Self {
        Self {
            scan_id: uuid(&format!("scan {}", scan.name)),
            group_id: uuid(&format!("scan group {}", scan.group)),
            scan: scan.clone(),
        }
    }
}

/// One of the items. The settings are validated, so there is at least one.
fn pick<T>(items: &[T], salt: u64) -> &T {
    &items[usize::try_from(salt % items.len() as u64).unwrap_or_default()]
}

fn coprime(mut a: u64, mut b: u64) -> bool {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn fails_are_as_many_as_the_scenario_says() {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "checks": 1001,
            "fails": {"critical": 3, "high": 7, "medium": 11, "low": 13, "informational": 2, "unknown": 5},
        }))
        .unwrap();
        let generator = Generator::new(&settings);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for check in (0..1001).map(|number| generator.check(number)).filter(|check| check.failed) {
            *counts.entry(check.severity.to_owned()).or_default() += 1;
        }
        let expected = [
            ("critical", 3),
            ("high", 7),
            ("informational", 2),
            ("low", 13),
            ("medium", 11),
            ("severe", 5),
        ];
        assert_eq!(counts, expected.map(|(word, count)| (word.to_owned(), count)).into());
    }

    #[test]
    fn every_check_is_found_by_its_id_and_ids_ascend() {
        let generator = Generator::new(&Settings::default());
        let mut before = String::new();
        for number in 0..1240 {
            let id = generator.check(number).id();
            assert!(before < id);
            assert_eq!(generator.by_id(&id).map(|check| check.number), Some(number));
            before = id;
        }
        assert!(generator.by_id("ffffffff-0000-4000-8000-000000000000").is_none());
        assert!(generator.by_id("ü").is_none());
    }

    #[test]
    fn a_scenario_where_everything_fails_and_one_where_nothing_is_there_both_work() {
        let all: Settings =
            serde_json::from_value(serde_json::json!({"checks": 3, "fails": {"high": 3}})).unwrap();
        let generator = Generator::new(&all);
        assert!((0..3).all(|number| generator.check(number).failed));
        let none: Settings = serde_json::from_value(
            serde_json::json!({"checks": 0, "fails": {"high": 0, "medium": 0}}),
        )
        .unwrap();
        assert_eq!(Generator::new(&none).find(&Filter::default(), 0, 10).total, 0);
    }
}
