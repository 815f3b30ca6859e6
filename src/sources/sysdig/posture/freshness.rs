//! When the platform evaluated (fact sheet §4.1).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::wire::{ViewPolicy, Views, given};
use crate::finding::Problem;
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// The compliance views.
pub async fn views(http: &crate::http::Http) -> Result<Views, HttpError> {
    http.get("api/cspm/v1/compliance/views", &[]).send().await?.json()
}

/// When the oldest of these zones and policies was last evaluated: each counts from the newest day
/// of its history, and evidence is as old as its oldest piece. `None` where one of them does not
/// say; with notes for a reader.
///
/// # Errors
/// If everything has to stop.
pub async fn newest(
    session: &Session,
    scope: &BTreeSet<(String, String)>,
) -> Result<(Option<DateTime<Utc>>, Vec<String>), Problem> {
    match views(&session.http).await {
        Ok(views) => Ok(oldest_of_newest(&views, scope)),
        Err(error) if matches!(error.failure, Failure::Stopped(_)) => Err(error.problem()),
        Err(error) => Ok((None, vec![format!("age not known: {error}")])),
    }
}

fn oldest_of_newest(
    views: &Views,
    scope: &BTreeSet<(String, String)>,
) -> (Option<DateTime<Utc>>, Vec<String>) {
    let mut days: BTreeMap<(&str, &str), DateTime<Utc>> = BTreeMap::new();
    for view in views.data.iter().flatten() {
        for policy in view.policies.iter().flatten() {
            let key = (
                given(&view.zone_name).unwrap_or_default(),
                given(&policy.name).unwrap_or_default(),
            );
            if let Some(day) = last_day(policy) {
                days.entry(key).and_modify(|known| *known = day.max(*known)).or_insert(day);
            }
        }
    }
    let mut oldest = None;
    let mut silent = Vec::new();
    for (zone, policy) in scope {
        match days.get(&(zone.as_str(), policy.as_str())) {
            Some(day) => oldest = Some(oldest.map_or(*day, |known: DateTime<Utc>| known.min(*day))),
            None => silent.push(format!("`{}`", text::one_line(policy, 60))),
        }
    }
    if silent.is_empty() {
        return (oldest, Vec::new());
    }
    silent.dedup();
    let more = silent.len().saturating_sub(3);
    let names = silent.get(..3).unwrap_or(&silent).join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let note = format!("age not known: compliance/views states no evaluation of {names}{more}");
    (None, vec![note])
}

fn last_day(policy: &ViewPolicy) -> Option<DateTime<Utc>> {
    let days = policy.requirements_history.iter().flatten();
    days.filter_map(|day| day.date.as_ref()?.moment()).max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn as_of(scope: &[(&str, &str)]) -> Option<i64> {
        let history = |days: &[&str]| -> Vec<_> {
            days.iter().map(|day| json!({"date": day, "failedRequirements": 1})).collect()
        };
        let views: Views = serde_json::from_value(json!({"data": [
            {"zoneName": "all", "policies": [
                {"name": "CIS", "requirementsHistory": history(&["1700000000", "1700090000", "1600000000"])},
                {"name": "PCI", "requirementsHistory": history(&["1690000000"])},
                {"name": "new", "requirementsHistory": []},
                {"name": null},
            ]},
            {"zoneName": null, "policies": null},
        ]}))
        .unwrap();
        let scope = scope.iter().map(|(zone, policy)| ((*zone).to_owned(), (*policy).to_owned()));
        oldest_of_newest(&views, &scope.collect()).0.map(|time| time.timestamp())
    }

    #[test]
    fn evidence_is_as_old_as_the_policy_that_was_evaluated_longest_ago() {
        assert_eq!(as_of(&[("all", "CIS")]), Some(1_700_090_000));
        assert_eq!(as_of(&[("all", "CIS"), ("all", "PCI")]), Some(1_690_000_000));
        assert_eq!(as_of(&[("all", "CIS"), ("all", "new")]), None);
        assert_eq!(as_of(&[("other", "CIS")]), None);
        assert_eq!(as_of(&[]), None);
    }
}
