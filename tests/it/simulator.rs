//! The embedded platforms, seen by a client that shares nothing with them.
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compliance_gate_simulator::{Scenario, Simulator};
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
        let simulator =
            Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0)), scenario, move |access| {
                lines.lock().unwrap().push(access.to_string());
            })
            .await
            .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { simulator, client, log }
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let url = format!("{}{path}", self.simulator.origin());
        let mut request = self
            .client
            .request(method, url)
            .header("authorization", format!("Bearer {token}"))
            .header("x-api-key", token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
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
        self.post(&format!("/main/schedule/api/v3/compliance/framework/{framework}/run"), body)
            .await
    }

    async fn run_documented(&self) -> u64 {
        let (status, body) = self.run("baseline_security", documented()).await;
        assert_eq!(status, 200, "{body}");
        body["jobs"][0]["job_id"].as_u64().unwrap()
    }

    async fn status(&self, job: u64) -> Value {
        let (status, body) = self.get(&format!("/main/schedule/api/v3/job/compliance/{job}")).await;
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
            assert!(begin.elapsed() < Duration::from_secs(60), "still {word} after {seen:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn parts(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
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
    for path in ["/main/auth/api/v1/me", "/v1/cspm/checks?page_limit=1", "/anything"] {
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
        assert!(path.contains("page_cursor=") && path.ends_with("&page_limit=500"), "{path}");
        last = platform.get(path).await.1;
        rows += last["data"].as_array().unwrap().len();
        next = last["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(rows, 1240);
    assert_eq!(last["meta"], json!({"total": 1240, "elapsed": 1240}));
}

#[tokio::test]
async fn tokens_are_refused_by_nginx_and_roles_by_the_service() {
    let platform = Platform::named("healthy").await;
    let run = "/main/schedule/api/v3/compliance/framework/baseline_security/run";
    for token in ["revoked", ""] {
        let response = platform.send(Method::POST, run, token, Some(documented())).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert!(response.text().await.unwrap().contains("401 Authorization Required"));
    }
    for role in ["viewer", "editor"] {
        let answer = parts(platform.send(Method::POST, run, role, Some(documented())).await).await;
        assert_eq!(answer.0, 406);
        assert_eq!(answer.1, json!({"message": "missing required permission"}));
        let me = platform.send(Method::GET, "/main/auth/api/v1/me", role, None).await;
        assert_eq!(parts(me).await.1["role"], role);
    }
    let history = "/main/schedule/api/v3/benchmark/baseline_security/run-history";
    assert_eq!(platform.post(history, json!({})).await.1["total_count"], 0, "nothing was started");
    let checks = platform.send(Method::GET, "/v1/cspm/checks", "revoked", None).await;
    assert_eq!(checks.status(), 401);
    assert_eq!(parts(checks).await.1["errors"][0]["status"], "401");
}

#[tokio::test]
async fn unknown_paths_give_the_web_ui_outside_and_json_inside_a_service() {
    let platform = Platform::named("healthy").await;
    for path in ["/", "/main", "/main/compliance-typo/api", "/schedule/api/v3/job/compliance/1"] {
        let (status, body) = platform.get(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(body.as_str().unwrap().starts_with("<!doctype html>"), "{path}");
    }
    let (status, body) = platform.get("/main/schedule/api/v9/nothing").await;
    assert_eq!((status.as_u16(), body), (404, json!({"message": "Not Found"})));
    let (status, body) = platform.get("/main/schedule/api/v3/jobs/cancel").await;
    assert_eq!((status.as_u16(), body), (405, json!({"message": "Method Not Allowed"})));
    let (status, _) = platform.get("/main/integration/api/v1/integrations/").await;
    assert_eq!(status, 200, "a trailing slash does not matter");
}

#[tokio::test]
async fn a_run_that_matches_nothing_is_200_with_null_jobs() {
    let platform = Platform::named("healthy").await;
    let nothing = json!({"integration_info": [{"provider_id": "000000000000"}]});
    for body in
        [nothing, json!({"integration_info": []}), json!({"integration_info": null}), json!({})]
    {
        assert_eq!(
            platform.run("baseline_security", body).await,
            (StatusCode::OK, json!({"jobs": null}))
        );
    }
    let run = "/main/schedule/api/v3/compliance/framework/baseline_security/run";
    let empty = platform.send(Method::POST, run, "token", None).await;
    assert_eq!(parts(empty).await, (StatusCode::OK, json!({"jobs": null})));
}

#[tokio::test]
async fn the_run_refuses_in_the_platforms_own_words() {
    let platform = Platform::named("healthy").await;
    let refused = async |framework: &str, body: Value| {
        let (status, body) = platform.run(framework, body).await;
        (status.as_u16(), body["message"].as_str().unwrap_or_default().to_owned())
    };
    let info = |entry: Value| json!({"integration_info": [entry]});
    let internal = (500, "Internal Server Error".to_owned());
    assert_eq!(refused("no_such_framework", documented()).await, internal);
    assert_eq!(refused("CIS_Azure", documented()).await, internal, "stored with capitals");
    for id in ["not-a-uuid", "00000000-0000-4000-8000-000000000000"] {
        assert_eq!(
            refused("baseline_security", info(json!({"integration_id": id}))).await,
            (400, "failed to get integration".to_owned())
        );
    }
    assert_eq!(
        refused("baseline_security", info(json!({"provider_id": "("}))).await,
        (400, "failed to get source".to_owned())
    );
    assert_eq!(
        refused("baseline_security", json!({"integration_info": 1})).await,
        (400, "invalid request".to_owned())
    );
    let (status, message) = refused("baseline_security", info(json!({}))).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("invalid integration type for this framework."), "{message}");
    assert!(
        message.ends_with("Allowed types: [aws_cloud_account azure_subscription]"),
        "{message}"
    );
}

#[tokio::test]
async fn the_run_matches_ids_exactly_and_everything_else_as_an_unanchored_pattern() {
    let platform = Platform::named("healthy").await;
    let matched = async |entry: Value| -> Vec<String> {
        let (status, body) =
            platform.run("BASELINE_security", json!({"integration_info": [entry]})).await;
        assert_eq!(status, 200, "{body}");
        let infos = body["jobs"][0]["integration_info"].as_array().cloned().unwrap_or_default();
        infos.iter().map(|info| info["provider_id"].as_str().unwrap().to_owned()).collect()
    };
    let aws = "aws_cloud_account";
    assert_eq!(matched(json!({"provider_id": "2281", "integration_type": aws})).await, [AWS]);
    assert_eq!(matched(json!({"provider_id": "^2281", "integration_type": aws})).await, [""; 0]);
    assert_eq!(matched(json!({"provider_id": "F8B4"})).await, [AZURE]);
    let list = platform
        .get("/main/integration/api/v1/integrations?integration_type=azure_subscription")
        .await
        .1;
    assert_eq!(list["total_count"], 1);
    let id = &list["integrations"][0]["integration_id"];
    assert_eq!(
        matched(json!({"integration_id": id, "provider_id": "something else"})).await,
        [AZURE],
        "with an id all else is ignored"
    );
}

/// The platform's query names a column that does not exist.
#[tokio::test]
async fn an_integration_is_never_found_by_its_name() {
    let platform = Platform::named("healthy").await;
    let by_name = json!({"integration_info": [{"name": "production"}]});
    let refusal = |message: &str| (StatusCode::BAD_REQUEST, json!({"message": message}));
    let run = platform.run("baseline_security", by_name.clone()).await;
    assert_eq!(run, refusal("failed to get source"));
    let path = "/main/schedule/api/v3/benchmark/baseline_security/run-history";
    assert_eq!(platform.post(path, by_name).await, refusal("failed to list credential"));
}

#[tokio::test]
async fn a_run_that_matches_nothing_deletes_the_runners_of_the_newest_job() {
    let platform = Platform::named("healthy").await;
    let job = platform.run_documented().await;
    platform.until(job, "RUNNERS_IN_PROGRESS").await;
    platform.simulator.clock().advance(Duration::from_millis(300));
    assert_ne!(platform.status(job).await["runners_status"]["total_count"], 0);
    let nothing = platform.run("baseline_security", json!({"integration_info": []})).await;
    assert_eq!(nothing, (StatusCode::OK, json!({"jobs": null})));
    assert_eq!(platform.status(job).await["runners_status"]["total_count"], 0);
}

#[tokio::test]
async fn a_superseded_run_waits_ten_minutes_for_results() {
    let platform = Platform::named("results-awaited").await;
    let job = platform.run_documented().await;
    for seconds in [2, 300, 290] {
        platform.simulator.clock().advance(Duration::from_secs(seconds));
        let body = platform.status(job).await;
        assert_eq!(body["job_status"], "SINK_IN_PROGRESS");
        assert_eq!(body["runners_status"]["total_count"], 0, "already in SINK");
    }
    platform.simulator.clock().advance(Duration::from_secs(15));
    let body = platform.status(job).await;
    assert_eq!(
        (&body["job_status"], &body["data_sinking_time"]),
        (&json!("SUCCEEDED"), &json!(600))
    );
}

#[tokio::test]
async fn lost_results_are_missing_everywhere_and_only_the_sinking_time_shows_it() {
    let platform = Platform::named("results-lost").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["summary"], json!({"ok": 409, "alarm": 140}));
    assert_eq!((&last["failure_message"], &last["data_sinking_time"]), (&json!(""), &json!(616)));
    let runners = &last["runners_status"];
    assert_eq!(runners["runners_succeeded"], runners["total_count"]);
    let filters = json!({"filters": {"jobID": [job.to_string()]}, "limit": 1});
    let path = "/main/compliance/api/v1/compliance_result";
    assert_eq!(platform.post(path, filters).await.1["totalCount"], 140);
}

#[tokio::test]
async fn of_controls_that_share_a_policy_only_the_first_is_evaluated_with_incidents() {
    let platform = Platform::named("shared-policy").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["alarms_breakdown"]["critical"], 0);
    let report = format!("/main/compliance/api/v3/job-report/{job}/details/by-control");
    let (_, by_control) = platform.get(&report).await;
    assert_eq!(by_control["controls"]["aws_iam_root_mfa"], Value::Null);
    let (_, runners) =
        platform.get(&format!("/main/schedule/api/v3/jobs/compliance/{job}/runners")).await;
    let evaluates =
        |id: &str| runners.as_array().unwrap().iter().any(|row| row["control_id"] == id);
    assert!(evaluates("aws_ec2_instance_imdsv2") && !evaluates("aws_iam_root_mfa"));
    let controls = "/main/compliance/api/v1/benchmarks/controls";
    let policy =
        async |id: &str| platform.get(&format!("{controls}/{id}")).await.1["policy"]["id"].clone();
    assert_eq!(policy("aws_iam_root_mfa").await, policy("aws_ec2_instance_imdsv2").await);
    assert_ne!(policy("aws_iam_root_mfa").await, policy("aws_kms_key_rotation").await);

    let mut body = documented();
    body["with_incidents"] = json!(false);
    let (_, quick) = platform.run("baseline_security", body).await;
    let quick = quick["jobs"][0]["job_id"].as_u64().unwrap();
    let (last, _) = platform.until(quick, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["alarms_breakdown"]["critical"], 2, "a quick run evaluates both");
}

#[tokio::test]
async fn results_of_a_control_that_left_the_framework_still_count() {
    let platform = Platform::named("removed-control").await;
    let removed = "aws_rds_instance_private";
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["alarms_breakdown"]["critical"], 2);
    let report = format!("/main/compliance/api/v3/job-report/{job}/details/by-control");
    assert_eq!(platform.get(&report).await.1["controls"][removed]["severity"], "critical");
    let runners = format!("/main/schedule/api/v3/jobs/compliance/{job}/runners");
    let (_, runners) = platform.get(&runners).await;
    assert!(runners.as_array().unwrap().iter().all(|row| row["control_id"] != removed));
    let nested = "/main/compliance/api/v3/benchmarks/baseline_security/nested";
    let (_, nested) = platform.get(nested).await;
    let controls = nested["controls"].as_array().unwrap();
    assert_eq!(controls.len(), 40);
    assert!(!controls.contains(&json!(removed)));
    let filters = json!({"filters": {"jobID": [job.to_string()], "controlID": [removed]}});
    let path = "/main/compliance/api/v1/compliance_result";
    assert_eq!(platform.post(path, filters).await.1["totalCount"], 0);
}

