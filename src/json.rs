//! JSON of a platform, read with distrust: what it unpacks to is bounded while it is read, a
//! repeated key is refused, and known tokens are masked after decoding.

use std::{fmt, io};

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::error::Category;
use serde_json::value::RawValue;

mod complaint;
mod guard;
mod number;
mod path;

pub(crate) use complaint::{complaint, is_stated};
pub(crate) use number::{MOST_COUNTED, Number, Whole};

use crate::secret::Mask;
use guard::{Guarded, Limits};

/// Why a text is not the JSON that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    kind: Kind,
    /// The field at which it was noticed.
    path: Option<String>,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EndsTooEarly,
    NotJson,
    NotAsPromised,
}

/// Reads a JSON text as the type that an API promises.
///
/// # Errors
/// If it is not JSON, or not of that type; the error names the field.
pub(crate) fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, JsonError> {
    let limits = Limits::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    T::deserialize(Guarded::new(&mut deserializer, &limits))
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| JsonError {
            path: path::at(text, error.line(), error.column()),
            ..JsonError::from(error)
        })
}

/// Reads JSON while it arrives. The seed keeps of it what is needed; values of which it keeps nothing
/// take no memory.
///
/// # Errors
/// If it is not JSON, or not what the seed expects.
pub(crate) fn from_reader<T, S>(reader: impl io::Read, seed: S) -> Result<T, JsonError>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    let limits = Limits::default();
    let mut deserializer = serde_json::Deserializer::from_reader(io::BufReader::new(reader));
    Guarded::new(seed, &limits)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(JsonError::from)
}

/// A part of an answer for an error, on one line of at most `most` characters.
fn excerpt(text: &str, most: usize) -> String {
    /// Bytes that may become shown characters, also where much is taken out.
    const NEAR: usize = 4 << 10;
    let end = (0..=text.len().min(NEAR)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    // Before it is cut to what is shown: half a token would not be recognised.
    let masked = Mask::for_errors().apply(text.get(..end).unwrap_or_default());
    crate::text::one_line(&masked, most)
}

/// Reads a part of an answer that was left unread.
///
/// # Errors
/// As `from_str`.
pub(crate) fn from_raw<'de, T: Deserialize<'de>>(raw: &'de RawValue) -> Result<T, JsonError> {
    from_str(raw.get())
}

/// Whether a text is the beginning of JSON, and ends before the JSON does.
pub(crate) fn is_cut(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

impl JsonError {
    /// Whether the text is no JSON at all, or only the beginning of it.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.kind, Kind::EndsTooEarly | Kind::NotJson)
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let kind = match error.classify() {
            Category::Eof => Kind::EndsTooEarly,
            Category::Syntax => Kind::NotJson,
            Category::Data | Category::Io => Kind::NotAsPromised,
        };
        // It may quote a text that no visitor has seen, and that is not masked therefore.
        let message = Mask::for_errors().apply(&error.to_string()).into_owned();
        Self { kind, path: None, message }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::EndsTooEarly => "JSON that ends too early",
            Kind::NotJson => "not JSON",
            Kind::NotAsPromised => "not as promised",
        })?;
        if let Some(path) = &self.path {
            write!(f, " at field `{path}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for JsonError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Page<'a> {
        #[serde(default, borrow)]
        rows: Vec<Option<Row<'a>>>,
    }

    #[derive(Debug, Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        name: std::borrow::Cow<'a, str>,
        count: Option<u64>,
        _room: Option<[u64; 24]>,
    }

    fn error<T: for<'a> Deserialize<'a> + fmt::Debug>(text: &str) -> String {
        from_str::<T>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_page_is_read() {
        let page: Page<'_> =
            from_str(r#"{"rows": [{"name": "a\u00e4", "count": 3}, null]}"#).unwrap();
        assert_eq!(page.rows.len(), 2);
        let row = page.rows[0].as_ref().unwrap();
        assert_eq!((&*row.name, row.count), ("aä", Some(3)));
    }

    #[test]
    fn an_error_names_the_field() {
        let text = r#"{"rows": [{"name": "a"}, {"name": "b", "count": "3"}]}"#;
        let message = from_str::<Page<'_>>(text).unwrap_err().to_string();
        assert!(message.starts_with("not as promised at field `rows[1].count`: "), "{message}");
        let message =
            from_str::<Page<'_>>(r#"{"rows": [{"name": "a"}, {"#).unwrap_err().to_string();
        assert!(message.starts_with("JSON that ends too early at field `rows[1]`"), "{message}");
        assert!(error::<BTreeMap<String, u64>>("<html>").starts_with("not JSON: "));
    }

    #[test]
    fn a_repeated_key_is_refused_by_every_reader() {
        for text in [
            r#"{"rows": [], "rows": []}"#,
            r#"{"a": 1, "b": 2, "a": 3}"#,
            r#"{"x": {"a": 1, "\u0061": 2}}"#,
        ] {
            let message = error::<serde_json::Value>(text);
            assert!(message.contains("repeated"), "{message}");
        }
        let twice = r#"{"a": 1, "a": 2}"#;
        assert!(error::<BTreeMap<String, u64>>(twice).contains("`a` is repeated"));
        let message = from_str::<Page<'_>>(r#"{"rows": [], "rows": []}"#).unwrap_err().to_string();
        assert!(message.contains("duplicate field `rows`"), "{message}");
    }

    #[test]
    fn a_small_text_cannot_unpack_to_a_lot_of_memory() {
        let text = format!(r#"{{"rows": [{}null]}}"#, "null,".repeat(4_000_000));
        let message = from_str::<Page<'_>>(&text).unwrap_err().to_string();
        assert!(message.contains("takes more than"), "{message}");
        let text = format!("[{}0]", "0,".repeat(20_000_000));
        assert!(error::<serde_json::Value>(&text).contains("takes more than"));
        assert!(error::<serde_json::Value>(&"[".repeat(100_000)).contains("recursion limit"));
    }

    #[test]
    fn no_error_quotes_a_token() {
        const TOKEN: &str = "qX7-quoted-in-an-error-w2";
        Mask::remember(TOKEN);
        let percent: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for quoted in [TOKEN, &percent] {
            for text in [
                format!(r#"{{"rows": [{{"name": "a", "count": "{quoted}"}}]}}"#),
                format!(r#"{{"rows": [{{"name": "a", "count": 1, "_room": "{quoted}"}}]}}"#),
                format!(r#"{{"rows": "{quoted}"}}"#),
                format!(r#"{{"rows": ["{quoted}"]}}"#),
            ] {
                let message = from_str::<Page<'_>>(&text).unwrap_err().to_string();
                assert!(!message.contains(&quoted[..12]), "{message}");
            }
            let message =
                error::<BTreeMap<String, Whole>>(&format!(r#"{{"{quoted}": "{quoted}"}}"#));
            assert!(!message.contains(&quoted[..12]), "{message}");
            let message =
                error::<BTreeMap<String, u8>>(&format!(r#"{{"{quoted}": 1, "{quoted}": 2}}"#));
            assert!(!message.contains(&quoted[..12]), "{message}");
        }
    }

    #[test]
    fn a_cut_text_is_recognised() {
        assert!(is_cut(r#"{"a": [1, {"b": 2}"#));
        assert!(is_cut(""));
        assert!(!is_cut("{}"));
        assert!(!is_cut("<html>"));
    }
}
