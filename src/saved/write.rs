//! Writes evidence as lines.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::Decided;
use super::line::{self, Line};
use crate::evidence::{CiRun, Evidence, Findings, Outcome, Part, Proof, Unevaluated};
use crate::finding::{Account, Finding, Identity, Problem, Rule, Subject};
use crate::policy::{Document, Whose};
use crate::selection::{Field, Pattern, Selection};
use crate::text;

/// Pieces of documents are this long at most, so that no line is too long to be read.
const MOST_BYTES_OF_TEXT: usize = 64 << 10;

/// Writes evidence, the files of the policy and what was decided from both.
///
/// # Errors
/// What the writer reports.
pub(crate) fn write(
    evidence: &Evidence,
    documents: &[Document],
    decided: &Decided,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut lines = LineWriter { out, hash: Sha256::new(), count: 0, buffer: Vec::new() };
    lines.line(&Line::Header(line::Header {
        schema: line::SCHEMA.into(),
        version: line::VERSION,
        tool: (&*decided.tool.version).into(),
        started: evidence.started,
        finished: evidence.finished,
        ages: has_ages(evidence),
    }))?;
    let mut known = Numbered::default();
    for outcome in &evidence.outcomes {
        lines.line(&Line::Source(source(outcome)))?;
        for one in &outcome.parts {
            part(one, decided.now, &mut known, &mut lines)?;
        }
    }
    for document in documents {
        lines.line(&Line::Document(line::Document {
            path: (&*document.path).into(),
            sha256: (&*document.sha256).into(),
            organisation: document.whose == Whose::Organisation,
        }))?;
        for piece in pieces(&document.text) {
            lines.line(&Line::Text(piece.into()))?;
        }
    }
    lines.line(&Line::Decision(decision(decided)))?;
    lines.end()
}

/// Lines on their way out.
struct LineWriter<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
    count: u64,
    buffer: Vec<u8>,
}

impl LineWriter<'_> {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)?;
        self.buffer.push(b'\n');
        self.hash.update(&self.buffer);
        self.count += 1;
        self.out.write_all(&self.buffer)
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(&end(self.count, self.hash))
    }
}

/// The last line, with its line break.
pub(super) fn end(lines: u64, hash: Sha256) -> Vec<u8> {
    let sha256 = text::hexadecimal(&hash.finalize());
    format!("{{\"end\":{{\"lines\":{lines},\"sha256\":\"{sha256}\"}}}}\n").into_bytes()
}

/// The rules and subjects that have a line already, with their numbers.
#[derive(Default)]
struct Numbered<'a> {
    rules: HashMap<&'a Rule, usize>,
    subjects: HashMap<&'a Subject, usize>,
}

impl<'a> Numbered<'a> {
    /// The number of a subject; writes its line, and that of its rule, if it has none yet.
    fn subject(&mut self, subject: &'a Subject, lines: &mut LineWriter<'_>) -> io::Result<usize> {
        if let Some(number) = self.subjects.get(subject) {
            return Ok(*number);
        }
        let rule = match subject.rule.as_deref() {
            Some(rule) => Some(self.rule(rule, lines)?),
            None => None,
        };
        let controls = subject.controls.iter();
        lines.line(&Line::Subject(line::Subject {
            severity: subject.severity,
            rule,
            controls: controls
                .map(|control| line::Control {
                    framework: (&*control.framework).into(),
                    id: (&*control.id).into(),
                })
                .collect(),
            resource_type: subject.resource_type.as_deref().map(Into::into),
            account: subject.account.as_deref().map(account),
            region: subject.region.as_deref().map(Into::into),
        }))?;
        let number = self.subjects.len();
        self.subjects.insert(subject, number);
        Ok(number)
    }

    fn rule(&mut self, rule: &'a Rule, lines: &mut LineWriter<'_>) -> io::Result<usize> {
        if let Some(number) = self.rules.get(rule) {
            return Ok(*number);
        }
        lines.line(&Line::Rule(line::Rule {
            id: (&*rule.id).into(),
            title: rule.title.as_deref().map(Into::into),
            help: rule.help.as_deref().map(Into::into),
        }))?;
        let number = self.rules.len();
        self.rules.insert(rule, number);
        Ok(number)
    }
}

