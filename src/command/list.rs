//! `compliance-gate list`: what a platform offers, to write a policy from.

use crate::cli::{ListArguments, Listed};
use crate::command::{Context, Usage, listen, print, read, show};
use crate::config::Config;
use crate::setup;
use crate::sources::{Listing, Table};
use crate::text;
use crate::verdict::Verdict;

pub(super) async fn list(arguments: ListArguments, context: &Context) -> Result<u8, Usage> {
    let mut config = read(&arguments.config)?.resolve(arguments.config.environment.as_deref())?;
    let what = match arguments.what {
        Listed::Frameworks => Listing::Frameworks,
        Listed::Integrations => Listing::Integrations,
        Listed::Accounts => Listing::Accounts,
        Listed::Rules => Listing::Rules,
        Listed::Statuses => Listing::Statuses,
        Listed::Severities => Listing::Severities,
        Listed::Policies => Listing::Policies,
    };
    let asked = lister(&config, what, arguments.source.as_deref())?;
    config.sources.retain(|name, _| *name == asked);
    let progress = context.progress();
    let open = setup::open(&config, &context.variables, &progress, listen()?)?.all()?;
    for asked in &open.sources {
        match asked.source.list(&asked.session, what).await {
            Ok(table) => print(&aligned(&table))?,
            Err(problem) => {
                show(&problem, &progress);
                return Ok(Verdict::of(problem.cause).exit_code());
            }
        }
    }
    Ok(Verdict::Passed.exit_code())
}

/// The source to ask: the one that was named, else the only one that has such a list.
fn lister(config: &Config, what: Listing, named: Option<&str>) -> Result<String, String> {
    if let Some(name) = named {
        return config.sources.contains_key(name).then(|| name.to_owned()).ok_or_else(|| {
            let known = config.sources.keys().map(String::as_str);
            format!("source `{name}` is not configured{}", text::did_you_mean(name, known))
        });
    }
    let listers = config.sources.iter().filter(|(_, source)| source.has_list(what));
    let names: Vec<_> = listers.map(|(name, _)| name.clone()).collect();
    match names.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let names: Vec<_> = config.sources.keys().map(String::as_str).collect();
            let word = what.word();
            Err(format!(
                "none of the configured sources has a list of {word}: {}",
                names.join(", ")
            ))
        }
        several => Err(format!("say which with --source: {}", several.join(", "))),
    }
}

pub(super) fn aligned(table: &Table) -> String {
    let header: Vec<_> = table.header.iter().map(|word| (*word).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&header)
        .chain(&table.rows)
        .map(|row| row.iter().map(|cell| text::one_line(cell, 120)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}
