//! The Sysdig source, as a pipeline meets it: the real binary against the embedded platform.

mod accounts;
mod fields;
mod images;
mod inventory;
mod shapes;
mod subjects;

use std::process::Command;

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::{Ended, Folder, Platform};
use serde_json::{Value, json};

/// A run, what it reported, and what the platform saw of it.
struct Ran {
    ended: Ended,
    report: Value,
    requests: Vec<String>,
}

impl Ran {
    #[track_caller]
    fn exits(mut self, code: i32) -> Self {
        self.ended = self.ended.exits(code);
        self
    }

    #[track_caller]
    fn says(mut self, words: &str) -> Self {
        self.ended = self.ended.says(words);
        self
    }

    /// What the first gate counted.
    fn failed(&self) -> u64 {
        self.report["gates"][0]["observed"]["failed"].as_u64().unwrap()
    }

    fn passed(&self) -> u64 {
        self.report["gates"][0]["observed"]["passed"].as_u64().unwrap()
    }

    fn part(&self) -> &Value {
        &self.report["sources"][0]["parts"][0]
    }

    fn count(&self, text: &str) -> usize {
        self.requests.iter().filter(|line| line.contains(text)).count()
    }

    fn findings(&self) -> &[Value] {
        self.report["findings"]["shown"]
            .as_array()
            .or(self.report["findings"].as_array())
            .unwrap_or_else(|| panic!("{}", self.report["findings"]))
    }
}

/// Runs a policy of one source: its settings and its gates' keys, in YAML's flow style.
fn run(scenario: &Value, settings: &str, gates: &[&str]) -> Ran {
    run_with(scenario, settings, gates, "", |_| ())
}

fn run_with(
    scenario: &Value,
    settings: &str,
    gates: &[&str],
    more: &str,
    change: impl FnOnce(&mut Command),
) -> Ran {
    let platform = Platform::of(&json!({"sysdig": scenario}).to_string());
    let origin = platform.origin.clone();
    let (ended, report) = run_at(&origin, settings, gates, more, change);
    Ran { ended, report, requests: platform.requests() }
}

fn run_at(
    origin: &str,
    settings: &str,
    gates: &[&str],
    more: &str,
    change: impl FnOnce(&mut Command),
) -> (Ended, Value) {
    let folder = Folder::new();
    let mut policy = format!(
        "version: 1\ndeadline: 60s\nsources:\n  sysdig:\n    url: {origin}/api\n    iam_url: {origin}\n"
    );
    for line in settings.lines() {
        policy.push_str(&format!("    {line}\n"));
    }
    policy.push_str("gates:\n");
    for (at, gate) in gates.iter().enumerate() {
        policy.push_str(&format!("  - {{id: g{at}, source: sysdig, {gate}}}\n"));
    }
    policy.push_str(more);
    folder.write("compliance-gate.yaml", &policy);
    let mut command = folder.command(&["run", "--json", "report.json"]);
    change(&mut command);
    let ended = Ended::wait(command);
    let report = match folder.path().join("report.json").exists() {
        true => folder.json("report.json"),
        false => Value::Null,
    };
    (ended, report)
}

const POSTURE: &str = "posture: {}";

/// Ten controls with 24 resources, in two zones, under two policies.
fn estate(posture: Value) -> Value {
    json!({"posture": posture})
}

#[test]
fn every_check_counts_once_however_many_policies_and_zones_have_it() {
    let ran = run(&estate(json!({})), POSTURE, &["max: 21", "severity: \">= high\", max: 0"]);
    let ran = ran
        .exits(0)
        .says("2 failed checks accepted on the platform")
        .says("1 manual control, not evaluated");
    assert_eq!(ran.failed(), 21);
    assert_eq!(ran.part()["failed_by_severity"], json!({"low": 12, "medium": 9}));
    // Nine controls that are not manual; the rest is what the platform counts as passing.
    assert!(ran.part()["evaluated"].as_u64().unwrap() <= 9 * 24);
    assert!(ran.part()["evaluated"].as_u64().unwrap() > 9 * 12);
    assert!(ran.part()["as_of"].is_string());

    // A policy that only limits failures does not read passes.
    let read = ran.requests.iter().filter(|line| line.contains("/resources?"));
    let (narrow, wide): (Vec<_>, Vec<_>) =
        read.partition(|line| line.contains("pass%3Dfalse") || line.contains("accepted%3Dtrue"));
    assert!(!narrow.is_empty());
    // Only of hosts: a filter would hide a host that was not evaluated.
    assert!(wide.iter().all(|line| line.contains("/clusteranalysis/")), "{wide:#?}");
    let finding = &ran.findings()[0];
    let controls: Vec<_> = finding["controls"].as_array().unwrap().iter().collect();
    assert!(controls.len() >= 2, "{finding}");
}

