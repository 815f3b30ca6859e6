//! The tests that look at the product from outside, as one program: it is linked once.
//! Most of them drive the binary against the embedded platforms.
#![cfg(feature = "simulator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod acceptances;
mod admission;
mod attestations;
mod bad_input;
mod beside;
mod bigid;
mod bigpanda;
mod canary;
mod cli;
mod common;
mod config;
mod cookbook;
mod decisions;
mod documentation;
mod evidence;
mod export;
mod faults;
mod gravityzone;
mod hosts;
mod layering;
mod mutations;
mod network;
mod opencomply;
mod organisation;
mod patterns;
mod policy_commands;
mod policy_file;
mod properties;
mod records;
mod reports;
mod scope;
mod simulator;
mod sysdig;
mod taken;
mod transport;
mod troubleshooting;
mod visible;
mod walkthrough;
