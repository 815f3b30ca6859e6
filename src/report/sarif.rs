//! SARIF 2.1.0, for GitHub code scanning and everything else that shows findings beside code.
//!
//! A finding is located at the line of the policy whose gate counts it: a physical location is
//! required, and the cloud resource, which has none, is the logical one. `error` stops the
//! pipeline, `warning` is beyond the limit of a gate that does not, or of one that could not be
//! decided, and `note` is within the limits or counted by no gate.
//!
//! A file from a run with incomplete evidence says `executionSuccessful: false` and must not be
//! uploaded: a host closes every alert that is not in the latest upload.

use std::borrow::Cow;
use std::io::{self, BufWriter, IntoInnerError, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::digest;
use super::view::{Entry, View, Weight};
use super::{Format, Report, TOOL};
use crate::evaluate::Usage;
use crate::finding::Problem;
use crate::policy::Place;
use crate::text;

mod rules;
mod uri;
mod wire;

use rules::Rules;
use wire::{Level, Text};

pub(super) const FORMAT: Format =
    Format { name: "sarif", title: "SARIF", extension: "sarif", render };

/// GitHub refuses a run with more. The last place is for the entry that says how many are missing.
const MOST_RESULTS: usize = 25_000;

/// GitHub accepts 10 MB, compressed.
const MOST_BYTES: u64 = 10_000_000;

/// So few results are never too long, however little their text can be compressed.
const FEW: usize = 1_000;

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let all = view.entries.len();
    let mut most = if all > MOST_RESULTS { MOST_RESULTS - 1 } else { all };
    while most > FEW {
        let mut plain = ByteCounter(0);
        write(view, most, &mut plain)?;
        // What fits uncompressed fits; compression takes ten times as long to show it.
        if plain.0 <= MOST_BYTES / 100 * 99 {
            break;
        }
        let size = compressed(|out| write(view, most, out))?;
        if size <= MOST_BYTES {
            break;
        }
        // Aims a little below, since no two results are of one size.
        let fits = most as u64 * (MOST_BYTES / 20 * 19) / size;
        most = usize::try_from(fits).unwrap_or(FEW);
    }
    write(view, most, out)
}

