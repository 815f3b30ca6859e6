//! Makes evidence of lines, one after the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::line::{self, Line};
use super::{Decided, Saved};
use crate::artefact::Artefact;
use crate::evidence::{
    Before, CiRun, Count, Counts, Evidence, Filter, Findings, Job, Outcome, Part, Proof,
    SelectionCount, SubjectCount, Table, Tool, Unevaluated, Window,
};
use crate::finding::{
    Account, Control, Facets, Finding, Fingerprint, Identity, ImagePart, Problem, Rerating, Rule,
    Subject, Waiver, WaiverKind,
};
use crate::json::MOST_COUNTED;
use crate::policy::{Document, Whose};
use crate::selection::{Exclusion, Field, Pattern, Selection};

/// Room for this many findings at most is made before they are read: the line of a part says how
/// many there are, and may be wrong.
const MOST_ROOM: u64 = 1 << 22;

/// A sentence about the line that is read.
type Result<T> = std::result::Result<T, &'static str>;

/// What the lines so far amount to.
#[derive(Default)]
pub(super) struct Builder {
    /// When the collection began and when it ended.
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    has_ages: bool,
    /// Of the program that wrote the file.
    version: String,
    outcomes: Vec<Outcome>,
    /// The name of the last source.
    source: Arc<str>,
    rules: Vec<Arc<Rule>>,
    subjects: Vec<Arc<Subject>>,
    texts: HashSet<Arc<str>>,
    accounts: HashSet<Arc<Account>>,
    facets: HashSet<Facets>,
    /// How many findings of the last part are still to come.
    missing: u64,
    /// Documents, and the digest that each should have.
    documents: Vec<(Whose, String, String, String)>,
    decided: Option<Decided>,
}

impl Builder {
    pub(super) fn line(&mut self, line: Line<'_>) -> Result<()> {
        if self.times.is_none() != matches!(line, Line::Header(_)) {
            return Err("the header is the first line, and only that");
        }
        if self.decided.is_some() {
            return Err("nothing but the last line follows the decision");
        }
        let of_part = matches!(line, Line::Finding(_) | Line::Subject(_) | Line::Rule(_));
        if self.missing > 0 && !of_part {
            return Err("findings of the part above are missing here");
        }
        match line {
            Line::Header(header) => self.header(&header)?,
            Line::Source(source) => {
                self.source = source.name.as_ref().into();
                self.outcomes.push(outcome(source));
            }
            Line::Part(part) => self.part(part)?,
            Line::Rule(rule) => self.rules.push(Arc::new(Rule {
                id: rule.id.into(),
                title: rule.title.map(Arc::from),
                help: rule.help.map(Arc::from),
            })),
            Line::Subject(subject) => self.subject(subject)?,
            Line::Finding(finding) => self.finding(finding)?,
            Line::Table(table) => {
                self.counts()?.table = Some(Table { by: table.by, rows: Vec::new() });
            }
            Line::Count(line) => {
                let subject = Subject::clone(&*self.known(line.subject)?);
                let count = count(line.passed, line.failed)?;
                let table =
                    self.counts()?.table.as_mut().ok_or("this count belongs to no table")?;
                table.rows.push(SubjectCount { subject, count });
            }
            Line::Answer(line) => self.counts()?.answers.push(SelectionCount {
                selection: selection(line.selection),
                count: count(line.passed, line.failed)?,
            }),
            Line::Document(line) => {
                let (path, sha256) = (line.path.into_owned(), line.sha256.into_owned());
                let whose = match line.organisation {
                    true => Whose::Organisation,
                    false => Whose::Repository,
                };
                self.documents.push((whose, path, String::new(), sha256));
            }
            Line::Text(piece) => {
                let document = self.documents.last_mut().ok_or("this text has no document")?;
                document.2.push_str(&piece);
            }
            Line::Decision(line) => {
                let version = std::mem::take(&mut self.version);
                self.decided = Some(decided(line, version));
            }
            Line::End(_) => return Err("the last line is not as it was written"),
        }
        Ok(())
    }

    /// The whole, from its last line on.
    pub(super) fn finish(mut self, sha256: String) -> Result<Saved> {
        let parts = self.outcomes.iter_mut().flat_map(|outcome| &mut outcome.parts);
        parts.for_each(|part| part.findings.sort());
        let (started, finished) = self.times.ok_or("the header is missing")?;
        let decided = self.decided.ok_or("the decision is missing")?;
        let documents = self.documents.into_iter().map(|(whose, path, text, sha256)| {
            let document = Document { whose, ..Document::new(path, text) };
            Some(document).filter(|document| document.sha256 == sha256)
        });
        let documents: Option<Vec<_>> = documents.collect();
        Ok(Saved {
            evidence: Evidence { started, finished, outcomes: self.outcomes },
            documents: documents.ok_or("a document does not have the digest that it should")?,
            decided,
            has_ages: self.has_ages,
            sha256,
        })
    }

