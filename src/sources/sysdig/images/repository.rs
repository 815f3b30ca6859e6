//! The scanned images of repositories (docs/platforms/sysdig.md#images).

use serde::Deserialize;
use serde_json::Value;

use super::super::answer;
use super::super::settings::{Image, ImageKey};
use super::super::units::given;
use super::find;
use crate::finding::{Cause, Problem};
use crate::http::Answer;
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
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scan {
    image_digest: Option<String>,
    full_tag: Option<String>,
}

/// A page of scans. The list may also be the answer itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scans {
    results: Option<Vec<Scan>>,
    total_rows: Option<Whole>,
}

/// The images of repositories that match a pattern, each with its tag.
///
/// # Errors
/// If the scans do not arrive, or none matches.
pub(super) async fn images(pattern: &str, session: &Session) -> Result<Vec<Image>, Problem> {
    session.progress.status(&session.name, "reading the list of images", "");
    let wanted = Pattern::new(pattern);
    let images = page::settled(async || {
        let mut images = Vec::new();
        let name = format!("{}: scanning/v1/results", session.name);
        let mut walk = Walk::new(List {
            unit: "scan",
            ..List::new(name, page::PageBy::Offset("offset"), SIZE)
        });
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
            let results = results.ok_or_else(missing)?;
            for (at, scan) in results.iter().enumerate() {
                let (Some(digest), Some(tag)) = (given(&scan.image_digest), given(&scan.full_tag))
                else {
                    let what = format!("results[{at}] has no `imageDigest` or no `fullTag`");
                    return Err(walk.problem(Cause::Protocol, what).into());
                };
                if walk.is_new((digest, tag)) && wanted.matches(find::repository(tag)) {
                    images.push(Image {
                        by: ImageKey::Digest(digest.to_owned()),
                        tag: Some(tag.to_owned()),
                    });
                }
            }
            Ok(Page {
                total: total_rows.map(|total| total.0),
                next: Next::Unstated,
                ..Page::default()
            })
        };
        page::read(&mut walk, ask, read, |_| ()).await?;
        Ok(images)
    });
    let images = images.await.map_err(ReadError::problem)?;
    let shown = text::one_line(pattern, 120);
    match images.len() {
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
        _ => Ok(images),
    }
}

fn scans(answer: &Answer) -> Result<Scans, ReadError> {
    let of = |error: crate::http::HttpError| error.problem();
    let value: Value = answer.json().map_err(of)?;
    if value.is_array() {
        return Ok(Scans { results: Some(answer.json().map_err(of)?), total_rows: None });
    }
    Ok(answer::object(answer).map_err(of)?)
}
