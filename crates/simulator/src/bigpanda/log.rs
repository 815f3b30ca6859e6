//! The entries of the audit log (docs/platforms/bigpanda.md, entries).

use serde_json::{Value, json};

use super::objects;
use super::settings::{Change, Settings, Timestamps};
use crate::clock::Clock;
use crate::hostile::Hostility;

/// An entry, and what queries filter by.
pub(crate) struct Entry {
    pub(crate) at: i64,
    pub(crate) resource_type: String,
    pub(crate) action: Option<String>,
    pub(crate) sent: Value,
}

/// All entries, newest first.
pub(crate) fn entries(settings: &Settings, clock: &Clock, hostility: Hostility) -> Vec<Entry> {
    let epoch = clock.at(0).timestamp();
    let filler = (0..settings.filler).map(filler);
    let mut entries: Vec<_> = settings
        .changes
        .iter()
        .cloned()
        .chain(filler)
        .map(|change| entry(settings, &change, epoch, hostility))
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries
}

fn filler(number: u64) -> Change {
    Change {
        kind: "tag".to_owned(),
        object_of: None,
        action: Some("update".to_owned()),
        actor: Some("ann@example.com".to_owned()),
        name: format!("tag-{number}"),
        minutes_ago: 1 + i64::try_from(number % 1400).unwrap_or_default(),
        starts_in_minutes: 0,
        ends_in_minutes: 0,
        object: serde_json::Map::new(),
    }
}

fn entry(settings: &Settings, change: &Change, epoch: i64, hostility: Hostility) -> Entry {
    let at = epoch - 60 * change.minutes_ago;
    let mut sent = json!({
        "actor": actor(change.actor.as_deref(), hostility),
        "action_type": change.action,
        "timestamp": timestamp(settings.timestamps, at),
        "resource_id": objects::id(&change.kind, &change.name),
        "resource_type": change.kind,
        "object": objects::object(change, epoch, hostility),
    });
    let by_user = change.actor.as_deref().is_some_and(|actor| actor.contains('@'));
    if let Some(fields) = sent.as_object_mut() {
        if by_user {
            let access = json!({"user_agent": "Mozilla/5.0", "ip_address": "192.0.2.17"});
            fields.insert("context".to_owned(), json!({"actor_access": access}));
        }
        if change.actor.is_none() {
            fields.remove("actor");
        }
        if change.action.is_none() {
            fields.remove("action_type");
        }
        fields.retain(|name, _| !settings.without.contains(name));
    }
    Entry { at, resource_type: change.kind.clone(), action: change.action.clone(), sent }
}

/// Only users have names.
fn actor(actor: Option<&str>, hostility: Hostility) -> Value {
    match actor {
        Some(email) if email.contains('@') => json!({
            "type": "user",
            "user": {
                "id": objects::id("users", email),
                "email": hostility.text(email),
                "name": hostility.text(email.split('@').next().unwrap_or_default()),
            }
        }),
        other => json!({"type": other}),
    }
}

fn timestamp(timestamps: Timestamps, at: i64) -> Value {
    match timestamps {
        Timestamps::Seconds => json!(at),
        Timestamps::Text => json!(at.to_string()),
        Timestamps::Milliseconds => json!(at * 1000 + 123),
        // Exact: half seconds of this century.
        Timestamps::Fraction => json!(at as f64 + 0.5),
    }
}
