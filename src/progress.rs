//! Progress on stderr: one live line on a terminal, a plain line now and then in CI.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::secret::Mask;
use crate::text;

/// How much is printed on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    Quiet,
    #[default]
    Normal,
    /// Every request and every answer's status.
    Verbose,
}

pub struct Progress {
    verbosity: Verbosity,
    live: bool,
    shown: RefCell<Screen>,
}

#[derive(Default)]
struct Screen {
    /// The last printed status of each source, and when it was printed.
    plain: std::collections::BTreeMap<String, (String, Instant)>,
    /// Whether the cursor is at the end of a live line.
    live_line: bool,
}

impl Progress {
    /// In CI an unchanged status is repeated this often, because some hosts end silent jobs.
    const REMINDER: Duration = Duration::from_secs(60);

    pub fn new(verbosity: Verbosity) -> Self {
        let live = verbosity == Verbosity::Normal && std::io::stderr().is_terminal();
        Self { verbosity, live, shown: RefCell::default() }
    }

    pub const fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// For CI hosts: some give a job a terminal, and keep the control codes of a live line in the
    /// log.
    pub fn without_live_line(self) -> Self {
        Self { live: false, ..self }
    }

    /// Shows the status of a source. A new `state` is printed as a new line; `detail` changes all
    /// the time.
    pub fn status(&self, source: &str, state: &str, detail: &str) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let line = match detail {
            "" => format!("{source}: {state}"),
            _ => format!("{source}: {state}, {detail}"),
        };
        let line = text::one_line(&line, 200);
        let mut shown = self.shown.borrow_mut();
        if self.live {
            shown.live_line = true;
            write(&format!("\r\x1b[2K{line}"));
            return;
        }
        let repeat = shown
            .plain
            .get(source)
            .is_none_or(|(last, at)| last != state || at.elapsed() >= Self::REMINDER);
        if repeat {
            shown.plain.insert(source.to_owned(), (state.to_owned(), Instant::now()));
            write(&format!("{line}\n"));
        }
    }

    /// Prints a line that stays on the screen.
    pub fn note(&self, line: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.clear();
            write(&format!("{}\n", text::one_line(line, 1000)));
        }
    }

    /// Prints an error, also with `-q`.
    pub fn error(&self, line: &str) {
        self.clear();
        write(&format!("error: {}\n", text::one_line(line, 1000)));
    }

    /// Prints a line with `-v` only.
    pub fn trace(&self, line: &str) {
        if self.verbosity == Verbosity::Verbose {
            write(&format!("{}\n", text::one_line(line, 1000)));
        }
    }

    /// Removes the live line before something else is printed.
    pub fn clear(&self) {
        let mut shown = self.shown.borrow_mut();
        if std::mem::take(&mut shown.live_line) {
            write("\r\x1b[2K");
        }
    }
}

/// A failure to print progress is ignored.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let text = Mask::for_errors().apply(text);
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
