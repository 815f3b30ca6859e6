//! What reports show, selected once for all formats. A format only lays it out and escapes it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Deref;

use chrono::{DateTime, Utc};

use super::advice::Advice;
use super::{Report, digest};
use crate::acceptance::Acceptance;
use crate::evaluate::{Ruling, State, Usage};
use crate::evidence::Outcome;
use crate::finding::{Finding, Problem};
use crate::policy::Mode;
use crate::text;

/// What a ruling means for the pipeline. Ordered, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The gate holds.
    Within,
    /// It is breached or could not be decided, and the pipeline continues.
    Warns,
    /// It stops the pipeline.
    Blocks,
}

impl Weight {
    pub fn of(ruling: &Ruling<'_>) -> Self {
        match (ruling.state, ruling.blocks(), ruling.mode) {
            (State::Held, ..) => Self::Within,
            (_, true, Mode::Enforce) => Self::Blocks,
            _ => Self::Warns,
        }
    }
}

/// A report, with everything selected that formats show.
pub struct View<'a> {
    report: Report<'a>,
    /// The gates, worst first.
    pub gates: Vec<GateView<'a>>,
    /// Every problem of the run once, those that gates have first.
    pub problems: Vec<&'a Problem>,
    /// Every finding once, in the order of urgency.
    pub entries: Vec<Entry<'a>>,
    /// Places in `entries`: what stops the pipeline first, then what warns, then the rest.
    by_weight: Vec<u32>,
    /// The failed rules of each source, in the order of their first finding by weight.
    pub rules: Vec<Rule<'a>>,
    /// Every entry of the policy's `accept`, in its order.
    pub acceptances: Vec<AcceptanceView<'a>>,
    /// The places of the rulings that count each finding, one finding after the other.
    counting: Vec<u32>,
    /// What each ruling makes of the findings that it counts.
    weights: Vec<Weight>,
}

/// A gate, and what reports show of it. Text is on one line and safe to show.
pub struct GateView<'a> {
    pub ruling: &'a Ruling<'a>,
    pub weight: Weight,
    /// A word for its state, level and mode.
    pub standing: &'static str,
    /// What was found, what is allowed, and where, each in a few words.
    pub found: String,
    pub allowed: String,
    pub place: String,
    /// By how much it is over a limit that allows some.
    pub over: String,
    /// A word where it is not green and does not block.
    pub remark: &'static str,
    /// What it requires, as the policy describes it.
    pub description: Option<String>,
    /// Observed, limit, and by how much it is missed.
    pub limits: String,
    /// What it counts, and over which evidence.
    pub scope: String,
    /// Until when and why it is let through, and why its findings are not listed.
    pub notes: Vec<String>,
}

/// An entry of `accept`, and what reports show of it. Text is on one line and safe to show.
pub struct AcceptanceView<'a> {
    pub usage: &'a Usage<'a>,
    pub id: String,
    /// What it forgives.
    pub forgives: String,
    /// How much it covers, or that it is not in force.
    pub effect: String,
    /// Until when it holds, or since when it does not.
    pub term: String,
    /// Whether it has lapsed, or soon will.
    pub is_due: bool,
    pub owner: String,
    pub reason: String,
    /// Who approved it, as the file states, and the ticket.
    pub stated: String,
}

/// A finding, and what the gates make of it. Small, for there may be a million.
pub struct Entry<'a> {
    pub finding: &'a Finding,
    /// Whom to ask, by the policy's `owners`.
    pub owner: Option<&'a str>,
    /// The most that any gate makes of it; `None` where no gate counts it. A gate that could not
    /// be decided does not count it as over the limit.
    pub weight: Option<Weight>,
    /// Where its rulings are in `counting`.
    gates: (u32, u32),
    /// The acceptance that covers it at a gate, where no gate counts it.
    pub accepted: Option<&'a Acceptance>,
    /// Its place among the findings with its fingerprint, from 1.
    place: u32,
}

impl<'a> Entry<'a> {
    /// The name of its source in the policy.
    pub fn source(&self) -> &'a str {
        &self.finding.source
    }

    /// Its fingerprint, and from the second one with the same on, its place among them.
    pub fn name(&self) -> String {
        match self.place {
            1 => self.finding.fingerprint.to_string(),
            place => format!("{}:{place}", self.finding.fingerprint),
        }
    }
}

