//! When the platform evaluated (docs/platforms/sysdig.md#compliance-views).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::super::answer;
use super::super::units::given;
use super::wire::{ViewPolicy, Views};
use crate::finding::Problem;
use crate::http::{Failure, Http, HttpError};
use crate::sources::Session;
use crate::text;

/// Policies that are named in a note.
const NAMED: usize = 3;

/// The compliance views.
pub(super) async fn views(http: &Http) -> Result<Views, HttpError> {
    let answer = http.get("api/cspm/v1/compliance/views", &[]).send().await?;
    answer::object(&answer)
}

/// When the least recently evaluated of these zones and policies was evaluated, by the newest day of
/// its history. `None` where one of them has none; with notes for a reader.
///
/// # Errors
/// If the run was stopped.
pub(super) async fn newest(
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
            None if policy.is_empty() => silent.push("a policy without a name".to_owned()),
            None => silent.push(format!("`{}`", text::one_line(policy, 60))),
        }
    }
    if silent.is_empty() {
        return (oldest, Vec::new());
    }
    silent.dedup();
    let names = text::listed(silent, ", ", NAMED);
    (None, vec![format!("age not known: compliance/views states no evaluation of {names}")])
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
