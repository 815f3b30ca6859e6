//! The rows of one list of resources, and whether they agree with the control's counts.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::super::pages::List;
use super::endpoint::Endpoint;
use super::plan::{Planned, Target};
use super::read::Depth;
use super::wire::Resource;
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::sources::Session;
use crate::text;

/// Rows, and what is missing of them. The rows that arrived still count.
pub(super) struct Rows {
    pub(super) rows: Vec<Resource>,
    pub(super) doubt: Option<Problem>,
}

/// Reads rows; once more if they do not agree with the control's counts.
///
/// # Errors
/// If a list does not arrive whole, or there is none.
pub(super) async fn read(
    session: &Session,
    planned: &Planned,
    target: &Target,
    depth: Depth,
    now: DateTime<Utc>,
) -> Result<Rows, Problem> {
    let Some(endpoint) = &target.endpoint else {
        let message = format!(
            "{}: {} does not state where its resources are listed",
            session.name,
            planned.label()
        );
        return Err(Problem::new(Cause::Incomplete, message));
    };
    let mut rows = ask(session, endpoint, target, depth).await?;
    let mut doubt = disagreement(target, &rows, now);
    if doubt.is_some() {
        rows = ask(session, endpoint, target, depth).await?;
        doubt = disagreement(target, &rows, now);
    }
    let doubt = doubt.map(|what| {
        let message = format!("{}: {} {what}", session.name, planned.label());
        Problem::new(Cause::Contradictory, message)
            .help("run the gate again; the results may be changing at this moment")
    });
    Ok(Rows { rows, doubt })
}

async fn ask(
    session: &Session,
    endpoint: &Endpoint,
    target: &Target,
    depth: Depth,
) -> Result<Vec<Resource>, Problem> {
    // A filter by result would hide a host that was not evaluated.
    if depth == Depth::Everything || endpoint.states_errors() {
        return list(session, endpoint.clone()).rows(Resource::key).await;
    }
    // Two requests, because brackets around `or` are not documented.
    let mut rows = list(session, endpoint.and("pass=false")).rows(Resource::key).await?;
    if target.accepted == Some(0) {
        return Ok(rows);
    }
    let known: HashSet<_> = rows.iter().filter_map(Resource::key).collect();
    let accepted: Vec<Resource> =
        list(session, endpoint.and("accepted=true")).rows(Resource::key).await?;
    // A platform that ignores the filter sends every resource; each row states its own result.
    rows.extend(accepted.into_iter().filter(|row| row.key().is_none_or(|k| !known.contains(&k))));
    Ok(rows)
}

/// How many resources there are, whatever their results.
///
/// # Errors
/// If the list does not arrive.
pub(super) async fn total(session: &Session, endpoint: &Endpoint) -> Result<u64, Problem> {
    list(session, endpoint.clone()).total().await
}

/// Reads rows one after another, until `enough`.
///
/// # Errors
/// If the list does not arrive.
pub(super) async fn until(
    session: &Session,
    endpoint: &Endpoint,
    enough: impl FnMut(&Resource) -> bool,
) -> Result<(), Problem> {
    list(session, endpoint.clone()).until(Resource::key, enough).await
}

fn list<'a>(session: &'a Session, endpoint: Endpoint) -> List<impl Fn() -> Call<'a>> {
    let name = endpoint.path().trim_start_matches("api/cspm/v1/").to_owned();
    List { what: format!("{}: {name}", session.name), call: move || endpoint.call(&session.http) }
}

/// How the rows differ from what the control counts, if they do, as the end of a sentence.
fn disagreement(target: &Target, rows: &[Resource], now: DateTime<Utc>) -> Option<String> {
    let (failing, listed) = (target.failing(), not_passed(rows));
    if listed < failing {
        let verb = if listed == 1 { "is" } else { "are" };
        let resources = text::count(failing, "resource");
        return Some(format!("failed on {resources}, but {listed} of them {verb} listed"));
    }
    let holds = |row: &&Resource| {
        row.passed != Some(true)
            && row.config_error().is_none()
            && row.acceptance.as_ref().is_some_and(|acceptance| acceptance.holds(now).is_ok())
    };
    let accepted = rows.iter().filter(holds).count() as u64;
    let counted = target.accepted.filter(|counted| *counted < accepted)?;
    Some(format!(
        "counts {} with an accepted risk, but {accepted} are listed",
        text::count(counted, "resource")
    ))
}

/// Rows that the control may count as failing. Sources differ on whether it counts accepted ones
/// (docs/platforms/sysdig.md#requirements), so they are included.
fn not_passed(rows: &[Resource]) -> u64 {
    let counts = |row: &&Resource| {
        row.passed != Some(true) || row.acceptance.is_some() || row.config_error().is_some()
    };
    rows.iter().filter(counts).count() as u64
}
