//! One self-contained page: no network, no framework, for phones, desktops and paper.
//!
//! A content security policy allows only the one style and the one script below, by their
//! hashes; the browser loads nothing. Text from outside is escaped as well. The page is complete
//! without the script, which adds a filter and buttons that copy.

use std::io::{self, Write};

use base64::Engine;
use sha2::{Digest, Sha256};

use super::view::{GateView, View, Weight};
use super::{Format, TOOL, digest};
use crate::evaluate::State;

mod acceptances;
mod answer;
mod escape;
mod evidence;
mod filter;
mod findings;
mod gates;

use escape::escaped;
use findings::Groups;

pub(super) const FORMAT: Format = Format { name: "html", title: "HTML", extension: "html", render };

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let groups = Groups::of(view);
    head(view, out)?;
    answer::write(view, out)?;
    writeln!(out, "<main>")?;
    // What is missing comes first where it stops the pipeline.
    let is_undecided = |gate: &GateView<'_>| {
        gate.weight == Weight::Blocks && gate.ruling.state == State::Undecided
    };
    let missing_first = view.gates.iter().any(is_undecided);
    if missing_first {
        evidence::missing(view, out)?;
    }
    gates::write(view, &groups, out)?;
    if !missing_first {
        evidence::missing(view, out)?;
    }
    evidence::warnings(view, out)?;
    findings::write(view, &groups, out)?;
    acceptances::write(view, out)?;
    evidence::write(view, out)?;
    evidence::basis(view, out)?;
    writeln!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn head(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    let title = escaped(&digest::headline(view), 500);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{TOOL}: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    )
}

/// As a content security policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}
