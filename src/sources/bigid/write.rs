//! Changes of cases, for the export (docs/platforms/bigid.md#changing-cases). A run changes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::api;
use super::case::Case;
use super::settings::Settings;
use super::walk::{self, Scope};
use crate::finding::{Cause, Problem};
use crate::http::{Failure, Http, HttpError};
use crate::text;

/// Sets the status of one case. The request is sent once: a request that looks failed may have been
/// carried out, so the case is read back then.
///
/// # Errors
/// If the case does not have that status, or its status cannot be determined.
pub async fn set_status(
    settings: &Settings,
    http: &Http,
    id: &str,
    status: &str,
    audit_reason: &str,
) -> Result<(), Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(is_plain) {
        let message =
            format!("{}: {id:?} is not the id of a case; nothing was sent", http.source());
        return Err(Problem::new(Cause::Protocol, message));
    }
    let body = json!({"caseStatus": status, "auditReason": audit_reason});
    match patch(http, id, &body).await {
        Ok(()) => Ok(()),
        Err(error) if is_uncertain(&error) => match walk::one(settings, http, id).await {
            Ok(Some(case)) if case.status == status => Ok(()),
            Ok(_) => Err(error.problem()),
            Err(_) => Err(error.problem().help(
                "whether the status was set is unknown, and the case could not be read back: check \
                 it in BigID before you export again",
            )),
        },
        Err(error) => Err(error.problem()),
    }
}

async fn patch(http: &Http, id: &str, body: &Value) -> Result<(), HttpError> {
    let answer = http.patch("actionable-insights/case-status/{}", &[id], body).send().await?;
    // The answer is not documented; it may be empty.
    if answer.is_empty() { Ok(()) } else { api::understood(&answer) }
}

/// Whether the request may have been carried out despite the error.
fn is_uncertain(error: &HttpError) -> bool {
    matches!(error.failure, Failure::Unconfirmed(_) | Failure::Protocol(_))
}

/// The result of changing many cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The cases that have the status now, as read back.
    pub set: BTreeSet<String>,
    /// The planned cases that do not have it.
    pub left: BTreeSet<String>,
}

/// Sets the status of all cases of one policy with one request. Exactly the `planned` cases may
/// change: every other case of the policy must have the status already. Several filters in one
/// request might be joined by "or", so only the one filter that public clients send is used, and
/// never `allCases`.
///
/// # Errors
/// If the settings do not allow it, more or other cases would change, or which cases changed
/// cannot be determined. Nothing was sent unless the message says so.
pub async fn set_status_of_policy(
    settings: &Settings,
    http: &Http,
    policy: &str,
    planned: &BTreeSet<String>,
    status: &str,
    audit_reason: &str,
) -> Result<Changed, Problem> {
    let refuse = |what: String| {
        Problem::new(Cause::Invalid, format!("{}: {what}; nothing was sent", http.source()))
    };
    let Some(bulk) = &settings.bulk else {
        return Err(refuse("`bulk` is not set, so cases are changed one by one".to_owned()));
    };
    let count = planned.len() as u64;
    if count == 0 || count > bulk.max.into() {
        let cases = text::count(count, "case");
        return Err(refuse(format!("{cases} to change at once, where bulk.max is {}", bulk.max)));
    }
    let before = walk::all(settings, http, Scope::All, None, |_| ()).await?.cases;
    let would_change: BTreeSet<&str> = before
        .iter()
        .filter(|case| case.policy == policy && case.status != status)
        .map(|case| case.id.as_str())
        .collect();
    if !would_change.iter().copied().eq(planned.iter().map(String::as_str)) {
        return Err(refuse(format!(
            "the request would change {} of policy `{}` instead of the planned {count}",
            text::count(would_change.len() as u64, "case"),
            text::one_line(policy, 80)
        )));
    }
    let body = json!({
        "type": "CasesDB",
        "subType": "updateCases",
        "additionalProperties": {
            "field": "caseStatus",
            "newValue": status,
            "casesFilters": [{"filterField": "policyName", "filterValues": [policy]}],
            "auditReason": audit_reason,
            "allCases": false,
            "userName": "compliance-gate",
        },
    });
    let path = format!("cases:{}", bulk.action_type.0);
    let sent = http.patch("actionable-insights/{}", &[&path], &body).send().await;
    // The key of the changed ids in the answer is not public, and a failure proves nothing: the
    // cases are read back.
    match sent {
        Err(error) if !is_uncertain(&error) => return Err(error.problem()),
        _ => {}
    }
    let after = walk::all(settings, http, Scope::All, None, |_| ()).await.map_err(|problem| {
        problem.help("the change was sent, and its result could not be read back")
    })?;
    compare(http, planned, status, &before, &after.cases)
}

/// The planned cases by their status now; an error if other cases changed.
fn compare(
    http: &Http,
    planned: &BTreeSet<String>,
    status: &str,
    before: &[Case],
    after: &[Case],
) -> Result<Changed, Problem> {
    let others = before.iter().filter(|case| !planned.contains(&case.id));
    let touched: Vec<_> = others
        .filter(|old| {
            let now = after.iter().find(|case| case.id == old.id);
            now.is_some_and(|now| now.status == status && old.status != status)
        })
        .map(|case| case.id.as_str())
        .collect();
    if !touched.is_empty() {
        let message = format!(
            "{}: the change was sent, and {} that were not planned have the status `{status}` now: {}",
            http.source(),
            text::count(touched.len() as u64, "case"),
            text::one_line(&touched.join(", "), 300)
        );
        return Err(Problem::new(Cause::Contradictory, message)
            .help("remove `bulk` from the settings, and set these cases back in BigID"));
    }
    let has_it = |id: &String| after.iter().any(|case| case.id == *id && case.status == status);
    let (set, left) = planned.iter().cloned().partition(has_it);
    Ok(Changed { set, left })
}