/// What a reader does now, and whom to ask.
pub struct NextSteps {
    /// Findings that are over a limit and listed.
    pub findings: usize,
    /// When the platforms will see a fix.
    pub after_fix: Vec<String>,
    /// The owners of the gates that are not green, with their gates.
    pub gates: Vec<Contact>,
    /// The owners of what is over a limit, with the number of findings.
    pub owners: Vec<(String, usize)>,
    /// Commands about the first of the gates that are not green.
    pub commands: Option<Advice>,
}

/// Whom to ask about gates. Text is on one line and safe to show.
pub struct Contact {
    /// As the policy names the owner.
    pub owner: Option<String>,
    pub gates: Vec<String>,
    /// The lines of the policy: `compliance-gate.yaml:32, :51`.
    pub places: String,
    pub links: Vec<String>,
}

/// A rule that failed in one source.
pub struct Rule<'a> {
    pub source: &'a str,
    /// Its first finding by weight.
    pub first: &'a Finding,
    /// The weight of that finding.
    pub weight: Option<Weight>,
    /// Places of its findings that have this weight.
    entries: Vec<u32>,
}

/// What to fix first: the rules that stop the pipeline, else those that warn.
pub struct ToFix<'v, 'a> {
    pub blocks: bool,
    pub rules: Vec<RuleToFix<'v, 'a>>,
}

impl ToFix<'_, '_> {
    pub const fn title(&self) -> &'static str {
        if self.blocks { "Fix first" } else { "Worth fixing" }
    }
}

impl<'v, 'a> RuleToFix<'v, 'a> {
    /// Findings of one rule and severity, if there are any.
    pub(super) fn of(entries: &[&'v Entry<'a>]) -> Option<Self> {
        let first = entries.first()?.finding;
        let reason = reason(first);
        let is_common = entries.iter().all(|entry| self::reason(entry.finding) == reason);
        Some(Self { first, reason: reason.filter(|_| is_common), entries: entries.to_vec() })
    }

    /// How to fix it, as the platform describes it.
    pub fn help(&self) -> Option<&str> {
        self.first.subject.rule.as_ref().and_then(|rule| rule.help.as_deref())
    }
}

/// A rule to fix, with its findings of one severity that are over a limit.
pub struct RuleToFix<'v, 'a> {
    pub first: &'a Finding,
    pub entries: Vec<&'v Entry<'a>>,
    /// Why all of them failed, where that is one reason. On one line and safe to show.
    pub reason: Option<String>,
}

impl<'a> Deref for View<'a> {
    type Target = Report<'a>;

    fn deref(&self) -> &Self::Target {
        &self.report
    }
}

