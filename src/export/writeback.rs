//! Changes the status of exported cases in BigID: acknowledged while a ticket is open, resolved
//! once the fix is verified.
//!
//! A ticket is not a fix. A case is resolved only where BigID itself reports the fix, and every
//! case is read right before and right after its change (docs/platforms/bigid.md#changing-cases). The
//! ledger alone proves nothing: the ticket must carry the mark of the case.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, CaseRow, Job, Ledger, Mark, Target, Ticket, TicketState};
use crate::finding::{Cause, Problem};
use crate::sources::bigid::Case;

const ACKNOWLEDGED: &str = "acknowledged";
const REMEDIATED: &str = "remediated";

/// Writes to BigID what the mode allows. `verified` are the tickets that carry the mark of their
/// case, by case id; `others` are the cases that were not selected, which get a row if they are
/// resolved.
pub(super) async fn write_back<T: Target>(
    job: &Job<'_, T>,
    ledger: &mut Ledger,
    verified: BTreeMap<String, TicketState>,
    rows: &mut Vec<CaseRow>,
    others: &[Case],
) -> Vec<Problem> {
    let mut writer = WriteBack { job, ledger, verified, problems: Vec::new() };
    if job.mode.resolve {
        writer.resolve(rows, others).await;
    }
    if job.mode.acknowledge {
        writer.acknowledge_all(rows).await;
    }
    writer.problems
}

struct WriteBack<'a, 'l, T> {
    job: &'a Job<'a, T>,
    ledger: &'l mut Ledger,
    verified: BTreeMap<String, TicketState>,
    problems: Vec<Problem>,
}

impl<T: Target> WriteBack<'_, '_, T> {
    /// Resolves exported cases with a verified fix, also those that are not selected any more.
    async fn resolve(&mut self, rows: &mut Vec<CaseRow>, others: &[Case]) {
        let listed: BTreeMap<String, Case> = others
            .iter()
            .chain(rows.iter().map(|row| &row.case))
            .map(|case| (case.id.clone(), case.clone()))
            .collect();
        let exported: Vec<(String, Ticket)> = self
            .ledger
            .exported()
            .filter_map(|(name, ticket)| Some((Mark::case_id(name)?.to_owned(), ticket.clone())))
            .collect();
        let status = self.job.rules.resolve_as.word();
        for (id, named) in exported {
            // A case that is not listed any more cannot be resolved.
            let Some(case) = listed.get(&id) else { continue };
            let at = rows.iter().position(|row| row.case.id == id);
            let is_reported = at.is_some_and(|at| rows[at].action == Action::Undecided);
            if fix(case).is_none() || case.status == status || is_reported {
                continue;
            }
            let (ticket, (wrote, note)) = match self.verified_ticket(&id, &named).await {
                Ok(ticket) => {
                    let reason = |now: &Case| {
                        fix(now).map(|fix| format!("fix verified by BigID: {fix}; ticket"))
                    };
                    let written = self.write(case, &ticket, status, reason).await;
                    (ticket, written)
                }
                Err(problem) => (named, (None, Some(self.problem(problem)))),
            };
            let at = at.unwrap_or_else(|| {
                rows.push(CaseRow::new(case.clone(), Action::Known(ticket)));
                rows.len() - 1
            });
            rows[at].wrote = wrote;
            rows[at].notes.extend(note);
        }
    }

    /// The ticket of a case as the target has it, if it carries the mark of the case.
    async fn verified_ticket(&mut self, id: &str, named: &Ticket) -> Result<Ticket, Problem> {
        if let Some(state) = self.verified.get(id) {
            return Ok(state.ticket.clone());
        }
        let mark = Mark::of(id);
        match self.job.target.read(named, &mark, None).await? {
            Some(state) if state.marked => Ok(state.ticket),
            state => {
                let what = match state {
                    Some(_) => format!("does not carry the mark of the case ({})", mark.label),
                    None => format!("is not in {}", self.job.target.title()),
                };
                let message = format!(
                    "case {id}: the ledger names {} as its ticket, which {what}; the case was not \
                     resolved",
                    named.key
                );
                Err(Problem::new(Cause::Incomplete, message).help(
                    "restore the ticket and its mark, or remove the case's lines from the ledger",
                ))
            }
        }
    }

    /// Acknowledges open cases with a ticket, with one request per policy where that is allowed.
    async fn acknowledge_all(&mut self, rows: &mut [CaseRow]) {
        let mut due = Vec::new();
        for row in rows {
            if self.is_due(row) {
                due.push(row);
            }
        }
        if self.job.cases.allows_bulk() {
            self.acknowledge_in_bulk(&mut due).await;
        }
        for row in due.into_iter().filter(|row| row.wrote.is_none()) {
            self.acknowledge(row).await;
        }
    }

    /// Whether a case is open, has an open ticket with its mark, and was not acknowledged for it
    /// before.
    fn is_due(&self, row: &mut CaseRow) -> bool {
        let ticket_is_open = self.verified.get(&row.case.id).is_some_and(|state| !state.closed);
        let Some(ticket) = row.action.ticket().filter(|_| row.case.open && row.wrote.is_none())
        else {
            return false;
        };
        if !ticket_is_open {
            return false;
        }
        let before = self.ledger.entry(&Mark::of(&row.case.id));
        let was_acknowledged = before.wrote.iter().any(|status| status == ACKNOWLEDGED);
        if was_acknowledged {
            row.notes.push(format!(
                "it was acknowledged for {} and is open again in BigID; it stays open",
                ticket.key
            ));
        }
        !was_acknowledged
    }

