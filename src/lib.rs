//! compliance-gate: a deploy gate over the compliance platforms you already pay for.

#[cfg(feature = "simulator")]
pub mod simulator;
