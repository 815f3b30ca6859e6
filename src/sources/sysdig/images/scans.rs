//! The platform's list of scans: the images of repositories, and what it says of each
//! (docs/platforms/sysdig.md#images).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::settings::{Image, ImageKey};
use super::super::units::given;
use super::{find, image};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Failure};
use crate::json::Whole;
use crate::page::{self, At, List, Next, Page, ReadError, Walk};
use crate::selection::Pattern;
use crate::sources::Session;
use crate::text;

/// Rows in a page.
const SIZE: u64 = 100;

/// Images that one source reads. Each takes several requests.
const MOST: usize = 500;

/// The scan of an image.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scan {
    image_digest: Option<String>,
    full_tag: Option<String>,
    analysis_status: Option<String>,
    policy_status: Option<String>,
}

/// What the list says of an image; nothing where the list was not read.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    analysis_status: Option<String>,
    policy_status: Option<String>,
}

impl Row {
    /// The state of the analysis, if there is no result yet.
    pub(super) fn unready(&self) -> Option<&str> {
        given(&self.analysis_status).filter(|status| !find::is_analysed(status))
    }

    /// The verdict of the policies, in the platform's word.
    pub(super) fn verdict(&self) -> Option<&str> {
        given(&self.policy_status)
    }

    pub(super) fn fails(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict.eq_ignore_ascii_case("fail"))
    }
}

/// A page of scans. The list may also be the answer itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scans {
    results: Option<Vec<Scan>>,
    total_rows: Option<Whole>,
}

/// The digests that were scanned under a tag, each with its row; none where the platform has no list
/// of scans.
///
/// # Errors
/// If the platform cannot be asked.
pub(super) async fn digests(
    tag: &str,
    session: &Session,
) -> Result<BTreeMap<String, Row>, Problem> {
    let mut digests = BTreeMap::new();
    let read = read(session, |digest, scanned, row| {
        if scanned == tag {
            digests.insert(digest.to_owned(), row);
        }
    });
    match read.await {
        Err(problem) if is_of_the_list(problem.cause) => Ok(BTreeMap::new()),
        Err(problem) => Err(problem),
        Ok(()) => Ok(digests),
    }
}

/// Whether a problem is one of a list that is missing or unreadable, and not of the platform.
fn is_of_the_list(cause: Cause) -> bool {
    use Cause::{Contradictory, Incomplete, Invalid, Protocol, Setup};
    matches!(cause, Contradictory | Incomplete | Invalid | Protocol | Setup)
}

/// Whether there is a scanner of images at all: one of the calls that need no image is known.
///
/// # Errors
/// If the platform cannot be asked.
pub(super) async fn is_there(session: &Session) -> Result<bool, Problem> {
    let scans = session.http.get("api/scanning/v1/results", &[]);
    let scans = scans.parameter("offset", "0").parameter("limit", "1");
    let feeds = session.http.get("api/scanning/v1/system/feeds", &[]);
    for call in [scans, feeds] {
        match call.send().await {
            Ok(_) => return Ok(true),
            Err(error) if matches!(error.failure, Failure::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.problem()),
        }
    }
    Ok(false)
}

/// The images of repositories that match a pattern, each with its tag and its row, and compared as
/// the pattern is.
///
/// # Errors
/// If the scans do not arrive, or none matches.
pub(super) async fn images(
    pattern: &str,
    compare_to: Option<&Image>,
    session: &Session,
) -> Result<Vec<(Image, Row)>, Problem> {
    let wanted = Pattern::new(pattern);
    let mut found = BTreeMap::new();
    let add = |digest: &str, tag: &str, row: Row| {
        if wanted.matches(image::repository(tag)) {
            found.insert((digest.to_owned(), tag.to_owned()), row);
        }
    };
    read(session, add).await?;
    let shown = text::one_line(pattern, 120);
    match found.len() {
        0 => {
            let message = format!("{}: no image of `{shown}` was scanned", session.name);
            Err(Problem::new(Cause::Incomplete, message).help(
                "write the repository with its registry, such as `registry.example.com/shop/*`",
            ))
        }
        count if count > MOST => {
            let message = format!(
                "{}: `{shown}` matches {} images; at most {MOST} are read",
                session.name,
                text::thousands(count as u64)
            );
            Err(Problem::new(Cause::Invalid, message).help("name fewer repositories"))
        }
        _ => Ok(found
            .into_iter()
            .map(|((digest, tag), row)| {
                let compare_to = compare_to.cloned().map(Box::new);
                (Image { by: ImageKey::Digest(digest), tag: Some(tag), compare_to }, row)
            })
            .collect()),
    }
}

/// Reads all scans, and passes on the digest, the tag and the row of each: of some again, where the
/// list changed while it was read.
async fn read(session: &Session, mut visit: impl FnMut(&str, &str, Row)) -> Result<(), Problem> {
    session.progress.status(&session.name, "reading the list of images", "");
    let read = page::settled(async || {
        let name = format!("{}: scanning/v1/results", session.name);
        let list = List::new(name, page::PageBy::Offset("offset"), SIZE);
        let mut walk = Walk::new(List { unit: "scan", ..list });
        let ask = async |at: At| {
            let offset = if let At::Offset(offset) = at { offset } else { 0 };
            let call = session.http.get("api/scanning/v1/results", &[]);
            let call = call.parameter("offset", &offset.to_string());
            let call = call.parameter("limit", &SIZE.to_string());
            call.send().await.map_err(|error| error.problem())
        };
        let read = |walk: &mut Walk, answer: Answer| {
            let Scans { results, total_rows } = scans(&answer)?;
            let missing = || walk.problem(Cause::Protocol, "the answer has no `results`");
            for (at, scan) in results.ok_or_else(missing)?.iter().enumerate() {
                let (Some(digest), Some(tag)) = (given(&scan.image_digest), given(&scan.full_tag))
                else {
                    let what = format!("results[{at}] has no `imageDigest` or no `fullTag`");
                    return Err(walk.problem(Cause::Protocol, what).into());
                };
                if walk.is_new((digest, tag)) {
                    let Scan { analysis_status, policy_status, .. } = scan.clone();
                    visit(digest, tag, Row { analysis_status, policy_status });
                }
            }
            let total = total_rows.map(|total| total.0);
            Ok(Page { total, next: Next::Unstated, ..Page::default() })
        };
        page::read(&mut walk, ask, read, |_| ()).await
    });
    read.await.map_err(ReadError::problem)
}

fn scans(answer: &Answer) -> Result<Scans, ReadError> {
    let of = |error: crate::http::HttpError| error.problem();
    let value: Value = answer.json().map_err(of)?;
    if value.is_array() {
        return Ok(Scans { results: Some(answer.json().map_err(of)?), total_rows: None });
    }
    Ok(answer::object(answer).map_err(of)?)
}
