//! The march from case to ticket.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream;

use super::job::{Action, Job, Outcome, Row};
use super::{Creation, Draft, Ledger, Mark, Rules, Seen, Ticket, writeback};
use crate::finding::{Cause, Problem};
use crate::sources::bigid::Case;

/// How long one run waits for a lost ticket to show, however long the target may take.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tickets of earlier runs that are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// Jira takes at most as many ids that its search may lag behind on (fact sheet BigID §C1).
const MOST_RECENT: usize = 50;

/// Gives every selected case its ticket, as far as the mode lets it.
pub async fn export(job: &Job<'_>, ledger: &mut Ledger) -> Outcome {
    let all = match job.cases.all().await {
        Ok(all) => all,
        Err(problem) => return Outcome { problems: vec![problem], ..Outcome::default() },
    };
    let (selected, others) = sorted(all, job.rules);
    let mut march = March {
        job,
        ledger,
        known: BTreeMap::new(),
        asked: 0,
        halted: false,
        unproven: BTreeSet::new(),
        problems: Vec::new(),
    };
    march.look_at_known(&selected).await;
    let mut rows = Vec::new();
    for (at, case) in selected.iter().enumerate() {
        let done = format!("{at} of {}", selected.len());
        job.progress.status(job.target.title(), "exporting cases", &done);
        rows.push(march.row(case.clone()).await);
    }
    march.await_index(&mut rows).await;
    let March { ledger, mut problems, unproven, .. } = march;
    if job.mode.apply {
        problems.extend(writeback::write_back(job, ledger, &unproven, &mut rows, &others).await);
    }
    Outcome { rows, left_out: others.len() as u64, problems }
}

/// The cases to export, worst and oldest first, and the others.
fn sorted(cases: Vec<Case>, rules: &Rules) -> (Vec<Case>, Vec<Case>) {
    let (mut selected, others): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| rules.select(case));
    selected.sort_by(|a, b| {
        let age = |case: &Case| case.created_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        b.severity.cmp(&a.severity).then(age(a).cmp(&age(b))).then(a.id.cmp(&b.id))
    });
    selected.dedup_by(|a, b| a.id == b.id);
    (selected, others)
}

struct March<'a, 'l> {
    job: &'a Job<'a>,
    ledger: &'l mut Ledger,
    /// What the target shows of tickets in the ledger, by case.
    known: BTreeMap<String, Option<Seen>>,
    /// Tickets asked for so far.
    asked: u64,
    /// Whether the target is in a state in which nothing more should be asked of it.
    halted: bool,
    /// Cases, by id, whose ticket could not be read back, or is closed.
    unproven: BTreeSet<String>,
    problems: Vec<Problem>,
}

/// What a search came to.
enum Sight {
    Found(Seen, Vec<Seen>),
    Absent,
    /// Nothing shows yet, and it is too early to believe it.
    TooEarly,
}

impl March<'_, '_> {
    /// Reads the tickets of earlier runs, so that one that is gone or closed is said.
    async fn look_at_known(&mut self, selected: &[Case]) {
        let target = self.job.target;
        let tickets: Vec<_> = selected
            .iter()
            .map(|case| Mark::of(&case.id))
            .filter_map(|mark| Some((self.ledger.entry(&mark).ticket?, mark)))
            .collect();
        let reads = tickets
            .iter()
            .map(async |(ticket, mark)| (mark.case.clone(), target.read(ticket, mark, None).await));
        let mut reads = stream::iter(reads).buffered(SIDE_BY_SIDE);
        while let Some((case, outcome)) = reads.next().await {
            match outcome {
                Ok(seen) => {
                    self.known.insert(case, seen);
                }
                Err(problem) => {
                    self.problems.push(problem);
                    self.halted = true;
                    break;
                }
            }
        }
    }

    async fn row(&mut self, case: Case) -> Row {
        let mark = Mark::of(&case.id);
        let entry = self.ledger.entry(&mark);
        let mut row = Row { case, action: Action::NotReached, notes: Vec::new(), wrote: None };
        row.action = match (entry.ticket, entry.intent) {
            (Some(ticket), _) => self.known(ticket, &mark, &mut row),
            (None, None) if row.case.ticket.is_some() => {
                Action::Linked(row.case.ticket.as_ref().and_then(|ticket| ticket.url.clone()))
            }
            (None, intent) => self.look(&mark, intent, &mut row).await,
        };
        row
    }

