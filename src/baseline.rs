//! A baseline: the findings that were there on a day, in a file that people review.
//!
//! JSON Lines, sorted, so that branches merge as text: a header, then a line for each finding, or
//! for several that cannot be distinguished. A line is verified by its own fingerprint.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Fingerprint, Identity, Severity};

/// What names this format.
pub const SCHEMA: &str = "urn:compliance-gate:baseline:1";

/// A baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub header: Header,
    /// Lines of one finding differ in severity.
    lines: BTreeMap<Fingerprint, Vec<KnownLine>>,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub schema: String,
    /// The only environment in which it applies; `null` where the policy has none.
    pub environment: Option<String>,
    /// The sources of its findings, with scheme, host and port of each.
    pub sources: BTreeMap<String, String>,
    /// The accounts of each source that were evaluated when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, BTreeSet<String>>,
}

/// Findings that cannot be distinguished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLine {
    pub fingerprint: String,
    pub source: String,
    pub rule: String,
    /// For images the repository, without tag and digest.
    pub resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub severity: Severity,
    pub count: u64,
}

/// What is wrong with a baseline, and in which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineFault {
    pub line: u64,
    pub message: String,
}

impl Baseline {
    pub fn new(header: Header) -> Self {
        Self { header, lines: BTreeMap::new() }
    }

    /// Reads a file and verifies each of its lines.
    ///
    /// # Errors
    /// The first line that is not as `baseline write` writes it.
    pub fn parse(text: &str) -> Result<Self, BaselineFault> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let fault = |line, message: &str| BaselineFault { line, message: message.to_owned() };
        let (at, first) =
            lines.next().ok_or_else(|| fault(1, "this is not a baseline: it is empty"))?;
        let header: Header = serde_json::from_str(first)
            .map_err(|_| fault(at, "this is not a baseline: its first line is no header"))?;
        if header.schema != SCHEMA {
            return Err(fault(at, "this is not a baseline that this compliance-gate reads"));
        }
        let mut baseline = Self::new(header);
        for (at, line) in lines {
            let line: KnownLine = serde_json::from_str(line).map_err(|error| BaselineFault {
                line: at,
                message: format!("this is not a line of a baseline: {error}"),
            })?;
            baseline.put(line).map_err(|message| fault(at, message))?;
        }
        Ok(baseline)
    }

    /// Adds a line that was read.
    fn put(&mut self, line: KnownLine) -> Result<(), &'static str> {
        let own = line.own_fingerprint();
        if own.to_string() != line.fingerprint {
            return Err(
                "the fingerprint is not that of the other fields; lines are not edited by \
                        hand: `compliance-gate baseline write` writes them",
            );
        }
        if !self.header.sources.contains_key(&line.source) {
            return Err("the header does not name the source of this line");
        }
        if line.count == 0 {
            return Err("a line with a count of 0 is not a finding; remove it");
        }
        let lines = self.lines.entry(own).or_default();
        if lines.iter().any(|other| other.severity == line.severity) {
            return Err("an earlier line has the same fingerprint and severity; keep one of them");
        }
        lines.push(line);
        lines.sort_by_key(|line| line.severity);
        Ok(())
    }

    /// Adds a finding; one of a window has no place here.
    pub fn add(&mut self, finding: &Finding) {
        let part = match &finding.identity {
            Identity::Event(_) => return,
            Identity::Check => None,
            Identity::Image(part) => Some((part.package.to_string(), part.path.to_string())),
        };
        let (package, path) = part.unzip();
        let line = KnownLine {
            fingerprint: finding.fingerprint.to_string(),
            source: finding.source.to_string(),
            rule: finding.rule_id().to_owned(),
            resource: finding.place().to_owned(),
            package,
            path,
            severity: finding.subject.severity,
            count: 1,
        };
        self.merge(finding.fingerprint, line);
    }

    /// Adds the count of a line.
    pub fn merge(&mut self, fingerprint: Fingerprint, line: KnownLine) {
        let lines = self.lines.entry(fingerprint).or_default();
        match lines.iter_mut().find(|other| other.severity == line.severity) {
            Some(other) => other.count = other.count.saturating_add(line.count),
            None => lines.push(line),
        }
        lines.sort_by_key(|line| line.severity);
    }

    /// The lines of one finding, the least severe first.
    pub fn of(&self, fingerprint: Fingerprint) -> &[KnownLine] {
        self.lines.get(&fingerprint).map(Vec::as_slice).unwrap_or_default()
    }

    /// All lines with their fingerprints.
    pub fn lines(&self) -> impl Iterator<Item = (Fingerprint, &KnownLine)> {
        self.lines.iter().flat_map(|(print, lines)| lines.iter().map(move |line| (*print, line)))
    }

    /// # Errors
    /// What the writer reports.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.header)?;
        writeln!(out)?;
        let texts: Result<BTreeSet<String>, _> =
            self.lines().map(|(_, line)| serde_json::to_string(line)).collect();
        texts?.iter().try_for_each(|text| writeln!(out, "{text}"))
    }
}

impl KnownLine {
    fn own_fingerprint(&self) -> Fingerprint {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let (package, path) = (text(&self.package), text(&self.path));
        Fingerprint::of_place(&self.source, &self.rule, &self.resource, &package, &path)
    }
}

