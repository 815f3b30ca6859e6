//! What the list of cloud accounts states of each (docs/platforms/sysdig.md#accounts).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::settings::Match;
use super::super::units::{given, id};
use crate::finding::Account;

/// A connected account.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) account: Account,
    pub(super) provider: Option<String>,
    /// Why its posture is not evaluated, as the end of a sentence.
    pub(super) why_not: Option<&'static str>,
}

impl Connected {
    /// Whether a word of the policy is its id or its name.
    pub(super) fn is(&self, word: &Match) -> bool {
        self.texts().any(|text| word.matches(text))
    }

    /// What results may call it, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.texts().map(|text| text.to_lowercase())
    }

    fn texts(&self) -> impl Iterator<Item = &Arc<str>> {
        let Account { id, name } = &self.account;
        [Some(id), name.as_ref()].into_iter().flatten()
    }
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

/// The accounts, and how many rows could not be read. The list may be the answer itself, or in one of
/// its fields; a list without rows may be left out. The error is what is wrong, as the end of a sentence.
pub(super) fn read(answer: Value) -> Result<(Vec<Connected>, u64), String> {
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
    Ok((listed, unread))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn posture_is_evaluated_where_the_platform_says_so() {
        let why_not = |mut row: Value| {
            row["providerId"] = 1.into();
            read(json!({"accounts": [row]})).unwrap().0[0].why_not.unwrap_or_default()
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
            let (rows, unread) = read(answer.clone()).unwrap();
            assert_eq!((rows.len(), unread), expected, "{answer}");
        }
        for answer in [json!(1), json!({"x": 1}), json!({"accounts": {}})] {
            assert!(read(answer.clone()).unwrap_err().contains("not known"), "{answer}");
        }
        let cut = json!({"accounts": [row], "totalCount": 3});
        assert_eq!(read(cut).unwrap_err(), "lists 1 of 3 accounts");
    }
}
