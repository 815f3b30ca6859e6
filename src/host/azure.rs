//! Azure Pipelines: issues, output variables and a summary by logging commands.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Host, Published, RunVariables, Summary, is_true, value};
use crate::report::issues::Issue;
use crate::report::outputs::Outputs;
use crate::report::{TOOL, capital};
use crate::secret::Variables;

pub(super) const HOST: Host = Host {
    name: "azure",
    detect: |variables| is_true(variables, "TF_BUILD"),
    run,
    commit: |variables| value(variables, "BUILD_SOURCEVERSION"),
    names: RunVariables {
        id: "BUILD_BUILDID",
        repository: |variables| value(variables, "BUILD_REPOSITORY_NAME"),
        actor: "BUILD_REQUESTEDFOR",
    },
    fold: Some(|title, _| (format!("##[group]{title}\n"), "##[endgroup]\n".to_owned())),
    annotate: Some(annotate),
    publish: Some(publish),
};

/// No limit is documented; this is GitHub's.
const MOST_BYTES_OF_SUMMARY: usize = 900 * 1024;

fn run(variables: &Variables) -> Option<String> {
    let id = value(variables, "BUILD_BUILDID")?;
    let page = || {
        let collection = value(variables, "SYSTEM_COLLECTIONURI")?;
        let project = value(variables, "SYSTEM_TEAMPROJECTID")?;
        let collection = collection.trim_end_matches('/');
        Some(format!("{collection}/{project}/_build/results?buildId={id}"))
    };
    page().or(Some(id))
}

fn annotate(issue: &Issue) -> String {
    let kind = if issue.blocks { "error" } else { "warning" };
    let place = issue.place.as_ref().map(|place| {
        format!(";sourcepath={};linenumber={};columnnumber=1", property(&place.file), place.line)
    });
    let text = data(&format!("{TOOL}: {}\n{}", issue.title, issue.message));
    format!("##vso[task.logissue type={kind}{}]{text}\n", place.unwrap_or_default())
}

/// Sets the outputs and uploads the summary.
fn publish(variables: &Variables, outputs: &Outputs, summary: Summary<'_>) -> Published {
    let variable = |(name, value): &(String, String)| {
        format!("##vso[task.setvariable variable={};isOutput=true]{}\n", camel(name), data(value))
    };
    let mut log: String = outputs.iter().map(variable).collect();
    let mut notes = Vec::new();
    // The agent removes this folder at the end of the job.
    let folder = value(variables, "AGENT_TEMPDIRECTORY").map(PathBuf::from);
    match folder.map(|folder| leave(&folder, &summary(MOST_BYTES_OF_SUMMARY))) {
        Some(Ok(path)) => {
            let path = data(&path.display().to_string());
            log.push_str(&format!("##vso[task.uploadsummary]{path}\n"));
        }
        Some(Err(error)) => notes.push(format!("failed to write the job's summary: {error}")),
        None => {}
    }
    Published { log, notes }
}

fn leave(folder: &Path, text: &str) -> io::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    let mut file =
        tempfile::Builder::new().prefix("compliance-gate-").suffix(".md").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// `exit-code` is `exitCode`: the name of a variable cannot contain `-`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capital(word))
}

fn data(text: &str) -> String {
    text.replace('%', "%AZP25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(';', "%3B").replace(']', "%5D")
}
