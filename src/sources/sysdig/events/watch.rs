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
    let agents = ask(session, "api/agents/connected", connected).await?;
    if matches!(agents, Shown::Known(1..)) {
        return Ok(());
    }
    let events = ask(session, "api/v1/secureEvents/hasEvents", any_true).await?;
    let what = match (agents, events) {
        (Shown::Known(_), _) => "no agent is connected",
        (_, Shown::Known(true)) => return Ok(()),
        (_, Shown::Known(false)) => "the platform has never had an event",
        (Shown::Nothing, Shown::Nothing) => {
            let note = "no event arrived; whether anything was watching is not known: the platform \
                        does not show it to this token";
            part.notes.push(note.into());
            return Ok(());
        }
        (Shown::Unreadable, _) | (_, Shown::Unreadable) => {
            let message = format!(
                "{}: no event arrived, and whether anything was watching is not known: \
                 agents/connected and hasEvents have no answer of a known shape",
                session.name
            );
            return Err(Problem::new(Cause::Protocol, message).help(HELP));
        }
    };
    let message = format!("{}: no event arrived, and {what}", session.name);
    Err(Problem::new(Cause::Empty, message).help(HELP))
}

const HELP: &str = "check that the agents run and that cloud logs are connected; if a quiet platform \
                    without agents is expected, set `events: {quiet: allowed}`";

/// What the platform shows of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown<T> {
    Known(T),
    /// It does not have this call, or not for this token.
    Nothing,
    /// It answers, in a shape that is not known.
    Unreadable,
}

async fn ask<T>(
    session: &Session,
    path: &str,
    read: fn(&Value) -> Option<T>,
) -> Result<Shown<T>, Problem> {
    match session.http.get(path, &[]).send().await.and_then(|answer| answer.json()) {
        Ok(answer) => Ok(read(&answer).map_or(Shown::Unreadable, Shown::Known)),
        Err(HttpError { failure: Failure::Refused { .. } | Failure::Denied(_), .. }) => {
            Ok(Shown::Nothing)
        }
        Err(HttpError { failure: Failure::Protocol(_), .. }) => Ok(Shown::Unreadable),
        Err(error) => Err(error.problem()),
    }
}

/// How many agents are connected: those of the list that do not say otherwise. Without a list, a
/// total of none is one, too.
fn connected(answer: &Value) -> Option<usize> {
    let is_off = |agent: &&Value| match agent.get("connected") {
        Some(Value::Bool(flag)) => !flag,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("false"),
        _ => false,
    };
    match answer.get("agents") {
        Some(Value::Array(agents)) => Some(agents.iter().filter(|agent| !is_off(agent)).count()),
        None | Some(Value::Null) => (answer.get("total")?.as_u64()? == 0).then_some(0),
        Some(_) => None,
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
    fn an_agent_that_says_that_it_is_not_connected_does_not_count() {
        for (agents, expected) in [
            (json!([]), 0),
            (json!([{}]), 1),
            (json!([{"connected": false}, {"connected": true}, {"connected": null}]), 2),
            (json!([{"connected": false}]), 0),
            (json!([{"connected": "false"}]), 0),
        ] {
            assert_eq!(connected(&json!({"agents": agents})), Some(expected), "{agents}");
        }
        assert_eq!(connected(&json!({"total": 0})), Some(0));
        for answer in [json!({}), json!([]), json!({"agents": 3}), json!({"total": 1})] {
            assert_eq!(connected(&answer), None, "{answer}");
        }
    }

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
