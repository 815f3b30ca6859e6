//! Whether a job's result can be relied on. Pure: `SUCCEEDED` alone proves little (fact sheet §0,
//! §10.6), so every figure that could betray a gap is looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Runner, RunnerCounts, Status};
use crate::finding::{Cause, Problem, Severity};
use crate::text;

/// Seconds after which the platform stops waiting for results to be stored (fact sheet §3.2).
const SINKING_LIMIT: i64 = 600;

/// Controls that are named when they could not be evaluated.
const NAMED: usize = 10;

/// What a job must be the result of.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Source and framework, to begin a sentence with.
    pub place: &'a str,
    pub job: u64,
    pub framework: &'a str,
    /// The platform's ids of the job's integrations.
    pub integrations: &'a BTreeSet<String>,
}

impl Expected<'_> {
    pub fn problem(&self, cause: Cause, what: impl std::fmt::Display) -> Problem {
        Problem::new(cause, format!("{}: job {} {what}", self.place, self.job))
    }
}

/// The judgement on a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    Sound(Figures),
    /// Another run deleted this one's runners (fact sheet §2.4).
    Superseded,
    Unsound {
        problems: Vec<Problem>,
        runners_to_blame: bool,
    },
}

/// What a sound job counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub passed: u64,
    pub failed: u64,
    /// Failed checks by the severities that the breakdown names; it may leave some out.
    pub breakdown: BTreeMap<Severity, u64>,
    /// The platform stopped waiting for results to be stored, and went on with what it had.
    pub sank_too_long: bool,
}

impl Figures {
    pub fn evaluated(&self) -> u64 {
        self.passed.saturating_add(self.failed)
    }

    /// Whether failed checks counted elsewhere are the same ones.
    ///
    /// # Errors
    /// The figures that differ, as the end of a sentence.
    pub fn agree(&self, counted: &BTreeMap<Severity, u64>) -> Result<(), String> {
        let sum = counted.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if sum != self.failed {
            return Err(format!("{sum} failed checks where its status says {}", self.failed));
        }
        // A severity that is not in the breakdown has no failed check. Only those without a name
        // may be in the sum alone: what is `low` there would be `unknown` here, and which of the
        // two a gate is decided on must not depend on who was asked.
        let named: BTreeSet<_> = self.breakdown.keys().chain(counted.keys()).collect();
        for severity in named.into_iter().filter(|severity| **severity != Severity::Unknown) {
            let [counted, expected] =
                [counted, &self.breakdown].map(|counts| counts.get(severity).copied().unwrap_or(0));
            if counted != expected {
                return Err(format!(
                    "{counted} failed checks of severity {severity} where its status says {expected}"
                ));
            }
        }
        Ok(())
    }
}

pub fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, number: u64) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(number);
}

/// Judges a job in a final state.
pub fn judge(expected: Expected<'_>, status: &Status) -> Judged {
    if status.state() != "SUCCEEDED" {
        return Judged::Unsound {
            problems: vec![did_not_succeed(expected, status)],
            runners_to_blame: false,
        };
    }
    let runners = status.runners_status.clone().unwrap_or_default();
    if status.with_incidents == Some(true) && runners.total_count == Some(0) {
        return Judged::Superseded;
    }
    let mut problems = Vec::new();
    if status.with_incidents != Some(true) {
        problems.push(
            expected
                .problem(
                    Cause::Incomplete,
                    "ran without incidents; controls that could not be evaluated do not show in \
                     such a run",
                )
                .help("rely on runs with incidents, which is what this gate starts"),
        );
    }
    let blame = judge_runners(expected, &runners, status);
    let runners_to_blame = blame.is_some();
    problems.extend(blame);
    problems.extend(is_of_another(expected, status));
    match figures(expected, status) {
        Ok(figures) if problems.is_empty() => Judged::Sound(figures),
        Ok(_) => Judged::Unsound { problems, runners_to_blame },
        Err(problem) => {
            problems.push(problem);
            Judged::Unsound { problems, runners_to_blame }
        }
    }
}

fn did_not_succeed(expected: Expected<'_>, status: &Status) -> Problem {
    let mut what = format!("ended as {}", status.state());
    if let Some(step) = status.step_failed.as_deref().filter(|step| !step.is_empty()) {
        what += &format!(" at step {step}");
    }
    if let Some(message) = status.failure_message.as_deref().filter(|words| !words.is_empty()) {
        what += &format!(": {}", text::one_line(message, 400));
    }
    expected
        .problem(Cause::JobFailed, what)
        .help("look at the job on the platform; when its cause is mended, run the gate again")
}