#[test]
fn failures_are_found_by_policy_control_requirement_name_account_and_region() {
    let blocked = estate(json!({"fails": {"high": 5, "medium": 9, "low": 12}}));
    let cases = [
        ("severity: high, max: 4", 5),
        ("framework: \"CIS Example*\", severity: high, max: 2", 3),
        ("control: \"16001\", max: 1", 2),
        ("control: \"CC6.1 *\", severity: high, max: 3", 4),
        ("framework: \"CIS Example*\", control: \"5.2 Restrict ?remote? access\", max: 0", 1),
        ("rule: \"S3 - *\", severity: high, max: 1", 2),
        ("resource_type: Host, max: 0", 1),
        ("account: \"122814690049\", severity: high, resource_type: S3 Bucket, max: 1", 2),
        ("region: us-east-1, severity: high, max: 0", 1),
        ("account: production, severity: high, max: 0", 1),
        ("resource: \"s3-bucket-000\", severity: high, max: 0", 1),
    ];
    let gates: Vec<_> = cases.iter().map(|(gate, _)| *gate).collect();
    let ran = run(&blocked, POSTURE, &gates).exits(1);
    for (at, (gate, failed)) in cases.iter().enumerate() {
        let observed = &ran.report["gates"][at]["observed"]["failed"];
        assert_eq!(observed, &json!(failed), "{gate}");
    }
}

#[test]
fn pass_rates_are_counted_over_distinct_resources() {
    let gates = [
        "min_pass_rate: \"90%\"",
        "control: \"16003\", min_pass_rate: \"50%\"",
        "account: \"400000000037\", min_pass_rate: \"50%\"",
        "resource: \"s3-bucket-*\", rule: \"S3 - Enabled*\", min_pass_rate: \"50%\"",
    ];
    let ran = run(&estate(json!({})), POSTURE, &gates).exits(0);
    // 216 checks, of which 21 fail, two of them with an accepted risk.
    assert_eq!((ran.passed(), ran.failed()), (216 - 21, 21));
    assert_eq!(ran.part()["evaluated"], json!(216));
    let observed = |at: usize| ran.report["gates"][at]["observed"].clone();
    // Three medium controls share nine failures.
    assert_eq!((&observed(1)["passed"], &observed(1)["failed"]), (&json!(24 - 4), &json!(4)));
    assert_eq!((&observed(3)["passed"], &observed(3)["failed"]), (&json!(18), &json!(6)));
}

#[test]
fn a_selector_that_matches_nothing_is_a_typo_and_one_that_only_passes_is_not() {
    for (gate, code) in [
        ("region: ap-south-1, severity: high, max: 0", 0),
        ("account: \"400000000037\", severity: high, max: 0", 0),
        ("resource_type: Host, max: 0", 0),
        ("control: \"21\", max: 0", 0),
        ("framework: \"CIS*\", severity: high, max: 0", 0),
        ("region: mars-1, max: 0", 3),
        ("control: \"99999\", max: 0", 3),
        ("framework: PCI, max: 0", 3),
        ("region: mars-1, max: 0, min_evaluated: 0", 0),
    ] {
        let ran = run(&estate(json!({})), POSTURE, &[gate]);
        assert_eq!(ran.ended.code, Some(code), "{gate}\n{}{}", ran.ended.stdout, ran.ended.stderr);
    }
}

#[test]
fn filters_are_built_quoted_and_proven() {
    let settings = "posture:\n  policies: CIS Example Cloud Benchmark v2\n  zones: [Production]\n  \
                    severities: [high, medium]\n  platforms: [AWS]";
    let ran = run(&estate(json!({})), settings, &["max: 100"]).exits(0);
    let filter = "filter=policy.name+in+%28%22CIS+Example+Cloud+Benchmark+v2%22%29+and+\
                  zone.name+in+%28%22Production%22%29+and+platform+in+%28%22AWS%22%29+and+\
                  severity+in+%283%2C+2%29";
    assert!(ran.count(filter) > 0, "{:#?}", ran.requests);

    for (settings, says) in [
        ("posture: {zones: [Production, Prodction]}", "`Prodction` matches no requirement"),
        ("posture: {policies: PCI}", "posture.policies: `PCI` matches no requirement"),
        ("posture: {platforms: [AWS, AWX]}", "`AWX` matches no requirement"),
        (
            "posture: {policies: CIS Example Cloud Benchmark v2, platforms: Vanilla}",
            "together with",
        ),
    ] {
        run(&estate(json!({})), settings, &["max: 100"]).exits(2).says(says);
    }
}

#[test]
fn an_undocumented_severity_always_counts() {
    let odd = estate(json!({"unknown_severity": "Severe", "fails": {"high": 4}}));
    let ran = run(&odd, POSTURE, &["severity: low, max: 0"]).exits(1);
    assert_eq!(ran.part()["failed_by_severity"]["unknown"], json!(1));
    run(&odd, "posture: {severities: high}", &["max: 9"])
        .exits(3)
        .says("with an undocumented severity");
}

