//! SARIF, as code scanning reads it.

use std::collections::BTreeMap;
use std::io::Write;

use compliance_gate::policy::Mode;
use serde_json::Value;

use super::{assert_valid, public_schema};
use crate::common::estate::{self, Scene};

fn run(scene: &Scene) -> Value {
    let mut log: Value = serde_json::from_str(&scene.render("sarif")).unwrap();
    log["runs"][0].take()
}

fn levels(run: &Value) -> BTreeMap<&str, usize> {
    let mut levels = BTreeMap::new();
    for result in run["results"].as_array().unwrap() {
        *levels.entry(result["level"].as_str().unwrap()).or_default() += 1;
    }
    levels
}

#[test]
fn a_result_is_where_the_first_gate_that_counts_it_is_written() {
    let run = run(&estate::blocked());
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "opencomply/aws_s3_public_write");
    assert_eq!(result["level"], "error");
    assert_eq!(
        result["message"]["text"],
        "S3 buckets do not allow public writes: arn:aws:s3:::payments-000, eu-west-1: Public \
         access is not blocked. Blocked by no-critical-or-high."
    );
    let location = &result["locations"][0];
    let physical = &location["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], ".github/compliance-gate.yaml");
    assert_eq!(physical["region"], serde_json::json!({"startLine": 20, "startColumn": 5}));
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], "arn:aws:s3:::payments-000");
    // GitHub's uploader warns about each result that has its fingerprint, with another value.
    let fingerprints = result["partialFingerprints"].as_object().unwrap();
    assert_eq!(fingerprints.keys().collect::<Vec<_>>(), ["complianceGate/v1"]);
    let medium = run["results"].as_array().unwrap().iter();
    let medium = medium.clone().find(|result| result["ruleId"] == "opencomply/aws_s3_versioning");
    assert_eq!(medium.unwrap()["locations"][0]["physicalLocation"]["region"]["startLine"], 25);
}

#[test]
fn the_level_is_what_the_gates_make_of_it() {
    // 12 block, 52 are beyond the limit of a gate that warns.
    let blocked = estate::blocked();
    assert_eq!(levels(&run(&blocked)), BTreeMap::from([("error", 12), ("warning", 52)]));
    // Two within a limit, and fifty that no gate with findings in it counts beyond one.
    assert_eq!(levels(&run(&estate::passed())), BTreeMap::from([("note", 52)]));
    let mut observed = blocked.clone();
    observed.policy.mode = Mode::Observe;
    assert_eq!(levels(&run(&observed)), BTreeMap::from([("warning", 64)]));
    let mut uncounted = blocked;
    uncounted.policy.gates.truncate(1);
    assert_eq!(levels(&run(&uncounted)), BTreeMap::from([("error", 12), ("note", 52)]));
}

#[test]
fn every_result_refers_to_its_rule_and_every_rule_says_what_hosts_demand() {
    for scene in [estate::blocked(), estate::hostile(estate::HOSTILE), estate::hostile("\u{200b}")]
    {
        let run = run(&scene);
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in run["results"].as_array().unwrap() {
            let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        }
        for rule in rules {
            let text = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
            assert!((1..=255).contains(&text(&rule["id"])), "{rule}");
            assert!((1..=255).contains(&text(&rule["name"])), "{rule}");
            for key in ["shortDescription", "fullDescription", "help"] {
                assert!((1..=1024).contains(&text(&rule[key]["text"])), "{key} of {rule}");
            }
            assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 10, "{rule}");
        }
    }
}

#[test]
fn severities_are_well_within_the_hosts_ranges() {
    let run = run(&estate::blocked());
    let severities: BTreeMap<_, _> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["id"].as_str().unwrap(), &rule["properties"]["security-severity"]))
        .collect();
    assert_eq!(severities["opencomply/aws_s3_public_write"], "9.5");
    assert_eq!(severities["opencomply/aws_s3_tls_only"], "8.0");
    assert_eq!(severities["opencomply/aws_s3_versioning"], "5.5");
    assert_eq!(severities["opencomply/aws_s3_logging"], "2.0");
}

