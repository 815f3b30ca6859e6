//! Runs are shared: joined, waited for, used again, and only then started.

use std::collections::BTreeSet;
use std::time::Duration;

use compliance_gate::evidence;
use compliance_gate::finding::Cause;

use super::setup::*;

#[tokio::test]
async fn more_than_ten_integrations_are_several_jobs_that_are_summed() {
    let platform =
        Platform::with(&format!(r#""extra_integrations": 23, "job": {{{QUICK}}}"#), "").await;
    let part = Gate::over("all").part(&platform).await;
    assert_documented(&part);
    assert_eq!(job_ids(&part), ["136", "137", "138"]);
    // And such a run is recognised when it is over.
    let again = Gate::over("all").mode("{when: stale, max_age: 1h}").part(&platform).await;
    assert_documented(&again);
    assert_eq!(job_ids(&again), ["136", "137", "138"]);
    assert_eq!(roles(&again), [evidence::Role::Reused; 3]);
    assert_eq!(platform.starts(), 1);
}

#[tokio::test]
async fn an_equal_run_is_joined() {
    let platform = Platform::named("joinable").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["135"], vec![evidence::Role::Joined]));
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn gates_that_start_at_once_share_one_run() {
    // Whether they do start at once is up to the machine.
    for _ in 0..5 {
        if eight_gates_at_once().await > 1 {
            return;
        }
    }
    panic!("no two gates ever started at once, so nothing was tested");
}

/// Returns how many of them started a run.
async fn eight_gates_at_once() -> usize {
    let pace = r#""pace": {"created": 3000, "runners": 1000, "sink": 50, "summarizer": 100}"#;
    let mut platform = Platform::with(&format!(r#""job": {{{pace}}}"#), "").await;
    // Every answer is old when it arrives, so that no gate sees which others have just started.
    platform.origin = late(platform.simulator.address(), Duration::from_millis(250)).await;
    let gates: Vec<_> = (0..8).map(|_| Gate::documented()).collect();
    let parts = futures_util::future::join_all(gates.iter().map(|gate| gate.part(&platform))).await;
    parts.iter().for_each(assert_documented);
    let gave_way = parts.iter().filter(|part| part.notes.iter().any(|n| n.contains("gave way")));
    assert_eq!(platform.starts(), 1 + gave_way.count());
    let jobs: BTreeSet<_> = parts.iter().flat_map(job_ids).collect();
    assert_eq!(jobs, ["136"].into());
    let started = parts.iter().filter(|part| roles(part) == [evidence::Role::Started]).count();
    assert_eq!(started, 1);
    platform.starts()
}

#[tokio::test]
async fn a_joined_run_that_its_owner_cancels_is_replaced() {
    let theirs = format!(r#""history": [{UNFINISHED}], "job": {{{QUICK}}}"#);
    let platform = Platform::with(&theirs, "").await;
    let owner = async {
        // The gate has joined the run once it asks for its status.
        platform.until_requested("/job/compliance/135", 1).await;
        platform.cancel(135).await;
    };
    let gate = Gate::documented();
    let (part, ()) = tokio::join!(gate.part(&platform), owner);
    assert_documented(&part);
    assert!(part.notes.iter().any(|note| note.contains("was cancelled")), "{:?}", part.notes);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
}

#[tokio::test]
async fn a_run_over_other_integrations_is_waited_for() {
    let busy = format!(
        r#""history": [{{"age": 1, "integrations": ["{AWS}"], "job": {{"pace": {{"runners": 1500}}}}}}],
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&busy, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
    assert!(platform.requests("run-history") > 2);
    assert_eq!(platform.starts(), 1);
}

#[tokio::test]
async fn a_run_that_was_superseded_by_an_equal_one_is_replaced_by_it() {
    let scenarios = ["superseded", "superseded-before-results"].map(|name| async move {
        let platform = Platform::named(name).await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!((job_ids(&part), roles(&part)), (vec!["137"], vec![evidence::Role::Joined]));
        assert!(part.notes.iter().any(|note| note.contains("job 136 lost its runners")), "{name}");
        assert_eq!(platform.starts(), 1, "{name}");
    });
    futures_util::future::join_all(scenarios).await;
}

#[tokio::test]
async fn a_run_that_was_superseded_by_another_one_is_started_once_more() {
    let platform = Platform::named("superseded-by-others").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["138"], vec![evidence::Role::Started]));
    assert_eq!(platform.starts(), 2);
}

#[tokio::test]
async fn a_run_that_is_superseded_again_and_again_is_given_up() {
    let rival = format!(
        r#""rival": {{"after": 250, "times": 9, "integrations": ["{AWS}"], "job": {{{QUICK}}}}},
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&rival, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "other users keep ending its runs");
    assert_eq!(platform.starts(), 2);
}

#[tokio::test]
async fn a_recent_run_is_used_again_and_an_old_one_is_not() {
    let past = format!(r#""history": [{{"age": 3600}}], "job": {{{QUICK}}}"#);
    for (max_age, starts, role) in
        [("2h", 0, evidence::Role::Reused), ("30m", 1, evidence::Role::Started)]
    {
        let platform = Platform::with(&past, "").await;
        let gate = Gate::documented().mode(&format!("{{when: stale, max_age: {max_age}}}"));
        let part = gate.part(&platform).await;
        assert_documented(&part);
        assert_eq!((platform.starts(), roles(&part)), (starts, vec![role]));
    }
}

#[tokio::test]
async fn a_recent_run_with_a_gap_is_not_used_again() {
    let past = format!(
        r#""history": [{{"age": 7200}}, {{"age": 3600, "job": {{"timed_out_runners": 1}}}},
           {{"age": 1800, "job": {{"ends": "FAILED"}}}}], "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&past, "").await;
    let stale = Gate::documented().mode("{when: stale, max_age: 1h 30m}").part(&platform).await;
    assert_documented(&stale);
    assert_eq!(roles(&stale), [evidence::Role::Started]);
    // Nor is an older one where nothing is to be started: the newest is what the platform knows.
    for (course, cause, words) in [
        (r#""timed_out_runners": 1"#, Cause::Incomplete, "job 135 SUCCEEDED, but of its"),
        (r#""ends": "FAILED""#, Cause::JobFailed, "job 135 ended as FAILED"),
        (r#""report": "missing""#, Cause::Incomplete, "job 135 SUCCEEDED, but there is no report"),
    ] {
        let past = format!(r#""history": [{{"age": 7200}}, {{"age": 1800, "job": {{{course}}}}}]"#);
        let platform = Platform::with(&past, "").await;
        let never = Gate { token: VIEWER, ..Gate::documented().mode("{when: never}") };
        let part = never.part(&platform).await;
        assert_problem(&part, cause, words);
        assert!(part.notes.iter().any(|note| note.contains("no older one")), "{:?}", part.notes);
        assert_eq!((platform.starts(), platform.requests(" 406")), (0, 0));
    }
}

#[tokio::test]
async fn a_run_that_says_nothing_is_skipped() {
    let past = r#""history": [{"age": 7200}, {"age": 3600, "job": {"ends": "CANCELED"}}]"#;
    for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 3h}", ADMIN)] {
        let platform = Platform::with(past, "").await;
        let part = Gate { token, ..Gate::documented().mode(mode) }.part(&platform).await;
        assert_documented(&part);
        assert_eq!((job_ids(&part), roles(&part)), (vec!["134"], vec![evidence::Role::Reused]));
        assert!(part.notes.iter().any(|note| note.contains("job 135 was cancelled")));
        assert_eq!(platform.starts(), 0);
    }
}

#[tokio::test]
async fn a_run_that_lost_its_runners_is_skipped() {
    // The second was superseded by the third, over another integration.
    let past = format!(
        r#""history": [{{"age": 7200}},
           {{"age": 3605, "job": {{"pace": {{"runners": 9000}}}}}},
           {{"age": 3600, "integrations": ["{AWS}"]}}]"#
    );
    let platform = Platform::with(&past, "").await;
    let never = Gate { token: VIEWER, ..Gate::documented().mode("{when: never}") };
    let part = never.part(&platform).await;
    assert_documented(&part);
    assert_eq!(job_ids(&part), ["133"]);
    let notes = part.notes.join("\n");
    assert!(notes.contains("job 134 lost its runners"), "{notes}");
}

#[tokio::test]
async fn a_run_is_found_behind_any_number_of_others() {
    for other in [
        format!(r#""integrations": ["{AWS}"]"#),
        format!(r#""with_incidents": false, "integrations": ["{AWS}", "{AZURE}"]"#),
    ] {
        let others = format!(r#", {{"age": 3600, {other}}}"#).repeat(230);
        let past = format!(r#""first_job_id": 500, "history": [{{"age": 7200}}{others}]"#);
        let platform = Platform::with(&past, "").await;
        for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 3h}", ADMIN)] {
            let part = Gate { token, ..Gate::documented().mode(mode) }.part(&platform).await;
            assert_documented(&part);
            assert_eq!(roles(&part), [evidence::Role::Reused]);
        }
        assert_eq!(platform.starts(), 0);
    }
}

#[tokio::test]
async fn never_starts_nothing_and_says_what_it_looked_at() {
    let platform = Platform::with(r#""history": [{"age": 7200}]"#, "").await;
    let never = |mode: &str| Gate { token: VIEWER, ..Gate::documented().mode(mode) };
    let part = never("{when: never, max_age: 1h}").part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "job 135 ended 1h 59m");
    let platform = Platform::quick().await;
    let part = never("{when: never}").part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "the history shows none");
    assert_eq!(platform.starts(), 0);
    let platform = Platform::named("joinable").await;
    let part = never("{when: never}").part(&platform).await;
    assert_documented(&part);
    assert_eq!(roles(&part), [evidence::Role::Joined]);
}

#[tokio::test]
async fn a_remnant_of_a_run_is_not_waited_for() {
    let past = format!(
        r#""history": [{{"age": 400000, "integrations": ["{AWS}"],
                         "job": {{"ends": "NEVER", "stuck_in": "SINK_IN_PROGRESS"}}}}],
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&past, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    let notes = part.notes.join("\n");
    assert!(notes.contains("job 135 is SINK_IN_PROGRESS, created 4days"), "{notes}");
    assert!(notes.contains("and does not move; it was not waited for"), "{notes}");
}
