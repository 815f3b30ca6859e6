//! The BigID source: every way the platform can answer ends in the exit code that it should, and a
//! change of a case happens once or says that nobody knows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so at once")]

#[path = "../common/mod.rs"]
mod common;
mod exits;
mod writes;
