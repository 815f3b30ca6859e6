//! The lines of a file of saved evidence. Each is a JSON object with one key, its kind.
//!
//! ```text
//! header                              which format, and when the evidence was collected
//! source                              its origin, what was asked of it, what is missing of it
//!   part                              a piece of evidence with its proof
//!     rule, subject, finding          rules and subjects once, before the first line that needs them
//!     table, count, answer            counts that the findings do not give
//! document, text                      the files of the policy, as they were written
//! decision                            what was decided from it, when, and for which run
//! end                                 the number of lines before it, and their SHA-256
//! ```
//!
//! Fields may be added only together with a new version: a reader refuses what it does not know.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::evidence::{Role, Unit};
use crate::finding::{Cause, Severity};
use crate::selection::Field;
use crate::verdict::Verdict;

/// What names this format in its files and in its schema.
pub(crate) const SCHEMA: &str = "urn:compliance-gate:evidence:1";

/// The newest version of the format that this program reads, and the one that it writes.
pub(super) const VERSION: u32 = 1;

/// A text that a line contains, borrowed from it where possible.
pub(super) type Text<'a> = Cow<'a, str>;

/// A line.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    #[serde(borrow)]
    Header(Header<'a>),
    #[serde(borrow)]
    Source(Source<'a>),
    #[serde(borrow)]
    Part(Part<'a>),
    #[serde(borrow)]
    Rule(Rule<'a>),
    #[serde(borrow)]
    Subject(Subject<'a>),
    #[serde(borrow)]
    Finding(Finding<'a>),
    Table(Table),
    Count(Count),
    #[serde(borrow)]
    Answer(Answer<'a>),
    #[serde(borrow)]
    Document(Document<'a>),
    /// The next piece of the text of the document above.
    #[serde(borrow)]
    Text(Text<'a>),
    #[serde(borrow)]
    Decision(Decision<'a>),
    #[serde(borrow)]
    End(End<'a>),
}

/// The first line.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    /// Names the format.
    #[serde(borrow)]
    pub schema: Text<'a>,
    /// The version of the format.
    pub version: u32,
    /// The version of the program that wrote it.
    #[serde(borrow)]
    pub tool: Text<'a>,
    /// When the collection began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// Whether the time at which each finding was first seen was carried from an earlier run, so that
    /// it is an age in the decision.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ages: bool,
}

/// A source, before its parts.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Source<'a> {
    /// Its name in the policy.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Scheme, host and port that answered.
    #[serde(borrow)]
    pub origin: Text<'a>,
    /// Whether the embedded simulator answered instead of a platform.
    #[serde(default, skip_serializing_if = "is_false")]
    pub simulated: bool,
    /// The settings that chose what was asked for. What is not among them was asked for whole.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter<'a>>,
    /// Requests sent, retries included.
    pub requests: u64,
    /// What is missing of the source as a whole.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Text<'a>>,
    /// What a reader of any gate on it must know, also where the gate holds.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Text<'a>>,
    /// What a reader must know after a fix.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub after_fix: Option<Text<'a>>,
    /// How to have newer evidence.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<Text<'a>>,
}

/// A setting that chose a part of what the platform has, or changed what was read.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Filter<'a> {
    /// Its key below the source, such as `filters.severities`.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// The field by which this evidence can be divided as the platform would have done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    #[serde(borrow)]
    pub words: BTreeSet<Text<'a>>,
}

/// One reason why evidence cannot be relied on.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Problem<'a> {
    pub cause: Cause,
    #[serde(borrow)]
    pub message: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text<'a>>,
}

/// A piece of evidence of the source above. The findings and counts below it are its own.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Part<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Text<'a>>,
    /// The SHA-256 of the image that it is about, where it is of one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Text<'a>>,
    /// What is counted.
    pub unit: Unit,
    /// Why it cannot be relied on.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Text<'a>>,
    /// The platform's jobs behind it.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job<'a>>,
    /// Accounts in scope that the platform does not evaluate.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub accounts_without_results: Vec<Unevaluated<'a>>,
    /// What shows that the platform looked.
    pub proof: Proof,
    /// When the platform evaluated it, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
    /// When it was read, where the platform states no time by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<DateTime<Utc>>,
    /// What earlier runs had found of just before the window: since when, and the ids of the findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<(DateTime<Utc>, Vec<String>)>,
    /// Why not every failure is listed, if it is not.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Problem<'a>>,
    /// How many findings follow.
    pub findings: u64,
}

#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Job<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub state: Text<'a>,
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Account<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
}

/// An account that the platform does not evaluate.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Unevaluated<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// What the platform says of it; without it, there is no result at all.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Text<'a>>,
}

/// What shows that a platform looked.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Proof {
    /// So many checks were evaluated.
    Checks(u64),
    /// A list was answered in full.
    Answered {
        entries: u64,
        /// The first and the last instant of the time that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    },
}

/// A rule. The first one has number 0.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Rule<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text<'a>>,
}

/// What checks are about. The first one has number 0.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Subject<'a> {
    pub severity: Severity,
    /// The number of its rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<Control<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text<'a>>,
}

#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Control<'a> {
    #[serde(borrow)]
    pub framework: Text<'a>,
    #[serde(borrow)]
    pub id: Text<'a>,
}

