//! Version 1 of the machine report. Types apart from the domain: the inside can change, this
//! cannot. Fields may be added; none changes its meaning or goes without a new version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::finding::{Cause, Severity};
use crate::policy::{Level, Mode, Whose};
use crate::report::Purpose;
use crate::report::view::View;
use crate::verdict::Verdict;

/// What names this version in the documents and in the schema.
pub(crate) const SCHEMA: &str = "urn:compliance-gate:report:1";

/// What the gate decided, and everything that the decision rests on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Report<'a> {
    /// Names this schema.
    #[serde(rename = "$schema")]
    pub schema: &'static str,
    /// The version of this schema.
    pub version: u32,
    pub tool: Tool,
    /// The verdict, regardless of the mode.
    pub verdict: Verdict,
    /// The exit code of the process.
    pub exit_code: u8,
    pub mode: Mode,
    /// In mode `observe`, or where the verdict is overridden: the exit code of the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_exit: Option<u8>,
    /// That the pipeline overrides the verdict by break-glass, so that the exit code is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Overridden<'a>>,
    /// The verdict in a sentence.
    pub summary: String,
    /// What the decision is for. Only that of a gate may let anything through.
    pub purpose: Purpose,
    /// The time at which it was decided.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub decided: String,
    /// The policy file.
    pub policy: Cow<'a, str>,
    /// The SHA-256 of the policy file's bytes, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_sha256: Option<&'a str>,
    /// Each policy that was decided, with its own verdict: that of the repository, and that of the
    /// organisation. The worse verdict counts.
    pub policies: Vec<Policy<'a>>,
    pub environment: Option<Cow<'a, str>>,
    /// Whether a gate in mode `enforce` lets the pipeline deploy, on the word of real platforms.
    pub may_deploy: bool,
    /// Whether a simulator answered instead of a platform, for any source.
    pub simulated: bool,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub started: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub finished: String,
    /// What changed since the earlier run that was given with `--previous`, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Cow<'a, str>>,
    /// Whether all evidence that any gate asked for is there and can be relied on.
    pub evidence_complete: bool,
    /// Warnings that belong to no gate.
    pub warnings: Vec<Cow<'a, str>>,
    /// In the policy's order.
    pub gates: Vec<Gate<'a>>,
    /// Everything that the policy accepts, in its order.
    pub acceptances: Vec<Acceptance<'a>>,
    pub sources: Vec<Source<'a>>,
    /// Every failed check once, worst first.
    #[cfg_attr(test, schemars(with = "Vec<Finding<'_>>"))]
    pub findings: Findings<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Tool {
    pub name: &'static str,
    pub version: &'static str,
}

/// A verdict that the pipeline overrides.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Overridden<'a> {
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub until: String,
    pub reason: Cow<'a, str>,
}

/// A policy, decided by itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Policy<'a> {
    pub whose: Whose,
    pub file: Cow<'a, str>,
    /// The SHA-256 of the file's bytes, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<&'a str>,
    pub mode: Mode,
    /// The verdict by this policy alone, regardless of its mode.
    pub verdict: Verdict,
    /// Settings of its sources that an organisation's policy takes from the repository, by source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_repository: Option<&'a BTreeMap<String, Vec<String>>>,
}

