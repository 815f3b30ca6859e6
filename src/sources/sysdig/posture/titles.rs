//! Names of controls that came without one, from the catalogue (fact sheet §4.6).

use super::super::units::Id;
use super::plan::Plan;
use super::wire::{Catalogue, given};
use crate::finding::Problem;
use crate::http::{Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// Controls in a page of the catalogue, and the most pages that are turned.
const PAGE: usize = 50;
const MOST_PAGES: usize = 200;

/// Fills in what is missing. Names are for people, so nothing fails for want of one.
///
/// # Errors
/// If everything has to stop.
pub async fn complete(
    session: &Session,
    plan: &mut Plan,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    let nameless = plan.controls.values().filter(|planned| planned.name.is_none()).count();
    if nameless == 0 {
        return Ok(());
    }
    match search(session, plan).await {
        Err(error) if matches!(error.failure, Failure::Stopped(_)) => Err(error.problem()),
        Err(error) => {
            let count = text::count(nameless as u64, "control");
            notes.push(format!("{count} without a name: {error}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn search(session: &Session, plan: &mut Plan) -> Result<(), HttpError> {
    for page in 1..=MOST_PAGES {
        let call = session.http.get("api/cspm/v1/policy/controls/search", &[]);
        let call = call.parameter("pageNumber", &page.to_string());
        let answer = call.parameter("pageSize", &PAGE.to_string()).send().await?;
        let controls = answer.json::<Catalogue>()?.data.unwrap_or_default();
        let length = controls.len();
        for control in controls {
            let Some(Id(id)) = &control.id else { continue };
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
