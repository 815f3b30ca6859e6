//! The terminal: what someone reads who never saw the tool.

use compliance_gate::evidence::{Findings, Table};
use compliance_gate::finding::{Cause, Problem, Severity};
use compliance_gate::policy::Mode;

use crate::common::estate::{self, Scene};

fn assert_reads(scene: &Scene, expected: &[&str]) {
    let text = scene.read();
    let mut rest = &*text;
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| panic!("no {line:?}, or not there, in\n{text}"));
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn a_blocked_run_says_which_gate_by_how_much_and_what_to_fix_first() {
    assert_reads(
        &estate::blocked(),
        &[
            "Blocked: 1 of 4 gates is breached\n",
            "Policy .github/compliance-gate.yaml, environment production\n",
            "✗ no-critical-or-high BREACHED\n",
            "12 failed checks where max is 0: 12 over the limit (2 critical, 10 high)\n",
            "selects severity critical or high in opencomply: baseline_security\n",
            "! alarm-budget breached, warns only\n",
            "in the sum of opencomply: baseline_security + gravityzone\n",
            "✓ pass-rate holds: pass rate 86.83% (409 of 471) where min_pass_rate is 72.5%\n",
            "Fix first\n",
            "critical S3 buckets do not allow public writes (aws_s3_public_write): 2 resources\n",
            "why: Public access is not blocked.\n",
            "- arn:aws:s3:::payments-000, eu-west-1\n",
            "high S3 buckets block public access (aws_s3_public_access_block): 9 resources\n",
            "- and 6 more\n",
            "a fix shows only after",
            "30,817 checks evaluated, failed: 2 high; age not reported\n",
            "evidence of 2026-09-21 14:11 UTC; job 136 SUCCEEDED (started)\n",
            "Verdict: blocked (no-critical-or-high). Exit code 1.\n",
        ],
    );
}

#[test]
fn the_usual_cases_fit_one_screen() {
    for scene in [estate::blocked(), estate::inconclusive(), estate::forgiven(), estate::big(9_999)]
    {
        let text = scene.read();
        // A screen of 120 columns folds what is longer.
        let rows: usize = text.lines().map(|line| line.chars().count().div_ceil(120).max(1)).sum();
        assert!(rows <= 52, "{rows} rows in\n{text}");
    }
}

#[test]
fn what_is_not_shown_is_counted() {
    assert_reads(
        &estate::big(1_000),
        &[
            "critical",
            "- and 7 more",
            "and 460 more findings of 46 rules; `--json FILE` lists all.",
        ],
    );
}

#[test]
fn reasons_that_differ_stay_with_their_resources() {
    let mut scene = estate::blocked();
    scene.findings(1)[1].reason = Some("Anyone may write.".into());
    assert_reads(
        &scene,
        &[
            "- arn:aws:s3:::payments-000, eu-west-1: Public access is not blocked.\n",
            "- arn:aws:s3:::payments-001, eu-west-1: Anyone may write.\n",
        ],
    );
}

#[test]
fn a_pass_is_short() {
    let text = estate::passed().read();
    assert!(text.starts_with("Passed: all 3 gates pass\n"), "{text}");
    assert!(!text.contains("Fix first") && !text.contains("missing"), "{text}");
    assert!(text.ends_with("Verdict: passed. Exit code 0.\n"), "{text}");
}

#[test]
fn missing_evidence_comes_with_what_to_do_next() {
    assert_reads(
        &estate::inconclusive(),
        &[
            "Inconclusive: compliance could not be established",
            "? no-critical-or-high INCONCLUSIVE\n",
            "? alarm-budget inconclusive, warns only\n",
            "so far 2 failed checks (2 high)\n",
            "What is missing\n",
            "job-failed: opencomply: job 136 of baseline_security: 3 runners failed",
            "next: look at the job on the platform, and run again\n",
            "Exit code 3.\n",
        ],
    );
    let mut silent = estate::inconclusive();
    silent.evidence.outcomes[1].parts[0].problems =
        vec![Problem::new(Cause::Denied, "opencomply: 401")];
    assert_reads(&silent, &["denied: opencomply: 401\n", "next: `compliance-gate doctor`"]);
}

