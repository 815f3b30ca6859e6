//! Many gates on one platform whose services restart now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use compliance_gate::evidence::Role;

use super::setup::*;

const GATES: usize = 200;
const FRAMEWORKS: [&str; 3] = ["baseline_security", "second", "third"];
const DEADLINE: Duration = Duration::from_secs(150);

/// Two hundred gates of three frameworks and five accounts start within forty seconds. No verdict is
/// wrong, and none is later than its deadline.
#[tokio::test]
#[ignore = "takes two minutes; run it with `cargo test --test it soak -- --ignored --nocapture`"]
async fn two_hundred_gates_share_one_platform_that_restarts() {
    let accounts: Vec<_> = (1..=5).map(|number| format!("10000000000{number}")).collect();
    let integrations: Vec<_> = accounts
        .iter()
        .map(|id| {
            format!(
                r#"{{"integration_type": "aws_cloud_account", "provider_id": "{id}", "name": "a{id}"}}"#
            )
        })
        .collect();
    let outages: Vec<_> = ["scheduler", "search", "auth", "integration", "scheduler"]
        .iter()
        .zip([10_000, 20_000, 30_000, 40_000, 50_000])
        .map(|(service, after)| {
            format!(r#"{{"service": "{service}", "after": {after}, "lasts": 2500}}"#)
        })
        .collect();
    let other = r#"{"title": "Other", "ok": 90, "alarms": {"critical": 2, "high": 7}}"#;
    let platform = Platform::with(
        &format!(
            r#""frameworks": {{"second": {other}, "third": {other}}}, "integrations": [{}],
               "outages": [{}], "job": {{{QUICK}}}"#,
            integrations.join(", "),
            outages.join(", ")
        ),
        "",
    )
    .await;
    let gates = (0..GATES).map(|number| {
        let chosen: Vec<_> = match number % 6 {
            5 => accounts.iter().collect(),
            one => vec![&accounts[one]],
        };
        let entries: Vec<_> =
            chosen.iter().map(|id| format!("{{provider_id: \"{id}\"}}")).collect();
        let mut gate =
            Gate { deadline: DEADLINE, ..Gate::over(&format!("[{}]", entries.join(", "))) };
        let framework = FRAMEWORKS[number % 3];
        gate.settings = gate
            .settings
            .replace("baseline_security", framework)
            .replace("interval: 60ms", "interval: 1s");
        if number % 4 == 3 {
            gate = gate.mode("{when: stale, max_age: 1h}");
        }
        let platform = &platform;
        async move {
            tokio::time::sleep(Duration::from_millis(number as u64 * 200)).await;
            let began = Instant::now();
            let outcome = gate.outcome(platform).await;
            (framework, chosen.len(), chosen[0].clone(), outcome, began.elapsed())
        }
    });
    let done = futures_util::future::join_all(gates).await;
    let mut results: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (framework, size, first, outcome, took) in done {
        assert!(took < DEADLINE, "took {took:?}");
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(problems) => {
                // A preflight in an outage ends after its tries; nothing was started.
                *counts.entry(format!("preflight {:?}", problems[0].cause)).or_default() += 1;
                continue;
            }
        };
        let part = &outcome.parts[0];
        let kind = match part.problems.first() {
            Some(problem) => format!("{:?}: {}", problem.cause, problem.message),
            None => format!("{:?}", part.jobs[0].role),
        };
        *counts.entry(kind).or_default() += 1;
        for word in ["lost its runners", "gave way", "was cancelled", "does not move"] {
            let noted = part.notes.iter().any(|note| note.contains(word));
            *counts.entry(format!("noted: {word}")).or_default() += usize::from(noted);
        }
        if part.problems.is_empty() {
            let result = (part.looked_at(), part.findings.listed().len());
            results.entry((framework, size, first)).or_default().insert(result);
            assert!(matches!(part.jobs[0].role, Role::Started | Role::Joined | Role::Reused));
        }
    }
    eprintln!("{counts:#?}\n{} starts, {} requests", platform.starts(), platform.requests(""));
    assert!(results.values().all(|different| different.len() == 1), "{results:#?}");
}
