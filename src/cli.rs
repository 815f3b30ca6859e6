//! The command line: flags become plain values, nothing more.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::artefact::Artefact;
#[cfg(feature = "simulator")]
use compliance_gate_simulator::Scenario;

use crate::host::Choice;
use crate::report;
use crate::text;

mod tips;

/// A deploy gate: asks the compliance platforms you already pay for, decides against one YAML
/// policy, and exits with an unambiguous code.
#[derive(Debug, Parser)]
#[command(name = "compliance-gate", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Print more on stderr: every request and its status.
    #[arg(short, long, global = true, env = "COMPLIANCE_GATE_VERBOSE",
        value_parser = clap::builder::FalseyValueParser::new())]
    pub verbose: bool,

    /// Print only errors on stderr.
    #[arg(short, long, global = true, env = "COMPLIANCE_GATE_QUIET",
        value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
}

impl Cli {
    /// The command line as it is read: with tips for what people try, and without the values of variables
    /// in `--help`, whose output ends up in logs.
    pub fn prepared() -> clap::Command {
        Self::with_variables(tips::add(Self::command()))
    }

    /// An empty variable counts as unset: CI hosts pass inputs that are not set as empty variables.
    fn with_variables(command: clap::Command) -> clap::Command {
        command
            .mut_args(|argument| {
                let argument = argument.hide_env_values(true);
                let is_empty = argument
                    .get_env()
                    .and_then(std::env::var_os)
                    .is_some_and(|value| value.is_empty());
                if is_empty { argument.env(None::<&str>) } else { argument }
            })
            .mut_subcommands(Self::with_variables)
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0    passed (warnings allowed)
  1    blocked: a blocking gate is breached on valid evidence
  2    usage, configuration or policy is invalid; nothing was started
  3    inconclusive: evidence is missing, partial, stale or contradictory
  4    access denied by a platform
  5    a platform stayed unreachable after retries
  130  interrupted (143: terminated by the CI host; 129, 131: SIGHUP, SIGQUIT)";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect evidence, decide, write reports, and exit with the verdict's code.
    #[command(alias = "scan")]
    Run(RunArguments),
    /// Decide saved evidence again, with the policy as it is now: a what-if that nothing acts on.
    Evaluate(EvaluateArguments),
    /// Say why two decisions differ, from their saved evidence.
    Compare(CompareArguments),
    /// Say what turns red by itself, when, and whose it is.
    Forecast(ForecastArguments),
    /// Check that a verified result lets an artefact through: its environment, organisation policy
    /// and age. Checks no signature.
    Admit(AdmitArguments),
    /// Recompute a recorded decision and every digest from its evidence.
    Verify(VerifyArguments),
    /// Check that a run would work: reachability, token, role, frameworks, integrations. Starts
    /// nothing.
    Doctor(ConfigArguments),
    /// Work with baselines: files of the findings that were there on a day.
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Print an entry of `accept` for a finding or for what a gate counts, to be reviewed.
    Accept(AcceptArguments),
    /// Work with policy files, offline.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// List what a platform has, for writing a policy.
    List(ListArguments),
    /// Create tickets for open cases, one per case. Dry run unless `--apply`.
    Export(ExportArguments),
    /// Serve simulated platforms on this machine, for trying out a pipeline.
    #[cfg(feature = "simulator")]
    Simulate(SimulateArguments),
    /// Try everything without an account: simulate platforms, run, and write reports.
    #[cfg(feature = "simulator")]
    Demo(DemoArguments),
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, for `man -l -` or a package.
    Man {
        /// Write one page per command into this folder instead.
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// Policy file [default: whichever of compliance-gate.yaml, .compliance-gate.yaml,
    /// .github/compliance-gate.yaml exists].
    #[arg(short, long, alias = "policy", value_name = "FILE", env = "COMPLIANCE_GATE_CONFIG")]
    pub config: Option<PathBuf>,

    /// Environment of the policy file.
    #[arg(short, long, value_name = "NAME", env = "COMPLIANCE_GATE_ENVIRONMENT")]
    pub environment: Option<String>,

    /// Policy of the organisation, decided by itself; the worse verdict counts.
    #[arg(long, value_name = "FILE", env = "COMPLIANCE_GATE_ORG_POLICY")]
    pub org_policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub gate: GateArguments,

    /// Save the evidence, for `evaluate`, `compare` and `forecast`.
    #[arg(
        long,
        value_name = "PATH",
        env = "COMPLIANCE_GATE_SAVE_EVIDENCE",
        help_heading = "Reports"
    )]
    pub save_evidence: Option<PathBuf>,

