//! The order of questions: how fresh the results are, what failed, and what the gates need to know
//! of the rest.

use std::collections::HashSet;

use chrono::Utc;
use futures_util::{StreamExt, stream};

use super::super::demands::Counted;
use super::super::settings::Posture;
use super::plan::{Plan, Planned};
use super::read::{self, Check, Depth, Reading, State, Terms};
use super::{freshness, inventory, titles};
use crate::evidence::{Outcome, Part};
use crate::finding::{Cause, Finding, Problem, Subject};
use crate::selection::Field;
use crate::sources::Session;
use crate::text;

/// Lists under way at once. The platform is said to bear three to five (fact sheet §3.3).
const AT_ONCE: usize = 3;

/// Accepted risks that are named; all of them are counted.
const NAMED: usize = 20;

/// One collection under way.
pub struct Collection<'a> {
    settings: &'a Posture,
    session: &'a Session,
    plan: Plan,
    demands: Vec<Counted<'a>>,
    accepted: Vec<String>,
    not_evaluated: Vec<String>,
    part: Part,
    /// What is known to be missing. Not the part's own, so that failures beyond a limit still
    /// block.
    missing: Vec<Problem>,
}

impl<'a> Collection<'a> {
    pub fn new(settings: &'a Posture, session: &'a Session, plan: Plan) -> Self {
        Self {
            settings,
            session,
            plan,
            demands: Counted::all(&session.wanted.demands),
            accepted: Vec::new(),
            not_evaluated: Vec::new(),
            part: Part::default(),
            missing: Vec::new(),
        }
    }

    /// Asks, and hands over what was found, whole or not.
    pub async fn outcome(mut self) -> Outcome {
        self.missing.append(&mut self.plan.problems);
        let stopped = self.everything().await.err();
        self.part.problems.extend(stopped);
        self.tell();
        self.session.outcome(vec![self.part], self.missing, Vec::new())
    }

    async fn everything(&mut self) -> Result<(), Problem> {
        let (as_of, notes) = freshness::newest(self.session, &self.plan.scope).await?;
        self.part.as_of = as_of;
        self.part.notes.extend(notes);
        titles::complete(self.session, &mut self.plan, &mut self.part.notes).await?;
        let within = match &self.settings.inventory {
            Some(inventory) => {
                let (hashes, doubt) = inventory::hashes(self.session, inventory).await?;
                self.missing.extend(doubt);
                Some(hashes)
            }
            None => None,
        };
        let counts_passes = self.demands.iter().any(Counted::needs_passes);
        let depth = match counts_passes || within.is_some() {
            true => Depth::Everything,
            false => Depth::Failures,
        };
        self.read(depth, within.as_ref()).await?;
        if depth == Depth::Failures {
            self.prove_existence().await?;
        }
        self.part.counts.answers = self.demands.iter().map(Counted::answer).collect();
        Ok(())
    }

    /// Reads every control, a few at once, and takes in what they brought in a fixed order.
    async fn read(
        &mut self,
        depth: Depth,
        within: Option<&HashSet<String>>,
    ) -> Result<(), Problem> {
        let (session, total) = (self.session, self.plan.controls.len());
        let terms = Terms { depth, within, accepted: self.settings.accepted, now: Utc::now() };
        let controls = std::mem::take(&mut self.plan.controls);
        let readings = controls
            .values()
            .map(|planned| async move { (planned, read::read(session, planned, terms).await) });
        let mut readings = stream::iter(readings).buffered(AT_ONCE);
        let mut done = 0;
        let mut stopped = Ok(());
        while let Some((planned, reading)) = readings.next().await {
            done += 1;
            session.progress.status(
                &session.name,
                "reading resources",
                &format!("control {done} of {total}"),
            );
            match reading {
                Ok(reading) => self.take(planned, reading),
                Err(problem) => {
                    stopped = Err(problem);
                    break;
                }
            }
        }
        drop(readings);
        self.plan.controls = controls;
        stopped
    }

    fn take(&mut self, planned: &Planned, reading: Reading) {
        let Reading { checks, evaluated, doubts } = reading;
        self.missing.extend(doubts);
        self.part.set_looked_at(self.part.looked_at().saturating_add(evaluated));
        let seen = checks.iter().any(|check| !matches!(check.state, State::NotEvaluated(_)));
        if evaluated > 0 && !seen {
            self.note_control(planned);
        }
        for check in checks {
            self.check(planned, check);
        }
    }

    /// A control all of whose resources passed, and which were not read: it exists.
    fn note_control(&mut self, planned: &Planned) {
        let subject = planned.subject();
        for counted in &mut self.demands {
            let selection = &counted.demand().selection;
            let is_of_controls = selection.fields().iter().all(|field| is_of_control(*field));
            if counted.is_open() && is_of_controls && selection.matches(&subject) {
                counted.add(true);
            }
        }
    }

