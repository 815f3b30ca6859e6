//! Images: what must be told even where no gate is red, and what a green answer does not prove.

use chrono::{Days, Utc};
use serde_json::{Value, json};

use super::shapes::{Answers, rules};
use super::{Ran, image, run, run_at};
use crate::common::proxy::Proxy;
use crate::common::{Ended, Folder, Platform};

const API: &str = "registry.example.com/shop/api:1.4";
const HIGH: &str = "severity: high, max: 0";

/// Runs a policy against a platform, behind these answers.
fn behind(answers: Answers<'_>, scenario: &Value, settings: &str, gate: &str, more: &str) -> Ended {
    let platform = Platform::of(&json!({"sysdig": scenario}).to_string());
    let proxy = Proxy::start(&platform.origin, rules(answers));
    run_at(&proxy.origin, settings, &[gate], more, |_| ()).0
}

#[test]
fn a_group_that_is_not_synchronised_is_not_hidden_by_the_others() {
    let with = |group: Value| {
        let mut scenario = image(json!({}));
        scenario["images"]["group_minutes_ago"] = group;
        scenario
    };
    let settings = |more: &str| format!("images: [{{tag: \"{API}\"}}]\n{more}");
    let old = with(json!(20_160));
    run(&old, &settings("feed_max_age: 2d"), &[HIGH]).exits(3).says(
        "vulnerability feed `vulnerabilities/alpine:3.20` was synchronised 14days ago, and \
         `feed_max_age` is 2days",
    );
    run(&with(Value::Null), &settings("feed_max_age: 2d"), &[HIGH]).exits(0);
    let of = |groups: &str| settings(&format!("feed_max_age: 2d\nfeed_groups: {groups}"));
    run(&old, &of("[\"debian:12\", nvdv2]"), &[HIGH]).exits(0);
    run(&old, &of("vulnerabilities"), &[HIGH]).exits(3).says("alpine:3.20");
    run(&old, &of("\"debian:13\""), &[HIGH])
        .exits(3)
        .says("no feed that is in use is `debian:13` of `feed_groups`, of: vulnerabilities/alpine");
    run(&old, &settings("feed_groups: nvdv2"), &[HIGH])
        .exits(2)
        .says("`feed_groups` says what `feed_max_age` is about; set it too");
    // The whole is not synchronised because the feed says so, and a group without records has none.
    let mut whole = with(Value::Null);
    whole["images"]["feed_minutes_ago"] = 20_160.into();
    whole["images"]["full_sync_minutes_ago"] = 60.into();
    run(&whole, &settings("feed_max_age: 2d"), &[HIGH]).exits(3).says("14days ago");
    let empty = json!([{"name": "vulnerabilities", "last_full_sync": Utc::now(), "groups": [
        {"name": "debian:12", "last_sync": Utc::now(), "record_count": 0}]}]);
    behind(
        &[("/system/feeds", 200, empty)],
        &image(json!({})),
        &settings("feed_max_age: 2d"),
        HIGH,
        "",
    )
    .exits(3)
    .says("feed `vulnerabilities/debian:12` has no records");
}

