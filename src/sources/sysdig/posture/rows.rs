//! The rows of one list of resources, and whether those that failed are all there.

use std::collections::HashSet;

use super::super::pages::List;
use super::endpoint::Endpoint;
use super::plan::{Planned, Target};
use super::read::Depth;
use super::wire::Resource;
use crate::finding::{Cause, Problem};
use crate::http::Call;
use crate::sources::Session;
use crate::text;

/// Rows, and what is wrong with them if something is: what they show counts all the same.
pub struct Rows {
    pub rows: Vec<Resource>,
    pub doubt: Option<Problem>,
}

/// Reads rows; once more if fewer of them failed than the control counts.
///
/// # Errors
/// If a list does not arrive whole, or there is none.
pub async fn read(
    session: &Session,
    planned: &Planned,
    target: &Target,
    depth: Depth,
) -> Result<Rows, Problem> {
    let Some(endpoint) = &target.endpoint else {
        let message = format!(
            "{}: control {} (`{}`) says where none of its resources are",
            session.name,
            planned.id,
            text::one_line(planned.rule(), 80)
        );
        return Err(Problem::new(Cause::Incomplete, message));
    };
    let counted = target.failing();
    let mut rows = ask(session, endpoint, target, depth).await?;
    if not_passed(&rows) < counted {
        rows = ask(session, endpoint, target, depth).await?;
    }
    let listed = not_passed(&rows);
    let doubt = (listed < counted).then(|| unexplained(session, planned, counted, listed));
    Ok(Rows { rows, doubt })
}

async fn ask(
    session: &Session,
    endpoint: &Endpoint,
    target: &Target,
    depth: Depth,
) -> Result<Vec<Resource>, Problem> {
    // A filter by result would hide a host that was not evaluated.
    if depth == Depth::Everything || endpoint.tells_errors() {
        return list(session, endpoint.clone()).rows(Resource::key).await;
    }
    // Two questions, for the language documents no brackets around `or`.
    let mut rows = list(session, endpoint.and("pass=false")).rows(Resource::key).await?;
    if target.unaccepted {
        return Ok(rows);
    }
    let known: HashSet<_> = rows.iter().filter_map(Resource::key).collect();
    let accepted: Vec<Resource> =
        list(session, endpoint.and("accepted=true")).rows(Resource::key).await?;
    // A platform that does not know the filter gives every resource; then each says for itself.
    rows.extend(accepted.into_iter().filter(|row| row.key().is_none_or(|k| !known.contains(&k))));
    Ok(rows)
}

/// How many resources there are, whatever came out of them.
///
/// # Errors
/// If it cannot be asked.
pub async fn total(session: &Session, endpoint: &Endpoint) -> Result<u64, Problem> {
    list(session, endpoint.clone()).total().await
}

/// Rows one after another, until `enough`.
///
/// # Errors
/// If the list does not arrive.
pub async fn until(
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

/// Rows that the control may count as failing. Whether it counts accepted ones is not agreed upon
/// (fact sheet §4.2), so all that could be meant are taken for it.
fn not_passed(rows: &[Resource]) -> u64 {
    let counts = |row: &&Resource| {
        row.passed != Some(true) || row.acceptance.is_some() || row.config_error().is_some()
    };
    rows.iter().filter(counts).count() as u64
}

fn unexplained(session: &Session, planned: &Planned, counted: u64, listed: u64) -> Problem {
    let message = format!(
        "{}: control {} (`{}`) failed on {}, but {listed} of them {} listed",
        session.name,
        planned.id,
        text::one_line(planned.rule(), 80),
        text::count(counted, "resource"),
        if listed == 1 { "is" } else { "are" }
    );
    Problem::new(Cause::Contradictory, message)
        .help("run the gate again; the results may be changing at this moment")
}