/// A check that failed on one resource.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Finding<'a> {
    /// Its fingerprint: 32 hexadecimal digits.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The number of its subject.
    pub subject: usize,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Text<'a>>,
    /// Whether `status: open` does not match it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<'a>>,
    /// The address of its page on the platform.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Text<'a>>,
    /// Further texts, by the selector that they belong to.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facets: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    /// When the platform first saw it, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When this program first saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<DateTime<Utc>>,
    /// Its place in an image, where it is of one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePart<'a>>,
    /// Whether it happened once, so that it is not expected again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub event: bool,
    /// The original and the present severity, where it was changed on the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerating: Option<(Severity, Severity)>,
    /// What the platform itself accepted about it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver<'a>>,
}

/// A place in an image, whatever its tag and digest.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ImagePart<'a> {
    #[serde(borrow)]
    pub repository: Text<'a>,
    /// Empty where a rule is about the image as a whole.
    #[serde(borrow)]
    pub package: Text<'a>,
    #[serde(borrow)]
    pub path: Text<'a>,
}

/// A finding that was accepted on its platform.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Waiver<'a> {
    /// The word for it in a policy's `upstream`.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// The platform's own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<'a>>,
    /// Why it does not hold.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Text<'a>>,
}

/// Counts of everything in the part above, split by fields. Its rows follow.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub by: BTreeSet<Field>,
}

/// A row of the table above.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Count {
    /// The number of its subject.
    pub subject: usize,
    /// `null` where only failures were counted.
    pub passed: Option<u64>,
    pub failed: u64,
}

/// The count of one selection in the part above.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub selection: Selection<'a>,
    /// `null` where only failures were counted.
    pub passed: Option<u64>,
    pub failed: u64,
}

#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Selection<'a> {
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<Field, Vec<Text<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Exclusion<'a>>,
}

/// Checks that are out of scope.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusion<'a> {
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<Field, Vec<Text<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<BTreeSet<Severity>>,
}

/// A file that the policy was read from. Its text follows.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'a> {
    /// From the root of its repository.
    #[serde(borrow)]
    pub path: Text<'a>,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Text<'a>,
    /// Whether it belongs to the policy of the organisation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub organisation: bool,
}

/// What was decided from this evidence.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Decision<'a> {
    pub verdict: Verdict,
    pub exit_code: u8,
    /// A verdict that the gates could not improve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Verdict>,
    /// The time at which it was decided.
    pub now: DateTime<Utc>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Text<'a>>,
    /// What had changed since an earlier run, in a sentence.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Text<'a>>,
    /// The exit code that was asked for instead of a pass with warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_exit_code: Option<u8>,
    /// The override that the pipeline asked for, whether it applied or not.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Text<'a>>,
    /// The artefacts that the run was about.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Artefact<'a>>,
    /// The SHA-256 of the program that decided it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub tool_sha256: Option<Text<'a>>,
    #[serde(borrow)]
    pub run: Run<'a>,
}

/// An artefact that a run was about.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Artefact<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    /// 64 hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Text<'a>,
}

/// The run of the pipeline, as its CI host names it.
#[derive(Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Run<'a> {
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub host: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Text<'a>>,
}

/// The last line.
#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct End<'a> {
    /// The number of lines before it.
    pub lines: u64,
    /// The SHA-256 of the bytes before it, in hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Text<'a>,
}

/// For fields that are left out where they are false.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
