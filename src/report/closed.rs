//! Standard output that was closed before this process began: what is written to it is an error, as
//! it would be without the `/dev/null` that Rust opens in its place.

use std::io::{self, Write};

/// A stream that was closed.
pub(super) struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other(
            "standard output is closed; to discard it, use `>/dev/null`, or name a file",
        ))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
