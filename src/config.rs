//! The configuration file: found, read, checked, and turned into values that are valid.
//!
//! This is the only room that knows YAML. What leaves it cannot be wrong: every gate has a limit
//! and only selectors that its sources know, every source is used, every path is a path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::export;
use crate::policy::{Demands, FailOpen, Gate, Limits, Place, Policy};
use crate::selection::{Field, Pattern, Selection};
use crate::sources::{Source, bigid};
use crate::text;

mod diagnostic;
mod file;
mod place;
#[cfg(test)]
mod schema;

pub use diagnostic::{ConfigError, Diagnostic};
use file::{EvidenceEntry, ExportEntry, File, GateEntry, Located, Overlay};
pub use place::{DEFAULT_PATHS, find, reports};

/// Below the hour at which most CI hosts end a job.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(45 * 60);

/// So many tickets at once can still be looked through, and taken back, by hand.
const DEFAULT_MAX_CREATES: u64 = 20;

const DEFAULT_LEDGER: &str = ".compliance-gate/tickets.jsonl";

/// How open cases become tickets.
#[derive(Clone, Debug)]
pub struct Export {
    pub rules: export::Rules,
    pub jira: Option<export::jira::Settings>,
    pub servicenow: Option<export::servicenow::Settings>,
}

/// A valid configuration, of one environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file, from the root of its repository.
    pub path: String,
    pub environment: Option<String>,
    /// For everything together.
    pub deadline: Duration,
    pub sources: BTreeMap<String, Rc<Source>>,
    pub policy: Policy,
    /// Report paths by format name.
    pub reports: BTreeMap<String, PathBuf>,
    pub export: Option<Export>,
}

/// A configuration file as written: well-formed, its keys and values known, not yet checked as a
/// whole.
#[derive(Debug)]
pub struct Written {
    path: String,
    text: String,
    file: File,
}

