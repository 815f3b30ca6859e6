//! The JSON Schema of the configuration file, generated from the types that read it and compared
//! with the one that is published.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::accept::{Cap, UpstreamWord};
use super::accept_files::{Hexadecimal, Named, Pinned};
use super::cases::{CasesFile, CheckEntry, ExpectedGate, ExpectedState, Moment};
use super::file::{ByName, Environments, EvidenceEntry, File, GateEntry};
use super::reader::{Located, Maps};
use super::requires::Requires;
use super::taken;
use super::values::{Day, Line, Link, Reports, Severities, Share, StatedSeverities, Version, Word};
use crate::acceptance::Upstream;
use crate::finding::Severity;
use crate::policy::Mode;
use crate::report::{self, Format};
use crate::sources::{self, schema_of, written_as};
use crate::text;

#[test]
fn the_published_schema_is_that_of_the_types() -> Result<(), Box<dyn std::error::Error>> {
    let mut schema = serde_json::to_value(schemars::schema_for!(File))?;
    schema["title"] = "compliance-gate policy".into();
    refuse_null(&mut schema);
    // An environment that is the same as the base may be empty, and keys to refer to may be added.
    let environments = &mut schema["$defs"]["Environments"]["additionalProperties"];
    *environments = serde_json::json!({"anyOf": [environments.take(), {"type": "null"}]});
    schema["patternProperties"] = serde_json::json!({"^x-": true});
    text::published::check("policy.schema.json", &schema);
    Ok(())
}

#[test]
fn the_published_schema_of_test_cases_is_that_of_the_types()
-> Result<(), Box<dyn std::error::Error>> {
    let mut schema = serde_json::to_value(schemars::schema_for!(CasesFile))?;
    schema["title"] = "compliance-gate test cases of a policy".into();
    refuse_null(&mut schema);
    text::published::check("policy-test.schema.json", &schema);
    Ok(())
}

/// Adds the key by which an organisation's policy takes settings from the repository.
fn may_take(schema: &mut Value, of_estate: &[&str]) {
    if of_estate.is_empty() || !schema["properties"][taken::KEY].is_null() {
        return;
    }
    let words: Vec<_> = of_estate.iter().map(|path| taken::last(path)).collect();
    schema["properties"][taken::KEY] = serde_json::json!({
        "description": "Only in the policy of an organisation: settings, each of which chooses a part \
                        of the estate, that are taken from the repository's source of the same name.",
        "type": "array",
        "minItems": 1,
        "items": {"enum": words}
    });
    let Value::Object(keys) = schema else { return };
    let Some(Value::Array(required)) = keys.get_mut("required") else { return };
    let (taken, own): (Vec<_>, Vec<_>) =
        required.drain(..).partition(|key| of_estate.iter().any(|path| key == path));
    *required = own;
    let mut whole = serde_json::json!({"required": taken});
    if let Some(one) = keys.remove("oneOf") {
        whole["oneOf"] = one;
    }
    keys.insert("anyOf".to_owned(), serde_json::json!([whole, {"required": [taken::KEY]}]));
}

