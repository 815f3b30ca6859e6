//! The OpenComply source against the embedded platform, over real HTTP: what it starts, shares,
//! waits for, refuses to believe, and cleans up.

mod real;
mod setup;
mod sharing;
mod starts;

use std::collections::BTreeSet;

use compliance_gate::evidence;
use compliance_gate::finding::{Cause, Severity};
use compliance_gate::selection::{Demand, Field, Need, Rows, Selection, Wanted};
use compliance_gate::sources::Listing;

use setup::*;

#[tokio::test]
async fn the_documented_run_has_the_documented_figures() {
    let platform = Platform::quick().await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
    assert_eq!(part.jobs[0].state, "SUCCEEDED");
    let accounts: BTreeSet<_> = part
        .findings
        .listed()
        .iter()
        .map(|finding| finding.subject.account.as_ref().unwrap().id.to_string())
        .collect();
    assert_eq!(accounts, [AWS.to_owned(), AZURE.to_owned()].into());
    for finding in part.findings.listed() {
        assert!(finding.subject.rule.as_ref().unwrap().title.is_some(), "{finding:?}");
        assert!(finding.resource_id.is_some() && finding.reason.is_some(), "{finding:?}");
    }
    // Who else runs is looked up before the start and after it; nothing is downloaded twice.
    assert_eq!(platform.starts(), 1);
    assert_eq!(platform.requests("run-history"), 2);
    assert_eq!(platform.requests("quick/scan"), 1);
    assert_eq!(platform.requests("cancel"), 0);
}

#[tokio::test]
async fn a_clean_estate_is_counted_without_downloading_its_passes() {
    let platform = Platform::named("clean").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!((part.problems.len(), part.findings.listed().len()), (0, 0));
    assert!(part.looked_at() > 0);
    assert_eq!(platform.requests("quick/scan"), 0);
    assert_eq!(platform.requests("benchmarks/controls"), 0);
}

