//! What BigID is told of an export: that somebody has a case in hand, or that it is over.
//!
//! A ticket is not a fix. So a case is resolved only where BigID itself says that the fix is
//! there, and every case is read again right before it is changed and right after (fact sheet
//! BigID §A3, §A7 no. 7).

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Job, Ledger, Mark, Row, Ticket};
use crate::finding::{Cause, Problem};
use crate::sources::bigid::Case;

const ACKNOWLEDGED: &str = "acknowledged";
const REMEDIATED: &str = "remediated";

/// Tells BigID what the mode lets it be told. `unproven` are cases whose ticket could not be read
/// back, or is closed; `others` are those that were not selected, which get a row if they are
/// resolved.
pub async fn write_back(
    job: &Job<'_>,
    ledger: &mut Ledger,
    unproven: &BTreeSet<String>,
    rows: &mut Vec<Row>,
    others: &[Case],
) -> Vec<Problem> {
    let mut desk = Desk { job, ledger, problems: Vec::new() };
    if job.mode.resolve {
        desk.resolve(rows, others).await;
    }
    if job.mode.acknowledge {
        let mut due = Vec::new();
        for row in rows.iter_mut().filter(|row| !unproven.contains(&row.case.id)) {
            if desk.is_due(row) {
                due.push(row);
            }
        }
        if job.cases.allows_bulk() {
            desk.acknowledge_at_once(&mut due).await;
        }
        for row in due.into_iter().filter(|row| row.wrote.is_none()) {
            desk.acknowledge(row).await;
        }
    }
    desk.problems
}

struct Desk<'a, 'l> {
    job: &'a Job<'a>,
    ledger: &'l mut Ledger,
    problems: Vec<Problem>,
}

impl Desk<'_, '_> {
    /// Resolves what was exported and is mended, also where the case is not selected any more.
    async fn resolve(&mut self, rows: &mut Vec<Row>, others: &[Case]) {
        let exported: Vec<(String, Ticket)> = self
            .ledger
            .exported()
            .filter_map(|(case, ticket)| Some((Mark::id(case)?.to_owned(), ticket.clone())))
            .collect();
        let listed: BTreeMap<String, Case> = others
            .iter()
            .chain(rows.iter().map(|row| &row.case))
            .map(|case| (case.id.clone(), case.clone()))
            .collect();
        for (id, ticket) in exported {
            // What is not listed any more is nothing that could be resolved.
            let Some(case) = listed.get(&id).filter(|case| proof(case).is_some()) else { continue };
            let status = self.job.rules.resolve_as.word();
            if case.status == status {
                continue;
            }
            let wrote = self.write(case, &ticket, status, |now| {
                proof(now).map(|proof| format!("fix verified by BigID: {proof}; ticket"))
            });
            let (wrote, note) = wrote.await;
            match rows.iter_mut().find(|row| row.case.id == id) {
                Some(row) => {
                    row.wrote = wrote;
                    row.notes.extend(note);
                }
                None => rows.push(Row {
                    case: case.clone(),
                    action: Action::Known(ticket),
                    notes: note.into_iter().collect(),
                    wrote,
                }),
            }
        }
    }

    /// Whether a case is open and has its ticket, and was not acknowledged for it before.
    fn is_due(&self, row: &mut Row) -> bool {
        let Some(ticket) = row.action.ticket().filter(|_| row.case.open && row.wrote.is_none())
        else {
            return false;
        };
        let before = self.ledger.entry(&Mark::of(&row.case.id));
        let again = before.wrote.iter().any(|status| status == ACKNOWLEDGED);
        if again {
            row.notes.push(format!(
                "it was acknowledged for {} and is open again in BigID; it stays open",
                ticket.key
            ));
        }
        !again
    }

    async fn acknowledge(&mut self, row: &mut Row) {
        let Some(ticket) = row.action.ticket() else { return };
        let still_open = |now: &Case| now.open.then(|| "exported to".to_owned());
        let (wrote, note) = self.write(&row.case, ticket, ACKNOWLEDGED, still_open).await;
        row.wrote = wrote;
        row.notes.extend(note);
    }

    /// With one request for each policy of which several cases are due. Where that would change
    /// others too, they are left to be done one by one.
    async fn acknowledge_at_once(&mut self, due: &mut [&mut Row]) {
        let cases = self.job.cases;
        let now = match cases.all().await {
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
            let keys = due.iter().filter(|row| planned.contains(&row.case.id));
            let keys: Vec<_> =
                keys.filter_map(|row| Some(row.action.ticket()?.key.as_str())).collect();
            let reason =
                format!("exported to {}; compliance-gate, {}", keys.join(", "), self.job.run);
            match cases.set_status_of_policy(&policy, &planned, ACKNOWLEDGED, &reason).await {
                Ok(changed) => {
                    for row in due.iter_mut().filter(|row| changed.set.contains(&row.case.id)) {
                        row.wrote = Some(ACKNOWLEDGED.to_owned());
                        let mark = Mark::of(&row.case.id);
                        if let Err(sentence) = self.ledger.wrote_back(&mark, ACKNOWLEDGED, &reason)
                        {
                            self.problems.push(Problem::new(Cause::Incomplete, sentence));
                        }
                    }
                }
                // It was not sent, which is what the safe way is for.
                Err(refused) if refused.cause == Cause::Invalid => {
                    self.job.progress.note(&refused.message);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    /// Gives a case a status, if `grounds` still says why when it is read once more. Returns the
    /// status that it has now by our doing, and what a person should know.
    async fn write(
        &mut self,
        case: &Case,
        ticket: &Ticket,
        status: &str,
        grounds: impl Fn(&Case) -> Option<String>,
    ) -> (Option<String>, Option<String>) {
        let cases = self.job.cases;
        if self.job.stop.reason().is_some() {
            return (None, Some("the run ended before BigID was told".to_owned()));
        }
        let now = match cases.one(&case.id).await {
            Ok(Some(now)) => now,
            Ok(None) => return (None, Some("the case is not in BigID any more".to_owned())),
            Err(problem) => return (None, Some(self.problem(problem))),
        };
        let Some(grounds) = grounds(&now) else {
            let note = format!("it changed meanwhile and is `{}` now; it was left so", now.status);
            return (None, Some(note));
        };
        let Ticket { key, url, .. } = ticket;
        let reason = format!("{grounds} {key} ({url}); compliance-gate, {}", self.job.run);
        if let Err(problem) = cases.set_status(&case.id, status, &reason).await {
            return (None, Some(self.problem(problem)));
        }
        match cases.one(&case.id).await {
            Ok(Some(after)) if after.status == status => {
                let mark = Mark::of(&case.id);
                let noted = self.ledger.wrote_back(&mark, status, &reason);
                let note = noted
                    .err()
                    .map(|sentence| self.problem(Problem::new(Cause::Incomplete, sentence)));
                (Some(status.to_owned()), note)
            }
            Ok(after) => {
                let is = after.map_or_else(|| "gone".to_owned(), |after| after.status);
                let id = &case.id;
                let message = format!("case {id}: BigID took `{status}`, and it is `{is}`");
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

/// How BigID itself says that a case is mended, if it does. A case that somebody silenced, or
/// closed already, is left as it is.
fn proof(case: &Case) -> Option<String> {
    let unsettled = case.open || case.status == ACKNOWLEDGED;
    match case.affected_objects {
        _ if case.status == REMEDIATED => Some(format!("its status is `{REMEDIATED}`")),
        Some(0) if unsettled => Some("it has no affected object any more".to_owned()),
        _ => None,
    }
}
