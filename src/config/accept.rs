//! What is forgiven, as it is written: each entry of `accept`, checked.

mod baselines;
mod entry;
mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::layer::BASE;
use super::node::Mark;
use super::reader::Located;
use super::source::Source as Text;
use super::values::Line;
use crate::acceptance::{Acceptance, Excuse, Forgives, Grounds, KnownFindings, Match};
use crate::baseline::BaselineFault;
use crate::place::Place;
use crate::selection::{Field, Pattern, Selection};
pub(super) use baselines::Baselines;
#[cfg(test)]
pub(super) use entry::UpstreamWord;
pub(super) use entry::{AcceptEntry, Cap};
use entry::{CauseWord, MatchEntry};
pub(super) use names::Names;

/// The keys of which an entry has one.
const KINDS: [&str; 5] = ["match", "baseline", "cause", "gate_off", "upstream"];

/// Entries, checked one after the other.
pub(super) struct Checked<'a> {
    names: Names<'a>,
    /// Where each id was first used.
    ids: BTreeMap<String, Place>,
    /// Those for the environment that is read.
    pub accept: Vec<Acceptance>,
    /// The files of baselines that they use.
    pub baselines: Vec<Arc<Text>>,
}

impl<'a> Checked<'a> {
    pub(super) fn new(names: Names<'a>) -> Self {
        Self { names, ids: BTreeMap::new(), accept: Vec::new(), baselines: Vec::new() }
    }

    /// Checks the entries of one file.
    pub(super) fn add(
        &mut self,
        entries: &[Located<AcceptEntry>],
        file: &Text,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for entry in entries.iter().filter(|entry| entry.whole) {
            let before = diagnostics.len();
            let acceptance = self.one(entry, file, diagnostics);
            let applies = entry.value.environments.as_ref().is_none_or(|environments| {
                let own = self.names.environment.unwrap_or(BASE);
                environments.value.0.iter().any(|name| name == own)
            });
            let is_own = entry.value.repositories.as_ref().is_none_or(|repositories| {
                repositories.value.0.iter().any(|name| Some(&**name) == self.names.repository)
            });
            if diagnostics.len() == before && applies && is_own {
                self.accept.extend(acceptance);
            }
        }
    }

