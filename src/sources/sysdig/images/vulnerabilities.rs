//! The vulnerabilities of an image, as a part of the evidence: each, or only how many of each
//! severity.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::answer;
use super::super::demands::Counted;
use super::super::settings::{Detail, Image};
use super::compare::{self, Compared};
use super::exceptions;
use super::find;
use super::image::AnalysedImage;
use super::wire::{Summary, Vulnerabilities, Vulnerability};
use crate::evidence::{Findings, Part, Table, Unit};
use crate::finding::{Cause, Finding, Fingerprint, Problem, Rule, Severity, Subject};
use crate::selection::{Field, Pattern};
use crate::sources::Session;
use crate::text;

/// Vulnerabilities in a page, the documented types, and the word for all of them.
const PAGE: u64 = 1000;
const KINDS: [&str; 2] = ["os", "non-os"];
const ALL: &str = "all";

/// The vulnerabilities of an image, and what came of comparing it with another one.
pub(super) async fn part(
    session: &Session,
    found: &AnalysedImage,
    detail: Detail,
) -> (Part, Option<Compared>) {
    let mut part = Part {
        unit: Unit::Vulnerability,
        as_of: found.evaluation.at.as_ref().and_then(|at| at.moment()),
        notes: vec![format!("vulnerabilities of image {}", found.name)],
        // A scan without findings evaluated the image.
        ..Part::of_checks(1)
    };
    let compared = match fill(session, found, detail, &mut part).await {
        Ok(compared) => compared,
        Err(problem) => {
            part.problems.push(problem);
            None
        }
    };
    (part, compared)
}

async fn fill(
    session: &Session,
    found: &AnalysedImage,
    detail: Detail,
    part: &mut Part,
) -> Result<Option<Compared>, Problem> {
    let mut compared = None;
    session.progress.status(&session.name, "reading vulnerabilities", &found.name);
    let counts = summary(session, found).await?;
    let total: u64 = counts.values().sum();
    part.set_looked_at(total.max(1));
    match detail {
        Detail::Count => count(session, found, &counts, part),
        Detail::Findings => {
            let mut findings = listed(session, found, &counts).await?;
            if let Some(other) = &found.compare_to {
                let with = leave_out(session, found, other, &mut findings).await?;
                part.notes.push(with.note());
                compared = Some(with);
            }
            part.notes.extend(exceptions::mark(session, found, &mut findings).await);
            part.findings = Findings::Listed(findings);
            // With `detail: count` such an answer would replace the count of failures.
            prove_existence(session, found, part);
        }
    }
    Ok(compared)
}

/// Every vulnerability, once.
async fn listed(
    session: &Session,
    found: &AnalysedImage,
    counts: &BTreeMap<Severity, u64>,
) -> Result<Vec<Finding>, Problem> {
    let total = counts.values().sum();
    let mut findings = Vec::new();
    for kind in KINDS {
        read(session, found, kind, total, &mut findings).await?;
    }
    check_sums(session, found, counts, &findings)?;
    let mut seen = HashSet::new();
    // Both lists may have the same entry.
    findings.retain(|finding| {
        let (package, path) = finding.image_part();
        let reason = finding.reason.as_deref().unwrap_or_default();
        seen.insert(Fingerprint::of(&[finding.rule_id(), package, path, reason]))
    });
    Ok(findings)
}

/// Leaves out what another image has too.
async fn leave_out(
    session: &Session,
    found: &AnalysedImage,
    other: &Image,
    findings: &mut Vec<Finding>,
) -> Result<Compared, Problem> {
    let other = find::other(other, session).await?;
    let before = findings.len();
    let is_same = other.sha256().is_some_and(|digest| found.sha256() == Some(digest));
    match is_same {
        true => findings.clear(),
        false => {
            let counts = summary(session, &other).await?;
            compare::leave_out(&listed(session, &other, &counts).await?, findings);
        }
    }
    let left_out = (before - findings.len()) as u64;
    Ok(Compared { image: found.name.clone(), with: other.name, left_out, is_same })
}

