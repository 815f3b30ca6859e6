//! What came out of a case, compared with what is expected.

use crate::config::{Expected, ExpectedGate, ExpectedState};
use crate::evaluate::{Decision, Ruling, State};
use crate::report;
use crate::text;

/// What is not as expected, a line each.
pub(super) fn all(expected: &Expected, decision: &Decision<'_>) -> Vec<String> {
    let verdict = expected.verdict.filter(|verdict| *verdict != decision.verdict);
    let verdict =
        verdict.map(|verdict| format!("verdict: expected {verdict}, was {}", decision.verdict));
    let code = expected.exit_code.filter(|code| *code != decision.exit_code());
    let code = code.map(|code| format!("exit code: expected {code}, was {}", decision.exit_code()));
    let mut lines: Vec<_> = verdict.into_iter().chain(code).collect();
    for (id, expected) in &expected.gates {
        match decision.rulings.iter().find(|ruling| ruling.gate.id == *id) {
            Some(ruling) => lines.extend(of_gate(*expected, ruling)),
            None => {
                let known = decision.rulings.iter().map(|ruling| ruling.gate.id.as_str());
                lines.push(format!(
                    "gate {id}: the policy has no such gate{}",
                    text::did_you_mean(id, known)
                ));
            }
        }
    }
    // A verdict alone does not say which gate it comes from.
    if !lines.is_empty() && expected.gates.is_empty() {
        let red = decision.rulings.iter().filter(|ruling| ruling.state != State::Held);
        lines.extend(red.map(|ruling| format!("gate {} was {}", ruling.gate.id, in_words(ruling))));
        lines.extend(decision.warnings.iter().map(|warning| format!("warning: {warning}")));
    }
    lines.iter().map(|line| text::one_line(line, 1000)).collect()
}

fn of_gate(expected: ExpectedGate, ruling: &Ruling<'_>) -> Vec<String> {
    let id = &ruling.gate.id;
    let state = match ruling.state {
        State::Held => ExpectedState::Held,
        State::Breached => ExpectedState::Breached,
        State::Undecided => ExpectedState::Inconclusive,
    };
    let mut lines = Vec::new();
    if let Some(expected) = expected.state.filter(|expected| *expected != state) {
        let expected = expected.word();
        lines.push(format!("gate {id}: expected {expected}, was {}", in_words(ruling)));
    }
    if let Some(failed) = expected.failed.filter(|failed| *failed != ruling.failed) {
        let expected = text::count(failed, ruling.noun());
        let counted = text::thousands(ruling.failed);
        lines.push(format!("gate {id}: expected {expected}, counted {counted}"));
    }
    lines
}

/// The state, and why.
fn in_words(ruling: &Ruling<'_>) -> String {
    let limits = report::limits(ruling);
    let problems = ruling.problems.iter().map(|problem| problem.message.as_str());
    let reasons: Vec<_> =
        std::iter::once(limits.as_str()).chain(problems).filter(|text| !text.is_empty()).collect();
    match reasons.as_slice() {
        [] => ruling.state.word().to_owned(),
        reasons => format!("{}: {}", ruling.state.word(), reasons.join("; ")),
    }
}