#[tokio::test]
async fn resources_are_read_only_where_a_gate_or_a_report_needs_one_that_failed() {
    let of = |severity| Selection { severity: Some([severity].into()), ..Selection::default() };
    let titled = select(&[(Field::Rule, "*bucket*")]);
    for (rows, views) in [
        (Rows::Of(vec![of(Severity::Critical)]), 0),
        (Rows::Of(Vec::new()), 0),
        (Rows::Of(vec![of(Severity::Critical), of(Severity::High)]), 1),
        (Rows::Of(vec![titled]), 1),
        (Rows::All, 1),
    ] {
        let platform = Platform::quick().await;
        let wanted = Wanted { rows, ..Wanted::default() };
        let part = Gate { wanted, ..Gate::documented() }.part(&platform).await;
        assert_eq!(platform.requests("quick/scan"), views);
        assert_eq!(part.problems, []);
        assert_eq!(part.counts.of(&Selection::default()).unwrap().failed, 152);
        match part.findings.why_incomplete() {
            None => assert_eq!(part.findings.listed().len(), 152),
            Some(why) => assert!(why.message.contains("152 failed checks"), "{why:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_succeeded_job_hides_is_found() {
    let scenarios = [
        ("inconclusive", Cause::Incomplete, "2 failed"),
        ("timed-out-runners", Cause::Incomplete, "3 timed out"),
        ("missing-report", Cause::Incomplete, "no report"),
        ("failed", Cause::JobFailed, "ended as FAILED at step SUMMARIZER_IN_PROGRESS"),
        ("timeout", Cause::JobFailed, "ended as TIMEOUT"),
        ("canceled", Cause::JobFailed, "ended as CANCELED"),
        ("contradictory", Cause::Contradictory, "in their breakdown"),
        ("sink-limit", Cause::Incomplete, "the platform waited 600 s for them to be stored"),
        ("inactive", Cause::Incomplete, "is INACTIVE"),
    ];
    let runs = scenarios.map(|(name, cause, words)| async move {
        let platform = Platform::named(name).await;
        let part = Gate::documented().part(&platform).await;
        assert_problem(&part, cause, words);
        if matches!(name, "inconclusive" | "timed-out-runners") {
            assert_problem(&part, cause, "not evaluated: ");
        }
        assert_eq!(platform.requests("cancel"), 0, "{name}");
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn an_undocumented_severity_counts_as_unknown() {
    let platform = Platform::named("unknown-severity").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.problems, []);
    let unknown = part.failed_by_severity();
    assert_eq!(unknown[0].0, Severity::Unknown, "{unknown:?}");
    assert!(part.notes.iter().any(|note| note.contains("`severe`")), "{:?}", part.notes);
}

#[tokio::test]
async fn an_empty_report_is_distinguished_from_a_missing_one() {
    let empty = format!(
        r#""frameworks": {{"baseline_security": {{"ok": 0, "alarms": {{}}}}}}, "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&empty, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Empty, "evaluated nothing");
    assert_eq!(part.problems.len(), 1);
}

#[tokio::test]
async fn a_framework_that_fails_does_not_hide_the_others() {
    let two = format!(
        r#""frameworks": {{"other": {{"title": "Other", "ok": 10, "alarms": {{"high": 1}}}}}},
           "job": {{{QUICK}}}"#
    );
    let fault = r#"{"path": "/main/schedule/api/v3/benchmark/other/run-history", "times": null,
                    "status": 400, "kind": "json"}"#;
    let platform = Platform::with(&two, fault).await;
    let mut gate = Gate::documented();
    gate.settings = gate.settings.replace("[baseline_security]", "[other, baseline_security]");
    let outcome = gate.outcome(&platform).await.unwrap();
    assert_eq!(outcome.parts[0].framework.as_deref(), Some("other"));
    assert_problem(&outcome.parts[0], Cause::Protocol, "answered 400");
    assert_documented(&outcome.parts[1]);
}

#[tokio::test]
async fn counts_stand_without_the_findings() {
    let quick = format!(r#""job": {{{QUICK}}}"#);
    let no_view = r#"{"path": "/main/compliance/api/v3/quick/scan/", "times": null, "status": 400,
                      "kind": "json"}"#;
    let platform = Platform::with(&quick, no_view).await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.problems, []);
    assert_eq!(part.findings.why_incomplete().unwrap().cause, Cause::Incomplete);
    assert_eq!(part.counts.of(&Selection::default()).unwrap().failed, 152);

    // A view of another job is none of this one.
    let other = format!(r#""job": {{{QUICK}, "report": "views_of_another"}}"#);
    let platform = Platform::with(&other, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.problems, []);
    let missing = part.findings.why_incomplete().unwrap();
    assert_eq!(missing.cause, Cause::Contradictory);
    assert!(missing.message.contains("job 136 is of job 135"), "{missing:?}");
}

#[tokio::test]
async fn nothing_is_relied_on_that_no_report_recounts() {
    for (status, cause) in [
        (400, Cause::Protocol),
        (401, Cause::Denied),
        (403, Cause::Denied),
        (404, Cause::Protocol),
        (406, Cause::Denied),
    ] {
        let fault = format!(
            r#"{{"path": "/main/compliance/api/v3/job-report/", "times": null, "status": {status},
                "kind": "json"}}"#
        );
        let platform = Platform::with(&format!(r#""job": {{{QUICK}}}"#), &fault).await;
        let part = Gate::documented().part(&platform).await;
        assert_problem(&part, cause, "job-report");
    }
}

#[tokio::test]
async fn an_error_with_a_good_status_is_no_empty_list() {
    let past = r#""history": [{"age": 1, "integrations": ["122814690049"],
                              "job": {"pace": {"runners": 60000}}}]"#;
    for path in [
        "/main/compliance/api/v1/frameworks",
        "/main/integration/api/v1/integrations",
        "/main/schedule/api/v3/benchmark/*/run-history",
    ] {
        let fault = format!(r#"{{"path": "{path}", "times": null, "kind": "message-200"}}"#);
        let platform = Platform::with(past, &fault).await;
        let problems = match Gate::documented().outcome(&platform).await {
            Err(problems) => problems,
            Ok(outcome) => outcome.parts[0].problems.clone(),
        };
        let causes: Vec<_> = problems.iter().map(|problem| problem.cause).collect();
        assert_eq!(causes, [Cause::Protocol], "{path}: {problems:?}");
        assert_eq!(platform.starts(), 0, "{path}");
    }
}

#[tokio::test]
async fn titles_are_worth_having_but_nothing_depends_on_them() {
    let quick = format!(r#""history": [{{"age": 60}}], "job": {{{QUICK}}}"#);
    let fault = r#"{"path": "/main/compliance/api/v1/benchmarks/controls", "times": null,
                    "status": 404, "kind": "json"}"#;
    let platform = Platform::with(&quick, fault).await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert!(part.findings.listed().iter().all(|finding| finding.title() == finding.rule_id()));
    assert!(part.notes.iter().any(|note| note.contains("titles")), "{:?}", part.notes);
}

#[tokio::test]
async fn passes_are_read_only_where_the_policy_asks_for_more_than_counts_by_control() {
    let platform = Platform::quick().await;
    let by_account = select(&[(Field::Account, AWS)]);
    let by_resource = select(&[(Field::Resource, "*"), (Field::Account, AZURE)]);
    let demands = [(&by_account, Need::Existence), (&by_resource, Need::Passes)];
    let demands = demands.map(|(selection, need)| Demand { selection: selection.clone(), need });
    let gate = Gate {
        wanted: Wanted { demands: demands.into(), ..Wanted::default() },
        ..Gate::documented()
    };
    let part = gate.part(&platform).await;
    assert_documented(&part);
    let aws = part.counts.of(&by_account).unwrap();
    let azure = part.counts.of(&by_resource).unwrap();
    assert_eq!(
        (aws.passed.unwrap() + azure.passed.unwrap(), aws.failed + azure.failed),
        (409, 152)
    );
    assert!(aws.passed > Some(0) && azure.passed > Some(0));
}

#[tokio::test]
async fn an_integration_that_is_deleted_during_the_run_makes_it_inconclusive() {
    let deleted = format!(
        r#""integrations": [
             {{"integration_type": "aws_cloud_account", "provider_id": "{AWS}", "name": "a"}},
             {{"integration_type": "azure_subscription", "provider_id": "{AZURE}", "name": "b",
               "deleted_after": 1200}}],
           "job": {{"pace": {{"runners": 5000}}}}"#
    );
    let platform = Platform::with(&deleted, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "one of its integrations was deleted");
}

#[tokio::test]
async fn hostile_text_is_carried_and_trips_nothing() {
    let platform = Platform::named("hostile").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
}

#[tokio::test]
async fn what_the_platform_has_can_be_listed() {
    let platform = Platform::quick().await;
    let (settings, run) = Gate::documented().run(&platform);
    let frameworks = settings.list(&run, Listing::Frameworks).await.unwrap();
    let row = frameworks.rows.iter().find(|row| row[0] == "baseline_security").unwrap();
    assert_eq!(row[2], "aws_cloud_account,azure_subscription");
    let integrations = settings.list(&run, Listing::Integrations).await.unwrap();
    let row = integrations.rows.iter().find(|row| row[1] == AWS).unwrap();
    assert_eq!((&*row[0], &*row[3]), ("aws_cloud_account", "ACTIVE"));
    assert!(settings.has_list(Listing::Accounts) && !settings.has_list(Listing::Statuses));
    for token in [ADMIN, VIEWER] {
        let platform = Platform::named("shared-policy").await;
        let (settings, run) = Gate { token, ..Gate::documented() }.run(&platform);
        let rules = settings.list(&run, Listing::Rules).await.unwrap();
        let row = rules.rows.iter().find(|row| row[0] == "aws_iam_root_mfa").unwrap();
        let shared = "aws_ec2_instance_imdsv2_policy";
        assert_eq!(row[1..4], ["critical", "baseline_security", shared]);
        assert!(!row[4].is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_promised_is_never_green() {
    let paths = [
        "/main/auth/api/v1/me",
        "/main/compliance/api/v1/frameworks",
        "/main/integration/api/v1/integrations",
        "/main/schedule/api/v3/benchmark/*/run-history",
        "/main/schedule/api/v3/compliance/framework/",
        "/main/schedule/api/v3/job/compliance/",
        "/main/compliance/api/v3/job-report/",
        "/main/compliance/api/v3/quick/scan/",
    ];
    for kind in ["html-200", "wrong-type", "truncated"] {
        let platforms = paths.map(|path| async move {
            let fault = format!(r#"{{"path": "{path}", "times": null, "kind": "{kind}"}}"#);
            // Every request of this kind; without a run to find, a lost start is an error too.
            let job = format!(r#""job": {{{QUICK}}}"#);
            let platform = Platform::with(&job, &fault).await;
            match Gate::documented().outcome(&platform).await {
                Err(problems) => {
                    // The first answer of all is a web page: `url` does not lead to the API.
                    let is_web_address = path.ends_with("/me") && kind == "html-200";
                    let cause = if is_web_address { Cause::Setup } else { Cause::Protocol };
                    assert_eq!(problems[0].cause, cause, "{path} {kind}");
                }
                Ok(outcome) => {
                    let part = &outcome.parts[0];
                    let started = path.contains("framework/") && kind == "truncated";
                    let missing = part.findings.why_incomplete().into_iter();
                    let problems: BTreeSet<_> = part
                        .problems
                        .iter()
                        .chain(missing)
                        .map(|problem| (problem.cause, &*problem.message))
                        .collect();
                    if started {
                        // It was carried out, and found in the history.
                        assert_documented(part);
                    } else {
                        assert_eq!(problems.len(), 1, "{path} {kind}: {problems:?}");
                        assert!(part.findings.listed().is_empty(), "{path} {kind}");
                    }
                }
            }
        });
        futures_util::future::join_all(platforms).await;
    }
}
