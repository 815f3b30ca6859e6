//! The cloud accounts that are connected to the platform (docs/platforms/sysdig.md#accounts).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::settings::{Inventory, Match};
use super::super::units::{given, id};
use crate::evidence::Unevaluated;
use crate::finding::{Account, Cause, Problem};
use crate::http::Failure;
use crate::selection::Pattern;
use crate::sources::{OneOrMore, Session};
use crate::text;

/// What to do about an account that is not evaluated.
const CONNECT: &str = "connect the account on the platform, and switch its posture feature on";

/// A connected account.
#[derive(Debug)]
pub(super) struct Connected {
    account: Account,
    provider: Option<String>,
    /// Why its posture is not evaluated, as the end of a sentence.
    why_not: Option<&'static str>,
}

/// What the platform shows of its accounts.
#[derive(Debug)]
pub(super) enum Accounts {
    /// Those that could be read, and how many could not.
    Listed(Vec<Connected>, u64),
    /// The platform, or the token, does not show them.
    Refused(String),
    /// The answer is not one that is known, or there is none.
    Unknown(Problem),
}

/// A row. Every field may be missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default, deserialize_with = "id")]
    provider_id: Option<String>,
    provider_alias: Option<String>,
    provider: Option<String>,
    enabled: Option<bool>,
    feature: Option<Value>,
    features: Option<Value>,
}

impl Row {
    fn connected(self) -> Option<Connected> {
        let name = given(&self.provider_alias).map(Arc::from);
        let why_not = self.why_not();
        let account = Account { id: self.provider_id?.into(), name };
        Some(Connected { account, provider: self.provider, why_not })
    }

    /// The platform's JSON may leave out what is false, so only what is stated is on.
    fn why_not(&self) -> Option<&'static str> {
        let features = self.feature.as_ref().or(self.features.as_ref());
        match (self.enabled, features.and_then(posture)) {
            (Some(true), Some(true)) => None,
            (Some(true), Some(false)) => Some("is connected, with posture switched off"),
            (Some(false), _) => Some("is connected, but disabled"),
            (None, _) => Some("is listed, but not stated to be enabled"),
            (_, None) => Some("is connected, but its posture is not stated to be on"),
        }
    }
}

/// Whether the posture feature is on; `None` if features are not stated at all.
fn posture(features: &Value) -> Option<bool> {
    let is_on = |feature: &Value| match feature {
        Value::Object(fields) => fields.get("enabled") == Some(&Value::Bool(true)),
        other => *other == Value::Bool(true),
    };
    match features {
        Value::Object(all) => {
            Some(all.iter().any(|(name, feature)| is_posture(name) && is_on(feature)))
        }
        Value::Array(all) => Some(all.iter().any(|feature| {
            let name = feature.get("type").and_then(Value::as_str);
            name.is_some_and(is_posture) && is_on(feature)
        })),
        _ => None,
    }
}

/// `secureConfigPosture`, `secure_config_posture` and `FEATURE_SECURE_CONFIG_POSTURE` are one feature.
fn is_posture(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name = letters.map(|letter| letter.to_ascii_lowercase()).collect::<String>();
    name.trim_start_matches("feature") == "secureconfigposture"
}

/// Asks for the connected accounts.
///
/// # Errors
/// If the run was stopped.
pub(super) async fn ask(session: &Session) -> Result<Accounts, Problem> {
    let sent = session.http.get("api/cloudauth/v1/accounts", &[]).send().await;
    let answer = sent.and_then(|answer| match answer.json()? {
        list @ Value::Array(_) => Ok(list),
        _ => answer::object(&answer),
    });
    match answer {
        Ok(answer) => Ok(read(answer).unwrap_or_else(|what| {
            let message = format!("{}: cloudauth/accounts {what}", session.name);
            Accounts::Unknown(Problem::new(Cause::Protocol, message))
        })),
        Err(error) => match error.failure {
            Failure::Stopped(_) => Err(error.problem()),
            Failure::Refused { .. } | Failure::Denied(_) => {
                Ok(Accounts::Refused(error.to_string()))
            }
            _ => Ok(Accounts::Unknown(error.problem())),
        },
    }
}