async fn summary(
    session: &Session,
    found: &AnalysedImage,
) -> Result<BTreeMap<Severity, u64>, Problem> {
    let call = found.address.get(&session.http, "vulnSummary", "vulnSummaryDirect");
    let answer = call.send().await.map_err(|error| find::missing(session, &found.name, &error))?;
    let kinds: Option<Summary> = find::object(&answer).map_err(|error| error.problem())?;
    let kinds = kinds.filter(|kinds| KINDS.iter().any(|kind| kinds.contains_key(*kind)));
    let kinds = kinds.ok_or_else(|| {
        let message = format!(
            "{}: the platform has no summary of the vulnerabilities of image {}",
            session.name, found.name
        );
        Problem::new(Cause::Incomplete, message).help("missing data is not a pass")
    })?;
    let mut counts = BTreeMap::new();
    // An undocumented type counts, too. `all` would count twice.
    for (kind, severities) in kinds.iter().filter(|(kind, _)| *kind != ALL) {
        for (word, count) in severities.iter().flatten() {
            let count = count.ok_or_else(|| uncounted(session, found, kind, word))?.0;
            *counts.entry(severity(word)).or_default() += count;
        }
    }
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

fn uncounted(session: &Session, found: &AnalysedImage, kind: &str, severity: &str) -> Problem {
    let message = format!(
        "{}: the summary of the vulnerabilities of image {} has null for `{}` of `{}`",
        session.name,
        found.name,
        text::one_line(severity, 40),
        text::one_line(kind, 40)
    );
    Problem::new(Cause::Protocol, message)
}

fn severity(word: &str) -> Severity {
    match word.eq_ignore_ascii_case("negligible") {
        true => Severity::Informational,
        false => Severity::from_platform(word),
    }
}

/// Reads one list, until it ends or has more than `total`.
async fn read(
    session: &Session,
    found: &AnalysedImage,
    kind: &str,
    total: u64,
    findings: &mut Vec<Finding>,
) -> Result<(), Problem> {
    let mut offset: u64 = 0;
    loop {
        let (direct, cached) = (format!("vulnDirect/{kind}"), format!("vuln/{kind}"));
        let call = found.address.get(&session.http, &cached, &direct);
        let call = call.parameter("offset", &offset.to_string());
        let answer = call.parameter("limit", &PAGE.to_string()).send().await;
        let answer = answer.map_err(|error| find::missing(session, &found.name, &error))?;
        let page: Vulnerabilities = answer::object(&answer).map_err(|error| error.problem())?;
        let rows = page.vulns.unwrap_or_default();
        // Bounded by `total`, below.
        offset += rows.len() as u64;
        let more = page.can_load_more == Some(true);
        if more && rows.is_empty() {
            let message = format!(
                "{}: the list of vulnerabilities of image {} does not end, and has no rows",
                session.name, found.name
            );
            return Err(Problem::new(Cause::Protocol, message));
        }
        for row in &rows {
            findings.push(finding(session, found, row)?);
        }
        if findings.len() as u64 > total {
            let message = format!(
                "{}: the vulnerabilities of image {}: the summary counts {total}, the lists have \
                 more; some may be repeated",
                session.name, found.name
            );
            return Err(Problem::new(Cause::Contradictory, message));
        }
        if !more {
            return Ok(());
        }
    }
}

fn finding(
    session: &Session,
    found: &AnalysedImage,
    row: &Vulnerability,
) -> Result<Finding, Problem> {
    let Some(id) = row.vuln.as_deref().filter(|id| !id.is_empty()) else {
        let message =
            format!("{}: a vulnerability of image {} has no `vuln`", session.name, found.name);
        return Err(Problem::new(Cause::Protocol, message));
    };
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let package = row.package_name.clone().or_else(|| row.package.clone()).unwrap_or_default();
    let version = text(&row.package_version);
    let (fix, fixable) = match row.fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty()) {
        None => ("whether there is a fix is not stated".to_owned(), None),
        Some(fix) if fix.eq_ignore_ascii_case("none") => ("no fix yet".to_owned(), Some("false")),
        Some(fix) => (format!("fixed in {fix}"), Some("true")),
    };
    let rule = Rule { id: id.into(), title: None, help: row.url.as_deref().map(Arc::from) };
    let subject = Subject {
        severity: row.severity.as_ref().map_or(Severity::Unknown, |grade| grade.severity()),
        rule: Some(Arc::new(rule)),
        ..super::subject()
    };
    // The date of disclosure is not when it was seen here, so `created_at` stays empty.
    let mut finding = found.finding(subject, &package, &text(&row.package_path));
    if let Some(fixable) = fixable {
        finding.facets.insert(Field::Fixable.word(), vec![fixable.into()]);
    }
    finding.reason = Some(text::one_line(&format!("{package} {version}: {fix}"), 200).into());
    Ok(finding)
}

