//! The verdict as variables, for GitLab's `artifacts:reports:dotenv` and any shell: no quotes, no
//! comments, no empty lines, and far below the 5 KB that GitLab accepts.

use std::io::{self, Write};

use super::{Format, View, outputs};

pub(super) const FORMAT: Format =
    Format { name: "dotenv", title: "dotenv", extension: "env", render };

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in outputs::of(view) {
        let name = name.replace('-', "_").to_uppercase();
        writeln!(out, "COMPLIANCE_GATE_{name}={value}")?;
    }
    Ok(())
}
