//! Finds or creates the ticket of each selected case.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::search::{SearchResult, Wait, appears, search};
use super::{
    Action, CaseRow, Creation, Draft, Job, Ledger, Mark, Outcome, Rules, Target, Ticket,
    TicketState, writeback,
};
use crate::finding::{Cause, Problem};
use crate::sources::bigid::Case;

/// Tickets of earlier runs that are read at the same time.
const CONCURRENT_READS: usize = 4;

/// The most ids that Jira accepts in `reconcileIssues` (docs/platforms/jira.md#search).
const MOST_RECENT: usize = 50;

/// Gives every selected case its ticket, as far as the mode allows.
pub(crate) async fn export<T: Target>(job: &Job<'_, T>, ledger: &mut Ledger) -> Outcome {
    let all = match job.cases.all().await {
        Ok(all) => all,
        Err(problem) => return Outcome { problems: vec![problem], ..Outcome::default() },
    };
    let (selected, others) = partition(all, job.rules);
    let mut exporter = Exporter::new(job, ledger);
    exporter.read_known(&selected).await;
    let mut rows = Vec::new();
    for (at, case) in selected.iter().enumerate() {
        let done = format!("{at} of {}", selected.len());
        job.progress.status(job.target.title(), "exporting cases", &done);
        rows.push(exporter.row(case.clone()).await);
    }
    exporter.await_index(&mut rows).await;
    let Exporter { ledger, mut problems, verified, .. } = exporter;
    if job.mode.apply {
        problems.extend(writeback::write_back(job, ledger, verified, &mut rows, &others).await);
    }
    Outcome { rows, left_out: others.len() as u64, problems }
}

/// The cases to export, worst and oldest first, and the others.
fn partition(cases: Vec<Case>, rules: &Rules) -> (Vec<Case>, Vec<Case>) {
    let (mut selected, others): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| rules.select(case));
    selected.sort_by(|a, b| {
        let age = |case: &Case| case.created_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        b.severity.cmp(&a.severity).then(age(a).cmp(&age(b))).then(a.id.cmp(&b.id))
    });
    selected.dedup_by(|a, b| a.id == b.id);
    (selected, others)
}

struct Exporter<'a, 'l, T> {
    job: &'a Job<'a, T>,
    ledger: &'l mut Ledger,
    /// What the target shows of tickets in the ledger, by case name.
    known: BTreeMap<String, Option<TicketState>>,
    /// Tickets that carry the mark of their case, by case id, as the target showed them in this
    /// run. Only these permit a change in BigID.
    verified: BTreeMap<String, TicketState>,
    /// The number of tickets requested so far.
    requested: u64,
    /// Whether the target is in a state in which no further ticket may be requested.
    halted: bool,
    problems: Vec<Problem>,
}

impl<'a, 'l, T: Target> Exporter<'a, 'l, T> {
    const fn new(job: &'a Job<'a, T>, ledger: &'l mut Ledger) -> Self {
        Self {
            job,
            ledger,
            known: BTreeMap::new(),
            verified: BTreeMap::new(),
            requested: 0,
            halted: false,
            problems: Vec::new(),
        }
    }

    /// Reads the tickets that the ledger names for the selected cases.
    async fn read_known(&mut self, selected: &[Case]) {
        let target = &self.job.target;
        let tickets: Vec<_> = selected
            .iter()
            .map(|case| Mark::of(&case.id))
            .filter_map(|mark| Some((self.ledger.entry(&mark).ticket?, mark)))
            .collect();
        let reads = tickets
            .iter()
            .map(async |(ticket, mark)| (mark.case.clone(), target.read(ticket, mark, None).await));
        let mut reads = stream::iter(reads).buffered(CONCURRENT_READS);
        while let Some((case, outcome)) = reads.next().await {
            match outcome {
                Ok(state) => {
                    self.known.insert(case, state);
                }
                Err(problem) => {
                    self.problems.push(problem);
                    self.halted = true;
                    break;
                }
            }
        }
    }

    async fn row(&mut self, case: Case) -> CaseRow {
        let mark = Mark::of(&case.id);
        let entry = self.ledger.entry(&mark);
        let mut row = CaseRow::new(case, Action::NotReached);
        row.action = match (entry.ticket, entry.intent) {
            (Some(ticket), _) => self.known(ticket, &mark, &mut row).await,
            (None, None) if row.case.ticket.is_some() => {
                Action::Linked(row.case.ticket.as_ref().and_then(|ticket| ticket.url.clone()))
            }
            (None, intent) => self.find_or_create(&mark, intent, &mut row).await,
        };
        row
    }

