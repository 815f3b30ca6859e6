//! The table of report formats, and where reports go.
//!
//! A new format is a file below `report/` and a row in the table below. No format affects the
//! verdict. [`View`] selects what reports show, once for all formats, and `digest` words it. A
//! format only lays it out and escapes it.

use std::fmt;
use std::io::{self, Write};

mod advice;
pub mod attestation;
mod closed;
mod code_quality;
mod digest;
mod dotenv;
mod evidence;
mod facts;
mod former;
mod html;
pub mod issues;
mod json;
mod junit;
pub mod markdown;
pub mod outputs;
mod record;
mod sarif;
mod sinks;
pub mod terminal;
mod view;
mod write;

pub use digest::capital;
pub(crate) use digest::{limits, resource, rule, standing};
pub use evidence::EVIDENCE;
pub use facts::{EvidenceFile, Facts, Purpose, Report};
pub use record::record_line;
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
    /// The flag that asks for it.
    pub fn flag(&self) -> &'static str {
        if attestation::is_part(self) { attestation::FLAG } else { self.name }
    }

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
