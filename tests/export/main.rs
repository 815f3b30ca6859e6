//! The export, by the real binary: never a second ticket for a case, never a case closed without
//! proof, whatever breaks on the way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so at once")]

mod bigid;
#[path = "../common/mod.rs"]
mod common;
mod interrupted;
mod jira;
mod policy;
mod servicenow;
mod setup;
mod web;
mod writeback;
