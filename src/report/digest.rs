//! The wording that all reports share. Text that is returned here is on one line and safe to show.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::acceptance::{Forgives, Grounds, Validity};
use crate::evaluate::{self, Decision, Missed, Ruling, State, Usage};
use crate::evidence::{Job, Outcome, Part, Unit, Window};
use crate::finding::{Cause, Finding, NOT_APPLICABLE, Problem, Severity};
use crate::policy::{Level, Mode, system_of};
use crate::selection::{Field, Selection};
use crate::text;
use crate::verdict::Verdict;

use super::Report;
use super::view::{NextSteps, View, Weight};

/// What is said of evidence from the embedded simulator.
pub(super) const SIMULATED: &str =
    "this evidence comes from the embedded simulator. It says nothing about real systems.";

/// What to fix.
pub(super) fn fix(next: &NextSteps, view: &View<'_>) -> String {
    let blocks = view.to_fix().is_some_and(|to_fix| to_fix.blocks);
    let verb = match (blocks, next.findings) {
        (true, 1) => "blocks",
        (true, _) => "block",
        (false, 1) => "is over a limit",
        (false, _) => "are over a limit",
    };
    let findings = text::count(next.findings as u64, "finding");
    format!("Fix the {findings} that {verb}, worst first.")
}

/// What a reader must know after a fix, once for each kind of platform.
pub(super) fn after_fix<'a>(report: &Report<'a>) -> BTreeSet<&'a str> {
    let breached = |ruling: &&Ruling<'_>| ruling.state == State::Breached;
    let gates: Vec<_> = report.decision.rulings.iter().filter(breached).collect();
    let used = |outcome: &&Outcome| gates.iter().any(|ruling| ruling.gate.uses(&outcome.source));
    let outcomes = report.evidence.outcomes.iter().filter(used);
    outcomes.filter_map(|outcome| outcome.after_fix.as_deref()).collect()
}

/// The answer in a sentence, and in mode observe what it would have been.
pub(super) fn headline(report: &Report<'_>) -> String {
    let decision = report.decision;
    let answer = answer(report);
    let headline = match decision.mode {
        _ if decision.overridden.is_some() => {
            let by = overridden(decision).unwrap_or_default();
            format!("{by}; would be: {answer}")
        }
        Mode::Observe if !decision.verdict.is_pass() && decision.exit_code() == 0 => {
            format!("Observed only, would be: {answer}")
        }
        Mode::Observe => format!("{answer} (observed only)"),
        Mode::Enforce => answer,
    };
    format!("{}{headline}", report.purpose.mark())
}

/// That the pipeline overrides the verdict, until when and why.
pub(super) fn overridden(decision: &Decision<'_>) -> Option<String> {
    let by = decision.overridden.as_ref()?;
    let until = by.until.format("%Y-%m-%d %H:%M UTC");
    let reported = match by.is_reported {
        true => "",
        false => ", without effect, since a report could not be written",
    };
    Some(format!("Overridden by break-glass until {until} ({}){reported}", by.reason))
}

fn answer(report: &Report<'_>) -> String {
    let decision = report.decision;
    let gates = text::count(decision.rulings.len() as u64, "gate");
    let of = |count: usize| format!("{} of {gates}", text::thousands(count as u64));
    // Beside a policy that blocks, one that only observes does not.
    let (blocking, observed): (Vec<_>, Vec<_>) = decision
        .rulings
        .iter()
        .filter(|ruling| ruling.blocks())
        .partition(|ruling| ruling.mode == decision.mode);
    let (breached, undecided): (Vec<_>, Vec<_>) =
        blocking.into_iter().partition(|ruling| ruling.state == State::Breached);
    match decision.verdict {
        Verdict::Passed if decision.rulings.len() == 1 => "Passed: the gate holds".to_owned(),
        Verdict::Passed => format!("Passed: all {gates} hold"),
        Verdict::Warned => {
            let red = decision.rulings.iter().filter(|ruling| ruling.state != State::Held).count();
            let warnings = text::count((red + decision.warnings.len()) as u64, "warning");
            let held = decision.rulings.len() - red;
            format!("Passed with {warnings}: {} {}", of(held), verb(held, "holds", "hold"))
        }
        Verdict::Blocked => {
            let more = match undecided.len() {
                0 => String::new(),
                more => format!("; {} could not be judged", text::thousands(more as u64)),
            };
            let observed = match observed.len() {
                _ if decision.mode == Mode::Observe => String::new(),
                0 => String::new(),
                1 => "; 1 more is only observed".to_owned(),
                more => format!("; {} more are only observed", text::thousands(more as u64)),
            };
            format!("Deploy blocked by {}{more}{observed}", of(breached.len()))
        }
        Verdict::Inconclusive if undecided.is_empty() => {
            "Not decided: nothing blocks, but a report could not be written".to_owned()
        }
        Verdict::Inconclusive => format!("Not decided: {}", cause(report, "")),
        Verdict::Invalid => format!("Could not run: {}", cause(report, "")),
        Verdict::Denied => format!("Access denied by {}", cause(report, ": ")),
        Verdict::Unreachable => format!("Unreachable: {}", cause(report, "")),
        Verdict::Interrupted => {
            "Interrupted: the run was stopped before it could decide".to_owned()
        }
        Verdict::Terminated => {
            "Terminated: the CI host ended the run before it could decide".to_owned()
        }
        verdict => format!("{}: {}", capital(verdict.word()), verdict.meaning()),
    }
}