/// The list may be the answer itself, or in one of its fields; a list without rows may be left out.
/// The error is what is wrong, as the end of a sentence.
fn read(answer: Value) -> Result<Accounts, String> {
    let unknown = || "answers in a form that is not known".to_owned();
    let (rows, total) = match answer {
        Value::Array(rows) => (rows, None),
        Value::Object(mut fields) => {
            let total = ["total", "totalCount"].into_iter().find_map(|name| fields.get(name));
            let total = total.and_then(Value::as_u64);
            match ["accounts", "data"].into_iter().find_map(|name| fields.remove(name)) {
                Some(Value::Array(rows)) => (rows, total),
                Some(Value::Null) => (Vec::new(), total),
                None if fields.is_empty() => (Vec::new(), None),
                _ => return Err(unknown()),
            }
        }
        _ => return Err(unknown()),
    };
    let all = rows.len() as u64;
    if let Some(total) = total.filter(|total| *total > all) {
        return Err(format!("lists {all} of {total} accounts"));
    }
    let read = |row| serde_json::from_value::<Row>(row).ok()?.connected();
    let listed: Vec<_> = rows.into_iter().filter_map(read).collect();
    let unread = all - listed.len() as u64;
    Ok(Accounts::Listed(listed, unread))
}

impl Accounts {
    /// What a reader should know of what is not known.
    pub(super) fn note(&self) -> Option<String> {
        let why = match self {
            Self::Listed(_, 0) => return None,
            Self::Listed(_, unread) => {
                let rows = text::count(*unread, "row");
                format!("cloudauth/accounts has {rows} that cannot be read")
            }
            Self::Refused(why) => why.clone(),
            Self::Unknown(problem) => problem.message.clone(),
        };
        Some(format!("not known which cloud accounts are evaluated: {why}"))
    }

    /// The accounts of the policy that are not connected, or whose posture is not evaluated; or that
    /// the platform should have said so, and did not.
    pub(super) fn doubt(&self, source: &str, inventory: &Inventory) -> Option<Problem> {
        let asked = [&inventory.account, &inventory.project, &inventory.subscription];
        let listed = match self {
            Self::Unknown(problem) if asked.iter().any(|list| list.is_some()) => {
                return Some(problem.clone());
            }
            Self::Listed(listed, _) => listed,
            Self::Unknown(_) | Self::Refused(_) => return None,
        };
        // A project or a subscription may be known to the inventory by another name.
        let absent = asked_for(listed, inventory.account.as_ref())
            .filter(|(_, found)| found.is_empty())
            .map(|(word, _)| format!("{} is not connected", text::one_line(&word.to_string(), 60)));
        let off = asked.into_iter().flat_map(|list| asked_for(listed, list.as_ref()));
        let off = off.flat_map(|(_, found)| found).filter_map(|account| {
            let name = text::one_line(&account.account.to_string(), 120);
            Some(format!("{name} {}", account.why_not?))
        });
        let states: BTreeSet<_> = absent.chain(off).collect();
        (!states.is_empty()).then(|| {
            let message = format!("{source}: cloud accounts: {}", text::listed(states, "; ", 5));
            Problem::new(Cause::Incomplete, message).help(CONNECT)
        })
    }

    /// The accounts that are not evaluated, of all that an inventory leaves. `seen`: the cloud
    /// accounts that have results.
    pub(super) fn unevaluated(
        &self,
        inventory: Option<&Inventory>,
        seen: &BTreeSet<Arc<str>>,
    ) -> Vec<Unevaluated> {
        let Self::Listed(listed, _) = self else { return Vec::new() };
        let only = inventory.and_then(|inventory| inventory.account.as_ref());
        let off = listed.iter().filter_map(|one| {
            let is_asked = only.is_none_or(|only| only.0.iter().any(|word| one.is(word)));
            let why = one.why_not.filter(|_| is_asked)?;
            Some(Unevaluated { account: one.account.clone(), why: Some(why.into()) })
        });
        let gone = seen
            .iter()
            .filter(|id| !listed.iter().any(|one| one.account.id.eq_ignore_ascii_case(id)));
        let gone = gone.map(|id| Unevaluated {
            account: Account { id: Arc::clone(id), name: None },
            why: Some("has results, but is not connected".into()),
        });
        off.chain(gone).collect()
    }

