//! A simulated installation, a gate that speaks to it, and what is asserted of its evidence.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{look_until, permit};
use compliance_gate::evidence::{self, Outcome, Part};
use compliance_gate::finding::{Cause, Problem, Severity};
use compliance_gate::http::{Http, Setup};
use compliance_gate::progress::{Progress, Verbosity};
use compliance_gate::secret::{Token, Variables};
use compliance_gate::selection::{Field, Pattern, Selection, Wanted};
use compliance_gate::sources::{Session, Source};
use compliance_gate::stop::{Signal, Stop};
use compliance_gate_simulator::{Role, Scenario, Simulator};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub const AWS: &str = "122814690049";
pub const AZURE: &str = "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b";

/// Short stages, so that a run takes some hundred milliseconds.
pub const QUICK: &str =
    r#""pace": {"created": 100, "runners": 300, "sink": 50, "summarizer": 100}"#;

/// Job 135 of another gate, over the documented integrations, which takes ten minutes more.
pub const UNFINISHED: &str = r#"{"age": 1, "job": {"pace": {"runners": 600000}},
    "integrations": ["122814690049", "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b"]}"#;

pub const ADMIN: &str = "key-41c7";
pub const EDITOR: &str = "key-8e03";
pub const VIEWER: &str = "key-b9d2";
pub const REVOKED: &str = "key-0000";

pub type Log = Arc<Mutex<Vec<String>>>;

/// One simulated installation.
pub struct Platform {
    pub simulator: Simulator,
    pub origin: String,
    pub log: Log,
}

/// One gate that speaks to it.
pub struct Gate<'a> {
    pub settings: String,
    pub token: &'a str,
    pub wanted: Wanted,
    pub deadline: Duration,
    pub signal: watch::Sender<Option<Signal>>,
}

impl Platform {
    /// A platform with the given keys of the OpenComply scenario, and faults.
    pub async fn with(opencomply: &str, faults: &str) -> Self {
        let text = format!(r#"{{"opencomply": {{{opencomply}}}, "faults": [{faults}]}}"#);
        Self::start(Scenario::from_json(&text).unwrap()).await
    }

    pub async fn quick() -> Self {
        Self::with(&format!(r#""job": {{{QUICK}}}"#), "").await
    }

    pub async fn named(name: &str) -> Self {
        Self::start(Scenario::named(name).unwrap()).await
    }

    pub async fn start(scenario: Scenario) -> Self {
        // Not the words of the roles: the client takes its token out of all that it reads.
        let tokens = [(VIEWER, Role::Viewer), (EDITOR, Role::Editor), (REVOKED, Role::Revoked)];
        let scenario = tokens.iter().fold(scenario, |all, (token, role)| all.token(token, *role));
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
    pub fn requests(&self, text: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// Cancels a job, as its owner would.
    pub async fn cancel(&self, job: u64) {
        // A second call finds it installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let body =
            json!({"job_type": "compliance", "selector": "job_id", "job_id": [job.to_string()]});
        let url = format!("{}/main/schedule/api/v3/jobs/cancel", self.origin);
        let request = reqwest::Client::new().post(url).bearer_auth(ADMIN);
        let request = request.header("content-type", "application/json").body(body.to_string());
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Waits until there were so many requests that hold the text.
    pub async fn until_requested(&self, text: &str, times: usize) {
        look_until(text, async || (self.requests(text) >= times).then_some(())).await;
    }

    pub fn starts(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains("/run ")).count()
    }
}

impl Gate<'_> {
    pub fn over(integrations: &str) -> Self {
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
    pub fn documented() -> Self {
        Self::over(&format!(
            "[{{integration_type: aws_cloud_account, provider_id: \"{AWS}\"}}, \
             {{integration_type: azure_subscription, provider_id: {AZURE}}}]"
        ))
    }

    pub fn mode(mut self, run: &str) -> Self {
        self.settings += &format!("run: {run}\n");
        self
    }

    pub fn run(&self, platform: &Platform) -> (Source, Session) {
        let text = format!("url: {}\n{}", platform.origin, self.settings);
        let settings = Source::OpenComply(serde_yaml::from_str(&text).expect(&text));
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
            spacing: Duration::ZERO,
            tls: &compliance_gate::http::Tls::default(),
        };
        let http = Http::new(setup, stop.clone(), Rc::clone(&progress)).unwrap();
        let (name, wanted) = ("opencomply".to_owned(), self.wanted.clone());
        (settings, Session { name, http, wanted, permit: permit(), previous: None, stop, progress })
    }

    pub async fn outcome(&self, platform: &Platform) -> Result<Outcome, Vec<Problem>> {
        let (source, run) = self.run(platform);
        let ready = source.preflight(&run).await?;
        Ok(ready.collect().await)
    }

    pub async fn part(&self, platform: &Platform) -> Part {
        let outcome = self.outcome(platform).await.expect("preflight");
        assert!(outcome.simulated && outcome.problems.is_empty());
        outcome.parts.into_iter().next().expect("a part")
    }
}

/// An origin in front of this one whose answers take so much longer.
pub async fn late(upstream: SocketAddr, by: Duration) -> String {
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

pub async fn pass(
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    late_by: Duration,
) -> std::io::Result<()> {
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

pub fn job_ids(part: &Part) -> Vec<&str> {
    part.jobs.iter().map(|job| &*job.id).collect()
}

pub fn roles(part: &Part) -> Vec<evidence::Role> {
    part.jobs.iter().map(|job| job.role).collect()
}

pub fn select(words: &[(Field, &str)]) -> Selection {
    let words = words.iter().map(|(field, word)| (*field, vec![Pattern::new(*word)]));
    Selection { words: words.collect(), ..Selection::default() }
}

/// The figures of the vendor's page.
#[track_caller]
pub fn assert_documented(part: &Part) {
    assert_eq!(part.problems, []);
    assert_eq!(part.looked_at(), 561);
    assert_eq!(part.findings.why_incomplete(), None);
    assert_eq!(part.findings.listed().len(), 152);
    assert_eq!(
        part.failed_by_severity(),
        [(Severity::High, 119), (Severity::Medium, 27), (Severity::Low, 6)]
    );
    let all = part.counts.of(&Selection::default()).unwrap();
    assert_eq!((all.passed, all.failed), (Some(409), 152));
    assert!(part.as_of.is_some());
}

#[track_caller]
pub fn assert_problem(part: &Part, cause: Cause, words: &str) {
    let found = part
        .problems
        .iter()
        .any(|problem| problem.cause == cause && problem.message.contains(words));
    assert!(found, "{cause:?} {words:?} not in {:#?}", part.problems);
    assert!(part.findings.listed().is_empty(), "findings of evidence that cannot be relied on");
}
