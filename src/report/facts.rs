//! What is known about a run, in addition to its decision.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{View, evidence};
use crate::artefact::Artefact;
use crate::evaluate::Decision;
use crate::evidence::{CiRun, Evidence, Tool};
use crate::policy::{Document, Gate, Mode, Organisation, Place, Whose};
use crate::text;
use crate::verdict::Verdict;

/// What a decision is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A pipeline or a cluster acts on it.
    #[default]
    Gate,
    /// Saved evidence, decided by another policy or on another day. Nothing acts on it.
    WhatIf,
    /// Saved evidence, decided once more exactly as it was.
    Replay,
}

impl Purpose {
    /// What begins each headline, so that the report of a decision that nothing may act on is not
    /// taken for that of a gate.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Gate => "",
            Self::WhatIf => "[what if] ",
            Self::Replay => "[replay] ",
        }
    }
}

/// The file that contains the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvidenceFile<'a> {
    #[default]
    None,
    /// This run saves it.
    Saved,
    /// It was given, and has this SHA-256.
    Given(&'a str),
}

/// What is known about a run, in addition to its decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub evidence: &'a Evidence,
    /// The policy file, from the root of its repository, so that CI hosts find it.
    pub policy: &'a str,
    /// The files that the policy was read from, as they were written; the policy file comes first.
    pub documents: &'a [Document],
    /// The policy of the organisation, if one was decided.
    pub organisation: Option<&'a Organisation>,
    pub environment: Option<&'a str>,
    pub purpose: Purpose,
    /// The time at which it was decided.
    pub now: DateTime<Utc>,
    pub run: &'a CiRun,
    pub evidence_file: EvidenceFile<'a>,
    /// Where the file is that was given.
    pub evidence_path: Option<&'a Path>,
    /// The artefacts that the decision is about, sorted.
    pub subjects: &'a [Artefact],
    /// A verdict that the gates cannot improve.
    pub at_least: Option<Verdict>,
    /// What changed since an earlier run, in a sentence.
    pub changes: Option<&'a str>,
    /// The exit code that the caller wants for a pass with warnings.
    pub warn_exit_code: Option<u8>,
    /// The override that the pipeline asks for, whether it applies or not.
    pub break_glass: Option<&'a str>,
    /// The program that decided it, if not this one.
    pub tool: Option<&'a Tool>,
}

impl<'a> Facts<'a> {
    /// The report on a decision.
    pub fn report<'r>(&'r self, decision: &'r Decision<'r>) -> View<'r> {
        let warned = decision.verdict == Verdict::Warned && decision.mode == Mode::Enforce;
        View::of(Report {
            decision,
            exit_code: self.warn_exit_code.filter(|_| warned).unwrap_or(decision.exit_code()),
            facts: *self,
        })
    }

    /// A policy file, from the root of its repository.
    pub fn policy_file(&self, whose: Whose) -> &'a str {
        match self.organisation {
            Some(organisation) if whose == Whose::Organisation => &organisation.path,
            _ => self.policy,
        }
    }

    /// The settings that a policy takes from the repository, by source.
    pub fn taken(&self, whose: Whose) -> Option<&'a BTreeMap<String, Vec<String>>> {
        let organisation = self.organisation.filter(|_| whose == Whose::Organisation);
        organisation.map(|organisation| &organisation.taken).filter(|taken| !taken.is_empty())
    }

    /// The SHA-256 of the bytes of a policy file, in hexadecimal digits.
    pub fn sha256(&self, whose: Whose) -> Option<&'a str> {
        let document = self.documents.iter().find(|document| document.whose == whose);
        document.map(|document| document.sha256.as_str())
    }
}

/// Everything that a report can contain.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub decision: &'a Decision<'a>,
    pub facts: Facts<'a>,
    /// What the process will exit with: the decision's code, or what the caller asked for
    /// instead.
    pub exit_code: u8,
}

impl<'a> Deref for Report<'a> {
    type Target = Facts<'a>;

    fn deref(&self) -> &Self::Target {
        &self.facts
    }
}

impl Report<'_> {
    /// Where a gate is shown in the repository. One of the organisation has no place of its own there.
    pub(super) fn place(&self, gate: &Gate) -> Place {
        match gate.whose() {
            Whose::Repository => gate.place.clone(),
            Whose::Organisation => Place { file: self.policy.into(), line: 1, column: 1 },
        }
    }

    /// The SHA-256 of the file that contains the evidence, if there is one.
    pub(super) fn evidence_sha256(&self) -> Option<String> {
        match self.evidence_file {
            EvidenceFile::None => None,
            EvidenceFile::Saved => evidence::sha256(self),
            EvidenceFile::Given(sha256) => Some(sha256.to_owned()),
        }
    }

    /// Whether a pipeline may deploy on this decision.
    pub(super) fn may_deploy(&self) -> bool {
        let policies = self.decision.policies.iter();
        let is_enforced = policies.map(|one| one.policy.mode).all(|mode| mode == Mode::Enforce);
        let is_gate = self.purpose == Purpose::Gate && is_enforced;
        is_gate && self.decision.verdict.is_pass() && !self.is_simulated()
    }

    /// Whether a simulator answered instead of a platform.
    pub(super) fn is_simulated(&self) -> bool {
        self.evidence.outcomes.iter().any(|outcome| outcome.simulated)
    }

    /// What distinguishes this report from others of the same pipeline: the policy file and the
    /// environment.
    pub(super) fn scope(&self) -> String {
        let policy = text::one_line(self.policy, 200);
        let environment = self.environment.map(|name| text::one_line(name, 100));
        environment.map_or(policy.clone(), |name| format!("{policy}:{name}"))
    }
}

/// The SHA-256 of this program's own file, if it can be read.
pub(super) fn own_sha256() -> Option<&'static str> {
    static OWN: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let mut file = File::open(std::env::current_exe().ok()?).ok()?;
        let mut hashed = evidence::Hashed::default();
        io::copy(&mut file, &mut hashed).ok()?;
        Some(hashed.hexadecimal())
    };
    OWN.get_or_init(read).as_deref()
}

/// The digest of a commit, if it is one.
pub(super) fn commit_digest(commit: &str) -> Option<&str> {
    let is_digest = matches!(commit.len(), 40 | 64);
    (is_digest && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(commit)
}

/// The address of a file in its repository at the commit of a run, as in-toto writes it.
pub(super) fn uri(run: &CiRun, path: &str) -> Option<String> {
    let commit = run.commit.as_deref().and_then(commit_digest)?;
    let url = run.url.as_deref().filter(|url| url.starts_with("http"))?;
    let repository = format!("/{}", run.repository.as_deref()?);
    let end = url.find(&repository)? + repository.len();
    let uri = format!("git+{}@{commit}#{path}", &url[..end]);
    Some(text::one_line(&uri, 500))
}
