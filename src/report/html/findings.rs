//! The findings by rule: what blocks is shown, the rest is folded.
//!
//! The order is that of urgency, so that on paper the blocking ones come first and the others are an
//! appendix.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::{code, escaped, link, prose};
use super::filter::{self, Facets};
use crate::evaluate::Ruling;
use crate::finding::Finding;
use crate::report::view::{self, Entry, RuleToFix, View, Weight};
use crate::text;

/// More than a browser opens at once.
const MOST_FINDINGS: usize = 50_000;

/// Findings of a rule that are not folded.
const SHOWN: usize = 10;

/// Findings that block and are not folded: a browser lays out no more than a reader can use.
const MOST_SHOWN: usize = 200;

/// What gates make of findings: the parts of the list, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Blocks,
    Warns,
    Within,
    Accepted,
    Uncounted,
}

impl Section {
    const ALL: [Self; 5] =
        [Self::Blocks, Self::Warns, Self::Within, Self::Accepted, Self::Uncounted];

    fn of(entry: &Entry<'_>) -> Self {
        match (entry.weight, entry.accepted) {
            (Some(Weight::Blocks), _) => Self::Blocks,
            (Some(Weight::Warns), _) => Self::Warns,
            (Some(Weight::Within), _) => Self::Within,
            (None, Some(_)) => Self::Accepted,
            (None, None) => Self::Uncounted,
        }
    }

    /// As it is marked beside a rule, and chosen.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Warns => "warns",
            Self::Within => "within",
            Self::Accepted => "accepted",
            Self::Uncounted => "no gate",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Blocks => "These block",
            Self::Warns => "These warn",
            Self::Within => "Within the limits of their gates",
            Self::Accepted => "Accepted, or known since a baseline",
            Self::Uncounted => "Counted by no gate",
        }
    }
}

/// The findings of one rule and severity of a source in one section.
pub(super) struct Group<'v, 'a> {
    pub section: Section,
    pub source: &'a str,
    pub rule: RuleToFix<'v, 'a>,
    is_open: bool,
}

/// Every finding, and what it can be found by.
pub(super) struct Groups<'v, 'a> {
    pub groups: Vec<Group<'v, 'a>>,
    pub facets: Facets<'a>,
    /// The first group of each ruling, by their places.
    by_gate: BTreeMap<usize, usize>,
    left_out: usize,
}

impl<'v, 'a> Groups<'v, 'a> {
    pub(super) fn of(view: &'v View<'a>) -> Self {
        let mut entries: Vec<_> = view.entries.iter().collect();
        // Stable: within a section the order of urgency is kept.
        entries.sort_by_key(|entry| Section::of(entry));
        let left_out = entries.len().saturating_sub(MOST_FINDINGS);
        entries.truncate(MOST_FINDINGS);
        let key = |entry: &Entry<'a>| {
            let severity = entry.finding.subject.severity;
            (Section::of(entry), severity, entry.source(), entry.finding.rule_id())
        };
        let mut groups = Vec::new();
        let mut shown = 0;
        let mut by_gate = BTreeMap::new();
        for own in entries.chunk_by(|a, b| key(a) == key(b)) {
            for ruling in own.iter().flat_map(|entry| view.gate_numbers(entry)) {
                by_gate.entry(ruling).or_insert(groups.len());
            }
            let (Some(first), Some(rule)) = (own.first(), RuleToFix::of(own)) else { continue };
            let (section, source) = (Section::of(first), first.source());
            let is_open = section == Section::Blocks && shown < MOST_SHOWN;
            shown += own.len().min(SHOWN);
            groups.push(Group { section, source, rule, is_open });
        }
        let facets = Facets::of(&groups, view);
        Self { groups, facets, by_gate, left_out }
    }

    /// The number of a ruling, and that of the first group with a finding that it counts.
    pub(super) fn of_gate(&self, view: &View<'_>, ruling: &Ruling<'_>) -> Option<(usize, usize)> {
        let rulings = &view.decision.rulings;
        let number = rulings.iter().position(|other| std::ptr::eq(other, ruling))?;
        Some((number, *self.by_gate.get(&number)?))
    }
}

pub(super) fn write(
    view: &View<'_>,
    groups: &Groups<'_, '_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if groups.groups.is_empty() {
        return Ok(());
    }
    let all = text::thousands(view.entries.len() as u64);
    writeln!(
        out,
        "<section id=\"findings\">\n<h2 id=\"findings-title\" tabindex=\"-1\">Findings \
         <small>{all}</small></h2>"
    )?;
    filter::write(&groups.facets, out)?;
    for section in Section::ALL {
        let own = groups.groups.iter().enumerate().filter(|(_, group)| group.section == section);
        let count: usize = own.clone().map(|(_, group)| group.rule.entries.len()).sum();
        if count == 0 {
            continue;
        }
        let class = if section == Section::Blocks { "part" } else { "part appendix" };
        writeln!(
            out,
            "<div class=\"{class}\">\n<h3>{} <small>{}</small></h3>",
            section.title(),
            text::thousands(count as u64)
        )?;
        own.into_iter()
            .try_for_each(|(at, group)| write_group(at, group, view, &groups.facets, out))?;
        writeln!(out, "</div>")?;
    }
    if groups.left_out > 0 {
        let left_out = text::count(groups.left_out as u64, "more finding");
        writeln!(out, "<p>and {left_out}; the JSON report (--json FILE) lists all.</p>")?;
    }
    writeln!(out, "</section>")
}