    fn header(&mut self, header: &line::Header<'_>) -> Result<()> {
        if header.schema != line::SCHEMA {
            return Err("this is another format");
        }
        self.times = Some((header.started, header.finished));
        self.has_ages = header.ages;
        self.version = header.tool.to_string();
        Ok(())
    }

    fn part(&mut self, line: line::Part<'_>) -> Result<()> {
        let room = usize::try_from(line.findings.min(MOST_ROOM)).unwrap_or(0);
        let listed = Vec::with_capacity(room);
        let unevaluated = line.accounts_without_results.into_iter().map(|one| Unevaluated {
            account: Account { id: one.id.into(), name: one.name.map(Arc::from) },
            why: one.why.map(Box::from),
        });
        let part = Part {
            framework: line.framework.map(String::from),
            image: line.image.map(String::from),
            unit: line.unit,
            problems: line.problems.into_iter().map(problem).collect(),
            notes: owned(line.notes),
            jobs: line.jobs.into_iter().map(job).collect(),
            unevaluated: unevaluated.collect(),
            proof: match line.proof {
                line::Proof::Checks(evaluated) => Proof::Checks { evaluated: counted(evaluated)? },
                line::Proof::Answered { entries, window } => Proof::Answered {
                    entries: counted(entries)?,
                    window: window.map(|(from, to)| Window { from, to }),
                },
            },
            as_of: line.as_of,
            read_at: line.read_at,
            before: line.before.map(before).transpose()?,
            findings: match line.incomplete.map(problem) {
                None => Findings::Listed(listed),
                Some(why) => Findings::Incomplete { listed, why },
            },
            counts: Counts::default(),
        };
        self.missing = line.findings;
        let outcome = self.outcomes.last_mut().ok_or("this part belongs to no source")?;
        outcome.parts.push(part);
        Ok(())
    }

    fn last_part(&mut self) -> Result<&mut Part> {
        let part = self.outcomes.last_mut().and_then(|outcome| outcome.parts.last_mut());
        part.ok_or("this line belongs to no part")
    }

    fn counts(&mut self) -> Result<&mut Counts> {
        Ok(&mut self.last_part()?.counts)
    }

    fn subject(&mut self, line: line::Subject<'_>) -> Result<()> {
        let unknown = "this subject has a rule that no line above has";
        let rule = match line.rule {
            Some(number) => Some(self.rules.get(number).cloned().ok_or(unknown)?),
            None => None,
        };
        let mut controls = Vec::with_capacity(line.controls.len());
        for control in line.controls {
            let (framework, id) = (self.text(&control.framework), self.text(&control.id));
            controls.push(Control { framework, id });
        }
        let subject = Subject {
            severity: line.severity,
            rule,
            controls: controls.into(),
            resource_type: line.resource_type.map(|text| self.text(&text)),
            account: line.account.map(|account| self.account(&account)),
            region: line.region.map(|text| self.text(&text)),
        };
        self.subjects.push(Arc::new(subject));
        Ok(())
    }

    fn finding(&mut self, line: line::Finding<'_>) -> Result<()> {
        self.missing = self.missing.checked_sub(1).ok_or("the part above has fewer findings")?;
        let mut facets = Facets::default();
        for (key, texts) in line.facets {
            let field = Field::ALL.iter().find(|field| field.word() == key);
            let key = field.ok_or("a facet of this finding is not a selector")?.word();
            let texts = texts.iter().map(|text| self.text(text)).collect();
            facets.insert(key, texts);
        }
        let facets = self.shared(facets);
        let wrong = "the id of this finding is not 32 hexadecimal digits";
        let id = Fingerprint::parse(&line.id).ok_or(wrong)?;
        let source = Arc::clone(&self.source);
        let mut finding = Finding {
            source: Arc::clone(&source),
            subject: self.known(line.subject)?,
            status: line.status.map(|text| self.text(&text)),
            open: !line.closed,
            resource_id: line.resource.map(Box::from),
            resource_name: line.name.map(Box::from),
            reason: line.reason.map(Box::from),
            link: line.link.map(Box::from),
            actor: line.actor.map(|text| self.text(&text)),
            assignee: line.assignee.map(|text| self.text(&text)),
            facets,
            created_at: line.created_at,
            first_seen: line.first_seen,
            waiver: line.waiver.map(waiver).transpose()?.map(Box::new),
            rerating: line.rerating.map(|(original, current)| Rerating { original, current }),
            identity: match (line.image, line.event) {
                (Some(image), _) => Identity::Image(Box::new(ImagePart {
                    repository: image.repository.into(),
                    package: image.package.into(),
                    path: image.path.into(),
                })),
                (None, true) => Identity::Event(id),
                (None, false) => Identity::Check,
            },
            fingerprint: id,
        };
        if !line.event {
            finding.identify(&source);
            if finding.fingerprint != id {
                return Err("the id of this finding is not that of its rule and its resource");
            }
        }
        self.last_part()?.findings.push(finding);
        Ok(())
    }