#[tokio::test]
async fn an_account_without_results_is_only_in_the_status() {
    let platform = Platform::named("account-without-results").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["integrations"].as_array().unwrap().len(), 2);
    let report = format!("/main/compliance/api/v3/job-report/{job}/details/by-control");
    let (_, by_control) = platform.get(&report).await;
    assert_eq!(by_control["job_summary"]["integration_ids"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_framework_that_allows_no_type_refuses_every_run() {
    let platform = Platform::named("no-type-allowed").await;
    let filter = json!({"framework_ids": ["baseline_security"]});
    let (_, one) = platform.post("/main/compliance/api/v1/frameworks", filter).await;
    assert_eq!(one["items"][0]["plugins"], json!([]));
    let (status, body) = platform.run("baseline_security", documented()).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().ends_with("Allowed types: []"), "{body}");
}

#[tokio::test]
async fn a_service_that_is_down_has_an_answer_of_its_own_and_comes_back() {
    let refused = "do request: Get \"http://integration-service/api/v1/integrations\": dial tcp \
                   10.96.0.17:80: connect: connection refused";
    for (service, status, answer) in [
        ("scheduler", 502, None),
        ("auth", 500, None),
        ("search", 500, Some("failed to get job report")),
        ("integration", 400, Some(refused)),
    ] {
        let outage = json!({"service": service, "after": 60_000, "lasts": 15_000});
        let platform = Platform::of(json!({"opencomply": {"outages": [outage]}})).await;
        let job = platform.run_documented().await;
        let path = format!("/main/schedule/api/v3/job/compliance/{job}");
        assert_eq!(platform.get(&path).await.0, 200, "{service}: before");
        platform.simulator.clock().advance(Duration::from_secs(60));
        let (given, body) = platform.get(&path).await;
        assert_eq!(given, status, "{service}");
        match answer {
            Some(message) => assert_eq!(body, json!({"message": message}), "{service}"),
            None => assert!(body.as_str().unwrap().contains("<hr><center>nginx"), "{service}"),
        }
        platform.simulator.clock().advance(Duration::from_secs(15));
        assert_eq!(platform.status(job).await["job_status"], "SUCCEEDED", "{service}: after");
    }
}

#[tokio::test]
async fn cancelling_queued_runners_can_hang_a_worker() {
    let platform = Platform::named("hanging-worker").await;
    let job = platform.run_documented().await;
    platform.until(job, "RUNNERS_IN_PROGRESS").await;
    let body = json!({"job_type": "compliance", "selector": "job_id", "job_id": [job.to_string()]});
    platform.post("/main/schedule/api/v3/jobs/cancel", body).await;
    assert_eq!(platform.status(job).await["job_status"], "CANCELED");
    let next = platform.run_documented().await;
    platform.simulator.clock().advance(Duration::from_secs(3600));
    let hanging = platform.status(next).await;
    assert_eq!(hanging["job_status"], "RUNNERS_IN_PROGRESS");
    platform.simulator.clock().advance(Duration::from_secs(3600));
    assert_eq!(platform.status(next).await["last_updated_at"], hanging["last_updated_at"]);
}

#[tokio::test]
async fn a_worker_takes_up_runners_of_a_cancelled_job_that_it_held() {
    let platform =
        Platform::of(json!({"opencomply": {"job": {"pace": {"runners": 60_000}}}})).await;
    let job = platform.run_documented().await;
    platform.until(job, "RUNNERS_IN_PROGRESS").await;
    let body = json!({"job_type": "compliance", "selector": "job_id", "job_id": [job.to_string()]});
    platform.post("/main/schedule/api/v3/jobs/cancel", body).await;
    let frozen = platform.status(job).await;
    platform.simulator.clock().advance(Duration::from_secs(600));
    let runners = format!("/main/schedule/api/v3/jobs/compliance/{job}/runners");
    let (_, rows) = platform.get(&runners).await;
    let count =
        |status| rows.as_array().unwrap().iter().filter(|row| row["status"] == status).count();
    assert!(count("IN_PROGRESS") > 0 && count("CANCELED") > 0, "{rows}");
    assert_eq!(platform.status(job).await, frozen);
    assert_eq!(frozen["job_status"], "CANCELED");
}

#[tokio::test]
async fn a_run_that_loses_its_runners_before_any_result_ends_at_once() {
    let platform = Platform::named("superseded-before-results").await;
    let job = platform.run_documented().await;
    platform.simulator.clock().advance(Duration::from_secs(20));
    let last = platform.status(job).await;
    assert_eq!(last["job_status"], "SUCCEEDED");
    assert_eq!(last["incidents"]["summary"], json!({"ok": 0, "alarm": 0}));
    assert_eq!(last["runners_status"]["total_count"], 0);
}

#[tokio::test]
async fn an_integration_that_is_given_twice_counts_twice_in_a_quick_run_only() {
    let platform = Platform::named("healthy").await;
    let (_, list) = platform.get("/main/integration/api/v1/integrations").await;
    let id = json!({"integration_id": list["integrations"][0]["integration_id"]});
    let alarms = async |with_incidents: bool, integrations: Value| {
        let body = json!({"with_incidents": with_incidents, "integration_info": integrations});
        let (_, started) = platform.run("baseline_security", body).await;
        let job = started["jobs"][0]["job_id"].as_u64().unwrap();
        platform.simulator.clock().advance(Duration::from_secs(60));
        platform.status(job).await["incidents"]["summary"]["alarm"].as_u64().unwrap()
    };
    let once = alarms(true, json!([id])).await;
    assert_eq!(alarms(true, json!([id, id])).await, once);
    assert_eq!(alarms(false, json!([id, id])).await, 2 * once);
}

#[tokio::test]
async fn answers_are_compressed_for_exactly_gzip_and_not_where_they_are_errors() {
    let platform = Platform::named("healthy").await;
    let encoding = async |path: &str, accepted: &str| {
        let url = format!("{}{path}", platform.simulator.origin());
        let client = Client::builder().no_proxy().no_gzip().build().unwrap();
        let request = client.get(url).bearer_auth("token");
        let answer = request.header("accept-encoding", accepted).send().await.unwrap();
        answer.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned())
    };
    let me = "/main/auth/api/v1/me";
    assert_eq!(encoding(me, "gzip").await.as_deref(), Some("gzip"));
    for other in ["gzip, deflate", "gzip;q=1.0", "GZIP", "*"] {
        assert_eq!(encoding(me, other).await, None, "{other}");
    }
    assert_eq!(encoding("/main/schedule/api/v3/job/compliance/9", "gzip").await, None);
}