impl<'a> View<'a> {
    pub fn of(report: Report<'a>) -> Self {
        let decision = report.decision;
        let weight = |ruling: &Ruling<'_>| match ruling.state {
            State::Undecided => Weight::Warns,
            _ => Weight::of(ruling),
        };
        let weights: Vec<_> = decision.rulings.iter().map(weight).collect();
        let (entries, counting) = entries(&report, &weights);
        let by_weight = by_weight(&entries);
        let mut gates: Vec<_> =
            decision.rulings.iter().map(|ruling| GateView::of(&report, ruling)).collect();
        gates.sort_by_key(|gate| Reverse(gate.weight));
        Self {
            gates,
            problems: digest::problems(&report),
            rules: rules(&entries, &by_weight),
            acceptances: decision
                .acceptances
                .iter()
                .map(|usage| AcceptanceView::of(usage, report.now))
                .collect(),
            entries,
            by_weight,
            counting,
            weights,
            report,
        }
    }

    /// The findings: what stops the pipeline first, then what warns, then the rest.
    pub fn by_weight(&self) -> impl Iterator<Item = &Entry<'a>> + Clone {
        self.by_weight.iter().map(|place| self.entry(*place))
    }

    /// The first `most` findings by weight, in groups of neighbours that share all that a gate makes
    /// of a rule: source, rule, weight and gates.
    pub fn alike(
        &self,
        most: usize,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = &Entry<'a>> + Clone> {
        let same = |a: &u32, b: &u32| {
            let (a, b) = (self.entry(*a), self.entry(*b));
            a.weight == b.weight
                && a.source() == b.source()
                && self.gate_numbers(a).eq(self.gate_numbers(b))
                && a.finding.rule_id() == b.finding.rule_id()
                && a.finding.title() == b.finding.title()
        };
        let places = &self.by_weight[..most.min(self.by_weight.len())];
        places.chunk_by(same).map(|places| places.iter().map(|place| self.entry(*place)))
    }

    /// The findings that a breached gate counts, by weight.
    pub fn over_limit(&self) -> impl Iterator<Item = &Entry<'a>> + Clone {
        self.by_weight().filter(|entry| self.is_over_limit(entry))
    }

    /// The findings of a rule that have its weight.
    pub fn findings_of(&self, rule: &Rule<'a>) -> impl ExactSizeIterator<Item = &Entry<'a>> {
        rule.entries.iter().map(|place| self.entry(*place))
    }

    /// The rulings that count a finding, in the policy's order.
    pub fn gates_of(&self, entry: &Entry<'_>) -> impl Iterator<Item = &'a Ruling<'a>> {
        let rulings = &self.report.decision.rulings;
        self.gate_numbers(entry).map(|ruling| &rulings[ruling])
    }

    /// The same by their place in the decision.
    pub fn gate_numbers(&self, entry: &Entry<'_>) -> impl Iterator<Item = usize> {
        let (from, to) = entry.gates;
        self.counting[from as usize..to as usize].iter().map(|ruling| *ruling as usize)
    }

    fn entry(&self, place: u32) -> &Entry<'a> {
        &self.entries[place as usize]
    }

    /// The ids of the gates that count a finding as over the limit, or else count it at all.
    pub fn responsible_gates(&self, entry: &Entry<'_>) -> String {
        let gates = self.gate_numbers(entry);
        let responsible = gates.filter(|ruling| Some(self.weights[*ruling]) == entry.weight);
        let rulings = &self.report.decision.rulings;
        let ids: Vec<_> =
            responsible.map(|ruling| text::line(&rulings[ruling].gate.id, 80)).collect();
        ids.join(", ")
    }

    /// What to fix first, if a gate is breached and its findings are listed.
    pub fn to_fix(&self) -> Option<ToFix<'_, 'a>> {
        let weight = self.over_limit().next()?.weight;
        let mut rules = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.weight == weight) {
            let entries: Vec<_> =
                self.findings_of(rule).filter(|entry| self.is_over_limit(entry)).collect();
            let severity = |entry: &Entry<'_>| entry.finding.subject.severity;
            let same = |a: &&Entry<'_>, b: &&Entry<'_>| severity(a) == severity(b);
            rules.extend(entries.chunk_by(same).filter_map(RuleToFix::of));
        }
        rules.sort_by(|a, b| Finding::by_urgency(a.first, b.first));
        Some(ToFix { blocks: weight == Some(Weight::Blocks), rules })
    }

    /// Whether any of the evidence comes from the embedded simulator.
    pub fn is_simulated(&self) -> bool {
        self.evidence.outcomes.iter().any(|outcome| outcome.simulated)
    }

    /// What to do now, where a gate is not green.
    pub fn next_steps(&self) -> Option<NextSteps> {
        let worst = self.gates.first().map(|gate| gate.weight)?;
        let red = self.gates.iter().filter(|gate| gate.weight == worst).map(|gate| gate.ruling);
        let red: Vec<_> = red.filter(|ruling| ruling.state != State::Held).collect();
        if red.is_empty() {
            return None;
        }
        let weight = self.over_limit().next().and_then(|entry| entry.weight);
        let over = self.over_limit().filter(|entry| entry.weight == weight);
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        for owner in over.clone().filter_map(|entry| entry.owner) {
            *owners.entry(owner).or_default() += 1;
        }
        let mut owners: Vec<_> =
            owners.into_iter().map(|(owner, count)| (text::one_line(owner, 120), count)).collect();
        owners.sort_by_key(|(_, count)| Reverse(*count));
        let mut by_owner: BTreeMap<Reverse<Option<&str>>, Vec<&Ruling<'_>>> = BTreeMap::new();
        for ruling in red {
            by_owner.entry(Reverse(ruling.gate.owner.as_deref())).or_default().push(ruling);
        }
        let contact = |(owner, rulings): (Reverse<Option<&str>>, Vec<&Ruling<'_>>)| Contact {
            owner: owner.0.map(|owner| text::one_line(owner, 120)),
            gates: rulings.iter().map(|ruling| text::one_line(&ruling.gate.id, 80)).collect(),
            places: digest::places(&rulings),
            links: digest::links(&rulings),
        };
        let gates: Vec<_> = by_owner.into_iter().map(contact).collect();
        let first = gates.iter().flat_map(|contact| &contact.gates).next();
        Some(NextSteps {
            findings: over.count(),
            commands: first.map(|gate| Advice::about(gate, self)),
            after_fix: digest::after_fix(self).into_iter().map(str::to_owned).collect(),
            gates,
            owners,
        })
    }

    /// Whether a breached gate counts it.
    fn is_over_limit(&self, entry: &Entry<'_>) -> bool {
        self.gates_of(entry).any(|ruling| ruling.state == State::Breached)
    }
}

