//! Statements as verifiers print them.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

/// What a statement of a verification result says. What it lacks is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub predicate_type: String,
    pub verifier: String,
    pub time_created: String,
    pub properties: Vec<String>,
    /// Names and SHA-256 of policies.
    pub policies: Vec<(String, String)>,
}

/// Reads a statement, a list of what `gh attestation verify --format json` prints, or the lines of
/// `cosign verify-attestation`.
///
/// # Errors
/// A sentence, if it is not JSON, or if a part of it is none of these.
pub(super) fn read(text: &str) -> Result<Vec<Statement>, String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut statements = Vec::new();
    for value in values {
        match value.map_err(|error| format!("it is not JSON: {error}"))? {
            Value::Array(entries) => {
                for entry in &entries {
                    statements.push(unwrapped(entry)?);
                }
            }
            value => statements.push(unwrapped(&value)?),
        }
    }
    Ok(statements)
}

/// The statement in what a verifier prints about one attestation.
fn unwrapped(value: &Value) -> Result<Statement, String> {
    if let Some(statement) = value.pointer("/verificationResult/statement") {
        return statement_of(statement);
    }
    if let Some(payload) = value.get("payload").and_then(Value::as_str) {
        let decoded = BASE64_STANDARD.decode(payload).ok();
        let decoded = decoded.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let decoded = decoded.ok_or("the payload of an envelope cannot be read")?;
        return statement_of(&decoded);
    }
    statement_of(value)
}

fn statement_of(value: &Value) -> Result<Statement, String> {
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let list = |path: &str| value.pointer(path).and_then(Value::as_array).into_iter().flatten();
    if !text("/_type").starts_with("https://in-toto.io/Statement/") {
        return Err("it is neither a statement of in-toto nor the output of gh or cosign".into());
    }
    let policy = |policy: &Value| {
        let text = |path: &str| policy.pointer(path)?.as_str().map(str::to_owned);
        Some((text("/name")?, text("/digest/sha256")?))
    };
    Ok(Statement {
        predicate_type: text("/predicateType").to_owned(),
        verifier: text("/predicate/verifier/id").to_owned(),
        time_created: text("/predicate/timeCreated").to_owned(),
        properties: list("/predicate/properties")
            .filter_map(|property| property.as_str().map(str::to_owned))
            .collect(),
        policies: list("/predicate/verifier/policies").filter_map(policy).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str = r#"{"_type": "https://in-toto.io/Statement/v1", "predicateType": "t",
        "predicate": {"verifier": {"id": "v", "policies": [{"name": "n", "digest": {"sha256": "d"}},
        {"name": "without a digest"}]}, "timeCreated": "now", "properties": ["a", 1]}}"#;

    #[test]
    fn each_verifier_is_read() {
        let expected = Statement {
            predicate_type: "t".into(),
            verifier: "v".into(),
            time_created: "now".into(),
            properties: vec!["a".into()],
            policies: vec![("n".into(), "d".into())],
        };
        let gh = format!(r#"[{{"verificationResult": {{"statement": {STATEMENT}}}}}]"#);
        let payload = BASE64_STANDARD.encode(STATEMENT);
        let cosign = format!("{{\"payload\": \"{payload}\"}}\n{{\"payload\": \"{payload}\"}}\n");
        for (text, count) in [(STATEMENT, 1), (&*gh, 1), (&*cosign, 2)] {
            let statements = read(text).unwrap();
            assert_eq!(statements.len(), count, "{text}");
            assert!(statements.iter().all(|statement| *statement == expected), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("[]").unwrap(), []);
        for text in ["{}", "[1]", "null", "{", r#"{"payload": "!"}"#, r#"{"payload": "e30="}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
