//! Images that the run names, and artefacts that must be among the images that were evaluated.

use serde_json::{Value, json};

use crate::common::proxy::Proxy;
use crate::common::{Ended, Folder, Platform};

const API: &str = "registry.example.com/shop/api:1.4";
const WEB: &str = "registry.example.com/shop/web:2.0";

/// Two images, of which the second one fails, behind a server that is not known to be a simulator.
struct Registry {
    _platform: Platform,
    proxy: Proxy,
    folder: Folder,
    digests: Vec<String>,
}

impl Registry {
    fn new() -> Self {
        let scanned = json!([{"tag": API, "goes": 3}, {"tag": WEB, "stops": 1, "goes": 2}]);
        let scenario = json!({"sysdig": {"images": {"scanned": scanned}}}).to_string();
        let platform = Platform::of(&scenario);
        let proxy = Proxy::unmarked(&platform.origin);
        let registry = Self { _platform: platform, proxy, folder: Folder::new(), digests: vec![] };
        registry.policy(&format!("images: [{{tag: \"{API}\"}}, {{tag: \"{WEB}\"}}]"), "");
        registry.run(&["--save-evidence", "both.jsonl"]).exits(1);
        let lines = registry.folder.read("both.jsonl");
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let images = lines.filter_map(|line| Some(line["part"]["image"].as_str()?.to_owned()));
        Self { digests: images.collect(), ..registry }
    }

    fn policy(&self, images: &str, more: &str) {
        let origin = &self.proxy.origin;
        self.folder.write(
            "compliance-gate.yaml",
            &format!(
                "version: 1\nsources:\n  sysdig: {{url: {origin}, {images}}}\ngates:\n  - {{id: \
                 stops, source: sysdig, severity: high, max: 0{more}}}\nevidence: {{max_age: 24h}}\n"
            ),
        );
    }

    fn run(&self, more: &[&str]) -> Ended {
        self.folder.run(&[&["run"], more].concat())
    }

    fn api(&self) -> String {
        format!("registry.example.com/shop/api@sha256:{}", self.digests[0])
    }

    fn web(&self) -> String {
        format!("{WEB}@sha256:{}", self.digests[1])
    }

    fn has_result(&self) -> bool {
        self.folder.path().join("a/svr.statement.json").exists()
    }
}

#[test]
fn the_images_may_be_the_subjects_of_the_run() {
    let registry = Registry::new();
    registry.policy("images: subjects", "");
    let (api, web) = (registry.api(), registry.web());
    let attest = ["--attestation", "a", "--subject", &api];
    registry.run(&attest).exits(0);
    assert!(registry.has_result());
    let both =
        [&attest[..], &["--subject", &web, "--save-evidence", "e.jsonl", "--json", "r.json"]];
    registry.run(&both.concat()).exits(1);
    assert!(!registry.has_result());
    let report = registry.folder.json("r.json");
    assert_eq!(report["sources"][0]["parts"].as_array().unwrap().len(), 2);
    registry.folder.write("subjects.txt", &format!("{web}\n"));
    registry.run(&["--subject-file", "subjects.txt"]).exits(1);

    // The same from evidence: as it was decided, as a what-if, and as a gate about other artefacts.
    registry.folder.run(&["evaluate", "e.jsonl", "--as-recorded"]).exits(1);
    registry.folder.run(&["evaluate", "e.jsonl"]).exits(1).says("[what if]");
    registry.run(&["--subject", &api, "--save-evidence", "e.jsonl"]).exits(0);
    let gate = |subject: &str| {
        let sha256 = registry.folder.sha256("e.jsonl");
        let given = ["evaluate", "e.jsonl", "--evidence-sha256", &sha256, "--subject", subject];
        registry.folder.run(&given)
    };
    gate(&api).exits(0);
    gate(&web).exits(3).says("the evidence was collected with `images`");
}

#[test]
fn without_subjects_such_a_policy_cannot_be_decided() {
    let registry = Registry::new();
    registry.policy("images: subjects", "");
    let missing = "sysdig has `images: subjects`, and the run names none; name each image that is \
                   deployed with `--subject NAME@sha256:HEX` or `--subject-file PATH`";
    registry.run(&[]).exits(2).says(missing);
    let sha256 = registry.folder.sha256("both.jsonl");
    let gate = ["evaluate", "both.jsonl", "--evidence-sha256", &sha256];
    registry.folder.run(&gate).exits(2).says(missing);
    registry.folder.run(&["policy", "check"]).exits(0);
    registry.folder.run(&["doctor"]).exits(0).says("images: the subjects of a run");
    registry.policy("images: subject", "");
    registry.folder.run(&["policy", "check"]).exits(2).says("or `subjects` for those of the run");
    registry.policy("images: subjects, images_file: images.txt", "");
    registry.folder.run(&["policy", "check"]).exits(2).says("images.txt");
    registry.folder.write("images.txt", &format!("{API}\n"));
    registry.folder.run(&["policy", "check"]).exits(2).says("remove `images_file`");
}

#[test]
fn subjects_must_be_among_the_images_of_a_gate_that_blocks() {
    let registry = Registry::new();
    let only = format!("images: [{{tag: \"{API}\"}}]");
    let (api, web) = (registry.api(), registry.web());
    registry.policy(&only, "");
    registry.run(&["--attestation", "a", "--subject", &api]).exits(0);
    assert!(registry.has_result());
    let save = ["--save-evidence", "e.jsonl", "--record", "r.jsonl"];
    let attest = ["--attestation", "a", "--subject", &api, "--subject", &web];
    registry
        .run(&[&attest[..], &save].concat())
        .exits(3)
        .says("not among the images that were evaluated: registry.example.com/shop/web:2.0@sha256");
    assert!(!registry.has_result());
    registry.folder.run(&["evaluate", "e.jsonl", "--as-recorded"]).exits(3);
    registry.folder.run(&["verify", "r.jsonl", "--evidence", "e.jsonl"]).exits(0);
    // A gate that only warns needs no image of a subject, and a breach stays one.
    registry.policy(&only, ", level: warn");
    registry.run(&attest).exits(0);
    registry.policy(&format!("images: [{{tag: \"{WEB}\"}}]"), "");
    registry.run(&attest).exits(1);
}
