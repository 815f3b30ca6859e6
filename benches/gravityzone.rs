//! From the bytes of GravityZone's pages to findings, and to counts of passes.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should say so")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use compliance_gate::evidence::Counts;
use compliance_gate::sources::gravityzone::count::Counter;
use compliance_gate::sources::gravityzone::findings::Findings;
use compliance_gate::sources::gravityzone::query::Query;
use compliance_gate::sources::gravityzone::shared::Shared;
use compliance_gate::sources::gravityzone::walk::Reader;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;

const PAGE: usize = 1_000;

/// Pages of checks, about 1,750 bytes each, as on the platform. Each is made when it is needed: all
/// of a million checks are 1.7 GB.
fn pages(rows: usize, passed: bool) -> impl Iterator<Item = Vec<u8>> {
    (0..rows).step_by(PAGE).map(move |from| {
        let to = (from + PAGE).min(rows);
        let data: Vec<_> = (from..to).map(|number| check(number, passed)).collect();
        let next = (to < rows).then(|| format!("/v1/cspm/checks?page_cursor={to}"));
        let meta = json!({"total": rows, "elapsed": to});
        let page = json!({"data": data, "links": {"self": "", "next": next}, "meta": meta});
        serde_json::to_vec(&page).unwrap()
    })
}

/// How long it takes to read all pages, without making them.
fn timed(pages: impl Iterator<Item = Vec<u8>>, mut read: impl FnMut(Vec<u8>)) -> Duration {
    pages
        .map(|page| {
            let began = Instant::now();
            read(page);
            began.elapsed()
        })
        .sum()
}

fn check(number: usize, passed: bool) -> serde_json::Value {
    let rule = number % 200;
    let controls: Vec<_> = (0..3)
        .map(|at| {
            json!({"id": format!("CM-{}", rule + at), "type": "control", "meta": {
                "compliance_type": "system_compliance",
                "compliance_id": format!("framework-{at}"),
                "section_id": "CM"
            }})
        })
        .collect();
    let related =
        |kind: &str| json!({"data": {"id": format!("{kind}-{}", number % 8), "type": kind}});
    json!({
        "id": format!("{number:08x}-82b9-4a40-9bf4-55130c000000"),
        "type": "check",
        "attributes": {
            "resource_region": (["ap-southeast-1", "eu-west-3", "us-east-1"][number % 3]),
            "resource_id": format!("arn:aws:ec2:eu-west-3:400000000037:instance/i-{number:016x}"),
            "resource_name": format!("i-{number:016x}"),
            "resource_type": format!("EC2 type {}", rule % 20),
            "result": if passed { "pass" } else { "fail" },
            "severity": (["low", "medium", "high", "critical"][rule % 4]),
            "status": (!passed).then_some("open"),
            "created_at": "2023-12-31T17:08:45+00:00",
            "scan_name": format!("[Staging] {}", number % 8),
            "scan_group_name": "demo-group",
            "title": format!("Unrestricted ingress, rule {rule}"),
            "description": "It was discovered that one or more groups are open.\n\n".repeat(9),
            "original_severity": "medium"
        },
        "relationships": {
            "scan": related("scan"),
            "scan_group": related("scan_group"),
            "rule": {"data": {"id": "407928a2-6539-4eb2-abe5-959613000000", "type": "rule",
                "meta": {"name": format!("cloud_scan/aws/ec2/rule_{rule}"), "version": 1}}},
            "controls": {"data": controls}
        },
        "links": {"self": format!("https://api.example.com/v1/cspm/checks/{number}")}
    })
}

fn findings(rows: usize) -> Duration {
    let query = Query::default().results(false);
    let mut reader = Reader::new("gravityzone", &query, PAGE as u64);
    let (mut findings, mut shared) = (Findings::default(), Shared::default());
    let time = timed(pages(rows, false), |page| {
        let page = serde_json::from_slice(&page).unwrap();
        reader.page(&page, |row| findings.add(&mut shared, row).map(|_| ())).unwrap();
    });
    let began = Instant::now();
    black_box(findings.finish());
    time + began.elapsed()
}

fn counts(rows: usize) -> Duration {
    let query = Query::default().results(true);
    let mut reader = Reader::new("gravityzone", &query, PAGE as u64);
    let mut counter = Counter::new(&[], None, false, HashMap::new());
    let mut shared = Shared::default();
    let time = timed(pages(rows, true), |page| {
        let page = serde_json::from_slice(&page).unwrap();
        reader.page(&page, |row| counter.add(&mut shared, row)).unwrap();
    });
    let began = Instant::now();
    let mut counts = Counts::default();
    counter.finish(&shared, &Findings::default(), &mut counts);
    black_box(counts);
    time + began.elapsed()
}

fn bench(criterion: &mut Criterion) {
    type Read = fn(usize) -> Duration;
    let ways: [(&str, Read); 2] = [("findings", findings), ("counts", counts)];
    for (name, read) in ways {
        let mut group = criterion.benchmark_group(format!("gravityzone/{name}"));
        group.sample_size(10);
        for rows in [1_000, 100_000, 1_000_000] {
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(rows.to_string(), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| read(rows)).sum());
            });
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
