//! `compliance-gate export`: open cases to tickets.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::cli::{Destination, ExportArguments};
use crate::command::list::aligned;
use crate::command::{Context, Usage, listen, load, print};
use crate::config::Export;
use crate::export::jira::Jira;
use crate::export::servicenow::ServiceNow;
use crate::export::{self, Action, Busy, Cases, Job, Ledger, Mode, Outcome, Row, Target};
use crate::finding::{Cause, Problem};
use crate::gate::{self, Gate};
use crate::host::{Choice, Ci};
use crate::http::{Auth, Credentials, Http, Setup};
use crate::progress::Progress;
use crate::secret::{Token, Variables};
use crate::sources::bigid::{self, Case, Changed};
use crate::sources::{Connection, Later, Run, Source, Table};
use crate::stop::{Reason, Stop};
use crate::text;
use crate::verdict::Verdict;

/// How often is looked whether another export is done.
const QUEUE: Duration = Duration::from_millis(500);

pub async fn export(arguments: ExportArguments, context: &Context) -> Result<u8, Usage> {
    let mut config = load(&arguments.config)?;
    let Some(settings) = config.export.take() else {
        return Err("the configuration has no `export`; it says where tickets go"
            .to_owned()
            .into());
    };
    config.sources.retain(|name, _| *name == settings.rules.source);
    let progress = context.progress();
    let gate = Gate::open(&config, &context.variables, &progress, listen()?)?;
    let (source, run) =
        gate.sources().next().ok_or_else(|| "the export has no source".to_owned())?;
    let door = Door { variables: &context.variables, stop: gate.stop(), progress: &progress };
    let target = door.target(arguments.target, &settings)?;
    let cases = BigId::of(source, run, target.is_real())?;
    let run_id = run_id(&arguments, &context.variables);
    let mode = Mode {
        apply: arguments.apply,
        acknowledge: arguments.acknowledge,
        resolve: arguments.resolve,
    };
    let place = target.place();
    let mut outcome = Outcome::default();
    match ledger(&settings.rules.ledger, place, &run_id, mode, gate.stop(), &progress).await? {
        Err(problem) => outcome.problems.push(problem),
        Ok(mut ledger) => {
            let job = Job {
                cases: &cases,
                target: target.as_ref(),
                rules: &settings.rules,
                mode,
                run: &run_id,
                stop: gate.stop(),
                progress: &progress,
            };
            outcome = export::export(&job, &mut ledger).await;
        }
    }
    progress.clear();
    print(&told(&outcome, mode, target.title(), &settings))?;
    for problem in &outcome.problems {
        progress.error(&problem.message);
        if let Some(help) = &problem.help {
            progress.error(&format!("  → {help}"));
        }
    }
    Ok(verdict(&outcome, gate.stop()).exit_code())
}

fn verdict(outcome: &Outcome, stop: &Stop) -> Verdict {
    let interrupt = match stop.reason() {
        Some(Reason::Interrupt(signal)) => Some(Verdict::from(signal)),
        _ => None,
    };
    let unfinished = outcome.rows.iter().any(|row| row.action == Action::NotReached);
    let unfinished = unfinished.then_some(Verdict::Inconclusive);
    let causes = outcome.problems.iter().map(|problem| Verdict::of(problem.cause));
    // What was not reached is inconclusive only where nothing says better why.
    let worst = causes.max().or(unfinished).unwrap_or(Verdict::Passed);
    interrupt.unwrap_or(worst)
}

/// Opens the ledger, after whoever works with it. The inner error: there was no time for that.
async fn ledger(
    path: &Path,
    place: String,
    run: &str,
    mode: Mode,
    stop: &Stop,
    progress: &Progress,
) -> Result<Result<Ledger, Problem>, Usage> {
    if !mode.apply {
        return Ok(Ok(Ledger::read(path, place).map_err(|error| error.to_string())?));
    }
    loop {
        match Ledger::open(path, place.clone(), run.to_owned()) {
            Ok(ledger) => return Ok(Ok(ledger)),
            Err(busy @ Busy::Locked(_)) => {
                progress.status("export", "waiting", &busy.to_string());
                if stop.sleep(QUEUE).await.is_err() {
                    return Ok(Err(Problem::new(Cause::Deadline, busy.to_string())));
                }
            }
            Err(unusable @ Busy::Unusable(_)) => return Err(unusable.to_string().into()),
        }
    }
}

/// What targets are reached with.
struct Door<'a> {
    variables: &'a Variables,
    stop: &'a Stop,
    progress: &'a Rc<Progress>,
}

impl Door<'_> {
    fn target<'s>(
        &self,
        destination: Destination,
        settings: &'s Export,
    ) -> Result<Box<dyn Target + 's>, Usage> {
        let missing = |key: &str| format!("`export` has no `{key}`; it says where tickets go");
        match destination {
            Destination::Jira => {
                let jira = settings.jira.as_ref().ok_or_else(|| missing("jira"))?;
                let auth = |token| jira.auth(token, self.variables);
                Ok(Box::new(Jira::new(jira, self.http("jira", &jira.connection, auth)?)))
            }
            Destination::ServiceNow => {
                let now = settings.servicenow.as_ref().ok_or_else(|| missing("servicenow"))?;
                let auth = |token| now.auth(token, self.variables);
                let http = self.http("servicenow", &now.connection, auth)?;
                Ok(Box::new(ServiceNow::new(now, http)))
            }
        }
    }

    fn http(
        &self,
        name: &str,
        connection: &Connection,
        auth: impl FnOnce(Token) -> Result<Auth, String>,
    ) -> Result<Http, String> {
        let open = || {
            gate::check_origin(&connection.url, self.variables)?;
            let token = Token::read(&connection.token_variables, self.variables)?;
            let setup = Setup {
                source: name,
                base: &connection.url,
                credentials: Credentials::Fixed(auth(token)?),
                headers: HeaderMap::new(),
                timeout: connection.request_timeout,
                ca_file: connection.ca_file.as_deref(),
            };
            Http::new(setup, self.stop.clone(), Rc::clone(self.progress))
        };
        open().map_err(|sentence| format!("{name}: {sentence}"))
    }
}

