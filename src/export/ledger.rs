//! What was done, on disk: JSON lines, only ever appended.
//!
//! A line is on the disk before the next step is taken. Whatever ends the process, the lines are
//! true; only the last step may be missing, and then the intent before it shows that.
//!
//! The file is restored from a cache or a repository, so its lines are hints and never proof: see
//! the parent module.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Mark, Ticket};
use crate::text;
use crate::workspace;

mod line;

use line::{Event, Line, Lines, VERSION};

/// About 200,000 tickets.
const MOST_BYTES: u64 = 64 << 20;

/// What the ledger has of one case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// When a ticket was requested, if the result is not known.
    pub(super) intent: Option<DateTime<Utc>>,
    pub(super) ticket: Option<Ticket>,
    /// The statuses that were written to the case because of the ticket.
    pub(super) wrote: Vec<String>,
}

/// The ledger of one target.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    /// Only where something may be written.
    file: Option<File>,
    target: String,
    run: String,
    entries: BTreeMap<String, Entry>,
    /// Tickets in the order of their lines.
    tickets: Vec<Ticket>,
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// Another export uses it now.
    #[error("another export uses the ledger {0}")]
    Locked(String),
    #[error("{0}")]
    Unusable(String),
}

impl Ledger {
    /// Reads the file and writes nothing, for a dry run.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub(crate) fn read(path: &Path, target: String) -> Result<Self, LedgerError> {
        let mut ledger = Self::new(path, target, String::new())?;
        match workspace::read(path, MOST_BYTES) {
            Ok(bytes) => {
                ledger.load(&bytes)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(ledger.unusable("read", &error)),
        }
        Ok(ledger)
    }

