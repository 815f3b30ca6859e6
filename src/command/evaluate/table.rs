//! Several files of evidence: whom would this policy block, and where was too little asked?

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{
    collected, environment_for, policies_for, recorded_policy, refuse_what_is_acted_on, show,
};
use crate::cli::GateArguments;
use crate::command::{Context, Usage};
use crate::evaluate::State;
use crate::pipeline::{self, Collected};
use crate::saved::{self, Saved};
use crate::text;
use crate::verdict::Verdict;

/// A line of the table.
struct TableRow {
    file: String,
    environment: String,
    verdict: String,
    gates: String,
}

pub(super) fn table(
    paths: &[PathBuf],
    at: Option<DateTime<Utc>>,
    as_recorded: bool,
    arguments: &GateArguments,
    context: &Context,
) -> Result<u8, Usage> {
    refuse_what_is_acted_on(arguments)?;
    if let Some((name, _)) = arguments.reports.paths.first() {
        let why = format!("`--{name}` takes one file of evidence; several give a table");
        return Err(why.into());
    }
    let now = at.unwrap_or_else(Utc::now);
    let progress = context.progress();
    let mut rows = Vec::new();
    let mut worst = Verdict::Passed;
    for path in paths {
        let row = match saved::read(path) {
            Ok(saved) => row(path, saved, as_recorded, now, arguments, context)?,
            Err(fault) => {
                progress.error(&format!("{} {fault}", path.display()));
                worst = worst.max(fault.verdict());
                continue;
            }
        };
        rows.push(row);
    }
    show(&laid_out(&rows))?;
    Ok(worst.exit_code())
}

fn row(
    path: &Path,
    saved: Saved,
    as_recorded: bool,
    now: DateTime<Utc>,
    arguments: &GateArguments,
    context: &Context,
) -> Result<TableRow, Usage> {
    let repository = saved.decided.run.repository.clone();
    let environment = saved.decided.environment.clone();
    let (config, collected, now) = match as_recorded {
        true => {
            let config = recorded_policy(&saved)?;
            let collected = Collected::recorded(saved.evidence, &saved.decided);
            (config, collected, saved.decided.now)
        }
        false => {
            let policies = policies_for(&saved, &arguments.config, context)?;
            let config = policies.resolve(environment_for(&saved, &arguments.config))?;
            let collected = collected(&config, saved.evidence, &saved.decided, path, now)?;
            (config, collected, now)
        }
    };
    let decision = pipeline::decide(&config, &collected, now);
    let gates = decision.rulings.iter().filter(|ruling| ruling.blocks());
    let gates = gates.map(|ruling| match ruling.state {
        State::Undecided => {
            let why = ruling.problems.first().map_or("", |problem| &problem.message);
            format!("{} ({})", ruling.gate.id, text::one_line(why, 160))
        }
        _ => ruling.gate.id.clone(),
    });
    Ok(TableRow {
        file: repository.unwrap_or_else(|| path.display().to_string()),
        environment: environment.unwrap_or_else(|| "none".to_owned()),
        verdict: decision.verdict.to_string(),
        gates: text::one_line(&text::listed(gates, ", ", 8), 600),
    })
}

fn laid_out(rows: &[TableRow]) -> String {
    let blocked = rows.iter().filter(|row| row.verdict != "passed" && row.verdict != "warned");
    let mut out = format!(
        "[what if] {} of {} would not pass\n\n",
        text::thousands(blocked.count() as u64),
        text::count(rows.len() as u64, "file")
    );
    let header = TableRow {
        file: "EVIDENCE".to_owned(),
        environment: "ENVIRONMENT".to_owned(),
        verdict: "VERDICT".to_owned(),
        gates: "GATES THAT STOP IT".to_owned(),
    };
    let width = |of: fn(&TableRow) -> &String| {
        rows.iter().chain([&header]).map(|row| of(row).chars().count()).max().unwrap_or(0)
    };
    let (file, environment, verdict) =
        (width(|row| &row.file), width(|row| &row.environment), width(|row| &row.verdict));
    for row in [&header].into_iter().chain(rows) {
        let line = format!(
            "{:file$}  {:environment$}  {:verdict$}  {}",
            text::one_line(&row.file, 200),
            text::one_line(&row.environment, 80),
            row.verdict,
            row.gates
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