/// Every runner must have succeeded: one that failed or timed out leaves its old results in the
/// report (fact sheet §5.5), and time-outs are mentioned nowhere else (§0.1).
fn judge_runners(
    expected: Expected<'_>,
    runners: &RunnerCounts,
    status: &Status,
) -> Option<Problem> {
    let message = status.failure_message.as_deref().unwrap_or_default().trim();
    let (Some(total), Some(succeeded), Some(failed), Some(timed_out)) = (
        runners.total_count,
        runners.runners_succeeded,
        runners.runners_failed,
        runners.runners_timed_out,
    ) else {
        return Some(expected.problem(
            Cause::Protocol,
            "has no runner counts, without which it is not known whether all was evaluated",
        ));
    };
    if [total, succeeded, failed, timed_out].into_iter().any(|count| count < 0) {
        return Some(expected.problem(Cause::Protocol, "has a negative runner count"));
    }
    let ended = succeeded.saturating_add(failed).saturating_add(timed_out);
    if ended > total {
        return Some(expected.problem(
            Cause::Contradictory,
            format_args!("counts {ended} runners that ended, of {total}"),
        ));
    }
    if succeeded == total {
        return (!message.is_empty()).then(|| {
            let message = text::one_line(message, 400);
            expected.problem(
                Cause::Incomplete,
                format_args!("SUCCEEDED, but with a failure message: {message}"),
            )
        });
    }
    let counts = [
        (failed, "failed"),
        (timed_out, "timed out"),
        (total.saturating_sub(ended), "were cancelled or never ran"),
    ];
    let shares: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut what = format!("SUCCEEDED, but of its {total} runners {}", shares.join(", "));
    if !message.is_empty() {
        what += &format!(" ({})", text::one_line(message, 400));
    }
    Some(expected.problem(Cause::Incomplete, what).help(
        "for controls that were not evaluated the platform shows old results, or none; mend what \
         made the runners fail and run the gate again",
    ))
}

fn is_of_another(expected: Expected<'_>, status: &Status) -> Option<Problem> {
    // Null for frameworks that are not roots (fact sheet §3.1).
    let named = status.frameworks.iter().flatten().find_map(|name| name.framework_id.as_deref());
    if let Some(other) = named.filter(|name| !name.eq_ignore_ascii_case(expected.framework)) {
        return Some(expected.problem(
            Cause::Contradictory,
            format_args!("is of framework `{}`", text::one_line(other, 100)),
        ));
    }
    let given: BTreeSet<String> =
        status.integrations.as_ref()?.iter().filter_map(|one| one.integration_id.clone()).collect();
    (given != *expected.integrations).then(|| {
        expected.problem(
            Cause::Contradictory,
            format_args!(
                "evaluated {} where it should have evaluated {}",
                joined(&given),
                joined(expected.integrations)
            ),
        )
    })
}

fn joined(ids: &BTreeSet<String>) -> String {
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    text::one_line(&format!("the integrations [{}]", ids.join(", ")), 500)
}

fn figures(expected: Expected<'_>, status: &Status) -> Result<Figures, Problem> {
    let incidents = status.incidents.clone().unwrap_or_default();
    let summary = incidents.summary.unwrap_or_default();
    let passed = count(expected, "incidents.summary.ok", summary.ok)?;
    let failed = count(expected, "incidents.summary.alarm", summary.alarm)?;
    let mut breakdown = BTreeMap::new();
    for (word, number) in incidents.alarms_breakdown.unwrap_or_default() {
        let field = format!("incidents.alarms_breakdown.{}", text::one_line(&word, 40));
        let number = count(expected, &field, Some(number.unwrap_or(0)))?;
        add(&mut breakdown, Severity::from_platform(&word), number);
    }
    let explained = breakdown.values().fold(0_u64, |sum, number| sum.saturating_add(*number));
    if explained > failed {
        return Err(expected
            .problem(
                Cause::Contradictory,
                format_args!(
                    "counts {failed} alarms, but {explained} in their breakdown by severity"
                ),
            )
            .help("run the gate again; if it stays, the platform's report of this job is broken"));
    }
    let sank_too_long = status.data_sinking_time.is_some_and(|seconds| seconds >= SINKING_LIMIT);
    Ok(Figures { passed, failed, breakdown, sank_too_long })
}

pub fn count(expected: Expected<'_>, field: &str, number: Option<i64>) -> Result<u64, Problem> {
    match number.map(u64::try_from) {
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => {
            Err(expected.problem(Cause::Protocol, format_args!("has a negative `{field}`")))
        }
        None => Err(expected.problem(Cause::Protocol, format_args!("has no `{field}`"))),
    }
}

