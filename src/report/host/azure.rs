//! Azure Pipelines: issues, output variables and a summary by logging commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{issues, mark};
use crate::ci::Ci;
use crate::report::outputs::Outputs;
use crate::report::{Report, TOOL};
use crate::text;

/// Nobody states a limit; what GitHub takes is more than anyone reads.
const MOST_BYTES_OF_SUMMARY: usize = 900 * 1024;

pub fn fold(title: &str) -> (String, String) {
    (format!("##[group]{title}\n"), "##[endgroup]\n".to_owned())
}

/// A command for each gate that does not hold.
pub fn issues(report: &Report<'_>) -> String {
    let path = text::one_line(report.policy, 1000);
    let command = |issue: issues::Issue| {
        let kind = if issue.blocks { "error" } else { "warning" };
        format!(
            "##vso[task.logissue type={kind};sourcepath={};linenumber={};columnnumber=1]{}\n",
            property(&path),
            issue.line,
            data(&format!("{TOOL}: {}\n{}", issue.title, issue.message))
        )
    };
    issues::of(report).into_iter().map(command).collect()
}

pub fn refused(error: &str) -> String {
    let error = text::clean(error, "\n");
    let error = text::shorten(&error, 4_000);
    format!("##vso[task.logissue type=error]{}\n", data(&format!("{TOOL}: {error}")))
}

/// Sets the outputs and hands over the summary; a sentence for each that failed.
pub fn publish(
    ci: &Ci,
    outputs: &Outputs,
    summary: &dyn Fn(usize) -> String,
    plain: &mut dyn Write,
) -> Vec<String> {
    let variable = |(name, value): &(String, String)| {
        format!("##vso[task.setvariable variable={};isOutput=true]{}\n", camel(name), data(value))
    };
    let mut commands: String = outputs.iter().map(variable).collect();
    let mut notes = Vec::new();
    match ci.scratch.as_deref().map(|folder| leave(folder, &summary(MOST_BYTES_OF_SUMMARY))) {
        Some(Ok(path)) => {
            let path = data(&path.display().to_string());
            commands.push_str(&format!("##vso[task.uploadsummary]{path}\n"));
        }
        Some(Err(error)) => notes.push(format!("failed to write the job's summary: {error}")),
        None => {}
    }
    let told = mark(plain, &commands);
    notes.extend(told.err().map(|error| format!("failed to print: {error}")));
    notes
}

/// A file that the agent takes away with its temporary folder.
fn leave(folder: &Path, text: &str) -> std::io::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    let mut file =
        tempfile::Builder::new().prefix("compliance-gate-").suffix(".md").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// `exit-code` is `exitCode`: a variable's name holds no `-`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &super::super::digest::capital(word))
}

fn data(text: &str) -> String {
    text.replace('%', "%AZP25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(';', "%3B").replace(']', "%5D")
}
