//! A recorded decision, recomputed from its evidence.

use super::Kept;
use crate::common::at_once;

fn kept() -> Kept {
    let kept = Kept::of("blocked");
    let record = ["--record", "records.jsonl", "--save-evidence", "evidence.jsonl"];
    kept.folder.run(&[&["run"], &record[..]].concat()).exits(1);
    kept
}

#[test]
fn a_record_is_what_follows_from_its_evidence() {
    let kept = kept();
    let verify = ["verify", "records.jsonl", "--evidence", "evidence.jsonl"];
    kept.folder.run(&verify).exits(0).says("Verified: blocked");
    kept.folder.run(&["run", "--save-evidence", "other.jsonl"]).exits(1);
    let other = ["verify", "records.jsonl", "--evidence", "other.jsonl"];
    kept.folder.run(&other).exits(3).says("has no record of the evidence other.jsonl");
    let record = kept.folder.read("records.jsonl");
    for (from, to, says) in [
        ("\"verdict\":\"blocked\"", "\"verdict\":\"passed\"", "verdict: the record has \"passed\""),
        ("\"failed\":3", "\"failed\":0", "observed.failed: the record has 0"),
        ("\"exit_code\":1", "\"exit_code\":0", "exit_code: the record has 0"),
        ("\"verdict\":", "\"verdict\": ", "another form"),
    ] {
        let forged = record.replacen(from, to, 1);
        assert_ne!(forged, record, "{from}");
        kept.folder.write("forged.jsonl", &forged);
        let verify = ["verify", "forged.jsonl", "--evidence", "evidence.jsonl"];
        kept.folder.run(&verify).exits(3).says(says);
    }
}

#[test]
fn a_changed_byte_of_a_record_is_noticed() {
    let kept = kept();
    let record = kept.folder.read("records.jsonl").into_bytes();
    let places: Vec<_> = (0..record.len()).step_by(101).collect();
    for some in places.chunks(64) {
        at_once(some.iter().copied(), |at| {
            let mut changed = record.clone();
            changed[at] ^= 1;
            let name = format!("changed-{at}.jsonl");
            std::fs::write(kept.folder.path().join(&name), changed).unwrap();
            let ended = kept.folder.run(&["verify", &name, "--evidence", "evidence.jsonl"]);
            assert!(matches!(ended.code, Some(2 | 3)), "byte {at}: {}", ended.stdout);
        });
    }
}