#[tokio::test]
async fn jobs_of_others_can_stand_still() {
    for (scenario, state) in
        [("stands-still", "SUMMARIZER_IN_PROGRESS"), ("never-starts", "CREATED")]
    {
        let platform = Platform::named(scenario).await;
        let seen = platform.status(135).await;
        assert_eq!(seen["job_status"], state);
        platform.simulator.clock().advance(Duration::from_secs(600));
        assert_eq!(platform.status(135).await, seen, "{scenario}");
    }
}

#[tokio::test]
async fn more_than_ten_integrations_are_several_jobs_whose_figures_add_up() {
    let platform = Platform::of(json!({"opencomply": {
        "integrations": [], "extra_integrations": 23, "job": {"pace": {"created": 0, "runners": 1, "sink": 0, "summarizer": 0}},
    }}))
    .await;
    let all = json!({"integration_info": [{"integration_type": "aws_cloud_account"}]});
    let (_, body) = platform.run("baseline_security", all).await;
    let jobs = body["jobs"].as_array().unwrap();
    let sizes: Vec<usize> =
        jobs.iter().map(|job| job["integration_info"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10, 3]);
    let mut sum = [0, 0];
    for job in jobs {
        let (last, _) = platform.until(job["job_id"].as_u64().unwrap(), "SUCCEEDED").await;
        let summary = &last["incidents"]["summary"];
        assert!(summary["alarm"].as_u64().unwrap() > 0);
        assert!(
            last["runners_status"]["total_count"].as_u64().unwrap() > 0,
            "they spare each other"
        );
        sum =
            [sum[0] + summary["ok"].as_u64().unwrap(), sum[1] + summary["alarm"].as_u64().unwrap()];
    }
    assert_eq!(sum, [409, 152]);
}