#[test]
fn what_was_not_evaluated_is_not_green() {
    let cases = [
        (json!({"all_manual": true}), "nothing was evaluated under"),
        (json!({"no_policies": true}), "there are no requirements"),
        (json!({"resources": 0, "fails": {}, "accepted": 0}), "nothing was evaluated under"),
        (json!({"config_errors": 2}), "2 resources could not be evaluated"),
        (json!({"hidden_controls": 1}), "but lists 0 of them"),
        (json!({"endpoint_prefix": "/api/users/"}), "leads outside of /api/cspm/v1/"),
        (json!({"moving_totals": 9, "largest_page": 5}), "compliance/requirements"),
    ];
    for (posture, says) in cases {
        let ran = run(&estate(posture.clone()), POSTURE, &["max: 1000"]);
        let ran = ran.exits(3).says(says);
        assert_eq!(ran.count("/api/users/"), 0, "{posture}");
    }
    run(&estate(json!({"all_manual": true})), POSTURE, &["max: 0, min_evaluated: 0"]).exits(0);
    // Missing results do not hide failures.
    run(&estate(json!({"config_errors": 2})), POSTURE, &["max: 18"]).exits(1);
}

#[test]
fn pages_may_be_shorter_than_asked_and_totals_may_move_once() {
    for posture in [
        json!({"largest_page": 3}),
        json!({"largest_page": 5, "moving_totals": 1}),
        json!({"totals_as_texts": false}),
    ] {
        let ran = run(&estate(posture.clone()), POSTURE, &["max: 21"]).exits(0);
        assert_eq!(ran.failed(), 21, "{posture}");
    }
}

#[test]
fn an_acceptance_counts_while_the_policy_takes_it_and_until_it_expires() {
    let posture = json!({"fails": {"medium": 1}, "accepted": 5, "expired": 3});
    let ran = run(&estate(posture.clone()), POSTURE, &["max: 4"]).exits(1);
    let ran = ran.says("5 failed checks accepted on the platform");
    assert_eq!(ran.failed(), 9);
    assert!(ran.report.to_string().contains("its acceptance on the platform expired on"));
    let expires = chrono::Utc::now().date_naive() + chrono::Days::new(60);
    let more = |upstream: &str| {
        format!(
            "accept:\n  - {{id: upstream, upstream: {upstream}, reason: Owned there, owner: \"#sec\", expires: {expires}}}\n"
        )
    };
    let ran = run_with(
        &estate(posture.clone()),
        POSTURE,
        &["max: 4"],
        &more("sysdig.acceptance"),
        |_| (),
    );
    let ran = ran.exits(0).says("5 failed checks accepted: 5 by `upstream` (#sec, until ");
    assert_eq!(ran.failed(), 4);
    let waived = |finding: &&Value| finding["accepted_by"] == "upstream";
    assert_eq!(ran.findings().iter().filter(waived).count(), 5);
    assert_eq!(ran.findings()[0]["platform_acceptance"]["kind"], "sysdig.acceptance");
    // Another kind of acceptance is not this one, and covers nothing.
    let other = run_with(
        &estate(posture.clone()),
        POSTURE,
        &["max: 4"],
        &more("sysdig.false_positive"),
        |_| (),
    );
    other
        .exits(1)
        .says("acceptance `upstream` covers no finding that an earlier entry does not cover");
    run(&estate(posture), "posture: {accepted: failed}", &["max: 4"]).exits(2).says(
        "unknown key `accepted`; write an entry of `accept`, at the top of the file, with `upstream: \
         sysdig.acceptance`",
    );
}

#[test]
fn results_that_are_too_old_are_not_green() {
    let old = estate(json!({"evaluated_minutes_ago": 13_000}));
    let run = |max_age: &str| {
        let more = format!("evidence: {{max_age: {max_age}}}\n");
        run_with(&old, POSTURE, &["max: 100"], &more, |_| ())
    };
    run("24h").exits(3).says("the evidence is 9days");
    run("10d").exits(0);
}

#[test]
fn gates_select_by_cluster_namespace_and_label() {
    let all = estate(json!({}));
    let failed = |gate: &str| run(&all, POSTURE, &[gate]).exits(0).failed();
    let (shop, system) = (failed("namespace: shop, max: 99"), failed("namespace: kube*, max: 99"));
    let clusters = failed("cluster: production, max: 99");
    assert!(shop > 0 && shop + system <= clusters, "{shop} {system} {clusters}");
    let of_team = failed("label: \"team=shop\", max: 99");
    assert!(of_team > 0 && of_team < 19, "{of_team}");
    let all_labels = failed("label: \"team=*\", max: 99");
    assert_eq!(
        failed("label: \"team=*\", except: {label: \"team=shop\"}, max: 99"),
        all_labels - of_team
    );
    run(&all, POSTURE, &["label: \"team=shop\", min_pass_rate: \"50%\""]).exits(0);
    // Words that nothing evaluated has are not a pass.
    for gate in ["cluster: prodution, max: 0", "label: \"team=shopp\", max: 0"] {
        run(&all, POSTURE, &[gate]).exits(3);
    }
}

