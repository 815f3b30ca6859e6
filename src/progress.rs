//! Progress on stderr: one live line on a terminal, a plain line now and then in CI.

use std::cell::RefCell;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar;

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
    /// Since when sources are waited for, and how long that may take.
    wait: Option<(Instant, Duration)>,
    /// The status of each source that is at work, the one that began first at the front.
    at_work: Vec<(String, String)>,
    /// The last printed status of each source, and when it was printed.
    plain: std::collections::BTreeMap<String, (String, Instant)>,
    /// Whether the cursor is at the end of a live line.
    live_line: bool,
}

impl Progress {
    /// In CI an unchanged status is repeated this often, because some hosts end silent jobs.
    const REMINDER: Duration = Duration::from_secs(60);

    /// How often the time on the live line moves on.
    const TICK: Duration = Duration::from_secs(1);

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
            match shown.at_work.iter_mut().find(|(name, _)| name == source) {
                Some((_, status)) => *status = line,
                None => shown.at_work.push((source.to_owned(), line)),
            }
            drop(shown);
            self.draw();
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

    /// A source has nothing more to do.
    pub fn done(&self, source: &str) {
        let is_of = |name: &str| {
            name.strip_prefix(source).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        self.shown.borrow_mut().at_work.retain(|(name, _)| !is_of(name));
    }

    /// Does work of several sources, and shows how long it has taken, of how long it may take.
    pub async fn watched<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> T {
        if !self.live {
            return work.await;
        }
        self.shown.borrow_mut().wait = Some((Instant::now(), deadline));
        let mut work = pin!(work);
        let done = loop {
            match tokio::time::timeout(Self::TICK, work.as_mut()).await {
                Ok(done) => break done,
                Err(_) => self.draw(),
            }
        };
        self.clear();
        self.shown.borrow_mut().wait = None;
        done
    }

    /// Replaces the live line. It is never as wide as the terminal: a line that wraps cannot be
    /// removed.
    fn draw(&self) {
        let mut shown = self.shown.borrow_mut();
        let columns = terminal_size::terminal_size_of(std::io::stderr());
        let columns = columns.map_or(80, |(width, _)| usize::from(width.0));
        let time = shown.wait.map(|(since, deadline)| (since.elapsed(), deadline));
        let line = live_line(time, &shown.at_work, columns.saturating_sub(1));
        shown.live_line = true;
        write(&format!("\r\x1b[2K{line}"));
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

/// `42s of 45m · 3 sources · opencomply: job 136 RUNNING`, in at most so many columns. The source is
/// the one that has been at work for the longest time.
fn live_line(
    time: Option<(Duration, Duration)>,
    at_work: &[(String, String)],
    most: usize,
) -> String {
    let seconds = |time: Duration| humantime::format_duration(Duration::from_secs(time.as_secs()));
    let time = time.map(|(passed, all)| format!("{} of {}", seconds(passed), seconds(all)));
    let sources = (at_work.len() > 1).then(|| format!("{} sources", at_work.len()));
    let slowest = at_work.first().map(|(_, status)| status.clone());
    let parts: Vec<_> = [time, sources, slowest].into_iter().flatten().collect();
    let line = parts.join(" · ");
    let mut left = most;
    let fits = |(_, character): &(usize, char)| {
        let width = character.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let end = line.char_indices().take_while(fits).last();
    let end = end.map_or(0, |(at, character)| at + character.len_utf8());
    line[..end].to_owned()
}

/// A failure to print progress is ignored.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let text = Mask::for_errors().apply(text);
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn at_work(sources: &[&str]) -> Vec<(String, String)> {
        sources.iter().map(|status| ("source".to_owned(), (*status).to_owned())).collect()
    }

    #[test]
    fn the_live_line_has_the_time_the_deadline_and_the_slowest_source() {
        let time = Some((Duration::from_millis(192_700), Duration::from_secs(2_700)));
        for (time, sources, columns, expected) in [
            (
                time,
                &["opencomply: job 136 RUNNING", "bigid: reading cases"][..],
                80,
                "3m 12s of 45m · 2 sources · opencomply: job 136 RUNNING",
            ),
            (time, &["bigid: reading cases"], 80, "3m 12s of 45m · bigid: reading cases"),
            (time, &[], 80, "3m 12s of 45m"),
            (None, &["jira: exporting cases, 3 of 12"], 80, "jira: exporting cases, 3 of 12"),
            (time, &["opencomply: job 136 RUNNING"], 26, "3m 12s of 45m · opencomply"),
        ] {
            assert_eq!(live_line(time, &at_work(sources), columns), expected);
        }
    }

    proptest! {
        #[test]
        fn the_live_line_is_never_wider_than_asked(status in "\\PC{0,200}", most in 0usize..200) {
            let line = live_line(None, &at_work(&[&text::one_line(&status, 200)]), most);
            prop_assert!(line.width() <= most, "{line:?}");
        }
    }
}
