//! One file for each subcommand, and what they share.

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use tokio::sync::watch;

use crate::cli::{BaselineCommand, Cli, Command, ConfigArguments};
use crate::config::{self, ConfigError, Written};
use crate::export::{jira, servicenow};
use crate::finding::Problem;
use crate::host;
use crate::policy::Whose;
use crate::progress::{Progress, Verbosity};
use crate::report;
use crate::secret::{Mask, Variables, mask_tokens};
use crate::setup::SetupErrors;
use crate::sources::SYSTEMS;
use crate::stop::Signal;
use crate::text;
use crate::verdict::Verdict;

mod accept;
mod admit;
mod baseline;
mod compare;
#[cfg(feature = "simulator")]
mod demo;
mod doctor;
mod evaluate;
mod export;
mod forecast;
mod list;
mod policies;
mod policy;
mod previous;
mod run;
#[cfg(feature = "simulator")]
mod simulate;
mod verify;

/// What every command gets in addition to its own arguments.
pub struct Context {
    pub variables: Variables,
    pub verbosity: Verbosity,
}

/// Why a command could not start: usage, configuration or policy.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Setup(#[from] SetupErrors),
    #[error("{0}")]
    Sentence(String),
}

impl Usage {
    /// Without the tokens that it may quote from a file.
    fn masked(self) -> Self {
        Self::Sentence(Mask::for_errors().apply(&self.to_string()).into_owned())
    }
}

impl From<config::NotFound> for Usage {
    fn from(error: config::NotFound) -> Self {
        Self::Sentence(error.to_string())
    }
}

impl From<String> for Usage {
    fn from(sentence: String) -> Self {
        Self::Sentence(sentence)
    }
}

/// Runs a command, and returns its exit code.
///
/// # Errors
/// If the command could not begin; the exit code is that of an invalid configuration.
pub fn execute(cli: Cli, variables: Variables) -> Result<u8, Usage> {
    let verbosity = match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let systems = SYSTEMS.iter().copied().chain([&jira::SYSTEM, &servicenow::SYSTEM]);
    let prefixes: Vec<_> = systems.flat_map(|system| system.token_prefixes).copied().collect();
    mask_tokens(&variables, &prefixes);
    let context = Context { variables, verbosity };
    let code = match cli.command {
        Command::Run(arguments) => block_on(run::run(arguments, &context)),
        Command::Evaluate(arguments) => evaluate::evaluate(arguments, &context),
        Command::Baseline(BaselineCommand::Write(arguments)) => {
            baseline::write(&arguments, &context)
        }
        Command::Accept(arguments) => accept::accept(&arguments, &context),
        Command::Compare(arguments) => compare::compare(&arguments, &context),
        Command::Forecast(arguments) => forecast::forecast(&arguments, &context),
        Command::Admit(arguments) => admit::admit(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments, &context),
        Command::Doctor(arguments) => block_on(doctor::doctor(arguments, &context)),
        Command::Export(arguments) => block_on(export::export(arguments, &context)),
        Command::List(arguments) => block_on(list::list(arguments, &context)),
        Command::Policy(command) => policy::policy(command, &context),
        #[cfg(feature = "simulator")]
        Command::Simulate(arguments) => block_on(simulate::simulate(arguments)),
        #[cfg(feature = "simulator")]
        Command::Demo(arguments) => block_on(demo::demo(arguments, &context)),
        Command::Completions { shell } => completions(shell),
        Command::Man { folder } => manual(folder.as_deref()),
    };
    code.map_err(Usage::masked)
}

/// A problem, and what to do about it.
fn show(problem: &Problem, progress: &Progress) {
    progress.error(&problem.message);
    if let Some(help) = &problem.help {
        progress.error(&format!("  → {help}"));
    }
}

/// One thread is enough: all the work is waiting, and the platforms are asked a few at a time.
fn block_on(command: impl Future<Output = Result<u8, Usage>>) -> Result<u8, Usage> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start: {error}"))?;
    let code = runtime.block_on(command);
    // A name that is being resolved cannot be interrupted, and is not waited for.
    runtime.shutdown_background();
    code
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Usage> {
    let mut script = Vec::new();
    let mut command = <Cli as clap::CommandFactory>::command();
    clap_complete::generate(shell, &mut command, "compliance-gate", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Passed.exit_code())
}

fn manual(folder: Option<&Path>) -> Result<u8, Usage> {
    let mut page = Vec::new();
    let command = <Cli as clap::CommandFactory>::command();
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|error| {
                format!("failed to write to {}: {}", folder.display(), text::reason(&error))
            })?;
        return Ok(Verdict::Passed.exit_code());
    }
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| format!("failed to write the manual page: {}", text::reason(&error)))?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(Verdict::Passed.exit_code())
}

/// Writes a file whole or not at all, or prints it where the path is `-`.
fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    if path == Path::new("-") {
        return print(text);
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let written =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(path).map_err(|error| error.error)
        });
    let failed = |error: io::Error| {
        format!("failed to write {}: {}", path.display(), crate::text::reason(&error))
    };
    written.map(|_| ()).map_err(failed)
}

/// Prints to stdout, as far as it is read.
fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    report::unless_reader_left(printed)
        .map_err(|error| format!("failed to write to stdout: {}", text::reason(&error)))
}

impl Context {
    fn progress(&self) -> Rc<Progress> {
        let progress = Progress::new(self.verbosity);
        Rc::new(match host::is_ci(&self.variables) {
            true => progress.without_live_line(),
            false => progress,
        })
    }
}

/// Reads the policy of the repository alone.
fn read(arguments: &ConfigArguments) -> Result<Written, Usage> {
    let path = config::find(arguments.config.as_deref())?;
    Ok(Written::read(&path, Whose::Repository)?)
}

/// Listens for Ctrl-C and for what CI hosts send. The first one asks everything to stop and clean
/// up; a second one exits at once.
fn listen() -> Result<watch::Receiver<Option<Signal>>, Usage> {
    let (sender, receiver) = watch::channel(None);
    let mut signals =
        signals().map_err(|error| format!("failed to listen for signals: {error}"))?;
    tokio::spawn(async move {
        while let Some(signal) = signals.recv().await {
            if sender.send_replace(Some(signal)).is_some() {
                std::process::exit(Verdict::from(signal).exit_code().into());
            }
        }
    });
    Ok(receiver)
}

#[cfg(unix)]
fn signals() -> io::Result<tokio::sync::mpsc::Receiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let kinds = [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::HangUp),
        (SignalKind::quit(), Signal::Quit),
    ];
    for (kind, name) in kinds {
        let mut stream = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(name).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals() -> io::Result<tokio::sync::mpsc::Receiver<Signal>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if sender.send(Signal::Interrupt).await.is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}
