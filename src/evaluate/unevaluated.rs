//! What follows from accounts that a platform does not evaluate: a gate that asks for one of them
//! cannot be decided, and one that counts everything warns.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Part, Unevaluated};
use crate::finding::{Cause, Problem};
use crate::policy::{Gate, Policy};
use crate::selection::Field;
use crate::text;

/// For each account that the gate names, or counts by itself.
pub(super) fn problems<'a>(
    name: &str,
    part: &'a Part,
    gate: &'a Gate,
) -> impl Iterator<Item = Problem> {
    let is_each = gate.each == Some(Field::Account);
    let selected = part.unevaluated.iter().filter(move |one| match is_each {
        true => gate.selection.matches_account(&one.account),
        false => gate.selection.names_account(&one.account),
    });
    selected.map(move |one| {
        let account = text::one_line(&one.account.to_string(), 200);
        let (cause, what, help) = match &one.why {
            Some(why) => (
                Cause::Incomplete,
                format!("account {account}, which the gate selects, {why}"),
                "connect and enable it on the platform, or leave it out with `except`",
            ),
            None => (
                Cause::Empty,
                format!("there is no result for account {account}, which the gate selects"),
                "check that the platform discovers this account, or set `min_evaluated: 0`",
            ),
        };
        Problem::new(cause, format!("{name}: {what}")).help(help)
    })
}

/// A warning for each piece of evidence in which accounts are missing that a gate counts.
pub(super) fn warnings(policy: &Policy, evidence: &Evidence) -> Vec<String> {
    let mut warnings = Vec::new();
    for outcome in &evidence.outcomes {
        let gates = || policy.gates.iter().filter(|gate| gate.uses(&outcome.source));
        let is_counted =
            |one: &&Unevaluated| gates().any(|gate| gate.selection.matches_account(&one.account));
        for part in outcome.parts.iter().filter(|part| part.problems.is_empty()) {
            let (stated, silent): (Vec<_>, Vec<_>) =
                part.unevaluated.iter().filter(is_counted).partition(|one| one.why.is_some());
            let framework = part.framework.as_ref();
            let framework = framework.map_or_else(String::new, |id| format!(": framework `{id}`"));
            let place = format!("{}{framework}", outcome.source);
            if !silent.is_empty() {
                let names = silent.iter().map(|one| one.account.to_string());
                warnings.push(format!(
                    "{place}: there is no result at all, passed or failed, for account {}; check \
                     that the platform discovers it",
                    listed(names)
                ));
            }
            let mut by_reason: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for Unevaluated { account, why } in stated {
                by_reason.entry(why.as_deref().unwrap_or_default()).or_default().push(account);
            }
            warnings.extend(by_reason.into_iter().map(|(why, accounts)| match &accounts[..] {
                [one] => {
                    let account = listed([one.to_string()]);
                    format!("{place}: account {account} {why}; what is known of it is not renewed")
                }
                several => format!(
                    "{place}: {}, each of which {why}: {}; what is known of them is not renewed",
                    text::count(several.len() as u64, "account"),
                    listed(several.iter().map(ToString::to_string))
                ),
            }));
        }
    }
    warnings
}

fn listed(texts: impl IntoIterator<Item = String>) -> String {
    text::one_line(&text::listed(texts, ", ", 5), 600)
}