#[tokio::test]
async fn a_report_counts_the_same_from_every_side() {
    let platform = Platform::named("blocked").await;
    let job = platform.run_documented().await;
    let early = platform.get(&format!("/main/compliance/api/v3/quick/scan/{job}")).await;
    assert_eq!(early, (StatusCode::BAD_REQUEST, json!({"message": "job is in progress"})));
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["alarms_breakdown"]["critical"], 3);

    let report = format!("/main/compliance/api/v3/job-report/{job}");
    let (_, by_control) = platform.get(&format!("{report}/details/by-control")).await;
    assert_eq!(by_control["compliance_summary"], json!({"alarm": 155, "ok": 409}));
    let controls = by_control["controls"].as_object().unwrap();
    let sum = |key| controls.values().map(|control| control[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("alarms"), sum("oks")), (155, 409));
    assert_eq!(by_control["control_score"]["total_controls"], 41);

    let (_, both) =
        platform.get(&format!("/main/compliance/api/v3/quick/scan/{job}?view=both")).await;
    let rows = |list: &Value| list.as_array().map_or(0, Vec::len);
    let by_control: usize = both["controls"]
        .as_object()
        .unwrap()
        .values()
        .map(|control| rows(&control["results"]["alarm"]) + rows(&control["results"]["ok"]))
        .sum();
    let mut by_resource = (0, 0);
    for integration in both["integrations"].as_object().unwrap().values() {
        for kind in integration["resource_types"].as_object().unwrap().values() {
            for resource in kind["resources"].as_object().unwrap().values() {
                by_resource.0 += rows(&resource["results"]["alarm"]);
                by_resource.1 += rows(&resource["results"]["ok"]);
            }
        }
    }
    assert_eq!(by_control, 564);
    assert_eq!(by_resource, (155, 409));

    let name = "aws_ebs_snapshot_private";
    let narrow = format!("/main/compliance/api/v3/quick/scan/{job}?view=control&controls={name}");
    let (_, narrow) = platform.get(&narrow).await;
    assert_eq!(narrow["controls"].as_object().unwrap().keys().collect::<Vec<_>>(), [name]);
    assert_eq!(narrow["integrations"], Value::Null);

    let unknown = platform.get("/main/compliance/api/v3/quick/scan/999").await;
    assert_eq!(unknown.0, 500);
    let view = platform.get(&format!("/main/compliance/api/v3/quick/scan/{job}?view=all")).await;
    assert_eq!(view, (StatusCode::BAD_REQUEST, json!({"message": "view is not valid"})));
}

#[tokio::test]
async fn findings_are_paged_by_their_sort_keys() {
    let platform = Platform::named("healthy").await;
    let job = platform.run_documented().await;
    platform.until(job, "SUCCEEDED").await;
    let path = "/main/compliance/api/v1/compliance_result";
    let filters = json!({"jobID": [job.to_string()], "complianceStatus": ["failed"]});
    let mut after = json!([]);
    let mut ids: Vec<String> = Vec::new();
    loop {
        let body = json!({"filters": filters, "sort": [{"severity": "desc"}], "limit": 50, "afterSortKey": after});
        let (_, page) = platform.post(path, body).await;
        assert_eq!(page["totalCount"], 152);
        let Some(rows) = page["complianceResults"].as_array() else { break };
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        after = rows.last().unwrap()["sortKey"].clone();
    }
    assert_eq!(ids.len(), 152);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 152);

    let total = async |filters: Value| {
        platform.post(path, json!({"filters": filters})).await.1["totalCount"].clone()
    };
    assert_eq!(
        total(json!({"complianceStatus": ["alarm"]})).await,
        561,
        "an unknown word is no filter"
    );
    assert_eq!(total(json!({"severity": ["low"]})).await, 6);
    let (status, _) = platform.post(path, json!({"afterSortKey": ["a", "b", "c"]})).await;
    assert_eq!(status, 400);

    let again = platform.run_documented().await;
    platform.until(again, "SUCCEEDED").await;
    assert_eq!(total(filters).await, 0, "the next run overwrites the rows");
}

#[tokio::test]
async fn a_second_run_deletes_the_runners_of_the_first() {
    let platform = Platform::named("superseded").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["runners_status"]["total_count"], 0);
    assert_eq!(last["failure_message"], "");
    let alarms = last["incidents"]["summary"]["alarm"].as_u64().unwrap();
    assert!((1..152).contains(&alarms), "{alarms}");
    let runners = format!("/main/schedule/api/v3/jobs/compliance/{job}/runners");
    assert_eq!(platform.get(&runners).await, (StatusCode::OK, Value::Null));
    let history = "/main/schedule/api/v3/benchmark/baseline_security/run-history";
    let (_, history) = platform.post(history, json!({})).await;
    // Both jobs changed at about the same time, and the newest change comes first.
    let jobs = history["items"].as_array().unwrap();
    let theirs = jobs.iter().find(|item| item["job_id"] == 137).unwrap();
    assert_eq!(theirs["number_of_integrations"], 2);
    let (last, _) = platform.until(137, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["summary"], json!({"ok": 409, "alarm": 152}));
}

