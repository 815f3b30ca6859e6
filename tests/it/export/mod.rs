//! The export, by the real binary: never a second ticket for a case, never a case closed without
//! proof, even if a step fails.

mod bigid;
mod interrupted;
mod jira;
mod ledger;
mod policy;
mod servicenow;
mod setup;
mod web;
mod writeback;
