//! The one way to change a case, for the export. A run never does (fact sheet §A3).

use serde_json::json;

use super::{api, settings::Settings, walk};
use crate::finding::{Cause, Trouble};
use crate::http::{Failure, Http, HttpError};

/// Sets the status of one case. The request is sent once: one that looks failed may have been
/// carried out, so after such an answer the case is read back instead, and says which.
///
/// # Errors
/// If the case has not got that status, or nobody can tell.
pub async fn set_status(
    settings: &Settings,
    http: &Http,
    id: &str,
    status: &str,
    audit_reason: &str,
) -> Result<(), Trouble> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(is_plain) {
        let message =
            format!("{}: {id:?} is not the id of a case; nothing was sent", http.source());
        return Err(Trouble::new(Cause::Protocol, message));
    }
    let body = json!({"caseStatus": status, "auditReason": audit_reason});
    match patch(http, id, &body).await {
        Ok(()) => Ok(()),
        Err(error) if is_uncertain(&error) => match walk::one(settings, http, id).await {
            Ok(Some(case)) if case.status == status => Ok(()),
            Ok(_) => Err(error.trouble()),
            Err(_) => Err(error.trouble().help(
                "whether the status was set is not known, and the case could not be read back: \
                 look at it before you export again",
            )),
        },
        Err(error) => Err(error.trouble()),
    }
}

async fn patch(http: &Http, id: &str, body: &serde_json::Value) -> Result<(), HttpError> {
    let answer = http.patch("actionable-insights/case-status/{}", &[id], body).send().await?;
    // What it says in return is not documented; that it says nothing is fine.
    if answer.is_empty() { Ok(()) } else { api::understood(&answer) }
}

/// Whether it may have been carried out all the same.
fn is_uncertain(error: &HttpError) -> bool {
    matches!(error.failure, Failure::Lost(_) | Failure::Protocol(_))
}
