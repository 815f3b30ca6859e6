//! JUnit, for the test views of GitLab, Jenkins and others.
//!
//! A suite of gates, then a suite for each source with a case for each piece of evidence and each
//! failed rule. Only what stops the pipeline is red: a warning is a skipped test that says why, so
//! that a green job has no red test. Inconclusive is an error. The
//! details are in the elements' text, which GitLab shows; it does not show `message`.
//!
//! The shape is the one that both published schemas take: Jenkins' (`junit-10.xsd`) and Windy
//! Road's; neither knows a case's `file`, so a gate's place is in its text. Names stay the same
//! from run to run, so that hosts see history. Suites and classes are named after the policy file
//! and the environment, since hosts merge all reports of a pipeline and drop repeated names.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_junit::{TestCase, TestCaseStatus, TestSuite};

use super::digest;
use super::view::View;
use super::{Format, Report, TOOL};
use crate::text;

mod bare_root;
mod cases;
mod texts;

pub(super) const FORMAT: Format =
    Format { name: "junit", title: "JUnit", extension: "xml", render };

/// GitLab accepts 30 MB. The rest is for the suites themselves.
const MOST_BYTES: usize = 28_000_000;

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut junit = quick_junit::Report::unnamed();
    junit.add_test_suites(Suites::of(view, MOST_BYTES).finished(view));
    junit.serialize(bare_root::BareRoot::new(out)).map_err(io::Error::other)
}

/// The suites, as far as they fit.
struct Suites<'a> {
    gates: Suite,
    sources: BTreeMap<&'a str, Suite>,
    bytes_left: usize,
    left_out: u64,
    red_left_out: bool,
}

impl<'a> Suites<'a> {
    /// Gates come first and then the worst rules, so that what is left out is the least.
    fn of(report: &'a View<'a>, most_bytes: usize) -> Self {
        let sources = report.evidence.outcomes.iter().map(|outcome| &*outcome.source);
        let mut suites = Self {
            gates: Suite::new(report, "gates"),
            sources: sources.map(|source| (source, Suite::new(report, source))).collect(),
            bytes_left: most_bytes,
            left_out: 0,
            red_left_out: false,
        };
        for gate in &report.gates {
            suites.add(None, &gate.ruling.gate.id, cases::gate(report, gate));
        }
        for outcome in &report.evidence.outcomes {
            for (name, status) in cases::evidence(report, outcome) {
                suites.add(Some(&outcome.source), &name, status);
            }
        }
        for rule in &report.rules {
            let status = cases::rule(report, rule);
            suites.add(Some(rule.source), &digest::rule(rule.first), status);
        }
        suites
    }

    /// Adds a case to a source's suite, or to that of the gates.
    fn add(&mut self, source: Option<&str>, name: &str, status: TestCaseStatus) {
        let suite = source.map_or(Some(&mut self.gates), |source| self.sources.get_mut(source));
        let Some(suite) = suite else { return };
        let size = size(name, &suite.classname, &status);
        if size <= self.bytes_left {
            self.bytes_left -= size;
            suite.add(name, status);
        } else {
            self.left_out += 1;
            self.red_left_out |= matches!(status, TestCaseStatus::NonSuccess { .. });
        }
    }

    fn finished(mut self, report: &Report<'a>) -> Vec<TestSuite> {
        if self.left_out > 0 {
            let status = cases::left_out(self.left_out, self.red_left_out);
            self.gates.add("left out of this file", status);
        }
        let mut suites = vec![self.gates.finished(texts::of_run(report))];
        suites[0].set_time(
            (report.evidence.finished - report.evidence.started).to_std().unwrap_or_default(),
        );
        for outcome in &report.evidence.outcomes {
            let suite = self.sources.remove(&*outcome.source);
            suites.extend(suite.map(|suite| suite.finished(texts::of_source(outcome))));
        }
        // The schemas' timestamps have no offset and no fraction; quick-junit's have both.
        let started = report.evidence.started.format("%Y-%m-%dT%H:%M:%S").to_string();
        for (id, suite) in suites.iter_mut().enumerate() {
            suite.extra.insert("id".into(), id.to_string().into());
            suite.extra.insert("timestamp".into(), started.as_str().into());
        }
        suites
    }
}

struct Suite {
    suite: TestSuite,
    /// What GitLab shows as the suite.
    classname: String,
    /// How often each was given.
    names: BTreeMap<String, usize>,
}

impl Suite {
    fn new(report: &Report<'_>, name: &str) -> Self {
        let name = text::one_line(name, 120);
        let scope = report.scope();
        let mut suite = TestSuite::new(format!("{name} ({scope})"));
        suite.set_time(std::time::Duration::ZERO);
        suite.extra.insert("package".into(), TOOL.into());
        // Not this machine's name: the same input makes the same bytes everywhere.
        suite.extra.insert("hostname".into(), "localhost".into());
        Self { suite, classname: format!("{TOOL}.{scope}.{name}"), names: BTreeMap::new() }
    }

    /// Hosts drop the later ones of cases with one name, so the second `x` becomes `x #2`.
    fn add(&mut self, name: &str, status: TestCaseStatus) {
        let name = text::one_line(name, 250);
        let mut case = TestCase::new(self.unique(name), status);
        case.set_classname(&*self.classname);
        case.set_time(std::time::Duration::ZERO);
        self.suite.add_test_case(case);
    }

    fn unique(&mut self, name: String) -> String {
        let mut unique = name.clone();
        // Another case may be called `x #2` of itself.
        while self.names.contains_key(&unique) {
            let given = self.names.entry(name.clone()).or_default();
            *given += 1;
            unique = format!("{name} #{given}");
        }
        self.names.insert(unique.clone(), 1);
        unique
    }

    fn finished(self, texts: texts::SuiteTexts) -> TestSuite {
        let mut suite = self.suite;
        suite.add_properties(texts.properties);
        suite.set_system_out(texts.output);
        suite.set_system_err("");
        suite
    }
}

/// About how many bytes a case needs, and never fewer: quotes, `<` and `&` take up to six.
fn size(name: &str, classname: &str, status: &TestCaseStatus) -> usize {
    const TAGS: usize = 200;
    let escaped = |text: &str| {
        let special = text.bytes().filter(|byte| b"<>&'\"".contains(byte)).count();
        text.len() + 5 * special
    };
    let (message, description) = match status {
        TestCaseStatus::NonSuccess { message, description, .. }
        | TestCaseStatus::Skipped { message, description, .. } => (message, description),
        TestCaseStatus::Success { .. } => (&None, &None),
    };
    let texts =
        [message, description].into_iter().flatten().map(|text| escaped(text)).sum::<usize>();
    TAGS + escaped(name) + escaped(classname) + texts
}
