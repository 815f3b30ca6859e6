//! A valid configuration from one layer of a file: what is written, checked as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::diagnostic::Diagnostic;
use super::file::{EvidenceEntry, ExportEntry, File, Layer, Sources};
use super::reader::Located;
use super::source::{self, Source as Text};
use super::values::{Reports, Words};
use super::{Config, Export};
use crate::acceptance::{Acceptance, Forgives};
use crate::export;
use crate::policy::{Demands, Document, Policy, Whose};
use crate::sources::bigid;

mod gate;

/// So many tickets at once can still be looked through, and taken back, by hand.
const DEFAULT_MAX_CREATES: u64 = 20;

const DEFAULT_LEDGER: &str = ".compliance-gate/tickets.jsonl";

/// Checks a layer. What comes back is only of use if nothing was added to `diagnostics`.
pub(super) fn config(
    layer: &Layer,
    file: &File,
    accept: Vec<Acceptance>,
    source: &Text,
    environment: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Config {
    let gates = file.gates.iter().filter(|gate| gate.whole);
    let gates = gates.map(|entry| gate::checked(entry, &layer.sources, &source.file, diagnostics));
    let gates = gates.collect();
    let owners = gate::owners(&file.owners, diagnostics);
    let policy = Policy {
        whose: Whose::Repository,
        most_by_taken: 0,
        mode: file.mode,
        gates,
        accept,
        owners,
        evidence: Demands::default(),
    };
    let evidence = evidence(&file.evidence);
    let export = file.export.as_ref().filter(|export| export.whole);
    let is_used = |name: &String| !layer.unused.iter().any(|(unused, _)| unused == name);
    let sources = layer.sources.iter().filter(|(name, _)| is_used(name));
    Config {
        path: source.file.to_string(),
        documents: vec![Document::new(&*source.file, &*source.text)],
        environment: environment.map(str::to_owned),
        deadline: file.deadline.map(|period| period.0),
        organisation: None,
        artefacts: Vec::new(),
        break_glass: file.break_glass.iter().map(|code| code.0).collect(),
        terms: file.accept_from_repository.terms(),
        taken: BTreeMap::new(),
        sources: sources
            .filter_map(|(name, source)| Some((name.clone(), Rc::clone(&source.as_ref()?.value))))
            .collect(),
        export: export
            .and_then(|entry| exported(entry, &layer.sources, &source.folder, diagnostics)),
        reports: reports(&file.reports, &source.folder, diagnostics),
        notes: notes(layer, &policy, &evidence),
        policy: Policy { evidence, ..policy },
    }
}

/// What is worth knowing and wrong with nothing.
fn notes(layer: &Layer, policy: &Policy, evidence: &Demands) -> Vec<String> {
    let unused = layer.unused.iter().map(|(name, mark)| {
        format!("line {}: no gate uses source `{name}`, so it is not read", mark.line)
    });
    let age = (evidence.max_age.is_none() && !layer.sources.is_empty())
        .then(|| "`evidence.max_age` is not set, so evidence of any age is relied on".to_owned());
    let idle = policy.accept.iter().filter_map(|entry| match &entry.forgives {
        Forgives::Upstream(upstream) => {
            let why = upstream.never()?;
            Some(format!("acceptance `{}`: `{}` {why}", entry.grounds.id, upstream.word()))
        }
        _ => None,
    });
    let hidden = policy.gates.iter().flat_map(|gate| {
        let line = gate.place.line;
        gate.notes.iter().map(move |note| format!("line {line}: gate `{}`: {note}", gate.id))
    });
    unused.chain(hidden).chain(idle).chain(age).collect()
}

/// Paths of reports, which stay inside the workspace: the author of a pull request
/// that changes a policy must not choose files of the machine that runs it.
fn reports(
    reports: &Reports,
    folder: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, PathBuf> {
    let workspace = source::workspace();
    let mut paths = BTreeMap::new();
    for (format, path) in &reports.0 {
        let written = &path.value;
        if written == "-" {
            paths.insert((*format).to_owned(), written.into());
            continue;
        }
        let place = source::absolute(&folder.join(written));
        let inside = source::resolved(&place).starts_with(&workspace);
        let in_git = place.components().any(|part| part.as_os_str() == ".git");
        if written.is_empty() || !inside || in_git {
            let why = match () {
                () if written.is_empty() => "an empty path; leave the key out".to_owned(),
                () if in_git => format!("`{written}` is a file of git; name another place"),
                () => format!(
                    "`{written}` leaves the workspace; a report that a policy names stays inside \
                     it (`--{format} PATH` may name any place)"
                ),
            };
            diagnostics.push(Diagnostic::at(path.mark, why));
        }
        // Short where it can be: people read it.
        let here = source::absolute(Path::new("."));
        let shown = place.strip_prefix(here).map(Path::to_owned).unwrap_or(place);
        paths.insert((*format).to_owned(), shown);
    }
    paths
}

/// The path of the ledger. As every path in a policy file, it begins at the folder of the file.
fn ledger(written: Option<&Path>, folder: &Path) -> PathBuf {
    let Some(written) = written else { return DEFAULT_LEDGER.into() };
    let place = source::absolute(&folder.join(written));
    let here = source::absolute(Path::new("."));
    place.strip_prefix(here).map(Path::to_owned).unwrap_or(place)
}

/// The export, checked against the source that it takes its cases from.
fn exported(
    entry: &Located<ExportEntry>,
    sources: &Sources,
    folder: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Export> {
    let ExportEntry { source, severity, policy, status, .. } = &entry.value;
    let has_cases = |name: &str| name.split('/').next() == Some(bigid::SYSTEM.name);
    let able: Vec<_> = sources.keys().map(String::as_str).filter(|name| has_cases(name)).collect();
    let name = match (source, able.as_slice()) {
        (Some(named), able) if able.contains(&named.value.as_str()) => named.value.clone(),
        (None, [only]) => (*only).to_owned(),
        (named, able) => {
            let mark = named.as_ref().map_or(entry.mark, |named| named.mark);
            let known = match able {
                [] => "no source of BigID is configured, and only BigID has cases".to_owned(),
                able => format!("`source` is one of {}", able.join(", ")),
            };
            diagnostics.push(Diagnostic::at(mark, format!("the export has no source: {known}")));
            return None;
        }
    };
    if entry.value.jira.is_none() && entry.value.servicenow.is_none() {
        let message = "the export has no target; give it `jira` or `servicenow`";
        diagnostics.push(Diagnostic::at(entry.mark, message));
    }
    let words = |words: &Option<Words>| {
        words.as_ref().map(|words| words.0.iter().map(|word| word.0.clone()).collect())
    };
    Some(Export {
        rules: export::Rules {
            source: name,
            severity: severity.as_ref().map(|severities| severities.0.clone()),
            policy: words(policy),
            status: words(status),
            max_creates: entry.value.max_creates.unwrap_or(DEFAULT_MAX_CREATES),
            ledger: ledger(entry.value.ledger.as_deref(), folder),
            resolve_as: entry.value.resolve_as,
        },
        jira: entry.value.jira.clone(),
        servicenow: entry.value.servicenow.clone(),
    })
}

fn evidence(entry: &EvidenceEntry) -> Demands {
    Demands {
        min_evaluated: entry.min_evaluated.unwrap_or(1),
        max_age: entry.max_age.as_ref().map(|age| age.value.0),
    }
}