#[tokio::test]
async fn endings_other_than_a_whole_success() {
    let fields = |body: &Value| {
        let word = |key| body[key].as_str().unwrap().to_owned();
        (word("step_failed"), body["failure_message"] != "", body["end_time"].is_null())
    };
    let ends = async |scenario: &str, state: &str| {
        let platform = Platform::named(scenario).await;
        let job = platform.run_documented().await;
        let (last, _) = platform.until(job, state).await;
        (last.clone(), fields(&last))
    };
    let none = String::new();
    let (failed, timeout, canceled, partial, silent, crooked, strange, short) = tokio::join!(
        ends("failed", "FAILED"),
        ends("timeout", "TIMEOUT"),
        ends("canceled", "CANCELED"),
        ends("inconclusive", "SUCCEEDED"),
        ends("timed-out-runners", "SUCCEEDED"),
        ends("contradictory", "SUCCEEDED"),
        ends("unknown-severity", "SUCCEEDED"),
        ends("sink-limit", "SUCCEEDED"),
    );
    assert_eq!(failed.1, ("SUMMARIZER_IN_PROGRESS".to_owned(), true, false));
    assert_eq!(failed.0["incidents"]["summary"], json!({"ok": 0, "alarm": 0}));
    assert_eq!(timeout.1, (none.clone(), true, true));
    assert_eq!(canceled.1, (none.clone(), false, true));
    assert_eq!(partial.1, (none.clone(), true, false));
    let message = partial.0["failure_message"].as_str().unwrap();
    assert!(message.starts_with("2 runners failed: [controls["), "{message}");
    assert_eq!(partial.0["runners_status"]["runners_failed"], 2);
    assert_eq!(silent.1, (none.clone(), false, false));
    assert_eq!(silent.0["runners_status"]["runners_timed_out"], 3);
    assert_eq!(silent.0["runners_status"]["runners_succeeded"], 38);
    assert_eq!(crooked.0["incidents"]["summary"]["alarm"], 152);
    assert_eq!(crooked.0["incidents"]["alarms_breakdown"]["high"], 124);
    assert_eq!(strange.0["incidents"]["summary"]["alarm"], 156);
    assert_eq!(strange.0["incidents"]["alarms_breakdown"]["none"], 0);
    assert_eq!(short.0["data_sinking_time"], 600);
    assert_eq!(short.0["incidents"]["summary"], json!({"ok": 409, "alarm": 140}));
}

#[tokio::test]
async fn a_report_that_was_never_written_is_zeros_null_and_a_refusal() {
    let platform = Platform::named("missing-report").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["summary"], json!({"ok": 0, "alarm": 0}));
    let report = format!("/main/compliance/api/v3/job-report/{job}");
    let by_control = platform.get(&format!("{report}/details/by-control")).await;
    assert_eq!(by_control, (StatusCode::OK, Value::Null));
    let scan = platform.get(&format!("/main/compliance/api/v3/quick/scan/{job}")).await;
    assert_eq!(scan, (StatusCode::BAD_REQUEST, json!({"message": "summary not found"})));
}

#[tokio::test]
async fn a_stuck_job_waits_and_cancelling_answers_as_documented() {
    let platform = Platform::named("stuck").await;
    let job = platform.run_documented().await;
    platform.simulator.clock().advance(Duration::from_secs(60));
    assert_eq!(platform.status(job).await["job_status"], "CREATED");
    let cancel = async |ids: Value| {
        let body = json!({"job_type": "compliance", "selector": "job_id", "job_id": ids});
        platform.post("/main/schedule/api/v3/jobs/cancel", body).await
    };
    let outcome = |id: &str, canceled: bool, reason: &str| {
        let outcome = json!({
            "job_id": id, "job_type": "compliance", "canceled": canceled, "reason": reason,
        });
        (StatusCode::OK, json!([outcome]))
    };
    assert_eq!(cancel(json!(["136"])).await, outcome("136", true, ""));
    assert_eq!(platform.status(job).await["job_status"], "CANCELED");
    assert_eq!(cancel(json!(["136"])).await, outcome("136", false, "job is already finished"));
    assert_eq!(cancel(json!(["99999"])).await, outcome("99999", true, ""), "an unknown job");
    assert_eq!(cancel(json!(["abc"])).await, outcome("abc", false, "invalid job id"));
    assert_eq!(cancel(json!([])).await, (StatusCode::OK, Value::Null));
    let numbers = (StatusCode::BAD_REQUEST, json!({"message": "invalid request"}));
    assert_eq!(cancel(json!([136])).await, numbers);
}

