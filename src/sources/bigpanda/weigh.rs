//! Events become findings: which of them count, how severe each is, and notes about the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::event::{Actor, Event, Stated};
use super::kind::{self, Action, Kind};
use super::notes::Notes;
use super::object;
use super::settings::Settings;
use crate::evidence::{Before, Window};
use crate::finding::{Cause, Finding, Fingerprint, Identity, Problem, Rule, Severity, Subject};
use crate::selection::Demand;
use crate::sources::look_back::Request;
use crate::text;

/// Characters of a name and of a reason that are kept.
const MOST_NAME: usize = 300;
const MOST_REASON: usize = 500;

const HELP: &str = "Ask the actor whether the change was intended. If it was, wait until it leaves the window, or add \
     the actor to `expected_actors`; if not, undo it in BigPanda.";

/// The findings of the events, and more.
#[derive(Default)]
pub(super) struct Weighed {
    pub findings: Vec<Finding>,
    pub notes: Notes,
    pub problems: Vec<Problem>,
    /// The number of entries within the window, counted or not.
    pub entries: u64,
    /// What earlier runs had found of before the window.
    pub before: Option<Before>,
    /// Plans with entries in the log, and whether only expected actors changed them.
    pub plans: BTreeMap<String, bool>,
}

/// Weighs the events of a window, and those of before that were asked for.
pub(super) fn weigh(
    source: &str,
    settings: &Settings,
    demands: &[Demand],
    request: Request,
    events: Vec<Event>,
) -> Weighed {
    let secrets = events.iter().flat_map(|event| &event.secrets).cloned().collect();
    let mut scales = Scales {
        source,
        settings,
        demands,
        known: KnownObjects::of(&events),
        secrets,
        rules: BTreeMap::new(),
        weighed: Weighed::default(),
    };
    let span = request.span();
    let mut outside = Vec::new();
    let mut inside: u64 = 0;
    for event in events {
        if let Some(at) = event.at.filter(|at| *at < span.from || span.to < *at) {
            outside.push(at);
            continue;
        }
        inside += 1;
        let is_before = event.at.is_some_and(|at| at < request.window.from);
        scales.weighed.entries += u64::from(!is_before);
        scales.put(event);
    }
    let mut weighed = scales.weighed;
    weighed.notes.outside = outside.len() as u64;
    if inside == 0 {
        weighed.problems.extend(all_outside(source, span, &outside));
    }
    weighed
}

/// Entries that all lie outside of what was asked for: the platform answered another question, or its times
/// have another unit. What happened in the window is unknown then.
fn all_outside(source: &str, window: Window, times: &[DateTime<Utc>]) -> Option<Problem> {
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    let at = "%Y-%m-%d %H:%M UTC";
    let what = format!(
        "{source}: no entry of the audit log lies in the requested window ({} to {}): {} dated {} to \
         {}",
        window.from.format(at),
        window.to.format(at),
        text::count(times.len() as u64, "entry"),
        first.format(at),
        last.format(at)
    );
    Some(Problem::new(Cause::Contradictory, what).help(
        "check the clock of this machine; if it is right, the platform ignores `start` and `end`, \
         or its timestamps are not in seconds or milliseconds",
    ))
}

struct Scales<'a> {
    /// The source's name, for messages.
    source: &'a str,
    settings: &'a Settings,
    demands: &'a [Demand],
    known: KnownObjects,
    secrets: BTreeSet<String>,
    rules: BTreeMap<(Kind, Action), Arc<Rule>>,
    weighed: Weighed,
}

