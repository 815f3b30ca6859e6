//! The format of one line.

use serde::{Deserialize, Serialize};

use crate::export::Ticket;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// How every line begins. What does not begin so was not written by an export.
const BEGINNING: &[u8] = br#"{"v":1,"time":""#;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) v: u32,
    pub(super) time: String,
    /// The pipeline run.
    pub(super) run: String,
    /// The ticket system, and the project or table in it.
    pub(super) target: String,
    pub(super) case: String,
    pub(super) event: Event,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<Ticket>,
    /// The status that was written to the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Event {
    /// A ticket is about to be requested.
    Intent,
    /// The requested ticket exists.
    Created,
    /// A search found the ticket.
    Found,
    /// There is no ticket: the target refused, or the request never reached it.
    #[serde(rename = "nothing")]
    Absent,
    /// A status was written to the case.
    WroteBack,
}

/// The lines of a file.
pub(super) struct Lines {
    pub(super) lines: Vec<Line>,
    /// The length of the whole lines in bytes; the rest is half a line.
    pub(super) whole: usize,
}

/// Parses a file. The number of the line and the reason, if one cannot be understood.
pub(super) fn parse(bytes: &[u8]) -> Result<Lines, (usize, String)> {
    let mut parsed = Lines { lines: Vec::new(), whole: 0 };
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.v == VERSION => parsed.lines.push(line),
                Err(_) if is_half_a_line(line, !parsed.lines.is_empty()) => break,
                Ok(line) => {
                    let why = format!("its version is {}; this program reads {VERSION}", line.v);
                    return Err((number + 1, why));
                }
                // The parser's message would quote the file, which may be anything.
                Err(error) => {
                    let why = match error.classify() {
                        serde_json::error::Category::Data => "it has another format",
                        _ => "it is not JSON",
                    };
                    return Err((number + 1, why.to_owned()));
                }
            }
        }
        parsed.whole += line.len();
    }
    Ok(parsed)
}

/// Whether this is a line that was cut off while it was written. At the beginning of a file it must
/// be recognisable, so that no other file is taken for a ledger.
fn is_half_a_line(line: &[u8], after_others: bool) -> bool {
    let is_ours = line.starts_with(BEGINNING) || (after_others && BEGINNING.starts_with(line));
    is_ours && line.last() != Some(&b'\n')
}
