//! What was done, on disk: JSON lines that are only ever added to.
//!
//! A line is on the disk before the next step is taken. So whatever ends the process, what stands
//! here is true; it may only lack the last thing that happened, and then the intent before it
//! says so.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{Mark, Ticket};

/// The version of a line's format.
const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    time: String,
    /// The run of the pipeline.
    run: String,
    /// The system and the place in it that tickets are made in.
    target: String,
    case: String,
    event: Event,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<Ticket>,
    /// The status that the case was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Event {
    /// A ticket is about to be asked for.
    Intent,
    /// It is there, by our asking.
    Created,
    /// It was there already, or still, when it was looked for.
    Found,
    /// There is none: the target refused, or was never asked.
    Nothing,
    /// The case was given a status.
    WroteBack,
}

/// What is known of one case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// When a ticket was asked for, if nobody knows yet what became of it.
    pub intent: Option<DateTime<Utc>>,
    pub ticket: Option<Ticket>,
    /// The statuses that the case was given because of the ticket.
    pub wrote: Vec<String>,
}

/// The ledger of one target.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// Only where something may be written.
    file: Option<File>,
    target: String,
    run: String,
    entries: BTreeMap<String, Entry>,
    /// Tickets in the order in which they came.
    tickets: Vec<Ticket>,
}

/// Why a ledger cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// Another export works with it now.
    #[error("another export holds the ledger {0}")]
    Locked(String),
    #[error("{0}")]
    Unusable(String),
}

impl Ledger {
    /// Reads what is there and writes nothing, for a dry run.
    ///
    /// # Errors
    /// A sentence, if it cannot be read or understood.
    pub fn read(path: &Path, target: String) -> Result<Self, Busy> {
        let mut ledger = Self::new(path, target, String::new());
        match std::fs::read(path) {
            Ok(bytes) => {
                ledger.load(&bytes)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(ledger.unusable("read", &error)),
        }
        Ok(ledger)
    }

    /// Opens it to be written, for this process alone.
    ///
    /// # Errors
    /// If another export holds it, or it cannot be read, understood or written.
    pub fn open(path: &Path, target: String, run: String) -> Result<Self, Busy> {
        let mut ledger = Self::new(path, target, run);
        let mut file = ledger.file().map_err(|error| ledger.unusable("open", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Busy::Locked(path.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(ledger.unusable("lock", &error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| ledger.unusable("read", &error))?;
        let whole = ledger.load(&bytes)?;
        let mend = |file: &mut File| {
            if whole < bytes.len() {
                // What was cut off in the middle never became true: the next step was not taken.
                file.set_len(whole as u64)?;
            }
            file.seek(SeekFrom::End(0))?;
            if bytes[..whole].last().is_some_and(|byte| *byte != b'\n') {
                file.write_all(b"\n")?;
            }
            file.sync_all()
        };
        mend(&mut file).map_err(|error| ledger.unusable("write", &error))?;
        ledger.file = Some(file);
        Ok(ledger)
    }

    fn new(path: &Path, target: String, run: String) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            target,
            run,
            entries: BTreeMap::new(),
            tickets: Vec::new(),
        }
    }

    fn file(&self) -> std::io::Result<File> {
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
        // The name must outlive a crash too. Where folders cannot be opened, nothing is lost by it.
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(file)
    }

    fn unusable(&self, verb: &str, error: &std::io::Error) -> Busy {
        Busy::Unusable(format!("failed to {verb} the ledger {}: {error}", self.path.display()))
    }

    /// Takes in what stands in the file; returns how much of it is whole lines.
    fn load(&mut self, bytes: &[u8]) -> Result<usize, Busy> {
        let mut whole = 0;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let is_last = whole + line.len() == bytes.len();
            match serde_json::from_slice::<Line>(line) {
                _ if line.trim_ascii().is_empty() => {}
                Ok(line) if line.v == VERSION => self.take(line),
                // Cut off while it was written.
                Err(_) if is_last && line.last() != Some(&b'\n') => return Ok(whole),
                outcome => {
                    let why = match outcome {
                        Ok(line) => format!("its version is {}; this reads {VERSION}", line.v),
                        Err(error) => error.to_string(),
                    };
                    return Err(Busy::Unusable(format!(
                        "the ledger {} cannot be understood at line {}: {why}; without it a case \
                         could get a second ticket, so mend it or put its last good copy back",
                        self.path.display(),
                        number + 1
                    )));
                }
            }
            whole += line.len();
        }
        Ok(whole)
    }

    fn take(&mut self, line: Line) {
        if line.target != self.target {
            return;
        }
        let entry = self.entries.entry(line.case).or_default();
        match line.event {
            // A time that cannot be read is now: what is not known to be old is taken for young.
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
            Event::Nothing => entry.intent = None,
            Event::WroteBack => entry.wrote.extend(line.status),
        }
    }

    /// What is known of a case.
    pub fn entry(&self, mark: &Mark) -> Entry {
        self.entries.get(&mark.case).cloned().unwrap_or_default()
    }

    /// Cases with a ticket, by the names that they have here.
    pub fn exported(&self) -> impl Iterator<Item = (&str, &Ticket)> {
        let ticket = |entry: &'_ Entry| entry.ticket.is_some();
        self.entries
            .iter()
            .filter(move |(_, entry)| ticket(entry))
            .filter_map(|(case, entry)| Some((case.as_str(), entry.ticket.as_ref()?)))
    }

    /// The tickets that came last, at most as many.
    pub fn recent(&self, most: usize) -> &[Ticket] {
        &self.tickets[self.tickets.len().saturating_sub(most)..]
    }

    /// A ticket is about to be asked for.
    ///
    /// # Errors
    /// A sentence, if that could not be written: then it must not be asked for.
    pub fn intend(&mut self, mark: &Mark) -> Result<(), String> {
        self.add(mark, Event::Intent, None, None, None)
    }

    /// The ticket is there, by our asking.
    ///
    /// # Errors
    /// As for all lines.
    pub fn created(&mut self, mark: &Mark, ticket: &Ticket) -> Result<(), String> {
        self.add(mark, Event::Created, Some(ticket), None, None)
    }

    /// The ticket was there when it was looked for.
    ///
    /// # Errors
    /// As for all lines.
    pub fn found(&mut self, mark: &Mark, ticket: &Ticket) -> Result<(), String> {
        self.add(mark, Event::Found, Some(ticket), None, None)
    }

    /// There is no ticket.
    ///
    /// # Errors
    /// As for all lines.
    pub fn nothing(&mut self, mark: &Mark, why: &str) -> Result<(), String> {
        self.add(mark, Event::Nothing, None, None, Some(why))
    }

    /// The case has this status now, because of this.
    ///
    /// # Errors
    /// As for all lines.
    pub fn wrote_back(&mut self, mark: &Mark, status: &str, why: &str) -> Result<(), String> {
        self.add(mark, Event::WroteBack, None, Some(status), Some(why))
    }

    fn add(
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
        let fail = |error: std::io::Error| format!("failed to write to the ledger {path}: {error}");
        let mut bytes = serde_json::to_vec(&line).map_err(|error| fail(error.into()))?;
        bytes.push(b'\n');
        // Taken away until the line is whole: nothing may follow half a line.
        let Some(mut file) = self.file.take() else {
            return Err(fail(std::io::Error::other("it is not open to be written")));
        };
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(fail)?;
        self.file = Some(file);
        self.take(line);
        Ok(())
    }
}
