//! Networks that break, at every endpoint of every system, on an estate that is red: no fault makes it
//! green, outlives the deadline by more than a second, or takes more than 300 MB.
//!
//! It takes minutes, and a quiet machine: `tests/conformance/run faults`.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::proxy::{Fault, Proxy, Rule};
use crate::common::tls::TlsServer;
use crate::common::{DOCUMENTED, Ended, Folder, Platform, at_once};

const DEADLINE: Duration = Duration::from_secs(6);
const LATE: Duration = Duration::from_secs(1);
const MOST_MEMORY: u64 = 300 << 20;

/// How many runs there are at once.
const WORKERS: usize = 8;

const SYSTEMS: [(&str, &str, &str); 7] = [
    ("opencomply", "", DOCUMENTED),
    ("gravityzone", "/v1", ""),
    ("bigid", "", ""),
    ("bigpanda", "", ""),
    ("sysdig", "", "    posture: {}\n"),
    (
        "sysdig",
        "",
        "    images: [{tag: \"registry.example.com/shop/api:1.4\"}]\n    vulnerabilities: findings\n",
    ),
    ("sysdig", "", "    events: {window: 24h}\n"),
];

fn answer(status: &str, headers: &str, body: &str) -> Fault {
    let length = body.len();
    Fault::Answer(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// Two hundred megabytes of list in a fifth of a megabyte.
fn bomb() -> Fault {
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    body.write_all(b"[").unwrap();
    let part = b"{},".repeat(1 << 18);
    (0..256).for_each(|_| body.write_all(&part).unwrap());
    let body = body.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Fault::Bytes([head.into_bytes(), body].concat().into())
}

fn faults() -> Vec<(&'static str, Fault)> {
    const JSON: &str = "content-type: application/json\r\n";
    const HTML: &str = "content-type: text/html\r\n";
    let page = "<!doctype html><title>Sign in</title>";
    let huge = format!("x-padding: {}\r\n", "x".repeat(2 << 20));
    let many = "x-padding: x\r\n".repeat(5000);
    vec![
        ("reset", Fault::Reset),
        ("lost answer", Fault::LoseAnswer),
        ("stall", Fault::Stall),
        ("stalled body", Fault::StallBody),
        ("cut body", Fault::CutBody),
        ("short body", Fault::ShortBody),
        ("drip", Fault::Drip),
        ("endless", Fault::Endless),
        ("bomb", bomb()),
        (
            "chunked garbage",
            answer("200 OK", "transfer-encoding: chunked\r\n", "zz\r\nnot a chunk\r\n"),
        ),
        ("wrong type", answer("200 OK", "content-type: image/png\r\n", "\u{1}PNG")),
        ("HTML", answer("200 OK", HTML, page)),
        ("empty", answer("200 OK", JSON, "")),
        ("an empty object", answer("200 OK", JSON, "{}")),
        ("an empty list", answer("200 OK", JSON, "[]")),
        ("null", answer("200 OK", JSON, "null")),
        ("204", Fault::Answer("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned())),
        ("206", answer("206 Partial Content", JSON, "[]")),
        ("304", Fault::Answer("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned())),
        ("429", answer("429 Too Many Requests", "", "{}")),
        ("429 later", answer("429 Too Many Requests", "retry-after: 86400\r\n", "{}")),
        ("429 now", answer("429 Too Many Requests", "retry-after: 0\r\n", "{}")),
        ("500", answer("500 Internal Server Error", JSON, "{}")),
        ("502", answer("502 Bad Gateway", HTML, page)),
        ("503", answer("503 Service Unavailable", "retry-after: soon\r\n", "")),
        ("504", answer("504 Gateway Timeout", HTML, page)),
        ("elsewhere", answer("302 Found", "location: http://127.0.0.2:9/\r\n", "")),
        ("a loop", answer("307 Temporary Redirect", "location: ?\r\n", "")),
        ("no HTTP", Fault::Answer("SSH-2.0-OpenSSH_9.6\r\n".to_owned())),
        ("a huge header", Fault::Headers(huge)),
        ("many headers", Fault::Headers(many)),
        ("two lengths", Fault::Headers("content-length: 3\r\n".to_owned())),
        ("the past", Fault::Headers("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".to_owned())),
        ("the future", Fault::Headers("date: Fri, 31 Dec 2099 23:59:59 GMT\r\n".to_owned())),
        ("two dates", Fault::Headers("date: x\r\ndate: y\r\n".to_owned())),
    ]
}

fn command(folder: &Folder) -> Command {
    let mut command = folder.command(&["run", "--json", "gate.json"]);
    command.env("BIGID_TOKEN", "test-token-of-bigid");
    command
}

fn folder(origin: &str, (system, path, settings): (&str, &str, &str)) -> Folder {
    let folder = Folder::new();
    let deadline = DEADLINE.as_secs();
    let text = format!(
        "version: 1\ndeadline: {deadline}s\nsources:\n  {system}:\n    url: {origin}{path}\n{settings}\
         gates:\n  - {{id: none, source: {system}, severity: \">= high\", max: 0}}\n"
    );
    folder.write("compliance-gate.yaml", &text);
    folder
}

/// The method and the path of every request of a run, without digits that differ from run to run.
fn endpoints(platform: &Platform, system: (&str, &str, &str)) -> BTreeSet<String> {
    let proxy = Proxy::start(&platform.origin, Vec::new());
    Ended::wait(command(&folder(&proxy.origin, system))).exits(1);
    let heads = proxy.heads();
    let path = |head: &String| {
        let line = head.lines().next().unwrap();
        line.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ")
    };
    heads.iter().map(path).collect()
}

/// Runs, and returns the greatest resident memory in bytes too.
fn measured(folder: &Folder) -> (Ended, u64) {
    let started = Instant::now();
    let child = command(folder).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM")) else { break };
            peak = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            std::thread::sleep(Duration::from_millis(3));
        }
        peak << 10
    });
    let ended = Ended::of(child.wait_with_output().unwrap(), started);
    (ended, watch.join().unwrap())
}

/// A platform, or what is at its address, that speaks no TLS.
#[test]
fn plain_http_in_place_of_tls_is_no_answer() {
    let platform = Platform::start("blocked");
    let other = TlsServer::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    for origin in [platform.origin.replace("http:", "https:"), other.origin] {
        at_once(SYSTEMS, |system| {
            let (ended, memory) = measured(&folder(&origin, system));
            let ended = ended.exits(2).says("does not speak https");
            assert!(ended.took < DEADLINE + LATE && memory < MOST_MEMORY, "{:?}", ended.took);
        });
    }
}

#[test]
#[ignore = "takes minutes; tests/conformance/run faults"]
fn no_fault_of_a_network_turns_a_red_estate_green() {
    let platform = Arc::new(Platform::start("blocked"));
    let mut cells = Vec::new();
    for system in SYSTEMS {
        for endpoint in endpoints(&platform, system) {
            for (name, fault) in faults() {
                cells.extend(
                    [1, usize::MAX]
                        .map(|times| (system, endpoint.clone(), name, fault.clone(), times)),
                );
            }
        }
    }
    // Those that last first: they show the most.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.4));
    let count = cells.len();
    let cells = std::sync::Mutex::new(cells.into_iter());
    let wrong = std::sync::Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some((system, endpoint, name, fault, times)) = cells.lock().unwrap().next() else {
                break;
            };
            let path: &'static str = endpoint.clone().leak();
            let rule = Rule { path, skip: 0, times, fault };
            let proxy = Proxy::start(&platform.origin, vec![rule]);
            let (ended, memory) = measured(&folder(&proxy.origin, system));
            let is_red = matches!(ended.code, Some(1..=5));
            let is_late = ended.took > DEADLINE + LATE;
            if !is_red || is_late || memory > MOST_MEMORY {
                let Ended { code, took, .. } = &ended;
                let (megabytes, all) = (memory >> 20, &ended.stdout);
                let cell = format!("{endpoint}: {name}, {times} times: {code:?} in {took:?}");
                println!("{cell}, {megabytes} MB\n{all}");
                wrong.lock().unwrap().push(cell);
            }
        }
    };
    std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(count > 1000, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
