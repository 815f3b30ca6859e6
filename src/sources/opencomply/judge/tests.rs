use super::*;
use crate::finding::Severity;

fn ids() -> BTreeSet<String> {
    ["i1".to_owned(), "i2".to_owned()].into()
}

fn judged(change: &[(&str, &str)]) -> Judgement {
    let integrations = ids();
    let expected = ExpectedJob {
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
    let Judgement::Sound(figures) = judged(&[]) else { panic!("not sound") };
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
        assert!(matches!(judged(change), Judgement::Sound(_)), "{change:?}");
    }
}

#[test]
fn a_gap_in_a_job_that_succeeded_is_seen() {
    type Row = (&'static [(&'static str, &'static str)], Cause, &'static str);
    const ROWS: &[Row] = &[
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
            &[("/runners_status/runners_failed", "3"), ("/runners_status/runners_succeeded", "38")],
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
        (&[("/incidents/summary/alarm", "null")], Cause::Protocol, "no `incidents.summary.alarm`"),
        (&[("/incidents/summary/ok", "-1")], Cause::Protocol, "negative `incidents.summary.ok`"),
        (
            &[("/incidents/alarms_breakdown/high", "120")],
            Cause::Contradictory,
            "counts 152 alarms, but 153 in their breakdown",
        ),
        (&[("/incidents/alarms_breakdown/low", "-6")], Cause::Protocol, "negative"),
        (
            &[("/incidents/summary/ok", "9223372036854775807")],
            Cause::Protocol,
            "implausible `incidents.summary.ok`",
        ),
        (
            &[("/runners_status/total_count", "9223372036854775807")],
            Cause::Protocol,
            "implausible runner count",
        ),
        (
            &[("/data_sinking_time", "600")],
            Cause::Incomplete,
            "without all of its results: the platform waited 600 s",
        ),
    ];
    for (change, cause, words) in ROWS {
        let Judgement::Unsound { problems, .. } = judged(change) else {
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
    assert_eq!(judged(change), Judgement::Superseded(136));
}

#[test]
fn alarms_that_no_severity_explains_are_unknown() {
    let Judgement::Sound(figures) = judged(&[("/incidents/alarms_breakdown/high", "100")]) else {
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
    assert!(words.starts_with("not evaluated: control_03 (FAILED: no such table), "), "{words}");
    assert!(words.ends_with("and 7 more"), "{words}");
    assert_eq!(not_evaluated(&[runner(0)]), None);
    assert_eq!(not_evaluated(&[]), None);
}