    fn check(&mut self, planned: &Planned, check: Check) {
        for counted in &mut self.demands {
            let means = counted.means(&check.subject, check.id.as_deref(), check.name.as_deref());
            match &check.state {
                State::Passed if means => counted.add(true),
                State::Failed(_) if means => counted.add(false),
                // A risk that somebody took is there, but neither passed nor failed.
                State::Accepted { .. } if means && counted.is_open() => counted.add(false),
                _ => {}
            }
        }
        match check.state.clone() {
            State::Passed => {}
            // `lastSeenDate` is when it was seen last (fact sheet §8.2), not first, so `created_at`
            // stays empty.
            State::Failed(why) => self.part.findings.push(Finding {
                resource_id: check.id,
                resource_name: check.name,
                reason: why.map(Box::from),
                ..Finding::new(check.subject, check.fingerprint)
            }),
            State::Accepted { until, why } => {
                let until = until.map_or_else(
                    || "without an end".to_owned(),
                    |until| format!("until {}", until.date_naive()),
                );
                let why =
                    if why.is_empty() { why } else { format!(" ({})", text::one_line(&why, 60)) };
                let named = format!("{} {until}{why}", named(planned, &check));
                self.accepted.push(named);
            }
            State::NotEvaluated(error) => {
                let named = format!("{}: {}", named(planned, &check), text::one_line(&error, 80));
                self.not_evaluated.push(named);
            }
        }
    }

    /// A gate whose identity selectors match nothing that failed: is it a typo, or did all pass?
    /// Rows of passes are read until each has been met once.
    async fn prove_existence(&mut self) -> Result<(), Problem> {
        let session = self.session;
        for planned in self.plan.controls.values() {
            for target in planned.targets.values() {
                let controls = target.controls.iter().cloned().collect();
                let subject = Subject { controls, ..planned.subject() };
                let may_be_here = |counted: &Counted<'_>| {
                    let of_control = counted.demand().selection.only(is_of_control);
                    counted.is_open() && of_control.matches(&subject)
                };
                if !self.demands.iter().any(may_be_here) {
                    continue;
                }
                session.progress.status(
                    &session.name,
                    "looking for what selectors mean",
                    planned.rule(),
                );
                let demands = &mut self.demands;
                read::look(session, planned, target, |check| {
                    let (id, name) = (check.id.as_deref(), check.name.as_deref());
                    for counted in demands.iter_mut().filter(|counted| counted.is_open()) {
                        if counted.means(&check.subject, id, name) {
                            counted.add(true);
                        }
                    }
                    !demands.iter().any(may_be_here)
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Says what a reader should know: what was accepted, what nobody evaluated.
    fn tell(&mut self) {
        let name = &self.session.name;
        let part = &mut self.part;
        if !self.accepted.is_empty() {
            let count = text::count(self.accepted.len() as u64, "failed check");
            part.notes.push(format!(
                "{count} accepted on the platform, not counted: {}",
                some(&self.accepted, NAMED)
            ));
        }
        if !self.plan.manual.is_empty() {
            let names: Vec<_> = self.plan.manual.iter().map(|n| text::one_line(n, 80)).collect();
            let count = text::count(names.len() as u64, "manual control");
            part.notes.push(format!(
                "{count} that nothing evaluates, not counted as passed: {}",
                some(&names, 5)
            ));
        }
        if !self.not_evaluated.is_empty() {
            let count = text::count(self.not_evaluated.len() as u64, "resource");
            let message =
                format!("{name}: {count} could not be evaluated: {}", some(&self.not_evaluated, 3));
            self.missing.push(Problem::new(Cause::Incomplete, message).help(
                "mend the configuration that the platform complains about, or leave those \
                 resources out with a zone",
            ));
        }
        if self.plan.requirements == 0 {
            part.problems.push(
                Problem::new(Cause::Empty, format!("{name}: there are no requirements at all"))
                    .help(
                        "check that a policy applies to a zone, and that the token's team sees it",
                    ),
            );
        } else if part.looked_at() == 0 && part.problems.is_empty() && self.missing.is_empty() {
            let requirements = text::count(self.plan.requirements, "requirement");
            let message = format!("{name}: nothing was evaluated under {requirements}");
            part.problems.push(Problem::new(Cause::Empty, message).help(
                "controls that are all manual, or have no resources, prove nothing; check the \
                 scope of the zones",
            ));
        }
    }
}

/// The control and the resource, for a note.
fn named(planned: &Planned, check: &Check) -> String {
    let resource = check.name.as_deref().or(check.id.as_deref()).unwrap_or_default();
    format!("`{}` on {}", text::one_line(planned.rule(), 60), text::one_line(resource, 60))
}

/// The first few, and how many more there are.
fn some(names: &[String], most: usize) -> String {
    let mut sorted: Vec<_> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let shown = sorted.get(..most).unwrap_or(&sorted).join("; ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

impl Planned {
    /// What is known of all its checks.
    fn subject(&self) -> Subject {
        Subject {
            severity: self.severity(),
            rule: Some(self.shared_rule()),
            controls: self.all_controls(),
            resource_type: None,
            account: None,
            region: None,
        }
    }
}

/// Whether all checks of a control have it in common.
fn is_of_control(field: Field) -> bool {
    matches!(field, Field::Framework | Field::Control | Field::Rule | Field::Severity)
}
