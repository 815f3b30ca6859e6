//! `compliance-gate policy init`: a policy to begin with.

mod copied;
mod proposal;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::schema::SCHEMA;
use crate::cli::InitArguments;
use crate::command::{Context, Usage, evaluate, print};
use crate::config::Written;
use crate::policy::Whose;
use crate::text;
use crate::verdict::Verdict;

/// A policy to begin with.
const STARTER: &str = include_str!("../../../fixtures/policies/starter.yaml");

/// What the first line of a policy points editors to.
const SCHEMA_FILE: &str = "policy.schema.json";

/// Writes a policy, and never over an existing file.
pub(super) fn init(arguments: &InitArguments, context: &Context) -> Result<u8, Usage> {
    match &arguments.from {
        Some(evidence) => from_evidence(&arguments.path, evidence, context),
        None => starter(&arguments.path),
    }
}

fn starter(path: &Path) -> Result<u8, Usage> {
    let wrote = write(path, STARTER)?;
    print(&format!(
        "{wrote} Put in your platform's url, frameworks and integrations (`compliance-gate list \
         frameworks` shows them), then try `compliance-gate doctor`.\n"
    ))?;
    Ok(Verdict::Passed.exit_code())
}

/// Proposes gates by what evidence shows.
fn from_evidence(path: &Path, evidence: &Path, context: &Context) -> Result<u8, Usage> {
    let saved = match evaluate::load(evidence, context) {
        Ok(saved) => saved,
        Err(code) => return Ok(code),
    };
    let environment = saved.decided.environment.as_deref();
    let config = Written::recorded(&saved.documents, Whose::Repository)?.resolve(environment)?;
    let problems = proposal::gaps(&saved.evidence);
    if !problems.is_empty() {
        let progress = context.progress();
        for problem in problems {
            progress.error(&text::one_line(&problem.message, 600));
        }
        progress.error("no policy is proposed: the evidence is not complete");
        return Ok(Verdict::Inconclusive.exit_code());
    }
    let written = saved.documents.first().map_or("", |document| &document.text);
    let copied = copied::of(written)?;
    let proposal = proposal::of(&saved.evidence, &config, &copied, saved.decided.now);
    let wrote = write(path, &proposal.text)?;
    let next = match proposal.baselined {
        0 => format!("`compliance-gate evaluate {} -c {}`", evidence.display(), path.display()),
        findings => format!(
            "fill in `owner` and `expires` of the acceptance `first-day`, which is for {}. Then \
             write its baseline: `compliance-gate baseline write {} -c {}`",
            text::count(findings, "severe finding"),
            evidence.display(),
            path.display()
        ),
    };
    print(&format!("{wrote} Next: {next}\n"))?;
    Ok(Verdict::Passed.exit_code())
}

/// Writes the policy, and the schema beside it, if none is there.
fn write(path: &Path, policy: &str) -> Result<String, String> {
    create(path, policy).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => format!(
            "{} exists already and is left as it is; name another file, as in `compliance-gate \
             policy init other.yaml`",
            path.display()
        ),
        _ => format!("failed to write {}: {}", path.display(), text::reason(&error)),
    })?;
    let schema: PathBuf = path.with_file_name(SCHEMA_FILE);
    match create(&schema, SCHEMA) {
        Ok(()) => Ok(format!("Wrote {} and {}.", path.display(), schema.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(format!("Wrote {}.", path.display()))
        }
        Err(error) => {
            Err(format!("failed to write {}: {}", schema.display(), text::reason(&error)))
        }
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
}
