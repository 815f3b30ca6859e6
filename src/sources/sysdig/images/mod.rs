//! Scanned images: what policies say of them, and their vulnerabilities (fact sheet §5).
//!
//! ```text
//! find.rs        an image by tag, digest or id: what was found out about it
//! policies.rs    the evaluation as a part of the evidence        wire.rs   the JSON
//! vulnerabilities.rs   the vulnerabilities as another
//! ```
//!
//! Each image has parts of its own, so that one that was not analysed yet does not hide what is
//! wrong with another.

use crate::evidence::Outcome;
use crate::finding::{Cause, Problem, Severity, Subject};
use crate::selection::Field;
use crate::sources::{Prepared, Session};
use crate::text;

use super::settings::{Detail, Image};

mod find;
mod policies;
mod vulnerabilities;
mod wire;

use find::Found;

pub const SELECTORS: &[Field] =
    &[Field::Framework, Field::Rule, Field::Severity, Field::Resource, Field::ResourceType];

/// What every finding's resource is.
const TYPE: &str = "image";

/// Asks for every image's evaluation. What is wrong with one image is kept for its part; what is
/// wrong with the platform is wrong with all.
pub async fn preflight<'a>(
    images: &'a [Image],
    vulnerabilities: Option<Detail>,
    session: &'a Session,
) -> Result<Images<'a>, Vec<Problem>> {
    let mut found = Vec::new();
    for image in images {
        session.progress.status(&session.name, "reading evaluations", &find::name(image));
        let one = find::find(image, session).await;
        if let Err(problem) = &one
            && !matches!(problem.cause, Cause::Incomplete | Cause::Contradictory)
        {
            return Err(vec![problem.clone()]);
        }
        found.push(one);
    }
    Ok(Images { session, vulnerabilities, found })
}

/// A source whose images were asked for.
pub(in crate::sources) struct Images<'a> {
    session: &'a Session,
    vulnerabilities: Option<Detail>,
    found: Vec<Result<Found, Problem>>,
}

impl Prepared for Images<'_> {
    fn summary(&self) -> Vec<String> {
        let found = self.found.iter().flatten();
        found
            .map(|found| {
                let status = found.evaluation.status.as_deref().unwrap_or("unknown");
                format!("{}: {}", found.name, text::one_line(status, 40))
            })
            .collect()
    }

    fn doubts(&self) -> Vec<Problem> {
        self.found.iter().filter_map(|found| found.as_ref().err().cloned()).collect()
    }

    async fn collect(self) -> Outcome {
        let Self { session, vulnerabilities, found } = self;
        let mut parts = Vec::new();
        for found in &found {
            match found {
                Err(problem) => parts.push(crate::evidence::Part {
                    problems: vec![problem.clone()],
                    ..Default::default()
                }),
                Ok(found) => {
                    parts.push(policies::part(session, found));
                    if let Some(detail) = vulnerabilities {
                        parts.push(vulnerabilities::part(session, found, detail).await);
                    }
                }
            }
        }
        session.outcome(parts, Vec::new(), Vec::new())
    }
}

/// What all checks of an image have in common.
fn subject() -> Subject {
    Subject { resource_type: Some(TYPE.into()), ..Subject::new(Severity::None) }
}