fn with_key(command: &mut Command) {
    command.env_remove("SYSDIG_API_TOKEN").env("IBMCLOUD_API_KEY", "test-key-of-ibm");
}

#[test]
fn an_api_key_is_exchanged_once_and_renewed_when_it_must() {
    let settings = "instance_id: 11111111-2222-3333-4444-555555555555\nposture: {}";
    let ran = run_with(&json!({}), settings, &["max: 21"], "", with_key).exits(0);
    assert_eq!(ran.count("POST /identity/token"), 1);

    // The platform takes the token back now and then.
    let short = json!({"access": {"lease_requests": 7}});
    let ran = run_with(&short, settings, &["max: 21"], "", with_key).exits(0);
    assert!(ran.count("POST /identity/token") > 2);

    // A key that IAM does not know.
    let revoked = |command: &mut Command| {
        with_key(command);
        command.env("IBMCLOUD_API_KEY", "revoked");
    };
    let ran = run_with(&json!({}), settings, &["max: 21"], "", revoked).exits(4);
    let ran = ran.says("Provided API key could not be");
    assert_eq!(ran.count("/api/"), 0);

    run_with(&json!({}), POSTURE, &["max: 21"], "", with_key).exits(2).says("set `instance_id`");
}

#[test]
fn the_key_goes_only_where_the_pipeline_allows() {
    let platform = Platform::start("healthy");
    let settings = "instance_id: guid\nposture: {}";
    let run = |allowed: &str, with: fn(&mut Command)| {
        run_at(&platform.origin, settings, &["max: 21"], "", |command| {
            with(command);
            command.env("COMPLIANCE_GATE_ALLOWED_ORIGINS", allowed);
        })
        .0
    };
    let elsewhere = Platform::start("healthy");
    run(&elsewhere.origin, with_key).exits(2).says("no token is sent there");
    run(&platform.origin, with_key).exits(0);

    // IAM is an origin only where an API key is used.
    let folder = Folder::new();
    let policy = |iam: &str| {
        format!(
            "version: 1\nsources:\n  sysdig:\n    url: {}\n    iam_url: {iam}\n    instance_id: a\n    \
             posture: {{}}\ngates:\n  - {{id: g, source: sysdig, max: 21}}\n",
            platform.origin
        )
    };
    folder.write("compliance-gate.yaml", &policy(&elsewhere.origin));
    let mut command = folder.command(&["run"]);
    with_key(&mut command);
    command.env("COMPLIANCE_GATE_ALLOWED_ORIGINS", &platform.origin);
    Ended::wait(command).exits(2).says("no token is sent there");
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
    let mut command = folder.command(&["run"]);
    command.env("COMPLIANCE_GATE_ALLOWED_ORIGINS", &platform.origin);
    Ended::wait(command).exits(0);
}

#[test]
fn a_refusal_with_the_type_plain_text_is_read() {
    let revoked = |command: &mut Command| {
        command.env("SYSDIG_API_TOKEN", "revoked");
    };
    let ran = run_with(&json!({}), POSTURE, &["max: 21"], "", revoked).exits(4);
    let ran = ran.says("401: cannot verify credentials").says("belongs in SYSDIG_API_TOKEN");
    assert_eq!(ran.requests.len(), 1);
}

#[test]
fn a_token_may_be_copied_with_its_scheme() {
    let with_scheme = |command: &mut Command| {
        command.env("SYSDIG_API_TOKEN", "Bearer a-token");
    };
    run_with(&json!({}), POSTURE, &["max: 21"], "", with_scheme).exits(0);
}

#[test]
fn a_limit_of_requests_is_waited_for() {
    let limited = json!({"access": {"rate_limit": {"requests": 20, "seconds": 2}}});
    let ran = run(&limited, POSTURE, &["max: 21"]).exits(0);
    assert!(ran.requests.iter().any(|line| line.ends_with("429")));
    assert_eq!(ran.failed(), 21);
}

#[test]
fn pages_that_are_not_json_are_named() {
    let platform = Platform::start("healthy");
    let pages = [("<html>login</html>", 2, "an HTML page"), ("", 3, "the answer is empty")];
    for (body, code, says) in pages {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let rule = Rule { path: "/requirements", skip: 0, times: 99, fault: Fault::Answer(answer) };
        let proxy = Proxy::start(&platform.origin, vec![rule]);
        run_at(&proxy.origin, POSTURE, &["max: 21"], "", |_| ()).0.exits(code).says(says);
    }
}

const API: &str = "registry.example.com/shop/api:1.4";

fn image(image: Value) -> Value {
    let mut image = image;
    image["tag"] = API.into();
    json!({"images": {"scanned": [image]}})
}

