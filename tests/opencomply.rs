//! The OpenComply source against the embedded platform, over real HTTP: what it starts, shares,
//! waits for, refuses to believe, and cleans up.

#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compliance_gate::evidence::{self, Outcome, Part};
use compliance_gate::finding::{Cause, Severity, Trouble};
use compliance_gate::http::{Http, Setup};
use compliance_gate::progress::{Progress, Verbosity};
use compliance_gate::secret::{Token, Variables};
use compliance_gate::selection::{Demand, Field, Need, Pattern, Selection, Wanted};
use compliance_gate::simulator::opencomply::settings::Role;
use compliance_gate::simulator::{Scenario, Simulator};
use compliance_gate::sources::opencomply::Settings;
use compliance_gate::sources::{Listing, Run, Source};
use compliance_gate::stop::{Signal, Stop};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const AWS: &str = "122814690049";
const AZURE: &str = "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b";

/// Short stages, so that a run takes some hundred milliseconds.
const QUICK: &str = r#""pace": {"created": 100, "runners": 300, "sink": 50, "summarizer": 100}"#;

const ADMIN: &str = "key-41c7";
const EDITOR: &str = "key-8e03";
const VIEWER: &str = "key-b9d2";
const REVOKED: &str = "key-0000";

type Log = Arc<Mutex<Vec<String>>>;

/// One simulated installation.
struct Platform {
    simulator: Simulator,
    origin: String,
    log: Log,
}

/// One gate that speaks to it.
struct Gate<'a> {
    settings: String,
    token: &'a str,
    wanted: Wanted,
    deadline: Duration,
    signal: watch::Sender<Option<Signal>>,
}

