//! `compliance-gate` is one small binary that a pipeline runs before it deploys. It asks the
//! compliance platforms an organisation already pays for, decides against one YAML policy, writes
//! the reports that CI hosts show, and exits with an unambiguous code:
//!
//! ```text
//! preflight → start → poll → collect → decide → report → exit code
//! ```
//!
//! Two rules, in this order. **Never wrongly green**: a gate that could not establish compliance
//! says so, and is red. **Never wrongly red for long**: a healthy estate passes without anyone
//! writing `|| true`.
//!
//! # Module map
//!
//! | module | its job |
//! |---|---|
//! | [`cli`] | parses flags into plain values |
//! | [`command`] | one file per subcommand |
//! | [`pipeline`] | the product on one screen: collect, decide, deliver |
//! | [`setup`] | gives each source of a configuration its token and its client |
//! | [`config`] | YAML → valid values with their places; the only module that knows YAML |
//! | [`policy`] | gates, limits, and what they need to know |
//! | [`selection`] | selectors: what a gate matches and a source is asked to count |
//! | [`finding`] | the domain: findings, rules, severities, causes |
//! | [`evidence`] | what was collected, as a value: proof, findings, counts |
//! | [`evaluate`] | pure: policy and evidence → a ruling on each gate |
//! | [`verdict`] | the verdict and the exit codes |
//! | [`report`] | the table of formats; one file per format |
//! | [`host`] | the table of CI hosts: what each reads, and what it calls the run; one file per host |
//! | [`export`] | creates tickets for open cases, one per case |
//! | [`sources`] | the contract of a source, and the table of systems; one folder per system |
//! | [`http`] | one client: authentication, timeouts, the one retry loop, caps, redaction |
//! | [`json`] | JSON of a platform: bounded while it is read, no repeated keys, tokens masked |
//! | [`page`], [`poll`] | walking a list that comes in pages; asking until something is done |
//! | [`secret`], [`stop`], [`progress`], [`text`] | tokens; deadline and interrupt; stderr; text from outside |
//! | [`workspace`] | files that a policy names: inside the workspace, regular files, read with a cap |
//!
//! A module uses only what is to its right:
//!
//! ```text
//! main → cli, command → pipeline → setup → config → report → evaluate → policy → evidence → verdict
//!                                          config → export → sources
//!                                          config → sources → poll, page → http → json → secret → progress → stop
//!                                                   sources → evidence → selection → finding → text
//! cli, command, pipeline → host → report, secret
//! ```
//!
//! `tests/it/layering.rs` reads the `use` lines and fails on one that points the wrong way. The
//! embedded platforms are a crate of their own, `crates/simulator` (feature `simulator`), which
//! shares no type with this one.

pub mod cli;
pub mod command;
pub mod config;
pub mod evaluate;
pub mod evidence;
pub mod export;
pub mod finding;
pub mod host;
pub mod http;
pub mod json;
pub mod page;
pub mod pipeline;
pub mod policy;
pub mod poll;
pub mod progress;
pub mod report;
pub mod secret;
pub mod selection;
pub mod setup;
pub mod sources;
pub mod stop;
pub mod text;
pub mod verdict;
pub mod workspace;