#[test]
fn images_are_found_by_tag_digest_and_id() {
    let stops = image(json!({"stops": 2, "warns": 1, "goes": 3}));
    let by_tag = format!("images: [{{tag: \"{API}\"}}]");
    let ran = run(&stops, &by_tag, &["severity: high, max: 1", "min_pass_rate: \"40%\""]).exits(1);
    assert_eq!(ran.failed(), 2);
    assert_eq!(ran.part()["evaluated"], json!(6));
    assert!(ran.part()["as_of"].is_string());
    assert_eq!(ran.count("anchore/images?history=false&fulltag=registry.example.com"), 1);
    let evaluation = ran.requests.iter().find(|line| line.contains("policyEvaluation?tag="));
    let digest = evaluation.unwrap().split('/').find(|part| part.starts_with("sha256:")).unwrap();

    let by_digest = format!("images: [{{digest: \"{digest}\"}}]");
    let ran = run(&stops, &by_digest, &["severity: high, max: 2"]).exits(0);
    assert_eq!((ran.failed(), ran.requests.len()), (2, 1));

    let id = ran.findings().len();
    assert!(id > 0);
    run(&stops, "images: [{image_id: \"0123\"}]", &["max: 0"])
        .exits(3)
        .says("no scan of image 0123");
}

#[test]
fn all_images_of_a_repository_are_read() {
    let mut scanned: Vec<_> =
        (0..103).map(|n| json!({"tag": format!("r.example/a/i{n}:1")})).collect();
    scanned.push(json!({"tag": "r.example/shop/web:2.0", "stops": 1}));
    let all = json!({"images": {"scanned": scanned}});
    let shop = "images: [{repository: \"r.example/shop/*\"}]";
    let ran = run(&all, shop, &["severity: high, max: 0"]).exits(1);
    assert_eq!((ran.failed(), ran.count("/results?"), ran.count("policyEvaluation")), (1, 2, 1));
    let none = "images: [{repository: shop/web}]";
    run(&all, none, &["max: 0"]).exits(3).says("no image of `shop/web` was scanned");
}

#[test]
fn further_headers_arrive_with_every_request() {
    let platform = Platform::start("healthy");
    let proxy = Proxy::start(&platform.origin, Vec::new());
    let settings = "headers: {Account: \"0123\"}\nposture: {}";
    run_at(&proxy.origin, settings, &["max: 999"], "", |_| ()).0.exits(0);
    let heads = proxy.heads();
    let lacks = |head: &&String| !head.to_lowercase().contains("account: 0123\r\n");
    assert!(!heads.is_empty());
    assert_eq!(heads.iter().find(lacks), None);
}

#[test]
fn a_tag_is_found_by_the_documented_list_of_scans_too() {
    let mut scenario = image(json!({"stops": 2}));
    scenario["images"]["without_anchore"] = true.into();
    let by_tag = format!("images: [{{tag: \"{API}\"}}]");
    let ran = run(&scenario, &by_tag, &["severity: high, max: 0"]).exits(1);
    assert_eq!((ran.failed(), ran.count("/results?")), (2, 1));
    let absent = "images: [{tag: \"registry.example.com/shop/api:9\"}]";
    run(&scenario, absent, &["max: 0"]).exits(3).says("no scan of image");
}

#[test]
fn the_images_of_a_file_are_read_beside_those_of_the_policy() {
    let scanned = json!([{"tag": API, "stops": 1}, {"tag": "r.example/web:2", "stops": 1}]);
    let platform = Platform::of(&json!({"sysdig": {"images": {"scanned": scanned}}}).to_string());
    let folder = Folder::new();
    let policy = |images: &str| {
        let origin = &platform.origin;
        folder.write(
            "ci/compliance-gate.yaml",
            &format!(
                "version: 1\nsources:\n  sysdig: {{url: {origin}, {images}}}\ngates:\n  - {{id: \
                 stops, source: sysdig, severity: high, max: 1}}\n"
            ),
        );
    };
    let run =
        |more: &[&str]| folder.run(&[&["run", "-c", "ci/compliance-gate.yaml"], more].concat());
    policy("images_file: images.txt");
    run(&[]).exits(2).says("images.txt").says("ci/compliance-gate.yaml:3");
    folder.write("ci/images.txt", &format!("# release 7\n{API}\n"));
    run(&[]).exits(0);
    folder.write("ci/images.txt", &format!("{API}\nr.example/web:2\n"));
    run(&["--save-evidence", "evidence.jsonl"]).exits(1);
    policy(&format!("images: [{{tag: \"{API}\"}}], images_file: images.txt"));
    folder.write("ci/images.txt", "r.example/web:2\n");
    run(&[]).exits(1);
    folder.write("ci/images.txt", "r.example/web\n");
    run(&[]).exits(2).says("line 1: `r.example/web` is no reference");
    folder.write("ci/images.txt", "# none\n");
    run(&[]).exits(2).says("the file names no image");
    policy("images_file: ../../images.txt");
    run(&[]).exits(2).says("leaves the workspace");
    // What was decided is decided again without the file.
    folder.run(&["evaluate", "evidence.jsonl", "--as-recorded"]).exits(1);
}

