//! The terminal: what someone reads who never saw the tool.

use std::sync::Arc;

use compliance_gate::evidence::{Findings, Table};
use compliance_gate::finding::{Cause, Problem, Severity};
use compliance_gate::policy::Mode;
use compliance_gate::report::terminal::{Detail, TerminalStyle};
use compliance_gate::verdict::Verdict;

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
fn a_blocked_run_says_which_gate_by_how_much_what_to_fix_and_whom_to_ask() {
    let mut scene = estate::blocked();
    scene.policy.gates[0].owner = Some("#sec-platform".to_owned());
    scene.policy.gates[0].link = Some("https://wiki.example.com/gates/no-critical".to_owned());
    scene.policy.gates[0].description = Some("No open critical or high alarms".to_owned());
    assert_eq!(
        scene.read(),
        "\
✗ Deploy blocked by 1 of 4 gates
  production · .github/compliance-gate.yaml

  ✗ no-critical-or-high  2 critical, 10 high  none allowed  opencomply checks
      No open critical or high alarms
  ! alarm-budget         64 failed checks     12 allowed    opencomply, gravityzone (52 over the limit; warns)
  ✓ 2 more hold: pass-rate, open-cspm-failures

Fix first (12 findings of 3 rules)
  critical S3 buckets do not allow public writes (aws_s3_public_write): 2, no-critical-or-high
      arn:aws:s3:::payments-000, eu-west-1
      arn:aws:s3:::payments-001, eu-west-1
  high S3 buckets block public access (aws_s3_public_access_block): 9, no-critical-or-high
      arn:aws:s3:::payments-000, eu-west-1
      arn:aws:s3:::payments-001, eu-west-1
      and 7 more
  high S3 buckets refuse plain HTTP (aws_s3_tls_only): 1, no-critical-or-high
      arn:aws:s3:::payments-003, eu-west-1

What now
  1. Fix the 12 findings that block, worst first. OpenComply shows a fix only after its next \
discovery (every 12 h by default), or one started by hand.
  2. Ask #sec-platform about no-critical-or-high (.github/compliance-gate.yaml:20). \
https://wiki.example.com/gates/no-critical
  3. Everything: add `--html FILE`. Why: `compliance-gate policy explain no-critical-or-high \
-e production`.
  4. Accept: `compliance-gate accept EVIDENCE --gate no-critical-or-high -e production` (of \
`--save-evidence EVIDENCE`).

Verdict: blocked (no-critical-or-high). Exit code 1.
"
    );
}

#[test]
fn all_that_is_known_is_shown_on_request() {
    let text = estate::blocked().read_all();
    for line in [
        "12 failed checks where max is 0: 12 over the limit (2 critical, 10 high)\n",
        "selects severity critical or high in opencomply: baseline_security\n",
        "in the sum of opencomply: baseline_security + gravityzone\n",
        "✓ pass-rate            86.83% passed        72.5% needed  opencomply\n",
        "arn:aws:s3:::payments-000, eu-west-1: Public access is not blocked.\n",
        "30,817 checks evaluated, failed: 2 high; age not reported\n",
        "evidence of 2026-09-21 14:11 UTC; job 136 SUCCEEDED (started)\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!estate::blocked().read().contains("Evidence"));
}

#[test]
fn one_line_is_enough_for_who_asks_for_no_more() {
    for (scene, line) in [
        (estate::passed(), "✓ Passed: all 3 gates hold. Exit code 0.\n"),
        (
            estate::blocked(),
            "✗ Deploy blocked by 1 of 4 gates (no-critical-or-high). Exit code 1.\n",
        ),
    ] {
        assert_eq!(
            scene.look(TerminalStyle { detail: Detail::Line, ..TerminalStyle::default() }),
            line
        );
    }
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    for columns in [60, 80, 200] {
        for mut scene in [
            estate::blocked(),
            estate::inconclusive(),
            estate::forgiven(),
            estate::big(400),
            estate::interrupted(),
        ] {
            scene.policy.gates[0].owner = Some("#sec-platform".to_owned());
            scene.findings(0).iter_mut().for_each(|finding| {
                finding.resource_id =
                    Some("arn:aws:service:eu-west-1:1228:thing/".repeat(4).into());
            });
            let text =
                scene.look(TerminalStyle { columns: Some(columns), ..TerminalStyle::default() });
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line:?} in\n{text}");
            }
            let unwrapped = scene.read();
            let bare = |text: &str| text.replace([' ', '\n'], "");
            if columns == 200 {
                assert_eq!(bare(&text), bare(&unwrapped));
            }
        }
    }
}

#[test]
fn the_usual_cases_fit_one_screen() {
    for scene in [estate::blocked(), estate::inconclusive(), estate::forgiven(), estate::big(999)] {
        let text = scene.look(TerminalStyle { columns: Some(120), ..TerminalStyle::default() });
        let rows = text.lines().count();
        assert!(rows <= 30, "{rows} rows in\n{text}");
    }
}

#[test]
fn what_is_not_shown_is_counted() {
    assert_reads(
        &estate::big(500),
        &["Fix first (260 findings; 3 of 26 rules shown)\n", "critical", "and 8 more\n"],
    );
}

#[test]
fn a_pass_is_short() {
    assert_eq!(
        estate::passed().read(),
        "\
✓ Passed: all 3 gates hold
  production · .github/compliance-gate.yaml

  ✓ 3 hold: no-critical-or-high, pass-rate, open-cspm-failures

Verdict: passed. Exit code 0.
"
    );
}