/// The controls whose runners did not succeed, as the end of a sentence.
pub fn not_evaluated(runners: &[Runner]) -> Option<String> {
    let mut controls = BTreeMap::new();
    for runner in runners {
        let status = runner.status.as_deref().unwrap_or("in a state not named");
        if status != "SUCCEEDED" {
            let message = runner.failure_message.as_deref().unwrap_or_default().trim();
            let control = runner.control_id.as_deref().unwrap_or("(control not named)");
            controls.entry(control).or_insert((status, message));
        }
    }
    if controls.is_empty() {
        return None;
    }
    let mut shown: Vec<_> = controls
        .iter()
        .take(NAMED)
        .map(|(control, (status, message))| match *message {
            "" => format!("{control} ({status})"),
            message => format!("{control} ({status}: {})", text::one_line(message, 120)),
        })
        .collect();
    if controls.len() > NAMED {
        shown.push(format!("and {} more", controls.len() - NAMED));
    }
    Some(format!("not evaluated: {}", shown.join(", ")))
}

#[cfg(test)]
mod tests {

    use super::*;

    fn ids() -> BTreeSet<String> {
        ["i1".to_owned(), "i2".to_owned()].into()
    }

    fn judged(change: &[(&str, &str)]) -> Judged {
        let integrations = ids();
        let expected = Expected {
            place: "opencomply: framework `baseline_security`",
            job: 136,
            framework: "baseline_security",
            integrations: &integrations,
        };
        judge(expected, &status(change))
    }

