//! Finds an image by tag, digest or id, and its evaluation.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::answer;
use super::super::settings::{By, Image};
use super::wire::{Anchored, Evaluation};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Call, Failure, Http, HttpError};
use crate::sources::Session;
use crate::text;

/// An image that was analysed.
#[derive(Debug)]
pub(super) struct Found {
    /// As the policy names it.
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) tag: Option<String>,
    pub(super) evaluation: Evaluation,
}

/// How the platform addresses an image.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Digest(String),
    Id(String),
}

impl Address {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Digest(text) | Self::Id(text) => text,
        }
    }

    /// A call about the image. Some calls have another name by id (docs/platforms/sysdig.md#images).
    pub(super) fn get<'a>(&self, http: &'a Http, by_digest: &str, by_id: &str) -> Call<'a> {
        match self {
            Self::Digest(digest) => {
                http.get(&format!("api/scanning/v1/images/{{}}/{by_digest}"), &[digest])
            }
            Self::Id(id) => http.get(&format!("api/scanning/v1/images/by_id/{{}}/{by_id}"), &[id]),
        }
    }
}

/// The image as the policy names it.
pub(super) fn name(image: &Image) -> String {
    let own = match (&image.by, &image.tag) {
        (_, Some(tag)) => tag,
        (By::Digest(text) | By::Id(text), None) => text,
        (By::Tag, None) => return String::new(),
    };
    text::one_line(own, 120)
}

/// Finds an image.
///
/// # Errors
/// If it does not exist, was not analysed, or has no evaluation.
pub(super) async fn find(image: &Image, session: &Session) -> Result<Found, Problem> {
    let name = name(image);
    let address = match &image.by {
        By::Digest(digest) => Address::Digest(digest.clone()),
        By::Id(id) => Address::Id(id.clone()),
        By::Tag => Address::Digest(digest_of(image, session, &name).await?),
    };
    let call = address.get(&session.http, "policyEvaluation", "policyEvaluation");
    let call = match &image.tag {
        Some(tag) => call.parameter("tag", tag),
        None => call,
    };
    let answer = call.send().await.map_err(|error| missing(session, &name, &error))?;
    let evaluation: Option<Evaluation> = object(&answer).map_err(|error| error.problem())?;
    let evaluation = evaluation.filter(|evaluation| evaluation.status.is_some());
    let evaluation = evaluation.ok_or_else(|| no_data(session, &name))?;
    let (given, asked) = match &address {
        Address::Digest(digest) => (&evaluation.image_digest, digest),
        Address::Id(id) => (&evaluation.image_id, id),
    };
    let bare = |text: &str| text.trim_start_matches("sha256:").to_owned();
    let other = |given: &&String| !given.is_empty() && bare(given) != bare(asked);
    if let Some(given) = given.as_ref().filter(other) {
        let message = format!(
            "{}: asked for image {name}, the platform answered for {}",
            session.name,
            text::one_line(given, 100)
        );
        return Err(Problem::new(Cause::Contradictory, message));
    }
    Ok(Found { name, address, tag: image.tag.clone(), evaluation })
}

/// The object of an answer; `None` for an empty answer, which an instance without the legacy scanner
/// gives.
///
/// # Errors
/// If the answer is something else.
pub(super) fn object<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<Option<T>, HttpError> {
    if answer.is_empty() { Ok(None) } else { answer::object(answer).map(Some) }
}

async fn digest_of(image: &Image, session: &Session, name: &str) -> Result<String, Problem> {
    let tag = image.tag.as_deref().unwrap_or_default();
    let call = session.http.get("api/scanning/v1/anchore/images", &[]);
    let call = call.parameter("history", "false").parameter("fulltag", tag);
    let answer = call.send().await.map_err(|error| missing(session, name, &error))?;
    let images: Option<Vec<Anchored>> = match answer.is_empty() {
        true => None,
        false => answer.json().map_err(|error| error.problem())?,
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
        has_tag(one) && status.is_some_and(|status| !status.eq_ignore_ascii_case("analyzed"))
    };
    if let Some(status) = images.iter().find(unready).and_then(|one| one.analysis_status.as_ref()) {
        return Err(not_analysed(session, name, &format!("analysis status {status}")));
    }
    let digests: BTreeSet<_> =
        images.iter().filter(|one| has_tag(one)).filter_map(|one| one.digest.as_deref()).collect();
    let mut digests = digests.into_iter();
    match (digests.next(), digests.next()) {
        (Some(digest), None) => Ok(digest.to_owned()),
        (None, _) => Err(not_there(session, name)),
        (Some(one), Some(other)) => {
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
        .help("wait until the platform has scanned it, and run the gate again")
}

fn not_there(session: &Session, name: &str) -> Problem {
    let message = format!("{}: the platform has no scan of image {name}", session.name);
    Problem::new(Cause::Incomplete, message).help(
        "check the name, and that the image was sent to the scanner; an instance without the \
         legacy scanner has no images",
    )
}

fn no_data(session: &Session, name: &str) -> Problem {
    let message = format!("{}: the platform has no evaluation of image {name}", session.name);
    Problem::new(Cause::Incomplete, message)
        .help("check that a policy applies to it; missing data is not a pass")
}
