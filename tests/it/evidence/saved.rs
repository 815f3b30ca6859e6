//! The file: whole or not at all, and nothing is decided from a damaged one.

use super::Kept;

#[test]
fn saved_evidence_is_decided_again_as_a_what_if() {
    let kept = Kept::of("blocked");
    let files = ["--json", "what-if.json", "--html", "w.html", "--markdown", "w.md"];
    let more = ["--junit", "w.xml", "--sarif", "w.sarif", "--code-quality", "w.json"];
    kept.evaluate(&[&files[..], &more].concat()).exits(1).says("[what if] Blocked: ");
    for file in ["what-if.json", "w.html", "w.md", "w.xml", "w.sarif"] {
        assert!(kept.folder.read(file).contains("what if"), "{file}");
    }
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
    kept.evaluate(&["--dotenv", "out.env"]).exits(2).says("`--dotenv` is for what a pipeline acts");
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