/// Without the exceptions everything counts, and the reader learns that they were not read.
#[test]
fn exceptions_that_cannot_be_read_accept_nothing_and_are_named() {
    let expires = Utc::now().date_naive() + Days::new(60);
    let accept = format!(
        "accept:\n  - {{id: there, upstream: sysdig.vulnerability_exception, reason: r, owner: o, expires: {expires}}}\n"
    );
    let scenario = json!({"images": {"scanned": [{"tag": API, "vulnerabilities": {"critical": 1},
        "exceptions": [{"number": 0, "ends_in_days": 9}]}]}});
    let settings = format!("images: [{{tag: \"{API}\"}}]\nvulnerabilities: findings");
    let end = |status: u16, body: Value, gate: &str, accept: &str| {
        let answers = [("/vulnexceptions", status, body)];
        behind(&answers, &scenario, &settings, gate, accept)
    };
    let critical = "severity: critical, max: 0";
    let said = "acceptance `there` does not cover 1 finding, for what the platform accepted does \
                not hold: the vulnerability exceptions of image registry.example.com/shop/api:1.4 \
                could not be read";
    for (status, body) in [
        (404, json!({"message": "Image not found"})),
        (403, json!({"message": "no permission"})),
        (200, json!({"oops": 1})),
        (200, json!([{"name": "Default", "items": null}])),
        (200, json!([{"id": "l", "items": [{"enabled": "yes"}]}])),
        (200, json!("none")),
    ] {
        end(status, body, critical, &accept).exits(1).says(said).does_not_say("remove it");
    }
    let broken = || json!({"oops": 1});
    end(200, broken(), critical, "").exits(1).does_not_say("does not cover");
    end(200, broken(), "severity: critical, max: 1", "").exits(0);
    // Nothing that a gate counts: then it does not matter.
    end(200, broken(), "severity: medium, max: 0", &accept).exits(0);
    // Lists that are there, and empty.
    end(200, json!([]), critical, &accept).exits(1).says("covers no finding that an earlier entry");
}

/// The list of scans and the evaluation are two answers about one image.
#[test]
fn the_list_of_scans_must_not_contradict_an_evaluation() {
    let shop = "images: [{repository: \"registry.example.com/shop/*\"}]";
    let listed = |word: &str| image(json!({"listed_as": word, "warns": 1}));
    for word in ["FAIL", "fail"] {
        run(&listed(word), shop, &[HIGH]).exits(3).says(&format!(
            "the list of scans says `{word}` of image {API}, and its evaluation names nothing that \
             failed"
        ));
    }
    for word in ["PASS", "WARN", "warn"] {
        run(&listed(word), shop, &[HIGH]).exits(0);
    }
    let unknown = run(&listed("REVIEW"), shop, &[HIGH]).exits(0);
    let notes = unknown.part()["notes"].to_string();
    assert!(notes.contains("the list of scans says `REVIEW`"), "{notes}");
    run(&image(json!({"listed_as": "PASS", "stops": 1})), shop, &[HIGH]).exits(1);
    // A tag that only the list knows.
    let mut by_tag = listed("FAIL");
    by_tag["images"]["without_anchore"] = true.into();
    run(&by_tag, &format!("images: [{{tag: \"{API}\"}}]"), &[HIGH]).exits(3).says("says `FAIL`");
}

#[test]
fn an_image_of_the_list_that_was_not_analysed_is_named() {
    let shop = "images: [{repository: \"registry.example.com/shop/*\"}]";
    for status in ["analyzing", "not_analyzed", "analysis_failed"] {
        let row = |digit: &str, tag: &str, status: &str| {
            json!({"imageDigest": format!("sha256:{}", digit.repeat(64)), "analysisStatus": status,
                "fullTag": format!("registry.example.com/shop/{tag}"), "policyStatus": "PASS"})
        };
        let rows = [row("a", "api:1.4", "analyzed"), row("b", "web:2.0", status)];
        let evaluation = json!({"status": "pass", "at": Utc::now().timestamp(), "results": [
            {"policyName": "P", "status": "pass", "gateResults": []}]});
        let answers = [
            ("/results?", 200, json!({"results": rows, "totalRows": 2})),
            ("/policyEvaluation", 200, evaluation),
        ];
        behind(&answers, &image(json!({})), shop, HIGH, "").exits(3).says(&format!(
            "image registry.example.com/shop/web:2.0@sha256:{} is not analysed yet (analysis status \
             {status})",
            "b".repeat(64)
        ));
    }
}

