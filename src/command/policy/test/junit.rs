//! Results of test cases as JUnit: a suite per file.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{TestResult, Tested};
use crate::text;

/// Writes the file.
///
/// # Errors
/// A sentence, if it cannot be written.
pub(super) fn write(tested: &[Tested], path: &Path) -> Result<(), String> {
    let failed = |why: String| format!("failed to write {}: {why}", path.display());
    let mut report = Report::new("compliance-gate policy test");
    report.add_test_suites(tested.iter().map(suite));
    let text = report.to_string().map_err(|error| failed(error.to_string()))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(text::reason(&error)))?;
    }
    std::fs::write(path, text).map_err(|error| failed(text::reason(&error)))
}

fn suite(tested: &Tested) -> TestSuite {
    let mut suite = TestSuite::new(text::one_line(&tested.file, 200));
    suite.add_test_cases(tested.results.iter().map(|result| case(&tested.file, result)));
    suite
}

fn case(file: &str, result: &TestResult) -> TestCase {
    let status = match result.mismatches.as_slice() {
        [] => TestCaseStatus::success(),
        [first, ..] => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(first.as_str()).set_type("mismatch");
            let lines = result.mismatches.join("\n");
            let place = format!("{}:{}", text::one_line(file, 200), result.line);
            status.set_description(text::disarmed(&format!("{place}\n{lines}")).into_owned());
            status
        }
    };
    let mut case = TestCase::new(text::one_line(&result.name, 250), status);
    case.set_classname(text::one_line(file, 200));
    case
}
