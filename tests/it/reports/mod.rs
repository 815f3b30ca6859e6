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

#[test]
fn the_same_input_makes_the_same_bytes_in_whatever_order_it_came() {
    let scene = estate::blocked();
    let mut shuffled = scene.clone();
    for outcome in &mut shuffled.outcomes {
        outcome.parts.iter_mut().for_each(|part| part.findings.reverse());
    }
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