#[test]
fn a_finding_has_its_link_its_assignee_and_its_owner() {
    let mut scene = estate::blocked();
    let finding = &mut scene.findings(1)[0];
    finding.link = Some("https://tenant.example.com/#/case/aa".into());
    finding.assignee = Some("hr@example.com".into());
    scene.policy.owners = vec![estate::owner_of_account("122814690049", "#team-payments")];
    assert_reads(
        &scene,
        &[
            "arn:aws:s3:::payments-000, eu-west-1 · assigned to hr@example.com · ask #team-payments\n",
            "      https://tenant.example.com/#/case/aa\n",
            "  2. Ask who owns it: #team-payments (12 findings).\n",
        ],
    );
    scene.findings(1)[0].link = Some("javascript:alert(1)".into());
    assert!(!scene.read().contains("javascript"));
}

#[test]
fn missing_evidence_comes_with_what_to_do_next() {
    assert_reads(
        &estate::inconclusive(),
        &[
            "? Not decided: opencomply: job 136 of baseline_security: 3 runners failed",
            "? no-critical-or-high  could not be judged  job-failed  opencomply\n",
            "? alarm-budget         could not be judged  job-failed  opencomply, gravityzone (warns)\n",
            "so far 2 failed checks (2 high)\n",
            "What is missing\n",
            "job-failed: opencomply: job 136 of baseline_security: 3 runners failed",
            "next: look at the job on the platform, and run again\n",
            "Evidence\n",
            "Exit code 3.\n",
        ],
    );
}

/// One cause for all gates is named once, and no gate is called inconclusive for it.
#[test]
fn what_kept_the_run_from_deciding_is_the_headline() {
    let ended = |problem: Problem, at_least: Option<Verdict>| {
        let mut scene = estate::blocked();
        scene.at_least = at_least;
        scene.evidence.outcomes[1].parts.clear();
        scene.evidence.outcomes[1].problems = vec![problem];
        scene.read()
    };
    let denied = ended(Problem::new(Cause::Denied, "opencomply: 401: the key is unknown"), None);
    assert!(
        denied.starts_with("✗ Access denied by opencomply: 401: the key is unknown\n"),
        "{denied}"
    );
    assert!(denied.contains("? 2 gates could not be judged: no-critical-or-high, pass-rate\n"));
    assert!(denied.contains("next: `compliance-gate doctor` checks address"), "{denied}");
    let away = ended(Problem::new(Cause::Unreachable, "opencomply: no answer in 31s"), None);
    assert!(away.starts_with("✗ Unreachable: opencomply: no answer in 31s\n"), "{away}");
    let invalid = ended(
        Problem::new(Cause::Invalid, "opencomply: OPENCOMPLY_API_KEY is not set"),
        Some(Verdict::Invalid),
    );
    assert!(invalid.starts_with("✗ Could not run: OPENCOMPLY_API_KEY is not set\n"), "{invalid}");
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
        &["opencomply (let through)\n", "the stale evidence shows 12 failed checks\n"],
    );
}

#[test]
fn a_problem_of_several_gates_is_listed_once() {
    let text = estate::inconclusive().read();
    let (_, missing) = text.split_once("What is missing").unwrap();
    assert_eq!(missing.matches("3 runners failed").count(), 1, "{text}");
}

#[test]
fn an_exception_is_never_silent() {
    assert_reads(
        &estate::forgiven(),
        &[
            "✓ Passed with 2 warnings: 1 of 3 gates holds\n",
            "? no-critical-or-high  could not be judged  unreachable  opencomply (let through)\n",
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
        &["Unreachable: ", "platform-moves covers nothing; lapsed on 1970-01-01", "Exit code 5.\n"],
    );
}

#[test]
fn observing_says_everywhere_what_would_have_been() {
    let mut scene = estate::blocked();
    scene.policy.mode = Mode::Observe;
    assert_reads(
        &scene,
        &[
            "! Observed only, would be: Deploy blocked by 1 of 4 gates\n",
            "! no-critical-or-high  2 critical, 10 high  none allowed  opencomply checks (would block)\n",
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
    assert_reads(&scene, &["SIMULATED (no real systems) · production"]);
    assert!(scene.read_all().contains("opencomply (SIMULATED) "));
    assert!(!estate::passed().read().contains("SIMULATED"));
}

#[test]
fn a_window_says_what_it_covers_rather_than_that_it_is_empty() {
    let text = estate::window().read_all();
    let line = "2026-09-20 14:13 UTC to 2026-09-21 14:13 UTC covered, none found\n";
    assert!(text.contains(line), "{text}");
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
            "2 critical, 10 high  none allowed  opencomply checks\n",
            "note: the platform reported only the number of failed checks, not each one: the details \
             are gone\n",
        ],
    );
    assert!(scene.render("markdown").contains("not each one: the details are gone"));
}

#[test]
fn what_could_be_the_worst_is_named_first() {
    let mut scene = estate::blocked();
    Arc::make_mut(&mut scene.findings(1)[30].subject).severity = Severity::Unknown;
    assert_reads(
        &scene,
        &["13 failed checks", "Fix first (13 findings; 3 of 4 rules shown)\n  unknown S3 buckets"],
    );
}
