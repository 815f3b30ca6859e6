//! The resources of one control, over all policies and zones: each once, with its worst result.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::settings::Inventory;
use super::super::units::given;
use super::endpoint::Endpoint;
use super::plan::{Planned, Target};
use super::rows::{self, Rows};
use super::wire::{Acceptance, Resource};
use crate::finding::{
    Account, Cause, Control, Facets, NOT_APPLICABLE, Problem, Subject, Waiver, WaiverKind,
};
use crate::selection::Field;
use crate::sources::Session;
use crate::text;

/// Which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Those that failed or were accepted.
    Failures,
    /// All of them.
    Everything,
}

/// A resource under a control.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) id: Option<Box<str>>,
    pub(super) name: Option<Box<str>>,
    /// Cluster, namespace and labels.
    pub(super) facets: Facets,
    pub(super) state: CheckState,
    in_cloud: bool,
}

impl Check {
    /// Adds the name of its account, where that is known.
    pub(super) fn name_account(&mut self, names: &HashMap<Arc<str>, Arc<Account>>) {
        if let Some(account) = &mut self.subject.account
            && let Some(named) = names.get(&account.id)
        {
            *account = Arc::clone(named);
        }
    }

    /// The account that it is of, where it is of a cloud and of no cluster.
    pub(super) fn cloud_account(&self) -> Option<Arc<str>> {
        let account = self.subject.account.as_ref().filter(|_| self.in_cloud)?;
        Some(Arc::clone(&account.id))
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckState {
    Passed,
    /// It fails, and its risk was accepted on the platform. Only a policy lets that count.
    Accepted(Waiver),
    NotEvaluated(String),
    /// With an acceptance that does not hold, if there is one.
    Failed(Option<Waiver>),
}

impl CheckState {
    /// Worst last: the same resource may be accepted in one zone and fail in another.
    fn rank(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Accepted(_) => 1,
            Self::NotEvaluated(_) => 2,
            Self::Failed(_) => 3,
        }
    }
}

/// How every control is read.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) depth: Depth,
    /// The hashes of the resources that are read, if not all are.
    pub(super) within: Option<&'a HashSet<String>>,
    /// What chooses them.
    pub(super) inventory: Option<&'a Inventory>,
    pub(super) now: DateTime<Utc>,
}

/// What was read of one control.
#[derive(Debug, Default)]
pub(super) struct ControlReading {
    pub(super) checks: Vec<Check>,
    /// The least number of checks, whatever their result.
    pub(super) evaluated: u64,
    /// What is missing. The checks that arrived still count.
    pub(super) doubts: Vec<Problem>,
    /// Failing resources that state what the inventory is asked for, and are not in it.
    pub(super) unlisted: Vec<String>,
}

/// Reads the resources of a control.
///
/// # Errors
/// If a list does not arrive whole, or a row cannot be used.
pub(super) async fn read(
    session: &Session,
    planned: &Planned,
    terms: Terms<'_>,
) -> Result<ControlReading, Problem> {
    let Terms { depth, within, inventory, now } = terms;
    let mut merged = Merged::new();
    let (mut doubts, mut unlisted) = (Vec::new(), Vec::new());
    let mut evaluated = 0;
    for target in planned.targets.values() {
        if let Some(passing) = target.quiet_passing().filter(|_| depth == Depth::Failures) {
            evaluated = evaluated.max(passing);
            continue;
        }
        let Rows { rows, doubt } = rows::read(session, planned, target, depth, now).await?;
        doubts.extend(doubt);
        evaluated = evaluated.max(evaluated_at(session, target, depth, &rows).await?);
        for row in rows {
            let Some(key) = row.key() else { continue };
            let state = match state(&row, now) {
                Ok(state) => state,
                Err(what) => return Err(unusable(session, planned, &row, &what)),
            };
            if within.is_some_and(|hashes| row.hash.as_ref().is_none_or(|h| !hashes.contains(h))) {
                let is_asked_for = || inventory.is_some_and(|asked| row.is_asked_for(asked));
                if matches!(state, CheckState::Failed(_)) && is_asked_for() {
                    unlisted.push(row.name.clone().unwrap_or(key));
                }
                continue;
            }
            merge(&mut merged, key, row, state, &target.controls);
        }
    }
    let checks = merged
        .into_values()
        .map(|(row, state, controls)| check(planned, &row, state, controls.into_iter().collect()));
    let checks: Vec<_> = checks.collect();
    let counted = checks.iter().filter(|check| !matches!(check.state, CheckState::NotEvaluated(_)));
    let counted = counted.count() as u64;
    // An inventory limits what counts.
    let evaluated = if within.is_some() { counted } else { evaluated.max(counted) };
    Ok(ControlReading { checks, evaluated, doubts, unlisted })
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
        depth == Depth::Everything || target.endpoint.as_ref().is_some_and(Endpoint::states_errors);
    if all_read {
        return Ok(evaluated.count() as u64);
    }
    let read = evaluated.filter(|row| row.passed != Some(true)).count() as u64;
    match (target.passing, &target.endpoint) {
        (Some(passing), _) => Ok(read + passing),
        // The control does not count passed resources, but the list has a total.
        (None, Some(endpoint)) => Ok(read.max(rows::total(session, endpoint).await?)),
        (None, None) => Ok(read),
    }
}