/// How many bytes are left of what is written.
fn compressed(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<u64> {
    let encoder = GzEncoder::new(ByteCounter(0), Compression::default());
    // The serializer writes a few bytes at a time.
    let mut buffered = BufWriter::with_capacity(64 * 1024, encoder);
    write(&mut buffered)?;
    let encoder = buffered.into_inner().map_err(IntoInnerError::into_error)?;
    Ok(encoder.finish()?.0)
}

struct ByteCounter(u64);

impl Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the first `most` results by weight.
fn write(view: &View<'_>, most: usize, out: &mut dyn Write) -> io::Result<()> {
    let left_out = view.entries.len() - most;
    let rules = Rules::of(view.by_weight().take(most), left_out > 0);
    let context = SarifContext { view, rules: &rules, uri: uri::of(view.policy) };
    let results = wire::Lazily(|| {
        let entries = view.by_weight().take(most).map(|entry| context.result(entry));
        entries.chain((left_out > 0).then(|| context.left_out(left_out)))
    });
    let problems = digest::gaps(view);
    let causes = problems.iter().map(|problem| problem.cause).collect();
    let run = wire::Run {
        tool: wire::Tool { driver: wire::Driver::of(rules.descriptors(), causes) },
        automation_details: wire::AutomationDetails { id: category(view) },
        invocations: [invocation(view, &problems)],
        column_kind: "unicodeCodePoints",
        results,
    };
    serde_json::to_writer(&mut *out, &wire::Log::of(run))?;
    writeln!(out)
}

/// GitHub closes the alerts of the last upload with the same category, which is all before the
/// last slash. So no policy file and no environment closes the alerts of another one.
fn category(report: &Report<'_>) -> String {
    let environment = uri::escaped(report.environment.unwrap_or("none"));
    format!("{TOOL}/{}/{environment}/", uri::of(report.policy))
}

struct SarifContext<'r, 'a> {
    view: &'r View<'a>,
    rules: &'r Rules<'a>,
    /// Of the policy file.
    uri: String,
}

impl<'a> SarifContext<'_, 'a> {
    fn result<'c>(&'c self, entry: &'c Entry<'a>) -> wire::Result<'c> {
        let finding = entry.finding;
        let (rule_id, rule_index) = self.rules.of_entry(entry);
        wire::Result {
            rule_id,
            rule_index,
            kind: "fail",
            level: match entry.weight {
                Some(Weight::Blocks) => Level::Error,
                Some(Weight::Warns) => Level::Warning,
                Some(Weight::Within) | None => Level::Note,
            },
            message: Text::of(&self.message(entry)),
            locations: [self.location(self.place(entry), Some(wire::LogicalLocation::of(finding)))],
            partial_fingerprints: wire::Fingerprints { own: entry.name() },
            suppressions: entry.accepted.map(wire::Suppression::of).into_iter().collect(),
            properties: Some(wire::ResultProperties {
                severity: finding.subject.severity,
                source: entry.source,
                status: finding.status.as_deref().map(text::safe),
                gates: self
                    .view
                    .gates_of(entry)
                    .map(|ruling| text::safe(&ruling.gate.id))
                    .collect(),
            }),
        }
    }

    /// What is wrong, where, and which gate is responsible.
    fn message(&self, entry: &Entry<'_>) -> String {
        let finding = entry.finding;
        let title = text::one_line(finding.title(), 200);
        let resource = digest::resource(finding);
        let reason = finding.reason.as_deref();
        let reason = reason.map_or_else(String::new, |reason| {
            format!(": {}", text::one_line(reason, 300).trim_end_matches('.'))
        });
        let gates = self.view.responsible_gates(entry);
        let gates = match entry.weight {
            None if entry.accepted.is_some() => "Accepted".to_owned(),
            None => "No gate counts it".to_owned(),
            Some(Weight::Within) => format!("Within the limits of {gates}"),
            Some(Weight::Warns) => format!("Counted by {gates}, which does not block"),
            Some(Weight::Blocks) => format!("Blocked by {gates}"),
        };
        format!("{title}: {resource}{reason}. {gates}.")
    }

    /// The first gate that counts it, else the first that looks at its source.
    fn place(&self, entry: &Entry<'_>) -> Place {
        let rulings = &self.view.decision.rulings;
        let of_source = || rulings.iter().find(|ruling| ruling.gate.uses(entry.source));
        let first = self.view.gates_of(entry).next().or_else(of_source);
        first.map(|ruling| self.view.place(ruling.gate)).unwrap_or_default()
    }

    fn uri_of(&self, file: &str) -> Cow<'_, str> {
        match file.is_empty() || file == self.view.policy {
            true => self.uri.as_str().into(),
            false => uri::of(file).into(),
        }
    }

    fn location(&self, place: Place, logical: Option<wire::LogicalLocation>) -> wire::Location<'_> {
        wire::Location {
            physical_location: wire::PhysicalLocation {
                artifact_location: wire::ArtifactLocation { uri: self.uri_of(&place.file) },
                region: wire::Region {
                    start_line: place.line.max(1),
                    start_column: place.column.max(1),
                },
            },
            logical_locations: logical.into_iter().collect(),
        }
    }

    /// The entry for all results beyond what the host accepts.
    fn left_out(&self, results: usize) -> wire::Result<'_> {
        let (rule_id, rule_index) = self.rules.left_out();
        let words = format!(
            "{} left out: code scanning accepts {} and 10 MB in a run, and these are the worst. The \
             gates counted everything, and the JSON report (--json FILE) lists everything.",
            text::count(results as u64, "finding"),
            text::count(MOST_RESULTS as u64, "result"),
        );
        wire::Result {
            rule_id,
            rule_index,
            kind: "fail",
            level: Level::Note,
            message: Text::of(&words),
            locations: [self.location(Place::default(), None)],
            partial_fingerprints: wire::Fingerprints { own: rules::LEFT_OUT.to_owned() },
            suppressions: Vec::new(),
            properties: None,
        }
    }
}

fn invocation(report: &Report<'_>, problems: &[&Problem]) -> wire::Invocation {
    wire::Invocation {
        execution_successful: digest::is_whole(report),
        exit_code: report.exit_code,
        exit_code_description: digest::headline(report),
        start_time_utc: digest::time(report.evidence.started),
        end_time_utc: digest::time(report.evidence.finished),
        tool_execution_notifications: problems
            .iter()
            .map(|problem| notification(problem))
            .chain(report.decision.acceptances.iter().filter_map(forgiven))
            .collect(),
    }
}

/// An acceptance that no result shows, since it is not of findings.
fn forgiven(usage: &Usage<'_>) -> Option<wire::Notification> {
    let forgives = &usage.entry.forgives;
    let is_shown = usage.is_used() && !forgives.is_of_findings();
    is_shown.then(|| wire::Notification {
        descriptor: wire::Reference { id: forgives.word() },
        level: Level::Note,
        message: Text::of(&format!(
            "{}: accepted by {}",
            text::listed(usage.gates.iter(), ", ", 5),
            digest::grounds(&usage.entry.grounds)
        )),
    })
}

fn notification(problem: &Problem) -> wire::Notification {
    let message = text::one_line(&problem.message, 600);
    wire::Notification {
        descriptor: wire::Reference { id: problem.cause.word() },
        level: Level::Error,
        message: Text::of(&format!("{message}. Next: {}.", digest::next(problem))),
    }
}