impl Scales<'_> {
    fn put(&mut self, mut event: Event) {
        let actions = match &event.action {
            Stated::InitState => return self.weighed.notes.baseline += 1,
            Stated::Action(action) => vec![*action],
            Stated::Unknown(_) => vec![Action::Other],
            Stated::Nothing => Action::STATED.to_vec(),
        };
        self.known.complete(&mut event);
        let kinds = if event.kinds.is_empty() { vec![Kind::Other] } else { event.kinds.clone() };
        let expected = event.actor.word().is_some_and(|actor| self.settings.expects(actor));
        if kinds.contains(&Kind::MaintenancePlan) {
            for id in [&event.resource_id, &event.plan_id].into_iter().flatten() {
                *self.weighed.plans.entry(id.clone()).or_insert(true) &= expected;
            }
        }
        let candidates: Vec<_> = kinds
            .iter()
            .flat_map(|kind| actions.iter().map(|action| (*kind, *action)))
            .filter(|(kind, action)| self.settings.matches(*kind, *action))
            .map(|(kind, action)| {
                (self.settings.risk.of(kind, action, &event.traits), kind, action)
            })
            .collect();
        // The first of the most severe.
        let Some(worst) = candidates.iter().copied().rev().max_by_key(|candidate| candidate.0)
        else {
            self.weighed.notes.left_out += 1;
            return;
        };
        let (severity, kind, action) = worst;
        if expected {
            let actor = event.actor.word().unwrap_or_default();
            return self.weighed.notes.expected(actor, &kind::rule(kind, action));
        }
        self.weighed.notes.irregular(&event);
        let subject = self.subject(severity, kind, action);
        let possible = match event.action {
            // An undocumented action may be another name of a documented one.
            Stated::Unknown(_) => self.all_stated(&kinds, &event),
            _ => Vec::new(),
        };
        self.look_for_doubt(&event, &subject, candidates.iter().chain(&possible));
        let finding = self.finding(&event, subject, (kind, action), candidates.len() > 1);
        self.weighed.findings.push(finding);
    }

    /// Everything that can be done to resources of these kinds.
    fn all_stated(&self, kinds: &[Kind], event: &Event) -> Vec<(Severity, Kind, Action)> {
        let risk = |kind, action| self.settings.risk.of(kind, action, &event.traits);
        let all = kinds.iter().flat_map(|kind| Action::STATED.map(|action| (*kind, action)));
        all.filter(|(kind, action)| self.settings.matches(*kind, *action))
            .map(|(kind, action)| (risk(kind, action), kind, action))
            .collect()
    }

    fn subject(&mut self, severity: Severity, kind: Kind, action: Action) -> Subject {
        let rule = self.rules.entry((kind, action)).or_insert_with(|| rule(kind, action));
        subject(severity, kind, Arc::clone(rule))
    }

    /// A gate that would count an action that an entry may mean, but not the one that it is counted
    /// as, cannot rely on this log.
    fn look_for_doubt<'c>(
        &mut self,
        event: &Event,
        taken_for: &Subject,
        candidates: impl Iterator<Item = &'c (Severity, Kind, Action)> + Clone,
    ) {
        let Some(demand) = self.demands.iter().find(|demand| {
            !demand.selection.matches(taken_for)
                && candidates.clone().any(|(severity, kind, action)| {
                    demand.selection.matches(&subject(*severity, *kind, rule(*kind, *action)))
                })
        }) else {
            return;
        };
        let what = format!(
            "{}: an entry of type `{}` does not state its action: counted as the most severe \
             possible one ({}) it is not in {}, but it may have been",
            self.source,
            text::one_line(event.stated.as_deref().unwrap_or("(none)"), 60),
            taken_for.rule.as_deref().map_or("", |rule| &rule.id),
            demand.selection
        );
        let problem = Problem::new(Cause::Incomplete, what).help(
            "select the most severe action too (`rule: \"type.*\"` selects all), or select by severity",
        );
        if !self.weighed.problems.contains(&problem) {
            self.weighed.problems.push(problem);
        }
    }

    fn finding(
        &self,
        event: &Event,
        subject: Subject,
        (kind, action): (Kind, Action),
        doubtful: bool,
    ) -> Finding {
        let shown =
            |words: &str, most| text::shorten(&object::without(words, &self.secrets), most).into();
        let time = event.at.map_or_else(String::new, |at| at.timestamp().to_string());
        let stated = event.stated.as_deref().unwrap_or_default();
        let actor = event.actor.word();
        // An integration's id may be its secret key; only the object would show that.
        let withheld = kind == Kind::Integrations && !event.has_object;
        let resource_id: Option<Box<str>> =
            event.resource_id.as_deref().filter(|_| !withheld).map(|id| shown(id, MOST_NAME));
        let own = Fingerprint::of(&[
            stated,
            resource_id.as_deref().unwrap_or_default(),
            &time,
            action.word(),
            actor.unwrap_or_default(),
            &event.digest.to_string(),
        ]);
        let name = event.name.as_deref().map(|name| shown(name, MOST_NAME));
        // Many objects have no id; then the name is what they are known by.
        let (resource_id, resource_name) = match resource_id {
            None => (name, None),
            id => (id, name),
        };
        Finding {
            resource_id,
            resource_name,
            reason: Some(shown(&reason(event, kind, action, doubtful), MOST_REASON)),
            actor: actor.map(|actor| object::without(actor, &self.secrets).into()),
            created_at: event.at,
            ..Finding::new(subject, Identity::Event(own))
        }
    }
}

