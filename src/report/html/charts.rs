//! Charts, drawn as inline SVG with attributes only: the page allows no style but its own.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::evaluate::{Ruling, State};
use crate::finding::Severity;
use crate::report::digest;
use crate::report::view::View;
use crate::text;

/// Of a bar, in the units of a drawing.
const WIDTH: u64 = 600;
const HEIGHT: usize = 26;

/// A bar for each severity.
pub(super) fn by_severity(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for entry in &view.entries {
        *counts.entry(entry.finding.subject.severity).or_default() += 1;
    }
    let Some(most) = counts.values().copied().max() else { return Ok(()) };
    let height = counts.len() * HEIGHT;
    writeln!(
        out,
        "<section>\n<h2>By severity</h2>\n<svg class=\"chart\" viewBox=\"0 0 860 {height}\" role=\"img\" \
         aria-label=\"Failed checks by severity: {}\">",
        digest::severities(counts.iter().map(|(severity, count)| (*severity, *count)))
    )?;
    for (at, (severity, count)) in counts.iter().rev().enumerate() {
        let (top, width) = (at * HEIGHT, part(*count, most));
        let word = severity.word();
        writeln!(
            out,
            "<text x=\"126\" y=\"{}\" text-anchor=\"end\">{word}</text><rect class=\"{word}\" \
             x=\"136\" y=\"{}\" width=\"{width}\" height=\"18\" rx=\"3\"/><text x=\"{}\" \
             y=\"{}\">{}</text>",
            top + 18,
            top + 4,
            146 + width,
            top + 18,
            text::thousands(*count)
        )?;
    }
    writeln!(out, "</svg>\n</section>")
}

/// What a gate counted, against its limit: the most of failures, or the least share of passes.
pub(super) fn against_limit(ruling: &Ruling<'_>, out: &mut dyn Write) -> io::Result<()> {
    if ruling.state == State::Undecided {
        return Ok(());
    }
    if let Some(max) = ruling.gate.limits.max {
        let most = ruling.failed.max(max);
        let words =
            format!("{} of at most {}", text::thousands(ruling.failed), text::thousands(max));
        return bar(part(ruling.failed, most), part(max, most), &words, out);
    }
    let (Some(least), Some(passed)) = (ruling.gate.limits.min_pass_rate, ruling.passed) else {
        return Ok(());
    };
    let total = passed + ruling.failed;
    // The limit is where the bar of a share that just meets it would end.
    let limit = (0..=WIDTH).find(|units| least.is_met_by(*units, WIDTH)).unwrap_or(WIDTH);
    bar(part(passed, total), limit, &format!("passed, at least {least}"), out)
}

/// A bar with a mark at the limit.
fn bar(width: u64, limit: u64, words: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 {} 14\" role=\"img\" aria-label=\"{words}\" \
         preserveAspectRatio=\"none\"><rect class=\"track\" x=\"0\" y=\"4\" width=\"{WIDTH}\" \
         height=\"6\"/><rect class=\"value\" x=\"0\" y=\"4\" width=\"{width}\" height=\"6\"/>\
         <rect class=\"limit\" x=\"{limit}\" y=\"0\" width=\"3\" height=\"14\"/></svg>",
        WIDTH + 3
    )
}

/// How long a bar is; what is there at all can be seen.
fn part(count: u64, most: u64) -> u64 {
    let units = u128::from(count) * u128::from(WIDTH);
    let units = units.checked_div(u128::from(most)).unwrap_or(0);
    let least = u64::from(count > 0) * 2;
    u64::try_from(units).unwrap_or(WIDTH).clamp(least, WIDTH)
}
