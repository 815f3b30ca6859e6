//! Standard output that was closed before this process began. Rust opens `/dev/null` in its place, so
//! what is written would be lost without an error.

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

/// Whether standard output was closed from the start.
///
/// What Rust puts in its place is open for reading and writing, and what a shell opens for
/// `>/dev/null` is open for writing only. Programs that discard all output of a child also open it for
/// both, so it counts as closed only where standard error is something else.
#[cfg(target_os = "linux")]
pub(super) fn is_stdout_closed() -> bool {
    is_null_for_both(1) && !is_null_for_both(2)
}

/// Only Linux shows how a stream was opened.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_stdout_closed() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn is_null_for_both(stream: u8) -> bool {
    const ACCESS_MODE: u32 = 0o3;
    const READ_AND_WRITE: u32 = 0o2;
    let is_null = std::fs::read_link(format!("/proc/self/fd/{stream}"))
        .is_ok_and(|path| path == std::path::Path::new("/dev/null"));
    let flags = || {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{stream}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(flags.trim(), 8).ok()
    };
    is_null && flags().is_some_and(|flags| flags & ACCESS_MODE == READ_AND_WRITE)
}
