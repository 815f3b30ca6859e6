//! The checks: each a pure function of its number, so that any page costs the same.

use crate::simulator::ids::{mix, uuid, uuid_from};

use super::filter::Filter;
use super::rules::{RULES, Rule};
use super::settings::{Scan, Settings};

const AWS_REGIONS: [&str; 5] = [
    "eu-central-1",
    "eu-west-3",
    "us-east-1",
    "ap-south-1",
    "ap-southeast-1",
];
const AZURE_REGIONS: [&str; 2] = ["westeurope", "germanywestcentral"];
const GCP_REGIONS: [&str; 2] = ["europe-west3-a", "us-central1-b"];

/// One check.
pub(crate) struct Check<'a> {
    pub(crate) number: u64,
    /// The distance between the leading digits of two ids: ids ascend, as on the platform.
    stride: u64,
    pub(crate) rule: &'static Rule,
    pub(crate) failed: bool,
    pub(crate) severity: &'a str,
    /// Null on a pass (GZ §2.2).
    pub(crate) status: Option<&'a str>,
    pub(crate) scan: &'a Scan,
    pub(crate) region: &'static str,
    /// What makes it differ from others of its rule.
    pub(crate) salt: u64,
}

impl Check<'_> {
    pub(crate) fn id(&self) -> String {
        let head = self.number * self.stride + self.salt % self.stride;
        uuid_from(u32::try_from(head).unwrap_or(u32::MAX), self.salt)
    }

    pub(crate) fn resource_name(&self) -> Option<String> {
        self.rule.resource.map(|_| {
            let stem = self
                .rule
                .resource_type
                .split(' ')
                .next_back()
                .unwrap_or_default();
            format!("{}-{:06x}", stem.to_lowercase(), self.number)
        })
    }

    pub(crate) fn resource_id(&self) -> Option<String> {
        let name = self.resource_name()?;
        self.rule.resource.map(|pattern| {
            pattern
                .replace("{region}", self.region)
                .replace("{account}", &self.scan.account)
                .replace("{name}", &name)
        })
    }

    pub(crate) fn rule_name(&self) -> String {
        format!("cloud_scan/{}", self.rule.name)
    }

    pub(crate) fn rule_id(&self) -> String {
        uuid(self.rule.name)
    }

    pub(crate) fn scan_id(&self) -> String {
        uuid(&format!("scan {}", self.scan.name))
    }

    pub(crate) fn group_id(&self) -> String {
        uuid(&format!("scan group {}", self.scan.group))
    }
}

/// A page of what passed a filter.
pub(crate) struct Found<'a> {
    pub(crate) total: u64,
    pub(crate) page: Vec<Check<'a>>,
    /// The first check of the next page.
    pub(crate) next: Option<Check<'a>>,
}

/// Makes the checks of a scenario.
pub(crate) struct Generator {
    settings: Settings,
    /// The rules whose provider is scanned.
    rules: Vec<&'static Rule>,
    fails: u64,
    /// Goes round all fails and mixes their severities.
    step: u64,
}

impl Generator {
    pub(crate) fn new(settings: &Settings) -> Self {
        let scanned = |rule: &&Rule| {
            settings
                .scans
                .iter()
                .any(|scan| scan.provider == rule.provider())
        };
        let fails = settings.fails.total();
        let step = (fails * 5 / 8 + 1..)
            .find(|step| coprime(*step, fails))
            .unwrap_or(1);
        Self {
            settings: settings.clone(),
            rules: RULES.iter().filter(scanned).collect(),
            fails,
            step,
        }
    }

    fn check(&self, number: u64) -> Check<'_> {
        let salt = mix(number);
        let fail = self.fail(number);
        let (rule, severity, status) = match fail {
            None => {
                let rule = pick(&self.rules, salt);
                (rule, rule.severity, None)
            }
            Some(fail) => {
                let (rule, severity) = self.severity(fail * self.step % self.fails, salt);
                let turn = self.settings.statuses.len() as u64;
                let status = usize::try_from(fail % turn).unwrap_or_default();
                (rule, severity, self.settings.statuses[status].as_deref())
            }
        };
        let scans: Vec<&Scan> = self
            .settings
            .scans
            .iter()
            .filter(|scan| scan.provider == rule.provider())
            .collect();
        let regions = match rule.provider() {
            "azure" => &AZURE_REGIONS[..],
            "gcp" => &GCP_REGIONS[..],
            _ => &AWS_REGIONS[..],
        };
        Check {
            number,
            stride: self.stride(),
            rule,
            failed: fail.is_some(),
            severity,
            status,
            scan: pick(&scans, salt >> 16),
            region: pick(regions, salt >> 32),
            salt,
        }
    }

    fn stride(&self) -> u64 {
        (1 << 32) / self.settings.checks.max(1)
    }

    /// Which of the fails this check is: they are spread evenly.
    fn fail(&self, number: u64) -> Option<u64> {
        let checks = self.settings.checks;
        let fail = (number * self.fails).div_ceil(checks);
        (fail < self.fails && fail * checks / self.fails == number).then_some(fail)
    }

    fn severity(&self, mut fail: u64, salt: u64) -> (&'static Rule, &str) {
        for (severity, count) in self.settings.fails.by_severity() {
            if fail < count {
                let fits =
                    |rule: &&&Rule| severity.is_none_or(|severity| rule.severity == severity);
                let rules: Vec<&Rule> = self.rules.iter().filter(fits).copied().collect();
                let word = severity.unwrap_or(&self.settings.unknown_severity);
                return (pick(&rules, salt), word);
            }
            fail -= count;
        }
        let rule = pick(&self.rules, salt);
        (rule, rule.severity)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<Check<'_>> {
        let head = u64::from_str_radix(id.get(..8)?, 16).ok()?;
        let number = head / self.stride();
        (number < self.settings.checks)
            .then(|| self.check(number))
            .filter(|check| check.id() == id)
    }

    /// The checks that pass the filter, from the `offset`th on.
    pub(crate) fn find(&self, filter: &Filter, offset: u64, limit: u64) -> Found<'_> {
        let mut found = Found {
            total: 0,
            page: Vec::new(),
            next: None,
        };
        for number in 0..self.settings.checks {
            let check = self.check(number);
            if !filter.matches(&check, self.settings.severities_match_passes) {
                continue;
            }
            let place = found.total;
            found.total += 1;
            if (offset..offset + limit).contains(&place) {
                found.page.push(check);
            } else if place == offset + limit {
                found.next = Some(check);
            }
        }
        found
    }
}

/// One of the items, none of which may be missing: the settings are validated.
fn pick<T: Copy>(items: &[T], salt: u64) -> T {
    items[usize::try_from(salt % items.len() as u64).unwrap_or_default()]
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
        for check in (0..1001)
            .map(|number| generator.check(number))
            .filter(|check| check.failed)
        {
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
        assert_eq!(
            counts,
            expected
                .map(|(word, count)| (word.to_owned(), count))
                .into()
        );
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
        assert!(
            generator
                .by_id("ffffffff-0000-4000-8000-000000000000")
                .is_none()
        );
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
        assert_eq!(
            Generator::new(&none).find(&Filter::default(), 0, 10).total,
            0
        );
    }
}