#[tokio::test]
async fn minutes_pass_at_once_where_the_clock_is_set_forward() {
    let platform = Platform::of(json!({"opencomply": {"job": {"pace": {"sink": 600_000}}}})).await;
    let job = platform.run_documented().await;
    platform.simulator.clock().advance(Duration::from_secs(300));
    let last = platform.status(job).await;
    assert_eq!(last["job_status"], "SINK_IN_PROGRESS");
    platform.simulator.clock().advance(Duration::from_secs(310));
    let path = format!("/main/schedule/api/v3/job/compliance/{job}");
    let answer = platform.send(Method::GET, &path, "token", None).await;
    let date = answer.headers()["date"].to_str().unwrap().to_owned();
    let (_, last) = parts(answer).await;
    assert_eq!(
        (&last["job_status"], &last["data_sinking_time"]),
        (&json!("SUCCEEDED"), &json!(600))
    );
    let date = chrono::DateTime::parse_from_rfc2822(&date).unwrap();
    let ended =
        last["end_time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let apart = (date.to_utc() - ended).num_seconds();
    assert!((0..20).contains(&apart), "`Date` is {apart} s after the end");
}

#[tokio::test]
async fn a_job_with_nothing_to_run_stays_created() {
    let platform = Platform::of(json!({"opencomply": {
        "frameworks": {"narrow": {"controls": 1, "ok": 3, "alarms": {"high": 1}}},
        "job": {"pace": {"created": 0, "runners": 1, "sink": 0, "summarizer": 0}},
    }}))
    .await;
    let azure = json!({"integration_info": [{"provider_id": AZURE}]});
    let (_, body) = platform.run("narrow", azure).await;
    assert_eq!(body["jobs"][0]["job_id"], 136);
    platform.simulator.clock().advance(Duration::from_secs(60));
    assert_eq!(platform.status(136).await["job_status"], "CREATED");
}

#[tokio::test]
async fn unknown_jobs_are_internal_errors() {
    let platform = Platform::named("healthy").await;
    let (status, body) = platform.get("/main/schedule/api/v3/job/compliance/136").await;
    assert_eq!((status.as_u16(), body), (500, json!({"message": "Internal Server Error"})));
    let (status, body) = platform.get("/main/schedule/api/v3/job/compliance/last").await;
    assert_eq!((status.as_u16(), body), (400, json!({"message": "invalid job id"})));
    let empty = Platform::of(json!({"opencomply": {"builtin_frameworks": false}})).await;
    assert_eq!(empty.status(136).await["job_id"], 0, "without any framework");
}

#[tokio::test]
async fn a_quick_run_has_its_own_states_and_no_runners() {
    let platform = Platform::of(json!({"opencomply": {"frameworks": {"baseline_security": {
        "alarms": {"high": 119, "medium": 27, "low": 6, "unrecognised": 2},
    }}}}))
    .await;
    let mut body = documented();
    body["with_incidents"] = json!(false);
    let (_, started) = platform.run("baseline_security", body).await;
    assert_eq!(started["jobs"][0]["with_incident"], false);
    let (last, seen) = platform.until(136, "SUCCEEDED").await;
    assert_eq!(seen, ["CREATED", "QUEUED", "IN_PROGRESS", "SUCCEEDED"]);
    assert_eq!(last["runners_status"]["total_count"], 0);
    assert_eq!(last["summary_job_id"], Value::Null);
    assert_eq!(last["incidents"]["summary"]["alarm"], 154);
    assert_eq!(last["incidents"]["alarms_breakdown"]["none"], 0, "an undocumented severity");
}

#[tokio::test]
async fn a_deleted_integration_makes_its_jobs_unreadable() {
    let platform = Platform::of(json!({"opencomply": {"integrations": [
        {"integration_type": "aws_cloud_account", "provider_id": AWS, "name": "production", "deleted_after": 60_000},
        {"integration_type": "azure_subscription", "provider_id": AZURE, "name": "azure"},
    ]}}))
    .await;
    let job = platform.run_documented().await;
    assert_eq!(platform.status(job).await["job_status"], "CREATED");
    platform.simulator.clock().advance(Duration::from_secs(60));
    let answer = platform.get(&format!("/main/schedule/api/v3/job/compliance/{job}")).await;
    assert_eq!(answer, (StatusCode::BAD_REQUEST, json!({"message": "failed to get integration"})));
    let report = format!("/main/compliance/api/v3/job-report/{job}/details/by-control");
    let unreadable = json!({"message": "failed to get compliance job"});
    assert_eq!(platform.get(&report).await, (StatusCode::INTERNAL_SERVER_ERROR, unreadable));
    let (_, list) = platform.get("/main/integration/api/v1/integrations").await;
    assert_eq!(list["total_count"], 1);
}

#[tokio::test]
async fn a_platform_without_compliance_says_so() {
    let platform = Platform::named("disabled").await;
    let refused =
        (StatusCode::BAD_REQUEST, json!({"message": "compliance service is not enabled"}));
    assert_eq!(platform.run("baseline_security", documented()).await, refused);
    assert_eq!(platform.get("/main/schedule/api/v3/job/compliance/1").await, refused);
    let bare = Platform::of(json!({"opencomply": {"compliance": "not_routed"}})).await;
    let (status, page) = bare.post("/main/compliance/api/v1/frameworks", json!({})).await;
    assert_eq!(status, 200);
    assert!(page.as_str().unwrap().contains("<html"));
}

#[tokio::test]
async fn history_shows_what_others_run_and_forgets_filters_that_match_nothing() {
    let platform = Platform::of(json!({"opencomply": {"history": [
        {"age": 7200, "framework": "cis_aws", "created_by": "scheduler", "trigger_type": "scheduled"},
        {"age": 3600, "job": {"ends": "FAILED"}},
        {"age": 5, "integrations": [AWS], "job": {"pace": {"runners": 20000}}},
    ]}}))
    .await;
    let path = "/main/schedule/api/v3/benchmark/baseline_security/run-history";
    let ids = async |body: Value| -> Vec<u64> {
        let (status, page) = platform.post(path, body).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["job_id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(json!({})).await, [135, 134], "the newest change first");
    assert_eq!(ids(json!({"sort_by": "id"})).await, [134, 135]);
    assert_eq!(ids(json!({"job_status": ["RUNNERS_IN_PROGRESS"]})).await, [135]);
    assert_eq!(ids(json!({"integration_info": [{"provider_id": AZURE}]})).await, [134]);
    assert_eq!(ids(json!({"integration_info": [{"provider_id": "nobody"}]})).await, [135, 134]);
    assert_eq!(ids(json!({"interval": "10 minutes"})).await, [135]);
    assert_eq!(ids(json!({"interval": "24h"})).await, [0; 0]);
    assert_eq!(ids(json!({"per_page": 1, "cursor": 2})).await, [134]);

    let total = async || platform.status(135).await["runners_status"]["total_count"].clone();
    assert_eq!(total().await, 26, "a runner for every AWS control");
    platform.run_documented().await;
    assert_eq!(total().await, 0, "a run of ours deletes the runners of theirs");
}

#[tokio::test]
async fn lists_are_null_when_empty_and_know_what_a_framework_runs_on() {
    let platform = Platform::named("healthy").await;
    let path = "/main/compliance/api/v1/frameworks";
    let one = platform.post(path, json!({"framework_ids": ["baseline_security"]})).await.1;
    assert_eq!(one["items"][0]["framework_title"], "Security");
    assert_eq!(one["items"][0]["plugins"], json!(["aws_cloud_account", "azure_subscription"]));
    let none = platform.post(path, json!({"framework_ids": ["x"]})).await.1;
    assert_eq!(none, json!({"items": null, "total_count": 0}));
    let roots = platform.post(path, json!({})).await.1;
    let ids: Vec<&str> = roots["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["framework_id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"cis_aws") && !ids.contains(&"cis_aws_storage"), "{ids:?}");
    let past = platform.post(path, json!({"per_page": 2, "cursor": 99})).await.1;
    assert_eq!(past["items"], json!([]));
    let controls = "/main/compliance/api/v1/benchmarks/controls";
    let two = format!("{controls}?control_id=aws_iam_root_mfa&control_id=azure_aks_rbac");
    assert_eq!(platform.get(&two).await.1.as_array().unwrap().len(), 2);
    let viewer = platform.send(Method::GET, &two, "viewer", None).await;
    assert_eq!(viewer.status(), 406, "the list of controls is for admins");
    let viewer =
        platform.send(Method::GET, &format!("{controls}/aws_iam_root_mfa"), "viewer", None).await;
    assert_eq!(parts(viewer).await.1["severity"], "critical");
    assert_eq!(platform.get(&format!("{controls}/x")).await.0, 404);
}

#[tokio::test]
async fn checks_are_filtered_by_comma_lists() {
    let platform = Platform::named("blocked").await;
    let total = async |query: &str| -> u64 {
        let (status, page) = platform.get(&format!("/v1/cspm/checks?{query}")).await;
        assert_eq!(status, 200, "{page}");
        page["meta"]["total"].as_u64().unwrap()
    };
    assert_eq!(total("results=fail").await, 80);
    assert_eq!(total("results=pass").await, 1160);
    assert_eq!(total("results=pass,fail").await, 1240);
    assert_eq!(total("severities=critical,high").await, 22);
    assert_eq!(
        total("rules=cloud_scan/aws/config/not_in_use&results=pass&resources=nothing").await,
        0
    );
    let aws = total("scans=%5BProduction%5D+AWS,%5BStaging%5D+AWS").await;
    let rest = total("scan_groups=data&scans=analytics").await
        + total("scans=%5BProduction%5D+Azure").await;
    assert_eq!(aws + rest, 1240);
    assert!((1..1240).contains(&total("system_compliance=soc-2").await));
    assert_eq!(platform.get("/v1/cspm/checks?results=maybe").await.0, 400);

    let documented = "/v1/cspm/checks?severities=high&resource_types=Configuration%20Recorder";
    let (_, page) = platform.get(documented).await;
    let rows = page["data"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row["attributes"]["resource_id"], Value::Null);
        assert_eq!(row["attributes"]["result"], "fail");
        assert_eq!(row["relationships"]["rule"]["data"]["meta"]["version"], 1);
        let id = row["id"].as_str().unwrap();
        let (_, one) = platform.get(&format!("/v1/cspm/checks/{id}")).await;
        assert_eq!(one, json!({"data": row}));
    }
    assert_eq!(page["links"]["next"], Value::Null);
    assert_eq!(platform.get("/v1/cspm/checks/none").await.0, 404);
    let (_, passes) = platform.get("/v1/cspm/checks?results=pass&page_limit=3").await;
    assert!(
        passes["data"].as_array().unwrap().iter().all(|row| row["attributes"]["status"].is_null())
    );
}

#[tokio::test]
async fn a_cursor_keeps_its_filters_and_is_ignored_beside_others() {
    let platform = Platform::named("healthy").await;
    let (_, first) = platform.get("/v1/cspm/checks?results=fail&page_limit=40").await;
    assert_eq!(first["meta"], json!({"total": 64, "elapsed": 40}));
    let next = first["links"]["next"].as_str().unwrap();
    assert!(!next.contains("results"), "{next}");
    let path = next.strip_prefix(&platform.simulator.origin()).unwrap().to_owned();
    let (_, second) = platform.get(&path).await;
    assert_eq!(second["meta"], json!({"total": 64, "elapsed": 64}));
    assert_eq!(second["links"]["next"], Value::Null);
    let (_, restarted) = platform.get(&format!("{path}&results=fail")).await;
    assert_eq!(restarted["data"], first["data"], "page 1 again");
    for limit in ["0", "1001", "x"] {
        assert_eq!(platform.get(&format!("/v1/cspm/checks?page_limit={limit}")).await.0, 400);
    }
    assert_eq!(platform.get("/v1/cspm/checks?page_cursor=nonsense").await.0, 400);
}

#[tokio::test]
async fn a_page_can_be_wrong_in_every_way_that_a_client_must_notice() {
    let platform = Platform::of(json!({"gravityzone": {
        "checks": 30, "fails": {"high": 4, "unknown": 2}, "unknown_severity": "severe",
        "statuses": ["snoozed", null], "total_offset": 5, "elapsed_offset": -1, "repeat_cursor": true,
        "foreign_next": "http://127.0.0.1:9", "placeholder": true, "null_attributes": ["title"],
    }}))
    .await;
    let (_, page) = platform.get("/v1/cspm/checks?page_limit=10").await;
    assert_eq!(page["meta"], json!({"total": 35, "elapsed": 9}));
    let rows = page["data"].as_array().unwrap();
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[10], json!({"...": "..."}));
    assert_eq!(rows[0]["attributes"]["title"], Value::Null);
    let next = page["links"]["next"].as_str().unwrap();
    let path = next.strip_prefix("http://127.0.0.1:9").unwrap();
    let (_, second) = platform.get(path).await;
    assert_eq!(second["links"]["next"], *next, "it does not move");
    assert_ne!(second["data"], page["data"]);
    let (_, all) = platform.get("/v1/cspm/checks?results=fail").await;
    let words = |key: &str| -> Vec<Value> {
        let rows = all["data"].as_array().unwrap().iter().take(6);
        rows.map(|row| row["attributes"][key].clone()).collect()
    };
    assert_eq!(words("severity").iter().filter(|word| **word == "severe").count(), 2);
    assert_eq!(words("status").iter().filter(|word| **word == "snoozed").count(), 3);
    assert_eq!(words("status").iter().filter(|word| word.is_null()).count(), 3);
}

