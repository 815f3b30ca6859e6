//! `compliance-gate compare`: why the verdict differs.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::CompareArguments;
use crate::command::{Context, Usage, evaluate, print, write_whole};
use crate::compare::{Comparison, Difference, Side};
use crate::config::Config;
use crate::evaluate::Decision;
use crate::pipeline::{self, Collected};
use crate::policy::Whose;
use crate::report::{self, markdown::prose};
use crate::saved::{Decided, Saved};
use crate::text;
use crate::verdict::Verdict;

/// What names the document.
const SCHEMA: &str = "urn:compliance-gate:comparison:1";

pub(super) fn compare(arguments: &CompareArguments, context: &Context) -> Result<u8, Usage> {
    let (old, new) = match (load(&arguments.old, context)?, load(&arguments.new, context)?) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(code), _) | (_, Err(code)) => return Ok(code),
    };
    let (before, after) = (old.decision(), new.decision());
    let comparison = Comparison::of(old.side(&before), new.side(&after));
    if let Some(path) = &arguments.markdown {
        write_whole(path, &markdown(&old, &new, &comparison))?;
    }
    if let Some(path) = &arguments.json {
        write_whole(path, &json(&old, &new, &comparison))?;
    }
    if [&arguments.markdown, &arguments.json]
        .iter()
        .all(|path| path.as_deref() != Some(Path::new("-")))
    {
        print(&plain(&old, &new, &comparison))?;
    }
    Ok(Verdict::Passed.exit_code())
}

/// Saved evidence with the policy that it was decided by.
pub(super) struct Recorded {
    pub config: Config,
    pub collected: Collected,
    pub decided: Decided,
    pub sha256: String,
}

impl Recorded {
    pub(super) fn of(saved: Saved) -> Result<Self, Usage> {
        let config = evaluate::recorded_policy(&saved)?;
        let Saved { evidence, decided, sha256, .. } = saved;
        let collected = Collected::recorded(evidence, &decided);
        Ok(Self { config, collected, decided, sha256 })
    }

    pub(super) fn decision(&self) -> Decision<'_> {
        pipeline::decide(&self.config, &self.collected, self.decided.now)
    }

    pub(super) fn side<'a>(&'a self, decision: &'a Decision<'a>) -> Side<'a> {
        Side {
            evidence: &self.collected.evidence,
            at_least: self.collected.at_least,
            artefacts: &self.collected.artefacts,
            decision,
            now: self.decided.now,
        }
    }

    fn line(&self) -> String {
        let environment = self.decided.environment.as_deref();
        let environment = environment
            .map_or_else(String::new, |name| format!(", environment {}", text::one_line(name, 80)));
        let at = self.decided.now.format("%Y-%m-%d %H:%M UTC");
        format!("{} on {at}{environment}", self.decided.verdict)
    }
}

fn load(path: &Path, context: &Context) -> Result<Result<Recorded, u8>, Usage> {
    match evaluate::load(path, context) {
        Ok(saved) => Recorded::of(saved).map(Ok),
        Err(code) => Ok(Err(code)),
    }
}

/// Whether the verdict changed, and why.
fn headline(comparison: &Comparison) -> String {
    let (old, new) = comparison.verdicts;
    match &comparison.cause {
        None if comparison.differences.is_empty() => {
            format!("The verdict is {new} as before, and nothing differs.")
        }
        None => format!("The verdict is {new} as before."),
        Some(cause) => {
            format!("The verdict was {old} and is {new}: {}.", cause.sentence())
        }
    }
}

fn plain(old: &Recorded, new: &Recorded, comparison: &Comparison) -> String {
    let mut out = format!("{}\nOld: {}\nNew: {}\n", headline(comparison), old.line(), new.line());
    let mut class = None;
    for difference in &comparison.differences {
        if class != Some(difference.class) {
            class = Some(difference.class);
            out.push_str(&format!("\n{}\n", report::capital(difference.class.word())));
        }
        out.push_str(&format!("  {}{}\n", difference.message, overlaps(difference)));
        for example in shown(difference) {
            out.push_str(&format!("    - {example}\n"));
        }
    }
    text::disarmed(&out).into_owned()
}

fn markdown(old: &Recorded, new: &Recorded, comparison: &Comparison) -> String {
    let escaped = |text: &str| prose(text, 600);
    let mut out = format!("### {}\n\n", escaped(&headline(comparison)));
    out.push_str(&format!("* Old: {}\n* New: {}\n", escaped(&old.line()), escaped(&new.line())));
    if !comparison.differences.is_empty() {
        out.push_str("\n| class | difference |\n|---|---|\n");
    }
    for difference in &comparison.differences {
        let message = format!("{}{}", difference.message, overlaps(difference));
        let examples: String =
            shown(difference).map(|line| format!("<br>{}", escaped(&line))).collect();
        let class = difference.class.word();
        out.push_str(&format!("| {class} | {}{examples} |\n", escaped(&message)));
    }
    out
}

fn overlaps(difference: &Difference) -> String {
    match difference.overlaps.as_slice() {
        [] => String::new(),
        classes => {
            let words: Vec<_> = classes.iter().map(|class| class.word()).collect();
            format!(" (overlaps with {})", words.join(", "))
        }
    }
}

/// The first examples for people, and how many more there are.
fn shown(difference: &Difference) -> impl Iterator<Item = String> {
    const MOST: usize = 5;
    let total = difference.findings.unwrap_or(0);
    let more = total.saturating_sub(MOST as u64);
    let more = (more > 0).then(|| format!("and {} more", text::thousands(more)));
    difference.examples.iter().take(MOST).cloned().chain(more)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ComparisonDocument<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: u32,
    summary: String,
    verdict_changed: bool,
    /// Whether several causes overlap.
    causes_overlap: bool,
    old: SideOf<'a>,
    new: SideOf<'a>,
    differences: &'a [Difference],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SideOf<'a> {
    verdict: Verdict,
    decided: DateTime<Utc>,
    environment: Option<&'a str>,
    evidence_sha256: &'a str,
    policy_sha256: Option<&'a str>,
    organisation_policy_sha256: Option<&'a str>,
}

impl<'a> SideOf<'a> {
    fn of(recorded: &'a Recorded) -> Self {
        let sha256 = |whose: Whose| {
            let mut documents = recorded.config.documents.iter();
            let policy = documents.find(|document| document.whose == whose);
            policy.map(|document| document.sha256.as_str())
        };
        Self {
            verdict: recorded.decided.verdict,
            decided: recorded.decided.now,
            environment: recorded.decided.environment.as_deref(),
            evidence_sha256: &recorded.sha256,
            policy_sha256: sha256(Whose::Repository),
            organisation_policy_sha256: sha256(Whose::Organisation),
        }
    }
}

fn json(old: &Recorded, new: &Recorded, comparison: &Comparison) -> String {
    let document = ComparisonDocument {
        schema: SCHEMA,
        version: 1,
        summary: headline(comparison),
        verdict_changed: comparison.cause.is_some(),
        causes_overlap: comparison.cause.as_ref().is_some_and(|cause| cause.overlaps())
            || comparison.differences.iter().any(|difference| !difference.overlaps.is_empty()),
        old: SideOf::of(old),
        new: SideOf::of(new),
        differences: &comparison.differences,
    };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_document() {
        let title = "compliance-gate comparison";
        text::published::check_written::<ComparisonDocument<'_>>(
            "comparison.schema.json",
            SCHEMA,
            title,
        );
    }
}
