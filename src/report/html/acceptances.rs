//! What the policies forgive, by whom, why and until when.

use std::io::{self, Write};

use super::escape::{code, escaped, prose};
use crate::acceptance::SOON;
use crate::report::view::{AcceptanceView, View};

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    if view.acceptances.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section id=\"accepted\">\n<h2>Accepted</h2>")?;
    let (due, others): (Vec<_>, Vec<_>) = view.acceptances.iter().partition(|one| one.is_due);
    let is_known = |one: &&AcceptanceView<'_>| one.usage.entry.forgives.is_baseline();
    let (known, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_known);
    let title = format!("Lapsed, or lapses within {SOON} days");
    table(&title, &due, out)?;
    table("Accepted", &others, out)?;
    table("Known since a baseline", &known, out)?;
    writeln!(out, "</section>")
}

fn table(title: &str, rows: &[&AcceptanceView<'_>], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<table>\n<caption>{title}</caption>\n<thead><tr><th scope=\"col\">Acceptance</th>\
         <th scope=\"col\">What</th><th scope=\"col\">Effect</th><th scope=\"col\">Until</th>\
         <th scope=\"col\">Owner</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>"
    )?;
    for one in rows {
        let stated = match one.stated.is_empty() {
            true => String::new(),
            false => format!(" ({})", escaped(&one.stated, 400)),
        };
        let place = code(&one.usage.entry.grounds.place.to_string(), 200);
        writeln!(
            out,
            "<tr><th scope=\"row\">{} <small>{place}</small></th><td data-of=\"What\">{}</td>\
             <td data-of=\"Effect\">{}</td><td data-of=\"Until\">{}</td>\
             <td data-of=\"Owner\">{}</td><td data-of=\"Reason\">{}{stated}</td></tr>",
            code(&one.id, 120),
            escaped(&one.forgives, 300),
            escaped(&one.effect, 300),
            escaped(&one.term, 80),
            escaped(&one.owner, 200),
            prose(&one.reason, 500),
        )?;
    }
    writeln!(out, "</tbody>\n</table>")
}