impl Platform {
    /// A platform with the given keys of the OpenComply scenario, and faults.
    async fn with(opencomply: &str, faults: &str) -> Self {
        let text = format!(r#"{{"opencomply": {{{opencomply}}}, "faults": [{faults}]}}"#);
        Self::start(Scenario::from_json(&text).unwrap()).await
    }

    async fn quick() -> Self {
        Self::with(&format!(r#""job": {{{QUICK}}}"#), "").await
    }

    /// With runners that take so many milliseconds.
    async fn quick_after(runners: &str) -> Self {
        let course = QUICK.replace(r#""runners": 300"#, &format!(r#""runners": {runners}"#));
        Self::with(&format!(r#""job": {{{course}}}"#), "").await
    }

    async fn named(name: &str) -> Self {
        Self::start(Scenario::named(name).unwrap()).await
    }

    async fn start(mut scenario: Scenario) -> Self {
        // Not the words of the roles: the client takes its token out of all that it reads.
        let tokens = [(VIEWER, Role::Viewer), (EDITOR, Role::Editor), (REVOKED, Role::Revoked)];
        scenario.opencomply.tokens = tokens.map(|(token, role)| (token.to_owned(), role)).into();
        let log = Log::default();
        let seen = Arc::clone(&log);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let simulator = Simulator::start(address, scenario, move |access| {
            seen.lock().unwrap().push(access.to_string());
        });
        let simulator = simulator.await.unwrap();
        Self { origin: simulator.origin(), simulator, log }
    }

    /// How many requests there were whose line holds the text.
    fn requests(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    fn starts(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains("/run ")).count()
    }
}

impl Gate<'_> {
    fn over(integrations: &str) -> Self {
        Self {
            settings: format!(
                "frameworks: [baseline_security]\nintegrations: {integrations}\n\
                 poll: {{interval: 60ms}}\n"
            ),
            token: ADMIN,
            wanted: Wanted::default(),
            deadline: Duration::from_secs(30),
            signal: watch::channel(None).0,
        }
    }

    /// Over the two integrations of the vendor's page.
    fn documented() -> Self {
        Self::over(&format!(
            "[{{integration_type: aws_cloud_account, provider_id: \"{AWS}\"}}, \
             {{integration_type: azure_subscription, provider_id: {AZURE}}}]"
        ))
    }

    fn mode(mut self, run: &str) -> Self {
        self.settings += &format!("run: {run}\n");
        self
    }

    fn run(&self, platform: &Platform) -> (Settings, Run) {
        let text = format!("url: {}\n{}", platform.origin, self.settings);
        let settings: Settings = serde_yaml::from_str(&text).expect(&text);
        let stop = Stop::new(self.deadline, self.signal.subscribe());
        let progress = Rc::new(Progress::new(Verbosity::Quiet));
        let variables = Variables::from([("OPENCOMPLY_API_KEY".to_owned(), self.token.to_owned())]);
        let connection = settings.connection();
        let token = Token::read(&connection.token_variables, &variables).unwrap();
        let setup = Setup {
            source: "opencomply",
            base: &connection.url,
            credentials: settings.credentials(token, &stop, &progress).unwrap(),
            headers: settings.headers(),
            timeout: connection.request_timeout,
            ca_file: None,
        };
        let http = Http::new(setup, stop.clone(), Rc::clone(&progress)).unwrap();
        let (name, wanted) = ("opencomply".to_owned(), self.wanted.clone());
        (settings, Run { name, http, wanted, stop, progress })
    }

    async fn outcome(&self, platform: &Platform) -> Result<Outcome, Vec<Trouble>> {
        let (settings, run) = self.run(platform);
        let ready = settings.preflight(&run).await?;
        Ok(ready.collect().await)
    }

    async fn part(&self, platform: &Platform) -> Part {
        let outcome = self.outcome(platform).await.expect("preflight");
        assert!(outcome.simulated && outcome.troubles.is_empty());
        outcome.parts.into_iter().next().expect("a part")
    }
}

/// An origin in front of this one whose answers take so much longer.
async fn late(upstream: SocketAddr, by: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (client, server) = (Arc::new(client), TcpStream::connect(upstream).await.unwrap());
            let server = Arc::new(server);
            tokio::spawn(pass(Arc::clone(&client), Arc::clone(&server), Duration::ZERO));
            tokio::spawn(pass(server, client, by));
        }
    });
    origin
}

async fn pass(from: Arc<TcpStream>, to: Arc<TcpStream>, late_by: Duration) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        from.readable().await?;
        let length = match from.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        tokio::time::sleep(late_by).await;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            to.writable().await?;
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn job_ids(part: &Part) -> Vec<&str> {
    part.jobs.iter().map(|job| &*job.id).collect()
}

fn roles(part: &Part) -> Vec<evidence::Role> {
    part.jobs.iter().map(|job| job.role).collect()
}

fn select(words: &[(Field, &str)]) -> Selection {
    let words = words.iter().map(|(field, word)| (*field, vec![Pattern::new(*word)]));
    Selection { words: words.collect(), ..Selection::default() }
}

/// The figures of the vendor's page.
#[track_caller]
fn assert_documented(part: &Part) {
    assert_eq!(part.troubles, []);
    assert_eq!(part.evaluated, 561);
    assert_eq!(part.findings_missing, None);
    assert_eq!(part.findings.len(), 152);
    assert_eq!(
        part.failed_by_severity(),
        [(Severity::High, 119), (Severity::Medium, 27), (Severity::Low, 6)]
    );
    let all = part.count(&Selection::default()).unwrap();
    assert_eq!((all.passed, all.failed), (409, 152));
    assert!(part.as_of.is_some());
}

#[track_caller]
fn assert_trouble(part: &Part, cause: Cause, words: &str) {
    let found = part
        .troubles
        .iter()
        .any(|trouble| trouble.cause == cause && trouble.message.contains(words));
    assert!(found, "{cause:?} {words:?} not in {:#?}", part.troubles);
    assert!(part.findings.is_empty(), "findings of evidence that cannot be relied on");
}

#[tokio::test]
async fn the_documented_run_has_the_documented_figures() {
    let platform = Platform::quick().await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
    assert_eq!(part.jobs[0].state, "SUCCEEDED");
    let accounts: BTreeSet<_> = part
        .findings
        .iter()
        .map(|finding| finding.subject.account.as_ref().unwrap().id.to_string())
        .collect();
    assert_eq!(accounts, [AWS.to_owned(), AZURE.to_owned()].into());
    for finding in &part.findings {
        assert!(finding.subject.rule.as_ref().unwrap().title.is_some(), "{finding:?}");
        assert!(finding.resource_id.is_some() && finding.reason.is_some(), "{finding:?}");
    }
    // Who else runs is looked up before the start and after it; nothing is downloaded twice.
    assert_eq!(platform.starts(), 1);
    assert_eq!(platform.requests("run-history"), 2);
    assert_eq!(platform.requests("quick/scan"), 1);
    assert_eq!(platform.requests("cancel"), 0);
}

#[tokio::test]
async fn a_clean_estate_is_counted_without_downloading_its_passes() {
    let platform = Platform::named("clean").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!((part.troubles.len(), part.findings.len()), (0, 0));
    assert!(part.evaluated > 0);
    assert_eq!(platform.requests("quick/scan"), 0);
    assert_eq!(platform.requests("benchmarks/controls"), 0);
}

#[tokio::test]
async fn more_than_ten_integrations_are_several_jobs_that_are_summed() {
    let platform =
        Platform::with(&format!(r#""extra_integrations": 23, "job": {{{QUICK}}}"#), "").await;
    let part = Gate::over("all").part(&platform).await;
    assert_documented(&part);
    assert_eq!(job_ids(&part), ["136", "137", "138"]);
    // And such a run is recognised when it is over.
    let again = Gate::over("all").mode("{when: stale, max_age: 1h}").part(&platform).await;
    assert_documented(&again);
    assert_eq!(job_ids(&again), ["136", "137", "138"]);
    assert_eq!(roles(&again), [evidence::Role::Reused; 3]);
    assert_eq!(platform.starts(), 1);
}

#[tokio::test]
async fn an_equal_run_is_joined() {
    let platform = Platform::named("joinable").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["135"], vec![evidence::Role::Joined]));
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn gates_that_start_at_once_share_one_run() {
    let mut platform = Platform::quick_after("4000").await;
    // Every answer is old when it arrives, so that nobody sees who else has just started.
    platform.origin = late(platform.simulator.address(), Duration::from_millis(250)).await;
    let gates: Vec<_> = (0..8).map(|_| Gate::documented()).collect();
    let parts = futures_util::future::join_all(gates.iter().map(|gate| gate.part(&platform))).await;
    parts.iter().for_each(assert_documented);
    let gave_way = parts.iter().filter(|part| part.notes.iter().any(|n| n.contains("gave way")));
    assert_eq!(platform.starts(), 1 + gave_way.count());
    assert!(platform.starts() > 1, "nothing was tested");
    let jobs: BTreeSet<_> = parts.iter().flat_map(job_ids).collect();
    assert_eq!(jobs, ["136"].into());
    let started = parts.iter().filter(|part| roles(part) == [evidence::Role::Started]).count();
    assert_eq!(started, 1);
}

#[tokio::test]
async fn a_joined_run_that_its_owner_cancels_is_replaced() {
    let platform = Platform::quick_after("3000").await;
    let owner = Gate { deadline: Duration::from_millis(2000), ..Gate::documented() };
    let guest = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        Gate::documented().part(&platform).await
    };
    let (outcome, part) = tokio::join!(owner.outcome(&platform), guest);
    assert_trouble(&outcome.unwrap().parts[0], Cause::Deadline, "job 136");
    assert_documented(&part);
    assert!(part.notes.iter().any(|note| note.contains("was cancelled")), "{:?}", part.notes);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["137"], vec![evidence::Role::Started]));
}

