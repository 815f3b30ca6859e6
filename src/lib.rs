//! compliance-gate: a deploy gate over the compliance platforms you already pay for.

pub mod cli;
pub mod command;
pub mod config;
pub mod evaluate;
pub mod evidence;
pub mod finding;
pub mod gate;
pub mod http;
pub mod page;
pub mod policy;
pub mod progress;
pub mod report;
pub mod secret;
pub mod selection;
pub mod sources;
pub mod stop;
pub mod text;
pub mod verdict;
