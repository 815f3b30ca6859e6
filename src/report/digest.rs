//! The wording that all reports share. Text that is returned here is on one line and safe to show.

mod acceptance;
mod answer;
mod evidence;
mod gate;
mod problem;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::finding::{Finding, NOT_APPLICABLE, Severity};
use crate::text;
pub(super) use acceptance::{accepted, effect, forgiven, grounds, since_baseline, term};
pub(super) use answer::{after_fix, fix, headline};
pub(super) use evidence::{part, standing_of};
pub(super) use gate::{
    allowed, announced, found, links, only_counted, out_of_scope, over, place, places, remark,
    scope, worst_rules,
};
pub(crate) use gate::{limits, standing};
pub(super) use problem::{explained, gaps, is_whole, next, problems, remedy};

/// What is said of evidence from the embedded simulator.
pub(super) const SIMULATED: &str =
    "this evidence comes from the embedded simulator. It says nothing about real systems.";

/// The word with a capital letter.
pub fn capital(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
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

/// A time to the second, in UTC.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
