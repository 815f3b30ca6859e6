//! Gates by what evidence shows: severe findings are known by a baseline, and limits are where the
//! estate is today. No gate has both.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::evidence::{Evidence, Outcome, Part};
use crate::finding::{Finding, Problem, Severity};
use crate::selection::{Field, Selection};
use crate::text;

/// A policy file, and how many findings its baseline will have.
pub(super) struct Proposal {
    pub text: String,
    pub baselined: u64,
}

/// What is missing of the evidence.
pub(super) fn gaps(evidence: &Evidence) -> Vec<&Problem> {
    evidence
        .outcomes
        .iter()
        .flat_map(|outcome| {
            let of_parts = outcome.parts.iter().flat_map(|part| &part.problems);
            outcome.problems.iter().chain(of_parts)
        })
        .collect()
}

pub(super) fn of(
    evidence: &Evidence,
    config: &Config,
    copied: &str,
    now: DateTime<Utc>,
) -> Proposal {
    // A baseline is of all sources, and cannot be written where findings are only counted.
    let is_listed = |outcome: &Outcome| {
        outcome.parts.iter().all(|part| part.findings.why_incomplete().is_none())
    };
    let has_baseline = evidence.outcomes.iter().all(is_listed);
    let mut gates = String::new();
    let mut known = Vec::new();
    let mut baselined = 0;
    for outcome in &evidence.outcomes {
        let id = outcome.source.replace('/', "-");
        let is_window = outcome.parts.iter().any(|part| part.proof.window().is_some());
        if reads_severe(config, &outcome.source) {
            let today = severe(outcome, now);
            let is_known = today > 0 && has_baseline && !is_window;
            if is_known {
                baselined += today;
                known.push(format!("{id}-severe"));
            }
            gates.push_str(&severe_gate(&id, outcome, today, is_known));
        }
        gates.push_str(&total_gate(&id, outcome, now));
        gates.push_str(&pass_rate_gate(&id, outcome, now));
    }
    let accept = match known.as_slice() {
        [] => String::new(),
        gates => accept(baselined, gates),
    };
    let text = format!(
        "# yaml-language-server: $schema=./policy.schema.json\n\
         # Proposed from evidence of {}. Limits are where the estate was; tighten them step by step.\n\
         version: 1\n{copied}\ngates:\n{gates}{accept}",
        evidence.finished.format("%Y-%m-%d")
    );
    Proposal { text, baselined }
}

/// Whether a source can report critical or high findings.
fn reads_severe(config: &Config, source: &str) -> bool {
    let reads = config.sources.get(source).and_then(|source| source.reads(Field::Severity));
    let is_severe = |word: &String| ["critical", "high"].contains(&word.as_str());
    reads.is_none_or(|reads| reads.words.iter().any(is_severe))
}

/// How many failures are critical, high, or of unknown severity.
fn severe(outcome: &Outcome, now: DateTime<Utc>) -> u64 {
    let severity = Some([Severity::Critical, Severity::High].into());
    failed(outcome, &Selection { severity, ..Selection::default() }, now)
}

/// How many failures match.
fn failed(outcome: &Outcome, selection: &Selection, now: DateTime<Utc>) -> u64 {
    let counts = |finding: &&Finding| selection.matches_finding(finding, now);
    let of_part = |part: &Part| match part.findings.why_incomplete() {
        None => part.findings.listed().iter().filter(counts).count() as u64,
        Some(_) => part.counts.of(selection).map_or(0, |count| count.failed),
    };
    outcome.parts.iter().map(of_part).sum()
}

/// The gate for severe findings. `is_known`: a baseline has those of today.
fn severe_gate(id: &str, outcome: &Outcome, today: u64, is_known: bool) -> String {
    let limit = match is_known {
        true => "0   # new ones; those of today are in the baseline".to_owned(),
        false => limit(today),
    };
    let source = &outcome.source;
    format!(
        "  - id: {id}-severe\n    source: {source}\n    severity: \">= high\"\n    max: {limit}\n"
    )
}

/// The gate for all findings.
fn total_gate(id: &str, outcome: &Outcome, now: DateTime<Utc>) -> String {
    let limit = limit(failed(outcome, &Selection::default(), now));
    format!("  - id: {id}-total\n    source: {}\n    max: {limit}\n", outcome.source)
}

/// Today's number as the limit, with the next step down.
fn limit(today: u64) -> String {
    match today {
        0 => "0".to_owned(),
        today => format!("{today}   # where it is today; next: {}", today - (today / 10).max(1)),
    }
}

/// The gate for the pass rate, where passed checks are known.
fn pass_rate_gate(id: &str, outcome: &Outcome, now: DateTime<Utc>) -> String {
    let everything = Selection::default();
    let passed = |part: &Part| part.counts.of(&everything).and_then(|count| count.passed);
    let passed: Option<u64> = outcome.parts.iter().map(passed).sum();
    let failed = failed(outcome, &everything, now);
    let Some(passed) = passed.filter(|passed| passed + failed > 0) else { return String::new() };
    // Cut, so that the estate of today is within it.
    let share = u128::from(passed) * 10_000 / u128::from(passed + failed);
    let (whole, part) = (share / 100, share % 100);
    let next = match whole {
        100 => String::new(),
        whole => format!("   # where it is today; next: {}%", whole + 1),
    };
    let source = &outcome.source;
    format!(
        "  - id: {id}-pass-rate\n    source: {source}\n    min_pass_rate: {whole}.{part:02}%{next}\n"
    )
}

/// The entry for the baseline. It is invalid until owner and end are filled in.
fn accept(findings: u64, gates: &[String]) -> String {
    format!(
        "\naccept:\n  - id: first-day\n    baseline: .compliance-gate/baseline.jsonl   # \
         `compliance-gate baseline write` writes it\n    gates: [{}]\n    reason: Found when the gate was \
         introduced ({})\n    # Fill in who has them fixed, such as \"#cloud-platform\", and the last day on \
         which they are\n    # accepted, such as 2027-06-30. The file is invalid until then.\n    owner:\n    \
         expires:\n",
        gates.join(", "),
        text::count(findings, "severe finding"),
    )
}