impl<'a> GateView<'a> {
    fn of(report: &Report<'_>, ruling: &'a Ruling<'a>) -> Self {
        let forgiven = ruling
            .forgiven
            .iter()
            .map(|entry| format!("let through by acceptance {}", digest::grounds(&entry.grounds)));
        let off = ruling.off.map(|entry| {
            format!("cannot block, by acceptance {}", digest::grounds(&entry.grounds))
        });
        let only_counted = (ruling.state == State::Breached && ruling.only_counted)
            .then(|| digest::only_counted(report, ruling));
        Self {
            ruling,
            weight: Weight::of(ruling),
            standing: digest::standing(ruling),
            found: digest::found(ruling),
            allowed: digest::allowed(ruling),
            place: digest::place(ruling),
            over: digest::over(ruling),
            remark: digest::remark(ruling),
            description: ruling.gate.description.as_deref().map(|text| text::one_line(text, 300)),
            limits: digest::limits(ruling),
            scope: digest::scope(ruling),
            notes: off
                .into_iter()
                .chain(forgiven)
                .chain(digest::since_baseline(ruling))
                .chain(digest::accepted(ruling))
                .chain(only_counted)
                .chain(digest::announced(ruling))
                .chain(digest::out_of_scope(ruling))
                .chain(ruling.notes.iter().map(|note| text::one_line(note, 400)))
                .collect(),
        }
    }
}

impl GateView<'_> {
    /// Whether `limits` says more than `found` and `allowed`.
    pub fn says_more(&self) -> bool {
        let ruling = self.ruling;
        ruling.breaches.len() > 1 || ruling.gate.each.is_some() || ruling.state == State::Undecided
    }
}

impl<'a> AcceptanceView<'a> {
    fn of(usage: &'a Usage<'a>, now: DateTime<Utc>) -> Self {
        let grounds = &usage.entry.grounds;
        let approved = grounds.approved_by.as_ref().map(|by| format!("approved by {by} (stated)"));
        let stated = approved.into_iter().chain(grounds.ticket.clone()).collect::<Vec<_>>();
        Self {
            usage,
            id: text::one_line(&grounds.id, 120),
            forgives: digest::forgiven(&usage.entry.forgives),
            effect: digest::effect(usage),
            term: digest::term(grounds, usage.standing),
            is_due: grounds.lapses_soon(now.date_naive()),
            owner: text::one_line(&grounds.owner, 200),
            reason: text::one_line(&grounds.reason, 500),
            stated: text::one_line(&stated.join(", "), 400),
        }
    }
}

/// The address of a finding's page on its platform, if it is one that a browser may open.
pub(super) fn link(finding: &Finding) -> Option<Cow<'_, str>> {
    let link = finding.link.as_deref().map(|link| text::line(link, 1_000))?;
    digest::is_web_address(&link).then_some(link)
}

/// Why a check failed, on one line.
pub(super) fn reason(finding: &Finding) -> Option<String> {
    let reason = finding.reason.as_deref().map(|reason| text::one_line(reason, 160));
    reason.filter(|reason| !reason.is_empty())
}