#[tokio::test]
async fn faults_strike_the_requests_they_name() {
    let runs = "/main/schedule/api/v3/compliance/framework/*/run";
    let platform = Platform::of(json!({"faults": [
        {"path": runs, "status": 504, "applied": true},
        {"path": "/v1/cspm/checks", "status": 429, "retry_after": 7, "kind": "json"},
        {"path": "/v1/cspm/checks", "skip": 1, "kind": "truncated"},
        {"path": "/v1/cspm/checks", "skip": 2, "kind": "wrong-type"},
        {"path": "/v1/cspm/checks", "skip": 3, "kind": "html-200"},
        {"path": "/v1/cspm/checks", "skip": 4, "kind": "empty", "status": 502},
    ]}))
    .await;
    let (status, page) = platform.run("baseline_security", documented()).await;
    assert_eq!(status, 504);
    assert!(page.as_str().unwrap().contains("504 Gateway Time-out"));
    assert_eq!(platform.status(136).await["job_id"], 136, "the run was started anyway");

    let checks = async || platform.send(Method::GET, "/v1/cspm/checks", "token", None).await;
    let limited = checks().await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "7");
    assert_eq!(parts(limited).await.1, json!({"message": "Too Many Requests"}));
    let truncated = checks().await;
    assert_eq!(truncated.status(), 200);
    assert_eq!(truncated.headers()["content-type"], "application/json");
    let text = truncated.text().await.unwrap();
    assert!(text.starts_with(r#"{"data":[{"#) && serde_json::from_str::<Value>(&text).is_err());
    assert_eq!(parts(checks().await).await, (StatusCode::OK, json!([42])));
    assert!(checks().await.text().await.unwrap().starts_with("<!doctype html>"));
    assert_eq!(parts(checks().await).await, (StatusCode::BAD_GATEWAY, json!("")));
    assert_eq!(checks().await.status(), 200);
}

#[tokio::test]
async fn hostile_text_is_everywhere_but_the_figures_stay() {
    let platform = Platform::named("hostile").await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["summary"], json!({"ok": 409, "alarm": 152}));
    assert_eq!(last["failure_message"], "");
    assert_ne!(last["frameworks"][0]["framework_name"], "Security");
    let scan = format!("/main/compliance/api/v3/quick/scan/{job}?view=resource");
    let text = platform.get(&scan).await.1.to_string();
    for fragment in
        ["::error", "##[error]", "##vso[", "]]>", "<script>", "\\u001b", "\u{202e}", "\\u0000"]
    {
        assert!(text.contains(fragment), "{fragment}");
    }
    let (_, page) = platform.get("/v1/cspm/checks?page_limit=1").await;
    assert!(page["data"][0]["attributes"]["title"].as_str().unwrap().len() > 10_000);
}