impl Written {
    /// # Errors
    /// What is wrong with the file, with line, column and snippet.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string().replace('\\', "/");
        let text =
            place::text_of(path).map_err(|message| ConfigError::whole_file(&name, message))?;
        Self::parse(name, text)
    }

    /// # Errors
    /// As for `read`.
    pub fn parse(path: String, text: String) -> Result<Self, ConfigError> {
        match serde_yaml::from_str(&text) {
            Ok(file) => Ok(Self { path, text, file }),
            Err(error) => {
                let diagnostic = Diagnostic::from_yaml(&error, &text);
                Err(ConfigError::new(&path, &text, vec![diagnostic]))
            }
        }
    }

    /// The names of all environments.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.file.environments.keys().map(String::as_str)
    }

    /// Whether the file says something by itself, or only together with an environment.
    pub fn stands_alone(&self) -> bool {
        self.file.environments.is_empty() || !self.file.gates.is_empty()
    }

    /// The configuration of one environment, or of none.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line, column and snippet.
    pub fn resolve(&self, environment: Option<&str>) -> Result<Config, ConfigError> {
        let fail = |diagnostics| ConfigError::new(&self.path, &self.text, diagnostics);
        let overlay = match environment {
            None => None,
            Some(name) => Some(self.overlay(name).map_err(|diagnostic| fail(vec![diagnostic]))?),
        };
        let mut diagnostics = Vec::new();
        let sources = self.sources(overlay);
        let gates = self.gates(overlay, &sources, &mut diagnostics);
        let own = overlay.map(|overlay| &overlay.evidence);
        let evidence = evidence(&self.file.evidence, own, &sources, &mut diagnostics);
        let export = self.file.export.as_ref();
        let export = export.and_then(|entry| exported(entry, &sources, &mut diagnostics));
        check_whole(&gates, &sources, export.as_ref(), &mut diagnostics);
        if !diagnostics.is_empty() {
            return Err(fail(diagnostics));
        }
        Ok(Config {
            path: place::in_repository(&self.path),
            environment: environment.map(str::to_owned),
            deadline: self.file.deadline.map_or(DEFAULT_DEADLINE, |period| period.0),
            sources: sources
                .into_iter()
                .map(|(name, source)| (name.to_owned(), Rc::clone(&source.value)))
                .collect(),
            policy: Policy { mode: self.file.mode, gates, evidence },
            reports: self.file.reports.0.clone(),
            export,
        })
    }

    fn overlay(&self, name: &str) -> Result<&Overlay, Diagnostic> {
        self.file.environments.get(name).ok_or_else(|| {
            let known: Vec<_> = self.environments().collect();
            let hint = text::did_you_mean(name, known.iter().copied());
            let known = match known.as_slice() {
                [] => "the file has no `environments`".to_owned(),
                known => format!("the file has {}", known.join(", ")),
            };
            Diagnostic::somewhere(format!("environment `{name}` is unknown{hint} ({known})"))
        })
    }

    /// Whole sources are replaced by an environment.
    fn sources<'a>(
        &'a self,
        overlay: Option<&'a Overlay>,
    ) -> BTreeMap<&'a str, &'a Located<Rc<Source>>> {
        let own = overlay.into_iter().flat_map(|overlay| &overlay.sources.0);
        self.file
            .sources
            .0
            .iter()
            .chain(own)
            .map(|(name, source)| (name.as_str(), source))
            .collect()
    }

    /// Gates are replaced by an environment where the id is the same, else added.
    fn gates(
        &self,
        overlay: Option<&Overlay>,
        sources: &BTreeMap<&str, &Located<Rc<Source>>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Gate> {
        let own = overlay.map_or(&[][..], |overlay| &overlay.gates);
        for gates in [&self.file.gates[..], own] {
            let mut ids = BTreeSet::new();
            for gate in gates.iter().filter(|gate| !ids.insert(&gate.value.id.value)) {
                diagnostics.push(Diagnostic::at(
                    gate.value.id.place,
                    format!(
                        "gate id `{}` is used twice; each gate needs its own",
                        gate.value.id.value
                    ),
                ));
            }
        }
        let replaced = |gate: &Located<GateEntry>| {
            own.iter().find(|other| other.value.id.value == gate.value.id.value)
        };
        let added = own.iter().filter(|gate| {
            !self.file.gates.iter().any(|base| base.value.id.value == gate.value.id.value)
        });
        let entries =
            self.file.gates.iter().map(|gate| replaced(gate).unwrap_or(gate)).chain(added);
        entries.map(|entry| gate(entry, sources, diagnostics)).collect()
    }
}

