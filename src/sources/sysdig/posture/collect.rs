//! The order of requests: how old the results are, what failed, and what else the gates need.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::Utc;
use futures_util::{StreamExt, stream};

use super::super::demands::{Counted, Tally};
use super::super::settings::Posture;
use super::accounts::Accounts;
use super::plan::{Plan, Planned};
use super::read::{self, Check, CheckState, ControlReading, Depth, Terms};
use super::{freshness, inventory, titles};
use crate::evidence::{Outcome, Part};
use crate::finding::{Account, Cause, Finding, Identity, Problem, Subject, Waiver};
use crate::selection::Field;
use crate::sources::Session;
use crate::text;

/// Lists read at once (docs/platforms/sysdig.md#errors-and-limits).
const AT_ONCE: usize = 3;

/// Manual controls and resources that are named; all of them are counted.
const MANUAL_NAMED: usize = 5;
const NOT_EVALUATED_NAMED: usize = 3;

/// A collection.
pub(super) struct Collection<'a> {
    settings: &'a Posture,
    session: &'a Session,
    plan: Plan,
    accounts: Accounts,
    /// The names of accounts, by their id: results state the id alone.
    names: HashMap<Arc<str>, Arc<Account>>,
    /// The cloud accounts that have results.
    seen: BTreeSet<Arc<str>>,
    demands: Vec<Counted<'a>>,
    exclusions: Vec<Counted<'a>>,
    tally: Tally,
    /// How many failures were accepted on the platform.
    accepted: u64,
    /// How many of the accepted risks have no end.
    endless: u64,
    not_evaluated: Vec<String>,
    /// Failing resources that the inventory should have, and has not.
    unlisted: BTreeSet<String>,
    part: Part,
    /// What is known to be missing. Not the part's own, so that failures beyond a limit still
    /// block.
    missing: Vec<Problem>,
}

impl<'a> Collection<'a> {
    pub(super) fn new(
        settings: &'a Posture,
        session: &'a Session,
        plan: Plan,
        accounts: Accounts,
    ) -> Self {
        Self {
            settings,
            session,
            plan,
            names: accounts.by_id(),
            accounts,
            seen: BTreeSet::new(),
            demands: Counted::all(&session.wanted.demands),
            exclusions: Counted::all(&session.wanted.exclusions),
            tally: Tally::new(&session.wanted),
            accepted: 0,
            endless: 0,
            not_evaluated: Vec::new(),
            unlisted: BTreeSet::new(),
            part: Part::default(),
            missing: Vec::new(),
        }
    }

    /// Reads everything, and returns what was found, also where it is not complete.
    pub(super) async fn outcome(mut self) -> Outcome {
        self.missing.append(&mut self.plan.problems);
        let stopped = self.everything().await.err();
        self.part.problems.extend(stopped);
        let inventory = self.settings.inventory.as_ref();
        self.part.unevaluated = self.accounts.unevaluated(inventory, &self.seen);
        self.part.notes.append(&mut self.plan.notes);
        self.add_notes();
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
        let counts_passes =
            self.tally.is_wanted() || self.demands.iter().any(Counted::needs_passes);
        let depth = match counts_passes || within.is_some() {
            true => Depth::Everything,
            false => Depth::Failures,
        };
        self.read(depth, within.as_ref()).await?;
        let mut known = std::mem::take(&mut self.exclusions);
        if depth == Depth::Failures {
            self.prove_existence().await?;
            // Passed checks were not read, or not all.
            known.clear();
        }
        let answers = self.demands.iter().chain(&known).map(Counted::answer);
        self.part.counts.answers = answers.collect();
        self.part.counts.table = std::mem::take(&mut self.tally).table();
        Ok(())
    }