    /// A case for which the ledger names a ticket.
    async fn known(&mut self, ticket: Ticket, mark: &Mark, row: &mut CaseRow) -> Action {
        let title = self.job.target.title();
        match self.known.get(&mark.case).cloned() {
            None => {
                row.notes.push(format!("{} could not be read", ticket.key));
                Action::Known(ticket)
            }
            Some(Some(state)) if state.marked => {
                let ticket = state.ticket.clone();
                self.verify(state, row);
                Action::Known(ticket)
            }
            Some(Some(_)) => {
                let sentence = format!(
                    "the ledger names {} for this case, and {} does not carry the mark of the \
                     case ({}); nothing was written to BigID, and no second ticket is created",
                    ticket.key, ticket.key, mark.label
                );
                let help = "if it is the ticket of this case, restore its mark; if not, the \
                            ledger was changed: remove the case's lines from it";
                self.disbelieved(mark, sentence, help, row).await
            }
            Some(None) => {
                let sentence = format!(
                    "{title} does not have {} any more, or does not show it to this account; no \
                     second ticket is created",
                    ticket.key
                );
                let help = "restore the account's access; if the ticket was deleted on purpose \
                            and the case should have a new one, remove the case's lines from the \
                            ledger";
                self.disbelieved(mark, sentence, help, row).await
            }
        }
    }

    /// The ledger names a ticket that is not the ticket of the case. A search may find the right
    /// one; none is created, since the named one may have lost its mark.
    async fn disbelieved(
        &mut self,
        mark: &Mark,
        sentence: String,
        help: &str,
        row: &mut CaseRow,
    ) -> Action {
        if self.halted || self.job.stop.reason().is_some() {
            return Action::NotReached;
        }
        match search(self.job, mark, &[], None).await {
            Err(problem) => self.halt(problem, Action::Undecided),
            Ok(SearchResult::Found(state, others)) => self.found(mark, state, &others, row),
            Ok(SearchResult::Absent | SearchResult::TooEarly) => {
                self.undecided(row, sentence, help)
            }
        }
    }

    /// Records a ticket that carries the mark of its case, with what a person should know of it.
    fn verify(&mut self, state: TicketState, row: &mut CaseRow) {
        if state.closed && row.case.open {
            row.notes.push(format!(
                "{} is closed and the case is open: reopen the ticket, or close the case in \
                 BigID; no second ticket is created",
                state.ticket.key
            ));
        }
        row.notes.extend(state.differences.iter().cloned());
        self.verified.insert(row.case.id.clone(), state);
    }

    /// A case for which the ledger names no ticket.
    async fn find_or_create(
        &mut self,
        mark: &Mark,
        intent: Option<DateTime<Utc>>,
        row: &mut CaseRow,
    ) -> Action {
        if self.halted || self.job.stop.reason().is_some() {
            return Action::NotReached;
        }
        let is_over_cap = self.requested >= self.job.rules.max_creates;
        if intent.is_none() && is_over_cap {
            return Action::OverCap;
        }
        match search(self.job, mark, self.ledger.recent(MOST_RECENT), intent).await {
            Err(problem) => self.halt(problem, Action::NotReached),
            Ok(SearchResult::Found(state, others)) => self.found(mark, state, &others, row),
            Ok(SearchResult::TooEarly) => self.too_early(intent, row),
            Ok(SearchResult::Absent) if is_over_cap => Action::OverCap,
            Ok(SearchResult::Absent) => self.create(mark, row).await,
        }
    }

    fn found(
        &mut self,
        mark: &Mark,
        state: TicketState,
        others: &[TicketState],
        row: &mut CaseRow,
    ) -> Action {
        let ticket = state.ticket.clone();
        self.verify(state, row);
        if !others.is_empty() {
            let keys: Vec<_> = others.iter().map(|other| other.ticket.key.as_str()).collect();
            row.notes.push(format!(
                "{} has more tickets for this case: {}; the oldest, {}, is used",
                self.job.target.title(),
                keys.join(", "),
                ticket.key
            ));
        }
        if self.job.mode.apply
            && let Err(sentence) = self.ledger.found(mark, &ticket)
        {
            self.ledger_failed(sentence);
        }
        Action::Found(ticket)
    }

    fn too_early(&mut self, intent: Option<DateTime<Utc>>, row: &mut CaseRow) -> Action {
        let target = &self.job.target;
        let since = intent.unwrap_or_else(Utc::now);
        let until = since + target.settle();
        let sentence = format!(
            "a ticket was requested at {} and the answer was lost; {} does not show it yet, and a \
             second one is not risked",
            since.format("%Y-%m-%d %H:%M:%S UTC"),
            target.title(),
        );
        let help = format!(
            "export again after {}: from then on the search decides",
            until.format("%Y-%m-%d %H:%M:%S UTC")
        );
        self.undecided(row, sentence, &help)
    }