#[test]
fn a_job_that_nobody_saw_has_no_state() {
    let mut scene = estate::inconclusive();
    scene.evidence.outcomes[1].parts[0].jobs[0].state.clear();
    assert_reads(&scene, &["; job 136 (started)\n"]);
}

#[test]
fn stale_evidence_that_is_let_through_shows_its_failures() {
    let mut scene = estate::blocked();
    scene.policy.evidence.max_age = Some(std::time::Duration::from_secs(1));
    let (up_to, expires) = (std::time::Duration::from_secs(1 << 30), estate::now().date_naive());
    scene.policy.accept.push(estate::excuse(Cause::Stale, Some(up_to), expires));
    assert_reads(
        &scene,
        &["inconclusive, let through\n", "the stale evidence shows 12 failed checks\n"],
    );
}

#[test]
fn a_trouble_of_several_gates_is_told_once() {
    let text = estate::inconclusive().read();
    assert_eq!(text.matches("3 runners failed").count(), 1, "{text}");
}

#[test]
fn an_exception_is_never_silent() {
    assert_reads(
        &estate::forgiven(),
        &[
            "Warned: nothing blocks, but 2 of 3 gates are inconclusive\n",
            "? no-critical-or-high inconclusive, let through\n",
            "note: let through by acceptance `platform-moves` (#team-platform, until 2026-10-11): the \
             platform moves this month (OPS-1412)\n",
            "unreachable: opencomply: no answer after 5 attempts in 31s\n",
            "Exit code 0.\n",
        ],
    );
    let mut expired = estate::forgiven();
    expired.policy.accept[0].grounds.expires = chrono::NaiveDate::default();
    assert_reads(
        &expired,
        &[
            "Unreachable: ",
            "note: acceptance `platform-moves` lapsed on 1970-01-01; it made this evidence a warning",
            "Exit code 5.\n",
        ],
    );
}

#[test]
fn observing_says_everywhere_what_would_have_been() {
    let mut scene = estate::blocked();
    scene.policy.mode = Mode::Observe;
    assert_reads(
        &scene,
        &[
            "Observed only, would have been blocked: 1 of 4 gates is breached\n",
            "! no-critical-or-high breached, would block\n",
            "Verdict: blocked (no-critical-or-high), observed only. Exit code 0.\n",
        ],
    );
}

#[test]
fn an_ended_run_says_that_nothing_was_decided() {
    assert_reads(
        &estate::interrupted(),
        &[
            "Terminated: the CI host ended the run before it could decide\n",
            "interrupted: opencomply: interrupted while job 136 was running\n",
            "next: run it again: nothing was decided\n",
            "note: job 136 was cancelled\n",
            "Exit code 143.\n",
        ],
    );
}

#[test]
fn a_simulated_platform_is_called_so_loudly() {
    let mut scene = estate::passed();
    scene.evidence.outcomes[1].simulated = true;
    assert_reads(&scene, &["SIMULATED: this evidence comes from", "opencomply (SIMULATED) "]);
    assert!(!estate::passed().read().contains("SIMULATED"));
}

#[test]
fn a_window_says_what_it_covers_rather_than_that_it_is_empty() {
    assert_reads(
        &estate::window(),
        &["2026-09-20 14:13 UTC to 2026-09-21 14:13 UTC covered, none found\n"],
    );
}

#[test]
fn findings_known_only_by_number_are_not_passed_over() {
    let mut scene = estate::blocked();
    let part = &mut scene.evidence.outcomes[1].parts[0];
    let by_severity = part.failed_by_severity().into_iter().collect();
    part.counts.table = Some(Table::of_failures(&by_severity));
    part.findings = Findings::counted(Problem::new(Cause::Incomplete, "the details are gone"));
    assert_reads(
        &scene,
        &[
            "12 failed checks where max is 0: 12 over the limit (2 critical, 10 high)",
            "note: the platform reported only the number of failed checks, not each one: the details \
             are gone\n",
        ],
    );
    assert!(scene.render("markdown").contains("not each one: the details are gone"));
}

#[test]
fn what_could_be_the_worst_is_named_first() {
    let mut scene = estate::blocked();
    scene.findings(1)[30].subject.severity = Severity::Unknown;
    assert_reads(&scene, &["(1 unknown, 2 critical, 10 high)", "Fix first\n  unknown S3 buckets"]);
}
