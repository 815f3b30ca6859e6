//! Reads evidence from lines: one at a time, bounded, and whole or not at all.

use std::io::{BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::build::Builder;
use super::line::{self, Line};
use super::{Fault, Saved, write};
use crate::text;

/// The longest line that is read.
const MOST_BYTES_OF_LINE: u64 = 4 << 20;

/// The longest file that is read.
const MOST_BYTES: u64 = 8 << 30;

/// Reads a file of evidence.
///
/// # Errors
/// The first line that is wrong, and why.
pub(super) fn read(file: impl Read) -> Result<Saved, Fault> {
    let mut file = BufReader::with_capacity(1 << 20, file.take(MOST_BYTES));
    let mut builder = Builder::default();
    let mut hash = Sha256::new();
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        buffer.clear();
        number += 1;
        let length = file
            .by_ref()
            .take(MOST_BYTES_OF_LINE)
            .read_until(b'\n', &mut buffer)
            .map_err(|error| Fault::Unreadable(error.to_string()))?;
        let cut = || Fault::damaged(number, "the file ends here, before its last line");
        if length == 0 {
            return Err(cut());
        }
        if buffer.starts_with(b"{\"end\":") {
            let mut whole = hash.clone();
            whole.update(&buffer);
            if buffer != write::end(number - 1, hash) {
                let why = "the lines before this one are not those that were written";
                return Err(Fault::damaged(number, why));
            }
            if !file.fill_buf().map_err(|e| Fault::Unreadable(e.to_string()))?.is_empty() {
                return Err(Fault::damaged(number + 1, "something follows the last line"));
            }
            let sha256 = text::hexadecimal(&whole.finalize());
            return builder.finish(sha256).map_err(|why| Fault::damaged(number, why));
        }
        if buffer.pop_if(|byte| *byte == b'\n').is_none() {
            return Err(match length as u64 == MOST_BYTES_OF_LINE {
                true => Fault::damaged(number, "this line is longer than any that is written"),
                false => cut(),
            });
        }
        hash.update(&buffer);
        hash.update(b"\n");
        match serde_json::from_slice::<Line<'_>>(&buffer) {
            Ok(Line::Header(header)) if header.version > line::VERSION => {
                return Err(Fault::Newer { version: header.version });
            }
            Ok(line) => builder.line(line).map_err(|why| Fault::damaged(number, why))?,
            Err(_) if number == 1 => return Err(Fault::NotEvidence),
            Err(error) => return Err(Fault::damaged(number, line_error(&error))),
        }
    }
}

/// What is wrong with a line, without the line number of the parser, which is always 1.
fn line_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    format!("{} (column {})", &text[..end], error.column())
}