    async fn create(&mut self, mark: &Mark, row: &mut CaseRow) -> Action {
        self.requested += 1;
        if !self.job.mode.apply {
            return Action::Planned;
        }
        let target = &self.job.target;
        let draft = target.draft(&row.case, mark).await;
        row.notes.extend(draft.notes.iter().cloned());
        if let Err(sentence) = self.ledger.intend(mark) {
            self.ledger_failed(sentence);
            return Action::NotReached;
        }
        match target.create(&draft).await {
            Creation::Created(ticket, notes) => {
                row.notes.extend(notes);
                self.created(mark, &draft, ticket, row).await
            }
            Creation::Refused(problem) => {
                self.record_absence(mark, &problem);
                row.notes.push(problem.message.clone());
                // An account without permission is refused for every case.
                self.halted |= problem.cause == Cause::Denied;
                self.problems.push(problem);
                Action::Refused
            }
            Creation::Unsent(problem) => {
                self.record_absence(mark, &problem);
                self.halt(problem, Action::NotReached)
            }
            Creation::Lost(problem) => {
                row.notes.push(problem.message.clone());
                self.after_loss(mark, problem, row).await
            }
        }
    }

    /// The ticket exists: the ledger records it before anything else happens.
    async fn created(
        &mut self,
        mark: &Mark,
        draft: &Draft,
        ticket: Ticket,
        row: &mut CaseRow,
    ) -> Action {
        if let Err(sentence) = self.ledger.created(mark, &ticket) {
            self.ledger_failed(sentence);
            return Action::Created(ticket);
        }
        match self.read_back(mark, draft, &ticket).await {
            Ok(state) => self.verify(state, row),
            Err(problem) => {
                row.notes.push(problem.message.clone());
                self.problems.push(problem);
            }
        }
        Action::Created(ticket)
    }

    /// Reads a new ticket, which must carry its mark.
    async fn read_back(
        &mut self,
        mark: &Mark,
        draft: &Draft,
        ticket: &Ticket,
    ) -> Result<TicketState, Problem> {
        let title = self.job.target.title();
        match self.job.target.read(ticket, mark, Some(draft)).await? {
            Some(state) if state.marked => Ok(state),
            Some(_) => {
                // A second ticket could not be found either.
                self.halted = true;
                let message = format!("{title} did not keep the mark of {}", ticket.key);
                Err(Problem::new(Cause::Invalid, message).help(
                    "without the mark a later run cannot find the ticket; no more tickets are \
                     created until the field of the mark is writable",
                ))
            }
            None => {
                let message = format!("{title} created {} and does not show it", ticket.key);
                Err(Problem::new(Cause::Contradictory, message))
            }
        }
    }

    /// The answer was lost: only the search can decide, and this run does not request it again.
    async fn after_loss(&mut self, mark: &Mark, problem: Problem, row: &mut CaseRow) -> Action {
        let requested = Utc::now();
        // The request may have waited since the first line.
        if let Err(sentence) = self.ledger.intend(mark) {
            self.ledger_failed(sentence);
        }
        match search(self.job, mark, self.ledger.recent(MOST_RECENT), Some(requested)).await {
            Ok(SearchResult::Found(state, others)) => {
                row.notes.push("the answer was lost; the ticket was found".to_owned());
                self.found(mark, state, &others, row)
            }
            Ok(SearchResult::Absent | SearchResult::TooEarly) => {
                self.halted = true;
                self.problems.push(problem);
                self.too_early(Some(requested), row)
            }
            Err(search_failed) => {
                self.problems.push(problem);
                self.halt(search_failed, Action::Undecided)
            }
        }
    }

    /// Waits until the search shows the new tickets, so that a run without the ledger finds them.
    async fn await_index(&self, rows: &mut [CaseRow]) {
        let mut wait = Wait::begin();
        for row in rows {
            let Action::Created(ticket) = &row.action else { continue };
            if self.halted || !self.verified.contains_key(&row.case.id) {
                continue;
            }
            let mark = Mark::of(&row.case.id);
            if !appears(self.job, &mark, ticket, &mut wait).await {
                row.notes.push(format!(
                    "the search of {} does not show {} yet; until then only the ledger has it",
                    self.job.target.title(),
                    ticket.key
                ));
            }
        }
    }

    fn undecided(&mut self, row: &mut CaseRow, sentence: String, help: &str) -> Action {
        let case = row.case.alias.as_deref().unwrap_or(&row.case.id);
        let message = format!("case {case}: {sentence}");
        self.problems.push(Problem::new(Cause::Incomplete, message).help(help));
        row.notes.push(sentence);
        Action::Undecided
    }

    fn halt(&mut self, problem: Problem, action: Action) -> Action {
        self.problems.push(problem);
        self.halted = true;
        action
    }

    fn record_absence(&mut self, mark: &Mark, problem: &Problem) {
        if let Err(sentence) = self.ledger.absent(mark, &problem.message) {
            self.ledger_failed(sentence);
        }
    }

    /// Without the ledger nothing more is created.
    fn ledger_failed(&mut self, sentence: String) {
        self.halted = true;
        let help = "nothing more was created; free disk space or fix the file's permissions, and \
                    export again";
        self.problems.push(Problem::new(Cause::Incomplete, sentence).help(help));
    }
}