/// Nothing new since what runs in production.
#[test]
fn vulnerabilities_that_another_image_has_too_do_not_count() {
    let old = json!({"tag": "r.example/api:1", "vulnerabilities": {"critical": 1, "high": 3}});
    let new = json!({"tag": "r.example/api:2", "vulnerabilities": {"critical": 1, "high": 5}});
    let worse = json!({"tag": "r.example/api:3", "vulnerabilities": {"critical": 2, "high": 2}});
    let scenario = json!({"images": {"scanned": [old, new, worse]}});
    let compared = |tag: &str, more: &str| {
        format!("images: [{{tag: \"r.example/api:{tag}\"}}]\nvulnerabilities: findings\n{more}")
    };
    let high = |max: u64| format!("severity: \">= high\", image: \"r.example/*\", max: {max}");
    let to_old = "compare_to: \"r.example/api:1\"";
    run(&scenario, &compared("2", ""), &[&high(5)]).exits(1);
    run(&scenario, &compared("2", to_old), &[&high(2)])
        .exits(0)
        .says("note: 4 vulnerabilities that image r.example/api:1 has too are not counted");
    run(&scenario, &compared("2", to_old), &[&high(1)]).exits(1);
    // One of them is of a higher severity than it was.
    run(&scenario, &compared("3", to_old), &["severity: critical, max: 0"]).exits(1);
    run(&scenario, &compared("1", "compare_to: {tag: \"r.example/api:2\"}"), &[&high(0)]).exits(0);
    run(&scenario, &compared("2", "compare_to: \"r.example/api:0\""), &[&high(9)])
        .exits(3)
        .says("no scan of image r.example/api:0");
}

#[test]
fn a_vulnerability_accepted_on_the_platform_needs_an_entry_and_an_end_ahead() {
    let expires = chrono::Utc::now().date_naive() + chrono::Days::new(60);
    let accept = format!(
        "accept:\n  - {{id: there, upstream: sysdig.vulnerability_exception, reason: r, owner: o, expires: {expires}}}\n"
    );
    let settings = "images: [{tag: \"r.example/api:1\"}]\nvulnerabilities: findings";
    let with = |exceptions: Value| {
        json!({"images": {"scanned": [{"tag": "r.example/api:1",
            "vulnerabilities": {"critical": 1, "high": 1}, "exceptions": exceptions}]}})
    };
    let end = |scenario: &Value, more: &str| {
        run_with(scenario, settings, &["severity: critical, max: 0"], more, |_| ())
    };
    let first = with(json!([{"number": 0, "ends_in_days": 9}]));
    end(&first, "")
        .exits(1)
        .says("1 vulnerability of image r.example/api:1 accepted on the platform");
    let ran = end(&first, &accept).exits(0);
    let waived = ran.findings().iter().find(|finding| finding["accepted_by"] == "there").unwrap();
    assert_eq!(waived["rule"]["id"], "CVE-2024-10000");
    end(&with(json!([{"number": 0}])), &accept).exits(0);
    for other in [
        json!([{"number": 0, "ends_in_days": 0}]),
        json!([{"number": 0, "enabled": false}]),
        json!([{"number": 1}]),
        json!([]),
    ] {
        end(&with(other), &accept).exits(1);
    }
}

/// No vulnerability means something only where the scanner knows those of today.
#[test]
fn the_scanners_own_data_may_not_be_too_old() {
    let settings = |more: &str| format!("images: [{{tag: \"{API}\"}}]\n{more}");
    let with = |minutes: Value| {
        let mut scenario = image(json!({}));
        scenario["images"]["feed_minutes_ago"] = minutes;
        scenario
    };
    let two_days = settings("feed_max_age: 2d");
    run(&with(json!(60)), &two_days, &["severity: high, max: 0"])
        .exits(0)
        .says("vulnerability feed `vulnerabilities/alpine:3.20` synchronised");
    run(&with(json!(20_160)), &two_days, &["severity: high, max: 0"])
        .exits(3)
        .says("was synchronised 14days ago, and `feed_max_age` is 2days");
    run(&with(Value::Null), &two_days, &["severity: high, max: 0"])
        .exits(3)
        .says("was never synchronised");
    // Not asked for: nothing is read about it.
    let ran = run(&with(Value::Null), &settings(""), &["severity: high, max: 0"]).exits(0);
    assert_eq!(ran.count("/feeds"), 0);
    run(&with(Value::Null), &settings("vulnerabilities: count"), &["severity: high, max: 0"])
        .exits(0)
        .says("the age of the vulnerability feeds is not known");
}

