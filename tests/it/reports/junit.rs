//! JUnit, as CI hosts read it.

use std::collections::BTreeSet;
use std::sync::Arc;

use compliance_gate::policy::Mode;

use super::xml::{self, Element};
use crate::common::estate::{self, Scene};

/// Classname, name, how it is shown (`passed`, `failure`, `error`, `skipped`), and the text.
fn cases(scene: &Scene) -> Vec<(String, String, String, String)> {
    let root = xml::read(&scene.render("junit"));
    let case = |case: &Element| {
        let (status, text) = match &case.children[..] {
            [] => ("passed", String::new()),
            [one] => (&*one.name, one.text.clone()),
            several => panic!("{several:?}"),
        };
        (case.get("classname").to_owned(), case.get("name").to_owned(), status.to_owned(), text)
    };
    root.all("testcase").into_iter().map(case).collect()
}

fn statuses(scene: &Scene) -> Vec<String> {
    let scope = "compliance-gate..github/compliance-gate.yaml:production.";
    let short = |classname: &str| classname.strip_prefix(scope).unwrap().to_owned();
    cases(scene)
        .into_iter()
        .map(|(classname, name, status, _)| format!("{} | {name} | {status}", short(&classname)))
        .collect()
}

#[test]
fn only_what_blocks_is_red() {
    let expected = [
        "gates | no-critical-or-high | failure",
        "gates | alarm-budget | skipped",
        "gates | pass-rate | passed",
        "gates | open-cspm-failures | passed",
        "gravityzone | evidence | passed",
        "gravityzone | Security groups do not allow SSH from anywhere \
         (cloud_scan/aws/ec2/no_public_ssh) | skipped",
        "opencomply | evidence of baseline_security | passed",
        "opencomply | S3 buckets do not allow public writes (aws_s3_public_write) | failure",
        "opencomply | S3 buckets block public access (aws_s3_public_access_block) | failure",
        "opencomply | S3 buckets refuse plain HTTP (aws_s3_tls_only) | failure",
        "opencomply | S3 buckets keep versions (aws_s3_versioning) | skipped",
        "opencomply | S3 buckets log access (aws_s3_logging) | skipped",
    ];
    assert_eq!(statuses(&estate::blocked()), expected);
    let mut observed = estate::blocked();
    observed.policy.mode = Mode::Observe;
    let red = |line: &String| line.ends_with("failure") || line.ends_with("error");
    assert!(!statuses(&observed).iter().any(red));
    assert!(!statuses(&estate::passed()).iter().any(red));
    assert!(!statuses(&estate::forgiven()).iter().any(red));
}

#[test]
fn missing_evidence_is_an_error_and_not_a_failure() {
    let statuses = statuses(&estate::inconclusive());
    for status in [
        "gates | no-critical-or-high | error",
        "gates | alarm-budget | skipped",
        "gates | pass-rate | error",
        "opencomply | evidence of baseline_security | error",
        "opencomply | S3 buckets log access (aws_s3_logging) | passed",
    ] {
        assert!(statuses.contains(&status.to_owned()), "no {status:?} in {statuses:#?}");
    }
    assert!(!statuses.iter().any(|status| status.ends_with("failure")));
}

#[test]
fn the_text_has_what_gitlab_does_not_show_elsewhere() {
    let cases = cases(&estate::blocked());
    let text = |name: &str| &cases.iter().find(|case| case.1.starts_with(name)).unwrap().3;
    for part in [
        "BREACHED\n12 failed checks where max is 0: 12 over the limit (2 critical, 10 high)\n",
        "\ncritical: S3 buckets do not allow public writes (aws_s3_public_write): 2 resources\n",
    ] {
        assert!(text("no-critical").contains(part), "{}", text("no-critical"));
    }
    let expected = "high: 9 resources; counted by no-critical-or-high\n\
                    - arn:aws:s3:::payments-000, eu-west-1: Public access is not blocked.\n";
    assert!(text("S3 buckets block").starts_with(expected), "{}", text("S3 buckets block"));
}

#[test]
fn totals_recount_and_names_are_unique() {
    for scene in [estate::blocked(), estate::inconclusive(), estate::hostile(estate::HOSTILE)] {
        let root = xml::read(&scene.render("junit"));
        assert_eq!(root.name, "testsuites");
        assert!(root.attributes.is_empty(), "a schema allows none: {:?}", root.attributes);
        for (id, suite) in root.children.iter().enumerate() {
            assert_eq!(suite.get("id"), id.to_string());
            assert_eq!(suite.get("hostname"), "localhost");
            assert_eq!(suite.get("timestamp"), "2026-09-21T14:10:07");
            let count = |name: &str| suite.all(name).len().to_string();
            for (attribute, element) in [
                ("tests", "testcase"),
                ("failures", "failure"),
                ("errors", "error"),
                ("skipped", "skipped"),
            ] {
                assert_eq!(suite.get(attribute), count(element), "{attribute}");
            }
        }
        let cases = cases(&scene);
        let names: BTreeSet<_> = cases.iter().map(|case| (&case.0, &case.1)).collect();
        assert_eq!(names.len(), cases.len());
    }
}

#[test]
fn rules_that_read_alike_are_told_apart() {
    let mut scene = estate::blocked();
    let mut twin = scene.findings(1)[0].clone();
    let rule = twin.subject.rule.as_deref().unwrap();
    Arc::make_mut(&mut twin.subject).rule = Some(
        compliance_gate::finding::Rule { id: "aws_s3_\u{200b}public_write".into(), ..rule.clone() }
            .into(),
    );
    scene.findings(1).push(twin);
    let names: Vec<_> = cases(&scene).into_iter().map(|case| case.1).collect();
    let name = "S3 buckets do not allow public writes (aws_s3_public_write)";
    assert!(names.contains(&name.to_owned()) && names.contains(&format!("{name} #2")), "{names:?}");
}

#[test]
fn thousands_of_rules_may_read_alike() {
    let mut scene = estate::blocked();
    let first = scene.findings(1)[0].clone();
    let rule = first.subject.rule.as_deref().unwrap();
    let title: std::sync::Arc<str> = "x".repeat(200).into();
    let alike = (0..2_000).map(|number| {
        let id = format!("{}{number}", "y".repeat(200)).into();
        let title = Some(title.clone());
        let rule = compliance_gate::finding::Rule { id, title, ..rule.clone() };
        let mut alike = first.clone();
        Arc::make_mut(&mut alike.subject).rule = Some(rule.into());
        alike
    });
    scene.findings(1).extend(alike.collect::<Vec<_>>());
    let names: Vec<_> = cases(&scene).into_iter().map(|case| case.1).collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    assert!(names.iter().any(|name| name.ends_with(" #2000")), "{:?}", names.last());
}

#[test]
fn a_file_is_never_larger_than_hosts_take() {
    let mut scene = estate::big(40_000);
    // The longest texts that are shown, all of characters that grow when they are escaped.
    let long: Box<str> = "<\"&>".repeat(500).into();
    for finding in scene.findings(0) {
        finding.reason = Some(long.clone());
    }
    let junit = scene.render("junit");
    assert!(junit.len() <= 30_000_000, "{} bytes", junit.len());
    assert!(junit.len() > 20_000_000, "{} bytes", junit.len());
    let gates_and_evidence = 3;
    let shown = junit.matches("<testcase ").count() - gates_and_evidence - 1;
    let missing = compliance_gate::text::thousands(4_000 - shown as u64);
    assert!(junit.contains(&format!("{missing} test cases left out, to keep")), "{missing}");
    assert!(junit.contains("<testcase name=\"left out of this file\""));
}
