//! The envelope of a list. None is documented; three are accepted
//! (docs/platforms/bigpanda.md#envelope-and-paging). Any other shape is an error and never "nothing
//! found".

use serde_json::Value;

use super::object::Fields;
use crate::json::{self, Whole};
use crate::text;

/// The names of the list in an object.
const LISTS: [&str; 8] =
    ["items", "item", "audit_logs", "logs", "data", "results", "plans", "maintenance_plans"];

/// Fields that announce more pages.
const MORE: [&str; 6] = ["hasMore", "has_more", "next", "next_cursor", "nextCursor", "next_page"];

/// One page of rows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub rows: Vec<Value>,
    /// The number of rows in all pages, where the platform states it.
    pub total: Option<u64>,
    /// The answer is one row without a list.
    pub single: bool,
    /// The answer announces more pages.
    pub more: bool,
}

/// Reads a page. `is_row` recognises an object that is a row itself.
///
/// # Errors
/// What the answer is instead, as a sentence.
pub(super) fn page(answer: Value, is_row: fn(Fields<'_>) -> bool) -> Result<Page, String> {
    let mut fields = match answer {
        Value::Array(rows) => return Ok(Page { rows, ..Page::default() }),
        Value::Object(fields) => fields,
        other => return Err(format!("the answer is {}, not a list", kind(&other))),
    };
    let answer = Value::Object(fields.clone());
    if Fields::of(&answer).is_some_and(is_row) {
        return Ok(Page { rows: vec![answer], single: true, ..Page::default() });
    }
    if let Some(said) = json::complaint(|name| answer.get(name).cloned()) {
        return Err(format!("the response body is an error despite its status: {said}"));
    }
    let lists: Vec<_> =
        LISTS.into_iter().filter(|name| fields.get(*name).is_some_and(Value::is_array)).collect();
    let [list] = lists.as_slice() else {
        let names: Vec<_> = fields.keys().take(8).map(|name| text::one_line(name, 40)).collect();
        return Err(format!(
            "the answer is an object ({}) that is neither a row nor has exactly one list of rows (such \
             as `items`)",
            if names.is_empty() { "empty".to_owned() } else { names.join(", ") }
        ));
    };
    let total = match fields.get("total").filter(|total| !total.is_null()) {
        Some(total) => Some(
            serde_json::from_value::<Whole>(total.clone())
                .map_err(|_| "the answer has a `total` that is not a count")?
                .0,
        ),
        None => None,
    };
    let more = MORE.iter().any(|name| match fields.get(*name) {
        Some(Value::Bool(more)) => *more,
        Some(Value::String(cursor)) => !cursor.is_empty(),
        _ => false,
    });
    match fields.remove(*list) {
        Some(Value::Array(rows)) => Ok(Page { rows, total, single: false, more }),
        _ => Err(format!("the answer has no list under `{list}`")),
    }
}

/// The type of a value, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(answer: Value) -> Result<Page, String> {
        page(answer, |fields| fields.has("resource_type"))
    }

    #[test]
    fn three_envelopes_are_accepted() {
        let row = json!({"resource_type": "tag"});
        let rows = vec![row.clone()];
        let page = |total, single| Ok(Page { rows: rows.clone(), total, single, more: false });
        assert_eq!(read(json!([row])), page(None, false));
        assert_eq!(read(json!({"items": [row], "total": 7})), page(Some(7), false));
        assert_eq!(read(json!({"items": [row], "total": "7"})), page(Some(7), false));
        assert_eq!(read(json!({"items": [row], "total": 7.0})), page(Some(7), false));
        assert_eq!(read(json!({"data": [row], "total": null})), page(None, false));
        assert_eq!(read(row), page(None, true));
        assert_eq!(read(json!([])), Ok(Page::default()));
        for more in [json!({"items": [], "hasMore": true}), json!({"logs": [], "next_cursor": "x"})]
        {
            assert!(read(more.clone()).unwrap().more, "{more}");
        }
        assert!(!read(json!({"items": [], "has_more": false, "next": null})).unwrap().more);
    }

    #[test]
    fn any_other_shape_is_an_error_that_describes_it() {
        for (answer, has) in [
            (json!(null), "null"),
            (json!("ok"), "a text"),
            (json!(0), "a number"),
            (json!({}), "empty"),
            (json!({"status": "success"}), "(status)"),
            (json!({"items": {}}), "(items)"),
            (json!({"items": [], "logs": []}), "(items, logs)"),
            (json!({"status": "ok", "auditLogs": [], "pagination": {}}), "auditLogs"),
            (json!({"items": [], "total": "many"}), "not a count"),
            (json!({"items": [], "total": -1}), "not a count"),
            (json!({"items": [], "total": 3.5}), "not a count"),
            (json!({"items": [], "errors": ["expired"]}), "expired"),
            (json!({"items": [], "success": false}), "success: false"),
            (json!({"data": [], "error": "Forbidden", "message": "no"}), "no"),
        ] {
            let error = read(answer.clone()).unwrap_err();
            assert!(error.contains(has), "{answer}: {error}");
        }
    }
}
