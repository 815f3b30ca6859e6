//! Whether standard output was closed before this process began (`>&-`).
//!
//! Rust opens `/dev/null` in place of a standard stream that is closed, before `main`. After that, what
//! is written is lost without an error, and no program can tell it from output that the caller
//! discards: some callers, Python's `subprocess.DEVNULL` among them, open `/dev/null` just as Rust does.
//! So the look has to come first. The linker's list of initialisers is the only place for it, and
//! naming that place is what Rust calls unsafe here: this crate is apart so that the others forbid it.

/// Whether standard output was closed. Only Linux can tell; elsewhere it counts as open.
pub fn was_closed() -> bool {
    #[cfg(target_os = "linux")]
    return linux::CLOSED.load(std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_os = "linux"))]
    return false;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) static CLOSED: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    /// Runs before `main`. Without `/proc` nothing is known.
    extern "C" fn look() {
        let streams = Path::new("/proc/self/fd");
        let is_open = |stream: &str| streams.join(stream).symlink_metadata().is_ok();
        CLOSED.store(streams.is_dir() && !is_open("1"), Ordering::Relaxed);
    }
}