/// One demand of the policy, and what became of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Gate<'a> {
    pub id: Cow<'a, str>,
    pub level: Level,
    /// What it demands, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    /// Whom to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Cow<'a, str>>,
    /// Where more is written about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Cow<'a, str>>,
    pub sources: Vec<Cow<'a, str>>,
    /// The selectors and their words. Empty: all checks.
    pub selection: BTreeMap<&'static str, Vec<Cow<'a, str>>>,
    /// What is out of scope: all that any of these selects.
    pub except: Vec<BTreeMap<&'static str, Vec<Cow<'a, str>>>>,
    pub limits: Limits,
    /// The policy file, from the root of its repository.
    pub file: Cow<'a, str>,
    /// Line of the policy file.
    pub line: u64,
    pub state: State,
    /// Whether this gate alone stops the pipeline, or would in mode `enforce`.
    pub blocks: bool,
    /// What was counted; absent where it could not be decided and no failure is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed<'a>>,
    /// The limits hold for each of these by itself: `framework` or `account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<&'static str>,
    /// Every framework or account, breached ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub groups: Vec<Group<'a>>,
    /// The first day (UTC) on which the gate blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_from: Option<chrono::NaiveDate>,
    /// The limits that do not hold.
    pub breaches: Vec<Breach<'a>>,
    /// Why it could not be decided, or not on all evidence.
    pub troubles: Vec<Trouble<'a>>,
    /// The exception that makes those troubles a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgiven: Option<Exception<'a>>,
    /// The acceptance that keeps it from blocking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off: Option<Cow<'a, str>>,
    /// The pieces of evidence that were summed.
    pub evidence: Vec<Cow<'a, str>>,
    /// Whether each failed check is among the findings; else only their number is known.
    pub findings_listed: bool,
    /// Fingerprints of the findings that it counts, worst first.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub findings: Fingerprints<'a>,
    /// What changed since a baseline, where one applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<SinceBaseline>,
    /// The findings that it would count if they were not accepted, worst first.
    #[cfg_attr(test, schemars(with = "Vec<Belonging<'_>>"))]
    pub accepted: Accepted<'a>,
}

/// What changed at a gate since a baseline.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SinceBaseline {
    /// Findings that count.
    pub new: u64,
    /// Findings that the baseline has.
    pub known: u64,
    /// Findings of the baseline that are gone; absent where the evidence is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<u64>,
}

/// An accepted finding, and the entry that it belongs to.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Belonging<'a> {
    pub fingerprint: String,
    /// The id of the acceptance.
    pub by: Cow<'a, str>,
}

/// An entry of the policy's `accept`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Acceptance<'a> {
    /// Whose policy it is written in.
    pub whose: Whose,
    pub id: Cow<'a, str>,
    /// Its key in the policy: `match`, `baseline`, `cause`, `gate_off` or `upstream`.
    pub kind: &'static str,
    /// What it forgives, in words.
    pub forgives: Cow<'a, str>,
    pub reason: Cow<'a, str>,
    pub owner: Cow<'a, str>,
    /// As the file states; nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Cow<'a, str>>,
    /// The first day (UTC) on which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date")))]
    pub from: Option<String>,
    /// The last day (UTC) on which it holds.
    #[cfg_attr(test, schemars(extend("format" = "date")))]
    pub expires: String,
    pub state: Standing,
    /// How many findings it covers, or covered until it lapsed.
    pub covers: u64,
    /// Ids of the gates that it made a difference to.
    pub gates: Vec<Cow<'a, str>>,
    /// The file that it is in, from the root of its repository.
    pub file: Cow<'a, str>,
    pub line: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Standing {
    NotYet,
    InForce,
    Lapsed,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Exact, as written in the policy: `72.5%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pass_rate: Option<String>,
    /// The same as a number: `72.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pass_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_evaluated: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Within its limits.
    Held,
    /// Beyond a limit, on valid evidence.
    Breached,
    /// The evidence is not enough to decide.
    Inconclusive,
}

/// What a gate counted, over all valid evidence.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Observed<'a> {
    pub failed: u64,
    /// Where the gate needs to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<u64>,
    pub failed_by_severity: BTreeMap<&'static str, u64>,
    /// Failed checks that `except` takes out of scope, by account.
    pub out_of_scope: BTreeMap<Cow<'a, str>, u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Breach<'a> {
    pub limit: Limit,
    /// The framework or account that it is about, where the gate has `each`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Cow<'a, str>>,
    /// Observed, limit, and by how much, in a sentence.
    pub message: String,
}

/// What a gate counts for one framework or account.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Group<'a> {
    pub name: Cow<'a, str>,
    pub failed: u64,
    /// Where the gate needs to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<u64>,
    pub breached: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    Max,
    MinPassRate,
}

/// One reason why evidence cannot be relied on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Trouble<'a> {
    pub cause: Cause,
    pub message: Cow<'a, str>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<Cow<'a, str>>,
}

/// A `cause` that the policy accepts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Exception<'a> {
    pub id: Cow<'a, str>,
    pub cause: Cause,
    pub reason: Cow<'a, str>,
    pub owner: Cow<'a, str>,
    /// The last day (UTC) on which it holds.
    #[cfg_attr(test, schemars(extend("format" = "date")))]
    pub expires: String,
}

