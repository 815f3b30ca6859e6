//! The export, by the real binary: never a second ticket for a case, never a case closed without
//! proof, whatever breaks on the way.

mod bigid;
mod interrupted;
mod jira;
mod ledger;
mod policy;
mod servicenow;
mod setup;
mod web;
mod writeback;
