//! The configuration file as it is written: its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::accept::AcceptEntry;
use super::accept_files::Named;
use super::node::{Mark, Node};
use super::reader::{Located, Maps, Reader};
use super::requires::Requires;
use super::slips::{self, ValueKind};
use super::terms::TermsEntry;
use super::values::{
    Day, Line, Link, Reports, Severities, Share, StatedSeverities, Version, Words,
};
use crate::export::{ResolveAs, jira, servicenow};
use crate::policy::{Level, Mode};
use crate::selection::{Field, Pattern};
use crate::sources::{self, OneOrMore, Period, Source, System, bigid, written_as};
use crate::text;

/// A file with one environment applied.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Missing, if nothing of it could be read.
    pub file: Option<File>,
    /// The sources that are written, and their settings as far as they could be read.
    pub sources: Sources,
    /// Names of sources that no gate uses.
    pub unused: Vec<(String, Mark)>,
}

/// Sources by name.
pub(super) type Sources = BTreeMap<String, Option<Located<Rc<Source>>>>;

impl Layer {
    /// Reads what is written. Errors are kept by the reader. `open`: sources that lack what a
    /// repository gives them.
    pub(super) fn read(
        layer: &Node,
        reader: &Reader<'_>,
        unused: &Reader<'_>,
        open: &BTreeSet<String>,
    ) -> Self {
        let file: Option<File> = reader.read("", layer);
        let mut read = Self::default();
        let written = layer.get("sources").filter(|node| !node.is_null());
        if let Some(node) = written.filter(|node| !node.is_map()) {
            let message = slips::wrong_shape("sources", ValueKind::Map, &node.value);
            reader.problem(node.mark, message);
        }
        for (key, node) in written.map(Node::entries).unwrap_or_default() {
            let system = system_of(&key.name);
            let settings = match system {
                Err(message) => {
                    reader.problem(key.mark, message);
                    None
                }
                Ok(System { name: system, .. }) => {
                    let is_used = file.as_ref().is_none_or(|file| file.uses(&key.name, system));
                    if !is_used {
                        read.unused.push((key.name.clone(), key.mark));
                    }
                    let is_whole = is_used && !open.contains(&key.name);
                    let reader = if is_whole { reader } else { unused };
                    reader
                        .read_with(&key.name, node, |de| Source::read(system, de).map(Rc::new))
                        .map(|value| Located {
                            value,
                            mark: key.mark,
                            whole: reader.is_whole(node),
                        })
                }
            };
            read.sources.insert(key.name.clone(), settings);
        }
        Self { file, ..read }
    }
}

/// The configuration of compliance-gate.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some keys are read for their checks, others one by one")]
pub(super) struct File {
    /// The version of this format: 1.
    version: Version,
    /// The least version of compliance-gate that can read this file, such as `">= 0.2"`.
    #[serde(default)]
    requires: Option<Requires>,
    /// The longest that everything together may take. Default: 45m.
    #[serde(default)]
    pub deadline: Option<Period>,
    /// `enforce` (default), or `observe`: exit codes 1, 3, 4 and 5 become 0, and reports state
    /// what the verdict would have been.
    #[serde(default)]
    pub mode: Mode,
    /// The platforms to ask, by system, or by `system/tenant` where there are several of one.
    #[serde(default)]
    sources: ByName,
    /// The conditions. All gates are always evaluated.
    #[serde(default)]
    pub gates: Vec<Located<GateEntry>>,
    /// Everything that is forgiven: findings, causes and gates.
    #[serde(default)]
    pub accept: Vec<Located<AcceptEntry>>,
    /// Files of `version: 1` and `accept:`, whose entries follow those of this file. Paths begin at
    /// the folder of this file. An organisation's may lie outside the workspace; inside they are
    /// pinned, as in `{path: accept.yaml, sha256: …}`.
    #[serde(default)]
    accept_files: Vec<Located<Named>>,
    /// Whom to ask, shown beside each finding: the first that matches.
    #[serde(default)]
    pub owners: Vec<OwnerEntry>,
    /// What evidence must be like for any gate to rely on it.
    #[serde(default)]
    pub evidence: EvidenceEntry,
    /// Only in the policy of an organisation: exit codes (1, 3, 4, 5) that the pipeline may turn into 0
    /// for at most a day, with COMPLIANCE_GATE_BREAK_GLASS.
    #[serde(default)]
    pub break_glass: Vec<Overridable>,
    /// Only in the policy of an organisation: which acceptances of the repository apply to its gates.
    /// Default: none.
    #[serde(default)]
    pub accept_from_repository: TermsEntry,
    /// Where reports are written, by format. Paths begin at the folder of this file.
    #[serde(default)]
    pub reports: Reports,
    /// How open cases become tickets, for `compliance-gate export`.
    #[serde(default)]
    pub export: Option<Located<ExportEntry>>,
    /// What is different in an environment, key by key; chosen with `--environment`.
    #[serde(default)]
    environments: Environments,
}

