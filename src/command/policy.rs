//! `compliance-gate policy`: everything about a policy file that needs no network.

mod check;
mod explain;
mod history;
mod init;
mod schema;
mod test;

use crate::cli::PolicyCommand;
use crate::command::{Context, Usage};

pub(super) fn policy(command: PolicyCommand, context: &Context) -> Result<u8, Usage> {
    match command {
        PolicyCommand::Check(arguments) => check::check(&arguments, context),
        PolicyCommand::Explain(arguments) => explain::explain(&arguments, context),
        PolicyCommand::Test(arguments) => test::test(&arguments, context),
        PolicyCommand::Schema => schema::schema(),
        PolicyCommand::Init(arguments) => init::init(&arguments, context),
    }
}