/// One gate, checked against the sources that it names.
fn gate(
    entry: &Located<GateEntry>,
    sources: &BTreeMap<&str, &Located<Rc<Source>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Gate {
    let gate = &entry.value;
    let id = &gate.id.value;
    let limits = Limits {
        max: gate.max,
        min_pass_rate: gate.min_pass_rate.as_ref().map(|least| least.value.0),
        min_evaluated: gate.min_evaluated,
    };
    if limits == Limits::default() {
        diagnostics.push(Diagnostic::at(
            entry.place,
            format!("gate `{id}` has no limit; give it `max`, `min_pass_rate` or `min_evaluated`"),
        ));
    }
    let mut named = Vec::new();
    for name in &gate.source.value.0 {
        let Some(source) = sources.get(name.as_str()) else {
            diagnostics.push(Diagnostic::at(
                gate.source.place,
                format!(
                    "gate `{id}` asks source `{name}`, which is not configured{}",
                    text::did_you_mean(name, sources.keys().copied())
                ),
            ));
            continue;
        };
        if named.contains(name) {
            diagnostics
                .push(Diagnostic::at(gate.source.place, format!("source `{name}` is named twice")));
            continue;
        }
        named.push(name.clone());
        check_selectors(gate, name, source.value.as_ref(), diagnostics);
    }
    let words = gate.selectors().into_iter().filter_map(|(field, words)| {
        let words = words.as_ref()?.value.0.iter().map(|word| word.0.clone());
        let meant = |word: Pattern| {
            let sources = named.iter().filter_map(|name| sources.get(name.as_str()));
            let meant = sources.flat_map(|source| source.value.meant(field, word.as_str()));
            let meant: Vec<_> = meant.map(Pattern::new).collect();
            std::iter::once(word).chain(meant)
        };
        Some((field, words.flat_map(meant).collect()))
    });
    let words = words.collect();
    Gate {
        id: id.clone(),
        level: gate.level,
        sources: named,
        selection: Selection {
            words,
            severity: gate.severity.as_ref().map(|severity| severity.value.0.clone()),
            older_than: gate.older_than.as_ref().map(|age| age.value.0),
        },
        limits,
        place: entry.place,
    }
}

/// Only what the system can tell may be asked of it.
fn check_selectors(
    gate: &GateEntry,
    name: &str,
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let system = source.system();
    let id = &gate.id.value;
    for (field, place) in gate.asked() {
        if !source.selectors().contains(&field) {
            let known: Vec<_> = source.selectors().iter().map(|field| field.word()).collect();
            diagnostics.push(Diagnostic::at(
                place,
                format!(
                    "gate `{id}` selects by `{field}`, which {name} ({}) does not know; possible \
                     are {}",
                    system.title,
                    known.join(", ")
                ),
            ));
        }
        if gate.min_pass_rate.is_some() && !field.is_of_passes() {
            diagnostics.push(Diagnostic::at(
                place,
                format!(
                    "gate `{id}` asks for a pass rate by `{field}`, which checks that passed do \
                     not have; use `max`, or leave `{field}` out"
                ),
            ));
        }
    }
    check_words(gate, name, source, diagnostics);
    let wants_passes = gate
        .min_pass_rate
        .as_ref()
        .map(|least| least.place)
        .or_else(|| gate.min_evaluated.filter(|least| *least > 0).map(|_| gate.id.place));
    if let (Some(place), Some(why)) = (wants_passes, source.passes_unknown()) {
        diagnostics.push(Diagnostic::at(
            place,
            format!(
                "gate `{id}` needs to know how many checks passed, but {name} cannot tell: {why}"
            ),
        ));
    }
}

/// A word that can never be met is a typo.
fn check_words(gate: &GateEntry, name: &str, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    for (field, words) in gate.selectors() {
        let (Some(words), Some(known)) = (words, source.vocabulary(field)) else { continue };
        let is_met = |pattern: &Pattern| known.iter().any(|word| pattern.matches(word));
        let unmet = words.value.0.iter().filter(|word| {
            let meant = source.meant(field, word.0.as_str());
            !is_met(&word.0) && !meant.into_iter().map(Pattern::new).any(|meant| is_met(&meant))
        });
        for word in unmet {
            let id = &gate.id.value;
            let word = word.0.as_str();
            let hint = match text::did_you_mean(word, known.iter().map(String::as_str)) {
                hint if hint.is_empty() => {
                    let some: Vec<_> = known.iter().take(12).map(String::as_str).collect();
                    let more = if known.len() > some.len() { ", …" } else { "" };
                    format!("; possible are {}{more}", some.join(", "))
                }
                hint => hint,
            };
            diagnostics.push(Diagnostic::at(
                words.place,
                format!("gate `{id}`: {field} `{word}` can match nothing of {name}{hint}"),
            ));
        }
    }
}

/// What can only be seen of the file as a whole.
fn check_whole(
    gates: &[Gate],
    sources: &BTreeMap<&str, &Located<Rc<Source>>>,
    export: Option<&Export>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if gates.is_empty() {
        diagnostics
            .push(Diagnostic::somewhere("the policy has no gate, so it would let everything pass"));
    }
    for (name, source) in sources {
        let exported = export.is_some_and(|export| export.rules.source == **name);
        let used = exported || gates.iter().any(|gate| gate.uses(name));
        if !used && !gates.is_empty() {
            diagnostics.push(Diagnostic::at(
                source.place,
                format!("no gate uses source `{name}`; add a gate for it, or remove it"),
            ));
        }
    }
}

/// The export, checked against the source that it takes its cases from.
fn exported(
    entry: &Located<ExportEntry>,
    sources: &BTreeMap<&str, &Located<Rc<Source>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Export> {
    let ExportEntry { source, severity, policy, status, .. } = &entry.value;
    let has_cases = |source: &Located<Rc<Source>>| source.value.system().name == bigid::SYSTEM.name;
    let able: Vec<_> =
        sources.iter().filter(|(_, source)| has_cases(source)).map(|(name, _)| *name).collect();
    let name = match (source, able.as_slice()) {
        (Some(named), able) if able.contains(&named.value.as_str()) => named.value.clone(),
        (None, [only]) => (*only).to_owned(),
        (named, able) => {
            let place = named.as_ref().map_or(entry.place, |named| named.place);
            let known = match able {
                [] => "no source of BigID is configured, and only BigID has cases".to_owned(),
                able => format!("`source` is one of {}", able.join(", ")),
            };
            diagnostics.push(Diagnostic::at(place, format!("the export has no source: {known}")));
            return None;
        }
    };
    if entry.value.jira.is_none() && entry.value.servicenow.is_none() {
        let message = "the export has no target; give it `jira` or `servicenow`";
        diagnostics.push(Diagnostic::at(entry.place, message));
    }
    let words = |words: &Option<file::Words>| {
        words.as_ref().map(|words| words.0.iter().map(|word| word.0.clone()).collect())
    };
    Some(Export {
        rules: export::Rules {
            source: name,
            severity: severity.as_ref().map(|severities| severities.0.clone()),
            policy: words(policy),
            status: words(status),
            max_creates: entry.value.max_creates.unwrap_or(DEFAULT_MAX_CREATES),
            ledger: entry.value.ledger.clone().unwrap_or_else(|| DEFAULT_LEDGER.into()),
            resolve_as: entry.value.resolve_as,
        },
        jira: entry.value.jira.clone(),
        servicenow: entry.value.servicenow.clone(),
    })
}

/// Evidence keys are replaced by an environment one by one.
fn evidence(
    base: &EvidenceEntry,
    overlay: Option<&EvidenceEntry>,
    sources: &BTreeMap<&str, &Located<Rc<Source>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Demands {
    let own = |key: fn(&EvidenceEntry) -> bool| overlay.filter(|entry| key(entry)).unwrap_or(base);
    let min_evaluated = own(|entry| entry.min_evaluated.is_some()).min_evaluated.unwrap_or(1);
    let max_age = own(|entry| entry.max_age.is_some()).max_age.as_ref();
    for (name, source) in sources {
        let system = source.value.system();
        if let Some(max_age) = max_age.filter(|_| !system.states_time) {
            diagnostics.push(Diagnostic::at(
                max_age.place,
                format!(
                    "{} does not state when it evaluated, so `max_age` cannot be checked for \
                     source `{name}`; leave it out",
                    system.title
                ),
            ));
        }
    }
    let fail_open = own(|entry| entry.fail_open.is_some()).fail_open.iter().flatten();
    let fail_open = fail_open
        .map(|entry| {
            if entry.value.reason.trim().is_empty() {
                diagnostics.push(Diagnostic::at(
                    entry.place,
                    "an exception needs a reason that an auditor can read",
                ));
            }
            FailOpen {
                cause: entry.value.cause.into(),
                reason: entry.value.reason.clone(),
                expires: entry.value.expires.0,
            }
        })
        .collect();
    Demands { min_evaluated, max_age: max_age.map(|age| age.value.0), fail_open }
}

impl GateEntry {
    /// The text selectors, given or not.
    fn selectors(&self) -> [(Field, &Option<Located<file::Words>>); 9] {
        [
            (Field::Framework, &self.framework),
            (Field::Control, &self.control),
            (Field::Rule, &self.rule),
            (Field::Status, &self.status),
            (Field::Resource, &self.resource),
            (Field::ResourceType, &self.resource_type),
            (Field::Account, &self.account),
            (Field::Region, &self.region),
            (Field::Actor, &self.actor),
        ]
    }

    /// All selectors that are given, with their places.
    fn asked(&self) -> Vec<(Field, Place)> {
        let words = self
            .selectors()
            .into_iter()
            .filter_map(|(field, words)| words.as_ref().map(|words| (field, words.place)));
        let severity = self.severity.as_ref().map(|severity| (Field::Severity, severity.place));
        let older_than = self.older_than.as_ref().map(|age| (Field::OlderThan, age.place));
        words.chain(severity).chain(older_than).collect()
    }
}
