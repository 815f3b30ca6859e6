//! The JSON Schema of the configuration file, generated from the types that read it and compared
//! with the one that is published.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

use crate::config::file::{Day, File, Reports, Severities, Share, Sources, Version, Word};
use crate::finding::Severity;
use crate::report::{self, Format};
use crate::sources;

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/policy.schema.json");

#[test]
fn the_published_schema_is_that_of_the_types() -> Result<(), Box<dyn std::error::Error>> {
    let mut schema = serde_json::to_value(schemars::schema_for!(File))?;
    schema["title"] = "compliance-gate policy".into();
    refuse_null(&mut schema);
    let text = serde_json::to_string_pretty(&schema)? + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(PUBLISHED, &text)?;
    }
    let published = std::fs::read_to_string(PUBLISHED)?;
    assert!(
        published == text,
        "schemas/policy.schema.json is out of date; `UPDATE_SCHEMAS=1 cargo test` writes it anew"
    );
    Ok(())
}

/// A key that is there has a value: what is optional may be left out, not left empty.
fn refuse_null(schema: &mut serde_json::Value) {
    let is_null = |value: &serde_json::Value| *value == "null" || value["type"] == "null";
    match schema {
        serde_json::Value::Array(items) => {
            items.retain(|item| !is_null(item));
            items.iter_mut().for_each(refuse_null);
        }
        serde_json::Value::Object(keys) => keys.values_mut().for_each(refuse_null),
        _ => {}
    }
}

macro_rules! json_schema_of {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

json_schema_of!(Version, "Version", |_| json_schema!({"const": 1}));

json_schema_of!(Word, "Word", |_| json_schema!({"type": "string", "minLength": 1}));

json_schema_of!(Share, "Share", |_| json_schema!({
    "type": "string",
    "pattern": "^\\s*[0-9]{1,3}(\\.[0-9]{1,6})?\\s*%\\s*$"
}));

json_schema_of!(Day, "Day", |_| json_schema!({"type": "string", "format": "date"}));

json_schema_of!(Severities, "Severities", |_| {
    let words = Severity::NAMED.map(Severity::word);
    let least = format!("^>=\\s*({})$", words.join("|"));
    json_schema!({
        "anyOf": [
            {"enum": words},
            {"type": "string", "pattern": least},
            {"type": "array", "items": {"enum": words}, "minItems": 1}
        ]
    })
});

json_schema_of!(Reports, "Reports", |_| {
    let path = json_schema!({"type": "string", "minLength": 1});
    let keys: serde_json::Map<_, _> =
        report::FORMATS.iter().map(Format::key).map(|key| (key, path.clone().to_value())).collect();
    json_schema!({"type": "object", "properties": keys, "additionalProperties": false})
});

json_schema_of!(Sources, "Sources", |generator| {
    let systems: serde_json::Map<_, _> = sources::schemas(generator)
        .into_iter()
        .map(|(name, schema)| (format!("^{name}(/[A-Za-z0-9._-]+)?$"), schema.to_value()))
        .collect();
    json_schema!({"type": "object", "patternProperties": systems, "additionalProperties": false})
});
