//! What the organisation requires: gates, their limits, what is accepted, and requirements for
//! evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::acceptance::{Acceptance, Forgives, Terms};
use crate::finding::Finding;
pub use crate::place::{Place, Whose};
use crate::selection::{Demand, Exclusion, Field, Need, Pattern, Rows, Selection, Wanted};
use crate::text;

mod taking;

pub use taking::rename;

/// A validated policy: every gate has a source, a limit, and only selectors its sources know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub whose: Whose,
    pub mode: Mode,
    pub gates: Vec<Gate>,
    /// Everything that is forgiven, in the order of the file, then what an organisation takes from
    /// the repository. Entries for other environments are left out.
    pub accept: Vec<Acceptance>,
    /// The most findings of one gate that entries of the repository with patterns cover together.
    pub most_by_taken: u64,
    /// Whom to ask about findings; the first that matches.
    pub owners: Vec<Owner>,
    pub evidence: Demands,
}

/// The policy of an organisation, which is decided by itself, beside that of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    pub policy: Policy,
    /// The file, from the root of its repository.
    pub path: String,
    pub environment: Option<String>,
    /// The exit codes that the pipeline may override for some hours.
    pub break_glass: BTreeSet<u8>,
    /// What it takes of the repository's acceptances.
    pub terms: Terms,
    /// The settings of its sources that are taken from the repository, by source.
    pub taken: BTreeMap<String, Vec<String>>,
}

/// What begins the ids of gates of an organisation, which no id that is written can.
pub const ORGANISATION: &str = "org/";

/// Where a policy is looked for when none is named.
pub const DEFAULT_PATHS: [&str; 3] =
    ["compliance-gate.yaml", ".compliance-gate.yaml", ".github/compliance-gate.yaml"];

/// The system that a source is a tenant of, whoever's policy it is in.
pub fn system_of(source: &str) -> &str {
    let source = source.strip_prefix(ORGANISATION).unwrap_or(source);
    source.split_once('/').map_or(source, |(system, _)| system)
}

/// Whether the verdict sets the exit code, or is only reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The verdict is the exit code.
    #[default]
    Enforce,
    /// Always exit 0, and report what the exit code would have been.
    Observe,
}

/// One condition on what the platforms found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub id: String,
    pub level: Level,
    /// What it requires, in a sentence.
    pub description: Option<String>,
    /// The contact for questions about it.
    pub owner: Option<String>,
    /// The address of a page about it.
    pub link: Option<String>,
    pub sources: Vec<String>,
    pub selection: Selection,
    pub limits: Limits,
    /// The limits hold for every framework, or account, by itself.
    pub each: Option<Field>,
    /// It warns before this day (UTC), and blocks from it.
    pub blocks_from: Option<NaiveDate>,
    /// What limits its meaning: filters of its sources that leave out a part of what it selects.
    pub notes: Vec<String>,
    /// Its place in the policy file.
    pub place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A breach stops the pipeline.
    #[default]
    Block,
    /// A breach is shown, and the pipeline goes on.
    Warn,
}

/// At least one is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most failed checks allowed.
    pub max: Option<u64>,
    /// The least share of passed checks.
    pub min_pass_rate: Option<Percent>,
    /// The minimum number of evaluated checks, passed or failed. Zero allows an empty match.
    pub min_evaluated: Option<u64>,
}

/// A file that a policy was read from, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Whose policy it belongs to.
    pub whose: Whose,
    /// From the root of its repository.
    pub path: String,
    pub text: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

impl Document {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let sha256 = text::hexadecimal(&Sha256::digest(&text));
        Self { whose: Whose::Repository, path: path.into(), text, sha256 }
    }
}

/// What evidence must be like for any gate to rely on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The minimum number of checks that each source, or framework, must have evaluated.
    pub min_evaluated: u64,
    /// The oldest that evidence may be.
    pub max_age: Option<Duration>,
}