    /// Evidence of an earlier run: the day on which each finding was first seen is carried from it,
    /// and the result says what changed since.
    #[arg(long, value_name = "EVIDENCE", env = "COMPLIANCE_GATE_PREVIOUS")]
    pub previous: Option<PathBuf>,
}

/// What a gate takes, whether it collects its evidence or is given it.
#[derive(Debug, Args)]
pub struct GateArguments {
    #[command(flatten)]
    pub config: ConfigArguments,

    #[command(flatten)]
    pub reports: ReportArguments,

    #[command(flatten)]
    pub proof: ProofArguments,

    /// Exit code for a pass with warnings.
    #[arg(
        long,
        value_name = "N",
        env = "COMPLIANCE_GATE_WARN_EXIT_CODE",
        value_parser = clap::value_parser!(u8).range(10..=99)
    )]
    pub warn_exit_code: Option<u8>,

    /// CI host to write summary, outputs, annotations and folded logs for. `auto` detects it by its
    /// variables.
    #[arg(
        long,
        value_name = "HOST",
        env = "COMPLIANCE_GATE_CI",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(Choice::words())
            .try_map(|word| Choice::parse(&word)),
    )]
    pub ci: Choice,
}

/// What a gate leaves for others to verify.
#[derive(Debug, Args)]
pub struct ProofArguments {
    /// Append one line of JSON about the decision to this file.
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_RECORD", help_heading = "Reports")]
    pub record: Option<PathBuf>,

    /// Write what can be attested into this folder: the decision, and, where it lets the subjects
    /// through, a Simple Verification Result of in-toto. Nothing is signed.
    #[arg(long, value_name = "DIR", env = "COMPLIANCE_GATE_ATTESTATION", help_heading = "Reports")]
    pub attestation: Option<PathBuf>,

    /// Artefact to attest; repeatable.
    #[arg(long, value_name = "NAME@sha256:HEX", env = "COMPLIANCE_GATE_SUBJECT",
        value_delimiter = ',', value_parser = Artefact::parse, help_heading = "Reports")]
    pub subject: Vec<Artefact>,

    /// File with artefacts to attest, one a line: NAME@sha256:HEX, or a line of sha256sum.
    #[arg(
        long,
        value_name = "PATH",
        env = "COMPLIANCE_GATE_SUBJECT_FILE",
        help_heading = "Reports"
    )]
    pub subject_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AdmitArguments {
    /// Files with what a verifier printed: a statement, `gh attestation verify --format json`, or
    /// `cosign verify-attestation`.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Environment that the artefact is admitted to.
    #[arg(short, long, value_name = "NAME", env = "COMPLIANCE_GATE_ENVIRONMENT")]
    pub environment: String,

    /// SHA-256 of the organisation policy; two for a change-over.
    #[arg(long, value_name = "HEX", env = "COMPLIANCE_GATE_ORG_POLICY_SHA256", required = true,
        value_delimiter = ',', value_parser = text::sha256)]
    pub org_policy_sha256: Vec<String>,

    /// The oldest that a result may be.
    #[arg(long, value_name = "DURATION", env = "COMPLIANCE_GATE_MAX_AGE",
        value_parser = humantime::parse_duration)]
    pub max_age: Duration,
}

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Files that `run --save-evidence` wrote. Several give a table.
    #[arg(required = true)]
    pub evidence: Vec<PathBuf>,

    /// Decide as of this time: an instant such as 2026-11-29T04:00:00Z, or a day, of which the last
    /// second counts.
    #[arg(long, value_name = "WHEN", value_parser = text::moment, conflicts_with = "as_recorded")]
    pub at: Option<DateTime<Utc>>,

    /// Decide exactly as it was decided, with the policy and the time in the evidence.
    #[arg(long)]
    pub as_recorded: bool,

    /// Decide as a gate, if the file has this SHA-256.
    #[arg(long, value_name = "HEX", conflicts_with_all = ["at", "as_recorded"])]
    pub evidence_sha256: Option<String>,

    #[command(flatten)]
    pub gate: GateArguments,
}

