//! An earlier run: since when findings are known, and what changed.

use super::Kept;
use crate::common::opencomply;

#[test]
fn ages_are_known_from_an_earlier_run_and_only_from_it() {
    let kept = Kept::of("blocked");
    let gates = "  - {id: old, source: opencomply, severity: critical, older_than: 1h, max: 0}\n";
    kept.folder.write("old.yaml", &opencomply(&kept.platform.origin, gates));
    let run = |more: &[&str]| kept.folder.run(&[&["run", "-c", "old.yaml"], more].concat());
    // Without an earlier run, every finding could be old.
    run(&["--save-evidence", "first.jsonl"]).exits(1).says("3 failed checks of unknown age");
    let evaluate = |file: &str, more: &[&str]| {
        kept.folder.run(&[&["evaluate", file, "-c", "old.yaml"], more].concat())
    };
    evaluate("first.jsonl", &[]).exits(1);
    let previous = ["--previous", "first.jsonl", "--save-evidence", "second.jsonl"];
    run(&previous).exits(0).says("ages are counted from when").says("Since ").says("(blocked)");
    evaluate("second.jsonl", &[]).exits(0);
    evaluate("second.jsonl", &["--at", "2099-01-01"]).exits(1);
    evaluate("second.jsonl", &["--as-recorded"]).exits(0).says("Since ");
}

#[test]
fn an_earlier_run_has_to_be_whole_and_of_the_same_environment() {
    let kept = Kept::of("healthy");
    let run = |more: &[&str]| kept.folder.run(&[&["run"], more].concat());
    run(&["--previous", "evidence.jsonl"]).exits(0).says("nothing changed");
    run(&["-e", "staging", "--save-evidence", "staging.jsonl"]).exits(0);
    run(&["-e", "production", "--previous", "staging.jsonl"]).exits(2).says("`staging`");
    let text = kept.folder.read("evidence.jsonl");
    kept.folder.write("cut.jsonl", &text[..text.len() / 2]);
    run(&["--previous", "cut.jsonl"]).exits(3).says("the file is damaged");
    run(&["--previous", "missing.jsonl"]).exits(2).says("cannot be read");
    let same = ["--previous", "evidence.jsonl", "--json", "evidence.jsonl"];
    run(&same).exits(2).says("would replace the earlier evidence");
}
