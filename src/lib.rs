//! compliance-gate: a deploy gate over the compliance platforms you already pay for.

pub mod evidence;
pub mod finding;
pub mod http;
pub mod page;
pub mod poll;
pub mod progress;
pub mod secret;
pub mod selection;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod sources;
pub mod stop;
pub mod text;
