//! What was seen on the real platform (docs/platforms/opencomply.md), and what the gate makes of it.

use std::time::Duration;

use compliance_gate::evidence;
use compliance_gate::finding::{Cause, Severity};
use compliance_gate::stop::Signal;

use super::setup::*;

const FIRST_OF_POLICY: &str = "aws_ec2_instance_imdsv2";
const SHARES_POLICY: &str = "aws_iam_root_mfa";

fn of_rule<'a>(part: &'a evidence::Part, id: &str) -> Vec<&'a compliance_gate::finding::Finding> {
    part.findings.listed().iter().filter(|finding| finding.rule_id() == id).collect()
}

#[tokio::test]
async fn results_that_were_lost_on_their_way_make_a_run_inconclusive() {
    let platform = Platform::named("results-lost").await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Incomplete, "the platform waited 616 s for them to be stored");
    // What is known is shown.
    assert_eq!(part.looked_at(), 549);
    assert!(part.as_of.is_some());
    assert_eq!(part.failed_by_severity().iter().map(|(_, failed)| failed).sum::<u64>(), 140);
    assert_eq!(platform.requests("compliance_result"), 0);
}

#[tokio::test]
async fn a_result_counts_for_every_control_of_its_policy() {
    let platform = Platform::named("shared-policy").await;
    for token in [ADMIN, VIEWER] {
        let mode = if token == ADMIN { "{when: always}" } else { "{when: never}" };
        let part = Gate { token, ..Gate::documented().mode(mode) }.part(&platform).await;
        assert_eq!(part.problems, []);
        let (first, shares) = (of_rule(&part, FIRST_OF_POLICY), of_rule(&part, SHARES_POLICY));
        assert!(!first.is_empty());
        let resources = |found: &[&compliance_gate::finding::Finding]| -> Vec<String> {
            found.iter().map(|finding| finding.resource().to_owned()).collect()
        };
        assert_eq!(resources(&first), resources(&shares));
        assert!(shares.iter().all(|finding| finding.subject.severity == Severity::Critical));
        let critical = part.failed_by_severity()[0];
        assert!(critical.0 == Severity::Critical && critical.1 >= shares.len() as u64);
        let all = part.counts.of(&select(&[])).unwrap();
        assert_eq!(all.failed, part.findings.listed().len() as u64);
        assert_eq!(all.evaluated(), Some(part.looked_at()));
        assert!(part.notes.iter().any(|note| note.contains(SHARES_POLICY)), "{:?}", part.notes);
    }
}

#[tokio::test]
async fn a_control_whose_policy_cannot_be_read_is_named() {
    let text = r#"{"opencomply": {"frameworks": {"baseline_security": {
            "shared_policies": [["aws_ec2_instance_imdsv2", "aws_iam_root_mfa"]]}}},
        "faults": [{"path": "/main/compliance/api/v1/benchmarks/controls", "times": null,
                    "status": 404, "kind": "json"}]}"#;
    let scenario = compliance_gate_simulator::Scenario::from_json(text).unwrap();
    let platform = Platform::start(scenario).await;
    let part = Gate::documented().part(&platform).await;
    assert_problem(&part, Cause::Incomplete, SHARES_POLICY);
}

#[tokio::test]
async fn results_of_a_control_that_left_the_framework_are_left_out_and_named() {
    let platform = Platform::named("removed-control").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.problems, []);
    assert!(of_rule(&part, "aws_rds_instance_private").is_empty());
    // The platform counts two.
    assert_eq!(part.failed_by_severity()[0], (Severity::Critical, 1));
    let all = part.counts.of(&select(&[])).unwrap();
    assert_eq!(all.failed, part.findings.listed().len() as u64);
    assert_eq!(all.evaluated(), Some(part.looked_at()));
    let notes = part.notes.join("\n");
    assert!(notes.contains("left out the results of 1 control"), "{notes}");
    assert!(notes.contains("aws_rds_instance_private"), "{notes}");
}

#[tokio::test]
async fn an_account_without_any_result_is_known() {
    let platform = Platform::named("account-without-results").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.problems, []);
    let accounts: Vec<_> = part.unevaluated.iter().map(|one| &*one.account.id).collect();
    assert_eq!(accounts, [AZURE]);
}

