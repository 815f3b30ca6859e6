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
use crate::finding::{Cause, Problem, Subject};
use crate::selection::Field;
use crate::sources::{Later, Ready, Run};
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
    run: &'a Run,
) -> Result<Box<dyn Ready + 'a>, Vec<Problem>> {
    let mut found = Vec::new();
    for image in images {
        run.progress.status(&run.name, "reading evaluations", &find::name(image));
        let one = find::find(image, run).await;
        if let Err(problem) = &one
            && !matches!(problem.cause, Cause::Incomplete | Cause::Contradictory)
        {
            return Err(vec![problem.clone()]);
        }
        found.push(one);
    }
    Ok(Box::new(Images { run, vulnerabilities, found }) as Box<dyn Ready>)
}

/// A source whose images were asked for.
struct Images<'a> {
    run: &'a Run,
    vulnerabilities: Option<Detail>,
    found: Vec<Result<Found, Problem>>,
}

impl Ready for Images<'_> {
    fn findings(&self) -> Vec<String> {
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

    fn collect<'a>(self: Box<Self>) -> Later<'a, Outcome>
    where
        Self: 'a,
    {
        let Self { run, vulnerabilities, found } = *self;
        Box::pin(async move {
            let mut parts = Vec::new();
            for found in &found {
                match found {
                    Err(problem) => parts.push(crate::evidence::Part {
                        problems: vec![problem.clone()],
                        ..Default::default()
                    }),
                    Ok(found) => {
                        parts.push(policies::part(run, found));
                        if let Some(detail) = vulnerabilities {
                            parts.push(vulnerabilities::part(run, found, detail).await);
                        }
                    }
                }
            }
            run.outcome(parts, Vec::new(), Vec::new())
        })
    }
}

/// What all checks of an image have in common.
fn subject() -> Subject {
    Subject {
        severity: crate::finding::Severity::None,
        rule: None,
        controls: [].into(),
        resource_type: Some(TYPE.into()),
        account: None,
        region: None,
    }
}
