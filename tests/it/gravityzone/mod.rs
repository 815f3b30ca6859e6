//! The GravityZone source against the embedded platform, and against one that lies.

mod gates;
mod liar;
mod meddler;
mod setup;

use std::collections::BTreeSet;

use compliance_gate::evidence::{Count, Part};
use compliance_gate::finding::{Cause, Severity};
use compliance_gate::selection::{Demand, Field, Need, Pattern, Selection};
use serde_json::json;

use meddler::Meddling;
use setup::{Collected, collect, collect_from, collect_interrupted, collect_meddled, collect_with};

fn words(fields: &[(Field, &[&str])]) -> Selection {
    let patterns = |words: &[&str]| words.iter().copied().map(Pattern::new).collect();
    Selection {
        words: fields.iter().map(|(field, words)| (*field, patterns(words))).collect(),
        ..Selection::default()
    }
}

fn severe(severities: &[Severity]) -> Selection {
    Selection { severity: Some(severities.iter().copied().collect()), ..Selection::default() }
}

fn passes(selection: &Selection) -> Demand {
    Demand { selection: selection.clone(), need: Need::Passes }
}

fn existence(selection: &Selection) -> Demand {
    Demand { selection: selection.clone(), need: Need::Existence }
}

/// The one part, which must be without problem.
fn sound(collected: &Collected) -> &Part {
    assert_eq!(collected.outcome.problems, []);
    let [part] = &*collected.outcome.parts else { panic!("not one part") };
    assert_eq!(part.problems, [], "{:#?}", collected.requests);
    assert_eq!(part.findings.why_incomplete(), None);
    part
}

/// Cause and words of the only problem.
fn problem(collected: &Collected) -> (Cause, String) {
    let part = &collected.outcome.parts[0];
    let [problem] = &*part.problems else { panic!("not one problem: {:#?}", part.problems) };
    (problem.cause, problem.message.clone())
}

#[track_caller]
fn assert_problem(collected: &Collected, cause: Cause, has: &str) {
    let (given, message) = problem(collected);
    assert_eq!(given, cause, "{message}");
    assert!(message.contains(has), "{message}");
}

fn estate() -> serde_json::Value {
    json!({
        "checks": 30817,
        "fails": {"critical": 12, "high": 214, "medium": 803, "low": 511, "informational": 96}
    })
}

#[tokio::test]
async fn a_policy_that_only_limits_failures_downloads_no_passes() {
    let collected = collect(estate(), json!({}), &[]).await;
    let part = sound(&collected);
    assert_eq!(part.looked_at(), 30_817);
    assert_eq!(part.findings.listed().len(), 1636);
    assert_eq!(part.counts, compliance_gate::evidence::Counts::default());
    assert_eq!(part.as_of, None);
    assert_eq!(
        part.failed_by_severity(),
        [
            (Severity::Critical, 12),
            (Severity::High, 214),
            (Severity::Medium, 803),
            (Severity::Low, 511),
            (Severity::Informational, 96)
        ]
    );
    assert!(collected.outcome.simulated);
    // The preflight, which knows the total; 1,636 failures in pages of 1,000, and the total of passes.
    assert_eq!(collected.requests.len(), 1 + 2 + 1, "{:#?}", collected.requests);
    assert_eq!(collected.outcome.requests, 4);
}

#[tokio::test]
async fn findings_carry_what_the_platform_said() {
    let collected = collect(json!({}), json!({}), &[]).await;
    let part = sound(&collected);
    for finding in part.findings.listed() {
        let subject = &finding.subject;
        assert!(finding.rule_id().starts_with("cloud_scan/"));
        assert!(finding.title() != finding.rule_id());
        assert!(subject.rule.as_ref().is_some_and(|rule| rule.help.is_some()));
        assert!(subject.account.as_ref().is_some_and(|account| account.name.is_some()));
        assert!(subject.region.is_some() && subject.resource_type.is_some());
        assert!(finding.created_at.is_some());
        assert!(!subject.controls.is_empty());
        for control in &*subject.controls {
            let prefix = format!("{}/", control.framework);
            assert!(control.id.starts_with(&prefix) && control.id.len() > prefix.len());
        }
        let status = finding.status.as_deref();
        assert_eq!(finding.open, matches!(status, Some("open" | "remediated")), "{status:?}");
    }
    let findings = || part.findings.listed().iter();
    let fingerprints: BTreeSet<_> = findings().map(|f| f.fingerprint).collect();
    let places: BTreeSet<_> = findings().map(|f| (f.rule_id(), f.resource())).collect();
    assert_eq!(fingerprints.len(), places.len());
}