impl File {
    /// Whether a gate or the export needs a source.
    fn uses(&self, source: &str, system: &str) -> bool {
        let by_gate = |gate: &Located<GateEntry>| {
            !gate.whole
                || gate.value.source.value.0.iter().any(|name| name == source || name == ALL)
        };
        let by_export = |export: &Located<ExportEntry>| match &export.value.source {
            Some(named) => named.value == source,
            None => system == bigid::SYSTEM.name,
        };
        self.gates.iter().any(by_gate) || self.export.iter().any(by_export)
    }
}

/// An exit code that can be overridden.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overridable(pub u8);

impl<'de> Deserialize<'de> for Overridable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            code @ (1 | 3 | 4 | 5) => Ok(Self(code)),
            code => Err(serde::de::Error::custom(format_args!(
                "exit code {code} cannot be overridden; only 1, 3, 4 and 5 can"
            ))),
        }
    }
}
written_as!(Overridable => u8);

/// Sources, each of which its system reads.
#[derive(Debug, Default)]
pub(super) struct ByName;

/// Environments, each of which is read over the base.
#[derive(Debug, Default)]
pub(super) struct Environments;

impl<'de> Deserialize<'de> for ByName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl<'de> Deserialize<'de> for Environments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// How open cases become tickets.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExportEntry {
    /// The source that has the cases; needed where there are several of BigID.
    #[serde(default)]
    pub source: Option<Located<String>>,
    /// Only cases of these severities: one, a list, or `">= high"`. An unknown one always counts.
    #[serde(default)]
    pub severity: Option<Severities>,
    /// Only cases of these policies, by name.
    #[serde(default)]
    pub policy: Option<Words>,
    /// Only cases with these statuses, in BigID's words. Default: all that are open.
    #[serde(default)]
    pub status: Option<Words>,
    /// The most tickets that one run creates; the others wait for the next run. Default: 20.
    #[serde(default)]
    pub max_creates: Option<u64>,
    /// The file that records what was done; keep it from run to run. Default:
    /// .compliance-gate/tickets.jsonl.
    #[serde(default)]
    pub ledger: Option<std::path::PathBuf>,
    /// The status that a case is given once its fix is verified. Default: resolved.
    #[serde(default)]
    pub resolve_as: ResolveAs,
    /// Tickets in Jira.
    #[serde(default)]
    pub jira: Option<jira::Settings>,
    /// Tickets in ServiceNow.
    #[serde(default)]
    pub servicenow: Option<servicenow::Settings>,
}

