//! The cloud accounts that are connected to the platform (docs/platforms/sysdig.md#accounts).

use serde::Deserialize;
use serde_json::Value;

use super::super::units::id;
use crate::finding::{Cause, Problem};
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// A connected account. Every field may be missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connected {
    #[serde(rename = "providerId", default, deserialize_with = "id")]
    provider_id: Option<String>,
    #[serde(skip)]
    pub(super) id: String,
    pub(super) provider: Option<String>,
    enabled: Option<bool>,
    #[serde(alias = "features")]
    feature: Option<Features>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    #[serde(alias = "secure_config_posture")]
    secure_config_posture: Option<Feature>,
}

#[derive(Debug, Deserialize)]
struct Feature {
    enabled: Option<bool>,
}

impl Connected {
    /// Whether its posture is evaluated, as far as the platform says otherwise.
    pub(super) fn evaluates(&self) -> bool {
        let posture = self.feature.as_ref().and_then(|all| all.secure_config_posture.as_ref());
        let is_off = posture.is_some_and(|posture| posture.enabled == Some(false));
        self.enabled != Some(false) && !is_off
    }
}

/// The connected accounts; `None` where the platform, or the token, does not show them.
///
/// # Errors
/// If the platform cannot be asked.
pub(super) async fn connected(session: &Session) -> Result<Option<Vec<Connected>>, Problem> {
    let call = session.http.get("api/cloudauth/v1/accounts", &[]);
    let answer: Value = match call.send().await.and_then(|answer| answer.json()) {
        Ok(answer) => answer,
        Err(HttpError {
            failure: Failure::Refused { .. } | Failure::Denied(_) | Failure::Protocol(_),
            ..
        }) => return Ok(None),
        Err(error) => return Err(error.problem()),
    };
    Ok(accounts(answer))
}

/// The list may be the answer itself, or in one of its fields.
fn accounts(answer: Value) -> Option<Vec<Connected>> {
    let list = match answer {
        Value::Array(list) => list,
        Value::Object(mut fields) => {
            let name = ["accounts", "data"].into_iter().find(|name| fields.contains_key(*name))?;
            match fields.remove(name) {
                Some(Value::Array(list)) => list,
                _ => return None,
            }
        }
        _ => return None,
    };
    let accounts = list.into_iter().map(|account| {
        let mut account: Connected = serde_json::from_value(account).ok()?;
        account.id = account.provider_id.take()?;
        Some(account)
    });
    accounts.collect()
}

/// The accounts of the policy that are not connected, or whose posture is not evaluated.
///
/// # Errors
/// If the platform cannot be asked.
pub(super) async fn unwatched(
    session: &Session,
    asked: &[&str],
) -> Result<Option<Problem>, Problem> {
    if asked.is_empty() {
        return Ok(None);
    }
    let Some(connected) = connected(session).await? else { return Ok(None) };
    let state = |name: &&str| match connected.iter().find(|account| account.id == **name) {
        None => Some(format!("{} is not connected", text::one_line(name, 60))),
        Some(account) if !account.evaluates() => {
            Some(format!("{} is connected, with posture switched off", text::one_line(name, 60)))
        }
        Some(_) => None,
    };
    let states: Vec<_> = asked.iter().filter_map(state).collect();
    Ok((!states.is_empty()).then(|| {
        let message =
            format!("{}: cloud accounts: {}", session.name, text::listed(states, "; ", 5));
        Problem::new(Cause::Incomplete, message)
            .help("connect the account on the platform, and switch its posture feature on")
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_counts_unless_the_platform_says_that_it_is_off() {
        let on = |account: Value| {
            let found = accounts(json!({"accounts": [account]})).unwrap();
            (found[0].id.clone(), found[0].evaluates())
        };
        let posture = |enabled: bool| json!({"secureConfigPosture": {"enabled": enabled}});
        for (account, expected) in [
            (json!({"providerId": 1}), true),
            (json!({"providerId": "1", "enabled": true, "feature": posture(true)}), true),
            (json!({"providerId": "1", "enabled": false}), false),
            (json!({"providerId": "1", "feature": posture(false)}), false),
            (json!({"providerId": "1", "features": posture(false)}), false),
        ] {
            assert_eq!(on(account.clone()), ("1".to_owned(), expected), "{account}");
        }
        for answer in [json!({}), json!(1), json!([{"id": "x"}]), json!({"accounts": {}})] {
            assert!(accounts(answer.clone()).is_none(), "{answer}");
        }
    }
}
