//! What the object of an entry adds to a change: its severity, and details for the reader. Only the
//! fields that are named here are shown (docs/platforms/bigpanda.md#objects-by-type).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::event::Traits;
use super::kind::Kind;
use super::object::{Fields, seconds};
use crate::text;

/// The fields that have the name of a resource, by type.
const NAMES: [&str; 8] =
    ["plan_name", "name", "provider", "target_system_id", "username", "domain", "idP", "filter"];

/// A plan that ends later than this counts as permanent.
const LONG: TimeDelta = TimeDelta::days(30);

/// The details of an object.
#[derive(Default)]
pub(super) struct Details {
    pub traits: Traits,
    pub sentences: Vec<String>,
}

/// The name of a resource.
pub(super) fn name(object: Fields<'_>) -> Option<&str> {
    let config = || object.object("config")?.first_text(&["name", "destination"]);
    object.first_text(&NAMES).or_else(config)
}

/// The details of an object of one of these types.
pub(super) fn of(kinds: &[Kind], object: Fields<'_>, now: DateTime<Utc>) -> Details {
    match kinds.first() {
        Some(Kind::MaintenancePlan | Kind::FilteringPlan) => plan(object, now),
        Some(Kind::Roles | Kind::JitRoles) => role(object),
        Some(kind) => Details {
            traits: Traits { active: active(object), ..Traits::default() },
            sentences: sentences(*kind, object),
        },
        None => Details::default(),
    }
}

/// The window of a plan, and which of its fields were changed.
fn plan(object: Fields<'_>, now: DateTime<Utc>) -> Details {
    let mut details = Details::default();
    let windows = object.objects("time_window");
    for window in &windows {
        let (from, to) = (window.seconds("start"), window.seconds("end"));
        let begun = from.is_none_or(|from| from <= now.timestamp());
        let over = to.is_some_and(|to| to < now.timestamp());
        details.traits.now |= begun && !over;
        details.traits.long |= to.is_none_or(|to| to > (now + LONG).timestamp());
        let frequency = window.text("frequency").map_or_else(String::new, |frequency| {
            format!(" ({})", text::one_line(frequency, 20).to_lowercase())
        });
        let (from, to) = (date(from), date(to));
        details.sentences.push(format!("silences alerts from {from} to {to}{frequency}"));
    }
    details.traits.now |=
        object.text("plan_status").is_some_and(|s| s.eq_ignore_ascii_case("running"));
    if details.traits.now {
        details.sentences.push("in force now".to_owned());
    }
    if details.traits.long {
        details.sentences.push("ends in more than 30 days or never".to_owned());
    }
    let changes = object.objects("updated_fields");
    details.traits.narrows = !changes.is_empty() && changes.iter().all(|change| narrows(*change));
    if details.traits.narrows {
        details.sentences.push("the update makes it shorter".to_owned());
    }
    details
        .sentences
        .extend(listed("changed", changes.iter().filter_map(|c| c.text("field_name"))));
    details
}

/// Whether a change shortens the silenced time. The new value has two names in the documents.
fn narrows(change: Fields<'_>) -> bool {
    let old = change.get("old_value").and_then(seconds);
    let new = change.get("new_value").or_else(|| change.get("current_value")).and_then(seconds);
    match (change.text("field_name"), old, new) {
        (Some("end"), Some(old), Some(new)) => new < old,
        (Some("start"), Some(old), Some(new)) => new > old,
        _ => false,
    }
}

/// The permissions of a role.
fn role(object: Fields<'_>) -> Details {
    let permissions = object.objects("permissions");
    let is_full = |permission: &&Fields<'_>| {
        permission.texts("actions").iter().any(|action| action.eq_ignore_ascii_case("full_access"))
    };
    let full: Vec<_> = permissions.iter().filter(is_full).collect();
    // A permission that cannot be read could be full access.
    let are_stated = match object.get("permissions") {
        Some(Value::Array(list)) => list.len() == permissions.len(),
        Some(value) => value.is_object(),
        None => false,
    } && permissions.iter().all(|permission| permission.has("actions"));
    let are_stated = are_stated || !full.is_empty();
    let mut sentences = Vec::new();
    if !are_stated {
        sentences.push("its permissions are not stated".to_owned());
    }
    let of = full.iter().map(|permission| permission.text("resource_type").unwrap_or("?"));
    sentences.extend(listed("full access to", of));
    if let users @ 1.. = object.texts("users").len() {
        sentences.push(format!("held by {}", text::count(users as u64, "user")));
    }
    let traits =
        Traits { full_access: are_stated.then_some(!full.is_empty()), ..Traits::default() };
    Details { traits, sentences }
}

