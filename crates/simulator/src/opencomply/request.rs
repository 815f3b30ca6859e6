//! What handlers read from a request: bodies, repeated parameters, pages.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::reply::Refusal;

/// Query parameters in their order; names may repeat.
pub(crate) type Pairs = axum::extract::Query<Vec<(String, String)>>;

/// Which service reads the body: their refusals differ (docs/platforms/opencomply.md,
/// errors).
#[derive(Clone, Copy)]
pub(crate) enum Binder {
    Scheduler,
    Compliance,
}

/// echo's binding: an empty body is an empty object, whatever its type
/// (docs/platforms/opencomply.md, errors).
pub(crate) fn bind<T: DeserializeOwned + Default>(
    binder: Binder,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<T, Refusal> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    let refuse = |message: String| {
        Refusal::bad_request(match binder {
            Binder::Scheduler => "invalid request".to_owned(),
            Binder::Compliance => message,
        })
    };
    if !is_json {
        return Err(refuse("code=415, message=Unsupported Media Type".to_owned()));
    }
    serde_json::from_slice::<Option<T>>(body).map(Option::unwrap_or_default).map_err(|error| {
        refuse(format!("code=400, message=Syntax error: offset={}, error={error}", error.column()))
    })
}

/// The values of a parameter that may repeat, also as `name[]` (docs/platforms/opencomply.md,
/// reports).
pub(crate) fn values<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    pairs
        .iter()
        .filter(|(key, _)| key.strip_suffix("[]").unwrap_or(key) == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

/// A page of a list: `cursor` is a page number from 1, no `per_page` is everything, and a page past
/// the end is empty (docs/platforms/opencomply.md, lists).
pub(crate) fn page<T>(items: Vec<T>, cursor: Option<i64>, per_page: Option<i64>) -> Vec<T> {
    let Some(per_page) = per_page else {
        return items;
    };
    let size = usize::try_from(per_page.max(1)).unwrap_or(usize::MAX);
    let before = usize::try_from(cursor.unwrap_or(1).max(1) - 1).unwrap_or(usize::MAX);
    items.into_iter().skip(before.saturating_mul(size)).take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_from_one_and_end_empty() {
        let list = || vec![1, 2, 3, 4, 5];
        assert_eq!(page(list(), None, None), [1, 2, 3, 4, 5]);
        assert_eq!(page(list(), None, Some(2)), [1, 2]);
        assert_eq!(page(list(), Some(3), Some(2)), [5]);
        assert_eq!(page(list(), Some(4), Some(2)), [0; 0]);
        assert_eq!(page(list(), Some(1), Some(0)), [1]);
    }

    #[test]
    fn repeated_parameters_are_read_in_both_spellings() {
        let pairs = [("controls", "a"), ("controls[]", "b"), ("view", "both")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(values(&pairs, "controls"), ["a", "b"]);
    }
}