#[tokio::test]
async fn a_run_over_other_integrations_is_waited_for() {
    let busy = format!(
        r#""history": [{{"age": 1, "integrations": ["{AWS}"], "job": {{"pace": {{"runners": 1500}}}}}}],
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&busy, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["136"], vec![evidence::Role::Started]));
    assert!(platform.requests("run-history") > 2);
    assert_eq!(platform.starts(), 1);
}

#[tokio::test]
async fn a_run_that_was_superseded_by_an_equal_one_is_replaced_by_it() {
    let platform = Platform::named("superseded").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["137"], vec![evidence::Role::Joined]));
    assert!(part.notes.iter().any(|note| note.contains("job 136 lost its runners")));
    assert_eq!(platform.starts(), 1);
}

#[tokio::test]
async fn a_run_that_was_superseded_by_another_one_is_started_once_more() {
    let platform = Platform::named("superseded-by-others").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert_eq!((job_ids(&part), roles(&part)), (vec!["138"], vec![evidence::Role::Started]));
    assert_eq!(platform.starts(), 2);
}

#[tokio::test]
async fn a_run_that_is_superseded_again_and_again_is_given_up() {
    let rival = format!(
        r#""rival": {{"after": 250, "times": 9, "integrations": ["{AWS}"], "job": {{{QUICK}}}}},
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&rival, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_trouble(&part, Cause::Incomplete, "are ended by others");
    assert_eq!(platform.starts(), 2);
}

const START: &str = r#""path": "/main/schedule/api/v3/compliance/framework/", "method": "POST""#;

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_is_ours() {
    for fault in [r#""status": 504"#, r#""status": 500, "kind": "json""#, r#""kind": "truncated""#]
    {
        let fault = format!(r#"{{{START}, "applied": true, {fault}}}"#);
        let platform = Platform::with(&format!(r#""job": {{{QUICK}}}"#), &fault).await;
        let part = Gate::documented().part(&platform).await;
        assert_documented(&part);
        assert_eq!(
            (job_ids(&part), roles(&part)),
            (vec!["136"], vec![evidence::Role::Started]),
            "{fault}"
        );
        assert_eq!(platform.starts(), 1);
    }
}

#[tokio::test]
async fn a_start_that_never_arrived_is_sent_once_more_and_no_more() {
    let fault = |times: u32| format!(r#"{{{START}, "status": 502, "times": {times}}}"#);
    let quick = format!(r#""job": {{{QUICK}}}"#);
    let platform = Platform::with(&quick, &fault(1)).await;
    assert_documented(&Gate::documented().part(&platform).await);
    assert_eq!(platform.starts(), 2);
    let platform = Platform::with(&quick, &fault(9)).await;
    let part = Gate::documented().part(&platform).await;
    assert_trouble(&part, Cause::Unreachable, "answered 502");
    assert_eq!(platform.starts(), 2);
}

#[tokio::test]
async fn a_recent_run_is_used_again_and_an_old_one_is_not() {
    let past = format!(r#""history": [{{"age": 3600}}], "job": {{{QUICK}}}"#);
    for (max_age, starts, role) in
        [("2h", 0, evidence::Role::Reused), ("30m", 1, evidence::Role::Started)]
    {
        let platform = Platform::with(&past, "").await;
        let gate = Gate::documented().mode(&format!("{{when: stale, max_age: {max_age}}}"));
        let part = gate.part(&platform).await;
        assert_documented(&part);
        assert_eq!((platform.starts(), roles(&part)), (starts, vec![role]));
    }
}

#[tokio::test]
async fn a_recent_run_with_a_gap_is_not_used_again() {
    let past = format!(
        r#""history": [{{"age": 7200}}, {{"age": 3600, "job": {{"timed_out_runners": 1}}}},
           {{"age": 1800, "job": {{"ends": "FAILED"}}}}], "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&past, "").await;
    let stale = Gate::documented().mode("{when: stale, max_age: 1h 30m}").part(&platform).await;
    assert_documented(&stale);
    assert_eq!(roles(&stale), [evidence::Role::Started]);
    // Nor is an older one where nothing is to be started: the newest is what the platform knows.
    for (course, cause, words) in [
        (r#""timed_out_runners": 1"#, Cause::Incomplete, "job 135 SUCCEEDED, but of its"),
        (r#""ends": "FAILED""#, Cause::JobFailed, "job 135 ended as FAILED"),
        (r#""report": "missing""#, Cause::Incomplete, "job 135 SUCCEEDED, but there is no report"),
    ] {
        let past = format!(r#""history": [{{"age": 7200}}, {{"age": 1800, "job": {{{course}}}}}]"#);
        let platform = Platform::with(&past, "").await;
        let never = Gate { token: VIEWER, ..Gate::documented().mode("{when: never}") };
        let part = never.part(&platform).await;
        assert_trouble(&part, cause, words);
        assert!(part.notes.iter().any(|note| note.contains("no older one")), "{:?}", part.notes);
        assert_eq!((platform.starts(), platform.requests(" 406")), (0, 0));
    }
}

#[tokio::test]
async fn a_run_that_says_nothing_is_looked_past() {
    let past = r#""history": [{"age": 7200}, {"age": 3600, "job": {"ends": "CANCELED"}}]"#;
    for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 3h}", ADMIN)] {
        let platform = Platform::with(past, "").await;
        let part = Gate { token, ..Gate::documented().mode(mode) }.part(&platform).await;
        assert_documented(&part);
        assert_eq!((job_ids(&part), roles(&part)), (vec!["134"], vec![evidence::Role::Reused]));
        assert!(part.notes.iter().any(|note| note.contains("job 135 was cancelled")));
        assert_eq!(platform.starts(), 0);
    }
}

#[tokio::test]
async fn a_run_is_found_behind_any_number_of_others() {
    for other in [
        format!(r#""integrations": ["{AWS}"]"#),
        format!(r#""with_incidents": false, "integrations": ["{AWS}", "{AZURE}"]"#),
    ] {
        let others = format!(r#", {{"age": 3600, {other}}}"#).repeat(230);
        let past = format!(r#""first_job_id": 500, "history": [{{"age": 7200}}{others}]"#);
        let platform = Platform::with(&past, "").await;
        for (mode, token) in [("{when: never}", VIEWER), ("{when: stale, max_age: 3h}", ADMIN)] {
            let part = Gate { token, ..Gate::documented().mode(mode) }.part(&platform).await;
            assert_documented(&part);
            assert_eq!(roles(&part), [evidence::Role::Reused]);
        }
        assert_eq!(platform.starts(), 0);
    }
}

#[tokio::test]
async fn never_starts_nothing_and_says_what_it_looked_at() {
    let platform = Platform::with(r#""history": [{"age": 7200}]"#, "").await;
    let never = |mode: &str| Gate { token: VIEWER, ..Gate::documented().mode(mode) };
    let part = never("{when: never, max_age: 1h}").part(&platform).await;
    assert_trouble(&part, Cause::Incomplete, "job 135 ended 1h 59m");
    let platform = Platform::quick().await;
    let part = never("{when: never}").part(&platform).await;
    assert_trouble(&part, Cause::Incomplete, "the history shows none");
    assert_eq!(platform.starts(), 0);
    let platform = Platform::named("joinable").await;
    let part = never("{when: never}").part(&platform).await;
    assert_documented(&part);
    assert_eq!(roles(&part), [evidence::Role::Joined]);
}

#[tokio::test]
async fn what_a_succeeded_job_hides_is_found() {
    for (name, cause, words) in [
        ("inconclusive", Cause::Incomplete, "2 failed"),
        ("timed-out-runners", Cause::Incomplete, "3 timed out"),
        ("missing-report", Cause::Incomplete, "no report"),
        ("failed", Cause::JobFailed, "ended as FAILED at step SUMMARIZER_IN_PROGRESS"),
        ("timeout", Cause::JobFailed, "ended as TIMEOUT"),
        ("canceled", Cause::JobFailed, "ended as CANCELED"),
        ("contradictory", Cause::Contradictory, "in their breakdown"),
        (
            "sink-limit",
            Cause::Contradictory,
            "has 152 failed results of this job where its status counts 140",
        ),
        ("inactive", Cause::Incomplete, "is INACTIVE"),
    ] {
        let platform = Platform::named(name).await;
        let part = Gate::documented().part(&platform).await;
        assert_trouble(&part, cause, words);
        if matches!(name, "inconclusive" | "timed-out-runners") {
            assert_trouble(&part, cause, "not evaluated: ");
        }
        assert_eq!(platform.requests("cancel"), 0, "{name}");
    }
}

#[tokio::test]
async fn a_severity_that_nobody_named_counts_as_unknown() {
    let platform = Platform::named("unknown-severity").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.troubles, []);
    let unknown = part.failed_by_severity();
    assert_eq!(unknown[0].0, Severity::Unknown, "{unknown:?}");
    assert!(part.notes.iter().any(|note| note.contains("`severe`")), "{:?}", part.notes);
}

#[tokio::test]
async fn an_empty_report_is_told_from_a_missing_one() {
    let empty = format!(
        r#""frameworks": {{"baseline_security": {{"ok": 0, "alarms": {{}}}}}}, "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&empty, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_trouble(&part, Cause::Empty, "evaluated nothing");
    assert_eq!(part.troubles.len(), 1);
}

#[tokio::test]
async fn a_stopped_gate_cancels_what_it_started_and_nothing_else() {
    let platform = Platform::named("stuck").await;
    let gate = Gate { deadline: Duration::from_millis(1500), ..Gate::documented() };
    let outcome = gate.outcome(&platform).await.unwrap();
    assert_trouble(&outcome.parts[0], Cause::Deadline, "job 136 CREATED");
    assert!(
        outcome.notes.iter().any(|note| note.contains("job 136") && note.contains("was cancelled"))
    );
    assert_eq!(platform.requests("POST /main/schedule/api/v3/jobs/cancel"), 1);

    let platform = Platform::named("joinable").await;
    let gate = Gate { deadline: Duration::from_millis(1500), ..Gate::documented() };
    let outcome = gate.outcome(&platform).await.unwrap();
    assert_trouble(&outcome.parts[0], Cause::Deadline, "job 135");
    assert_eq!(platform.requests("cancel"), 0);
}

#[tokio::test]
async fn an_interrupted_gate_returns_and_cancels() {
    let platform = Platform::named("stuck").await;
    let gate = Gate::documented();
    let signal = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        gate.signal.send(Some(Signal::Terminate)).unwrap();
    };
    let (outcome, ()) = tokio::join!(gate.outcome(&platform), signal);
    let outcome = outcome.unwrap();
    assert_trouble(&outcome.parts[0], Cause::Interrupted, "job 136");
    assert!(outcome.notes.iter().any(|note| note.contains("was cancelled")), "{:?}", outcome.notes);
}

#[tokio::test]
async fn a_framework_that_fails_does_not_hide_the_others() {
    let two = format!(
        r#""frameworks": {{"other": {{"title": "Other", "ok": 10, "alarms": {{"high": 1}}}}}},
           "job": {{{QUICK}}}"#
    );
    let fault = r#"{"path": "/main/schedule/api/v3/benchmark/other/run-history", "times": null,
                    "status": 400, "kind": "json"}"#;
    let platform = Platform::with(&two, fault).await;
    let mut gate = Gate::documented();
    gate.settings = gate.settings.replace("[baseline_security]", "[other, baseline_security]");
    let outcome = gate.outcome(&platform).await.unwrap();
    assert_eq!(outcome.parts[0].framework.as_deref(), Some("other"));
    assert_trouble(&outcome.parts[0], Cause::Protocol, "answered 400");
    assert_documented(&outcome.parts[1]);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_before_anything_is_started() {
    let platform = Platform::quick().await;
    let mut gate = Gate::over("[{provider_id: \"12281469004\"}, {name: nobody-knows}]");
    gate.settings = gate.settings.replace("baseline_security", "baseline_securty");
    gate.token = EDITOR;
    let troubles = gate.outcome(&platform).await.unwrap_err();
    let told: Vec<_> = troubles.iter().map(|trouble| (trouble.cause, &*trouble.message)).collect();
    assert!(told[0].0 == Cause::Denied && told[0].1.contains("`editor`"), "{told:?}");
    assert!(told[1].1.contains("did you mean `baseline_security`?"), "{told:?}");
    assert!(told[2].1.contains(&format!("did you mean `{AWS}`?")), "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(platform.starts(), 0);
}

#[tokio::test]
async fn a_platform_that_cannot_serve_says_so_once() {
    let platform = Platform::quick().await;
    let revoked = Gate { token: REVOKED, ..Gate::documented() };
    let troubles = revoked.outcome(&platform).await.unwrap_err();
    assert_eq!((troubles.len(), troubles[0].cause), (1, Cause::Denied), "{troubles:?}");
    assert!(troubles[0].help.as_ref().unwrap().contains("`OPENCOMPLY_API_KEY`"), "{troubles:?}");

    let platform = Platform::named("disabled").await;
    let part = Gate::documented().part(&platform).await;
    assert_trouble(&part, Cause::Invalid, "compliance service is not enabled");

    let platform = Platform::with(r#""compliance": "not_routed""#, "").await;
    let troubles = Gate::documented().outcome(&platform).await.unwrap_err();
    assert_eq!((troubles.len(), troubles[0].cause), (1, Cause::Protocol), "{troubles:?}");
    assert!(troubles[0].help.as_ref().unwrap().contains("without compliance"));
}

#[tokio::test]
async fn counts_stand_without_the_findings() {
    let quick = format!(r#""job": {{{QUICK}}}"#);
    let no_view = r#"{"path": "/main/compliance/api/v3/quick/scan/", "times": null, "status": 400,
                      "kind": "json"}"#;
    let platform = Platform::with(&quick, no_view).await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.troubles, []);
    assert_eq!(part.findings_missing.as_ref().unwrap().cause, Cause::Incomplete);
    assert_eq!(part.count(&Selection::default()).unwrap().failed, 152);

    // A view of another job is none of this one.
    let other = format!(r#""job": {{{QUICK}, "report": "views_of_another"}}"#);
    let platform = Platform::with(&other, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_eq!(part.troubles, []);
    let missing = part.findings_missing.as_ref().unwrap();
    assert_eq!(missing.cause, Cause::Contradictory);
    assert!(missing.message.contains("job 136 is of job 135"), "{missing:?}");
}

#[tokio::test]
async fn nothing_is_relied_on_that_no_report_recounts() {
    for (status, cause) in [
        (400, Cause::Protocol),
        (401, Cause::Denied),
        (403, Cause::Denied),
        (404, Cause::Protocol),
        (406, Cause::Denied),
    ] {
        let fault = format!(
            r#"{{"path": "/main/compliance/api/v3/job-report/", "times": null, "status": {status},
                "kind": "json"}}"#
        );
        let platform = Platform::with(&format!(r#""job": {{{QUICK}}}"#), &fault).await;
        let part = Gate::documented().part(&platform).await;
        assert_trouble(&part, cause, "job-report");
    }
}

#[tokio::test]
async fn an_error_with_a_good_status_is_no_empty_list() {
    let past = r#""history": [{"age": 1, "integrations": ["122814690049"],
                              "job": {"pace": {"runners": 60000}}}]"#;
    for path in [
        "/main/compliance/api/v1/frameworks",
        "/main/integration/api/v1/integrations",
        "/main/schedule/api/v3/benchmark/*/run-history",
    ] {
        let fault = format!(r#"{{"path": "{path}", "times": null, "kind": "message-200"}}"#);
        let platform = Platform::with(past, &fault).await;
        let troubles = match Gate::documented().outcome(&platform).await {
            Err(troubles) => troubles,
            Ok(outcome) => outcome.parts[0].troubles.clone(),
        };
        let causes: Vec<_> = troubles.iter().map(|trouble| trouble.cause).collect();
        assert_eq!(causes, [Cause::Protocol], "{path}: {troubles:?}");
        assert_eq!(platform.starts(), 0, "{path}");
    }
}

#[tokio::test]
async fn a_start_that_does_not_say_what_it_is_over_is_confirmed_by_its_status() {
    let platform =
        Platform::with(&format!(r#""silent_start": true, "job": {{{QUICK}}}"#), "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    // Several jobs that do not say it cannot be told apart.
    let many = format!(r#""silent_start": true, "extra_integrations": 23, "job": {{{QUICK}}}"#);
    let platform = Platform::with(&many, "").await;
    let part = Gate::over("all").part(&platform).await;
    assert_trouble(&part, Cause::Incomplete, "the platform started a run without");
}

#[tokio::test]
async fn the_types_of_a_framework_may_only_be_known_to_the_platform() {
    let hidden = format!(
        r#""frameworks": {{"baseline_security": {{"hides_types": true}}}}, "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&hidden, "").await;
    assert_documented(&Gate::documented().part(&platform).await);
    let part = Gate::over("all").part(&platform).await;
    assert_trouble(&part, Cause::Invalid, "github_account");
    assert!(part.troubles[0].help.as_ref().unwrap().contains("`integrations`"));
}

#[tokio::test]
async fn a_remnant_of_a_run_blocks_nobody() {
    let past = format!(
        r#""history": [{{"age": 400000, "integrations": ["{AWS}"],
                         "job": {{"ends": "NEVER", "stuck_in": "SINK_IN_PROGRESS"}}}}],
           "job": {{{QUICK}}}"#
    );
    let platform = Platform::with(&past, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    let told = part.notes.join("\n");
    assert!(told.contains("job 135 is SINK_IN_PROGRESS, created 4days"), "{told}");
}

#[tokio::test]
async fn titles_are_worth_having_but_nothing_depends_on_them() {
    let quick = format!(r#""history": [{{"age": 60}}], "job": {{{QUICK}}}"#);
    let fault = r#"{"path": "/main/compliance/api/v1/benchmarks/controls", "times": null,
                    "status": 404, "kind": "json"}"#;
    let platform = Platform::with(&quick, fault).await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
    assert!(part.findings.iter().all(|finding| finding.title() == finding.rule_id()));
    assert!(part.notes.iter().any(|note| note.contains("titles")), "{:?}", part.notes);
}

#[tokio::test]
async fn passes_are_read_only_where_the_policy_asks_for_more_than_counts_by_control() {
    let platform = Platform::quick().await;
    let by_account = select(&[(Field::Account, AWS)]);
    let by_resource = select(&[(Field::Resource, "*"), (Field::Account, AZURE)]);
    let demands = [(&by_account, Need::Existence), (&by_resource, Need::Passes)];
    let demands = demands.map(|(selection, need)| Demand { selection: selection.clone(), need });
    let gate = Gate { wanted: Wanted { demands: demands.into() }, ..Gate::documented() };
    let part = gate.part(&platform).await;
    assert_documented(&part);
    let aws = part.count(&by_account).unwrap();
    let azure = part.count(&by_resource).unwrap();
    assert_eq!((aws.passed + azure.passed, aws.failed + azure.failed), (409, 152));
    assert!(aws.passed > 0 && azure.passed > 0);
}

#[tokio::test]
async fn an_integration_that_is_deleted_during_the_run_makes_it_inconclusive() {
    let deleted = format!(
        r#""integrations": [
             {{"integration_type": "aws_cloud_account", "provider_id": "{AWS}", "name": "a"}},
             {{"integration_type": "azure_subscription", "provider_id": "{AZURE}", "name": "b",
               "deleted_after": 1200}}],
           "job": {{"pace": {{"runners": 5000}}}}"#
    );
    let platform = Platform::with(&deleted, "").await;
    let part = Gate::documented().part(&platform).await;
    assert_trouble(&part, Cause::Incomplete, "fails to get one of its integrations");
}

#[tokio::test]
async fn hostile_text_is_carried_and_trips_nothing() {
    let platform = Platform::named("hostile").await;
    let part = Gate::documented().part(&platform).await;
    assert_documented(&part);
}

#[tokio::test]
async fn what_the_platform_has_can_be_listed() {
    let platform = Platform::quick().await;
    let (settings, run) = Gate::documented().run(&platform);
    let frameworks = settings.list(&run.http, Listing::Frameworks).await.unwrap();
    let row = frameworks.rows.iter().find(|row| row[0] == "baseline_security").unwrap();
    assert_eq!(row[2], "aws_cloud_account,azure_subscription");
    let integrations = settings.list(&run.http, Listing::Integrations).await.unwrap();
    let row = integrations.rows.iter().find(|row| row[1] == AWS).unwrap();
    assert_eq!((&*row[0], &*row[3]), ("aws_cloud_account", "ACTIVE"));
    assert!(settings.has_lists());
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_promised_is_never_green() {
    let paths = [
        "/main/auth/api/v1/me",
        "/main/compliance/api/v1/frameworks",
        "/main/integration/api/v1/integrations",
        "/main/schedule/api/v3/benchmark/*/run-history",
        "/main/schedule/api/v3/compliance/framework/",
        "/main/schedule/api/v3/job/compliance/",
        "/main/compliance/api/v3/job-report/",
        "/main/compliance/api/v3/quick/scan/",
    ];
    for kind in ["html-200", "wrong-type", "truncated"] {
        let platforms = paths.map(|path| async move {
            let fault = format!(r#"{{"path": "{path}", "times": null, "kind": "{kind}"}}"#);
            // Every request of this kind; without a run to find, a lost start is an error too.
            let job = format!(r#""job": {{{QUICK}}}"#);
            let platform = Platform::with(&job, &fault).await;
            match Gate::documented().outcome(&platform).await {
                Err(troubles) => assert_eq!(troubles[0].cause, Cause::Protocol, "{path} {kind}"),
                Ok(outcome) => {
                    let part = &outcome.parts[0];
                    let started = path.contains("framework/") && kind == "truncated";
                    let missing = part.findings_missing.iter();
                    let causes: Vec<_> =
                        part.troubles.iter().chain(missing).map(|trouble| trouble.cause).collect();
                    if started {
                        // It was carried out, and found in the history.
                        assert_documented(part);
                    } else {
                        assert_eq!(causes.len(), 1, "{path} {kind}: {causes:?}");
                        assert!(part.findings.is_empty(), "{path} {kind}");
                    }
                }
            }
        });
        futures_util::future::join_all(platforms).await;
    }
}

#[tokio::test]
async fn a_framework_with_capitals_is_not_started_through_the_path_that_lowers_them() {
    let capitals = r#""frameworks": {"CIS_AWS": {"title": "CIS"}}"#;
    let platform = Platform::with(capitals, "").await;
    let mut gate = Gate::documented();
    gate.settings = gate.settings.replace("baseline_security", "CIS_AWS");
    gate.outcome(&platform).await.unwrap();
    assert_eq!(platform.requests("POST /main/schedule/api/v3/compliance/run "), 1);
    assert_eq!(platform.requests("POST /main/schedule/api/v3/compliance/framework/"), 0);
}