#[tokio::test]
async fn the_size_of_pages_does_not_change_what_a_finding_is() {
    let whole = collect(json!({}), json!({}), &[]).await;
    let small = collect(json!({}), json!({"page_limit": 7}), &[]).await;
    // `created_at` is left out: each simulator counts from its own start.
    let said = |collected: &Collected| -> Vec<_> {
        let findings = sound(collected).findings.listed().iter();
        findings.map(|f| (f.fingerprint, f.subject.clone(), f.status.clone())).collect()
    };
    assert_eq!(said(&whole), said(&small));
}

#[tokio::test]
async fn a_pass_rate_of_everything_takes_no_further_request() {
    let all = Selection::default();
    let collected = collect(estate(), json!({}), &[passes(&all)]).await;
    let part = sound(&collected);
    assert_eq!(part.counts.of(&all), Some(Count { passed: Some(30_817 - 1636), failed: 1636 }));
    assert_eq!(collected.requests.len(), 4);
}

#[tokio::test]
async fn passes_of_a_framework_come_from_totals_and_agree_with_rows() {
    let framework = words(&[(Field::Framework, &["nist-sp-800-53-r5"])]);
    let by_totals = collect(json!({}), json!({}), &[passes(&framework)]).await;
    assert!(by_totals.requests.len() <= 7, "{:#?}", by_totals.requests);

    let pattern = words(&[(Field::Framework, &["nist-sp-800-53-r5*"])]);
    let by_rows = collect(json!({}), json!({}), &[passes(&pattern)]).await;
    let counted = sound(&by_rows).counts.of(&pattern);
    assert!(counted.is_some_and(|count| count.passed > Some(0) && count.failed > 0));
    assert_eq!(sound(&by_totals).counts.of(&framework), counted);
}

/// The documentation of the filter speaks of findings only
/// (docs/platforms/gravityzone.md#gaps-in-the-documentation). Both readings must give the same figures.
#[tokio::test]
async fn passes_of_a_severity_are_right_whether_or_not_the_filter_knows_them() {
    let selection = severe(&[Severity::High, Severity::Critical]);
    let mut counts = Vec::new();
    for known in [true, false] {
        let scenario = json!({"severities_match_passes": known});
        let collected = collect(scenario, json!({}), &[passes(&selection)]).await;
        let rows = collected.requests.iter().filter(|r| r.contains("page_limit=1000")).count();
        assert_eq!(rows, if known { 1 } else { 3 }, "{:#?}", collected.requests);
        counts.push(sound(&collected).counts.of(&selection).unwrap());
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0].passed > Some(100), "{counts:?}");
    assert_eq!(counts[0].failed, 6);
}

#[tokio::test]
async fn globs_are_counted_in_one_reading_for_all_gates() {
    let s3 = words(&[(Field::Rule, &["cloud_scan/aws/s3/*"])]);
    let azure = words(&[(Field::Region, &["westeurope"])]);
    let bucket = words(&[(Field::Rule, &["*"]), (Field::Resource, &["*:s3:::*"])]);
    let demands = [passes(&s3), existence(&azure), passes(&bucket), passes(&s3)];
    let collected = collect(estate(), json!({"page_limit": 1000}), &demands).await;
    let part = sound(&collected);
    let count = |selection: &Selection| part.counts.of(selection).unwrap();
    let everything = Selection::default();
    let all = count(&everything);
    assert_eq!((all.passed, all.failed), (Some(30_817 - 1636), 1636));
    assert!(count(&s3).passed > Some(1000));
    // A check of a whole account states no resource, so it may be within a selector of resources.
    let whole = part.findings.listed().iter().filter(|f| f.resource_id.is_none()).count() as u64;
    assert_eq!(count(&bucket).passed, count(&s3).passed);
    assert_eq!(count(&bucket).failed, count(&s3).failed + whole);
    // The preflight, 2 pages of failures, the total of passes, 30 pages of them: three walks side by
    // side, of which each may end with a page that is not full.
    let walks = collected.requests.iter().filter(|request| request.contains("scans=")).count();
    assert_eq!(walks, 3, "{:#?}", collected.requests);
    let more = collected.requests.len() - (1 + 2 + 1 + 30);
    assert!(more <= 2, "{:#?}", collected.requests);
}

