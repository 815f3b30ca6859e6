//! The resources of one control, over all policies and zones: each once, with what came out of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::settings::Accepted;
use super::endpoint::Endpoint;
use super::plan::{Planned, Target};
use super::rows::{self, Rows};
use super::wire::{Acceptance, Resource, given};
use crate::finding::{Account, Cause, Control, Fingerprint, NOT_APPLICABLE, Problem, Subject};
use crate::sources::Session;
use crate::text;

/// Which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Those that failed or were accepted.
    Failures,
    /// All of them.
    Everything,
}

/// A resource under a control.
#[derive(Debug)]
pub struct Check {
    pub subject: Subject,
    pub id: Option<Box<str>>,
    pub name: Option<Box<str>>,
    pub fingerprint: Fingerprint,
    pub state: State,
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Passed,
    Accepted {
        until: Option<DateTime<Utc>>,
        why: String,
    },
    NotEvaluated(String),
    /// With what is to be said about an acceptance that does not hold.
    Failed(Option<String>),
}

impl State {
    /// Worst last: the same resource may be accepted in one zone and fail in another.
    fn rank(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Accepted { .. } => 1,
            Self::NotEvaluated(_) => 2,
            Self::Failed(_) => 3,
        }
    }
}

/// What is asked of every control alike.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub depth: Depth,
    /// The hashes of the resources that are meant, if not all are.
    pub within: Option<&'a HashSet<String>>,
    pub accepted: Accepted,
    pub now: DateTime<Utc>,
}

/// What one control brought.
#[derive(Debug, Default)]
pub struct Reading {
    pub checks: Vec<Check>,
    /// Checks there are at least, whatever their result.
    pub evaluated: u64,
    /// What is missing; the checks that are there count all the same.
    pub doubts: Vec<Problem>,
}

/// Reads the resources of a control.
///
/// # Errors
/// If a list does not arrive whole, or a row cannot be used.
pub async fn read(
    session: &Session,
    planned: &Planned,
    terms: Terms<'_>,
) -> Result<Reading, Problem> {
    let Terms { depth, within, accepted, now } = terms;
    let mut merged = Merged::new();
    let mut doubts = Vec::new();
    let mut evaluated = 0;
    for target in planned.targets.values() {
        if let Some(passing) = target.quiet_passing().filter(|_| depth == Depth::Failures) {
            evaluated = evaluated.max(passing);
            continue;
        }
        let Rows { rows, doubt } = rows::read(session, planned, target, depth).await?;
        doubts.extend(doubt);
        evaluated = evaluated.max(evaluated_at(session, target, depth, &rows).await?);
        for row in rows {
            let Some(key) = row.key() else { continue };
            let state = match state(&row, now) {
                Ok(State::Accepted { .. }) if accepted == Accepted::Failed => State::Failed(None),
                Ok(state) => state,
                Err(what) => return Err(unusable(session, planned, &row, &what)),
            };
            if within.is_some_and(|hashes| row.hash.as_ref().is_none_or(|h| !hashes.contains(h))) {
                continue;
            }
            merge(&mut merged, key, row, state, &target.controls);
        }
    }
    let checks = merged.into_iter().map(|(key, (row, state, controls))| {
        check(planned, &key, &row, state, controls.into_iter().collect())
    });
    let checks: Vec<_> = checks.collect();
    let counted = checks.iter().filter(|check| !matches!(check.state, State::NotEvaluated(_)));
    let counted = counted.count() as u64;
    // Within an inventory only what is in it counts.
    let evaluated = if within.is_some() { counted } else { evaluated.max(counted) };
    Ok(Reading { checks, evaluated, doubts })
}

/// How many resources of a list were evaluated, where only those that failed may have been read.
async fn evaluated_at(
    session: &Session,
    target: &Target,
    depth: Depth,
    rows: &[Resource],
) -> Result<u64, Problem> {
    let evaluated = rows.iter().filter(|row| row.config_error().is_none());
    let all_read =
        depth == Depth::Everything || target.endpoint.as_ref().is_some_and(Endpoint::tells_errors);
    if all_read {
        return Ok(evaluated.count() as u64);
    }
    let read = evaluated.filter(|row| row.passed != Some(true)).count() as u64;
    match (target.passing, &target.endpoint) {
        (Some(passing), _) => Ok(read.saturating_add(passing)),
        // The control does not count what passed, but the list has a total.
        (None, Some(endpoint)) => Ok(read.max(rows::total(session, endpoint).await?)),
        (None, None) => Ok(read),
    }
}