    /// The sample of the vendor's page, with some fields (by JSON pointer) replaced.
    fn status(change: &[(&str, &str)]) -> Status {
        let mut value = serde_json::json!({
            "job_id": 136,
            "with_incidents": true,
            "frameworks": [{"framework_id": "baseline_security", "framework_name": "Security"}],
            "job_status": "SUCCEEDED",
            "step_failed": "",
            "failure_message": "",
            "integrations": [{"integration_id": "i1"}, {"integration_id": "i2"}],
            "runners_status": {
                "runners_created": 0, "runners_queued": 0, "runners_running": 0,
                "runners_failed": 0, "runners_succeeded": 41, "runners_timed_out": 0,
                "total_count": 41
            },
            "incidents": {
                "summary": {"ok": 409, "alarm": 152},
                "alarms_breakdown": {"critical": 0, "high": 119, "medium": 27, "low": 6, "none": 0}
            },
            "data_sinking_time": 12,
            "end_time": "2025-05-08T10:00:00Z"
        });
        for (pointer, json) in change {
            *value.pointer_mut(pointer).unwrap() = serde_json::from_str(json).unwrap();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_sample_of_the_vendor_is_sound() {
        let Judged::Sound(figures) = judged(&[]) else { panic!("not sound") };
        assert_eq!((figures.passed, figures.failed, figures.evaluated()), (409, 152, 561));
        assert_eq!(
            figures.breakdown.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(),
            [(Severity::Low, 6), (Severity::Medium, 27), (Severity::High, 119)]
        );
    }

    #[test]
    fn what_the_platform_may_leave_out_is_no_problem() {
        for change in [
            &[("/frameworks", "null")][..],
            &[("/integrations", "null")],
            &[("/failure_message", "null")],
            &[("/data_sinking_time", "null")],
            &[("/data_sinking_time", "599")],
            &[("/incidents/alarms_breakdown/none", "null")],
        ] {
            assert!(matches!(judged(change), Judged::Sound(_)), "{change:?}");
        }
    }

    #[test]
    fn a_gap_in_a_job_that_succeeded_is_seen() {
        type Row = (&'static [(&'static str, &'static str)], Cause, &'static str);
        const TROUBLES: &[Row] = &[
            (&[("/job_status", "\"TIMEOUT\"")], Cause::JobFailed, "ended as TIMEOUT"),
            (&[("/job_status", "\"CANCELED\"")], Cause::JobFailed, "ended as CANCELED"),
            (
                &[
                    ("/job_status", "\"FAILED\""),
                    ("/step_failed", "\"SUMMARIZER_IN_PROGRESS\""),
                    ("/failure_message", "\"1 summarizers failed: [x]\""),
                ],
                Cause::JobFailed,
                "ended as FAILED at step SUMMARIZER_IN_PROGRESS: 1 summarizers failed: [x]",
            ),
            (&[("/with_incidents", "false")], Cause::Incomplete, "ran without incidents"),
            (&[("/with_incidents", "null")], Cause::Incomplete, "ran without incidents"),
            (
                &[
                    ("/runners_status/runners_failed", "3"),
                    ("/runners_status/runners_succeeded", "38"),
                ],
                Cause::Incomplete,
                "of its 41 runners 3 failed",
            ),
            (
                &[
                    ("/runners_status/runners_timed_out", "1"),
                    ("/runners_status/runners_succeeded", "40"),
                ],
                Cause::Incomplete,
                "of its 41 runners 1 timed out",
            ),
            (
                &[("/runners_status/runners_succeeded", "39")],
                Cause::Incomplete,
                "of its 41 runners 2 were cancelled or never ran",
            ),
            (
                &[("/runners_status/runners_failed", "1")],
                Cause::Contradictory,
                "counts 42 runners that ended, of 41",
            ),
            (&[("/runners_status/total_count", "-1")], Cause::Protocol, "negative runner count"),
            (&[("/runners_status/total_count", "null")], Cause::Protocol, "no runner counts"),
            (&[("/runners_status", "null")], Cause::Protocol, "no runner counts"),
            (&[("/failure_message", "\"boom\"")], Cause::Incomplete, "failure message: boom"),
            (
                &[("/frameworks/0/framework_id", "\"cis\"")],
                Cause::Contradictory,
                "is of framework `cis`",
            ),
            (
                &[("/integrations", "[{\"integration_id\":\"i1\"}]")],
                Cause::Contradictory,
                "evaluated the integrations [i1] where it should have evaluated",
            ),
            (&[("/incidents", "null")], Cause::Protocol, "no `incidents.summary.ok`"),
            (
                &[("/incidents/summary/alarm", "null")],
                Cause::Protocol,
                "no `incidents.summary.alarm`",
            ),
            (
                &[("/incidents/summary/ok", "-1")],
                Cause::Protocol,
                "negative `incidents.summary.ok`",
            ),
            (
                &[("/incidents/alarms_breakdown/high", "120")],
                Cause::Contradictory,
                "counts 152 alarms, but 153 in their breakdown",
            ),
            (&[("/incidents/alarms_breakdown/low", "-6")], Cause::Protocol, "negative"),
        ];
        for (change, cause, words) in TROUBLES {
            let Judged::Unsound { problems, .. } = judged(change) else {
                panic!("sound: {change:?}")
            };
            let found = problems
                .iter()
                .any(|problem| problem.cause == *cause && problem.message.contains(words));
            assert!(found, "{change:?}\n{problems:?}");
        }
    }

    #[test]
    fn a_job_without_runners_was_superseded() {
        let change =
            &[("/runners_status/total_count", "0"), ("/runners_status/runners_succeeded", "0")];
        assert_eq!(judged(change), Judged::Superseded);
    }

    #[test]
    fn alarms_that_no_severity_explains_are_unknown() {
        let Judged::Sound(figures) = judged(&[("/incidents/alarms_breakdown/high", "100")]) else {
            panic!("not sound")
        };
        assert_eq!(figures.failed, 152);
        assert_eq!(figures.breakdown.get(&Severity::High), Some(&100));
    }

    #[test]
    fn a_severity_that_the_breakdown_leaves_out_has_no_failed_check() {
        let figures =
            Figures { failed: 3, breakdown: [(Severity::High, 1)].into(), ..Figures::default() };
        let agree = |counted: &[(Severity, u64)]| figures.agree(&counted.iter().copied().collect());
        assert_eq!(agree(&[(Severity::High, 1), (Severity::Unknown, 2)]), Ok(()));
        assert_eq!(
            agree(&[(Severity::High, 1), (Severity::Low, 2)]),
            Err("2 failed checks of severity low where its status says 0".to_owned())
        );
        assert!(agree(&[(Severity::Unknown, 3)]).is_err());
        assert!(agree(&[(Severity::High, 1), (Severity::Unknown, 1)]).is_err());
    }

    #[test]
    fn the_controls_that_were_not_evaluated_are_named_but_not_all() {
        let runner = |number: u32| Runner {
            control_id: Some(format!("control_{number:02}")),
            status: Some(if number < 3 { "SUCCEEDED" } else { "FAILED" }.to_owned()),
            failure_message: (number == 3).then(|| "no\nsuch table".to_owned()),
        };
        let words = not_evaluated(&(0..20).map(runner).collect::<Vec<_>>()).unwrap();
        assert!(
            words.starts_with("not evaluated: control_03 (FAILED: no such table), "),
            "{words}"
        );
        assert!(words.ends_with("and 7 more"), "{words}");
        assert_eq!(not_evaluated(&[runner(0)]), None);
        assert_eq!(not_evaluated(&[]), None);
    }
}
