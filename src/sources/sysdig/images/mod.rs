//! Scanned images: their evaluation by policies, and their vulnerabilities
//! (docs/platforms/sysdig.md#images).
//!
//! ```text
//! image.rs       an image                         policies.rs         the evaluation as a part
//! find.rs        finds it by tag, digest or id    vulnerabilities.rs  vulnerabilities as a part
//! scans.rs       the list of scans                exceptions.rs       what the platform accepts
//! compare.rs     what another image has too       feed.rs             how old the scanner's data are
//! wire.rs        the JSON
//! ```
//!
//! Each image has parts of its own, so an image that was not analysed yet does not hide the findings
//! of another.

use crate::evidence::{Outcome, Part};
use crate::finding::{Cause, Problem, Severity, Subject};
use crate::selection::Field;
use crate::sources::{Prepared, Session};
use crate::text;

use super::settings::{self, Detail, ImageKey};

mod compare;
mod exceptions;
mod feed;
mod find;
mod image;
mod policies;
mod scans;
mod vulnerabilities;
mod wire;

use image::AnalysedImage;
use scans::Row;

pub(super) const SELECTORS: &[Field] = &[
    Field::Framework,
    Field::Rule,
    Field::Severity,
    Field::Resource,
    Field::ResourceType,
    Field::Image,
    Field::OlderThan,
];

/// With vulnerabilities.
pub(super) const SELECTORS_OF_VULNERABILITIES: &[Field] = &[
    Field::Framework,
    Field::Rule,
    Field::Severity,
    Field::Resource,
    Field::ResourceType,
    Field::Image,
    Field::Fixable,
    Field::OlderThan,
];

/// The severities of a policy's rules (docs/platforms/sysdig.md#severities).
pub(super) const SEVERITIES: [Severity; 2] = [Severity::High, Severity::Low];

/// What a check of the set-up says where the run will name the images.
const UNNAMED: &str = "images: the subjects of a run; none is looked up now";

/// What to do where every call about images is unknown.
const NO_SCANNER: &str = "the list of scans and the feeds answer 404, too, so this address has no \
                          image scanner; check `url`; a new instance has no legacy scanner, and so \
                          no images";

/// The type of every resource.
const TYPE: &str = "image";

/// Reads the evaluation of every image. A problem of one image becomes a problem of its part; a
/// problem of the platform stops the preflight.
pub(super) async fn preflight<'a>(
    settings: &'a settings::Images,
    session: &'a Session,
) -> Result<Images<'a>, Vec<Problem>> {
    let mut found = Vec::new();
    let mut single = Vec::new();
    for image in &settings.list {
        match &image.by {
            ImageKey::Repository(pattern) => {
                match scans::images(pattern, image.compare_to.as_deref(), session).await {
                    Ok(images) => single.extend(images),
                    Err(problem) if problem.cause == Cause::Incomplete => {
                        found.push(Err(Missing { sha256: None, problem }));
                    }
                    Err(problem) => {
                        let is_absent = problem.cause == Cause::Setup
                            && matches!(scans::is_there(session).await, Ok(false));
                        return Err(vec![match is_absent {
                            true => problem.help(NO_SCANNER),
                            false => problem,
                        }]);
                    }
                }
            }
            ImageKey::Tag | ImageKey::Digest(_) | ImageKey::Id(_) => {
                single.push((image.clone(), Row::default()));
            }
        }
    }
    for (image, row) in single {
        session.progress.status(&session.name, "reading evaluations", &find::name(&image));
        match find::find(&image, row, session).await {
            Ok(one) => found.push(Ok(one)),
            Err(problem) if matches!(problem.cause, Cause::Incomplete | Cause::Contradictory) => {
                found.push(Err(Missing { sha256: sha256(&image), problem }));
            }
            Err(problem) => return Err(vec![problem]),
        }
    }
    // Nothing so far shows that the platform knows the calls, or the token.
    if found.iter().all(Result::is_err) {
        let is_there = scans::is_there(session).await.map_err(|problem| vec![problem])?;
        if !is_there {
            absent(session, &mut found);
        }
    }
    let feed = match settings.vulnerabilities.is_some() || settings.feed_max_age.is_some() {
        true => feed::age(session, settings.feed_max_age.as_ref()).await,
        false => feed::Known::default(),
    };
    Ok(Images { session, vulnerabilities: settings.vulnerabilities, found, feed })
}

