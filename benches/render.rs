//! How long a decision and each report take, for a usual estate and for a very large one.
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on should say so")]

#[path = "../tests/it/common/estate.rs"]
mod estate;

use std::hint::black_box;
use std::io;

use compliance_gate::evaluate;
use compliance_gate::report::FORMATS;
use compliance_gate::report::terminal::{self, TerminalStyle};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn sizes(criterion: &mut Criterion) {
    for findings in [1_000, 100_000, 1_000_000] {
        let scene = estate::big(findings);
        let mut group = criterion.benchmark_group(format!("{findings} findings"));
        group.sample_size(10).throughput(Throughput::Elements(u64::from(findings)));
        group.bench_function("decide", |bencher| {
            bencher.iter(|| {
                let decision =
                    evaluate::decide(&scene.policy, &scene.evidence, None, estate::now());
                black_box(decision.verdict)
            });
        });
        scene.report(|report| {
            for format in FORMATS {
                group.bench_function(BenchmarkId::from_parameter(format.name), |bencher| {
                    bencher.iter(|| (format.render)(report, &mut io::sink()).expect("a sink"));
                });
            }
            group.bench_function("terminal", |bencher| {
                bencher.iter(|| {
                    terminal::render(report, TerminalStyle::default(), &mut io::sink())
                        .expect("a sink");
                });
            });
        });
        group.finish();
    }
}

criterion_group!(benches, sizes);
criterion_main!(benches);
