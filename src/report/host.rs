//! What a CI host is told in its own language: folded logs, annotations, outputs, a summary.
//!
//! The commands that are written here are the only live ones in the log. What they carry from
//! outside is escaped for the host, and disarmed besides.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Format, Report, markdown, outputs, terminal};
use crate::ci::{Ci, Host};

mod azure;
mod github;
mod gitlab;
mod issues;

/// Prints the result for people. `plain` is where `people` ends up, without the filter that takes
/// escape sequences out: some hosts' marks need them.
///
/// # Errors
/// What a writer says.
pub fn print(
    report: &Report<'_>,
    ci: &Ci,
    people: &mut dyn Write,
    plain: &mut dyn Write,
) -> io::Result<()> {
    let (open, close) = match ci.host {
        Host::Github => github::fold("Evidence"),
        Host::Azure => azure::fold("Evidence"),
        Host::Gitlab => gitlab::fold("Evidence", report.finished.timestamp()),
        Host::None | Host::Jenkins | Host::Bitbucket | Host::Circleci => {
            return terminal::render(report, people);
        }
    };
    terminal::result(report, people)?;
    people.flush()?;
    mark(plain, &open)?;
    terminal::evidence(report, people)?;
    people.flush()?;
    mark(plain, &close)?;
    match ci.host {
        Host::Github => mark(plain, &github::annotations(report))?,
        Host::Azure => mark(plain, &azure::issues(report))?,
        _ => {}
    }
    terminal::last_line(report, people)
}

fn mark(plain: &mut dyn Write, text: &str) -> io::Result<()> {
    plain.write_all(text.as_bytes()).and_then(|()| plain.flush())
}

/// Leaves the summary and the outputs where the host looks for them, after the reports were
/// written. Returns a sentence for each that could not be left: worth a note, and no more, since
/// the verdict does not depend on it, and what is not there lets no later step pass.
pub fn publish(
    report: &Report<'_>,
    ci: &Ci,
    reports: &[(&'static Format, PathBuf)],
    plain: &mut dyn Write,
) -> Vec<String> {
    // Old reports were taken away at the start, so what is there now is whole and of this run.
    let written: Vec<_> = reports.iter().filter(|(_, path)| path.is_file()).cloned().collect();
    let mut outputs = outputs::of(report);
    match ci.host {
        Host::Github => {
            outputs.extend(outputs::places(&written));
            let summary = |most: usize| markdown::within(report, most);
            github::publish(ci, &outputs, summary)
        }
        Host::Azure => azure::publish(ci, &outputs, &|most| markdown::within(report, most), plain),
        _ => Vec::new(),
    }
}

/// Tells the host of a run that could not begin: in the log, in the summary, and as outputs.
/// Returns what `publish` does.
pub fn refuse(error: &str, ci: &Ci, plain: &mut dyn Write) -> Vec<String> {
    let outputs = outputs::refused();
    let summary = |_: usize| markdown::refused(error);
    match ci.host {
        Host::Github => {
            let told = mark(plain, &github::refused(error));
            let mut notes = github::publish(ci, &outputs, summary);
            notes.extend(told.err().map(|error| format!("failed to print: {error}")));
            notes
        }
        Host::Azure => {
            let told = mark(plain, &azure::refused(error));
            let mut notes = azure::publish(ci, &outputs, &summary, plain);
            notes.extend(told.err().map(|error| format!("failed to print: {error}")));
            notes
        }
        _ => Vec::new(),
    }
}

/// Appends to a file of the host's, on a line of its own.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let begin = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{begin}{text}").as_bytes())?;
    file.flush()
}

/// How many bytes a file has; none if it is not there yet.
fn size(path: &Path) -> usize {
    fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX))
}
