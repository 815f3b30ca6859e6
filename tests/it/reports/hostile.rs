//! Names of resources reach the reports, and their authors may be hostile.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::{assert_valid, our_schema, public_schema, xml};
use crate::common::estate::{self, HOSTILE};

/// How GitHub, Azure and TeamCity find commands in a line, and what terminals obey.
fn assert_harmless(text: &str) {
    for line in text.split(['\n', '\r']) {
        assert!(!line.trim_start().starts_with("::"), "a live command: {line:?}");
        for rest in line.split("##").skip(1) {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            assert!(!rest.starts_with('['), "a live command: {line:?}");
        }
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}')
        };
        assert!(!line.contains(hidden), "a hidden character: {line:?}");
    }
}

/// Everything that a program may take out of a document and print.
fn assert_values_harmless(value: &serde_json::Value) {
    match value {
        serde_json::Value::String(text) => assert_harmless(text),
        serde_json::Value::Array(values) => values.iter().for_each(assert_values_harmless),
        serde_json::Value::Object(map) => map.values().for_each(assert_values_harmless),
        _ => {}
    }
}

fn assert_elements_harmless(element: &xml::Element) {
    assert_harmless(&element.text);
    element.attributes.values().for_each(|value| assert_harmless(value));
    element.children.iter().for_each(assert_elements_harmless);
}

fn assert_all_harmless(text: &str) {
    static SARIF: OnceLock<Option<jsonschema::Validator>> = OnceLock::new();
    static JSON: OnceLock<jsonschema::Validator> = OnceLock::new();
    let scene = estate::hostile(text);
    assert_harmless(&scene.read());

    let junit = scene.render("junit");
    assert_harmless(&junit);
    assert_elements_harmless(&xml::read(&junit));

    let json = scene.render("json");
    assert_harmless(&json);
    let json = serde_json::from_str(&json).unwrap();
    assert_values_harmless(&json);
    assert_valid(JSON.get_or_init(our_schema), &json);

    let markdown = scene.render("markdown");
    assert_harmless(&markdown);
    super::markdown::assert_inert(&markdown);

    let html = scene.render("html");
    assert_harmless(&html);
    super::html::assert_inert(&html);

    let code_quality = scene.render("code-quality");
    assert_harmless(&code_quality);
    assert_values_harmless(&serde_json::from_str(&code_quality).unwrap());
    assert_harmless(&scene.render("dotenv"));
    super::hosts::assert_only_our_commands(&scene);

    let sarif = scene.render("sarif");
    assert_harmless(&sarif);
    let sarif = serde_json::from_str(&sarif).unwrap();
    assert_values_harmless(&sarif);
    if let Some(schema) = SARIF.get_or_init(|| public_schema("sarif-2.1.0.json")) {
        assert_valid(schema, &sarif);
    }
}

#[test]
fn known_tricks_do_nothing() {
    assert_all_harmless(HOSTILE);
    for text in ["", " ", "\n", "::", "##[", "]]>", "\u{202e}", "#", ":", "\u{1b}]0;x\u{7}"] {
        assert_all_harmless(text);
    }
    // A break between words brings the command to the beginning of a line.
    assert_all_harmless(&format!("{} ::error::x ##[error]y", "word ".repeat(16)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_a_platform_says_steers_anything(
        pieces in prop::collection::vec(
            prop_oneof![
                any::<char>().prop_map(String::from),
                "[ #:a-z\\[\\]<>&\"']{0,8}",
                prop::sample::select(vec![
                    "::error::", "##[error]", "##vso[x]", "\r\n", "]]>", "\u{202e}", "\u{1b}[2J", "<!--",
                    "@octo", "#12", "|", "`", "\\", "https://evil.example", "[a](b)", "</code>", "</details>", ":tada:",
                ])
                .prop_map(str::to_owned),
            ],
            0..40,
        )
    ) {
        assert_all_harmless(&pieces.concat());
    }
}