fn write_group(
    at: usize,
    group: &Group<'_, '_>,
    view: &View<'_>,
    facets: &Facets<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Group { section, source, rule, is_open } = group;
    let open = if *is_open { " open" } else { "" };
    let severity = rule.first.subject.severity.word();
    writeln!(
        out,
        "<details class=\"rule\" id=\"rule-{at}\" data-weight=\"{weight}\" data-source=\"{number}\" \
         data-severity=\"{severity}\"{open}>\n<summary><b class=\"severity {severity}\">{severity}</b> \
         <span class=\"title\">{title}</span> <span class=\"soft\">{source}</span> \
         <span class=\"count\">{count}</span> <span class=\"badge {class}\">{weight}</span></summary>",
        weight = section.word(),
        class = section.word().replace(' ', "-"),
        number = facets.source(source),
        title = title(rule.first),
        source = escaped(source, 80),
        count = text::thousands(rule.entries.len() as u64),
    )?;
    if let Some(help) = rule.help() {
        writeln!(out, "<p class=\"soft\">{}</p>", prose(help, 500))?;
    }
    if let Some(reason) = &rule.reason {
        writeln!(out, "<p>{}</p>", prose(reason, 160))?;
    }
    let (shown, folded) = rule.entries.split_at(rule.entries.len().min(SHOWN));
    let each = |entry: &&Entry<'_>, out: &mut dyn Write| {
        write_finding(entry, rule.reason.is_none(), view, facets, out)
    };
    writeln!(out, "<ul>")?;
    shown.iter().try_for_each(|entry| each(entry, out))?;
    writeln!(out, "</ul>")?;
    if !folded.is_empty() {
        let more = text::thousands(folded.len() as u64);
        writeln!(out, "<details class=\"more\"><summary>{more} more</summary>\n<ul>")?;
        folded.iter().try_for_each(|entry| each(entry, out))?;
        writeln!(out, "</ul></details>")?;
    }
    writeln!(out, "</details>")
}

fn write_finding(
    entry: &Entry<'_>,
    has_own_reason: bool,
    view: &View<'_>,
    facets: &Facets<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let finding = entry.finding;
    let gates: Vec<_> = view.gate_numbers(entry).map(|number| number.to_string()).collect();
    write!(out, "<li data-gate=\"{}\"", gates.join(" "))?;
    for (key, number) in facets.numbers(entry) {
        write!(out, " data-{key}=\"{number}\"")?;
    }
    write!(out, " data-name=\"{}\">{}", entry.name(), code(finding.resource(), 500))?;
    let about = about(entry, view);
    if !about.is_empty() {
        write!(out, " <span>{about}</span>")?;
    }
    if let Some(page) = view::link(finding) {
        write!(out, " {}", link(&page, &format!("open in {}", entry.source())))?;
    }
    if let Some(reason) = view::reason(finding).filter(|_| has_own_reason) {
        write!(out, "<br>{}", prose(&reason, 160))?;
    }
    if let Some(accepted) = entry.accepted {
        let grounds = &accepted.grounds;
        write!(
            out,
            "<br>accepted by {} ({}, until {})",
            code(&grounds.id, 120),
            escaped(&grounds.owner, 200),
            grounds.expires
        )?;
    }
    writeln!(out, "</li>")
}

/// Where it is, whose, since when, and which gates count it.
fn about(entry: &Entry<'_>, view: &View<'_>) -> String {
    let finding = entry.finding;
    let id = finding.resource();
    let name = finding.resource_name.as_deref().filter(|name| !id.contains(*name));
    let account = finding.subject.account.as_ref().map(|account| account.to_string());
    let region = finding.subject.region.as_deref().filter(|region| !id.contains(*region));
    let since = finding.since().map(|day| format!("since {}", day.date_naive()));
    let gates = Some(view.responsible_gates(entry)).filter(|gates| !gates.is_empty());
    let parts = [name.map(str::to_owned), account, region.map(str::to_owned), since, gates];
    let parts = parts.into_iter().flatten().map(|part| escaped(&part, 200));
    let owner = entry.owner.map(|owner| format!("<b>{}</b>", escaped(owner, 120)));
    parts.chain(owner).collect::<Vec<_>>().join(" · ")
}

fn title(finding: &Finding) -> String {
    let (title, id) = (finding.title(), finding.rule_id());
    match title == id {
        true => escaped(id, 200),
        false => format!("{} {}", escaped(title, 160), code(id, 120)),
    }
}
