//! GitLab's code quality list: what a merge request shows beside the changed files.
//!
//! Only what is beyond a limit is an issue of the merge request, so a pass is `[]`. Evidence that
//! is missing is one `blocker`, since an empty list would read as fixed. GitLab reads up to the
//! first entry that it does not understand and drops the rest. It merges the lists of all jobs of
//! a pipeline and keeps one entry per fingerprint, so the policy file and the environment are part
//! of each.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Component, Path};

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::view::{Entry, View, Weight};
use super::{Format, digest, write};
use crate::evaluate::State;
use crate::finding::{Fingerprint, Severity};
use crate::policy::{self, Place};
use crate::text;
use crate::verdict::Verdict;

pub(super) const FORMAT: Format = Format {
    name: "code-quality",
    title: "GitLab code quality",
    extension: "code-quality.json",
    render,
};

/// GitLab states no limit, but compares the whole list on every merge request.
const MOST_ENTRIES: usize = 10_000;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: Grade,
    location: Location<'a>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Info,
    Minor,
    Major,
    Critical,
    /// Only for what could not be established.
    Blocker,
}

#[derive(Serialize)]
struct Location<'a> {
    path: Cow<'a, str>,
    lines: IssueLines,
}

#[derive(Serialize)]
struct IssueLines {
    begin: u64,
}

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let issues = Issues { view, path: path(view.policy), scope: view.scope() };
    write::pretty(&issues, out)
}

/// Made one at a time while they are written.
struct Issues<'v, 'a> {
    view: &'v View<'a>,
    path: String,
    scope: String,
}

impl Serialize for Issues<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { view, path, scope } = self;
        let mut issues = serializer.serialize_seq(None)?;
        let mut free = MOST_ENTRIES;
        if let Some(issue) = inconclusive(view, path) {
            issues.serialize_element(&issue)?;
            free -= 1;
        }
        let beyond = view.over_limit().count();
        let most = if beyond > free { free - 1 } else { free };
        let mut seen = BTreeSet::new();
        for entry in view.over_limit().take(most) {
            let own = entry.finding.fingerprint.to_string();
            let mut fingerprint = Fingerprint::of(&[scope, &own]);
            // Two sources may be tenants of one platform and report the same.
            if !seen.insert(fingerprint) {
                let (same, number) = (fingerprint.to_string(), seen.len().to_string());
                fingerprint = Fingerprint::of(&[&same, entry.source(), &number]);
                seen.insert(fingerprint);
            }
            issues.serialize_element(&issue(view, entry, fingerprint, path))?;
        }
        if beyond > most {
            issues.serialize_element(&left_out(view, beyond - most, path))?;
        }
        issues.end()
    }
}

fn issue<'p>(
    view: &View<'_>,
    entry: &Entry<'_>,
    fingerprint: Fingerprint,
    path: &'p str,
) -> Issue<'p> {
    let finding = entry.finding;
    let gates = view.responsible_gates(entry);
    let verb = if entry.weight == Some(Weight::Blocks) { "blocked by" } else { "beyond" };
    let title = text::one_line(finding.title(), 200);
    let description = format!("{title}: {} ({verb} {gates})", digest::resource(finding));
    let rule = format!("{}/{}", policy::system_of(entry.source()), finding.rule_id());
    let breached = view.gates_of(entry).find(|ruling| ruling.state == State::Breached);
    Issue {
        description: text::disarmed(&description).into_owned(),
        check_name: text::one_line(&rule, 255),
        fingerprint: fingerprint.to_string(),
        severity: grade(finding.subject.severity),
        location: located(
            path,
            &breached.map(|ruling| view.place(ruling.gate)).unwrap_or_default(),
        ),
    }
}

/// One entry for all that is missing.
fn inconclusive<'p>(view: &View<'_>, path: &'p str) -> Option<Issue<'p>> {
    let decision = view.decision;
    let undecided = || decision.rulings.iter().filter(|ruling| ruling.state == State::Undecided);
    let stops = undecided().any(|ruling| Weight::of(ruling) == Weight::Blocks)
        || !(decision.verdict.is_pass() || decision.verdict == Verdict::Blocked);
    let first = undecided().next();
    if first.is_none() && !stops {
        return None;
    }
    let problems = &view.problems;
    let words = problems.first().map_or_else(String::new, |problem| {
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!(" And {}.", text::count(more as u64, "more problem")),
        };
        let message = text::one_line(&problem.message, 600);
        format!(". {}: {message}. Next: {}.{more}", problem.cause.word(), digest::next(problem))
    });
    Some(Issue {
        description: format!("{}{words}", digest::headline(view)),
        check_name: "compliance-gate/inconclusive".to_owned(),
        fingerprint: fingerprint(&[&view.scope(), "inconclusive"]),
        severity: if stops { Grade::Blocker } else { Grade::Major },
        location: located(path, &first.map(|ruling| view.place(ruling.gate)).unwrap_or_default()),
    })
}

fn left_out<'p>(view: &View<'_>, number: usize, path: &'p str) -> Issue<'p> {
    let words = text::count(number as u64, "finding");
    Issue {
        description: format!(
            "{words} left out, the least severe. The gates counted everything, and the JSON \
             report (--json FILE) lists everything."
        ),
        check_name: "compliance-gate/left-out".to_owned(),
        fingerprint: fingerprint(&[&view.scope(), "left-out"]),
        severity: Grade::Info,
        location: located(path, &Place::default()),
    }
}

fn fingerprint(parts: &[&str]) -> String {
    Fingerprint::of(parts).to_string()
}

const fn grade(severity: Severity) -> Grade {
    match severity {
        Severity::Unknown | Severity::Critical => Grade::Critical,
        Severity::High => Grade::Major,
        Severity::Medium => Grade::Minor,
        Severity::Low | Severity::Informational | Severity::None => Grade::Info,
    }
}

/// A place that names no file is in the policy.
fn located<'p>(policy: &'p str, place: &Place) -> Location<'p> {
    let path = match &*place.file {
        "" => policy.into(),
        file => path(file).into(),
    };
    Location { path, lines: IssueLines { begin: place.line.max(1) } }
}

/// As GitLab names files: relative to the repository, without `./`. An entry without a path ends
/// the reading of the list.
fn path(policy: &str) -> String {
    let policy = text::one_line(policy, 1000);
    let names = Path::new(&policy).components().filter(|part| *part != Component::CurDir);
    let path: std::path::PathBuf = names.collect();
    match path.to_string_lossy() {
        path if path.is_empty() => "compliance-gate.yaml".to_owned(),
        path => path.replace('\\', "/"),
    }
}