/// Checks that the lists have what the summary counts.
fn check_sums(
    session: &Session,
    found: &AnalysedImage,
    counts: &BTreeMap<Severity, u64>,
    findings: &[Finding],
) -> Result<(), Problem> {
    let mut listed: BTreeMap<Severity, u64> = BTreeMap::new();
    for finding in findings {
        *listed.entry(finding.subject.severity).or_default() += 1;
    }
    if listed == *counts {
        return Ok(());
    }
    let words = |counts: &BTreeMap<Severity, u64>| {
        let words = counts.iter().rev().map(|(severity, count)| format!("{count} {severity}"));
        let words = words.collect::<Vec<_>>().join(", ");
        if words.is_empty() { "none".to_owned() } else { words }
    };
    let message = format!(
        "{}: the vulnerabilities of image {}: the summary counts {}, the lists have {}",
        session.name,
        found.name,
        words(counts),
        words(&listed)
    );
    Err(Problem::new(Cause::Contradictory, message)
        .help("run the gate again; the scan may be changing at this moment"))
}

fn count(
    session: &Session,
    found: &AnalysedImage,
    counts: &BTreeMap<Severity, u64>,
    part: &mut Part,
) {
    let message = format!(
        "{}: the vulnerabilities of image {} were only counted, by severity",
        session.name, found.name
    );
    part.findings = Findings::counted(
        Problem::new(Cause::Incomplete, message)
            .help("set `vulnerabilities: findings` for gates that select by anything but severity"),
    );
    part.counts.table = Some(Table::of_failures(counts));
}

/// A scan looks for every known vulnerability, so a named one that was not found was looked for. Names
/// of vulnerabilities have digits, unlike those of a policy's gates.
fn prove_existence(session: &Session, found: &AnalysedImage, part: &mut Part) {
    let mut demands = Counted::all(&session.wanted.demands);
    let (image, facets) = (super::subject(), found.facets());
    for counted in demands.iter_mut().filter(|counted| counted.is_open()) {
        let selection = &counted.demand().selection;
        let names_one = |pattern: &Pattern| {
            pattern.as_str().contains(|c: char| c.is_ascii_digit() || matches!(c, '*' | '?'))
        };
        let rules = selection.words.get(&Field::Rule);
        let is_named = found.names().any(|(id, name)| selection.matches_resource(id, name));
        if rules.is_none_or(|rules| rules.iter().any(names_one))
            && selection.only(|field| field != Field::Rule).matches(&image)
            && selection.matches_facets(&facets)
            && is_named
        {
            counted.add(true);
        }
    }
    let existing = demands.iter().filter(|one| !one.needs_passes());
    part.counts.answers.extend(existing.map(Counted::answer));
    // What is out of scope by the image alone is known without any vulnerability.
    let mut exclusions = Counted::all(&session.wanted.exclusions);
    exclusions.retain(|counted| {
        let fields = counted.demand().selection.fields();
        fields.iter().all(|field| matches!(field, Field::Image | Field::Resource))
    });
    for counted in &mut exclusions {
        if found.names().any(|name| counted.matches(&image, name.into(), &facets)) {
            counted.add(true);
        }
    }
    part.counts.answers.extend(exclusions.iter().map(Counted::answer));
}