/// The first problem that makes the verdict what it is, in the platform's or our words.
fn cause(report: &Report<'_>, after_name: &str) -> String {
    let verdict = report.decision.verdict;
    let problems = problems(report);
    let first = problems.iter().find(|problem| Verdict::of(problem.cause) == verdict);
    let Some(problem) = first.or(problems.first()) else {
        let warning = report.decision.warnings.last().map(String::as_str);
        return text::one_line(warning.unwrap_or(verdict.meaning()), 200);
    };
    // The name of a source before the first colon is repeated only where the sentence needs it.
    let message = &problem.message;
    let named = report.evidence.outcomes.iter().find_map(|outcome| {
        let rest = message.strip_prefix(outcome.source.as_str())?.strip_prefix(": ")?;
        Some((outcome.source.as_str(), rest))
    });
    match named {
        Some((source, rest)) if !after_name.is_empty() => {
            text::one_line(&format!("{source}{after_name}{rest}"), 200)
        }
        Some((_, rest)) if problem.cause == Cause::Invalid => text::one_line(rest, 200),
        _ => text::one_line(message, 200),
    }
}

const fn verb(count: usize, one: &'static str, several: &'static str) -> &'static str {
    if count == 1 { one } else { several }
}

/// The word with a capital letter.
pub fn capital(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// A word for the state of a gate, by its level and the mode.
pub(crate) fn standing(ruling: &Ruling<'_>) -> &'static str {
    match (ruling.state, Weight::of(ruling), ruling.mode) {
        (State::Held, ..) => "holds",
        (State::Breached, ..) if ruling.off.is_some() => "breached, but off",
        (State::Undecided, ..) if ruling.off.is_some() => "inconclusive, but off",
        (State::Breached, ..) if ruling.announced.is_some() => "breached, announced",
        (State::Undecided, ..) if ruling.announced.is_some() => "inconclusive, announced",
        (State::Breached, Weight::Blocks, _) => "BREACHED",
        (State::Undecided, Weight::Blocks, _) => "INCONCLUSIVE",
        (State::Breached, _, Mode::Observe) if ruling.blocks() => "breached, would block",
        (State::Undecided, _, Mode::Observe) if ruling.blocks() => "inconclusive, would block",
        (State::Breached, ..) => "breached, warns only",
        (State::Undecided, ..) if ruling.gate.level == Level::Warn => "inconclusive, warns only",
        (State::Undecided, ..) => "inconclusive, let through",
    }
}

/// A word for a gate that is not green and does not block.
pub(super) fn remark(ruling: &Ruling<'_>) -> &'static str {
    match (ruling.state, Weight::of(ruling)) {
        (State::Held, _) | (_, Weight::Blocks) => "",
        _ if ruling.off.is_some() => "off",
        _ if ruling.announced.is_some() => "announced",
        _ if ruling.blocks() => "would block",
        _ if ruling.gate.level == Level::Warn => "warns",
        _ => "let through",
    }
}

/// What was found against the first limit that is missed, or else the first there is.
pub(super) fn found(ruling: &Ruling<'_>) -> String {
    if ruling.state == State::Undecided {
        return "could not be judged".to_owned();
    }
    if let Some(each) = ruling.gate.each.filter(|_| !ruling.groups.is_empty()) {
        let over = ruling.groups.iter().filter(|group| group.is_breached).count();
        let groups = text::count(ruling.groups.len() as u64, each.word());
        return format!("{over} of {groups} over the limit");
    }
    let counted = || match ruling.by_severity.len() {
        1 | 2 => severities(ruling.by_severity.iter().map(|(severity, count)| (*severity, *count))),
        _ => text::count(ruling.failed, ruling.noun()),
    };
    match (ruling.breaches.first().map(|breach| breach.missed), ruling.passed) {
        (Some(Missed::TooMany { .. }), _) => counted(),
        (Some(Missed::TooFew { passed, total, .. }), _) => {
            format!("{} passed", evaluate::share(passed, total))
        }
        (None, Some(passed)) if ruling.gate.limits.max.is_none() => {
            format!("{} passed", evaluate::share(passed, passed + ruling.failed))
        }
        (None, _) => counted(),
    }
}

/// What is allowed, of that which `found` shows. Of a gate that could not be judged, why.
pub(super) fn allowed(ruling: &Ruling<'_>) -> String {
    let limits = ruling.gate.limits;
    let rate = limits.min_pass_rate.map(|least| format!("{least} needed"));
    let max = limits.max.map(|max| match max {
        0 => "none allowed".to_owned(),
        max => format!("{} allowed", text::thousands(max)),
    });
    let missed_rate = ruling
        .breaches
        .first()
        .is_some_and(|breach| matches!(breach.missed, Missed::TooFew { .. }));
    match ruling.state {
        State::Undecided => {
            let causes: BTreeSet<_> =
                ruling.problems.iter().map(|problem| problem.cause.word()).collect();
            text::listed(causes, ", ", 3)
        }
        _ if missed_rate => rate.or(max).unwrap_or_default(),
        _ => max.or(rate).unwrap_or_default(),
    }
}

/// `3 over the limit`, of a limit that allows some.
pub(super) fn over(ruling: &Ruling<'_>) -> String {
    match ruling.breaches.first().map(|breach| breach.missed) {
        Some(Missed::TooMany { failed, max }) if max > 0 && ruling.groups.is_empty() => {
            format!("{} over the limit", text::thousands(failed - max))
        }
        _ => String::new(),
    }
}

/// The sources that a gate counts in, and what is counted where `found` does not say it.
pub(super) fn place(ruling: &Ruling<'_>) -> String {
    let sources = &ruling.gate.sources;
    let same =
        |source: &String| sources.first().is_some_and(|one| system_of(one) == system_of(source));
    let names = match &sources[..] {
        [first, _, ..] if sources.iter().all(same) => {
            format!("{} ({} sources)", system_of(first), sources.len())
        }
        _ => text::listed(sources, ", ", 2),
    };
    let shows_severities = matches!(ruling.by_severity.len(), 1 | 2);
    let unit = ruling.unit.filter(|_| ruling.state == State::Breached && shows_severities);
    let unit = unit.map_or_else(String::new, |unit| format!(" {}", text::plural(unit.word())));
    text::one_line(&format!("{names}{unit}"), 120)
}

/// `compliance-gate.yaml:32, :51`: the lines of gates, the file once.
pub(super) fn places(rulings: &[&Ruling<'_>]) -> String {
    let mut file = "";
    let places = rulings.iter().map(|ruling| {
        let place = &ruling.gate.place;
        let known = std::mem::replace(&mut file, &place.file) == &*place.file;
        if known { format!(":{}", place.line) } else { place.to_string() }
    });
    text::one_line(&text::listed(places, ", ", 8), 400)
}

/// The pages about gates, each once.
pub(super) fn links(rulings: &[&Ruling<'_>]) -> Vec<String> {
    let links = rulings.iter().filter_map(|ruling| ruling.gate.link.as_deref());
    let links: BTreeSet<_> = links.map(|link| text::one_line(link, 1_000)).collect();
    links.into_iter().collect()
}

/// Whether a browser may be sent there: a web address without anything that could end it early.
pub(super) fn is_web_address(link: &str) -> bool {
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    let may_end = |c: char| {
        matches!(c, '<' | '>' | '"' | '\'' | '`' | '\\' | '^' | '{' | '|' | '}')
            || c.is_whitespace()
    };
    is_web && !link.contains(may_end)
}

/// A sentence for each limit of a gate: observed, limit, and by how much it is missed. Of a gate
/// that could not be decided, what was counted so far, if anything.
pub(crate) fn limits(ruling: &Ruling<'_>) -> String {
    let limits = ruling.gate.limits;
    let failed = text::count(ruling.failed, ruling.noun());
    let sentences: Vec<_> = match ruling.state {
        State::Breached => {
            let breaches = ruling.breaches.iter().map(|breach| breach.sentence(ruling.noun()));
            return text::listed(breaches, "; ", MOST_BREACHES) + &counts_behind(ruling);
        }
        State::Undecided => {
            let so_far = (!ruling.summed.is_empty()).then(|| format!("so far {failed}"));
            let stale = ruling.stale_failed.map(|stale| {
                format!("the stale evidence shows {}", text::count(stale, ruling.noun()))
            });
            so_far.into_iter().chain(stale).collect()
        }
        State::Held if !ruling.groups.is_empty() => {
            let each = ruling.gate.each.map_or("group", Field::word);
            vec![format!("within the limits for each {each} ({})", ruling.groups.len())]
        }
        State::Held => {
            let max =
                limits.max.map(|max| format!("{failed} where max is {}", text::thousands(max)));
            let rate = limits.min_pass_rate.zip(ruling.passed).map(|(least, passed)| {
                let rate = evaluate::rate(passed, passed + ruling.rated_failures());
                format!("pass rate {rate} where min_pass_rate is {least}")
            });
            let least = limits.min_evaluated.filter(|least| *least > 0);
            let least =
                least.map(|least| format!("at least {} evaluated", text::count(least, "check")));
            [max, rate, least].into_iter().flatten().collect()
        }
    };
    match (ruling.state, sentences.is_empty()) {
        (State::Held, _) | (_, true) => sentences.join("; "),
        (_, false) => sentences.join("; ") + &counts_behind(ruling),
    }
}

/// ` (3 critical, 9 high)`, if anything was counted.
fn counts_behind(ruling: &Ruling<'_>) -> String {
    let counts = severities(ruling.by_severity.iter().map(|(severity, count)| (*severity, *count)));
    if counts.is_empty() { counts } else { format!(" ({counts})") }
}

/// So many breaches of a gate are listed in one line.
const MOST_BREACHES: usize = 5;

/// `3 critical, 9 high`, worst first.
pub(super) fn severities(counts: impl IntoIterator<Item = (Severity, u64)>) -> String {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.cmp(a));
    let words: Vec<_> = counts
        .into_iter()
        .map(|(severity, count)| format!("{} {severity}", text::thousands(count)))
        .collect();
    words.join(", ")
}

/// What a gate counts, and over which evidence.
pub(super) fn scope(ruling: &Ruling<'_>) -> String {
    let gate = ruling.gate;
    let what = match gate.selection == Selection::default() {
        true => "everything".to_owned(),
        false => gate.selection.to_string(),
    };
    let evidence = match &ruling.summed[..] {
        [] => gate.sources.join(" + "),
        [one] => one.clone(),
        several => format!("the sum of {}", several.join(" + ")),
    };
    text::one_line(&format!("selects {what} in {evidence}"), 300)
}

/// An acceptance with its owner, its last day and its reason.
pub(super) fn grounds(grounds: &Grounds) -> String {
    let Grounds { id, owner, expires, reason, .. } = grounds;
    text::one_line(&format!("`{id}` ({owner}, until {expires}): {reason}"), 500)
}

/// How many findings of a gate are accepted, and by which entries, if any are.
pub(super) fn accepted(ruling: &Ruling<'_>) -> Option<String> {
    let mut by_entry: Vec<(&Grounds, u64)> = Vec::new();
    for (_, entry) in &ruling.accepted {
        match by_entry.iter_mut().find(|(grounds, _)| grounds.id == entry.grounds.id) {
            Some((_, count)) => *count += 1,
            None => by_entry.push((&entry.grounds, 1)),
        }
    }
    by_entry.sort_by_key(|(grounds, count)| (std::cmp::Reverse(*count), &grounds.id));
    let entries = by_entry.iter().map(|(grounds, count)| {
        let Grounds { id, owner, expires, .. } = grounds;
        format!("{} by `{id}` ({owner}, until {expires})", text::thousands(*count))
    });
    (!by_entry.is_empty()).then(|| {
        let all = text::count(ruling.accepted.len() as u64, ruling.noun());
        text::one_line(&format!("{all} accepted: {}", text::listed(entries, ", ", 5)), 600)
    })
}

/// What is new since a baseline, known by it, and gone, where one applies.
pub(super) fn since_baseline(ruling: &Ruling<'_>) -> Option<String> {
    let (new, known) = (ruling.findings.len() as u64, ruling.known.len() as u64);
    let applies = known > 0 || ruling.fixed.is_some();
    let fixed = ruling.fixed.map_or_else(
        || "how many are fixed is not known".to_owned(),
        |fixed| format!("{} fixed", text::thousands(fixed)),
    );
    let (new, known) = (text::thousands(new), text::thousands(known));
    let entries: BTreeSet<_> = ruling.known.iter().map(|(_, by)| by.grounds.id.as_str()).collect();
    let named = entries.into_iter().filter_map(|id| {
        let (_, by) = ruling.known.iter().find(|(_, by)| by.grounds.id == id)?;
        let Grounds { owner, expires, .. } = &by.grounds;
        Some(format!("`{id}` ({owner}, until {expires})"))
    });
    let by = match text::listed(named, ", ", 5) {
        by if by.is_empty() => by,
        by => format!("; known by {by}"),
    };
    let words = format!("since the baseline: {new} new, {known} known, {fixed}{by}");
    applies.then(|| text::one_line(&words, 600))
}

/// What an acceptance is about.
pub(super) fn forgiven(forgives: &Forgives) -> String {
    let words = match forgives {
        Forgives::Match(matching) => {
            let severity = matching.worst.map(|worst| format!("severity up to {worst}"));
            let unknown = matching.unknown.then(|| "or unknown".to_owned());
            let most = matching
                .max_findings
                .map(|most| format!("at most {} at a gate", text::count(most, "finding")));
            let sources = (!matching.sources.is_empty())
                .then(|| format!("in {}", matching.sources.join(", ")));
            let selection = matching.selection.to_string();
            let severity = [severity, unknown].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let severity = Some(severity).filter(|severity| !severity.is_empty());
            let all = [Some(selection), severity, sources, most];
            all.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Forgives::Baseline(known) => format!("findings of {}", known.path),
        Forgives::Cause(excuse) => {
            let age = excuse.up_to.map_or_else(String::new, |age| {
                format!(" up to {}", humantime::format_duration(age))
            });
            format!("{}{age} in {}", excuse.cause.word(), excuse.sources.join(", "))
        }
        Forgives::GateOff(gate) => format!("gate {gate} is off"),
        Forgives::Upstream(upstream) => upstream.word(),
    };
    text::one_line(&words, 400)
}

/// What an acceptance does.
pub(super) fn effect(usage: &Usage<'_>) -> String {
    let findings = text::count(usage.covers, "finding");
    match (usage.standing, &usage.entry.forgives) {
        (Validity::NotYet, _) => "not in force yet".to_owned(),
        (_, Forgives::Baseline(known)) if !known.applies => "of another environment".to_owned(),
        (Validity::Lapsed, forgives) if forgives.is_of_findings() => {
            format!("covers nothing; covered {findings}")
        }
        (Validity::Lapsed, _) => "covers nothing".to_owned(),
        (Validity::InForce, forgives) if forgives.is_of_findings() => format!("covers {findings}"),
        (Validity::InForce, _) if usage.gates.is_empty() => "not needed".to_owned(),
        (Validity::InForce, _) => {
            text::one_line(&format!("used by {}", text::listed(&usage.gates, ", ", 5)), 300)
        }
    }
}

/// Until when an acceptance holds, or since when it does not.
pub(super) fn term(grounds: &Grounds, standing: Validity) -> String {
    let Grounds { from, expires, .. } = grounds;
    match (standing, from) {
        (Validity::Lapsed, _) => format!("lapsed on {expires}"),
        (Validity::NotYet, Some(from)) => format!("from {from} until {expires}"),
        _ => format!("until {expires}"),
    }
}

/// When an announced gate will block, if it would today.
pub(super) fn announced(ruling: &Ruling<'_>) -> Option<String> {
    let day = ruling.announced.filter(|_| ruling.state != State::Held)?;
    Some(format!("warns until then: this gate blocks from {day}"))
}

/// How many failed checks are out of scope, and of which accounts.
pub(super) fn out_of_scope(ruling: &Ruling<'_>) -> Option<String> {
    let failures: u64 = ruling.out_of_scope.values().sum();
    let accounts = ruling.out_of_scope.iter().map(|(account, count)| {
        format!("{} of {}", text::thousands(*count), text::one_line(account, 80))
    });
    (failures > 0).then(|| {
        let noun = text::count(failures, ruling.noun());
        format!("{noun} out of scope by `except`: {}", text::listed(accounts, ", ", 5))
    })
}

/// A resource and where it is.
pub(crate) fn resource(finding: &Finding) -> String {
    let id = finding.resource();
    let mut out = text::one_line(id, 500);
    if let Some(name) = finding.resource_name.as_deref().filter(|name| !id.contains(*name)) {
        out.extend([" (", &text::line(name, 120), ")"]);
    }
    let account = finding.subject.account.as_deref();
    let account = account.map(|account| account.name.as_deref().unwrap_or(&account.id));
    let place = [account, finding.subject.region.as_deref()];
    let shown = |place: &&str| !id.contains(*place) && *place != NOT_APPLICABLE;
    for place in place.into_iter().flatten().filter(shown) {
        out.extend([", ", &text::line(place, 80)]);
    }
    out
}

/// A rule's title and id.
pub(crate) fn rule(finding: &Finding) -> String {
    let (title, id) = (finding.title(), finding.rule_id());
    match title == id {
        true => text::one_line(id, 200),
        false => format!("{} ({})", text::one_line(title, 120), text::one_line(id, 120)),
    }
}

/// Every problem of the run once, those that gates have first.
pub(super) fn problems<'a>(report: &Report<'a>) -> Vec<&'a Problem> {
    let collected = report.evidence.outcomes.iter().flat_map(|outcome| {
        let parts = outcome.parts.iter();
        outcome.problems.iter().chain(parts.flat_map(|part| &part.problems))
    });
    let ruled = report.decision.rulings.iter().flat_map(|ruling| &ruling.problems);
    let mut seen = BTreeSet::new();
    ruled
        .chain(collected)
        .filter(|problem| seen.insert((problem.cause, &*problem.message)))
        .collect()
}

/// What there is instead of a gate's findings where only their number is known, and why.
pub(super) fn only_counted(report: &Report<'_>, ruling: &Ruling<'_>) -> String {
    let outcomes = report.evidence.outcomes.iter();
    let summed = outcomes.filter(|outcome| ruling.gate.sources.contains(&outcome.source));
    let framework = |part: &&Part| {
        let name = part.framework.as_deref();
        name.is_none_or(|name| ruling.gate.selection.matches_framework(name))
    };
    let mut parts = summed.flat_map(|outcome| &outcome.parts).filter(framework);
    let why = parts.find_map(|part| part.findings.why_incomplete());
    let why =
        why.map_or_else(String::new, |why| format!(": {}", text::one_line(&why.message, 400)));
    format!(
        "the platform reported only the number of {}, not each one{why}",
        text::plural(ruling.noun())
    )
}

/// Everything that keeps the listed findings from being all there are.
pub(super) fn gaps<'a>(report: &Report<'a>) -> Vec<&'a Problem> {
    let parts = report.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    let missing = parts.filter_map(|part| part.findings.why_incomplete());
    problems(report).into_iter().chain(missing).collect()
}

/// Whether the listed findings are all there are. A host that closes what is not in the latest
/// list must be given no other.
pub(super) fn is_whole(report: &Report<'_>) -> bool {
    let interrupted = matches!(report.decision.verdict, Verdict::Interrupted | Verdict::Terminated);
    gaps(report).is_empty() && !interrupted
}

/// The worst rules that a gate counts, a line each, and how many more there are.
pub(super) fn worst_rules(ruling: &Ruling<'_>, most: usize) -> Vec<String> {
    let same = |a: &&Finding, b: &&Finding| {
        (a.subject.severity, a.rule_id()) == (b.subject.severity, b.rule_id())
    };
    let rules = ruling.findings.chunk_by(same);
    let more = rules.clone().count().saturating_sub(most);
    let in_words = |findings: &[&Finding]| {
        let first = findings.first()?;
        let failed = text::count(findings.len() as u64, "resource");
        Some(format!("{}: {}: {failed}", first.subject.severity, rule(first)))
    };
    let mut lines: Vec<_> = rules.take(most).filter_map(in_words).collect();
    if more > 0 {
        lines.push(format!("and {}", text::count(more as u64, "more rule")));
    }
    lines
}

/// What to do next about a problem: its own help, or that of its cause.
pub(super) fn next(problem: &Problem) -> String {
    text::one_line(problem.help.as_deref().unwrap_or(remedy(problem.cause)), 500)
}

/// What usually helps.
pub(super) fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::Invalid => "correct the configuration; `compliance-gate doctor` checks it online",
        Cause::Setup => "correct the set-up of this machine, or `url`",
        Cause::Denied | Cause::Unreachable | Cause::Protocol => {
            "`compliance-gate doctor` checks address, token and role, and starts nothing"
        }
        Cause::Deadline => "run it again; if that is never enough, raise `deadline`",
        Cause::Interrupted => "run it again: nothing was decided",
        Cause::JobFailed => "look at the job on the platform, then run it again",
        Cause::Incomplete | Cause::Contradictory => {
            "run it again; if it persists, look at the job on the platform"
        }
        Cause::Stale => "have the platform evaluate again, or raise `max_age`",
        Cause::Empty => "check that the scope is right",
    }
}