fn source(outcome: &Outcome) -> line::Source<'_> {
    line::Source {
        name: (&*outcome.source).into(),
        origin: (&*outcome.origin).into(),
        simulated: outcome.simulated,
        filters: outcome
            .filters
            .iter()
            .map(|filter| line::Filter {
                key: (&*filter.key).into(),
                field: filter.field,
                words: filter.words.iter().map(|word| (&**word).into()).collect(),
            })
            .collect(),
        requests: outcome.requests,
        problems: outcome.problems.iter().map(problem).collect(),
        notes: texts(&outcome.notes),
        remarks: texts(&outcome.remarks),
        after_fix: outcome.after_fix.as_deref().map(Into::into),
        renew: outcome.renew.as_deref().map(Into::into),
    }
}

/// Whether findings were given the time at which they were first seen.
fn has_ages(evidence: &Evidence) -> bool {
    let mut parts = evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    parts.any(|part| part.findings.listed().iter().any(|finding| finding.first_seen.is_some()))
}

fn part<'a>(
    part: &'a Part,
    now: DateTime<Utc>,
    known: &mut Numbered<'a>,
    lines: &mut LineWriter<'_>,
) -> io::Result<()> {
    let findings = part.findings.listed();
    lines.line(&Line::Part(line::Part {
        framework: part.framework.as_deref().map(Into::into),
        image: part.image.as_deref().map(Into::into),
        unit: part.unit,
        problems: part.problems.iter().map(problem).collect(),
        notes: texts(&part.notes),
        jobs: part
            .jobs
            .iter()
            .map(|job| line::Job {
                id: (&*job.id).into(),
                state: (&*job.state).into(),
                role: job.role,
                ended_at: job.ended_at,
            })
            .collect(),
        accounts_without_results: part.unevaluated.iter().map(unevaluated).collect(),
        proof: match part.proof {
            Proof::Checks { evaluated } => line::Proof::Checks(evaluated),
            Proof::Answered { entries, window } => line::Proof::Answered {
                entries,
                window: window.map(|window| (window.from, window.to)),
            },
        },
        as_of: part.as_of,
        read_at: part.read_at,
        before: part
            .before
            .as_ref()
            .map(|before| (before.from, before.known.iter().map(ToString::to_string).collect())),
        incomplete: match &part.findings {
            Findings::Listed(_) => None,
            Findings::Incomplete { why, .. } => Some(problem(why)),
        },
        findings: findings.len() as u64,
    }))?;
    for finding in findings {
        let subject = known.subject(&finding.subject, lines)?;
        lines.line(&Line::Finding(self::finding(finding, subject, now)))?;
    }
    if let Some(table) = &part.counts.table {
        lines.line(&Line::Table(line::Table { by: table.by.clone() }))?;
        for row in &table.rows {
            let subject = known.subject(&row.subject, lines)?;
            let (passed, failed) = (row.count.passed, row.count.failed);
            lines.line(&Line::Count(line::Count { subject, passed, failed }))?;
        }
    }
    for answer in &part.counts.answers {
        lines.line(&Line::Answer(line::Answer {
            selection: selection(&answer.selection),
            passed: answer.count.passed,
            failed: answer.count.failed,
        }))?;
    }
    Ok(())
}

