//! Reads an answer, and recognises a refusal that has status 200.

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Answer, Failure, HttpError};
use crate::text;

/// Fields that only refusals have (docs/platforms/sysdig.md#errors-and-limits).
#[derive(Deserialize)]
struct RefusalBody {
    error: Option<Value>,
    errors: Option<Value>,
    message: Option<Value>,
}

/// The object that the API promises.
///
/// # Errors
/// If it is something else, or an error beside something that looks like it.
pub(super) fn object<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, HttpError> {
    let RefusalBody { error, errors, message } = answer.json()?;
    if let Some(refusal) = [error, errors, message].into_iter().flatten().find(is_stated) {
        let refusal = match refusal {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let message = format!(
            "the answer is an error despite status {}: {}",
            answer.status(),
            text::one_line(&refusal, 200)
        );
        return Err(answer.failed(Failure::Protocol(message)));
    }
    answer.json()
}

fn is_stated(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}
