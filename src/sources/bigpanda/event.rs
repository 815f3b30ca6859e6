//! An entry of the audit log becomes an event: the types and actions that it can mean, the actor, the
//! time, and the details that may be shown (docs/platforms/bigpanda.md#entries).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::details;
use super::kind::{Action, Kind};
use super::object::{self, Fields};
use super::wire;
use crate::finding::Fingerprint;
use crate::text;

/// An entry. Where it is ambiguous, every possibility is kept.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The type in the platform's spelling; `None` where the object has no envelope.
    pub stated: Option<String>,
    /// The types that it can have. Empty: an undocumented type.
    pub kinds: Vec<Kind>,
    pub action: Stated,
    /// When it happened; `None` where the object has no envelope.
    pub at: Option<DateTime<Utc>>,
    pub actor: Actor,
    pub resource_id: Option<String>,
    pub name: Option<String>,
    /// The plan's id, which may differ from that of the resource.
    pub plan_id: Option<String>,
    /// Whether it has the resource's state after the change; a deletion does not.
    pub has_object: bool,
    pub traits: Traits,
    /// Details for the reader, in sentences.
    pub details: Vec<String>,
    /// Texts that must not be shown, wherever they appear.
    pub secrets: BTreeSet<String>,
    /// The digest of the object without secrets.
    pub digest: Fingerprint,
}

/// What makes a change more or less severe than others of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// The plan is in force now.
    pub now: bool,
    /// The plan lasts for more than 30 days, or without end.
    pub long: bool,
    /// The update only shortens the plan.
    pub narrows: bool,
    /// The role has full access to something; `None` where its permissions are not stated.
    pub full_access: Option<bool>,
    /// Whether the resource is active after the change; `None` where that is not stated.
    pub active: Option<bool>,
}

/// The action that an entry states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    Action(Action),
    /// A snapshot of the state before the log; not a change.
    InitState,
    /// An undocumented word.
    Unknown(String),
    Nothing,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    /// By e-mail address.
    User(String),
    /// The platform itself.
    System,
    /// Not stated, or not by an e-mail address.
    Unknown,
}

impl Actor {
    pub(super) const SYSTEM: &'static str = "system-generated";

    /// The text that selectors and `expected_actors` are compared with, if there is one.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::User(email) => Some(email),
            Self::System => Some(Self::SYSTEM),
            Self::Unknown => None,
        }
    }

    fn of(entry: Fields<'_>) -> Self {
        let Some(actor) = entry.object("actor") else { return Self::Unknown };
        let email = actor.object("user").and_then(|user| user.text("email"));
        match (email, actor.text("type")) {
            (Some(email), _) => Self::User(email.trim().to_owned()),
            (None, Some(kind)) if kind.replace(['_', ' '], "-") == Self::SYSTEM => Self::System,
            (None, _) => Self::Unknown,
        }
    }
}

/// Whether an object is an entry itself, without a list around it.
pub(super) fn is_entry(fields: Fields<'_>) -> bool {
    (fields.has("resource_type") && fields.has("timestamp"))
        || (!fields.has("resource_type") && !Kind::by_shape(fields).is_empty())
}

impl Event {
    /// Reads an entry; `now` decides whether a plan is in force.
    ///
    /// # Errors
    /// What it lacks, as the end of a sentence that begins with its place. It is never left out: it
    /// could be the worst.
    pub(super) fn read(mut entry: Value, now: DateTime<Utc>) -> Result<Self, String> {
        let mut secrets = BTreeSet::new();
        object::scrub(&mut entry, &mut secrets);
        let fields = Fields::of(&entry)
            .ok_or_else(|| format!("is {} where an object was expected", wire::kind(&entry)))?;
        let envelope = fields.has("resource_type") || fields.has("timestamp");
        let event = if envelope { enveloped(fields, now) } else { bare(fields, now) };
        event.map(|event| Self { secrets, ..event })
    }

    /// The event of an object.
    fn about(kinds: Vec<Kind>, object: Option<Fields<'_>>, now: DateTime<Utc>) -> Self {
        let details = object.map(|object| details::of(&kinds, object, now)).unwrap_or_default();
        Self {
            stated: None,
            kinds,
            action: Stated::Nothing,
            at: None,
            actor: Actor::Unknown,
            resource_id: object.and_then(|object| object.text("id")).map(str::to_owned),
            name: object.and_then(details::name).map(str::to_owned),
            plan_id: object.and_then(|object| object.text("plan_id")).map(str::to_owned),
            has_object: object.is_some(),
            traits: details.traits,
            details: details.sentences,
            secrets: BTreeSet::new(),
            digest: Fingerprint::of(&[&object.map(Fields::json).unwrap_or_default()]),
        }
    }
}

