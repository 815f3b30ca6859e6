//! The result that lets an artefact through: in-toto's Simple Verification Result, version 0.2.
//!
//! Its properties are positive only, so that whatever is missing is a refusal. It is written under
//! the conditions of [`why_not`] and no others.

use serde::Serialize;

use super::predicate::{self, PolicyFile};
use crate::evaluate::State;
use crate::policy::{Gate, Mode, ORGANISATION};
use crate::report::{Purpose, Report, digest};

/// The predicate type.
pub(crate) const TYPE: &str = "https://in-toto.io/attestation/svr/v0.2";

/// Who verified.
pub(crate) const VERIFIER: &str = "https://compliance-gate.dev/gate/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Svr<'a> {
    verifier: Verifier<'a>,
    /// Whole seconds with `Z`: some verifiers read nothing else.
    time_created: String,
    properties: Vec<String>,
}

#[derive(Serialize)]
struct Verifier<'a> {
    id: &'static str,
    policies: Vec<PolicyFile<'a>>,
}

pub(super) fn of<'a>(report: &Report<'a>) -> Svr<'a> {
    Svr {
        verifier: Verifier { id: VERIFIER, policies: predicate::policy_files(report) },
        time_created: digest::time(report.now),
        properties: properties(report),
    }
}

/// Why no artefact may be let through on this decision, if so.
pub(crate) fn why_not(report: &Report<'_>) -> Option<&'static str> {
    let decision = report.decision;
    let rulings = &decision.rulings;
    let policies = decision.policies.iter().map(|one| one.policy);
    let reasons = [
        (report.purpose != Purpose::Gate, "it is not the decision of a gate"),
        (decision.overridden.is_some(), "the verdict is overridden"),
        (policies.clone().any(|policy| policy.mode != Mode::Enforce), "the mode is `observe`"),
        (rulings.iter().any(|ruling| ruling.off.is_some()), "an acceptance turns a gate off"),
        (rulings.iter().any(|ruling| !ruling.forgiven.is_empty()), "a cause is forgiven"),
        (!decision.verdict.is_pass(), "the verdict is not a pass"),
        (report.subjects.is_empty(), "no subject is given"),
        (report.is_simulated(), "a simulator answered instead of a platform"),
        (!decision.evidence_complete(), "the evidence is not complete"),
        (
            policies.clone().any(|policy| policy.evidence.max_age.is_none()),
            "`evidence.max_age` is not set",
        ),
    ];
    reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}

fn properties(report: &Report<'_>) -> Vec<String> {
    let rulings = &report.decision.rulings;
    let mut properties = vec!["COMPLIANCE_GATE_PASSED".to_owned()];
    properties.extend(report.environment.map(|name| property("ENV", name)));
    properties.push("COMPLIANCE_GATE_EVIDENCE_COMPLETE".to_owned());
    let has_exception = rulings.iter().any(|ruling| {
        let out_of_scope = ruling.out_of_scope.values().any(|failed| *failed > 0);
        !ruling.accepted.is_empty() || !ruling.known.is_empty() || out_of_scope
    });
    if !has_exception {
        properties.push("COMPLIANCE_GATE_NO_EXCEPTIONS".to_owned());
    }
    let held = rulings.iter().filter(|ruling| ruling.may_block() && ruling.state == State::Held);
    properties.extend(held.map(|ruling| of_gate(ruling.gate)));
    properties
}

fn of_gate(gate: &Gate) -> String {
    match gate.id.strip_prefix(ORGANISATION) {
        Some(id) => property("ORG", id),
        None => property("GATE", &gate.id),
    }
}

/// The property of a name: upper case, other characters `_`.
pub(crate) fn property(kind: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(plain).collect();
    format!("COMPLIANCE_GATE_{kind}_{name}")
}