/// The same release once more has nothing new, and says why.
#[test]
fn an_image_that_is_compared_with_itself_is_named() {
    let settings = |other: &str| {
        format!("images: [{{tag: \"{API}\"}}]\nvulnerabilities: findings\ncompare_to: {other}")
    };
    let scenario = image(json!({"vulnerabilities": {"critical": 2}}));
    let critical = "severity: critical, max: 0";
    run(&scenario, &settings(&format!("\"{API}\"")), &[critical]).exits(2).says(
        "image `registry.example.com/shop/api:1.4` is compared with itself, so nothing of it would \
         count",
    );
    let by_id = run(&scenario, &format!("images: [{{tag: \"{API}\"}}]"), &["max: 9"]).exits(0);
    let evaluated = by_id.requests.iter().find(|line| line.contains("/policyEvaluation"));
    let digest = evaluated.unwrap().split('/').find(|part| part.starts_with("sha256:")).unwrap();
    run(&scenario, &settings(&format!("\"{digest}\"")), &[critical])
        .exits(0)
        .says("note: 2 vulnerabilities that image sha256:")
        .says(&format!(
            "note: image {API} is the very image that it is compared with ({digest}), so no \
             vulnerability of it counts"
        ));
}

/// The set-up is checked although no image is named yet.
#[test]
fn doctor_asks_the_scanner_where_the_run_will_name_the_images() {
    let doctor = |answers: Answers<'_>, scenario: &Value, more: &str| {
        let platform = Platform::of(&json!({"sysdig": scenario}).to_string());
        let proxy = Proxy::start(&platform.origin, rules(answers));
        let folder = Folder::new();
        let policy = format!(
            "version: 1\nsources:\n  sysdig: {{url: {}, images: subjects{more}}}\n\
             gates: [{{id: g, source: sysdig, max: 0}}]\n",
            proxy.origin
        );
        folder.write("compliance-gate.yaml", &policy);
        folder.run(&["doctor"])
    };
    let healthy = image(json!({}));
    doctor(&[], &healthy, "").exits(0).says("images: the subjects of a run");
    let refused = json!({"message": "cannot verify credentials"});
    doctor(&[("/results?", 401, refused)], &healthy, "").exits(4).says("a token is valid in");
    // The list of scans may be missing where the rest of the scanner is there.
    doctor(&[("/results?", 404, json!({}))], &healthy, "").exits(0);
    let none = json!({"images": {"legacy_missing": true}});
    doctor(&[], &none, "")
        .exits(3)
        .says("there is no scanner of images at this address")
        .says("check `url`");
    let old = json!({"images": {"feed_minutes_ago": 20_160}});
    doctor(&[], &old, ", feed_max_age: 2d").exits(3).says("14days ago");
}

#[test]
fn an_address_without_a_scanner_is_distinguished_from_an_image_without_a_scan() {
    let one = format!("images: [{{tag: \"{API}\"}}]");
    let help = "this address has no image scanner; check `url`";
    let none = json!({"images": {"legacy_missing": true}});
    run(&none, &one, &["max: 0"]).exits(3).says("no scan of image").says(help);
    let shop = "images: [{repository: \"registry.example.com/shop/*\"}]";
    run(&none, shop, &["max: 0"]).exits(2).says("results answered 404").says(help);
    let absent: Ran = run(&json!({"images": {"scanned": []}}), &one, &["max: 0"]).exits(3);
    absent.says("no scan of image").ended.does_not_say(help);
}

/// One image, one sentence.
#[test]
fn a_subject_without_a_scan_is_named_once() {
    let platform = Platform::of(r#"{"sysdig": {"images": {}}}"#);
    let folder = Folder::new();
    let origin = &platform.origin;
    folder.write(
        "compliance-gate.yaml",
        &format!(
            "version: 1\nsources:\n  sysdig: {{url: {origin}, images: subjects}}\ngates:\n  - {{id: \
             g, source: sysdig, max: 99}}\n"
        ),
    );
    let subject = format!("registry.example.com/shop/new@sha256:{}", "c".repeat(64));
    folder
        .run(&["run", "--subject", &subject])
        .exits(3)
        .says(&format!("incomplete: sysdig: the platform has no scan of image {subject}"))
        .does_not_say("not among the images that were evaluated");
}