fn enveloped(fields: Fields<'_>, now: DateTime<Utc>) -> Result<Event, String> {
    let lacks =
        |field: &str| format!("has no usable `{field}`, so it is not an entry of an audit log");
    let stated = fields.text("resource_type").ok_or_else(|| lacks("resource_type"))?;
    let at = fields.get("timestamp").and_then(object::moment).ok_or_else(|| lacks("timestamp"))?;
    let object = fields.object("object");
    if let Some(other) = fields.get("object").filter(|_| object.is_none()) {
        return Err(format!("has {} as its `object`", wire::kind(other)));
    }
    let resource_id = fields.get("resource_id").map(|id| match id {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    });
    let action = stated_action(fields)?;
    let event = Event::about(Kind::of_entry(stated, object), object, now);
    Ok(Event {
        stated: Some(stated.to_owned()),
        action,
        at: Some(at),
        actor: Actor::of(fields),
        resource_id: resource_id.or(event.resource_id),
        ..event
    })
}

/// An object without its envelope, as in seven of the vendor's samples
/// (docs/platforms/bigpanda.md#gaps-in-the-documentation): actor, action and time are unknown, so it
/// counts as the worst and as of now.
fn bare(fields: Fields<'_>, now: DateTime<Utc>) -> Result<Event, String> {
    let kinds = Kind::by_shape(fields);
    if kinds.is_empty() {
        return Err("has no `resource_type`, and its fields match no known type".to_owned());
    }
    let kinds = match fields.text("plan_type") {
        Some(_) => Kind::of_entry("alert_filtering", Some(fields)),
        None => kinds,
    };
    Ok(Event::about(kinds, Some(fields), now))
}

fn stated_action(fields: Fields<'_>) -> Result<Stated, String> {
    let word = match fields.get("action_type") {
        None => return Ok(Stated::Nothing),
        Some(Value::String(word)) if word.trim().is_empty() => return Ok(Stated::Nothing),
        Some(Value::String(word)) => word.trim(),
        Some(other) => return Err(format!("has {} as its `action_type`", wire::kind(other))),
    };
    let known = Action::STATED.into_iter().find(|action| action.word().eq_ignore_ascii_case(word));
    Ok(match known {
        Some(action) => Stated::Action(action),
        None if word.eq_ignore_ascii_case("init_state") => Stated::InitState,
        None => Stated::Unknown(text::one_line(word, 40)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: Value) -> Result<Event, String> {
        Event::read(entry, DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    fn entry(field: &str, value: Value) -> Value {
        let mut entry = json!({
            "actor": {"type": "user", "user": {"id": "u1", "email": "ann@example.com", "name": "Ann"}},
            "action_type": "create",
            "timestamp": 1_699_999_000,
            "resource_id": "r1",
            "resource_type": "environments",
            "object": {"id": "e1", "name": "production"}
        });
        entry[field] = value;
        entry
    }

    #[test]
    fn a_documented_entry_is_read_whole() {
        let event = read(entry("x", json!(null))).unwrap();
        assert_eq!(event.kinds, [Kind::Environments]);
        assert_eq!(event.action, Stated::Action(Action::Create));
        assert_eq!(event.at.map(|at| at.timestamp()), Some(1_699_999_000));
        assert_eq!(event.actor, Actor::User("ann@example.com".to_owned()));
        assert_eq!(event.resource_id.as_deref(), Some("r1"));
        assert_eq!(event.name.as_deref(), Some("production"));
    }

    #[test]
    fn a_missing_field_is_named() {
        for (field, value, has) in [
            ("resource_type", json!(null), "`resource_type`"),
            ("resource_type", json!(""), "`resource_type`"),
            ("resource_type", json!(7), "`resource_type`"),
            ("timestamp", json!(null), "`timestamp`"),
            ("timestamp", json!("yesterday"), "`timestamp`"),
            ("object", json!([]), "a list as its `object`"),
            ("object", json!("x"), "a text as its `object`"),
            ("action_type", json!(3), "a number as its `action_type`"),
        ] {
            let error = read(entry(field, value.clone())).unwrap_err();
            assert!(error.contains(has), "{field} {value}: {error}");
        }
        assert!(read(json!(null)).unwrap_err().contains("is null"));
        assert!(read(json!({"id": "x", "name": "y"})).unwrap_err().contains("no known type"));
    }

    #[test]
    fn actors_and_actions_that_are_not_stated_stay_unknown() {
        let user = |user: Value| json!({"type": "user", "user": user});
        for (value, actor) in [
            (json!(null), Actor::Unknown),
            (json!("ann@example.com"), Actor::Unknown),
            (user(json!(null)), Actor::Unknown),
            (user(json!({"id": "u1", "name": "ann@example.com"})), Actor::Unknown),
            (user(json!({"email": " "})), Actor::Unknown),
            (json!({"type": "system-generated"}), Actor::System),
            (json!({"type": "system_generated", "user": null}), Actor::System),
            (json!({"type": "robot"}), Actor::Unknown),
        ] {
            assert_eq!(read(entry("actor", value.clone())).unwrap().actor, actor, "{value}");
        }
        for (value, action) in [
            (json!(null), Stated::Nothing),
            (json!(""), Stated::Nothing),
            (json!("DELETE"), Stated::Action(Action::Delete)),
            (json!("init_state"), Stated::InitState),
            (json!("archive"), Stated::Unknown("archive".to_owned())),
        ] {
            assert_eq!(read(entry("action_type", value)).unwrap().action, action);
        }
    }
}