/// How many findings of each line are still to come: each finding is known once.
#[derive(Debug)]
pub struct Remaining<'a> {
    baseline: &'a Baseline,
    taken: BTreeMap<(Fingerprint, Severity), u64>,
}

impl<'a> Remaining<'a> {
    pub fn of(baseline: &'a Baseline) -> Self {
        Self { baseline, taken: BTreeMap::new() }
    }

    /// How many findings were taken off a line.
    pub fn taken(&self, fingerprint: Fingerprint, severity: Severity) -> u64 {
        self.taken.get(&(fingerprint, severity)).copied().unwrap_or_default()
    }

    /// Whether a finding is known, which takes it off its line. Of findings that cannot be told
    /// apart the most severe one is asked for first. A severity that has risen is not known.
    pub fn takes(&mut self, finding: &Finding, severity: Severity) -> bool {
        if matches!(finding.identity, Identity::Event(_)) {
            return false;
        }
        let print = finding.fingerprint;
        let lines = self.baseline.of(print).iter().filter(|line| line.severity >= severity);
        for line in lines {
            let taken = self.taken.entry((print, line.severity)).or_default();
            if *taken < line.count {
                *taken += 1;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Rule, Subject};

    fn finding(rule: &str, resource: &str, severity: Severity) -> Finding {
        let rule = Some(Arc::new(Rule { id: rule.into(), title: None, help: None }));
        let mut finding = Finding::new(Subject { rule, ..Subject::new(severity) }, Identity::Check);
        finding.resource_id = Some(resource.into());
        finding.identify(&"opencomply".into());
        finding
    }

    fn baseline(findings: &[Finding]) -> Baseline {
        let mut baseline = Baseline::new(Header {
            schema: SCHEMA.to_owned(),
            environment: None,
            sources: [("opencomply".to_owned(), "https://c.example.com".to_owned())].into(),
            accounts: BTreeMap::new(),
        });
        findings.iter().for_each(|finding| baseline.add(finding));
        baseline
    }

    fn text(baseline: &Baseline) -> String {
        let mut out = Vec::new();
        baseline.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_baseline_reads_what_it_writes() {
        let of = |order: &[usize]| {
            let all = [
                finding("a", "r", Severity::High),
                finding("a", "r", Severity::High),
                finding("a", "r", Severity::Low),
                finding("b", "r", Severity::Unknown),
            ];
            baseline(&order.iter().map(|at| all[*at].clone()).collect::<Vec<_>>())
        };
        let one = of(&[0, 1, 2, 3]);
        assert_eq!(text(&one), text(&of(&[3, 2, 1, 0])));
        assert_eq!(Baseline::parse(&text(&one)), Ok(one.clone()));
        let lines: Vec<_> = one.lines().map(|(_, line)| (line.severity, line.count)).collect();
        assert_eq!(lines.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_line_is_not_edited_by_hand() {
        let good = text(&baseline(&[finding("a", "r", Severity::High)]));
        for (from, to, line, words) in [
            ("\"rule\":\"a\"", "\"rule\":\"b\"", 2, "not that of the other fields"),
            ("\"resource\":\"r\"", "\"resource\":\"*\"", 2, "not that of the other fields"),
            (
                "\"source\":\"opencomply\"",
                "\"source\":\"bigid\"",
                2,
                "not that of the other fields",
            ),
            ("\"count\":1", "\"count\":0", 2, "a count of 0"),
            ("\"count\":1", "\"count\":1,\"note\":1", 2, "unknown field"),
            ("urn:compliance-gate:baseline:1", "urn:other", 1, "not a baseline"),
            ("{\"schema\"", "{\"x\":1,\"schema\"", 1, "no header"),
            ("high", "grave", 2, "unknown variant"),
        ] {
            assert!(good.contains(from), "{from}");
            let fault = Baseline::parse(&good.replace(from, to)).unwrap_err();
            assert_eq!(fault.line, line, "{to}");
            assert!(fault.message.contains(words), "{to}: {}", fault.message);
        }
        let twice = format!("{good}{}", good.lines().nth(1).unwrap());
        assert!(Baseline::parse(&twice).unwrap_err().message.contains("keep one of them"));
        assert!(Baseline::parse("").is_err());
    }

    #[test]
    fn more_than_the_count_and_a_risen_severity_are_new() {
        use Severity::{Critical, High, Low, Unknown};
        for (known, found, expected) in [
            (vec![High], vec![High], 1),
            (vec![High], vec![High, High], 1),
            (vec![High], vec![Low], 1),
            (vec![High], vec![Critical], 0),
            (vec![High], vec![Unknown], 0),
            (vec![High, Low], vec![High, High], 1),
            (vec![High, Low], vec![Low, Low], 2),
            (vec![Unknown], vec![Critical], 1),
        ] {
            let of = |severities: &[Severity]| -> Vec<_> {
                severities.iter().map(|severity| finding("a", "r", *severity)).collect()
            };
            let baseline = baseline(&of(&known));
            let mut remaining = Remaining::of(&baseline);
            let mut found = of(&found);
            found.sort_by(Finding::by_urgency);
            let taken = found.iter().filter(|f| remaining.takes(f, f.subject.severity)).count();
            assert_eq!(taken, expected, "{known:?}");
        }
    }
}
