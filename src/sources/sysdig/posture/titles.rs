//! Names of controls that arrived without one, from the catalogue
//! (docs/platforms/sysdig.md#control-search).

use super::super::units::given;
use super::plan::Plan;
use super::wire::Catalogue;
use crate::finding::Problem;
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// Controls in a page of the catalogue, and the most pages that are read.
const PAGE: usize = 50;
const MOST_PAGES: usize = 200;

/// Fills in missing names. A control that stays without one matches every `rule` selector.
///
/// # Errors
/// If the run was stopped.
pub(super) async fn complete(
    session: &Session,
    plan: &mut Plan,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    if plan.controls.values().all(|planned| planned.name.is_some()) {
        return Ok(());
    }
    let why = match search(session, plan).await {
        Err(error) if matches!(error.failure, Failure::Stopped(_)) => return Err(error.problem()),
        Err(error) => format!(": {error}"),
        Ok(()) => String::new(),
    };
    let nameless = plan.controls.values().filter(|planned| planned.name.is_none()).count();
    if nameless > 0 {
        let count = text::count(nameless as u64, "control");
        notes.push(format!("{count} without a name, which every `rule` selector matches{why}"));
    }
    Ok(())
}

async fn search(session: &Session, plan: &mut Plan) -> Result<(), HttpError> {
    for page in 1..=MOST_PAGES {
        let call = session.http.get("api/cspm/v1/policy/controls/search", &[]);
        let call = call.parameter("pageNumber", &page.to_string());
        let answer = call.parameter("pageSize", &PAGE.to_string()).send().await?;
        let controls = answer.json::<Catalogue>()?.data.unwrap_or_default();
        let length = controls.len();
        for control in controls {
            let Some(id) = &control.id else { continue };
            let Some(planned) = plan.controls.get_mut(id) else { continue };
            if planned.name.is_none() {
                planned.name = given(&control.name).map(str::to_owned);
                planned.help =
                    planned.help.take().or_else(|| given(&control.description).map(Into::into));
            }
        }
        let all_named = plan.controls.values().all(|planned| planned.name.is_some());
        if all_named || length < PAGE {
            break;
        }
    }
    Ok(())
}
