//! What to write instead, where a value or a key is not what is expected.

use super::diagnostic::is_secret;
use super::node::Value;
use crate::text;

/// The kind of value that a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Number,
    Bool,
    List,
    Map,
    /// One value or a list.
    Value,
}

/// A key that is missing.
pub(super) fn missing(key: &str) -> String {
    let how = match key {
        "version" => "; begin the file with `version: 1`",
        "url" => "; write the platform's address, such as `url: https://compliance.example.com`",
        "id" => "; each gate has its own name, such as `id: no-critical`",
        "source" => "; name the source that the gate asks, such as `source: opencomply`",
        "frameworks" => "; name the frameworks to evaluate, such as `frameworks: [cis_v150]`",
        "window" => "; say how far back to look, such as `window: 24h`",
        _ => "",
    };
    format!("`{key}` is missing{how}")
}

/// A key or a word that is not known.
pub(super) fn unknown(what: &str, given: &str, known: &[&'static str]) -> String {
    let hint = instead(given, known).map_or_else(
        || match is_secret(given) {
            true => "; tokens do not belong in this file: set them as variables in the pipeline"
                .to_owned(),
            false => text::did_you_mean(given, known.iter().copied()),
        },
        |instead| format!("; {instead}"),
    );
    format!("unknown {what} `{given}`{hint} (known: {})", known.join(", "))
}

/// What other tools call it.
fn instead(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let (key, sentence) = match given {
        "min_severity" | "minimum_severity" | "severity_min" | "severity_threshold" => {
            ("severity", "write `severity: \">= high\"`")
        }
        "max_severity" => ("severity", "write the severities as a list, `severity: [low, medium]`"),
        "max_failures" | "max_failed" | "max_findings" | "threshold" | "limit" => {
            ("max", "write `max: 0` for the most failures allowed")
        }
        "fail_on" | "fail_on_severity" | "severity_cutoff" => {
            ("max", "write `severity: \">= high\"` and `max: 0`")
        }
        "pass_rate" | "min_pass" | "min_score" => ("min_pass_rate", "write `min_pass_rate: 95%`"),
        "name" | "title" => ("id", "a gate's name is its `id`"),
        "interval" | "poll_interval" => ("poll", "write `poll: {interval: 10s}`"),
        "timeout" => (
            "request_timeout",
            "`request_timeout` limits one request, and `deadline`, \
                                          at the top of the file, limits the run",
        ),
        "max_age" => ("source", "it belongs under `evidence:`, and holds for all gates"),
        "block" | "blocking" => ("level", "write `level: block` or `level: warn`"),
        "base_url" | "endpoint" | "host" => ("url", "the platform's address is its `url`"),
        "fail_open" => (
            "max_age",
            "write an entry of `accept`, at the top of the file, with `cause`, `source`, `reason`, \
             `owner` and `expires`",
        ),
        "accepted" => (
            "zones",
            "write an entry of `accept`, at the top of the file, with `upstream: sysdig.acceptance`",
        ),
        "older_than" => (
            "rule",
            "an age cannot be used here, since it changes by itself; only gates select by it",
        ),
        "from_repository" => (
            "token_env",
            "only the policy of an organisation can take settings from the repository",
        ),
        "until" | "end" | "expiry" | "expires_on" | "expires_at" => {
            ("expires", "write the last day on which it holds, such as `expires: 2027-01-31`")
        }
        _ => return None,
    };
    known.contains(&key).then_some(sentence)
}

/// A key without a value.
pub(super) fn no_value(key: &str, wanted: ValueKind, line: &str) -> String {
    let commented = line.split_once(':').is_some_and(|(_, rest)| rest.trim().starts_with('#'));
    match (commented, wanted) {
        (true, _) => format!(
            "a value is missing here: an unquoted `#` begins a comment; write it in quotes, as in \
             `{key}: \"#name\"`"
        ),
        (_, ValueKind::Map) => format!("a value is missing here; write `{key}: {{}}` for none"),
        _ => "a value is missing here; write one, or leave the key out".to_owned(),
    }
}

/// A value of another kind than the key takes.
pub(super) fn wrong_shape(key: &str, wanted: ValueKind, value: &Value) -> String {
    let given = match value {
        Value::Scalar { text, .. } => text::shorten(text, 60),
        _ => "".into(),
    };
    let sentence = match (wanted, value) {
        (ValueKind::Number, Value::Scalar { .. }) => {
            format!("`{given}` is not a whole number of 0 or more, without quotes")
        }
        (ValueKind::Number, _) => "a whole number is expected here".to_owned(),
        (ValueKind::Bool, _) => "this is not `true` or `false`, without quotes".to_owned(),
        (ValueKind::List, Value::Scalar { .. }) => {
            format!("a list is expected here; write `[{given}]`")
        }
        (ValueKind::List, _) => "a list is expected here; begin each item with `- `".to_owned(),
        (ValueKind::Map, Value::List(_)) => {
            "keys with values are expected here, as in `key: value`, and not a list".to_owned()
        }
        (ValueKind::Map, _) => "keys with values are expected here, as in `key: value`".to_owned(),
        (ValueKind::Text, Value::List(_)) => "one value is expected here, not a list".to_owned(),
        _ => "one value is expected here, not keys with values".to_owned(),
    };
    let example = match (key, wanted) {
        ("max" | "min_evaluated", ValueKind::Number) if !matches!(value, Value::Scalar { .. }) => {
            "; write one gate for each severity, such as `{severity: critical, max: 0}`"
        }
        ("integrations", ValueKind::Map) => {
            "; write what identifies the integration, such as `{name: production}` or \
             `{provider_id: \"122814690049\"}`"
        }
        ("images", ValueKind::Map) => {
            "; name the image, such as `{tag: registry.example.com/app:1}`"
        }
        ("run", ValueKind::Map) => "; write `run: {when: always}`",
        ("poll", ValueKind::Map) => "; write `poll: {interval: 10s}`",
        ("gates", ValueKind::Map | ValueKind::List) => "; each gate begins with `- id: name`",
        ("sources", ValueKind::Map) => "; each source is a key, such as `opencomply:`",
        ("environments", ValueKind::Map) => "; each environment is a key, such as `production:`",
        ("reports", ValueKind::Map) => "; write `reports: {junit: reports/gate.xml}`",
        ("evidence", ValueKind::Map) => "; write `evidence: {max_age: 24h}`",
        ("accept", ValueKind::Map | ValueKind::List) => "; each entry begins with `- id: name`",
        _ => "",
    };
    format!("{sentence}{example}")
}
