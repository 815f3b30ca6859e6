//! Published schemas, each compared with the types that it describes.

use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// Compares a schema with the published one. `UPDATE_SCHEMAS=1 cargo test` writes it anew.
pub(crate) fn check(file: &str, schema: &impl serde::Serialize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file);
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(
        published == text,
        "schemas/{file} is not that of its types; run UPDATE_SCHEMAS=1 cargo test, and see whether \
         the change asks for a new version"
    );
}

/// The same, of a format with an id of its own.
pub(crate) fn check_format(file: &str, mut schema: Schema, id: &str, title: &str) {
    schema.insert("$id".to_owned(), id.into());
    schema.insert("title".to_owned(), title.into());
    check(file, &schema);
}

/// The same, of a type that is only written: a field that is left out where it is empty is not required.
pub(crate) fn check_written<T: JsonSchema>(file: &str, id: &str, title: &str) {
    let settings = SchemaSettings::default().for_serialize();
    check_format(file, settings.into_generator().into_root_schema_for::<T>(), id, title);
}
