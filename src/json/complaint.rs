//! What an answer with a good status says against itself. A list beside an error may be empty because
//! of the error.

use serde_json::Value;

use super::excerpt;

/// Fields that say, as `true`, that an answer is not whole.
const PARTIAL: [&str; 5] = ["partial", "incomplete", "truncated", "timedOut", "timed_out"];

/// The failure that an answer reports, by its fields.
pub(crate) fn complaint(field: impl Fn(&str) -> Option<Value>) -> Option<String> {
    let stated = |name: &str| field(name).filter(is_stated);
    let text = || {
        let texts = ["message", "error", "errors"].into_iter().filter_map(stated);
        let text = texts.map(|value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
        text.map(|text| excerpt(&text, 200)).next().unwrap_or_else(|| "no reason given".to_owned())
    };
    let sign = match (field("success"), field("statusCode"), field("status")) {
        (Some(success), ..) if success != true && !success.is_null() => {
            format!("`success: {success}`")
        }
        (_, Some(code), _) if is_failure(&code) => format!("`statusCode: {code}`"),
        (_, _, Some(status)) if is_failure(&status) => format!("`status: {status}`"),
        _ => {
            let names = PARTIAL.into_iter().filter(|name| field(name) == Some(Value::Bool(true)));
            let mut signs = names.map(|name| format!("`{name}: true`"));
            let errors = || ["errors", "error"].into_iter().find(|name| stated(name).is_some());
            signs.next().or_else(|| errors().map(|name| format!("`{name}`")))?
        }
    };
    Some(format!("{sign}: {}", text()))
}

/// Whether a status, a word or the number of HTTP, is that of a failure.
fn is_failure(status: &Value) -> bool {
    match status {
        Value::String(word) => {
            ["error", "failed", "failure"].iter().any(|bad| word.trim().eq_ignore_ascii_case(bad))
        }
        Value::Number(code) => code.as_u64().is_some_and(|code| !(200..300).contains(&code)),
        _ => false,
    }
}

/// Whether a field says anything.
pub(crate) fn is_stated(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_beside_a_list_is_recognised() {
        for (answer, expected) in [
            (json!({"items": []}), None),
            (json!({"success": true, "status": "success", "statusCode": 200}), None),
            (json!({"status": "pass", "error": "", "errors": [], "message": "x"}), None),
            (json!({"status": 200, "success": null, "partial": false, "error": null}), None),
            (json!({"success": false, "message": "no index"}), Some("`success: false`: no index")),
            (json!({"success": "true"}), Some("`success: \"true\"`: no reason given")),
            (json!({"status": "Error"}), Some("`status: \"Error\"`: no reason given")),
            (json!({"status": 503}), Some("`status: 503`: no reason given")),
            (json!({"statusCode": 500, "error": "x"}), Some("`statusCode: 500`: x")),
            (json!({"timedOut": true}), Some("`timedOut: true`: no reason given")),
            (json!({"error": "x"}), Some("`error`: x")),
            (json!({"errors": [{"title": "x"}]}), Some("`errors`: [{\"title\":\"x\"}]")),
        ] {
            let said = complaint(|name| answer.get(name).cloned());
            assert_eq!(said.as_deref(), expected, "{answer}");
        }
    }
}
