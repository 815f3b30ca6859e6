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
//! | `pipeline` | the product on one screen: collect, decide, deliver |
//! | `setup` | gives each source of a configuration its token and its client |
//! | `compare` | why two decisions differ |
//! | `forecast` | what turns red by itself |
//! | `config` | YAML → valid values with their places; the only module that knows YAML |
//! | [`policy`] | gates, limits, and which evidence the gates need |
//! | [`acceptance`] | what is forgiven, by whom, why and until when |
//! | [`baseline`] | the findings that were there on a day: a file that people review |
//! | [`selection`] | selectors: what a gate matches, and what a source is asked to count |
//! | [`artefact`] | artefacts by their digest: what is deployed |
//! | [`place`] | where something is written: file, line and column |
//! | [`finding`] | the domain: findings, rules, severities, causes |
//! | [`evidence`] | what was collected, as a value: proof, findings, counts |
//! | [`evaluate`] | pure: policy and evidence → a ruling on each gate |
//! | `saved` | the file format of saved evidence: written, and read whole or not at all |
//! | [`verdict`] | the verdict and the exit codes |
//! | [`report`] | the table of formats; one file per format |
//! | [`host`] | the table of CI hosts: what each reads, and what it calls the run; one file per host |
//! | `export` | creates tickets for open cases, one per case |
//! | [`sources`] | the contract of a source, and the table of systems; one folder per system |
//! | [`http`] | one client: authentication, timeouts, the one retry loop, caps, redaction |
//! | `json` | JSON of a platform: bounded while it is read, no repeated keys, tokens masked |
//! | `page` | the pager: reads a list that comes in pages, and checks that it is complete |
//! | `poll` | random pauses between repeated requests |
//! | [`secret`] | tokens: read, sent, masked |
//! | [`stop`] | the deadline and interrupts |
//! | [`progress`] | progress on stderr |
//! | [`text`] | untrusted text: cleaned, cut, escaped for logs |
//! | `workspace` | files that a policy names: inside the workspace, regular files, of limited size |
//!
//! A module uses only modules in lines below its own:
//!
//! ```text
//! command
//! pipeline
//! setup
//! cli, config
//! export, host
//! report, sources
//! compare, forecast
//! evaluate, http, saved
//! evidence, json, policy, progress
//! acceptance, page, poll, secret, verdict
//! artefact, baseline, selection
//! finding, place, stop, text, workspace
//! ```
//!
//! `tests/it/layering.rs` has the exact dependencies and fails on any other. The
//! embedded platforms are a crate of their own, `crates/simulator` (feature `simulator`), which
//! shares no type with this one. `crates/stdout` says whether standard output was closed.

#![warn(unreachable_pub)]

pub mod acceptance;
pub mod artefact;
pub mod baseline;
pub mod cli;
pub mod command;
mod compare;
mod config;
pub mod evaluate;
pub mod evidence;
mod export;
pub mod finding;
mod forecast;
pub mod host;
pub mod http;
mod json;
mod page;
mod pipeline;
pub mod place;
pub mod policy;
mod poll;
pub mod progress;
pub mod report;
mod saved;
pub mod secret;
pub mod selection;
mod setup;
pub mod sources;
pub mod stop;
pub mod text;
pub mod verdict;
mod workspace;
