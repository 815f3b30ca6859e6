use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use compliance_gate::cli::Cli;
use compliance_gate::command;
use compliance_gate::secret::Variables;
use compliance_gate::verdict::Verdict;

fn main() -> ExitCode {
    let matches = Cli::prepared().get_matches();
    let code = Cli::from_arg_matches(&matches)
        .map_err(|error| error.to_string())
        .and_then(|cli| command::execute(cli, variables()).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| {
            eprintln!("error: {error}");
            Verdict::Invalid.exit_code()
        });
    ExitCode::from(code)
}

/// The variables of this process. Non-Unicode variables are ignored.
fn variables() -> Variables {
    let unicode = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(unicode).collect()
}
