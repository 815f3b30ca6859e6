//! How the platforms answer: Go's JSON, echo's messages, nginx's pages, the web UI.

use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Refusal>;

/// A refusal in echo's form: `{"message": "…"}` (docs/platforms/opencomply.md, errors).
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A plain Go error or a panic: the cause is hidden (docs/platforms/opencomply.md, errors).
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json_with(self.status, &json!({ "message": self.message }))
    }
}

pub(crate) fn json(value: &impl Serialize) -> Response {
    json_with(StatusCode::OK, value)
}

pub(crate) fn json_with(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match value.serialize(&mut Serializer::with_formatter(&mut body, GoStrings)) {
        Ok(()) => typed(status, "application/json", body),
        Err(error) => typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

pub(crate) fn typed(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A Go nil slice: an empty list is `null` on the wire (docs/platforms/opencomply.md, JSON).
pub(crate) fn nullable<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

/// The items of a page: null if the whole list is empty, `[]` on a page past the end
/// (docs/platforms/opencomply.md, lists).
pub(crate) fn items(page: Vec<Value>, total: usize) -> Value {
    if total == 0 { Value::Null } else { Value::Array(page) }
}

/// nginx's own error page (docs/platforms/opencomply.md, errors).
pub(crate) fn nginx(status: StatusCode) -> Response {
    let reason = match status {
        StatusCode::UNAUTHORIZED => "Authorization Required",
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::URI_TOO_LONG => "Request-URI Too Large",
        StatusCode::SERVICE_UNAVAILABLE => "Service Temporarily Unavailable",
        StatusCode::GATEWAY_TIMEOUT => "Gateway Time-out",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let title = format!("{} {reason}", status.as_u16());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx/1.27.4</center>\r\n</body>\r\n</html>\r\n"
    );
    typed(status, "text/html", page)
}

/// The web UI's index page: what any unknown path gives, with status 200
/// (docs/platforms/opencomply.md, routing).
pub(crate) fn web_ui() -> Response {
    typed(
        StatusCode::OK,
        "text/html; charset=utf-8",
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"/><title>OpenComply</title></head><body><div id=\"root\"></div></body></html>",
    )
}

/// Go escapes `<`, `>`, `&` and the two line separators inside strings
/// (docs/platforms/opencomply.md, JSON).
struct GoStrings;

impl Formatter for GoStrings {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // 0xe2 begins both separators. Most text has none of these, and pages are long.
        if !b"<>&\xe2".iter().any(|byte| fragment.as_bytes().contains(byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            if let Some(special) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(special))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let mut body = Vec::new();
        "a<b>&\u{2028}\"ü"
            .serialize(&mut Serializer::with_formatter(&mut body, GoStrings))
            .unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), r#""a\u003cb\u003e\u0026\u2028\"ü""#);
    }
}