/// Resources by their keys, each with its worst result and the controls that had it.
type Merged = BTreeMap<String, (Resource, CheckState, BTreeSet<Control>)>;

/// Adds a row. Only the controls with the worst result are kept.
fn merge(
    merged: &mut Merged,
    key: String,
    row: Resource,
    state: CheckState,
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

/// Reads resources of a list until `found` has enough: to show that a selector is not a typo.
///
/// # Errors
/// If a list does not arrive, or a row cannot be used.
pub(super) async fn look(
    session: &Session,
    planned: &Planned,
    target: &Target,
    mut found: impl FnMut(Check) -> bool,
) -> Result<(), Problem> {
    let Some(endpoint) = &target.endpoint else { return Ok(()) };
    let controls: Arc<[Control]> = target.controls.iter().cloned().collect();
    let enough = |row: &Resource| {
        let check = check(planned, row, CheckState::Passed, Arc::clone(&controls));
        row.config_error().is_none() && found(check)
    };
    rows::until(session, endpoint, enough).await
}

/// The result of a row. The error is what the row lacks.
fn state(row: &Resource, now: DateTime<Utc>) -> Result<CheckState, String> {
    if let Some(error) = row.config_error() {
        return Ok(CheckState::NotEvaluated(error));
    }
    let passed = row.passed.ok_or("does not state whether it `passed`")?;
    let Some(acceptance) = &row.acceptance else {
        return Ok(if passed { CheckState::Passed } else { CheckState::Failed(None) });
    };
    let waiver = |until, fault: Option<String>| Waiver {
        until,
        reason: Some(acceptance.why()).filter(|why| !why.is_empty()).map(Box::from),
        fault: fault.map(Box::from),
        ..Waiver::new(WaiverKind::SysdigAcceptance)
    };
    Ok(match acceptance.holds(now) {
        Ok(until) => CheckState::Accepted(waiver(until, None)),
        Err(_) if passed => CheckState::Passed,
        Err(why_not) => CheckState::Failed(Some(waiver(None, Some(why_not)))),
    })
}

impl Acceptance {
    fn why(&self) -> &str {
        given(&self.justification).or(given(&self.reason)).unwrap_or_default()
    }

    /// Until when it holds, `None` without an end; or why it does not hold
    /// (docs/platforms/sysdig.md#acceptances).
    pub(super) fn holds(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        if self.is_revoked == Some(true) {
            return Err("its acceptance on the platform was revoked".to_owned());
        }
        let in_force = ["accepted", "active", "approved"];
        let status = given(&self.status);
        if let Some(status) =
            status.filter(|status| !in_force.iter().any(|word| status.eq_ignore_ascii_case(word)))
        {
            let status = text::one_line(status, 40);
            return Err(format!("its acceptance on the platform has the status `{status}`"));
        }
        let end = self.expiration_date.as_ref().filter(|end| !end.is_never());
        let until = end.map(|end| {
            end.moment().ok_or_else(|| {
                let end = text::one_line(end.text(), 40);
                format!("accepted on the platform until `{end}`, which is not a date")
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
            None if self.why().is_empty() => {
                Err("its acceptance on the platform states neither a reason nor an end".to_owned())
            }
            until => Ok(until),
        }
    }
}

fn check(planned: &Planned, row: &Resource, state: CheckState, controls: Arc<[Control]>) -> Check {
    // The account of a Kubernetes resource is its cluster.
    let account = given(&row.account)
        .or(given(&row.platform_account_id))
        .or(given(&row.cluster_name))
        .map(|id| Arc::new(Account { id: id.into(), name: None }));
    let boxed = |text: &str| Some(Box::from(text));
    Check {
        subject: Subject {
            severity: planned.severity,
            rule: planned.shared_rule(),
            controls,
            resource_type: given(&row.kind).map(Arc::from),
            account,
            // A Kubernetes resource has no region.
            region: given(&row.location)
                .or(given(&row.cloud_region))
                .or(given(&row.cluster_name).map(|_| NOT_APPLICABLE))
                .map(Arc::from),
        },
        // Resources of a cluster have no other id.
        id: given(&row.global_id)
            .or(given(&row.hash).filter(|_| !row.is_in_cloud()))
            .and_then(boxed),
        name: given(&row.name).and_then(boxed),
        facets: facets(row),
        state,
        in_cloud: given(&row.account).is_some() && given(&row.cluster_name).is_none(),
    }
}

/// Where a resource is in a cluster, and its labels. What the platform does not state is left out,
/// which every selector matches.
fn facets(row: &Resource) -> Facets {
    let cluster = given(&row.cluster_name);
    let in_cloud = row.is_in_cloud();
    let is_host = row.platform_account_id.is_some() || row.cloud_region.is_some();
    let lacks = |rightly: bool| rightly.then_some(NOT_APPLICABLE);
    let has_none = in_cloud || is_host || row.namespace.is_some();
    let mut facets = Facets::default();
    for (field, text) in [
        (Field::Cluster, cluster.or(lacks(in_cloud))),
        (Field::Namespace, given(&row.namespace).or(lacks(has_none))),
    ] {
        facets.extend(text.map(|text| (field.word(), vec![Arc::from(text)])));
    }
    if let Some(labels) = &row.label_values {
        // The platform writes `key:value`, a policy `key=value`.
        let pair = |label: &String| label.split_once([':', '=']).map(|(k, v)| format!("{k}={v}"));
        let written = labels.iter().map(|label| Arc::from(label.as_str()));
        let texts: Vec<_> = labels.iter().filter_map(pair).map(Arc::from).chain(written).collect();
        let none = || vec![Arc::from(NOT_APPLICABLE)];
        facets.insert(Field::Label.word(), if texts.is_empty() { none() } else { texts });
    }
    facets
}

fn unusable(session: &Session, planned: &Planned, row: &Resource, what: &str) -> Problem {
    let name = given(&row.name).or(given(&row.hash)).unwrap_or("without a name");
    let message = format!(
        "{}: a resource of {} ({}) {what}",
        session.name,
        planned.label(),
        text::one_line(name, 80)
    );
    Problem::new(Cause::Protocol, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn state_of(mut row: Value) -> Result<CheckState, String> {
        row["hash"] = "h".into();
        let row: Resource = serde_json::from_value(row).map_err(|error| error.to_string())?;
        state(&row, DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    /// A resource that is accepted under one policy and fails under others fails under those.
    #[test]
    fn the_worst_result_counts_under_all_policies_that_have_it() {
        let control = |framework: &str| Control { framework: framework.into(), id: "c".into() };
        let waiver = |why: &str| Waiver {
            reason: Some(why.into()),
            ..Waiver::new(WaiverKind::SysdigAcceptance)
        };
        let accepted = |why: &str| CheckState::Accepted(waiver(why));
        let expired = CheckState::Failed(Some(waiver("expired")));
        let states = [
            ("a", accepted("x")),
            ("b", CheckState::Failed(None)),
            ("c", CheckState::Passed),
            ("d", expired),
            ("e", accepted("y")),
            ("f", CheckState::NotEvaluated("e".to_owned())),
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
        let failed = CheckState::Failed(None).rank();
        assert_eq!(outcome(&[0, 1, 2, 3, 4, 5]), (failed, "bd".to_owned()));
        assert_eq!(outcome(&[5, 4, 3, 2, 1, 0]), (failed, "bd".to_owned()));
        assert_eq!(outcome(&[0, 2, 4]), (accepted("").rank(), "ae".to_owned()));
        assert_eq!(
            outcome(&[0, 5]),
            (CheckState::NotEvaluated(String::new()).rank(), "f".to_owned())
        );
    }

    #[test]
    fn an_acceptance_holds_until_it_expires() {
        let accepted = |acceptance: Value| {
            state_of(json!({"passed": false, "acceptance": acceptance})).unwrap()
        };
        let holds = |acceptance: Value| matches!(accepted(acceptance), CheckState::Accepted(_));
        assert!(holds(json!({"justification": "known"})));
        assert!(holds(json!({"expirationDate": "1700000001000"})));
        assert!(holds(json!({"expirationDate": 1_700_000_001_000_u64, "isExpired": false})));
        // Without an end.
        assert!(holds(json!({"reason": "Risk Owned", "expiresAt": "0"})));
        assert!(holds(json!({"justification": "known", "expirationDate": null})));
        // Nothing shows that a risk was accepted.
        assert!(!holds(json!({})));
        assert!(!holds(json!({"expirationDate": "0"})));
        assert!(!holds(json!({"justification": "known", "isRevoked": true})));
        assert!(!holds(json!({"expirationDate": "1700000001000", "status": "pending"})));
        assert!(holds(json!({"expirationDate": "1700000001000", "status": "Active"})));
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
            let word = match state_of(row.clone()).unwrap() {
                CheckState::Passed => "passed",
                CheckState::Accepted(_) => "accepted",
                CheckState::NotEvaluated(_) => "not evaluated",
                CheckState::Failed(_) => "failed",
            };
            assert_eq!(word, expected, "{row}");
        }
        assert!(state_of(json!({"passed": null})).is_err());
        assert!(state_of(json!({})).is_err());
    }
}