/// What a cause means, for any source.
pub(super) fn explained(cause: Cause) -> &'static str {
    match cause {
        Cause::Invalid => "The configuration asks for something that is not there.",
        Cause::Setup => "A certificate, a proxy, a host name or a `url` is wrong on this side.",
        Cause::Denied => "A platform refused the token, or its role is too low.",
        Cause::Unreachable => "A platform could not be reached, also after retries.",
        Cause::Deadline => "The deadline passed before the evidence was complete.",
        Cause::Interrupted => "The run was interrupted before the evidence was complete.",
        Cause::Protocol => "An answer is not what the platform's API promises.",
        Cause::JobFailed => "The platform's own job failed, timed out or was cancelled.",
        Cause::Incomplete => "Part of the evidence is missing.",
        Cause::Contradictory => "Two figures that must agree do not.",
        Cause::Stale => "The evidence is older than the policy allows.",
        Cause::Empty => "Nothing was evaluated.",
    }
}

/// A piece of evidence: what was evaluated, what failed, of when, and by which jobs.
pub(super) fn part(part: &Part, now: DateTime<Utc>) -> String {
    let framework =
        part.framework.as_ref().map_or_else(String::new, |framework| format!("{framework}: "));
    let evaluated = match part.proof.window() {
        Some(Window { from, to }) => format!("{} to {} covered", minute(from), minute(to)),
        None if part.proof.may_be_empty() => {
            format!("{} read", text::count(part.looked_at(), part.unit.word()))
        }
        None => format!("{} evaluated", text::count(part.looked_at(), Unit::Check.word())),
    };
    let verb = if part.unit == Unit::Check { "failed" } else { "found" };
    let failed = match severities(part.failed_by_severity()) {
        counts if counts.is_empty() && part.problems.is_empty() => format!("none {verb}"),
        counts if counts.is_empty() => "no usable results".to_owned(),
        counts => format!("{verb}: {counts}"),
    };
    let as_of = match (part.as_of, part.proof.window()) {
        (Some(time), None) => format!("; evidence of {}{}", minute(time), age(now - time)),
        (_, Some(_)) => String::new(),
        (None, None) => "; age not reported".to_owned(),
    };
    let jobs: String = part.jobs.iter().map(|job| format!("; {}", job_in_words(job))).collect();
    text::one_line(&format!("{framework}{evaluated}, {failed}{as_of}{jobs}"), 600)
}

/// How old evidence is, if it is old enough to say so: `, 9 days old`.
fn age(age: TimeDelta) -> String {
    let (count, unit) = match age {
        age if age < TimeDelta::hours(1) => return String::new(),
        age if age < TimeDelta::days(2) => (age.num_hours(), "hour"),
        age => (age.num_days(), "day"),
    };
    format!(", {} old", text::count(count.unsigned_abs(), unit))
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn job_in_words(job: &Job) -> String {
    format!("job {} {}", job.id, standing_of(job))
}

/// The platform's word for a job's state, if it was ever seen, and how we came to rely on it.
pub(super) fn standing_of(job: &Job) -> String {
    format!("{} ({})", job.state, job.role.word()).trim_start().to_owned()
}

/// A time to the second, in UTC.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
