//! `compliance-gate policy explain`: the gates in plain words, and what each counts in evidence.

mod findings;
mod words;

use std::fmt::Write;

use chrono::Utc;

use crate::cli::ExplainArguments;
use crate::command::{Context, Usage, evaluate, print, read};
use crate::config::Config;
use crate::pipeline;
use crate::policy::{Gate, Mode};
use crate::progress::Verbosity;
use crate::text;
use crate::verdict::Verdict;

pub(super) fn explain(arguments: &ExplainArguments, context: &Context) -> Result<u8, Usage> {
    let saved = match arguments.evidence.as_deref().map(|path| evaluate::load(path, context)) {
        Some(Err(code)) => return Ok(code),
        Some(Ok(saved)) => Some(saved),
        None => None,
    };
    let given = arguments.config.environment.as_deref();
    let of_evidence = saved.as_ref().and_then(|saved| saved.decided.environment.as_deref());
    let config = read(&arguments.config)?.resolve(given.or(of_evidence))?;
    let gates = chosen(&config, arguments.gate.as_deref())?;
    let mut said = head(&config);
    let now = Utc::now();
    let (Some(saved), Some(path)) = (saved, &arguments.evidence) else {
        for gate in gates {
            said.push_str(&words::gate(gate, &config, now.date_naive()));
        }
        print(&said)?;
        return Ok(Verdict::Passed.exit_code());
    };
    let collected = evaluate::collected(&config, saved.evidence, &saved.decided, path, now)?;
    let decision = pipeline::decide(&config, &collected, now);
    let most = match (context.verbosity, &arguments.gate) {
        (Verbosity::Verbose, _) => usize::MAX,
        (_, Some(_)) => findings::MOST_OF_ONE,
        (_, None) => findings::MOST_OF_EACH,
    };
    for ruling in &decision.rulings {
        if gates.iter().any(|gate| gate.id == ruling.gate.id) {
            said.push_str(&words::gate(ruling.gate, &config, now.date_naive()));
            said.push_str(&findings::of(ruling, &collected.evidence, now, most));
        }
    }
    print(&said)?;
    Ok(Verdict::Passed.exit_code())
}

/// The gate that is asked for, or all.
fn chosen<'a>(config: &'a Config, id: Option<&str>) -> Result<Vec<&'a Gate>, String> {
    let gates = &config.policy.gates;
    let Some(id) = id else { return Ok(gates.iter().collect()) };
    let found: Vec<_> = gates.iter().filter(|gate| gate.id == id).collect();
    if found.is_empty() {
        let known = gates.iter().map(|gate| gate.id.as_str());
        let hint = match text::did_you_mean(id, known.clone()) {
            hint if hint.is_empty() => format!("; the gates are {}", text::listed(known, ", ", 20)),
            hint => hint,
        };
        return Err(format!("{} has no gate `{}`{hint}", config.path, text::one_line(id, 100)));
    }
    Ok(found)
}

fn head(config: &Config) -> String {
    let mut head = config.path.clone();
    if let Some(environment) = &config.environment {
        let _ = write!(head, ", environment {environment}");
    }
    head.push_str(match config.policy.mode {
        Mode::Enforce => ": the exit code is that of the verdict.\n",
        Mode::Observe => {
            ": mode observe, so nothing blocks. Reports say what the verdict would have been.\n"
        }
    });
    head
}
