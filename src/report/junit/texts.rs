//! The properties and the output of a suite: what the run was decided on.

use crate::evidence::Outcome;
use crate::policy::Mode;
use crate::report::{Report, digest};
use crate::text;

pub(super) struct SuiteTexts {
    /// Never empty: a schema demands the element, and quick-junit leaves out an empty one.
    pub properties: Vec<(String, String)>,
    pub output: String,
}

pub(super) fn of_run(report: &Report<'_>) -> SuiteTexts {
    let decision = report.decision;
    let mut properties = vec![
        property("tool", &format!("{} {}", super::TOOL, env!("CARGO_PKG_VERSION"))),
        property("verdict", decision.verdict.word()),
        property("exit_code", &report.exit_code.to_string()),
        property("policy", report.policy),
        property("summary", &digest::headline(report)),
    ];
    properties.extend(report.environment.map(|environment| property("environment", environment)));
    if decision.mode == Mode::Observe {
        properties.push(property("mode", "observe"));
    }
    let warnings = decision.warnings.iter().map(|warning| text::one_line(warning, 600));
    let lines: Vec<_> = std::iter::once(digest::headline(report)).chain(warnings).collect();
    SuiteTexts { properties, output: lines.join("\n") }
}

pub(super) fn of_source(outcome: &Outcome) -> SuiteTexts {
    let mut properties = vec![
        property("origin", &outcome.origin),
        property("requests", &outcome.requests.to_string()),
    ];
    if outcome.simulated {
        properties.push(property("simulated", "true"));
    }
    for part in &outcome.parts {
        let of = part.framework.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
        properties.push(property(&format!("evaluated{of}"), &part.looked_at().to_string()));
        let as_of = part.as_of.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let as_of = as_of.as_deref().unwrap_or("not reported");
        properties.push(property(&format!("evidence time{of}"), as_of));
        for job in &part.jobs {
            let words = digest::standing_of(job);
            properties.push(property(&format!("job {}{of}", job.id), &words));
        }
    }
    let notes = outcome.notes.iter().chain(outcome.parts.iter().flat_map(|part| &part.notes));
    let notes: Vec<_> = notes.map(|note| text::one_line(note, 600)).collect();
    SuiteTexts { properties, output: notes.join("\n") }
}

fn property(name: &str, value: &str) -> (String, String) {
    (text::one_line(name, 200), text::one_line(value, 600))
}
