//! Decisions for verifiers: `fixtures/vectors/`, and random ones for `second_opinion.py`.
//!
//! ```text
//! scene   a policy and its evidence        random   scenes that are the same in each run
//! kept    the scenes in the fixtures       changed  every changed byte is noticed
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::saved;

mod changed;
mod kept;
mod random;
mod scene;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors");
const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/second_opinion.py");

/// Whether the interpreter of the second opinion is here.
fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn second_opinion(folder: &Path) {
    if !has_python() {
        return;
    }
    let output = Command::new("python3").arg(VERIFIER).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// `UPDATE_VECTORS=1 cargo test --lib vectors` writes them anew.
#[test]
fn the_vectors_are_what_is_decided_and_a_second_opinion_agrees() {
    let mut expected = BTreeMap::new();
    let update = std::env::var_os("UPDATE_VECTORS").is_some();
    let invalid = kept::vectors().into_iter().filter(|(_, scene)| scene.decided().is_none());
    let invalid: Vec<_> = invalid.map(|(name, _)| name).collect();
    assert!(invalid.is_empty(), "not valid: {invalid:?}");
    for (name, scene) in kept::vectors() {
        let Some((file, decided)) = scene.decided() else { continue };
        let path = Path::new(FOLDER).join(format!("{name}.jsonl"));
        if update {
            std::fs::create_dir_all(FOLDER).unwrap();
            std::fs::write(&path, &file).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert!(kept == file, "{name}: the file has changed; see UPDATE_VECTORS");
        expected.insert(name, decided);
    }
    assert!(expected.len() >= 60, "{}", expected.len());
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let path = Path::new(FOLDER).join("expected.json");
    if update {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected, "see UPDATE_VECTORS");
    second_opinion(Path::new(FOLDER));
}

#[test]
fn a_second_opinion_agrees_on_a_thousand_random_decisions() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/target/second-opinion"));
    std::fs::create_dir_all(folder).unwrap();
    let mut dice = random::Dice(13);
    let mut expected = BTreeMap::new();
    while expected.len() < 1000 {
        let scene = random::scene(&mut dice);
        let Some((file, decided)) = scene.decided() else { continue };
        let name = format!("{:04}", expected.len());
        let path = folder.join(format!("{name}.jsonl"));
        std::fs::write(&path, file).unwrap();
        // What is saved and read again is the same.
        assert_eq!(saved::read(&path).unwrap().evidence, scene.evidence, "{name}");
        expected.insert(name, decided);
    }
    let expected = serde_json::to_string(&expected).unwrap();
    std::fs::write(folder.join("expected.json"), expected).unwrap();
    second_opinion(folder);
}