#[test]
fn a_run_without_all_its_evidence_says_so() {
    let run_of = |scene: &Scene| run(scene)["invocations"][0].take();
    let blocked = run_of(&estate::blocked());
    assert_eq!(blocked["executionSuccessful"], true);
    assert_eq!(blocked["exitCode"], 1);
    assert_eq!(blocked["toolExecutionNotifications"], serde_json::json!([]));
    let inconclusive = run_of(&estate::inconclusive());
    assert_eq!(inconclusive["executionSuccessful"], false);
    let notification = &inconclusive["toolExecutionNotifications"][0];
    assert_eq!(notification["descriptor"]["id"], "job-failed");
    let text = notification["message"]["text"].as_str().unwrap();
    assert!(text.contains("3 runners failed") && text.contains("Next: look at the job"), "{text}");
    // Let through or not, an upload would close the alerts of what was not seen.
    assert_eq!(run_of(&estate::forgiven())["executionSuccessful"], false);
    assert_eq!(run_of(&estate::interrupted())["executionSuccessful"], false);
}

#[test]
fn no_policy_and_no_environment_closes_the_alerts_of_another() {
    for (policy, environment, id) in [
        ("gate.yaml", None, "compliance-gate/gate.yaml/none/"),
        ("gate.yaml", Some("production"), "compliance-gate/gate.yaml/production/"),
        ("a/gate.yaml", Some("eu/prod 1"), "compliance-gate/a/gate.yaml/eu%2Fprod%201/"),
    ] {
        let mut scene = estate::passed();
        scene.path = policy.to_owned();
        scene.environment = environment.map(str::to_owned);
        assert_eq!(run(&scene)["automationDetails"]["id"], id);
    }
}

#[test]
fn the_worst_are_kept_and_the_rest_is_counted() {
    let all = run(&estate::big(25_000));
    assert_eq!(all["results"].as_array().unwrap().len(), 25_000);
    let cut = run(&estate::big(25_001));
    let results = cut["results"].as_array().unwrap();
    assert_eq!(results.len(), 25_000);
    assert_eq!(results[0]["level"], "error");
    let last = &results[24_999];
    assert_eq!(last["ruleId"], "compliance-gate/left-out");
    let text = last["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("2 findings left out"), "{text}");
    assert_eq!(results[24_998]["properties"]["severity"], "low");
    let errors = results.iter().filter(|result| result["level"] == "error").count();
    assert_eq!(errors, 12_501, "all that blocks is there");
}

#[test]
fn what_does_not_compress_is_left_out_too() {
    let mut scene = estate::big(8_500);
    let mut state = 1_u64;
    let mut random = |length: usize| {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from_u32(0x4e00 + (state >> 50) as u32).unwrap()
        };
        (0..length).map(|_| next()).collect::<String>()
    };
    for finding in scene.findings(0) {
        finding.resource_id = Some(random(500).into());
        finding.reason = Some(random(300).into());
    }
    let text = scene.render("sarif");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let size = encoder.finish().unwrap().len();
    assert!((9_000_000..10_000_000).contains(&size), "{size}");
    let sarif: Value = serde_json::from_str(&text).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let missing = compliance_gate::text::thousands(8_501 - results.len() as u64);
    let last = results.last().unwrap()["message"]["text"].as_str().unwrap();
    assert!(last.starts_with(&format!("{missing} findings left out")), "{last}");
}

#[test]
fn links_in_what_a_platform_says_are_dead() {
    let run = run(&estate::hostile("[look here](https://evil.example)"));
    let results = run["results"].as_array().unwrap().iter().map(|result| &result["message"]);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap().iter();
    let texts = rules.flat_map(|rule| [&rule["help"], &rule["fullDescription"]]);
    let texts: Vec<_> = results.chain(texts).map(|message| message["text"].to_string()).collect();
    assert!(texts.iter().any(|text| text.contains("[look here] (https://evil.example)")));
    assert!(!texts.iter().any(|text| text.contains("](")));
}

#[test]
fn it_is_what_the_standard_says() {
    let Some(schema) = public_schema("sarif-2.1.0.json") else { return };
    for scene in [
        estate::blocked(),
        estate::inconclusive(),
        estate::forgiven(),
        estate::hostile(estate::HOSTILE),
        estate::hostile(""),
        estate::big(25_001),
    ] {
        assert_valid(&schema, &serde_json::from_str(&scene.render("sarif")).unwrap());
    }
}