    /// A case that the ledger has a ticket for.
    fn known(&mut self, ticket: Ticket, mark: &Mark, row: &mut Row) -> Action {
        let title = self.job.target.title();
        match self.known.get(&mark.case) {
            None => {
                row.notes.push(format!("{} could not be looked at", ticket.key));
                self.unproven.insert(row.case.id.clone());
                Action::Known(ticket)
            }
            Some(Some(seen)) => {
                let seen = seen.clone();
                self.remark(&seen, row);
                Action::Known(seen.ticket)
            }
            Some(None) => {
                self.unproven.insert(row.case.id.clone());
                self.undecided(
                    row,
                    format!(
                        "{title} has no {} any more, or does not show it to this account; no \
                         second ticket is made",
                        ticket.key
                    ),
                    "give the account back its access; if the ticket was deleted on purpose and \
                     the case should have a new one, take the case's lines out of the ledger",
                )
            }
        }
    }

    /// What a person should know of a ticket that is there.
    fn remark(&mut self, seen: &Seen, row: &mut Row) {
        if seen.closed && row.case.open {
            self.unproven.insert(row.case.id.clone());
            row.notes.push(format!(
                "{} is closed and the case is open: reopen it, or settle the case in BigID; no \
                 second ticket is made",
                seen.ticket.key
            ));
        }
        if !seen.marked {
            row.notes.push(format!(
                "{} has lost its mark; without the ledger it would not be found again",
                seen.ticket.key
            ));
        }
        row.notes.extend(seen.differences.iter().cloned());
    }

    /// A case that the ledger has no ticket for.
    async fn look(&mut self, mark: &Mark, intent: Option<DateTime<Utc>>, row: &mut Row) -> Action {
        if self.halted || self.job.stop.reason().is_some() {
            return Action::NotReached;
        }
        if intent.is_none() && self.asked >= self.job.rules.max_creates {
            return Action::OverCap;
        }
        match self.search(mark, intent).await {
            Err(problem) => self.halt(problem, Action::NotReached),
            Ok(Sight::Found(seen, others)) => self.found(mark, seen, &others, row),
            Ok(Sight::TooEarly) => self.too_early(intent, row),
            Ok(Sight::Absent) if self.asked >= self.job.rules.max_creates => Action::OverCap,
            Ok(Sight::Absent) => self.create(mark, row).await,
        }
    }