/// A platform, and what it said.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Source<'a> {
    /// The name in the policy.
    pub name: Cow<'a, str>,
    pub system: Cow<'a, str>,
    /// Scheme, host and port that answered.
    pub origin: Cow<'a, str>,
    /// Whether the embedded simulator answered instead of a platform.
    pub simulated: bool,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Why nothing of this source can be relied on.
    pub troubles: Vec<Trouble<'a>>,
    pub notes: Vec<Cow<'a, str>>,
    pub parts: Vec<Part<'a>>,
}

/// A piece of evidence that can be relied on as a whole, or not at all.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Part<'a> {
    /// Where the platform evaluates one framework at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Cow<'a, str>>,
    /// Checks within the scope, with any result.
    pub evaluated: u64,
    /// The span of time that was covered, where the platform reports what happened rather than
    /// what was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    pub failed_by_severity: BTreeMap<&'static str, u64>,
    /// When the platform evaluated it; absent where the platform does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub as_of: Option<String>,
    pub jobs: Vec<Job<'a>>,
    /// Why this part cannot be relied on. Empty: it can.
    pub troubles: Vec<Trouble<'a>>,
    /// Why not all findings are listed, although the counts are complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings_missing: Option<Trouble<'a>>,
    pub notes: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Window {
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub from: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub to: String,
}

/// A job of the platform.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Job<'a> {
    pub id: Cow<'a, str>,
    /// The platform's own word.
    pub state: Cow<'a, str>,
    /// `started` by this run, `joined` while another pipeline's ran, or `reused` after its end.
    pub role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub ended_at: Option<String>,
}

/// A check that failed on one resource.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding<'a> {
    /// What makes it the same finding tomorrow: 32 hex digits.
    #[cfg_attr(test, schemars(extend("pattern" = "^[0-9a-f]{32}$")))]
    pub fingerprint: String,
    pub source: Cow<'a, str>,
    pub rule: Rule<'a>,
    pub severity: Severity,
    /// The platform's own word; absent where it gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Cow<'a, str>>,
    pub resource: Resource<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Cow<'a, str>>,
    pub controls: Vec<Control<'a>>,
    /// Why it failed, in the platform's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// The address of its page on the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Cow<'a, str>>,
    /// Who did it, where the platform reports changes and names an actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Cow<'a, str>>,
    /// When the platform first saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub created_at: Option<String>,
    /// Whom to ask, by the policy's `owners`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Cow<'a, str>>,
    /// Ids of the gates that count it.
    pub gates: Vec<Cow<'a, str>>,
    /// The id of the acceptance that it belongs to, where no gate counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<Cow<'a, str>>,
    /// Both severities, where it was changed on the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_severity: Option<Rerating>,
    /// What the platform itself accepted about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_acceptance: Option<Waiver<'a>>,
}

/// A severity that was changed on the platform.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Rerating {
    pub original: Severity,
    pub current: Severity,
}

/// A finding that was accepted on its platform.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Waiver<'a> {
    /// The word for it in a policy's `upstream`.
    pub kind: &'static str,
    /// The platform's own end; absent where it states none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Rule<'a> {
    pub id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Cow<'a, str>>,
}

/// Empty for checks of a whole account.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Resource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Account<'a> {
    pub id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Control<'a> {
    pub framework: Cow<'a, str>,
    pub id: Cow<'a, str>,
}

/// Made one at a time while they are written: there may be very many.
pub(super) struct Findings<'a>(pub &'a View<'a>);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view) = self;
        serializer.collect_seq(view.entries.iter().map(|entry| super::finding(view, entry)))
    }
}

/// Accepted findings, written one at a time while they are serialized.
pub(super) struct Accepted<'a>(pub &'a crate::evaluate::Ruling<'a>);

impl Serialize for Accepted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ruling) = self;
        let accepted = ruling.accepted.iter().chain(&ruling.known);
        serializer.collect_seq(accepted.map(|(finding, entry)| Belonging {
            fingerprint: finding.fingerprint.to_string(),
            by: crate::text::safe(&entry.grounds.id),
        }))
    }
}

/// Fingerprints, written one at a time while they are serialized.
pub(super) struct Fingerprints<'a>(pub &'a [&'a crate::finding::Finding]);

impl Serialize for Fingerprints<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|finding| finding.fingerprint.to_string()))
    }
}
