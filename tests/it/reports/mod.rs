//! What readers of a report see: people, CI hosts, programs, and who tries to deceive them.

use crate::common::estate;

mod code_quality;
mod hostile;
mod hosts;
mod html;
mod json;
mod junit;
mod markdown;
mod people;
mod samples;
mod sarif;
mod sinks;
mod xml;

/// A schema, if the public ones are at hand: beside the repository, or where `SHARED` says.
fn public_schema(name: &str) -> Option<jsonschema::Validator> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let asked = std::env::var_os("SHARED");
    let folder = asked.clone().unwrap_or_else(|| beside.into());
    let path = std::path::Path::new(&folder).join("schemas").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(validator(&text)),
        Err(error) if asked.is_some() => panic!("{}: {error}", path.display()),
        // The conformance script has no such mercy.
        Err(_) => None,
    }
}

fn our_schema() -> jsonschema::Validator {
    validator(include_str!("../../../schemas/report.schema.json"))
}

fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

fn assert_valid(schema: &jsonschema::Validator, document: &serde_json::Value) {
    let errors: Vec<_> = schema
        .iter_errors(document)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// CI hosts merge the reports of all jobs of a pipeline. What has the same name there is dropped,
/// or replaces what another job wrote.
#[test]
fn no_two_reports_of_one_pipeline_share_a_name() {
    let names = |policy: &str, environment: Option<&str>| {
        let mut names = std::collections::BTreeSet::new();
        for mut scene in [estate::blocked(), estate::inconclusive()] {
            scene.path = policy.to_owned();
            scene.environment = environment.map(str::to_owned);
            let sarif: serde_json::Value = serde_json::from_str(&scene.render("sarif")).unwrap();
            names.insert(format!("sarif {}", sarif["runs"][0]["automationDetails"]["id"]));
            let junit = xml::read(&scene.render("junit"));
            for suite in junit.all("testsuite") {
                names.insert(format!("suite {}", suite.get("name")));
            }
            for case in junit.all("testcase") {
                names.insert(format!("case {} {}", case.get("classname"), case.get("name")));
            }
            let list = scene.render("code-quality");
            for entry in serde_json::from_str::<Vec<serde_json::Value>>(&list).unwrap() {
                names.insert(format!("code quality {}", entry["fingerprint"]));
            }
        }
        names
    };
    let reports = [
        names("gate.yaml", None),
        names("gate.yaml", Some("staging")),
        names("gate.yaml", Some("production")),
        names("deploy/gate.yaml", None),
        names("deploy/gate.yaml", Some("production")),
    ];
    for (at, one) in reports.iter().enumerate() {
        assert!(one.len() > 30, "{}", one.len());
        for other in &reports[at + 1..] {
            let shared: Vec<_> = one.intersection(other).take(3).collect();
            assert!(shared.is_empty(), "{shared:?}");
        }
    }
}

/// The same for the entry that counts what does not fit.
#[test]
fn what_is_left_out_of_two_lists_has_two_names() {
    let mut scene = estate::big(10_001);
    let mut last = |environment: &str| {
        scene.environment = Some(environment.to_owned());
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&scene.render("code-quality")).unwrap();
        assert_eq!(list.last().unwrap()["check_name"], "compliance-gate/left-out");
        list.last().unwrap()["fingerprint"].clone()
    };
    assert_ne!(last("staging"), last("production"));
}

#[test]
fn the_same_input_makes_the_same_bytes_in_whatever_order_it_came() {
    let scene = estate::blocked();
    let mut shuffled = scene.clone();
    shuffled.findings(0).reverse();
    shuffled.findings(1).reverse();
    assert_eq!(scene.read(), shuffled.read());
    for format in compliance_gate::report::FORMATS {
        assert!(scene.render(format.name) == shuffled.render(format.name), "{}", format.name);
    }
}

#[test]
fn formats_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> =
        compliance_gate::report::FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(names.len(), compliance_gate::report::FORMATS.len());
}