    fn known(&self, subject: usize) -> Result<Arc<Subject>> {
        self.subjects.get(subject).cloned().ok_or("no line above has the subject of this one")
    }

    /// The text, shared with all others that are equal.
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    fn shared(&mut self, facets: Facets) -> Facets {
        if let Some(known) = self.facets.get(&facets) {
            return known.clone();
        }
        self.facets.insert(facets.clone());
        facets
    }

    fn account(&mut self, line: &line::Account<'_>) -> Arc<Account> {
        let (id, name) = (self.text(&line.id), line.name.as_deref().map(|name| self.text(name)));
        let account = Account { id, name };
        if let Some(known) = self.accounts.get(&account) {
            return Arc::clone(known);
        }
        let new = Arc::new(account);
        self.accounts.insert(Arc::clone(&new));
        new
    }
}

fn count(passed: Option<u64>, failed: u64) -> Result<Count> {
    Ok(Count { passed: passed.map(counted).transpose()?, failed: counted(failed)? })
}

fn before((from, ids): (DateTime<Utc>, Vec<String>)) -> Result<Before> {
    let ids = ids.iter().map(|id| Fingerprint::parse(id));
    let known =
        ids.collect::<Option<_>>().ok_or("an id of `before` is not 32 hexadecimal digits")?;
    Ok(Before { from, known })
}

fn counted(number: u64) -> Result<u64> {
    if number <= MOST_COUNTED { Ok(number) } else { Err("a count is too large") }
}

fn outcome(line: line::Source<'_>) -> Outcome {
    Outcome {
        source: line.name.into_owned(),
        origin: line.origin.into_owned(),
        simulated: line.simulated,
        filters: line
            .filters
            .into_iter()
            .map(|filter| Filter {
                key: filter.key.into_owned(),
                field: filter.field,
                words: filter.words.into_iter().map(String::from).collect(),
            })
            .collect(),
        requests: line.requests,
        parts: Vec::new(),
        problems: line.problems.into_iter().map(problem).collect(),
        notes: owned(line.notes),
        remarks: owned(line.remarks),
        after_fix: line.after_fix.map(|text| text.into_owned().into()),
        renew: line.renew.map(|text| text.into_owned().into()),
    }
}

fn waiver(line: line::Waiver<'_>) -> Result<Waiver> {
    let kind = WaiverKind::ALL.into_iter().find(|kind| kind.word() == line.kind);
    Ok(Waiver {
        kind: kind.ok_or("the waiver of this finding has an unknown kind")?,
        until: line.until,
        by: line.by.map(Box::from),
        reason: line.reason.map(Box::from),
        fault: line.fault.map(Box::from),
    })
}

fn problem(line: line::Problem<'_>) -> Problem {
    Problem {
        cause: line.cause,
        message: line.message.into_owned(),
        help: line.help.map(String::from),
    }
}

fn job(line: line::Job<'_>) -> Job {
    Job {
        id: line.id.into_owned(),
        state: line.state.into_owned(),
        role: line.role,
        ended_at: line.ended_at,
    }
}

fn selection(line: line::Selection<'_>) -> Selection {
    let except = line
        .except
        .into_iter()
        .map(|except| Exclusion { words: words(except.words), severity: except.severity });
    Selection {
        words: words(line.words),
        severity: line.severity,
        older_than: line.older_than.map(Duration::from_secs),
        except: except.collect(),
    }
}

fn words(words: BTreeMap<Field, Vec<line::Text<'_>>>) -> BTreeMap<Field, Vec<Pattern>> {
    let patterns = |words: Vec<line::Text<'_>>| {
        words.into_iter().map(|word| Pattern::new(word.into_owned())).collect()
    };
    words.into_iter().map(|(field, words)| (field, patterns(words))).collect()
}

fn decided(line: line::Decision<'_>, version: String) -> Decided {
    let run = line.run;
    Decided {
        verdict: line.verdict,
        exit_code: line.exit_code,
        at_least: line.at_least,
        now: line.now,
        environment: line.environment.map(String::from),
        changes: line.changes.map(String::from),
        warn_exit_code: line.warn_exit_code,
        break_glass: line.break_glass.map(String::from),
        subjects: line
            .subjects
            .into_iter()
            .map(|one| Artefact { name: one.name.into_owned(), sha256: one.sha256.into_owned() })
            .collect(),
        run: CiRun {
            host: run.host.into_owned(),
            url: run.url.map(String::from),
            id: run.id.map(String::from),
            repository: run.repository.map(String::from),
            commit: run.commit.map(String::from),
            actor: run.actor.map(String::from),
        },
        tool: Tool { version, sha256: line.tool_sha256.map(String::from) },
    }
}

fn owned(texts: Vec<line::Text<'_>>) -> Vec<String> {
    texts.into_iter().map(String::from).collect()
}
