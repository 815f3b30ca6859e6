//! The file: whole or not at all, and nothing is decided from a damaged one.

use super::Kept;

#[test]
fn saved_evidence_is_decided_again_as_a_what_if() {
    let kept = Kept::of("blocked");
    let files = ["--json", "what-if.json", "--html", "w.html", "--markdown", "w.md"];
    let more = ["--junit", "w.xml", "--sarif", "w.sarif", "--code-quality", "w.json"];
    kept.evaluate(&[&files[..], &more].concat()).exits(1).says("[what if] Deploy blocked by ");
    for file in ["what-if.json", "w.html", "w.md", "w.xml", "w.sarif"] {
        assert!(kept.folder.read(file).contains("what if"), "{file}");
    }
    assert!(!kept.folder.read("evidence.jsonl").contains("test-token"));
    let (mut run, mut again) = (kept.folder.json("run.json"), kept.folder.json("what-if.json"));
    assert_eq!(again["purpose"], "what-if");
    for report in [&mut run, &mut again] {
        let report = report.as_object_mut().unwrap();
        for key in ["purpose", "summary", "decided"] {
            report.remove(key);
        }
    }
    assert_eq!(run, again);
}

#[test]
fn what_a_pipeline_acts_on_is_not_made_of_a_what_if() {
    let kept = Kept::of("healthy");
    kept.evaluate(&["--dotenv", "out.env"])
        .exits(2)
        .says("`--dotenv` is for what a pipeline or a cluster acts on");
    assert!(!kept.folder.path().join("out.env").exists());
    let output = kept.folder.path().join("output");
    let mut command = kept.folder.command(&["evaluate", "evidence.jsonl"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output);
    crate::common::Ended::wait(command).exits(0).does_not_say("::");
    assert!(!output.exists());
}

#[test]
fn a_file_that_is_not_whole_is_refused_with_its_line() {
    let kept = Kept::of("healthy");
    let text = kept.folder.read("evidence.jsonl");
    let lines = text.lines().count();
    let cut = &text[..text.len() / 2];
    let without_end = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    for (name, text, code, says) in [
        ("cut", cut.to_owned(), 3, format!("line {}: ", cut.lines().count())),
        ("no end", without_end.to_owned(), 3, format!("line {lines}: the file ends here")),
        ("more", format!("{text}\n"), 3, format!("line {}: something follows", lines + 1)),
        ("empty", String::new(), 3, "line 1: the file ends here".to_owned()),
        ("other", "{\"name\": 1}\n".to_owned(), 2, "line 1: this is not evidence".to_owned()),
        (
            "newer",
            text.replacen("\"version\":1", "\"version\":2", 1),
            2,
            "line 1: this has version 2 of the format".to_owned(),
        ),
        (
            "unknown",
            text.replacen("\"cause\"", "\"reason\"", 1).replacen("{\"rule\"", "{\"role\"", 1),
            3,
            "unknown variant `role`".to_owned(),
        ),
    ] {
        kept.folder.write("other.jsonl", &text);
        let ended = kept.folder.run(&["evaluate", "other.jsonl"]);
        assert_eq!(ended.code, Some(code), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(&says), "{name}: {}", ended.stderr);
    }
    kept.folder.run(&["evaluate", "missing.jsonl"]).exits(2).says("cannot be read");
}

#[test]
fn evidence_of_another_environment_or_origin_is_refused() {
    let kept = Kept::of("healthy");
    let policy = kept.folder.read("compliance-gate.yaml");
    kept.folder.run(&["run", "-e", "production", "--save-evidence", "production.jsonl"]).exits(0);
    kept.folder
        .run(&["evaluate", "production.jsonl", "-e", "staging"])
        .exits(2)
        .says("evidence of environment `production`, and `staging` was asked for");
    kept.folder.run(&["evaluate", "production.jsonl", "-e", "production"]).exits(0);
    kept.evaluate(&["-e", "staging"]).exits(0);
    let elsewhere = policy.replace(&kept.platform.origin, "https://elsewhere.example.com");
    kept.folder.write("elsewhere.yaml", &elsewhere);
    kept.evaluate(&["-c", "elsewhere.yaml"]).exits(2).says("https://elsewhere.example.com");
}

#[test]
fn evidence_under_narrower_filters_does_not_pass_a_wider_policy() {
    let kept = Kept::of("healthy");
    let origin = &kept.platform.origin;
    let policy = |settings: &str, gates: &str| crate::common::gravityzone(origin, settings, gates);
    let gates = "  - {id: all, source: gravityzone, max: 100000}\n";
    let folder = &kept.folder;
    folder.write("narrow.yaml", &policy("    filters: {severities: [critical]}\n", gates));
    folder.run(&["run", "-c", "narrow.yaml", "--save-evidence", "narrow.jsonl"]).exits(0);
    folder.write("wide.yaml", &policy("", gates));
    folder
        .run(&["evaluate", "narrow.jsonl", "-c", "wide.yaml"])
        .exits(3)
        .says("collected with `filters.severities`: critical, and the policy asks for everything");
    folder.run(&["run", "-c", "wide.yaml", "--save-evidence", "wide.jsonl"]).exits(0);
    folder.run(&["evaluate", "wide.jsonl", "-c", "wide.yaml"]).exits(0);
}

#[test]
fn what_lies_outside_the_scope_of_a_policy_is_left_out() {
    let kept = Kept::of("blocked");
    let policy = kept.folder.read("compliance-gate.yaml");
    let one = policy
        .replace("      - {integration_type: azure_subscription, provider_id: f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b}\n", "");
    assert_ne!(policy, one);
    kept.folder.write("one.yaml", &one);
    kept.folder.run(&["run", "-c", "one.yaml", "--json", "run-one.json"]);
    kept.evaluate(&["-c", "one.yaml", "--json", "one.json"]);
    let (run, again) = (kept.folder.json("run-one.json"), kept.folder.json("one.json"));
    for gate in 0..2 {
        assert_eq!(run["gates"][gate]["observed"], again["gates"][gate]["observed"]);
        assert_eq!(run["gates"][gate]["state"], again["gates"][gate]["state"]);
    }
    assert_eq!(
        run["sources"][0]["parts"][0]["evaluated"],
        again["sources"][0]["parts"][0]["evaluated"]
    );
}

/// The evidence is enough for gates that nobody had written when it was collected.
#[test]
fn passes_are_kept_by_every_field() {
    let kept = Kept::of("healthy");
    let demo = include_str!("../../../fixtures/policies/demo.yaml")
        .replace("http://127.0.0.1:8080", &kept.platform.origin)
        .replace("500ms", "50ms");
    let (sources, _) = demo.split_once("gates:\n").unwrap();
    let listed = "  - {id: all, source: [bigid, bigpanda, gravityzone, opencomply, sysdig, \
                  sysdig/images, sysdig/events], max: 100000}\n";
    kept.folder.write("first.yaml", &format!("{sources}gates:\n{listed}"));
    let save = ["run", "-c", "first.yaml", "--save-evidence", "all.jsonl"];
    let mut command = kept.folder.command(&save);
    command.env("BIGID_TOKEN", "test-token-of-bigid");
    crate::common::Ended::wait(command).exits(0);
    let gate = |id: &str, source: &str, more: &str| {
        format!("  - {{id: {id}, source: {source}, min_pass_rate: \"1%\", {more}}}\n")
    };
    let gates = [
        gate("account", "opencomply", "account: \"122814690049\""),
        gate("rules", "gravityzone", "rule: \"cloud_scan/*\""),
        gate("region", "gravityzone", "region: \"*\""),
        gate("posture", "sysdig", "severity: high"),
        gate("posture-type", "sysdig", "resource_type: \"*\""),
        gate("image-rule", "sysdig/images", "rule: \"*\""),
    ];
    kept.folder.write("second.yaml", &format!("{sources}gates:\n{}", gates.concat()));
    kept.folder.run(&["evaluate", "all.jsonl", "-c", "second.yaml"]).exits(0);
}