#[tokio::test]
async fn an_estate_of_30817_checks_is_read_whole() {
    let platform = Platform::named("estate").await;
    let (_, last) = platform.get("/v1/cspm/checks?page_limit=1000").await;
    assert_eq!(last["meta"], json!({"total": 30817, "elapsed": 1000}));
    let (_, fails) = platform.get("/v1/cspm/checks?results=fail&severities=critical").await;
    assert_eq!(fails["meta"]["total"], 12);
}

#[tokio::test]
async fn a_large_framework_is_reported_whole() {
    let pace = json!({"created": 0, "runners": 1, "sink": 0, "summarizer": 0});
    let platform = Platform::of(json!({"opencomply": {
        "frameworks": {"baseline_security": {"ok": 90_000, "alarms": {"high": 10_000}}},
        "job": {"pace": pace},
    }}))
    .await;
    let job = platform.run_documented().await;
    let (last, _) = platform.until(job, "SUCCEEDED").await;
    assert_eq!(last["incidents"]["summary"], json!({"ok": 90_000, "alarm": 10_000}));
}

#[tokio::test]
async fn the_simulator_listens_on_loopback_only() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = Simulator::start(everywhere, Scenario::default(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
    let listener = tokio::net::TcpListener::bind(everywhere).await.unwrap();
    let error =
        compliance_gate_simulator::serve(listener, Scenario::default(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn the_same_scenario_gives_the_same_bytes_apart_from_times() {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let platform = Platform::named("healthy").await;
        let (_, mut page) = platform.get("/v1/cspm/checks?page_limit=1000").await;
        for row in page["data"].as_array_mut().unwrap() {
            row["attributes"]["created_at"] = Value::Null;
        }
        let (_, integrations) = platform.get("/main/integration/api/v1/integrations").await;
        let ids: Vec<Value> = integrations["integrations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["integration_id"].clone())
            .collect();
        let text = page["data"].to_string().replace(&platform.simulator.origin(), "");
        answers.push((text, ids));
    }
    assert!(answers[0] == answers[1]);
}

#[tokio::test]
async fn others_are_there_where_the_scenario_says_so() {
    let history = "/main/schedule/api/v3/benchmark/baseline_security/run-history";
    for (scenario, integrations) in [("busy", 1), ("joinable", 2)] {
        let platform = Platform::named(scenario).await;
        let (_, page) = platform.post(history, json!({})).await;
        let theirs = &page["items"][0];
        assert_eq!(theirs["job_id"], 135, "{scenario}");
        assert_eq!(theirs["job_status"], "RUNNERS_IN_PROGRESS", "{scenario}");
        assert_eq!(theirs["number_of_integrations"], integrations, "{scenario}");
    }
    let platform = Platform::named("superseded-by-others").await;
    platform.run_documented().await;
    let (_, page) = platform.post(history, json!({})).await;
    assert_eq!(page["total_count"], 1, "theirs is not started yet");
    platform.simulator.clock().advance(Duration::from_secs(60));
    let (_, page) = platform.post(history, json!({"sort_by": "id"})).await;
    assert_eq!(page["items"][1]["number_of_integrations"], 1);

    let platform = Platform::named("old-run-moves").await;
    let before = platform.status(135).await;
    platform.simulator.clock().advance(Duration::from_secs(2));
    let after = platform.status(135).await;
    assert_eq!(after["job_status"], "RUNNERS_IN_PROGRESS");
    assert_ne!(before["last_updated_at"], after["last_updated_at"]);

    let platform = Platform::named("integration-deleted").await;
    let (_, page) = platform.post(history, json!({"sort_by": "id"})).await;
    let sizes = page["items"].as_array().unwrap().iter().map(|job| &job["number_of_integrations"]);
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 2], "deleted integrations are dropped");
    let (status, body) = platform.get("/main/schedule/api/v3/job/compliance/135").await;
    assert_eq!((status.as_u16(), &body["message"]), (400, &json!("failed to get integration")));

    let platform = Platform::named("inactive").await;
    let (_, list) = platform.get("/main/integration/api/v1/integrations").await;
    assert_eq!(list["integrations"][1]["state"], "INACTIVE");
    let (_, started) = platform.run("baseline_security", documented()).await;
    let infos = started["jobs"][0]["integration_info"].as_array().unwrap();
    assert_eq!(infos.len(), 2, "a run does not look at the state");
}