/// The rule with its title and help.
pub(super) fn rule(kind: Kind, action: Action) -> Arc<Rule> {
    Arc::new(Rule {
        id: kind::rule(kind, action).into(),
        title: Some(format!("{} {}", kind.title(), action.done()).into()),
        help: Some(HELP.into()),
    })
}

/// The subject of a change.
pub(super) fn subject(severity: Severity, kind: Kind, rule: Arc<Rule>) -> Subject {
    Subject {
        severity,
        rule: Some(rule),
        controls: Arc::default(),
        resource_type: Some(kind.word().into()),
        account: None,
        region: None,
    }
}

/// The change in a sentence: `Maintenance plan 'x' created by ann@example.com; …`.
fn reason(event: &Event, kind: Kind, action: Action, doubtful: bool) -> String {
    let what = match (kind, &event.stated) {
        (Kind::Other, Some(stated)) => format!("{} `{}`", kind.title(), text::one_line(stated, 60)),
        _ => kind.title().to_owned(),
    };
    let name = event
        .name
        .as_deref()
        .map_or_else(String::new, |name| format!(" '{}'", text::one_line(name, 80)));
    let done = match &event.action {
        Stated::Unknown(word) => format!("changed by the undocumented action `{word}`"),
        _ => action.done().to_owned(),
    };
    let by = match &event.actor {
        Actor::User(email) => format!("by {}", text::one_line(email, 100)),
        Actor::System => "by the platform itself (system-generated)".to_owned(),
        Actor::Unknown => "by an unknown actor".to_owned(),
    };
    let mut sentences = vec![format!("{what}{name} {done} {by}")];
    if event.at.is_none() {
        sentences.push("the entry has no type, time and actor, and counts as of now".to_owned());
    }
    if doubtful {
        let rule = kind::rule(kind, action);
        sentences.push(format!(
            "the entry does not state exactly what was done; counted as the worst change \
             ({rule})"
        ));
    }
    sentences.extend(event.details.iter().cloned());
    sentences.join("; ")
}

/// Names and types from other entries: the entry of a deletion has no object.
struct KnownObjects(BTreeMap<(String, String), KnownObject>);

#[derive(Default)]
struct KnownObject {
    kinds: BTreeSet<Kind>,
    name: Option<String>,
}

impl KnownObjects {
    fn of(events: &[Event]) -> Self {
        let mut known: BTreeMap<_, KnownObject> = BTreeMap::new();
        let mut stated: Vec<_> = events.iter().filter(|event| event.has_object).collect();
        stated.sort_by_key(|event| event.at);
        for event in stated {
            let Some(key) = key(event) else { continue };
            let resource = known.entry(key).or_default();
            resource.kinds.extend(&event.kinds);
            if event.name.is_some() {
                resource.name.clone_from(&event.name);
            }
        }
        Self(known)
    }

    fn complete(&self, event: &mut Event) {
        let Some(resource) =
            key(event).filter(|_| !event.has_object).and_then(|key| self.0.get(&key))
        else {
            return;
        };
        if !resource.kinds.is_empty() {
            event.kinds = resource.kinds.iter().copied().collect();
        }
        event.name.clone_from(&resource.name);
    }
}

/// A resource's id is unique only together with its type (docs/platforms/bigpanda.md#entries).
fn key(event: &Event) -> Option<(String, String)> {
    Some((event.stated.as_ref()?.to_lowercase(), event.resource_id.clone()?))
}
