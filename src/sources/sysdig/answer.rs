//! Reads an answer, and recognises a refusal that has status 200.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::http::{Answer, Failure, HttpError};
use crate::json;

/// The object that the API promises.
///
/// # Errors
/// If it is something else, or an error beside something that looks like it.
pub(super) fn object<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, HttpError> {
    let fields: BTreeMap<String, &RawValue> = answer.json()?;
    let field = |name: &str| json::from_raw::<Value>(fields.get(name)?).ok();
    // Only refusals have a message (docs/platforms/sysdig.md#errors-and-limits).
    let message = || field("message").filter(json::is_stated).map(|text| text.to_string());
    let complaint = json::complaint(field).or_else(message);
    let failed = |complaint| {
        let status = answer.status();
        let message = format!("the answer is an error despite status {status}: {complaint}");
        answer.failed(Failure::Protocol(message))
    };
    complaint.map_or_else(|| answer.json(), |complaint| Err(failed(complaint)))
}