#[test]
fn an_account_without_any_result_is_a_warning_and_undecided_where_it_is_selected() {
    let platform = crate::common::Platform::start("account-without-results");
    let folder = crate::common::Folder::new();
    let run = |gate: &str| {
        let gates = format!("  - {{id: budget, source: opencomply, {gate}}}\n");
        let policy = crate::common::opencomply(&platform.origin, &gates);
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["run", "--json", "gate.json"])
    };
    run("max: 100000").exits(0).says("there is no result at all, passed or failed, for account");
    assert_eq!(folder.json("gate.json")["verdict"], "warned");
    run(&format!("account: {AWS}, max: 100000").replace(AWS, &format!("\"{AWS}\""))).exits(0);
    run(&format!("account: [\"{AWS}\", {AZURE}], max: 100000"))
        .exits(3)
        .says("no result for account")
        .says(AZURE);
}

#[tokio::test]
async fn a_service_that_is_away_for_a_while_costs_no_verdict() {
    // Longer than a single request is repeated for.
    let services = ["scheduler", "auth", "search", "integration"].map(|service| async move {
        let outage = format!(
            r#""outages": [{{"service": "{service}", "after": 2500, "lasts": 18000}}],
               "job": {{"pace": {{"runners": 6000}}}}"#
        );
        let platform = Platform::with(&outage, "").await;
        let gate = Gate { deadline: Duration::from_secs(60), ..Gate::documented() };
        let part = gate.part(&platform).await;
        assert_documented(&part);
        assert_eq!(roles(&part), [evidence::Role::Started], "{service}");
    });
    futures_util::future::join_all(services).await;
}

#[tokio::test]
async fn a_service_that_is_away_before_the_start_is_waited_for_a_moment() {
    for (lasts, sound) in [(2_000, true), (600_000, false)] {
        let outage = format!(
            r#""outages": [{{"service": "integration", "after": 800, "lasts": {lasts}}}],
               "job": {{{QUICK}}}"#
        );
        let platform = Platform::with(&outage, "").await;
        let gate = Gate::documented();
        let (source, run) = gate.run(&platform);
        let ready = source.preflight(&run).await.unwrap();
        platform.simulator.clock().advance(Duration::from_millis(800));
        let part = ready.collect().await.parts.remove(0);
        match sound {
            true => assert_documented(&part),
            false => assert_problem(&part, Cause::Unreachable, "do request: Get"),
        }
        assert_eq!(platform.starts(), usize::from(sound));
    }
}

#[tokio::test]
async fn a_service_that_stays_away_while_a_run_is_watched_is_unreachable() {
    let outage = r#""outages": [{"service": "scheduler", "after": 2500, "lasts": 600000}],
                    "job": {"pace": {"runners": 600000}}"#;
    let platform = Platform::with(outage, "").await;
    let gate = Gate { deadline: Duration::from_secs(8), ..Gate::documented() };
    let outcome = gate.outcome(&platform).await.unwrap();
    assert_problem(&outcome.parts[0], Cause::Unreachable, "the platform did not answer from");
    let notes = outcome.notes.join("\n");
    assert!(notes.contains("job 136, which this gate started, goes on"), "{notes}");
}

#[tokio::test]
async fn a_job_with_queued_runners_is_left_for_the_next_gate_unless_asked_otherwise() {
    for (cancel, requests) in [("created", 0), ("always", 1)] {
        let platform = Platform::with(
            r#""hanging_worker": true, "job": {"pace": {"created": 100, "runners": 600000}}"#,
            "",
        )
        .await;
        let mut gate = Gate::documented();
        gate.settings += &format!("cancel: {cancel}\n");
        let signal = async {
            platform.until_requested("/job/compliance/136", 1).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            gate.signal.send(Some(Signal::Terminate)).unwrap();
        };
        let (outcome, ()) = tokio::join!(gate.outcome(&platform), signal);
        let outcome = outcome.unwrap();
        assert_problem(&outcome.parts[0], Cause::Interrupted, "job 136");
        assert_eq!(platform.requests("POST /main/schedule/api/v3/jobs/cancel"), requests);
        let notes = outcome.notes.join("\n");
        let expected =
            if requests == 0 { "goes on: it is RUNNERS_IN_PROGRESS" } else { "cancelled" };
        assert!(notes.contains(expected), "{notes}");
    }
}

