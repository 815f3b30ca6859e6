//! `compliance-gate policy schema`.

use crate::command::{Usage, print};
use crate::verdict::Verdict;

/// The JSON Schema of the policy file, drift-tested against the types that read it.
pub(super) const SCHEMA: &str = include_str!("../../../schemas/policy.schema.json");

pub(super) fn schema() -> Result<u8, Usage> {
    print(SCHEMA)?;
    Ok(Verdict::Passed.exit_code())
}