    /// Opens the file for writing, exclusively.
    ///
    /// # Errors
    /// If another export uses it, or it cannot be read, understood or written.
    pub(crate) fn open(path: &Path, target: String, run: String) -> Result<Self, LedgerError> {
        let mut ledger = Self::new(path, target, run)?;
        let mut file = ledger.open_file().map_err(|error| ledger.unusable("open", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Locked(path.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(ledger.unusable("lock", &error)),
        }
        let bytes = workspace::read_open(&mut file, MOST_BYTES)
            .map_err(|error| ledger.unusable("read", &error))?;
        let whole = ledger.load(&bytes)?;
        repair(&mut file, &bytes, whole).map_err(|error| ledger.unusable("write", &error))?;
        ledger.file = Some(file);
        Ok(ledger)
    }

    fn new(path: &Path, target: String, run: String) -> Result<Self, LedgerError> {
        workspace::check(path)
            .map_err(|why| LedgerError::Unusable(format!("the ledger {} {why}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            file: None,
            target,
            run,
            entries: BTreeMap::new(),
            tickets: Vec::new(),
        })
    }

    fn open_file(&self) -> std::io::Result<File> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        // The file's name must survive a crash too. Where folders cannot be opened, this is not
        // possible.
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(file)
    }

    fn unusable(&self, verb: &str, error: &std::io::Error) -> LedgerError {
        LedgerError::Unusable(format!(
            "failed to {verb} the ledger {}: {error}",
            self.path.display()
        ))
    }

    /// Reads the lines; returns the length of the whole lines.
    fn load(&mut self, bytes: &[u8]) -> Result<usize, LedgerError> {
        let Lines { lines, whole } = line::parse(bytes).map_err(|(number, why)| {
            LedgerError::Unusable(format!(
                "the ledger {} cannot be understood at line {number}: {why}; without it a case \
                 could get a second ticket, so fix the file or restore its last good copy",
                self.path.display(),
            ))
        })?;
        lines.into_iter().for_each(|line| self.apply(line));
        Ok(whole)
    }

    fn apply(&mut self, line: Line) {
        if line.target != self.target {
            return;
        }
        let entry = self.entries.entry(line.case).or_default();
        match line.event {
            // An unreadable time counts as now: the ticket may still appear in the search.
            Event::Intent => {
                entry.intent = Some(
                    DateTime::parse_from_rfc3339(&line.time)
                        .map_or_else(|_| Utc::now(), |time| time.to_utc()),
                );
            }
            Event::Created | Event::Found => {
                entry.intent = None;
                entry.ticket = line.ticket.clone();
                self.tickets.extend(line.ticket);
            }
            Event::Absent => entry.intent = None,
            Event::WroteBack => entry.wrote.extend(line.status),
        }
    }

    /// What the ledger has of a case.
    pub(super) fn entry(&self, mark: &Mark) -> Entry {
        self.entries.get(&mark.case).cloned().unwrap_or_default()
    }

    /// Cases with a ticket, by their names in the ledger.
    pub(super) fn exported(&self) -> impl Iterator<Item = (&str, &Ticket)> {
        self.entries
            .iter()
            .filter_map(|(case, entry)| Some((case.as_str(), entry.ticket.as_ref()?)))
    }

    /// The latest tickets, at most `most`.
    pub(super) fn recent(&self, most: usize) -> &[Ticket] {
        &self.tickets[self.tickets.len().saturating_sub(most)..]
    }

    /// Records that a ticket is about to be requested.
    ///
    /// # Errors
    /// A sentence, if that could not be written: then it must not be requested.
    pub(super) fn intend(&mut self, mark: &Mark) -> Result<(), String> {
        self.append(mark, Event::Intent, None, None, None)
    }

    /// Records that the requested ticket exists.
    ///
    /// # Errors
    /// A sentence, if that could not be written.
    pub(super) fn created(&mut self, mark: &Mark, ticket: &Ticket) -> Result<(), String> {
        self.append(mark, Event::Created, Some(ticket), None, None)
    }

    /// Records that a search found the ticket.
    ///
    /// # Errors
    /// A sentence, if that could not be written.
    pub(super) fn found(&mut self, mark: &Mark, ticket: &Ticket) -> Result<(), String> {
        self.append(mark, Event::Found, Some(ticket), None, None)
    }

    /// Records that there is no ticket.
    ///
    /// # Errors
    /// A sentence, if that could not be written.
    pub(super) fn absent(&mut self, mark: &Mark, why: &str) -> Result<(), String> {
        self.append(mark, Event::Absent, None, None, Some(why))
    }

    /// Records that a status was written to the case, and why.
    ///
    /// # Errors
    /// A sentence, if that could not be written.
    pub(super) fn wrote_back(
        &mut self,
        mark: &Mark,
        status: &str,
        why: &str,
    ) -> Result<(), String> {
        self.append(mark, Event::WroteBack, None, Some(status), Some(why))
    }

    fn append(
        &mut self,
        mark: &Mark,
        event: Event,
        ticket: Option<&Ticket>,
        status: Option<&str>,
        why: Option<&str>,
    ) -> Result<(), String> {
        let line = Line {
            v: VERSION,
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            run: self.run.clone(),
            target: self.target.clone(),
            case: mark.case.clone(),
            event,
            ticket: ticket.cloned(),
            status: status.map(str::to_owned),
            why: why.map(str::to_owned),
        };
        let path = self.path.display().to_string();
        let fail = |error: std::io::Error| {
            format!("failed to write to the ledger {path}: {}", text::reason(&error))
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| fail(error.into()))?;
        bytes.push(b'\n');
        // Put back only once the line is whole: nothing may follow half a line.
        let Some(mut file) = self.file.take() else {
            return Err(fail(std::io::Error::other("it is not open for writing")));
        };
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(fail)?;
        self.file = Some(file);
        self.apply(line);
        Ok(())
    }
}

/// Cuts off half a line at the end, and ends the last line.
fn repair(file: &mut File, bytes: &[u8], whole: usize) -> std::io::Result<()> {
    if whole < bytes.len() {
        // Half a line was never true: the next step was not taken.
        file.set_len(whole as u64)?;
    }
    file.seek(SeekFrom::End(0))?;
    if bytes[..whole].last().is_some_and(|byte| *byte != b'\n') {
        file.write_all(b"\n")?;
    }
    file.sync_all()
}
