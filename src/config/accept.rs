//! What is forgiven, as it is written: each entry of `accept`, checked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::diagnostic::Diagnostic;
use super::file::{ALL, Sources, selecting};
use super::layer::BASE;
use super::node::Mark;
use super::reader::Located;
use super::source::{Files, Source as Text};
use super::values::{Day, Line, Words};
use crate::acceptance::{Acceptance, Excuse, Forgives, Grounds, KnownFindings, Match, Upstream};
use crate::baseline::{Baseline, BaselineFault};
use crate::finding::{Cause, Severity};
use crate::place::Place;
use crate::policy::{ORGANISATION, Whose};
use crate::selection::{Field, Pattern, Selection};
use crate::sources::{OneOrMore, Period, SeverityWord, severity_word};
use crate::text;

/// The keys of which an entry has one.
const KINDS: [&str; 5] = ["match", "baseline", "cause", "gate_off", "upstream"];

/// The most bytes of a baseline.
const MOST_BYTES_OF_BASELINE: u64 = 64 << 20;

/// One entry of what is forgiven: exactly one of `match`, `baseline`, `cause`, `gate_off` and
/// `upstream`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptEntry {
    /// What the entry is called in every report.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub id: Option<Located<Line>>,
    /// Why, for an auditor.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub reason: Option<Line>,
    /// Who answers for it.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub owner: Option<Line>,
    /// The last whole day (UTC) on which it holds, such as `2027-01-31`.
    #[serde(default)]
    #[cfg_attr(test, schemars(required))]
    pub expires: Option<Located<Day>>,
    /// The first day (UTC) on which it holds. Default: any.
    #[serde(default)]
    pub from: Option<Located<Day>>,
    /// Who approved it. Nothing proves it, and reports say so.
    #[serde(default)]
    pub approved_by: Option<Line>,
    /// Where it was decided, such as `SEC-881`.
    #[serde(default)]
    pub ticket: Option<Line>,
    /// The gates that it is for, by id. Default: all.
    #[serde(default)]
    pub gates: Option<Located<OneOrMore<String>>>,
    /// The environments that it is for. Default: all.
    #[serde(default)]
    pub environments: Option<Located<OneOrMore<String>>>,
    /// Only in the policy of an organisation: the repositories that it is for, as the CI host names
    /// them. Default: all.
    #[serde(default)]
    pub repositories: Option<Located<OneOrMore<String>>>,
    /// Findings: a rule or control and a resource without wildcards, and the worst severity that
    /// is covered. Anything wider needs `max_findings`.
    #[serde(default, rename = "match")]
    pub matching: Option<Located<MatchEntry>>,
    /// Beside `match`: the most findings of one gate that are covered, the least severe first.
    #[serde(default)]
    pub max_findings: Option<Located<u64>>,
    /// The findings in a file that `compliance-gate baseline write` made. The path begins at the
    /// folder of this file.
    #[serde(default)]
    pub baseline: Option<Located<String>>,
    /// Evidence that is missing for this cause warns instead of being inconclusive.
    #[serde(default)]
    pub cause: Option<Located<CauseWord>>,
    /// Beside `cause`: the source or sources that it is for, or `all`.
    #[serde(default)]
    pub source: Option<Located<OneOrMore<String>>>,
    /// Beside `cause: stale`: the greatest age that is forgiven.
    #[serde(default)]
    pub up_to: Option<Located<Period>>,
    /// A gate that cannot block. It is judged and shown.
    #[serde(default)]
    pub gate_off: Option<Located<String>>,
    /// What was accepted on a platform, or severities that were changed there.
    #[serde(default)]
    pub upstream: Option<Located<UpstreamWord>>,
}

selecting! {
    /// Which findings are covered. Letters count as they are written, and what a platform does not
    /// state matches only the word `unknown`.
    struct MatchEntry {
        /// The source or sources of the findings. Default: all.
        #[serde(default)]
        pub source: Option<Located<OneOrMore<String>>>,
        /// The worst severity that is covered, such as `"<= high"`, or a list of it and `unknown`.
        #[serde(default)]
        pub severity: Option<Located<Cap>>,
    }
}

/// A cause that can be forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum CauseWord {
    Unreachable,
    Deadline,
    Stale,
}

impl From<CauseWord> for Cause {
    fn from(cause: CauseWord) -> Self {
        match cause {
            CauseWord::Unreachable => Self::Unreachable,
            CauseWord::Deadline => Self::Deadline,
            CauseWord::Stale => Self::Stale,
        }
    }
}

/// `"<= high"`, or a list of it and `unknown`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap {
    pub worst: Severity,
    pub unknown: bool,
}