    /// What gates that name an account will miss.
    pub(super) fn named<'a>(
        &'a self,
        session: &'a Session,
        inventory: Option<&Inventory>,
    ) -> impl Iterator<Item = Problem> {
        let off = self.unevaluated(inventory, &BTreeSet::new()).into_iter().filter(|one| {
            let demands = &session.wanted.demands;
            demands.iter().any(|demand| demand.selection.names_account(&one.account))
        });
        off.map(|Unevaluated { account, why }| {
            let account = text::one_line(&account.to_string(), 120);
            let why = why.unwrap_or_default();
            let message =
                format!("{}: account {account}, which a gate selects, {why}", session.name);
            Problem::new(Cause::Incomplete, message).help(CONNECT)
        })
    }

    /// Rows for people: the account, its cloud, and its state.
    ///
    /// # Errors
    /// If the platform does not list its accounts.
    pub(super) fn rows(self, source: &str) -> Result<Vec<Vec<String>>, Problem> {
        let listed = match self {
            Self::Listed(listed, _) => listed,
            Self::Unknown(problem) => return Err(problem),
            Self::Refused(why) => {
                let message = format!("{source}: the platform does not list its accounts: {why}");
                return Err(Problem::new(Cause::Incomplete, message));
            }
        };
        let row = |one: Connected| {
            let posture = if one.why_not.is_none() { "on" } else { "off" };
            let provider = one.provider.unwrap_or_default();
            vec![one.account.to_string(), provider, posture.to_owned()]
        };
        Ok(listed.into_iter().map(row).collect())
    }
}

impl Connected {
    /// Whether a word of the policy is its id or its name.
    fn is(&self, word: &Match) -> bool {
        let pattern = Pattern::new(word.to_string());
        let Account { id, name } = &self.account;
        [Some(id), name.as_ref()].into_iter().flatten().any(|text| pattern.matches(text))
    }
}

/// The words of a list, each with the accounts that it means.
fn asked_for<'a>(
    listed: &'a [Connected],
    words: Option<&'a OneOrMore<Match>>,
) -> impl Iterator<Item = (&'a Match, Vec<&'a Connected>)> {
    let words = words.into_iter().flat_map(|words| &words.0);
    words.map(|word| (word, listed.iter().filter(|one| one.is(word)).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(answer: Value) -> (Vec<Connected>, u64) {
        match read(answer) {
            Ok(Accounts::Listed(listed, unread)) => (listed, unread),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn posture_is_evaluated_where_the_platform_says_so() {
        let why_not = |mut row: Value| {
            row["providerId"] = 1.into();
            listed(json!({"accounts": [row]})).0[0].why_not.unwrap_or_default()
        };
        let feature =
            |enabled: Value| json!({"type": "FEATURE_SECURE_CONFIG_POSTURE", "enabled": enabled});
        for name in
            ["secureConfigPosture", "secure_config_posture", "FEATURE_SECURE_CONFIG_POSTURE"]
        {
            for (enabled, expected) in
                [(json!(true), ""), (json!(false), "switched off"), (Value::Null, "switched off")]
            {
                let all =
                    json!({"secureThreatDetection": {"enabled": true}, name: feature(enabled)});
                for key in ["feature", "features"] {
                    let why = why_not(json!({"enabled": true, key: all}));
                    assert!(
                        why.ends_with(expected) && why.is_empty() == expected.is_empty(),
                        "{all}"
                    );
                }
            }
        }
        for (row, expected) in [
            (json!({"enabled": true}), "not stated to be on"),
            (json!({"enabled": true, "feature": null}), "not stated to be on"),
            (json!({"enabled": true, "features": [feature(json!(true))]}), ""),
            (json!({"enabled": true, "features": [feature(json!(false))]}), "switched off"),
            (json!({"enabled": true, "feature": {}}), "switched off"),
            (json!({"enabled": false, "feature": {"secureConfigPosture": true}}), "disabled"),
            (json!({"feature": {"secureConfigPosture": true}}), "not stated to be enabled"),
        ] {
            let why = why_not(row.clone());
            assert!(
                why.ends_with(expected) && why.is_empty() == expected.is_empty(),
                "{row}: {why}"
            );
        }
    }

    #[test]
    fn the_list_is_known_or_said_not_to_be() {
        let row = json!({"providerId": "1", "enabled": true});
        for (answer, expected) in [
            (json!([row]), (1, 0)),
            (json!({"data": [row], "total": 1}), (1, 0)),
            (json!({"accounts": [row, {"id": "x"}, 7]}), (1, 2)),
            (json!({"accounts": []}), (0, 0)),
            (json!({"accounts": null}), (0, 0)),
            (json!({}), (0, 0)),
        ] {
            let (rows, unread) = listed(answer.clone());
            assert_eq!((rows.len(), unread), expected, "{answer}");
        }
        for answer in [json!(1), json!({"x": 1}), json!({"accounts": {}})] {
            assert!(read(answer.clone()).unwrap_err().contains("not known"), "{answer}");
        }
        let cut = json!({"accounts": [row], "totalCount": 3});
        assert_eq!(read(cut).unwrap_err(), "lists 1 of 3 accounts");
    }
}
