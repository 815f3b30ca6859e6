//! An organisation's policy beside that of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Config;
use super::diagnostic::Diagnostic;
use super::node::Node;
use crate::acceptance::{Acceptance, Forgives, Terms};
use crate::policy::{Document, ORGANISATION, Organisation, Policy, Whose, rename};
use crate::selection::Wanted;
use crate::sources::Source;

/// Keys that belong to the repository: nothing that an organisation's policy writes may go into the
/// workspace of a pipeline.
const NOT_KEYS: [&str; 2] = ["reports", "export"];

/// Keys that only an organisation's policy has: a repository must not give itself what they allow.
const ITS_KEYS: [&str; 2] = ["break_glass", "accept_from_repository"];

/// What is not for this policy to say.
pub(super) fn check_keys(whose: Whose, root: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let (keys, why): (&[&str], _) = match whose {
        Whose::Organisation => {
            (&NOT_KEYS, "belongs to the repository; the policy of an organisation has none")
        }
        Whose::Repository => {
            (&ITS_KEYS, "belongs to the policy of an organisation, which the pipeline names")
        }
    };
    for (key, _) in root.entries().iter().filter(|(key, _)| keys.contains(&&*key.name)) {
        diagnostics.push(Diagnostic::at(key.mark, format!("`{}` {why}", key.name)));
    }
}

/// Where findings are shown if the repository has no policy.
const NO_FILE: &str = "compliance-gate.yaml";

impl Config {
    /// That of a repository without a policy file.
    pub(super) fn absent(environment: Option<&str>) -> Self {
        Self {
            path: NO_FILE.to_owned(),
            documents: Vec::new(),
            environment: environment.map(str::to_owned),
            deadline: None,
            sources: BTreeMap::new(),
            policy: Policy::default(),
            organisation: None,
            reports: BTreeMap::new(),
            export: None,
            notes: Vec::new(),
            artefacts: Vec::new(),
            break_glass: BTreeSet::new(),
            terms: Terms::default(),
            taken: BTreeMap::new(),
        }
    }

    /// Together with the policy of an organisation: both are decided over the sources of both.
    pub(super) fn beside(mut self, organisation: Self) -> Self {
        let names = self.add_sources(&organisation.sources);
        let mut policy = shown_as_organisation(organisation.policy, &names);
        let shown = |(name, keys)| (names.get(&name).cloned().unwrap_or(name), keys);
        let taken: BTreeMap<_, _> = organisation.taken.into_iter().map(shown).collect();
        note_taken(&mut policy, &taken);
        policy.take(&self.policy, &organisation.terms, &names);
        let notes = policy.gates.iter().flat_map(|gate| {
            gate.notes.iter().map(move |note| format!("gate `{}`: {note}", gate.id))
        });
        self.notes.extend(notes);
        let documents = organisation.documents.into_iter();
        let of_organisation = |document| Document { whose: Whose::Organisation, ..document };
        self.documents.extend(documents.map(of_organisation));
        self.deadline = self.deadline.into_iter().chain(organisation.deadline).min();
        self.organisation = Some(Organisation {
            policy,
            path: organisation.path,
            environment: organisation.environment,
            break_glass: organisation.break_glass,
            terms: organisation.terms,
            taken,
        });
        self
    }

    /// That of an organisation alone, as it is decided.
    pub(crate) fn into_organisation(self) -> Self {
        Self::absent(self.environment.as_deref()).beside(self)
    }

    /// Adds the sources of the organisation. Returns what each is called: two whose settings are equal
    /// are one.
    fn add_sources(&mut self, added: &BTreeMap<String, Rc<Source>>) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (name, source) in added {
            let shown = match self.sources.get(name) {
                Some(own) if own != source => format!("{ORGANISATION}{name}"),
                _ => name.clone(),
            };
            self.sources.insert(shown.clone(), Rc::clone(source));
            names.insert(name.clone(), shown);
        }
        names
    }

    /// Every policy that is decided.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        let organisation = self.organisation.as_ref().map(|organisation| &organisation.policy);
        // A repository's policy without gates decides nothing beside that of its organisation.
        let decides = organisation.is_none() || !self.policy.gates.is_empty();
        decides.then_some(&self.policy).into_iter().chain(organisation)
    }

    /// The exit codes that the pipeline may override.
    pub(crate) fn overridable(&self) -> BTreeSet<u8> {
        let organisation = self.organisation.as_ref();
        organisation.map_or_else(BTreeSet::new, |one| one.break_glass.clone())
    }

    /// What the gates of all policies need from one source in addition to its failures.
    pub(crate) fn wanted(&self, source: &str) -> Wanted {
        let wanted = self.policies().map(|policy| policy.wanted(source));
        wanted.reduce(Wanted::and).unwrap_or_default()
    }

    /// Whether a gate of any policy that blocks on this day uses a source.
    pub(crate) fn blocks_on(&self, source: &str, today: chrono::NaiveDate) -> bool {
        self.policies().any(|policy| policy.blocks_on(source, today))
    }
}

/// The policy with the names that reports show: its gates begin with `org/`, its sources as given.
fn shown_as_organisation(mut policy: Policy, names: &BTreeMap<String, String>) -> Policy {
    policy.whose = Whose::Organisation;
    for gate in &mut policy.gates {
        gate.id.insert_str(0, ORGANISATION);
        rename(&mut gate.sources, names);
    }
    for Acceptance { gates, forgives, .. } in &mut policy.accept {
        gates.iter_mut().for_each(|gate| gate.insert_str(0, ORGANISATION));
        match forgives {
            Forgives::Match(matching) => rename(&mut matching.sources, names),
            Forgives::Cause(excuse) => rename(&mut excuse.sources, names),
            Forgives::GateOff(gate) => gate.insert_str(0, ORGANISATION),
            _ => {}
        }
    }
    policy
}

/// Says at the gates which settings of their sources are the repository's.
fn note_taken(policy: &mut Policy, taken: &BTreeMap<String, Vec<String>>) {
    for gate in &mut policy.gates {
        let used = taken.iter().filter(|(source, _)| gate.uses(source));
        let notes = used.map(|(source, keys)| {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            format!("taken from the repository: {} of {source}", keys.join(", "))
        });
        let notes: Vec<_> = notes.collect();
        gate.notes.extend(notes);
    }
}