fn finding(finding: &Finding, subject: usize, now: DateTime<Utc>) -> line::Finding<'_> {
    let facets = finding.facets.iter().map(|(key, texts)| {
        let texts = texts.iter().map(|text| line::Text::from(&**text));
        (line::Text::from(key), texts.collect())
    });
    line::Finding {
        id: finding.fingerprint.to_string().into(),
        subject,
        resource: finding.resource_id.as_deref().map(Into::into),
        name: finding.resource_name.as_deref().map(Into::into),
        status: finding.status.as_deref().map(Into::into),
        closed: !finding.open,
        reason: finding.reason.as_deref().map(Into::into),
        link: finding.link.as_deref().map(Into::into),
        actor: finding.actor.as_deref().map(Into::into),
        assignee: finding.assignee.as_deref().map(Into::into),
        facets: facets.collect(),
        created_at: finding.created_at,
        first_seen: Some(finding.first_seen.unwrap_or(now)),
        image: match &finding.identity {
            Identity::Image(part) => Some(line::ImagePart {
                repository: (&*part.repository).into(),
                package: (&*part.package).into(),
                path: (&*part.path).into(),
            }),
            Identity::Check | Identity::Event(_) => None,
        },
        event: matches!(finding.identity, Identity::Event(_)),
        rerating: finding.rerating.map(|rerating| (rerating.original, rerating.current)),
        waiver: finding.waiver.as_deref().map(|waiver| line::Waiver {
            kind: waiver.kind.word().into(),
            until: waiver.until,
            by: waiver.by.as_deref().map(Into::into),
            reason: waiver.reason.as_deref().map(Into::into),
            fault: waiver.fault.as_deref().map(Into::into),
        }),
    }
}

fn selection(selection: &Selection) -> line::Selection<'_> {
    let except = selection.except.iter().map(|except| line::Exclusion {
        words: words(&except.words),
        severity: except.severity.clone(),
    });
    line::Selection {
        words: words(&selection.words),
        severity: selection.severity.clone(),
        older_than: selection.older_than.map(|age| age.as_secs()),
        except: except.collect(),
    }
}

fn words(words: &BTreeMap<Field, Vec<Pattern>>) -> BTreeMap<Field, Vec<line::Text<'_>>> {
    let mut texts = BTreeMap::new();
    for (field, patterns) in words {
        texts.insert(*field, patterns.iter().map(Pattern::as_str).map(Into::into).collect());
    }
    texts
}

fn decision(decided: &Decided) -> line::Decision<'_> {
    let CiRun { host, url, id, repository, commit, actor } = &decided.run;
    line::Decision {
        verdict: decided.verdict,
        exit_code: decided.exit_code,
        at_least: decided.at_least,
        now: decided.now,
        environment: decided.environment.as_deref().map(Into::into),
        changes: decided.changes.as_deref().map(Into::into),
        warn_exit_code: decided.warn_exit_code,
        break_glass: decided.break_glass.as_deref().map(Into::into),
        subjects: decided
            .subjects
            .iter()
            .map(|one| line::Artefact { name: (&*one.name).into(), sha256: (&*one.sha256).into() })
            .collect(),
        tool_sha256: decided.tool.sha256.as_deref().map(Into::into),
        run: line::Run {
            host: (&**host).into(),
            url: url.as_deref().map(Into::into),
            id: id.as_deref().map(Into::into),
            repository: repository.as_deref().map(Into::into),
            commit: commit.as_deref().map(Into::into),
            actor: actor.as_deref().map(Into::into),
        },
    }
}

fn problem(problem: &Problem) -> line::Problem<'_> {
    line::Problem {
        cause: problem.cause,
        message: (&*problem.message).into(),
        help: problem.help.as_deref().map(Into::into),
    }
}

fn account(account: &Account) -> line::Account<'_> {
    line::Account { id: (&*account.id).into(), name: account.name.as_deref().map(Into::into) }
}

fn unevaluated(one: &Unevaluated) -> line::Unevaluated<'_> {
    let line::Account { id, name } = account(&one.account);
    line::Unevaluated { id, name, why: one.why.as_deref().map(Into::into) }
}

fn texts(texts: &[String]) -> Vec<line::Text<'_>> {
    texts.iter().map(|text| line::Text::from(&**text)).collect()
}

/// A text in pieces, none cut within a character.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let most = rest.len().min(MOST_BYTES_OF_TEXT);
        let at = (0..=most).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(most);
        let (piece, after) = rest.split_at(at);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