#[test]
fn an_image_without_a_result_is_not_green_and_hides_no_other() {
    let two =
        format!("images: [{{tag: \"{API}\"}}, {{tag: \"registry.example.com/shop/web:2.0\"}}]");
    let web = json!({"tag": "registry.example.com/shop/web:2.0", "stops": 1});
    let missing = json!({"images": {"scanned": [{"tag": API, "analysed": false}, web]}});
    run(&missing, &two, &["severity: high, max: 1"]).exits(3).says("is not analysed yet");
    run(&missing, &two, &["severity: high, max: 0"]).exits(1);
    let absent = json!({"images": {"scanned": [web]}});
    run(&absent, &two, &["severity: high, max: 1"]).exits(3).says("no scan of image");
    let legacy = json!({"images": {"legacy_missing": true}});
    run(&legacy, &two, &["max: 100"]).exits(3).says("legacy scanner");
}

#[test]
fn vulnerabilities_are_listed_or_counted() {
    let found = json!({"critical": 2, "high": 4, "medium": 9, "negligible": 3, "unknown": 1});
    let mut scenario = image(json!({"warns": 0, "goes": 1, "vulnerabilities": found}));
    scenario["images"]["largest_page"] = 4.into();
    let settings =
        |detail: &str| format!("images: [{{tag: \"{API}\"}}]\nvulnerabilities: {detail}");
    let high = "severity: \">= high\", max: 6";
    // A vulnerability of unknown severity could be the worst.
    let ran =
        run(&scenario, &settings("findings"), &[high, "rule: CVE-2024-10001, max: 0"]).exits(1);
    assert_eq!(ran.failed(), 7);
    assert_eq!(ran.report["gates"][1]["observed"]["failed"], json!(1));
    assert!(ran.count("/vuln/os") > 1);

    let ran = run(&scenario, &settings("count"), &[high]).exits(1);
    assert_eq!(ran.failed(), 7);
    assert_eq!(ran.count("/vuln/"), 0);
    run(&scenario, &settings("count"), &["rule: \"CVE-*\", max: 0"]).exits(3).says("only counted");

    // A vulnerability that was not found is not a typo.
    run(&scenario, &settings("findings"), &["rule: CVE-2021-44228, max: 0"]).exits(0);

    scenario["images"]["summary_offset"] = 1.into();
    run(&scenario, &settings("findings"), &[high]).exits(3).says("the summary counts");
    let rate = ["min_pass_rate: \"50%\""];
    run(&scenario, &settings("findings"), &rate)
        .exits(2)
        .says("does not know: passed checks of vulnerabilities");
}

fn events(events: Value) -> Value {
    json!({"events": events})
}

#[test]
fn events_within_the_window_count_as_findings_or_by_number() {
    // 100 events, one every 1,700 seconds; 24 hours hold 50 of them.
    for (window, within) in [("24h", 50), ("10m", 0), ("30d", 100)] {
        for detail in ["findings", "count"] {
            let settings = format!("events: {{window: {window}, detail: {detail}}}");
            let ran = run(&events(json!({})), &settings, &["max: 1000"]).exits(0);
            assert_eq!(ran.failed(), within, "{window} {detail}");
        }
    }
    for posture in [
        json!({"largest_page": 7}),
        json!({"numbers": true, "largest_page": 50}),
        json!({"largest_page": 1}),
    ] {
        let ran = run(&events(posture.clone()), "events: {window: 24h}", &["max: 50"]).exits(0);
        assert_eq!(ran.failed(), 50, "{posture}");
    }
}

#[test]
fn the_feed_is_asked_as_documented() {
    let settings = "events: {window: 30d, severities: [medium, low]}";
    let few = events(json!({"largest_page": 9}));
    let ran = run(&few, settings, &["max: 100"]).exits(0);
    let feed = ran.requests.iter().filter(|line| line.contains("/secureEvents?"));
    // The preflight asks for one event.
    let (look, feed): (Vec<_>, Vec<_>) = feed.partition(|line| line.contains("limit=1&"));
    assert_eq!(look.len(), 1, "{look:?}");
    // Three spans of two weeks at most. Bounds and cursor exclude each other. All have the filter.
    assert_eq!(feed.iter().filter(|line| line.contains("from=")).count(), 3, "{feed:#?}");
    for line in &feed {
        assert_ne!(line.contains("from="), line.contains("cursor="), "{line}");
        assert!(line.contains("filter=severity+in+%28%224%22%2C+%225%22%2C+%226%22%29"), "{line}");
        assert!(line.contains("limit=999"), "{line}");
    }
    assert_eq!(ran.failed(), 2 + 3 + 12);
    assert_eq!(ran.part()["failed_by_severity"], json!({"medium": 5, "low": 12}));
}

#[test]
fn a_policy_can_set_the_severities_of_numbers() {
    let worst = events(json!({"by_number": [1, 0, 2, 0, 0, 0, 0, 9]}));
    let high = "severity: \">= high\", max: 0";
    let ran = run(&worst, "events: {window: 24h}", &[high]).exits(1);
    assert_eq!(ran.failed(), 3);
    let table = "severity_table: {critical: [0], medium: [1, 2, 3], low: [4, 5, 6, 7]}";
    let ran = run(&worst, &format!("events: {{window: 24h, {table}}}"), &[high]).exits(1);
    assert_eq!(ran.failed(), 1);
}

