//! The table of report formats, and where reports go.
//!
//! A new format is a file below `report/` and a row in the table below. No format affects the
//! verdict. [`View`] selects what reports show, once for all formats, and `digest` words it. A
//! format only lays it out and escapes it.

use std::fmt;
use std::io::{self, Write};

use crate::evaluate::Decision;
use crate::evidence::Evidence;
use crate::policy::Mode;
use crate::text;
use crate::verdict::Verdict;

mod code_quality;
mod digest;
mod dotenv;
mod former;
mod html;
pub mod issues;
mod json;
mod junit;
pub mod markdown;
pub mod outputs;
mod sarif;
mod sinks;
pub mod terminal;
mod view;

pub use digest::capital;
pub use sinks::{Sinks, unless_reader_left};
pub use view::View;

/// The table of formats.
pub const FORMATS: &[Format] = &[
    junit::FORMAT,
    sarif::FORMAT,
    json::FORMAT,
    markdown::FORMAT,
    html::FORMAT,
    code_quality::FORMAT,
    dotenv::FORMAT,
];

/// The tool's name in reports, and the beginning of every name that it makes up there.
pub const TOOL: &str = "compliance-gate";

/// What is known about a run, in addition to its decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub evidence: &'a Evidence,
    /// The policy file, from the root of its repository, so that CI hosts find it.
    pub policy: &'a str,
    pub environment: Option<&'a str>,
    /// The exit code that the caller wants for a pass with warnings.
    pub warn_exit_code: Option<u8>,
}

impl<'a> Facts<'a> {
    /// The report on a decision.
    pub fn report<'r>(&'r self, decision: &'r Decision<'r>) -> View<'r> {
        let warned = decision.verdict == Verdict::Warned && decision.mode == Mode::Enforce;
        View::of(Report {
            decision,
            evidence: self.evidence,
            policy: self.policy,
            environment: self.environment,
            exit_code: self.warn_exit_code.filter(|_| warned).unwrap_or(decision.exit_code()),
        })
    }
}

/// Everything that a report can contain.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub decision: &'a Decision<'a>,
    pub evidence: &'a Evidence,
    /// The policy file, from the root of its repository, so that CI hosts find it.
    pub policy: &'a str,
    pub environment: Option<&'a str>,
    /// What the process will exit with: the decision's code, or what the caller asked for
    /// instead.
    pub exit_code: u8,
}

impl Report<'_> {
    /// What distinguishes this report from others of the same pipeline: the policy file and the
    /// environment.
    fn scope(&self) -> String {
        let policy = text::one_line(self.policy, 200);
        let environment = self.environment.map(|name| text::one_line(name, 100));
        environment.map_or(policy.clone(), |name| format!("{policy}:{name}"))
    }
}

/// A report format.
pub struct Format {
    /// The flag `--<name>`, the key below `reports:` with `_` for `-`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What its files end in, without the dot.
    pub extension: &'static str,
    pub render: fn(&View<'_>, &mut dyn Write) -> io::Result<()>,
}

impl Format {
    /// The key below `reports:` in a configuration.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.name).finish()
    }
}
