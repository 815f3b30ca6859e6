//! The configuration file: found, read, checked, and turned into values that are valid.
//!
//! ```text
//! source    finds and reads the file            layer      an environment over the base
//! yaml      its text as a tree (node)           file       what is written, as raw types (values)
//! reader    reads values, goes on after errors  validate   the whole, as a valid Config
//! slips     what to write instead               diagnostic an error with its place and line
//! organisation  another policy beside it     images_file  files of images that a source names
//! ```
//!
//! Only this module knows YAML. What leaves it is valid: every gate has a limit and only selectors
//! that its sources know, and every path of a report stays inside the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use crate::acceptance::Terms;
use crate::artefact::Artefact;
use crate::export;
use crate::policy::{Document, ORGANISATION, Organisation, Policy, Whose};
use crate::sources::Source;
use crate::text;

mod accept;
mod accept_files;
mod cases;
mod diagnostic;
mod file;
mod images_file;
mod layer;
mod node;
mod organisation;
mod properties;
mod reader;
mod requires;
#[cfg(test)]
mod schema;
mod slips;
mod source;
mod taken;
mod terms;
mod validate;
mod values;
mod yaml;

use accept::Baselines;
use accept_files::AcceptText;
pub(crate) use cases::{
    Case, CaseEvidence, Cases, Check, Checks, Expected, ExpectedGate, ExpectedState,
};
pub(crate) use diagnostic::ConfigError;
use diagnostic::Diagnostic;
use file::Layer;
use node::{Key, Node};
use reader::Reader;
use slips::ValueKind;
use source::Files;
pub(crate) use source::{NotFound, find};
use taken::{Filled, Repository};

/// How open cases become tickets.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub rules: export::Rules,
    pub jira: Option<export::jira::Settings>,
    pub servicenow: Option<export::servicenow::Settings>,
}

/// A valid configuration, of one environment.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file, from the root of its repository.
    pub path: String,
    /// The files that it was read from, as they were written; the policy file comes first.
    pub documents: Vec<Document>,
    pub environment: Option<String>,
    /// For everything together, where a policy limits it.
    pub deadline: Option<Duration>,
    /// The artefacts that the run is about.
    pub artefacts: Vec<Artefact>,
    /// Those that a gate or the export uses.
    pub sources: BTreeMap<String, Rc<Source>>,
    /// The policy of the repository.
    pub policy: Policy,
    pub organisation: Option<Organisation>,
    /// Of an organisation's policy: the exit codes that the pipeline may override.
    pub break_glass: BTreeSet<u8>,
    /// Of an organisation's policy: which acceptances of a repository it takes.
    pub terms: Terms,
    /// Of an organisation's policy: the settings of its sources that it takes, by source.
    pub taken: BTreeMap<String, Vec<String>>,
    /// Report paths by format name.
    pub reports: BTreeMap<String, PathBuf>,
    pub export: Option<Export>,
    /// What is worth knowing about the file, and is no error.
    pub notes: Vec<String>,
}

/// A configuration file as written: its text and its tree, with nothing checked but the syntax.
#[derive(Debug)]
pub(crate) struct Written {
    whose: Whose,
    source: source::Source,
    root: Node,
    /// The file without its environments.
    base: Node,
    /// The files of acceptances that it names.
    accept_files: Vec<AcceptText>,
    /// The baselines that were read so far, and whether one may be missing.
    baselines: Baselines,
    /// Errors of the syntax that did not keep the file from being read.
    slips: Vec<Diagnostic>,
    /// The repository that the run is for, as its CI host names it.
    repository: Option<String>,
}

