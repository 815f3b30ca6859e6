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
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::digest;
use super::view::{Entry, View, Weight};
use super::{Format, Report, TOOL, write};
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
        write_first(view, most, &mut plain)?;
        // What fits uncompressed, or compressed in haste, fits; compressing it well takes several
        // times as long.
        if plain.0 <= MOST_BYTES / 100 * 99
            || compressed(view, most, Compression::fast())? <= MOST_BYTES / 100 * 99
        {
            break;
        }
        let size = compressed(view, most, Compression::default())?;
        if size <= MOST_BYTES {
            break;
        }
        // Aims a little below, since no two results are of one size.
        let fits = most as u64 * (MOST_BYTES / 20 * 19) / size;
        most = usize::try_from(fits).unwrap_or(FEW);
    }
    write_first(view, most, out)
}

/// How many bytes are left of the first `most` results.
fn compressed(view: &View<'_>, most: usize, how: Compression) -> io::Result<u64> {
    let mut encoder = GzEncoder::new(ByteCounter(0), how);
    write_first(view, most, &mut encoder)?;
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
fn write_first(view: &View<'_>, most: usize, out: &mut dyn Write) -> io::Result<()> {
    let left_out = view.entries.len() - most;
    let rules = Rules::of(view.alike(most), left_out > 0);
    let context = SarifContext { view, rules: &rules, uri: uri::of(view.policy) };
    let problems = digest::gaps(view);
    let causes = problems.iter().map(|problem| problem.cause).collect();
    let run = wire::Run {
        tool: wire::Tool { driver: wire::Driver::of(rules.descriptors(), causes) },
        automation_details: wire::AutomationDetails { id: category(view) },
        invocations: [invocation(view, &problems)],
        column_kind: "unicodeCodePoints",
        results: Results { context: &context, most },
    };
    write::compact(&wire::Log::of(run), out)?;
    writeln!(out)
}

/// Made one at a time while they are written: there may be very many.
struct Results<'c, 'r, 'a> {
    context: &'c SarifContext<'r, 'a>,
    most: usize,
}

impl Serialize for Results<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { context, most } = self;
        let mut results = serializer.serialize_seq(None)?;
        for mut entries in context.view.alike(*most) {
            let Some(first) = entries.clone().next() else { continue };
            let common = context.common(first);
            entries
                .try_for_each(|entry| results.serialize_element(&context.result(&common, entry)))?;
        }
        if let left_out @ 1.. = context.view.entries.len() - most {
            let place = context.physical(&Place::default());
            results.serialize_element(&context.left_out(left_out, &place))?;
        }
        results.end()
    }
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

/// What findings of one rule have in common that the same gates count.
struct Common<'c> {
    rule_id: &'c str,
    rule_index: usize,
    title: Cow<'c, str>,
    /// The gates that are responsible, as the message has them.
    responsible: String,
    gates: Vec<Cow<'c, str>>,
    place: wire::PhysicalLocation<'c>,
}

impl<'a> SarifContext<'_, 'a> {
    fn common<'c>(&'c self, entry: &Entry<'a>) -> Common<'c> {
        let (rule_id, rule_index) = self.rules.of_entry(entry);
        let gates = self.view.gates_of(entry);
        Common {
            rule_id,
            rule_index,
            title: text::line(entry.finding.title(), 200),
            responsible: self.view.responsible_gates(entry),
            gates: gates.map(|ruling| text::safe(&ruling.gate.id)).collect(),
            place: self.physical(&self.place(entry)),
        }
    }

    fn result<'c>(&self, common: &'c Common<'_>, entry: &'c Entry<'a>) -> wire::Result<'c> {
        let finding = entry.finding;
        wire::Result {
            rule_id: common.rule_id,
            rule_index: common.rule_index,
            kind: "fail",
            level: match entry.weight {
                Some(Weight::Blocks) => Level::Error,
                Some(Weight::Warns) => Level::Warning,
                Some(Weight::Within) | None => Level::Note,
            },
            message: message(common, entry),
            locations: [wire::Location {
                physical_location: &common.place,
                logical_locations: vec![wire::LogicalLocation::of(finding)],
            }],
            partial_fingerprints: wire::Fingerprints { own: entry.name() },
            suppressions: entry.accepted.map(wire::Suppression::of).into_iter().collect(),
            properties: Some(wire::ResultProperties {
                severity: finding.subject.severity,
                source: entry.source(),
                status: finding.status.as_deref().map(text::safe),
                gates: &common.gates,
            }),
        }
    }

    /// The first gate that counts it, else the first that looks at its source.
    fn place(&self, entry: &Entry<'_>) -> Place {
        let rulings = &self.view.decision.rulings;
        let of_source = || rulings.iter().find(|ruling| ruling.gate.uses(entry.source()));
        let first = self.view.gates_of(entry).next().or_else(of_source);
        first.map(|ruling| self.view.place(ruling.gate)).unwrap_or_default()
    }

    fn uri_of(&self, file: &str) -> Cow<'_, str> {
        match file.is_empty() || file == self.view.policy {
            true => self.uri.as_str().into(),
            false => uri::of(file).into(),
        }
    }

    fn physical(&self, place: &Place) -> wire::PhysicalLocation<'_> {
        wire::PhysicalLocation {
            artifact_location: wire::ArtifactLocation { uri: self.uri_of(&place.file) },
            region: wire::Region {
                start_line: place.line.max(1),
                start_column: place.column.max(1),
            },
        }
    }

    /// The entry for all results beyond what the host accepts.
    fn left_out<'c>(
        &'c self,
        results: usize,
        place: &'c wire::PhysicalLocation<'_>,
    ) -> wire::Result<'c> {
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
            locations: [wire::Location { physical_location: place, logical_locations: Vec::new() }],
            partial_fingerprints: wire::Fingerprints { own: rules::LEFT_OUT.to_owned() },
            suppressions: Vec::new(),
            properties: None,
        }
    }
}

/// What is wrong, where, and which gate is responsible.
fn message(common: &Common<'_>, entry: &Entry<'_>) -> Text {
    let mut words = common.title.clone().into_owned();
    words.extend([": ", &digest::resource(entry.finding)]);
    if let Some(reason) = entry.finding.reason.as_deref() {
        words.extend([": ", text::line(reason, 300).trim_end_matches('.')]);
    }
    let gates = &*common.responsible;
    words.extend(match entry.weight {
        None if entry.accepted.is_some() => [". Accepted", "", "."],
        None => [". No gate counts it", "", "."],
        Some(Weight::Within) => [". Within the limits of ", gates, "."],
        Some(Weight::Warns) => [". Counted by ", gates, ", which does not block."],
        Some(Weight::Blocks) => [". Blocked by ", gates, "."],
    });
    Text::from(words)
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
