//! Tips for flags that other tools have and this one has not. They are hidden, and always refused.

use clap::builder::UnknownArgumentValueParser;
use clap::{Arg, Command};

/// Flags that people try, and what to write instead.
const TIPS: &[(&str, &str)] = &[
    ("dry-run", "`compliance-gate doctor` checks everything and starts nothing"),
    (
        "format",
        "each report has its own flag, such as `--json FILE` or `--junit FILE`; `-` is stdout",
    ),
    (
        "output",
        "each report has its own flag, such as `--json FILE` or `--junit FILE`; `-` is stdout",
    ),
    (
        "fail-on",
        "what blocks is written in the policy: `severity: \">= high\"` and `max: 0` of a gate",
    ),
    ("token", "a token comes from the variable of its system, such as OPENCOMPLY_API_KEY"),
];

/// Adds them to the commands that decide.
pub(super) fn add(command: Command) -> Command {
    let tip = |(flag, tip): &(&'static str, &'static str)| {
        Arg::new(*flag)
            .long(*flag)
            .hide(true)
            .num_args(0..=1)
            .value_parser(UnknownArgumentValueParser::suggest(*tip))
            .default_missing_value("")
    };
    ["run", "evaluate", "doctor"].into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| {
            let has = |flag: &str| command.get_arguments().any(|arg| arg.get_long() == Some(flag));
            let tips: Vec<_> = TIPS.iter().filter(|(flag, _)| !has(flag)).map(tip).collect();
            command.args(tips)
        })
    })
}