#[test]
fn a_quiet_window_passes_and_an_endless_feed_does_not() {
    let quiet = events(json!({"by_number": [0, 0, 0, 0, 0, 0, 0, 0]}));
    for gate in ["max: 0", "rule: Terminal*, max: 0"] {
        run(&quiet, "events: {window: 24h}", &[gate]).exits(0);
    }
    let silent = |agents: Value, has_events: Value| {
        events(json!({
            "by_number": [0, 0, 0, 0, 0, 0, 0, 0], "agents": agents, "has_events": has_events,
        }))
    };
    for (agents, has_events, code, says) in [
        (json!(null), json!(true), 0, ""),
        (json!(1), json!(false), 0, ""),
        (json!(null), json!(null), 0, "whether anything was watching is not known"),
        (json!(0), json!(true), 3, "no event arrived, and no agent is connected"),
        (json!(null), json!(false), 3, "the platform has never had an event"),
    ] {
        let scenario = silent(agents, has_events);
        run(&scenario, "events: {window: 24h}", &["max: 0"]).exits(code).says(says);
        run(&scenario, "events: {window: 24h, detail: count}", &["max: 0"]).exits(code).says(says);
        let allowed = "events: {window: 24h, quiet: allowed}";
        run(&scenario, allowed, &["max: 0"]).exits(0).says("`quiet: allowed` says");
    }
    let circle = events(json!({"repeat_cursor": true, "largest_page": 5, "every_seconds": 60}));
    run(&circle, "events: {window: 24h}", &["max: 1000"])
        .exits(3)
        .says("links to a page that was already read");
    let restart = events(json!({"restart": true, "largest_page": 5, "every_seconds": 60}));
    let ran = run(&restart, "events: {window: 24h}", &["max: 1000"])
        .exits(3)
        .says("10 pages have no new events and announce another page");
    assert!(ran.count("/secureEvents?") < 15);
    let doubted = events(json!({"false_positive_every": 4}));
    let ran = run(&doubted, "events: {window: 24h}", &["max: 50"]).exits(0);
    let ran = ran.says("12 events marked as false positives on the platform, counted");
    assert_eq!(ran.failed(), 50);
}

#[test]
fn each_kind_has_its_own_selectors() {
    let images = format!("images: [{{tag: \"{API}\"}}]");
    for (settings, gate, code) in [
        ("events: {window: 1h}", "framework: a, max: 0", 2),
        ("events: {window: 1h}", "status: a, max: 0", 2),
        ("events: {window: 1h}", "min_pass_rate: \"9%\"", 2),
        (images.as_str(), "control: a, max: 0", 2),
        (images.as_str(), "framework: \"Default image policy\", max: 9", 0),
        (POSTURE, "status: open, max: 0", 2),
    ] {
        let ran = run(&json!({}), settings, &[gate]);
        assert_eq!(ran.ended.code, Some(code), "{settings} {gate}\n{}", ran.ended.stderr);
    }
}

#[test]
fn one_policy_can_have_several_tenants_and_kinds() {
    let (us, eu) = (Platform::start("healthy"), Platform::start("blocked"));
    let folder = Folder::new();
    let policy = format!(
        "version: 1
sources:
  sysdig/us: {{url: {us}, posture: {{}}}}
  sysdig/eu: {{url: {eu}, token_env: SYSDIG_EU, posture: {{}}}}
  sysdig/images: {{url: {us}, images: [{{tag: \"{API}\"}}]}}
  sysdig/events: {{url: {us}, events: {{window: 24h}}}}
gates:
  - {{id: us, source: [sysdig/us, sysdig/images, sysdig/events], severity: \">= high\", max: 0}}
  - {{id: eu, source: sysdig/eu, severity: \">= high\", max: 0}}
",
        us = us.origin,
        eu = eu.origin
    );
    folder.write("compliance-gate.yaml", &policy);
    let mut command = folder.command(&["run", "--json", "report.json"]);
    command.env("SYSDIG_EU", "another-token");
    Ended::wait(command).exits(1);
    let report = folder.json("report.json");
    let states: Vec<_> = report["gates"].as_array().unwrap().iter().map(|g| &g["state"]).collect();
    assert_eq!(states, ["held", "breached"]);
}

#[test]
fn doctor_and_list_print_what_exists() {
    let platform = Platform::start("healthy");
    let folder = Folder::new();
    let policy = format!(
        "version: 1\nsources: {{sysdig: {{url: {}, posture: {{}}}}}}\n\
         gates: [{{id: g, source: sysdig, max: 0}}]\n",
        platform.origin
    );
    folder.write("compliance-gate.yaml", &policy);
    let doctor = folder.run(&["doctor"]).exits(0);
    doctor.says("14 requirements with 9 controls, 1 control to be checked by hand");
    folder.run(&["list", "frameworks"]).exits(0).says("Example Trust Criteria");
    assert_eq!(platform.count("/cloud/resources"), 0);
}
