//! Evidence from the checks that a test case lists.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::{Check, Checks, Config};
use crate::evidence::{Count, Evidence, Outcome, Part, Proof, SubjectCount, Table};
use crate::finding::{Account, Control, Facets, Finding, Identity, Problem, Rule, Subject};
use crate::selection::{Demand, Field, Need};
use crate::sources::Source;
use crate::text;

/// So many checks are taken to have passed in a source of which no passed check is given.
const HEALTHY: u64 = 1_000_000;

/// The evidence of all sources.
///
/// # Errors
/// A sentence about a source that is not one of the policy, or is not named.
pub(super) fn evidence(
    checks: &Checks,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Evidence, String> {
    for check in checks.failed.iter().chain(&checks.passed) {
        source_of(check, config)?;
    }
    for problem in &checks.problems {
        known(&problem.source, config)?;
    }
    let outcomes = config
        .sources
        .iter()
        .map(|(name, source)| outcome(name, source, checks, config, now))
        .collect();
    Ok(Evidence { started: now, finished: now, outcomes })
}

/// The source that a check is of.
fn source_of<'a>(check: &'a Check, config: &'a Config) -> Result<&'a str, String> {
    let only = || match config.sources.keys().collect::<Vec<_>>().as_slice() {
        [only] => Ok(only.as_str()),
        _ => Err(format!(
            "the check of line {} names no source; the policy uses {}",
            check.line,
            text::listed(config.sources.keys(), ", ", 10)
        )),
    };
    match &check.source {
        Some(name) => known(name, config).map(|()| name.as_str()),
        None => only(),
    }
}

fn known(name: &str, config: &Config) -> Result<(), String> {
    match config.sources.contains_key(name) {
        true => Ok(()),
        false => Err(format!(
            "no gate of {} uses a source `{name}`{}",
            config.path,
            text::did_you_mean(name, config.sources.keys().map(String::as_str))
        )),
    }
}

fn outcome(
    name: &str,
    source: &Source,
    checks: &Checks,
    config: &Config,
    now: DateTime<Utc>,
) -> Outcome {
    let of_source = |check: &&Check| source_of(check, config).is_ok_and(|of| of == name);
    let failed: Vec<_> = checks.failed.iter().filter(of_source).collect();
    let passed: Vec<_> = checks.passed.iter().filter(of_source).collect();
    let problems = checks.problems.iter().filter(|problem| problem.source == name);
    let problems = problems.map(|problem| {
        let cause = problem.cause;
        Problem::new(cause, format!("{name}: {} is given by the test case", cause.word()))
    });
    let mut part = part(&failed, &passed, &config.wanted(name).demands);
    if source.passes_unknown().is_some() && passed.is_empty() {
        part.proof = Proof::Answered { entries: part.looked_at(), window: None };
    }
    part.as_of = Some(checks.evaluated_at.unwrap_or(now));
    let named: Arc<str> = name.into();
    for check in failed {
        for _ in 0..check.count {
            part.findings.push(finding(check, &named));
        }
    }
    Outcome {
        source: name.to_owned(),
        origin: source.connection().url.origin().ascii_serialization(),
        simulated: false,
        requests: 0,
        filters: source.filters(),
        parts: vec![part],
        problems: problems.collect(),
        notes: Vec::new(),
        remarks: Vec::new(),
        after_fix: None,
        renew: None,
    }
}

/// The counts of a source. Where no passed check is given, everything that gates ask for exists; how
/// much of it passed is known only if nothing failed.
fn part(failed: &[&Check], passed: &[&Check], demands: &[Demand]) -> Part {
    let number = |checks: &[&Check]| checks.iter().map(|check| check.count).sum::<u64>();
    let given = number(failed) + number(passed);
    let mut part = Part::of_checks(if passed.is_empty() { given + HEALTHY } else { given });
    if !passed.is_empty() {
        let row = |check: &&Check, count| SubjectCount { subject: subject(check), count };
        let failed =
            failed.iter().map(|check| row(check, Count { passed: Some(0), failed: check.count }));
        let passed =
            passed.iter().map(|check| row(check, Count { passed: Some(check.count), failed: 0 }));
        let rows = failed.chain(passed).collect();
        part.counts.table = Some(Table { by: Field::OF_SUBJECT.into(), rows });
    }
    for demand in demands {
        let count = |checks: &[&Check]| {
            checks.iter().filter(|check| is_of(demand, check)).map(|check| check.count).sum::<u64>()
        };
        let implied = match (passed.is_empty(), demand.need) {
            (true, Need::Existence) => Some(HEALTHY),
            (true, Need::Passes) => failed.is_empty().then_some(HEALTHY),
            (false, _) => Some(count(passed)),
        };
        part.counts
            .answer(demand.selection.clone(), Count { passed: implied, failed: count(failed) });
    }
    part
}

/// Whether a check is within what a gate asks for.
fn is_of(demand: &Demand, check: &Check) -> bool {
    let subject = subject(check);
    let texts = |field| {
        let texts = check.texts.get(&field).map_or(&[][..], Vec::as_slice);
        [texts.first().map(String::as_str), texts.get(1).map(String::as_str)]
    };
    let resource = texts(Field::Resource);
    let facets = facets(check);
    let selection = &demand.selection;
    selection.matches(&subject)
        && selection.matches_resource(resource[0], resource[1])
        && selection.matches_facets(&facets)
        && !selection.excludes_facets(&subject, resource, &facets)
}

fn subject(check: &Check) -> Subject {
    let first = |field| check.texts.get(&field).and_then(|texts| texts.first());
    let shared = |field| first(field).map(|text| Arc::from(text.as_str()));
    let all = |field| check.texts.get(&field).map_or(&[][..], Vec::as_slice);
    let (frameworks, controls) = (all(Field::Framework), all(Field::Control));
    let control = |at: usize| {
        // Several controls of one framework, or one control in several frameworks.
        let of = |texts: &[String]| -> Arc<str> {
            texts.get(at).or(texts.last()).map_or_else(Arc::default, |text| text.as_str().into())
        };
        Control { framework: of(frameworks), id: of(controls) }
    };
    Subject {
        severity: check.severity,
        rule: first(Field::Rule)
            .map(|id| Arc::new(Rule { id: id.as_str().into(), title: None, help: None })),
        controls: (0..frameworks.len().max(controls.len())).map(control).collect(),
        resource_type: shared(Field::ResourceType),
        account: first(Field::Account).map(|id| {
            let name = all(Field::Account).get(1).map(|name| name.as_str().into());
            Arc::new(Account { id: id.as_str().into(), name })
        }),
        region: shared(Field::Region),
    }
}

fn facets(check: &Check) -> Facets {
    let stated = Field::FACETS.iter().filter_map(|field| {
        let texts = check.texts.get(field)?.iter().map(|text| text.as_str().into());
        Some((field.word(), texts.collect()))
    });
    stated.collect()
}

fn finding(check: &Check, source: &Arc<str>) -> Finding {
    let all = |field| check.texts.get(&field).map_or(&[][..], Vec::as_slice);
    let first = |field| all(field).first().map(String::as_str);
    let mut finding = Finding::new(subject(check), Identity::Check);
    finding.status = first(Field::Status).map(Into::into);
    finding.resource_id = first(Field::Resource).map(Into::into);
    finding.resource_name = all(Field::Resource).get(1).map(|name| name.as_str().into());
    finding.actor = first(Field::Actor).map(Into::into);
    finding.assignee = first(Field::Assignee).map(Into::into);
    finding.facets = facets(check);
    finding.created_at = check.created_at;
    finding.identify(source);
    finding
}
