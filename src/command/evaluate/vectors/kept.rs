//! The vectors in `fixtures/vectors/`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::scene::{Scene, entry, gate, now, of_cases, organisation, problem, scene};
use crate::evidence::{Evidence, Findings, Part, Unevaluated};
use crate::finding::{Account, Cause, Severity};
use crate::verdict::Verdict;

/// The vectors, by name.
pub(super) fn vectors() -> Vec<(&'static str, Scene)> {
    [of_one_policy(), with_baselines(), with_waivers(), with_an_organisation()].concat()
}

/// A line for each of these findings of the checks, with its severity and its count.
type Lines<'a> = &'a [(&'a str, Severity, u64)];

const ALL: Lines<'_> = &[
    ("arn:1", Severity::Critical, 1),
    ("arn:2", Severity::High, 1),
    ("arn:3", Severity::High, 1),
    ("arn:4", Severity::Low, 1),
];

fn with_baselines() -> Vec<(&'static str, Scene)> {
    let debt = |more: Value| {
        let mut entry = entry(more);
        entry[0]["baseline"] = json!("baseline.jsonl");
        entry
    };
    let known =
        |gates: Value, lines: Lines<'_>| scene(gates).known(lines).with("accept", debt(json!({})));
    let all = || gate(json!({}));
    let rate = |rate: &str| gate(json!({"max": 0, "min_pass_rate": rate}));
    let twice = |part: &mut Part| {
        let again = part.findings.listed()[0].clone();
        part.findings.push(again);
        part.findings.sort();
    };
    vec![
        ("baseline-of-all", known(all(), ALL)),
        ("baseline-of-one", known(all(), &ALL[..1])),
        ("baseline-of-a-severity", known(gate(json!({"severity": "high"})), ALL)),
        ("baseline-severity-risen", known(all(), &[("arn:2", Severity::Medium, 1)])),
        ("baseline-severity-fallen", known(all(), &[("arn:4", Severity::High, 1)])),
        ("baseline-of-fewer-than-there-are", known(all(), ALL).checks(twice)),
        (
            "baseline-of-as-many-as-there-are",
            known(all(), &[&ALL[1..], &[("arn:1", Severity::Critical, 2)]].concat()).checks(twice),
        ),
        ("baseline-in-a-pass-rate-met", known(rate("90%"), ALL)),
        ("baseline-in-a-pass-rate-missed", known(rate("90.000001%"), ALL)),
        (
            "baseline-lapsed",
            scene(all()).known(ALL).with("accept", debt(json!({"expires": "2026-11-01"}))),
        ),
        (
            "baseline-of-another-environment",
            known(all(), ALL).in_environment_of_baseline("production"),
        ),
        ("baseline-of-nothing-that-is-there", known(gate(json!({"max": 9})), &[])),
        (
            "baseline-after-a-match",
            scene(all()).known(ALL).with(
                "accept",
                json!([
                    {"id": "a", "reason": "r", "owner": "o", "expires": "2027-03-01",
                     "match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}},
                    debt(json!({}))[0]
                ]),
            ),
        ),
        (
            "baseline-before-a-match-that-covers-nothing-more",
            scene(all()).known(ALL).with(
                "accept",
                json!([
                    debt(json!({}))[0],
                    {"id": "a", "reason": "r", "owner": "o", "expires": "2027-03-01",
                     "match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}}
                ]),
            ),
        ),
    ]
}

fn with_waivers() -> Vec<(&'static str, Scene)> {
    let of = |gate_keys: Value, kind: Option<&str>| {
        let mut gates = gate(gate_keys);
        gates[0]["source"] = json!("gravityzone");
        let scene = scene(gates).with_waivers();
        match kind {
            Some(kind) => scene.with("accept", entry(json!({"upstream": kind}))),
            None => scene,
        }
    };
    let severity = "gravityzone.severity";
    vec![
        ("upstream-not-taken", of(json!({}), None)),
        ("upstream-risk-accepted", of(json!({}), Some("gravityzone.risk_accepted"))),
        ("upstream-false-positive", of(json!({}), Some("gravityzone.false_positive"))),
        ("upstream-severity-lowered", of(json!({"severity": ">= high"}), Some(severity))),
        ("upstream-severity-of-all", of(json!({}), Some(severity))),
        ("upstream-severity-low", of(json!({"severity": "low"}), Some(severity))),
        ("upstream-severity-not-taken", of(json!({"severity": "low"}), None)),
    ]
}

fn with_an_organisation() -> Vec<(&'static str, Scene)> {
    let loose = || scene(gate(json!({"max": 9})));
    let strict = |more: Value| organisation(gate(json!({})), more);
    let narrow = json!({
        "id": "e", "reason": "r", "owner": "o", "from": "2026-11-10", "expires": "2026-12-08",
        "ticket": "SEC-1", "match": {"rule": "tags", "resource": "arn:4", "severity": "<= low"}
    });
    let with = |key: &str, value: Value| {
        let mut entry = narrow.clone();
        entry[key] = value;
        json!([entry])
    };
    let terms = json!({"max_life": "30d", "severity": "<= high", "require": ["ticket"]});
    let takes = |terms: &Value| {
        let most = organisation(gate(json!({"max": 3})), json!({}));
        let mut most = most;
        most["accept_from_repository"] = json!({"match": terms});
        most
    };
    let wide = json!({"account": "A", "severity": "<= high"});
    let wide = with("match", wide);
    let wide = {
        let mut wide = wide;
        wide[0]["max_findings"] = json!(2);
        wide
    };
    let mut terms_with_most = terms.clone();
    terms_with_most["max_findings"] = json!(1);
    let baseline = || {
        json!([{
            "id": "e", "reason": "r", "owner": "o", "from": "2026-11-10", "expires": "2027-03-01",
            "baseline": "baseline.jsonl"
        }])
    };
    let mut takes_baseline = strict(json!({}));
    takes_baseline["accept_from_repository"] =
        json!({"baseline": {"max_life": "365d", "severity": "<= high"}});
    let mut from_repository = strict(json!({}));
    let source = &mut from_repository["sources"]["opencomply"];
    source.as_object_mut().unwrap().remove("integrations");
    source["from_repository"] = json!(["integrations"]);
    let mut elsewhere = strict(json!({}));
    elsewhere["sources"]["opencomply"]["frameworks"] = json!(["base", "other"]);
    let another = |evidence: &mut Evidence| {
        let mut outcome = evidence.outcomes[1].clone();
        outcome.source = "org/opencomply".to_owned();
        let part = &mut outcome.parts[0];
        part.findings = Findings::Listed(part.findings.listed()[..1].to_vec());
        let name = "org/opencomply".into();
        part.findings.listed_mut().iter_mut().for_each(|finding| finding.identify(&name));
        evidence.outcomes.push(outcome);
    };
    vec![
        ("organisation-is-worse", loose().beside(strict(json!({})))),
        ("organisation-holds", loose().beside(organisation(gate(json!({"max": 4})), json!({})))),
        ("repository-is-worse", {
            scene(gate(json!({}))).beside(organisation(gate(json!({"max": 4})), json!({})))
        }),
        ("organisation-only-observes", loose().beside(strict(json!({"mode": "observe"})))),
        ("repository-only-observes", {
            let own = scene(gate(json!({}))).with("mode", json!("observe"));
            own.beside(organisation(gate(json!({"max": 4})), json!({})))
        }),
        ("both-are-breached-and-the-repository-observes", {
            scene(gate(json!({}))).with("mode", json!("observe")).beside(strict(json!({})))
        }),
        ("repository-without-gates", scene(json!([])).beside(strict(json!({})))),
        ("organisation-demands-more-of-evidence", {
            let policy =
                organisation(gate(json!({"max": 9})), json!({"evidence": {"max_age": "1h"}}));
            loose().beside(policy)
        }),
        ("organisation-turns-its-gate-off", {
            let gates = json!([
                {"id": "g", "source": "opencomply", "max": 0},
                {"id": "h", "source": "opencomply", "max": 9}
            ]);
            loose().beside(organisation(gates, json!({"accept": entry(json!({"gate_off": "g"}))})))
        }),
        ("organisation-takes-nothing", {
            let policy = organisation(gate(json!({"max": 3})), json!({}));
            loose().with("accept", json!([narrow])).beside(policy)
        }),
        ("organisation-takes-a-match", {
            loose().with("accept", json!([narrow])).beside(takes(&terms))
        }),
        ("organisation-takes-a-match-for-its-gate", {
            loose().with("accept", with("gates", json!(["org/g"]))).beside(takes(&terms))
        }),
        ("organisation-takes-no-match-for-another-gate", {
            loose().with("accept", with("gates", json!(["g"]))).beside(takes(&terms))
        }),
        ("organisation-takes-no-long-life", {
            loose().with("accept", with("expires", json!("2026-12-20"))).beside(takes(&terms))
        }),
        ("organisation-takes-nothing-without-a-ticket", {
            let mut entry = narrow.clone();
            entry.as_object_mut().unwrap().remove("ticket");
            loose().with("accept", json!([entry])).beside(takes(&terms))
        }),
        ("organisation-takes-no-greater-severity", {
            let words = json!({"rule": "tags", "resource": "arn:4", "severity": "<= critical"});
            loose().with("accept", with("match", words)).beside(takes(&terms))
        }),
        ("organisation-takes-no-pattern", {
            loose().with("accept", wide.clone()).beside(takes(&terms))
        }),
        ("organisation-takes-a-pattern-up-to-its-own-number", {
            loose().with("accept", wide).beside(takes(&terms_with_most))
        }),
        ("organisation-takes-a-baseline", {
            let own = loose().known(&ALL[1..]).with("accept", baseline());
            own.beside(takes_baseline.clone())
        }),
        ("organisation-takes-no-baseline-of-a-greater-severity", {
            loose().known(ALL).with("accept", baseline()).beside(takes_baseline)
        }),
        ("organisation-takes-settings-of-the-repository", loose().beside(from_repository)),
        ("organisation-reads-a-source-of-its-own", { loose().change(another).beside(elsewhere) }),
    ]
}

fn of_one_policy() -> Vec<(&'static str, Scene)> {
    let g = |more| scene(gate(more));
    let c = |more| scene(of_cases(more));
    let rate = |rate: &str| g(json!({"max": 1000, "min_pass_rate": rate}));
    let accept = |gates: Value, more| scene(gates).with("accept", entry(more));
    let all = || gate(json!({}));
    let counted = |part: &mut Part| part.findings = Findings::counted(problem(Cause::Incomplete));
    let cut = |cause| move |part: &mut Part| part.problems.push(problem(cause));
    vec![
        ("all-failures", g(json!({}))),
        ("max-is-met-exactly", g(json!({"max": 4}))),
        ("severity-word", g(json!({"severity": "critical"}))),
        ("severity-list", g(json!({"severity": ["low", "critical"], "max": 1}))),
        ("severity-at-least", g(json!({"severity": ">= high", "max": 2}))),
        ("severity-below", g(json!({"severity": ["low", "medium"], "max": 0}))),
        ("severity-unknown-always-matches", c(json!({"severity": "low"}))),
        ("warn-only", g(json!({"level": "warn"}))),
        ("observe", g(json!({})).with("mode", json!("observe"))),
        ("blocks-later", g(json!({"blocks_from": "2026-12-01"}))),
        ("blocks-already", g(json!({"blocks_from": "2026-11-01"}))),
        ("rule-literal", g(json!({"rule": "public", "max": 1}))),
        ("rule-in-capitals", g(json!({"rule": "PUBLIC"}))),
        ("rule-pattern", g(json!({"rule": "pa*", "max": 0}))),
        ("rule-one-character", g(json!({"rule": "tag?"}))),
        ("rule-misspelt", g(json!({"rule": "pubic", "max": 9}))),
        ("one-rule-of-two-misspelt", g(json!({"rule": ["public", "patch"], "max": 9}))),
        ("misspelt-but-nothing-is-allowed", g(json!({"rule": "pubic", "min_evaluated": 0}))),
        ("misspelt-and-breached", g(json!({"rule": ["public", "patch"]}))),
        ("account", g(json!({"account": "B", "max": 1}))),
        ("account-unknown", g(json!({"account": "C", "max": 1}))),
        ("resource-on-failures", g(json!({"resource": "arn:3", "max": 1}))),
        ("resource-never-seen", g(json!({"resource": "arn:9", "max": 1}))),
        ("resource-type", g(json!({"resource_type": "vm"}))),
        ("control-and-framework", g(json!({"control": "tags", "framework": "base", "max": 1}))),
        ("another-framework", g(json!({"framework": "other", "max": 9}))),
        ("pass-rate-met", rate("90%")),
        ("pass-rate-missed", rate("90.000001%")),
        ("pass-rate-hundred", rate("100%")),
        ("pass-rate-of-a-rule", g(json!({"rule": "tags", "max": 9, "min_pass_rate": "92%"}))),
        ("min-evaluated-met", g(json!({"max": 9, "min_evaluated": 40}))),
        ("min-evaluated-missed", g(json!({"max": 9, "min_evaluated": 41}))),
        ("evidence-min-evaluated", g(json!({"max": 9})).with("evidence", json!({"min_evaluated": 41}))),
        ("fresh-enough", g(json!({"max": 9})).with("evidence", json!({"max_age": "2h"}))),
        ("too-old", g(json!({"max": 9})).with("evidence", json!({"max_age": "119m"}))),
        ("too-old-for-a-breach", g(json!({})).with("evidence", json!({"max_age": "1h"}))),
        (
            "of-a-time-far-ahead",
            g(json!({"max": 9}))
                .with("evidence", json!({"max_age": "1h"}))
                .checks(|part| part.as_of = Some(now() + TimeDelta::hours(15))),
        ),
        (
            "of-no-known-time",
            g(json!({"max": 9}))
                .with("evidence", json!({"max_age": "1h"}))
                .checks(|part| part.as_of = None),
        ),
        ("nothing-evaluated", g(json!({"max": 9})).checks(|part| {
            *part = Part { framework: Some("base".to_owned()), as_of: part.as_of, ..Part::default() };
        })),
        ("part-incomplete", g(json!({"max": 9})).checks(cut(Cause::Incomplete))),
        ("part-unreachable", g(json!({"max": 9})).checks(cut(Cause::Unreachable))),
        ("part-denied", g(json!({"max": 9})).checks(cut(Cause::Denied))),
        ("part-invalid", g(json!({"max": 9})).checks(cut(Cause::Invalid))),
        ("source-incomplete-and-breached", g(json!({})).change(|evidence| {
            evidence.outcomes[1].problems.push(problem(Cause::Incomplete));
        })),
        ("source-missing", g(json!({"max": 9})).change(|evidence| _ = evidence.outcomes.pop())),
        ("only-counted", g(json!({"severity": "high", "max": 2})).checks(counted)),
        ("only-counted-by-resource", g(json!({"resource": "arn:1", "max": 0})).checks(counted)),
        ("account-without-results", g(json!({"max": 9})).checks(|part| {
            part.unevaluated.push(Unevaluated {
 account: Account { id: "C".into(), name: None },
 why: None,
 });
        })),
        ("account-without-results-selected", g(json!({"account": ["A", "C"], "max": 9})).checks(
            |part| part.unevaluated.push(Unevaluated {
 account: Account { id: "C".into(), name: None },
 why: None,
 }),
        )),
        ("account-not-evaluated-selected", g(json!({"account": "C", "max": 9, "min_evaluated": 0})).checks(
            |part| part.unevaluated.push(Unevaluated {
                account: Account { id: "C".into(), name: None },
                why: Some("is connected, but disabled".into()),
            }),
        )),
        ("except-account", g(json!({"except": {"account": "B"}, "max": 3}))),
        ("except-two-maps", g(json!({"except": [{"account": "B"}, {"rule": "tags"}], "max": 2}))),
        ("except-both-keys", g(json!({"except": {"account": "A", "rule": "tags"}, "max": 3}))),
        ("except-matches-nothing", g(json!({"except": {"account": "Z"}, "max": 4}))),
        ("except-leaves-nothing", g(json!({"rule": "tags", "except": {"account": "A"}, "max": 4}))),
        ("except-in-a-pass-rate", g(json!({"except": {"rule": "tags"}, "max": 9, "min_pass_rate": "88.9%"}))),
        ("cases-open", c(json!({"status": "open", "max": 1}))),
        ("cases-closed", c(json!({"status": "acknowledged", "severity": "medium", "max": 2}))),
        ("cases-old", c(json!({"older_than": "30d", "max": 1}))),
        ("cases-older", c(json!({"older_than": "41d", "max": 1}))),
        ("cases-assigned", c(json!({"assignee": "team@*", "max": 3}))),
        ("cases-of-a-policy-that-has-none", c(json!({"rule": "GDPR", "max": 0}))),
        ("no-cases", c(json!({"max": 0})).cases(|part| part.findings = Findings::default())),
        ("two-sources", scene(gate(json!({"source": ["bigid", "opencomply"], "max": 7})))),
        ("all-sources", scene(gate(json!({"source": "all", "severity": "high", "max": 3})))),
        ("accept-one", accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}}))),
        ("accept-by-case", accept(all(), json!({"match": {"rule": "Public", "resource": "arn:1", "severity": "<= critical"}}))),
        (
            "accept-most",
            accept(gate(json!({"max": 1})), json!({"match": {"account": "A"}, "max_findings": 2})),
        ),
        (
            "accept-worst",
            accept(all(), json!({"match": {"account": "A", "severity": "<= high"}, "max_findings": 9})),
        ),
        (
            "accept-lapsed",
            accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2026-11-01"})),
        ),
        (
            "accept-not-yet",
            accept(all(), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "from": "2027-01-01"})),
        ),
        (
            "accept-soon-over",
            accept(gate(json!({"max": 3})), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2026-11-25"})),
        ),
        (
            "accept-long",
            accept(gate(json!({"max": 3})), json!({"match": {"rule": "public", "resource": "arn:1", "severity": "<= critical"}, "expires": "2029-01-01"})),
        ),
        (
            "accept-raises-a-pass-rate",
            accept(
                gate(json!({"max": 9, "min_pass_rate": "92.3%"})),
                json!({"match": {"account": "A", "severity": "<= critical"}, "max_findings": 3}),
            ),
        ),
        (
            "cause-forgiven",
            accept(gate(json!({"max": 9})), json!({"cause": "unreachable", "source": "opencomply", "expires": "2026-12-10"}))
                .checks(cut(Cause::Unreachable)),
        ),
        (
            "another-cause-is-not-forgiven",
            accept(gate(json!({"max": 9})), json!({"cause": "unreachable", "source": "opencomply", "expires": "2026-12-10"}))
                .checks(cut(Cause::Deadline)),
        ),
        (
            "stale-forgiven-up-to-an-age",
            accept(gate(json!({"max": 9})), json!({"cause": "stale", "source": "opencomply", "up_to": "3h", "expires": "2026-12-10"}))
                .with("evidence", json!({"max_age": "1h"})),
        ),
        (
            "stale-beyond-the-age",
            accept(gate(json!({"max": 9})), json!({"cause": "stale", "source": "opencomply", "up_to": "90m", "expires": "2026-12-10"}))
                .with("evidence", json!({"max_age": "1h"})),
        ),
        (
            "gate-off",
            scene(json!([
                {"id": "g", "source": "opencomply", "max": 0},
                {"id": "h", "source": "bigid", "max": 9}
            ]))
            .with("accept", entry(json!({"gate_off": "g"}))),
        ),
        ("interrupted", Scene { at_least: Some(Verdict::Interrupted), ..g(json!({"max": 9})) }),
    ]
}