/// The lines about a source: its parts, then its notes. Safe to show once on one line.
pub(super) fn evidence_lines(
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> impl Iterator<Item = String> {
    let notes = outcome.notes.iter().chain(outcome.parts.iter().flat_map(|part| &part.notes));
    let notes = notes.map(|note| format!("note: {}", text::one_line(note, 600)));
    outcome.parts.iter().map(move |part| digest::part(part, now)).chain(notes)
}

/// Every finding, and the places of the rulings that count them.
fn entries<'a>(report: &Report<'a>, weights: &[Weight]) -> (Vec<Entry<'a>>, Vec<u32>) {
    let rulings = report.decision.rulings.iter();
    // Sorted pairs, which take a sixth of what a map would.
    let mut counted: Vec<_> = rulings
        .clone()
        .zip(0_u32..)
        .flat_map(|(ruling, at)| {
            ruling.findings.iter().map(move |finding| (std::ptr::from_ref(*finding), at))
        })
        .collect();
    counted.sort_unstable();
    let mut accepted: Vec<_> = rulings
        .flat_map(|ruling| ruling.accepted.iter().chain(&ruling.known))
        .map(|(finding, entry)| (std::ptr::from_ref(*finding), *entry))
        .collect();
    // By address; of a finding that several gates accept, the first one's entry is kept.
    accepted.sort_by_key(|(finding, _)| *finding);
    let parts = report.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
    let found = parts.map(|part| part.findings.listed());
    let mut entries = Vec::with_capacity(found.clone().map(<[_]>::len).sum());
    for finding in found.flatten() {
        let own = std::ptr::from_ref(finding);
        let from = counted.partition_point(|(at, _)| *at < own);
        let gates = counted[from..].iter().take_while(|(at, _)| std::ptr::eq(*at, own));
        let weight = gates.clone().map(|(_, ruling)| weights[*ruling as usize]).max();
        let to = from + gates.count();
        let entry = accepted.partition_point(|(at, _)| *at < own);
        let entry = accepted.get(entry).filter(|(at, _)| std::ptr::eq(*at, own));
        entries.push(Entry {
            finding,
            owner: report.decision.owner_of(finding),
            weight,
            gates: (place(from), place(to)),
            accepted: entry.filter(|_| weight.is_none()).map(|(_, entry)| *entry),
            place: 1,
        });
    }
    let counting = counted.into_iter().map(|(_, ruling)| ruling).collect();
    entries.sort_by(|a, b| {
        Finding::by_urgency(a.finding, b.finding).then_with(|| a.source().cmp(b.source()))
    });
    let by_name = |(entry, at): (&Entry<'_>, u32)| (entry.finding.fingerprint, at);
    let mut alike: Vec<_> = entries.iter().zip(0..).map(by_name).collect();
    alike.sort_unstable();
    for pair in alike.windows(2) {
        if let [(one, before), (other, at)] = *pair
            && one == other
        {
            entries[at as usize].place = entries[before as usize].place + 1;
        }
    }
    (entries, counting)
}

/// A place in a list of findings: a file of evidence has fewer than this could number.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The places of findings: what stops the pipeline first, then what warns, then the rest.
fn by_weight(entries: &[Entry<'_>]) -> Vec<u32> {
    let weights = [Some(Weight::Blocks), Some(Weight::Warns), Some(Weight::Within), None];
    let mut places = Vec::with_capacity(entries.len());
    for weight in weights {
        let own = entries.iter().zip(0..).filter(|(entry, _)| entry.weight == weight);
        places.extend(own.map(|(_, place)| place));
    }
    places
}

fn rules<'a>(entries: &[Entry<'a>], by_weight: &[u32]) -> Vec<Rule<'a>> {
    let mut places = BTreeMap::new();
    let mut rules: Vec<Rule<'a>> = Vec::new();
    for place in by_weight {
        let entry = &entries[*place as usize];
        let at = *places.entry((entry.source(), entry.finding.rule_id())).or_insert(rules.len());
        match rules.get_mut(at) {
            Some(rule) if rule.weight == entry.weight => rule.entries.push(*place),
            Some(_) => {}
            None => rules.push(Rule {
                source: entry.source(),
                first: entry.finding,
                weight: entry.weight,
                entries: vec![*place],
            }),
        }
    }
    rules
}
