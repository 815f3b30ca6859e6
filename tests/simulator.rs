//! The embedded platforms, seen by a client that shares nothing with them.
#![cfg(feature = "simulator")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compliance_gate::simulator::{Scenario, Simulator};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

const AWS: &str = "122814690049";
const AZURE: &str = "f8b4c7a2-d9e3-4b1a-9f50-2c8d17e65a3b";

/// A running simulator and the plainest of clients.
struct Platform {
    simulator: Simulator,
    client: Client,
    log: Arc<Mutex<Vec<String>>>,
}

impl Platform {
    async fn named(name: &str) -> Self {
        Self::with(Scenario::named(name).unwrap()).await
    }

    async fn of(scenario: Value) -> Self {
        Self::with(Scenario::from_json(&scenario.to_string()).unwrap()).await
    }

    async fn with(scenario: Scenario) -> Self {
        // A second call finds it installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let simulator = Simulator::start(
            SocketAddr::from(([127, 0, 0, 1], 0)),
            scenario,
            move |access| {
                lines.lock().unwrap().push(access.to_string());
            },
        )
        .await
        .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            simulator,
            client,
            log,
        }
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let url = format!("{}{path}", self.simulator.origin());
        let mut request = self
            .client
            .request(method, url)
            .header("authorization", format!("Bearer {token}"))
            .header("x-api-key", token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        parts(self.send(Method::GET, path, "token", None).await).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        parts(self.send(Method::POST, path, "token", Some(body)).await).await
    }

    /// The request of the documentation.
    async fn run(&self, framework: &str, body: Value) -> (StatusCode, Value) {
        self.post(
            &format!("/main/schedule/api/v3/compliance/framework/{framework}/run"),
            body,
        )
        .await
    }

    async fn run_documented(&self) -> u64 {
        let (status, body) = self.run("baseline_security", documented()).await;
        assert_eq!(status, 200, "{body}");
        body["jobs"][0]["job_id"].as_u64().unwrap()
    }

    async fn status(&self, job: u64) -> Value {
        let (status, body) = self
            .get(&format!("/main/schedule/api/v3/job/compliance/{job}"))
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Polls until the job is in the state, and gives every state seen on the way.
    async fn until(&self, job: u64, state: &str) -> (Value, Vec<String>) {
        let mut seen: Vec<String> = Vec::new();
        let begin = Instant::now();
        loop {
            let body = self.status(job).await;
            let word = body["job_status"].as_str().unwrap();
            if seen.last().map(String::as_str) != Some(word) {
                seen.push(word.to_owned());
            }
            if word == state {
                return (body, seen);
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "still {word} after {seen:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn parts(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

fn documented() -> Value {
    json!({"integration_info": [
        {"integration_type": "aws_cloud_account", "provider_id": AWS},
        {"integration_type": "azure_subscription", "provider_id": AZURE},
    ]})
}

#[tokio::test]
async fn the_documented_run_ends_with_the_documented_figures() {
    let platform = Platform::named("healthy").await;
    let (status, started) = platform.run("baseline_security", documented()).await;
    assert_eq!(status, 200);
    let job = &started["jobs"][0];
    assert_eq!(job["job_id"], 136);
    assert_eq!(job["with_incident"], true);
    assert_eq!(job["benchmark_id"], "baseline_security");
    assert_eq!(job["integration_info"][0]["provider_id"], AWS);
    assert_eq!(job["integration_info"][1]["provider_id"], AZURE);
    assert_eq!(started["jobs"].as_array().unwrap().len(), 1);

    let first = platform.status(136).await;
    assert_eq!(first["job_status"], "CREATED");
    assert_eq!(first["end_time"], Value::Null);
    assert_eq!(first["runners_status"]["total_count"], 0);
    assert_eq!(first["incidents"]["summary"], json!({"ok": 0, "alarm": 0}));

    let (last, seen) = platform.until(136, "SUCCEEDED").await;
    assert_eq!(
        seen,
        [
            "CREATED",
            "RUNNERS_IN_PROGRESS",
            "SINK_IN_PROGRESS",
            "SUMMARIZER_IN_PROGRESS",
            "SUCCEEDED"
        ]
    );
    assert_eq!(
        last["incidents"],
        json!({
            "summary": {"ok": 409, "alarm": 152},
            "alarms_breakdown": {"critical": 0, "high": 119, "medium": 27, "low": 6, "none": 0},
        })
    );
    assert_eq!(
        last["frameworks"],
        json!([{"framework_id": "baseline_security", "framework_name": "Security"}])
    );
    assert_eq!(last["end_time"], last["updated_at"]);
    assert_eq!(last["failure_message"], "");
    assert_eq!(last["runners_status"]["total_count"], 41);
    assert_eq!(last["runners_status"]["runners_succeeded"], 41);
}

#[tokio::test]
async fn every_answer_is_marked_and_logged() {
    let platform = Platform::named("healthy").await;
    for path in [
        "/main/auth/api/v1/me",
        "/v1/cspm/checks?page_limit=1",
        "/anything",
    ] {
        let response = platform.send(Method::GET, path, "token", None).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-simulated-by"], "compliance-gate");
    }
    assert_eq!(
        *platform.log.lock().unwrap(),
        [
            "GET /main/auth/api/v1/me 200",
            "GET /v1/cspm/checks?page_limit=1 200",
            "GET /anything 200"
        ]
    );
}

#[tokio::test]
async fn checks_are_paged_by_a_cursor_until_it_is_null() {
    let platform = Platform::named("healthy").await;
    let (status, first) = platform.get("/v1/cspm/checks").await;
    assert_eq!(status, 200);
    assert_eq!(first["meta"], json!({"total": 1240, "elapsed": 500}));
    let origin = platform.simulator.origin();
    let mut next = first["links"]["next"].as_str().map(str::to_owned);
    let mut rows = first["data"].as_array().unwrap().len();
    let mut last = first;
    while let Some(url) = next {
        let path = url.strip_prefix(&origin).expect("it stays on its origin");
        assert!(
            path.contains("page_cursor=") && path.ends_with("&page_limit=500"),
            "{path}"
        );
        last = platform.get(path).await.1;
        rows += last["data"].as_array().unwrap().len();
        next = last["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(rows, 1240);
    assert_eq!(last["meta"], json!({"total": 1240, "elapsed": 1240}));
}