    /// Reads every control, a few at once, and adds their results in a fixed order.
    async fn read(
        &mut self,
        depth: Depth,
        within: Option<&HashSet<String>>,
    ) -> Result<(), Problem> {
        let (session, total) = (self.session, self.plan.controls.len());
        let terms =
            Terms { depth, within, inventory: self.settings.inventory.as_ref(), now: Utc::now() };
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
                Ok(reading) => self.take(planned, reading)?,
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

    fn take(&mut self, planned: &Planned, reading: ControlReading) -> Result<(), Problem> {
        let ControlReading { checks, evaluated, doubts, unlisted } = reading;
        self.missing.extend(doubts);
        self.unlisted.extend(unlisted);
        self.part.set_looked_at(self.part.looked_at() + evaluated);
        let seen = checks.iter().any(|check| !matches!(check.state, CheckState::NotEvaluated(_)));
        if evaluated > 0 && !seen {
            self.note_control(planned);
        }
        for check in checks {
            self.check(planned, check);
        }
        Ok(())
    }

    /// Counts a control whose resources all passed and were not read: it exists.
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

    fn check(&mut self, planned: &Planned, mut check: Check) {
        check.name_account(&self.names);
        self.seen.extend(check.cloud_account());
        for counted in self.demands.iter_mut().chain(&mut self.exclusions) {
            let resource = [check.id.as_deref(), check.name.as_deref()];
            let matches = counted.matches(&check.subject, resource, &check.facets);
            match &check.state {
                CheckState::Passed if matches => counted.add(true),
                CheckState::Failed(_) | CheckState::Accepted(_) if matches => counted.add(false),
                _ => {}
            }
        }
        match check.state {
            CheckState::Passed => self.tally.add(&check.subject, true),
            CheckState::Failed(_) | CheckState::Accepted(_) => {
                self.tally.add(&check.subject, false);
            }
            CheckState::NotEvaluated(_) => {}
        }
        match check.state.clone() {
            CheckState::Passed => {}
            // No list states when a failure was first seen, so `created_at` stays empty.
            CheckState::Failed(waiver) => self.failed(check, waiver),
            CheckState::Accepted(waiver) => {
                self.accepted += 1;
                self.endless += u64::from(waiver.until.is_none());
                self.failed(check, Some(waiver));
            }
            CheckState::NotEvaluated(error) => {
                let named = format!("{}: {}", named(planned, &check), text::one_line(&error, 80));
                self.not_evaluated.push(named);
            }
        }
    }

    /// No list states when a failure was first seen, so `created_at` stays empty.
    fn failed(&mut self, check: Check, waiver: Option<Waiver>) {
        self.part.findings.push(Finding {
            resource_id: check.id,
            resource_name: check.name,
            reason: waiver.as_ref().map(|waiver| reason(waiver).into()),
            waiver: waiver.map(Box::new),
            facets: check.facets,
            ..Finding::new(check.subject, Identity::Check)
        });
    }

    /// Where the identity selectors of a gate match nothing that failed, either all passed or there
    /// is a typo. Passed rows are read until each selection has matched once.
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
                    "looking for what selectors match",
                    &planned.label(),
                );
                let (demands, seen, names) = (&mut self.demands, &mut self.seen, &self.names);
                read::look(session, planned, target, |mut check| {
                    check.name_account(names);
                    seen.extend(check.cloud_account());
                    let resource = [check.id.as_deref(), check.name.as_deref()];
                    for counted in demands.iter_mut().filter(|counted| counted.is_open()) {
                        if counted.matches(&check.subject, resource, &check.facets) {
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

    /// Adds what a reader should know: what was accepted, and what was not evaluated.
    fn add_notes(&mut self) {
        let name = &self.session.name;
        let part = &mut self.part;
        if self.accepted > 0 {
            let count = text::count(self.accepted, "failed check");
            let endless = match self.endless {
                0 => String::new(),
                endless => format!(", {} without an end", text::thousands(endless)),
            };
            part.notes.push(format!(
                "{count} accepted on the platform{endless}; an entry of `accept` with `upstream: \
                 sysdig.acceptance` decides whether that holds"
            ));
        }
        if !self.plan.manual.is_empty() {
            let names: Vec<_> = self.plan.manual.iter().map(|n| text::one_line(n, 80)).collect();
            let count = text::count(names.len() as u64, "manual control");
            part.notes.push(format!(
                "{count}, not evaluated and not counted: {}",
                some(&names, MANUAL_NAMED)
            ));
        }
        part.notes.extend(self.plan.severities.note(
            "control",
            "severity",
            "which every `severity` selector matches",
        ));
        if !self.not_evaluated.is_empty() {
            let count = text::count(self.not_evaluated.len() as u64, "resource");
            let message = format!(
                "{name}: {count} could not be evaluated: {}",
                some(&self.not_evaluated, NOT_EVALUATED_NAMED)
            );
            self.missing.push(Problem::new(Cause::Incomplete, message).help(
                "fix the configuration that the platform names, or leave these resources out with \
                 a zone",
            ));
        }
        if !self.unlisted.is_empty() {
            let count = text::count(self.unlisted.len() as u64, "failing resource");
            let names = self.unlisted.iter().map(|name| text::one_line(name, 60));
            let message = format!(
                "{name}: {count} of what `posture.inventory` asks for by its own results, and not in \
                 the inventory: {}",
                text::listed(names, ", ", NOT_EVALUATED_NAMED)
            );
            self.missing.push(Problem::new(Cause::Contradictory, message).help(
                "run the gate again, since the inventory may be older than the results; or leave out \
                 `posture.inventory`, and use the selectors of the gates",
            ));
        }
        if self.plan.requirements == 0 {
            part.problems.push(
                Problem::new(Cause::Empty, format!("{name}: there are no requirements")).help(
                    "check that a policy applies to a zone, and that the token's team sees it",
                ),
            );
        } else if part.looked_at() == 0 && part.problems.is_empty() && self.missing.is_empty() {
            let requirements = text::count(self.plan.requirements, "requirement");
            let message = format!("{name}: nothing was evaluated under {requirements}");
            part.problems.push(Problem::new(Cause::Empty, message).help(
                "manual controls and controls without resources are not evidence; check the scope \
                 of the zones",
            ));
        }
    }
}

/// That a failure was accepted on the platform, or why that does not hold.
fn reason(waiver: &Waiver) -> String {
    if let Some(fault) = &waiver.fault {
        return fault.to_string();
    }
    let until = waiver.until.map_or_else(
        || "without an end".to_owned(),
        |until| format!("until {}", until.date_naive()),
    );
    let why = waiver.reason.as_deref().unwrap_or_default();
    let why = if why.is_empty() { "" } else { &format!(" ({})", text::one_line(why, 60)) };
    format!("accepted on the platform {until}{why}")
}

/// The control and the resource, for a note.
fn named(planned: &Planned, check: &Check) -> String {
    let resource = check.name.as_deref().or(check.id.as_deref()).unwrap_or_default();
    let rule = planned.name.as_deref().unwrap_or(&planned.id);
    format!("`{}` on {}", text::one_line(rule, 60), text::one_line(resource, 60))
}

/// The first few in alphabetical order, and how many more there are.
fn some(names: &[String], most: usize) -> String {
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_unstable();
    text::listed(sorted, "; ", most)
}

impl Planned {
    /// What all its checks have in common.
    fn subject(&self) -> Subject {
        Subject {
            severity: self.severity,
            rule: self.shared_rule(),
            controls: self.all_controls(),
            resource_type: None,
            account: None,
            region: None,
        }
    }
}

/// Whether all checks of a control have the same value of a field.
fn is_of_control(field: Field) -> bool {
    matches!(field, Field::Framework | Field::Control | Field::Rule | Field::Severity)
}
