//! GitLab's list, as GitLab reads it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::estate::{self, Scene};

/// The entries, as far as GitLab would read them; it would drop the rest at the first bad one.
fn entries(scene: &Scene) -> Vec<Value> {
    let text = scene.render("code-quality");
    let Value::Array(entries) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
    let mut fingerprints = BTreeSet::new();
    for entry in &entries {
        for key in ["description", "check_name", "fingerprint", "severity"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        }
        let severity = entry["severity"].as_str().unwrap();
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity), "{entry}");
        let path = entry["location"]["path"].as_str().unwrap();
        assert!(!path.is_empty() && !path.starts_with("./"), "{entry}");
        assert!(entry["location"]["lines"]["begin"].as_u64().is_some_and(|line| line > 0));
        assert!(fingerprints.insert(entry["fingerprint"].to_string()), "twice: {entry}");
    }
    entries
}

#[test]
fn a_pass_is_an_empty_list() {
    assert_eq!(estate::passed().render("code-quality"), "[]\n");
    assert_eq!(estate::window().render("code-quality"), "[]\n");
}

#[test]
fn missing_evidence_is_one_blocker_with_what_to_do() {
    let entries = entries(&estate::inconclusive());
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["severity"], "blocker");
    let words = entries[0]["description"].as_str().unwrap();
    assert!(words.contains("3 runners failed") && words.contains("Next: look at"), "{words}");
    let stopped = self::entries(&estate::interrupted());
    assert_eq!((stopped.len(), &stopped[0]["severity"]), (1, &"blocker".into()));
    // What an exception lets through blocks nothing.
    let forgiven = self::entries(&estate::forgiven());
    assert_eq!((forgiven.len(), &forgiven[0]["severity"]), (1, &"major".into()));
}

#[test]
fn what_is_beyond_a_limit_stands_at_its_gate() {
    let mut scene = estate::blocked();
    for gate in &mut scene.policy.gates {
        gate.place.file = "./ops/compliance-gate.yaml".into();
    }
    let entries = entries(&scene);
    let critical: Vec<_> = entries.iter().filter(|entry| entry["severity"] == "critical").collect();
    assert_eq!(critical.len(), 2);
    assert_eq!(critical[0]["location"]["path"], "ops/compliance-gate.yaml");
    assert_eq!(critical[0]["location"]["lines"]["begin"], 20);
    assert!(critical[0]["description"].as_str().unwrap().contains("no-critical-or-high"));
    assert!(entries.iter().all(|entry| entry["severity"] != "blocker"));
}

#[test]
fn one_thing_told_by_two_sources_is_two_entries() {
    let mut scene = estate::blocked();
    let mut twin = scene.evidence.outcomes[1].clone();
    twin.source = "opencomply/eu".to_owned();
    scene.evidence.outcomes.push(twin);
    scene.policy.gates[0].sources.push("opencomply/eu".to_owned());
    let both = entries(&scene);
    assert!(both.iter().filter(|entry| entry["severity"] == "critical").count() == 4);
}

#[test]
fn a_list_at_its_limit_is_whole_and_beyond_it_says_so() {
    // All are over a limit: one gate counts the worst half, the other gate the rest.
    let whole = entries(&estate::big(10_000));
    assert_eq!(whole.len(), 10_000);
    assert!(whole.iter().all(|entry| entry["check_name"] != "compliance-gate/left-out"));
    let cut = entries(&estate::big(10_001));
    assert_eq!(cut.len(), 10_000);
    let last = cut.last().unwrap();
    assert!(last["description"].as_str().unwrap().starts_with("2 findings left out"), "{last}");
}