impl<'de> Deserialize<'de> for Cap {
    fn deserialize<D: Deserializer<'de>>(cap: D) -> Result<Self, D::Error> {
        let OneOrMore(words) = OneOrMore::<String>::deserialize(cap)?;
        let is_unknown = |word: &&String| *word == Severity::Unknown.word();
        let unknown = words.iter().any(|word| is_unknown(&word));
        let known: Vec<_> = words.iter().filter(|word| !is_unknown(word)).collect();
        let [word] = known.as_slice() else {
            return Err(de::Error::custom(
                "write the worst severity that is covered, such as `\"<= high\"`, or a list of it \
                 and `unknown`",
            ));
        };
        let Some(worst) = word.strip_prefix("<=") else {
            return Err(de::Error::custom(format!(
                "`{word}` is not a limit; write the worst severity that is covered, such as `\"<= \
                 high\"`"
            )));
        };
        let SeverityWord(worst) = severity_word(worst.trim())?;
        Ok(Self { worst, unknown })
    }
}

/// What was accepted or changed on a platform.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpstreamWord(pub Upstream);

impl<'de> Deserialize<'de> for UpstreamWord {
    fn deserialize<D: Deserializer<'de>>(word: D) -> Result<Self, D::Error> {
        let word = String::deserialize(word)?;
        Upstream::all().find(|upstream| upstream.word() == word).map(Self).ok_or_else(|| {
            let known: Vec<_> = Upstream::all().map(Upstream::word).collect();
            de::Error::custom(format!(
                "unknown word `{word}`{} (known: {})",
                text::did_you_mean(&word, known.iter().map(String::as_str)),
                known.join(", ")
            ))
        })
    }
}

/// What the entries can name.
pub(super) struct Names<'a> {
    pub sources: &'a Sources,
    /// The ids of the gates of all environments.
    pub gates: Vec<&'a str>,
    pub environments: Vec<&'a str>,
    /// The one that is read; `None` for the base.
    pub environment: Option<&'a str>,
    pub whose: Whose,
    /// The ids of the gates of the organisation; `None` where its policy is not known.
    pub organisation: Option<Vec<String>>,
    /// The repository that the run is for, as its CI host names it.
    pub repository: Option<&'a str>,
    pub baselines: &'a Baselines,
}

/// The baselines of a policy, each read once.
#[derive(Debug)]
pub(super) struct Baselines {
    files: Files,
    /// Whose policy names them.
    whose: Whose,
    /// Whether one that is missing is no error.
    pub may_be_missing: bool,
    read: RefCell<BTreeMap<PathBuf, BaselineRead>>,
}

/// A baseline that was read, or what is wrong with it.
#[derive(Clone, Debug)]
struct BaselineRead {
    file: Arc<Text>,
    baseline: Result<Arc<Baseline>, BaselineFault>,
}

impl Baselines {
    pub(super) fn of(files: Files, whose: Whose) -> Self {
        Self { files, whose, may_be_missing: false, read: RefCell::default() }
    }

    pub(super) const fn is_on_disk(&self) -> bool {
        self.files.is_on_disk()
    }

    pub(super) const fn files(&self) -> &Files {
        &self.files
    }

