//! `compliance-gate` is one small binary that a pipeline runs before it deploys. It asks the
//! compliance platforms an organisation already pays for, decides against one YAML policy, writes
//! the reports that CI hosts show, and exits with a code that means one thing:
//!
//! ```text
//! start → poll → collect → decide → report → exit code
//! ```
//!
//! Two laws, in this order. **Never wrongly green**: a gate that could not establish compliance
//! says so, and is red. **Never wrongly red for long**: a healthy estate passes without anyone
//! writing `|| true`.
//!
//! # The map of the house
//!
//! | room | its one job |
//! |---|---|
//! | [`cli`] | flags become plain values |
//! | [`command`] | one file a subcommand |
//! | [`gate`] | the pipeline, readable on one screen |
//! | [`config`] | YAML → valid values with their places; the only room that knows YAML |
//! | [`policy`] | gates, limits, and what they need to know |
//! | [`selection`] | selectors: what a gate matches and a source is asked to count |
//! | [`finding`] | the domain: findings, rules, severities, causes |
//! | [`evidence`] | what was collected: an outcome a source |
//! | [`evaluate`] | pure: policy and evidence → a ruling on each gate |
//! | [`verdict`] | the verdict and the exit codes |
//! | [`report`] | the table of formats; one file a format |
//! | [`host`] | the table of CI hosts: what each reads, and what it calls the run; one file per host |
//! | [`export`] | creates tickets for open cases, one per case |
//! | [`sources`] | the contract of a source, the table of systems; one folder a system |
//! | [`http`] | one client: authentication, timeouts, the one retry loop, caps, redaction |
//! | [`page`], [`poll`] | guards for any pager; asking until it is done |
//! | [`secret`], [`stop`], [`progress`], [`text`] | tokens; deadline and interrupt; stderr; text from outside |
//! | [`workspace`] | files that a policy names: inside the workspace, regular files, read with a cap |
//!
//! A room uses only what stands to its right:
//!
//! ```text
//! main → cli, command → gate → config → report → evaluate → policy → evidence → verdict
//!                               config → export → sources
//!                               config → sources → poll, page → http → secret → progress → stop
//!                                        sources → evidence → selection → finding → text
//! cli, command → host → report, secret
//! ```
//!
//! `tests/it/layering.rs` walks the `use` lines and names an arrow that points the wrong way. The embedded
//! platforms are a crate of their own, `crates/simulator` (feature `simulator`), which shares no type
//! with this one.

pub mod cli;
pub mod command;
pub mod config;
pub mod evaluate;
pub mod evidence;
pub mod export;
pub mod finding;
pub mod gate;
pub mod host;
pub mod http;
pub mod page;
pub mod policy;
pub mod poll;
pub mod progress;
pub mod report;
pub mod secret;
pub mod selection;
pub mod sources;
pub mod stop;
pub mod text;
pub mod verdict;
pub mod workspace;