/// Whom to ask about findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub of: Exclusion,
    pub name: String,
}

impl Policy {
    /// Whom to ask about a finding, by `owners`: the first that it matches.
    pub fn owner_of(&self, finding: &Finding) -> Option<&str> {
        let owner = self.owners.iter().find(|owner| owner.of.covers(finding));
        owner.map(|owner| &*owner.name)
    }

    /// Whether any gate uses a source.
    pub fn uses(&self, source: &str) -> bool {
        self.gates.iter().any(|gate| gate.uses(source))
    }

    /// Whether a gate that blocks on this day uses a source.
    pub fn blocks_on(&self, source: &str, today: NaiveDate) -> bool {
        let mut gates = self.gates.iter().filter(|gate| gate.uses(source) && gate.may_block(today));
        gates.any(|gate| self.off(gate, today).is_none())
    }

    /// The acceptance that keeps a gate from blocking on a day.
    fn off(&self, gate: &Gate, today: NaiveDate) -> Option<&Acceptance> {
        self.accept.iter().find(|entry| {
            entry.grounds.in_force(today)
                && matches!(&entry.forgives, Forgives::GateOff(id) if *id == gate.id)
        })
    }

    /// A sentence and its place, if acceptances keep every gate that could block from blocking on a
    /// day.
    pub fn all_off(&self, today: NaiveDate) -> Option<(&Place, String)> {
        let blocking = || self.gates.iter().filter(|gate| gate.may_block(today));
        let entries: Vec<_> = blocking().filter_map(|gate| self.off(gate, today)).collect();
        let last = entries.last().filter(|_| entries.len() == blocking().count())?;
        let ids = entries.iter().map(|entry| format!("`{}`", entry.grounds.id));
        let sentence = format!(
            "no gate is left that can block: acceptance {} turns every blocking gate off; keep one",
            text::listed(ids, ", ", 5)
        );
        Some((&last.grounds.place, sentence))
    }

    /// What the gates need from one source in addition to its failures.
    pub fn wanted(&self, source: &str) -> Wanted {
        let mut demands: Vec<Demand> = Vec::new();
        for gate in self.gates.iter().filter(|gate| gate.uses(source)) {
            for demand in gate.demands() {
                if !demands.contains(&demand) {
                    demands.push(demand);
                }
            }
        }
        let gates = || self.gates.iter().filter(|gate| gate.uses(source));
        let split = gates().any(|gate| gate.each.is_some() && gate.needs_passes());
        let by_account = gates().filter(|gate| {
            let is_each = gate.each == Some(Field::Account);
            is_each || gate.selection.words.contains_key(&Field::Account)
        });
        let by_account = by_account.map(|gate| gate.selection.clone()).collect();
        let selections = gates().map(|gate| gate.selection.clone()).collect();
        let rows = if self.accept.is_empty() { Rows::Of(selections) } else { Rows::All };
        let excepts = gates().flat_map(|gate| &gate.selection.except);
        let mut exclusions: Vec<_> = excepts.filter_map(Exclusion::of_passes).collect();
        exclusions.sort();
        exclusions.dedup();
        let demand = |selection| Demand { selection, need: Need::Existence };
        let exclusions = exclusions.into_iter().map(demand).collect();
        Wanted { demands, exclusions, split, by_account, rows }
    }
}

impl Gate {
    /// Whose policy it is of.
    pub fn whose(&self) -> Whose {
        match self.id.starts_with(ORGANISATION) {
            true => Whose::Organisation,
            false => Whose::Repository,
        }
    }

    /// Whether it can stop a pipeline on this day.
    pub fn may_block(&self, today: NaiveDate) -> bool {
        self.level == Level::Block && self.blocks_from.is_none_or(|day| day <= today)
    }

    pub fn uses(&self, source: &str) -> bool {
        self.sources.iter().any(|name| name == source)
    }