    /// The file at a path that another file names.
    ///
    /// # Errors
    /// A sentence, if it cannot be read. `None` if it is missing and may be.
    fn read(&self, folder: &Path, written: &str) -> Result<Option<BaselineRead>, String> {
        let key = folder.join(written);
        if let Some(known) = self.read.borrow().get(&key) {
            return Ok(Some(known.clone()));
        }
        if self.may_be_missing
            && Text::place_named(folder, written, self.whose)?.symlink_metadata().is_err()
        {
            return Ok(None);
        }
        let file = self
            .files
            .read(folder, written, MOST_BYTES_OF_BASELINE, self.whose)
            .map_err(|why| format!("{why} (`compliance-gate baseline write` makes a baseline)"))?;
        if self.whose == Whose::Organisation && self.is_on_disk() && file.is_inside() {
            return Err(format!(
                "`{written}` is inside the workspace, where the repository can change it; name a file \
                 outside it, or let `accept_from_repository` take the repository's baseline"
            ));
        }
        let baseline = Baseline::parse(&file.text).map(Arc::new);
        let read = BaselineRead { file: Arc::new(file), baseline };
        self.read.borrow_mut().insert(key, read.clone());
        Ok(Some(read))
    }
}

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
        self.check_names(name, &entry.value, diagnostics);
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

    /// Gates, environments and sources must exist: an entry for a name that does not would be
    /// believed to hold.
    fn check_names(&self, name: &str, entry: &AcceptEntry, diagnostics: &mut Vec<Diagnostic>) {
        let gates = entry
            .gates
            .iter()
            .flat_map(|gates| gates.value.0.iter().map(move |gate| (gate, gates.mark)));
        for (gate, mark) in gates {
            self.check_gate(name, gate, mark, diagnostics);
        }
        if let Some(gate) = &entry.gate_off {
            match self.is_of_organisation(&gate.value) {
                true => {
                    let message = format!(
                        "acceptance `{name}` turns off gate `{}`, which only the policy of the \
                         organisation can",
                        gate.value
                    );
                    diagnostics.push(Diagnostic::at(gate.mark, message));
                }
                false => self.check_gate(name, &gate.value, gate.mark, diagnostics),
            }
        }
        if let Some(repositories) = &entry.repositories {
            self.check_repositories(name, repositories, diagnostics);
        }
        // A file without environments is the same in all of them, whatever they are called.
        if let Some(given) =
            entry.environments.as_ref().filter(|_| !self.names.environments.is_empty())
        {
            for environment in &given.value.0 {
                let known: Vec<_> = self.names.environments.iter().copied().chain([BASE]).collect();
                self.known(name, "environment", environment, &known, given.mark, diagnostics);
            }
        }
        let matching = entry.matching.as_ref().and_then(|m| m.value.source.as_ref());
        for given in entry.source.iter().chain(matching) {
            for source in given.value.0.iter().filter(|source| *source != ALL) {
                let known: Vec<_> = self.names.sources.keys().map(String::as_str).collect();
                self.known(name, "source", source, &known, given.mark, diagnostics);
            }
        }
    }

    fn is_of_organisation(&self, gate: &str) -> bool {
        self.names.whose == Whose::Repository && gate.starts_with(ORGANISATION)
    }

    /// A gate must exist. Those of an organisation are only known beside its policy.
    fn check_gate(&self, name: &str, gate: &str, mark: Mark, diagnostics: &mut Vec<Diagnostic>) {
        match &self.names.organisation {
            None if self.is_of_organisation(gate) => {}
            Some(ids) if self.is_of_organisation(gate) => {
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                self.known(name, "gate", gate, &ids, mark, diagnostics);
            }
            _ => self.known(name, "gate", gate, &self.names.gates, mark, diagnostics),
        }
    }

    /// Repositories are named one by one, by the policy of an organisation.
    fn check_repositories(
        &self,
        name: &str,
        repositories: &Located<OneOrMore<String>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let is_pattern = |name: &&String| name.contains(['*', '?']) || !name.contains('/');
        let pattern = repositories.value.0.iter().find(is_pattern);
        let wrong = match (self.names.whose, pattern) {
            (Whose::Repository, _) => {
                "`repositories` belongs to the policy of an organisation".to_owned()
            }
            (_, Some(pattern)) => format!(
                "`{pattern}` is not a repository; name each as the CI host does, such as \
                 `group/name`"
            ),
            _ => return,
        };
        let message = format!("acceptance `{name}`: {wrong}");
        diagnostics.push(Diagnostic::at(repositories.mark, message));
    }

    fn known(
        &self,
        name: &str,
        what: &str,
        given: &str,
        known: &[&str],
        mark: Mark,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        if known.contains(&given) {
            return;
        }
        let hint = text::did_you_mean(given, known.iter().copied());
        let message =
            format!("acceptance `{name}` names {what} `{given}`, which does not exist{hint}");
        diagnostics.push(Diagnostic::at(mark, message));
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
            sources: self.sources(entry.source.as_ref()?),
            up_to: entry.up_to.as_ref().map(|period| period.value.0),
        }))
    }

    /// The sources that are named; all of them for `all`.
    fn sources(&self, given: &Located<OneOrMore<String>>) -> Vec<String> {
        match given.value.0.iter().any(|name| name == ALL) {
            true => self.names.sources.keys().cloned().collect(),
            false => given.value.0.clone(),
        }
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
        let sources = entry.source.as_ref().map(|given| self.sources(given)).unwrap_or_default();
        self.check_fields(name, given, &sources, diagnostics);
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

    /// Each selector must be known to the sources that are named, or to any if none is.
    fn check_fields<'e>(
        &self,
        name: &str,
        given: impl Iterator<Item = (Field, &'e Located<Words>)>,
        named: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let sources = self.names.sources.iter();
        let asked = sources.filter(|(source, _)| named.is_empty() || named.contains(source));
        let asked: Vec<_> =
            asked.filter_map(|(name, source)| Some((name, &source.as_ref()?.value))).collect();
        for (field, words) in given {
            let knows = |source: &crate::sources::Source| source.selectors().contains(&field);
            let unable: Vec<_> = asked.iter().filter(|(_, source)| !knows(source)).collect();
            let is_wrong = match named {
                [] => !asked.is_empty() && unable.len() == asked.len(),
                _ => !unable.is_empty(),
            };
            if is_wrong {
                let names: Vec<_> = unable.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!(
                    "acceptance `{name}` matches by `{field}`, which {} does not know",
                    names.join(" or ")
                );
                diagnostics.push(Diagnostic::at(words.mark, message));
            }
        }
    }
}