/// Whether a resource is active after the change, where the object states it.
fn active(object: Fields<'_>) -> Option<bool> {
    match object.get("active")? {
        Value::Bool(active) => Some(*active),
        Value::String(text) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    }
}

/// Details of the other types.
fn sentences(kind: Kind, object: Fields<'_>) -> Vec<String> {
    let field = |label: &str, name: &str| {
        object.text(name).map(|value| format!("{label} {}", text::one_line(value, 100)))
    };
    let flag =
        |name: &str, sentence: &str| object.get(name)?.as_bool()?.then(|| sentence.to_owned());
    let state =
        active(object).map(|active| if active { "active" } else { "not active" }.to_owned());
    let all: Vec<Option<String>> = match kind {
        Kind::SsoConfig => vec![
            field("identity provider", "idPissuer"),
            flag("disableRequestedAuthnContext", "RequestedAuthnContext is disabled"),
        ],
        Kind::SsoTest => vec![field("status", "status"), field("tested by", "tester")],
        Kind::JitDomains => vec![role_of(object)],
        Kind::Users => vec![field("state", "state")],
        Kind::CorrelationPatterns => vec![
            listed("correlates by", object.texts("tags").into_iter()),
            flag("cross_source", "across sources"),
            state,
        ],
        Kind::Environments => vec![field("filter", "filter"), state],
        Kind::AutoShareRules => vec![share(object)],
        Kind::Integrations => vec![changed(object)],
        Kind::TagOrder => {
            vec![listed("in the order", object.texts("alert_tags_order").into_iter())]
        }
        Kind::TagEnrichmentsOrder => vec![
            (!object.texts("enrichment_order").is_empty())
                .then(|| text::count(object.texts("enrichment_order").len() as u64, "enrichment")),
        ],
        Kind::MappingTableUpload => vec![
            object
                .seconds("total_count")
                .and_then(|rows| u64::try_from(rows).ok())
                .map(|rows| text::count(rows, "row")),
        ],
        _ => vec![field("of type", "type"), state],
    };
    all.into_iter().flatten().collect()
}

/// The role that users of a domain get: a list, an object or a text.
fn role_of(object: Fields<'_>) -> Option<String> {
    let roles = object.objects("role");
    let ids = roles.iter().filter_map(|role| role.text("id")).chain(object.texts("role"));
    listed("gives the role", ids)
}

fn share(object: Fields<'_>) -> Option<String> {
    let to = text::one_line(object.text("target_system_id")?, 100);
    let options = object.object("params").and_then(|params| params.object("autoshare_options"));
    let delay = options.and_then(|options| options.seconds("share_delay_seconds"));
    let delay = delay.map_or_else(String::new, |delay| format!(" after {delay} s"));
    Some(format!("shares incidents with {to}{delay}"))
}

/// The names of the changed fields; their values may be secrets.
fn changed(object: Fields<'_>) -> Option<String> {
    let changes = object.objects("changes");
    let names: Vec<_> = changes.iter().filter_map(|change| change.text("key")).collect();
    let sentence = listed("changed", names.iter().copied())?;
    let is_severe =
        names.iter().any(|name| matches!(*name, "allow_list" | "status_map" | "status"));
    Some(if is_severe {
        format!("{sentence}: which alerts arrive, or their severity")
    } else {
        sentence
    })
}

/// At most five names after a label, if there are any.
fn listed<'a>(label: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.map(|name| text::one_line(name, 60)).collect();
    (!names.is_empty()).then(|| format!("{label} {}", text::listed(names, ", ", 5)))
}