#[derive(Debug, Args)]
pub struct ForecastArguments {
    /// File that `run --save-evidence` wrote.
    pub evidence: PathBuf,

    /// How far to look: a time such as `30d`, or a date.
    #[arg(long, value_name = "WHEN", default_value = "30d", env = "COMPLIANCE_GATE_UNTIL")]
    pub until: String,

    /// Write the forecast as JSON (`-` is stdout).
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_JSON")]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// File that `--record` wrote.
    pub record: PathBuf,

    /// File that `run --save-evidence` wrote.
    #[arg(long, value_name = "EVIDENCE", env = "COMPLIANCE_GATE_EVIDENCE")]
    pub evidence: PathBuf,
}

#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Evidence of the earlier decision.
    pub old: PathBuf,

    /// Evidence of the later decision.
    pub new: PathBuf,

    /// Write the comparison as Markdown (`-` is stdout).
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_MARKDOWN")]
    pub markdown: Option<PathBuf>,

    /// Write the comparison as JSON (`-` is stdout).
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_JSON")]
    pub json: Option<PathBuf>,
}

/// A flag per report format, from the table of formats.
#[derive(Debug, Default)]
pub struct ReportArguments {
    /// Paths by format name; `-` is stdout.
    pub paths: Vec<(&'static str, PathBuf)>,
}

impl Args for ReportArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        report::FORMATS.iter().fold(command, |command, format| {
            let variable = format!("COMPLIANCE_GATE_{}", format.key().to_uppercase());
            command.arg(
                clap::Arg::new(format.name)
                    .long(format.name)
                    .value_name("PATH")
                    .help(format!("Write the {} report (`-` is stdout).", format.title))
                    .env(variable)
                    .help_heading("Reports")
                    .value_parser(clap::value_parser!(PathBuf)),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ReportArguments {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let paths = report::FORMATS.iter().filter_map(|format| {
            matches.get_one::<PathBuf>(format.name).map(|path| (format.name, path.clone()))
        });
        Ok(Self { paths: paths.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check the policy file: every environment, no network, no token.
    Check(CheckArguments),
    /// Explain the gates in plain words; with evidence, also what each counts and why.
    Explain(ExplainArguments),
    /// Test the policy: decide the cases of YAML files, and compare with what they expect.
    Test(TestArguments),
    /// Print the JSON Schema of the policy file, for editors.
    Schema,
    /// Write a starter policy, or one that begins where the estate is.
    Init(InitArguments),
}

#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Write what the gates count, less what other acceptances cover. An existing baseline loses
    /// what is fixed and does not grow.
    Write(BaselineArguments),
}

#[derive(Debug, Args)]
pub struct BaselineArguments {
    /// File that `run --save-evidence` wrote.
    pub evidence: PathBuf,

    /// The baseline [default: that of the policy, else .compliance-gate/baseline.jsonl].
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_FILE")]
    pub file: Option<PathBuf>,

    /// Also add findings that an existing baseline does not have.
    #[arg(long)]
    pub allow_growth: bool,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["fingerprint", "gate"]))]
pub struct AcceptArguments {
    /// File that `run --save-evidence` wrote.
    pub evidence: PathBuf,

    /// The finding, by its fingerprint in the JSON report.
    #[arg(long, value_name = "HEX", env = "COMPLIANCE_GATE_FINGERPRINT")]
    pub fingerprint: Option<String>,

    /// The gate whose findings to accept, by its id.
    #[arg(long, value_name = "ID", env = "COMPLIANCE_GATE_GATE")]
    pub gate: Option<String>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Records of `run --record`: also report gates that never fired, limits with slack, acceptances
    /// that are always used, overrides, and repositories on another organisation policy.
    #[arg(long, value_name = "RECORDS", env = "COMPLIANCE_GATE_HISTORY")]
    pub history: Option<PathBuf>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Id of the gate to explain [default: all].
    pub gate: Option<String>,

    /// Evidence to explain the gates on: a file that `run --save-evidence` wrote.
    #[arg(long, value_name = "EVIDENCE", env = "COMPLIANCE_GATE_EVIDENCE")]
    pub evidence: Option<PathBuf>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Debug, Args)]
pub struct InitArguments {
    #[arg(value_name = "FILE", default_value = "compliance-gate.yaml")]
    pub path: PathBuf,

    /// Evidence to propose gates from: a file that `run --save-evidence` wrote.
    #[arg(long, value_name = "EVIDENCE", env = "COMPLIANCE_GATE_FROM")]
    pub from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TestArguments {
    /// Files of test cases.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// Write the results as JUnit.
    #[arg(long, value_name = "PATH", env = "COMPLIANCE_GATE_JUNIT", help_heading = "Reports")]
    pub junit: Option<PathBuf>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// What to list.
    #[arg(value_enum)]
    pub what: Listed,

    /// Source to ask, if the policy has several.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    Frameworks,
    Integrations,
    Accounts,
    Rules,
    Statuses,
    Severities,
    Policies,
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Where to create the tickets.
    #[arg(value_enum)]
    pub target: Destination,

    /// Create the tickets. Without it, nothing is written.
    #[arg(long, env = "COMPLIANCE_GATE_APPLY",
        value_parser = clap::builder::FalseyValueParser::new())]
    pub apply: bool,

    /// Set cases that have a ticket to `acknowledged` in BigID.
    #[arg(long, env = "COMPLIANCE_GATE_ACKNOWLEDGE",
        value_parser = clap::builder::FalseyValueParser::new())]
    pub acknowledge: bool,

    /// Resolve exported cases in BigID, but only those whose fix BigID has verified.
    #[arg(long, env = "COMPLIANCE_GATE_RESOLVE",
        value_parser = clap::builder::FalseyValueParser::new())]
    pub resolve: bool,

    /// Pipeline run to name in audit reasons [default: the run of the CI host].
    #[arg(long, value_name = "ID", env = "COMPLIANCE_GATE_RUN_ID")]
    pub run_id: Option<String>,

    #[command(flatten)]
    pub config: ConfigArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Destination {
    Jira,
    #[value(name = "servicenow")]
    ServiceNow,
}

#[cfg(feature = "simulator")]
#[derive(Debug, Args)]
#[command(after_long_help = format!("Scenarios:\n{}", Scenario::list()))]
pub struct SimulateArguments {
    /// Address to listen on, on this machine only. Port 0 picks a free port and prints it.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "COMPLIANCE_GATE_LISTEN"
    )]
    pub listen: std::net::SocketAddr,

    /// Scenario name, or path to a JSON file.
    #[arg(long, value_name = "NAME", default_value = "healthy", env = "COMPLIANCE_GATE_SCENARIO")]
    pub scenario: String,
}

#[cfg(feature = "simulator")]
#[derive(Debug, Args)]
#[command(after_long_help = format!("Scenarios:\n{}", Scenario::list()))]
pub struct DemoArguments {
    /// Scenario name: healthy, blocked, inconclusive, or another one.
    #[arg(long, value_name = "NAME", default_value = "healthy", env = "COMPLIANCE_GATE_SCENARIO")]
    pub scenario: String,

    /// Output folder for the policy and reports.
    #[arg(long, value_name = "DIR", default_value = "compliance-gate-demo")]
    pub out: PathBuf,
}