/// The other policy that a file is read beside.
#[derive(Clone, Copy)]
enum Other<'a> {
    Unknown,
    /// That of the organisation, beside a repository's.
    Organisation(&'a Written),
    /// What the repository has, beside an organisation's.
    Repository(Repository<'a>),
}

impl Config {
    /// For a run about these artefacts, which are the images of sources with `images: subjects`.
    ///
    /// # Errors
    /// A sentence, if such a source has none to read.
    pub(crate) fn about(mut self, artefacts: Vec<Artefact>) -> Result<Self, String> {
        for (name, source) in &mut self.sources {
            match source.of_artefacts(&artefacts) {
                Some(_) if artefacts.is_empty() => {
                    return Err(format!(
                        "{name} has `images: subjects`, and the run names none; name each image that \
                         is deployed with `--subject NAME@sha256:HEX` or `--subject-file PATH`"
                    ));
                }
                Some(named) => *source = Rc::new(named),
                None => {}
            }
        }
        self.artefacts = artefacts;
        Ok(self)
    }
}

impl Written {
    /// # Errors
    /// A file that cannot be read, that needs a newer program, or that is not YAML.
    pub(crate) fn read(path: &Path, whose: Whose) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let source = source::Source::read(path)
            .map_err(|message| ConfigError::unreadable(&name, message))?;
        Self::parse(source, Files::OnDisk, whose)
    }

    /// The file as it was written.
    pub(crate) fn document(&self) -> Document {
        Document::new(&*self.source.file, &*self.source.text)
    }

    /// Files that were recorded with the evidence that they were decided from; the policy file comes
    /// first.
    ///
    /// # Errors
    /// As for `read`, apart from what only a file system can get wrong.
    pub(crate) fn recorded(documents: &[Document], whose: Whose) -> Result<Self, ConfigError> {
        let mut own = documents.iter().filter(|document| document.whose == whose);
        let Some(policy) = own.next() else {
            let message = "the evidence does not contain its policy".to_owned();
            return Err(ConfigError::unreadable("policy", message));
        };
        let others = own.map(source::Source::recorded).collect();
        Self::parse(source::Source::recorded(policy), Files::Recorded(others), whose)
    }

    fn parse(source: source::Source, files: Files, whose: Whose) -> Result<Self, ConfigError> {
        if let Some(message) = requires::newer(&source.text) {
            return Err(ConfigError::new(&source, vec![Diagnostic::somewhere(message)]));
        }
        let mut slips = Vec::new();
        match yaml::read(&source.text, &mut slips) {
            Some(root) => {
                let base = layer::base(&root);
                let accept_files = accept_files::read(&base, &source, &files, whose, &mut slips);
                let baselines = Baselines::of(files, whose);
                let repository = None;
                Ok(Self { whose, base, root, source, accept_files, baselines, slips, repository })
            }
            None => Err(ConfigError::new(&source, slips)),
        }
    }

    /// For the command that writes baselines: one that is missing has no findings.
    pub(crate) fn with_baselines_to_write(mut self) -> Self {
        self.baselines.may_be_missing = true;
        self
    }

    /// For a run of a repository, as its CI host names it.
    pub(crate) fn of_repository(self, repository: Option<&str>) -> Self {
        Self { repository: repository.map(str::to_owned), ..self }
    }

    /// The names of all environments, as they are written.
    pub(crate) fn environments(&self) -> impl Iterator<Item = &str> {
        self.all_environments().iter().map(|(key, _)| key.name.as_str())
    }

    fn all_environments(&self) -> &[(Key, Node)] {
        self.root.get("environments").map(Node::entries).unwrap_or_default()
    }

    /// The ids of the gates of the base and of every environment.
    fn gate_ids(&self) -> impl Iterator<Item = &str> {
        self.gates().filter_map(|gate| gate.get("id")?.text())
    }

    /// The gates of the base and of every environment, as they are written.
    fn gates(&self) -> impl Iterator<Item = &Node> {
        let layers = self.all_environments().iter().map(|(_, node)| node).chain([&self.base]);
        layers.filter_map(|layer| layer.get("gates")).flat_map(Node::items)
    }

    /// The configuration of one environment. Where the file has environments it must be one of
    /// them, or `none` for the base; a file without them is the same in all.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with line, column and snippet.
    pub(crate) fn resolve(&self, environment: Option<&str>) -> Result<Config, ConfigError> {
        self.resolve_beside(environment, Other::Unknown)
    }

    fn resolve_beside(
        &self,
        environment: Option<&str>,
        other: Other<'_>,
    ) -> Result<Config, ConfigError> {
        let no_gate = "the policy has no gate, so it would let everything pass";
        self.read_over(environment, other)
            .and_then(|config| match config.policy.gates.is_empty() {
                true => Err(vec![Diagnostic::somewhere(no_gate)]),
                false => Ok(config),
            })
            .map_err(|diagnostics| ConfigError::new(&self.source, diagnostics))
    }

    /// The configuration of one environment, or of the base and each; also without a gate. `other`: the
    /// policy of the organisation, or, beside that, the repository's.
    ///
    /// # Errors
    /// As for `resolve`. What is only wrong in some of them names these.
    pub(crate) fn check(
        &self,
        environment: Option<&str>,
        other: Option<&Self>,
    ) -> Result<Vec<Config>, ConfigError> {
        let mut layers: Vec<_> = environment.into_iter().collect();
        if environment.is_none() {
            layers = [layer::BASE].into_iter().chain(self.environments()).collect();
        }
        let mut configs = Vec::new();
        let mut wrong: Vec<(Diagnostic, Vec<&str>)> = Vec::new();
        for layer in &layers {
            let own = other.and_then(|other| other.layered(Some(layer)).ok());
            let other = match (self.whose, other, &own) {
                (Whose::Repository, Some(organisation), _) => Other::Organisation(organisation),
                (Whose::Organisation, _, Some(own)) => Other::Repository(Repository::Has(own)),
                _ => Other::Unknown,
            };
            match self.read_over(Some(layer), other) {
                Ok(config) => configs.push(config),
                Err(diagnostics) => diagnostics.into_iter().for_each(|diagnostic| {
                    match wrong.iter_mut().find(|(other, _)| *other == diagnostic) {
                        Some((_, names)) => names.push(layer),
                        None => wrong.push((diagnostic, vec![layer])),
                    }
                }),
            }
        }
        if wrong.is_empty() {
            return Ok(configs);
        }
        let everywhere = |names: &[&str]| layers.iter().all(|layer| names.contains(layer));
        let diagnostics = wrong.into_iter().map(|(diagnostic, names)| match everywhere(&names) {
            true => diagnostic,
            false => diagnostic.only_in(&names),
        });
        Err(ConfigError::new(&self.source, diagnostics.collect()))
    }

    /// The configuration of one environment beside the policy of an organisation, which may be all
    /// that there is. `recorded`: the repository's policy as it was, of which the organisation takes
    /// settings where there is none now.
    ///
    /// # Errors
    /// What is wrong with a file.
    pub(crate) fn beside(
        own: Option<&Self>,
        recorded: Option<&Self>,
        organisation: &Self,
        environment: Option<&str>,
    ) -> Result<Config, ConfigError> {
        let wrong = |written: &Self, found| ConfigError::new(&written.source, found);
        let config = match own {
            Some(own) => own
                .read_over(environment, Other::Organisation(organisation))
                .map_err(|found| wrong(own, found))?,
            None => Config::absent(environment.filter(|name| *name != layer::BASE)),
        };
        // What is wrong with the files of images was found above.
        let taken_of = own.or(recorded);
        let layer = taken_of
            .map(|written| written.with_images(environment, &mut Vec::new()))
            .transpose()
            .map_err(|found| wrong(taken_of.unwrap_or(organisation), vec![found]))?;
        let repository =
            layer.as_ref().map_or(Repository::Absent, |(layer, _)| Repository::Has(layer));
        let organisation =
            organisation.resolve_beside(environment, Other::Repository(repository))?;
        Ok(config.beside(organisation))
    }

    fn read_over(
        &self,
        environment: Option<&str>,
        other: Other<'_>,
    ) -> Result<Config, Vec<Diagnostic>> {
        let mut diagnostics = self.slips.clone();
        let (layered, images_files) = match self.with_images(environment, &mut diagnostics) {
            Ok(layered) => layered,
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                return Err(diagnostics);
            }
        };
        organisation::check_keys(self.whose, &self.root, &mut diagnostics);
        let Filled { layer: layered, taken, open } = self.filled(&layered, other, &mut diagnostics);
        let reader = Reader::new(&self.source.text, true);
        let unused = Reader::new(&self.source.text, false);
        let layer = Layer::read(&layered, &reader, &unused, &open);
        diagnostics.extend(reader.into_diagnostics());
        diagnostics.extend(unused.into_diagnostics());
        self.check_environments(&mut diagnostics);
        let Some(file) = &layer.file else {
            if diagnostics.is_empty() {
                diagnostics.push(Diagnostic::somewhere("the file could not be read"));
            }
            return Err(diagnostics);
        };
        let environment = environment.filter(|name| *name != layer::BASE);
        let names = accept::Names {
            sources: &layer.sources,
            gates: self.gate_ids().collect(),
            environments: self.environments().collect(),
            environment,
            whose: self.whose,
            organisation: match other {
                Other::Organisation(organisation) => Some(organisation.gate_names()),
                _ => None,
            },
            repository: self.repository.as_deref(),
            baselines: &self.baselines,
        };
        let mut accept = accept::Checked::new(names);
        accept.add(&file.accept, &self.source, &mut diagnostics);
        for file in &self.accept_files {
            let mut wrong = Vec::new();
            accept.add(&file.entries(&mut wrong), &file.source, &mut wrong);
            diagnostics.extend(wrong.into_iter().map(|one| one.in_file(&file.source)));
        }
        let accept::Checked { accept, baselines, .. } = accept;
        let others = self.accept_files.iter().map(|file| &file.source);
        let others = others.chain(&baselines).chain(&images_files);
        let documents = others.map(|file| Document::new(&*file.file, &*file.text));
        let mut config =
            validate::config(&layer, file, accept, &self.source, environment, &mut diagnostics);
        config.documents.extend(documents);
        config.taken = taken;
        // What was recorded is judged on its own day, when it is decided.
        let all_off = config.policy.all_off(Utc::now().date_naive());
        if let Some((place, sentence)) = all_off.filter(|_| self.baselines.is_on_disk()) {
            let mark = node::Mark { line: place.line, column: place.column };
            let diagnostic = Diagnostic::at(mark, sentence);
            let file = self.accept_files.iter().find(|file| file.source.file == place.file);
            diagnostics.push(match file {
                Some(file) => diagnostic.in_file(&file.source),
                None => diagnostic,
            });
        }
        if diagnostics.is_empty() { Ok(config) } else { Err(diagnostics) }
    }

    /// A policy with what it takes from a repository. A repository's own takes nothing.
    fn filled(&self, layer: &Node, other: Other<'_>, diagnostics: &mut Vec<Diagnostic>) -> Filled {
        match (self.whose, other) {
            (Whose::Repository, _) => Filled::with_nothing(layer),
            (_, Other::Repository(repository)) => taken::filled(layer, repository, diagnostics),
            _ => taken::filled(layer, Repository::Unknown, diagnostics),
        }
    }

    /// The ids of its gates, as reports show those of an organisation.
    fn gate_names(&self) -> Vec<String> {
        self.gate_ids().map(|id| format!("{ORGANISATION}{id}")).collect()
    }

    /// The base, or the environment over it, with the images of the files that sources name; and
    /// these files.
    fn with_images(
        &self,
        environment: Option<&str>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<(Node, Vec<Arc<source::Source>>), Diagnostic> {
        let mut layered = self.layered(environment)?;
        let files = self.baselines.files();
        let read = images_file::add(&mut layered, &self.source, files, self.whose, diagnostics);
        Ok((layered, read))
    }

    /// The base, or the environment over it.
    fn layered(&self, environment: Option<&str>) -> Result<Node, Diagnostic> {
        let known: Vec<_> = self.environments().collect();
        match environment {
            _ if known.is_empty() => Ok(self.base.clone()),
            Some(layer::BASE) => Ok(self.base.clone()),
            None => Err(Diagnostic::somewhere(format!(
                "this file has environments; choose one with `--environment`: {}, or `{}` for the \
                 base alone",
                known.join(", "),
                layer::BASE
            ))),
            Some(name) => {
                let found = self.all_environments().iter().find(|(key, _)| key.name == name);
                // What is wrong in it is found when all environments are checked.
                let over = |(_, node)| layer::over(&self.base, node, &mut Vec::new());
                found.map(|(key, node)| over((key, node))).ok_or_else(|| {
                    let hint = text::did_you_mean(name, known.iter().copied());
                    let known = known.join(", ");
                    Diagnostic::somewhere(format!(
                        "environment `{name}` is unknown{hint} (the file has {known}, and `{}` \
                         for the base alone)",
                        layer::BASE
                    ))
                })
            }
        }
    }

    /// What is written wrongly in any environment. What is only missing there, or does not fit
    /// together, is found when that environment is used.
    fn check_environments(&self, diagnostics: &mut Vec<Diagnostic>) {
        layer::repeated(self.base.get("gates"), diagnostics);
        let written = self.root.get("environments");
        if let Some(node) = written.filter(|node| !node.is_map() && !node.is_null()) {
            let message = slips::wrong_shape("environments", ValueKind::Map, &node.value);
            diagnostics.push(Diagnostic::at(node.mark, message));
        }
        let environments = self.all_environments().iter();
        let environments = environments.map(|(key, _)| (key.name.as_str(), key.mark));
        properties::check("ENV", "environments", environments, diagnostics);
        let ids = self.gates().filter_map(|gate| gate.get("id"));
        let ids = ids.filter_map(|id| Some((id.text()?, id.mark)));
        properties::check("GATE", "gates", ids, diagnostics);
        let mut layers = Vec::new();
        for (key, node) in self.all_environments() {
            if key.name == layer::BASE {
                let message = "`none` is the base of the file; give the environment another name";
                diagnostics.push(Diagnostic::at(key.mark, message));
            }
            layer::repeated(node.get("gates"), diagnostics);
            layers.push(layer::over(&self.base, node, diagnostics));
        }
        for layer in layers.iter().chain([&self.base]) {
            let reader = Reader::new(&self.source.text, false);
            let Filled { layer, open, .. } = self.filled(layer, Other::Unknown, diagnostics);
            Layer::read(&layer, &reader, &reader, &open);
            diagnostics.extend(reader.into_diagnostics());
        }
    }
}