/// A key that is there has a value: what is optional may be left out, not left empty.
fn refuse_null(schema: &mut Value) {
    let is_null = |value: &Value| *value == "null" || value["type"] == "null";
    match schema {
        Value::Array(items) => {
            items.retain(|item| !is_null(item));
            items.iter_mut().for_each(refuse_null);
        }
        Value::Object(keys) => keys.values_mut().for_each(refuse_null),
        _ => {}
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Maps<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

written_as!(Line => String);

schema_of! {
    Hexadecimal, "Sha256", |_| json_schema!({
        "type": "string", "pattern": "^\\s*[0-9A-Fa-f]{64}\\s*$"
    });
    Named, "AcceptFile", |generator| {
        let pinned = generator.subschema_for::<Pinned>();
        json_schema!({"anyOf": [{"type": "string"}, pinned]})
    };
    Version, "Version", |_| json_schema!({"const": 1});
    Requires, "Requires", |_| json_schema!({
        "type": "string", "pattern": "^>=\\s*[0-9]+(\\.[0-9]+){0,2}$"
    });
    Word, "Word", |_| json_schema!({"type": "string", "pattern": "^[^!]"});
    Link, "Link", |_| json_schema!({"type": "string", "format": "uri", "pattern": "^https?://"});
    Share, "Share", |_| json_schema!({
        "type": "string", "pattern": "^\\s*[0-9]{1,3}(\\.[0-9]{1,6})?\\s*%\\s*$"
    });
    Moment, "Moment", |_| json_schema!({
        "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$"
    });
    CheckEntry, "Check", |_| {
        let severities = Severity::NAMED.into_iter().chain([Severity::Unknown]);
        let words: Vec<_> = severities.map(Severity::word).collect();
        let text = serde_json::json!({
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        });
        let mut keys = serde_json::json!({
            "source": {"type": "string"},
            "severity": {"enum": words},
            "count": {"type": "integer", "minimum": 0},
            "created_at": {"type": "string"}
        });
        for field in CheckEntry::fields() {
            keys[field.word()] = text.clone();
        }
        json_schema!({"type": "object", "properties": keys, "additionalProperties": false})
    };
    ExpectedGate, "ExpectedGate", |generator| {
        let state = generator.subschema_for::<ExpectedState>();
        json_schema!({
            "anyOf": [state, {
                "type": "object",
                "properties": {"state": state, "failed": {"type": "integer", "minimum": 0}},
                "additionalProperties": false
            }]
        })
    };
    Day, "Day", |_| json_schema!({"type": "string", "format": "date"});
    UpstreamWord, "Upstream", |_| {
        let words: Vec<_> = Upstream::all().map(Upstream::word).collect();
        json_schema!({"enum": words})
    };
    Cap, "SeverityCap", |_| {
        let words = Severity::NAMED.map(Severity::word);
        let cap = format!("^<=\\s*({})$", words.join("|"));
        json_schema!({
            "anyOf": [
                {"type": "string", "pattern": cap},
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "string", "pattern": cap}, {"const": "unknown"}]},
                    "minItems": 1,
                    "maxItems": 2
                }
            ]
        })
    };
    Severities, "Severities", |_| {
        let words = Severity::NAMED.map(Severity::word);
        let least = format!("^>=\\s*({})$", words.join("|"));
        json_schema!({
            "anyOf": [
                {"enum": words},
                {"type": "string", "pattern": least},
                {"type": "array", "items": {"enum": words}, "minItems": 1}
            ]
        })
    };
    StatedSeverities, "StatedSeverities", |_| {
        let named = Severity::NAMED.map(Severity::word);
        let words: Vec<_> = named.iter().chain([&Severity::Unknown.word()]).copied().collect();
        let compared = format!("^[<>]=\\s*({})$", named.join("|"));
        let one = json_schema!({"anyOf": [{"enum": words}, {"type": "string", "pattern": compared}]});
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    };
    Reports, "Reports", |_| {
        let path = json_schema!({"type": "string", "minLength": 1});
        let formats = report::FORMATS.iter().map(Format::key);
        let keys: serde_json::Map<_, _> =
            formats.map(|key| (key, path.clone().to_value())).collect();
        json_schema!({"type": "object", "properties": keys, "additionalProperties": false})
    };
    ByName, "Sources", |generator| by_name(generator, |schema| schema);
    // An environment changes single keys, so hardly any is required.
    Environments, "Environments", |generator| {
        let mut gate = GateEntry::json_schema(generator);
        gate.insert("required".to_owned(), serde_json::json!(["id"]));
        let sources = by_name(generator, |mut schema| {
            schema.remove("required");
            schema.remove("oneOf");
            schema.remove("anyOf");
            schema
        });
        let mode = generator.subschema_for::<Mode>();
        let evidence = generator.subschema_for::<EvidenceEntry>();
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "mode": mode,
                    "sources": sources,
                    "gates": {"type": "array", "items": gate},
                    "evidence": evidence
                },
                "additionalProperties": false
            }
        })
    };
}

fn by_name(generator: &mut SchemaGenerator, change: impl Fn(Schema) -> Schema) -> Schema {
    let schemas = sources::schemas(generator);
    for (name, schema) in &schemas {
        let path = schema.as_object().and_then(|schema| schema.get("$ref")).and_then(Value::as_str);
        let definition = path.and_then(|path| path.strip_prefix("#/$defs/"));
        let definition = definition.and_then(|key| generator.definitions_mut().get_mut(key));
        let system = sources::SYSTEMS.iter().find(|system| system.name == *name);
        if let Some((definition, system)) = definition.zip(system) {
            may_take(definition, system.of_estate);
        }
    }
    let systems: serde_json::Map<_, _> = schemas
        .into_iter()
        .map(|(name, schema)| {
            let key = format!("^{name}(/[A-Za-z0-9._-]+)?$");
            let whole = schema.as_object().and_then(|schema| schema.get("$ref")).cloned();
            let definition = whole
                .as_ref()
                .and_then(Value::as_str)
                .and_then(|path| generator.definitions().get(path.strip_prefix("#/$defs/")?));
            let own: Option<Schema> = definition.and_then(|own| own.clone().try_into().ok());
            let Some(own) = own else { return (key, schema.to_value()) };
            let changed = change(own.clone());
            let schema = if changed == own { schema } else { changed };
            (key, schema.to_value())
        })
        .collect();
    json_schema!({"type": "object", "patternProperties": systems, "additionalProperties": false})
}