    fn one(
        &mut self,
        entry: &Located<AcceptEntry>,
        file: &Text,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Acceptance> {
        let AcceptEntry { id, reason, owner, expires, .. } = &entry.value;
        let name = id.as_ref().map_or("without an id", |id| &id.value.0);
        let missing = [
            (id.is_none(), "`id`; give it a name, such as `id: docs-bucket`"),
            (reason.is_none(), "`reason`; write why, for an auditor"),
            (owner.is_none(), "`owner`; name who answers for it"),
            (
                expires.is_none(),
                "`expires`; write the last day on which it holds, such as `expires: 2027-01-31`",
            ),
        ];
        // Each has a place of its own, or only the first one would be shown.
        for (offset, (_, what)) in (0..).zip(missing.iter().filter(|(is_missing, _)| *is_missing)) {
            let mark = Mark { column: entry.mark.column + offset, ..entry.mark };
            diagnostics.push(Diagnostic::at(mark, format!("acceptance `{name}` has no {what}")));
        }
        if let Some(id) = id {
            self.check_id(id, &file.file, diagnostics);
        }
        if let (Some(from), Some(expires)) = (&entry.value.from, expires)
            && from.value.0 > expires.value.0
        {
            let message = format!(
                "acceptance `{name}` begins on {}, after its last day, {}",
                from.value.0, expires.value.0
            );
            diagnostics.push(Diagnostic::at(from.mark, message));
        }
        self.names.check(name, &entry.value, diagnostics);
        let forgives = self.forgives(name, entry, file, diagnostics);
        Some(Acceptance {
            whose: self.names.whose,
            grounds: Grounds {
                id: name.to_owned(),
                reason: reason.as_ref()?.0.clone(),
                owner: owner.as_ref()?.0.clone(),
                approved_by: entry.value.approved_by.as_ref().map(|line| line.0.clone()),
                ticket: entry.value.ticket.as_ref().map(|line| line.0.clone()),
                from: entry.value.from.as_ref().map(|day| day.value.0),
                expires: expires.as_ref()?.value.0,
                place: entry.mark.in_file(&file.file),
            },
            gates: entry.value.gates.as_ref().map_or_else(Vec::new, |gates| gates.value.0.clone()),
            forgives: forgives?,
        })
    }

    fn check_id(&mut self, id: &Located<Line>, file: &Arc<str>, diagnostics: &mut Vec<Diagnostic>) {
        let place = id.mark.in_file(file);
        if let Some(first) = self.ids.get(&id.value.0) {
            let message = format!(
                "acceptance id `{}` is used twice, first at {first}; each entry needs its own",
                id.value.0
            );
            diagnostics.push(Diagnostic::at(id.mark, message));
        } else {
            self.ids.insert(id.value.0.clone(), place);
        }
    }

    fn forgives(
        &mut self,
        name: &str,
        entry: &Located<AcceptEntry>,
        file: &Text,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Forgives> {
        let AcceptEntry { matching, baseline, cause, gate_off, upstream, .. } = &entry.value;
        let given = [
            matching.as_ref().map(|m| m.mark),
            baseline.as_ref().map(|b| b.mark),
            cause.as_ref().map(|c| c.mark),
            gate_off.as_ref().map(|g| g.mark),
            upstream.as_ref().map(|u| u.mark),
        ];
        let given: Vec<_> =
            KINDS.into_iter().zip(given).filter(|(_, mark)| mark.is_some()).collect();
        if let [] | [_, _, ..] = given.as_slice() {
            let kinds = KINDS.map(|kind| format!("`{kind}`")).join(", ");
            let what = match given.as_slice() {
                [] => "forgives nothing".to_owned(),
                several => {
                    let words: Vec<_> =
                        several.iter().map(|(kind, _)| format!("`{kind}`")).collect();
                    format!("has {}", words.join(" and "))
                }
            };
            diagnostics.push(Diagnostic::at(
                entry.mark,
                format!("acceptance `{name}` {what}; give each entry exactly one of {kinds}"),
            ));
            return None;
        }
        self.check_company(name, &entry.value, diagnostics);
        let entry = &entry.value;
        if let Some(matching) = matching {
            return self.matching(name, matching, entry.max_findings.as_ref(), diagnostics);
        }
        if let Some(path) = baseline {
            return self.known_findings(name, path, file, diagnostics).map(Forgives::Baseline);
        }
        if let Some(cause) = cause {
            return self.excuse(name, cause, entry, diagnostics);
        }
        let off = gate_off.as_ref().map(|gate| Forgives::GateOff(gate.value.clone()));
        off.or_else(|| upstream.as_ref().map(|word| Forgives::Upstream(word.value.0)))
    }

    /// Keys that belong to another kind of entry.
    fn check_company(&self, name: &str, entry: &AcceptEntry, diagnostics: &mut Vec<Diagnostic>) {
        let cause = entry.cause.is_some();
        let misplaced = [
            (
                entry.max_findings.as_ref().map(|m| m.mark),
                entry.matching.is_some(),
                "max_findings",
                "`match`",
            ),
            (
                entry.source.as_ref().map(|s| s.mark),
                cause,
                "source",
                "`cause`; in `match` it is a key below it",
            ),
            (entry.up_to.as_ref().map(|u| u.mark), cause, "up_to", "`cause: stale`"),
            (
                entry.gates.as_ref().map(|g| g.mark),
                entry.gate_off.is_none(),
                "gates",
                "entries that may be for several gates",
            ),
        ];
        for (mark, fits, key, beside) in misplaced {
            if let Some(mark) = mark.filter(|_| !fits) {
                let message = format!("acceptance `{name}`: `{key}` belongs to {beside}");
                diagnostics.push(Diagnostic::at(mark, message));
            }
        }
    }

    /// Reads a baseline. It is not judged in an environment that it is not of.
    fn known_findings(
        &mut self,
        name: &str,
        path: &Located<String>,
        file: &Text,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<KnownFindings> {
        let known = |baseline, applies| KnownFindings {
            path: path.value.clone(),
            file: Text::place_named(&file.folder, &path.value, self.names.whose)
                .unwrap_or_default(),
            baseline,
            applies,
        };
        let read = match self.names.baselines.read(&file.folder, &path.value) {
            Ok(Some(read)) => read,
            Ok(None) => return Some(known(None, false)),
            Err(why) => {
                let message = format!("acceptance `{name}` has no baseline: {why}");
                diagnostics.push(Diagnostic::at(path.mark, message));
                return None;
            }
        };
        let baseline = match read.baseline {
            Ok(baseline) => baseline,
            Err(BaselineFault { line, message }) => {
                let diagnostic = Diagnostic::at(Mark { line, column: 1 }, message);
                diagnostics.push(diagnostic.in_file(&read.file));
                return None;
            }
        };
        let applies = baseline.header.environment.as_deref() == self.names.environment;
        for (source, origin) in baseline.header.sources.iter().filter(|_| applies) {
            let configured = self.names.sources.get(source).and_then(Option::as_ref);
            let own =
                configured.map(|own| own.value.connection().url.origin().ascii_serialization());
            if let Some(own) = own.filter(|own| own != origin) {
                let message = format!(
                    "acceptance `{name}`: the baseline is of {source} at {origin}, and the policy \
                     asks {own}; write a baseline of this platform"
                );
                diagnostics.push(Diagnostic::at(path.mark, message));
            }
        }
        self.baselines.push(read.file);
        Some(known(Some(baseline), applies))
    }

    fn excuse(
        &self,
        name: &str,
        cause: &Located<CauseWord>,
        entry: &AcceptEntry,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Forgives> {
        let is_stale = cause.value == CauseWord::Stale;
        let wrong = match (is_stale, &entry.up_to, &entry.source) {
            (_, _, None) => Some("name its `source`, or `source: all`"),
            (true, None, _) => {
                Some("`cause: stale` needs `up_to`, the greatest age, such as `up_to: 72h`")
            }
            (false, Some(_), _) => Some("only `cause: stale` has `up_to`"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            diagnostics.push(Diagnostic::at(cause.mark, format!("acceptance `{name}`: {wrong}")));
        }
        Some(Forgives::Cause(Excuse {
            cause: cause.value.into(),
            sources: self.names.sources(entry.source.as_ref()?),
            up_to: entry.up_to.as_ref().map(|period| period.value.0),
        }))
    }

    fn matching(
        &self,
        name: &str,
        matching: &Located<MatchEntry>,
        max_findings: Option<&Located<u64>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Forgives> {
        let entry = &matching.value;
        let given = entry.selectors().into_iter();
        let given = given.filter_map(|(field, words)| Some((field, words.as_ref()?)));
        let words: BTreeMap<Field, Vec<Pattern>> = given
            .clone()
            .map(|(field, words)| (field, words.value.0.iter().map(|w| w.0.clone()).collect()))
            .collect();
        let sources =
            entry.source.as_ref().map(|given| self.names.sources(given)).unwrap_or_default();
        self.names.check_fields(name, given, &sources, diagnostics);
        let covered = Match {
            sources,
            selection: Selection { words, ..Selection::default() },
            worst: entry.severity.as_ref().map(|cap| cap.value.worst),
            unknown: entry.severity.as_ref().is_some_and(|cap| cap.value.unknown),
            max_findings: max_findings.map(|most| most.value),
        };
        match max_findings {
            None if !covered.is_narrow() => diagnostics.push(Diagnostic::at(
                matching.mark,
                format!(
                    "acceptance `{name}` is wider than a `rule` or `control` and a `resource` \
                     without wildcards and a `severity` such as `\"<= high\"`; add what is missing \
                     to `match`, or `max_findings` beside it"
                ),
            )),
            Some(most) if most.value == 0 => diagnostics.push(Diagnostic::at(
                most.mark,
                format!("acceptance `{name}` covers nothing with `max_findings: 0`"),
            )),
            _ => {}
        }
        Some(Forgives::Match(covered))
    }
}