    async fn acknowledge(&mut self, row: &mut CaseRow) {
        let Some(ticket) = row.action.ticket() else { return };
        let reason = |now: &Case| now.open.then(|| "exported to".to_owned());
        let (wrote, note) = self.write(&row.case, ticket, ACKNOWLEDGED, reason).await;
        row.wrote = wrote;
        row.notes.extend(note);
    }

    /// Acknowledges with one request for each policy of which several cases are due. Where that
    /// would change other cases too, they are left to be acknowledged one by one.
    async fn acknowledge_in_bulk(&mut self, due: &mut [&mut CaseRow]) {
        let now = match self.job.cases.all().await {
            Ok(now) => now,
            Err(problem) => {
                self.problems.push(problem);
                return;
            }
        };
        let open: BTreeSet<_> =
            now.iter().filter(|case| case.open).map(|case| case.id.as_str()).collect();
        let mut policies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in due.iter().filter(|row| open.contains(row.case.id.as_str())) {
            policies.entry(row.case.policy.clone()).or_default().insert(row.case.id.clone());
        }
        for (policy, planned) in policies.into_iter().filter(|(_, planned)| planned.len() > 1) {
            if self.job.stop.reason().is_some() {
                return;
            }
            self.acknowledge_policy(&policy, &planned, due).await;
        }
    }

    async fn acknowledge_policy(
        &mut self,
        policy: &str,
        planned: &BTreeSet<String>,
        due: &mut [&mut CaseRow],
    ) {
        let keys = due.iter().filter(|row| planned.contains(&row.case.id));
        let keys: Vec<_> = keys.filter_map(|row| Some(row.action.ticket()?.key.as_str())).collect();
        let reason = format!("exported to {}; compliance-gate, {}", keys.join(", "), self.job.run);
        let cases = &self.job.cases;
        match cases.set_status_of_policy(policy, planned, ACKNOWLEDGED, &reason).await {
            Ok(changed) => {
                for row in due.iter_mut().filter(|row| changed.set.contains(&row.case.id)) {
                    row.wrote = Some(ACKNOWLEDGED.to_owned());
                    let mark = Mark::of(&row.case.id);
                    if let Err(sentence) = self.ledger.wrote_back(&mark, ACKNOWLEDGED, &reason) {
                        self.problems.push(Problem::new(Cause::Incomplete, sentence));
                    }
                }
            }
            // Nothing was sent: the cases are acknowledged one by one.
            Err(refused) if refused.cause == Cause::Invalid => {
                self.job.progress.note(&refused.message);
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Sets the status of a case if `reason` still gives a reason when the case is read again.
    /// Returns the status that was written, and what a person should know.
    async fn write(
        &mut self,
        case: &Case,
        ticket: &Ticket,
        status: &str,
        reason: impl Fn(&Case) -> Option<String>,
    ) -> (Option<String>, Option<String>) {
        let cases = &self.job.cases;
        if self.job.stop.reason().is_some() {
            return (None, Some("the run ended before the case was changed in BigID".to_owned()));
        }
        let now = match cases.one(&case.id).await {
            Ok(Some(now)) => now,
            Ok(None) => return (None, Some("the case is not in BigID any more".to_owned())),
            Err(problem) => return (None, Some(self.problem(problem))),
        };
        let Some(reason) = reason(&now) else {
            let note =
                format!("the case changed meanwhile to `{}`; it was not changed", now.status);
            return (None, Some(note));
        };
        let Ticket { key, url, .. } = ticket;
        let reason = format!("{reason} {key} ({url}); compliance-gate, {}", self.job.run);
        if let Err(problem) = cases.set_status(&case.id, status, &reason).await {
            return (None, Some(self.problem(problem)));
        }
        match cases.one(&case.id).await {
            Ok(Some(after)) if after.status == status => {
                let written = self.ledger.wrote_back(&Mark::of(&case.id), status, &reason);
                let problem = written.err().map(|why| Problem::new(Cause::Incomplete, why));
                (Some(status.to_owned()), problem.map(|problem| self.problem(problem)))
            }
            Ok(after) => {
                let is = after.map_or_else(|| "gone".to_owned(), |after| after.status);
                let id = &case.id;
                let message = format!("case {id}: BigID accepted `{status}`, and it is `{is}`");
                (None, Some(self.problem(Problem::new(Cause::Contradictory, message))))
            }
            Err(problem) => (None, Some(self.problem(problem))),
        }
    }

    fn problem(&mut self, problem: Problem) -> String {
        let note = problem.message.clone();
        self.problems.push(problem);
        note
    }
}

/// How BigID itself reports that a case is fixed, if it does. A case that was silenced or closed
/// is left as it is.
fn fix(case: &Case) -> Option<String> {
    let is_unsettled = case.open || case.status == ACKNOWLEDGED;
    match case.affected_objects {
        _ if case.status == REMEDIATED => Some(format!("its status is `{REMEDIATED}`")),
        Some(0) if is_unsettled => Some("it has no affected objects any more".to_owned()),
        _ => None,
    }
}