/// A time in text; a plan may end beyond the calendar.
pub(super) fn date(seconds: Option<i64>) -> String {
    match seconds {
        None => "an unknown time".to_owned(),
        Some(seconds) => DateTime::from_timestamp(seconds, 0).map_or_else(
            || "beyond any calendar".to_owned(),
            |at| at.format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn details(kind: Kind, object: &Value) -> Details {
        of(&[kind], Fields::of(object).unwrap(), DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn a_plan_is_weighed_by_its_window() {
        let hour = 3600;
        for (window, now, long) in [
            (json!({"start": NOW - hour, "end": NOW + hour}), true, false),
            (
                json!([{"start": (NOW - hour).to_string(), "end": (NOW + hour).to_string()}]),
                true,
                false,
            ),
            (json!({"start": NOW + hour, "end": NOW + 2 * hour}), false, false),
            (json!({"start": NOW - 2 * hour, "end": NOW - hour}), false, false),
            (json!({"start": NOW + hour, "end": 32_788_738_800_i64}), false, true),
            (json!({"start": NOW + hour, "end": i64::MAX}), false, true),
            (json!({"start": NOW - hour}), true, true),
            (json!({}), true, true),
            (json!(null), false, false),
        ] {
            let traits = details(Kind::MaintenancePlan, &json!({"time_window": window})).traits;
            assert_eq!((traits.now, traits.long), (now, long), "{window}");
        }
        let running = details(Kind::MaintenancePlan, &json!({"plan_status": "running"}));
        assert!(running.traits.now);
    }

    #[test]
    fn an_update_narrows_only_if_all_of_it_does() {
        let change = |name: &str, old: i64, new: i64| json!({"field_name": name, "old_value": old.to_string(), "new_value": new.to_string()});
        for (changes, narrows) in [
            (json!([change("end", 9, 5)]), true),
            (json!([change("end", 5, 9)]), false),
            (json!([change("start", 5, 9), change("end", 20, 10)]), true),
            (json!([change("end", 9, 5), change("start", 5, 3)]), false),
            (json!([change("end", 9, 5), {"field_name": "plan_name"}]), false),
            (json!({"field_name": "end", "old_value": "9", "current_value": "5"}), true),
            (json!([]), false),
            (json!(null), false),
        ] {
            let object = json!({"updated_fields": changes});
            let traits = details(Kind::FilteringPlan, &object).traits;
            assert_eq!(traits.narrows, narrows, "{changes}");
        }
    }

    #[test]
    fn full_access_is_found_and_unknown_where_nothing_is_stated() {
        let full = json!({"resource_type": "apikeys", "actions": ["full_access"]});
        let read = json!({"resource_type": "audit_logs", "actions": ["read"]});
        for (permissions, full_access) in [
            (json!([read, full]), Some(true)),
            (json!([read]), Some(false)),
            (json!([]), Some(false)),
            (full.clone(), Some(true)),
            (json!({"actions": "FULL_ACCESS"}), Some(true)),
            (json!(null), None),
            (json!("all"), None),
            (json!([read, "full_access"]), None),
            (json!([{"resource_type": "roles"}]), None),
        ] {
            let traits = details(Kind::Roles, &json!({"permissions": permissions})).traits;
            assert_eq!(traits.full_access, full_access, "{permissions}");
        }
        let words =
            details(Kind::Roles, &json!({"permissions": [full], "users": ["a", "b"]})).sentences;
        assert_eq!(words, ["full access to apikeys", "held by 2 users"]);
    }

    #[test]
    fn whether_a_resource_is_active_is_read() {
        for (value, active) in [
            (json!(true), Some(true)),
            (json!(false), Some(false)),
            (json!("False"), Some(false)),
            (json!(null), None),
            (json!(0), None),
        ] {
            let traits = details(Kind::CorrelationPatterns, &json!({"active": value})).traits;
            assert_eq!(traits.active, active, "{value}");
        }
    }

    #[test]
    fn values_of_integrations_are_never_shown() {
        let object = json!({"changes": [
            {"key": "allow_list", "old_value": ["*@a.example"], "new_value": ["*"]}
        ]});
        let words = details(Kind::Integrations, &object).sentences.concat();
        assert_eq!(words, "changed allow_list: which alerts arrive, or their severity");
    }
}
