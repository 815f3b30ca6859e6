//! What the entries of `accept` can name: gates, environments, sources, repositories and selectors.

use super::{AcceptEntry, Baselines};
use crate::config::diagnostic::Diagnostic;
use crate::config::file::{ALL, Sources};
use crate::config::layer::BASE;
use crate::config::node::Mark;
use crate::config::reader::Located;
use crate::config::values::Words;
use crate::policy::{ORGANISATION, Whose};
use crate::selection::Field;
use crate::sources::OneOrMore;
use crate::text;

/// What the entries can name.
pub(in crate::config) struct Names<'a> {
    pub sources: &'a Sources,
    /// The ids of the gates of all environments.
    pub gates: Vec<&'a str>,
    pub environments: Vec<&'a str>,
    /// The one that is read; `None` for the base.
    pub environment: Option<&'a str>,
    pub whose: Whose,
    /// The ids of the gates of the organisation; `None` where its policy is not known.
    pub organisation: Option<Vec<String>>,
    /// The repository that the run is for, as its CI host names it.
    pub repository: Option<&'a str>,
    pub baselines: &'a Baselines,
}

impl Names<'_> {
    /// Gates, environments and sources must exist: an entry for a name that does not would be
    /// believed to hold.
    pub(super) fn check(&self, name: &str, entry: &AcceptEntry, diagnostics: &mut Vec<Diagnostic>) {
        let gates = entry
            .gates
            .iter()
            .flat_map(|gates| gates.value.0.iter().map(move |gate| (gate, gates.mark)));
        for (gate, mark) in gates {
            self.check_gate(name, gate, mark, diagnostics);
        }
        if let Some(gate) = &entry.gate_off {
            match self.is_of_organisation(&gate.value) {
                true => {
                    let message = format!(
                        "acceptance `{name}` turns off gate `{}`, which only the policy of the \
                         organisation can",
                        gate.value
                    );
                    diagnostics.push(Diagnostic::at(gate.mark, message));
                }
                false => self.check_gate(name, &gate.value, gate.mark, diagnostics),
            }
        }
        if let Some(repositories) = &entry.repositories {
            self.check_repositories(name, repositories, diagnostics);
        }
        // A file without environments is the same in all of them, whatever they are called.
        if let Some(given) = entry.environments.as_ref().filter(|_| !self.environments.is_empty()) {
            for environment in &given.value.0 {
                let known: Vec<_> = self.environments.iter().copied().chain([BASE]).collect();
                self.known(name, "environment", environment, &known, given.mark, diagnostics);
            }
        }
        let matching = entry.matching.as_ref().and_then(|m| m.value.source.as_ref());
        for given in entry.source.iter().chain(matching) {
            for source in given.value.0.iter().filter(|source| *source != ALL) {
                let known: Vec<_> = self.sources.keys().map(String::as_str).collect();
                self.known(name, "source", source, &known, given.mark, diagnostics);
            }
        }
    }

    fn is_of_organisation(&self, gate: &str) -> bool {
        self.whose == Whose::Repository && gate.starts_with(ORGANISATION)
    }

    /// A gate must exist. Those of an organisation are only known beside its policy.
    fn check_gate(&self, name: &str, gate: &str, mark: Mark, diagnostics: &mut Vec<Diagnostic>) {
        match &self.organisation {
            None if self.is_of_organisation(gate) => {}
            Some(ids) if self.is_of_organisation(gate) => {
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                self.known(name, "gate", gate, &ids, mark, diagnostics);
            }
            _ => self.known(name, "gate", gate, &self.gates, mark, diagnostics),
        }
    }

    /// Repositories are named one by one, by the policy of an organisation.
    fn check_repositories(
        &self,
        name: &str,
        repositories: &Located<OneOrMore<String>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let is_pattern = |name: &&String| name.contains(['*', '?']) || !name.contains('/');
        let pattern = repositories.value.0.iter().find(is_pattern);
        let wrong = match (self.whose, pattern) {
            (Whose::Repository, _) => {
                "`repositories` belongs to the policy of an organisation".to_owned()
            }
            (_, Some(pattern)) => format!(
                "`{pattern}` is not a repository; name each as the CI host does, such as \
                 `group/name`"
            ),
            _ => return,
        };
        let message = format!("acceptance `{name}`: {wrong}");
        diagnostics.push(Diagnostic::at(repositories.mark, message));
    }

    fn known(
        &self,
        name: &str,
        what: &str,
        given: &str,
        known: &[&str],
        mark: Mark,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        if known.contains(&given) {
            return;
        }
        let hint = text::did_you_mean(given, known.iter().copied());
        let message =
            format!("acceptance `{name}` names {what} `{given}`, which does not exist{hint}");
        diagnostics.push(Diagnostic::at(mark, message));
    }

    /// The sources that are named; all of them for `all`.
    pub(super) fn sources(&self, given: &Located<OneOrMore<String>>) -> Vec<String> {
        match given.value.0.iter().any(|name| name == ALL) {
            true => self.sources.keys().cloned().collect(),
            false => given.value.0.clone(),
        }
    }

    /// Each selector must be known to the sources that are named, or to any if none is.
    pub(super) fn check_fields<'e>(
        &self,
        name: &str,
        given: impl Iterator<Item = (Field, &'e Located<Words>)>,
        named: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let sources = self.sources.iter();
        let asked = sources.filter(|(source, _)| named.is_empty() || named.contains(source));
        let asked: Vec<_> =
            asked.filter_map(|(name, source)| Some((name, &source.as_ref()?.value))).collect();
        for (field, words) in given {
            let knows = |source: &crate::sources::Source| source.selectors().contains(&field);
            let unable: Vec<_> = asked.iter().filter(|(_, source)| !knows(source)).collect();
            let is_wrong = match named {
                [] => !asked.is_empty() && unable.len() == asked.len(),
                _ => !unable.is_empty(),
            };
            if is_wrong {
                let names: Vec<_> = unable.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!(
                    "acceptance `{name}` matches by `{field}`, which {} does not know",
                    names.join(" or ")
                );
                diagnostics.push(Diagnostic::at(words.mark, message));
            }
        }
    }
}
