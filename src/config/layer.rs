//! One environment over the base, key by key.

use super::diagnostic::Diagnostic;
use super::node::{Key, Node, Value};
use super::slips;
use crate::text;

/// What an environment may change.
pub(super) const KEYS: [&str; 4] = ["mode", "sources", "gates", "evidence"];

/// The word for the base where a file has environments.
pub(super) const BASE: &str = "none";

/// The file without its environments and without the keys that are only there to be referred to.
pub(super) fn base(root: &Node) -> Node {
    let is_read =
        |(key, _): &&(Key, Node)| !key.name.starts_with("x-") && key.name != "environments";
    let entries = root.entries().iter().filter(is_read).cloned().collect();
    Node { value: Value::Map(entries), ..*root }
}

/// The base with what an environment changes.
pub(super) fn over(base: &Node, environment: &Node, diagnostics: &mut Vec<Diagnostic>) -> Node {
    let mut entries = base.entries().to_vec();
    if !environment.is_map() && !environment.is_null() {
        let message = slips::wrong_shape("environments", slips::ValueKind::Map, &environment.value);
        diagnostics.push(Diagnostic::at(environment.mark, message));
    }
    for (key, own) in environment.entries() {
        if !KEYS.contains(&key.name.as_str()) {
            diagnostics.push(Diagnostic::at(key.mark, unknown(&key.name, base)));
            continue;
        }
        let below = base.get(&key.name).filter(|below| !below.is_null());
        let node = match (key.name.as_str(), below) {
            ("sources", Some(below)) if below.is_map() && own.is_map() => Node {
                value: Value::Map(keyed(below.entries(), own.entries(), |below, own| {
                    with_keys(below, own)
                })),
                ..*own
            },
            ("gates", Some(below)) => gates(below, own),
            ("evidence", Some(below)) => with_keys(below, own),
            _ => own.clone(),
        };
        // Nothing is written here: nothing changes.
        if own.is_null() {
            continue;
        }
        entries.retain(|(other, _)| other.name != key.name);
        entries.push((key.clone(), node));
    }
    Node { value: Value::Map(entries), ..*base }
}

/// A key that an environment cannot have.
fn unknown(key: &str, base: &Node) -> String {
    let known = KEYS.join(", ");
    match base.get(key) {
        Some(_) => {
            format!("`{key}` is the same in all environments; an environment can change {known}")
        }
        None => format!(
            "unknown key `{key}` in an environment{} (known: {known})",
            text::did_you_mean(key, KEYS)
        ),
    }
}

/// The entries of two maps; `both` combines the values of keys that are in both.
fn keyed(
    below: &[(Key, Node)],
    own: &[(Key, Node)],
    both: impl Fn(&Node, &Node) -> Node,
) -> Vec<(Key, Node)> {
    let of = |entries: &[(Key, Node)], name: &str| {
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node.clone())
    };
    let kept = below.iter().filter(|(key, _)| of(own, &key.name).is_none()).cloned();
    let changed = own.iter().map(|(key, node)| {
        let node = of(below, &key.name).map_or_else(|| node.clone(), |below| both(&below, node));
        (key.clone(), node)
    });
    kept.chain(changed).collect()
}

/// A map whose keys are replaced by those of another one; anything else is replaced.
fn with_keys(below: &Node, own: &Node) -> Node {
    if own.is_null() {
        return below.clone();
    }
    if !own.is_map() || !below.is_map() {
        return own.clone();
    }
    let entries = keyed(below.entries(), own.entries(), |_, own| own.clone());
    Node { value: Value::Map(entries), ..*own }
}

/// Gates of the base, in its order, with the keys of the gates of the same id; then the others.
fn gates(below: &Node, own: &Node) -> Node {
    if !matches!((&below.value, &own.value), (Value::List(_), Value::List(_))) {
        return own.clone();
    }
    let id = |gate: &Node| gate.get("id").and_then(Node::text).map(str::to_owned);
    let same = |one: &Node, other: &Node| id(one).is_some() && id(one) == id(other);
    let changed = below.items().iter().map(|gate| {
        let own = own.items().iter().find(|own| same(own, gate));
        own.map_or_else(|| gate.clone(), |own| with_keys(gate, own))
    });
    let is_new = |gate: &&Node| !below.items().iter().any(|other| same(other, gate));
    let added = own.items().iter().filter(is_new).cloned();
    Node { value: Value::List(changed.chain(added).collect()), ..*own }
}

/// Gates of one list that have the same id.
pub(super) fn repeated(gates: Option<&Node>, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::BTreeSet::new();
    for id in gates.map(Node::items).unwrap_or_default().iter().filter_map(|gate| gate.get("id")) {
        if let Some(name) = id.text().filter(|name| !seen.insert(*name)) {
            let message = format!("gate id `{name}` is used twice; each gate needs its own");
            diagnostics.push(Diagnostic::at(id.mark, message));
        }
    }
}