/// Where the accounts of failed checks are not all there are, or the platform does not filter by them as
/// the gate asks, one walk reads what the parts do not prove, and every figure is the same.
#[tokio::test]
async fn parts_that_do_not_add_up_are_read_in_one_walk() {
    let s3 = words(&[(Field::Rule, &["cloud_scan/aws/s3/*"])]);
    let settings = json!({"page_limit": 100});
    let honest = collect(json!({}), settings.clone(), &[passes(&s3)]).await;
    let walks = honest.requests.iter().filter(|request| request.contains("scans=")).count();
    assert!(walks >= 2, "{:#?}", honest.requests);
    for (meddling, in_vain) in [
        (Meddling::Ignored, 2),
        (Meddling::Nothing, 2),
        (Meddling::Overlapping, 3),
        (Meddling::TooFew, 3),
    ] {
        let collected =
            collect_meddled(json!({}), settings.clone(), &[passes(&s3)], meddling).await;
        assert_eq!(sound(&collected).counts, sound(&honest).counts, "{meddling:?}");
        let walks = collected.requests.iter().filter(|request| request.contains("results=pass"));
        let more = collected.requests.len().saturating_sub(honest.requests.len());
        assert!(more <= in_vain, "{meddling:?}: {:#?}", walks.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_failure_proves_existence_and_a_typo_is_looked_for_once() {
    let there = words(&[(Field::Rule, &["cloud_scan/aws/*"])]);
    let collected = collect(json!({}), json!({}), &[existence(&there)]).await;
    sound(&collected);
    assert_eq!(collected.requests.len(), 3);

    let typo = words(&[(Field::Framework, &["nist-sp-800-53-r55"])]);
    let collected = collect(json!({}), json!({}), &[existence(&typo)]).await;
    assert_eq!(sound(&collected).counts.of(&typo), Some(Count::ZERO));
    // A total of zero, and two pages of passes to be sure.
    assert_eq!(collected.requests.len(), 3 + 1 + 2);
}

#[tokio::test]
async fn severity_filters_limit_failures_and_passes_alike() {
    let all = Selection::default();
    let rule = words(&[(Field::Rule, &["cloud_scan/aws/s3/*"])]);
    for known in [true, false] {
        let collected = collect(
            json!({"severities_match_passes": known}),
            json!({"filters": {"severities": ["high", "critical"]}}),
            &[passes(&all), passes(&rule)],
        )
        .await;
        let part = sound(&collected);
        assert_eq!(part.looked_at(), 1240);
        assert_eq!(part.findings.listed().len(), 6);
        let severe = severe(&[Severity::High, Severity::Critical]);
        let unfiltered = collect(json!({}), json!({}), &[passes(&severe)]).await;
        assert_eq!(part.counts.of(&all), sound(&unfiltered).counts.of(&severe));
        let of_rule = part.counts.of(&rule).unwrap();
        assert!(of_rule.passed > Some(0) && of_rule.passed < part.counts.of(&all).unwrap().passed);
    }
}

/// On a quiet day nothing within the filters may be there, and the selector is right all the same.
#[tokio::test]
async fn what_a_filter_leaves_out_still_proves_that_a_selector_is_no_typo() {
    let there = words(&[(Field::Rule, &["cloud_scan/aws/s3/bucket_versioning*"])]);
    let framework = words(&[(Field::Framework, &["soc-2"])]);
    let typo = words(&[(Field::Rule, &["cloud_scan/aws/s4/*"])]);
    let settings = json!({"filters": {"severities": "critical", "statuses": "open"}});
    let demands = [existence(&there), existence(&framework), existence(&typo)];
    let collected = collect(json!({}), settings, &demands).await;
    let part = sound(&collected);
    let seen = |selection| part.counts.of(selection).map(|count| (count.passed, count.failed > 0));
    assert_eq!(seen(&there), Some((Some(0), true)));
    assert_eq!(seen(&framework), Some((Some(0), true)));
    assert_eq!(seen(&typo), Some((Some(0), false)));
}

#[tokio::test]
async fn open_in_a_filter_takes_remediated_failures_along() {
    let collected = collect(json!({}), json!({"filters": {"statuses": ["open"]}}), &[]).await;
    let statuses: BTreeSet<_> =
        sound(&collected).findings.listed().iter().filter_map(|f| f.status.as_deref()).collect();
    assert_eq!(statuses, ["open", "remediated"].into());
}

#[tokio::test]
async fn scope_values_that_match_nothing_are_named() {
    let settings = json!({"filters": {"scans": ["[Production] AWS", "[Prod] AWS"]}});
    let collected = collect(json!({}), settings, &[]).await;
    assert_problem(&collected, Cause::Incomplete, "filters.scans: `[Prod] AWS` matches no check");
    assert!(!collected.outcome.parts[0].findings.listed().is_empty());

    let settings = json!({"filters": {"system_compliance": "nits"}});
    let collected = collect(json!({}), settings, &[]).await;
    assert_problem(&collected, Cause::Incomplete, "filters.system_compliance: `nits`");
    // A single value's total is the evaluated total: no probe of its own.
    assert_eq!(collected.requests.len(), 4);
}

#[tokio::test]
async fn undocumented_words_are_counted_as_the_worst() {
    let scenario = json!({
        "fails": {"high": 2, "unknown": 2},
        "unknown_severity": "severe",
        "statuses": ["snoozed", null]
    });
    let collected = collect(scenario.clone(), json!({}), &[]).await;
    let part = sound(&collected);
    assert_eq!(part.failed_by_severity(), [(Severity::Unknown, 2), (Severity::High, 2)]);
    assert!(part.findings.listed().iter().all(|finding| finding.open));
    assert!(part.notes.iter().any(|note| note.contains("`severe` (2)")), "{:?}", part.notes);
    assert!(part.notes.iter().any(|note| note.contains("`snoozed` (2)")), "{:?}", part.notes);

    // A filter by severity does not hide an unknown one.
    let filtered = json!({"filters": {"severities": ["low"]}});
    let collected = collect(scenario.clone(), filtered, &[]).await;
    assert_eq!(sound(&collected).failed_by_severity(), [(Severity::Unknown, 2)]);

    let filtered = json!({"filters": {"statuses": ["open"]}});
    let collected = collect(scenario, filtered, &[]).await;
    assert_problem(&collected, Cause::Incomplete, "4 failed checks with an undocumented status");
}

/// A severity that was lowered in the console takes no check out of a gate or of a filter.
#[tokio::test]
async fn the_higher_of_both_severities_counts() {
    let lowered = |original: &str| json!({"fails": {"low": 5}, "original_severity": original});
    let high = json!({"filters": {"severities": ["high", "critical"]}});
    for (original, settings, expected) in [
        ("high", json!({}), vec![(Severity::High, 5)]),
        ("high", high.clone(), vec![(Severity::High, 5)]),
        ("medium", high.clone(), vec![]),
        ("informational", json!({}), vec![(Severity::Low, 5)]),
        ("severe", high, vec![(Severity::Unknown, 5)]),
    ] {
        let collected = collect(lowered(original), settings, &[]).await;
        assert_eq!(sound(&collected).failed_by_severity(), expected, "{original}");
    }
}

#[tokio::test]
async fn null_severities_are_unknown() {
    let collected = collect(json!({"null_attributes": ["severity"]}), json!({}), &[]).await;
    assert_eq!(sound(&collected).failed_by_severity(), [(Severity::Unknown, 64)]);
}

#[tokio::test]
async fn a_platform_without_checks_has_evaluated_none() {
    let collected = collect(json!({"checks": 0, "fails": {}}), json!({}), &[]).await;
    assert_eq!((sound(&collected).looked_at(), sound(&collected).findings.listed().len()), (0, 0));
}

/// A policy that only limits failures reads no passes, and yet checks that are neither are missed.
#[tokio::test]
async fn an_undocumented_result_does_not_count_as_passed() {
    for (result, filters) in [
        (json!("error"), json!({})),
        (json!(null), json!({})),
        (json!("FAIL"), json!({"severities": ["low", "high"]})),
        (json!("error"), json!({"statuses": ["needs_review"]})),
        (json!("error"), json!({"statuses": ["open"]})),
    ] {
        let origin = liar::start_with_result(result).await;
        let collected = collect_from(&origin, json!({"filters": filters}), &[]).await;
        let [missing] = &*collected.outcome.problems else { panic!("{:#?}", collected.outcome) };
        assert_eq!(missing.cause, Cause::Incomplete);
        assert!(missing.message.contains("3 checks neither failed nor passed"), "{missing:?}");
        // What failed counts all the same.
        assert!(!collected.outcome.parts[0].findings.listed().is_empty(), "{filters}");
        assert_eq!(collected.outcome.parts[0].problems, []);
    }
}

/// Totals that moved once, while failures were read, are asked again.
#[tokio::test]
async fn a_scan_that_ends_meanwhile_is_no_contradiction() {
    let origin = liar::start_growing().await;
    let collected = collect_from(&origin, json!({}), &[passes(&Selection::default())]).await;
    let part = sound(&collected);
    assert_eq!(part.looked_at(), 12);
    assert_eq!(part.counts.of(&Selection::default()), Some(Count { passed: Some(8), failed: 4 }));
}

#[tokio::test]
async fn pages_that_do_not_add_up_are_refused() {
    let cases = [
        (json!({"repeat_cursor": true}), Cause::Protocol, "a page that was already read"),
        (json!({"foreign_next": "http://127.0.0.1:9"}), Cause::Protocol, "another origin"),
        (json!({"total_offset": 3}), Cause::Incomplete, "64 of 67 rows arrived"),
        (json!({"total_offset": -3}), Cause::Contradictory, "64 rows arrived"),
    ];
    for (lie, cause, has) in cases {
        let collected = collect(lie, json!({"page_limit": 20}), &[]).await;
        assert_problem(&collected, cause, has);
        let missing = collected.outcome.parts[0].findings.why_incomplete();
        assert_eq!(missing.map(|problem| problem.cause), Some(cause));
    }
}

#[tokio::test]
async fn a_page_that_is_wrong_in_itself_stops_at_the_preflight() {
    let cases = [
        (json!({"placeholder": true}), Cause::Protocol, "page 1, data[1] has no `id`"),
        (json!({"elapsed_offset": -1}), Cause::Contradictory, "counts 0 rows sent, but 1"),
    ];
    for (lie, cause, has) in cases {
        let refused = collect(lie, json!({}), &[]).await.refused.unwrap();
        assert_eq!(refused.cause, cause);
        assert!(refused.message.contains(has), "{}", refused.message);
    }
}

#[tokio::test]
async fn a_page_that_breaks_off_leaves_the_evidence_incomplete() {
    let broken = json!({"path": "/v1", "kind": "truncated", "skip": 3, "times": null});
    let collected = collect_with(json!({}), &[broken], json!({"page_limit": 20}), &[]).await;
    assert_problem(&collected, Cause::Protocol, "ends too early");
    let part = &collected.outcome.parts[0];
    assert_eq!(part.findings.listed().len(), 20);
    assert!(part.findings.why_incomplete().is_some());
    assert_eq!(part.looked_at(), 1240);
}

#[tokio::test]
async fn a_transient_refusal_is_retried() {
    let busy = json!({"path": "/v1", "status": 429, "retry_after": 0, "skip": 3, "times": 2});
    let collected = collect_with(json!({}), &[busy], json!({"page_limit": 20}), &[]).await;
    assert_eq!(sound(&collected).findings.listed().len(), 64);
    assert_eq!(collected.outcome.requests, 1 + 4 + 1 + 2);
}

#[tokio::test]
async fn a_platform_that_asks_for_more_than_the_deadline_is_not_waited_for() {
    let busy = json!({"path": "/v1", "status": 503, "retry_after": 3600, "skip": 3, "times": null});
    let collected = collect_with(json!({}), &[busy], json!({"page_limit": 20}), &[]).await;
    assert_problem(&collected, Cause::Unreachable, "past the deadline");
    assert_eq!(collected.outcome.parts[0].findings.listed().len(), 20);
}

#[tokio::test]
async fn an_interrupt_returns_what_is_known() {
    let collected = collect_interrupted(4, json!({"page_limit": 20})).await;
    assert_problem(&collected, Cause::Interrupted, "interrupted");
    let part = &collected.outcome.parts[0];
    assert_eq!((part.looked_at(), part.findings.why_incomplete().is_some()), (1240, true));
    assert!(part.findings.listed().len() < 64);
    assert!(collected.requests.len() <= 5, "{:?}", collected.requests);
}

#[tokio::test]
async fn a_token_that_is_refused_stops_at_the_preflight() {
    let collected = collect(json!({"revoked_keys": ["a-token"]}), json!({}), &[]).await;
    let refused = collected.refused.unwrap();
    assert_eq!(refused.cause, Cause::Denied);
    assert_eq!(collected.requests.len(), 1);

    let bearer = json!({"auth_header": "Authorization"});
    let collected = collect(json!({"auth_header": "authorization"}), bearer, &[]).await;
    sound(&collected);
}

#[tokio::test]
async fn a_platform_that_ignores_a_filter_is_caught() {
    let cases = [
        ("results", json!({})),
        ("severities", json!({"severities": ["high"]})),
        ("statuses", json!({"statuses": ["needs_review"]})),
    ];
    for (ignored, filters) in cases {
        let origin = liar::start(Some(ignored)).await;
        let demand = passes(&Selection::default());
        let collected = collect_from(&origin, json!({"filters": filters}), &[demand]).await;
        assert_problem(&collected, Cause::Contradictory, "a filter was ignored");
    }
}

/// The filters that take ids or names, and what every check of the liar has.
const SCOPES: [(&str, &str, &str); 6] = [
    ("scans", "scan-1", "PRODUCTION"),
    ("scan_groups", "group-1", "Payments"),
    ("rules", "r", "cloud_scan/x"),
    ("resources", "i-1", "web"),
    ("resource_types", "EC2 Instance", "ec2 instance"),
    ("system_compliance", "nist", "nist"),
];

/// A filter that is ignored must not let the checks of others prove that something was evaluated.
#[tokio::test]
async fn an_ignored_filter_of_the_scope_is_caught() {
    for (filter, ..) in SCOPES {
        let origin = liar::start(Some(filter)).await;
        let settings = json!({"filters": {filter: "absent"}});
        for demands in [vec![], vec![passes(&Selection::default())]] {
            let collected = collect_from(&origin, settings.clone(), &demands).await;
            let [problem] = &*collected.outcome.problems else {
                panic!("{filter}: {:#?}", collected.outcome)
            };
            assert_eq!(problem.cause, Cause::Contradictory);
            let says = format!("`filters.{filter}` asks for `absent`, but no check states that");
            assert!(problem.message.contains(&says), "{}", problem.message);
            assert!(problem.help.as_deref().is_some_and(|help| help.contains("in the gates")));
        }
    }
    // Some of the checks happen to be what was asked for.
    for (filter, value) in [("system_compliance", "nist"), ("resources", "i-0")] {
        let origin = liar::start(Some(filter)).await;
        let collected = collect_from(&origin, json!({"filters": {filter: value}}), &[]).await;
        let [problem] = &*collected.outcome.problems else { panic!("{filter}") };
        assert!(problem.message.contains("ignored or applied in part"), "{}", problem.message);
    }
}

#[tokio::test]
async fn a_list_of_which_the_platform_reads_a_part_is_caught() {
    let settings = json!({"filters": {"system_compliance": ["nist", "soc-2"]}});
    for first_only in [false, true] {
        let origin = liar::start_reading(first_only).await;
        let collected = collect_from(&origin, settings.clone(), &[]).await;
        let problems = &collected.outcome.problems;
        assert_eq!(!problems.is_empty(), first_only, "{problems:?}");
        let says = "reads only a part of `filters.system_compliance`: beside another value, \
                    `soc-2` matches nothing";
        assert!(problems.iter().all(|problem| problem.message.contains(says)), "{problems:?}");
    }
}

/// Ids and names are both right, whatever their case. Where a filter leaves out nothing, rows show that
/// each passed check is within it.
#[tokio::test]
async fn filters_by_id_or_name_are_no_contradiction() {
    let all = Selection::default();
    for (filter, id, name) in SCOPES {
        for value in [id, name] {
            let origin = liar::start_alike(Some(filter)).await;
            let settings = json!({"filters": {filter: value}});
            let collected = collect_from(&origin, settings.clone(), &[]).await;
            sound(&collected);
            let collected = collect_from(&origin, settings, &[passes(&all)]).await;
            let part = sound(&collected);
            assert_eq!(part.counts.of(&all), Some(Count { passed: Some(8), failed: 4 }));
        }
    }
}

/// An ignored filter, whose failed checks happen to be what was asked for, must not let the passed checks
/// of others raise a pass rate.
#[tokio::test]
async fn passes_under_an_unproven_filter_are_read_as_rows() {
    let all = Selection::default();
    let origin = liar::start_lucky("scans").await;
    let settings = json!({"filters": {"scans": "scan-1"}});
    let collected = collect_from(&origin, settings, &[passes(&all)]).await;
    let [problem] = &*collected.outcome.problems else { panic!("{:#?}", collected.outcome) };
    assert!(
        problem.message.contains("a check of `scan-2` (`production`) came"),
        "{}",
        problem.message
    );
    // The same for a selector that is counted by a filter.
    let origin = liar::start_lucky("resource_types").await;
    let instances = words(&[(Field::ResourceType, &["EC2 Instance"])]);
    let collected = collect_from(&origin, json!({}), &[passes(&instances)]).await;
    let counted = sound(&collected).counts.of(&instances);
    assert_eq!(counted, Some(Count { passed: Some(4), failed: 4 }));
}

/// The filter may compare something that no check states. The total shows that it is applied.
#[tokio::test]
async fn a_filter_by_what_checks_do_not_state_is_proven_by_totals() {
    let origin = liar::start(None).await;
    let settings = json!({"filters": {"scans": "122814690049"}});
    let collected = collect_from(&origin, settings, &[]).await;
    let part = sound(&collected);
    assert_eq!(part.looked_at(), 9);
    let says = "compares something that checks do not state";
    assert!(part.notes.iter().any(|note| note.contains(says)), "{:?}", part.notes);
    // With a second filter the total without the first one is asked for.
    for (ignored, sound) in [(None, true), (Some("scans"), false)] {
        let origin = liar::start(ignored).await;
        let filters = json!({"scans": "122814690049", "system_compliance": "nist"});
        let collected = collect_from(&origin, json!({"filters": filters}), &[]).await;
        assert_eq!(collected.outcome.problems.is_empty(), sound, "{:#?}", collected.outcome);
    }
}

/// The liar has no `original_severity` at all.
#[tokio::test]
async fn checks_without_an_original_severity_are_noted_whatever_is_read_of_them() {
    let origin = liar::start(None).await;
    for settings in [json!({}), json!({"filters": {"severities": "critical"}})] {
        let collected = collect_from(&origin, settings, &[]).await;
        let says = "4 failed checks without `original_severity`";
        let notes = &sound(&collected).notes;
        assert!(notes.iter().any(|note| note.starts_with(says)), "{notes:?}");
    }
}

#[tokio::test]
async fn where_filters_cannot_count_rows_are_counted() {
    let nist = words(&[(Field::Framework, &["nist"])]);
    let low = severe(&[Severity::Low]);
    // Of the twelve checks, the first six are of nist, and every third fails.
    let cases = [
        (None, &nist, Count { passed: Some(4), failed: 2 }),
        (Some("system_compliance"), &nist, Count { passed: Some(4), failed: 2 }),
        (Some("severities"), &low, Count { passed: Some(2), failed: 1 }),
    ];
    for (ignored, selection, expected) in cases {
        let origin = liar::start(ignored).await;
        let collected = collect_from(&origin, json!({}), &[passes(selection)]).await;
        let part = sound(&collected);
        assert_eq!(part.counts.of(selection), Some(expected), "{ignored:?}");
        let is_noted = part.notes.iter().any(|note| note.contains("row by row"));
        assert_eq!(is_noted, ignored.is_some());
    }
}
