//! Counts per control: those of the job, and agreeing with its status, or of no use. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ExpectedJob;
use super::figures::{Figures, REPORT_BROKEN, count};
use crate::finding::{Cause, Problem, Severity};
use crate::sources::opencomply::wire::{ByControl, JobSummary};
use crate::text;

/// What the report of a job counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct JobCounts {
    pub controls: Vec<ControlCount>,
    /// The integrations with any result.
    pub integrations: BTreeSet<String>,
}

/// Checks of one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ControlCount {
    pub control: String,
    pub severity: Severity,
    /// The platform's word for a severity that is unknown; empty where it has none.
    pub unknown_word: String,
    pub passed: u64,
    pub failed: u64,
}

/// The counts per control, if they are those of this job and recount to its status.
///
/// # Errors
/// What does not agree.
pub(in super::super) fn recount(
    expected: ExpectedJob<'_>,
    figures: &Figures,
    report: ByControl,
) -> Result<JobCounts, Problem> {
    let contradiction = |what: String| {
        expected
            .problem(Cause::Contradictory, format_args!("and its report by control differ: {what}"))
            .help(REPORT_BROKEN)
    };
    let about = report.job_summary.unwrap_or_default();
    if let Some(other) = of_another(expected, &about) {
        return Err(contradiction(format!("the report {other}")));
    }
    let mut controls = Vec::new();
    let mut by_severity = BTreeMap::new();
    for (control, given) in report.controls.unwrap_or_default() {
        let field = |name: &str| format!("controls.{}.{name}", text::one_line(&control, 80));
        let word = given.severity.unwrap_or_default();
        let severity = Severity::from_platform(&word);
        let failed = count(expected, &field("alarms"), Some(given.alarms.unwrap_or(0)))?;
        *by_severity.entry(severity).or_default() += failed;
        controls.push(ControlCount {
            severity,
            unknown_word: if severity == Severity::Unknown { word } else { String::new() },
            passed: count(expected, &field("oks"), Some(given.oks.unwrap_or(0)))?,
            failed,
            control,
        });
    }
    let passed: u64 = controls.iter().map(|count| count.passed).sum();
    if passed != figures.passed {
        return Err(contradiction(format!(
            "{passed} passed checks where its status says {}",
            figures.passed
        )));
    }
    figures.agree(&by_severity).map_err(contradiction)?;
    let integrations = about.integration_ids.unwrap_or_default().into_iter().collect();
    Ok(JobCounts { controls, integrations })
}

/// What else than the job a report says it is of, as the end of a sentence.
pub(in super::super) fn of_another(
    expected: ExpectedJob<'_>,
    about: &JobSummary,
) -> Option<String> {
    if let Some(other) = about.job_id.filter(|id| id.0 != expected.job) {
        return Some(format!("is of job {}", other.0));
    }
    let framework = about.framework_id.as_deref();
    if let Some(other) = framework.filter(|id| !id.eq_ignore_ascii_case(expected.framework)) {
        return Some(format!("is of framework `{}`", text::one_line(other, 100)));
    }
    let mut named = about.integration_ids.iter().flatten();
    let other = named.find(|id| !expected.integrations.contains(*id))?;
    Some(format!("holds integration {}", text::one_line(other, 100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Result<JobCounts, Problem> {
        let integrations = ["i1".to_owned(), "i2".to_owned()].into();
        let expected =
            ExpectedJob { place: "here", job: 136, framework: "a", integrations: &integrations };
        let figures = Figures {
            passed: 10,
            failed: 5,
            breakdown: [(Severity::High, 3), (Severity::Low, 1)].into(),
            runners: 2,
        };
        recount(expected, &figures, serde_json::from_str(text).unwrap())
    }

    const CONTROLS: &str = r#""c1":{"severity":"high","alarms":3,"oks":4},
        "c2":{"severity":"low","alarms":1,"oks":6},"c3":{"severity":"fatal","alarms":1,"oks":0}"#;

    #[test]
    fn counts_per_control_must_recount() {
        let about = r#""job_summary":{"job_id":136,"framework_id":"a","integration_ids":["i1"]}"#;
        let JobCounts { controls: counts, integrations } =
            report(&format!(r#"{{"controls":{{{CONTROLS}}},{about}}}"#)).unwrap();
        assert_eq!(integrations, ["i1".to_owned()].into());
        assert_eq!(counts.len(), 3);
        assert_eq!((counts[2].severity, &*counts[2].unknown_word), (Severity::Unknown, "fatal"));
        assert_eq!(counts[0].unknown_word, "");
        for (text, words) in [
            (format!(r#"{{"controls":null,{about}}}"#), "0 passed checks where its status says 10"),
            (
                format!(r#"{{"controls":{{{}}}}}"#, CONTROLS.replace("\"oks\":4", "\"oks\":5")),
                "11 passed checks where its status says 10",
            ),
            (
                format!(r#"{{"controls":{{{}}}}}"#, CONTROLS.replace("\"low\"", "\"high\"")),
                "0 failed checks of severity low where its status says 1",
            ),
            (
                format!(
                    r#"{{"controls":{{{}}}}}"#,
                    CONTROLS.replace("\"alarms\":3", "\"alarms\":4")
                ),
                "6 failed checks where its status says 5",
            ),
            (
                format!(
                    r#"{{"controls":{{{}}}}}"#,
                    CONTROLS.replace("\"alarms\":3", "\"alarms\":-3")
                ),
                "negative `controls.c1.alarms`",
            ),
            (r#"{"job_summary":{"job_id":"137"}}"#.to_owned(), "of job 137"),
            (r#"{"job_summary":{"framework_id":"b"}}"#.to_owned(), "of framework `b`"),
            (r#"{"job_summary":{"integration_ids":["i9"]}}"#.to_owned(), "integration i9"),
        ] {
            let problem = report(&text).unwrap_err();
            assert!(problem.message.contains(words), "{text}\n{problem:?}");
        }
    }
}
