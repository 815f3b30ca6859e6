//! `compliance-gate policy explain`: the gates in plain words, and what each counts in evidence.

mod findings;
mod words;

use std::fmt::Write;

use chrono::Utc;

use crate::cli::ExplainArguments;
use crate::command::policies::Policies;
use crate::command::{Context, Usage, evaluate, print};
use crate::config::Config;
use crate::pipeline;
use crate::policy::{Gate, Mode, Policy, Whose};
use crate::progress::Verbosity;
use crate::text;
use crate::verdict::Verdict;

pub(super) fn explain(arguments: &ExplainArguments, context: &Context) -> Result<u8, Usage> {
    let saved = match arguments.evidence.as_deref().map(|path| evaluate::load(path, context)) {
        Some(Err(code)) => return Ok(code),
        Some(Ok(saved)) => Some(saved),
        None => None,
    };
    let config = match &saved {
        Some(saved) => evaluate::policies_for(saved, &arguments.config, context)?
            .resolve(evaluate::environment_for(saved, &arguments.config))?,
        None => Policies::read(&arguments.config, &context.variables)?
            .resolve(arguments.config.environment.as_deref())?,
    };
    let gates = chosen(&config, arguments.gate.as_deref())?;
    let now = Utc::now();
    let collected = match (saved, &arguments.evidence) {
        (Some(saved), Some(path)) => {
            Some(evaluate::collected(&config, saved.evidence, &saved.decided, path, now)?)
        }
        _ => None,
    };
    let decision = collected.as_ref().map(|collected| pipeline::decide(&config, collected, now));
    let most = match (context.verbosity, &arguments.gate) {
        (Verbosity::Verbose, _) => usize::MAX,
        (_, Some(_)) => findings::MOST_OF_ONE,
        (_, None) => findings::MOST_OF_EACH,
    };
    let mut said = String::new();
    for policy in config.policies() {
        let of_policy = |gate: &&&Gate| policy.gates.iter().any(|own| own.id == gate.id);
        let own: Vec<_> = gates.iter().filter(of_policy).collect();
        if own.is_empty() {
            continue;
        }
        if !said.is_empty() {
            said.push('\n');
        }
        said.push_str(&head(&config, policy));
        for gate in own {
            said.push_str(&words::gate(gate, policy, &config, now.date_naive()));
            let mut rulings = decision.iter().flat_map(|decision| &decision.rulings);
            let ruling = rulings.find(|ruling| ruling.gate.id == gate.id);
            if let (Some(ruling), Some(collected)) = (ruling, &collected) {
                said.push_str(&findings::of(ruling, &collected.evidence, now, most));
            }
        }
    }
    print(&said)?;
    Ok(Verdict::Passed.exit_code())
}

/// The gate that is asked for, or all.
fn chosen<'a>(config: &'a Config, id: Option<&str>) -> Result<Vec<&'a Gate>, String> {
    let gates: Vec<_> = config.policies().flat_map(|policy| &policy.gates).collect();
    let Some(id) = id else { return Ok(gates) };
    let found: Vec<_> = gates.iter().copied().filter(|gate| gate.id == id).collect();
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

fn head(config: &Config, policy: &Policy) -> String {
    let mut head = match (&config.organisation, policy.whose) {
        (Some(organisation), Whose::Organisation) => {
            format!("{}, the policy of the organisation", organisation.path)
        }
        _ => config.path.clone(),
    };
    if let Some(environment) = &config.environment {
        let _ = write!(head, ", environment {environment}");
    }
    head.push_str(match policy.mode {
        Mode::Enforce => ": the exit code is that of the verdict.\n",
        Mode::Observe => {
            ": mode observe, so nothing blocks. Reports say what the verdict would have been.\n"
        }
    });
    head
}
