//! Runs the source as the gate would.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compliance_gate::evidence::Outcome;
use compliance_gate::finding::Problem;
use compliance_gate::http::{Http, Setup};
use compliance_gate::progress::{Progress, Verbosity};
use compliance_gate::secret::{Token, Variables};
use compliance_gate::selection::{Demand, Wanted};
use compliance_gate::sources::{Session, Source};
use compliance_gate::stop::{Signal, Stop};
use compliance_gate_simulator::{Access, Scenario, Simulator};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::meddler::{self, Meddling};
use crate::common::permit;

/// What a collection brought.
pub struct Collected {
    /// Empty if the preflight refused.
    pub outcome: Outcome,
    /// Why the preflight refused.
    pub refused: Option<Problem>,
    /// Every request the platform saw, if it was the simulator.
    pub requests: Vec<String>,
}

/// Collects from a simulated platform with these parameters.
pub async fn collect(gravityzone: Value, settings: Value, demands: &[Demand]) -> Collected {
    collect_with(gravityzone, &[], settings, demands).await
}

/// Collects from a simulated platform with these parameters, behind these faults.
pub async fn collect_with(
    gravityzone: Value,
    faults: &[Value],
    settings: Value,
    demands: &[Demand],
) -> Collected {
    let scenario = json!({"gravityzone": gravityzone, "faults": faults});
    simulate(&scenario, settings, demands, None, None).await
}

/// Collects from a simulated platform behind a proxy that changes requests.
pub async fn collect_meddled(
    gravityzone: Value,
    settings: Value,
    demands: &[Demand],
    meddling: Meddling,
) -> Collected {
    simulate(&json!({"gravityzone": gravityzone}), settings, demands, None, Some(meddling)).await
}

/// Collects from the healthy platform until it has answered `answers` requests; then comes Ctrl-C.
pub async fn collect_interrupted(answers: usize, settings: Value) -> Collected {
    simulate(&json!({}), settings, &[], Some(answers), None).await
}

async fn simulate(
    scenario: &Value,
    settings: Value,
    demands: &[Demand],
    interrupt_after: Option<usize>,
    meddling: Option<Meddling>,
) -> Collected {
    let scenario = Scenario::from_json(&scenario.to_string()).unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (sender, signal) = watch::channel(None);
    let log = Arc::clone(&requests);
    let on_request = move |one: &Access| {
        let mut log = log.lock().unwrap();
        log.push(one.to_string());
        if Some(log.len()) == interrupt_after {
            sender.send(Some(Signal::Interrupt)).unwrap();
        }
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let simulator = Simulator::start(address, scenario, on_request).await.unwrap();
    let origin = match meddling {
        Some(meddling) => meddler::start(simulator.origin(), meddling).await,
        None => simulator.origin(),
    };
    let mut collected = run(&origin, settings, demands, signal).await;
    collected.requests.append(&mut requests.lock().unwrap());
    collected
}

/// Collects from whatever answers at this origin.
pub async fn collect_from(origin: &str, settings: Value, demands: &[Demand]) -> Collected {
    let (_sender, signal) = watch::channel(None);
    run(origin, settings, demands, signal).await
}

async fn run(
    origin: &str,
    mut settings: Value,
    demands: &[Demand],
    signal: watch::Receiver<Option<Signal>>,
) -> Collected {
    settings["url"] = format!("{origin}/v1").into();
    let source = Source::read("gravityzone", settings).unwrap();
    let stop = Stop::new(Duration::from_secs(60), signal);
    let progress = Rc::new(Progress::new(Verbosity::Quiet));
    let variables = Variables::from([("GRAVITYZONE_API_KEY".to_owned(), "a-token".to_owned())]);
    let connection = source.connection();
    let token = Token::read(&connection.token_variables, &variables).unwrap();
    let setup = Setup {
        source: "gravityzone",
        base: &connection.url,
        credentials: source.credentials(token, &stop, &progress).unwrap(),
        headers: source.headers(),
        timeout: connection.request_timeout,
        spacing: Duration::ZERO,
        tls: &compliance_gate::http::Tls::default(),
    };
    let run = Session {
        name: "gravityzone".to_owned(),
        http: Http::new(setup, stop.clone(), Rc::clone(&progress)).unwrap(),
        wanted: Wanted { demands: demands.to_vec(), ..Wanted::default() },
        permit: permit(),
        previous: None,
        stop,
        progress,
    };
    let (outcome, refused) = match source.preflight(&run).await {
        Ok(ready) => (ready.collect().await, None),
        Err(mut problems) => (run.outcome(vec![], vec![], vec![]), problems.pop()),
    };
    Collected { outcome, refused, requests: Vec::new() }
}
