//! Whether anything was watching in a window without events (docs/platforms/sysdig.md#events).

use serde_json::Value;

use super::super::settings::{Events, Quiet};
use crate::evidence::Part;
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};
use crate::sources::Session;

/// Checks that a window without events was watched, as far as the platform shows it.
///
/// # Errors
/// If nothing was watching, or the platform cannot be asked.
pub(super) async fn check(
    settings: &Events,
    session: &Session,
    part: &mut Part,
) -> Result<(), Problem> {
    if settings.quiet == Quiet::Allowed {
        part.notes.push(
            "no event arrived, and `quiet: allowed` says that nothing needs to be watching".into(),
        );
        return Ok(());
    }
    let agents = ask(session, "api/agents/connected").await?;
    let agents = agents.and_then(|answer| answer.get("agents")?.as_array().map(Vec::len));
    if agents.is_some_and(|count| count > 0) {
        return Ok(());
    }
    let events = ask(session, "api/v1/secureEvents/hasEvents").await?;
    let what = match (agents, events.and_then(|answer| any_true(&answer))) {
        (Some(_), _) => "no agent is connected",
        (None, Some(false)) => "the platform has never had an event",
        (None, Some(true)) => return Ok(()),
        (None, None) => {
            let note = "no event arrived; whether anything was watching is not known";
            part.notes.push(note.into());
            return Ok(());
        }
    };
    let message = format!("{}: no event arrived, and {what}", session.name);
    Err(Problem::new(Cause::Empty, message).help(
        "check that the agents run and that cloud logs are connected; if a quiet platform without \
         agents is expected, set `events: {quiet: allowed}`",
    ))
}

/// The answer; `None` if the platform does not have this call, or not for this token.
async fn ask(session: &Session, path: &str) -> Result<Option<Value>, Problem> {
    match session.http.get(path, &[]).send().await.and_then(|answer| answer.json()) {
        Ok(answer) => Ok(Some(answer)),
        Err(HttpError {
            failure: Failure::Refused { .. } | Failure::Denied(_) | Failure::Protocol(_),
            ..
        }) => Ok(None),
        Err(error) => Err(error.problem()),
    }
}

/// Whether one of the flags of an answer is true; `None` if it has none. Their names are not
/// documented.
fn any_true(answer: &Value) -> Option<bool> {
    match answer {
        Value::Bool(flag) => Some(*flag),
        Value::Object(fields) => fields.values().filter_map(any_true).reduce(|a, b| a || b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_flag_is_enough() {
        for (answer, expected) in [
            (json!(true), Some(true)),
            (json!({"hasEvents": false}), Some(false)),
            (json!({"hasEvents": false, "hasLegacyEvents": true}), Some(true)),
            (json!({"data": {"newEvents": false}}), Some(false)),
            (json!({}), None),
            (json!([]), None),
            (json!("true"), None),
        ] {
            assert_eq!(any_true(&answer), expected, "{answer}");
        }
    }
}