    /// Looks for the ticket; more than once where one was asked for and may yet show.
    async fn search(&self, mark: &Mark, intent: Option<DateTime<Utc>>) -> Result<Sight, Problem> {
        let Job { target, mode, stop, .. } = self.job;
        let began = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let age = intent.map(|since| (Utc::now() - since).to_std().unwrap_or_default());
            let left = age.map_or(Duration::ZERO, |age| target.settle().saturating_sub(age));
            let mut seen = target.find(mark, self.ledger.recent(MOST_RECENT)).await?.into_iter();
            if let Some(first) = seen.next() {
                return Ok(Sight::Found(first, seen.collect()));
            }
            if left.is_zero() {
                return Ok(Sight::Absent);
            }
            if !mode.apply || began.elapsed() >= LONGEST_WAIT {
                return Ok(Sight::TooEarly);
            }
            let pause_now = pause.min(left);
            if stop.sleep(pause_now).await.is_err() {
                return Ok(Sight::TooEarly);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn found(&mut self, mark: &Mark, seen: Seen, others: &[Seen], row: &mut Row) -> Action {
        self.remark(&seen, row);
        if !others.is_empty() {
            let keys: Vec<_> = others.iter().map(|other| other.ticket.key.as_str()).collect();
            row.notes.push(format!(
                "{} has more tickets for this case: {}; {}, the oldest, counts",
                self.job.target.title(),
                keys.join(", "),
                seen.ticket.key
            ));
        }
        if self.job.mode.apply
            && let Err(sentence) = self.ledger.found(mark, &seen.ticket)
        {
            self.unwritten(sentence);
        }
        Action::Found(seen.ticket)
    }

    fn too_early(&mut self, intent: Option<DateTime<Utc>>, row: &mut Row) -> Action {
        let Job { target, .. } = self.job;
        let since = intent.unwrap_or_else(Utc::now);
        let until = since + target.settle();
        self.undecided(
            row,
            format!(
                "a ticket was asked for at {} and the answer was lost; {} shows none yet, and a \
                 second one is not risked",
                since.format("%H:%M:%S UTC"),
                target.title(),
            ),
            &format!(
                "export again after {}: then what the search says is believed",
                until.format("%H:%M:%S UTC")
            ),
        )
    }

    async fn create(&mut self, mark: &Mark, row: &mut Row) -> Action {
        self.asked += 1;
        if !self.job.mode.apply {
            return Action::Planned;
        }
        let target = self.job.target;
        let draft = target.draft(&row.case, mark).await;
        row.notes.extend(draft.notes.iter().cloned());
        if let Err(sentence) = self.ledger.intend(mark) {
            self.unwritten(sentence);
            return Action::NotReached;
        }
        match target.create(&draft).await {
            Creation::Created(ticket, notes) => {
                row.notes.extend(notes);
                self.created(mark, &draft, ticket, row).await
            }
            Creation::Refused(problem) => {
                self.nothing(mark, &problem);
                row.notes.push(problem.message.clone());
                // What is refused to this account is refused for every case.
                self.halted |= problem.cause == Cause::Denied;
                self.problems.push(problem);
                Action::Refused
            }
            Creation::Unsent(problem) => {
                self.nothing(mark, &problem);
                self.halt(problem, Action::NotReached)
            }
            Creation::Lost(problem) => {
                row.notes.push(problem.message.clone());
                self.after_loss(mark, problem, row).await
            }
        }
    }

    /// The ticket is there: it is written down before anything else is done.
    async fn created(
        &mut self,
        mark: &Mark,
        draft: &Draft,
        ticket: Ticket,
        row: &mut Row,
    ) -> Action {
        if let Err(sentence) = self.ledger.created(mark, &ticket) {
            self.unwritten(sentence);
            return Action::Created(ticket);
        }
        let title = self.job.target.title();
        let doubt = match self.job.target.read(&ticket, mark, Some(draft)).await {
            Ok(Some(seen)) => {
                row.notes.extend(seen.differences.iter().cloned());
                (!seen.marked).then(|| {
                    // Another one would be as hard to find again.
                    self.halted = true;
                    Problem::new(
                        Cause::Invalid,
                        format!("{title} did not keep the mark of {}", ticket.key),
                    )
                    .help(
                        "without it only the ledger knows the ticket; no more are made until the \
                         field that holds the mark is writable",
                    )
                })
            }
            Ok(None) => Some(Problem::new(
                Cause::Contradictory,
                format!("{title} made {} and does not show it", ticket.key),
            )),
            Err(problem) => Some(problem),
        };
        if let Some(problem) = doubt {
            self.unproven.insert(row.case.id.clone());
            row.notes.push(problem.message.clone());
            self.problems.push(problem);
        }
        Action::Created(ticket)
    }

    /// The answer was lost: only the search can tell, and this run does not ask again.
    async fn after_loss(&mut self, mark: &Mark, problem: Problem, row: &mut Row) -> Action {
        let asked_at = Utc::now();
        // It may have waited for its turn since the first one.
        if let Err(sentence) = self.ledger.intend(mark) {
            self.unwritten(sentence);
        }
        match self.search(mark, Some(asked_at)).await {
            Ok(Sight::Found(seen, others)) => {
                row.notes.push("the answer was lost; the ticket was found".to_owned());
                self.found(mark, seen, &others, row)
            }
            Ok(Sight::Absent | Sight::TooEarly) => {
                self.halted = true;
                self.problems.push(problem);
                self.too_early(Some(asked_at), row)
            }
            Err(blind) => {
                self.problems.push(problem);
                self.halt(blind, Action::Undecided)
            }
        }
    }

    /// Waits until the search shows what was made, so that also a run without the ledger finds it.
    async fn await_index(&self, rows: &mut [Row]) {
        let Job { target, stop, .. } = self.job;
        let began = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        for row in rows {
            let Action::Created(ticket) = &row.action else { continue };
            if self.halted || self.unproven.contains(&row.case.id) {
                continue;
            }
            let mark = Mark::of(&row.case.id);
            loop {
                match target.find(&mark, &[]).await {
                    Ok(seen) if seen.iter().any(|seen| seen.ticket.id == ticket.id) => break,
                    Ok(_) if began.elapsed() < LONGEST_WAIT && stop.sleep(pause).await.is_ok() => {
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    Ok(_) | Err(_) => {
                        row.notes.push(format!(
                            "the search of {} does not show {} yet; until it does only the ledger \
                             knows it",
                            target.title(),
                            ticket.key
                        ));
                        break;
                    }
                }
            }
        }
    }

    fn undecided(&mut self, row: &mut Row, sentence: String, help: &str) -> Action {
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

    fn nothing(&mut self, mark: &Mark, problem: &Problem) {
        if let Err(sentence) = self.ledger.nothing(mark, &problem.message) {
            self.unwritten(sentence);
        }
    }

    /// Without the ledger nothing more is done.
    fn unwritten(&mut self, sentence: String) {
        self.halted = true;
        let help = "nothing more was done; make room, or mend its rights, and export again";
        self.problems.push(Problem::new(Cause::Incomplete, sentence).help(help));
    }
}