/// The cases of a source of BigID.
struct BigId<'a> {
    settings: &'a bigid::Settings,
    run: &'a Run,
    /// Whether the tickets go to people.
    real: bool,
}

impl<'a> BigId<'a> {
    fn of(source: &'a dyn Source, run: &'a Run, real: bool) -> Result<Self, String> {
        let settings = (source as &dyn std::any::Any).downcast_ref();
        let settings = settings.ok_or_else(|| format!("source `{}` has no cases", run.name))?;
        Ok(Self { settings, run, real })
    }
}

impl Cases for BigId<'_> {
    fn all(&self) -> Later<'_, Result<Vec<Case>, Problem>> {
        Box::pin(async move {
            let cases = bigid::cases(self.settings, self.run).await?;
            match self.real && self.run.http.simulated() {
                true => Err(Problem::new(
                    Cause::Invalid,
                    "the cases are simulated and the tickets would be real; nothing was exported",
                )),
                false => Ok(cases),
            }
        })
    }

    fn one<'a>(&'a self, id: &'a str) -> Later<'a, Result<Option<Case>, Problem>> {
        Box::pin(bigid::case(self.settings, &self.run.http, id))
    }

    fn set_status<'a>(
        &'a self,
        id: &'a str,
        status: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<(), Problem>> {
        Box::pin(bigid::set_status(self.settings, &self.run.http, id, status, reason))
    }

    fn allows_bulk(&self) -> bool {
        self.settings.allows_bulk()
    }

    fn set_status_of_policy<'a>(
        &'a self,
        policy: &'a str,
        planned: &'a BTreeSet<String>,
        status: &'a str,
        reason: &'a str,
    ) -> Later<'a, Result<Changed, Problem>> {
        let http = &self.run.http;
        Box::pin(bigid::set_status_of_policy(self.settings, http, policy, planned, status, reason))
    }
}

/// The run of the pipeline as its host names it, for audits.
fn run_id(arguments: &ExportArguments, variables: &Variables) -> String {
    let named = arguments.run_id.clone().filter(|id| !id.is_empty());
    named.or_else(|| Ci::new(Choice::Auto, variables).run()).map_or_else(
        || format!("run by hand at {}", chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC")),
        |id| format!("run {}", text::one_line(&id, 300)),
    )
}

/// What happened, or would, for people.
fn told(outcome: &Outcome, mode: Mode, title: &str, settings: &Export) -> String {
    let mut said = String::new();
    if !outcome.rows.is_empty() {
        let header = vec!["CASE", "SEVERITY", "ACTION", "TICKET", "BIGID", "LABEL"];
        let rows = outcome.rows.iter().map(cells).collect();
        said.push_str(&aligned(&Table { header, rows }));
    }
    for row in outcome.rows.iter().filter(|row| !row.notes.is_empty()) {
        // Writing to a string does not fail.
        let _ = writeln!(said, "\n{}", name(&row.case));
        for note in &row.notes {
            let _ = writeln!(said, "    {}", text::one_line(note, 500));
        }
    }
    let _ = writeln!(said, "\n{title}: {}", counts(outcome));
    let planned = outcome.rows.iter().filter(|row| row.action == Action::Planned).count();
    if !mode.apply {
        let ending = match planned {
            0 => "there is nothing to create".to_owned(),
            some => format!("`--apply` creates {}", text::count(some as u64, "ticket")),
        };
        let _ = writeln!(said, "Dry run: nothing was written; {ending}.");
    } else {
        let ledger = settings.rules.ledger.display().to_string();
        let _ =
            writeln!(said, "Ledger: {}; keep it for the next run.", text::one_line(&ledger, 200));
    }
    said
}

fn name(case: &Case) -> String {
    text::one_line(case.alias.as_deref().unwrap_or(&case.id), 40)
}

fn cells(row: &Row) -> Vec<String> {
    let ticket = match &row.action {
        Action::Linked(url) => url.clone().unwrap_or_else(|| "(no link)".to_owned()),
        action => action.ticket().map_or_else(|| "-".to_owned(), |ticket| ticket.key.clone()),
    };
    vec![
        name(&row.case),
        row.case.severity.word().to_owned(),
        row.action.word().to_owned(),
        ticket,
        row.wrote.clone().unwrap_or_else(|| row.case.status.clone()),
        text::one_line(&row.case.label, 60),
    ]
}

/// `3 created, 1 has a ticket, 2 next run; 4 cases are not selected`.
fn counts(outcome: &Outcome) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in &outcome.rows {
        let word = row.action.word();
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let mut parts: Vec<_> =
        counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    for status in ["acknowledged", "resolved", "remediated", "closed"] {
        let wrote = outcome.rows.iter().filter(|row| row.wrote.as_deref() == Some(status)).count();
        if wrote > 0 {
            parts.push(format!("{wrote} set to {status} in BigID"));
        }
    }
    if parts.is_empty() {
        parts.push("no case is selected".to_owned());
    }
    let left_out = text::count(outcome.left_out, "case");
    format!("{}; {left_out} left out by status or `export`", parts.join(", "))
}