/// Resources by their keys, each with the worst that came out of it and where.
type Merged = BTreeMap<String, (Resource, State, BTreeSet<Control>)>;

/// Takes a row in: under the policies where the worst came out, and only those.
fn merge(
    merged: &mut Merged,
    key: String,
    row: Resource,
    state: State,
    controls: &BTreeSet<Control>,
) {
    match merged.get_mut(&key) {
        Some((_, known, all)) if known.rank() == state.rank() => {
            all.extend(controls.iter().cloned());
        }
        Some((_, known, _)) if known.rank() > state.rank() => {}
        _ => {
            merged.insert(key, (row, state, controls.clone()));
        }
    }
}

/// Looks at every resource of a list until `found` has enough; a proof that a selector is no typo.
///
/// # Errors
/// If a list does not arrive, or a row cannot be used.
pub async fn look(
    session: &Session,
    planned: &Planned,
    target: &Target,
    mut found: impl FnMut(&Check) -> bool,
) -> Result<(), Problem> {
    let Some(endpoint) = &target.endpoint else { return Ok(()) };
    let controls: Arc<[Control]> = target.controls.iter().cloned().collect();
    let enough = |row: &Resource| {
        let key = row.key().unwrap_or_default();
        let check = check(planned, &key, row, State::Passed, Arc::clone(&controls));
        row.config_error().is_none() && found(&check)
    };
    rows::until(session, endpoint, enough).await
}

/// What came out of it; the error says what the row lacks.
fn state(row: &Resource, now: DateTime<Utc>) -> Result<State, String> {
    if let Some(error) = row.config_error() {
        return Ok(State::NotEvaluated(error));
    }
    let passed = row.passed.ok_or("does not say whether it `passed`")?;
    let Some(acceptance) = &row.acceptance else {
        return Ok(if passed { State::Passed } else { State::Failed(None) });
    };
    Ok(match acceptance.holds(now) {
        Ok(until) => State::Accepted { until, why: acceptance.why().to_owned() },
        Err(_) if passed => State::Passed,
        Err(why_not) => State::Failed(Some(why_not)),
    })
}

impl Acceptance {
    fn why(&self) -> &str {
        given(&self.justification).or(given(&self.reason)).unwrap_or_default()
    }

    /// Until when it holds, if it holds. An end that cannot be read has passed.
    fn holds(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        let end = self.expiration_date.as_ref().filter(|end| !end.is_never());
        let until = end.map(|end| {
            end.moment().ok_or_else(|| {
                let end = text::one_line(end.text(), 40);
                format!("accepted on the platform until `{end}`, which is no date")
            })
        });
        let until = until.transpose()?;
        match until {
            Some(until) if until <= now => {
                Err(format!("its acceptance on the platform expired on {}", until.date_naive()))
            }
            _ if self.is_expired == Some(true) => {
                Err("its acceptance on the platform has expired".to_owned())
            }
            until => Ok(until),
        }
    }
}

fn check(
    planned: &Planned,
    key: &str,
    row: &Resource,
    state: State,
    controls: Arc<[Control]>,
) -> Check {
    // A resource of Kubernetes belongs to its cluster as one of a cloud does to its account.
    let account = given(&row.account)
        .or(given(&row.platform_account_id))
        .or(given(&row.cluster_name))
        .map(|id| Arc::new(Account { id: id.into(), name: None }));
    let boxed = |text: &str| Some(Box::from(text));
    Check {
        subject: Subject {
            severity: planned.severity(),
            rule: Some(planned.shared_rule()),
            controls,
            resource_type: given(&row.kind).map(Arc::from).or_else(|| planned.kind.clone()),
            account,
            // A resource of Kubernetes has no region, which is no omission.
            region: given(&row.location)
                .or(given(&row.cloud_region))
                .or(given(&row.cluster_name).map(|_| NOT_APPLICABLE))
                .map(Arc::from),
        },
        id: given(&row.global_id).or(given(&row.hash)).and_then(boxed),
        name: given(&row.name).and_then(boxed),
        fingerprint: Fingerprint::of(&["sysdig.cspm", &planned.id, key]),
        state,
    }
}

