//! `compliance-gate export`: creates tickets for open cases.

use std::path::Path;
use std::time::Duration;

use crate::cli::{Destination, ExportArguments};
use crate::command::{Context, Usage, listen, print, read, show};
use crate::config::Export;
use crate::export::{self, Action, Cases, Job, Ledger, LedgerError, Mode, Outcome, Target};
use crate::finding::{Cause, Problem};
use crate::host::{Choice, Ci};
use crate::progress::Progress;
use crate::secret::Variables;
use crate::setup::{self, OpenSource, OpenSources};
use crate::sources::Source;
use crate::stop::{Reason, Stop};
use crate::text;
use crate::verdict::Verdict;

mod summary;
mod targets;

use targets::Targets;

/// The pause before the ledger is tried again while another export uses it.
const LOCK_RETRY: Duration = Duration::from_millis(500);

pub(super) async fn export(arguments: ExportArguments, context: &Context) -> Result<u8, Usage> {
    let mut config = read(&arguments.config)?.resolve(arguments.config.environment.as_deref())?;
    let Some(settings) = config.export.take() else {
        return Err("the configuration has no `export`, which says where tickets go"
            .to_owned()
            .into());
    };
    config.sources.retain(|name, _| *name == settings.rules.source);
    let progress = context.progress();
    let open = setup::open(&config, &context.variables, &progress, listen()?)?.all()?;
    let targets = Targets { variables: &context.variables, stop: &open.stop, progress: &progress };
    let call = ExportCall {
        settings: &settings,
        open: &open,
        mode: Mode {
            apply: arguments.apply,
            acknowledge: arguments.acknowledge,
            resolve: arguments.resolve,
        },
        run: run_id(&arguments, &context.variables),
        progress: &progress,
    };
    match arguments.target {
        Destination::Jira => call.export_to(targets.jira(&settings)?).await,
        Destination::ServiceNow => call.export_to(targets.servicenow(&settings)?).await,
    }
}

/// One call of the command.
struct ExportCall<'a> {
    settings: &'a Export,
    open: &'a OpenSources,
    mode: Mode,
    run: String,
    progress: &'a Progress,
}

impl ExportCall<'_> {
    /// Exports, prints the result, and returns the exit code.
    async fn export_to<T: Target>(&self, target: T) -> Result<u8, Usage> {
        let first = self.open.sources.first();
        let OpenSource { source, session, .. } =
            first.ok_or_else(|| "the export has no source".to_owned())?;
        let Source::BigId(bigid) = source.as_ref() else {
            return Err(format!("source `{}` has no cases", session.name).into());
        };
        let title = target.title();
        let mut outcome = Outcome::default();
        match self.ledger(target.location()).await? {
            Err(problem) => outcome.problems.push(problem),
            Ok(mut ledger) => {
                let job = Job {
                    cases: Cases::new(bigid, session, target.is_remote()),
                    target,
                    rules: &self.settings.rules,
                    mode: self.mode,
                    run: &self.run,
                    stop: &self.open.stop,
                    progress: self.progress,
                };
                outcome = export::export(&job, &mut ledger).await;
            }
        }
        self.progress.clear();
        print(&summary::text(&outcome, self.mode, title, &self.settings.rules.ledger))?;
        for problem in &outcome.problems {
            show(problem, self.progress);
        }
        Ok(verdict(&outcome, &self.open.stop).exit_code())
    }

    /// Opens the ledger, once no other export uses it. The inner error: there was no time for that.
    async fn ledger(&self, location: String) -> Result<Result<Ledger, Problem>, Usage> {
        let path: &Path = &self.settings.rules.ledger;
        if !self.mode.apply {
            return Ok(Ok(Ledger::read(path, location).map_err(|error| error.to_string())?));
        }
        loop {
            match Ledger::open(path, location.clone(), self.run.clone()) {
                Ok(ledger) => return Ok(Ok(ledger)),
                Err(locked @ LedgerError::Locked(_)) => {
                    self.progress.status("export", "waiting", &locked.to_string());
                    if self.open.stop.sleep(LOCK_RETRY).await.is_err() {
                        return Ok(Err(Problem::new(Cause::Deadline, locked.to_string())));
                    }
                }
                Err(unusable) => return Err(unusable.to_string().into()),
            }
        }
    }
}

fn verdict(outcome: &Outcome, stop: &Stop) -> Verdict {
    let interrupt = match stop.reason() {
        Some(Reason::Interrupt(signal)) => Some(Verdict::from(signal)),
        _ => None,
    };
    let is_unfinished = outcome.rows.iter().any(|row| row.action == Action::NotReached);
    let unfinished = is_unfinished.then_some(Verdict::Inconclusive);
    let causes = outcome.problems.iter().map(|problem| Verdict::of(problem.cause));
    // Cases that were not reached are inconclusive only where no problem says why.
    let worst = causes.max().or(unfinished).unwrap_or(Verdict::Passed);
    interrupt.unwrap_or(worst)
}

/// The pipeline run as its host names it, for audits.
fn run_id(arguments: &ExportArguments, variables: &Variables) -> String {
    let named = arguments.run_id.clone().filter(|id| !id.is_empty());
    named.or_else(|| Ci::new(Choice::Auto, variables).run()).map_or_else(
        || format!("run by hand at {}", chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC")),
        |id| format!("run {}", text::one_line(&id, 300)),
    )
}
