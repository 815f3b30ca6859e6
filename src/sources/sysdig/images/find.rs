//! Finds an image by tag, digest or id, and its evaluation.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::answer;
use super::super::settings::{Image, ImageKey};
use super::image::{Address, AnalysedImage, repository};
use super::scans::{self, Row};
use super::wire::{Anchored, Evaluation};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Failure, HttpError};
use crate::sources::Session;
use crate::text;

/// The image as the policy names it.
pub(super) fn name(image: &Image) -> String {
    let own = match (&image.by, &image.tag) {
        (_, Some(tag)) => tag,
        (ImageKey::Digest(text) | ImageKey::Id(text) | ImageKey::Repository(text), None) => text,
        (ImageKey::Tag, None) => return String::new(),
    };
    text::one_line(own, 120)
}

/// The image as the policy names it, with the digest by which it is asked for.
fn reference(image: &Image) -> String {
    match (&image.by, &image.tag) {
        (ImageKey::Digest(digest), Some(tag)) if !tag.contains('@') => {
            format!("{}@{}", name(image), text::one_line(digest, 80))
        }
        _ => name(image),
    }
}

/// Finds an image, of which the list of scans may have said something already.
///
/// # Errors
/// If it does not exist, was not analysed, or has no evaluation.
pub(super) async fn find(
    image: &Image,
    row: Row,
    session: &Session,
) -> Result<AnalysedImage, Problem> {
    let (name, asked) = (name(image), reference(image));
    if let Some(status) = row.unready() {
        return Err(not_analysed(session, &asked, &format!("analysis status {status}")));
    }
    let (address, row) = match address(image, session, &asked).await? {
        (address, Some(row)) => (address, row),
        (address, None) => (address, row),
    };
    let call = address.get(&session.http, "policyEvaluation", "policyEvaluation");
    let call = match &image.tag {
        // The name of a subject need not have a version.
        Some(tag) if repository(tag) != tag => call.parameter("tag", tag),
        _ => call,
    };
    let answer = call.send().await.map_err(|error| missing(session, &asked, &error))?;
    let evaluation: Option<Evaluation> = object(&answer).map_err(|error| error.problem())?;
    let evaluation = evaluation.filter(|evaluation| evaluation.status.is_some());
    let evaluation = evaluation.ok_or_else(|| no_data(session, &asked))?;
    let (given, wanted) = match &address {
        Address::Digest(digest) => (&evaluation.image_digest, digest),
        Address::Id(id) => (&evaluation.image_id, id),
    };
    let bare = |text: &str| text.trim_start_matches("sha256:").to_owned();
    let other = |given: &&String| !given.is_empty() && bare(given) != bare(wanted);
    if let Some(given) = given.as_ref().filter(other) {
        let message = format!(
            "{}: asked for image {name}, the platform answered for {}",
            session.name,
            text::one_line(given, 100)
        );
        return Err(Problem::new(Cause::Contradictory, message));
    }
    let compare_to = image.compare_to.clone();
    let tags = image.tag.clone().into_iter().collect();
    Ok(AnalysedImage { name, address, tags, evaluation, row, compare_to })
}

/// Finds an image to compare with, of which only the vulnerabilities are read.
///
/// # Errors
/// If it does not exist.
pub(super) async fn other(image: &Image, session: &Session) -> Result<AnalysedImage, Problem> {
    let name = name(image);
    let (address, row) = address(image, session, &reference(image)).await?;
    let (tags, row) = (image.tag.clone().into_iter().collect(), row.unwrap_or_default());
    let evaluation = Evaluation::default();
    Ok(AnalysedImage { name, address, tags, evaluation, row, compare_to: None })
}

/// How the platform addresses an image, and its row where the list of scans was read for that.
async fn address(
    image: &Image,
    session: &Session,
    name: &str,
) -> Result<(Address, Option<Row>), Problem> {
    match &image.by {
        ImageKey::Digest(digest) => Ok((Address::Digest(digest.clone()), None)),
        ImageKey::Id(id) => Ok((Address::Id(id.clone()), None)),
        // Its images are found one by one.
        ImageKey::Repository(_) => Err(not_there(session, name)),
        ImageKey::Tag => {
            let (digest, row) = digest_of(image, session, name).await?;
            Ok((Address::Digest(digest), row))
        }
    }
}

