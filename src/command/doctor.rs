//! `compliance-gate doctor`: what a run would find before it starts anything.

use std::fmt::Write;

use crate::cli::ConfigArguments;
use crate::command::policies::Policies;
use crate::command::{Context, Usage, listen, print};
use crate::text;
use crate::verdict::Verdict;
use crate::{pipeline, setup};

pub(super) async fn doctor(arguments: ConfigArguments, context: &Context) -> Result<u8, Usage> {
    let config = Policies::read(&arguments, &context.variables)?
        .resolve(arguments.environment.as_deref())?;
    let progress = context.progress();
    let open = setup::open(&config, &context.variables, &progress, listen()?)?.all()?;
    let mut said = String::new();
    let mut verdict = Verdict::Passed;
    let preflights = pipeline::preflight(&open).await;
    for (session, preflight) in open.sources.iter().map(|asked| &asked.session).zip(preflights) {
        // Writing to a string does not fail.
        let (findings, problems) = match preflight {
            Ok(ready) => (ready.summary(), ready.doubts()),
            Err(problems) => (Vec::new(), problems),
        };
        let mark = if problems.is_empty() { "✓" } else { "✗" };
        let _ = writeln!(said, "{mark} {} at {}", session.name, session.http.origin());
        for line in findings {
            let _ = writeln!(said, "    {}", text::one_line(&line, 300));
        }
        for problem in problems {
            verdict = verdict.max(Verdict::of(problem.cause));
            let _ = writeln!(said, "    {}", text::one_line(&problem.message, 500));
            if let Some(help) = &problem.help {
                let _ = writeln!(said, "      → {}", text::one_line(help, 500));
            }
        }
    }
    progress.clear();
    let conclusion = match verdict {
        Verdict::Passed => "Everything that a run needs is in place; nothing was started.",
        _ => "A run would not work; nothing was started.",
    };
    print(&format!("{said}{conclusion}\n"))?;
    Ok(verdict.exit_code())
}