/// Declares a map that selects checks: its own keys, and the text selectors.
macro_rules! selecting {
    ($(#[$meta:meta])* struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub(in crate::config) struct $name {
            $($own)*
            /// Frameworks, by id. `*` matches anything, `?` one character; case does not count.
            #[serde(default)]
            pub framework: Option<Located<Words>>,
            /// Controls, by id; on GravityZone `framework/control`.
            #[serde(default)]
            pub control: Option<Located<Words>>,
            /// Rules, by the platform's own id.
            #[serde(default)]
            pub rule: Option<Located<Words>>,
            /// The platform's own status words of failed checks.
            #[serde(default)]
            pub status: Option<Located<Words>>,
            /// Resources, by id or name.
            #[serde(default)]
            pub resource: Option<Located<Words>>,
            /// Types of resources, in the platform's words.
            #[serde(default)]
            pub resource_type: Option<Located<Words>>,
            /// Cloud accounts, by id or name.
            #[serde(default)]
            pub account: Option<Located<Words>>,
            /// Regions.
            #[serde(default)]
            pub region: Option<Located<Words>>,
            /// Who made the change.
            #[serde(default)]
            pub actor: Option<Located<Words>>,
            /// The assignee. A case without an assignee always matches.
            #[serde(default)]
            pub assignee: Option<Located<Words>>,
            /// `true` where a version with a fix is known, else `false`.
            #[serde(default)]
            pub fixable: Option<Located<Words>>,
            /// The Kubernetes cluster.
            #[serde(default)]
            pub cluster: Option<Located<Words>>,
            /// The Kubernetes namespace.
            #[serde(default)]
            pub namespace: Option<Located<Words>>,
            /// The image, by repository or with its tag.
            #[serde(default)]
            pub image: Option<Located<Words>>,
            /// The container, by name or id.
            #[serde(default)]
            pub container: Option<Located<Words>>,
            /// The host of the event, by name or by the id of the machine.
            #[serde(default)]
            pub host: Option<Located<Words>>,
            /// The category of the event, such as `runtime`.
            #[serde(default)]
            pub category: Option<Located<Words>>,
            /// The source of the event on the platform, such as `syscall`.
            #[serde(default)]
            pub event_source: Option<Located<Words>>,
            /// A label, as `key=value`.
            #[serde(default)]
            pub label: Option<Located<Words>>,
            /// The group of scans, by name or id.
            #[serde(default)]
            pub scan_group: Option<Located<Words>>,
            /// The section of a control, as `framework/section` or by its id alone.
            #[serde(default)]
            pub section: Option<Located<Words>>,
        }

        impl $name {
            /// The text selectors, given or not.
            pub(super) fn selectors(&self) -> [(Field, &Option<Located<Words>>); 21] {
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
                    (Field::Assignee, &self.assignee),
                    (Field::Fixable, &self.fixable),
                    (Field::Cluster, &self.cluster),
                    (Field::Namespace, &self.namespace),
                    (Field::Image, &self.image),
                    (Field::Container, &self.container),
                    (Field::Host, &self.host),
                    (Field::Category, &self.category),
                    (Field::EventSource, &self.event_source),
                    (Field::Label, &self.label),
                    (Field::ScanGroup, &self.scan_group),
                    (Field::Section, &self.section),
                ]
            }
        }
    };
}
pub(super) use selecting;

selecting! {
    /// One condition. Selectors narrow down which checks it covers; at least one limit is needed.
    struct GateEntry {
        /// What the gate is called in every report.
        pub id: Located<String>,
        /// The source or sources it reads, or `all`; several are summed.
        pub source: Located<OneOrMore<String>>,
        /// `block` (default) stops the pipeline, `warn` only reports.
        #[serde(default)]
        pub level: Level,
        /// What it requires, in a sentence.
        #[serde(default)]
        pub description: Option<Line>,
        /// The contact for questions about it.
        #[serde(default)]
        pub owner: Option<Line>,
        /// The address of a page about it.
        #[serde(default)]
        pub link: Option<Link>,
        /// A severity, a list, or `">= high"` in quotes. An unknown severity always matches.
        #[serde(default)]
        pub severity: Option<Located<Severities>>,
        /// Only what the platform has known for at least this long.
        #[serde(default)]
        pub older_than: Option<Located<Period>>,
        /// Checks that are out of scope, passed and failed alike: one map, or a list of maps.
        #[serde(default)]
        pub except: Option<Located<Maps<ExceptEntry>>>,
        /// The limits hold for each `framework`, or each `account`, by itself.
        #[serde(default)]
        pub each: Option<Located<Each>>,
        /// The first day (UTC) on which it blocks, such as `2027-03-01`; before, it warns.
        #[serde(default)]
        pub blocks_from: Option<Day>,
        /// The most failed checks allowed; 0 means none.
        #[serde(default)]
        pub max: Option<u64>,
        /// The least share of passed checks, such as `95%`.
        #[serde(default)]
        pub min_pass_rate: Option<Located<Share>>,
        /// The minimum number of evaluated checks, passed or failed. 0 allows an empty match.
        #[serde(default)]
        pub min_evaluated: Option<u64>,
    }
}