/// Whether the state of an analysis is that it is done.
pub(super) fn is_analysed(status: &str) -> bool {
    status.trim().eq_ignore_ascii_case("analyzed")
}

/// The object of an answer; `None` for an empty answer, which an instance without the legacy scanner
/// gives.
///
/// # Errors
/// If the answer is something else.
pub(super) fn object<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<Option<T>, HttpError> {
    if answer.is_empty() { Ok(None) } else { answer::object(answer).map(Some) }
}

async fn digest_of(
    image: &Image,
    session: &Session,
    name: &str,
) -> Result<(String, Option<Row>), Problem> {
    let tag = image.tag.as_deref().unwrap_or_default();
    let call = session.http.get("api/scanning/v1/anchore/images", &[]);
    let call = call.parameter("history", "false").parameter("fulltag", tag);
    let mut refusal = None;
    let images: Option<Vec<Anchored>> = match call.send().await {
        Ok(answer) if answer.is_empty() => None,
        Ok(answer) => answer.json().map_err(|error| error.problem())?,
        // The vendor's page does not list this call.
        Err(error) if matches!(error.failure, Failure::Refused { status: 404, .. }) => {
            refusal = Some(missing(session, name, &error));
            None
        }
        Err(error) => return Err(error.problem()),
    };
    let has_tag = |one: &Anchored| {
        let details = one.details.iter().flatten();
        // An answer without tags was still found by the tag.
        one.details.is_none()
            || details.into_iter().any(|detail| detail.fulltag.as_deref() == Some(tag))
    };
    let images = images.unwrap_or_default();
    let unready = |one: &&Anchored| {
        let status = one.analysis_status.as_deref();
        has_tag(one) && status.is_some_and(|status| !is_analysed(status))
    };
    if let Some(status) = images.iter().find(unready).and_then(|one| one.analysis_status.as_ref()) {
        return Err(not_analysed(session, name, &format!("analysis status {status}")));
    }
    let found = images.iter().filter(|one| has_tag(one)).filter_map(|one| one.digest.clone());
    let mut digests: BTreeMap<_, _> = found.map(|digest| (digest, None)).collect();
    if digests.is_empty() {
        let listed = scans::digests(tag, session).await?;
        digests = listed.into_iter().map(|(digest, row)| (digest, Some(row))).collect();
    }
    let mut digests = digests.into_iter();
    match (digests.next(), digests.next()) {
        (Some((_, Some(row))), None) if row.unready().is_some() => {
            let status = row.unready().unwrap_or_default();
            Err(not_analysed(session, name, &format!("analysis status {status}")))
        }
        (Some(one), None) => Ok(one),
        (None, _) => Err(refusal.unwrap_or_else(|| not_there(session, name))),
        (Some((one, _)), Some((other, _))) => {
            let message =
                format!("{}: tag {name} has several images ({one}, {other})", session.name);
            Err(Problem::new(Cause::Contradictory, message)
                .help("name the image by its `digest`, which the build prints"))
        }
    }
}

/// The problem of an error about an image: it does not exist, was not analysed yet, or another one.
pub(super) fn missing(session: &Session, name: &str, error: &HttpError) -> Problem {
    match &error.failure {
        Failure::Refused { status: 404, said } => {
            let said = said.to_lowercase();
            if said.contains("not analyzed") || said.contains("analysis_status") {
                return not_analysed(session, name, &error.to_string());
            }
            not_there(session, name)
        }
        _ => error.problem(),
    }
}

fn not_analysed(session: &Session, name: &str, why: &str) -> Problem {
    let why = text::one_line(why, 200);
    let message = format!("{}: image {name} is not analysed yet ({why})", session.name);
    Problem::new(Cause::Incomplete, message)
        .help("have the platform scan it, and run the gate again when it is analysed")
}

fn not_there(session: &Session, name: &str) -> Problem {
    let message = format!("{}: the platform has no scan of image {name}", session.name);
    Problem::new(Cause::Incomplete, message).help(
        "check the name, `url`, and that the image was sent to the scanner; an instance without the \
         legacy scanner has no images",
    )
}

fn no_data(session: &Session, name: &str) -> Problem {
    let message = format!("{}: the platform has no evaluation of image {name}", session.name);
    Problem::new(Cause::Incomplete, message)
        .help("check that a policy applies to it; missing data is not a pass")
}
