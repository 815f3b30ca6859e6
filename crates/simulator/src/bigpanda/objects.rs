//! What an entry shows of its resource, by type (docs/platforms/bigpanda.md, objects by type).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::settings::Change;
use crate::data;
use crate::hostile::Hostility;
use crate::ids;

/// The objects by type, with `{…}` in the place of what differs from resource to resource.
static OBJECTS: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| data::table(include_str!("../../data/bigpanda/objects.json")));

/// The types whose objects are known.
pub(crate) fn kinds() -> Vec<&'static str> {
    OBJECTS.keys().map(String::as_str).collect()
}

/// An id of 24 hex digits, the same for the same resource.
pub(crate) fn id(kind: &str, name: &str) -> String {
    let seed = ids::hash(&format!("{kind}/{name}"));
    let tail = u32::try_from(ids::mix(seed) >> 32).unwrap_or_default();
    format!("{seed:016x}{tail:08x}")
}

/// The object after the change; null once it is deleted (docs/platforms/bigpanda.md, entries).
pub(crate) fn object(change: &Change, epoch: i64, hostility: Hostility) -> Value {
    if change.action.as_deref() == Some("delete") {
        return Value::Null;
    }
    let kind = change.object_of.as_deref().unwrap_or(&change.kind);
    let mut object = generated(kind, change, epoch, hostility);
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in &change.object {
            match value {
                Value::Null => fields.remove(name),
                value => fields.insert(name.clone(), value.clone()),
            };
        }
    }
    object
}

fn generated(kind: &str, change: &Change, epoch: i64, hostility: Hostility) -> Value {
    let plain = change.name.as_str();
    let name = hostility.text(plain).into_owned();
    let Some(object) = OBJECTS.get(kind) else {
        return json!({"id": id(kind, plain), "name": name});
    };
    let numbers = [
        ("{now}", epoch),
        ("{start}", epoch + 60 * change.starts_in_minutes),
        ("{end}", epoch + 60 * change.ends_in_minutes),
    ];
    let texts = [
        ("{now_text}", epoch.to_string()),
        ("{id}", id(kind, plain)),
        ("{uuid}", ids::uuid(plain)),
        ("{first_uuid}", ids::uuid("first")),
        ("{second_uuid}", ids::uuid("second")),
        ("{secret}", secret(plain)),
        ("{user}", id("users", "somebody")),
        ("{viewer}", id("roles", "viewer")),
        ("{organization}", id("org", "example")),
        // Last, so that nothing is replaced inside of it.
        ("{name}", name),
    ];
    filled(object, &numbers, &texts)
}

/// The object with numbers in the place of whole texts, and texts in the place of parts.
fn filled(object: &Value, numbers: &[(&str, i64)], texts: &[(&str, String)]) -> Value {
    match object {
        Value::String(text) => match numbers.iter().find(|(name, _)| name == text) {
            Some((_, number)) => json!(number),
            None => texts
                .iter()
                .fold(text.clone(), |text, (name, value)| text.replace(name, value))
                .into(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, numbers, texts)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, numbers, texts)))
            .collect(),
        other => other.clone(),
    }
}

/// A key as the platform would make it: 32 hex digits.
fn secret(name: &str) -> String {
    ids::uuid(&format!("secret of {name}")).replace('-', "")
}