selecting! {
    /// Checks that are out of scope: all keys of the map must match. What a platform does not state
    /// matches only the word `unknown`.
    struct ExceptEntry {
        /// A severity, a list, or a comparison in quotes: `">= high"`, `"<= low"`.
        #[serde(default)]
        pub severity: Option<Located<StatedSeverities>>,
    }
}

/// Whom to ask about some findings.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerEntry {
    /// The findings: all keys of the map must match. What a platform does not state matches only the
    /// word `unknown`.
    #[serde(rename = "match")]
    pub of: Located<ExceptEntry>,
    /// The contact, such as `#team-payments`.
    pub owner: Line,
}

/// What a gate's limits hold for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Each {
    /// Every framework by itself.
    Framework,
    /// Every account by itself.
    Account,
}

impl Each {
    pub(super) const fn field(self) -> Field {
        match self {
            Self::Framework => Field::Framework,
            Self::Account => Field::Account,
        }
    }
}

/// The word for all sources.
pub(super) const ALL: &str = "all";

impl ExceptEntry {
    /// All fields that are given, with their places.
    pub(super) fn asked(&self) -> Vec<(Field, Mark)> {
        let severity = self.severity.as_ref().map(|severity| (Field::Severity, severity.mark));
        places(&self.selectors()).chain(severity).collect()
    }
}

/// The text selectors that are given, with their places.
fn places(
    selectors: &[(Field, &Option<Located<Words>>)],
) -> impl Iterator<Item = (Field, Mark)> + use<> {
    let given = selectors.iter().filter_map(|(field, words)| Some((*field, words.as_ref()?.mark)));
    given.collect::<Vec<_>>().into_iter()
}

impl GateEntry {
    /// What is out of scope, map by map.
    pub(super) fn exceptions(&self) -> &[ExceptEntry] {
        self.except.as_ref().map_or(&[], |except| &except.value.0)
    }

    /// The words of a text selector; empty if it is not given.
    pub(super) fn words(&self, field: Field) -> Vec<Pattern> {
        let given = self.selectors().into_iter().find(|(other, _)| *other == field);
        let words = given.and_then(|(_, words)| words.as_ref());
        words.map_or_else(Vec::new, |words| {
            words.value.0.iter().map(|word| word.0.clone()).collect()
        })
    }

    /// All selectors that are given, with their places.
    pub(super) fn asked(&self) -> Vec<(Field, Mark)> {
        let severity = self.severity.as_ref().map(|severity| (Field::Severity, severity.mark));
        let older_than = self.older_than.as_ref().map(|age| (Field::OlderThan, age.mark));
        places(&self.selectors()).chain(severity).chain(older_than).collect()
    }
}

/// What evidence must be like for any gate to rely on it.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceEntry {
    /// The minimum number of checks that each source, or framework, must have evaluated. Default: 1.
    #[serde(default)]
    pub min_evaluated: Option<u64>,
    /// The oldest that evidence may be. No default.
    #[serde(default)]
    pub max_age: Option<Located<Period>>,
}

/// The system that a source's name begins with.
pub(super) fn system_of(name: &str) -> Result<&'static System, String> {
    let (system, tenant) = name.split_once('/').unwrap_or((name, "default"));
    let known: Vec<_> = sources::SYSTEMS.iter().map(|system| system.name).collect();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if tenant.is_empty() || !tenant.chars().all(valid) {
        return Err(format!(
            "source `{name}`: after the `/` comes the tenant's name, in letters, digits, `-`, `_` \
             and `.`"
        ));
    }
    sources::SYSTEMS.iter().find(|one| one.name == system).copied().ok_or_else(|| {
        format!(
            "unknown source `{name}`{} (known systems: {})",
            text::did_you_mean(system, known.iter().copied()),
            known.join(", ")
        )
    })
}