    /// The passed checks that it selects: all that match, regardless of status and age.
    pub fn of_passes(&self) -> Selection {
        self.selection.only(Field::is_of_passes)
    }

    /// Which checks it speaks of, failed or passed, however severe.
    pub fn identity(&self) -> Selection {
        self.selection.only(Field::is_identity).without_except()
    }

    /// Whether it must know how many checks passed.
    pub fn needs_passes(&self) -> bool {
        self.limits.min_pass_rate.is_some() || self.limits.min_evaluated.is_some_and(|n| n > 0)
    }

    /// Whether its selectors must match something that was evaluated.
    pub fn needs_existence(&self) -> bool {
        !self.identity().fields().is_empty()
    }

    /// Each word of its identity selectors, with the selection that it makes together with all
    /// words of the other fields. Each must match something that was evaluated, or the gate would
    /// pass for a typo.
    pub fn words(&self) -> Vec<(Field, Pattern, Selection)> {
        let identity = self.identity();
        let fields = identity.words.iter();
        let words = fields
            .flat_map(|(field, patterns)| patterns.iter().map(|pattern| (*field, pattern.clone())));
        words
            .map(|(field, pattern)| {
                let mut selection = identity.clone();
                selection.words.insert(field, vec![pattern.clone()]);
                (field, pattern, selection)
            })
            .collect()
    }

    /// What `except` leaves of the checks that it speaks of, if it has one.
    pub fn left(&self) -> Option<Selection> {
        let left = self.selection.only(|field| field.is_identity() || field == Field::Severity);
        let left = Selection { severity: None, ..left };
        (!left.except.is_empty()).then_some(left)
    }

    /// Whether it may pass although nothing was evaluated.
    pub fn allows_nothing(&self) -> bool {
        self.limits.min_evaluated == Some(0)
    }

    fn demands(&self) -> impl Iterator<Item = Demand> {
        let passes =
            self.needs_passes().then(|| Demand { selection: self.of_passes(), need: Need::Passes });
        let words = self.words().into_iter().map(|(_, _, selection)| selection);
        let existence = words.chain(self.left()).filter(|_| !self.allows_nothing());
        let existence = existence.map(|selection| Demand { selection, need: Need::Existence });
        passes.into_iter().chain(existence)
    }
}

/// A share, exact: millionths of a percent, at most 100 %.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u64);

impl Percent {
    const ONE: u64 = 1_000_000;

    /// Reads `72.5%`: up to six digits behind the point.
    ///
    /// # Errors
    /// A sentence, if it is anything else, or above 100 %.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a percentage; write it like `95%` or `72.5%`");
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > 6 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
        let value = whole * Self::ONE + part;
        if value > 100 * Self::ONE {
            return Err(format!("`{text}` is more than 100 %"));
        }
        Ok(Self(value))
    }

    /// For programs that compare numbers.
    pub fn as_number(self) -> f64 {
        // At most 10^8, which is exact.
        f64::from(u32::try_from(self.0).unwrap_or(u32::MAX)) / 1_000_000.0
    }

    /// Whether `passed` of `total` is at least this share, compared without rounding.
    pub fn is_met_by(self, passed: u64, total: u64) -> bool {
        let hundred = u128::from(100 * Self::ONE);
        u128::from(passed) * hundred >= u128::from(total) * u128::from(self.0)
    }

    /// The most failures that still meet this share when `passed` checks passed.
    pub fn most_failures(self, passed: u64) -> Option<u64> {
        let hundred = u128::from(100 * Self::ONE);
        let most_total = (u128::from(passed) * hundred).checked_div(u128::from(self.0))?;
        u64::try_from(most_total.saturating_sub(u128::from(passed))).ok()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::ONE, self.0 % Self::ONE);
        match part {
            0 => write!(f, "{whole}%"),
            _ => write!(f, "{whole}.{}%", format!("{part:06}").trim_end_matches('0')),
        }
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
