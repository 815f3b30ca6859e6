//! Starting a run, what is wrong before one, and what becomes of it when everything has to stop.

use std::time::Duration;

use compliance_gate::evidence;
use compliance_gate::finding::Cause;
use compliance_gate::stop::Signal;

use super::setup::*;

const START: &str = r#""path": "/main/schedule/api/v3/compliance/framework/", "method": "POST""#;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_is_ours() {
    for fault in [r#""status": 504"#, r#""status": 500, "kind": "json""#, r#""kind": "truncated""#]
    {
        let fault = format!(r#"{{{START}, "applied": true, {fault}}}"#);
        let platform = Platform::with(&format!(r#""job": {{{QUICK}}}"#), &fault).await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!(
            (job_ids(&part), roles(&part)),
            (vec!["136"], vec![evidence::Role::Started]),
            "{fault}"
        );
        assert_eq!(platform.starts(), 1);
    }
}

#[tokio::test]
async fn a_start_that_never_arrived_is_sent_once_more_and_no_more() {
    let fault = |times: u32| format!(r#"{{{START}, "status": 502, "times": {times}}}"#);
    let quick = format!(r#""job": {{{QUICK}}}"#);
    let platform = Platform::with(&quick, &fault(1)).await;
    assert_documented(&Gate::documented().part(&platform).await);
    assert_eq!(platform.starts(), 2);
    let platform = Platform::with(&quick, &fault(9)).await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Unreachable, "answered 502");
    assert_eq!(platform.starts(), 2);
}

#[tokio::test]
async fn a_stopped_gate_cancels_what_it_started_and_nothing_else() {
    // Long enough for a loaded machine to start or join a run.
    let gate = || Gate { deadline: Duration::from_secs(8), ..Gate::documented() };
    let started = async {
        let platform = Platform::named("stuck").await;
        let outcome = gate().outcome(&platform).await.unwrap();
        assert_problem(&outcome.parts[0], Cause::Deadline, "job 136 CREATED");
        let mut notes = outcome.notes.iter();
        assert!(notes.any(|note| note.contains("job 136") && note.contains("was cancelled")));
        assert_eq!(platform.requests("POST /main/schedule/api/v3/jobs/cancel"), 1);
    };
    let joined = async {
        let platform = Platform::with(&format!(r#""history": [{UNFINISHED}]"#), "").await;
        let outcome = gate().outcome(&platform).await.unwrap();
        assert_problem(&outcome.parts[0], Cause::Deadline, "job 135");
        assert_eq!(platform.requests("cancel"), 0);
    };
    tokio::join!(started, joined);
}

#[tokio::test]
async fn an_interrupted_gate_returns_and_cancels() {
    let platform = Platform::named("stuck").await;
    let gate = Gate::documented();
    let signal = async {
        // With the second request the first answer was read, so the gate knows the state.
        platform.until_requested("/job/compliance/136", 2).await;
        gate.signal.send(Some(Signal::Terminate)).unwrap();
    };
    let (outcome, ()) = tokio::join!(gate.outcome(&platform), signal);
    let outcome = outcome.unwrap();
    assert_problem(&outcome.parts[0], Cause::Interrupted, "job 136");
    assert!(outcome.notes.iter().any(|note| note.contains("was cancelled")), "{:?}", outcome.notes);
}

#[tokio::test]
async fn all_that_is_wrong_is_reported_before_anything_is_started() {
    let platform = Platform::quick().await;
    let mut gate = Gate::over("[{provider_id: \"12281469004\"}, {name: unknown-account}]");
    gate.settings = gate.settings.replace("baseline_security", "baseline_securty");
    gate.token = EDITOR;
    let problems = gate.outcome(&platform).await.unwrap_err();
    let reported: Vec<_> =
        problems.iter().map(|problem| (problem.cause, &*problem.message)).collect();
    assert!(reported[0].0 == Cause::Denied && reported[0].1.contains("`editor`"), "{reported:?}");
    assert!(reported[1].1.contains("did you mean `baseline_security`?"), "{reported:?}");
    assert!(reported[2].1.contains(&format!("did you mean `{AWS}`?")), "{reported:?}");
    assert_eq!(reported.len(), 4, "{reported:?}");
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn a_platform_that_cannot_serve_says_so_once() {
    let platform = Platform::quick().await;
    let revoked = Gate { token: REVOKED, ..Gate::documented() };
    let problems = revoked.outcome(&platform).await.unwrap_err();
    assert_eq!((problems.len(), problems[0].cause), (1, Cause::Denied), "{problems:?}");
    assert!(problems[0].help.as_ref().unwrap().contains("`OPENCOMPLY_API_KEY`"), "{problems:?}");

    let platform = Platform::named("disabled").await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Invalid, "compliance service is not enabled");

    let platform = Platform::with(r#""compliance": "not_routed""#, "").await;
    let problems = Gate::documented().outcome(&platform).await.unwrap_err();
    assert_eq!((problems.len(), problems[0].cause), (1, Cause::Protocol), "{problems:?}");
    assert!(problems[0].help.as_ref().unwrap().contains("without compliance"));
}

#[tokio::test]
async fn a_start_that_does_not_say_what_it_is_over_is_confirmed_by_its_status() {
    let platform =
        Platform::with(&format!(r#""silent_start": true, "job": {{{QUICK}}}"#), "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    // Several jobs that do not state it cannot be distinguished.
    let many = format!(r#""silent_start": true, "extra_integrations": 23, "job": {{{QUICK}}}"#);
    let platform = Platform::with(&many, "").await;
    let part = Gate::over("all").part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "the platform started a run without");
}

#[tokio::test]
async fn the_types_of_a_framework_may_only_be_known_to_the_platform() {
    let hidden = format!(
        r#""frameworks": {{"baseline_security": {{"hides_types": true}}}}, "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&hidden, "").await;
    assert_documented(&Gate::documented().part(&platform).await);
    let part = Gate::over("all").part(&platform).await;
    assert_problem(&part, Cause::Invalid, "github_account");
    assert!(part.problems[0].help.as_ref().unwrap().contains("`integrations`"));
}

#[tokio::test]
async fn a_framework_with_capitals_is_not_started_through_the_path_that_lowers_them() {
    let capitals = r#""frameworks": {"CIS_AWS": {"title": "CIS"}}"#;
    let platform = Platform::with(capitals, "").await;
    let mut gate = Gate::documented();
    gate.settings = gate.settings.replace("baseline_security", "CIS_AWS");
    gate.outcome(&platform).await.unwrap();
    assert_eq!(platform.requests("POST /main/schedule/api/v3/compliance/run "), 1);
    assert_eq!(platform.requests("POST /main/schedule/api/v3/compliance/framework/"), 0);
}
