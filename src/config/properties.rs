//! Names that become properties of an attestation, which distinguish less than names do.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::node::Mark;
use crate::report::attestation::property;

/// Reports each name that has the property of another one. `what`: what is named.
pub(super) fn check<'a>(
    kind: &str,
    what: &str,
    names: impl IntoIterator<Item = (&'a str, Mark)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut reported: Vec<&str> = Vec::new();
    for (name, mark) in names {
        let property = property(kind, name);
        let other = *first.entry(property.clone()).or_insert(name);
        if other != name && !reported.contains(&name) {
            reported.push(name);
            let message = format!(
                "{what} `{name}` and `{other}` would both be {property} in an attestation; rename \
                 one of them"
            );
            diagnostics.push(Diagnostic::at(mark, message));
        }
    }
}