#[tokio::test]
async fn a_job_over_an_integration_that_was_deleted_is_skipped() {
    let past = |last: &str| {
        format!(
            r#""integrations": [
                 {{"integration_type": "aws_cloud_account", "provider_id": "{AWS}", "name": "a"}},
                 {{"integration_type": "azure_subscription", "provider_id": "{AZURE}", "name": "b"}},
                 {{"integration_type": "aws_cloud_account", "provider_id": "99", "name": "gone",
                   "discovered": false, "deleted_after": 0}}],
               "history": [{{"age": 7200, "integrations": ["{AWS}", "{AZURE}"]}},
                           {{"age": 600, "integrations": ["{AWS}", "{AZURE}", "99"], {last}}}],
               "job": {{{QUICK}}}"#
        )
    };
    let finished = Platform::with(&past(r#""job": {}"#), "").await;
    for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 3h}", ADMIN)] {
        let part = Gate { token, ..Gate::documented().mode(mode) }.part(&finished).await;
        assert_documented(&part);
        assert_eq!(job_ids(&part), ["134"]);
        let notes = part.notes.join("\n");
        assert!(notes.contains("job 135 also covered an integration that was deleted"), "{notes}");
    }
    // An unfinished one is over other integrations: it is waited for and not joined.
    let running = past(r#""job": {"pace": {"runners": 602000}}"#);
    let part = Gate::documented().part(&Platform::with(&running, "").await).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
}

#[tokio::test]
async fn a_superseded_run_is_given_up_without_waiting_for_its_end() {
    // It ends after ten minutes, which this test does not wait for.
    let platform = Platform::named("results-awaited").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["137"], vec![evidence::Role::Joined]));
}

#[tokio::test]
async fn a_run_without_runners_is_not_joined_while_the_platform_still_waits_for_its_results() {
    let long = r#""pace": {"created": 100, "runners": 300, "sink_timeout": 600000}"#;
    // Ours is superseded by a run over another account, which has ended when we look again.
    let ours = format!(
        r#""rival": {{"after": 250, "integrations": ["{AWS}"], "job": {{{QUICK}}}}},
           "job": {{{long}}}"#
    );
    // It was superseded before we came.
    let theirs = format!(
        r#""history": [
            {{"age": 20, "integrations": ["{AWS}", "{AZURE}"],
              "job": {{"pace": {{"runners": 10000, "sink_timeout": 600000}}}}}},
            {{"age": 15, "integrations": ["{AWS}"]}}],
           "job": {{{QUICK}}}"#
    );
    // Nor is one over other accounts waited for.
    let others = theirs.replace(&format!(r#"["{AWS}", "{AZURE}"]"#), &format!(r#"["{AZURE}"]"#));
    for (scenario, starts) in [(ours, 2), (theirs, 1), (others, 1)] {
        let platform = Platform::with(&scenario, "").await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!((platform.starts(), roles(&part)), (starts, vec![evidence::Role::Started]));
        assert!(!part.notes.iter().any(|note| note.contains("does not move")), "{:?}", part.notes);
    }
}

#[tokio::test]
async fn a_job_that_does_not_move_is_neither_waited_for_nor_joined() {
    for (scenario, words) in [
        ("stands-still", "job 135 is SUMMARIZER_IN_PROGRESS, created "),
        ("never-starts", "job 135 is CREATED, created "),
    ] {
        let platform = Platform::named(scenario).await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
        let notes = part.notes.join("\n");
        assert!(notes.contains(words) && notes.contains("does not move"), "{notes}");
    }
}

#[tokio::test]
async fn a_run_of_others_that_moves_is_waited_for_however_old_it_is() {
    let old = format!(
        r#""history": [{{"age": 7200, "integrations": ["{AWS}"],
                         "job": {{"pace": {{"runners": 7203000}}}}}}],
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&old, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!(platform.starts(), 1);
    assert!(platform.requests("run-history") > 3);
}

