//! A card for each gate, which leads to its findings.

use std::io::{self, Write};

use super::escape::{code, escaped, link, prose};
use super::findings::Groups;
use crate::evaluate::State;
use crate::policy::Whose;
use crate::report::view::{GateView, View, Weight};
use crate::text;

/// Worst first; those of the organisation apart.
pub(super) fn write(
    view: &View<'_>,
    groups: &Groups<'_, '_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if view.gates.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"gates\">\n<h2>Gates</h2>")?;
    for whose in [Whose::Repository, Whose::Organisation] {
        let own: Vec<_> =
            view.gates.iter().filter(|gate| gate.ruling.gate.whose() == whose).collect();
        if own.is_empty() {
            continue;
        }
        if view.organisation.is_some() {
            let file = code(view.policy_file(whose), 200);
            writeln!(out, "<h3>Of the {}: {file}</h3>", whose.word())?;
        }
        writeln!(out, "<ul class=\"gates\">")?;
        own.into_iter().try_for_each(|gate| card(gate, view, groups, out))?;
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</section>")
}

fn card(
    gate: &GateView<'_>,
    view: &View<'_>,
    groups: &Groups<'_, '_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (sign, class) = match (gate.ruling.state, gate.weight) {
        (State::Held, _) => ("✓", "good"),
        (State::Undecided, Weight::Blocks) => ("?", "bad"),
        (State::Undecided, _) => ("?", "warn"),
        (State::Breached, Weight::Blocks) => ("✗", "bad"),
        (State::Breached, _) => ("!", "warn"),
    };
    let id = escaped(&gate.ruling.gate.id, 80);
    // Below the heading that names the policy, where there are two.
    let level = if view.organisation.is_some() { "h4" } else { "h3" };
    writeln!(
        out,
        "<li class=\"{class}\">\n<{level} class=\"gate\"><span aria-hidden=\"true\">{sign}</span> {id} \
         <em>{}</em></{level}>",
        gate.standing
    )?;
    let allowed = match gate.allowed.as_str() {
        "" => String::new(),
        allowed => format!(", {}", escaped(allowed, 200)),
    };
    let over = match gate.over.as_str() {
        "" => String::new(),
        over => format!(" ({over})"),
    };
    writeln!(out, "<p><b>{}</b>{allowed}{over}</p>", escaped(&gate.found, 300))?;
    let red = gate.ruling.state != State::Held;
    if let Some(description) = gate.description.as_ref().filter(|_| red) {
        writeln!(out, "<p>{}</p>", prose(description, 300))?;
    }
    if gate.says_more() && !gate.limits.is_empty() {
        writeln!(out, "<p>{}</p>", prose(&gate.limits, 600))?;
    }
    writeln!(out, "<p class=\"soft\">{}</p>", prose(&gate.scope, 300))?;
    for note in &gate.notes {
        writeln!(out, "<p class=\"soft\">Note: {}</p>", prose(note, 600))?;
    }
    if red {
        let place = code(&gate.ruling.gate.place.to_string(), 200);
        let owner = gate.ruling.gate.owner.as_deref();
        let owner = owner.map(|owner| format!("<b>{}</b>", escaped(owner, 120)));
        let page = gate.ruling.gate.link.as_deref().map(|page| link(page, "about this gate"));
        let parts = [owner, Some(place), page].into_iter().flatten().collect::<Vec<_>>();
        writeln!(out, "<p class=\"soft\">{}</p>", parts.join(" · "))?;
    }
    if let Some((number, group)) = groups.of_gate(view, gate.ruling) {
        let findings = text::count(gate.ruling.findings.len() as u64, "finding");
        writeln!(
            out,
            "<p><a href=\"#rule-{group}\" data-gate=\"{number}\">Show its {findings}</a></p>"
        )?;
    }
    writeln!(out, "</li>")
}
