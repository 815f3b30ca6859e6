//! `compliance-gate policy test`: decides test cases, and compares what comes out with what is
//! expected.

mod given;
mod junit;
mod mismatch;

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::cli::{ConfigArguments, TestArguments};
use crate::command::policies::Policies;
use crate::command::{Context, Usage, evaluate, print};
use crate::config::{Case, CaseEvidence, Cases, Config};
use crate::pipeline::{self, Collected};
use crate::saved;
use crate::text;
use crate::verdict::Verdict;

/// A file, and what came out of its cases.
struct Tested {
    file: String,
    results: Vec<TestResult>,
}

/// What came out of one case.
struct TestResult {
    name: String,
    line: u64,
    /// What is not as expected, a line each. Empty: the case passed.
    mismatches: Vec<String>,
}

pub(super) fn test(arguments: &TestArguments, context: &Context) -> Result<u8, Usage> {
    let files = arguments.files.iter().map(|path| Cases::read(path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let tested = files
        .iter()
        .map(|cases| of_file(cases, &arguments.config, context))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &arguments.junit {
        junit::write(&tested, path)?;
    }
    print(&in_words(&tested))?;
    let failed = tested.iter().flat_map(|file| &file.results).any(TestResult::has_failed);
    Ok(if failed { Verdict::Blocked } else { Verdict::Passed }.exit_code())
}

impl TestResult {
    fn has_failed(&self) -> bool {
        !self.mismatches.is_empty()
    }
}

fn of_file(cases: &Cases, arguments: &ConfigArguments, context: &Context) -> Result<Tested, Usage> {
    // A flag wins over what the file names.
    let policy = arguments.config.clone().or_else(|| cases.policy.clone());
    let org_policy = arguments.org_policy.clone();
    let of_policy = ConfigArguments { config: policy, environment: None, org_policy };
    let policies = Policies::read(&of_policy, &context.variables)?;
    let mut results = Vec::new();
    for case in &cases.cases {
        let environment = case.environment.as_deref().or(arguments.environment.as_deref());
        let config = policies.resolve(environment)?;
        let mismatches = of_case(case, &config)
            .map_err(|sentence| format!("{}:{}: {sentence}", cases.file, case.line))?;
        results.push(TestResult { name: case.name.clone(), line: case.line, mismatches });
    }
    Ok(Tested { file: cases.file.clone(), results })
}

/// Decides a case, and returns what is not as expected.
///
/// # Errors
/// A sentence, if what is given cannot be decided.
fn of_case(case: &Case, config: &Config) -> Result<Vec<String>, String> {
    let now = case.at.unwrap_or_else(Utc::now);
    let collected = match &case.given {
        CaseEvidence::Evidence(path) => of_evidence(path, config, now)?,
        CaseEvidence::Checks(checks) => {
            Collected::of_saved(given::evidence(checks, config, now)?, None)
        }
    };
    let decision = pipeline::decide(config, &collected, now);
    Ok(mismatch::all(&case.expected, &decision))
}

fn of_evidence(path: &Path, config: &Config, now: DateTime<Utc>) -> Result<Collected, String> {
    let saved = saved::read(path).map_err(|fault| format!("{} {fault}", path.display()))?;
    evaluate::collected(config, saved.evidence, &saved.decided, path, now)
}

fn in_words(tested: &[Tested]) -> String {
    let mut said = String::new();
    for file in tested {
        said.push_str(&format!("{}\n", file.file));
        for result in &file.results {
            let sign = if result.has_failed() { "✗" } else { "✓" };
            said.push_str(&format!("  {sign} {}\n", result.name));
            for line in &result.mismatches {
                said.push_str(&format!("      {}\n", text::disarmed(line)));
            }
        }
    }
    let results = || tested.iter().flat_map(|file| &file.results);
    let failed = results().filter(|result| result.has_failed()).count();
    let cases = text::count(results().count() as u64, "case");
    said.push_str(&match failed {
        0 => format!("{cases}: all passed.\n"),
        failed => format!("{cases}: {} failed.\n", text::thousands(failed as u64)),
    });
    said
}