#[tokio::test]
async fn a_framework_that_allows_no_integration_type_is_refused_before_a_start() {
    let platform = Platform::named("no-type-allowed").await;
    let problems = Gate::documented().outcome(&platform).await.unwrap_err();
    assert_eq!(problems[0].cause, Cause::Invalid);
    assert!(problems[0].message.contains("allows no integration type"), "{problems:?}");
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn a_run_call_that_would_match_nothing_is_never_sent() {
    let none = r#""integrations": [
        {"integration_type": "github_account", "provider_id": "acme", "name": "acme"}]"#;
    let platform = Platform::with(none, "").await;
    let problems = Gate::over("all").outcome(&platform).await.unwrap_err();
    assert_eq!(problems[0].cause, Cause::Invalid);
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn a_start_that_a_gateway_answered_in_its_own_way_is_looked_for() {
    for status in [520, 524, 530, 599] {
        let fault = format!(
            r#"{{"path": "/main/schedule/api/v3/compliance/framework/", "method": "POST",
                "applied": true, "status": {status}}}"#
        );
        let platform = Platform::with(&format!(r#""job": {{{QUICK}}}"#), &fault).await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!(roles(&part), [evidence::Role::Started], "{status}");
        assert_eq!(platform.starts(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_finished_run_over_more_accounts_serves_with_their_rows_left_out() {
    let past = format!(r#""history": [{{"age": 3600}}], "job": {{{QUICK}}}"#);
    let platform = Platform::with(&past, "").await;
    let one = format!("[{{integration_type: aws_cloud_account, provider_id: \"{AWS}\"}}]");
    for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 2h}", ADMIN)] {
        let part = Gate { token, ..Gate::over(&one).mode(mode) }.part(&platform).await;
        assert_eq!(part.problems, []);
        assert_eq!((job_ids(&part), roles(&part)), (vec!["135"], vec![evidence::Role::Reused]));
        let listed = part.findings.listed();
        assert!(!listed.is_empty() && listed.len() < 152);
        let of_account = |finding: &&compliance_gate::finding::Finding| {
            finding.subject.account.as_ref().is_some_and(|account| &*account.id == AWS)
        };
        assert_eq!(listed.iter().filter(of_account).count(), listed.len());
        let all = part.counts.of(&select(&[])).unwrap();
        assert_eq!(all.failed, listed.len() as u64);
        assert_eq!(all.evaluated(), Some(part.looked_at()));
        assert!(part.looked_at() < 561);
    }
    assert_eq!(platform.starts(), 0);
    // What is only a total cannot be divided.
    let fault = r#"{"path": "/main/compliance/api/v3/quick/scan/", "times": null, "status": 400,
                    "kind": "json"}"#;
    let platform = Platform::with(&past, fault).await;
    let part = Gate { token: VIEWER, ..Gate::over(&one).mode("{when: never}") };
    assert_problem(&part.part(&platform).await, Cause::Incomplete, "the findings of job 135");
}

#[test]
fn a_resource_word_that_matches_nothing_is_not_a_pass() {
    let platform = crate::common::Platform::start("clean");
    let folder = crate::common::Folder::new();
    let run = |resource: &str| {
        let gates = format!("  - {{id: mine, source: opencomply, {resource}, max: 0}}\n");
        let policy = crate::common::opencomply(&platform.origin, &gates);
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["run"])
    };
    run(&format!("resource: \"*{AWS}*\"")).exits(0);
    // One digit too many.
    run(&format!("resource: [\"*{AWS}*\", \"*{AWS}9*\"]"))
        .exits(3)
        .says(&format!("nothing that was evaluated matches resource `*{AWS}9*`"));
    run(&format!("resource: \"*{AWS}9*\", min_evaluated: 0")).exits(0);
}

#[tokio::test]
async fn states_are_read_in_any_case() {
    let lower = format!(
        r#""job": {{{QUICK}, "state_words": {{"SUCCEEDED": "succeeded", "CREATED": "Created"}}}},
           "history": [{{"age": 600, "job": {{"state_words": {{"SUCCEEDED": "Succeeded"}}}}}}]"#
    );
    let platform = Platform::with(&lower, "").await;
    for mode in ["{when: stale, max_age: 1h}", "{when: always}"] {
        assert_documented(&Gate::documented().mode(mode).part(&platform).await);
    }
    assert_eq!(platform.starts(), 1);
}

#[test]
fn several_tenants_are_evaluated_each_with_its_own_token() {
    let (eu, us) =
        (crate::common::Platform::start("clean"), crate::common::Platform::start("blocked"));
    let folder = crate::common::Folder::new();
    let policy = format!(
        "version: 1\nsources:\n  opencomply/eu:\n    url: {}\n{}  opencomply/us:\n    url: {}\n    \
         token_env: OPENCOMPLY_US_KEY\n{}gates:\n  - {{id: eu, source: opencomply/eu, max: 0}}\n  \
         - {{id: us, source: opencomply/us, severity: critical, max: 0, level: warn}}\n",
        eu.origin,
        crate::common::DOCUMENTED,
        us.origin,
        crate::common::DOCUMENTED
    );
    folder.write("compliance-gate.yaml", &policy);
    let mut command = folder.command(&["run", "--json", "gate.json"]);
    command.env("OPENCOMPLY_US_KEY", "us-key-7f31");
    crate::common::Ended::wait(command).exits(0).says("3 failed checks where max is 0");
    let report = folder.json("gate.json");
    let names: Vec<_> = report["sources"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["opencomply/eu", "opencomply/us"]);
    assert_eq!((eu.count("/run "), us.count("/run ")), (1, 1));
}