/// An image that cannot be judged, and why.
struct Missing {
    /// Of its manifest, where it was asked for by that.
    sha256: Option<String>,
    problem: Problem,
}

fn sha256(image: &settings::Image) -> Option<String> {
    match &image.by {
        ImageKey::Digest(digest) => image::sha256(digest),
        ImageKey::Tag | ImageKey::Id(_) | ImageKey::Repository(_) => None,
    }
}

/// What to do where there is no scanner; with no image named, that is all that is known.
fn absent(session: &Session, found: &mut Vec<Result<AnalysedImage, Missing>>) {
    for missing in found.iter_mut().filter_map(|one| one.as_mut().err()) {
        missing.problem = missing.problem.clone().help(NO_SCANNER);
    }
    if found.is_empty() {
        let message = format!("{}: there is no scanner of images at this address", session.name);
        let problem = Problem::new(Cause::Incomplete, message).help(NO_SCANNER);
        found.push(Err(Missing { sha256: None, problem }));
    }
}

/// A source whose images were looked up.
pub(in crate::sources) struct Images<'a> {
    session: &'a Session,
    vulnerabilities: Option<Detail>,
    found: Vec<Result<AnalysedImage, Missing>>,
    feed: feed::Known,
}

impl Prepared for Images<'_> {
    fn summary(&self) -> Vec<String> {
        let found = self.found.iter().flatten().map(|found| {
            let status = found.evaluation.status.as_deref().unwrap_or("unknown");
            format!("{}: {}", found.name, text::one_line(status, 40))
        });
        let unnamed = self.found.is_empty().then(|| UNNAMED.to_owned());
        found.chain(self.feed.note.clone()).chain(unnamed).collect()
    }

    fn doubts(&self) -> Vec<Problem> {
        let missing = self.found.iter().filter_map(|found| found.as_ref().err());
        missing.map(|missing| &missing.problem).chain(&self.feed.problem).cloned().collect()
    }

    async fn collect(self) -> Outcome {
        let Self { session, vulnerabilities, found, feed } = self;
        let (mut parts, mut compared) = (Vec::new(), Vec::new());
        let mut distinct: Vec<Vec<AnalysedImage>> = Vec::new();
        for found in found {
            match found {
                Err(Missing { sha256, problem }) => {
                    let problems = vec![problem];
                    parts.push(Part { image: sha256, problems, ..Part::default() });
                }
                Ok(found) => add(&mut distinct, found),
            }
        }
        for evaluations in &distinct {
            let mut notes = Vec::new();
            for found in evaluations {
                let image = found.sha256();
                let mut part = Part { image, ..policies::part(session, found) };
                if policies::is_without_policy(&part) {
                    if vulnerabilities.is_some() {
                        notes.push(format!("no policy evaluated image {}", found.name));
                        continue;
                    }
                    part.problems.push(policies::no_policy(session, found));
                }
                parts.push(part);
            }
            let (Some(detail), Some((first, others))) =
                (vulnerabilities, evaluations.split_first())
            else {
                continue;
            };
            let mut image = first.clone();
            others.iter().for_each(|other| image.merge(other));
            let (part, with) = vulnerabilities::part(session, &image, detail).await;
            compared.extend(with);
            let mut part = Part { image: image.sha256(), ..part };
            part.notes.extend(notes);
            parts.push(part);
        }
        let (problems, notes) =
            (feed.problem.into_iter().collect(), feed.note.into_iter().collect());
        let remarks = compare::remarks(&compared);
        Outcome { remarks, ..session.outcome(parts, problems, notes) }
    }
}

/// Adds an image. Where several tags name one image, it counts once, with all tags; once for each
/// evaluation where policies differ by tag.
fn add(images: &mut Vec<Vec<AnalysedImage>>, found: AnalysedImage) {
    let is_same = |same: &&mut Vec<AnalysedImage>| {
        same[0].address == found.address && same[0].compare_to == found.compare_to
    };
    let Some(same) = images.iter_mut().find(is_same) else {
        return images.push(vec![found]);
    };
    match same.iter_mut().find(|other| other.evaluation == found.evaluation) {
        Some(other) => other.merge(&found),
        None => same.push(found),
    }
}

/// What all checks of an image have in common.
fn subject() -> Subject {
    Subject { resource_type: Some(TYPE.into()), ..Subject::new(Severity::None) }
}