fn unusable(session: &Session, planned: &Planned, row: &Resource, what: &str) -> Problem {
    let name = given(&row.name).or(given(&row.hash)).unwrap_or("without a name");
    let message = format!(
        "{}: a resource of control {} ({}) {what}",
        session.name,
        planned.id,
        text::one_line(name, 80)
    );
    Problem::new(Cause::Protocol, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(mut row: Value) -> Result<State, String> {
        row["hash"] = "h".into();
        let row: Resource = serde_json::from_value(row).map_err(|error| error.to_string())?;
        state(&row, DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    /// A resource that is accepted under one policy and fails under others fails under those.
    #[test]
    fn the_worst_counts_under_all_policies_where_it_came_out() {
        let control = |framework: &str| Control { framework: framework.into(), id: "c".into() };
        let accepted = |why: &str| State::Accepted { until: None, why: why.to_owned() };
        let expired = State::Failed(Some("expired".to_owned()));
        let states = [
            ("a", accepted("x")),
            ("b", State::Failed(None)),
            ("c", State::Passed),
            ("d", expired),
            ("e", accepted("y")),
            ("f", State::NotEvaluated("e".to_owned())),
        ];
        let outcome = |order: &[usize]| {
            let mut merged = Merged::new();
            for at in order {
                let (policy, state) = &states[*at];
                let row = serde_json::from_value(json!({"hash": "h"})).unwrap();
                let controls = BTreeSet::from([control(policy)]);
                merge(&mut merged, "h".to_owned(), row, state.clone(), &controls);
            }
            let (_, state, controls) = merged.remove("h").unwrap();
            let policies: Vec<_> = controls.iter().map(|one| one.framework.to_string()).collect();
            (state.rank(), policies.concat())
        };
        let failed = State::Failed(None).rank();
        assert_eq!(outcome(&[0, 1, 2, 3, 4, 5]), (failed, "bd".to_owned()));
        assert_eq!(outcome(&[5, 4, 3, 2, 1, 0]), (failed, "bd".to_owned()));
        assert_eq!(outcome(&[0, 2, 4]), (accepted("").rank(), "ae".to_owned()));
        assert_eq!(outcome(&[0, 5]), (State::NotEvaluated(String::new()).rank(), "f".to_owned()));
    }

    #[test]
    fn an_acceptance_holds_until_it_expires() {
        let accepted =
            |acceptance: Value| told(json!({"passed": false, "acceptance": acceptance})).unwrap();
        let holds = |acceptance: Value| matches!(accepted(acceptance), State::Accepted { .. });
        assert!(holds(json!({"justification": "known"})));
        assert!(holds(json!({"expirationDate": "1700000001000"})));
        assert!(holds(json!({"expirationDate": 1_700_000_001_000_u64, "isExpired": false})));
        // Never ends.
        assert!(holds(json!({"expiresAt": "0"})));
        assert!(holds(json!({"expirationDate": null})));
        assert!(holds(json!({})));
        assert!(!holds(json!({"expirationDate": "1700000000000"})));
        assert!(!holds(json!({"expirationDate": "1600000000"})));
        assert!(!holds(json!({"expirationDate": "next year"})));
        assert!(!holds(json!({"isExpired": true})));
    }

    #[test]
    fn what_was_not_evaluated_did_not_pass() {
        let cases = [
            (json!({"passed": true}), "passed"),
            (json!({"passed": false}), "failed"),
            (json!({"passed": true, "configError": ""}), "passed"),
            (json!({"passed": true, "configError": null}), "passed"),
            (json!({"passed": true, "configError": "no kubelet config"}), "not evaluated"),
            (json!({"passed": false, "configError": {"code": 3}}), "not evaluated"),
            (json!({"passed": true, "acceptance": {"isExpired": true}}), "passed"),
        ];
        for (row, expected) in cases {
            let word = match told(row.clone()).unwrap() {
                State::Passed => "passed",
                State::Accepted { .. } => "accepted",
                State::NotEvaluated(_) => "not evaluated",
                State::Failed(_) => "failed",
            };
            assert_eq!(word, expected, "{row}");
        }
        assert!(told(json!({"passed": null})).is_err());
        assert!(told(json!({})).is_err());
    }
}
