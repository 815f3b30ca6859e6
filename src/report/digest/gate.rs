//! What a gate counted, what it allows, and how it stands.

use std::collections::BTreeSet;

use super::{rule, severities};
use crate::evaluate::{self, Missed, Ruling, State};
use crate::evidence::Part;
use crate::finding::Finding;
use crate::policy::{Level, Mode, system_of};
use crate::report::Report;
use crate::report::view::Weight;
use crate::selection::{Field, Selection};
use crate::text;

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
pub(in crate::report) fn remark(ruling: &Ruling<'_>) -> &'static str {
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
pub(in crate::report) fn found(ruling: &Ruling<'_>) -> String {
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
pub(in crate::report) fn allowed(ruling: &Ruling<'_>) -> String {
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
pub(in crate::report) fn over(ruling: &Ruling<'_>) -> String {
    match ruling.breaches.first().map(|breach| breach.missed) {
        Some(Missed::TooMany { failed, max }) if max > 0 && ruling.groups.is_empty() => {
            format!("{} over the limit", text::thousands(failed - max))
        }
        _ => String::new(),
    }
}

/// The sources that a gate counts in, and what is counted where `found` does not say it.
pub(in crate::report) fn place(ruling: &Ruling<'_>) -> String {
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
pub(in crate::report) fn places(rulings: &[&Ruling<'_>]) -> String {
    let mut file = "";
    let places = rulings.iter().map(|ruling| {
        let place = &ruling.gate.place;
        let known = std::mem::replace(&mut file, &place.file) == &*place.file;
        if known { format!(":{}", place.line) } else { place.to_string() }
    });
    text::one_line(&text::listed(places, ", ", 8), 400)
}

/// The pages about gates, each once.
pub(in crate::report) fn links(rulings: &[&Ruling<'_>]) -> Vec<String> {
    let links = rulings.iter().filter_map(|ruling| ruling.gate.link.as_deref());
    let links: BTreeSet<_> = links.map(|link| text::one_line(link, 1_000)).collect();
    links.into_iter().collect()
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

/// What a gate counts, and over which evidence.
pub(in crate::report) fn scope(ruling: &Ruling<'_>) -> String {
    let gate = ruling.gate;
    let what = match gate.selection == Selection::default() {
        true => "everything".to_owned(),
        false => gate.selection.to_string(),
    };
    // Two parts of one source have the same name: an image's evaluations and its vulnerabilities.
    let mut summed = ruling.summed.clone();
    summed.dedup();
    let evidence = match &summed[..] {
        [] => gate.sources.join(" + "),
        [one] => one.clone(),
        several => format!("the sum of {}", several.join(" + ")),
    };
    text::one_line(&format!("selects {what} in {evidence}"), 300)
}

/// When an announced gate will block, if it would today.
pub(in crate::report) fn announced(ruling: &Ruling<'_>) -> Option<String> {
    let day = ruling.announced.filter(|_| ruling.state != State::Held)?;
    Some(format!("warns until then: this gate blocks from {day}"))
}

/// How many failed checks are out of scope, and of which accounts.
pub(in crate::report) fn out_of_scope(ruling: &Ruling<'_>) -> Option<String> {
    let failures: u64 = ruling.out_of_scope.values().sum();
    let accounts = ruling.out_of_scope.iter().map(|(account, count)| {
        format!("{} of {}", text::thousands(*count), text::one_line(account, 80))
    });
    (failures > 0).then(|| {
        let noun = text::count(failures, ruling.noun());
        format!("{noun} out of scope by `except`: {}", text::listed(accounts, ", ", 5))
    })
}

/// What there is instead of a gate's findings where only their number is known, and why.
pub(in crate::report) fn only_counted(report: &Report<'_>, ruling: &Ruling<'_>) -> String {
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

/// The worst rules that a gate counts, a line each, and how many more there are.
pub(in crate::report) fn worst_rules(ruling: &Ruling<'_>, most: usize) -> Vec<String> {
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
